// All of one event or call: the webhook with its signature, the handler and its line, the calls and answers, the reply
// token's age, the cost, the milliseconds; and what can be done with it.

import { get, part, post } from "./api.js";
import { model, now } from "./model.js";
import { attempt, button, copy, dialog, el, json, seconds, took } from "./ui.js";

function facts(rows) {
  const node = el("dl", "facts-list");
  for (const [name, value] of rows) {
    if (value === undefined || value === null || value === "") continue;
    node.append(el("dt", "", name), el("dd", "", value));
  }
  return node;
}

const block = (title, content, open = false) => {
  const node = el("details", "block", el("summary", "", title), content);
  node.open = open;
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

function tokenWords(token) {
  if (!token || token.state === "none") return "none: this event has no reply token";
  if (token.state === "used") return `used${token.usedBy ? ` by ${token.usedBy.slice(0, 8)}…` : ""}`;
  const left = Math.round((token.expires - now()) / 1000);
  return left > 0 ? `fresh, ${left} s left` : "expired";
}

// ---- an event ----

function attempts(list) {
  const node = el("ol", "plain attempts");
  for (const a of list ?? []) {
    node.append(el("li", "row", el("span", `dot ${a.error || a.status >= 300 ? "bad" : "good"}`), el("time", "", seconds(a.time)),
      el("span", "space", a.error ?? `answered ${a.status}`), el("span", "", took(a.ms))));
  }
  if (!list?.length) node.append(el("li", "hint", "Not delivered: no webhook URL is set, or the webhook is off."));
  return node;
}

async function askTest(id) {
  const kinds = [["Lua", ""], ["curl", "?as=curl"], ["Python", "?as=python"]];
  await dialog("Copy as test", (body) => {
    const text = el("pre", "code", "…");
    const show = (query) => attempt(async () => {
      const found = await get(`tests/${part(id)}${query}`);
      text.textContent = typeof found === "string" ? found : (found.text ?? JSON.stringify(found, null, 2));
    });
    body.append(el("div", "row", kinds.map(([label, query]) => button(label, "", () => show(query))), el("span", "space"),
      button("Copy", "main", () => copy(text.textContent))), text);
    show("");
  }, "wide");
}

async function drawEvent(id) {
  const found = await get(`events/${part(id)}`);
  const done = { ...found.news, ...model.handled.get(id) };
  const calls = await Promise.all((found.calls ?? []).slice(0, 30).map((r) => get(`calls/${part(r)}`).catch(() => null)));
  const event = found.event ?? {};
  const cost = calls.reduce((sum, c) => sum + (c?.cost ?? 0), 0);
  return [
    el("h3", "", `${event.type}${event.message?.type ? `.${event.message.type}` : ""}`),
    el("div", "row wrap", button("Send again", "main", () => post(`events/${part(id)}/again`), { title: "The same content as a new event, with a fresh reply token" }),
      button("Redeliver", "", () => post(`events/${part(id)}/redeliver`), { title: "The same event once more, as the platform redelivers" }),
      button("Copy as test", "", () => askTest(id))),
    done.error ? el("pre", "code wrong", done.error) : null,
    facts([
      ["generation", done.generation !== undefined ? String(done.generation) : ""],
      ["handler", done.where ? el("code", "", `${done.where}${done.selector ? `  ${done.selector}` : ""}`) : done.outcome === "unhandled" ? "no handler matched" : ""],
      ["outcome", done.outcome],
      ["took", took(done.ms)],
      ["reply token", tokenWords(found.replyToken)],
      ["cost", cost ? `${cost} of the quota` : "free of charge"],
      ["event id", el("code", "", id)],
    ]),
    el("h4", "", "Delivered"), attempts(found.attempts),
    el("h4", "", calls.length ? "Calls" : "No calls"),
    ...calls.filter(Boolean).map((c) => block(callTitle(c), callBody(c))),
    block("Webhook", el("div", "", facts([["x-line-signature", el("code", "", found.signature ?? "")]]), json(parsed(found.body) ?? event)), !calls.length),
  ];
}

// ---- a call ----

function callTitle(c) {
  const where = c.where ?? c.news?.where;
  return el("span", "call-title", el("span", `dot ${c.status < 300 ? "good" : "bad"}`), `${c.operation ?? c.path} `, el("b", "", String(c.status)),
    el("small", "", ` ${took(c.ms)}${c.cost ? `, costs ${c.cost}` : ""}${where ? `, ${where}` : ""}`));
}

function callBody(c) {
  const answer = c.answer ?? c.response ?? {};
  const request = c.request && typeof c.request === "object" ? c.request : { body: c.requestBody, headers: c.requestHeaders };
  return el("div", "",
    facts([["request id", el("code", "", c.requestId ?? c.id ?? "")], ["path", c.path ? el("code", "", `${c.method ?? c.verb ?? ""} ${c.path}`) : ""]]),
    el("h5", "", "Request"), request.body !== undefined && request.body !== "" ? json(parsed(request.body)) : el("p", "hint", "no body"),
    el("h5", "", "Answer"), json(parsed(answer.body ?? {})),
    block("Headers", json({ request: request.headers, answer: answer.headers })));
}

async function drawCall(id) {
  const c = await get(`calls/${part(id)}`);
  return [el("h3", "", c.operation ?? c.path), facts([["status", String(c.status)], ["took", took(c.ms)], ["cost", c.cost ? String(c.cost) : "free of charge"]]), callBody(c)];
}

// ---- the panel ----

const open = new WeakMap(); // panel -> which one it shows

export async function drawDetail(panel, what, back) {
  const same = open.get(panel) === JSON.stringify(what);
  open.set(panel, JSON.stringify(what));
  const unfolded = same ? [...panel.querySelectorAll("details")].map((d) => d.open) : [];
  const content = await attempt(async () => {
    if (what.event) return drawEvent(what.event);
    if (what.request) return drawCall(what.request);
    if (what.news) return [el("h3", "", what.news.error ? "Does not load" : `Generation ${what.news.number}`), what.news.error ? el("pre", "code wrong", what.news.error) : facts([["ready after", took(what.news.ms)], ["handlers", String(what.news.handlers ?? "")]])];
    return [el("h3", "", "Message"), json(what.entry)];
  });
  if (open.get(panel) !== JSON.stringify(what)) return; // another one was chosen meanwhile
  panel.replaceChildren(button("‹ All", "link back", back), ...(content ?? []).filter(Boolean));
  if (!same) return;
  panel.querySelectorAll("details").forEach((d, i) => {
    if (unfolded[i] !== undefined) d.open = unfolded[i];
  });
}
