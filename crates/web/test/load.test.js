// How the machine comes to the page.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import test from "node:test";

const bytes = await readFile(new URL("../liveness.wasm", import.meta.url));
const wasm = { headers: { "Content-Type": "application/wasm" } };

/** The module as a page finds it that loads nothing yet. */
let copies = 0;
const fresh = () => import(`../liveness.js?${(copies += 1)}`);

const next = (live, type) => new Promise((resolve) => live.addEventListener(type, ({ detail }) => resolve(detail), { once: true }));

/** A socket that is dialled and never opens. */
class Socket {
  readyState = 0;
  bufferedAmount = 0;
  close() {
    this.readyState = 3;
  }
}

/** A page whose server gives these answers, one after the other. */
async function page(...answers) {
  return withOptions({}, ...answers);
}

async function withOptions({ seed = () => 7n, ...options }, ...answers) {
  const { LiveSocket, load } = await fresh();
  const asked = [];
  const usual = globalThis.fetch;
  globalThis.fetch = async (url) => {
    asked.push(String(url));
    const answer = answers.shift();
    if (answer instanceof Error) throw answer;
    return answer;
  };
  const timers = [];
  const setTimeout = (then, wait) => timers.push({ then, wait });
  const clearTimeout = (timer) => timer && Object.assign(timers[timer - 1], { cleared: true });
  const window = new EventTarget();
  const live = new LiveSocket("wss://example.org/", { ...options, host: { WebSocket: Socket, setTimeout, clearTimeout, window, seed } });
  return { live, load, LiveSocket, asked, timers, window, done: () => (globalThis.fetch = usual) };
}

for (const [kind, answer] of [["says what it is", wasm], ["says that it is something else", {}]]) {
  test(`it is fetched from beside the script, once, and compiled where its server ${kind}`, async () => {
    const { live, LiveSocket, asked, done } = await page(new Response(bytes, answer));
    await next(live, "dialling");
    const another = new LiveSocket("wss://example.org/", { host: { WebSocket: Socket } });
    await next(another, "dialling");
    done();
    assert.equal(asked.length, 1);
    assert.match(asked[0], /web\/liveness\.wasm$/);
    for (const socket of [live, another]) socket.close();
  });
}

for (const [kind, answer, why] of [
  ["is not to be had", new Response("", { status: 404 }), /^liveness\.wasm is not to be had: .*404$/],
  ["cannot be asked for", new TypeError("fetch failed"), /^liveness\.wasm is not to be had: fetch failed$/],
  ["is broken", new Response("not this", wasm), /^liveness\.wasm is not to be had: /],
]) {
  test(`where it ${kind}, the socket says why and tries again, ever later, and at once where a person asks`, async () => {
    const answers = [answer, new TypeError("fetch failed"), new TypeError("fetch failed"), new Response(bytes, wasm)];
    const { live, asked, timers, done } = await page(...answers);
    const first = await next(live, "waiting");
    assert.match(first.why, why);
    assert.equal(first.attempt, 2);
    assert.deepEqual([live.state, live.send("words"), live.report(), live.attempts], ["waiting", false, "", 1]);
    assert.ok(timers[0].wait >= 1000 && timers[0].wait <= 2000, `${timers[0].wait}`);
    timers[0].then();
    await next(live, "waiting");
    assert.ok(timers[1].wait >= 2000 && timers[1].wait <= 4000, `${timers[1].wait}`);
    live.dialNow();
    assert.ok(timers[1].cleared, "nobody asks twice");
    assert.equal((await next(live, "waiting")).attempt, 4);
    live.dialNow();
    assert.equal((await next(live, "dialling")).attempt, 1);
    assert.equal(asked.length, 4);
    done();
    live.close();
  });
}

