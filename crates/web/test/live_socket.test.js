import assert from "node:assert/strict";
import test from "node:test";

import { LiveSocket } from "../liveness.js";
import { World, begun } from "./world.js";

/** Asks after 5 s, suspects after 1 s, gives up after 2 s. */
const QUICK = { interval: 5000, timeout: 2000, suspectAfter: 1000, dialTimeout: 4000 };
const PING = /^> ping [0-9a-f]{16}$/;

async function connected(options = QUICK) {
  const world = new World();
  const live = await world.socket(options);
  world.latest.open();
  assert.equal(live.state, "online");
  world.story.length = 0;
  return { world, live };
}

const pings = (world) => world.story.filter(({ what }) => PING.test(what));
const only = (world, ...types) => world.story.filter(({ what }) => types.includes(what));

test("it opens, is online, and its messages are the application's", async () => {
  const world = new World();
  const live = await world.socket(QUICK);
  assert.equal(live.state, "dialling");
  assert.deepEqual(world.told(), ["dialling"]);
  assert.equal(live.send("too early"), false);
  world.latest.open();
  assert.deepEqual(world.told(), ["open", "online"]);
  assert.equal(live.send("hello"), true);
  world.latest.receive("hello yourself");
  assert.deepEqual(world.told(), ["> hello", "message"]);
});

test("a question is answered at once with its own digits, and neither is a message", async () => {
  const { world } = await connected();
  for (const digits of ["0123456789abcdef", "ffffffffffffffff", "8000000000000000", "0000000000000000"]) {
    world.latest.receive(`ping ${digits}`);
    assert.deepEqual(world.told(), [`> pong ${digits}`]);
  }
  for (const data of ["ping", "ping 0123456789ABCDEF", " ping 0123456789abcdef", "ping 0123456789abcdef0", "pong x"]) {
    world.latest.receive(data);
    assert.deepEqual(world.told(), ["message"], data);
  }
});

test("a silent server is asked, and its answer is a round trip", async () => {
  const { world, live } = await connected();
  world.answers(40);
  world.live(30_000);
  const trips = only(world, "rtt");
  assert.ok(pings(world).length >= 5, `${pings(world).length}`);
  assert.equal(trips.length, pings(world).length);
  for (const { detail } of trips) assert.equal(detail.latest, 40);
  assert.match(live.report(), /^no ping outstanding; last heard .* answered, srtt 40 ms$/);
});

test("a server that falls silent is suspect, then offline within the bound, and found again", async () => {
  const { world, live } = await connected({ ...QUICK, firstDelay: 500 });
  world.answers();
  world.live(40_000);
  world.server = null;
  world.story.length = 0;
  const from = world.now - 1000;
  world.live(5000 + 2000 + 50 + 10);
  const [suspect, offline] = only(world, "suspect", "offline");
  assert.equal(suspect.what, "suspect");
  assert.match(suspect.detail.report, /^no answer to ping \d+, handed out 1\.0 s ago/);
  assert.equal(offline.what, "offline");
  assert.ok(offline.at - from <= 7060, `${offline.at - from}`);
  assert.equal(offline.detail.reason, "ping-timeout");
  assert.equal(offline.detail.words, "no answer to a ping in time");
  assert.match(offline.detail.report, /^no answer to ping \d+, handed out 2\.0 s ago; last heard [67]\.\d s ago \(pong\)/);
  assert.ok(offline.detail.silence > 6000);
  assert.deepEqual(world.sockets[0].closedWith, [3008, "no answer to a ping in time"]);
  assert.equal(live.state, "waiting");
  assert.equal(live.why, "no answer to a ping in time");
  // A connection that was stable: some time in the first 5 s.
  world.live(5001);
  assert.equal(world.sockets.length, 2);
  world.latest.open();
  assert.equal(live.state, "online");
});

test("a connection that breaks is dialled again as soon as the page wants it", async () => {
  const { world, live } = await connected({ ...QUICK, maxSpread: 300 });
  world.answers();
  for (let losses = 1; losses <= 20; losses += 1) {
    world.live(40_000);
    live.configure({ interval: 4000 });
    world.latest.fail();
    assert.equal(live.state, "waiting");
    world.live(301);
    assert.equal(world.sockets.length, losses + 1);
    world.latest.open();
  }
});

