// The page's end of the connection: it notices that the server is gone, says so, and dials again.
//
// # The heartbeat
//
// A script can neither send nor see WebSocket pings, and a connection that has died tells nobody. So the page asks, in
// messages. Either end may:
//
//     ping 0123456789abcdef     16 hexadecimal digits, drawn by whoever asks
//     pong 0123456789abcdef     the answer, with the same digits, at once
//
// The page asks when nothing has come or gone for `interval`, or when somebody wants to know. Whatever arrives proves that the server
// lives; only the answer says how long the way is. Nothing for `timeout` after asking: the server is gone. Two things are
// not held against it. No verdict falls at first sight, for what has arrived may still wait behind the timer. And a timer that
// comes late says that this page was not looking, because it was frozen or its machine slept: once, it asks anew.
//
// # Dialling again
//
// As `liveness::Reconnect` decides it: after a loss some time in the first 5 s, drawn by each page for itself, for the others
// have lost the same server; after each attempt that failed twice as long as before, to `LONGEST`, and up to as much again;
// anew from the start once a connection has stood for `STABLE`. The close code has a say, a new network ends the wait,
// and so does the person who asks.

const SECOND = 1000;
const SPREAD = 5 * SECOND;
const LONGEST = 15 * SECOND;
const STABLE = 30 * SECOND;
const DIAL_TIMEOUT = 5 * SECOND;
/** How long a verdict waits for what may have arrived already. */
const LAST_LOOK = 50;

/** Whether the server still answers. `timing` has `interval`, `timeout` and `suspectAfter`, in milliseconds. */
class Heartbeat {
  #timing;
  #send;
  #tell;
  #heardAt = performance.now();
  #askedAt = performance.now();
  /** The question that has no answer yet, for the round trip. */
  #payload = null;
  /** Nothing has arrived since it was asked. */
  #waiting = false;
  #suspect = false;
  /** When the deadline was first seen to be over. */
  #noted = null;
  #forgiven = false;
  #timer = null;

