// A live socket with the options of the address, and all that it tells: `window.half` is for whoever tests it.

import { LiveSocket } from "/liveness.js";

const half = (window.half = { events: [], ticks: [], hidden: 0 });
const options = Object.fromEntries([...new URLSearchParams(location.search)].map(([name, value]) => [name, Number(value)]));

half.live = new LiveSocket(`${location.protocol.replace("http", "ws")}//${location.host}/live`, options);
for (const type of ["dialling", "open", "online", "suspect", "offline", "rtt", "waiting", "ended"]) {
  half.live.addEventListener(type, ({ detail }) => half.events.push([Math.round(performance.now()), type, detail]));
}

// How a page's timers ring, where each sets the next.
function tick() {
  half.ticks.push(Math.round(performance.now()));
  if (document.hidden) half.hidden += 1;
  setTimeout(tick, 1000);
}
tick();
