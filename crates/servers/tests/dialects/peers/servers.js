// The official server of a protocol: `node servers.js NAME`. It says where it listens, and how a client was closed.
const http = require("http");
const { WebSocketServer } = require("ws");

const listening = (port) => console.log("listening on", port);
const servers = {
  "engine.io"() {
    const { Server } = require("engine.io");
    const server = http.createServer();
    const engine = new Server({ pingInterval: 400, pingTimeout: 3000 });
    engine.on("connection", (socket) => {
      console.log("connected");
      socket.on("close", (reason) => console.log("closed", reason));
    });
    engine.attach(server);
    server.listen(0, "127.0.0.1", () => listening(server.address().port));
  },
  graphql() {
    const { useServer } = require("graphql-ws/use/ws");
    const { buildSchema } = require("graphql");
    const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
    const on = { onConnect: () => console.log("connected"), onClose: (_context, code) => console.log("closed", code) };
    useServer({ schema: buildSchema("type Query { a: Int }"), ...on }, server, 0);
    server.on("listening", () => listening(server.address().port));
  },
};
servers[process.argv[2]]();
