// Stickers, places and coupons: things whose pictures only LINE has, so stand-ins are drawn that say which they are.

import { bind, watchPictures } from "./action.js";
import { el, hash, icon, number, object, svg, text } from "./dom.js";
import { picture } from "./picture.js";
import { quote } from "./text.js";
import { mediaAddress, style } from "./value.js";

const MOUTHS = ["M38 62q12 12 24 0", "M40 64h20", "M38 66q12 -10 24 0", "M42 60q8 16 16 0z"];

function face(seed) {
  return svg(
    "svg",
    { viewBox: "0 0 100 100", class: "d-face", "aria-hidden": "true" },
    svg("path", { d: "M24 40L20 14L42 26zM76 40L80 14L58 26z", class: "d-face-ear" }),
    svg("circle", { cx: 50, cy: 54, r: 34, class: "d-face-head" }),
    svg("circle", { cx: 38, cy: 48, r: 4, class: "d-face-line" }),
    svg("circle", { cx: 62, cy: 48, r: 4, class: "d-face-line" }),
    svg("path", { d: MOUTHS[hash(seed, MOUTHS.length)], class: "d-face-mouth" }),
  );
}

export function drawSticker(message, context) {
  const [pack, id] = [text(message.packageId), text(message.stickerId)];
  const kind = text(message.stickerResourceType);
  const words = text(message.text);
  const node = el(
    "div",
    "d-sticker",
    face(pack + id),
    words && el("span", "d-sticker-words", words),
    el("span", "d-sticker-ids", `${pack} / ${id}`),
    kind && kind !== "STATIC" && el("span", "d-small", kind.toLowerCase().replaceAll("_", " ")),
  );
  node.setAttribute("role", "img");
  node.setAttribute("aria-label", `Sticker: package ${pack}, sticker ${id}`);
  node.title =
    `Sticker, a stand-in: package ${pack}, sticker ${id}` +
    (Array.isArray(message.keywords) ? `\n${message.keywords.map(text).join(", ").slice(0, 300)}` : "");
  style(node, "--hue", String(hash(pack + "/" + id, 360)));
  const quoted = quote(message, context);
  return quoted ? el("div", "d-stack", el("div", "d-bubble d-text", quoted), node) : node;
}

// A map that no server has to be asked for: streets drawn from the coordinates, the same for the same place.
function map(latitude, longitude) {
  const seed = `${latitude.toFixed(4)},${longitude.toFixed(4)}`;
  const at = (key, range) => hash(seed + key, range);
  const streets = [];
  for (let i = 0; i < 3; i++) {
    streets.push(svg("path", { d: `M-10 ${at("h" + i, 130)}L270 ${at("k" + i, 130)}`, class: "d-street" }));
    streets.push(svg("path", { d: `M${at("v" + i, 260)} -10L${at("w" + i, 260)} 140`, class: "d-street" }));
  }
  return svg(
    "svg",
    { viewBox: "0 0 260 130", class: "d-map", "aria-hidden": "true", preserveAspectRatio: "xMidYMid slice" },
    svg("rect", { width: 260, height: 130, class: "d-land" }),
    svg("ellipse", { cx: at("x", 260), cy: at("y", 130), rx: 60, ry: 34, class: "d-park" }),
    svg("path", { d: `M-10 ${at("r", 130)}Q130 ${at("s", 130)} 270 ${at("t", 130)}`, class: "d-river" }),
    ...streets,
    svg("path", { d: "M130 72c-4-8-14-17-14-28a14 14 0 0 1 28 0c0 11-10 20-14 28z", class: "d-pin" }),
    svg("circle", { cx: 130, cy: 44, r: 5, class: "d-pin-hole" }),
  );
}

export function drawLocation(message) {
  const [latitude, longitude] = [number(message.latitude), number(message.longitude)];
  const where = `${latitude.toFixed(6)}, ${longitude.toFixed(6)}`;
  const facts = el(
    "div",
    "d-place",
    el("span", "d-place-title", text(message.title) || "Location"),
    text(message.address) && el("span", "d-place-address", text(message.address)),
    el("span", "d-small", where),
  );
  facts.dir = "auto";
  const node = el("a", "d-card d-location", map(latitude, longitude), facts);
  node.href = `https://www.openstreetmap.org/?mlat=${latitude}&mlon=${longitude}#map=16/${latitude}/${longitude}`;
  node.target = "_blank";
  node.rel = "noopener noreferrer";
  return node;
}

const TICKET = "M3 6h18v4a2 2 0 0 0 0 4v4H3v-4a2 2 0 0 0 0-4zM14 6v3m0 2v2m0 2v3";

// A coupon by its id; with context.coupon(id) -> {title, description, imageUrl, until (ms)} the page adds what it knows.
export function drawCoupon(message, context) {
  watchPictures();
  const id = text(message.couponId);
  const facts = object(context.coupon?.(id));
  const image = mediaAddress(facts.imageUrl);
  const until = number(facts.until)
    ? text(context.formatTime?.(facts.until)) || new Date(facts.until).toLocaleDateString()
    : "";
  const node = el(
    "div",
    "d-card d-coupon",
    image && picture(image, { className: "d-coupon-picture", alt: "" }),
    el(
      "div",
      "d-coupon-body",
      el("span", "d-coupon-head", icon("", TICKET), "Coupon"),
      el("span", "d-coupon-title", text(facts.title) || id),
      text(facts.description) && el("span", "d-coupon-words", text(facts.description)),
      until && el("span", "d-small", `Valid until ${until}`),
      text(facts.title) && el("span", "d-small", id),
      text(message.deliveryTag) && el("span", "d-small", `Delivery tag: ${text(message.deliveryTag)}`),
    ),
    el("span", "d-coupon-use", "Show the coupon"),
  );
  return bind(node, id ? { type: "coupon", couponId: id } : null, context, {
    label: `Coupon ${text(facts.title) || id}`,
  });
}
