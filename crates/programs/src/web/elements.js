// Elements of a page, and what the browser keeps for it. Served to each page as /elements.js.

const SHAPES = ["circle", "g", "line", "polyline", "text"];

/** The element of the page that has this id. */
export const at = (id) => document.getElementById(id);

/** A new element, perhaps a shape of an svg, with these attributes and this inside it. A function is a handler. */
export function make(kind, attributes = {}, ...inside) {
  const shape = SHAPES.includes(kind) && document.createElementNS("http://www.w3.org/2000/svg", kind);
  const element = shape || document.createElement(kind);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...inside);
  return element;
}

/** What this browser keeps for the page under a name of `window`; an object that ends with the page if its user forbids that. */
export function storage(name) {
  try {
    return window[name];
  } catch {
    return {};
  }
}

/** Says this for a moment, at the foot of the page. */
export function toast(text) {
  const item = make("p", { class: "toast" }, text);
  document.querySelector(".toasts").append(item);
  setTimeout(() => item.remove(), 5000);
}
