// What is chosen counts, and what is not chosen is as `docs/page.md` says.

import assert from "node:assert/strict";
import test from "node:test";

import { LiveSocket } from "../liveness.js";
import { World, begun } from "./world.js";

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

test("the subprotocols are those of the options, unless the address brings its own", async () => {
  const chosen = await connected({ protocols: "chat" });
  assert.equal(chosen.world.latest.protocols, "chat");
  const world = new World();
  await world.socket({ protocols: "chat" }, 7n, () => ({ url: "wss://example.org/", protocols: ["token", "7"] }));
  assert.deepEqual(world.latest.protocols, ["token", "7"]);
});

test("what is configured one after the other counts together, and what is for the start alone stays", async () => {
  const world = new World();
  const live = new LiveSocket("wss://example.org/", { host: world.host() });
  live.configure({ dialTimeout: 1000 });
  await begun(live);
  world.live(19_000);
  assert.equal(live.state, "dialling");
  world.latest.open();
  live.configure({ interval: 1000 });
  live.configure({ timeout: 7000 });
  world.live(60_000);
  const pings = world.story.filter(({ what }) => what.startsWith("> ping"));
  assert.ok(pings.length >= 5, `${pings.length}`);
});

test("a page that is shown for the first time has not slept", async () => {
  const { world } = await connected();
  world.window.dispatchEvent(Object.assign(new Event("pageshow"), { persisted: false }));
  assert.deepEqual(world.latest.sent, []);
  world.happens("pageshow");
  assert.equal(world.latest.sent.length, 1);
});

test("after an end that a person undoes, the page's events are heard again, and after the last one no more", async () => {
  const world = new World();
  const signals = [];
  const listen = world.window.addEventListener.bind(world.window);
  world.window.addEventListener = (type, then, options) => {
    signals.push(options.signal);
    listen(type, then, options);
  };
  const live = await world.socket();
  world.latest.open();
  live.close();
  assert.ok(signals.length > 0 && signals.every(({ aborted }) => aborted));
  live.dialNow();
  world.latest.open();
  world.happens("offline");
  world.latest.fail();
  assert.deepEqual([live.state, live.until], ["waiting", Infinity]);
  live.close();
  assert.ok(signals.every(({ aborted }) => aborted));
});

test("in a hand-over a dial that fails is no reason why there is no connection; the next loss is no hand-over", async () => {
  const { world, live } = await connected();
  world.answers();
  world.live(40_000);
  const { why } = live;
  live.handOver();
  world.latest.fail();
  assert.deepEqual([live.state, live.why], ["online", why]);
  world.live(5000);
  world.latest.open();
  world.live(40_000);
  world.latest.fail();
  world.live(live.until - world.now + 1);
  world.latest.open();
  const opened = world.story.filter(({ what }) => what === "open").map(({ detail }) => detail.handOver);
  assert.deepEqual(opened, [false, true, false]);
});

test("a listener that asks something of the socket, and then refuses what follows, is heard", async () => {
  const { world, live } = await connected();
  live.addEventListener("offline", (event) => {
    assert.equal(live.state, "offline");
    live.probe();
    event.preventDefault();
  });
  world.latest.fail(1006);
  assert.equal(live.state, "ended");
});

test("what the server said as it closed is said of that loss alone", async () => {
  const { world } = await connected();
  world.answers();
  world.live(40_000);
  const said = () => world.story.findLast(({ what }) => what === "offline").detail.said;
  world.latest.fail(1001, "maintenance");
  assert.equal(said(), "maintenance");
  world.live(6000);
  world.latest.open();
  world.server = null;
  world.live(60_000);
  assert.equal(said(), "");
});

