// A WebSocket that knows whether its server is there, and dials again when it is not.
//
//     import { LiveSocket } from "./liveness.js";
//
//     const socket = new LiveSocket("wss://example.org/live", { interval: 10_000, timeout: 10_000 });
//     socket.addEventListener("message", ({ data }) => show(data));
//     socket.addEventListener("suspect", () => grey());
//     socket.addEventListener("offline", ({ detail }) => say(detail.words));
//
// Nothing is decided here. `liveness.wasm` holds the machines of the Rust crate `liveness`, and is told what happens and when; this
// file owns the sockets and the timer, and does what the machine says. `liveness.d.ts` describes each part.

/**
 * The heartbeat where none is chosen. It is text, because a script can neither send nor see a WebSocket's pings; either end may
 * ask, with 16 hexadecimal digits, and the answer has the same ones. `dialects.js` has others.
 */
const TEXT = {
  hear(data) {
    const [, kind, digits] = (typeof data === "string" && /^(ping|pong) ([0-9a-f]{16})$/.exec(data)) || [];
    if (kind === "ping") return { heard: "beat", reply: `pong ${digits}` };
    return kind && { heard: "answer", digits };
  },
  ask: (digits) => `ping ${digits}`,
};

/** In the order of `poll` in `exports.rs`. */
const ACTIONS = [null, "dial", "dialling", "open", "ping", "pong", "online", "suspect", "offline", "rtt", "leave", "abandon", "retire", "wait", "end"];

/** A browser takes a wait of more than 2^31 ms for none. */
const LONGEST_TIMER = 2 ** 31 - 1;

const DEFAULTS = {
  interval: 20_000,
  timeout: 25_000,
  probeTimeout: 5_000,
  suspectAfter: 5_000,
  silenceTimeout: Infinity,
  schedule: "quiet",
  firstDelay: 1_000,
  longestDelay: 15_000,
  stableAfter: 30_000,
  dialTimeout: 20_000,
  maxSpread: Infinity,
};

/** What a test may replace. */
const HOST = {
  now: () => performance.now(),
  wall: () => Date.now(),
  setTimeout: (then, wait) => setTimeout(then, wait),
  clearTimeout: (timer) => clearTimeout(timer),
  seed: () => crypto.getRandomValues(new BigUint64Array(1))[0],
  WebSocket: globalThis.WebSocket,
  window: globalThis.window ?? globalThis.self,
  document: globalThis.document,
  navigator: globalThis.navigator,
};

let loading = null;

/** Compiles the machine, once for all sockets. */
export function load(source = new URL("./liveness.wasm", import.meta.url)) {
  loading ??= compile(source).catch((error) => {
    // The next who asks tries again.
    loading = null;
    throw error;
  });
  return loading;
}

async function compile(source) {
  if (source instanceof WebAssembly.Module) return source;
  if (source instanceof ArrayBuffer || ArrayBuffer.isView(source)) return WebAssembly.compile(source);
  // A download that hangs is one that failed.
  const response = source instanceof Response ? source : await fetch(source, { signal: AbortSignal.timeout(30_000) });
  if (!response.ok) throw new Error(`${response.url}: ${response.status}`);
  // A server that knows no better calls it something else, and then it cannot be compiled while it comes.
  if (response.headers.get("Content-Type") === "application/wasm") return WebAssembly.compileStreaming(response);
  return WebAssembly.compile(await response.arrayBuffer());
}

export class LiveSocket extends EventTarget {
  #url;
  #options;
  #host;
  #dialect;
  /** The machine: an instance of its own, made when the module is there. */
  #machine = null;
  /** The newest attempt to get it, and how many came to nothing. */
  #loading = null;
  #loads = 0;
  /** The socket that serves; the one before, while it is to be closed; the dial that is under way. */
  #socket = null;
  #retired = null;
  #dialled = null;
  #reply;
  #timer = null;
  #timerDue = Infinity;
  #turning = false;
  #ears = null;
  #heardAt = 0;
  #binaryType;
  /** Why there is no connection, for a person. */
  #why = "";
  #closeReason = "";
  /** What the server said beside its close code. */
  #said = "";
  #state = "dialling";
  #until = Infinity;

  constructor(url, { host = {}, dialect = TEXT, ...options } = {}) {
    super();
    this.#url = typeof url === "function" ? url : () => url;
    this.#dialect = dialect;
    this.#options = { ...DEFAULTS, ...dialect.timing, ...options };
    this.#binaryType = options.binaryType ?? "blob";
    this.#host = { ...HOST, ...host };
    this.#load();
  }

  get state() {
    return this.#state;
  }

  get attempts() {
    return this.#machine?.attempts() ?? this.#loads;
  }

