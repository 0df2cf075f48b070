// A subscriber, by the official library: `node graphql_client.js URL`. It says what comes, and how its WebSocket was closed.
const { WebSocket } = require("ws");
const { createClient } = require("graphql-ws");

const on = { closed: ({ code }) => console.log("closed", code) };
const client = createClient({ url: process.argv[2], webSocketImpl: WebSocket, keepAlive: 500, retryAttempts: 0, on });
client.subscribe(
  { query: "subscription { ticks(count: 3) }" },
  { next: ({ data }) => console.log("tick", data.ticks), error() {}, complete() {} },
);
