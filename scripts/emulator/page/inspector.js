// What happened, newest first: events and the calls they caused; a click shows all of one.

import { drawDetail } from "./detail.js";
import { isBot, model, nameOf, on } from "./model.js";
import { button, el, seconds, took } from "./ui.js";

const SHOWN = 300;
const KINDS = [["all", "All"], ["event", "Events"], ["call", "Calls"]];

const idOf = (item) => item.id ?? item.event;

function eventRow(item) {
  const id = idOf(item);
  const done = model.handled.get(id);
  const sent = model.deliveries.get(id);
  const failed = done?.error || (sent && (sent.error || sent.status >= 300));
  return [
    el("span", `dot ${failed ? "bad" : done ? "good" : sent ? "sent" : ""}`),
    el("span", "what", `${item.type}${item.subtype ? `.${item.subtype}` : ""}`, item.from ? el("small", "", ` ${nameOf(item.from)}`) : null,
      item.text ? el("span", "said", item.text) : null),
    el("span", "side", done?.ms !== undefined ? took(done.ms) : sent?.error ? "not delivered" : sent ? took(sent.ms) : "", el("time", "", seconds(item.time))),
  ];
}

function callRow(item) {
  return [
    el("span", `dot ${item.status >= 200 && item.status < 300 ? "good" : "bad"}`),
    el("span", "what", el("span", "arrow", "→ "), item.operation ?? item.path ?? "call", item.cost ? el("small", "", ` costs ${item.cost}`) : null),
    el("span", "side", String(item.status), el("time", "", seconds(item.time))),
  ];
}

function newsRow(item) {
  const words = item.what === "generation" ? `generation ${item.number} serves` : item.what === "refused" ? `generation ${item.number} does not load` : "a handler failed";
  return [
    el("span", `dot ${item.error ? "bad" : "good"}`),
    el("span", "what", words, item.error ? el("span", "said", item.error.split("\n")[0]) : null),
    el("span", "side", took(item.ms)),
  ];
}

const ROWS = { event: eventRow, call: callRow, news: newsRow };

export function showInspector(root) {
  let kind = "all";
  let chosen = null; // {event} or {request}, or null: the list
  const tabs = el("div", "row tabs");
  tabs.setAttribute("role", "tablist");
  const find = el("input", "find");
  find.type = "search";
  find.placeholder = "Find";
  find.setAttribute("aria-label", "Find in what happened");
  const list = el("ol", "plain happened");
  const detail = el("div", "detail");
  root.append(el("div", "row inspector-head", tabs, find), list, detail);

  function fits(item, words) {
    if (kind !== "all" && item.kind !== kind) return false;
    if (!words) return true;
    return [item.type, item.subtype, item.operation, item.text, item.from && nameOf(item.from), idOf(item), item.request]
      .some((v) => typeof v === "string" && v.toLowerCase().includes(words));
  }

  function drawList() {
    const words = find.value.toLowerCase();
    const rows = [];
    for (let i = model.happened.length - 1; i >= 0 && rows.length < SHOWN; i--) {
      const item = model.happened[i];
      if (!ROWS[item.kind] || !fits(item, words)) continue;
      const row = button("", "happening", () => choose(item.kind === "call" ? { request: item.request } : item.event || item.kind === "event" ? { event: idOf(item) } : { news: item }));
      row.append(...ROWS[item.kind](item));
      rows.push(el("li", "", row));
    }
    list.replaceChildren(...rows);
    if (!rows.length) list.append(el("li", "hint", words ? "Nothing fits." : "Nothing yet: write something to the bot."));
  }

  function choose(what) {
    chosen = what;
    list.hidden = find.hidden = tabs.hidden = Boolean(chosen);
    detail.hidden = !chosen;
    if (chosen) drawDetail(detail, chosen, () => choose(null));
    else drawList();
  }

  for (const [name, label] of KINDS) {
    tabs.append(button(label, "tab", () => {
      kind = name;
      for (const tab of tabs.children) tab.setAttribute("aria-selected", String(tab.textContent === label));
      drawList();
    }, { role: "tab", "aria-selected": String(name === kind) }));
  }
  find.addEventListener("input", drawList);

  let due = 0;
  const later = () => {
    due ||= setTimeout(() => {
      due = 0;
      if (!chosen) drawList();
      else if (chosen.event) drawDetail(detail, chosen, () => choose(null));
    }, 60);
  };
  for (const name of ["happened", "news", "delivery", "restart"]) on(name, later);
  on("inspect", (what) => {
    document.body.classList.add("inspecting");
    if (what.generation) choose(model.generation ? { news: model.generation } : null);
    else if (what.event) choose({ event: what.event });
    else if (what.request) choose({ request: what.request, from: isBot(what.entry?.from) });
    else choose({ entry: what.entry });
  });
  choose(null);
}
