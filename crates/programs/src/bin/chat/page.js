// The chat's page. Everything that somebody wrote becomes text, never markup. What the connection does is in `liveness.js`.

import { at, make, storage, toast } from "/elements.js";
import { LiveSocket } from "/liveness.js";

const [log, people, words] = [at("log"), at("people"), at("words")];
const room = new URLSearchParams(location.search).get("room")?.trim() || "lobby";

/** How long somebody who left is still shown, crossed out. */
const GONE = 8000;
/** As many lines as are kept on the page. */
const KEPT = 500;

const random = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
const kept = storage("localStorage");
const token = (kept.chatToken ??= random());
let name = kept.chatName ?? "";

let epoch, you, agreed;
/** On this connection the hub has let us in. */
let entered = false;
let seen = 0;
let left = false;
/** What was written and has not come back yet, by its key. */
const waiting = new Map();
/** The keys of the latest lines. */
const keys = new Set();
/** Who is here, or has just left. */
const known = new Map();

// The connection. None before there is a name to enter under.

let live = null;
let countdown;

function dial() {
  if (live) return live.dialNow();
  const address = `${location.protocol.replace("http", "ws")}//${location.host}/live`;
  // Back before the others are told that somebody left.
  const soon = { firstDelay: 500, maxSpread: 1000 };
  live = new LiveSocket(address, { interval: 2000, timeout: 3000, suspectAfter: 1000, dialTimeout: 5000, ...soon });
  live.addEventListener("dialling", () => {
    clearInterval(countdown);
    at("notice").hidden = true;
    entered = false;
    show("connecting", "Connecting");
  });
  live.addEventListener("open", () => hello());
  live.addEventListener("message", ({ data }) => hear(JSON.parse(data)));
  live.addEventListener("suspect", () => show("suspect", "No answer yet"));
  live.addEventListener("online", () => entered && show("online", "Connected"));
  live.addEventListener("waiting", ({ detail }) => lost(detail.until));
  live.addEventListener("ended", () => left || lost());
}

/** There is no connection, and none before this moment: `Infinity` before there is a network, nothing before somebody asks. */
function lost(until) {
  show("offline", "Disconnected");
  const count = () => {
    const seconds = Math.max(0, Math.ceil((until - performance.now()) / 1000));
    const next = until === undefined ? "Ask for another." : until === Infinity ? "Waiting for a network." : `Next attempt in ${seconds} s.`;
    at("why").textContent = `No connection. What you write is kept. ${next}`;
  };
  count();
  // A wait that is hardly one is not worth a notice.
  at("notice").hidden = until - performance.now() < 1000;
  clearInterval(countdown);
  countdown = setInterval(count, 1000);
}

const tell = (what) => live?.send(JSON.stringify(what)) ?? false;
const hello = () => tell({ type: "hello", token, name, room });

at("now").onclick = () => dial();
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && isFollowing()) read();
});

function show(state, text) {
  at("link").dataset.state = state;
  at("link").textContent = text;
  // A list that nobody keeps up says so.
  at("here").firstChild.textContent = state === "online" ? "Here now " : "Here, when last heard ";
  people.toggleAttribute("data-stale", state !== "online");
}

// What the hub says.

function hear(told) {
  switch (told.type) {
    case "welcome":
      welcome(told);
      arrange();
      break;
    case "line":
      line(told);
      break;
    case "change":
      change(told);
      arrange();
      break;
    case "named":
      named(told);
      arrange();
      break;
    case "rtts":
      for (const [user, rtt] of told.of) {
        const person = known.get(user);
        if (person) draw(Object.assign(person, { rtt }));
      }
      break;
    case "taken":
      notNamed(`${told.name} is in this room already. ${told.free} is free.`, told.free);
      break;
    case "refused":
      refused(told);
      break;
    case "left":
      left = true;
      live.close();
      show("offline", "You left");
      at("leave").disabled = true;
      for (const user of [...known.keys()]) forget(user);
      ask("You have left this room. Enter again?", name);
      break;
  }
}

function welcome(told) {
  const again = epoch !== undefined;
  const here = new Set(told.people.map(({ user }) => user));
  // If the page shows its own user and the hub does not list them, they had left and join anew.
  const wasAway = epoch === told.epoch && known.has(told.you) && !here.has(told.you);
  if (epoch !== told.epoch) seen = 0;
  [epoch, you] = [told.epoch, told.you];
  live.configure(told.timing);
  [entered, agreed] = [true, name];
  at("room").textContent = told.room;
  at("self").textContent = name;
  at("leave").disabled = false;
  show("online", "Connected");

  // Not to be read aloud from the beginning.
  log.setAttribute("aria-busy", "true");
  const first = told.lines[0]?.seq ?? 0;
  if (wasAway) system("You were away, and the others saw you leave.");
  if (told.behind) system("You had fallen behind; this is how things stand.");
  if (again && first > seen + 1) system("Some messages in between are lost.");
  for (const said of told.lines) if (said.seq > seen) line(said, again);
  log.setAttribute("aria-busy", "false");
  if (!again) toEnd();

  for (const person of known.values()) {
    if (person.user !== you && !here.has(person.user) && person.status !== "gone") change({ ...person, status: "gone" });
  }
  for (const person of told.people) place(person);

  // What the hub has heard already it says only once.
  for (const [key, { text }] of waiting) tell({ type: "say", key, text });
}

