// Many lives, beside the page: of each task so many parts, of so many hours.

import { load } from "./machine.js";

const loaded = load();
let latest = 0;

onmessage = async ({ data: { job, hours, tasks } }) => {
  latest = job;
  const call = await loaded;
  let done = 0;
  for (const [index, { text, parts }] of tasks.entries()) {
    call("begin", text);
    for (let part = 0; part < parts; part++) {
      done += 1;
      postMessage({ job, index, done, answer: call("go on", hours) });
      // A newer order is heard between two parts.
      await new Promise((resolve) => setTimeout(resolve));
      if (latest !== job) return;
    }
  }
};
