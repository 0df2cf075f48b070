// The playground: keeps what its visitor has set in the address, asks the machine, and draws what it was told.

import { at as $, make, toast } from "/elements.js";
import { colours, draw } from "/lane.js";
import { load } from "/machine.js";
import { closes, run, seconds } from "/many.js";

const call = await load();
const catalogue = call("catalogue");

/// Words for a button, a label in a lane, whether it lasts as long as a visitor says, and what it is.
const FAULTS = {
  cut: ["Cut the line", "cut", false, "The line is cut both ways, and nobody is told."],
  deaf: ["Cut towards the peer", "cut towards the peer", false, "Nothing that we send arrives any more; what the peer sends still reaches us."],
  mute: ["Cut towards us", "cut towards us", false, "The peer hears us, and nothing of it reaches us any more."],
  freeze: ["Freeze the peer", "peer frozen", true, "The peer's process stands still: it reads nothing and answers nothing."],
  tunnel: ["No signal", "no signal", true, "No signal: whatever is sent is lost, and TCP sends it again later."],
  lost: ["Lose its pings", "pings lost", true, "The peer's program drops every ping that it receives, and does everything else."],
  upload: ["Huge frame from the peer", "60 MB from the peer", false, "The peer sends one frame of 60 MB at 1 MB/s: no pong can come inside it."],
  download: ["Slow reader", "60 MB to the peer", false, "We send 60 MB, and the peer reads 1 MB/s: our ping waits behind it."],
  unread: ["Reads nothing", "peer reads nothing", false, "We send 60 MB, and the peer reads nothing of it, nor anything after it."],
  stall: ["Stop our process", "our process stopped", true, "Our own process stands still. When it goes on, its timers ring before it reads."],
  sleep: ["Our laptop sleeps", "asleep", true, "Our laptop sleeps, and its network with it. When it wakes, its timers ring first."],
  proxy: ["A proxy counts silence", "proxy, 60 s", false, "From here on a proxy cuts the connection after 60 s without a byte from us."],
};
const NEXT = { ping: "next ping at", answer: "it must answer by", suspect: "suspect at", "last look": "last look until", written: "the ping must be written by", closed: "it must close by", data: "data must come by", anything: "anything must come by" };
const STATES = { online: ["online", "Online"], wait: ["connecting", "Waits for the answer"], write: ["connecting", "Writing a ping"], suspect: ["suspect", "Suspect"], look: ["suspect", "Last look"] };
const NETWORKS = { wan: "office: 90 ms, 1 % lost", mobile: "mobile, with tunnels", satellite: "satellite", own: "your own figures" };
const RULES = { "gorilla chat": "gorilla chat (Go)", "ws isAlive": "npm ws, isAlive", "python-websockets": "python-websockets", "aiohttp heartbeat": "aiohttp heartbeat", "engine.io": "engine.io (socket.io)", gRPC: "gRPC keepalive", "textbook loop": "the textbook loop" };
const FITS = { yes: ["online", "fits, and one ping may be late"], barely: ["suspect", "only just: one late ping, and it cuts"], no: ["offline", "cuts between two pings"] };
const STORY = "interval=20s&timeout=25s&suspicion=after:4s&rule=gorilla chat&world=mobile&talk=both&faults=upload@30,cut@130";

const still = matchMedia("(prefers-reduced-motion: reduce)");
const frames = { drawn: 0 };
let ink = colours();
let set = {};
let life = null;
let time = 0;
let playing = false;
let seed = 1;

const read = (text) => Object.fromEntries(text.split("&").filter(Boolean).map((pair) => pair.split("=")));
const write = (settings) => Object.entries(settings).filter(([, value]) => value !== "").map((pair) => pair.join("=")).join("&");

// The form.

const options = (words) => Object.entries(words).map(([value, name]) => make("option", { value }, name));
const more = catalogue.worlds.map(([name]) => name).filter((name) => !(name in NETWORKS));
$("world").append(make("optgroup", { label: "Networks" }, ...options(NETWORKS)), make("optgroup", { label: "More worlds, for many lives" }, ...more.map((name) => make("option", {}, name))));
$("rule").append(...options(RULES));
$("presets").append(...catalogue.presets.map(([name, set, world]) => {
  const onclick = () => change({ evidence: "", schedule: "", suspicion: "", jitter: "", x: "", world, ...read(set) });
  return make("button", { type: "button", onclick }, name);
}));
$("faults").append(...Object.entries(FAULTS).map(([fault, [name, , , says]]) => (
  make("button", { type: "button", title: says, "data-fault": fault, onclick: () => befall(fault) }, name)
)));

