// The heartbeats of other protocols: what is on the wire, and a life of each.

import assert from "node:assert/strict";
import test from "node:test";

import { engineIo, exact, graphqlTransportWs, json, keepAlive, phoenix } from "../dialects.js";
import { World } from "./world.js";

const DIGITS = "0123456789abcdef";
const DATA = undefined;
const BEAT = (reply) => (reply === undefined ? { heard: "beat" } : { heard: "beat", reply });
const SOME = { heard: "answer" };
const OURS = { heard: "answer", digits: DIGITS };

const TABLE = [
  ["exact", exact("ping", "pong"), "ping", [["ping", BEAT("pong")], ["pong", SOME], ["ping ", DATA], [new ArrayBuffer(4), DATA]]],
  ["asks", exact("ping", "pong", { role: "asks" }), "ping", [["ping", DATA], ["pong", SOME]]],
  ["engine.io", engineIo(), undefined, [["2", BEAT("3")], ["3", DATA], ["2probe", DATA], ["42[\"a\"]", DATA]]],
  ["json", json(), '{"type":"ping"}', [
    ['{ "type" : "ping" }', BEAT('{"type":"pong"}')], ['{"\\u0074ype":"pong","n":[1]}', SOME], ['{"type":"pong"', DATA], ['["ping"]', DATA], ['"ping"', DATA], ["null", DATA],
    [`{"type":"ping","x":"${"x".repeat(256)}"}`, DATA],
  ]],
  ["json with an id", json({ key: "op", id: "id" }), `{"op":"ping","id":"${DIGITS}"}`, [
    ['{"id":19,"op":"ping"}', BEAT('{"op":"pong","id":19}')], [`{"op":"pong","id":"${DIGITS}"}`, OURS], ['{"op":"pong","id":7}', DATA], ['{"op":"pong"}', SOME],
  ]],
  ["json with two keys", json({ key: "method", pongKey: "channel" }), '{"method":"ping"}', [['{"channel":"pong"}', SOME], ['{"method":"pong"}', DATA]]],
  ["graphql-transport-ws", graphqlTransportWs(), `{"type":"ping","payload":{"ping":"${DIGITS}"}}`, [
    ['{"type":"ping"}', BEAT('{"type":"pong"}')], ['{"payload":{"n":7},"type":"ping"}', BEAT('{"type":"pong","payload":{"n":7}}')], ['{"type":"pong"}', SOME],
    [`{"type":"pong","payload":{"ping":"${DIGITS}"}}`, OURS], ['{"type":"pong","payload":{"ping":"mine"}}', SOME], ['{"type":"next","id":"1"}', DATA],
  ]],
  ["phoenix", phoenix(), `[null,"live${DIGITS}","phoenix","heartbeat",{}]`, [
    [`[null,"live${DIGITS}","phoenix","phx_reply",{"status":"ok","response":{}}]`, OURS], ['[null,"2","phoenix","phx_reply",{}]', DATA],
    [`["1","live${DIGITS}","room:1","phx_reply",{}]`, DATA], ["{}", DATA],
  ]],
  ["keep-alive", keepAlive(), undefined, [['{"type":"ka"}', BEAT()], ['{"type":"data"}', DATA]]],
];

for (const [name, dialect, asks, messages] of TABLE) {
  test(`${name}: which message is a heartbeat, and how ours is written`, () => {
    assert.equal(dialect.ask?.(DIGITS), asks);
    for (const [message, expected] of messages) assert.deepEqual(dialect.hear(message), expected, String(message));
  });
}

test("each brings the numbers of its protocol, and what the page says counts more", () => {
  for (const [dialect, timing] of [
    [exact("ping", "pong"), { schedule: "steady" }],
    [exact("ping", "pong", { interval: 5000 }), { schedule: "steady", interval: 5000 }],
    [json({ timeout: 5000 }), { schedule: "steady", timeout: 5000 }],
    [engineIo(), { schedule: "steady", silenceTimeout: 45_000 }],
    [graphqlTransportWs(), { schedule: "steady", interval: 10_000 }],
    [phoenix(), { schedule: "steady", interval: 30_000, timeout: 30_000 }],
    [keepAlive(), { silenceTimeout: 30_000 }],
    [keepAlive({ silence: 9000 }), { silenceTimeout: 9000 }],
  ]) {
    assert.deepEqual(dialect.timing, timing);
  }
});

