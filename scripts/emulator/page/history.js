// What was said in a conversation. Only a window of it stands in the document: older messages come when one scrolls up,
// newer ones when one scrolls down again, and what is far away is let go, so a chat of thousands costs no more than one
// of a hundred.

import { get, mediaUrl, part } from "./api.js";
import { drawMessage } from "./draw/index.js";
import { messageMenu } from "./person.js";
import { isBot, model, nameOf, tell, user } from "./model.js";
import { attempt, avatar, button, day, el, menu, time } from "./ui.js";

const PAGE = 50; // entries asked for at a time
const MOST = 250; // entries in the document
const NEAR = 300; // px from an edge at which more is asked for
const TOGETHER = 60e3; // ms within which messages of one sender stand below one name

// When a hand or a key last moved something; what scrolls without them is layout.
let moved = 0;
let held = false; // the scroll bar of a history is
const HAND = 400; // ms that a movement goes on after it
const byHand = (event) => {
  const inside = event.target.closest?.(".history");
  if (event.type === "pointerdown") held = event.target === inside;
  if (inside ? event.type !== "pointerdown" || held : event.key === "Tab") moved = performance.now();
};
for (const type of ["wheel", "touchmove", "pointerdown", "keydown"])
  document.addEventListener(type, byHand, { capture: true, passive: true });
document.addEventListener(
  "pointerup",
  () => {
    held = false;
  },
  { capture: true },
);

const VIA = { push: "push", multicast: "multicast", broadcast: "broadcast", narrowcast: "narrowcast" };

