// Where a person writes: text with mentions and quotes, stickers, pictures, files, voice, places, beacons.

import { act, post } from "./api.js";
import { summary } from "./draw/index.js";
import { channelOf, membersOf, model, nameOf, on } from "./model.js";
import { suggestMembers } from "./mention.js";
import { attempt, button, dialog, el, form, menu } from "./ui.js";

// Stickers of LINE's list of sendable ones; the page draws a stand-in with their numbers.
const STICKERS = [
  ["446", ["1988", "1989", "1990", "1991", "1992", "1993"]],
  ["789", ["10855", "10856", "10857", "10858"]],
  ["1070", ["17839", "17840", "17841", "17842"]],
  ["6136", ["10551376", "10551377", "10551378"]],
];

const KIND = [
  [/^image\//, "image"],
  [/^video\//, "video"],
  [/^audio\//, "audio"],
];
const kindOf = (type) => KIND.find(([re]) => re.test(type))?.[1] ?? "file";

// Length of a sound or video in ms; undefined when the browser cannot tell.
function durationOf(file) {
  return new Promise((resolve) => {
    const player = document.createElement(file.type.startsWith("video/") ? "video" : "audio");
    const url = URL.createObjectURL(file);
    const done = (ms) => {
      URL.revokeObjectURL(url);
      resolve(ms);
    };
    player.preload = "metadata";
    player.onloadedmetadata = () => done(Number.isFinite(player.duration) ? Math.round(player.duration * 1000) : undefined);
    player.onerror = () => done(undefined);
    setTimeout(() => done(undefined), 2000);
    player.src = url;
  });
}

// A second of a soft tone: a voice message without a microphone. A WAV file, made here.
function voice(ms) {
  const rate = 8000;
  const n = Math.round((rate * ms) / 1000);
  const bytes = new DataView(new ArrayBuffer(44 + n));
  const word = (at, text) => [...text].forEach((c, i) => bytes.setUint8(at + i, c.charCodeAt(0)));
  word(0, "RIFF");
  bytes.setUint32(4, 36 + n, true);
  word(8, "WAVEfmt ");
  bytes.setUint32(16, 16, true);
  bytes.setUint16(20, 1, true);
  bytes.setUint16(22, 1, true);
  bytes.setUint32(24, rate, true);
  bytes.setUint32(28, rate, true);
  bytes.setUint16(32, 1, true);
  bytes.setUint16(34, 8, true);
  word(36, "data");
  bytes.setUint32(40, n, true);
  for (let i = 0; i < n; i++) bytes.setUint8(44 + i, 128 + Math.round(40 * Math.sin((i / rate) * 2 * Math.PI * 330)));
  return new Blob([bytes.buffer], { type: "audio/wav" });
}

// What a name in a conversation refers to: its members and its bot, longest names first.
const peopleOf = (chat) =>
  [...membersOf(chat).map((id) => [nameOf(id), id]), [channelOf(chat)?.name, channelOf(chat)?.bot]]
    .filter(([name]) => name)
    .sort((a, b) => b[0].length - a[0].length);

export function makeComposer(chat, actorOf, { onSent, quoting, up }) {
  let quotes = null;
  let turn = Promise.resolve(); // what is sent goes in the order it was written in
  const inTurn = (fn) => (turn = turn.catch(() => {}).then(fn));
  const say = (message, more = {}) =>
    attempt(() => {
      onSent();
      return inTurn(() => act(actorOf(), chat, "message", { message, ...more }));
    });

  // ---- text ----

  const input = el("textarea", "");
  input.rows = 1;
  input.placeholder = "Message";
  input.setAttribute("aria-label", "Message");
  const fit = () => {
    input.style.setProperty("height", "auto");
    input.style.setProperty("height", `${Math.min(input.scrollHeight, 140)}px`);
  };

  // "@Name " of members becomes mentions, with positions in UTF-16 code units as the platform has them.
  function mentionsIn(text) {
    const found = [];
    const people = peopleOf(chat);
    for (let i = text.indexOf("@"); i >= 0; i = text.indexOf("@", i + 1)) {
      const all = /^@all\b/i.exec(text.slice(i));
      const who = people.find(([name]) => text.startsWith(name, i + 1));
      if (all) found.push({ index: i, length: 4, type: "all" });
      else if (who) found.push({ index: i, length: who[0].length + 1, type: "user", userId: who[1] });
    }
    return found;
  }

  async function sendText() {
    const text = input.value;
    if (!text.trim()) return;
    input.value = "";
    fit();
    const message = { type: "text", text };
    const mentionees = chat.type === "user" ? [] : mentionsIn(text);
    if (mentionees.length) message.mention = { mentionees };
    takeQuote(message);
    // What was refused can be mended and sent again.
    if (!(await say(message)) && !input.value) {
      input.value = text;
      fit();
    }
  }

  function takeQuote(message) {
    const quoted = quoting();
    if (quoted) message.quotedMessageId = quoted.id;
    showQuote(null);
  }

  input.addEventListener("input", fit);
  input.addEventListener("keydown", (event) => {
    if (suggest.onKey(event)) return;
    if (event.key === "ArrowUp" && !input.value) {
      event.preventDefault();
      up();
    } else if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      sendText();
    } else if (event.key === "Escape" && quotes) {
      quoting();
      showQuote(null);
    }
  });

  const suggest = suggestMembers(input, () => (chat.type === "user" ? [] : ["All", ...peopleOf(chat).map(([name]) => name)]));

  const quoteBar = el("div", "quote-bar");
  function showQuote(entry) {
    quotes = entry;
    quoteBar.hidden = !entry;
    quoteBar.replaceChildren(
      ...(entry
        ? [
            el("span", "", `Reply to ${nameOf(entry.from)}: ${summary(entry.message)}`),
            button(
              "×",
              "close",
              () => {
                quoting();
                showQuote(null);
              },
              { "aria-label": "Do not quote" },
            ),
          ]
        : []),
    );
    if (entry) input.focus();
  }
  showQuote(null);
  const off = on("quote", (item) => item.chat === chat.key && node.isConnected && showQuote(item.entry));

  // ---- files ----

  const picker = el("input", "");
  picker.type = "file";
  picker.multiple = true;
  picker.hidden = true;
  picker.addEventListener("change", () => {
    sendFiles([...picker.files]);
    picker.value = "";
  });

  async function upload(file, name) {
    const kind = kindOf(file.type);
    const duration = kind === "video" || kind === "audio" ? await durationOf(file) : undefined;
    const media = await post(`media${duration ? `?duration=${duration}` : ""}`, file, file.type || "application/octet-stream");
    const message = { type: kind, mediaId: media.mediaId };
    if (kind === "file") message.fileName = name;
    if (duration) message.duration = duration;
    return message;
  }

  // Several pictures at once are a set, as the app sends them.
  const sendFiles = (files) =>
    attempt(async () => {
      if (!files.length) return;
      onSent();
      const sent = [];
      for (const file of files) sent.push(await upload(file, file.name));
      const set = sent.length > 1 && sent.every((message) => message.type === "image");
      if (set) await inTurn(() => act(actorOf(), chat, "message", { set: sent.map(({ mediaId }) => ({ mediaId })) }));
      else for (const message of sent) await inTurn(() => act(actorOf(), chat, "message", { message }));
    });

  function pick(accept) {
    picker.accept = accept;
    picker.click();
  }

  const sendVoice = () =>
    attempt(async () => {
      const sound = voice(1500);
      const media = await post("media?duration=1500", sound, "audio/wav");
      await say({ type: "audio", duration: 1500, mediaId: media.mediaId });
    });

  // ---- the rest ----

  function stickers() {
    return dialog("Stickers", (body, close) => {
      body.append(el("p", "hint", "Stand-ins: stickers are LINE's artwork. The bot gets the ids."));
      const grid = el("div", "sticker-grid");
      for (const [packageId, ids] of STICKERS) {
        for (const stickerId of ids) {
          grid.append(
            button(
              stickerId,
              "sticker-choice",
              () => {
                close();
                const message = { type: "sticker", packageId, stickerId, stickerResourceType: "STATIC" };
                takeQuote(message);
                say(message);
              },
              { title: `package ${packageId}` },
            ),
          );
        }
      }
      body.append(grid);
    });
  }

  function location() {
    return form(
      "A place",
      [
        { name: "title", label: "Name", value: "Miraina Tower" },
        { name: "address", label: "Address", value: "4-1-6 Shinjuku, Tokyo" },
        { name: "latitude", label: "Latitude", type: "number", value: 35.688806, required: true },
        { name: "longitude", label: "Longitude", type: "number", value: 139.701739, required: true },
      ],
      {
        submit: "Send",
        send: (v) =>
          act(actorOf(), chat, "message", {
            message: { type: "location", ...Object.fromEntries(Object.entries(v).filter(([, x]) => x !== "")) },
          }),
      },
    );
  }

  function beacon() {
    return form(
      "A beacon",
      [
        {
          name: "type",
          label: "What",
          options: [
            ["enter", "comes near"],
            ["banner", "taps its banner"],
            ["stay", "stays near"],
          ],
        },
        { name: "hwid", label: "Hardware id", value: "d41d8cd98f", required: true },
        { name: "dm", label: "Device message (hex)" },
      ],
      {
        submit: "Send",
        send: (v) => act(actorOf(), chat, "beacon", { type: v.type, hwid: v.hwid, dm: v.dm || undefined }),
      },
    );
  }

  const plus = button(
    "+",
    "round",
    () =>
      menu(
        plus,
        [
          { label: "Picture …", run: () => pick("image/*") },
          { label: "Video …", run: () => pick("video/*") },
          { label: "File …", run: () => pick("") },
          { label: "Voice message", hint: "1.5 s, a tone", run: sendVoice },
          { label: "Location …", run: location },
          chat.type === "user" ? { label: "Beacon …", run: beacon } : null,
        ].filter((item, i, all) => item || i < all.length - 1),
      ),
    { "aria-label": "Send something else", "aria-haspopup": "menu" },
  );
  const go = button("➤", "round send", sendText, { "aria-label": "Send", title: "Enter sends, Shift+Enter makes a new line" });
  const node = el(
    "div",
    "composer",
    quoteBar,
    el("div", "composer-line", plus, input, button("☺", "round", stickers, { "aria-label": "Stickers" }), go),
    picker,
  );

  node.classList.add("acts");
  // Files may be dropped on the whole conversation, and pasted into what one writes.
  function dropOn(pane) {
    const hasFiles = (event) => event.dataTransfer.types.includes("Files");
    pane.addEventListener("dragover", (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      pane.classList.add("dropping");
    });
    pane.addEventListener("dragleave", (event) => {
      if (!pane.contains(event.relatedTarget)) pane.classList.remove("dropping");
    });
    pane.addEventListener("drop", (event) => {
      pane.classList.remove("dropping");
      if (!hasFiles(event)) return;
      event.preventDefault();
      sendFiles([...event.dataTransfer.files]);
    });
  }
  input.addEventListener("paste", (event) => {
    if (!event.clipboardData.files.length) return;
    event.preventDefault();
    sendFiles([...event.clipboardData.files]);
  });

  return {
    node,
    pick,
    location,
    focus: () => input.focus({ preventScroll: true }),
    dropOn,
    close: off,
    write: (text) => {
      input.value = text;
      fit();
      input.focus();
      input.setSelectionRange(text.length, text.length);
    },
    update: (fresh) => {
      chat = fresh;
      input.disabled = model.world.channels.length === 0;
      input.placeholder = chat.type === "user" ? "Message" : `Message as ${nameOf(actorOf())}`;
    },
  };
}
