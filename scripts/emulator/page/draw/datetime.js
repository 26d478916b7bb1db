// The date and time picker: the browser's own, in a dialog.

import { el, object, text } from "./dom.js";

const INPUTS = { date: "date", time: "time", datetime: "datetime-local" };
const FORMS = {
  date: /^\d{4}-\d{2}-\d{2}$/,
  time: /^\d{2}:\d{2}$/,
  datetime: /^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}$/,
};
const pad = (n) => String(n).padStart(2, "0");

// A bound or start value in the form the input wants, or "".
function fitting(mode, value) {
  return typeof value === "string" && FORMS[mode].test(value) ? value.toUpperCase() : "";
}

function now(mode) {
  const d = new Date();
  const day = `${d.getFullYear()}-${pad(d.getMonth() + 1)}-${pad(d.getDate())}`;
  const hour = `${pad(d.getHours())}:${pad(d.getMinutes())}`;
  return mode === "date" ? day : mode === "time" ? hour : `${day}T${hour}`;
}

function clamped(value, min, max) {
  if (min && value < min) return min;
  return max && value > max ? max : value;
}

// Asks the person for the value of a datetimepicker action. Resolves with "2026-01-31", "23:59" or "2026-01-31T23:59" as
// the action's mode wants it, or with null when the dialog is left. What is outside min and max cannot be sent.
export function askDateTime(action) {
  const a = object(action);
  const mode = Object.hasOwn(INPUTS, a.mode) ? a.mode : "datetime";
  const [min, max] = [fitting(mode, a.min), fitting(mode, a.max)];
  const input = el("input", "d-ask-input");
  input.type = INPUTS[mode];
  input.required = true;
  if (min) input.min = min;
  if (max) input.max = max;
  input.value = clamped(fitting(mode, a.initial) || now(mode), min, max);
  const title = text(a.label) || "Pick a value";
  input.setAttribute("aria-label", title);

  const cancel = el("button", "d-ask-cancel", "Cancel");
  cancel.type = "button";
  const send = el("button", "d-ask-send", "Send");
  send.type = "submit";
  const range = min || max ? el("p", "d-small", `${min || "…"} to ${max || "…"}`) : null;
  const form = el(
    "form",
    "d-ask-form",
    el("p", "d-ask-title", title),
    input,
    range,
    el("div", "d-ask-buttons", cancel, send),
  );
  form.method = "dialog";
  const dialog = el("dialog", "d-ask", form);
  dialog.setAttribute("aria-label", title);
  document.body.append(dialog);

  return new Promise((resolve) => {
    let picked = null;
    cancel.addEventListener("click", () => dialog.close());
    form.addEventListener("submit", () => {
      picked = input.value || null;
    });
    dialog.addEventListener("close", () => {
      dialog.remove();
      // Seconds never go out, whatever the browser adds.
      resolve(picked && picked.slice(0, { date: 10, time: 5, datetime: 16 }[mode]));
    });
    dialog.showModal();
    input.focus();
  });
}
