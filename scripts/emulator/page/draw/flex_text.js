// Text of Flex, and the spans in it.

import { bind } from "./action.js";
import { el, isObject, list, text } from "./dom.js";
import { fit } from "./fit.js";
import { fontSize, gravity } from "./flex_parts.js";
import { colour, keyword, pixels, style } from "./value.js";

const DECORATION = { underline: "underline", "line-through": "line-through", none: "none" };
const ALIGN = { start: "start", end: "end", center: "center" };

function letters(node, c) {
  style(node, "color", colour(c.color));
  if (c.weight === "bold") node.classList.add("f-bold");
  else if (c.weight === "regular") node.classList.add("f-regular");
  if (c.style === "italic") node.classList.add("f-italic");
  else if (c.style === "normal") node.classList.add("f-upright");
  style(node, "text-decoration-line", keyword(c.decoration, DECORATION));
}

function span(c) {
  const node = el("span", "f-span", text(c.text));
  letters(node, c);
  // Without a size of its own a span has the text's.
  if (c.size !== undefined) fontSize(node, c);
  return node;
}

export function flexText(c, layout, state) {
  const spans = list(c.contents).filter((one) => isObject(one) && one.type === "span");
  const words = el("div", "f-words", spans.length ? spans.map(span) : text(c.text));
  const node = el("div", `f-text${gravity(c, layout)}`, words);
  fontSize(node, c);
  letters(words, c);
  style(words, "text-align", keyword(c.align, ALIGN));
  const wrap = c.wrap === true;
  words.classList.add(wrap ? "f-wrap" : "f-clip");
  if (wrap && Number.isInteger(c.maxLines) && c.maxLines > 0) {
    words.classList.add("f-clamp");
    style(words, "-webkit-line-clamp", String(Math.min(c.maxLines, 1000)));
  }
  const gap = pixels(c.lineSpacing);
  if (wrap && gap) {
    // Between lines only: half of it comes off above the first line and below the last.
    style(words, "--gap", `${gap}px`);
    style(words, "margin-block", `${-gap / 2}px`);
  }
  if (c.adjustMode === "shrink-to-fit" && !wrap) fit(words);
  return bind(node, c.action, state.context);
}
