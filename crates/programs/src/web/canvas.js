// A canvas in the pixels of its screen and in the colours of the style. Served to each page as /canvas.js.

const probe = document.createElement("span");
probe.hidden = true;
document.body.append(probe);

/** The colour behind a name of the style, as it is in this mode. */
export function colour(name) {
  probe.style.color = `var(--${name})`;
  return getComputedStyle(probe).color;
}

/** Empties a canvas: gives its pen, and its size in the pixels of the page. */
export function blank(canvas) {
  const { width, height } = canvas.getBoundingClientRect();
  const dense = devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * dense) || canvas.height !== Math.round(height * dense)) {
    [canvas.width, canvas.height] = [Math.round(width * dense), Math.round(height * dense)];
  }
  const pen = canvas.getContext("2d");
  pen.setTransform(dense, 0, 0, dense, 0, 0);
  pen.clearRect(0, 0, width, height);
  pen.font = `12px ${getComputedStyle(canvas).fontFamily}`;
  return { pen, width, height };
}