test("what comes of a socket that was left is nobody's concern", async () => {
  const { world, live } = await connected();
  const old = world.latest;
  live.probe();
  world.live(2100);
  assert.equal(live.state, "waiting");
  world.story.length = 0;
  old.onmessage?.({ data: "from the grave" });
  old.onclose?.({ code: 1000 });
  assert.deepEqual(world.told(), []);
});

test("behind an upload a ping leaves late, and is not held against the server", async () => {
  const { world, live } = await connected({ interval: 1000, timeout: 2000, suspectAfter: Infinity });
  // A megabyte a second; the server answers what has arrived.
  const socket = world.latest;
  let asked = null;
  world.server = (_, data) => {
    socket.bufferedAmount += data.length;
    if (data.startsWith("ping")) asked = { digits: data.slice(5), behind: socket.bufferedAmount };
  };
  live.send("x".repeat(9_000_000));
  for (let second = 0; second < 9; second += 1) {
    world.live(1000);
    socket.bufferedAmount = Math.max(0, socket.bufferedAmount - 1_000_000);
  }
  assert.equal(live.state, "online");
  assert.ok(asked.behind > 7_000_000);
  socket.bufferedAmount = 0;
  world.live(500);
  socket.receive(`pong ${asked.digits}`);
  assert.equal(live.state, "online");
  // One that takes nothing more is given up all the same.
  live.send("x".repeat(9_000_000));
  world.live(5000);
  assert.equal(only(world, "offline")[0].detail.reason, "write-stalled");
});

test("a suspicion that was wrong is taken back", async () => {
  const { world, live } = await connected();
  world.answers(1500);
  live.probe();
  world.live(2000);
  assert.deepEqual(
    only(world, "suspect", "online", "rtt").map(({ at, what }) => [at, what]),
    [[1000, "suspect"], [1500, "rtt"], [1500, "online"]],
  );
});

test("timers that ring once a minute never make a live server offline, and a dead one is found out", async () => {
  const { world, live } = await connected({ interval: 2000, timeout: 3000, suspectAfter: 1000 });
  world.answers(100);
  world.throttle = 60_000;
  world.document.hidden = true;
  world.live(20 * 60_000);
  assert.deepEqual(only(world, "offline", "suspect"), []);
  assert.ok(pings(world).length >= 9 && pings(world).length <= 20, `${pings(world).length}`);
  // The pings of the server are messages, and need no timer.
  world.latest.receive("ping 00000000000000ff");
  assert.equal(world.story.at(-1).what, "> pong 00000000000000ff");
  world.server = null;
  world.live(7 * 60_000);
  assert.equal(only(world, "offline").length, 1);
  assert.notEqual(live.state, "online");
});

for (const events of [["resume"], ["resume", "visibilitychange"], ["pageshow", "resume", "visibilitychange", "online"], []]) {
  for (const awaited of [false, true]) {
    test(`frozen for two minutes${awaited ? " with a ping on its way" : ""} and told so by ${events.length} events, it asks at once`, async () => {
      const { world, live } = await connected({ interval: 20_000, timeout: 10_000 });
      world.answers(30);
      world.live(31_000);
      if (awaited) live.probe();
      world.story.length = 0;
      world.freeze(120_000);
      for (const type of events) world.happens(type);
      world.live(15_000);
      assert.deepEqual(only(world, "offline", "suspect", "dialling"), []);
      // Its timer asks, and the events, one second after that.
      const asked = pings(world).map(({ at }) => at - 151_000);
      assert.deepEqual(asked, events.length === 0 ? [0] : [0, 1000], JSON.stringify(world.story));
    });
  }
}

test("a laptop that slept finds its server gone, and is back as soon as it can", async () => {
  const { world, live } = await connected({ interval: 20_000, timeout: 10_000 });
  world.answers();
  world.live(60_000);
  world.server = null;
  world.freeze(3 * 3600_000);
  world.happens("online");
  world.story.length = 0;
  world.live(10_100);
  assert.equal(only(world, "offline").length, 1, "one timeout after waking, and no more");
  world.happens("online");
  world.live(0);
  assert.equal(live.state, "dialling", "a new network ends the wait");
});

