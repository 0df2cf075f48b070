// The playground: keeps what its visitor has set in the address, asks the machine, and draws what it was told.

import { colours, draw } from "/lane.js";
import { load } from "/machine.js";
import { closes, run } from "/many.js";

const $ = (id) => document.getElementById(id);
const call = await load();
const catalogue = call("catalogue");

/// Words for a button, a label in a lane, and whether it lasts.
const FAULTS = {
  cut: ["Cut the line", "cut", false],
  deaf: ["Cut towards the peer", "cut towards the peer", false],
  mute: ["Cut towards us", "cut towards us", false],
  freeze: ["Freeze the peer", "peer frozen", true],
  tunnel: ["No signal", "no signal", true],
  lost: ["Lose its pings", "pings lost", true],
  upload: ["Huge frame from the peer", "60 MB from the peer", false],
  download: ["Slow reader", "60 MB to the peer", false],
  unread: ["Reads nothing", "peer reads nothing", false],
  stall: ["Stop our process", "our process stopped", true],
  sleep: ["Our laptop sleeps", "asleep", true],
  proxy: ["A proxy counts silence", "proxy, 60 s", false],
};
const NEXT = { ping: "next ping at", answer: "it must answer by", suspect: "suspect at", "last look": "last look until", written: "the ping must be written by", closed: "it must close by", data: "data must come by", anything: "anything must come by" };
const NETWORKS = { wan: "office: 90 ms, 1 % lost", mobile: "mobile, with tunnels", satellite: "satellite" };
const RULES = { "gorilla chat": "gorilla chat (Go)", "ws isAlive": "npm ws, isAlive", "python-websockets": "python-websockets", "aiohttp heartbeat": "aiohttp heartbeat", "engine.io": "engine.io (socket.io)", gRPC: "gRPC keepalive", "textbook loop": "the textbook loop" };
const STORY = "interval=20s&timeout=25s&suspicion=after:4s&rule=gorilla chat&world=mobile&talk=both&faults=upload@30,cut@130";
const HEARTBEAT = ["interval", "timeout", "evidence", "schedule", "suspicion", "jitter"];
const OWN = { delay: "0.05", spread: "0.01", loss: "0.01", gap: "0" };
const DEFAULTS = { interval: "20s", timeout: "25s", evidence: "any-traffic", schedule: "quiet", suspicion: "never", jitter: "10", rule: "gorilla chat", world: "wan", talk: "none" };

const still = matchMedia("(prefers-reduced-motion: reduce)");
let ink = colours();
let set = {};
let life = null;
let time = 0;
let playing = false;
let lanes = null;
let seed = 1;
const frames = { drawn: 0 };

const read = (text) => Object.fromEntries(text.split("&").filter(Boolean).map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]));
const write = (settings, but = []) => Object.entries(settings).filter(([key, value]) => value !== "" && !but.includes(key)).map((pair) => pair.join("=")).join("&");
const make = (kind, words, more = {}) => Object.assign(document.createElement(kind), { textContent: words, ...more });

// The form.

function choices() {
  const group = (label, options) => {
    const box = make("optgroup", "", { label });
    box.append(...options);
    return box;
  };
  const networks = Object.entries(NETWORKS).map(([value, words]) => make("option", words, { value }));
  const worlds = catalogue.worlds.filter(({ name }) => !(name in NETWORKS)).map(({ name }) => make("option", name, { value: name }));
  $("world").append(group("Networks", [...networks, make("option", "your own figures", { value: "own" })]), group("More worlds, for many lives", worlds));
  $("rule").append(...Object.entries(RULES).map(([value, words]) => make("option", words, { value })));
  $("presets").append(...catalogue.presets.map((preset) => {
    const button = make("button", preset.name, { type: "button" });
    button.onclick = () => change({ evidence: "", schedule: "", suspicion: "", jitter: "", x: "", world: preset.world, ...read(preset.set) });
    return button;
  }));
  $("faults").append(...catalogue.faults.map(({ name, says }) => {
    const button = make("button", FAULTS[name][0], { type: "button", title: says });
    button.dataset.fault = name;
    button.onclick = () => befall(name, says);
    button.onpointerenter = () => { $("says").textContent = says; };
    return button;
  }));
}

