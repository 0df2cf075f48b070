// The page of one node: it shows what its node knows, and says what it does not. What the connection does is in `liveness.js`.

import { at, make, toast } from "/elements.js";
import { LiveSocket } from "/liveness.js";

const name = new URLSearchParams(location.search).get("user");
const me = name || `guest-${Math.floor(Math.random() * 9000 + 1000)}`;
at("guest").hidden = Boolean(name);
const people = new Map();
let nodes = [];
let here = "";
let known = false;
let token = 0;
let keys = 0;
/** Edits that are not settled, in order: each is sent when the one before is. */
let unwritten = [];

const SIGNS = { online: "online", suspect: "no answer", away: "away", unknown: "unknown" };
const WHY = {
  unknown: "not written: this node does not reach Redis",
  expired: "not written: Redis had given this node up",
  busy: "not written: too much waits for Redis",
  unfit: "not written: it is too long",
  absent: "not written: Redis does not know you here yet",
  frozen: "not written: you were not heard of for a moment",
  stale: "not written: the pen is no longer yours",
  never: "not written: there is no such token",
};

const address = `${location.protocol.replace("http", "ws")}//${location.host}/live`;
// Who is away for longer than the linger has left: so it does not wait for its turn among thousands.
const soon = { firstDelay: 250, longestDelay: 4000, maxSpread: 500 };
const live = new LiveSocket(address, { interval: 2000, timeout: 3000, suspectAfter: 1000, dialTimeout: 5000, ...soon });
live.addEventListener("open", () => say({ type: "hello", user: me }));
live.addEventListener("message", ({ data }) => {
  const words = JSON.parse(data);
  (Array.isArray(words) ? words : [words]).forEach((word) => hear[word.type]?.(word));
});
live.addEventListener("suspect", () => show(at("node"), "suspect", `${here || "The node"} has not answered yet`));
live.addEventListener("online", () => here && show(at("node"), "online", `This is ${here}`));
for (const type of ["waiting", "ended"]) live.addEventListener(type, lost);

/** There is no connection. */
function lost() {
  known = false;
  show(at("node"), "offline", `${here || "The node"} does not answer`);
  show(at("redis"), "unknown", "Redis: not known");
  people.forEach((person) => Object.assign(person, { status: "unknown" }));
  drawPeople();
  drawNodes();
  pen(null);
}

const say = (what) => live.send(JSON.stringify(what));

const hear = {
  welcome({ state }) {
    here = state.node;
    people.clear();
    state.people.forEach((person) => people.set(person.user, person));
    hear.text(state);
    hear.nodes(state);
    pen(state.pen);
    drawPeople();
  },
  // Before the welcome it is about our name, and no other message comes.
  unfit: ({ why }) => (here ? toast(why) : show(at("node"), "offline", why)),
  line({ user, text, node }) {
    line(at("lines"), user, text, `at ${node}`);
  },
  spread({ reached }) {
    if (!reached) toast("Redis is away: only this node's own have read that.");
  },
  granted(granted) {
    hold(granted.token);
    // Not out of something that is being written.
    if (!document.activeElement?.matches("input")) at("words").focus({ preventScroll: true });
    // What was on its way when a connection ended: under the same key it is written once.
    next();
  },
  written({ key }) {
    if (unwritten[0]?.key !== key) return;
    unwritten.shift();
    at("outcome").textContent = "Written, and on Redis's disk.";
    next();
  },
  refused({ key, why }) {
    if (unwritten[0]?.key !== key) return;
    if (why === "lost") {
      at("outcome").textContent = "The answer was lost: asking again.";
      setTimeout(next, 500);
      return;
    }
    takeBack(WHY[why] ?? "not written");
  },
  wrote,
  text({ text }) {
    at("text").replaceChildren();
    text.forEach(wrote);
  },
  person({ type, ...person }) {
    people.set(person.user, person);
    drawPeople();
  },
  left({ user }) {
    people.delete(user);
    drawPeople();
  },
  pen: (word) => pen(word.pen),
  nodes(word) {
    ({ nodes, known } = word);
    show(at("node"), "online", `This is ${here}`);
    show(at("redis"), known ? "online" : "unknown", known ? "Redis answers" : "Redis is away");
    drawNodes();
  },
};

