// What the page knows: the world as the emulator tells it, and what has happened since. Parts of the page subscribe to
// the kinds they show.

import { follow, get } from "./api.js";

const KEPT = 2000; // events and calls in the inspector's list; older ones are still in the emulator

const listeners = new Map(); // kind -> Set of functions

export const model = {
  world: { channels: [], users: [], groups: [], rooms: [], chats: [], faults: [], clock: { now: Date.now(), mode: "real" } },
  clockOffset: 0,     // ms: the emulator's clock minus this machine's
  connected: false,
  generation: null,   // news of the newest generation: {number, ms, error?}
  happened: [],       // feed items of kind event, call and news, oldest first
  deliveries: new Map(), // webhookEventId -> last attempt
  handled: new Map(), // webhookEventId -> {generation, where, selector, ms, outcome, error}
  unread: new Map(),  // chat key -> number
  open: [],           // keys of the chats on the screen
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

// ---- the world ----

let asking = null;
let askAgain = false;

// The world once more; calls that come meanwhile are one more question after it.
export function refresh() {
  if (asking) {
    askAgain = true;
    return asking;
  }
  asking = get("world").then((world) => {
    model.world = world;
    model.clockOffset = world.clock.now - Date.now();
    tell("world", world);
  }).finally(() => {
    asking = null;
    if (askAgain) {
      askAgain = false;
      refresh();
    }
  });
  return asking;
}

// ---- what happens ----

function keep(item) {
  model.happened.push(item);
  if (model.happened.length > KEPT) model.happened.splice(0, model.happened.length - KEPT);
  tell("happened", item);
}

function onMessage(item) {
  const chat = chatOf(item.chat);
  if (!chat) {
    refresh();
    return;
  }
  chat.last = item.entry;
  chat.n = (chat.n ?? 0) + 1;
  if (!model.open.includes(chat.key) && isBot(item.entry.from)) {
    model.unread.set(chat.key, (model.unread.get(chat.key) ?? 0) + 1);
  }
}

function onNews(item) {
  if (item.what === "generation" || item.what === "refused") {
    model.generation = item;
    keep(item);
  } else if (item.event) {
    model.handled.set(item.event, { ...model.handled.get(item.event), ...item });
    if (item.what === "blamed" || item.error) keep(item);
  }
}

const KINDS = {
  message: onMessage,
  event: keep,
  call: keep,
  news: onNews,
  delivery: (item) => model.deliveries.set(item.event, item),
  world: () => refresh(),
  clock: () => refresh(),
  fault: () => refresh(),
};

let refreshedAt = 0;

// A world that was put back, or a new moonline at the same address, numbers its feed anew.
function restarted() {
  model.happened = [];
  tell("restart", {});
}

export async function start() {
  await refresh();
  refreshedAt = model.world.feed ?? 0;
  let first = true;
  follow(Math.max(0, refreshedAt - 200), (item) => {
    // What the world already had when we asked is shown in lists, and not counted again.
    if (item.seq <= refreshedAt && ["message", "world", "clock", "fault"].includes(item.kind)) return;
    KINDS[item.kind]?.(item);
    tell(item.kind, item);
  }, (there) => {
    model.connected = there;
    if (there && !first) {
      refresh();
      restarted();
    }
    if (there) first = false;
    tell("connected", there);
  });
}
