/** A WebSocket that knows whether its server is there, and dials again when it is not. Times are milliseconds. */
export class LiveSocket extends EventTarget {
  /**
   * Dials as soon as `liveness.wasm` is there. A function is asked for the address before each dial, so that a token can be fresh; it
   * may be async. A rejection is a dial that failed. Never throws for what it cannot load: it says so in `waiting`, and tries again.
   */
  constructor(url: Address | PromiseLike<Address> | ((dial: Dial) => Address | PromiseLike<Address>), options?: LiveSocketOptions);

  readonly state: "dialling" | "online" | "suspect" | "offline" | "waiting" | "ended";
  /** Dials since the last connection that was stable. */
  readonly attempts: number;
  /** While it waits: when the next dial is due, by `performance.now()`. Else `Infinity`. */
  readonly until: number;
  /** Why there is no connection, in words for a person. */
  readonly why: string;
  readonly bufferedAmount: number;
  readonly protocol: string;
  /** As what binary messages arrive, on this connection and the later ones. Default "blob", as a WebSocket's. */
  binaryType: BinaryType;

  /** One line that says what is thought of the server, and why: for a log. Empty without a connection. */
  report(): string;

  /** Sends text or bytes. False where nobody is there to hear it: it is not kept. */
  send(data: string | ArrayBufferLike | Blob | ArrayBufferView): boolean;

  /** Leaves for good. 1000, or 3000 to 4999; the reason is at most 123 bytes. */
  close(code?: number, reason?: string): void;

  /**
   * Asks the server now, or one second after it was asked last: it may be called at every keystroke. The answer may take
   * `probeTimeout`. The browser's own events that tell of a new network, or of a page that wakes, do the same by themselves.
   */
  probe(): void;

  /**
   * A person asks to dial now. Ends a wait, whatever the server asked for. While connected it asks the server, and dials where the
   * answer does not come within `probeTimeout`. After the end it begins again: at once the first time, and then no faster than the
   * backoff, until a connection was stable.
   */
  dialNow(): void;

  /**
   * Replaces the connection while it serves: dials another, some time within `over` milliseconds (default 0: at once), and closes
   * the old one with 1000 when the new one stands: `open` with `handOver`, and no `offline`. For a server that announces its end.
   * There are never more than two sockets. A dial that fails leaves the old connection, and another follows as the backoff says.
   * While not connected, nothing.
   */
  handOver(over?: number): void;

  /**
   * Changes the heartbeat, the backoff and the say on losses, while connected too: a server may say in its hello what it wants.
   * Throws a `RangeError` that names an option of the heartbeat that is not longer than zero.
   */
  configure(options: Heartbeat & Backoff & Pick<LiveSocketOptions, "onClose">): void;

