// A rich menu: its picture with the tappable areas over it. Switching tabs is an action like any other.

import { bind, watchPictures } from "./action.js";
import { el, isObject, list, number, object, text } from "./dom.js";
import { place } from "./imagemap.js";
import { picture } from "./picture.js";
import { ownAddress, style } from "./value.js";

// menu: a rich menu object. imageUrl: where the page has its picture (null: a plain ground with the areas outlined).
export function richMenu(menu, imageUrl, context) {
  watchPictures();
  const { size, areas, name } = object(menu);
  const [width, height] = [
    Math.max(1, number(object(size).width, 2500)),
    Math.max(1, number(object(size).height, 1686)),
  ];
  const address = ownAddress(imageUrl);
  const node = el("div", "d-rich-menu", address ? picture(address, { className: "d-whole", alt: text(name) }) : null);
  if (!address) node.classList.add("d-bare");
  style(node, "aspect-ratio", `${width} / ${height}`);
  node.setAttribute("role", "group");
  node.setAttribute("aria-label", `Rich menu ${text(name)}`);
  for (const one of list(areas)) {
    const { bounds, action } = object(one);
    const area = el("div", "d-area");
    if (!place(area, bounds, width, height)) continue;
    if (!address && isObject(action)) area.append(el("span", "d-area-name", text(action.label) || text(action.type)));
    node.append(bind(area, action, context));
  }
  return node;
}