/// How a slider's value stands among the settings. That of any other field stands there as it is.
const written = { interval: (value) => `${value}s`, timeout: (value) => `${value}s`, suspicion: (value) => (Number(value) ? `after:${value}s` : "never") };
const textOf = ({ id, value }) => written[id]?.(value) ?? value;
const fields = [...$("form").querySelectorAll("input, select")].map((field) => [field, textOf(field)]);

function fill() {
  for (const [field, usual] of fields) {
    const text = set[field.id] || usual;
    if (field !== document.activeElement || field.type !== "number") field.value = field.type === "range" ? (text.match(/[\d.]+/)?.[0] ?? "0") : text;
    const output = field.parentElement.querySelector("output");
    if (!output) continue;
    output.textContent = text.replace(":", " ").replace(/s$/, " s");
    field.setAttribute("aria-valuetext", output.textContent);
  }
  $("own").hidden = set.world !== "own";
  $("where").textContent = Object.fromEntries(catalogue.worlds)[$("world").value] ?? "What you write below.";
  $("brief").textContent = `interval ${$("interval").value} s, timeout ${$("timeout").value} s`;
}

$("form").oninput = ({ target }) => change({ ...(target.id === "rule" && { x: "" }), [target.id]: textOf(target) });

function change(some) {
  set = { ...set, ...some };
  history.replaceState(null, "", `#${encodeURI(write(set))}`);
  update();
}

let soon;
function update() {
  fill();
  const [told, advice] = ["live", "advise"].map((question) => call(question, write(set)));
  const error = told.error ?? advice.error;
  complain("wrong", error ?? advice.warnings.join(" "));
  if (error) return;
  life = { ...told, row: null };
  life.ours.bands = bandsOf(life.rows, life.ours.end?.at ?? life.until);
  life.theirs.bands = waits(life.theirs, life.until);
  $("their-name").textContent = RULES[life.rule] ?? life.rule;
  if (document.activeElement !== $("x")) $("x").value = life.x;
  $("set").textContent = `${life.set}: ${life.says.replaceAll("`", "")}.${life.fits ? "" : " It cannot be set as quick as ours."}`;
  $("scrub").max = life.until;
  story($("story"), life.rows);
  $("reason").textContent = catalogue.presets[advice.preset]?.[3] ?? "A preset sets everything below, and says why.";
  [...$("presets").children].forEach((button, index) => button.setAttribute("aria-pressed", index === advice.preset));
  $("proxies").replaceChildren(...advice.proxies.map(({ name, limit, fits }) => {
    const [state, words] = FITS[fits];
    return make("li", { "data-state": state }, `${name}, ${limit} s: `, make("b", {}, words));
  }));
  $("code").replaceChildren(code("Rust", advice.rust), code("JavaScript, for the page's half", advice.script), code("A flag, a file, a transcript", advice.transcript));
  clearTimeout(soon);
  soon = setTimeout(() => run(write({ ...set, faults: "", until: "", seed }), catalogue.rules, advice.bound), 400);
  render();
}

function complain(id, words) {
  $(id).hidden = !words;
  $(id).textContent = words;
}

// One life.

function kindOf({ next, state, awaited }) {
  if (next === "last look") return "look";
  if (state !== "online") return state;
  return next === "written" ? "write" : awaited ? "wait" : "online";
}

/// What our rail's colour says, from each row to the next.
function bandsOf(rows, until) {
  const shown = rows.filter((row, index) => row.state && (index === 0 || kindOf(row) !== kindOf(rows[index - 1])));
  return shown.map((row, index) => [row.at, shown[index + 1]?.at ?? until, kindOf(row)]);
}

/// Another rule waits from each ping to the next pong.
function waits({ flights, end }, until) {
  const last = end?.at ?? until;
  const pongs = flights.filter(([kind, , , , arrives]) => kind === "pong" && arrives !== null).map(([, , , , arrives]) => arrives);
  const pings = flights.filter(([kind]) => kind === "ping").map(([, , at]) => [at, Math.min(last, ...pongs.filter((pong) => pong > at)), "wait"]);
  return [[0, last, "online"], ...pings];
}