  get until() {
    return this.#state === "waiting" ? this.#until : Infinity;
  }

  get why() {
    return this.#why;
  }

  get bufferedAmount() {
    return this.#socket?.bufferedAmount ?? 0;
  }

  get protocol() {
    return this.#socket?.protocol ?? "";
  }

  get binaryType() {
    return this.#binaryType;
  }

  set binaryType(kind) {
    this.#binaryType = kind;
    for (const socket of [this.#socket, this.#dialled?.socket]) if (socket) socket.binaryType = kind;
  }

  report() {
    return this.#text(this.#machine?.report(this.#host.now()) ?? 0);
  }

  send(data) {
    // OPEN: 1, in every implementation.
    if (this.#socket?.readyState !== 1 || !this.#machine) return false;
    this.#hand("sent", data);
    return true;
  }

  close(code = 1000, reason = "") {
    if (code !== 1000 && !(code >= 3000 && code <= 4999)) {
      throw new DOMException(`a script may not close with ${code}`, "InvalidAccessError");
    }
    if (new TextEncoder().encode(reason).length > 123) {
      throw new DOMException("a reason is at most 123 bytes long", "SyntaxError");
    }
    if (this.#state === "ended") return;
    this.#closeReason = reason;
    this.#why = "closed by this side";
    if (this.#machine) this.#tell("close", code);
    else this.#end("stopped by this side", 0);
  }

  probe() {
    this.#tell("probe");
  }

  dialNow() {
    if (this.#machine) {
      if (this.#state === "ended") this.#listen();
      this.#tell("dial_now");
    } else if (this.#state !== "dialling") {
      this.#load();
    }
  }

  handOver(over = 0) {
    this.#tell("hand_over", over);
  }

  configure(options) {
    const { stableAfter, dialTimeout, maxSpread } = this.#options;
    const wanted = { ...this.#options, ...options, stableAfter, dialTimeout, maxSpread };
    if (this.#machine) {
      this.#set(wanted);
      this.#turn();
    }
    this.#options = wanted;
  }

  /** Gets the machine. Where it is not to be had, whatever the reason is, it is tried again: nothing else waits in this file. */
  async #load() {
    const mine = (this.#loading = {});
    this.#ears?.abort();
    this.#host.clearTimeout(this.#timer);
    this.#timer = null;
    this.#state = "dialling";
    let instance;
    try {
      instance = await WebAssembly.instantiate(await load());
    } catch (error) {
      if (this.#loading === mine) this.#loadAgain(error);
      return;
    }
    if (this.#loading === mine) this.#start(instance.exports);
  }

  #loadAgain({ message }) {
    const { firstDelay, longestDelay } = this.#options;
    const { seed, now, window } = this.#host;
    const wait = Math.max(1, Math.min(firstDelay * 2 ** this.#loads, longestDelay, LONGEST_TIMER / 2)) * (1 + Number(seed() & 1023n) / 1024);
    this.#loads += 1;
    this.#why = `liveness.wasm is not to be had: ${message}`;
    this.#loadIn(wait);
    // A network that is back ends the wait, which was for the one before. One that flaps is not asked at its rate.
    const soon = now() + firstDelay;
    this.#ears = new AbortController();
    const { signal } = this.#ears;
    window?.addEventListener?.("online", () => this.#loadIn(Math.max(0, soon - now())), { signal });
    this.#become("waiting", { why: this.#why, attempt: this.#loads + 1, until: this.#until });
  }

  #loadIn(wait) {
    const { clearTimeout, setTimeout, now } = this.#host;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#load(), wait);
    this.#until = now() + wait;
  }

  #start(machine) {
    this.#machine = machine;
    const { firstDelay, longestDelay, stableAfter, dialTimeout, maxSpread } = this.#options;
    machine.set_backoff(firstDelay, longestDelay);
    machine.start(this.#host.seed(), stableAfter, dialTimeout, maxSpread, this.#host.now());
    try {
      this.#set(this.#options);
    } catch (error) {
      this.#machine = null;
      return this.#end(error.message, 0);
    }
    this.#listen();
    this.#turn();
  }

  #set({ interval, timeout, probeTimeout, suspectAfter, silenceTimeout, schedule, firstDelay, longestDelay }) {
    const heartbeat = [interval, timeout, probeTimeout, suspectAfter, silenceTimeout];
    const wrong = this.#machine.configure(...heartbeat, schedule === "steady", !!this.#dialect.ask, this.#host.now());
    if (wrong > 0) throw new RangeError(`${this.#text(wrong)} must be longer than zero`);
    this.#machine.set_backoff(firstDelay, longestDelay);
  }

  /** The page's events that tell of a network that may be another, and of a page that may have slept. */
  #listen() {
    this.#ears = new AbortController();
    const { window, document, navigator } = this.#host;
    const { signal } = this.#ears;
    const on = (target, type, then) => target?.addEventListener?.(type, then, { signal });
    const wake = () => this.#tell("wake");
    on(window, "online", () => this.#tell("network_back"));
    on(window, "offline", () => this.#tell("network_lost"));
    on(window, "pageshow", ({ persisted }) => persisted && wake());
    on(document, "resume", wake);
    on(document, "visibilitychange", () => document.hidden || wake());
    // Where a browser says which network it is, all else that changes about it is no news.
    let network = navigator?.connection?.type;
    on(navigator?.connection, "change", () => {
      const before = network;
      network = navigator.connection.type;
      if (!network || network !== before) wake();
    });
    if (navigator?.onLine === false) this.#machine.network_lost(this.#host.now());
  }

  /** Something happened: what follows? */
  #tell(what, ...numbers) {
    this.#machine?.[what](...numbers, this.#host.now());
    this.#turn();
  }

  #turn() {
    // What a listener does is seen by the loop that called it.
    if (this.#turning || !this.#machine) return;
    this.#turning = true;
    const { now, wall, document } = this.#host;
    try {
      if (this.#socket) this.#machine.buffered(this.#socket.bufferedAmount, now());
      this.#machine.look(wall(), !document?.hidden, now());
      for (let action; (action = ACTIONS[this.#machine.poll(now())]); ) this.#carryOut(action);
    } finally {
      this.#turning = false;
    }
    this.#arm();
  }

  /**
   * A timer that rings too early is kept: traffic moves the moment all the time, and sets none. One that is due already would
   * ring before what has arrived meanwhile is heard, if this turn took long, and there would be no last look: it is set anew.
   */
  #arm() {
    const due = this.#machine.poll_timeout();
    if (this.#timer !== null && this.#timerDue <= due && this.#timerDue > this.#host.now()) return;
    this.#host.clearTimeout(this.#timer);
    this.#timer = null;
    if (due === Infinity) return;
    const wait = Math.min(Math.max(0, Math.ceil(due - this.#host.now())), LONGEST_TIMER);
    this.#timerDue = due;
    this.#timer = this.#host.setTimeout(() => {
      this.#timer = null;
      this.#turn();
    }, wait);
  }

  #carryOut(action) {
    switch (action) {
      case "dial":
        return this.#dial();
      case "dialling":
        this.#why = "the server does not answer";
        return this.#become("dialling", { attempt: this.attempts });
      case "open":
        return this.#say("open", { handOver: !!this.#retired });
      case "ping":
        return this.#ask();
      case "pong":
        return this.#hand("sent", this.#reply);
      case "online":
        return this.#become("online", {});
      case "suspect":
        return this.#become("suspect", { report: this.report() });
      case "offline":
        return this.#offline();
      case "rtt":
        return this.#say("rtt", this.#rtt());
      case "leave":
        this.#drop(this.#socket, this.#machine.code(), this.#closeReason);
        this.#closeReason = this.#said = "";
        this.#socket = null;
        return;
      case "abandon":
        return this.#abandon();
      case "retire":
        return this.#retire();
      case "wait":
        this.#why = this.#explain() || this.#why;
        this.#until = this.#machine.until();
        return this.#become("waiting", { why: this.#why, attempt: this.attempts + 1, until: this.#until });
      case "end":
        return this.#end(this.#why || this.#explain(), this.#machine.code());
    }
  }

  #dial() {
    const gone = new AbortController();
    const dial = (this.#dialled = { gone, socket: null });
    const failed = (error) => this.#failed(dial, error);
    try {
      const address = this.#url({ attempt: this.attempts, signal: gone.signal });
      if (typeof address?.then === "function") Promise.resolve(address).then((address) => this.#open(dial, address)).catch(failed);
      else this.#open(dial, address);
    } catch (error) {
      failed(error);
    }
  }

  #open(dial, address) {
    // A token may come when nobody waits for it any more.
    if (this.#dialled !== dial) return;
    const { url = address, protocols = this.#options.protocols } = Object(address);
    const socket = new this.#host.WebSocket(url, protocols ?? []);
    dial.socket = socket;
    socket.binaryType = this.#binaryType;
    socket.onopen = () => this.#opened();
    socket.onmessage = ({ data }) => this.#heard(data);
    socket.onclose = ({ code, reason }) => this.#closed(socket, code, reason);
    // What went wrong is told to nobody; that it is over, by `onclose`.
    socket.onerror = () => {};
  }

  #opened() {
    this.#heardAt = this.#host.now();
    if (!this.#machine.opened(this.#heardAt)) return this.#abandon();
    this.#retired = this.#socket;
    this.#socket = this.#dialled.socket;
    this.#dialled = null;
    this.#turn();
  }

  #closed(socket, code, reason) {
    if (socket !== this.#socket) {
      this.#dialled.socket = null;
      return this.#failed(this.#dialled, { message: this.#why });
    }
    this.#said = reason ?? "";
    this.#tell("closed", code);
  }

  #failed(dial, error) {
    if (this.#dialled !== dial) return;
    this.#abandon();
    if (!this.#socket) this.#why = error?.message ?? String(error);
    this.#wish(error?.redial);
    this.#tell("failed");
  }

  #heard(data) {
    this.#heardAt = this.#host.now();
    const { heard, reply, digits } = this.#dialect.hear(data) || {};
    if (heard === "beat") {
      this.#reply = reply;
      return this.#tell("ping");
    }
    if (heard) return digits ? this.#tell("pong", BigInt(`0x${digits}`)) : this.#tell("some_pong");
    this.#tell("message");
    this.dispatchEvent(new MessageEvent("message", { data }));
  }

  #ask() {
    const digits = BigInt.asUintN(64, this.#machine.payload()).toString(16).padStart(16, "0");
    this.#hand("ping_sent", this.#dialect.ask?.(digits));
  }

  /** What waits in the socket's buffer goes before it. */
  #hand(what, data) {
    if (this.#socket.readyState !== 1) return;
    const before = this.#socket.bufferedAmount;
    if (data !== undefined) this.#socket.send(data);
    this.#machine[what](before, this.#socket.bufferedAmount, this.#host.now());
  }

  #rtt() {
    const [latest, smoothed, variation, min] = [0, 1, 2, 3].map((which) => this.#machine.rtt(which));
    return { latest, smoothed, variation, min };
  }

  #offline() {
    const [reason, words] = this.#explain().split("\n");
    this.#why = words;
    if (reason !== "local-closed") this.#closeReason = words;
    const now = this.#host.now();
    const [code, silence, asleep] = [this.#machine.code(), now - this.#heardAt, !!this.#machine.is_alone(now)];
    const detail = { reason, words, report: this.report(), silence, code, said: this.#said, asleep };
    this.#wish(this.#wanted(detail));
    this.#state = "offline";
    if (!this.#say("offline", { ...detail, then: this.#plan() }, true)) this.#wish("stop");
  }

  /** What the application's table or function says of a loss. */
  #wanted(detail) {
    const { onClose } = this.#options;
    const code = this.#machine.loss_code();
    if (typeof onClose !== "function") return onClose?.[code];
    try {
      return onClose(code, this.#plan(), detail);
    } catch (error) {
      // As of a listener that throws: it is told, and changes nothing.
      queueMicrotask(() => {
        throw error;
      });
    }
  }

  #wish(then) {
    const { after = NaN, spread = NaN, notBefore = NaN } = then === "at-once" ? { after: 0, spread: 0 } : Object(then);
    this.#machine.wish(then == null ? 0 : then === "stop" ? 1 : 2, after, spread, notBefore);
  }

  #plan() {
    const [after, spread] = [this.#machine.plan(0), this.#machine.plan(1)];
    return after === Infinity ? "stop" : { after, spread };
  }

  #abandon() {
    const { gone, socket } = this.#dialled ?? {};
    this.#dialled = null;
    gone?.abort();
    this.#drop(socket, 0);
  }

  #retire() {
    this.#drop(this.#retired, 1000, "handed over");
    this.#retired = null;
  }

  /** Whatever comes of it from now on is nobody's concern. */
  #drop(socket, code, reason) {
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    if (code > 0) socket.close(code, reason);
    else socket.close();
  }

  #end(why, code) {
    // If a page closes when a hand-over succeeds, nothing else retires the old socket.
    this.#retire();
    this.#ears?.abort();
    this.#loading = null;
    this.#host.clearTimeout(this.#timer);
    this.#timer = null;
    this.#why = why;
    this.#become("ended", { why, code });
  }

  #become(state, detail) {
    this.#state = state;
    this.#say(state, detail);
  }

  /** False: refused. */
  #say(type, detail, cancelable = false) {
    return this.dispatchEvent(new CustomEvent(type, { detail, cancelable }));
  }

  #explain() {
    return this.#text(this.#machine.explain());
  }

  #text(length) {
    if (length === 0) return "";
    return new TextDecoder().decode(new Uint8Array(this.#machine.memory.buffer, this.#machine.text(), length));
  }
}