test("the answer to a page that wakes, or to a person who looks on, may take as long as it says", async () => {
  const { world, live } = await connected({ interval: 20_000, timeout: 10_000, suspectAfter: Infinity, probeTimeout: 3000 });
  world.answers();
  world.live(60_000);
  world.answers(2900);
  live.probe();
  world.live(4000);
  assert.equal(live.state, "online");
  world.server = null;
  world.freeze(3 * 3600_000);
  world.happens("online");
  // It found out by itself, at once.
  world.live(3000 + 49);
  assert.equal(live.state, "online");
  world.live(1);
  assert.equal(only(world, "offline")[0].detail.reason, "ping-timeout");
});

test("at every keystroke it may be told to ask, and asks once a second", async () => {
  const { world, live } = await connected();
  world.answers();
  const from = world.now - 1000;
  for (let stroke = 0; stroke < 30; stroke += 1) {
    live.probe();
    world.live(100);
  }
  world.live(1000);
  assert.deepEqual(pings(world).map(({ at }) => at - from), [0, 1000, 2000, 3000]);
});

for (const [type, hidden] of [["online", false], ["visibilitychange", false], ["resume", false], ["pageshow", false], ["offline", false], ["visibilitychange", true]]) {
  test(`${type} of a page that is ${hidden ? "hidden" : "seen"} ${hidden ? "asks nothing" : "asks at once"}`, async () => {
    const { world } = await connected({ interval: 20_000 });
    world.answers();
    world.document.hidden = hidden;
    world.happens(type);
    world.live(1);
    assert.equal(pings(world).length, hidden ? 0 : 1);
  });
}

test("close codes say whether it comes back", async () => {
  for (const [code, state] of [[1000, "ended"], [1001, "waiting"], [1005, "waiting"], [1006, "waiting"], [1008, "ended"], [1012, "waiting"], [1013, "waiting"], [4000, "waiting"]]) {
    const { world, live } = await connected();
    world.answers();
    world.live(31_000);
    world.latest.fail(code);
    assert.equal(live.state, state, `${code}`);
    const [offline] = only(world, "offline");
    assert.equal(offline.detail.reason, code === 1006 ? "transport-closed" : "peer-closed");
    assert.equal(offline.detail.code, code === 1006 || code === 1005 ? 0 : code);
    if (code === 1013) assert.ok(live.until - world.now >= 30_000);
    if (state === "ended") assert.equal(only(world, "ended")[0].detail.code, code);
  }
});

test("dials that fail are ever further apart, and a person may end the wait", async () => {
  const world = new World();
  const live = await world.socket({ ...QUICK, firstDelay: 100, longestDelay: 1000 });
  const waits = [];
  for (let attempt = 1; attempt <= 8; attempt += 1) {
    assert.equal(world.sockets.length, attempt);
    world.latest.fail();
    assert.equal(live.state, "waiting");
    assert.equal(live.why, "the server does not answer");
    waits.push(live.until - world.now);
    world.live(live.until - world.now);
  }
  const least = [100, 200, 400, 800, 1000, 1000, 1000, 1000];
  waits.forEach((wait, index) => assert.ok(wait >= least[index] && wait <= 2 * least[index] + 1, `${waits}`));
  assert.equal(live.attempts, 9);
  world.latest.fail();
  live.dialNow();
  assert.equal(live.state, "dialling");
  assert.equal(live.attempts, 1);
});

test("a dial that comes to nothing is left in time", async () => {
  const world = new World();
  const live = await world.socket(QUICK);
  world.live(3999);
  assert.equal(live.state, "dialling");
  world.live(1);
  assert.equal(live.state, "waiting");
  assert.equal(world.latest.readyState, 3);
});

test("closing says the application's words, ends, and can be undone", async () => {
  const { world, live } = await connected();
  live.close(4001, "the lecture is over");
  assert.deepEqual(world.latest.closedWith, [4001, "the lecture is over"]);
  assert.deepEqual(world.told(), ["offline", "close 4001", "ended"]);
  assert.equal(live.state, "ended");
  world.happens("online");
  world.live(3600_000);
  assert.equal(world.sockets.length, 1);
  live.dialNow();
  world.latest.open();
  assert.equal(live.state, "online");
  assert.throws(() => live.close(1001), { name: "InvalidAccessError" });
  assert.throws(() => live.close(1000, "x".repeat(124)), { name: "SyntaxError" });
});

