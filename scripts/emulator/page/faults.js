// Failures on demand: the next call of an operation fails, is slow or is cut; a webhook comes twice, late or out of order.

import { post, remove } from "./api.js";
import { model, refresh } from "./model.js";
import { attempt, button, dialog, el } from "./ui.js";

const QUICK = [
  ["The next reply is answered 500", { operation: "reply_message", do: "status", status: 500 }],
  ["The next push is refused: monthly limit", { operation: "push_message", do: "status", status: 429, body: { message: "You have reached your monthly limit." } }],
  ["The next push is refused: too many requests", { operation: "push_message", do: "status", status: 429 }],
  ["The next call of anything is cut", { operation: "*", do: "drop" }],
  ["The next call of anything takes 3 s", { operation: "*", do: "delay", ms: 3000 }],
  ["The next webhook comes twice", { operation: "webhook", do: "duplicate" }],
  ["The next webhook comes 5 s late", { operation: "webhook", do: "delay", ms: 5000 }],
  ["The next webhook comes after the one behind it", { operation: "webhook", do: "reorder" }],
  ["The next webhook has a wrong signature", { operation: "webhook", do: "garble" }],
];

const words = (f) => `${f.operation}${f.nth > 1 ? `, the ${f.nth}. from now` : ""}${f.times > 1 ? `, ${f.times} times` : ""}: ${f.do}${f.status ? ` ${f.status}` : ""}${f.ms ? ` ${f.ms} ms` : ""}`;

export function faultsDialog() {
  return dialog("Faults", (body) => {
    const list = el("ul", "plain");
    const draw = () => {
      list.replaceChildren(...model.world.faults.map((f) => el("li", "row", el("span", "space", words(f)),
        button("Take away", "link", () => change(() => remove(`faults/${f.id}`))))));
      if (!model.world.faults.length) list.append(el("li", "hint", "None: everything works."));
    };
    const change = (fn) => attempt(async () => {
      await fn();
      await refresh();
      draw();
    });
    const status = el("input", "small");
    const operation = el("input", "");
    operation.placeholder = "operation, such as get_profile, or *";
    operation.setAttribute("aria-label", "Operation");
    status.type = "number";
    status.value = "500";
    status.setAttribute("aria-label", "Status");
    body.append(list, el("h3", "", "Add one"),
      el("div", "fault-choices", QUICK.map(([label, fault]) => button(label, "", () => change(() => post("faults", fault))))),
      el("div", "row", operation, status, button("Add", "", () => change(() => post("faults", { operation: operation.value || "*", do: "status", status: Number(status.value) })))));
    draw();
  }, "wide");
}
