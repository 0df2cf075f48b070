// What is chosen counts, and what is not chosen is as `docs/page.md` says.

import assert from "node:assert/strict";
import test from "node:test";

import { World } from "./world.js";

async function connected(options = {}) {
  const world = new World();
  const live = await world.socket(options);
  world.latest.open();
  assert.equal(live.state, "online");
  return { world, live };
}

const when = (world, what) => world.story.find((one) => one.what.startsWith(what))?.at;
const about = (is, should) => assert.ok(is >= should && is <= should + 100, `${is} ms, and not ${should}`);

test("without a word, a dead server is asked within 20 s, suspect after 5 s, and given up after 25 s", async () => {
  const { world } = await connected();
  world.live(60_000);
  const asked = when(world, "> ping");
  assert.ok(asked <= 20_000, `${asked}`);
  about(when(world, "suspect") - asked, 5000);
  about(when(world, "offline") - asked, 25_000);
});

test("without a word, a probe is given up after 5 s, and a dial after 20 s", async () => {
  const { world, live } = await connected();
  world.live(30);
  world.story.length = 0;
  live.probe();
  world.live(60_000);
  about(when(world, "offline") - when(world, "> ping"), 5000);
  about(when(world, "close -") - when(world, "dialling"), 20_000);
});

test("an option counts more than the dialect's timing, and that more than what nobody chose", async () => {
  const dialect = { timing: { interval: 3000, timeout: 2000 }, hear: () => undefined, ask: (digits) => `ask ${digits}` };
  const { world } = await connected({ dialect, timeout: 7000 });
  world.live(60_000);
  const asked = when(world, "> ask");
  assert.ok(asked <= 3000, `${asked}`);
  about(when(world, "offline") - asked, 7000);
});

test("until when it waits is a matter of waiting alone", async () => {
  const { world, live } = await connected();
  world.latest.fail(1012);
  assert.equal(live.state, "waiting");
  assert.ok(live.until >= world.now + 5000);
  world.live(live.until - world.now + 1);
  assert.deepEqual([live.state, live.until], ["dialling", Infinity]);
  world.latest.open();
  assert.deepEqual([live.state, live.until], ["online", Infinity]);
});

test("the kind of binary messages is that of every socket: the one that serves, the one that is dialled, the next", async () => {
  const { world, live } = await connected({ binaryType: "arraybuffer" });
  const [first] = world.sockets;
  assert.deepEqual([live.binaryType, first.binaryType], ["arraybuffer", "arraybuffer"]);
  live.handOver();
  world.live(20_000);
  const second = world.latest;
  assert.notEqual(first, second);
  live.binaryType = "blob";
  assert.deepEqual([live.binaryType, first.binaryType, second.binaryType], ["blob", "blob", "blob"]);
  second.open();
  second.fail();
  world.live(20_000);
  assert.equal(world.latest.binaryType, "blob");
  const unchosen = await connected();
  assert.equal(unchosen.world.latest.binaryType, "blob");
});

test("nothing is sent on a socket that is closing", async () => {
  const { world, live } = await connected();
  world.latest.readyState = 2;
  assert.equal(live.send("too late"), false);
  assert.deepEqual(world.latest.sent, []);
});

test("nothing is asked on a socket that is closing either", async () => {
  const { world } = await connected();
  world.latest.readyState = 2;
  world.live(20_000);
  assert.deepEqual(world.latest.sent, []);
});

test("a backoff that is configured is the next one's, and each wait says which attempt comes after it", async () => {
  const { world, live } = await connected();
  world.answers();
  world.live(40_000);
  live.configure({ firstDelay: 100, longestDelay: 200 });
  world.latest.fail(1006);
  world.live(live.until - world.now + 1);
  const waits = [];
  live.addEventListener("waiting", ({ detail }) => waits.push([detail.attempt, detail.until - world.now]));
  for (let dial = 0; dial < 4; dial += 1) {
    assert.equal(live.state, "dialling");
    world.latest.fail();
    world.live(401);
  }
  assert.deepEqual(waits.map(([attempt]) => attempt), [2, 3, 4, 5]);
  for (const [attempt, wait] of waits) assert.ok(wait <= 400, `${wait} before attempt ${attempt}`);
});

test("a reason of 123 bytes may be said to the server, and no longer one", async () => {
  const { world, live } = await connected();
  assert.throws(() => live.close(1000, "x".repeat(124)), { name: "SyntaxError" });
  assert.throws(() => live.close(1000, "ä".repeat(62)), { name: "SyntaxError" });
  for (const code of [0, 999, 1001, 1005, 2999, 5000]) assert.throws(() => live.close(code), { name: "InvalidAccessError" });
  assert.equal(live.state, "online");
  live.close(3000, "x".repeat(123));
  assert.deepEqual(world.latest.closedWith, [3000, "x".repeat(123)]);
  const another = await connected();
  another.live.close(4999);
  assert.equal(another.world.latest.closedWith[0], 4999);
});
