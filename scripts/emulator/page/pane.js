// One conversation as on a phone: who it is with, what was said, quick replies, the rich menu, and where one writes.

import { act, get, part } from "./api.js";
import { makeComposer } from "./composer.js";
import { askDateTime, drawQuickReply, drawRichMenu } from "./draw/index.js";
import { makeHistory } from "./history.js";
import { channelOf, isBot, membersOf, model, nameOf, on, placeOf, titleOf, user } from "./model.js";
import { personMenu } from "./person.js";
import { attempt, avatar, button, copy, el, menu, note } from "./ui.js";

export function makePane(chat, onClose) {
  let actor = membersOf(chat)[0];
  let richMenu = null; // {id, menu, image}
  let menuOpen = false;
  const node = el("article", "pane");
  node.dataset.chat = chat.key;
  const head = el("header", "pane-head");
  const blocked = el("p", "pane-note");
  const loading = el("div", "loading", el("i", ""), el("i", ""), el("i", ""));
  loading.setAttribute("role", "status");
  loading.setAttribute("aria-label", "The bot is writing");
  loading.hidden = true;
  const quick = el("div", "quick");
  const rich = el("div", "rich");
  const send = (what, more) => attempt(() => act(actor, chat, what, more));

  // What a tap does: the emulator decides what the bot hears; the page does what a phone would do on its own.
  async function onAction(action, { entry, fromMenu } = {}) {
    if (!action) return;
    if (action.type === "videoPlayComplete") {
      if (chat.type === "user") await send("videoPlayComplete", { trackingId: action.trackingId });
      return;
    }
    if (action.type === "camera" || action.type === "cameraRoll") {
      composer.pick("image/*");
      return;
    }
    if (action.type === "location") {
      composer.location();
      return;
    }
    const more = { action, entry, richmenu: fromMenu || undefined };
    if (action.type === "datetimepicker") {
      const picked = await askDateTime(action);
      if (picked === null) return;
      more.params = { [action.mode]: picked };
    }
    if (action.type === "uri") {
      if (/^https?:/i.test(action.uri ?? "")) open(action.uri, "_blank", "noopener,noreferrer");
      else note(`A phone would open ${action.uri}`);
    }
    if (action.type === "clipboard") await attempt(() => copy(action.clipboardText ?? ""));
    if (action.type === "coupon") note(`A phone would show the coupon ${action.couponId}`);
    if (action.type === "coupon") return;
    await send("tap", more);
    if (action.inputOption === "openKeyboard") composer.write(action.fillInText ?? "");
    if (action.inputOption === "openRichMenu" && richMenu) showMenu(true);
    if (action.inputOption === "closeRichMenu") showMenu(false);
    if (!["camera", "cameraRoll", "location", "datetimepicker"].includes(action.type) && !fromMenu) quick.replaceChildren();
  }

  const history = makeHistory(chat, () => actor, onAction);
  const composer = makeComposer(chat, () => actor, {
    onSent: () => history.toEnd(),
    richMenu: () => showMenu(!menuOpen),
    quoting: () => history.quoting(),
  });

  // ---- the head ----

  function drawHead() {
    const place = chat.type === "user" ? user(chat.id) : placeOf(chat);
    const channel = channelOf(chat);
    const title = el("div", "pane-title",
      el("strong", "", titleOf(chat)),
      el("small", "", chat.type === "user" ? `with ${channel?.name ?? "no bot"}` : `${membersOf(chat).length} people${placeOf(chat)?.channel ? ` and ${channel?.name}` : ""}`));
    const more = button("⋯", "round", () => menu(more, personMenu(chat, actor)), { "aria-label": "What this person can do", "aria-haspopup": "menu" });
    head.replaceChildren(avatar(titleOf(chat), place?.picture, chat.id), title, whoSelect(), more,
      button("×", "round", onClose, { "aria-label": "Close this conversation" }));
    const out = chat.type === "user" ? chat.friend === "blocked" : !placeOf(chat)?.channel;
    blocked.hidden = !out && chat.friend !== "none";
    blocked.textContent = chat.type !== "user" ? "The bot is not in here: ⋯ invites it."
      : chat.friend === "blocked" ? `${nameOf(chat.id)} has blocked the bot.`
        : `${nameOf(chat.id)} has not added the bot: ⋯ does.`;
  }

  function whoSelect() {
    const members = membersOf(chat);
    if (chat.type === "user" || members.length < 2) return null;
    const select = el("select", "who");
    select.setAttribute("aria-label", "Who you are here");
    for (const id of members.slice(0, 100)) {
      const option = el("option", "", nameOf(id));
      option.value = id;
      select.append(option);
    }
    select.value = actor;
    select.addEventListener("change", () => {
      actor = select.value;
      history.redraw();
    });
    return select;
  }

  // ---- quick replies: those of the newest message only ----

  function drawQuick() {
    const last = history.last();
    const reply = last && isBot(last.from) && !last.unsent ? last.message?.quickReply : null;
    quick.replaceChildren(...(reply?.items?.length ? [drawQuickReply(reply, { onAction: (a) => onAction(a, { entry: last.id }) })] : []));
  }

  // ---- the rich menu ----

  function showMenu(open) {
    menuOpen = open;
    rich.replaceChildren();
    if (!richMenu) return;
    const bar = button(richMenu.menu.chatBarText || "Menu", "rich-bar", () => showMenu(!menuOpen), { "aria-expanded": String(open) });
    rich.append(bar);
    if (open) rich.append(drawRichMenu(richMenu.menu, richMenu.image, { onAction: (a) => onAction(a, { fromMenu: true }) }));
  }

  async function loadMenu() {
    if (chat.type !== "user") return;
    const found = await get(`chats/${part(chat.key)}/richmenu?user=${part(chat.id)}`).catch(() => null);
    const id = found?.id ?? null;
    if (id === (richMenu?.id ?? null)) return;
    const first = !richMenu;
    richMenu = id && found.menu ? { id, menu: found.menu, image: found.image ?? `/_/richmenu/${part(id)}/image` } : null;
    composer.hasMenu(Boolean(richMenu));
    showMenu(first ? Boolean(richMenu?.menu.selected) : menuOpen);
  }

  // ---- what comes ----

  let loadingUntil = 0;
  const offs = [
    on("message", (item) => {
      if (item.chat !== chat.key) return;
      if (isBot(item.entry.from)) loading.hidden = true;
      history.add(item.entry);
      drawQuick();
    }),
    on("change", (item) => {
      if (item.chat !== chat.key) return;
      history.change(item.entry);
      drawQuick();
    }),
    on("loading", (item) => {
      if (item.chat !== chat.key) return;
      loading.hidden = false;
      const ms = item.ms ?? 1000 * (item.seconds ?? 20);
      loadingUntil = performance.now() + ms;
      setTimeout(() => {
        if (performance.now() >= loadingUntil - 5) loading.hidden = true;
      }, ms);
    }),
    on("restart", () => history.load().then(drawQuick)),
  ];

  node.append(head, blocked, history.node, loading, quick, composer.node, rich);
  node.addEventListener("focusin", () => model.unread.delete(chat.key));
  drawHead();
  history.load().then(drawQuick);
  loadMenu();

  return {
    node,
    focus: () => composer.focus(),
    close: () => {
      offs.forEach((off) => off());
      node.remove();
    },
    update: (fresh) => {
      chat = fresh;
      if (!membersOf(chat).includes(actor)) actor = membersOf(chat)[0];
      history.update(chat);
      composer.update(chat);
      drawHead();
      loadMenu();
    },
  };
}