function change(person) {
  const before = known.get(person.user);
  const wasHere = before && before.status !== "gone";
  if (person.status === "gone") {
    if (wasHere) system(`${person.name} left`);
    place(person);
    const it = known.get(person.user);
    it.timer = setTimeout(() => forget(person.user), GONE);
    return;
  }
  if (!wasHere && person.user !== you) system(`${person.name} joined`);
  place(person);
}

function named({ user, name: now, was }) {
  if (user === you) {
    name = agreed = kept.chatName = now;
    at("self").textContent = now;
  }
  system(`${was} is now ${now}`);
  const person = known.get(user);
  if (person) draw(Object.assign(person, { name: now }));
}

// People.

function place(person) {
  const before = known.get(person.user);
  clearTimeout(before?.timer);
  const item = before?.item ?? make("li", {}, make("bdi", { class: "name" }), make("span", { class: "note number" }));
  const it = { ...person, rtt: person.rtt ?? before?.rtt, item };
  known.set(person.user, it);
  draw(it);
}

function draw({ user, name, status, rtt, item }) {
  item.dataset.state = status;
  item.style.setProperty("--hue", hue(name));
  if (user === you) item.setAttribute("aria-current", "true");
  item.firstChild.textContent = user === you ? `${name} (you)` : name;
  const online = rtt === undefined || rtt === null ? "online" : rtt < 1 ? "under 1 ms" : `${rtt} ms`;
  item.lastChild.textContent = { online, suspect: "no answer", gone: "gone" }[status];
  item.lastChild.title = status === "online" ? "How long this page takes to answer" : "";
}

/** You first, then by name. Once for each message, because a full room takes long. */
function arrange() {
  const order = (it) => (it.user === you ? "" : it.name.toLowerCase());
  const sorted = [...known.values()].sort((a, b) => order(a).localeCompare(order(b)) || a.user - b.user);
  sorted.forEach((it, index) => {
    if (people.children[index] !== it.item) people.insertBefore(it.item, people.children[index] ?? null);
  });
  count();
}

function count() {
  at("count").textContent = [...known.values()].filter((it) => it.status !== "gone").length;
}

function forget(user) {
  clearTimeout(known.get(user)?.timer);
  known.get(user)?.item.remove();
  known.delete(user);
  count();
}

/** Of the name, so that somebody who comes again has the same colour. */
const hue = (name) => Math.round([...name].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) % 9973, 7) * 137.508) % 360;

// Messages.

let follows = true;
const size = () => `${log.clientWidth} ${log.clientHeight}`;
let lastSize = size();

/** Whether the end is in sight. A log of another size, until it is scrolled for that, follows if it did before. */
function isFollowing() {
  if (size() === lastSize) follows = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  return follows;
}

function toEnd() {
  log.scrollTop = log.scrollHeight;
  follows = true;
}

// A window that changes its size, or a keyboard that rises before it, leaves the end in sight.
new ResizeObserver(() => {
  if (follows) toEnd();
  lastSize = size();
}).observe(log);

let unread = 0;
let mark;

/** Adds to the log, which follows if its end was in sight. */
function add(item, isNew) {
  const follow = isFollowing();
  if (isNew && (document.hidden || !follow)) {
    if (!unread) {
      mark?.remove();
      mark = make("li", { class: "unread" }, "New");
      log.append(mark);
    }
    unread += 1;
  }
  log.append(item);
  while (log.children.length > KEPT) log.firstChild.remove();
  if (follow) toEnd();
  title();
}

function read() {
  unread = 0;
  title();
}

function title() {
  document.title = `${unread ? `(${unread}) ` : ""}${room} – Chat`;
  at("down").hidden = isFollowing();
  at("down").textContent = unread ? `${unread} new ${unread === 1 ? "message" : "messages"}` : "To the end";
}

log.addEventListener("scroll", () => {
  if (isFollowing() && !document.hidden) read();
  else title();
});
at("down").onclick = () => {
  toEnd();
  read();
  words.focus();
};

function system(text) {
  add(make("li", { class: "system" }, text), false);
}

function line(said, isNew = true) {
  seen = Math.max(seen, said.seq);
  const own = waiting.get(said.key);
  waiting.delete(said.key);
  own?.item.remove();
  // A hub that was started anew knows nothing of before: what it had taken and not told yet, its author says again.
  if (keys.has(said.key)) return;
  keys.add(said.key);
  if (keys.size > 2 * KEPT) keys.delete(keys.values().next().value);
  add(bubble(said), isNew && said.user !== you);
}