const shown = { interval: (value) => `${value}s`, timeout: (value) => `${value}s`, jitter: (value) => value, suspicion: (value) => (Number(value) ? `after:${value}s` : "never") };
const numeral = (text) => (text === "never" ? "0" : text.match(/[\d.]+(?=s?$)/)?.[0] ?? "0");

function fill() {
  for (const key of [...HEARTBEAT, "rule", "world", "talk"]) {
    const value = set[key] || DEFAULTS[key];
    $(key).value = key in shown ? numeral(value) : value;
    const output = $(key).parentElement.querySelector("output");
    if (output) output.textContent = key === "jitter" ? `${value} %` : value.replace("after:", "after ").replace(/s$/, " s");
    if (output) $(key).setAttribute("aria-valuetext", output.textContent);
  }
  for (const key of Object.keys(OWN)) $(key).value = set[key] ?? OWN[key];
  $("own").hidden = set.world !== "own";
  $("where").textContent = catalogue.worlds.find(({ name }) => name === (set.world || "wan"))?.says ?? "What you write below.";
  const mine = write(Object.fromEntries(HEARTBEAT.map((key) => [key, set[key] || DEFAULTS[key]])));
  catalogue.presets.forEach((preset, index) => {
    const theirs = write(Object.fromEntries(HEARTBEAT.map((key) => [key, read(preset.set)[key] || DEFAULTS[key]])));
    $("presets").children[index].setAttribute("aria-pressed", mine === theirs);
    if (mine === theirs) $("reason").textContent = preset.why;
  });
  if (!$("presets").querySelector("[aria-pressed=true]")) $("reason").textContent = "A preset sets everything below, and says why.";
  $("brief").textContent = `interval ${$("interval").value} s, timeout ${$("timeout").value} s`;
}

$("form").oninput = ({ target }) => {
  const more = target.id === "rule" ? { x: "" } : {};
  change({ ...more, [target.id]: shown[target.id]?.(target.value) ?? target.value });
};
$("form").onsubmit = (event) => event.preventDefault();

function change(some) {
  set = { ...set, ...some };
  history.replaceState(null, "", `#${encodeURI(write(set))}`);
  update();
}

let soon;
function update() {
  fill();
  const told = call("live", write(set));
  const advice = told.error ? told : call("advise", write(set));
  $("wrong").hidden = !advice.error && !advice.warnings.length;
  $("wrong").textContent = advice.error ?? advice.warnings.join(" ");
  if (advice.error) return;
  life = told;
  lanes = { ours: ourLane(life), theirs: theirLane(life.theirs, life.until) };
  $("their-name").textContent = RULES[life.rule] ?? life.rule;
  if (document.activeElement !== $("x")) $("x").value = life.x;
  $("set").textContent = `${life.set}: ${life.says.replaceAll("`", "")}.${life.fits ? "" : " It cannot be set as quick as ours."}`;
  $("scrub").max = life.until;
  story($("story"), life.rows);
  shown.index = -1;
  const words = { yes: "fits, and one ping may be late", barely: "only just: one late ping, and it cuts", no: "cuts between two pings" };
  const states = { yes: "online", barely: "suspect", no: "offline" };
  $("proxies").replaceChildren(...advice.proxies.map(({ name, limit, fits }) => {
    const item = make("li", `${name}, ${limit} s: `);
    item.dataset.state = states[fits];
    item.append(make("b", words[fits]));
    return item;
  }));
  code({ Rust: advice.rust, "JavaScript, for the page's half": advice.script, "A flag, a file, a transcript": advice.transcript });
  clearTimeout(soon);
  soon = setTimeout(() => run(write(set, ["faults", "until", "seed"]), seed, catalogue, advice.bound), 400);
  render();
}

