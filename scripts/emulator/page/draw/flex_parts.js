// The smaller components of Flex: button, image, video, icon, separator, filler.

import { bind, button as press, describe } from "./action.js";
import { el, fallback, isObject, object, text } from "./dom.js";
import { fit } from "./fit.js";
import { flexOf, isAbsolute } from "./flex_place.js";
import { film } from "./media.js";
import { picture } from "./picture.js";
import { BUTTON, IMAGE, SPACER, TEXT } from "./sizes.js";
import { colour, keyword, length, linkAddress, mediaAddress, percent, pixels, ratio, style } from "./value.js";

// Where a part sits in the height it was given: a class, since text, images and buttons do it alike.
export function gravity(c, layout) {
  if (layout === "baseline") return "";
  return c.gravity === "center" ? " f-middle" : c.gravity === "bottom" ? " f-bottom" : "";
}

// The font size for a component; scaling follows the page's --d-scale as the app follows its font setting.
export function fontSize(node, c, standard = "md") {
  const px = keyword(c.size, TEXT) ?? pixels(c.size) ?? TEXT[standard];
  style(node, "font-size", c.scaling === true ? `calc(${px}px * var(--d-scale, 1))` : `${px}px`);
}

const STYLES = { primary: "f-primary", secondary: "f-secondary", link: "f-link" };

export function button(c, layout, state) {
  const look = keyword(c.style, STYLES) ?? STYLES.link;
  const words = el("span", "d-one-line", text(object(c.action).label) || describe(c.action));
  const inner = press(`f-press ${look}`, c.action, state.context, words);
  const height = keyword(c.height, BUTTON) ?? BUTTON.md;
  style(inner, "height", c.scaling === true ? `calc(${height}px * var(--d-scale, 1))` : `${height}px`);
  style(inner, look === STYLES.link ? "color" : "background-color", colour(c.color));
  if (c.scaling === true) fontSize(inner, { scaling: true });
  if (c.adjustMode === "shrink-to-fit") fit(words);
  return el("div", `f-button${gravity(c, layout)}`, inner);
}

const ALIGN = { start: "f-at-start", end: "f-at-end", center: "f-at-center" };

// The component has the place, the drawing area within it has size and ratio, the picture fills that or fits into it.
export function flexImage(c, layout, state) {
  const area = picture(mediaAddress(c.url), {
    alt: "",
    wanted: c.url,
    className: c.aspectMode === "cover" ? "f-area d-cover" : "f-area d-contain",
  });
  const node = el("div", `f-image ${keyword(c.align, ALIGN) ?? ALIGN.center}${gravity(c, layout)}`, area);
  const [w, h] = ratio(c.aspectRatio) ?? [1, 1];
  style(area, "aspect-ratio", `${w} / ${h}`);
  style(area, "background-color", colour(c.backgroundColor));
  const share = c.size === "full" ? 100 : percent(c.size);
  if (share === null) {
    style(area, "width", `${keyword(c.size, IMAGE) ?? pixels(c.size) ?? IMAGE.md}px`);
  } else if (isAbsolute(c) || (layout !== "vertical" && flexOf(c, "image", layout) === 0)) {
    // Nothing else gives these a width that a share could be taken of.
    const both = isAbsolute(c) && c.offsetStart !== undefined && c.offsetEnd !== undefined;
    if (!both) style(node, "width", `${share}%`);
    style(area, "width", both ? `${share}%` : "100%");
  } else {
    if (layout === "vertical") style(node, "width", "100%");
    style(area, "width", `${share}%`);
  }
  return bind(node, c.action, state.context);
}

// A hero video; where it has no address that can be played, what LINE shows on old phones.
export function video(c, state, component) {
  const address = mediaAddress(c.url);
  if (!address) return isObject(c.altContent) ? component(c.altContent, "vertical", state) : fallback("video", c);
  const { frame } = film(address, mediaAddress(c.previewUrl), { wanted: text(c.previewUrl) });
  const [w, h] = ratio(c.aspectRatio) ?? [1, 1];
  style(frame, "aspect-ratio", `${w} / ${h}`);
  const node = el("div", "f-video", frame);
  const { label, uri } = object(c.action);
  if (object(c.action).type === "uri" && linkAddress(uri))
    node.append(bind(el("div", "f-video-action", text(label) || text(uri)), c.action, state.context));
  return node;
}

export function flexIcon(c, layout) {
  const node = picture(mediaAddress(c.url), { alt: "", wanted: c.url, className: "f-icon d-contain" });
  const [w, h] = ratio(c.aspectRatio) ?? [1, 1];
  fontSize(node, c);
  style(node, "height", "1em");
  style(node, "width", `${w / h}em`);
  if (layout !== "baseline") node.classList.add("f-icon-loose");
  return node;
}

export function separator(c) {
  const node = el("div", "f-separator");
  style(node, "background-color", colour(c.color));
  return node;
}

export const filler = () => el("div", "f-filler");

// Not documented any more; old messages have it.
export function spacer(c) {
  const node = el("div", "f-filler");
  const px = length(c.size, { table: SPACER }) ?? `${SPACER.md}px`;
  style(node, "min-width", px);
  style(node, "min-height", px);
  return node;
}
