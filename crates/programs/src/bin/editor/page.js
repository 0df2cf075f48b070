// The page's side: who it is, what it has typed and not heard of yet, and its connection.
//
// What is typed is sent one edit at a time. An edit is kept, over reloads too, until the server has taken it or refused it;
// after a new connection it is sent again as it was, and the server knows what it has taken before. What is refused is put on
// the shelf, to be copied.

import { at, make, storage, toast } from "/elements.js";

const text = at("text");
const letters = (string) => [...string];

/* Who we are: one page is one person, over reloads. */

const NAMES = ["Ada", "Alan", "Barbara", "Claude", "Donald", "Edsger", "Frances", "Grace", "Hedy", "John", "Kathleen", "Leslie",
  "Margaret", "Niklaus", "Radia", "Sophie", "Tony", "Vint"];

const tab = storage("sessionStorage");
const warn = () => toast("This browser keeps nothing for the page: do not reload it while it writes.");
if (!(tab instanceof Storage)) warn();

const kept = (name, first) => (tab[name] === undefined ? first : JSON.parse(tab[name]));
function keep(name, value) {
  try {
    tab[name] = JSON.stringify(value);
  } catch {
    // It is full.
    warn();
  }
}
const random = () => Math.floor(Math.random() * 2 ** 53);
const key = kept("who", `${random().toString(36)}-${random().toString(36)}`);
keep("who", key);
let name = kept("name", NAMES[random() % NAMES.length]);
keep("name", name);
at("name").value = name;

/* What there is. */

let me = 0;
// The same, without a connection too.
let own = 0;
let limit = Infinity;
let run = kept("run", 0);
// The text as the server has it.
let server = { text: "", revision: 0 };
// The token under which we may write; null while we may not.
let mine = null;
// The latest token that we know to be lost.
let lost = kept("lost", 0);
// What was typed under a token: from `base`, which the server has, to `want`; `flight` is the edit on its way. It outlives
// the token until it is settled.
let draft = kept("draft", null);
let shelf = kept("shelf", []);
// What everybody sees of pen and people, and when that was heard.
let state = { people: [], queue: [], holder: null, next: null, frozen_ms: null, passes_ms: null };
let stated = 0;

/* The text. */

// From one text to another: behind `at` letters, `remove` of them make room for `insert`.
function difference(from, to) {
  const [old, now] = [letters(from), letters(to)];
  const least = Math.min(old.length, now.length);
  let start = 0;
  while (start < least && old[start] === now[start]) start += 1;
  let end = 0;
  while (end < least - start && old[old.length - 1 - end] === now[now.length - 1 - end]) end += 1;
  return { at: start, remove: old.length - start - end, insert: now.slice(start, now.length - end).join("") };
}

function changed(from, { at, remove, insert }) {
  const all = letters(from);
  return all.slice(0, at).join("") + insert + all.slice(at + remove).join("");
}

const unsent = () => draft !== null && (draft.flight !== null || draft.want !== draft.base);

// Sends the next edit, unless one is on its way.
function pump() {
  if (draft === null || !isOpen()) return save();
  if (draft.flight === null) {
    if (draft.want === draft.base) {
      if (draft.token !== mine) {
        draft = null;
        startDraft();
      }
      return save();
    }
    if (letters(draft.want).length > limit) {
      if (draft.token !== mine) putOnShelf("It was too long to be sent, and the pen is no longer yours.");
      return save();
    }
    const edit = { token: draft.token, seq: draft.revision + 1, id: random(), ...difference(draft.base, draft.want) };
    draft.flight = { edit, text: draft.want, sent: false };
  }
  const { sent, edit } = draft.flight;
  draft.flight.sent = true;
  // Kept first: whatever becomes of the page now, it is known what was on its way, and what was typed since.
  save();
  if (!sent) say({ type: "edit", ...edit });
}

function save() {
  keep("draft", draft);
  keep("shelf", shelf);
  keep("lost", lost);
  render();
}

// What was typed from here on goes nowhere: it is shown, to be copied, and the text is the server's.
function putOnShelf(why) {
  if (draft === null) return;
  const { remove, insert } = difference(draft.base, draft.want);
  if (remove > 0 || insert !== "") {
    shelf.push({ why, insert, remove, whole: draft.want });
    while (shelf.length > 20) shelf.shift();
    // The shelf says the same, and a toast would cover it.
    document.querySelector(".toasts").replaceChildren();
  }
  draft = null;
  startDraft();
}

