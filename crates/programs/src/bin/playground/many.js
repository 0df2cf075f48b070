// Many lives: orders for the worker, and what came of them as figures, a plot and a table.

const HUES = ["#b3531d #f0a070", "#1f5fa8 #8abcf5", "#7a3e9d #cf9ff0", "#8a6a00 #dfc050", "#a52a5a #f29ab8", "#3a7a2a #9ad08a", "#555f66 #b5c0c8", "#0a6a6a #6ad0d0"];
const HOURS = 1000;
const OTHERS = 200;
const SVG = "http://www.w3.org/2000/svg";
const [LEFT, RIGHT, TOP, BOTTOM] = [62, 540, 14, 318];
const RANGE = { x: [5, 120], y: [0.02, 5000] };

const worker = new Worker("/worker.js", { type: "module" });
const $ = (id) => document.getElementById(id);
let order = { job: 0, answers: [] };

/// Begins anew with these settings.
export function run(settings, seed, catalogue, bound) {
  const base = `${settings}&seed=${seed}`;
  const others = catalogue.rules.flatMap(({ name, xs }) => xs.map((x) => ({ name, x, text: `who=${name}&${base}&rule=${name}&x=${x}`, hours: OTHERS, parts: 1 })));
  const tasks = [{ text: base, hours: HOURS, parts: 20 }, ...others];
  order = { job: order.job + 1, tasks, bound, rules: catalogue.rules, answers: [], since: performance.now() };
  $("many").disabled = true;
  $("plot").removeAttribute("data-done");
  worker.postMessage({ job: order.job, tasks: tasks.map(({ text, hours, parts }) => ({ text, hours, parts })) });
}

worker.onmessage = ({ data: { job, index, done, answer } }) => {
  if (job !== order.job) return;
  order.answers[index] = answer;
  const { tasks } = order;
  const lived = tasks.reduce((sum, task, place) => sum + (place < index ? task.hours : place === index ? task.hours * done : 0), 0);
  const whole = tasks.reduce((sum, task) => sum + task.hours, 0);
  $("progress").value = lived / whole;
  if (index === 0) {
    figures(answer, order.bound);
    order.took = performance.now() - order.since;
  }
  const finished = index === tasks.length - 1 && done === 1;
  if (done === 1 && (index === 0 || index % 4 === 0)) plot(order);
  if (finished) {
    table(order);
    $("many").disabled = false;
    $("plot").dataset.done = order.took;
  }
  $("progress-words").textContent = finished ? `${Math.round(order.answers[0].hours)} hours of yours in ${(order.took / 1000).toFixed(1)} s` : "";
};

export const closes = (rate) => (rate >= 100 ? rate.toFixed(0) : rate > 0 ? rate.toPrecision(2) : "0");

function figures(answer, bound) {
  if (answer.error) return;
  const seconds = (value) => (value === null ? "never" : `${value.toFixed(1)} s`);
  const facts = [
    ["Live peers closed, a connection and day", closes(answer.mean), answer.mistakes ? `between ${closes(answer.least)} and ${closes(answer.most)}` : `none seen; fewer than ${closes(answer.most)}`],
    ["Time to find the dead, on average", seconds(answer.found), answer.never ? `${(100 * answer.never).toFixed(0)} % were never found` : `99 % within ${seconds(answer.late)}, all within ${seconds(answer.last)}`],
    ["Never later than", seconds(bound), "the detection bound, whatever the network does"],
    ["Pings an hour", answer.pings.toFixed(0), answer.cut ? `a proxy cut ${closes(answer.cut)} a day` : "of one connection to a live peer"],
  ];
  $("figures").replaceChildren(...facts.map(([name, value, more]) => {
    const box = document.createElement("div");
    const [dt, dd, small] = ["dt", "dd", "small"].map((kind) => document.createElement(kind));
    [dt.textContent, dd.textContent, small.textContent] = [name, value, more];
    dd.append(small);
    box.append(dt, dd);
    return box;
  }));
}

