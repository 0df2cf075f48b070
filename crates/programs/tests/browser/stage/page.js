// Counts its own ticks, shows the server's beats, and says what it is told to say. It dials again where its connection ends;
// with `?watch` also where beats stay away, which no event of a browser tells.

const at = (id) => document.getElementById(id);
let ticks = 0;
let socket;

setInterval(() => (at("ticks").textContent = ++ticks), 50);

function show(state, words) {
  at("link").dataset.state = state;
  at("link").textContent = words;
}

function toast(words) {
  const line = document.createElement("p");
  line.className = "toast";
  line.textContent = words;
  document.querySelector(".toasts").append(line);
  setTimeout(() => line.remove(), 3000);
}

let heard = 0;

function dial() {
  // At most one. Where the network is dead its closing handshake waits, and the new one does not wait for it.
  socket?.close();
  show("connecting", "Connecting");
  heard = performance.now();
  socket = new WebSocket(`${location.protocol.replace("http", "ws")}//${location.host}/live`);
  socket.onopen = ({ target }) => target === socket && show("online", "Connected");
  socket.onclose = ({ target }) => {
    if (target !== socket) return;
    show("offline", "Disconnected");
    toast("The connection is lost; dialling again.");
    setTimeout(dial, 250);
  };
  socket.onmessage = ({ data, target }) => {
    if (target !== socket) return;
    heard = performance.now();
    const [kind, value] = [data.slice(0, data.indexOf(" ")), data.slice(data.indexOf(" ") + 1)];
    if (kind === "beat") at("beats").textContent = value;
    if (kind === "heard") at("heard").textContent = `The server has heard: ${value}`;
  };
}

at("say").onsubmit = (event) => {
  event.preventDefault();
  if (socket.readyState === WebSocket.OPEN) socket.send(at("words").value);
  at("words").value = "";
};
if (location.search === "?watch") {
  setInterval(() => {
    if (performance.now() - heard > 2000) dial();
  }, 250);
}
at("ask").onclick = () => at("dialog").showModal();
dial();
console.log("the stage is set");