function startDraft() {
  if (mine === null) return;
  draft = { token: mine, base: server.text, revision: server.revision, want: server.text, flight: null };
}

/** What is typed counts. While it is not known what became of an edit under an older token, it would not. */
const writes = () => draft !== null && draft.token === mine;

text.addEventListener("input", () => {
  if (!writes()) return;
  // Half a letter cannot travel.
  draft.want = text.value.toWellFormed?.() ?? text.value;
  pump();
});

/* What the server says. */

const heardOf = {
  welcome(said) {
    const before = server;
    ({ me, limit } = said);
    own = me;
    quiet = said.quiet_ms;
    server = { text: said.text, revision: said.revision };
    const known = before.revision > 0 ? before.text : (draft?.base ?? "");
    if (run !== 0 && run !== said.run && known !== "" && said.revision === 0) {
      const why = "The server was started anew, without the text. This is what you saw of it last.";
      shelf.push({ why, insert: known, remove: 0, whole: known });
    }
    run = said.run;
    keep("run", run);
    mine = said.token;
    tries = 0;
    if (draft === null) startDraft();
    else if (draft.flight !== null) draft.flight.sent = false;
    else if (draft.token === mine && draft.revision !== server.revision) {
      // Under our own pen: this page was open twice.
      putOnShelf("Another page of yours changed the text meanwhile.");
    }
    show("online", "Connected");
    pump();
  },
  ping({ payload }) {
    say({ type: "pong", payload });
  },
  state(said) {
    state = said;
    stated = performance.now();
    render();
  },
  granted({ token }) {
    if (draft !== null) putOnShelf("The pen was not yours for a while.");
    mine = token;
    startDraft();
    save();
    // Who is typing their name would type it into the text.
    if (document.activeElement === at("name")) return;
    text.focus({ preventScroll: true });
    text.setSelectionRange(text.value.length, text.value.length);
  },
  thawed() {
    if (draft !== null && draft.flight !== null) draft.flight.sent = false;
    pump();
  },
  lost({ token, why }) {
    // Who was away when it was lost hears of it twice.
    if (token !== lost) toast(why);
    lost = token;
    if (token === mine) mine = null;
    // Refused while frozen, it may be said once more: then it is refused for good, with the reason.
    if (draft !== null && draft.flight !== null && draft.flight.held) draft.flight = { ...draft.flight, sent: false, held: false };
    pump();
  },
  ack({ seq }) {
    if (draft === null || draft.flight === null || draft.flight.edit.seq !== seq) return;
    draft = { ...draft, base: draft.flight.text, revision: seq, flight: null };
    if (draft.token === mine) server = { text: draft.base, revision: seq };
    pump();
  },
  refused({ seq, kind, why }) {
    if (draft === null || draft.flight === null || draft.flight.edit.seq !== seq) return;
    if (kind === "frozen") {
      draft.flight.held = true;
      return save();
    }
    if (kind === "lost" && draft.token === mine) mine = null;
    putOnShelf(why);
    save();
  },
  text({ revision, at, remove, insert }) {
    if (revision !== server.revision + 1) return;
    server = { text: changed(server.text, { at, remove, insert }), revision };
    render();
  },
};

/* The connection. */

let socket = null;
let quiet = 10_000;
let heard = 0;
let silent = false;
let tries = 0;
let dialling = null;
let replaced = false;

const isOpen = () => socket !== null && socket.readyState === WebSocket.OPEN && me !== 0;
const say = (message) => socket.send(JSON.stringify(message));

function show(kind, words) {
  if (at("link").dataset.state !== kind) at("link").dataset.state = kind;
  if (at("link").textContent !== words) at("link").textContent = words;
}

function dial() {
  dialling = null;
  replaced = false;
  // What is dead is not waited for, and what it says late is not heard.
  socket?.close();
  me = 0;
  [heard, silent] = [performance.now(), false];
  show("connecting", tries === 0 ? "Connecting" : "Connecting again");
  const fresh = new WebSocket(`${location.protocol.replace("http", "ws")}//${location.host}/live`);
  socket = fresh;
  fresh.onopen = () => fresh === socket && say({ type: "hello", key, name });
  fresh.onmessage = ({ data }) => {
    if (fresh !== socket) return;
    [heard, silent] = [performance.now(), false];
    const said = JSON.parse(data);
    heardOf[said.type](said);
  };
  fresh.onclose = ({ code }) => {
    if (fresh !== socket) return;
    socket = null;
    me = 0;
    if (code === 4000) {
      replaced = true;
      show("offline", "Open elsewhere");
    } else {
      const full = code === 1013;
      show("offline", full ? "Full, trying again" : "Disconnected");
      later(full ? 10_000 : 0);
    }
    render();
  };
  render();
}

