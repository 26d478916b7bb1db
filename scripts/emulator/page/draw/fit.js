// shrink-to-fit: one observer for all texts that shrink, which looks at them when they are laid out.

import { SHRINK } from "./sizes.js";
import { style } from "./value.js";

let observer = null;

function shrink(node) {
  style(node, "font-size", "1em");
  const wide = node.scrollWidth;
  const room = node.clientWidth;
  if (room === 0 || wide <= room) return;
  // Letters do not shrink quite evenly, so what is still too wide is taken down by a little more.
  let share = room / wide;
  for (let i = 0; i < 6 && share > SHRINK; i++) {
    style(node, "font-size", `${share}em`);
    if (node.scrollWidth <= node.clientWidth) return;
    share *= 0.97;
  }
  style(node, "font-size", `${SHRINK}em`);
}

// The node is one line of text that is cut at its edge (overflow hidden) and has the full width it may use.
export function fit(node) {
  observer ??= new ResizeObserver((entries) => entries.forEach((entry) => shrink(entry.target)));
  node.classList.add("d-fit");
  observer.observe(node);
}
