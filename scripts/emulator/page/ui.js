// Small parts that the whole page is made of.

import { el } from "./draw/dom.js";

export { el };

// button("Save", "wide", fn): a real button; what fn rejects with is shown as a note.
export function button(label, className, fn, more = {}) {
  const node = el("button", className, label);
  node.type = "button";
  for (const [name, value] of Object.entries(more)) {
    if (value !== undefined && value !== null && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  if (fn) node.addEventListener("click", (event) => attempt(() => fn(event)));
  return node;
}

// Run something that may fail; its words go where they are read.
export async function attempt(fn) {
  try {
    return await fn();
  } catch (error) {
    note(error.message, { bad: true });
    return undefined;
  }
}

// A word at the edge of the page; it goes by itself, a bad one when it is closed or after a while.
export function note(words, { bad = false, action, seconds } = {}) {
  const box = document.getElementById("notes");
  const node = el("div", `note${bad ? " bad" : ""}`, el("span", "", words));
  const close = () => {
    node.remove();
    if (!box.firstChild) box.hidePopover();
  };
  if (action) node.append(button(action.label, "link", () => (close(), action.run())));
  node.append(button("×", "close", close, { "aria-label": "Close this note" }));
  box.append(node);
  // Above dialogs, which are above everything else.
  box.hidePopover();
  box.showPopover();
  while (box.children.length > 4) box.firstChild.remove();
  setTimeout(close, 1000 * (seconds ?? (bad ? 12 : 4)));
  return node;
}

// A dialog with a title; `fill(body, close)` puts things into it. Resolves with what close was given, null when it was
// dismissed.
export function dialog(title, fill, className = "") {
  return new Promise((resolve) => {
    const node = el("dialog", `dialog ${className}`);
    const body = el("div", "dialog-body");
    let result = null;
    const close = (value = null) => {
      result = value;
      node.close();
    };
    const heading = el("h2", "", title);
    heading.id = `dialog-${Math.random().toString(36).slice(2)}`;
    node.setAttribute("aria-labelledby", heading.id);
    node.append(
      el(
        "header",
        "dialog-head",
        heading,
        button("×", "close", () => close(), { "aria-label": "Close" }),
      ),
      body,
    );
    node.addEventListener("close", () => {
      node.remove();
      resolve(result);
    });
    // A click beside it closes it, as Escape does.
    node.addEventListener("click", (event) => {
      if (event.target === node) close();
    });
    document.body.append(node);
    fill(body, close);
    node.showModal();
  });
}

// A form in a dialog. fields: [{name, label, type, value, hint, options, required, placeholder}]. Resolves with
// {name: value} or null. send(values), if given, is called first, and its error shown beside the button.
export function form(title, fields, { submit = "Save", send, intro } = {}) {
  return dialog(title, (body, close) => {
    const node = el("form", "form");
    const inputs = {};
    if (intro) node.append(el("p", "hint", intro));
    for (const f of fields) {
      const input = f.options ? el("select", "") : el(f.type === "text area" ? "textarea" : "input", "");
      for (const [value, label] of f.options ?? []) {
        const option = el("option", "", label);
        option.value = value;
        input.append(option);
      }
      if (!f.options && f.type !== "text area") input.type = f.type ?? "text";
      if (f.type === "number") input.step = f.step ?? "any";
      if (f.type === "checkbox") input.checked = Boolean(f.value);
      else if (f.value !== undefined && f.type !== "file") input.value = f.value;
      if (f.placeholder) input.placeholder = f.placeholder;
      if (f.accept) input.accept = f.accept;
      input.multiple = Boolean(f.multiple);
      input.required = Boolean(f.required);
      input.name = f.name;
      inputs[f.name] = input;
      node.append(
        el(
          "label",
          f.type === "checkbox" ? "check" : "",
          el("span", "", f.label),
          input,
          f.hint ? el("small", "hint", f.hint) : null,
        ),
      );
    }
    const wrong = el("p", "wrong");
    wrong.setAttribute("role", "alert");
    const go = button(submit, "main");
    go.type = "submit";
    node.append(
      wrong,
      el(
        "div",
        "row end",
        button("Cancel", "", () => close()),
        go,
      ),
    );
    node.addEventListener("submit", async (event) => {
      event.preventDefault();
      const values = {};
      for (const f of fields) {
        const input = inputs[f.name];
        values[f.name] =
          f.type === "checkbox"
            ? input.checked
            : f.type === "number"
              ? input.value === ""
                ? undefined
                : Number(input.value)
              : f.type === "file"
                ? [...input.files]
                : input.value;
      }
      go.disabled = true;
      try {
        await send?.(values);
        close(values);
      } catch (error) {
        wrong.textContent = error.message;
      } finally {
        go.disabled = false;
      }
    });
    body.append(node);
  });
}

// A menu below a button: items [{label, run, bad, hint}] or null for a line. Arrow keys move, Escape closes.
export function menu(anchor, items) {
  document.querySelector(".menu")?.remove();
  const node = el("div", "menu");
  node.setAttribute("role", "menu");
  const close = () => {
    node.remove();
    document.removeEventListener("pointerdown", outside, true);
    anchor.setAttribute("aria-expanded", "false");
  };
  const outside = (event) => {
    if (!node.contains(event.target) && event.target !== anchor) close();
  };
  for (const item of items) {
    if (!item) {
      node.append(el("hr", ""));
      continue;
    }
    const one = button(
      el("span", "", item.label),
      item.bad ? "bad" : "",
      () => {
        close();
        anchor.focus();
        return item.run();
      },
      { role: "menuitem" },
    );
    if (item.hint) one.append(el("small", "", item.hint));
    node.append(one);
  }
  node.addEventListener("keydown", (event) => {
    const all = [...node.querySelectorAll("button")];
    const i = all.indexOf(document.activeElement);
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) all[(i + step + all.length) % all.length].focus();
    else if (event.key === "Escape") (close(), anchor.focus());
    else return;
    event.preventDefault();
  });
  document.body.append(node);
  const at = anchor.getBoundingClientRect();
  const size = node.getBoundingClientRect();
  const below = at.bottom + size.height + 8 < innerHeight;
  node.style.setProperty("left", `${Math.max(8, Math.min(at.left, innerWidth - size.width - 8))}px`);
  node.style.setProperty("top", `${Math.max(8, below ? at.bottom + 4 : at.top - size.height - 4)}px`);
  document.addEventListener("pointerdown", outside, true);
  anchor.setAttribute("aria-expanded", "true");
  node.querySelector("button")?.focus();
}

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const SECONDS = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "short", year: "numeric" });

