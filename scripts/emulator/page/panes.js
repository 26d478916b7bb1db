// The conversations on the screen, side by side; which they are outlives a reload of the page.

import { chatOf, model, on, readAll, tell } from "./model.js";
import { makePane } from "./pane.js";
import { el } from "./ui.js";

const LEAST = 300; // px that a conversation needs
const MOST = 6;
const panes = new Map(); // chat key -> pane, from left to right
let root;
let used = null; // key of the one that was used last

export const room = () => Math.max(1, Math.min(MOST, Math.floor(root.clientWidth / LEAST)));

function remember() {
  model.open = [...panes.keys()];
  sessionStorage.setItem("open", JSON.stringify(model.open));
  root.dataset.count = String(panes.size);
  tell("open", model.open);
}

export function closeChat(key) {
  const pane = panes.get(key);
  if (!pane) return;
  const had = pane.node.contains(document.activeElement);
  pane.close();
  panes.delete(key);
  remember();
  if (had) [...panes.values()].at(-1)?.focus();
}

// Show a conversation: in place of the one used last, or beside the others where there is room.
export function openChat(key, { beside = false, focus = true } = {}) {
  const chat = chatOf(key);
  if (!chat) return;
  document.body.classList.remove("listing");
  readAll(key);
  if (!panes.has(key)) {
    const pane = makePane(chat, () => closeChat(key));
    pane.node.addEventListener("focusin", () => {
      used = key;
    });
    const place = beside && panes.size < room() ? null : panes.has(used) ? used : [...panes.keys()].at(-1);
    if (place) {
      const before = panes.get(place);
      before.node.replaceWith(pane.node);
      before.close();
      const all = [...panes].map(([k, p]) => (k === place ? [key, pane] : [k, p]));
      panes.clear();
      for (const [k, p] of all) panes.set(k, p);
    } else {
      root.append(pane.node);
      panes.set(key, pane);
    }
    used = key;
  }
  remember();
  if (focus) panes.get(key).focus();
}

export function showPanes(node) {
  root = node;
  const nothing = el("p", "empty", "Choose a conversation at the left.");
  root.append(nothing);
  on("open", () => {
    nothing.hidden = panes.size > 0;
  });
  on("world", () => {
    for (const [key, pane] of [...panes]) {
      const chat = chatOf(key);
      if (chat) pane.update(chat);
      else closeChat(key);
    }
  });
  // A window that has become too narrow shows those used last.
  new ResizeObserver(() => {
    for (const key of [...panes.keys()]) if (panes.size > room() && key !== used) closeChat(key);
  }).observe(root);
}
