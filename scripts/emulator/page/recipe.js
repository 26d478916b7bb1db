// "Copy as test": an event and what the bot answered, as the text of a test.

import { get, part } from "./api.js";
import { attempt, button, copy, dialog, el } from "./ui.js";

const FORMS = [
  ["Python", "python"],
  ["curl", "curl"],
  ["Lua", "lua"],
];

export const showTest = (id) =>
  dialog(
    "Copy as test",
    async (body) => {
      const text = el("pre", "code", "");
      text.tabIndex = 0;
      const choices = FORMS.map(([label, form]) =>
        button(label, "tab", (event) => show(form, event.currentTarget), { "aria-pressed": "false" }),
      );
      const show = (form, chosen) =>
        attempt(async () => {
          text.textContent = await get(`tests/${part(id)}?as=${form}`);
          for (const choice of choices) choice.setAttribute("aria-pressed", String(choice === chosen));
        });
      body.append(
        el("p", "hint", "The event as a step, and what the bot answered as what is expected."),
        el(
          "div",
          "row",
          ...choices,
          el("span", "space"),
          button("Copy", "main", () => copy(text.textContent)),
        ),
        text,
      );
      await show(FORMS[0][1], choices[0]);
    },
    "wide",
  );
