// Flex messages: bubbles and carousels. Layout is the browser's flexbox, which LINE's own rules refer to; see
// flex_box.js for how the properties of components become styles.

import { bind, watchPictures } from "./action.js";
import { el, fallback, isObject, list, object, part, text } from "./dom.js";
import { component } from "./flex_box.js";
import { video } from "./flex_parts.js";
import { BLOCK, BLOCK_SMALL, BUBBLE, SMALL } from "./sizes.js";
import { scroller } from "./template.js";
import { colour, keyword, style } from "./value.js";

const BLOCKS = ["header", "hero", "body", "footer"];

function block(name, bubble, first, state) {
  const content = bubble[name];
  const wrap = el("div", `f-block f-block-${name}`);
  const own = object(object(bubble.styles)[name]);
  style(wrap, "background-color", colour(own.backgroundColor));
  if (own.separator === true && !first) {
    wrap.classList.add("f-block-line");
    style(wrap, "border-top-color", colour(own.separatorColor));
  }
  wrap.append(
    part(name, content, () => {
      if (!isObject(content)) return fallback(name, content);
      if (content.type === "video" && name === "hero") return video(content, state, component);
      return component(content, "vertical", { ...state, pad: state.pads[name] });
    }),
  );
  return wrap;
}

function drawBubble(bubble, context) {
  if (!isObject(bubble) || bubble.type !== "bubble") return fallback("Bubble", bubble);
  const named = BLOCKS.filter((name) => bubble[name] !== undefined && bubble[name] !== null);
  if (named.length === 0) return fallback("A bubble without a block", bubble);
  const size = keyword(bubble.size, BUBBLE) ? bubble.size : "mega";
  const node = el("div", `f-bubble f-${size}`);
  style(node, "width", `${BUBBLE[size]}px`);
  // The text of a bubble runs as it says, whatever the page does.
  node.dir = bubble.direction === "rtl" ? "rtl" : "ltr";
  const small = SMALL.includes(size);
  const pads = Object.fromEntries(
    Object.entries(small ? BLOCK_SMALL : BLOCK).map(([name, px]) => [name, { all: px, bottom: px }]),
  );
  // The footer comes closer to the body than the bubble's edge would.
  if (named.includes("footer")) pads.body.bottom = BLOCK_SMALL.body;
  const state = { context, depth: 0, parts: { left: 2000 }, pads };
  named.forEach((name, i) => node.append(block(name, bubble, i === 0, state)));
  if (named.includes("body")) node.classList.add("f-with-body");
  return bind(node, bubble.action, context);
}

export function drawFlex(message, context) {
  watchPictures();
  const contents = object(message.contents);
  if (contents.type === "bubble") {
    const node = drawBubble(contents, context);
    if (!node.hasAttribute("role")) {
      node.setAttribute("role", "group");
      node.setAttribute("aria-label", text(message.altText) || "Flex");
    }
    return node;
  }
  if (contents.type !== "carousel") return fallback("Flex", message);
  return scroller(
    "f-carousel",
    text(message.altText) || "Flex carousel",
    list(contents.contents).map((bubble) => part("bubble", bubble, () => drawBubble(bubble, context))),
  );
}
