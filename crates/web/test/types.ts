// Compiled, and not run: what a user of the types may write, and may not.

import { exact, engineIo, graphqlTransportWs, json, keepAlive, phoenix } from "../dialects.js";
import { LiveSocket, load, type Dialect, type Then, type LiveSocketOptions, type Reason } from "../liveness.js";

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

new LiveSocket(async ({ attempt, signal }) => `wss://example.org/?${attempt}${signal.aborted}`, { onClose: { 1000: "redial", 4429: { after: 60_000 } } });
new LiveSocket(Promise.resolve({ url: "wss://example.org/", protocols: ["token"] }), { onClose: (code, usual) => (code === 4401 && usual !== "stop" ? "stop" : undefined) });
live.addEventListener("offline", (event) => event.detail.said === "bye" && event.preventDefault());
live.addEventListener("open", ({ detail }) => detail.handOver && live.handOver(1000));
live.configure({ onClose: { 4000: { spread: 60_000 } }, schedule: "steady" });
live.binaryType = "blob";
const dialects: Dialect[] = [exact("ping", "pong", { role: "asks" }), json({ id: "id", interval: 5000 }), engineIo(), graphqlTransportWs(), phoenix(), keepAlive()];
new LiveSocket("wss://example.org/", { dialect: dialects[0] });

// @ts-expect-error: there is no such word.
const then: Then = "again";
console.log(then);
// @ts-expect-error: these are fixed when the socket is made.
live.configure({ stableAfter: 1000 });
// @ts-expect-error: there is no such event's detail.
live.addEventListener("online", ({ detail }) => detail.rtt);
