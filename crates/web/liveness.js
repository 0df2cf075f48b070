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
// file owns the socket and the timer, and does what the machine says. `liveness.d.ts` describes each part.
//
// The heartbeat is text, for a script can neither send nor see a WebSocket's pings, and either end may ask:
//
//     ping 0123456789abcdef     16 hexadecimal digits, drawn by whoever asks
//     pong 0123456789abcdef     the answer, with the same digits, at once

const HEARTBEAT = /^(ping|pong) ([0-9a-f]{16})$/;

/** In the order of `poll` in `exports.rs`. */
const ACTIONS = [null, "dial", "open", "ping", "pong", "online", "suspect", "offline", "rtt", "leave", "wait", "end"];

/** A browser takes a wait of more than 2^31 ms for none. */
const LONGEST_TIMER = 2 ** 31 - 1;

const DEFAULTS = {
  interval: 20_000,
  timeout: 25_000,
  probeTimeout: Infinity,
  suspectAfter: 5_000,
  silenceTimeout: Infinity,
  firstDelay: 1_000,
  longestDelay: 15_000,
  stableAfter: 30_000,
  dialTimeout: 20_000,
  maxSpread: Infinity,
};

/** What a test may replace. */
const HOST = {
  now: () => performance.now(),
  setTimeout: (then, wait) => setTimeout(then, wait),
  clearTimeout: (timer) => clearTimeout(timer),
  seed: () => crypto.getRandomValues(new BigUint64Array(1))[0],
  WebSocket: globalThis.WebSocket,
  window: globalThis.window ?? globalThis.self,
  document: globalThis.document,
};

let loading = null;

/** Compiles the machine, once for all sockets. */
export function load(source = new URL("./liveness.wasm", import.meta.url)) {
  loading ??= compile(source).catch((error) => {
    // The next socket tries again.
    loading = null;
    throw error;
  });
  return loading;
}

async function compile(source) {
  if (source instanceof WebAssembly.Module) return source;
  if (source instanceof ArrayBuffer || ArrayBuffer.isView(source)) return WebAssembly.compile(source);
  const response = source instanceof Response ? source : await fetch(source);
  if (!response.ok) throw new Error(`${response.url}: ${response.status}`);
  // A server that knows no better calls it something else, and then it cannot be compiled while it comes.
  if (response.headers.get("Content-Type") === "application/wasm") return WebAssembly.compileStreaming(response);
  return WebAssembly.compile(await response.arrayBuffer());
}

export class LiveSocket extends EventTarget {
  #url;
  #options;
  #host;
  /** The machine: an instance of its own, made when the module is there. */
  #machine = null;
  #socket = null;
  #timer = null;
  #timerDue = Infinity;
  #turning = false;
  #ears = null;
  #heardAt = 0;
  /** Why there is no connection, for a person. */
  #why = "";
  #closeReason = "";
  #state = "dialling";
  #until = Infinity;

  constructor(url, { host = {}, ...options } = {}) {
    super();
    this.#url = typeof url === "function" ? url : () => url;
    this.#options = { ...DEFAULTS, ...options };
    this.#host = { ...HOST, ...host };
    this.#begin();
  }

  get state() {
    return this.#state;
  }

  get attempts() {
    return this.#machine?.attempts() ?? 0;
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
    } else if (this.#state === "ended") {
      this.#state = "dialling";
      this.#begin();
    }
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

  #begin() {
    const failed = ({ message }) => this.#end(`liveness.wasm is not to be had: ${message}`, 0);
    const instance = load().then((module) => WebAssembly.instantiate(module));
    instance.then(({ exports }) => this.#state === "dialling" && this.#start(exports), failed);
  }

