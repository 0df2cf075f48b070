// The page: figures come, are kept in order, and are drawn. What the connection does is in `liveness.js`.
//
// `window.feed` is for whoever tests it: `received`, the latest figures' [epoch, number] in the order of arrival; `lost`, the
// latest [epoch, first, last] that the server no longer had; `states`, the latest [milliseconds since the start, phase].

import { LiveSocket } from "/liveness.js";
import { draw } from "/chart.js";
import { at, make } from "/elements.js";

const feed = (window.feed = { received: [], lost: [], states: [] });

/** What is drawn: { time, value, late }, or { time, edge } where figures are missing or another count begins. */
const figures = [];
/** The server's count that we follow, and the last number of it that we have. */
let epoch = null;
let last = 0;
/** By how much the server's clock is ahead of this page's. */
let ahead = 0;
let connections = 0;
let received = 0;
let filled = 0;
let lostForGood = 0;
/** While a connection is new: since when there was none, and what has been filled in. */
let gap = null;
/** The chart shows when nothing came: since when nobody tells us anything. */
let silentSince = null;

/** While there is no connection: why, in words that may count on. */
let why = null;
/** The button that had the focus before that. */
let pressed = null;
/** When something came last, by the page's clock. */
let heardAt = performance.now();

/** Adds to a list of `feed`, which keeps as much as a page that is open for weeks can bear. */
function note(list, entry) {
  list.push(entry);
  if (list.length > 2000) list.splice(0, 200);
}

const address = `${location.protocol.replace("http", "ws")}//${location.host}/live`;
const link = new LiveSocket(address, { interval: 2000, timeout: 3000, suspectAfter: 1000, dialTimeout: 5000 });
link.addEventListener("open", opened);
link.addEventListener("message", ({ data }) => heard(data));
link.addEventListener("rtt", ({ detail }) => {
  heardAt = performance.now();
  at("trip").textContent = `${detail.latest.toFixed(1)} ms`;
});
link.addEventListener("offline", ({ detail }) => lost(reason(detail), detail.silence));
for (const phase of ["waiting", "ended"]) link.addEventListener(phase, ({ detail }) => lost(() => detail.why));
for (const phase of ["dialling", "online", "suspect", "waiting", "ended"]) link.addEventListener(phase, () => showLink(phase));

/** Why there is no connection, for a person. */
function reason({ reason, words, code }) {
  const known = {
    1000: "the server has closed the connection",
    1001: "the server is going away",
    1011: "something went wrong in the server",
    1012: "the server restarts",
    1013: "the server asks to come back later",
  };
  if (reason === "ping-timeout") return silent;
  if (reason === "transport-closed") return () => "the connection broke";
  if (reason !== "peer-closed") return () => words;
  return () => known[code || 1000] ?? `the server closed it with code ${code}`;
}

const silent = () => `the server has said nothing for ${Math.floor((performance.now() - heardAt) / 1000)} s`;

/** The first reason stays: what fails after that is told by the count of attempts. */
function lost(words, silence) {
  if (why) return;
  why = words;
  if (silence !== undefined) heardAt = performance.now() - silence;
  if (connections > 0) say(sentence(why()));
  silentSince ??= figures.findLast(({ value }) => value !== undefined)?.time ?? Date.now();
}

function opened() {
  connections += 1;
  at("connections").textContent = connections;
  link.send(`from ${epoch ?? "-"} ${last}`);
}

function heard(message) {
  heardAt = performance.now();
  const { hello, lost: range, figures: news, moving } = JSON.parse(message);
  if (moving !== undefined) link.handOver(moving * 1000);
  if (hello) greeted(hello);
  if (range) missing(range);
  if (news) news.forEach(take);
  show();
}

function greeted(hello) {
  link.configure(hello.timing);
  ahead = hello.now - Date.now();
  gap = null;
  if (epoch === null) {
    say("Connected.");
  } else if (epoch !== hello.epoch) {
    say("Connected to a server that was started anew: what came in between is lost, and it counts from 1 again.");
    figures.push({ edge: "restart" });
  } else if (last === hello.newest) {
    say("Connected again. Nothing was missed.");
  } else {
    gap = { from: last, to: hello.newest };
  }
  if (epoch !== hello.epoch) [epoch, last] = [hello.epoch, hello.oldest - 1];
}

function missing([first, end]) {
  note(feed.lost, [epoch, first, end]);
  lostForGood += end - first + 1;
  last = end;
  if (gap) gap.from = Math.min(end, gap.to);
  if (figures.length > 0) figures.push({ edge: "lost" });
  say(`${count(end - first + 1)} lost for good: the server keeps only the latest.`);
}

