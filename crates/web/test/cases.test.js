// What public reports say goes wrong with a page's connection, each in a simulated page. The names are those of the reports.

import assert from "node:assert/strict";
import test from "node:test";

import { LiveSocket } from "../liveness.js";
import { World, begun } from "./world.js";

const settle = async () => {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};
const at = (world, what) => world.story.find((told) => told.what === what)?.at + 1000;
const count = (world, what) => world.story.filter((told) => told.what === what).length;

async function connected(options = {}) {
  const world = new World();
  const live = await world.socket(options);
  world.answers();
  world.latest.open();
  world.live(60_000);
  world.story.length = 0;
  return { world, live };
}

test("an address that is a promise is awaited, and a function is asked anew for each dial (wire-webapp 21612, hypothesis 3837)", async () => {
  const world = new World();
  let fetched = 0;
  const live = await world.socket({}, 7n, async ({ attempt }) => `wss://example.org/?attempt=${attempt}&token=${(fetched += 1)}`);
  await settle();
  assert.deepEqual(world.sockets.map(({ url }) => url), ["wss://example.org/?attempt=1&token=1"]);
  world.latest.fail();
  world.live(2100);
  await settle();
  assert.match(world.latest.url, /attempt=2&token=2$/);
  world.latest.open();
  assert.equal(live.state, "online");
  const promised = new World();
  await promised.socket({}, 7n, Promise.resolve({ url: "wss://example.org/", protocols: ["chat", "token.42"] }));
  await settle();
  assert.deepEqual(promised.latest.protocols, ["chat", "token.42"]);
});

test("a token that cannot be had is a dial that failed, and says why; one that comes too late dials nothing", async () => {
  const world = new World();
  let asked = 0;
  const refused = () => Promise.reject(Object.assign(new Error("no token"), asked++ === 3 ? { redial: { after: 120_000 } } : {}));
  const live = await world.socket({ firstDelay: 1000, longestDelay: 15_000 }, 7n, refused);
  await settle();
  assert.deepEqual([live.state, live.why], ["waiting", "no token"]);
  for (let second = 0; second < 60; second += 1) {
    world.live(1000);
    await settle();
  }
  assert.equal(asked, 4, "the fourth said when to come back");
  assert.ok(live.until - world.now > 60_000);
  live.close();
  // One whose address never comes, until nobody waits for it.
  const slow = new World();
  let give = null;
  let gone = null;
  await slow.socket({ dialTimeout: 5000 }, 7n, ({ signal }) => {
    gone ??= signal;
    return new Promise((resolve) => (give ??= resolve));
  });
  slow.live(5000);
  assert.equal(gone.aborted, true);
  give("wss://example.org/late");
  await settle();
  assert.equal(slow.sockets.length, 0);
  // One that says that it is no use.
  const banned = await new World().socket({}, 7n, () => Promise.reject(Object.assign(new Error("banned"), { redial: "stop" })));
  await settle();
  assert.deepEqual([banned.state, banned.why], ["ended", "banned"]);
});

test("an address that throws is asked again as the backoff says (W14)", async () => {
  const world = new World();
  let asked = 0;
  const live = new LiveSocket(() => { asked += 1; throw new Error("no token"); }, { host: world.host() });
  await begun(live);
  world.live(120_000);
  assert.ok(asked >= 6 && asked <= 12, `${asked}`);
  assert.deepEqual([live.state, live.why], ["waiting", "no token"]);
});

test("closed with 1000 it stays away, unless the page says otherwise (robust-websocket 14, hypha 960)", async () => {
  const usual = await connected();
  usual.world.latest.fail(1000);
  assert.equal(usual.live.state, "ended");
  for (const onClose of [{ 1000: "redial" }, (code) => (code === 1000 ? "redial" : undefined)]) {
    const { world, live } = await connected({ onClose });
    world.latest.fail(1000);
    assert.equal(live.state, "waiting");
    assert.ok(live.until - world.now <= 5001);
    world.live(5001);
    assert.equal(world.sockets.length, 2);
  }
});

test("whoever dials at each end waits as the backoff says (W2)", async () => {
  const { world, live } = await connected();
  live.addEventListener("ended", ({ detail }) => detail.code === 1000 && live.dialNow());
  world.latest.fail(1000);
  assert.equal(live.state, "dialling", "the first time at once");
  const before = world.sockets.length;
  for (let turn = 0; turn < 50; turn += 1) {
    world.latest.open();
    world.latest.fail(1000);
    world.live(1);
  }
  assert.equal(world.sockets.length, before, "no dial in 50 ms");
  assert.equal(live.state, "waiting");
  for (let second = 0; second < 120; second += 1) {
    world.live(1000);
    if (world.latest.readyState === 0) world.latest.open();
    world.latest.fail(1000);
  }
  assert.ok(world.sockets.length - before <= 10, `${world.sockets.length - before} in two minutes`);
});

