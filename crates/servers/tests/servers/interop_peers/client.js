// A client of Node's ws that answers pings and says how it was closed.
const { WebSocket } = require("ws");

const socket = new WebSocket(process.argv[2]);
socket.on("open", () => {
  console.log("connected");
  socket.send("hello");
});
socket.on("message", (message) => console.log("echo", String(message)));
socket.on("error", () => {});
socket.on("close", (code) => console.log("closed", code));
