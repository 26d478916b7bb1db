// Failures on demand: the next call of an operation fails, is slow or is cut; a webhook comes twice, late or out of order.

import { post, remove } from "./api.js";
import { model, on, refresh } from "./model.js";
import { button, dialog, el } from "./ui.js";

const QUICK = [
  ["The next reply is answered 500", { operation: "reply_message", do: "status", status: 500 }],
  [
    "The next push: monthly limit reached",
    { operation: "push_message", do: "status", status: 429, body: { message: "You have reached your monthly limit." } },
  ],
  ["The next push: too many requests", { operation: "push_message", do: "status", status: 429 }],
  ["The next call is cut off", { operation: "*", do: "drop" }],
  ["The next call takes 3 s", { operation: "*", do: "delay", ms: 3000 }],
  ["The next webhook comes twice", { operation: "webhook", do: "duplicate" }],
  ["The next webhook comes 5 s late", { operation: "webhook", do: "delay", ms: 5000 }],
  ["The next webhook comes after the one behind it", { operation: "webhook", do: "reorder" }],
  ["The next webhook is redelivered", { operation: "webhook", do: "redeliver" }],
  ["The next webhook has a wrong signature", { operation: "webhook", do: "garble" }],
  ["The next webhook is lost", { operation: "webhook", do: "drop" }],
];

const DOES = {
  status: (f) => `is answered ${f.status}`,
  delay: (f) => `comes ${f.ms} ms late`,
  drop: () => "is cut off",
  duplicate: () => "comes twice",
  reorder: () => "comes after the one behind it",
  redeliver: () => "is redelivered",
  garble: () => "has a wrong signature",
};

function words(f) {
  const which = f.times === 0 ? "every" : f.nth > 1 ? `number ${f.nth} of` : "the next";
  return `${which} ${f.operation === "*" ? "call" : f.operation}${f.times > 1 ? `, ${f.times} times,` : ""} ${DOES[f.do]?.(f) ?? f.do}`;
}

export function faultsDialog() {
  return dialog(
    "Faults",
    (body) => {
      const list = el("ul", "plain fault-list");
      list.setAttribute("aria-live", "polite");
      const draw = () => {
        list.replaceChildren(
          ...model.world.faults.map((f) =>
            el(
              "li",
              "row",
              el("span", `space${f.over ? " over" : ""}`, words(f), f.hits ? el("small", "", ` hit ${f.hits}×`) : null),
              button("Remove", "link", () => change(() => remove(`faults/${f.id}`)), { "aria-label": `Remove: ${words(f)}` }),
            ),
          ),
        );
        if (model.world.faults.length > 1)
          list.append(
            el(
              "li",
              "row end",
              button("Remove all", "link", () => change(() => remove("faults"))),
            ),
          );
        if (!model.world.faults.length) list.append(el("li", "hint", "None: everything works."));
      };
      const change = async (fn) => {
        await fn();
        await refresh();
      };
      const off = on("world", () => (body.isConnected ? draw() : off()));
      const status = el("input", "small");
      const operation = el("input", "space");
      operation.placeholder = "operation, such as get_profile, or *";
      operation.setAttribute("aria-label", "Operation");
      status.type = "number";
      status.min = 400;
      status.max = 599;
      status.value = "500";
      status.setAttribute("aria-label", "Status");
      const form = el("form", "row", operation, el("span", "", "is answered"), status, button("Add", "", null));
      form.lastChild.type = "submit";
      const wrong = el("p", "wrong");
      wrong.setAttribute("role", "alert");
      form.addEventListener("submit", (event) => {
        event.preventDefault();
        wrong.textContent = "";
        change(() => post("faults", { operation: operation.value || "*", do: "status", status: Number(status.value) })).catch(
          (error) => {
            wrong.textContent = error.message;
          },
        );
      });
      body.append(
        list,
        el("h3", "", "Add one"),
        el(
          "div",
          "fault-choices",
          QUICK.map(([label, fault]) => button(label, "", () => change(() => post("faults", fault)))),
        ),
        form,
        wrong,
      );
      draw();
    },
    "wide",
  );
}