test("a code that says not to come back is heard, by table and by an event that is refused (react-use-websocket 248)", async () => {
  for (const way of ["table", "event"]) {
    const { world, live } = await connected(way === "table" ? { onClose: { 4401: "stop" } } : {});
    if (way === "event") live.addEventListener("offline", (event) => event.detail.code === 4401 && event.preventDefault());
    world.latest.fail(4401, "token expired");
    const { detail } = world.story.find(({ what }) => what === "offline");
    assert.deepEqual([detail.code, detail.said], [4401, "token expired"]);
    assert.deepEqual(detail.then, way === "table" ? "stop" : { after: 0, spread: 5000 });
    assert.deepEqual([live.state, world.story.at(-1).detail.code], ["ended", 4401]);
    world.live(600_000);
    assert.equal(world.sockets.length, 1);
    // A person may, and then another code is as usual.
    live.dialNow();
    world.latest.open();
    world.latest.fail(4000);
    assert.equal(live.state, "waiting");
  }
});

test("what a page asks for after a loss is done, and what it leaves open is as usual", async () => {
  const waits = async (code, onClose) => {
    const { world, live } = await connected({ onClose });
    world.latest.fail(code);
    if (live.state === "dialling") return [0, world.story.find(({ what }) => what === "offline").detail.then];
    return [live.until - world.now, world.story.find(({ what }) => what === "offline").detail.then];
  };
  assert.deepEqual(await waits(1006, { 1006: "at-once" }), [0, { after: 0, spread: 0 }]);
  assert.deepEqual(await waits(4429, { 4429: { after: 60_000, spread: 0 } }), [60_000, { after: 60_000, spread: 0 }]);
  const [spread, then] = await waits(1012, { 1012: { spread: 120_000 } });
  assert.deepEqual(then, { after: 5000, spread: 120_000 });
  assert.ok(spread >= 5000 && spread <= 125_000);
  assert.deepEqual((await waits(1013, { 1013: { notBefore: 10_000 } }))[1], { after: 30_000, spread: 30_000 });
  assert.deepEqual((await waits(1013, { 1013: { notBefore: 90_000 } }))[1], { after: 90_000, spread: 30_000 });
  assert.deepEqual((await waits(1008, { 1008: { after: 1000 } }))[1], { after: 1000, spread: 5000 });
  assert.deepEqual((await waits(4000, (code, usual) => ({ after: usual.after + code })))[1], { after: 4000, spread: 5000 });
  // A hello that said how wide the herd is to be spread (engram 757).
  let hello = {};
  const { world, live } = await connected({ onClose: () => hello });
  hello = { spread: 60_000 };
  world.latest.fail(1006);
  assert.deepEqual(world.story.find(({ what }) => what === "offline").detail.then, { after: 0, spread: 60_000 });
  assert.equal(live.state === "waiting" || live.state === "dialling", true);
});

test("a phone that wakes on a dead socket is dialling within 8 s (agentboard 65, nodetool 4592, chalie 1841)", async () => {
  for (const options of [{}, { interval: 10_000, timeout: 10_000, suspectAfter: 2000 }]) {
    for (const events of [["pageshow", "visibilitychange"], ["visibilitychange"], ["resume"], ["online"], []]) {
      const { world } = await connected(options);
      world.server = null;
      world.freeze(600_000);
      const woke = world.now;
      for (const type of events) world.happens(type);
      world.live(20_000);
      assert.ok(at(world, "dialling") - woke <= 8000, `${events}: ${at(world, "dialling") - woke}`);
      assert.equal(world.story.find(({ what }) => what === "offline").detail.asleep, true);
    }
  }
});

test("a laptop whose clock stood still wakes on a dead socket, and nobody tells the page", async () => {
  const { world } = await connected();
  world.server = null;
  world.suspend(600_000);
  const woke = world.now;
  world.live(20_000);
  assert.ok(at(world, "dialling") - woke <= 8000, `${at(world, "dialling") - woke}`);
});

