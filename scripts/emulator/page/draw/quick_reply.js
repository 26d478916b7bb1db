// Quick replies: a row of chips above the input, which scrolls sideways.

import { button, describe, watchPictures } from "./action.js";
import { el, icon, list, object, text } from "./dom.js";
import { picture } from "./picture.js";
import { mediaAddress } from "./value.js";

// These three have a picture of LINE's when the bot gives none.
const ICONS = {
  camera: "M4 7h4l2-3h4l2 3h4v13H4zM12 10a3.5 3.5 0 1 0 .01 0",
  cameraRoll: "M3 5h18v14H3zM3 16l5-5 4 4 3-3 6 6",
  location: "M12 22c-2-5-7-8-7-13a7 7 0 0 1 14 0c0 5-5 8-7 13zM12 7a2 2 0 1 0 .01 0",
};

export function quickReply(reply, context) {
  watchPictures();
  const node = el("div", "d-scroller d-quick-reply");
  node.setAttribute("role", "group");
  node.setAttribute("aria-label", "Quick replies");
  for (const item of list(object(reply).items)) {
    const { imageUrl, action } = object(item);
    const address = mediaAddress(imageUrl);
    const type = object(action).type;
    const image = text(imageUrl)
      ? picture(address, { className: "d-chip-picture", alt: "", wanted: imageUrl })
      : Object.hasOwn(ICONS, type)
        ? icon("d-chip-icon", ICONS[type])
        : null;
    node.append(
      button(
        "d-chip",
        action,
        context,
        image,
        el("span", "d-one-line", text(object(action).label) || describe(action)),
      ),
    );
  }
  return node;
}