function render() {
  if (!life) return;
  const row = life.rows.findLast(({ at }) => at <= time);
  const span = Math.min(Number($("window").value), life.until);
  const from = Math.max(0, Math.min(time - 0.7 * span, life.until - span));
  const faults = life.faults.map(([name, from, to]) => ({ label: FAULTS[name][1], from, to }));
  const view = { from, to: from + span, now: time, faults };
  draw($("ours"), life.ours, { ...view, due: row?.by }, ink);
  draw($("theirs"), life.theirs, view, ink);
  frames.drawn += 1;
  $("scrub").value = time;
  $("scrub").setAttribute("aria-valuetext", `${time.toFixed(1)} seconds`);
  $("clock").textContent = seconds(time);
  say("ours", "liveness", row?.next ? `${NEXT[row.next]} ${seconds(row.by)}` : "", life.reason.replace("offline ", ": "));
  say("theirs", life.rule, life.set, "");
  if (row !== life.row) follow(row);
}

/// How a lane ended, in short and in a sentence.
function ending({ by, at, right, after }, reason) {
  if (by === "proxy") return ["Lost to the proxy", `The proxy cut it at ${seconds(at)}, for our silence.`];
  if (right) return ["Found dead", `${seconds(after)} after it was gone${reason}.`];
  return ["A live peer lost", `Closed at ${seconds(at)}, and the peer was alive${reason}.`];
}

function say(id, name, present, reason) {
  const { bands, end } = life[id];
  const [, , kind] = bands.findLast(([from, to]) => from <= time && time <= to) ?? [];
  const ended = end?.at <= time;
  const [state, title] = ended ? ["offline", ending(end, reason)[0]] : STATES[kind];
  const words = ended ? ending(end, reason)[1] : present;
  $(`${id}-words`).textContent = words;
  const pill = $(`${id}-state`);
  if (pill.textContent === title) return;
  pill.textContent = title;
  pill.dataset.state = state;
  if (ended) $("verdict").textContent = `${name}: ${title}. ${words}`;
}

/// The story ends at the present.
function follow(row) {
  life.row = row;
  const list = $("story");
  for (const item of list.children) item.hidden = Number(item.dataset.at) > time;
  list.scrollTop = list.scrollHeight;
}

function story(list, rows) {
  const told = rows.filter((row) => row.out || row.why || (row.in && !/^(progress|wrote|ping-sent|stall-deaf 0s)$/.test(row.in))).slice(0, 600);
  list.replaceChildren(...told.map((row) => make("li", { "data-state": row.state || "unknown", "data-at": row.at },
    make("time", {}, `${Number(row.at.toFixed(3))} s`),
    make("span", { class: row.out ? "" : "heard" }, row.out || (row.why ? "looks again" : row.in)),
    make("span", { class: row.why ? "" : "heard" }, row.why || "heard from the peer, or done on our side"),
  )));
}

function befall(fault) {
  const [, , lasts, says] = FAULTS[fault];
  const befallen = `${fault}@${Number(time.toFixed(1))}${lasts ? `+${$("lasts").value}` : ""}`;
  $("says").textContent = says;
  change({ faults: [set.faults, befallen].filter(Boolean).join(), until: String(Math.max(life.until, Math.min(3600, Math.ceil(time) + 120))) });
  if (!playing && !still.matches) play(true);
}

let before;
function play(on) {
  playing = on;
  if (on && time >= life.until) time = 0;
  $("play").textContent = on ? "Pause" : "Play";
  $("play").setAttribute("aria-pressed", on);
  before = performance.now();
  if (on) requestAnimationFrame(frame);
}

function frame(now) {
  if (!playing) return;
  // Where motion is unwelcome, it moves from one event to the next and rests there.
  const rests = still.matches ? 700 : 0;
  if (now - before >= rests) {
    go(rests ? nextEvent() : time + (Math.min(now - before, 100) / 1000) * Number($("speed").value));
    before = now;
  }
  if (time >= life.until) return play(false);
  requestAnimationFrame(frame);
}

