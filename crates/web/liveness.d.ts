/** A WebSocket that knows whether its server is there, and dials again when it is not. Times are milliseconds. */
export class LiveSocket extends EventTarget {
  /** Dials as soon as `liveness.wasm` is there. A function is asked for the address before each dial. */
  constructor(url: string | URL | (() => string | URL), options?: LiveSocketOptions);

  readonly state: "dialling" | "online" | "suspect" | "offline" | "waiting" | "ended";
  /** Dials since the last connection that was stable. */
  readonly attempts: number;
  /** While it waits: when the next dial is due, by `performance.now()`. Else `Infinity`. */
  readonly until: number;
  /** Why there is no connection, in words for a person. */
  readonly why: string;
  readonly bufferedAmount: number;
  readonly protocol: string;

  /** One line that says what is thought of the server, and why: for a log. Empty without a connection. */
  report(): string;

  /** False where nobody is there to hear it: it is not kept. */
  send(data: string | ArrayBufferLike | Blob | ArrayBufferView): boolean;

  /** Leaves for good. 1000, or 3000 to 4999; the reason is at most 123 bytes. */
  close(code?: number, reason?: string): void;

  /**
   * Asks the server now, or one second after it was asked last: it may be called at every keystroke. The answer may take
   * `probeTimeout`. The browser's own events that tell of a new network, or of a page that wakes, do the same by themselves.
   */
  probe(): void;

  /** Somebody asks to dial now: ends a wait, whatever the server asked for, and begins again after the end. */
  dialNow(): void;

  /** Changes the heartbeat and the backoff, while connected too: a server may say in its hello what it wants. */
  configure(options: Heartbeat & Backoff): void;

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

export interface Heartbeat {
  /** How long silence lasts, in either direction, before the server is asked. Default 20,000. */
  interval?: number;
  /** How long an answer may take. Default 25,000; `Infinity`: for ever. */
  timeout?: number;
  /**
   * How long the answer to a ping of `probe()`, or of a page that wakes, may take, where that is shorter than what is left of
   * `timeout`. Default `Infinity`: as long as any other.
   */
  probeTimeout?: number;
  /** How long an answer may take before the server is suspect. Default 5,000; `Infinity`, or not shorter than `timeout`: never. */
  suspectAfter?: number;
  /** How long nothing at all may arrive. Default `Infinity`. */
  silenceTimeout?: number;
}

export interface Backoff {
  /** After the first dial that fails; then twice as long each time, and up to as much again. Default 1,000. */
  firstDelay?: number;
  /** The longest. Default 15,000. */
  longestDelay?: number;
}

export interface LiveSocketOptions extends Heartbeat, Backoff {
  /** How long a connection must have stood for the backoff to start anew. Default 30,000. */
  stableAfter?: number;
  /** How long a dial may take. Default 20,000. */
  dialTimeout?: number;
  /**
   * All who lose a server in one instant come back one after the other: by default within 5,000, or as the server's close
   * code asks. At most so long, where they are few, or where a user who is away for longer is taken to have left.
   */
  maxSpread?: number;
  protocols?: string | string[];
  binaryType?: BinaryType;
  /** For tests: clock, timers, sockets, the page. */
  host?: Partial<Host>;
}

export interface Host {
  now(): number;
  setTimeout(then: () => void, wait: number): unknown;
  clearTimeout(timer: unknown): void;
  /** Another number for each socket. */
  seed(): bigint;
  WebSocket: new (url: string | URL, protocols?: string | string[]) => WebSocket;
  window: EventTarget | undefined;
  document: (EventTarget & { readonly hidden: boolean }) | undefined;
}

export type Reason =
  | "ping-timeout"
  | "write-stalled"
  | "silent"
  | "ping-flood"
  | "peer-closed"
  | "transport-closed"
  | "local-closed";

export interface LiveSocketEventMap {
  /** A dial has begun. */
  dialling: CustomEvent<{ attempt: number }>;
  /** A connection stands: say hello. */
  open: CustomEvent<{}>;
  /** The server is there: after each `open`, and after each `suspect` that was wrong. */
  online: CustomEvent<{}>;
  /** It is late with an answer. What is sent may still arrive. */
  suspect: CustomEvent<{ report: string }>;
  /** It is gone. Once for each `open`. */
  offline: CustomEvent<{
    reason: Reason;
    /** The same for a person. */
    words: string;
    /** Why, in one line, for a log. */
    report: string;
    /** For how long nothing has arrived. */
    silence: number;
    /** With which the server closed the connection; 0 where it said none. */
    code: number;
  }>;
  /** The server has answered. */
  rtt: CustomEvent<{ latest: number; smoothed: number; variation: number; min: number }>;
  /** Until the next dial, by `performance.now()`; it may change while it waits. */
  waiting: CustomEvent<{ why: string; attempt: number; until: number }>;
  /** Nobody will dial, unless asked to: it was closed, by this side, or with a code that says that it is no use. */
  ended: CustomEvent<{ why: string; code: number }>;
  /** Whatever is no heartbeat. */
  message: MessageEvent;
}
