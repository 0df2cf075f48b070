// A simulated page: a clock that jumps, timers, sockets, and the events that a browser tells its pages.

import { readFile } from "node:fs/promises";

import { LiveSocket, load } from "../liveness.js";

await load(await readFile(new URL("../liveness.wasm", import.meta.url)));

/** A socket begins when whoever made it has had time to listen. */
export function begun(live) {
  return new Promise((resolve) => {
    for (const type of ["dialling", "ended"]) live.addEventListener(type, () => queueMicrotask(resolve), { once: true });
  });
}

/** The page's end of a connection; `World.server` is the other. */
class Socket {
  readyState = 0;
  bufferedAmount = 0;
  protocol = "";
  closedWith = null;
  onopen = null;
  onmessage = null;
  onclose = null;
  sent = [];

  constructor(world, url, protocols) {
    this.world = world;
    this.url = String(url);
    this.protocols = protocols;
    /** How many others were open still, or about to be. */
    this.beside = world.sockets.filter(({ readyState }) => readyState < 2).length;
    world.sockets.push(this);
  }

  send(data) {
    if (this.readyState !== 1) throw new Error("it is not open");
    this.sent.push(data);
    this.world.log(`> ${data}`);
    this.world.server?.(this, data);
  }

  close(code, reason) {
    this.closedWith = [code, reason];
    this.readyState = 3;
    this.world.log(`close ${code ?? "-"}`);
  }

  // What the network does with it.

  open() {
    if (this.readyState !== 0) return;
    this.readyState = 1;
    this.onopen?.({});
  }

  receive(data) {
    if (this.readyState !== 1) return;
    this.world.log(`< ${data}`);
    this.onmessage?.({ data });
  }

  fail(code = 1006, reason = "") {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.onclose?.({ code, reason });
  }
}

export class World {
  now = 1000;
  sockets = [];
  /** All that happens, with its moment in milliseconds since the start. */
  story = [];
  /** Each timer: when, its number, what. */
  #timers = new Map();
  #number = 0;
  /** What the page's clock last said. */
  #read = 0;
  /** What arrives from the network: when, its number, what. */
  #arrivals = [];
  window = new EventTarget();
  document = Object.assign(new EventTarget(), { hidden: false });
  navigator = { onLine: true, connection: Object.assign(new EventTarget(), { type: undefined }) };
  /** By how much the calendar is ahead of the page's own clock, which may stand still in a sleep. */
  ahead = 1_700_000_000_000;
  /** A timer rings only at a multiple of this. */
  throttle = 1;
  timersSet = 0;
  /** For how long the page's thread loses its processor where it reads the clock: `(wait)`, until the next timer. */
  busy = null;
  /** When it did, and for how long. */
  preempted = [];
  /** How many timers were set for a moment that had passed when they were set. */
  missed = 0;
  /** `(socket, data)`: what the server does with what it is sent. */
  server = null;

  host(seed = 7n) {
    const world = this;
    return {
      now: () => {
        const read = this.now;
        this.#preempt();
        return (this.#read = read);
      },
      wall: () => this.now + this.ahead,
      setTimeout: (then, wait) => {
        if (!(wait >= 0 && wait < 2 ** 31)) throw new Error(`a timer of ${wait} ms`);
        this.timersSet += 1;
        if (this.#read + wait < this.now) this.missed += 1;
        this.#timers.set((this.#number += 1), { when: this.now + wait, then });
        return this.#number;
      },
      clearTimeout: (timer) => this.#timers.delete(timer),
      seed: () => seed,
      WebSocket: class extends Socket {
        constructor(url, protocols) {
          super(world, url, protocols);
        }
      },
      window: this.window,
      document: this.document,
      navigator: this.navigator,
    };
  }

  /** What was read of the clock is the past by now. */
  #preempt() {
    const next = Math.min(...[...this.#timers.values()].map(({ when }) => when));
    const length = this.busy?.(next - this.now) ?? 0;
    if (length > 0) this.preempted.push({ at: this.now, length });
    this.now += length;
  }

  /** How long the thread has had no processor since then. */
  away(since) {
    return this.preempted.reduce((sum, { at, length }) => sum + Math.max(0, at + length - Math.max(since, at)), 0);
  }

  /** A live socket in this world, whose events are written down. */
  async socket(options = {}, seed, url = "wss://example.org/live") {
    const live = new LiveSocket(url, { ...options, host: this.host(seed) });
    for (const type of ["dialling", "open", "online", "suspect", "offline", "rtt", "waiting", "ended", "message"]) {
      live.addEventListener(type, (event) => this.log(type, event.detail ?? event.data));
    }
    await begun(live);
    return live;
  }

  log(what, detail) {
    this.story.push({ at: this.now - 1000, what, detail });
  }

  /** What the page has done since it was last asked, one word each. */
  told() {
    const words = this.story.map(({ what }) => what).filter((what) => !what.startsWith("< "));
    this.story.length = 0;
    return words;
  }

  get latest() {
    return this.sockets.at(-1);
  }

  later(wait, then) {
    this.#arrivals.push({ when: this.now + wait, then });
  }

  /** A server that answers each question after `delay`. */
  answers(delay = 20) {
    this.server = (socket, data) => {
      const [, digits] = /^ping ([0-9a-f]{16})$/.exec(data) ?? [];
      if (digits) this.later(delay, () => socket.receive(`pong ${digits}`));
    };
  }

  /** Lives for so long: what arrives is heard at once, and timers ring when they may. */
  live(time) {
    const end = this.now + time;
    for (;;) {
      const next = this.#next(Math.max(end, this.now));
      if (!next) break;
      this.now = Math.max(this.now, next.when);
      next.take();
    }
    this.now = Math.max(end, this.now);
  }

  #next(end) {
    let next = null;
    for (const [number, { when, then }] of this.#timers) {
      const rings = Math.ceil(when / this.throttle) * this.throttle;
      const take = () => {
        this.#timers.delete(number);
        then();
      };
      if (rings <= end && (!next || rings < next.when)) next = { when: rings, take };
    }
    for (const arrival of this.#arrivals) {
      const take = () => {
        this.#arrivals.splice(this.#arrivals.indexOf(arrival), 1);
        arrival.then();
      };
      if (arrival.when <= end && (!next || arrival.when <= next.when)) next = { when: arrival.when, take };
    }
    return next;
  }

  /** Nothing runs for so long. On waking, timers are served before what has arrived, which is the worse order. */
  freeze(time) {
    this.now += time;
    for (const [number, { when, then }] of [...this.#timers]) {
      if (when > this.now || !this.#timers.delete(number)) continue;
      then();
    }
  }

  /** The machine is suspended: the page's own clock stands still, and nobody is told. */
  suspend(time) {
    this.ahead += time;
  }

  /** The browser says which network it is, or says nothing of that. */
  network(type) {
    this.navigator.connection.type = type;
    this.navigator.connection.dispatchEvent(new Event("change"));
  }

  happens(type) {
    if (type === "online" || type === "offline") this.navigator.onLine = type === "online";
    (type === "online" || type === "offline" || type === "pageshow" ? this.window : this.document).dispatchEvent(
      Object.assign(new Event(type), { persisted: true }),
    );
  }
}