function nextEvent() {
  const ours = life.rows.filter((row) => row.out || row.why).map((row) => row.at);
  const theirs = [...life.theirs.bands.map(([from]) => from), life.theirs.end?.at ?? Infinity];
  return Math.min(...[...ours, ...theirs, ...life.faults.map(([, from]) => from)].filter((at) => at > time + 1e-6));
}

function go(to) {
  time = Math.max(0, Math.min(life.until, to));
  render();
}

function rest(at) {
  play(false);
  go(at);
}

$("play").onclick = () => play(!playing);
$("step").onclick = () => rest(nextEvent());
$("scrub").oninput = () => rest(Number($("scrub").value));
$("restart").onclick = () => go(0);
$("window").onchange = render;
$("undo").onclick = () => change({ faults: (set.faults ?? "").split(",").slice(0, -1).join() });
$("clear").onclick = () => change({ faults: "" });

// Many lives.

$("many").onclick = () => {
  seed += 1;
  update();
};

// A recording.

/// Its flights: a pong left half way, because a recording knows only our side.
function flightsOf(rows) {
  return rows.flatMap((row) => {
    const [, number] = row.out.match(/^ping #(\d+)/) ?? [];
    if (!number) return row.in === "data" ? [["theirs", 200, row.at - 0.05, row.at - 0.05, row.at]] : [];
    const answer = rows.find((later) => later.in.split(" ").slice(0, 2).join(" ") === `pong #${number}`);
    if (!answer) return [["ping", number, row.at, row.at, null]];
    const half = (row.at + answer.at) / 2;
    return [["ping", number, row.at, row.at, half], ["pong", number, half, half, answer.at]];
  });
}

let pictures = [];

function recording() {
  pictures = [];
  $("told").replaceChildren();
  const text = $("text").value;
  const told = text.trim() ? call("replay", `${$("change").value.trim()}\n${text}`) : {};
  complain("unreadable", told.error ?? "");
  const lived = Object.entries({ "As it was": told.rows, "As it would have gone": told.other?.rows }).filter(([, rows]) => rows);
  const until = 1.02 * Math.max(...lived.flatMap(([, rows]) => rows.map((row) => row.at))) || 1;
  for (const [name, rows] of lived) {
    const canvas = make("canvas", { role: "img", "aria-label": `${name}: its actions are listed below.` });
    const list = make("ol", { class: "story scroll", tabindex: 0, "aria-label": `${name}, and why` });
    story(list, rows);
    $("told").append(make("div", {}, make("h3", {}, name), canvas, list));
    const lane = { flights: flightsOf(rows), bands: bandsOf(rows, until) };
    pictures.push(() => draw(canvas, lane, { from: 0, to: until, now: until, faults: [] }, ink));
  }
  if (told.agrees === false) $("told").append(make("p", { class: "note" }, "What the text expects is not what the machine did: here is what it did."));
  // Once both are in their places.
  for (const picture of pictures) picture();
}

function take(text) {
  $("text").value = text;
  recording();
}

$("text").oninput = $("change").oninput = recording;
$("take").onclick = () => take(life.transcript);
$("file").onchange = async () => take(await $("file").files[0].text());

function redraw() {
  for (const picture of [render, ...pictures]) picture();
}

new ResizeObserver(redraw).observe($("ours"));
matchMedia("(prefers-color-scheme: dark)").onchange = () => {
  ink = colours();
  redraw();
};

// To take along.

function copy(text, what) {
  navigator.clipboard.writeText(text).then(() => toast(`${what} copied.`), () => toast(`This browser does not let a page copy. ${text}`));
}
$("link").onclick = () => copy(location.href, "Link");

function code(name, text) {
  const button = make("button", { "aria-label": `Copy: ${name}`, onclick: () => copy(text, name) }, "Copy");
  const head = make("div", { class: "row" }, make("h3", { class: "grow" }, name), button);
  return make("div", { class: "stack" }, head, make("pre", { tabindex: 0, "aria-label": name, role: "region" }, text));
}

if (innerWidth < 640) $("settings").open = false;
function begin() {
  set = read(decodeURIComponent(location.hash.slice(1)) || STORY);
  time = 0;
  update();
}
addEventListener("hashchange", begin);
begin();
if (!location.hash && !still.matches) play(true);
// For tests: what a frame shows is a matter of the moment alone.
globalThis.playground = { go, frames, closes, life: () => life, seen: () => ({ time, playing }) };
