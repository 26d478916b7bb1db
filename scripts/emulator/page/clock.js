// The emulator's clock: real, or standing still until it is advanced. Reply tokens, redeliveries and quotas go by it.

import { post } from "./api.js";
import { model, now, refresh } from "./model.js";
import { attempt, button, dialog, el } from "./ui.js";

const STEPS = [["1 minute", 60e3], ["20 minutes", 1200e3], ["1 hour", 3600e3], ["1 day", 86400e3], ["30 days", 30 * 86400e3]];

export function clockDialog() {
  return dialog("Clock", (body, close) => {
    const shown = el("p", "big");
    const draw = () => {
      shown.textContent = new Date(model.world.clock.mode === "virtual" ? model.world.clock.now : now()).toLocaleString();
    };
    const tell = (fields) => attempt(async () => {
      await post("clock", fields);
      await refresh();
      draw();
    });
    const still = el("input", "");
    still.type = "checkbox";
    still.checked = model.world.clock.mode === "virtual";
    still.addEventListener("change", () => tell({ mode: still.checked ? "virtual" : "real" }));
    body.append(shown, el("label", "check", still, el("span", "", "time stands still")),
      el("p", "hint", "Let time pass: tokens grow old, redeliveries become due, a new month begins."),
      el("div", "row wrap", STEPS.map(([label, ms]) => button(label, "", () => tell({ advance: ms })))),
      el("div", "row end", button("Done", "main", () => close())));
    draw();
  });
}
