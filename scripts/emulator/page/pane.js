// One conversation as on a phone: who it is with, what was said, quick replies, the rich menu, and where one writes.

import { act, get, part } from "./api.js";
import { makeComposer } from "./composer.js";
import { askDateTime, drawQuickReply } from "./draw/index.js";
import { makeHistory } from "./history.js";
import { channelOf, isBot, membersOf, model, nameOf, on, placeOf, readAll, titleOf, user } from "./model.js";
import { linkDialog, personMenu } from "./person.js";
import { makeRichMenu } from "./richmenu.js";
import { attempt, avatar, button, copy, el, menu, note } from "./ui.js";

// A chip of these stays until what it asks for was sent; a tap on any other takes all chips away.
const STAYS = new Set(["camera", "cameraRoll", "location", "datetimepicker"]);

export function makePane(chat, onClose) {
  const remembered = `actor ${chat.key}`;
  let actor = sessionStorage.getItem(remembered);
  let spent = null; // id of the message whose quick replies are used up
  const pickActor = () => {
    if (!membersOf(chat).includes(actor)) actor = membersOf(chat)[0];
  };
  pickActor();
  const node = el("article", "pane");
  node.dataset.chat = chat.key;
  const head = el("header", "pane-head");
  const notice = el("p", "pane-note row");
  const loading = el("div", "loading", el("i", ""), el("i", ""), el("i", ""));
  loading.setAttribute("role", "status");
  loading.setAttribute("aria-label", "The bot is writing");
  loading.hidden = true;
  const quick = el("div", "quick");
  const send = (what, more) => attempt(() => act(actor, chat, what, more));

  // ---- what a tap does: the emulator decides what the bot hears; the page does what a phone does by itself ----

  const PHONE = {
    videoPlayComplete: (action) => chat.type === "user" && send("videoPlayComplete", { trackingId: action.trackingId }),
    camera: () => composer.pick("image/*"),
    cameraRoll: () => composer.pick("image/*"),
    location: () => composer.location(),
    coupon: (action) => note(`A phone would show the coupon ${action.couponId}`),
  };

  function leave(uri) {
    const dialog = /^https:\/\/access\.line\.me\/dialog\/bot\/accountLink\?(.*)$/.exec(uri ?? "");
    if (dialog && chat.type === "user") {
      linkDialog(chat, actor, Object.fromEntries(new URLSearchParams(dialog[1])));
      return;
    }
    if (/^https?:/i.test(uri ?? "")) open(uri, "_blank", "noopener,noreferrer");
    else note(`A phone would open ${uri}`);
  }

  async function onAction(action, { entry, fromMenu } = {}) {
    if (!action) return;
    if (Object.hasOwn(PHONE, action.type)) {
      await PHONE[action.type](action);
      return;
    }
    const more = { action, entry, richmenu: fromMenu || undefined };
    if (action.type === "datetimepicker") {
      const picked = await askDateTime(action);
      if (picked === null) return;
      more.params = { [action.mode]: picked };
    }
    if (action.type === "uri") leave(action.uri);
    if (action.type === "clipboard") await attempt(() => copy(action.clipboardText ?? ""));
    const answer = await send("tap", more);
    if (!answer) return;
    if (answer.richMenuId) rich.load();
    if (action.inputOption === "openKeyboard") composer.write(action.fillInText ?? "");
    if (action.inputOption === "openVoice") note("A phone would open its voice input");
    if (action.inputOption === "openRichMenu") rich.show(true);
    if (action.inputOption === "closeRichMenu") rich.show(false);
  }

  const history = makeHistory(chat, () => actor, onAction);
  const composer = makeComposer(chat, () => actor, {
    onSent: () => history.toEnd(),
    quoting: () => history.quoting(),
    up: () => history.node.querySelector(".entry:last-of-type")?.focus(),
  });
  const rich = makeRichMenu((action) => onAction(action, { fromMenu: true }));

  // ---- the head ----

  function drawHead() {
    const place = chat.type === "user" ? user(chat.id) : placeOf(chat);
    const channel = channelOf(chat);
    const inside = chat.type === "user" || placeOf(chat)?.channel;
    const title = el(
      "div",
      "pane-title",
      el("strong", "", titleOf(chat)),
      el(
        "small",
        "",
        chat.type === "user"
          ? `with ${channel?.name ?? "no bot"}`
          : `${membersOf(chat).length} people${inside ? ` and ${channel?.name}` : ""}`,
      ),
    );
    const more = button("⋯", "round", () => menu(more, personMenu(chat, actor)), {
      "aria-label": `What ${nameOf(actor)} can do`,
      "aria-haspopup": "menu",
    });
    head.replaceChildren(
      ...[
        avatar(titleOf(chat), place?.picture, chat.id),
        title,
        whoSelect(),
        more,
        button("×", "round", onClose, { "aria-label": `Close the conversation ${titleOf(chat)}` }),
      ].filter(Boolean),
    );
    node.setAttribute("aria-label", titleOf(chat));
    drawNotice(inside);
  }

  // Why the bot does not hear or reach anybody here, and the way out.
  function drawNotice(inside) {
    const [words, label, what] = !inside
      ? ["The bot is not in here.", "Invite it", "join"]
      : chat.friend === "blocked"
        ? [`${nameOf(chat.id)} has blocked the bot.`, "Unblock", "unblock"]
        : chat.friend === "none"
          ? [`${nameOf(chat.id)} has not added the bot as a friend.`, "Add", "follow"]
          : [];
    notice.hidden = !words;
    if (words)
      notice.replaceChildren(
        el("span", "space", words),
        button(label, "", async () => {
          await act(actor, chat, what);
          composer.focus(); // the button goes, and whoever pressed it means to write
        }),
      );
  }

  function whoSelect() {
    const members = membersOf(chat);
    if (chat.type === "user" || members.length < 2) return null;
    const select = el("select", "who");
    select.setAttribute("aria-label", "Who you are here");
    select.title = "Who you are here";
    for (const id of members.slice(0, 200)) {
      const option = el("option", "", nameOf(id));
      option.value = id;
      select.append(option);
    }
    select.value = actor;
    select.addEventListener("change", () => {
      actor = select.value;
      sessionStorage.setItem(remembered, actor);
      history.redraw();
      composer.update(chat);
    });
    return select;
  }

  // ---- quick replies: those of the newest message only, until one of them is tapped ----

  function drawQuick() {
    const last = history.last();
    const reply = last && isBot(last.from) && !last.unsent && last.id !== spent ? last.message?.quickReply : null;
    if (!reply?.items?.length) {
      quick.replaceChildren();
      delete quick.dataset.of;
      return;
    }
    if (quick.dataset.of === last.id) return;
    quick.dataset.of = last.id;
    quick.replaceChildren(
      drawQuickReply(reply, {
        onAction: (action) => {
          if (!STAYS.has(action.type)) {
            spent = last.id;
            if (quick.contains(document.activeElement)) composer.focus();
            drawQuick();
          }
          return onAction(action, { entry: last.id });
        },
      }),
    );
  }

  // ---- what comes ----

  let loadingTimer = 0;
  function showLoading(seconds) {
    clearTimeout(loadingTimer);
    loading.hidden = !(seconds > 0);
    if (seconds > 0) loadingTimer = setTimeout(() => showLoading(0), seconds * 1000);
  }

  const mine = (fn) => (item) => item.chat === chat.key && fn(item);
  const reload = () => history.load().then(drawQuick);
  const offs = [
    on("message", (item) => {
      if (item.chat === undefined && item.channel === chat.channel && chat.type === "user") history.catchUp().then(drawQuick);
      if (item.chat !== chat.key) return;
      if (isBot(item.entry.from)) showLoading(0);
      history.add(item.entry);
      drawQuick();
    }),
    on(
      "change",
      mine((item) => {
        if (item.entry) history.change(item.entry);
        else if (item.what === "read") history.read(item.place);
        drawQuick();
      }),
    ),
    on(
      "loading",
      mine((item) => showLoading(item.seconds ?? 20)),
    ),
    on("replaced", reload),
  ];

  const loadMenu = () =>
    rich.load(chat.type === "user" ? () => get(`chats/${part(chat.key)}/richmenu?user=${part(chat.id)}`) : null);

  node.append(head, notice, history.node, loading, quick, composer.node, rich.node);
  node.addEventListener("focusin", () => readAll(chat.key));
  node.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && history.node.contains(event.target)) composer.focus();
  });
  composer.dropOn(node);
  drawHead();
  composer.update(chat);
  reload();
  loadMenu();

  return {
    node,
    focus: () => composer.focus(),
    close: () => {
      offs.forEach((off) => off());
      clearTimeout(loadingTimer);
      history.close();
      composer.close();
      node.remove();
    },
    update: (fresh) => {
      chat = fresh;
      pickActor();
      history.update(chat);
      composer.update(chat);
      const focused = head.contains(document.activeElement) ? [...head.children].indexOf(document.activeElement) : -1;
      drawHead();
      if (focused >= 0) head.children[focused]?.focus();
      loadMenu();
    },
  };
}
