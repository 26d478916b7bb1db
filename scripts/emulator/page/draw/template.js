// Template messages: buttons, confirm, carousel, image carousel.

import { bind, button, describe, watchPictures } from "./action.js";
import { el, fallback, isObject, list, object, part, text } from "./dom.js";
import { picture } from "./picture.js";
import { colour, mediaAddress, style } from "./value.js";

const label = (action) => text(object(action).label) || describe(action);

function actionButtons(actions, context, className) {
  return el(
    "div",
    className,
    list(actions).map((action) =>
      button("d-template-action", action, context, el("span", "d-one-line", label(action))),
    ),
  );
}

// The picture on top: rectangle is 1.51:1, square 1:1; contain shows the colour around it.
function thumbnail(url, template, background) {
  const square = template.imageAspectRatio === "square";
  const contain = template.imageSize === "contain";
  const node = picture(mediaAddress(url), {
    alt: "",
    wanted: url,
    className: `d-thumbnail ${square ? "d-square" : "d-rectangle"} ${contain ? "d-contain" : "d-cover"}`,
  });
  style(node, "background-color", colour(background));
  return node;
}

// One card of a buttons or carousel template. Picture, title and text do the default action together.
function card(column, template, context, { url, background, pictures }) {
  const title = text(column.title);
  const words = el(
    "div",
    "d-template-words",
    title && el("span", "d-template-title", title),
    el("span", "d-template-text", text(column.text)),
  );
  words.dir = "auto";
  const top = el("div", "d-template-top", (url || pictures) && thumbnail(url, template, background), words);
  return el(
    "div",
    "d-card d-template-card",
    bind(top, column.defaultAction, context),
    actionButtons(column.actions, context, "d-template-actions"),
  );
}

function buttons(template, context) {
  return card(template, template, context, {
    url: template.thumbnailImageUrl,
    background: template.imageBackgroundColor,
    pictures: false,
  });
}

function confirm(template, context) {
  const words = el("div", "d-template-words", el("span", "d-template-text", text(template.text)));
  words.dir = "auto";
  return el(
    "div",
    "d-card d-template-card d-confirm",
    words,
    actionButtons(template.actions, context, "d-confirm-actions"),
  );
}

// A row of cards to scroll sideways, by finger, wheel or arrow keys.
export function scroller(className, label_, items) {
  const node = el("div", `d-scroller ${className}`, items);
  node.tabIndex = 0;
  node.setAttribute("role", "group");
  node.setAttribute("aria-label", label_);
  return node;
}

function carousel(template, context) {
  const columns = list(template.columns);
  // All columns have a picture or none has; a message that breaks this keeps its text at one height all the same.
  const pictures = columns.some((column) => text(object(column).thumbnailImageUrl));
  return scroller(
    "d-carousel",
    `Carousel of ${columns.length}`,
    columns.map((column) =>
      part("column", column, () =>
        isObject(column)
          ? card(column, template, context, {
              url: column.thumbnailImageUrl,
              background: column.imageBackgroundColor,
              pictures,
            })
          : fallback("column", column),
      ),
    ),
  );
}

function imageCarousel(template, context) {
  const columns = list(template.columns);
  return scroller(
    "d-carousel d-image-carousel",
    `Image carousel of ${columns.length}`,
    columns.map((column) =>
      part("column", column, () => {
        const { imageUrl, action } = object(column);
        const name = text(object(action).label);
        const node = el(
          "div",
          "d-card d-image-column",
          picture(mediaAddress(imageUrl), { alt: name, wanted: imageUrl, className: "d-thumbnail d-square d-cover" }),
          name && el("span", "d-image-label", name),
        );
        return bind(node, action, context);
      }),
    ),
  );
}

const KINDS = { buttons, confirm, carousel, image_carousel: imageCarousel };

export function drawTemplate(message, context) {
  watchPictures();
  const template = object(message.template);
  if (!Object.hasOwn(KINDS, template.type)) return fallback(`Template ${text(template.type)}`, message);
  const node = KINDS[template.type](template, context);
  if (!node.hasAttribute("role")) {
    node.setAttribute("role", "group");
    node.setAttribute("aria-label", text(message.altText) || "Template");
  }
  return node;
}
