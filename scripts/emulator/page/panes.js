// The conversations on the screen, side by side; which they are outlives a reload of the page.

import { chatOf, model, on, tell } from "./model.js";
import { makePane } from "./pane.js";
import { el, note } from "./ui.js";

const MOST = 4;
const panes = new Map(); // chat key -> pane
let root;

function remember() {
  model.open = [...panes.keys()];
  sessionStorage.setItem("open", JSON.stringify(model.open));
  root.dataset.count = String(panes.size);
  tell("open", model.open);
}

export function closeChat(key) {
  panes.get(key)?.close();
  panes.delete(key);
  remember();
}

// Show a conversation: in place of the last one used, or beside the others.
export function openChat(key, { beside = false } = {}) {
  const chat = chatOf(key);
  if (!chat) return;
  model.unread.delete(key);
  const there = panes.get(key);
  if (there) {
    there.focus();
    remember();
    return;
  }
  if (beside && panes.size >= MOST) note(`${MOST} conversations fit side by side; close one first.`);
  const pane = makePane(chat, () => closeChat(key));
  const keys = [...panes.keys()];
  const before = beside && keys.length < MOST ? null : (keys.find((k) => panes.get(k).node.contains(document.activeElement)) ?? keys.at(-1));
  if (before) {
    panes.get(before).node.replaceWith(pane.node);
    panes.get(before).close();
    panes.delete(before);
  } else {
    root.append(pane.node);
  }
  panes.set(key, pane);
  remember();
  pane.focus();
}

export const focusedChat = () => [...panes].find(([, p]) => p.node.contains(document.activeElement))?.[0] ?? model.open.at(-1);

export function showPanes(node) {
  root = node;
  const nothing = el("p", "empty", "Choose a conversation at the left.");
  root.append(nothing);
  on("open", () => {
    nothing.hidden = panes.size > 0;
  });
  on("world", () => {
    for (const [key, pane] of panes) {
      const chat = chatOf(key);
      if (chat) pane.update(chat);
      else closeChat(key);
    }
  });
}