// Twice as long each time, up to ten seconds, and half of it by chance: a thousand pages do not come back as one.
function later(least) {
  const most = Math.max(least, Math.min(10_000, 500 * 2 ** tries));
  tries += 1;
  dialling = performance.now() + most * (0.5 + Math.random() / 2);
}

setInterval(() => {
  const now = performance.now();
  if (dialling !== null) {
    if (now >= dialling) dial();
  } else if (socket !== null && now - heard > quiet) {
    // A page that has slept sees this before it hears what waits for it: so it looks twice.
    if (silent) {
      tries += 1;
      dial();
    }
    silent = true;
  }
  render();
}, 500);

const dialNow = () => {
  if (dialling !== null) dial();
};
addEventListener("online", dialNow);
addEventListener("pageshow", dialNow);
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && dialNow());
addEventListener("beforeunload", (event) => {
  if (unsent() && !isOpen()) event.preventDefault();
});

/* What can be seen. */

const called = (id) => state.people.find((person) => person.id === id)?.name ?? "somebody";
const seconds = (ms) => `${Math.max(0, Math.ceil(ms / 1000))} s`;

function put(element, ...words) {
  if (element.textContent !== words.map((part) => part.textContent ?? part).join("")) element.replaceChildren(...words);
}

/** Words with somebody's name in them, which the style may cut: the bar is as high with a long one. */
function named(id, ...words) {
  return words.map((part) => part ?? make("bdi", {}, called(id)));
}

function render() {
  const here = me !== 0;
  const holds = here && state.holder === me;
  const place = state.queue.indexOf(me);
  const since = performance.now() - stated;
  const frozen = state.frozen_ms !== null;
  text.readOnly = !writes() || replaced;
  const value = writes() ? draft.want : server.text;
  if (text.value !== value) replace(value);

  // The pen.
  let [words, hint, button, kind] = [["The pen is free."], ["Take it to write."], "Take the pen", "main"];
  if (replaced) {
    [words, hint, button] = [["Open in another tab."], ["Only one of them can write."], "Use this one"];
  } else if (!here) {
    words = [mine === null ? "Not connected." : "Not connected. You may write on."];
    const next = dialling === null ? "Connecting." : `Next attempt in ${seconds(dialling - performance.now())}.`;
    [hint, button] = [[mine === null ? next : `What you write is kept. ${next}`], "Try now"];
  } else if (holds && frozen) {
    [words, hint, button, kind] = [["Your pen is frozen."], ["You were not heard of for a moment."], "Give it back", ""];
  } else if (holds) {
    [words, hint, button, kind] = [["You have the pen."], ["What you write, everybody reads."], "Give it back", ""];
    if (state.queue.length === 1) hint = named(state.queue[0], null, " waits for it.");
    if (state.queue.length > 1) hint = [`${state.queue.length} wait for it.`];
  } else if (state.holder !== null) {
    words = named(state.holder, null, frozen ? " does not answer." : " has the pen.");
    [hint, button] = [["You read along."], "Ask for the pen"];
    if (place >= 0) {
      [button, kind] = ["Leave the queue", ""];
      hint = [place === 0 ? "You are next." : `You are number ${place + 1} in the queue.`];
    }
    if (frozen && state.passes_ms !== null) {
      const soon = ` in ${seconds(state.passes_ms - since)}.`;
      hint = state.next === me ? [`The pen passes to you${soon}`] : named(state.next, "The pen passes to ", null, soon);
    } else if (frozen) {
      hint = [place < 0 ? "The pen is frozen: ask, and it may be yours." : "The pen is frozen, and you wait for it."];
    }
  }
  put(at("pen"), ...words);
  put(at("hint"), ...hint);
  put(at("ask"), button);
  at("ask").className = kind;
  at("ask").disabled = !here && !replaced && dialling === null;
  at("desk").dataset.state = !here ? "offline" : frozen ? "suspect" : holds ? "online" : "unknown";
  document.title = `${holds ? "✎ " : ""}One pen`;

  // The text.
  const length = letters(value).length;
  put(at("count"), Number.isFinite(limit) ? `${length.toLocaleString("en")} of ${limit.toLocaleString("en")} characters` : "");
  put(at("over"), length > limit ? `${length - limit} characters too many: shorten it, so that it can be sent.` : "");
  text.setAttribute("aria-invalid", String(length > limit));
  const waits = unsent();
  put(at("saved"), mine === null ? "" : !waits ? "Everything is sent." : here ? "Sending" : "Not sent yet: kept here.");

  people(at("people"), state.people.map(({ id, name, state: kind }) => {
    const place = state.queue.indexOf(id);
    const note = kind === "suspect" ? "does not answer" : kind === "connecting" ? "reloading" : id === state.holder ? "has the pen" : place >= 0 ? "waits" : "reads";
    return { id, name: id === own ? `${name} (you)` : name, kind, note: id === state.holder && kind !== "online" ? "pen frozen" : note };
  }));
  people(at("queue"), state.queue.map((id, place) => {
    const kind = state.people.find((person) => person.id === id)?.state ?? "unknown";
    const note = kind === "suspect" ? "passed over: does not answer" : id === state.next ? "next" : "";
    return { id, name: `${place + 1}. ${called(id)}${id === own ? " (you)" : ""}`, kind, note };
  }));
  at("people").toggleAttribute("data-stale", !here);
  at("alone").hidden = !here || state.people.length > 1;
  at("nobody").hidden = state.queue.length > 0;
  at("queue").hidden = state.queue.length === 0;
  at("shelf").hidden = shelf.length === 0;
  layOutShelf();
}