// One life.

function bandsOf(rows, until) {
  const kind = ({ next, state, awaited }) => (next === "last look" ? "look" : state === "offline" ? "offline" : state === "suspect" ? "suspect" : next === "written" ? "write" : awaited ? "wait" : "online");
  const bands = [];
  for (const row of rows.filter((row) => row.state)) {
    const last = bands.at(-1);
    if (last) last[1] = row.at;
    if (last?.[2] !== kind(row)) bands.push([row.at, until, kind(row)]);
    else last[1] = until;
  }
  return bands;
}

const ourLane = ({ rows, ours, until }) => ({ ...ours, bands: bandsOf(rows, ours.end?.at ?? until), rows });

function theirLane(lane, until) {
  const end = lane.end?.at ?? until;
  const pongs = lane.flights.filter(([kind, , , , arrives]) => kind === "pong" && arrives !== null).map(([, , , , arrives]) => arrives);
  const pings = lane.wants.filter(([, want]) => want === "Ping").map(([at]) => [at, Math.min(end, pongs.find((pong) => pong > at) ?? end), "wait"]);
  return { ...lane, bands: [[0, end, "online"], ...pings] };
}

function view(width) {
  const span = $("window").value === "all" ? life.until : Math.min(Number($("window").value), life.until);
  const from = Math.max(0, Math.min(time - 0.7 * span, life.until - span));
  const row = rowAt(time);
  const due = row?.next ? { what: `${row.next} ${row.by.toFixed(1)} s`, by: row.by } : null;
  return { from, to: from + span, now: time, due, width, faults: life.faults.map((fault) => ({ ...fault, label: FAULTS[fault.name][1] })) };
}

function rowAt(moment) {
  return life.rows.findLast((row) => row.at <= moment);
}

function render() {
  if (!life) return;
  const scene = view();
  draw($("ours"), lanes.ours, scene, ink);
  draw($("theirs"), lanes.theirs, { ...scene, due: null }, ink);
  frames.drawn += 1;
  $("scrub").value = time;
  $("clock").textContent = `${time.toFixed(1)} s`;
  $("scrub").setAttribute("aria-valuetext", `${time.toFixed(1)} seconds`);
  const index = life.rows.findLastIndex((row) => row.at <= time);
  if (index !== shown.index) ours(index);
  theirs();
}

const closing = (lane, reason) => {
  const { at, by, right, after } = lane.end;
  if (by === "proxy") return ["offline", "Lost to the proxy", `The proxy cut it at ${at.toFixed(1)} s, for our silence.`];
  return ["offline", right ? "Found dead" : "A live peer lost", `${right ? `${after.toFixed(1)} s after it was gone` : `Closed at ${at.toFixed(1)} s, and the peer was alive`}${reason}`];
};

function ours(index) {
  shown.index = index;
  const row = life.rows[index];
  const ended = life.ours.end && life.ours.end.at <= time;
  const words = row?.next ? `${NEXT[row.next] ?? row.next} ${row.by.toFixed(1)} s` : "";
  const online = row?.next === "last look" ? ["suspect", "Last look"] : row?.state === "suspect" ? ["suspect", "Suspect"] : row?.next === "written" ? ["connecting", "Writing a ping"] : row?.awaited ? ["connecting", "Waits for the answer"] : ["online", "Online"];
  const [state, name, more] = ended ? closing(life.ours, life.reason ? `: ${life.reason.replace("offline ", "")}.` : "") : [...online, words];
  say("ours", state, name, more);
  for (const item of $("story").children) item.hidden = Number(item.dataset.at) > time;
  const last = [...$("story").children].findLast((item) => Number(item.dataset.at) <= time);
  if (last) $("story").scrollTop = last.offsetTop - $("story").offsetTop - $("story").clientHeight / 2;
}

