// Many lives: orders for the worker, and what came of them as figures, a plot and a table.

import { at as $, make } from "/elements.js";

const HUES = ["#b3531d, #f0a070", "#1f5fa8, #8abcf5", "#7a3e9d, #cf9ff0", "#8a6a00, #dfc050", "#a52a5a, #f29ab8", "#3a7a2a, #9ad08a", "#555f66, #b5c0c8", "#0a6a6a, #6ad0d0"];
const HOURS = 100;
const [MINE, OTHERS] = [10, 2];
const [LEFT, RIGHT, TOP, BOTTOM, NONE] = [62, 540, 14, 318, 336];
const RANGE = { x: [5, 120], y: [0.02, 5000] };

const worker = new Worker("/worker.js", { type: "module" });
let order = { job: 0 };

/// Begins anew with these settings.
export function run(settings, rules, bound) {
  const others = rules.flatMap(([name, xs]) => xs.map((x) => ({ name, x, text: `${settings}&judge=other&rule=${name}&x=${x}`, parts: OTHERS })));
  const tasks = [{ text: settings, parts: MINE }, ...others];
  order = { job: order.job + 1, tasks, bound, rules, answers: [], since: performance.now() };
  $("many").disabled = true;
  $("plot").removeAttribute("data-done");
  worker.postMessage({ job: order.job, hours: HOURS, tasks });
}

worker.onmessage = ({ data: { job, index, done, answer } }) => {
  if (job !== order.job) return;
  order.answers[index] = answer;
  const whole = MINE + OTHERS * (order.tasks.length - 1);
  $("progress").value = done / whole;
  if (index === 0) {
    figures(answer, order.bound);
    order.took = performance.now() - order.since;
  }
  if (index % 4 === 0) plot(order);
  $("progress-words").textContent = done < whole ? "" : `${Math.round(order.answers[0].hours)} hours of yours in ${seconds(order.took / 1000)}`;
  if (done < whole) return;
  table(order);
  $("many").disabled = false;
  $("plot").dataset.done = order.took;
};

export const seconds = (value) => `${value.toFixed(1)} s`;
export const closes = (rate) => (rate >= 100 ? rate.toFixed(0) : rate > 0 ? rate.toPrecision(2) : "0");

function figures({ mistakes, least, mean, most, found, late, last, never, pings, cut }, bound) {
  const facts = [
    ["Live peers closed, a connection and day", closes(mean), mistakes ? `between ${closes(least)} and ${closes(most)}` : `none seen; fewer than ${closes(most)}`],
    ["Time to find the dead, on average", found ? seconds(found) : "never", never ? `${(100 * never).toFixed(0)} % were never found` : `99 % within ${seconds(late)}, all within ${seconds(last)}`],
    ["Never later than", bound ? seconds(bound) : "never", "the detection bound, whatever the network does"],
    ["Pings an hour", pings.toFixed(0), cut ? `a proxy cut ${closes(cut)} a day` : "of one connection to a live peer"],
  ];
  $("figures").replaceChildren(...facts.map(([name, value, more]) => make("div", {}, make("dt", {}, name), make("dd", {}, value, make("small", {}, more)))));
}

const log = (value, [from, to]) => Math.log(Math.min(to, Math.max(from, value)) / from) / Math.log(to / from);
const at = ({ found, mean }) => [LEFT + (RIGHT - LEFT) * log(found, RANGE.x), mean > 0 ? BOTTOM - (BOTTOM - TOP) * log(mean, RANGE.y) : NONE];

function axes() {
  const rows = [0, 0.1, 1, 10, 100, 1000].map((mean) => [at({ found: 5, mean })[1], mean || "none"]);
  const columns = [5, 10, 20, 40, 80].map((found) => [at({ found, mean: 0 })[0], `${found} s`]);
  const middle = (TOP + BOTTOM) / 2;
  return [
    ...rows.flatMap(([y, words]) => [make("line", { x1: LEFT, x2: RIGHT, y1: y, y2: y }), make("text", { x: LEFT - 8, y: y + 4, "text-anchor": "end" }, words)]),
    ...columns.flatMap(([x, words]) => [make("line", { x1: x, x2: x, y1: TOP, y2: NONE }), make("text", { x, y: NONE + 18, "text-anchor": "middle" }, words)]),
    make("text", { x: (LEFT + RIGHT) / 2, y: NONE + 38, "text-anchor": "middle" }, "until a dead peer is found, on average"),
    make("text", { x: 14, y: middle, transform: `rotate(-90 14 ${middle})`, "text-anchor": "middle" }, "live peers closed a day"),
  ];
}

function plot({ rules, answers }) {
  const named = (place, r, name) => [make("circle", { cx: RIGHT + 22, cy: TOP + 12 + 24 * place, r }), make("text", { class: "name", x: RIGHT + 35, y: TOP + 16 + 24 * place }, name)];
  const dots = (answers, r) => answers.filter(({ found }) => found).map(at).map(([cx, cy]) => make("circle", { cx, cy, r }));
  const groups = rules.map(([name, xs], index) => {
    const theirs = answers.slice(1 + index * xs.length, 1 + (index + 1) * xs.length);
    const points = theirs.filter(({ found }) => found).map(at).join(" ");
    const group = make("g", {}, make("polyline", { points }), ...dots(theirs, 4), ...named(index + 1, 4, name === "liveness" ? "liveness, 20 s" : name));
    group.style.setProperty("--hue", `light-dark(${HUES[index]})`);
    return group;
  });
  $("plot").replaceChildren(...axes(), ...groups, make("g", { class: "mine" }, ...dots(answers.slice(0, 1), 8), ...named(0, 7, "your settings")));
}

function table({ tasks, answers }) {
  const line = (kind, cells) => make("tr", {}, ...cells.map((words) => make(kind, {}, words)));
  const rows = answers.map(({ mean, least, most, found, last }, index) => {
    const { name = "your settings", x } = tasks[index];
    const times = [found, last].map((value) => (value === null ? "some never" : seconds(value)));
    return line("td", [name, x ? `${x} s` : "as set", closes(mean), `${closes(least)} to ${closes(most)}`, ...times]);
  });
  $("table").replaceChildren(line("th", ["Rule", "Setting", "Closed a day", "95 % interval", "Found after", "Longest"]), ...rows);
}
