// Heartbeats of other protocols, for the option `dialect` of a `LiveSocket`. A page that speaks the default one does not load this.
//
//     import { LiveSocket } from "./liveness.js";
//     import { graphqlTransportWs } from "./dialects.js";
//
//     const socket = new LiveSocket(url, { protocols: "graphql-transport-ws", dialect: graphqlTransportWs() });
//
// A dialect says which message is a heartbeat and how ours is written, and brings the numbers of its protocol; all rules of time are
// the machine's. It is what the module `dialect` of the Rust crate has, and `docs/dialects.md` shows each on the wire.

/** What is longer is data, and nobody looks into it. */
const LONGEST = 256;

const BEAT = { heard: "beat" };
const SOME_ANSWER = { heard: "answer" };

/** Our digits, or nothing where the program asked this. */
const answer = (digits) => (/^[0-9a-f]{16}$/.test(digits) ? { heard: "answer", digits } : undefined);

/** The JSON of a text that is short enough; nothing where it is none. */
function read(data) {
  if (typeof data !== "string" || data.length > LONGEST) return undefined;
  try {
    return JSON.parse(data);
  } catch {
    return undefined;
  }
}

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** Asks each `interval`, whatever flows: such servers count nothing but what they are asked. */
const STEADY = { schedule: "steady" };

/** Two fixed texts. `role`: "both" asks and answers, "asks" never answers, "answers" never asks. */
export function exact(ping, pong, { role = "both", ...timing } = {}) {
  return {
    timing: { ...STEADY, ...timing },
    hear(data) {
      if (role !== "answers" && data === pong) return SOME_ANSWER;
      if (role !== "asks" && data === ping) return { heard: "beat", reply: pong };
      return undefined;
    },
    ask: role === "answers" ? undefined : () => ping,
  };
}

/** Objects that are told by a field, and with an identifier where `id` names its field. */
export function json({ key = "type", ping = "ping", pong = "pong", pongKey = key, id, role = "both", ...timing } = {}) {
  const written = (name, value, number) => JSON.stringify({ [name]: value, ...(id && { [id]: number }) });
  return {
    timing: { ...STEADY, ...timing },
    hear(data) {
      const value = read(data);
      if (!isObject(value)) return undefined;
      if (role !== "answers" && value[pongKey] === pong) {
        return id === undefined || value[id] === undefined ? SOME_ANSWER : answer(value[id]);
      }
      if (role !== "asks" && value[key] === ping) return { heard: "beat", reply: written(pongKey, pong, value[id]) };
      return undefined;
    },
    ask: role === "answers" ? undefined : (digits) => written(key, ping, digits),
  };
}

/**
 * The client of engine.io 4, and so of socket.io: the server asks, and this end never may. So a page that wakes cannot ask
 * either; a dead server is found by its silence, for the sum of the two numbers of the server's open packet.
 */
export function engineIo({ pingInterval = 25_000, pingTimeout = 20_000 } = {}) {
  return exact("2", "3", { role: "answers", silenceTimeout: pingInterval + pingTimeout });
}

/** `graphql-transport-ws`: either end asks. The payload comes back from those that return it. */
export function graphqlTransportWs() {
  return {
    timing: { interval: 10_000, schedule: "steady" },
    hear(data) {
      const value = read(data);
      if (!isObject(value)) return undefined;
      const { type, payload } = value;
      if (type === "ping") return { heard: "beat", reply: JSON.stringify(payload === undefined ? { type: "pong" } : { type: "pong", payload }) };
      if (type === "pong") return (isObject(payload) && answer(payload.ping)) || SOME_ANSWER;
      return undefined;
    },
    ask: (digits) => JSON.stringify({ type: "ping", payload: { ping: digits } }),
  };
}

/** The client of Phoenix Channels with `vsn=2.0.0`, and of Supabase's realtime: it asks, and the server answers. */
export function phoenix({ interval = 30_000, timeout = 30_000 } = {}) {
  return {
    timing: { interval, timeout, schedule: "steady" },
    hear(data) {
      const value = read(data);
      if (!Array.isArray(value) || value[2] !== "phoenix" || value[3] !== "phx_reply") return undefined;
      const [, ref] = value;
      return typeof ref === "string" && ref.startsWith("live") ? answer(ref.slice(4)) : undefined;
    },
    ask: (digits) => JSON.stringify([null, `live${digits}`, "phoenix", "heartbeat", {}]),
  };
}

/** The server tells that it lives, and nobody answers: `{"type":"ka"}` of AppSync and subscriptions-transport-ws. */
export function keepAlive({ key = "type", beat = "ka", silence = 30_000 } = {}) {
  return {
    timing: { silenceTimeout: silence },
    hear(data) {
      const value = read(data);
      return isObject(value) && value[key] === beat ? BEAT : undefined;
    },
  };
}
