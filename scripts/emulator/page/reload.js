// What a save does: a small note, or the error with its place in the code; and errors of handlers, with "run again".

import { post } from "./api.js";
import { model, nameOf, on, tell } from "./model.js";
import { replayLast } from "./top.js";
import { button, el, note, took } from "./ui.js";

let panel = null;

function closePanel() {
  panel?.remove();
  panel = null;
}

// The first line says what and where; then lines of code ("> 12 | …") and the way there.
function showError(title, text, extra = []) {
  closePanel();
  const [first, ...rest] = String(text ?? "").split("\n");
  const code = el("pre", "code");
  for (const line of rest) code.append(el("span", /^\s*>/.test(line) ? "here" : "", `${line}\n`));
  panel = el("section", "error-panel",
    el("header", "row", el("strong", "", title), el("span", "space"), ...extra, button("×", "close", closePanel, { "aria-label": "Close" })),
    el("p", "error-first", first), rest.length ? code : null);
  panel.setAttribute("role", "alert");
  document.body.append(panel);
}

// The event whose handler failed, in words.
function told(id) {
  const item = model.happened.findLast((i) => i.kind === "event" && (i.id ?? i.event) === id);
  const from = item?.from ? ` from ${nameOf(item.from)}` : "";
  return item ? `${item.type}${item.subtype ? `.${item.subtype}` : ""}${from}` : id;
}

export function watchReload() {
  let seen = null;
  on("news", (item) => {
    if (item.what === "generation") {
      const mended = panel?.dataset.kind === "load";
      if (mended || (seen !== null && seen !== item.number)) closePanel();
      if (item.number > 1) {
        note(`generation ${item.number}, ${took(item.ms)}`);
        replayLast();
      }
      seen = item.number;
    } else if (item.what === "refused") {
      showError(`Generation ${item.number} does not load; the one before goes on`, item.error);
      panel.dataset.kind = "load";
    } else if (item.what === "blamed" || (item.what === "handled" && item.error)) {
      showError(`${told(item.event)} failed`, item.error, [
        button("What happened", "", () => tell("inspect", { event: item.event })),
        button("Run again", "main", async () => {
          await post(`events/${item.event}/again`);
          closePanel();
        }, { title: "The same event anew, with a fresh reply token" }),
      ]);
      panel.dataset.kind = "event";
    }
  });
}
