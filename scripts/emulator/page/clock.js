// The emulator's clock: real, or standing still until it is advanced. Reply tokens, redeliveries and quotas go by it.

import { post } from "./api.js";
import { model, now, refresh } from "./model.js";
import { button, dialog, el, time } from "./ui.js";

const STEPS = [
  ["1 minute", 60e3],
  ["20 minutes", 1200e3],
  ["1 hour", 3600e3],
  ["1 day", 86400e3],
  ["30 days", 30 * 86400e3],
];
const WHOLE = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });

export function clockDialog() {
  return dialog("Clock", (body, close) => {
    const shown = el("p", "big");
    shown.setAttribute("role", "status");
    const draw = () => {
      shown.textContent = WHOLE.format(model.world.clock.mode === "virtual" ? model.world.clock.now : now());
    };
    const timer = setInterval(() => (body.isConnected ? draw() : clearInterval(timer)), 1000);
    const set = async (fields) => {
      await post("clock", fields);
      await refresh();
      draw();
    };
    const still = el("input", "");
    still.type = "checkbox";
    still.checked = model.world.clock.mode === "virtual";
    still.addEventListener("change", () =>
      set({ mode: still.checked ? "virtual" : "real" }).catch((error) => {
        shown.textContent = error.message;
      }),
    );
    body.append(
      shown,
      el("label", "check", still, el("span", "", "Time stands still")),
      el(
        "p",
        "hint",
        `Let time pass: reply tokens expire, redeliveries become due, a new month begins. It was ${time(Date.now())} when you opened this.`,
      ),
      el(
        "div",
        "row wrap",
        STEPS.map(([label, ms]) => button(`+ ${label}`, "", () => set({ advance: ms }))),
      ),
      el(
        "div",
        "row end",
        button("Done", "main", () => close()),
      ),
    );
    draw();
  });
}