function people(list, rows) {
  const seen = JSON.stringify([own, rows]);
  if (list.dataset.seen === seen) return;
  list.dataset.seen = seen;
  list.replaceChildren(...rows.map(({ id, name, kind, note }) => {
    const current = id === own ? { "aria-current": "true" } : {};
    const [who, what] = [make("span", { class: "name" }, name), make("span", { class: "note" }, note)];
    return make("li", { "data-state": kind, ...current }, who, " ", what, " ");
  }));
}

// The text is another; caret and place stay at the same letters.
function replace(value) {
  const before = text.value;
  let common = 0;
  while (common < before.length && common < value.length && before[common] === value[common]) common += 1;
  const move = (place) => (place <= common ? place : Math.max(common, place + value.length - before.length));
  const [start, end, top] = [move(text.selectionStart), move(text.selectionEnd), text.scrollTop];
  const follows = text.scrollHeight - text.scrollTop - text.clientHeight < 4;
  text.value = value;
  if (document.activeElement === text) text.setSelectionRange(start, end);
  text.scrollTop = follows ? text.scrollHeight : top;
}

function layOutShelf() {
  const seen = JSON.stringify(shelf);
  if (at("shelf").dataset.seen === seen) return;
  at("shelf").dataset.seen = seen;
  at("shelf").replaceChildren(...shelf.map((item) => {
    const notice = at("refused").content.cloneNode(true);
    const part = (css) => notice.querySelector(css);
    const cut = item.remove === 0 ? "" : ` ${item.remove} ${item.remove === 1 ? "character was" : "characters were"} to go.`;
    part(".why").textContent = item.why + cut;
    const words = part(".words");
    words.value = item.insert;
    words.hidden = part(".copy").hidden = item.insert === "";
    part(".copy").onclick = () => copy(item.insert, words);
    part(".whole").onclick = () => copy(item.whole, words);
    part(".whole").hidden = item.whole === item.insert;
    part(".away").onclick = () => {
      shelf = shelf.filter((other) => other !== item);
      save();
    };
    return notice;
  }));
}

async function copy(words, field) {
  try {
    await navigator.clipboard.writeText(words);
    toast("Copied.");
  } catch {
    // Without the right to copy, it is selected, ready to be copied by hand.
    [field.hidden, field.value] = [false, words];
    field.select();
    toast("Selected: copy it from the field.");
  }
}

// On a phone the text is as high as it wants; beside it all, it takes the room that is left.
const wide = matchMedia("(min-width: 48rem) and (min-height: 30rem)");
const fit = () => (text.rows = wide.matches ? 4 : 12);
wide.addEventListener("change", fit);
fit();

/* What the user does. */

function ask() {
  if (replaced) return dial();
  if (!isOpen()) return dialNow();
  say({ type: state.holder === me || state.queue.includes(me) ? "release" : "ask" });
}
at("ask").onclick = ask;
addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.repeat) {
    event.preventDefault();
    ask();
  }
});
at("name").onchange = () => {
  name = at("name").value.trim() || name;
  at("name").value = name;
  keep("name", name);
  if (isOpen()) say({ type: "name", name });
};

dial();