test("a heartbeat is 256 characters at most, and an object", () => {
  const padded = (length) => `{"type":"ping"}`.padEnd(length);
  for (const { hear } of [json(), graphqlTransportWs()]) {
    assert.equal(hear(padded(256)).heard, "beat");
    assert.equal(hear(padded(257)), undefined);
    assert.equal(hear("null"), undefined);
  }
  assert.equal(keepAlive({ key: "0" }).hear('["ka"]'), undefined);
  assert.deepEqual(keepAlive({ key: "kind", beat: "alive" }).hear('{"kind":"alive"}'), BEAT());
});

test("who only answers is told nothing by an answer, and who only asks answers nothing", () => {
  const answers = json({ role: "answers" });
  assert.deepEqual([answers.ask, answers.hear('{"type":"pong"}')], [undefined, undefined]);
  assert.deepEqual(answers.hear('{"type":"ping"}'), BEAT('{"type":"pong"}'));
  const asks = json({ role: "asks" });
  assert.deepEqual([asks.hear('{"type":"pong"}'), asks.hear('{"type":"ping"}')], [SOME, undefined]);
  const beats = exact("2", "3", { role: "answers" });
  assert.deepEqual([beats.ask, beats.hear("3"), beats.hear("2")], [undefined, undefined, BEAT("3")]);
});

test("an answer has sixteen digits of ours and nothing else, and a reply stands under its own key", () => {
  const dialect = json({ key: "ask", pongKey: "say", id: "id" });
  assert.deepEqual(dialect.hear('{"ask":"ping","id":7}'), BEAT('{"say":"pong","id":7}'));
  assert.equal(dialect.hear(`{"say":"pong","id":"${DIGITS}0"}`), undefined);
  assert.equal(phoenix().hear(`[null,"lost${DIGITS}","phoenix","phx_reply",{}]`), undefined);
  assert.equal(phoenix().hear(`[null,"live${DIGITS}","phoenix","phx_error",{}]`), undefined);
  assert.equal(phoenix().hear(`[null,7,"phoenix","phx_reply",{}]`), undefined);
});

test("a server whose heartbeat is `ping` and `pong` is asked with them, and found out (okx 20, vueuse 2861)", async () => {
  const world = new World();
  const live = await world.socket({ dialect: exact("ping", "pong", { role: "asks" }) });
  world.server = (socket, data) => data === "ping" && world.later(20, () => socket.receive("pong"));
  world.latest.open();
  world.live(120_000);
  const asked = world.latest.sent.length;
  assert.ok(asked >= 5 && world.latest.sent.every((sent) => sent === "ping"), `${asked}`);
  assert.equal(world.story.filter(({ what }) => what === "rtt").length, asked);
  assert.deepEqual([live.state, world.story.some(({ what }) => what === "message")], ["online", false]);
  world.server = null;
  world.live(46_000);
  assert.equal(world.story.find(({ what }) => what === "offline").detail.reason, "ping-timeout");
});

test("an end that never asks waits for no answer, whatever wakes it, and finds silence", async () => {
  const world = new World();
  const live = await world.socket({ dialect: engineIo({ pingInterval: 5000, pingTimeout: 4000 }) });
  world.latest.open();
  for (let beat = 0; beat < 10; beat += 1) {
    world.live(5000);
    world.happens("visibilitychange");
    live.probe();
    live.dialNow();
    world.latest.receive("2");
  }
  assert.deepEqual([live.state, world.latest.sent.every((sent) => sent === "3"), world.latest.sent.length], ["online", true, 10]);
  world.live(9051);
  assert.equal(world.story.find(({ what }) => what === "offline").detail.reason, "silent");
});

test("a server is answered in its own words, and its beat is no message", async () => {
  const world = new World();
  await world.socket({ dialect: graphqlTransportWs() });
  world.server = (socket, data) => {
    const { type, payload } = JSON.parse(data);
    if (type === "ping") world.later(20, () => socket.receive(JSON.stringify({ type: "pong", payload })));
  };
  world.latest.open();
  world.latest.receive('{"type":"ping","payload":1}');
  assert.equal(world.latest.sent.at(-1), '{"type":"pong","payload":1}');
  world.live(60_000);
  assert.ok(world.story.filter(({ what }) => what === "rtt").length >= 5);
  assert.equal(world.story.some(({ what }) => what === "message"), false);
});
