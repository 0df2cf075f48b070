// Random lives against the promises. A life that fails prints its seed: `LIVENESS_SEED=12 node --test test/lives.test.js`.

import assert from "node:assert/strict";
import test from "node:test";

import { World } from "./world.js";

const SEEDS = process.env.LIVENESS_SEED ? [Number(process.env.LIVENESS_SEED)] : Array.from({ length: 300 }, (_, seed) => seed);
const PAGE = ["online", "offline", "visibilitychange", "resume", "pageshow"];

/** Mulberry32: the same seed, the same life. */
function dice(seed) {
  let state = seed + 0x9e3779b9;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let word = Math.imul(state ^ (state >>> 15), 1 | state);
    word = (word + Math.imul(word ^ (word >>> 7), 61 | word)) ^ word;
    return Math.floor((((word ^ (word >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

/** What happens to a page in a bad hour; a server that is there answers within 1.5 s. */
async function lived(seed, handOvers = false) {
  const roll = dice(seed);
  const world = new World();
  let there = true;
  world.server = (socket, data) => {
    const [, digits] = /^ping ([0-9a-f]{16})$/.exec(data) ?? [];
    if (digits && there) world.later(roll(1500), () => socket.receive(`pong ${digits}`));
  };
  const live = await world.socket({ interval: 4000, timeout: 2000, suspectAfter: 1000, firstDelay: 300 }, BigInt(seed));
  for (let step = 0; step < 150; step += 1) {
    const chance = roll(20);
    if (chance < 8) world.live(roll(6000));
    else if (chance < 11) world.freeze(100 + roll(150_000));
    else if (chance < 13) world.happens(PAGE[roll(PAGE.length)]);
    else if (chance === 13) there = !there;
    else if (chance === 14) world.throttle = [1, 1000, 60_000][roll(3)];
    else if (chance === 15 && roll(4) === 0) world.latest.fail([1006, 1001, 1012, 4000][roll(4)]);
    else if (chance === 16) there && world.latest.receive("news");
    else if (chance === 17) live.send("words");
    else if (chance === 18) live.probe();
    else if (handOvers && roll(2) === 0) live.handOver(roll(3) * 500);
    else live.dialNow();
    if (world.latest.readyState === 0 && roll(3) > 0) world.latest.open();
    world.live(200);
  }
  return world;
}

test("in three hundred lives no promise is broken", async () => {
  const seen = { dialling: 0, offline: 0, suspect: 0, ping: 0, rtt: 0 };
  for (const seed of SEEDS) {
    const world = await lived(seed);
    try {
      judge(world, seen);
    } catch (error) {
      error.message = `LIVENESS_SEED=${seed}: ${error.message}`;
      throw error;
    }
  }
  if (SEEDS.length > 1) for (const [what, count] of Object.entries(seen)) assert.ok(count > 1000, `${what}: ${count}`);
});

function judge({ story, sockets }, seen, handOvers = false) {
  assert.ok(sockets.every(({ beside }) => beside <= 1), "three sockets");
  assert.ok(handOvers || !sockets.some(({ beside }) => beside), "two sockets");
  let state = null;
  /** Each ping's moment, by its digits; the newest ping's; how many came sooner after another than a second, unheard. */
  const asked = new Map();
  let newest = -Infinity;
  let sooner = 0;
  let trip = null;
  for (const { at, what, detail } of story) {
    if (what in seen) seen[what] += 1;
    switch (what) {
      case "dialling":
        assert.ok(!["online", "suspect"].includes(state), `it dials while ${state}`);
        state = "dialling";
        break;
      case "online":
        assert.ok(["dialling", "suspect"].includes(state) || handOvers, `online while ${state}`);
        state = "online";
        break;
      case "open":
        newest = -Infinity;
        sooner = 0;
        break;
      case "rtt":
        assert.equal(Math.round(detail.latest), trip, "a round trip that was none");
        break;
      case "suspect":
        assert.equal(state, "online");
        state = "suspect";
        break;
      case "offline":
        assert.ok(["online", "suspect"].includes(state), `offline while ${state}`);
        state = "offline";
        break;
      case "waiting":
        assert.notEqual(state, "online", "it never said that it is offline");
        state = "waiting";
        break;
      default:
        if (what.startsWith("< ")) sooner = 0;
        if (what.startsWith("< pong")) trip = at - asked.get(what.slice(7));
        if (!what.startsWith("> ping")) break;
        seen.ping += 1;
        asked.set(what.slice(7), at);
        if (at - newest < 1000) sooner += 1;
        newest = at;
        // The one of a page that was not looking.
        assert.ok(sooner <= 1, "a burst of pings");
    }
  }
}

test("in three hundred lives with hand-overs there are two sockets at most, and no promise is broken", async () => {
  const seen = { dialling: 0, offline: 0, ping: 0 };
  let handedOver = 0;
  for (const seed of SEEDS) {
    const world = await lived(seed, true);
    try {
      judge(world, seen, true);
    } catch (error) {
      error.message = `LIVENESS_SEED=${seed}: ${error.message}`;
      throw error;
    }
    handedOver += world.story.filter(({ what, detail }) => what === "open" && detail.handOver).length;
  }
  if (SEEDS.length > 1) assert.ok(handedOver > 100, `${handedOver}`);
});

test("whoever answers is never given up, whatever befalls the page", async () => {
  let pings = 0;
  for (const seed of SEEDS) {
    const roll = dice(seed);
    const world = new World();
    world.server = (socket, data) => {
      const [, digits] = /^ping ([0-9a-f]{16})$/.exec(data) ?? [];
      if (digits) world.later(roll(1900), () => socket.receive(`pong ${digits}`));
    };
    await world.socket({ interval: 4000, timeout: 2000, suspectAfter: 1000 }, BigInt(seed));
    world.latest.open();
    for (let step = 0; step < 60; step += 1) {
      if (roll(2) === 0) world.freeze(100 + roll(300_000));
      else if (roll(3) === 0) world.happens(PAGE[roll(PAGE.length)]);
      else world.throttle = [1, 1, 1000, 60_000][roll(4)];
      world.live(200 + roll(9000));
    }
    const offline = world.story.find(({ what }) => what === "offline");
    assert.equal(offline, undefined, `LIVENESS_SEED=${seed}: ${JSON.stringify(offline)}`);
    pings += world.story.filter(({ what }) => what.startsWith("> ping")).length;
  }
  assert.ok(pings > SEEDS.length * 20, `${pings}`);
});

/**
 * A thread that loses its processor at one reading of the clock in so many: for next to nothing, for about a last look, for
 * seconds, about a timeout, a minute, or until a timer has just rung or just not.
 */
function preempting(roll) {
  const seldom = 2 << roll(7);
  return (wait) => {
    if (roll(seldom) > 0) return 0;
    const lengths = [roll(3), 10, roll(3000), 1500 + roll(2500), roll(60_000)];
    const length = lengths[roll(8)] ?? Math.min(wait, 60_000) + roll(3) - 1;
    return Math.max(0, length);
  };
}

/** A page with a server that answers within 1.9 s, on a busy machine: time passes within the turns of its script. */
async function preempted(seed) {
  const roll = dice(seed);
  const world = new World();
  world.server = (socket, data) => {
    const [, digits] = /^ping ([0-9a-f]{16})$/.exec(data) ?? [];
    if (digits) world.later(roll(1900), () => socket.receive(`pong ${digits}`));
  };
  const live = await world.socket({ interval: 4000, timeout: 2000, suspectAfter: 1000 }, BigInt(seed));
  world.latest.open();
  world.busy = preempting(roll);
  for (let step = 0; step < 30; step += 1) {
    if (roll(4) === 0) live.send("words");
    else if (roll(4) === 0) live.probe();
    else if (roll(4) === 0) world.latest.receive("news");
    world.live(200 + roll(9000));
  }
  return world;
}

test("whoever answers is never given up, wherever the page's thread loses its processor", async () => {
  let [leaps, missed] = [0, 0];
  for (const seed of SEEDS) {
    const world = await preempted(seed);
    const offline = world.story.find(({ what }) => what === "offline");
    assert.equal(offline, undefined, `LIVENESS_SEED=${seed}: ${JSON.stringify(offline)}`);
    leaps += world.preempted.length;
    missed += world.missed;
  }
  if (SEEDS.length > 1) assert.ok(leaps > 10_000 && missed > 1_000, `${leaps} ${missed}`);
});

test("whoever answers no more is given up, later by no more than the page's thread was away", async () => {
  let [leaps, missed] = [0, 0];
  for (const seed of SEEDS) {
    const world = await preempted(seed);
    world.server = null;
    // What is under way may still come.
    const since = world.now + 1900;
    const offline = () => world.story.find(({ what }) => what === "offline");
    for (let turn = 0; turn < 200 && !offline(); turn += 1) world.live(1000);
    assert.ok(offline(), `LIVENESS_SEED=${seed}: it is never given up`);
    const late = offline().at + 1000 - since - world.away(since);
    // An interval and a timeout, and rule 6 asks once more.
    assert.ok(late <= 4000 + 2 * 2000 + 200, `LIVENESS_SEED=${seed}: ${late} ms late`);
    leaps += world.preempted.length;
    missed += world.missed;
  }
  if (SEEDS.length > 1) assert.ok(leaps > 10_000 && missed > 1_000, `${leaps} ${missed}`);
});