test("a page that is opened without a network fetches it when the network is back (acebase-client 2)", async () => {
  const failed = () => new TypeError("fetch failed");
  const { live, asked, timers, window, done } = await page(failed(), failed(), failed(), new Response(bytes, wasm));
  for (let attempt = 0; attempt < 3; attempt += 1) {
    await next(live, "waiting");
    if (attempt < 2) timers.at(-1).then();
  }
  // The third wait is of 4 s at least, and what is back ends it; but no sooner than the first would have ended.
  assert.ok(timers.at(-1).wait >= 4000);
  const until = live.until;
  window.dispatchEvent(new Event("online"));
  assert.ok(timers.at(-1).wait > 0 && timers.at(-1).wait <= 1000, `${timers.at(-1).wait}`);
  assert.ok(live.until < until);
  assert.ok(timers.at(-2).cleared, "nobody asks twice");
  timers.at(-1).then();
  await next(live, "dialling");
  // From here on the machine is told.
  const before = timers.length;
  window.dispatchEvent(new Event("online"));
  assert.deepEqual([asked.length, timers.length], [4, before]);
  done();
  live.close();
});

test("between two tries lies no more than the longest wait, twice", async () => {
  const failed = () => new TypeError("fetch failed");
  const options = { firstDelay: 1000, longestDelay: 3000 };
  const { live, timers, done } = await withOptions(options, failed(), failed(), failed(), failed(), failed());
  for (let attempt = 0; attempt < 5; attempt += 1) {
    await next(live, "waiting");
    if (attempt < 4) timers.at(-1).then();
  }
  const longest = Math.max(...timers.map(({ wait }) => wait));
  assert.ok(longest >= 3000 && longest <= 6000, `${longest}`);
  done();
  live.close();
});

test("a page may bring it along, as bytes or compiled", async () => {
  for (const source of [bytes, new Uint8Array(bytes).buffer, await WebAssembly.compile(bytes), new Response(bytes, wasm)]) {
    const { LiveSocket, load } = await fresh();
    await load(source);
    const live = new LiveSocket("wss://example.org/", { host: { WebSocket: Socket } });
    await next(live, "dialling");
    live.close();
  }
});

test("who closes before it is there dials nothing", async () => {
  const { live, LiveSocket, done } = await page(new Response(bytes, wasm));
  live.close();
  assert.equal(live.state, "ended");
  live.addEventListener("dialling", () => assert.fail("it dials"));
  // By when this one does, that one would have.
  const after = new LiveSocket("wss://example.org/", { host: { WebSocket: Socket } });
  await next(after, "dialling");
  done();
  after.close();
  assert.equal(live.state, "ended");
});

test("who closes before it turns out that it is not to be had is left alone", async () => {
  const { live, timers, done } = await page(new TypeError("fetch failed"));
  live.close();
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  done();
  assert.deepEqual([live.state, timers.length], ["ended", 0]);
});

test("the wait for it is drawn from one to two of what the options say, and is never nothing", async () => {
  for (const [firstDelay, seed, expected] of [[1000, 0n, 1000], [1000, 512n, 1500], [1000, 1024n, 1000], [0, 0n, 1]]) {
    const { live, timers, done } = await withOptions({ firstDelay, seed: () => seed }, new TypeError("fetch failed"));
    await next(live, "waiting");
    assert.equal(timers[0].wait, expected);
    done();
    live.close();
  }
});

test("who closes while it waits for the machine is left alone", async () => {
  const { live, timers, asked, done } = await page(new TypeError("fetch failed"), new Response(bytes, wasm));
  await next(live, "waiting");
  live.close();
  assert.equal(live.state, "ended");
  assert.ok(timers[0].cleared, "nobody wakes it");
  live.dialNow();
  await next(live, "dialling");
  assert.equal(asked.length, 2);
  assert.equal(timers.length >= 1, true);
  done();
  live.close();
});

test("the machine has no imports, and traps where it is told nonsense at no place", async () => {
  const module = await WebAssembly.compile(bytes);
  assert.deepEqual(WebAssembly.Module.imports(module), []);
  const { exports } = await WebAssembly.instantiate(module);
  const odd = [0, -1, NaN, Infinity, -Infinity, 1e300, 2 ** 53, 0.5];
  for (const [name, call] of Object.entries(exports)) {
    if (typeof call !== "function") continue;
    for (const number of odd) {
      for (const big of [0n, -1n, 2n ** 63n]) {
        // Which of its numbers is a payload, each export knows.
        for (const args of [[number, number, number, number, number, number, number, number], [big, number, number, number, number]]) {
          try {
            call(...args);
          } catch (error) {
            assert.ok(error instanceof TypeError, `${name}(${args}): ${error}`);
          }
        }
      }
      exports.poll(number);
    }
  }
});
