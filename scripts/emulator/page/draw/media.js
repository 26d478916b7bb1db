// Pictures, videos, sounds and files, of bots (addresses in the message) and of people (the page knows where they are).

import { press, track, watchPictures, whenPlayed } from "./action.js";
import { el, icon, number, object, text } from "./dom.js";
import { picture } from "./picture.js";
import { hostOf, mediaAddress, ownAddress } from "./value.js";

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

const PLAY = "M9 6l10 6-10 6z";

// A video: {frame, video}. Before it is played there is its preview with a button, and nothing of the film is fetched;
// then the browser's own controls. Without a preview the film's first frame stands for it. As in the app, a film of
// another form than its preview has that around it.
export function film(address, poster, { className = "", wanted = poster } = {}) {
  const video = el("video", "d-player");
  video.playsInline = true;
  video.setAttribute("aria-label", "Video");
  if (!poster && !wanted) {
    video.controls = true;
    video.preload = "metadata";
    if (address) video.src = address;
    return { video, frame: el("div", "d-film d-dark", video) };
  }
  video.preload = "none";
  if (address) video.src = address;
  const start = el("button", "d-play", icon("", PLAY));
  start.type = "button";
  start.setAttribute("aria-label", "Play the video");
  const frame = el("div", "d-film", picture(poster, { className: `d-cover ${className}`, wanted }), video, start);
  const note = el("span", "d-film-note", `The video did not come from ${hostOf(address)}`);
  note.hidden = true;
  frame.append(note);
  const begin = (begun) => {
    start.hidden = begun;
    video.controls = begun;
  };
  whenPlayed(video, {
    started: () => begin(true),
    failed() {
      begin(false);
      note.hidden = false;
    },
  });
  press(start, () => {
    begin(true);
    video.focus();
    if (video.error) video.load();
    note.hidden = true;
    // A film that cannot be had says so by its "error" event.
    video.play().catch(() => {});
  });
  return { video, frame };
}

export function drawVideo(message, context) {
  const poster = addressOf(message, "preview", context);
  const { frame, video } = film(addressOf(message, "original", context), poster, {
    className: "d-photo",
    wanted: poster ?? text(wantedOf(message, "preview")),
  });
  if (typeof message.trackingId === "string" && message.trackingId) track(video, message.trackingId, context);
  const duration = number(message.duration);
  return el("div", "d-video", frame, duration > 0 && el("span", "d-badge", clock(duration)));
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
