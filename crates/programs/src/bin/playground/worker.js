// Many lives, beside the page: so many hours of these settings, a part at a time.

import { load } from "./machine.js";

const loaded = load();
let latest = 0;

onmessage = async ({ data: { job, tasks } }) => {
  latest = job;
  const call = await loaded;
  for (const [index, { text, hours, parts }] of tasks.entries()) {
    let answer = call("begin", text);
    for (let part = 1; part <= parts && !answer.error; part++) {
      answer = call("go_on", "", hours / parts);
      postMessage({ job, index, done: part / parts, answer });
      // A newer order is heard between two parts.
      await new Promise((resolve) => setTimeout(resolve));
      if (latest !== job) return;
    }
    if (answer.error) postMessage({ job, index, done: 1, answer });
  }
};
