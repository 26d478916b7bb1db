// Making elements. Nothing here or in any other file of this folder takes HTML: text goes in as text, attributes are
// set one by one from checked values, styles through CSSOM from values that value.js has taken apart.

const SVG = "http://www.w3.org/2000/svg";

// el("div", "d-card big", child, "text", null …) -> element. Strings become text nodes; null, undefined and false are
// left out. The class may be empty.
export function el(tag, className, ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  add(node, children);
  return node;
}

function add(node, children) {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    if (Array.isArray(child)) add(node, child);
    else node.append(child);
  }
}

// svg("path", {d: "…"}, child …): for drawings of our own only, never with a value from a message in a name.
export function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, String(value));
  add(node, children);
  return node;
}

// A drawing of 24 by 24 made of the given paths, in the colour of the text around it. Hidden from screen readers.
export function icon(className, ...paths) {
  return svg(
    "svg",
    { viewBox: "0 0 24 24", class: `d-icon ${className}`, "aria-hidden": "true", focusable: "false" },
    ...paths.map((d) => svg("path", { d })),
  );
}

// Messages may hold anything anywhere: these read a value as what is expected, or as nothing.
export const isObject = (v) => typeof v === "object" && v !== null && !Array.isArray(v);
export const object = (v) => (isObject(v) ? v : {});
export const list = (v) => (Array.isArray(v) ? v : []);
export const number = (v, otherwise = 0) => (typeof v === "number" && Number.isFinite(v) ? v : otherwise);

// The longest text drawn at all. LINE allows 5,000 units; an emulator that is told not to check may let more through.
const LONGEST = 20000;

// Text of any value that has one: strings and numbers. Everything else is "".
export function text(v) {
  if (typeof v === "number" && Number.isFinite(v)) return String(v);
  if (typeof v !== "string") return "";
  return v.length > LONGEST ? v.slice(0, LONGEST) + "…" : v;
}

// The same number from 0 to below `range` for the same words: gives stand-ins a colour of their own.
export function hash(words, range) {
  let h = 7;
  for (let i = 0; i < words.length; i++) h = (h * 31 + words.charCodeAt(i)) % 1000003;
  return h % range;
}

// What cannot be drawn is shown as what it is: a label, and the JSON to unfold.
export function fallback(label, value) {
  let json;
  try {
    json = JSON.stringify(value, null, 2);
  } catch {
    json = undefined;
  }
  return el(
    "div",
    "d-fallback",
    el("span", "d-fallback-label", label),
    el("details", "", el("summary", "", "JSON"), el("pre", "", text(json ?? String(value)))),
  );
}

// Draws a part of a message: what throws becomes a fallback of that part only.
export function part(label, value, draw) {
  try {
    return draw();
  } catch (error) {
    console.warn(`draw: ${label}:`, error);
    return fallback(label, value);
  }
}
