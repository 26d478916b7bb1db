// Draws LINE messages as a phone shows them. Give it message objects as the Messaging API takes them or as webhooks hold
// them; it gives back elements. It keeps no state, fetches nothing by itself, and takes no message's word for HTML, CSS
// or script. Style sheet: draw.css.
//
// context (all optional):
//   onAction(action, {element, original})   something was tapped. action has the form of an action object of the
//                                Messaging API also for imagemaps (original is as the message has it); three more types
//                                are {type: "videoPlayComplete", trackingId}, {type: "coupon", couponId}.
//   mediaUrl(message, "original" | "preview")   address of the content of an image, video, audio or file
//   memberName(userId)           for mentions and quotes
//   quoted                       {message, name?, userId?}: what this message quotes, or null
//   emojiUrl(productId, emojiId)   a picture of a LINE emoji, or null for a drawn stand-in
//   coupon(couponId)             {title, description, imageUrl, until}: what is known of a coupon
//   formatTime(ms)               how the page writes a time
//   own                          true: the reader's own message (a bubble of the other colour)
// --d-scale on any element around is the font setting of the app, which Flex parts with "scaling" follow.

import { el, fallback, isObject, part, text } from "./dom.js";
import { drawCoupon, drawLocation, drawSticker } from "./card.js";
import { drawFlex } from "./flex.js";
import { drawImagemap } from "./imagemap.js";
import { drawAudio, drawFile, drawImage, drawVideo } from "./media.js";
import { quickReply } from "./quick_reply.js";
import { richMenu } from "./rich_menu.js";
import { drawTemplate } from "./template.js";
import { drawText } from "./text.js";

export { askDateTime } from "./datetime.js";
export { summary } from "./text.js";
export { linkAddress } from "./value.js";

const DRAW = {
  text: drawText,
  textV2: drawText,
  sticker: drawSticker,
  image: drawImage,
  video: drawVideo,
  audio: drawAudio,
  file: drawFile,
  location: drawLocation,
  coupon: drawCoupon,
  imagemap: drawImagemap,
  template: drawTemplate,
  flex: drawFlex,
};

// The message's bubble or bubbles, without who sent it and when. Never throws: what cannot be drawn is shown as JSON.
export function drawMessage(message, context = {}) {
  const type = isObject(message) ? text(message.type) : "";
  const known = Object.hasOwn(DRAW, type);
  const node = part(type || "message", message, () =>
    known ? DRAW[type](message, context ?? {}) : fallback(type ? `Message of type ${type}` : "No message", message),
  );
  return el("div", `d d-of-${known ? type : "unknown"}${context?.own ? " d-own" : ""}`, node);
}

// The row of chips of a quickReply object.
export function drawQuickReply(reply, context = {}) {
  return el(
    "div",
    "d d-of-quick-reply",
    part("quick reply", reply, () => quickReply(reply, context ?? {})),
  );
}

// The menu's picture with its areas. imageUrl null draws the areas on a plain ground.
export function drawRichMenu(menu, imageUrl, context = {}) {
  return el(
    "div",
    "d d-of-rich-menu",
    part("rich menu", menu, () => richMenu(menu, imageUrl, context ?? {})),
  );
}