test("what is configured while connected counts from then on, and what cannot be is refused", async () => {
  const { world, live } = await connected();
  world.answers();
  live.configure({ interval: 60_000, timeout: 30_000 });
  world.live(59_000);
  assert.ok(pings(world).length <= 1);
  live.configure({ interval: 1000 });
  world.live(10_000);
  assert.ok(pings(world).length >= 9);
  assert.throws(() => live.configure({ timeout: 0 }), { name: "RangeError", message: "timeout must be longer than zero" });
  assert.throws(() => live.configure({ interval: NaN }), RangeError);
  for (const option of ["probeTimeout", "suspectAfter", "silenceTimeout"]) {
    assert.throws(() => live.configure({ [option]: 0 }), { message: `${option} must be longer than zero` });
  }
  world.live(10_000);
  assert.equal(live.state, "online");
  await world.socket({ silenceTimeout: 0 });
  assert.equal(world.story.at(-1).what, "ended");
});

test("a wait of years is no wait of nothing", async () => {
  const day = 24 * 3600_000;
  // While somebody looks at it, it looks at the clocks each two seconds; a simulated month has a million of those.
  const { world, live } = await connected({ interval: Infinity, timeout: Infinity, suspectAfter: Infinity });
  world.document.hidden = true;
  world.answers();
  world.live(40 * day);
  assert.equal(live.state, "online");
  assert.deepEqual(pings(world), []);
  // It counts from the start, so one is due; the next is further off than a browser's timer goes.
  live.configure({ interval: 30 * day });
  world.live(31 * day);
  const [first, second, ...more] = pings(world).map(({ at }) => at / day);
  assert.ok(first === 40 && second >= 67 && second <= 70 && more.length === 0, `${first}, ${second}, ${more}`);
});

test("a thousand messages set no timer each", async () => {
  const { world } = await connected();
  const before = world.timersSet;
  for (let count = 0; count < 1000; count += 1) {
    world.live(1);
    world.latest.receive("news");
  }
  assert.ok(world.timersSet - before < 5, `${world.timersSet - before}`);
});

test("a server that floods with questions is left", async () => {
  const { world, live } = await connected();
  for (let count = 0; count < 200 && live.state === "online"; count += 1) world.latest.receive("ping 0123456789abcdef");
  assert.equal(only(world, "offline")[0].detail.reason, "ping-flood");
});

test("a receive-only page notices silence without asking", async () => {
  const { world } = await connected({ interval: Infinity, silenceTimeout: 10_000 });
  for (let count = 0; count < 10; count += 1) {
    world.live(9000);
    world.latest.receive("ping 0123456789abcdef");
  }
  assert.deepEqual(only(world, "offline"), []);
  world.live(10_050);
  assert.equal(only(world, "offline")[0].detail.reason, "silent");
});

test("an address that is asked for anew, and one that is none", async () => {
  const world = new World();
  let token = 0;
  const live = new LiveSocket(() => `wss://example.org/?token=${(token += 1)}`, { host: world.host() });
  await begun(live);
  world.latest.fail();
  live.dialNow();
  assert.deepEqual(world.sockets.map(({ url }) => url.at(-1)), ["1", "2"]);
  const broken = new LiveSocket(() => { throw new Error("no token"); }, { host: world.host() });
  await begun(broken);
  assert.equal(broken.state, "waiting");
  assert.equal(broken.why, "no token");
});

test("listeners that call back find it as it should be", async () => {
  const world = new World();
  const live = await world.socket({ ...QUICK, firstDelay: 100 });
  live.addEventListener("open", () => live.send("hello"));
  live.addEventListener("offline", ({ detail }) => assert.equal(live.report(), detail.report));
  live.addEventListener("offline", () => live.dialNow());
  live.addEventListener("waiting", () => live.dialNow());
  live.addEventListener("suspect", () => live.close());
  world.latest.open();
  world.latest.fail();
  assert.equal(live.state, "dialling");
  assert.equal(world.sockets.length, 2);
  world.latest.open();
  live.probe();
  world.live(5000);
  assert.equal(live.state, "ended");
  assert.equal(live.report(), "");
  assert.equal(world.sockets.length, 2);
});
