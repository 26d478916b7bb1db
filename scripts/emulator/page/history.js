// What was said in a conversation. Only a window of it stands in the document: older messages come when one scrolls up,
// and what scrolls far away at the top is let go, so a chat of thousands costs no more than a chat of a hundred.

import { get, mediaUrl, part } from "./api.js";
import { drawMessage } from "./draw/index.js";
import { messageMenu } from "./person.js";
import { isBot, nameOf, tell, user } from "./model.js";
import { attempt, avatar, button, day, el, menu, time } from "./ui.js";

const PAGE = 50;   // entries asked for at a time
const MOST = 250;  // entries in the document while one reads at the end

export function makeHistory(chat, actorOf, onAction) {
  const node = el("div", "history");
  node.tabIndex = 0;
  node.setAttribute("role", "log");
  node.setAttribute("aria-label", "Messages");
  const older = el("div", "older");
  const list = el("div", "entries");
  node.append(older, list);
  let entries = [];  // those in the document, oldest first
  let more = false;  // there are older ones
  let busy = false;
  let quoted = null; // the entry that the next message quotes
  let pinned = true; // one reads at the end: stay there

  const find = (id) => entries.findIndex((e) => e.id === id);

  // ---- one entry ----

  function context(entry) {
    const quotes = entry.message?.quotedMessageId ?? entry.quotes;
    const original = quotes && entries.find((e) => e.id === quotes);
    return {
      own: entry.from === actorOf(),
      onAction: (action) => onAction(action, { entry: entry.id }),
      mediaUrl: (message, which) => mediaUrl(message.id ?? entry.id, which),
      memberName: nameOf,
      quoted: original ? { message: original.message, userId: original.from, name: nameOf(original.from) } : null,
      formatTime: time,
    };
  }

  function state(entry) {
    const own = entry.from === actorOf();
    const words = [];
    if (entry.edited) words.push("edited");
    if (own && entry.read) words.push("Read");
    if (isBot(entry.from) && entry.via) words.push(entry.via);
    return words;
  }

  function bubble(entry) {
    const bot = isBot(entry.from);
    const own = entry.from === actorOf();
    const sender = entry.message?.sender;
    const name = sender?.name ? `${sender.name} from ${nameOf(entry.from)}` : nameOf(entry.from);
    const row = el("div", `entry${own ? " own" : ""}${bot ? " bot" : ""}`);
    row.dataset.id = entry.id;
    const facts = button("", "facts", () => tell("inspect", { event: entry.event, request: entry.request, entry }), { "aria-label": "What happened with this message", title: "What happened" });
    facts.append(...state(entry).map((w) => el("span", "", w)), el("time", "", time(entry.time)));
    const dots = button("⋮", "dots", () => menu(dots, messageMenu(chat, entry, actorOf(), { quote })), { "aria-label": "More about this message", "aria-haspopup": "menu" });
    const body = entry.unsent ? el("p", "unsent", own ? "You unsent a message." : `${nameOf(entry.from)} unsent a message.`)
      : drawMessage(entry.message, context(entry));
    if (!own) row.append(avatar(name, sender?.iconUrl ?? user(entry.from)?.picture, entry.from));
    row.append(el("div", "entry-body", own ? null : el("span", "entry-name", name), el("div", "entry-line", body, el("div", "entry-side", dots, facts))));
    return row;
  }

  const dayLine = (entry) => el("p", "day", day(entry.time));
  const newDay = (before, entry) => !before || new Date(before.time).toDateString() !== new Date(entry.time).toDateString();

  // ---- the window ----

  function drawAll() {
    const out = [];
    entries.forEach((entry, i) => {
      if (newDay(entries[i - 1], entry)) out.push(dayLine(entry));
      out.push(bubble(entry));
    });
    list.replaceChildren(...out);
    older.replaceChildren(...(more ? [button("Older messages", "link", () => loadOlder())] : []));
  }

  // Let the oldest go while one reads at the end.
  function trim() {
    if (!pinned || entries.length <= MOST) return;
    entries.splice(0, entries.length - MOST + PAGE);
    more = true;
    drawAll();
    toEnd();
  }

  function toEnd() {
    pinned = true;
    node.scrollTop = node.scrollHeight;
    requestAnimationFrame(() => {
      if (pinned) node.scrollTop = node.scrollHeight;
    });
  }

  const ask = (before) => get(`chats/${part(chat.key)}/entries?limit=${PAGE}${before ? `&before=${before}` : ""}`);

  async function load() {
    await attempt(async () => {
      const found = await ask();
      entries = found.entries;
      more = found.more;
      drawAll();
      toEnd();
    });
  }

  async function loadOlder() {
    if (busy || !more || !entries.length) return;
    busy = true;
    await attempt(async () => {
      const found = await ask(entries[0].place);
      const height = node.scrollHeight;
      entries = [...found.entries, ...entries];
      more = found.more && found.entries.length > 0;
      drawAll();
      node.scrollTop += node.scrollHeight - height; // what one reads stays where it is
    });
    busy = false;
  }

  node.addEventListener("scroll", () => {
    pinned = node.scrollHeight - node.scrollTop - node.clientHeight < 40;
    if (node.scrollTop < 200) loadOlder();
  }, { passive: true });
  // Pictures that arrive later must not push the newest message out of sight.
  new ResizeObserver(() => pinned && toEnd()).observe(list);

  function quote(entry) {
    quoted = entry;
    tell("quote", { chat: chat.key, entry });
  }

  return {
    node,
    load,
    toEnd,
    last: () => entries.at(-1) ?? null,
    redraw: drawAll,
    // The message that the next one quotes; asking takes it.
    quoting: () => {
      const entry = quoted;
      quoted = null;
      return entry;
    },
    add: (entry) => {
      if (find(entry.id) >= 0) return;
      const before = entries.at(-1);
      entries.push(entry);
      if (newDay(before, entry)) list.append(dayLine(entry));
      list.append(bubble(entry));
      if (pinned) toEnd();
      trim();
    },
    change: (entry) => {
      const i = find(entry.id);
      if (i < 0) return;
      entries[i] = { ...entries[i], ...entry };
      list.querySelector(`[data-id="${CSS.escape(entry.id)}"]`)?.replaceWith(bubble(entries[i]));
    },
    update: (fresh) => {
      chat = fresh;
    },
  };
}
