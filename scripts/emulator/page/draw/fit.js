// shrink-to-fit: one observer for all texts that shrink, which looks at them when they are laid out.

import { SHRINK } from "./sizes.js";
import { style } from "./value.js";

let observer = null;

// The width the letters take, cut off or not; scrollWidth is rounded, and half a pixel too much makes three dots.
function wanted(node) {
  const range = document.createRange();
  range.selectNodeContents(node);
  return range.getBoundingClientRect().width;
}

function shrink(node) {
  style(node, "font-size", "1em");
  const room = node.getBoundingClientRect().width;
  const wide = wanted(node);
  if (room === 0 || wide <= room) return;
  // Letters do not shrink quite evenly, so what is still too wide is taken down by a little more.
  for (let share = room / wide; share > SHRINK; share *= 0.98) {
    style(node, "font-size", `${share}em`);
    if (wanted(node) <= room) return;
  }
  style(node, "font-size", `${SHRINK}em`);
}

// The node is one line of text that is cut at its edge (overflow hidden) and as wide as it may be.
export function fit(node) {
  observer ??= new ResizeObserver((entries) => entries.forEach((entry) => shrink(entry.target)));
  node.classList.add("d-fit");
  observer.observe(node);
}
