// Names behind "@" while one writes: a small list to choose from, by keys or by a click.

import { el } from "./ui.js";

const MOST = 6;
let lists = 0;

// suggestMembers(textarea, () => names) → {onKey(event)}: true when the key was for the list.
export function suggestMembers(input, names) {
  const list = el("ul", "suggest plain");
  list.id = `suggest-${++lists}`;
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "Whom to mention");
  list.hidden = true;
  let chosen = 0;
  input.setAttribute("aria-autocomplete", "list");
  input.setAttribute("aria-controls", list.id);

  // What stands between an "@" and the cursor.
  const written = () => /(?:^|\s)@([^\n@]{0,40})$/.exec(input.value.slice(0, input.selectionStart))?.[1];

  function mark(i) {
    chosen = (i + list.children.length) % list.children.length;
    [...list.children].forEach((item, at) => item.setAttribute("aria-selected", String(at === chosen)));
    list.children[chosen].scrollIntoView({ block: "nearest" });
  }

  function close() {
    list.hidden = true;
  }

  function take(name) {
    const at = input.selectionStart;
    const from = at - (written()?.length ?? 0);
    input.setRangeText(`${name} `, from, at, "end");
    close();
    input.focus();
  }

  function show() {
    const begun = written()?.toLowerCase();
    const found =
      begun === undefined
        ? []
        : names()
            .filter((name) => name.toLowerCase().startsWith(begun) && name.toLowerCase() !== begun)
            .slice(0, MOST);
    list.replaceChildren(
      ...found.map((name) => {
        const item = el("li", "", `@${name}`);
        item.setAttribute("role", "option");
        item.addEventListener("pointerdown", (event) => {
          event.preventDefault(); // what is written keeps the focus
          take(name);
        });
        return item;
      }),
    );
    list.hidden = !found.length;
    if (found.length) mark(0);
  }

  input.addEventListener("input", () => {
    if (!list.isConnected) input.parentElement.append(list);
    show();
  });
  input.addEventListener("blur", close);

  return {
    onKey: (event) => {
      if (list.hidden || event.isComposing) return false;
      if (event.key === "ArrowDown") mark(chosen + 1);
      else if (event.key === "ArrowUp") mark(chosen - 1);
      else if (event.key === "Escape") close();
      else if (event.key === "Enter" || event.key === "Tab") take(list.children[chosen].textContent.slice(1));
      else return false;
      event.preventDefault();
      event.stopPropagation();
      return true;
    },
  };
}