function drawNodes() {
  const connected = ["online", "suspect"].includes(live.state);
  at("nodes").replaceChildren(
    ...nodes.map(({ name, address }) => {
      const sure = connected && (known || name === here);
      const href = `http://${address}/?user=${encodeURIComponent(me)}`;
      const words = note(!sure ? "unknown" : name === here ? "this one" : "believed");
      return make("li", { "data-state": sure ? "online" : "unknown" }, make("a", { href, class: "name" }, name), words);
    }),
  );
}

/** What is not written stands in the field again, to be copied or written later. */
function takeBack(why) {
  const text = unwritten.splice(0).map((edit) => edit.text).join(" / ");
  at("outcome").textContent = `“${text}”: ${why}.`;
  if (!at("words").value) at("words").value = text;
}

function wrote({ token, user, text }) {
  line(at("text"), user, text, `token ${token}`);
  while (at("text").children.length > 20) at("text").firstChild.remove();
}

function line(list, user, text, where) {
  list.append(make("li", {}, make("strong", {}, user), " ", make("bdi", {}, text), " ", note(where)));
  while (list.children.length > 200) list.firstChild.remove();
  list.scrollTop = list.scrollHeight;
}

const note = (text) => make("span", { class: "note" }, text);

function show(pill, state, text) {
  pill.dataset.state = state;
  pill.textContent = text;
}

let drawing = false;
function drawPeople() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    const all = [...people.values()].sort((one, other) => one.user.localeCompare(other.user));
    at("count").textContent = `${all.length}`;
    at("people").replaceChildren(
      ...all.slice(0, 200).map(({ user, status, at: nodes }) => {
        const name = make("span", { class: "name" }, user === me ? `${user} (you)` : user);
        const place = nodes.join(", ");
        const words = status === "unknown" && place ? `was at ${place}` : [SIGNS[status], place].filter(Boolean).join(" · ");
        return make("li", { "data-state": status === "away" ? "connecting" : status }, name, note(words));
      }),
    );
  });
}

function pen(pen) {
  const notice = (state, words) => [at("desk").dataset.state, at("pen").textContent] = [state, words];
  const holds = pen?.holder === me;
  // Of a long queue only the first are known.
  const [waits, mayWait] = [pen?.first.includes(me), pen?.waiting > pen?.first.length];
  // If the button with the focus is hidden, the focus moves to the other.
  const pressed = [at("ask"), at("give")].find((button) => button === document.activeElement);
  at("ask").disabled = !pen;
  at("ask").hidden = holds || waits;
  at("give").hidden = !holds && !waits && !mayWait;
  if (pressed?.hidden) at(pressed === at("ask") ? "give" : "ask").focus();
  at("give").textContent = waits || (mayWait && !holds) ? "Leave the queue" : "Give it back";
  if (!pen) {
    hold(0);
    notice("unknown", "Who holds the pen is not known: nothing can be written.");
  } else if (!pen.holder) {
    hold(0);
    if (unwritten.length) takeBack("the pen is free, and whether this was written, the text above says");
    notice("online", "The pen is free.");
  } else {
    const queue = pen.waiting ? `; waiting: ${pen.first.join(", ")}${pen.waiting > pen.first.length ? " …" : ""}` : "";
    const who = holds ? "You hold the pen" : `${pen.holder} holds the pen`;
    if (!holds) {
      hold(0);
      if (unwritten.length) takeBack("the pen is another's, and whether this was written, the text above says");
    }
    notice(pen.frozen ? "suspect" : "online", `${who}${pen.frozen ? ", and is not heard of" : ""} (token ${pen.token})${queue}.`);
  }
}

function hold(newToken) {
  if (newToken) token = newToken;
  at("words").disabled = at("put").disabled = !newToken;
  at("words").placeholder = newToken ? "A line of the text" : "Ask for the pen first";
}

function next() {
  if (unwritten.length) say({ type: "write", token, ...unwritten[0] });
}

at("say").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = at("line").value.trim();
  if (!text) return;
  if (!say({ type: "say", key: (keys += 1), text })) return toast("There is no connection: nothing was said.");
  at("line").value = "";
});
at("write").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = at("words").value.trim();
  if (!text) return;
  unwritten.push({ key: crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`, text });
  at("words").value = "";
  if (unwritten.length === 1) next();
});
at("ask").addEventListener("click", () => say({ type: "want" }));
at("give").addEventListener("click", () => say({ type: "give" }));