test("a dial that was begun before sleep has as long as a probe after it (ws 1948, Starscream 1052)", async () => {
  const world = new World();
  await world.socket();
  world.live(3000);
  world.freeze(5000);
  world.happens("pageshow");
  world.story.length = 0;
  const woke = world.now;
  world.live(60_000);
  assert.ok(at(world, "dialling") - woke <= 5001, `${at(world, "dialling") - woke}`);
});

test("another network that nothing but navigator.connection tells of (t3code 12573, flutter 35272)", async () => {
  for (const types of [[undefined, undefined], ["wifi", "cellular"]]) {
    const world = new World();
    world.navigator.connection.type = types[0];
    const live = await world.socket();
    world.answers();
    world.latest.open();
    world.live(60_000);
    world.server = null;
    world.story.length = 0;
    const from = world.now;
    world.network(types[1]);
    world.live(10_000);
    assert.ok(at(world, "dialling") - from <= 10_000);
    assert.equal(live.state, "dialling");
  }
  // Where the browser says that it is the same network, its strength is no news.
  const { world } = await connected({ interval: 3600_000 });
  world.network("wifi");
  world.live(2000);
  const asked = world.story.filter(({ what }) => what.startsWith("> ping")).length;
  world.network("wifi");
  world.live(2000);
  assert.deepEqual([asked, world.story.filter(({ what }) => what.startsWith("> ping")).length], [1, 1]);
});

test("an interval of 720 h: no ping too many, and none too few (openclaw 18729)", async () => {
  const world = new World();
  world.document.hidden = true;
  await world.socket({ interval: 720 * 3_600_000, timeout: 60_000 });
  world.answers();
  world.latest.open();
  world.live(24 * 3_600_000 * 60);
  const pings = world.story.filter(({ what }) => what.startsWith("> ping")).length;
  assert.ok(pings >= 2 && pings <= 3, `${pings}`);
});

test("mounted twice as React does it there is one socket", async () => {
  const world = new World();
  const one = new LiveSocket("wss://example.org/", { host: world.host() });
  one.close();
  const two = new LiveSocket("wss://example.org/", { host: world.host() });
  await begun(two);
  assert.deepEqual([world.sockets.length, one.state, two.state], [1, "ended", "dialling"]);
});

test("asleep for an hour, closed meanwhile, and back: no false alarm of the former heartbeat (react-use-websocket 269)", async () => {
  const { world, live } = await connected();
  world.freeze(3_600_000);
  world.happens("online");
  world.latest.fail(1006);
  assert.equal(live.state, "dialling", "at once");
  world.latest.open();
  world.story.length = 0;
  world.live(300_000);
  assert.deepEqual([count(world, "offline"), count(world, "suspect"), live.state], [0, 0, "online"]);
});

test("a server that took the sleeper for dead says so, and the page says it to its user", async () => {
  const { world, live } = await connected();
  world.freeze(600_000);
  world.happens("resume");
  world.latest.fail(3008, "no answer to a ping in time");
  const { detail } = world.story.find(({ what }) => what === "offline");
  assert.deepEqual([detail.reason, detail.code, detail.asleep], ["given-up", 3008, true]);
  assert.equal(detail.words, "the server heard nothing of this page for too long");
  assert.equal(live.state, "dialling", "nobody else lost it");
});

test("dialNow on a connection asks, and dials when the answer has had its time (agentboard 65)", async () => {
  const { world, live } = await connected();
  world.server = null;
  world.live(2000);
  const asked = world.now;
  live.dialNow();
  world.live(6051);
  assert.equal(live.state, "dialling");
  assert.ok(at(world, "dialling") - asked <= 6051);
  assert.equal(world.sockets.length, 2);
});

test("a shorter timeout on waking counts at once (W13)", async () => {
  const { world, live } = await connected();
  world.server = null;
  world.freeze(600_000);
  const woke = world.now;
  live.configure({ timeout: 4000 });
  world.happens("visibilitychange");
  world.live(20_000);
  assert.ok(at(world, "offline") - woke <= 5100, `${at(world, "offline") - woke}`);
});

test("a hidden tab whose timers ring once a minute answers each question at once (phoenix 4309, bento 522)", async () => {
  const { world, live } = await connected();
  world.document.hidden = true;
  world.throttle = 60_000;
  for (let asked = 0; asked < 60; asked += 1) {
    world.latest.receive(`ping ${"0".repeat(14)}${10 + asked}`);
    assert.equal(world.latest.sent.at(-1), `pong ${"0".repeat(14)}${10 + asked}`);
    world.live(20_000);
  }
  assert.deepEqual([live.state, count(world, "offline")], ["online", 0]);
});

