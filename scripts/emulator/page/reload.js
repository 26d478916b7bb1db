// What a save does: a small note, or the error with its place in the code; and errors of handlers, with "run again".

import { post } from "./api.js";
import { eventOf, fromOf, kindOf, model, on, saidOf, tell } from "./model.js";
import { replayLast } from "./top.js";
import { button, el, note, took } from "./ui.js";

let panel = null; // {node, kind: "load" or "event"}

function closePanel(kind) {
  if (!panel || (kind && panel.kind !== kind)) return;
  panel.node.remove();
  panel = null;
}

const FRAME = /^\s*(>)?\s*\d+\s*\|/; // a line of the excerpt, "> 12 | code"

// The first line says where and what; then lines of code and the traceback.
function showError(kind, title, item, extra = []) {
  closePanel();
  const [first, ...rest] = `${item.error ?? ""}\n${item.excerpt ?? ""}`.trimEnd().split("\n");
  const excerpt = el("pre", "code excerpt");
  const trace = el("pre", "code trace");
  for (const line of rest) {
    const hit = FRAME.exec(line);
    if (hit) excerpt.append(el("span", hit[1] ? "here" : "", `${line}\n`));
    else if (line.trim()) trace.append(`${line}\n`);
  }
  const at = /^([^\s:]+:\d+):\s*(.*)$/s.exec(first);
  const node = el(
    "section",
    "error-panel",
    el(
      "header",
      "row",
      el("strong", "space", title),
      ...extra,
      button("×", "close", () => closePanel(), { "aria-label": "Close" }),
    ),
    at ? el("p", "error-first", el("code", "", at[1]), ` ${at[2]}`) : el("p", "error-first", first),
    excerpt.firstChild ? excerpt : null,
    trace.firstChild ? trace : null,
  );
  node.setAttribute("role", "alert");
  node.addEventListener("keydown", (event) => event.key === "Escape" && closePanel());
  document.getElementById("top").after(node);
  panel = { node, kind };
}

function showFailure(item) {
  const event = eventOf(item.event);
  const said = saidOf(event);
  const title = event ? `${kindOf(event)}${fromOf(event) ? ` from ${fromOf(event)}` : ""} failed` : "An event failed";
  showError("event", said ? `${title}: “${said.slice(0, 60)}”` : title, item, [
    button("What happened", "", () => tell("inspect", { event: item.event })),
    button(
      "Run again",
      "main acts",
      async () => {
        await post(`events/${item.event}/again`);
        closePanel("event");
      },
      { title: "The same event anew, with a fresh reply token" },
    ),
  ]);
}

const refused = (item) => {
  const meanwhile = item.serving ? "the one before goes on" : "nothing serves yet, events are kept";
  showError("load", `Generation ${item.number} does not load; ${meanwhile}`, item);
};

const TOLD = {
  generation: (item) => {
    if (item.old) return;
    closePanel("load");
    if (item.number < 2) return;
    note(`generation ${item.number}, ${took(item.ms)}`);
    replayLast();
  },
  refused: (item) => !item.old && refused(item),
  blamed: (item) => !item.old && showFailure(item),
  handled: (item) => {
    if (item.error && !item.old && !panel) showFailure(item);
  },
};

export function watchReload() {
  on("news", (item) => TOLD[item.what]?.(item));
  on("restart", () => closePanel());
  if (model.generation?.what === "refused") refused(model.generation);
}