function bubble({ user, name, text, at_ms: ms }) {
  const item = make("li", { class: "line" });
  const before = [...log.children].findLast((it) => !it.classList.contains("waiting"));
  if (before?.dataset.user === String(user) && ms - Number(before.dataset.ms) < 120000) item.classList.add("more");
  [item.dataset.user, item.dataset.ms] = [user, ms];
  const named = make("bdi", { class: "named" }, name);
  named.style.setProperty("--hue", hue(name));
  const when = new Date(ms);
  const clock = when.toLocaleTimeString([], { hour: "numeric", minute: "2-digit" });
  const time = make("time", { class: "note number", datetime: when.toISOString() }, clock);
  item.title = when.toLocaleString();
  item.append(make("p", { class: "who" }, named, time), make("p", { class: "said", dir: "auto" }, ...linked(text)));
  return item;
}

/** From a blank, quote or opening bracket on, up to a blank, a quote or a bracket of markup. */
const ADDRESS = /(?<=^|[\s\p{Ps}\p{Pi}"'<>])https?:\/\/[^\s<>"]+/giu;

/** The text in pieces: addresses of the web are links, and nothing else is. */
function linked(text) {
  const pieces = [];
  let done = 0;
  for (const { 0: found, index } of text.matchAll(ADDRESS)) {
    const address = withoutEnd(found);
    if (!URL.canParse(address)) continue;
    const link = { href: address, target: "_blank", rel: "noopener noreferrer nofollow" };
    pieces.push(text.slice(done, index), make("a", link, address));
    done = index + address.length;
  }
  return [...pieces, text.slice(done)];
}

/** Without what belongs to the sentence around it: its end, and brackets that were opened before. One look at each letter. */
function withoutEnd(address) {
  const count = (sign) => address.split(sign).length;
  const over = Object.fromEntries(["()", "[]", "{}"].map(([open, close]) => [close, count(close) - count(open)]));
  let end = address.length;
  for (; end > 0; end -= 1) {
    const last = address[end - 1];
    if (over[last] > 0) over[last] -= 1;
    else if (!".,;:!?…'’”»".includes(last)) break;
  }
  return address.slice(0, end);
}

/** Shown at once, and as a message when it has come back from the hub. */
function say(text, key = random()) {
  const item = bubble({ user: you ?? 0, name, text, at_ms: Date.now() });
  item.classList.add("waiting");
  item.append(make("p", { class: "fate note" }, "Sending"));
  waiting.set(key, { text, item });
  log.append(item);
  toEnd();
  title();
  // Before the welcome it would overtake what waits from before: with that it is said then.
  if (entered) tell({ type: "say", key, text });
}

function refused({ key, why }) {
  // What is not written has no key: the name, or the room.
  if (key === null) return notNamed(`Not done: ${why}.`, name);
  const own = waiting.get(key);
  if (!own) return toast(`Not done: ${why}.`);
  waiting.delete(key);
  const fate = own.item.lastChild;
  fate.textContent = `Not sent: ${why}.`;
  const again = () => {
    own.item.remove();
    say(own.text);
    words.focus();
  };
  fate.append(make("button", { class: "quiet", onclick: again }, "Send again"));
}

at("say").onsubmit = (event) => {
  event.preventDefault();
  const text = words.value.trim();
  words.focus();
  if (!text) return;
  words.value = "";
  say(text);
};
words.onkeydown = (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  at("say").requestSubmit();
};

// Who, and where.

/** The hub did not let us in, or not under this name. */
function notNamed(why, proposal) {
  name = kept.chatName = entered ? agreed : "";
  at("self").textContent = name || "nobody yet";
  ask(why, proposal);
}

function ask(why, proposal) {
  at("name").value = proposal ?? name;
  at("wrong").textContent = why ?? "";
  at("wrong").hidden = !why;
  at("name").setAttribute("aria-invalid", String(Boolean(why) && !left));
  if (!at("ask").open) at("ask").showModal();
  at("name").select();
}

at("naming").onsubmit = () => {
  const wanted = at("name").value.trim();
  const was = name;
  name = wanted;
  kept.chatName = wanted;
  left = false;
  if (!hello()) dial();
  else if (was !== wanted) at("self").textContent = wanted;
  words.focus();
};
at("rename").onclick = () => ask();
at("leave").onclick = () => {
  if (!tell({ type: "bye" })) toast("There is no connection to leave by.");
};
at("rooms").onclick = () => {
  at("place").value = "";
  at("move").showModal();
};
at("stay").onclick = () => at("move").close();
at("moving").onsubmit = () => {
  const place = at("place").value.trim();
  if (place) location.search = `?room=${encodeURIComponent(place)}`;
};
// A room without a name cannot be entered, and a name is asked for until there is one.
at("ask").oncancel = (event) => {
  if (!name) event.preventDefault();
};

at("room").textContent = room;
at("self").textContent = name || "nobody yet";
title();
if (name) {
  dial();
  words.focus();
} else {
  ask();
}
