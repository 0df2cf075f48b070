// An echo server of Node's ws.
const { WebSocketServer } = require("ws");

const server = new WebSocketServer({ host: "127.0.0.1", port: 0 }, () =>
  console.log("listening on", server.address().port),
);
server.on("connection", (socket) => socket.on("message", (message) => socket.send(String(message))));
