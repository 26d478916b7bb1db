// Pictures, videos, sounds and files, of bots (addresses in the message) and of people (the page knows where they are).

import { track, watchPictures } from "./action.js";
import { el, icon, number, object, text } from "./dom.js";
import { picture } from "./picture.js";
import { mediaAddress, ownAddress } from "./value.js";

// Where a message's content is: what the page says first, then what the message says. null when nowhere.
function addressOf(message, kind, context) {
  const provider = object(message.contentProvider);
  const field = kind === "preview" ? "previewImageUrl" : "originalContentUrl";
  return ownAddress(context.mediaUrl?.(message, kind)) ?? mediaAddress(message[field]) ?? mediaAddress(provider[field]);
}

const wantedOf = (message, kind) => message[kind === "preview" ? "previewImageUrl" : "originalContentUrl"];

// The picture, and a click on it opens the original as large as it is.
export function drawImage(message, context) {
  watchPictures();
  const original = addressOf(message, "original", context);
  const preview = addressOf(message, "preview", context) ?? original;
  const frame = picture(preview, { alt: "Photo", className: "d-photo", wanted: wantedOf(message, "preview") });
  const set = object(message.imageSet);
  const node = el(
    original ? "a" : "div",
    "d-image",
    frame,
    number(set.index) > 0 && number(set.total) > 1 && el("span", "d-badge", `${set.index}/${set.total}`),
  );
  if (original) {
    node.href = original;
    node.target = "_blank";
    node.rel = "noopener noreferrer";
    node.setAttribute("aria-label", "Photo, opens in a new tab");
  }
  return node;
}

// m:ss of milliseconds
function clock(ms) {
  const seconds = Math.max(0, Math.round(number(ms) / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

// A <video> with the browser's controls, which fetches nothing before it is played. A null address draws the poster.
export function player(address, poster, label) {
  const video = el("video", "d-player");
  video.controls = true;
  video.preload = "none";
  video.playsInline = true;
  video.setAttribute("aria-label", label);
  if (poster) video.poster = poster;
  if (address) video.src = address;
  return video;
}

export function drawVideo(message, context) {
  const video = player(addressOf(message, "original", context), addressOf(message, "preview", context), "Video");
  if (typeof message.trackingId === "string" && message.trackingId) track(video, message.trackingId, context);
  return el("div", "d-video", video, number(message.duration) > 0 && el("span", "d-badge", clock(message.duration)));
}

export function drawAudio(message, context) {
  const sound = el("audio", "d-sound");
  sound.controls = true;
  sound.preload = "none";
  sound.setAttribute("aria-label", "Voice message");
  const address = addressOf(message, "original", context);
  if (address) sound.src = address;
  return el("div", "d-bubble d-audio", sound, el("span", "d-small", clock(message.duration)));
}

const SHEET = "M6 2h8l5 5v15H6zM14 2v6h5";

function size(bytes) {
  const n = number(bytes, -1);
  if (n < 0) return "";
  if (n < 1000) return `${n} B`;
  return n < 1e6 ? `${(n / 1e3).toFixed(1)} kB` : n < 1e9 ? `${(n / 1e6).toFixed(1)} MB` : `${(n / 1e9).toFixed(1)} GB`;
}

export function drawFile(message, context) {
  const address = addressOf(message, "original", context);
  const name = text(message.fileName) || "file";
  const shown = el("span", "d-file-name", name);
  shown.dir = "auto";
  const node = el(
    address ? "a" : "div",
    "d-bubble d-file",
    icon("d-file-icon", SHEET),
    el("span", "d-file-facts", shown, el("span", "d-small", size(message.fileSize))),
  );
  if (address) {
    node.href = address;
    node.download = name.replace(/[\\/\u0000-\u001f\u202a-\u202e\u2066-\u2069]/g, "_");
  }
  return node;
}