function take([number, time, value]) {
  note(feed.received, [epoch, number]);
  received += 1;
  last = number;
  // Where edges are, only what comes after them can say. A new server may know of earlier times than the old one's last.
  const edges = [];
  while (figures.at(-1)?.edge) edges.unshift({ ...figures.pop(), time });
  if (edges.length > 0) while (figures.at(-1)?.time >= time) figures.pop();
  figures.push(...edges);
  figures.push({ time, value, late: gap !== null && number <= gap.to });
  if (gap && number <= gap.to) {
    filled += 1;
    if (number === gap.to) {
      const came = gap.to - gap.from;
      say(`Connected again. ${count(came)} that came meanwhile ${came === 1 ? "is" : "are"} filled in.`);
      gap = null;
    }
  }
}

const count = (number) => (number === 1 ? "1 figure" : `${number.toLocaleString("en")} figures`);

/** Tells it where it can be read again later. */
function say(words) {
  const time = new Date().toLocaleTimeString("en-GB");
  at("log").prepend(make("li", {}, make("time", {}, time), make("span", {}, words)));
  while (at("log").children.length > 50) at("log").lastChild.remove();
}

const PILLS = {
  online: ["online", "Live"],
  suspect: ["suspect", "No answer yet"],
  dialling: ["connecting", "Connecting"],
  waiting: ["offline", "No connection"],
  ended: ["offline", "Closed"],
};

function showLink(phase) {
  note(feed.states, [Math.round(performance.now()), phase]);
  if (phase === "online") why = silentSince = null;
  const focused = document.activeElement;
  show();
  // If the button with the focus cannot be used any more, the focus moves to the one that can, and back afterwards.
  if (focused.matches("[data-order]:disabled")) {
    pressed = focused;
    at("now").focus({ preventScroll: true });
  } else if (focused === at("now") && focused.hidden) {
    (pressed ?? at("log")).focus({ preventScroll: true });
  }
}

const isConnected = () => link.state === "online" || link.state === "suspect";
const sentence = (words) => `${words[0].toUpperCase()}${words.slice(1)}.`;

function show() {
  const now = Date.now() + ahead;
  const { state: phase } = link;
  const newest = figures.findLast(({ value }) => value !== undefined);
  const old = newest === undefined ? 0 : now - newest.time;
  put("value", newest === undefined ? "–" : newest.value.toFixed(1));
  put("output", old > 2000 ? `Output ${Math.floor(old / 1000)} s ago` : "Output now");
  at("reading").toggleAttribute("data-old", old > 2000);
  const [state, words] = phase === "online" && old > 2000 ? ["suspect", "No new figure"] : PILLS[phase];
  at("link").dataset.state = state;
  put("link", words);
  // A line that is always there: what appears and goes would move what is below.
  at("line").dataset.state = why ? "offline" : state;
  put("why", why ? sentence(why()) : phase === "suspect" ? sentence(silent()) : isConnected() ? "Connected." : "Not connected.");
  put("next", next(phase, words));
  at("now").hidden = !why;
  put("latest", last === 0 ? "–" : `no. ${last.toLocaleString("en")}`);
  put("received", received.toLocaleString("en"));
  put("filled", filled.toLocaleString("en"));
  put("lost", lostForGood.toLocaleString("en"));
  put("summary", summary(now));
  for (const button of document.querySelectorAll("[data-order]")) button.disabled = !isConnected();
  // A minute is drawn, and what leads into it from the left.
  while (figures.length > 1 && figures[1].time < now - 70_000) figures.shift();
  draw(at("chart"), figures, now, isConnected() ? null : silentSince);
}

function put(id, words) {
  if (at(id).textContent !== words) at(id).textContent = words;
}

/** What comes next. */
function next(phase, pill) {
  const { until, attempts } = link;
  const seconds = Math.max(0, Math.ceil((until - performance.now()) / 1000));
  switch (phase) {
    case "online":
      return pill === "Live" ? "Up to date." : "No new figure.";
    case "suspect":
      return "It has not answered yet.";
    case "waiting":
      // The system says that there is no network.
      return until === Infinity ? "Waiting for a network." : seconds === 0 ? "Next attempt now." : `Next attempt in ${seconds} s.`;
    case "ended":
      return "It is not dialled again.";
    default:
      return attempts > 1 ? `Attempt ${attempts} is under way.` : "Connecting.";
  }
}

function summary(now) {
  const minute = figures.filter(({ time, value }) => value !== undefined && time > now - 60_000);
  if (minute.length === 0) return "No figure of the last minute.";
  const values = minute.map(({ value }) => value);
  const words = `Last minute: lowest ${Math.min(...values).toFixed(1)}, highest ${Math.max(...values).toFixed(1)} MW.`;
  return minute.some(({ late }) => late) ? `${words} Blue at the foot: filled in afterwards.` : words;
}

for (const button of document.querySelectorAll("[data-order]")) {
  button.onclick = () => link.send(button.dataset.order);
}
at("now").onclick = () => link.dialNow();
addEventListener("resize", show);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
setInterval(show, 250);