  addEventListener<K extends keyof LiveSocketEventMap>(
    type: K,
    listener: (this: LiveSocket, event: LiveSocketEventMap[K]) => unknown,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
}

/** Compiles the machine, once for all sockets: by itself, from `liveness.wasm` beside `liveness.js`, or from what is given. */
export function load(source?: string | URL | Response | BufferSource | WebAssembly.Module): Promise<WebAssembly.Module>;

export type Address = string | URL | { url: string | URL; protocols?: string | string[] };

/** What a function that gives the address is told. */
export interface Dial {
  /** The number of this dial since the last connection that was stable, from 1. */
  readonly attempt: number;
  /** Aborted when nobody waits for this dial any more: for `fetch`. */
  readonly signal: AbortSignal;
}

/**
 * What follows from a loss.
 *
 * - `"stop"`: no more dials; `ended`.
 * - `"redial"`: as the code usually means or, where that is to stop, some time in 5 s.
 * - `"at-once"`: at once. For a loss that this client had alone.
 * - an object: a dial not sooner than `after` milliseconds, and later by a draw of `spread` milliseconds; 0: none. What is left out is
 *   as `"redial"` has it. `notBefore` only makes a shorter `after` longer.
 *
 * Neither the backoff nor a new network makes the wait shorter; the backoff may make it longer. What is not given (`undefined`) is
 * what is usual.
 */
export type Then = "stop" | "redial" | "at-once" | { after?: number; spread?: number; notBefore?: number };

/** What will follow: a dial after so many milliseconds and a draw of `spread`, or none. */
export type Plan = "stop" | { readonly after: number; readonly spread: number };

/** An error of the address with a wish, such as the `Retry-After` of a token's server: `Object.assign(error, { redial: { after: 60_000 } })`. */
export interface Redial {
  redial?: Then;
}

/** Which message is a heartbeat, and how ours is written. `dialects.js` has those of some protocols. */
export interface Dialect {
  /** The numbers of its protocol, unless the options have others. */
  timing?: Heartbeat;
  /**
   * Reads a message. Nothing: it is the application's. "beat": the server asks or tells that it lives, and `reply` is sent back at
   * once, where there is one. "answer": it answers the ping with these 16 digits; without digits, the oldest one.
   */
  hear(data: any): { heard: "beat"; reply?: string | BufferSource } | { heard: "answer"; digits?: string } | null | undefined;
  /** The message that asks, with 16 hexadecimal digits that an answer may name. Without it this end never asks. */
  ask?(digits: string): string | BufferSource;
}

export interface Heartbeat {
  /**
   * How long silence lasts, in either direction, before the server is asked: milliseconds, above 0. Default 20,000; `Infinity`: it is
   * asked on waking only.
   */
  interval?: number;
  /** How long an answer may take: milliseconds, above 0. Default 25,000; `Infinity`: for ever. */
  timeout?: number;
  /**
   * How long the answer to a ping of `probe()`, or of a page that wakes, comes online or is looked at, may take, where that is
   * shorter than what is left of `timeout`; so long has a dial in which the page woke, too. Milliseconds, above 0. Default 5,000;
   * `Infinity`: as long as any other.
   */
  probeTimeout?: number;
  /** How long an answer may take before the server is suspect: milliseconds, above 0. Default 5,000; `Infinity`, or not shorter than `timeout`: never. */
  suspectAfter?: number;
  /** How long nothing at all may arrive: milliseconds, above 0. Default `Infinity`: for ever. For ends that never ask. */
  silenceTimeout?: number;
  /** "quiet": asks where one direction was silent. "steady": asks each `interval`, whatever flows. Default "quiet". */
  schedule?: "quiet" | "steady";
}

export interface Backoff {
  /** After the first dial that fails; then twice as long each time, and up to as much again: milliseconds. Default 1,000; less than 1 counts as 1. */
  firstDelay?: number;
  /** The longest of these, and up to as much again: milliseconds. Default 15,000. Not shorter than `firstDelay`, or it counts alone. */
  longestDelay?: number;
}

export interface LiveSocketOptions extends Heartbeat, Backoff {
  /** How long a connection must have stood for the backoff to start anew: milliseconds. Default 30,000; 0: each one is stable. */
  stableAfter?: number;
  /** How long a dial may take, the address included: milliseconds. Default 20,000; `Infinity`: as long as the browser tries. */
  dialTimeout?: number;
  /**
   * All who lose a server in one instant come back one after the other: by default within 5,000, or as the server's close
   * code asks. At most so long, where they are few, or where a user who is away for longer is taken to have left. Milliseconds.
   * Default `Infinity`: as the code asks; 0: at once.
   */
  maxSpread?: number;
  /**
   * What follows from a loss, by its close code as a browser counts it: 1006 where the server said none. A table, or a function that
   * is told the code, what is usual, and what `offline` tells. Default: the crate's `OnClose::by_code`; `docs/page.md` has its table.
   */
  onClose?: { readonly [code: number]: Then } | ((code: number, usual: Plan, detail: Offline) => Then | undefined | void);
  /** Which message is a heartbeat. Default: `ping` and 16 digits, answered with `pong` and the same digits. */
  dialect?: Dialect;
  /** The subprotocols of each dial, unless the address brings its own. Default: none. */
  protocols?: string | string[];
  /** As what binary messages arrive. Default "blob". */
  binaryType?: BinaryType;
  /** For tests: clock, timers, sockets, the page. */
  host?: Partial<Host>;
}

export interface Host {
  /** Milliseconds, that never run backwards. */
  now(): number;
  /** Milliseconds of the calendar. */
  wall(): number;
  setTimeout(then: () => void, wait: number): unknown;
  clearTimeout(timer: unknown): void;
  /** Another number for each socket. */
  seed(): bigint;
  WebSocket: new (url: string | URL, protocols?: string | string[]) => WebSocket;
  window: EventTarget | undefined;
  document: (EventTarget & { readonly hidden: boolean }) | undefined;
  navigator: { readonly onLine?: boolean; readonly connection?: EventTarget & { readonly type?: string } } | undefined;
}

/** "given-up": the server closed with 3008, because it heard nothing of this page for too long. */
export type Reason =
  | "given-up"
  | "ping-timeout"
  | "write-stalled"
  | "silent"
  | "ping-flood"
  | "peer-closed"
  | "transport-closed"
  | "local-closed";

/** What is known of a loss. */
export interface Offline {
  reason: Reason;
  /** The same for a person. */
  words: string;
  /** Why, in one line, for a log. */
  report: string;
  /** For how long nothing has arrived: milliseconds. */
  silence: number;
  /** With which the server closed the connection; 0 where it said none. */
  code: number;
  /** What the server said beside its code. */
  said: string;
  /** It came to light because the page woke, its network changed, or a person asked, and nothing has answered since. */
  asleep: boolean;
}

export interface LiveSocketEventMap {
  /** A dial has begun. */
  dialling: CustomEvent<{ attempt: number }>;
  /** A connection stands: say hello. `handOver`: in place of one that served until now. */
  open: CustomEvent<{ handOver: boolean }>;
  /** The server is there: after each `open`, and after each `suspect` that was wrong. */
  online: CustomEvent<{}>;
  /** It is late with an answer. What is sent may still arrive. */
  suspect: CustomEvent<{ report: string }>;
  /**
   * It is gone. Once for each `open` that no other replaced. It can be refused: after `event.preventDefault()` it does not dial, and
   * ends.
   */
  offline: CustomEvent<Offline & { then: Plan }>;
  /** The server has answered. */
  rtt: CustomEvent<{ latest: number; smoothed: number; variation: number; min: number }>;
  /** Until the next dial, by `performance.now()`; it may change while it waits. `Infinity`: until the network is back. */
  waiting: CustomEvent<{ why: string; attempt: number; until: number }>;
  /** Nobody will dial, unless asked to: it was closed, by this side, or with a code that says that it is no use. */
  ended: CustomEvent<{ why: string; code: number }>;
  /** Whatever is no heartbeat. */
  message: MessageEvent;
}
