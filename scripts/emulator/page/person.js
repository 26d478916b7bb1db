// What a person can do beside writing: the menus of a conversation and of a message.

import { act, patch, post, remove } from "./api.js";
import { membersOf, model, nameOf, placeOf, refresh, tell, user } from "./model.js";
import { copy, dialog, el, form, json } from "./ui.js";

const yes = (chat, as, what, more) => () => act(as, chat, what, more);

function chooseMembers(chat, as, what) {
  const inside = membersOf(chat);
  const choice =
    what === "memberJoin"
      ? model.world.users.filter((u) => !inside.includes(u.id))
      : inside.map((id) => user(id) ?? { id, name: nameOf(id) });
  if (!choice.length)
    return dialog("Nobody", (body) => body.append(el("p", "hint", "Everybody is in here already: + at the left adds a person.")));
  return form(
    what === "memberJoin" ? "Who joins?" : "Who leaves?",
    choice.slice(0, 50).map((u) => ({ name: u.id, label: u.name, type: "checkbox" })),
    {
      submit: what === "memberJoin" ? "Join" : "Leave",
      send: async (values) => {
        const members = choice.map((u) => u.id).filter((id) => values[id]);
        if (!members.length) throw new Error("Choose somebody.");
        await act(as, chat, what, { members });
      },
    },
  );
}

function editPerson(id) {
  const u = user(id);
  return form(
    u.name,
    [
      { name: "name", label: "Name", value: u.name, required: true },
      { name: "status", label: "Status message", value: u.status ?? "" },
      { name: "language", label: "Language", value: u.language ?? "" },
      { name: "picture", label: "Address of a picture", value: u.picture ?? "" },
    ],
    { send: (v) => patch(`users/${id}`, v).then(refresh) },
  );
}

function editPlace(chat) {
  const place = placeOf(chat);
  return form(
    chat.type === "group" ? "Group" : "Room",
    [
      { name: "name", label: "Name", value: place?.name ?? "", required: chat.type === "group" },
      { name: "picture", label: "Address of a picture", value: place?.picture ?? "" },
    ],
    { send: (v) => patch(`${chat.type}s/${chat.id}`, v).then(refresh) },
  );
}

// LINE's dialog, at which the account link of a bot's site ends.
export function linkDialog(chat, as, { linkToken = "", nonce = "" } = {}) {
  return form(
    "The account link dialog",
    [
      { name: "linkToken", label: "linkToken", required: true, value: linkToken },
      { name: "nonce", label: "nonce", required: true, value: nonce, hint: "As the page of the bot's site passes them on" },
    ],
    { submit: "Agree", send: (v) => act(as, chat, "accountLink", v) },
  );
}

function membership(chat, as) {
  return form(
    "Membership",
    [
      {
        name: "type",
        label: "What",
        options: [
          ["joined", "joins"],
          ["renewed", "renews"],
          ["left", "leaves"],
        ],
      },
      { name: "membershipId", label: "Plan", type: "number", value: 1, required: true },
    ],
    { submit: "Do it", send: (v) => act(as, chat, "membership", v) },
  );
}

function objectOf(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`This is not JSON: ${error.message}`);
  }
}

function otherEvent(chat, as) {
  return form(
    "Any event",
    [
      {
        name: "event",
        label: "Event",
        type: "text area",
        required: true,
        value: JSON.stringify({ type: "botSuspended" }, null, 2),
        hint: "Ids, time, source and reply token are added where they are missing; then it is signed and sent.",
      },
    ],
    { submit: "Send", send: (v) => act(as, chat, "event", { event: objectOf(v.event) }) },
  );
}

// The items of the menu of a conversation.
export function personMenu(chat, as) {
  const name = nameOf(as);
  const items = [];
  if (chat.type === "user") {
    if (chat.friend === "blocked")
      items.push({ label: "Unblock the bot", hint: "follow, isUnblocked", run: yes(chat, as, "unblock") });
    else if (chat.friend === "friend")
      items.push({ label: "Block the bot", hint: "unfollow", bad: true, run: yes(chat, as, "unfollow") });
    if (chat.friend === "none") items.push({ label: "Add the bot as a friend", hint: "follow", run: yes(chat, as, "follow") });
    items.push(
      { label: "Link accounts …", hint: "accountLink", run: () => linkDialog(chat, as) },
      { label: "Membership …", hint: "membership", run: () => membership(chat, as) },
    );
    items.push({ label: "Edit this person …", run: () => editPerson(chat.id) });
  } else {
    const inside = placeOf(chat)?.channel;
    items.push({ label: `Edit this ${chat.type} …`, run: () => editPlace(chat) });
    items.push(
      inside
        ? { label: "Remove the bot", hint: "leave", bad: true, run: yes(chat, as, "leave") }
        : { label: "Invite the bot", hint: "join", run: yes(chat, as, "join") },
    );
    items.push({ label: "Somebody joins …", hint: "memberJoined", run: () => chooseMembers(chat, as, "memberJoin") });
    items.push({ label: "Somebody leaves …", hint: "memberLeft", run: () => chooseMembers(chat, as, "memberLeave") });
  }
  items.push(
    null,
    { label: `${name} reads everything`, run: yes(chat, as, "read") },
    { label: "Any event …", run: () => otherEvent(chat, as) },
  );
  items.push({ label: "Copy the id", run: () => copy(chat.id) });
  if (chat.type === "user")
    items.push({ label: "Delete the account", bad: true, run: () => remove(`users/${chat.id}`).then(refresh) });
  return items;
}

// Whether the message can still be edited: the platform tells bots of edits of texts in groups only.
const editable = (chat, entry) => chat.type === "group" && entry.message?.type === "text";

function edit(chat, entry) {
  return form("Edit", [{ name: "text", label: "Text", type: "text area", value: entry.message.text, required: true }], {
    send: (v) => act(entry.from, chat, "edit", { message: entry.id, text: v.text }),
  });
}

// The items of the menu of a message.
const QUOTES = new Set(["text", "textV2", "sticker", "image", "video", "template", "flex", "imagemap"]);

export function messageMenu(chat, entry, as, { quote }) {
  const items = [
    { label: "What happened", run: () => tell("inspect", { event: entry.event, request: entry.request, entry }) },
    { label: "JSON …", run: () => dialog("Message", (body) => body.append(json(entry.message))) },
  ];
  if (!entry.unsent && !entry.shown && QUOTES.has(entry.message?.type)) items.push({ label: "Quote", run: () => quote(entry) });
  if (entry.from === as && !entry.unsent && !entry.shown) {
    if (editable(chat, entry)) items.push({ label: "Edit …", run: () => edit(chat, entry) });
    items.push({ label: "Unsend", bad: true, run: yes(chat, as, "unsend", { message: entry.id }) });
  }
  if (entry.event) items.push({ label: "Send again", hint: "fresh reply token", run: () => post(`events/${entry.event}/again`) });
  if (!entry.unsent) items.push({ label: "Copy the JSON", run: () => copy(JSON.stringify(entry.message, null, 2)) });
  return items;
}
