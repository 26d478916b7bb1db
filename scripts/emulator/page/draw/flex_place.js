// The place of a component within its box: flex, margin, position and offsets.

import { isObject } from "./dom.js";
import { SPACE } from "./sizes.js";
import { length, style } from "./value.js";

// The share of free space: 1 in a row and 0 in a column unless given. A box with a width or height of its own has 0 in a
// row, icons and lines always.
export function flexOf(c, type, layout) {
  if (type === "icon" || type === "separator" || type === "spacer") return 0;
  const row = layout !== "vertical";
  if (type === "box" && row && (sized(c.width) || sized(c.height))) return 0;
  if (typeof c.flex === "number" && c.flex >= 0 && c.flex <= 10000) return c.flex;
  return row || type === "filler" ? 1 : 0;
}

const sized = (value) => length(value, { percent: true }) !== null;

export const isAbsolute = (c) => c.position === "absolute";

// Gives the drawn component its share of the box and its offsets.
export function put(node, c, type, layout) {
  const space = { percent: true, negative: true, table: SPACE };
  if (isAbsolute(c)) {
    node.classList.add("f-absolute");
  } else {
    const flex = flexOf(c, type, layout);
    // As LINE's documentation gives them in CSS.
    style(node, "flex", flex === 0 ? "0 0 auto" : layout === "vertical" ? `${flex} 0 auto` : `${flex} 0 0px`);
  }
  style(node, "top", length(c.offsetTop, space));
  if (layout !== "baseline") style(node, "bottom", length(c.offsetBottom, space));
  style(node, "inset-inline-start", length(c.offsetStart, space));
  style(node, "inset-inline-end", length(c.offsetEnd, space));
}

// Space before a child: its own margin, else the box's spacing for all but the first. None before a filler, and what is
// absolute is not counted.
export function space(children, nodes, box_, layout) {
  const spacing = length(box_.spacing, { table: SPACE });
  const side = layout === "vertical" ? "margin-top" : "margin-inline-start";
  let first = true;
  children.forEach((c, i) => {
    if (!isObject(c) || isAbsolute(c)) return;
    const margin = length(c.margin, { table: SPACE });
    style(nodes[i], side, margin ?? (first || c.type === "filler" ? null : spacing));
    first = false;
  });
}
