// Compiled, and not run: what a user of the types may write, and may not.

import { LiveSocket, load, type LiveSocketOptions, type Reason } from "../liveness.js";

const options: LiveSocketOptions = { interval: 10_000, probeTimeout: 3000, suspectAfter: Infinity, binaryType: "arraybuffer" };
const live = new LiveSocket(() => new URL("wss://example.org/live"), options);
live.addEventListener("offline", ({ detail }) => {
  const reason: Reason = detail.reason;
  const silence: number = detail.silence;
  console.log(reason, silence, detail.words, detail.report);
});
live.addEventListener("message", ({ data }) => console.log(data));
live.addEventListener("rtt", ({ detail }) => detail.latest.toFixed(1));
live.addEventListener("waiting", ({ detail }) => console.log(detail.until - performance.now()), { once: true });
const heard: boolean = live.send(new Uint8Array(2));
console.log(heard);
live.configure({ timeout: 10_000 });
void load(new ArrayBuffer(8)).then((module) => WebAssembly.Module.exports(module));

// @ts-expect-error: these are fixed when the socket is made.
live.configure({ stableAfter: 1000 });
// @ts-expect-error: there is no such event's detail.
live.addEventListener("online", ({ detail }) => detail.rtt);
