// What happened, newest first: events and the calls they caused; a click shows all of one.

import { drawDetail } from "./detail.js";
import { fromOf, kindOf, model, on, saidOf } from "./model.js";
import { button, el, seconds, took } from "./ui.js";

const SHOWN = 300;
const KINDS = [
  ["all", "All"],
  ["event", "Events"],
  ["call", "Calls"],
];

const dot = (how) => el("span", `dot ${how}`);
const side = (words, ms) => el("span", "side", el("span", "", words), ms ? el("time", "", seconds(ms)) : null);
const isFine = (status) => status >= 200 && status < 300;

// Each kind: the dot, what it is, what stands at the right. `state` are words that change while the item does not.
const ROWS = {
  event: (item) => {
    const done = model.handled.get(item.id);
    const sent = model.deliveries.get(item.id);
    const failed = done?.error || (sent && !sent.ok);
    const words =
      done?.ms !== undefined
        ? done.error
          ? "failed"
          : took(done.ms)
        : sent
          ? sent.ok
            ? took(sent.ms)
            : "not delivered"
          : "on its way";
    return {
      dot: failed ? "bad" : done ? "good" : sent ? "sent" : "",
      what: [kindOf(item.event), el("small", "", ` ${fromOf(item.event)}`)],
      said: saidOf(item.event),
      words,
      time: item.event?.timestamp,
    };
  },
  call: (item) => ({
    dot: isFine(item.status) ? "good" : "bad",
    what: [
      el("span", "arrow", "→ "),
      item.operation ?? item.path ?? "call",
      item.cost ? el("small", "", ` costs ${item.cost}`) : null,
    ],
    said: isFine(item.status) ? "" : (item.failure ?? (item.status ? "refused" : "broken off")),
    words: `${item.status ?? "cut"} · ${took(item.ms)}`,
    time: item.time,
  }),
  news: (item) => ({
    dot: item.error || item.outcome === "failed" ? "bad" : "good",
    what: [
      {
        generation: `generation ${item.number} serves`,
        refused: `generation ${item.number} does not load`,
        blamed: "a handler failed",
      }[item.what] ?? item.what,
      item.outcome && item.outcome !== "done" ? el("small", "", ` ${item.outcome}`) : null,
    ],
    said: item.error ? String(item.error).split("\n")[0] : "",
    words: item.what === "call" ? `${item.status} · ${took(item.ms)}` : took(item.ms),
  }),
};

const chooseOf = (item) =>
  item.kind === "call"
    ? { request: item.id }
    : item.kind === "event"
      ? { event: item.id }
      : item.event
        ? { event: item.event }
        : { news: item };

function haystack(item) {
  const event = item.event && typeof item.event === "object" ? item.event : {};
  return [
    item.id,
    item.operation,
    item.status,
    item.kind === "event" ? kindOf(event) : "",
    saidOf(event),
    fromOf(event),
    event.source?.groupId,
    item.path,
    item.error,
    item.selector,
  ]
    .filter(Boolean)
    .join("\n")
    .toLowerCase();
}

export function showInspector(root) {
  let kind = "all";
  let chosen = null; // {event}, {request}, {news} or {entry}; null: the list
  const tabs = el("div", "row tabs");
  tabs.setAttribute("role", "group");
  tabs.setAttribute("aria-label", "What to show");
  const find = el("input", "find");
  find.type = "search";
  find.placeholder = "Find";
  find.setAttribute("aria-label", "Find in what happened");
  const shut = button("×", "round only-overlay", () => document.body.classList.remove("inspecting"), {
    "aria-label": "Close what happened",
  });
  const list = el("ol", "plain happened");
  const none = el("p", "hint", "");
  const detail = el("div", "detail");
  detail.tabIndex = -1;
  const head = el("div", "row inspector-head", tabs, find, shut);
  root.append(head, none, list, detail);

  // ---- the list: rows are made once and changed in place, so nothing flickers and the focus stays ----

  const rows = new WeakMap(); // item -> {node, key}

  function rowOf(item) {
    const facts = ROWS[item.kind](item);
    const key = `${facts.dot} ${facts.words}`;
    let row = rows.get(item);
    if (!row) {
      const open = button("", "happening", () => choose(chooseOf(item)));
      row = { node: el("li", "", open), open, key: null };
      rows.set(item, row);
    }
    if (row.key !== key) {
      row.key = key;
      row.open.replaceChildren(
        dot(facts.dot),
        el("span", "what", ...facts.what, facts.said ? el("span", "said", facts.said) : null),
        side(facts.words, facts.time),
      );
    }
    return row.node;
  }

  function drawList() {
    const words = find.value.toLowerCase();
    let at = list.firstChild;
    let n = 0;
    for (let i = model.happened.length - 1; i >= 0 && n < SHOWN; i--) {
      const item = model.happened[i];
      if (!ROWS[item.kind] || (kind !== "all" && item.kind !== kind)) continue;
      if (words && !haystack(item).includes(words)) continue;
      const node = rowOf(item);
      n++;
      if (node === at) at = at.nextSibling;
      else list.insertBefore(node, at);
    }
    while (at) {
      const next = at.nextSibling;
      at.remove();
      at = next;
    }
    none.hidden = n > 0;
    none.textContent = words
      ? "Nothing fits."
      : model.world.live
        ? "Nothing yet: write to the bot in LINE."
        : "Nothing yet: write something to the bot.";
  }

  let cameFrom = null;
  const back = () => {
    choose(null);
    cameFrom?.focus();
  };

  function choose(what) {
    const inside = root.contains(document.activeElement);
    if (what && !chosen && inside) cameFrom = document.activeElement;
    chosen = what;
    for (const part of [list, find, tabs]) part.hidden = Boolean(chosen);
    detail.hidden = !chosen;
    if (chosen) {
      none.hidden = true;
      drawDetail(detail, chosen, back, choose);
      if (inside) detail.focus({ preventScroll: true });
    } else {
      drawList();
    }
  }

  for (const [name, label] of KINDS) {
    const tab = button(
      label,
      "tab",
      () => {
        kind = name;
        for (const other of tabs.children) other.setAttribute("aria-pressed", String(other === tab));
        drawList();
      },
      { "aria-pressed": String(name === kind) },
    );
    tabs.append(tab);
  }
  find.addEventListener("input", drawList);
  root.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      if (chosen) back();
      else document.body.classList.remove("inspecting");
      return;
    }
    const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
    const row = event.target.closest?.(".happened li");
    if (!step || !row) return;
    row[step]?.firstChild.focus();
    event.preventDefault();
  });

  // ---- news ----

  let due = 0;
  let concerns = false;
  const later = (item) => {
    concerns ||= Boolean(chosen?.event && (item.event === chosen.event || item.id === chosen.event));
    due ||= setTimeout(() => {
      due = 0;
      if (!chosen) drawList();
      else if (concerns) drawDetail(detail, chosen, back, choose);
      concerns = false;
    }, 50);
  };
  for (const name of ["happened", "news", "delivery", "call"]) on(name, later);
  on("restart", () => choose(null));
  on("world", () => !chosen && drawList());
  on("inspect", (what) => {
    document.body.classList.add("inspecting");
    const from = document.activeElement;
    if (what.generation) choose(model.generation ? { news: model.generation } : null);
    else if (what.event) choose({ event: what.event });
    else if (what.request) choose({ request: what.request });
    else if (what.entry) choose({ entry: what.entry });
    else choose(null);
    cameFrom = from;
    detail.focus({ preventScroll: true });
  });
  choose(null);
}
