// Imagemaps, and what they share with rich menus: a picture with tappable areas in the units of a base size.

import { bind, whenPlayed, watchPictures } from "./action.js";
import { el, isObject, list, number, object, text } from "./dom.js";
import { film } from "./media.js";
import { picture } from "./picture.js";
import { linkAddress, mediaAddress, style } from "./value.js";

// Puts the node over its part of the picture. false when the area is none.
export function place(node, area, width, height) {
  const { x, y, width: w, height: h } = object(area);
  if (![x, y, w, h].every((n) => typeof n === "number" && Number.isFinite(n) && n >= 0) || w === 0 || h === 0)
    return false;
  const share = (n, whole) => `${Math.min(100, (n / whole) * 100)}%`;
  style(node, "left", share(x, width));
  style(node, "top", share(y, height));
  style(node, "width", share(Math.min(w, width - x), width));
  style(node, "height", share(Math.min(h, height - y), height));
  return x < width && y < height;
}

// Imagemap actions have fields of their own; the page is given them in the form that all other actions have.
function asAction(action) {
  if (!isObject(action)) return null;
  const { area: _, linkUri, ...rest } = action;
  return action.type === "uri" ? { ...rest, uri: linkUri } : rest;
}

function movie(video, width, height, context) {
  const node = el("div", "d-area-video");
  if (!place(node, video.area, width, height)) return null;
  const poster = mediaAddress(video.previewImageUrl);
  const player = film(mediaAddress(video.originalContentUrl), poster, { wanted: text(video.previewImageUrl) });
  node.append(player.frame);
  const link = object(video.externalLink);
  const uri = linkAddress(link.linkUri);
  if (uri) {
    // Shown over the video once it has been played.
    const after = el("button", "d-after-video", text(link.label) || uri);
    after.type = "button";
    after.hidden = true;
    node.append(bind(after, { type: "uri", label: text(link.label), uri }, context, { original: link }));
    whenPlayed(player.video, {
      ended() {
        after.hidden = false;
      },
    });
  }
  return node;
}

const WIDTHS = [240, 300, 460, 700, 1040];

export function drawImagemap(message, context) {
  watchPictures();
  const base = object(message.baseSize);
  const [width, height] = [Math.max(1, number(base.width, 1040)), Math.max(1, number(base.height, 1040))];
  // The client asks for the width that fits its screen at baseUrl/WIDTH.
  const address = (w) => mediaAddress(`${text(message.baseUrl)}/${w}`);
  // A data: address may hold commas and blanks, which a list of sources cannot.
  const sources = /^https?:/.test(address(1040) ?? "") ? WIDTHS.map((w) => `${address(w)} ${w}w`).join(", ") : "";
  const frame = picture(address(1040), {
    alt: text(message.altText),
    className: "d-whole",
    wanted: message.baseUrl,
    sources,
    sizes: "300px",
  });
  const node = el("div", "d-imagemap", frame);
  style(node, "aspect-ratio", `${width} / ${Math.min(height, width * 10)}`);
  if (isObject(message.video)) node.append(movie(message.video, width, height, context) ?? "");
  for (const action of list(message.actions)) {
    const area = el("div", "d-area");
    if (isObject(action) && place(area, action.area, width, height))
      node.append(bind(area, asAction(action), context, { label: text(action.label), original: action }));
  }
  return node;
}
