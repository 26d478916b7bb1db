// What the page knows: the world as the emulator tells it, and what has happened since. Parts of the page subscribe to
// the kinds they show.

import { follow, get } from "./api.js";

const KEPT = 2000; // events and calls in the inspector's list; older ones are still in the emulator

const listeners = new Map(); // kind -> Set of functions

export const model = {
  world: { channels: [], users: [], groups: [], rooms: [], chats: [], faults: [], clock: { now: Date.now(), mode: "real" } },
  clockOffset: 0, // ms: the emulator's clock minus this machine's
  connected: false,
  generation: null, // news of the newest generation: {number, ms, error?}
  happened: [], // feed items of kind event, call and news, oldest first
  deliveries: new Map(), // webhookEventId -> last attempt
  handled: new Map(), // webhookEventId -> {generation, where, selector, ms, outcome, error}
  unread: new Map(), // chat key -> number
  open: [], // keys of the chats on the screen
};

// on("message", fn): fn(item) for each; returns a function that ends it.
export function on(kind, fn) {
  if (!listeners.has(kind)) listeners.set(kind, new Set());
  listeners.get(kind).add(fn);
  return () => listeners.get(kind).delete(fn);
}

export function tell(kind, item) {
  for (const fn of listeners.get(kind) ?? []) {
    try {
      fn(item);
    } catch (error) {
      console.error(`page: ${kind}:`, error);
    }
  }
}

// ---- who is who ----

export const user = (id) => model.world.users.find((u) => u.id === id);
export const channelOf = (chat) => model.world.channels.find((c) => c.id === chat?.channel) ?? model.world.channels[0];
export const chatOf = (key) => model.world.chats.find((c) => c.key === key);
export const isBot = (id) => model.world.channels.some((c) => c.bot === id);

export function nameOf(id) {
  const known = user(id);
  if (known) return known.name;
  const channel = model.world.channels.find((c) => c.bot === id);
  return channel ? channel.name : id ? `${id.slice(0, 7)}…` : "somebody";
}

export function placeOf(chat) {
  const list = chat.type === "group" ? model.world.groups : chat.type === "room" ? model.world.rooms : null;
  return list?.find((g) => g.id === chat.id);
}

export function titleOf(chat) {
  if (chat.type === "user") return nameOf(chat.id);
  const place = placeOf(chat);
  return place?.name || (chat.type === "room" ? "Room" : "Group");
}

export const membersOf = (chat) => (chat.type === "user" ? [chat.id] : (placeOf(chat)?.members ?? []));

export const now = () => Date.now() + model.clockOffset;

// ---- what an item of the feed tells ----

// A bot's answer to an event names neither: they stand in the event itself.
export const kindOf = (event = {}) => (event.type === "message" ? `message.${event.message?.type}` : (event.type ?? "event"));
export const saidOf = (event = {}) =>
  event.message?.text ?? event.message?.fileName ?? event.message?.title ?? event.postback?.data ?? "";
export const fromOf = (event = {}) => (event.source?.userId ? nameOf(event.source.userId) : "");
export const eventOf = (id) => model.happened.findLast((item) => item.kind === "event" && item.id === id)?.event;

// ---- the world ----

let asking = null;
let askAgain = false;

// The world once more; calls that come meanwhile are one more question after it.
export function refresh() {
  if (asking) {
    askAgain = true;
    return asking;
  }
  asking = get("world")
    .then((world) => {
      model.world = world;
      model.clockOffset = world.clock.now - Date.now();
      tell("world", world);
    })
    .finally(() => {
      asking = null;
      if (askAgain) {
        askAgain = false;
        refresh().catch(() => {});
      }
    });
  return asking;
}

const refreshSoon = () => void refresh().catch(() => {}); // a stream that breaks is told elsewhere

// ---- what happens ----

function keep(item) {
  model.happened.push(item);
  if (model.happened.length > KEPT) model.happened.splice(0, model.happened.length - KEPT);
  tell("happened", item);
}

const isSeen = (key) => model.open.includes(key) && !document.hidden;

function count(key) {
  model.unread.set(key, (model.unread.get(key) ?? 0) + 1);
  tell("unread", {});
}

export function readAll(key) {
  if (model.unread.delete(key)) tell("unread", {});
}

function onMessage(item) {
  // Many people at once: which of them are shown here, the world tells.
  if (item.chat === undefined) {
    refreshSoon();
    return;
  }
  const chat = chatOf(item.chat);
  if (!chat) refreshSoon();
  else {
    chat.last = item.entry;
    chat.n = (chat.n ?? 0) + 1;
  }
  if (!isSeen(item.chat) && isBot(item.entry.from)) count(item.chat);
}

function onChange(item) {
  const chat = chatOf(item.chat);
  if (item.entry && chat?.last?.id === item.entry.id) chat.last = item.entry;
}

function onNews(item) {
  if (item.what === "generation" || item.what === "refused") {
    model.generation = item;
    keep(item);
    return;
  }
  if (!item.event) return;
  if (item.what !== "call") model.handled.set(item.event, { ...model.handled.get(item.event), ...item });
  if (item.what === "blamed") keep(item);
}

async function onWorld(item) {
  if (item.what !== "replaced") return refreshSoon();
  await refresh().catch(() => {});
  tell("replaced", item);
}

const KINDS = {
  message: onMessage,
  change: onChange,
  event: keep,
  call: (item) => {
    keep(item);
    if (item.cost && !item.old) refreshSoon(); // what is left of the quota
  },
  news: onNews,
  delivery: (item) => model.deliveries.set(item.event, item),
  world: onWorld,
  clock: refreshSoon,
  fault: refreshSoon,
};

// What lists of the world hold already when we ask for it.
const LISTED = new Set(["message", "change", "loading", "world", "clock", "fault"]);
const BEFORE = 300; // items of before that the inspector begins with

export async function start() {
  await refresh();
  let known = model.world.feed ?? 0;
  model.generation = model.world.generation ?? null;
  const behind = () => Math.max(0, known - BEFORE);
  follow(
    behind(),
    (item) => {
      item.old = item.seq <= known;
      if (item.old && LISTED.has(item.kind)) return;
      KINDS[item.kind]?.(item);
      tell(item.kind, item);
    },
    (there) => {
      model.connected = there;
      tell("connected", there);
    },
    async (last) => {
      const { instance } = model.world;
      await refresh();
      if (model.world.instance === instance) return last;
      // Another moonline at the same address: its numbers are its own.
      known = model.world.feed ?? 0;
      model.happened = [];
      model.deliveries.clear();
      model.handled.clear();
      model.unread.clear();
      model.generation = model.world.generation ?? null;
      tell("restart", {});
      tell("replaced", {});
      return behind();
    },
  );
}
