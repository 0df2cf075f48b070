// The last minute as a line: it ends where nobody tells us anything, and breaks where figures are missing.

import { blank, colour } from "/canvas.js";

const MINUTE = 60_000;

/** `figures` are { time, value, late } and { time, edge }; `silentSince`, if not null: since when nothing is known. */
export function draw(canvas, figures, now, silentSince) {
  const { pen, width, height } = blank(canvas);
  if (width === 0) return;
  const area = { left: 34, right: width - 8, top: 8, bottom: height - 22 };
  const x = (time) => area.right - ((now - time) / MINUTE) * (area.right - area.left);
  const scale = range(figures.filter(({ value, time }) => value !== undefined && time > now - MINUTE).map(({ value }) => value));
  const y = (value) => area.bottom - ((value - scale.low) / (scale.high - scale.low)) * (area.bottom - area.top);
  grid(pen, area, scale, x, y, now);
  if (silentSince !== null) silence(pen, area, Math.max(area.left, x(silentSince)));
  pen.save();
  pen.beginPath();
  pen.rect(area.left, 0, area.right - area.left + 8, height);
  pen.clip();
  for (const { time } of figures.filter(({ edge }) => edge === "restart")) edge(pen, area, x(time));
  for (const run of runs(figures, ({ edge }) => !edge)) line(pen, run.map(({ time, value }) => [x(time), y(value)]));
  for (const run of runs(figures, ({ late }) => late)) foot(pen, area, x(run[0].time), x(run.at(-1).time));
  const newest = figures.findLast(({ value }) => value !== undefined);
  if (newest) dot(pen, x(newest.time), y(newest.value), silentSince === null);
  pen.restore();
}

/** Round numbers around all values, and the step between them. */
function range(values) {
  if (values.length === 0) return { low: 0, high: 100, step: 25 };
  const [lowest, highest] = [Math.min(...values), Math.max(...values)];
  const step = [1, 2, 5, 10, 20, 25, 50].find((step) => (highest - lowest) / step <= 3) ?? 100;
  const low = Math.floor(lowest / step) * step;
  return { low, high: Math.max(low + step, Math.ceil(highest / step) * step), step };
}

function grid(pen, area, { low, high, step }, x, y, now) {
  pen.strokeStyle = colour("line");
  pen.fillStyle = colour("soft");
  pen.lineWidth = 1;
  pen.textBaseline = "middle";
  pen.textAlign = "right";
  for (let value = low; value <= high; value += step) {
    pen.beginPath();
    pen.moveTo(area.left, Math.round(y(value)) + 0.5);
    pen.lineTo(area.right, Math.round(y(value)) + 0.5);
    pen.stroke();
    pen.fillText(value, area.left - 6, y(value));
  }
  pen.textBaseline = "top";
  // On a phone there is room for every other.
  for (const seconds of area.right - area.left > 400 ? [60, 45, 30, 15, 0] : [60, 30, 0]) {
    pen.textAlign = seconds === 60 ? "left" : seconds === 0 ? "right" : "center";
    pen.fillText(seconds === 0 ? "now" : `${seconds} s ago`, x(now - seconds * 1000), area.bottom + 6);
  }
}

/** Hatched: here nothing is known. */
function silence(pen, area, from) {
  pen.save();
  pen.beginPath();
  pen.rect(from, area.top, area.right - from, area.bottom - area.top);
  pen.clip();
  pen.strokeStyle = colour("offline");
  pen.globalAlpha = 0.25;
  const height = area.bottom - area.top;
  for (let start = area.left - height; start < area.right; start += 9) {
    pen.beginPath();
    pen.moveTo(start, area.bottom);
    pen.lineTo(start + height, area.top);
    pen.stroke();
  }
  pen.restore();
}

function edge(pen, area, x) {
  pen.save();
  pen.strokeStyle = colour("suspect");
  pen.fillStyle = colour("suspect");
  pen.setLineDash([4, 4]);
  pen.beginPath();
  pen.moveTo(x, area.top);
  pen.lineTo(x, area.bottom);
  pen.stroke();
  pen.textBaseline = "top";
  const right = x < area.left + 90;
  pen.textAlign = right ? "left" : "right";
  pen.fillText("new server", x + (right ? 6 : -6), area.top);
  pen.restore();
}

/** The figures that are so, as long as they follow one another. */
function runs(figures, so) {
  const runs = [[]];
  for (const figure of figures) {
    if (so(figure)) runs.at(-1).push(figure);
    else runs.push([]);
  }
  return runs.filter((run) => run.length > 0);
}

/** No area below it: the axis does not begin at zero. */
function line(pen, points) {
  pen.strokeStyle = colour("accent");
  pen.lineWidth = 2;
  pen.lineJoin = "round";
  pen.beginPath();
  points.forEach(([x, y]) => pen.lineTo(x, y));
  pen.stroke();
}

/** What was filled in afterwards. */
function foot(pen, area, from, to) {
  pen.fillStyle = colour("connecting");
  pen.fillRect(from, area.bottom - 3, Math.max(3, to - from), 5);
}

function dot(pen, x, y, live) {
  pen.fillStyle = live ? colour("accent") : colour("card");
  pen.strokeStyle = live ? colour("accent") : colour("soft");
  pen.lineWidth = 2;
  pen.beginPath();
  pen.arc(x, y, 4, 0, 7);
  pen.fill();
  pen.stroke();
}
