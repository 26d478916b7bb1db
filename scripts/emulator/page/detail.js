// All of one event or call: the webhook with its signature, the handler and its line, the calls and answers, the reply
// token's age, the cost, the milliseconds; and what can be done with it.

import { get, part, post } from "./api.js";
import { eventOf, kindOf, model, nameOf, now } from "./model.js";
import { button, copy, el, json, note, seconds, took } from "./ui.js";
import { showTest } from "./recipe.js";

function facts(rows) {
  const node = el("dl", "facts-list");
  for (const [name, value] of rows) {
    if (value === undefined || value === null || value === "") continue;
    node.append(el("dt", "", name), el("dd", "", value));
  }
  return node;
}

const code = (words) => (words ? el("code", "", words) : "");
const place = (where) => (where && where !== "?" ? where : ""); // "?": a call that ended its function has no line

const block = (title, content, { open = false, name }) => {
  const node = el("details", "block", el("summary", "", title), content);
  node.open = open;
  node.dataset.name = name;
  return node;
};

function parsed(text) {
  if (typeof text !== "string") return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

// ---- reply tokens: their age counts down while one looks ----

function tokenWords(token) {
  if (!token || token.state === "none") return "none: this event cannot be replied to";
  if (token.state === "used") return `used by call ${(token.usedBy ?? "").slice(0, 8)}…`;
  const left = Math.min(60, Math.ceil((token.expires - now()) / 1000));
  return left > 0 ? `fresh, ${left} s left` : "expired";
}

function tokenFact(token) {
  const node = el("span", "token", tokenWords(token));
  if (token?.state !== "fresh") return node;
  const timer = setInterval(() => {
    if (node.isConnected) node.textContent = tokenWords(token);
    else clearInterval(timer);
  }, 500);
  return node;
}

// ---- an event ----

function attempts(list) {
  const node = el("ol", "plain attempts");
  for (const a of list ?? []) {
    node.append(
      el(
        "li",
        "row",
        el("span", `dot ${a.ok ? "good" : "bad"}`),
        el("time", "", seconds(a.time)),
        el("span", "space", a.error ?? `answered ${a.status}`, a.redelivery ? el("small", "", " redelivery") : null),
        el("span", "", took(a.ms)),
      ),
    );
  }
  if (!list?.length) node.append(el("li", "hint", "Still on its way."));
  return node;
}

async function drawEvent(id, choose) {
  const found = await get(`events/${part(id)}`);
  const done = { ...found.news, ...model.handled.get(id) };
  const calls = (
    await Promise.all((found.calls ?? []).slice(0, 30).map((r) => get(`calls/${part(r)}`).catch(() => null)))
  ).filter(Boolean);
  const event = found.event ?? {};
  const cost = calls.reduce((sum, c) => sum + (c.cost ?? 0), 0);
  const lines = new Map(model.happened.filter((i) => i.kind === "call").map((i) => [i.id, i.where]));
  const again = async (what) => {
    const made = await post(`events/${part(id)}/${what}`);
    note(what === "again" ? "Sent again with a fresh reply token" : "On its way once more, as a redelivery");
    if (what === "again" && made.id) choose({ event: made.id });
  };
  return {
    data: [found, done, calls],
    nodes: () => [
      el("h3", "", kindOf(event)),
      el(
        "p",
        "hint",
        [event.source?.userId ? nameOf(event.source.userId) : "", event.timestamp ? seconds(event.timestamp) : ""]
          .filter(Boolean)
          .join(", "),
      ),
      el(
        "div",
        "row wrap acts",
        button("Send again", "main", () => again("again"), {
          title: "The same content as a new event, with a fresh reply token",
        }),
        button("Redeliver", "", () => again("redeliver"), { title: "The same event once more, as the platform redelivers" }),
        button("Copy as test", "", () => showTest(id)),
      ),
      done.error ? el("pre", "code wrong", done.error) : null,
      facts([
        ["generation", done.generation !== undefined ? String(done.generation) : ""],
        [
          "handler",
          done.where
            ? el("span", "", code(place(done.where)), ` ${done.selector ?? done.handler ?? ""}`)
            : done.outcome === "unhandled"
              ? "no handler matched"
              : "",
        ],
        ["outcome", done.outcome],
        ["took", took(done.ms)],
        ["reply token", tokenFact(found.replyToken)],
        ["cost", cost ? `${cost} of the quota` : "free of charge"],
        ["event id", code(id)],
      ]),
      el("h4", "", "Delivered"),
      attempts(found.attempts),
      el("h4", "", calls.length ? "Calls" : "No calls"),
      ...calls.map((c) => block(callTitle(c, lines.get(c.id)), callBody(c), { name: c.id })),
      block("Webhook", el("div", "", facts([["x-line-signature", code(found.signature)]]), json(parsed(found.body) ?? event)), {
        open: !calls.length,
        name: "webhook",
      }),
    ],
  };
}

// ---- a call ----

function callTitle(c, where) {
  return el(
    "span",
    "call-title",
    el("span", `dot ${c.status < 300 ? "good" : "bad"}`),
    `${c.operation ?? c.request?.path} `,
    el("b", "", String(c.status ?? "cut")),
    el("small", "", [` ${took(c.ms)}`, c.cost ? `costs ${c.cost}` : "", place(where)].filter(Boolean).join(", ")),
  );
}

const body = (side) => (side?.body ? json(parsed(side.body)) : el("p", "hint", "no body"));

function callBody(c) {
  const { request = {}, answer } = c;
  return el(
    "div",
    "",
    facts([
      ["address", code(`${request.method} ${request.path}${request.query ? `?${request.query}` : ""}`)],
      ["request id", code(c.id)],
      ["left this second", c.left !== undefined ? String(c.left) : ""],
      ["why", c.failure],
    ]),
    el("h5", "", "Request"),
    body(request),
    el("h5", "", `Answer ${c.status ?? ""}`),
    answer ? body(answer) : el("p", "hint", "the connection was cut"),
    block("Headers", json({ request: request.headers, answer: answer?.headers }), { name: `headers ${c.id}` }),
  );
}

async function drawCall(id, choose) {
  const c = await get(`calls/${part(id)}`);
  const event = c.event && eventOf(c.event);
  return {
    data: c,
    nodes: () => [
      el("h3", "", c.operation ?? c.request?.path ?? "call"),
      el(
        "div",
        "row wrap",
        c.event ? button(`Because of ${event ? kindOf(event) : "an event"}`, "", () => choose({ event: c.event })) : null,
        button("Copy the request", "", () => copy(c.request?.body ?? "")),
      ),
      facts([
        ["status", String(c.status ?? "cut")],
        ["took", took(c.ms)],
        ["cost", c.cost ? `${c.cost} of the quota` : "free of charge"],
        ["people", c.people ? String(c.people) : ""],
        ["at", seconds(c.time)],
      ]),
      callBody(c),
    ],
  };
}

// ---- news of the bot, and a message alone ----

function drawNews(item) {
  const title =
    {
      refused: "Does not load",
      generation: `Generation ${item.number}`,
      handled: item.selector ?? "An event",
      call: item.operation,
    }[item.what] ?? "A handler failed";
  const known = { ...model.handled.get(item.event), ...item };
  return {
    data: item,
    nodes: () => [
      el("h3", "", title),
      item.error ? el("pre", "code wrong", item.error) : null,
      facts([
        ["bot", item.bot],
        [item.what === "generation" ? "ready after" : "took", took(item.ms)],
        ["handlers", item.handlers !== undefined ? String(item.handlers) : ""],
        ["generation", known.generation !== undefined ? String(known.generation) : ""],
        ["handler", code(place(known.where))],
        ["outcome", known.outcome],
        ["status", item.status !== undefined ? String(item.status) : ""],
        ["request id", code(item.request_id)],
        ["event id", code(item.event)],
      ]),
    ],
  };
}

const drawEntry = (entry) => ({
  data: entry,
  nodes: () => [
    el("h3", "", "Message"),
    el(
      "p",
      "hint",
      entry.shown ? "Only shown in the chat: the bot was not told." : "It came with the world: no event or call belongs to it.",
    ),
    json(entry.message),
  ],
});

const gone = (error) => ({ data: error.message, nodes: () => [el("p", "wrong", error.message)] });

function contentOf(what, choose) {
  if (what.event) return drawEvent(what.event, choose).catch(gone);
  if (what.request) return drawCall(what.request, choose).catch(gone);
  return what.news ? drawNews(what.news) : drawEntry(what.entry);
}

// ---- the panel ----

let showing = null; // {what, data} as JSON

// Draws it anew only when something is different; what is unfolded, the focus and the place stay.
export async function drawDetail(panel, what, back, choose) {
  const key = JSON.stringify(what);
  const same = showing?.what === key;
  if (!same) showing = { what: key, data: null };
  const mine = showing;
  const content = await contentOf(what, choose);
  if (showing !== mine) return; // another one was chosen meanwhile
  const data = JSON.stringify(content.data);
  if (same && data === mine.data && panel.firstChild) return;
  mine.data = data;
  const unfolded = new Map(same ? [...panel.querySelectorAll("details")].map((d) => [d.dataset.name, d.open]) : []);
  const focused = same && panel.contains(document.activeElement) ? document.activeElement.textContent : null;
  const top = same ? panel.scrollTop : 0;
  panel.replaceChildren(button("‹ All", "link back", back), ...content.nodes().filter(Boolean));
  for (const d of panel.querySelectorAll("details")) if (unfolded.has(d.dataset.name)) d.open = unfolded.get(d.dataset.name);
  panel.scrollTop = top;
  if (focused) [...panel.querySelectorAll("button, summary")].find((node) => node.textContent === focused)?.focus();
}