  #start(machine) {
    this.#machine = machine;
    const { firstDelay, longestDelay, stableAfter, dialTimeout, maxSpread } = this.#options;
    this.#machine.set_backoff(firstDelay, longestDelay);
    this.#machine.start(this.#host.seed(), stableAfter, dialTimeout, maxSpread, this.#host.now());
    try {
      this.#set(this.#options);
    } catch (error) {
      this.#machine = null;
      return this.#end(error.message, 0);
    }
    this.#listen();
    this.#turn();
  }

  #set({ interval, timeout, probeTimeout, suspectAfter, silenceTimeout, firstDelay, longestDelay }) {
    const heartbeat = [interval, timeout, probeTimeout, suspectAfter, silenceTimeout];
    const wrong = this.#machine.configure(...heartbeat, this.#host.now());
    if (wrong > 0) throw new RangeError(`${this.#text(wrong)} must be longer than zero`);
    this.#machine.set_backoff(firstDelay, longestDelay);
  }

  /** The page's events that tell of a network that may be another, and of a page that may have slept. */
  #listen() {
    this.#ears?.abort();
    this.#ears = new AbortController();
    const { window, document } = this.#host;
    const { signal } = this.#ears;
    const wake = () => this.#tell("wake");
    window?.addEventListener?.("online", wake, { signal });
    window?.addEventListener?.("offline", () => this.probe(), { signal });
    window?.addEventListener?.("pageshow", ({ persisted }) => persisted && wake(), { signal });
    document?.addEventListener("resume", wake, { signal });
    document?.addEventListener("visibilitychange", () => document.hidden || wake(), { signal });
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
    try {
      if (this.#socket) this.#machine.buffered(this.#socket.bufferedAmount, this.#host.now());
      for (let action; (action = ACTIONS[this.#machine.poll(this.#host.now())]); ) this.#carryOut(action);
    } finally {
      this.#turning = false;
    }
    this.#arm();
  }

  /** A timer that rings too early is kept: traffic moves the moment all the time, and sets none. */
  #arm() {
    const due = this.#machine.poll_timeout();
    if (this.#timer !== null && this.#timerDue <= due) return;
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
      case "open":
        return this.#say("open", {});
      case "ping":
      case "pong":
        return this.#sendHeartbeat(action);
      case "online":
        return this.#become("online", {});
      case "suspect":
        return this.#become("suspect", { report: this.report() });
      case "offline":
        return this.#offline();
      case "rtt":
        return this.#say("rtt", this.#rtt());
      case "leave":
        return this.#leave(this.#machine.code());
      case "wait":
        this.#until = this.#machine.until();
        return this.#become("waiting", { why: this.#why, attempt: this.attempts + 1, until: this.#until });
      case "end":
        return this.#end(this.#why || this.#explain(), this.#machine.code());
    }
  }

  #dial() {
    this.#why = "the server does not answer";
    this.#become("dialling", { attempt: this.attempts });
    const { protocols, binaryType } = this.#options;
    try {
      const socket = new this.#host.WebSocket(this.#url(), protocols ?? []);
      this.#socket = socket;
      if (binaryType) socket.binaryType = binaryType;
      socket.onopen = () => this.#opened();
      socket.onmessage = ({ data }) => this.#heard(data);
      socket.onclose = ({ code }) => this.#tell("closed", code);
      // What went wrong is told to nobody; that it is over, by `onclose`.
      socket.onerror = () => {};
    } catch (error) {
      this.#why = error.message;
      this.#machine.closed(1006, this.#host.now());
    }
  }

  #opened() {
    this.#heardAt = this.#host.now();
    if (!this.#machine.opened(this.#heardAt)) this.#leave(0);
    this.#turn();
  }

  #heard(data) {
    this.#heardAt = this.#host.now();
    const [, kind, digits] = (typeof data === "string" && HEARTBEAT.exec(data)) || [];
    if (kind) return this.#tell(kind, BigInt(`0x${digits}`));
    this.#tell("message");
    this.dispatchEvent(new MessageEvent("message", { data }));
  }

  #sendHeartbeat(kind) {
    const digits = BigInt.asUintN(64, this.#machine.payload()).toString(16).padStart(16, "0");
    if (this.#socket?.readyState === 1) this.#hand(kind === "ping" ? "ping_sent" : "sent", `${kind} ${digits}`);
  }

  /** What waits in the socket's buffer goes before it. */
  #hand(what, data) {
    const before = this.#socket.bufferedAmount;
    this.#socket.send(data);
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
    const silence = this.#host.now() - this.#heardAt;
    this.#become("offline", { reason, words, report: this.report(), silence, code: this.#machine.code() });
  }

  /** Whatever comes of the old socket from now on is nobody's concern. */
  #leave(code) {
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    if (code > 0) socket.close(code, this.#closeReason);
    else socket.close();
    this.#closeReason = "";
  }

  #end(why, code) {
    this.#ears?.abort();
    this.#host.clearTimeout(this.#timer);
    this.#timer = null;
    this.#why = why;
    this.#become("ended", { why, code });
  }

  #become(state, detail) {
    this.#state = state;
    this.#say(state, detail);
  }

  #say(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  #explain() {
    return this.#text(this.#machine.explain());
  }

  #text(length) {
    if (length === 0) return "";
    return new TextDecoder().decode(new Uint8Array(this.#machine.memory.buffer, this.#machine.text(), length));
  }
}