const log = (value, [from, to]) => Math.log(Math.min(to, Math.max(from, value)) / from) / Math.log(to / from);
const at = ({ found, mean }) => [LEFT + (RIGHT - LEFT) * log(found, RANGE.x), mean > 0 ? BOTTOM - (BOTTOM - TOP) * log(mean, RANGE.y) : BOTTOM + 18];

function shape(kind, attributes, words) {
  const element = document.createElementNS(SVG, kind);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (words !== undefined) element.textContent = words;
  return element;
}

function plot({ rules, answers }) {
  const parts = [];
  for (const y of [0.1, 1, 10, 100, 1000]) {
    const [, height] = at({ found: 10, mean: y });
    parts.push(shape("line", { x1: LEFT, x2: RIGHT, y1: height, y2: height }), shape("text", { x: LEFT - 8, y: height + 4, "text-anchor": "end" }, y));
  }
  parts.push(shape("text", { x: LEFT - 8, y: BOTTOM + 22, "text-anchor": "end" }, "none"), shape("line", { x1: LEFT, x2: RIGHT, y1: BOTTOM + 18, y2: BOTTOM + 18 }));
  for (const x of [5, 10, 20, 40, 80]) {
    const [width] = at({ found: x, mean: 1 });
    parts.push(shape("line", { x1: width, x2: width, y1: TOP, y2: BOTTOM + 18 }), shape("text", { x: width, y: BOTTOM + 36, "text-anchor": "middle" }, `${x} s`));
  }
  parts.push(shape("text", { x: (LEFT + RIGHT) / 2, y: BOTTOM + 56, "text-anchor": "middle" }, "until a dead peer is found, on average"));
  parts.push(shape("text", { x: 14, y: (TOP + BOTTOM) / 2, transform: `rotate(-90 14 ${(TOP + BOTTOM) / 2})`, "text-anchor": "middle" }, "live peers closed a day"));
  rules.forEach(({ name, xs }, index) => {
    const group = shape("g", {});
    const [light, dark] = HUES[index].split(" ");
    group.style.setProperty("--hue", `light-dark(${light}, ${dark})`);
    const points = xs.map((_, place) => answers[1 + index * xs.length + place]).filter((answer) => answer?.found).map(at);
    group.append(shape("polyline", { points: points.map((point) => point.join()).join(" ") }));
    for (const [cx, cy] of points) group.append(shape("circle", { cx, cy, r: 4 }));
    const y = TOP + 40 + 24 * index;
    group.append(shape("circle", { cx: RIGHT + 22, cy: y - 4, r: 4 }), shape("text", { class: "name", x: RIGHT + 34, y }, name === "liveness" ? "liveness, 20 s" : name));
    parts.push(group);
  });
  const mine = shape("g", { class: "mine" });
  if (answers[0]?.found) {
    const [cx, cy] = at(answers[0]);
    mine.append(shape("circle", { cx, cy, r: 8 }));
  }
  mine.append(shape("circle", { cx: RIGHT + 22, cy: TOP + 12, r: 7 }), shape("text", { class: "name", x: RIGHT + 36, y: TOP + 16 }, "your settings"));
  $("plot").replaceChildren(...parts, mine);
}

function table({ tasks, answers }) {
  const head = ["Rule", "Setting", "Closed a day", "95 % interval", "Found after", "Longest"];
  const rows = answers.map((answer, index) => {
    const { name, x } = tasks[index];
    const time = (value) => (value === null || value === undefined ? "some never" : `${value.toFixed(1)} s`);
    return [name ?? "your settings", x ? `${x} s` : "as set", closes(answer.mean), `${closes(answer.least)} to ${closes(answer.most)}`, time(answer.found), time(answer.last)];
  });
  const line = (cells, kind) => {
    const row = document.createElement("tr");
    row.append(...cells.map((words) => Object.assign(document.createElement(kind), { textContent: words })));
    return row;
  };
  $("table").replaceChildren(line(head, "th"), ...rows.map((cells) => line(cells, "td")));
}
