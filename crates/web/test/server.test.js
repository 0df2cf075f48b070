// Against a server that nobody here wrote: Node's ws, as `.ci/run` puts it into target/interop. Where it is not, the tests say
// that they are skipped; with LIVENESS_INTEROP in the environment they fail.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createRequire } from "node:module";
import { readFile } from "node:fs/promises";
import test from "node:test";

import { LiveSocket, load } from "../liveness.js";

const require = createRequire(new URL("../../../target/interop/", import.meta.url));
let ws = null;
try {
  ws = require("ws");
} catch (error) {
  if (process.env.LIVENESS_INTEROP) throw error;
}
const skip = ws ? false : "ws is not in target/interop";
await load(await readFile(new URL("../liveness.wasm", import.meta.url)));

/** Its heartbeat is that of `ws` itself, and it answers ours while it is awake. */
async function server(port = 0) {
  const server = new ws.WebSocketServer({ port, host: "127.0.0.1" });
  await once(server, "listening");
  server.awake = true;
  server.on("connection", (socket) => {
    socket.on("message", (data, isBinary) => {
      if (!server.awake) return;
      const [, digits] = /^ping ([0-9a-f]{16})$/.exec(data) ?? [];
      socket.send(digits ? `pong ${digits}` : data, { binary: isBinary && !digits });
    });
  });
  return server;
}

/** What is told next of this kind; what has not come within a minute hangs. */
const next = async (live, type) => (await once(live, type, { signal: AbortSignal.timeout(60_000) }))[0].detail;

/** For a server that is there: no machine is so busy that it is taken for one that hangs. */
const PATIENT = { timeout: 30_000, suspectAfter: 20_000 };

function socket(server, options) {
  const host = { WebSocket: ws.WebSocket };
  const timing = { interval: 150, timeout: 400, suspectAfter: 150, firstDelay: 50, longestDelay: 200, stableAfter: 60_000 };
  return new LiveSocket(`ws://127.0.0.1:${server.address().port}`, { ...timing, ...options, host });
}

async function gone(server) {
  for (const client of server.clients) client.terminate();
  server.close();
  await once(server, "close");
}

test("it talks, and knows the round trip", { skip }, async () => {
  const there = await server();
  const live = socket(there, PATIENT);
  await next(live, "online");
  assert.equal(live.send("hello"), true);
  const [{ data }] = await once(live, "message");
  assert.equal(data, "hello");
  const trip = await next(live, "rtt");
  assert.ok(trip.latest >= 0 && trip.latest < PATIENT.timeout, JSON.stringify(trip));
  live.close(4000, "thank you");
  const [client] = there.clients;
  const [code, reason] = await once(client, "close");
  assert.deepEqual([code, String(reason)], [4000, "thank you"]);
  assert.equal(live.state, "ended");
  await gone(there);
});

test("a server whose process hangs is found out though its socket is open, and found again", { skip }, async () => {
  const there = await server();
  const live = socket(there, { timeout: 3000, suspectAfter: 1000 });
  await next(live, "online");
  there.awake = false;
  const [, { reason }] = await Promise.all([next(live, "suspect"), next(live, "offline")]);
  assert.equal(reason, "ping-timeout");
  there.awake = true;
  await next(live, "online");
  assert.equal(there.clients.size <= 2, true);
  live.close();
  await gone(there);
});

test("a server that is gone is dialled until it is back", { skip }, async () => {
  const there = await server();
  const { port } = there.address();
  const live = socket(there, PATIENT);
  await next(live, "online");
  const [lost, dialled] = [next(live, "offline"), next(live, "dialling")];
  await gone(there);
  assert.equal((await lost).reason, "transport-closed");
  await dialled;
  await next(live, "waiting");
  live.configure({ firstDelay: 10 });
  const again = await server(port);
  await next(live, "online");
  live.close();
  await gone(again);
});

test("a server that says goodbye for good is not dialled again", { skip }, async () => {
  const there = await server();
  const live = socket(there, PATIENT);
  await next(live, "online");
  for (const client of there.clients) client.close(1008, "no");
  const ended = await next(live, "ended");
  assert.deepEqual(ended, { why: "closed by the peer", code: 1008 });
  await gone(there);
});
