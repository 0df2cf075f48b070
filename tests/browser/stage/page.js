// Counts its own ticks, shows the server's beats, and says what it is told to say. It dials again by itself.

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

function dial() {
  show("connecting", "Connecting");
  socket = new WebSocket(`${location.protocol.replace("http", "ws")}//${location.host}/live`);
  socket.onopen = () => show("online", "Connected");
  socket.onclose = () => {
    show("offline", "Disconnected");
    toast("The connection is lost; dialling again.");
    setTimeout(dial, 250);
  };
  socket.onmessage = ({ data }) => {
    const [kind, value] = [data.slice(0, data.indexOf(" ")), data.slice(data.indexOf(" ") + 1)];
    if (kind === "beat") at("beats").textContent = value;
    if (kind === "heard") at("heard").textContent = `The server has heard: ${value}`;
  };
}

at("say").onsubmit = (event) => {
  event.preventDefault();
  socket.send(at("words").value);
  at("words").value = "";
};
at("ask").onclick = () => at("dialog").showModal();
dial();
console.log("the stage is set");
