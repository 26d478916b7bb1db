// Things that can be tapped. No element has a listener of its own: what an element does is kept beside it, and five
// listeners on the document serve a chat of any length.

import { el, isObject, text } from "./dom.js";
import { failed } from "./picture.js";

// element -> {action, original, context}, or {local}: a function for what concerns the drawing only
const tappable = new WeakMap();
// video -> {trackingId, context}; taken out when it was watched
const tracked = new WeakMap();
// video -> {started, failed, ended}: functions, each of them optional
const played = new WeakMap();

let listening = false;

function listen() {
  if (listening) return;
  listening = true;
  document.addEventListener("click", onClick);
  document.addEventListener("keydown", onKey);
  // These do not bubble, but they are seen on their way down.
  document.addEventListener("ended", onEnded, true);
  document.addEventListener("play", (event) => played.get(event.target)?.started?.(), true);
  document.addEventListener("error", onError, true);
}

function known(start) {
  for (let node = start; node instanceof Element; node = node.parentElement) if (tappable.has(node)) return node;
  return null;
}

function onClick(event) {
  const start = event.target;
  if (!(start instanceof Element) || event.defaultPrevented) return;
  const node = known(start);
  if (!node) return;
  // A link, a player or a "details" inside something tappable does its own thing.
  const own = start.closest("a[href], video, audio, summary, details");
  if (own && node.contains(own) && own !== node) return;
  run(node);
}

function onKey(event) {
  if ((event.key !== "Enter" && event.key !== " ") || event.repeat || event.ctrlKey || event.metaKey || event.altKey)
    return;
  const node = event.target;
  // Buttons turn keys into clicks by themselves.
  if (!(node instanceof Element) || !tappable.has(node) || node.tagName === "BUTTON") return;
  event.preventDefault();
  run(node);
}

function run(node) {
  const { action, original, context, local } = tappable.get(node);
  if (local) return void local();
  context.onAction?.(action, { element: node, original });
}

function onEnded(event) {
  const seen = tracked.get(event.target);
  if (seen) {
    tracked.delete(event.target);
    seen.context.onAction?.({ type: "videoPlayComplete", trackingId: seen.trackingId }, { element: event.target });
  }
  played.get(event.target)?.ended?.();
}

function onError(event) {
  failed(event.target);
  played.get(event.target)?.failed?.();
}

// When the video has been played to its end for the first time, the context's onAction is told with the tracking id.
export function track(video, trackingId, context) {
  listen();
  tracked.set(video, { trackingId, context });
}

// Calls `started`, `failed` and `ended` of what is given when that happens to the video.
export function whenPlayed(video, what) {
  listen();
  played.set(video, { ...played.get(video), ...what });
}

// For a <button> that does something here and is no action of a message.
export function press(node, local) {
  listen();
  tappable.set(node, { local });
}

const LABELS = {
  postback: "Postback",
  message: "Message",
  uri: "Open link",
  datetimepicker: "Pick a date or time",
  camera: "Camera",
  cameraRoll: "Camera roll",
  location: "Location",
  richmenuswitch: "Switch menu",
  clipboard: "Copy",
  coupon: "Open coupon",
};

const nameOf = (action) => (Object.hasOwn(LABELS, action.type) ? LABELS[action.type] : text(action.type));

// What a screen reader says of an action that stands on no words.
export function describe(action) {
  if (!isObject(action)) return "";
  const what = text(action.label) || text(action.text) || text(action.displayText) || content(action);
  return what ? `${nameOf(action)}: ${what}`.slice(0, 300) : nameOf(action);
}

const content = (action) =>
  text(action.data) ||
  text(action.uri) ||
  text(action.clipboardText) ||
  text(action.text) ||
  text(action.richMenuAliasId) ||
  text(action.couponId);

const isAction = (action) => isObject(action) && typeof action.type === "string" && action.type !== "";

// Makes the element tappable by mouse, finger and keyboard; without a proper action it stays as it is. `original` is the
// object as it stands in the message where `action` is another form of it (imagemap). Returns the element.
export function bind(node, action, context, { label = "", original = action } = {}) {
  if (!isAction(action)) return node;
  listen();
  tappable.set(node, { action, original, context });
  node.classList.add("d-tap");
  node.dataset.action = action.type.slice(0, 40);
  // A tool tip for whoever writes the bot: what is behind this.
  node.title = [nameOf(action), content(action)].filter(Boolean).join(": ").slice(0, 300);
  if (node.tagName !== "BUTTON") {
    // What is in a button does not exist for screen readers; so what has tappable parts of its own is a link.
    node.setAttribute("role", node.querySelector(".d-tap") ? "link" : "button");
    node.tabIndex = 0;
  }
  if (label || !node.textContent.trim()) node.setAttribute("aria-label", label || describe(action));
  return node;
}

// A <button> that runs the action; without a proper one it is there and cannot be pressed.
export function button(className, action, context, ...children) {
  const node = el("button", className, ...children);
  node.type = "button";
  if (!isAction(action)) node.disabled = true;
  return bind(node, action, context);
}

// Pictures that fail are caught by the same listeners.
export const watchPictures = listen;
