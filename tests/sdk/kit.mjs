// What the SDK's tests share: an emulator of their own, its controls, a bot's server with the SDK's middleware, and a
// watch over every answer of the platform, which is held against answers.json.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

const HERE = path.dirname(fileURLToPath(import.meta.url));
const ROOT = path.resolve(HERE, "../..");
const BUILD = path.resolve(ROOT, process.env.BUILD || "build");
const MOONLINE = path.resolve(ROOT, process.env.MOONLINE || path.join(BUILD, "moonline"));

// npm puts it below build/, not into the tree.
export const sdk = createRequire(path.join(BUILD, "sdk/"))("@line/bot-sdk");

export const TOKEN = "sdk-test-token";
export const SECRET = "sdk-test-secret";
export const FACTS = JSON.parse(readFileSync(path.join(HERE, "answers.json"), "utf8"));

// ---- answers against the facts ----

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

const PLAIN = {
  string: (v) => typeof v === "string",
  integer: (v) => Number.isInteger(v),
  number: (v) => typeof v === "number",
  boolean: (v) => typeof v === "boolean",
  object: (v) => v !== null && typeof v === "object" && !Array.isArray(v),
  any: () => true,
};

// fits(value, fact, where): throws at the first place where the value is not what the fact says. The form of facts is
// told in answers.json.
export function fits(value, fact, where = "answer") {
  if (Array.isArray(fact)) {
    assert.ok(Array.isArray(value), `${where}: a list is wanted, not ${JSON.stringify(value)}`);
    value.forEach((part, i) => fits(part, fact[0], `${where}[${i}]`));
  } else if (typeof fact === "string") {
    const kind = fact.replace(/\?$/, "");
    if (fact.endsWith("?") && value === null) return;
    const good = kind.startsWith("=") ? kind.slice(1).split("|").includes(value) : PLAIN[kind](value);
    assert.ok(good, `${where}: ${kind} is wanted, not ${JSON.stringify(value)}`);
  } else {
    assert.ok(PLAIN.object(value), `${where}: an object is wanted, not ${JSON.stringify(value)}`);
    const fields = { ...fact };
    for (const key of Object.keys(fact).filter((k) => k.endsWith("="))) {
      const name = key.slice(0, -1);
      delete fields[key];
      assert.ok(Object.hasOwn(fact[key], value[name]), `${where}.${name}: ${value[name]} is not known`);
      Object.assign(fields, { [name + "!"]: "string" }, fact[key][value[name]]);
    }
    const known = new Set();
    for (const [key, of] of Object.entries(fields)) {
      const name = key.replace(/!$/, "");
      known.add(name);
      if (value[name] !== undefined) fits(value[name], of, `${where}.${name}`);
      else assert.ok(!key.endsWith("!"), `${where}.${name} is missing in ${JSON.stringify(value)}`);
    }
    for (const name of Object.keys(value)) assert.ok(known.has(name), `${where}.${name} is nothing the platform has`);
  }
}

const ROUTES = Object.entries(FACTS.answers).map(([key, row]) => {
  const [method, form] = key.split(" ");
  const words = form.split("/").map((w) => (w.startsWith("{") ? "[^/]+" : w.replace(/[.]/g, "\\.")));
  return { method, row, form, parameters: form.split("{").length - 1, match: new RegExp(`^${words.join("/")}$`) };
});
ROUTES.sort((a, b) => a.parameters - b.parameters);

const REFUSAL = {
  "message!": "string",
  details: [{ message: "string", property: "string" }],
  sentMessages: [{ "id!": "string", quoteToken: "string" }],
};
const OAUTH = { "error!": "string", error_description: "string" };

export const covered = new Set();
const problems = [];

function inspect(method, url, response, body) {
  const where = `${method} ${new URL(url).pathname} ${response.status}`;
  const route = ROUTES.find((r) => r.method === method && r.match.test(new URL(url).pathname));
  assert.ok(route, `${where}: no operation is there`);
  covered.add(route.row.name);
  assert.match(response.headers.get("x-line-request-id") ?? "", UUID, `${where}: a request id`);
  if (response.status >= 400) {
    const json = JSON.parse(body);
    fits(json, "error" in json ? OAUTH : REFUSAL, where);
    if (!/richmenu/.test(route.form)) assert.notDeepEqual(json.details, [], `${where}: details without any`);
    return;
  }
  if (response.status === 202 && /\/content(\/preview)?$/.test(route.form)) return assert.equal(body.length, 0, where);
  const fact = route.row[response.status];
  assert.ok(fact !== undefined, `${where}: the platform answers ${Object.keys(route.row).filter(Number)}`);
  if (fact === "bytes") return;
  if (fact === "nothing" && body.length === 0) return;
  assert.match(response.headers.get("content-type"), /^application\/json/, where);
  fits(JSON.parse(body), fact === "nothing" ? {} : fact, where);
}

const plainFetch = globalThis.fetch;
globalThis.fetch = async (input, init) => {
  const response = await plainFetch(input, init);
  const method = init?.method ?? "GET";
  const body = await response.clone().arrayBuffer().catch(() => undefined); // broken off: the caller will notice
  try {
    if (body) inspect(method, String(input), response, Buffer.from(body));
  } catch (e) {
    problems.push(e);
  }
  return response;
};

// Throws what was wrong with an answer since it was asked last; for afterEach.
export function nothingWrong() {
  const [first] = problems.splice(0);
  if (first) throw first;
}

// ---- the emulator ----

