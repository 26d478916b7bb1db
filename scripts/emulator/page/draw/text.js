// Text messages of bots and people: LINE emoji, mentions, links, and what they quote.

import { el, hash, isObject, list, number, object, text } from "./dom.js";
import { linkAddress, ownAddress, style } from "./value.js";

// A pair of brackets closes an address only when it opened outside of it; sentence marks at its end are not part of it.
const LINK = /(?:https?|line):\/\/[^\s<>"'`{}|\\^\u3000-\u303f\uff00-\uff20]+/giu;

function trimmed(address) {
  const open = { ")": "(", "]": "[" };
  const surplus = {};
  for (const [close, opening] of Object.entries(open)) surplus[close] = count(address, close) - count(address, opening);
  let end = address.length;
  for (;;) {
    const last = address[end - 1];
    if (surplus[last] > 0) surplus[last]--;
    else if (!/[.,;:!?]/.test(last)) return address.slice(0, end);
    end--;
  }
}

const count = (words, letter) => words.split(letter).length - 1;

// Plain text with its links: an array of strings and elements.
function linked(words) {
  const out = [];
  let from = 0;
  for (const hit of words.matchAll(LINK)) {
    const shown = trimmed(hit[0]);
    const address = linkAddress(shown);
    if (!address) continue;
    if (hit.index > from) out.push(words.slice(from, hit.index));
    const link = el("a", "d-link", shown);
    link.href = address;
    link.target = "_blank";
    link.rel = "noopener noreferrer";
    out.push(link);
    from = hit.index + shown.length;
  }
  if (from < words.length) out.push(words.slice(from));
  return out;
}

// A LINE emoji: the page's picture of it when it has one (context.emojiUrl), else a tile with its number.
export function emoji(productId, emojiId, context) {
  const [product, id] = [text(productId), text(emojiId)];
  const address = ownAddress(context.emojiUrl?.(product, id));
  const label = `LINE emoji ${product} / ${id}`;
  if (address) {
    const img = el("img", "d-emoji");
    img.alt = label;
    img.src = address;
    return img;
  }
  const tile = el("span", "d-emoji d-emoji-tile", id.slice(0, 4) || "?");
  tile.title = label;
  tile.setAttribute("role", "img");
  tile.setAttribute("aria-label", label);
  style(tile, "--hue", String(hash(product + id, 360)));
  return tile;
}

export function mention(name, self = false) {
  return el("span", self ? "d-mention d-mention-self" : "d-mention", name);
}

export function nameOf(userId, context) {
  const id = text(userId);
  return text(id && context.memberName?.(id)) || id || "somebody";
}

// Parts of a text by position in UTF-16 units: [{at, length, draw()}], overlaps and positions outside are left out.
function pieces(words, marks) {
  const out = [];
  let from = 0;
  marks.sort((a, b) => a.at - b.at);
  for (const mark of marks) {
    const end = mark.at + mark.length;
    if (!Number.isInteger(mark.at) || !Number.isInteger(end) || mark.at < from || mark.length < 1 || end > words.length)
      continue;
    out.push(...linked(words.slice(from, mark.at)), mark.draw());
    from = end;
  }
  out.push(...linked(words.slice(from)));
  return out;
}

function textParts(message, context) {
  const words = text(message.text);
  const marks = [];
  for (const one of list(message.emojis)) {
    if (!isObject(one)) continue;
    // Bots give the index of a "$"; in a webhook the emoji has a length, too.
    marks.push({
      at: one.index,
      length: number(one.length, 1),
      draw: () => emoji(one.productId, one.emojiId, context),
    });
  }
  for (const one of list(object(message.mention).mentionees)) {
    if (!isObject(one)) continue;
    const shown = words.slice(one.index, one.index + one.length);
    marks.push({ at: one.index, length: one.length, draw: () => mention(shown, one.isSelf === true) });
  }
  return pieces(words, marks);
}

const KEY = /\{\{|\}\}|\{([a-zA-Z0-9_]{1,20})\}/g;

// textV2: {key} is a mention or an emoji of `substitution`, doubled braces are braces.
function substituted(message, context) {
  const words = text(message.text);
  const table = object(message.substitution);
  const out = [];
  let plain = "",
    from = 0;
  for (const hit of words.matchAll(KEY)) {
    plain += words.slice(from, hit.index);
    from = hit.index + hit[0].length;
    const with_ = hit[1] !== undefined && Object.hasOwn(table, hit[1]) ? object(table[hit[1]]) : null;
    let node = null;
    if (with_?.type === "emoji") node = emoji(with_.productId, with_.emojiId, context);
    else if (with_?.type === "mention") {
      const who = object(with_.mentionee);
      node = mention(who.type === "all" ? "@All" : "@" + nameOf(who.userId, context));
    }
    if (node) {
      out.push(...linked(plain), node);
      plain = "";
    } else {
      plain += hit[0] === "{{" ? "{" : hit[0] === "}}" ? "}" : hit[0];
    }
  }
  out.push(...linked(plain + words.slice(from)));
  return out;
}

export function drawText(message, context) {
  const parts = message.type === "textV2" ? substituted(message, context) : textParts(message, context);
  const words = el("span", "d-words", parts);
  words.dir = "auto";
  return el("div", "d-bubble d-text", quote(message, context), words);
}

const SHORT = {
  image: "Photo",
  video: "Video",
  audio: "Voice message",
  file: "File",
  location: "Location",
  sticker: "Sticker",
  imagemap: "Image map",
  template: "Template",
  flex: "Flex",
  coupon: "Coupon",
};

// A message in one line, as a quote or a list of chats shows it. Plain text.
export function summary(message, context) {
  const m = object(message);
  if (m.type === "text") return text(m.text);
  if (m.type === "textV2") return el("span", "", substituted(m, context)).textContent;
  if (m.type === "file") return text(m.fileName) || SHORT.file;
  if (m.type === "location") return text(m.title) || text(m.address) || SHORT.location;
  return text(m.altText) || (Object.hasOwn(SHORT, m.type) ? SHORT[m.type] : text(m.type)) || "Message";
}

// What is quoted, drawn above the text; null when nothing is. context.quoted is {message, name?, userId?}.
export function quote(message, context) {
  const entry = isObject(context.quoted) ? context.quoted : null;
  if (!entry && !text(message.quotedMessageId)) return null;
  const node = el("div", "d-quote");
  if (!entry) {
    node.append(el("span", "d-quote-words", "A message that is not here"));
    return node;
  }
  const quoted = isObject(entry.message) ? entry.message : entry;
  const who =
    text(entry.name) || (text(entry.userId) && nameOf(entry.userId, context)) || text(object(quoted.sender).name);
  const words = summary(quoted, context).slice(0, 200);
  if (who) node.append(el("span", "d-quote-name", who));
  node.append(el("span", "d-quote-words", words));
  node.dir = "auto";
  return node;
}