function theirs() {
  const lane = life.theirs;
  const waits = lanes.theirs.bands.findLast(([from, to, kind]) => kind === "wait" && from <= time && time < to);
  const [state, name, more] = lane.end && lane.end.at <= time ? closing(lane, ".") : waits ? ["connecting", "Waits for the pong", `since ${waits[0].toFixed(1)} s`] : ["online", "Online", life.set];
  say("theirs", state, name, more);
}

function say(lane, state, name, more) {
  const pill = $(`${lane}-state`);
  if (pill.textContent !== name) {
    pill.textContent = name;
    pill.dataset.state = state;
    if (state === "offline") $("verdict").textContent = `${lane === "ours" ? "liveness" : life.rule}: ${name}. ${more}`;
  }
  if ($(`${lane}-words`).textContent !== more) $(`${lane}-words`).textContent = more;
}

function story(list, rows) {
  const told = rows.filter((row) => row.out || row.why || (row.in && !/^(progress|wrote|ping-sent|stall-deaf 0s)$/.test(row.in))).slice(0, 600);
  list.replaceChildren(...told.map((row) => {
    const item = document.createElement("li");
    Object.assign(item.dataset, { state: row.state || "unknown", at: row.at });
    item.append(make("time", `${Number(row.at.toFixed(3))} s`), make("span", row.out || (row.why ? "looks again" : row.in), { className: row.out ? "" : "heard" }), make("span", row.why || "heard from the peer, or done on our side", { className: row.why ? "" : "heard" }));
    return item;
  }));
}

function befall(name, says) {
  const lasts = FAULTS[name][2] ? `+${$("lasts").value}` : "";
  const faults = [...(set.faults ? set.faults.split(",") : []), `${name}@${Number(time.toFixed(1))}${lasts}`].join();
  $("says").textContent = says;
  change({ faults, until: String(Math.max(life.until, Math.min(3600, Math.ceil(time) + 120))) });
  if (!playing && !still.matches) play(true);
}

let before;
function play(on) {
  playing = on;
  if (on && time >= life.until) time = 0;
  $("play").textContent = on ? "Pause" : "Play";
  $("play").setAttribute("aria-pressed", on);
  before = undefined;
  if (on) requestAnimationFrame(frame);
}

function frame(at) {
  if (!playing) return;
  // Where motion is unwelcome, it moves from one event to the next and rests there.
  const rests = still.matches ? 700 : 0;
  if (before === undefined || at - before >= rests) {
    const passed = before === undefined ? 0 : Math.min(at - before, 100) / 1000;
    time = Math.min(life.until, rests ? nextEvent() : time + passed * Number($("speed").value));
    before = at;
    render();
  }
  if (time >= life.until) return play(false);
  requestAnimationFrame(frame);
}

function nextEvent() {
  const moments = [...life.rows.filter((row) => row.out || row.why).map((row) => row.at), ...life.theirs.wants.map(([at]) => at), ...life.faults.map(({ from }) => from)];
  return Math.min(life.until, ...moments.filter((at) => at > time + 1e-6));
}

function go(to) {
  time = Math.max(0, Math.min(life.until, to));
  render();
}

$("play").onclick = () => play(!playing);
$("step").onclick = () => { play(false); go(nextEvent()); };
$("restart").onclick = () => go(0);
$("scrub").oninput = () => { play(false); go(Number($("scrub").value)); };
$("window").onchange = render;
$("undo").onclick = () => change({ faults: (set.faults ?? "").split(",").slice(0, -1).join() });
$("clear").onclick = () => change({ faults: "" });
new ResizeObserver(() => [render, ...pictures].forEach((picture) => picture())).observe($("ours"));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { ink = colours(); render(); recording(); });

// Many lives.

$("many").onclick = () => { seed += 1; update(); };

// A recording.