export async function start(...options) {
  const child = spawn(MOONLINE, ["emulate", "--listen", "127.0.0.1:0", "--log", "json", ...options], {
    env: { ...process.env, LINE_CHANNEL_SECRET: SECRET, LINE_CHANNEL_ACCESS_TOKEN: TOKEN },
    stdio: ["ignore", "pipe", "pipe"],
  });
  process.on("exit", () => child.kill("SIGKILL"));
  let said = "";
  child.stderr.on("data", (data) => (said += data));
  const url = await new Promise((resolve, reject) => {
    let out = "";
    child.stdout.on("data", (data) => {
      out += data;
      const hit = /emulating LINE on (http:\S+)/.exec(out);
      if (hit) resolve(hit[1]);
    });
    child.on("exit", (status) => reject(new Error(`the emulator ended with ${status}\n${said}`)));
  });
  return new Emulator(child, url, () => said);
}

class Emulator {
  constructor(child, url, said) {
    Object.assign(this, { child, url, said });
  }

  // A control; insists on success unless another status is wanted.
  async control(method, where, body, { status = 200, headers = {} } = {}) {
    const raw = body instanceof Uint8Array;
    const response = await plainFetch(this.url + "/_/" + where, {
      method,
      headers: { ...(body === undefined || raw ? {} : { "content-type": "application/json" }), ...headers },
      body: body === undefined ? undefined : raw ? body : JSON.stringify(body),
    });
    const text = await response.text();
    assert.equal(response.status, status, `${method} /_/${where}: ${response.status} ${text}`);
    return text ? JSON.parse(text) : undefined;
  }
  get(where, more) {
    return this.control("GET", where, undefined, more);
  }
  post(where, body = {}, more) {
    return this.control("POST", where, body, more);
  }
  patch(where, body, more) {
    return this.control("PATCH", where, body, more);
  }
  act(body) {
    return this.post("act", body);
  }
  // To noon of a 10th, where a day more is still the same month; the clock has to be virtual.
  async midMonth() {
    const { now } = await this.get("clock");
    const day = new Date(now);
    return this.post("clock", { set: Date.UTC(day.getUTCFullYear(), day.getUTCMonth() + 1, 10, 3) });
  }
  advance(ms) {
    return this.post("clock", { advance: ms });
  }
  async entries(key) {
    return (await this.get(`chats/${encodeURIComponent(key)}/entries?limit=500`)).entries;
  }
  async lastMessage(key) {
    return (await this.entries(key)).at(-1)?.message;
  }
  // Until ask() gives something; for what happens in the emulator a moment after a clock was advanced.
  async until(ask, what) {
    for (let i = 0; i < 500; i++) {
      const found = await ask();
      if (found) return found;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.fail(`waited in vain for ${what}`);
  }

  clients(token = TOKEN) {
    const given = { baseURL: this.url, channelAccessToken: token };
    return {
      api: new sdk.messagingApi.MessagingApiClient(given),
      blob: new sdk.messagingApi.MessagingApiBlobClient(given),
      audience: new sdk.manageAudience.ManageAudienceClient(given),
      audienceBlob: new sdk.manageAudience.ManageAudienceBlobClient(given),
      insight: new sdk.insight.InsightClient(given),
      liff: new sdk.liff.LiffClient(given),
      module: new sdk.moduleOperation.LineModuleClient(given),
      attach: new sdk.moduleAttach.LineModuleAttachClient(given),
      shop: new sdk.shop.ShopClient(given),
      tokens: new sdk.channelAccessToken.ChannelAccessTokenClient({ baseURL: this.url }),
    };
  }

  async stop() {
    const done = new Promise((resolve) => this.child.once("exit", resolve));
    this.child.kill("SIGTERM");
    assert.equal(await done, 0, this.said());
    const errors = this.said().split("\n").filter((l) => l.includes('"level":"error"') && !l.includes("as a fault asked for"));
    assert.deepEqual(errors, []);
  }
}

// Awaits an HTTPFetchError of that status; returns it with the body as JSON.
export async function refused(promise, status) {
  const error = await promise.then(
    (value) => assert.fail(`${status} is wanted, not ${JSON.stringify(value)}`),
    (e) => e,
  );
  assert.ok(error instanceof sdk.HTTPFetchError, String(error.stack));
  assert.equal(error.status, status, error.body);
  assert.match(error.headers.get("x-line-request-id"), UUID);
  return Object.assign(error, { json: JSON.parse(error.body) });
}

export async function bytesOf(stream) {
  const parts = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}

// ---- a bot ----

// A server whose webhooks go through the SDK's middleware as with express. seen: bodies that were accepted; raw: what
// came, of all; errors: what the middleware passed on. answer may be set: status for the n-th request.
export async function bot(config = { channelSecret: SECRET }) {
  const handler = sdk.middleware(config);
  const made = { seen: [], raw: [], errors: [], answer: () => 200, delay: 0 };
  const server = createServer(async (request, response) => {
    const parts = [];
    for await (const part of request) parts.push(part);
    request.rawBody = Buffer.concat(parts);
    made.raw.push({ headers: request.headers, body: request.rawBody.toString("utf8") });
    handler(request, response, (error) => {
      if (error) made.errors.push(error);
      else made.seen.push(request.body);
      setTimeout(() => response.writeHead(error ? 401 : made.answer(made.raw.length)).end("{}"), made.delay);
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  made.url = `http://127.0.0.1:${server.address().port}/webhook`;
  made.close = () =>
    new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    });
  return made;
}
