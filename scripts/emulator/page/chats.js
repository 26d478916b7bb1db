// The list of conversations at the left: people, groups, rooms, with the last thing said.

import { post } from "./api.js";
import { summary } from "./draw/index.js";
import { isBot, model, nameOf, on, placeOf, refresh, titleOf, user } from "./model.js";
import { openChat } from "./panes.js";
import { avatar, button, el, form, menu, time } from "./ui.js";

const WHAT = { group: "Group", room: "Room" };

function lastWords(chat) {
  const entry = chat.last;
  if (!entry) return chat.type === "user" ? "No message yet" : `${placeOf(chat)?.members?.length ?? 0} people`;
  if (entry.unsent) return "Unsent";
  const words = summary(entry.message);
  return isBot(entry.from) || chat.type === "user" ? words : `${nameOf(entry.from)}: ${words}`;
}

function state(chat) {
  if (chat.type !== "user") return placeOf(chat)?.channel ? "" : "bot not in it";
  const friend = chat.friend;
  return friend === "blocked" ? "blocked" : friend === "friend" || friend === undefined ? "" : "not a friend";
}

function row(chat) {
  const place = chat.type === "user" ? user(chat.id) : placeOf(chat);
  const title = titleOf(chat);
  const unread = model.unread.get(chat.key);
  const tags = [WHAT[chat.type], state(chat)].filter(Boolean);
  const open = model.open.includes(chat.key);
  const node = button("", "chat", (event) => openChat(chat.key, { beside: event.ctrlKey || event.metaKey }), {
    "data-chat": chat.key,
    "aria-current": open ? "true" : undefined,
  });
  const count = el("span", "unread", unread > 99 ? "99+" : String(unread));
  count.setAttribute("aria-label", `${unread} unread`);
  const name = el("span", "chat-name", title);
  name.title = title;
  node.append(
    avatar(title, place?.picture, chat.id),
    el(
      "span",
      "chat-text",
      name,
      el("span", "chat-last", lastWords(chat)),
      tags.length
        ? el(
            "span",
            "tags",
            tags.map((words) => el("small", "tag", words)),
          )
        : null,
    ),
    el("span", "chat-side", chat.last ? el("time", "", time(chat.last.time)) : null, unread ? count : null),
  );
  const beside = button("⫿", "beside", () => openChat(chat.key, { beside: true }), {
    "aria-label": `Open ${title} beside the others`,
    title: "Open beside the others (or Ctrl-click)",
  });
  beside.hidden = open;
  return el("div", "chat-row", node, beside);
}

function addPerson() {
  return form(
    "A new person",
    [
      { name: "name", label: "Name", required: true, placeholder: "Mia 🌙" },
      { name: "language", label: "Language", value: "en" },
      { name: "status", label: "Status message" },
      { name: "picture", label: "Address of a picture", type: "url" },
      { name: "friend", label: "adds the bot as a friend at once", type: "checkbox", value: true },
    ],
    {
      submit: "Add",
      send: async ({ friend, ...values }) => {
        const fields = Object.fromEntries(Object.entries(values).filter(([, v]) => v));
        const made = await post("users", fields);
        if (friend) await post("act", { as: made.id, channel: model.world.channels[0]?.id, do: "follow" });
        await refresh();
        const chat = model.world.chats.find((c) => c.type === "user" && c.id === made.id);
        if (chat) openChat(chat.key);
      },
    },
  );
}

function addPlace(kind) {
  return form(
    kind === "groups" ? "A new group" : "A new room",
    [
      ...(kind === "groups" ? [{ name: "name", label: "Name", required: true, placeholder: "Hiking" }] : []),
      ...model.world.users.slice(0, 12).map((u) => ({ name: u.id, label: u.name, type: "checkbox", value: true })),
      { name: "bot", label: "with the bot", type: "checkbox", value: true },
    ],
    {
      submit: "Make it",
      send: async (values) => {
        const members = model.world.users.map((u) => u.id).filter((id) => values[id]);
        if (!members.length) throw new Error("Choose at least one person.");
        const made = await post(kind, { name: values.name, members });
        if (values.bot) await post("act", { as: members[0], chat: made.id, channel: model.world.channels[0]?.id, do: "join" });
        await refresh();
        openChat(made.id);
      },
    },
  );
}

export function showChats(root) {
  const find = el("input", "find");
  find.type = "search";
  find.placeholder = "Find";
  find.setAttribute("aria-label", "Find a conversation");
  const add = button(
    "+",
    "round",
    () =>
      menu(add, [
        { label: "Person …", run: addPerson },
        { label: "Group …", run: () => addPlace("groups") },
        { label: "Room …", run: () => addPlace("rooms") },
      ]),
    { "aria-label": "Add a person or a group", "aria-haspopup": "menu" },
  );
  add.classList.add("acts");
  const list = el("div", "chat-list");
  root.append(el("div", "row chat-head", find, add), list);
  let due = 0;
  const draw = () => {
    due = 0;
    const words = find.value.toLowerCase();
    const shown = model.world.chats.filter((c) => !words || titleOf(c).toLowerCase().includes(words)).slice(0, 200);
    const focused = list.contains(document.activeElement) ? document.activeElement.dataset.chat : undefined;
    const top = list.scrollTop;
    list.replaceChildren(...shown.map(row));
    list.scrollTop = top;
    if (focused) list.querySelector(`[data-chat="${CSS.escape(focused)}"]`)?.focus();
    if (!shown.length)
      list.append(
        el(
          "p",
          "hint",
          words
            ? "Nobody here is called that."
            : model.world.live
              ? "Nobody has written yet."
              : "Nobody is here yet: + adds a person.",
        ),
      );
  };
  const later = () => {
    due ||= requestAnimationFrame(draw);
  };
  find.addEventListener("input", later);
  list.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    const all = [...list.querySelectorAll(".chat")];
    const i = all.indexOf(document.activeElement.closest(".chat-row")?.firstChild);
    all[Math.max(0, Math.min(all.length - 1, i + step))]?.focus();
    event.preventDefault();
  });
  for (const kind of ["world", "message", "change", "open", "unread"]) on(kind, later);
  draw();
}
