// Where a person writes: text with mentions and quotes, stickers, pictures, files, voice, places, beacons.

import { act, post } from "./api.js";
import { summary } from "./draw/index.js";
import { channelOf, membersOf, model, nameOf, on } from "./model.js";
import { attempt, button, dialog, el, form, menu } from "./ui.js";

// Stickers of LINE's list of sendable ones; the page draws a stand-in with their numbers.
const STICKERS = [["446", ["1988", "1989", "1990", "1991", "1992", "1993"]], ["789", ["10855", "10856", "10857", "10858"]],
  ["1070", ["17839", "17840", "17841", "17842"]], ["6136", ["10551376", "10551377", "10551378"]]];

const KIND = [[/^image\//, "image"], [/^video\//, "video"], [/^audio\//, "audio"]];
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
  const n = Math.round(rate * ms / 1000);
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
  for (let i = 0; i < n; i++) bytes.setUint8(44 + i, 128 + Math.round(40 * Math.sin(i / rate * 2 * Math.PI * 330)));
  return new Blob([bytes.buffer], { type: "audio/wav" });
}

export function makeComposer(chat, actorOf, { onSent, richMenu, quoting }) {
  let quotes = null;
  const say = (message, more = {}) => attempt(async () => {
    onSent();
    await act(actorOf(), chat, "message", { message, ...more });
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
    const people = [...membersOf(chat).map((id) => [nameOf(id), id]), [channelOf(chat)?.name, channelOf(chat)?.bot]]
      .filter(([name]) => name).sort((a, b) => b[0].length - a[0].length);
    for (let i = text.indexOf("@"); i >= 0; i = text.indexOf("@", i + 1)) {
      const all = /^@all\b/i.exec(text.slice(i));
      const who = people.find(([name]) => text.startsWith(name, i + 1));
      if (all) found.push({ index: i, length: 4, type: "all" });
      else if (who) found.push({ index: i, length: who[0].length + 1, type: "user", userId: who[1] });
    }
    return found;
  }

  function sendText() {
    const text = input.value;
    if (!text.trim()) return;
    input.value = "";
    fit();
    const message = { type: "text", text };
    const mentionees = chat.type === "user" ? [] : mentionsIn(text);
    if (mentionees.length) message.mention = { mentionees };
    const quoted = quoting();
    if (quoted) message.quotedMessageId = quoted.id;
    showQuote(null);
    say(message);
  }

  input.addEventListener("input", fit);
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      sendText();
    } else if (event.key === "Escape" && quotes) {
      quoting();
      showQuote(null);
    }
  });

  const quoteBar = el("div", "quote-bar");
  function showQuote(entry) {
    quotes = entry;
    quoteBar.hidden = !entry;
    quoteBar.replaceChildren(...(entry ? [el("span", "", `Reply to ${nameOf(entry.from)}: ${summary(entry.message)}`),
      button("×", "close", () => {
        quoting();
        showQuote(null);
      }, { "aria-label": "Do not quote" })] : []));
    if (entry) input.focus();
  }
  showQuote(null);
  on("quote", (item) => item.chat === chat.key && showQuote(item.entry));

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
    const message = { type: kind };
    if (kind === "file") Object.assign(message, { fileName: name, fileSize: file.size });
    if (duration) message.duration = duration;
    return { message, media: media.mediaId };
  }

  // Several pictures at once are a set, as the app sends them.
  const sendFiles = (files) => attempt(async () => {
    if (!files.length) return;
    onSent();
    const sent = [];
    for (const file of files) sent.push(await upload(file, file.name));
    const set = sent.length > 1 && sent.every((s) => s.message.type === "image");
    if (set) {
      await act(actorOf(), chat, "message", { set: sent.map((s) => ({ ...s.message, media: s.media })) });
      return;
    }
    for (const one of sent) await act(actorOf(), chat, "message", { message: one.message, media: one.media });
  });

  function pick(accept) {
    picker.accept = accept;
    picker.click();
  }

  const sendVoice = () => attempt(async () => {
    const sound = voice(1500);
    const media = await post("media?duration=1500", sound, "audio/wav");
    await say({ type: "audio", duration: 1500 }, { media: media.mediaId });
  });

  // ---- the rest ----

  function stickers() {
    return dialog("Stickers", (body, close) => {
      body.append(el("p", "hint", "Stand-ins: stickers are LINE's artwork. The bot gets the ids."));
      const grid = el("div", "sticker-grid");
      for (const [packageId, ids] of STICKERS) {
        for (const stickerId of ids) {
          grid.append(button(stickerId, "sticker-choice", () => {
            close();
            say({ type: "sticker", packageId, stickerId, stickerResourceType: "STATIC" });
          }, { title: `package ${packageId}` }));
        }
      }
      body.append(grid);
    });
  }

  function location() {
    return form("A place", [
      { name: "title", label: "Name", value: "Miraina Tower" },
      { name: "address", label: "Address", value: "4-1-6 Shinjuku, Tokyo" },
      { name: "latitude", label: "Latitude", type: "number", value: 35.688806, required: true },
      { name: "longitude", label: "Longitude", type: "number", value: 139.701739, required: true },
    ], {
      submit: "Send",
      send: (v) => act(actorOf(), chat, "message", { message: { type: "location", ...Object.fromEntries(Object.entries(v).filter(([, x]) => x !== "")) } }),
    });
  }

  function beacon() {
    return form("A beacon", [
      { name: "type", label: "What", options: [["enter", "comes near"], ["banner", "taps its banner"], ["stay", "stays near"]] },
      { name: "hwid", label: "Hardware id", value: "d41d8cd98f", required: true },
      { name: "dm", label: "Device message (hex)" },
    ], {
      submit: "Send",
      send: (v) => act(actorOf(), chat, "beacon", { type: v.type, hwid: v.hwid, dm: v.dm || undefined }),
    });
  }

  const plus = button("+", "round", () => menu(plus, [
    { label: "Picture …", run: () => pick("image/*") },
    { label: "Video …", run: () => pick("video/*") },
    { label: "File …", run: () => pick("") },
    { label: "Voice message", hint: "1.5 s, a tone", run: sendVoice },
    { label: "Location …", run: location },
    chat.type === "user" ? { label: "Beacon …", run: beacon } : null,
  ].filter((item, i, all) => item || i < all.length - 1)), { "aria-label": "Send something else", "aria-haspopup": "menu" });
  const menuButton = button("☰", "round", richMenu, { "aria-label": "Rich menu" });
  menuButton.hidden = true;
  const go = button("➤", "round send", sendText, { "aria-label": "Send" });
  const node = el("div", "composer", quoteBar,
    el("div", "composer-line", menuButton, plus, input, button("☺", "round", stickers, { "aria-label": "Stickers" }), go), picker);

  // Files may be dropped on it and pasted into it.
  node.addEventListener("dragover", (event) => event.preventDefault());
  node.addEventListener("drop", (event) => {
    event.preventDefault();
    sendFiles([...event.dataTransfer.files]);
  });
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
    hasMenu: (there) => {
      menuButton.hidden = !there;
    },
    write: (text) => {
      input.value = text;
      fit();
      input.focus();
      input.setSelectionRange(text.length, text.length);
    },
    update: (fresh) => {
      chat = fresh;
      input.disabled = model.world.channels.length === 0;
    },
  };
}
