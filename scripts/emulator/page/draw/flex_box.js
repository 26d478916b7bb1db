// Boxes and what may stand in them.

import { bind } from "./action.js";
import { el, fallback, isObject, list, part, text } from "./dom.js";
import { button, filler, flexImage, flexIcon, separator, spacer } from "./flex_parts.js";
import { flexText } from "./flex_text.js";
import { put, space } from "./flex_place.js";
import { BORDER, RADIUS, SPACE } from "./sizes.js";
import { colour, gradient, keyword, length, style } from "./value.js";

// Deeper than any message that LINE takes; a page that lays out thousands of nested boxes stands still.
const DEEPEST = 40;

const DRAW = { box, button, image: flexImage, icon: flexIcon, text: flexText, separator, filler, spacer };

const LAYOUTS = { horizontal: "f-row", vertical: "f-column", baseline: "f-row f-baseline" };

const MAIN = ["center", "flex-start", "flex-end", "space-between", "space-around", "space-evenly"];
const CROSS = ["center", "flex-start", "flex-end"];
const among = (value, words) => (words.includes(value) ? value : null);

// Draws one component as a child of a box of the given layout. state: {context, depth, parts: {left}, pad?}
export function component(c, layout, state) {
  const type = isObject(c) ? text(c.type) : "";
  if (!Object.hasOwn(DRAW, type)) return fallback(type || "component", c);
  if (state.depth > DEEPEST || state.parts.left-- <= 0) return fallback(`${type}: too much to draw`, c);
  return part(type, c, () => {
    const node = DRAW[type](c, layout, state);
    node.classList.add("f-part");
    put(node, c, type, layout);
    return node;
  });
}

export function box(c, layout, state) {
  const own = Object.hasOwn(LAYOUTS, c.layout) ? c.layout : "vertical";
  const node = el("div", `f-box ${LAYOUTS[own]}`);
  const within = { ...state, depth: state.depth + 1, pad: undefined };
  // One more than may be drawn: its place says that there was more.
  const children = list(c.contents).slice(0, Math.max(0, state.parts.left) + 1);
  const nodes = children.map((child) => component(child, own, within));
  space(children, nodes, c, own);
  node.append(...nodes);

  const size = { percent: true };
  for (const [name, value] of [
    ["width", c.width],
    ["max-width", c.maxWidth],
    ["height", c.height],
    ["max-height", c.maxHeight],
  ])
    style(node, name, length(value, size));

  if (state.pad) {
    style(node, "padding", `${state.pad.all}px`);
    style(node, "padding-bottom", `${state.pad.bottom}px`);
  }
  const padding = { percent: true, table: SPACE };
  style(node, "padding", length(c.paddingAll, padding));
  style(node, "padding-top", length(c.paddingTop, padding));
  style(node, "padding-bottom", length(c.paddingBottom, padding));
  style(node, "padding-inline-start", length(c.paddingStart, padding));
  style(node, "padding-inline-end", length(c.paddingEnd, padding));

  style(node, "background-color", colour(c.backgroundColor));
  style(node, "background-image", gradient(isObject(c.background) ? c.background : null));
  border(node, c);
  style(node, "border-radius", length(c.cornerRadius, { table: RADIUS }));

  style(node, "justify-content", among(c.justifyContent, MAIN));
  if (own !== "baseline") style(node, "align-items", among(c.alignItems, CROSS));
  return bind(node, c.action, state.context);
}

function border(node, c) {
  const width = length(c.borderWidth, { table: BORDER });
  const paint = colour(c.borderColor);
  if (width === null && paint === null) return;
  // A colour without a width has the normal one.
  style(node, "border-style", "solid");
  style(node, "border-width", width ?? `${keyword("normal", BORDER)}px`);
  style(node, "border-color", paint ?? "#000000");
}