/// Its flights: a pong left half way, because a recording knows only our side.
function recordedLane(rows, until) {
  const flights = rows.flatMap((row) => {
    const ping = row.out.match(/^ping #(\d+)/);
    if (ping) {
      const answer = rows.find((later) => later.in.startsWith(`pong #${ping[1]}`) && /\D|$/.test(later.in.slice(6 + ping[1].length)));
      const half = answer ? (row.at + answer.at) / 2 : null;
      return [["ping", Number(ping[1]), row.at, row.at, half], ...(answer ? [["pong", Number(ping[1]), half, half, answer.at]] : [])];
    }
    return row.in === "data" ? [["theirs", 200, row.at - 0.05, row.at - 0.05, row.at]] : [];
  });
  return { flights, bands: bandsOf(rows, until), end: null };
}

let pictures = [];

function recording() {
  pictures = [];
  const text = $("text").value;
  $("told").replaceChildren();
  $("unreadable").hidden = true;
  if (!text.trim()) return;
  const told = call("replay", `${$("change").value.trim()}\n${text}`);
  $("unreadable").hidden = !told.error;
  $("unreadable").textContent = told.error ?? "";
  if (told.error) return;
  const lived = [["As it was", told.rows], ...(told.other ? [["As it would have gone", told.other.rows]] : [])];
  const until = Math.max(...lived.flatMap(([, rows]) => rows.map((row) => row.at))) || 1;
  for (const [name, rows] of lived) {
    const box = document.createElement("div");
    const canvas = make("canvas", "", { role: "img", ariaLabel: `${name}: its actions are listed below.` });
    const list = make("ol", "", { className: "story scroll", tabIndex: 0, ariaLabel: `${name}, and why` });
    box.append(make("h3", name), canvas, list);
    if (!told.agrees && name === "As it was") box.append(make("p", "What the text expects is not what the machine did: here is what it did.", { className: "note" }));
    story(list, rows);
    $("told").append(box);
    pictures.push(() => draw(canvas, recordedLane(rows, until * 1.02), { from: 0, to: until * 1.02, now: until * 1.02, faults: [], due: null }, ink));
  }
  // Once both are in their places.
  for (const picture of pictures) picture();
}

$("text").oninput = $("change").oninput = recording;
$("take").onclick = () => { $("text").value = life.transcript; recording(); };
async function open(file) {
  $("text").value = await file.text();
  recording();
}
$("file").onchange = () => open($("file").files[0]);
$("recording").ondragover = (event) => event.preventDefault();
$("recording").ondrop = (event) => {
  event.preventDefault();
  if (event.dataTransfer.files[0]) open(event.dataTransfer.files[0]);
};

// To take along.

async function copy(text, what) {
  const done = await navigator.clipboard.writeText(text).then(() => true, () => false);
  const toast = make("p", done ? `${what} copied.` : `This browser does not let a page copy. ${text}`, { className: "toast" });
  document.querySelector(".toasts").replaceChildren(toast);
  setTimeout(() => toast.remove(), 4000);
}
$("link").onclick = () => copy(location.href, "Link");

function code(texts) {
  $("code").replaceChildren(...Object.entries(texts).map(([name, text]) => {
    const box = make("div", "", { className: "stack" });
    const button = make("button", "Copy", { ariaLabel: `Copy: ${name}` });
    button.onclick = () => copy(text, name);
    const head = make("div", "", { className: "row" });
    head.append(make("h3", name, { className: "grow" }), button);
    box.append(head, make("pre", text, { tabIndex: 0, ariaLabel: name, role: "region" }));
    return box;
  }));
}

choices();
if (innerWidth < 640) $("settings").open = false;
const begin = () => { set = read(decodeURI(location.hash.slice(1)) || STORY); time = 0; update(); };
addEventListener("hashchange", begin);
begin();
if (!location.hash && !still.matches) play(true);
// For tests: what a frame shows is a matter of the moment alone.
globalThis.playground = { go, frames, closes, life: () => life, seen: () => ({ time, playing }) };