export const time = (ms) => CLOCK.format(ms);
export const seconds = (ms) => SECONDS.format(ms);
export const day = (ms) => DAY.format(ms);
export const took = (ms) =>
  ms === undefined || ms === null
    ? ""
    : ms < 10
      ? `${ms.toFixed(1)} ms`
      : ms < 10000
        ? `${Math.round(ms)} ms`
        : `${Math.round(ms / 1000)} s`;

// A round picture of somebody, or the first letter of the name on a colour of its own.
export function avatar(name, picture, id = name) {
  const node = el("span", "avatar", [...(name || "?")][0].toUpperCase());
  let h = 7;
  for (const c of id ?? "") h = (h * 31 + c.charCodeAt(0)) % 360;
  node.style.setProperty("--hue", String(h));
  node.setAttribute("aria-hidden", "true");
  if (/^(https?:\/\/|\/_\/)/.test(picture ?? "")) {
    const img = el("img", "");
    img.alt = "";
    img.referrerPolicy = "no-referrer";
    img.addEventListener("error", () => img.remove());
    img.src = picture;
    node.append(img);
  }
  return node;
}

// JSON to read: keys, strings and numbers in colours of their own; text only.
export function json(value, className = "json") {
  const node = el("pre", className);
  const text = typeof value === "string" ? value : (JSON.stringify(value, null, 2) ?? "");
  const token = /("(?:[^"\\]|\\.)*")(\s*:)?|\b(true|false|null)\b|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)/g;
  let from = 0;
  for (const hit of text.slice(0, 100000).matchAll(token)) {
    if (hit.index > from) node.append(text.slice(from, hit.index));
    node.append(el("span", hit[2] ? "key" : hit[1] ? "string" : hit[3] ? "word" : "number", hit[1] ?? hit[0]));
    if (hit[2]) node.append(hit[2]);
    from = hit.index + hit[0].length;
  }
  node.append(text.slice(from));
  return node;
}

export async function copy(words, what = "Copied") {
  await navigator.clipboard.writeText(words);
  note(what);
}