  /** `send` takes a message; `tell` is told "alive", "suspect" and "dead", and for how long nothing has arrived. */
  constructor(timing, send, tell) {
    [this.#timing, this.#send, this.#tell] = [timing, send, tell];
    this.#arm();
  }

  set timing(timing) {
    this.#timing = timing;
    this.#arm();
  }

  /** A message arrived. The round trip in milliseconds, if it is the answer. */
  hears(message) {
    this.#heardAt = performance.now();
    this.#waiting = this.#forgiven = false;
    this.#noted = null;
    if (this.#suspect) {
      this.#suspect = false;
      this.#tell("alive", 0);
    }
    if (message !== `pong ${this.#payload}`) return null;
    this.#payload = null;
    return this.#heardAt - this.#askedAt;
  }

  /** Asks now: the network changed, the page is looked at again. */
  probe() {
    if (!this.#waiting) this.#ask();
    this.#arm();
  }

  stop() {
    clearTimeout(this.#timer);
  }

  #ask() {
    const digits = crypto.getRandomValues(new Uint8Array(8));
    this.#payload = [...digits].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    this.#askedAt = performance.now();
    this.#waiting = true;
    this.#noted = null;
    this.#send(`ping ${this.#payload}`);
  }

  /** When to look next. Silence in either direction is a reason to ask: what lies between may count each by itself. */
  #due() {
    const { interval, suspectAfter, timeout } = this.#timing;
    if (!this.#waiting) return Math.min(this.#heardAt, this.#askedAt) + interval;
    if (this.#noted !== null) return this.#noted + LAST_LOOK;
    return this.#askedAt + (this.#suspect ? timeout : Math.min(suspectAfter, timeout));
  }

  #arm() {
    clearTimeout(this.#timer);
    // A browser takes a wait of more than 24 days for none.
    const wait = Math.min(Math.max(0, this.#due() - performance.now()), 24 * 3600 * SECOND);
    this.#timer = setTimeout(() => this.#look(), wait);
  }

  #look() {
    const now = performance.now();
    const deadline = this.#askedAt + this.#timing.timeout;
    if (now < this.#due()) {
      // The timer is a little early, as timers may be.
    } else if (!this.#waiting) {
      this.#ask();
    } else if (now - deadline > this.#timing.timeout / 4 && !this.#forgiven) {
      this.#forgiven = true;
      this.#ask();
    } else if (this.#noted !== null) {
      return this.#tell("dead", now - this.#heardAt);
    } else if (now >= deadline) {
      this.#noted = now;
    } else {
      this.#suspect = true;
      this.#tell("suspect", now - this.#heardAt);
    }
    this.#arm();
  }
}

/** How long to wait at least and how much longer at most after this close code; null: it is no use. */
function afterClose(code) {
  if ([1000, 1002, 1003, 1007, 1008, 1009, 1010, 3000, 3003].includes(code)) return null;
  if (code === 1012) return [5 * SECOND, 25 * SECOND];
  if (code === 1013) return [30 * SECOND, 30 * SECOND];
  return [0, SPREAD];
}

/** What a close code means, for a person. */
function words(code) {
  const known = {
    1000: "the server has closed the connection",
    1001: "the server is going away",
    1005: "the server has closed the connection",
    1006: "the connection broke",
    1011: "something went wrong in the server",
    1012: "the server restarts",
    1013: "the server asks to come back later",
    3008: "the server took this page for dead",
  };
  return known[code] ?? `the server has closed the connection (code ${code})`;
}

/**
 * A connection that comes back. `state` is one of
 *
 *     { phase: "dialling", attempt }
 *     { phase: "open" }                     the server answers
 *     { phase: "suspect" }                  it is late with an answer
 *     { phase: "waiting", why, until }      until this moment of `performance.now()`
 *     { phase: "ended", why }               nobody will dial, unless asked to
 */
export class Link {
  #url;
  #timing;
  #on;
  #socket = null;
  #heart = null;
  #timer = null;
  #openedAt = null;
  /** Attempts since the last connection that was stable. */
  #attempts = 0;
  /** Waits of the backoff that are used up. */
  #failures = 0;
  /** Until when not even a new network is a reason to dial. */
  #owedUntil = 0;
  #changed = false;
  state = { phase: "dialling", attempt: 1 };

  /** `on` has `state()`, `open()`, `message(text)` and `trip(milliseconds)`. */
  constructor(url, timing, on) {
    [this.#url, this.#timing, this.#on] = [url, timing, on];
    addEventListener("online", () => this.networkChanged());
    // A page that was frozen, or restored, finds the world changed.
    document.addEventListener("resume", () => this.networkChanged());
    document.addEventListener("visibilitychange", () => document.hidden || this.networkChanged());
  }

  /** False where nobody is there to hear it. */
  send(message) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(message);
    return true;
  }

  set timing(timing) {
    this.#timing = timing;
    if (this.#heart) this.#heart.timing = timing;
  }

  dial() {
    clearTimeout(this.#timer);
    this.#attempts += 1;
    this.#changed = false;
    this.#become({ phase: "dialling", attempt: this.#attempts });
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    socket.onopen = () => this.#opened();
    socket.onclose = ({ code }) => (this.#openedAt === null ? this.#failed("the server does not answer") : this.#lost(code));
    socket.onmessage = ({ data }) => this.#heard(data);
    this.#timer = setTimeout(() => this.#failed("the server does not answer"), DIAL_TIMEOUT);
  }

  /** A person asks. */
  dialNow() {
    if (this.state.phase !== "waiting" && this.state.phase !== "ended") return;
    this.#attempts = this.#failures = 0;
    this.dial();
  }

  networkChanged() {
    if (this.#heart) this.#heart.probe();
    this.#changed = this.state.phase === "dialling";
    if (this.state.phase !== "waiting") return;
    this.#failures = 0;
    this.#wait(this.state.why, Math.max(0, this.#owedUntil - performance.now()));
  }

  #opened() {
    clearTimeout(this.#timer);
    this.#openedAt = performance.now();
    this.#heart = new Heartbeat(this.#timing, (message) => this.send(message), (what, silent) => {
      if (what === "dead") this.#lost(1006, `the server has said nothing for ${(silent / SECOND).toFixed(1)} s`);
      else this.#become({ phase: what === "alive" ? "open" : "suspect" });
    });
    this.#become({ phase: "open" });
    this.#on.open();
  }

  #heard(message) {
    const trip = this.#heart.hears(message);
    if (trip !== null) this.#on.trip(trip);
    const [kind, payload] = message.split(" ");
    if (kind === "ping") this.send(`pong ${payload}`);
    else if (kind !== "pong") this.#on.message(message);
  }

  /** What comes of the old socket from now on is nobody's concern. */
  #leave() {
    clearTimeout(this.#timer);
    this.#heart?.stop();
    const socket = this.#socket;
    [this.#socket, this.#heart] = [null, null];
    socket.onopen = socket.onclose = socket.onmessage = null;
    socket.close();
  }

  #failed(why) {
    this.#leave();
    this.#wait(why, this.#backoff());
  }

  #lost(code, why = words(code)) {
    const stable = performance.now() - this.#openedAt >= STABLE;
    this.#openedAt = null;
    this.#leave();
    const answer = afterClose(code);
    if (answer === null) return this.#become({ phase: "ended", why });
    const [owed, spread] = answer;
    if (stable) this.#attempts = this.#failures = 0;
    this.#owedUntil = performance.now() + owed;
    this.#wait(why, Math.max(owed, stable ? 0 : this.#backoff()) + Math.random() * spread);
  }

  #backoff() {
    if (this.#changed) {
      this.#failures = 0;
      return 0;
    }
    const wait = Math.min(LONGEST, SECOND * 2 ** this.#failures);
    this.#failures += 1;
    return wait * (1 + Math.random());
  }

  #wait(why, milliseconds) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.dial(), milliseconds);
    this.#become({ phase: "waiting", why, until: performance.now() + milliseconds });
  }

  #become(state) {
    this.state = state;
    this.#on.state();
  }
}
