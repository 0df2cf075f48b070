// Draws a lane of time: our rail above, the peer's below, and what flies between them. It knows no rule: what it draws was told.

const INK = ["ink", "soft", "line", "card", "well", "accent", "online", "suspect", "offline", "connecting"];

/// The page's colours, resolved for this scheme.
export function colours() {
  const probe = document.body.appendChild(document.createElement("i"));
  const found = {};
  for (const name of INK) {
    probe.style.color = `var(--${name})`;
    found[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  return found;
}

const TOP = 34;
const BAND = 10;
const SIZE = "12px system-ui, sans-serif";

/// `lane` has `flights`, `bands` ([from, to, kind]), `marks` ([at, kind]) and `end`; `view` is { from, to, now, faults, due }.
export function draw(canvas, lane, view, ink) {
  const ratio = devicePixelRatio || 1;
  const width = canvas.clientWidth;
  const height = canvas.clientHeight;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  pen.font = SIZE;
  const left = 48;
  const scale = (width - left - 8) / (view.to - view.from);
  const x = (t) => left + (t - view.from) * scale;
  const [up, down] = [TOP + BAND, height - 34];
  const stage = { pen, x, up, down, ink, view, left, width, height };
  axis(stage);
  pen.save();
  pen.beginPath();
  pen.rect(left, 0, width - left, height);
  pen.clip();
  const close = lane.end;
  // What comes after the end is nobody's any more.
  const over = { ...stage, view: { ...view, now: Math.min(view.now, close?.at ?? Infinity) } };
  faults(over);
  for (const [from, to, kind] of lane.bands) band(over, from, Math.min(to, over.view.now), kind);
  for (const flight of lane.flights) fly(over, flight);
  if (close && close.at <= view.now) ended(stage, close);
  now(stage, lane);
  pen.restore();
}

function axis({ pen, x, up, down, ink, view, left, width, height }) {
  const span = view.to - view.from;
  const step = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600].find((step) => span / step <= (width < 500 ? 5 : 10)) ?? 1200;
  pen.fillStyle = ink.soft;
  pen.textBaseline = "alphabetic";
  pen.strokeStyle = ink.line;
  pen.lineWidth = 1;
  for (let t = Math.ceil(view.from / step) * step; t <= view.to; t += step) {
    pen.beginPath();
    pen.moveTo(x(t), up);
    pen.lineTo(x(t), down + 4);
    pen.stroke();
    pen.textAlign = "center";
    if (x(t) < width - 14) pen.fillText(`${t} s`, x(t), height - 10);
  }
  pen.textAlign = "left";
  pen.fillStyle = ink.ink;
  pen.fillText("us", 4, up);
  pen.fillText("peer", 4, down + 4);
  pen.strokeStyle = ink.soft;
  pen.lineWidth = 1.5;
  for (const y of [up, down]) {
    pen.beginPath();
    pen.moveTo(left, y);
    pen.lineTo(width, y);
    pen.stroke();
  }
}

function faults({ pen, x, up, down, ink, view, left }) {
  let row = 0;
  for (const { label, from, to } of view.faults) {
    if (from > view.now || (to ?? Infinity) < view.from) continue;
    const end = Math.min(to ?? view.to, view.now);
    pen.globalAlpha = 0.1;
    pen.fillStyle = ink.offline;
    pen.fillRect(x(from), up, Math.max(2, x(end) - x(from)), down - up);
    pen.globalAlpha = 1;
    pen.strokeStyle = ink.offline;
    pen.setLineDash([3, 3]);
    pen.beginPath();
    pen.moveTo(x(from), up - BAND);
    pen.lineTo(x(from), down);
    pen.stroke();
    pen.setLineDash([]);
    pen.fillStyle = ink.offline;
    pen.fillText(label, Math.max(left, x(from)) + 4, down - 6 - 15 * (row++ % 3));
  }
}

/// What a rail's colour says: `online`, `wait`, `write`, `suspect`, `look`, `offline`.
function band({ pen, x, up, ink, view }, from, to, kind) {
  if (to <= from || to < view.from || from > view.to) return;
  const colour = { online: ink.online, wait: ink.connecting, write: ink.connecting, suspect: ink.suspect, look: ink.ink, offline: ink.offline }[kind];
  const width = Math.max(kind === "look" ? 3 : 0.5, x(to) - x(from));
  pen.fillStyle = colour;
  pen.globalAlpha = kind === "online" ? 0.35 : 1;
  if (kind === "write") {
    pen.fillRect(x(from), up - BAND, width, 2);
    pen.fillRect(x(from), up - 3, width, 2);
  } else {
    pen.fillRect(x(from), up - BAND, width, BAND - 1);
  }
  pen.globalAlpha = 1;
}

function fly({ pen, x, up, down, ink, view }, [kind, number, at, left, arrives]) {
  const until = arrives ?? left + 1.2;
  if (at > view.now || until < view.from) return;
  const ours = kind === "ping" || kind === "ours";
  const [from, to] = ours ? [up, down] : [down, up];
  if (kind === "dropped") return cross(pen, x(at), down, ink.offline);
  if (kind === "ours" || kind === "theirs") {
    if (number > 1e5) return large(pen, x, [from, to], [at, arrives, view], ink);
    pen.globalAlpha = 0.45;
    pen.strokeStyle = ink.soft;
  } else {
    pen.strokeStyle = kind === "ping" ? ink.accent : ink.connecting;
  }
  // A ping that waits to be written waits on our rail.
  if (left > at + 0.05) {
    pen.lineWidth = 3;
    pen.beginPath();
    pen.moveTo(x(at), from);
    pen.lineTo(x(Math.min(left, view.now)), from);
    pen.stroke();
  }
  if (left <= view.now) {
    const share = Math.min(1, (view.now - left) / Math.max(until - left, 1e-3)) * (arrives === null ? 0.5 : 1);
    const head = [x(left + (until - left) * share), from + (to - from) * share];
    pen.lineWidth = kind === "ours" || kind === "theirs" ? 1 : 2;
    pen.beginPath();
    pen.moveTo(x(left), from);
    pen.lineTo(...head);
    pen.stroke();
    pen.globalAlpha = 1;
    if (arrives === null && view.now >= until) cross(pen, ...head, ink.offline);
    else if (kind !== "ours" && kind !== "theirs") {
      pen.fillStyle = pen.strokeStyle;
      pen.beginPath();
      pen.arc(...head, share < 1 ? 5 : 3, 0, 7);
      pen.fill();
    }
  }
  pen.globalAlpha = 1;
}

function large(pen, x, [from, to], [at, arrives, view], ink) {
  const end = Math.min(arrives ?? Infinity, view.now, view.to);
  pen.globalAlpha = 0.16;
  pen.fillStyle = ink.ink;
  pen.beginPath();
  pen.moveTo(x(at), from);
  pen.lineTo(x(end), from);
  pen.lineTo(x(end), to);
  pen.closePath();
  pen.fill();
  pen.globalAlpha = 1;
}

function cross(pen, x, y, colour) {
  pen.strokeStyle = colour;
  pen.lineWidth = 2.5;
  pen.beginPath();
  for (const side of [-1, 1]) {
    pen.moveTo(x - 5, y - 5 * side);
    pen.lineTo(x + 5, y + 5 * side);
  }
  pen.stroke();
}

function ended({ pen, x, up, down, ink, view, width }, { at, right }) {
  pen.fillStyle = ink.card;
  pen.globalAlpha = 0.75;
  pen.fillRect(x(at), up + 2, width - x(at), down - up - 4);
  pen.globalAlpha = 1;
  pen.strokeStyle = right ? ink.online : ink.offline;
  pen.lineWidth = 3;
  pen.beginPath();
  pen.moveTo(x(at), up - BAND - 4);
  pen.lineTo(x(at), down + 4);
  pen.stroke();
  const words = right ? "found dead" : "a live peer lost";
  pen.fillStyle = pen.strokeStyle;
  pen.font = `600 ${SIZE}`;
  pen.textAlign = x(at) > width - 120 ? "right" : "left";
  pen.fillText(words, x(at) + (pen.textAlign === "left" ? 6 : -6), up - BAND - 12);
  pen.font = SIZE;
  pen.textAlign = "left";
}

/// The present, and the next thing to fall due.
function now({ pen, x, up, down, ink, view, width }, lane) {
  pen.strokeStyle = ink.ink;
  pen.lineWidth = 1.5;
  pen.beginPath();
  pen.moveTo(x(view.now), up - BAND - 8);
  pen.lineTo(x(view.now), down + 4);
  pen.stroke();
  const due = lane.end && lane.end.at <= view.now ? null : view.due;
  if (!due || due.by <= view.now || due.by > view.to) return;
  pen.setLineDash([4, 4]);
  pen.strokeStyle = ink.soft;
  pen.beginPath();
  pen.moveTo(x(due.by), up - BAND - 4);
  pen.lineTo(x(due.by), down);
  pen.stroke();
  pen.setLineDash([]);
  pen.fillStyle = ink.soft;
  pen.textAlign = x(due.by) > width - 110 ? "right" : "center";
  pen.fillText(due.what, Math.max(x(due.by), view.now), up - BAND - 10);
  pen.textAlign = "left";
}
