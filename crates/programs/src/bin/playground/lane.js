// Draws a lane of time: our rail above, the peer's below, and what flies between them. It knows no rule: what it draws was told.

import { blank, colour } from "/canvas.js";

const INK = ["ink", "soft", "line", "card", "accent", "online", "suspect", "offline", "connecting"];

/// The page's colours, resolved for this scheme.
export const colours = () => Object.fromEntries(INK.map((name) => [name, colour(name)]));

const TOP = 34;
const BAND = 10;
const BANDS = { online: "online", wait: "connecting", write: "connecting", suspect: "suspect", look: "ink", offline: "offline" };

/// `lane` has `flights`, `bands` ([from, to, kind of `BANDS`]) and `end`; `view` is { from, to, now, faults, due }.
export function draw(canvas, lane, view, ink) {
  const { pen, width, height } = blank(canvas);
  const left = 48;
  const x = (t) => left + ((t - view.from) * (width - left - 8)) / (view.to - view.from);
  const stage = { pen, x, up: TOP + BAND, down: height - 34, ink, view, left, width, height };
  axis(stage);
  pen.save();
  pen.beginPath();
  pen.rect(left, 0, width - left, height);
  pen.clip();
  // What comes after the end is nobody's any more.
  const over = { ...stage, view: { ...view, now: Math.min(view.now, lane.end?.at ?? Infinity) } };
  faults(over);
  for (const [from, to, kind] of lane.bands) band(over, from, Math.min(to, over.view.now), kind);
  for (const flight of lane.flights) fly(over, flight);
  if (lane.end?.at <= view.now) ended(stage, lane.end);
  else if (view.due) line(pen, { colour: ink.soft, dash: [4, 4] }, [x(view.due), stage.up - BAND - 4], [x(view.due), stage.down]);
  line(pen, { colour: ink.ink }, [x(view.now), stage.up - BAND - 8], [x(view.now), stage.down + 4]);
  pen.restore();
}

function line(pen, { colour, width = 1.5, dash = [] }, ...points) {
  pen.strokeStyle = colour;
  pen.lineWidth = width;
  pen.setLineDash(dash);
  pen.beginPath();
  for (const point of points) pen.lineTo(...point);
  pen.stroke();
}

function axis({ pen, x, up, down, ink, view, left, width, height }) {
  const span = view.to - view.from;
  const step = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600].find((step) => span / step <= (width < 500 ? 5 : 10)) ?? 1200;
  pen.fillStyle = ink.soft;
  pen.textAlign = "center";
  for (let t = Math.ceil(view.from / step) * step; t <= view.to; t += step) {
    line(pen, { colour: ink.line, width: 1 }, [x(t), up], [x(t), down + 4]);
    if (x(t) < width - 14) pen.fillText(`${t} s`, x(t), height - 10);
  }
  pen.textAlign = "left";
  pen.fillStyle = ink.ink;
  pen.fillText("us", 4, up);
  pen.fillText("peer", 4, down + 4);
  for (const y of [up, down]) line(pen, { colour: ink.soft }, [left, y], [width, y]);
}

function faults({ pen, x, up, down, ink, view, left }) {
  const shown = view.faults.filter(({ from, to }) => from <= view.now && (to ?? Infinity) >= view.from);
  pen.fillStyle = ink.offline;
  for (const [row, { label, from, to }] of shown.entries()) {
    const end = Math.min(to ?? view.to, view.now);
    pen.globalAlpha = 0.1;
    pen.fillRect(x(from), up, Math.max(2, x(end) - x(from)), down - up);
    pen.globalAlpha = 1;
    line(pen, { colour: ink.offline, dash: [3, 3] }, [x(from), up - BAND], [x(from), down]);
    pen.fillText(label, Math.max(left, x(from)) + 4, down - 6 - 15 * (row % 3));
  }
}

function band({ pen, x, up, ink, view }, from, to, kind) {
  if (to <= from || to < view.from || from > view.to) return;
  const width = Math.max(kind === "look" ? 3 : 0.5, x(to) - x(from));
  pen.fillStyle = ink[BANDS[kind]];
  pen.globalAlpha = kind === "online" ? 0.35 : 1;
  pen.fillRect(x(from), up - BAND, width, BAND - 1);
  pen.globalAlpha = 1;
  if (kind === "write") pen.clearRect(x(from), up - BAND + 2, width, BAND - 5);
}

function fly({ pen, x, up, down, ink, view }, [kind, number, at, left, arrives]) {
  const until = arrives ?? left + 1.2;
  if (at > view.now || until < view.from) return;
  if (kind === "dropped") return cross(pen, x(at), down, ink.offline);
  const data = kind === "ours" || kind === "theirs";
  const [from, to] = kind === "ping" || kind === "ours" ? [up, down] : [down, up];
  if (data && number > 1e5) return large(pen, [x(at), from], x(Math.min(arrives ?? Infinity, view.now, view.to)), to, ink);
  const colour = data ? ink.soft : kind === "ping" ? ink.accent : ink.connecting;
  // A ping that waits to be written waits on our rail.
  if (left > at + 0.05) line(pen, { colour, width: 3 }, [x(at), from], [x(Math.min(left, view.now)), from]);
  if (left > view.now) return;
  const share = Math.min(1, (view.now - left) / Math.max(until - left, 1e-3)) * (arrives === null ? 0.5 : 1);
  const head = [x(left + (until - left) * share), from + (to - from) * share];
  pen.globalAlpha = data ? 0.45 : 1;
  line(pen, { colour, width: data ? 1 : 2 }, [x(left), from], head);
  pen.globalAlpha = 1;
  if (arrives === null && view.now >= until) cross(pen, ...head, ink.offline);
  else if (!data) dot(pen, head, share < 1 ? 5 : 3, colour);
}

function dot(pen, at, radius, colour) {
  pen.fillStyle = colour;
  pen.beginPath();
  pen.arc(...at, radius, 0, 7);
  pen.fill();
}

/// A frame that takes its time: a wedge from its first byte on.
function large(pen, [start, from], end, to, ink) {
  pen.globalAlpha = 0.16;
  pen.fillStyle = ink.ink;
  pen.beginPath();
  for (const point of [[start, from], [end, from], [end, to]]) pen.lineTo(...point);
  pen.fill();
  pen.globalAlpha = 1;
}

function cross(pen, x, y, colour) {
  for (const side of [-5, 5]) line(pen, { colour, width: 2.5 }, [x - 5, y - side], [x + 5, y + side]);
}

function ended({ pen, x, up, down, ink, width }, { at, right }) {
  pen.fillStyle = ink.card;
  pen.globalAlpha = 0.75;
  pen.fillRect(x(at), up + 2, width - x(at), down - up - 4);
  pen.globalAlpha = 1;
  const colour = right ? ink.online : ink.offline;
  line(pen, { colour, width: 3 }, [x(at), up - BAND - 4], [x(at), down + 4]);
  const before = x(at) > width - 120;
  pen.fillStyle = colour;
  pen.font = `600 ${pen.font}`;
  pen.textAlign = before ? "right" : "left";
  pen.fillText(right ? "found dead" : "a live peer lost", x(at) + (before ? -6 : 6), up - BAND - 12);
}
