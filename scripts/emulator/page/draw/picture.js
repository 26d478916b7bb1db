// Pictures that may not come: each sits in a frame that keeps the layout, and one that fails leaves a neutral
// placeholder with the name of its host there.

import { el, icon } from "./dom.js";
import { hostOf } from "./value.js";

const MOUNTAINS = "M3 5h18v14H3zM3 16l5-5 4 4 3-3 6 6M15.5 9.5a1 1 0 1 0 .01 0";

// picture(address, {alt, className}) -> frame with an <img>. A null address is a failed picture from the start.
// The caller has checked the address (value.js) and calls action.js' watchPictures once.
export function picture(address, { alt = "", className = "", wanted = address, sources = "", sizes = "" } = {}) {
  const frame = el("span", `d-picture ${className}`);
  if (address === null) {
    frame.append(placeholder(wanted));
    frame.classList.add("d-failed");
    return frame;
  }
  const img = el("img");
  img.alt = alt;
  img.decoding = "async";
  img.loading = "lazy";
  img.draggable = false;
  img.referrerPolicy = "no-referrer";
  if (sources) {
    img.sizes = sizes;
    img.srcset = sources;
  }
  img.src = address;
  frame.append(img);
  return frame;
}

function placeholder(address) {
  const host = hostOf(address);
  const node = el("span", "d-placeholder", icon("", MOUNTAINS), el("span", "d-placeholder-host", host));
  node.title = `The picture did not come from ${host}`;
  return node;
}

// Called for every "error" event of the page: what is no picture of ours is left alone.
export function failed(target) {
  if (!(target instanceof HTMLImageElement)) return;
  const frame = target.parentElement;
  if (!frame?.classList.contains("d-picture")) return;
  const node = placeholder(target.currentSrc || target.src);
  if (target.alt) {
    node.setAttribute("role", "img");
    node.setAttribute("aria-label", target.alt);
  }
  frame.classList.add("d-failed");
  target.replaceWith(node);
}
