// The grammar of values in messages: pixels, percentages, keywords, colours, ratios, addresses. What does not fit is
// null and the caller uses the default; so no text of a message ever reaches a style or an address unread.

const PIXELS = /^(-?\d{1,7}(?:\.\d{1,6})?)px$/;
const PERCENT = /^(-?\d{1,7}(?:\.\d{1,6})?)%$/;
const COLOUR = /^#(?:[0-9a-f]{6}|[0-9a-f]{8})$/i;
const DEGREES = /^(\d{1,3}(?:\.\d{1,6})?)deg$/;
const RATIO = /^(\d{1,6}(?:\.\d{1,6})?):(\d{1,6}(?:\.\d{1,6})?)$/;

// Beyond this a size is a mistake or an attack; the page must survive it.
const LARGEST = 4000;

const within = (n, low, high) => Math.min(high, Math.max(low, n));

// A number of pixels: "23.5px" -> 23.5, else null. Below zero only where negative is allowed (offsets).
export function pixels(value, negative = false) {
  const hit = typeof value === "string" ? PIXELS.exec(value) : null;
  if (!hit || (!negative && value[0] === "-")) return null;
  return within(Number(hit[1]), -LARGEST, LARGEST);
}

export function percent(value, negative = false) {
  const hit = typeof value === "string" ? PERCENT.exec(value) : null;
  if (!hit || (!negative && value[0] === "-")) return null;
  return within(Number(hit[1]), -1000, 1000);
}

// A keyword of the table, own names only: "constructor" is none.
export function keyword(value, table) {
  return typeof value === "string" && Object.hasOwn(table, value) ? table[value] : null;
}

// A length for CSS ("12px", "50%"), or null. allow: {percent, negative, table}
export function length(value, { percent: percents = false, negative = false, table = null } = {}) {
  const named = table ? keyword(value, table) : null;
  const px = named ?? pixels(value, negative);
  if (px !== null) return `${px}px`;
  const share = percents ? percent(value, negative) : null;
  return share === null ? null : `${share}%`;
}

export function colour(value) {
  return typeof value === "string" && COLOUR.test(value) ? value.toLowerCase() : null;
}

function degrees(value) {
  const hit = typeof value === "string" ? DEGREES.exec(value) : null;
  return hit && Number(hit[1]) < 360 ? Number(hit[1]) : null;
}

// "20:13" -> [20, 13]; null when out of LINE's range (1 to 100000, no taller than three times the width).
export function ratio(value) {
  const hit = typeof value === "string" ? RATIO.exec(value) : null;
  if (!hit) return null;
  const [w, h] = [Number(hit[1]), Number(hit[2])];
  return w >= 1 && h >= 1 && w <= 100000 && h <= 100000 && h <= 3 * w ? [w, h] : null;
}

// CSS for a gradient object of a box, or null. All parts are numbers and colours read above.
export function gradient(background) {
  if (!background || background.type !== "linearGradient") return null;
  const angle = degrees(background.angle);
  const [start, end] = [colour(background.startColor), colour(background.endColor)];
  if (angle === null || !start || !end) return null;
  const centre = colour(background.centerColor);
  const stops = [`${start} 0%`];
  if (centre) stops.push(`${centre} ${within(percent(background.centerPosition) ?? 50, 0, 100)}%`);
  stops.push(`${end} 100%`);
  return `linear-gradient(${angle}deg, ${stops.join(", ")})`;
}

// Sets a style property when there is a value. The value is ours: read by this file or a number.
export function style(node, name, value) {
  if (value !== null && value !== undefined) node.style.setProperty(name, value);
}

function parsed(value) {
  if (typeof value !== "string" || value.length > 200000) return null;
  try {
    return new URL(value);
  } catch {
    return null;
  }
}

// An address of a picture, video or sound in a message: http, https, or data: of a picture. Else null.
export function mediaAddress(value) {
  const url = parsed(value);
  if (!url) return null;
  if (url.protocol === "http:" || url.protocol === "https:") return url.href;
  return url.protocol === "data:" && /^data:image\/[a-z0-9.+-]+[;,]/i.test(value) ? value : null;
}

// The same for what the page itself gives: blob: too, and addresses relative to the page.
export function ownAddress(value) {
  if (typeof value !== "string" || value === "") return null;
  const url = parsed(value);
  if (url && url.protocol === "blob:") return value;
  if (url) return mediaAddress(value);
  try {
    return mediaAddress(new URL(value, document.baseURI).href);
  } catch {
    return null;
  }
}

const LINKS = ["http:", "https:", "tel:", "line:"];

// An address a person may be sent to: http, https, tel, line. Else null: javascript:, data:, file: … are never followed.
export function linkAddress(value) {
  const url = parsed(value);
  return url && LINKS.includes(url.protocol) ? url.href : null;
}

// What to call an address in a few letters.
export function hostOf(value) {
  const url = parsed(value);
  if (!url) return "no address";
  return url.protocol === "data:" ? "data" : url.host || url.protocol;
}