test("a question that comes with the opening is heard (whatwg/html 1271, bun 26560)", async () => {
  const world = new World();
  await world.socket();
  world.latest.open();
  world.latest.receive("ping 00000000000000ff");
  assert.equal(world.latest.sent.at(-1), "pong 00000000000000ff");
});

test("while the system is offline nothing is dialled, and at once when it is back (redux-offline 101, kuzzle 455)", async () => {
  const { world, live } = await connected();
  world.server = null;
  world.happens("offline");
  world.live(3_600_000);
  assert.deepEqual([world.sockets.length, live.state, live.until], [1, "waiting", Infinity]);
  assert.equal(live.why, "the system says that there is no network");
  world.happens("online");
  assert.equal(live.state, "dialling");
  // And a page that is opened without one.
  const alone = new World();
  alone.navigator.onLine = false;
  const waits = new LiveSocket("wss://example.org/", { host: alone.host() });
  await settle();
  alone.live(60_000);
  assert.deepEqual([alone.sockets.length, waits.state], [0, "waiting"]);
  alone.happens("online");
  assert.equal(alone.sockets.length, 1);
});

test("a network that flaps ten times a second is not dialled at its rate", async () => {
  const world = new World();
  await world.socket();
  for (let flap = 0; flap < 3000; flap += 1) {
    world.happens("offline");
    world.live(100);
    world.happens("online");
    world.live(100);
    if (world.latest.readyState === 0) world.latest.fail();
  }
  assert.ok(world.sockets.length <= 130, `${world.sockets.length} dials in ten minutes`);
});

test("a thousand clients that a deploy sends away with 1012 come back evenly, and none before it was asked to", async () => {
  const world = new World();
  world.document.hidden = true;
  const lives = [];
  for (let client = 0; client < 1000; client += 1) {
    lives.push(new LiveSocket("wss://example.org/", { host: world.host(BigInt(client)), interval: Infinity, dialTimeout: 60_000 }));
  }
  await settle();
  assert.equal(world.sockets.length, 1000);
  for (const socket of world.sockets) socket.open();
  world.live(60_000);
  for (const socket of world.sockets.slice()) socket.fail(1012);
  const waits = lives.map((live) => live.until - world.now);
  assert.ok(waits.every((wait) => wait >= 5000 && wait <= 30_001), `${Math.min(...waits)} to ${Math.max(...waits)}`);
  for (let bin = 0; bin < 10; bin += 1) {
    const there = waits.filter((wait) => wait >= 5000 + bin * 2500 && wait < 7500 + bin * 2500).length;
    assert.ok(there > 60 && there < 145, `${there} of 100 in part ${bin}`);
  }
  world.live(4999);
  assert.equal(world.sockets.length, 1000);
  world.live(25_002);
  assert.equal(world.sockets.length, 2000);
});

test("a hand-over: the old socket serves until the new one stands, and nothing was ever offline (pyTwitchAPI 310, bolt-js 1061)", async () => {
  const { world, live } = await connected();
  const [old] = world.sockets;
  live.handOver();
  assert.deepEqual([world.sockets.length, live.state], [2, "online"]);
  assert.equal(live.send("still"), true);
  assert.equal(old.sent.at(-1), "still");
  old.receive("news");
  world.latest.open();
  assert.deepEqual(old.closedWith, [1000, "handed over"]);
  assert.equal(live.send("anew"), true);
  assert.equal(world.latest.sent.at(-1), "anew");
  assert.deepEqual([count(world, "offline"), count(world, "message"), live.state], [0, 1, "online"]);
  assert.equal(world.story.find(({ what }) => what === "open").detail.handOver, true);
  // One that cannot be had leaves the old one as it is.
  world.live(40_000);
  live.handOver();
  assert.equal(world.sockets.length, 3);
  world.latest.fail();
  assert.deepEqual([live.state, live.send("words")], ["online", true]);
});

test("binary messages go both ways as they are", async () => {
  const { world, live } = await connected({ binaryType: "arraybuffer" });
  assert.equal(world.latest.binaryType, "arraybuffer");
  const heard = [];
  live.addEventListener("message", ({ data }) => heard.push(data));
  const bytes = new Uint8Array([0, 255, 112]);
  assert.equal(live.send(bytes), true);
  assert.equal(world.latest.sent.at(-1), bytes);
  world.latest.receive(bytes.buffer);
  assert.equal(heard[0], bytes.buffer);
  live.binaryType = "blob";
  assert.deepEqual([live.binaryType, world.latest.binaryType], ["blob", "blob"]);
});
