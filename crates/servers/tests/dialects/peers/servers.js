// The official server of a protocol: `node servers.js PACKAGE`. It says where it listens, when a client has come, and with which code it
// was closed. What a client says it says again, so that both talk where the client does.
const http = require("http");
const { WebSocketServer, createWebSocketStream } = require("ws");

const listening = (port) => console.log("listening on", port);
const connected = () => console.log("connected");
const closed = (code) => console.log("closed", code);
const numbers = { pingInterval: 300, pingTimeout: 3000 };

const servers = {
  "engine.io"() {
    const { Server } = require("engine.io");
    const server = http.createServer();
    const engine = new Server(numbers);
    engine.on("connection", (socket) => {
      connected();
      socket.transport.socket.on("close", closed);
      socket.on("message", (message) => socket.send(message));
    });
    engine.attach(server);
    server.listen(0, "127.0.0.1", () => listening(server.address().port));
  },
  "socket.io"() {
    const { Server } = require("socket.io");
    const server = http.createServer();
    new Server(server, numbers).on("connection", (socket) => {
      connected();
      socket.conn.transport.socket.on("close", closed);
      socket.onAny((name, ...message) => socket.emit(name, ...message));
    });
    server.listen(0, "127.0.0.1", () => listening(server.address().port));
  },
  "graphql-ws"() {
    const { useServer } = require("graphql-ws/use/ws");
    const { buildSchema } = require("graphql");
    const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
    const schema = buildSchema("type Query { a: Int } type Subscription { tick: Int }");
    async function* tick() {
      for (let tick = 0; ; tick += 1) {
        await new Promise((resolve) => setTimeout(resolve, 100));
        yield { tick };
      }
    }
    const on = { onConnect: connected, onClose: (_context, code) => closed(code) };
    // It would ask with frames as well: 0 is never.
    useServer({ schema, roots: { subscription: { tick } }, ...on }, server, 0);
    server.on("listening", () => listening(server.address().port));
  },
  async aedes() {
    const { Aedes } = require("aedes");
    const broker = await Aedes.createBroker();
    broker.on("clientReady", connected);
    const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
    server.on("connection", (socket, request) => {
      socket.on("close", closed);
      const stream = createWebSocketStream(socket);
      stream.on("error", () => {});
      broker.handle(stream, request);
    });
    server.on("listening", () => listening(server.address().port));
  },
};
servers[process.argv[2]]();