test("an address that throws no error at all says why, and one that fails late fails its own dial alone", async () => {
  const world = new World();
  const odd = new LiveSocket(() => { throw "no token"; }, { host: world.host() });
  await new Promise((resolve) => odd.addEventListener("waiting", resolve, { once: true }));
  assert.equal(odd.why, "no token");
  odd.close();
  const rejects = [];
  const later = new World();
  const live = await later.socket({}, 7n, () => new Promise((_, reject) => rejects.push(reject)));
  later.live(30_000);
  assert.deepEqual([rejects.length, live.state], [2, "dialling"]);
  rejects[0](new Error("too late"));
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(live.state, "dialling");
});

test("a server that talks and answers nothing is alive, and asked as the schedule says", async () => {
  for (const [schedule, least, most] of [["steady", 9, 11], ["quiet", 0, 1]]) {
    const { world, live } = await connected({ schedule, interval: 2000, timeout: 5000 });
    for (let half = 0; half < 40; half += 1) {
      world.latest.receive("news");
      live.send("words");
      world.live(500);
    }
    const asked = world.story.filter(({ what }) => what.startsWith("> ping")).length;
    assert.ok(asked >= least && asked <= most, `${schedule}: ${asked}`);
    assert.equal(world.story.some(({ what }) => what === "offline"), false);
  }
});

test("how long the server was silent counts from the last that it said", async () => {
  const { world } = await connected();
  world.live(10_000);
  world.latest.receive("news");
  const last = world.now;
  world.live(60_000);
  const { at, detail } = world.story.find(({ what }) => what === "offline");
  assert.equal(detail.silence, at + 1000 - last);
});

test("a question has left when its last byte has, and not before", async () => {
  for (const [stays, reason] of [[21, "write-stalled"], [0, "ping-timeout"]]) {
    const { world, live } = await connected();
    const { latest } = world;
    const send = latest.send.bind(latest);
    latest.send = (data) => {
      send(data);
      latest.bufferedAmount += data.length;
    };
    live.send("x".repeat(1000));
    world.live(20_000);
    assert.equal(latest.bufferedAmount, 1021, "an upload, and a ping of 21 bytes behind it");
    latest.bufferedAmount = stays;
    world.live(120_000);
    assert.equal(world.story.find(({ what }) => what === "offline").detail.reason, reason);
  }
});

test("a function that throws is told where errors are told, and changes nothing", async () => {
  const usual = globalThis.queueMicrotask;
  const told = [];
  globalThis.queueMicrotask = (then) => told.push(then);
  try {
    const world = new World();
    const live = new LiveSocket("wss://example.org/", { host: world.host(), onClose: () => { throw new Error("mine"); } });
    await new Promise((resolve) => live.addEventListener("dialling", () => setImmediate(resolve), { once: true }));
    world.latest.open();
    world.latest.fail(1006);
    assert.equal(live.state, "waiting");
    assert.equal(told.length, 1);
    assert.throws(told[0], { message: "mine" });
  } finally {
    globalThis.queueMicrotask = usual;
  }
});

test("to close what has ended changes nothing; an address that fails in a hand-over neither", async () => {
  const { world, live } = await connected();
  world.latest.fail(1000);
  const { why } = live;
  live.close();
  assert.deepEqual([live.state, live.why, why === "closed by this side"], ["ended", why, false]);
  const other = new World();
  let asked = 0;
  const moved = await other.socket({}, 7n, () => {
    asked += 1;
    if (asked > 1) throw new Error("no token");
    return "wss://example.org/";
  });
  other.answers();
  other.latest.open();
  other.live(40_000);
  const before = moved.why;
  moved.handOver();
  assert.deepEqual([asked, moved.state, moved.why], [2, "online", before]);
});

test("to close when the new connection of a hand-over stands leaves neither of the two open", async () => {
  const { world, live } = await connected();
  world.answers();
  world.live(40_000);
  live.handOver();
  assert.equal(world.sockets.length, 2);
  live.addEventListener("open", () => live.close());
  world.latest.open();
  assert.deepEqual([live.state, world.sockets.map(({ readyState }) => readyState)], ["ended", [3, 3]]);
});