export function makeHistory(chat, actorOf, onAction) {
  const node = el("div", "history");
  node.tabIndex = 0;
  node.setAttribute("role", "log");
  node.setAttribute("aria-label", "Messages; arrow keys go through them, Enter tells what can be done");
  const list = el("div", "entries");
  const nothing = el("p", "nothing", "Nothing was said yet.");
  const down = button("↓", "round to-end", () => api.toEnd(), { "aria-label": "To the newest message" });
  node.append(nothing, list);
  const frame = el("div", "history-frame", node, down);
  let entries = []; // those in the document, oldest first
  let older = false; // there are older ones
  let newer = false; // there are newer ones
  let busy = false;
  let loads = 0;
  let waiting = null; // what comes while the newest are asked for
  let quoted = null; // the entry that the next message quotes
  let pinned = true; // one reads at the end: stay there

  const find = (id) => entries.findIndex((e) => e.id === id);
  const rowOf = (id) => list.querySelector(`[data-id="${CSS.escape(id)}"]`);

  // ---- one entry ----

  // The bot quotes by a token; the emulator says what that stands for.
  const quotesOf = (entry) => entry.message?.quotedMessageId ?? entry.quotes;

  function context(entry) {
    const quotes = quotesOf(entry);
    const original = quotes && entries.find((e) => e.id === quotes);
    return {
      own: entry.from === actorOf(),
      onAction: (action) => onAction(action, { entry: entry.id }),
      mediaUrl: (message, which) => mediaUrl(message.id ?? entry.id, which),
      memberName: nameOf,
      quoted:
        original && !original.unsent ? { message: original.message, userId: original.from, name: nameOf(original.from) } : null,
      formatTime: time,
    };
  }

  function state(entry) {
    const words = [];
    if (entry.edited) words.push("edited");
    if (entry.read && entry.from === actorOf()) words.push("Read");
    if (entry.silent) words.push("silent");
    if (isBot(entry.from) && Object.hasOwn(VIA, entry.via ?? "")) words.push(VIA[entry.via]);
    return words;
  }

  function bubble(entry) {
    const bot = isBot(entry.from);
    const own = entry.from === actorOf();
    const sender = entry.message?.sender;
    const name = sender?.name ? `${sender.name} from ${nameOf(entry.from)}` : nameOf(entry.from);
    const row = el("div", `entry${own ? " own" : ""}${bot ? " bot" : ""}`);
    row.dataset.id = entry.id;
    row.tabIndex = -1;
    const facts = button("", "facts", () => tell("inspect", { event: entry.event, request: entry.request, entry }), {
      "aria-label": `What happened with this message of ${time(entry.time)}`,
      title: "What happened",
      tabindex: -1,
    });
    facts.append(...state(entry).map((w) => el("span", "", w)), el("time", "", time(entry.time)));
    const dots = button("⋮", "dots", () => menu(dots, messageMenu(chat, entry, actorOf(), { quote })), {
      "aria-label": "More about this message",
      "aria-haspopup": "menu",
      tabindex: -1,
    });
    const body = entry.unsent
      ? el("p", "unsent", own ? "You unsent a message." : `${nameOf(entry.from)} unsent a message.`)
      : drawMessage(entry.quotes ? { ...entry.message, quotedMessageId: entry.quotes } : entry.message, context(entry));
    if (!own) row.append(avatar(name, sender?.iconUrl ?? user(entry.from)?.picture, entry.from));
    row.append(
      el(
        "div",
        "entry-body",
        own ? null : el("span", "entry-name", name),
        el("div", "entry-line", body, el("div", "entry-side", dots, facts)),
      ),
    );
    return row;
  }

  const dayOf = (entry) => new Date(entry.time).toDateString();
  const sameDay = (a, b) => a && dayOf(a) === dayOf(b);
  const goesOn = (a, b) =>
    sameDay(a, b) &&
    a.from === b.from &&
    !a.unsent &&
    !b.unsent &&
    b.time - a.time < TOGETHER &&
    a.message?.sender?.name === b.message?.sender?.name;

  // ---- the window ----

  // The rows of some entries, which come behind `before`.
  function rows(some, before) {
    const out = [];
    for (const entry of some) {
      if (!sameDay(before, entry)) out.push(el("p", "day", day(entry.time)));
      const row = bubble(entry);
      row.classList.toggle("goes-on", Boolean(goesOn(before, entry)));
      out.push(row);
      before = entry;
    }
    return out;
  }

  function drawAll() {
    list.replaceChildren(...rows(entries, null));
    nothing.hidden = entries.length > 0;
  }

  // Takes rows away at one end until MOST entries are left.
  function cut(atStart) {
    const over = entries.length - MOST;
    if (over <= 0) return;
    const gone = atStart ? entries.splice(0, over) : entries.splice(MOST);
    for (const entry of gone) rowOf(entry.id)?.remove();
    if (atStart) {
      older = true;
      while (
        list.firstChild?.nextSibling &&
        list.firstChild.classList.contains("day") &&
        list.firstChild.nextSibling.classList.contains("day")
      )
        list.firstChild.remove();
    } else {
      newer = true;
      while (list.lastChild?.classList.contains("day")) list.lastChild.remove();
    }
  }

  // Whatever fn does to the rows, the one that is read stays where it is.
  function still(fn) {
    const top = node.scrollTop;
    const anchor = [...list.children].find((row) => row.classList.contains("entry") && row.offsetTop + row.offsetHeight > top);
    const at = anchor?.offsetTop ?? 0;
    fn();
    if (anchor?.isConnected) node.scrollTop = top + anchor.offsetTop - at;
  }

  function toBottom() {
    node.scrollTop = node.scrollHeight;
  }

  function pin(value) {
    pinned = value;
    down.hidden = pinned && !newer;
  }

  const ask = (before, limit = PAGE) => get(`chats/${part(chat.key)}/entries?limit=${limit}${before ? `&before=${before}` : ""}`);

  async function load() {
    const mine = ++loads;
    waiting = [];
    const found = await attempt(() => ask());
    if (mine !== loads) return;
    const came = waiting;
    waiting = null;
    if (!found) return;
    entries = found.entries;
    older = found.more;
    newer = false;
    drawAll();
    pin(true);
    for (const entry of came) api.add(entry);
    toBottom();
  }

  async function loadMore(fn) {
    if (busy) return;
    busy = true;
    const mine = loads;
    const found = await attempt(fn);
    busy = false;
    const fresh = mine === loads && found ? found.entries.filter((e) => find(e.id) < 0) : [];
    if (!fresh.length) return;
    put(fresh);
    more();
  }

  function put(fresh) {
    const before = fresh[0].place < entries[0]?.place;
    still(() => {
      if (before) {
        const first = entries[0];
        entries = [...fresh, ...entries];
        older = fresh[0].place > 1;
        if (list.firstChild?.classList.contains("day") && sameDay(fresh.at(-1), first)) list.firstChild.remove();
        list.prepend(...rows(fresh, null));
        cut(false);
      } else {
        list.append(...rows(fresh, entries.at(-1)));
        entries = [...entries, ...fresh];
        newer = fresh.at(-1).place < (model.world.chats.find((c) => c.key === chat.key)?.n ?? 0);
        cut(true);
      }
    });
  }

  const loadOlder = () => older && entries.length && loadMore(() => ask(entries[0].place));
  const loadNewer = () => newer && entries.length && loadMore(() => ask(entries.at(-1).place + 1 + PAGE));

  function more() {
    if (!node.clientHeight) return;
    if (node.scrollTop < NEAR) loadOlder();
    else if (node.scrollHeight - node.scrollTop - node.clientHeight < NEAR) loadNewer();
  }

  node.addEventListener(
    "scroll",
    () => {
      const left = node.scrollHeight - node.scrollTop - node.clientHeight;
      if (pinned && left > 1 && !held && performance.now() - moved > HAND) {
        toBottom();
        return;
      }
      pin(left < 40 && !newer);
      more();
    },
    { passive: true },
  );
  // Pictures that arrive later, and a pane that grows lower, must not push the newest message out of sight.
  const watch = new ResizeObserver(() => pinned && toBottom());
  watch.observe(list);
  watch.observe(node);

  // ---- keys ----

  node.addEventListener("keydown", (event) => {
    const at = document.activeElement?.closest?.(".entry");
    const step = { ArrowUp: -1, ArrowDown: 1, Home: -Infinity, End: Infinity }[event.key];
    if (step !== undefined && (event.target === node || event.target === at)) {
      const i = at ? find(at.dataset.id) : entries.length;
      const to = entries[Math.max(0, Math.min(entries.length - 1, i + step))];
      if (to) rowOf(to.id)?.focus();
      event.preventDefault();
    } else if (event.key === "Enter" && event.target === at) {
      at.querySelector(".dots")?.click();
      event.preventDefault();
    } else if (event.key === "Escape" && event.target !== node) {
      node.focus();
      event.stopPropagation();
    }
  });

  function quote(entry) {
    quoted = entry;
    tell("quote", { chat: chat.key, entry });
  }

  const api = {
    node: frame,
    load,
    toEnd: () => {
      pin(true);
      if (newer) return load();
      toBottom();
      return undefined;
    },
    last: () => (newer ? null : (entries.at(-1) ?? null)),
    redraw: () => still(drawAll),
    // The message that the next one quotes; asking takes it.
    quoting: () => {
      const entry = quoted;
      quoted = null;
      return entry;
    },
    add: (entry) => {
      if (waiting) {
        waiting.push(entry);
        return;
      }
      // Who reads far above gets the rest when coming down.
      newer ||= !pinned && entries.length >= MOST;
      if (newer) {
        down.hidden = false;
        return;
      }
      if (find(entry.id) >= 0) return;
      nothing.hidden = true;
      list.append(...rows([entry], entries.at(-1)));
      entries.push(entry);
      if (!pinned) return;
      cut(true);
      toBottom();
    },
    change: (entry) => {
      const i = find(entry.id);
      if (i < 0) return;
      entries[i] = { ...entries[i], ...entry };
      const old = rowOf(entry.id);
      const fresh = bubble(entries[i]);
      fresh.classList.toggle("goes-on", Boolean(goesOn(entries[i - 1], entries[i])));
      old?.replaceWith(fresh);
    },
    // The bot has read what people said up to that place.
    read: (place) =>
      entries.filter((e) => e.event && e.place <= place && !e.read).forEach((e) => api.change({ ...e, read: true })),
    // What came while nobody told us here: broadcasts.
    catchUp: async () => {
      if (newer) return;
      const found = await attempt(() => ask());
      const known = entries.at(-1)?.place ?? 0;
      if (!found) return;
      if ((found.entries[0]?.place ?? 1) > known + 1) await load();
      else for (const entry of found.entries) if (entry.place > known) api.add(entry);
    },
    update: (fresh) => {
      chat = fresh;
    },
    close: () => watch.disconnect(),
  };
  return api;
}
