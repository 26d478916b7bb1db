// The rich menu below a conversation: its bar, which opens and closes it, and its picture with the areas.

import { drawRichMenu } from "./draw/index.js";
import { button, el } from "./ui.js";

const PATIENCE = 500; // ms that a new picture may take before the old menu goes anyway

export function makeRichMenu(onAction) {
  const node = el("div", "rich");
  const bar = button("", "rich-bar", () => api.show(!open), { "aria-expanded": "false" });
  const body = el("div", "rich-body");
  node.append(bar, body);
  node.hidden = true;
  let open = false;
  let shown = null; // {id, menu, image}
  let ask = null;
  let asked = 0;

  // The next menu takes the place of the one before when its picture is there: a tab that is tapped does not flash.
  async function put(next) {
    const drawn = drawRichMenu(next.menu, next.image, { onAction });
    const img = drawn.querySelector("img");
    if (img) {
      img.loading = "eager";
      await Promise.race([img.decode().catch(() => {}), new Promise((done) => setTimeout(done, PATIENCE))]);
    }
    return drawn;
  }

  const api = {
    node,
    show: (value) => {
      open = Boolean(value && shown);
      body.hidden = !open;
      bar.setAttribute("aria-expanded", String(open));
    },
    // fetchMenu, when given, is kept: it asks for the menu that this person sees; null: there is never one.
    load: async (fetchMenu = ask) => {
      ask = fetchMenu;
      if (!ask) return;
      const mine = ++asked;
      const found = await ask().catch(() => null);
      if (mine !== asked || !found) return;
      const id = found.menu ? found.id : null;
      if (id === (shown?.id ?? null)) return;
      if (id === null) {
        shown = null;
        node.hidden = true;
        body.replaceChildren();
        api.show(false);
        return;
      }
      const first = !shown;
      const hadFocus = body.contains(document.activeElement);
      const drawn = await put(found);
      // All of it is seen, in a low window, too.
      const { width = 2500, height = 1686 } = found.menu.size ?? {};
      body.style.setProperty("max-width", `${Math.min(620, Math.round((innerHeight * 0.42 * width) / height))}px`);
      if (mine !== asked) return;
      shown = { id, menu: found.menu };
      body.replaceChildren(drawn);
      bar.textContent = found.menu.chatBarText || "Menu";
      node.hidden = false;
      if (first) api.show(found.menu.selected === true);
      if (hadFocus) body.querySelector(".d-area")?.focus();
    },
  };
  return api;
}
