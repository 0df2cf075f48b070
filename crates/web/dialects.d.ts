import type { Dialect, Heartbeat } from "./liveness.js";

/** What an end does: asks and answers; only asks; only answers. Default "both". */
export type Role = "both" | "asks" | "answers";

/** Two fixed texts, such as an exchange's `ping` and `pong`. An answer names no ping. Default schedule: "steady". */
export function exact(ping: string, pong: string, options?: { role?: Role } & Heartbeat): Dialect;

/**
 * JSON objects that are told by a field: `{"type":"ping"}` and `{"type":"pong"}`. `id` names the field of identifiers: the server's
 * is written back, and ours is the ping's 16 digits. Default schedule: "steady".
 */
export function json(
  options?: { key?: string; ping?: string; pong?: string; pongKey?: string; id?: string; role?: Role } & Heartbeat,
): Dialect;

/** The client of engine.io 4 and socket.io 4, with the two numbers of the server's open packet, in milliseconds. It never asks. */
export function engineIo(options?: { pingInterval?: number; pingTimeout?: number }): Dialect;

/** Either end of `graphql-transport-ws`. Asks each 10 s. */
export function graphqlTransportWs(): Dialect;

/** The client of Phoenix Channels (`vsn=2.0.0`). 30 s each, in milliseconds; Supabase's own numbers are 25,000. */
export function phoenix(options?: { interval?: number; timeout?: number }): Dialect;

/** A beat of the server that nobody answers: `{"type":"ka"}`. `silence`: how long nothing may arrive, in milliseconds. */
export function keepAlive(options?: { key?: string; beat?: string; silence?: number }): Dialect;
