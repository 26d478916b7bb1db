// Webhooks of the emulator, taken by the middleware of the official SDK.

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { FACTS, SECRET, bot, fits, nothingWrong, sdk, start } from "./kit.mjs";

const WORLD = fileURLToPath(new URL("./world.lua", import.meta.url));
const SHOP = "2000000001";
const BOT = "U000000000000000000000000000000ee";
const ANN = "U000000000000000000000000000000a1";
const BEN = "U000000000000000000000000000000b2";
const CLEO = "U000000000000000000000000000000c3";
const GROUP = "C0000000000000000000000000000001a";
const ROOM = "R0000000000000000000000000000001b";

let line, api, shop;

before(async () => {
  line = await start("--world", WORLD);
  ({ api } = line.clients());
  shop = await bot();
});
beforeEach(async () => {
  await line.patch(`channels/${SHOP}`, { webhook: { endpoint: shop.url, active: true, escapes: "raw", redelivery: false } });
  Object.assign(shop, { answer: () => 200, delay: 0 });
  for (const list of [shop.seen, shop.raw, shop.errors]) list.length = 0;
});
afterEach(nothingWrong);
after(async () => {
  await line.stop();
  await shop.close();
});

// What a deed makes the bot receive: the events of all webhooks it told of, in their order.
async function hear(deed) {
  const told = await line.act({ channel: SHOP, as: ANN, ...deed });
  return line.until(() => {
    const events = shop.seen.flatMap((body) => body.events);
    const found = told.events.map((id) => events.find((e) => e.webhookEventId === id));
    return found.every(Boolean) && found;
  }, `${JSON.stringify(deed)} to arrive`);
}
const say = (text, more) => hear({ do: "message", message: { type: "text", text }, ...more });

test("signed so that the SDK takes it, in both ways to write emoji", async () => {
  const text = 'a "🦊" \\ é é 家 \u2028 </script> 👨‍👩‍👧';
  for (const escapes of ["raw", "ascii"]) {
    await line.patch(`channels/${SHOP}`, { webhook: { escapes } });
    const [event] = await say(text);
    assert.equal(event.message.text, text);
    const { headers, body } = shop.raw.at(-1);
    assert.equal(body.includes("\\ud83e\\udd8a") || body.includes("\\uD83E\\uDD8A"), escapes === "ascii");
    assert.equal(body.includes("🦊"), escapes === "raw");
    assert.equal(headers["content-type"], "application/json; charset=utf-8");
    assert.equal(headers["user-agent"], "LineBotWebhook/2.0");
    assert.ok(sdk.validateSignature(body, SECRET, headers["x-line-signature"]));
    assert.ok(!sdk.validateSignature(body + " ", SECRET, headers["x-line-signature"]));
    assert.equal(shop.seen.at(-1).destination, BOT);
  }
  assert.deepEqual(shop.errors, []);
});

test("a wrong secret and a garbled body are refused by the SDK, and told as 401", async () => {
  const other = await bot({ channelSecret: "another" });
  await line.patch(`channels/${SHOP}`, { webhook: { endpoint: other.url } });
  const told = await line.act({ channel: SHOP, as: ANN, do: "message", message: { type: "text", text: "x" } });
  const record = await attempts(told.events[0], 1);
  assert.equal(other.errors[0].name, "SignatureValidationFailed");
  assert.deepEqual([record.attempts[0].status, record.state], [401, "failed"]);
  await other.close();
  await line.patch(`channels/${SHOP}`, { webhook: { endpoint: shop.url } });
  await line.post("faults", { fault: "webhook:1=garble" });
  const garbled = await line.act({ channel: SHOP, as: ANN, do: "message", message: { type: "text", text: "y" } });
  await attempts(garbled.events[0], 1);
  assert.equal(shop.errors.at(-1).message, "signature validation failed");
  const { reasons } = (await line.get("statistics")).channels[SHOP];
  assert.equal(reasons.error_status_code["401"], 2);
});

const attempts = (id, n) =>
  line.until(async () => {
    const record = await line.get(`events/${id}`);
    return record.attempts.length >= n && record;
  }, `${n} attempts of ${id}`);

test("a redelivery is the same event, told to be one, with the same reply token", async () => {
  await line.patch(`channels/${SHOP}`, { webhook: { redelivery: true } });
  shop.answer = (n) => (n === 1 ? 500 : 200);
  const told = await line.act({ channel: SHOP, as: ANN, do: "message", message: { type: "text", text: "again" } });
  await attempts(told.events[0], 1);
  await line.advance(1000);
  const record = await attempts(told.events[0], 2);
  assert.equal(record.state, "delivered");
  const [first, second] = shop.seen.map((body) => body.events[0]);
  assert.deepEqual([first, second].map((e) => e.deliveryContext.isRedelivery), [false, true]);
  assert.deepEqual({ ...second, deliveryContext: null }, { ...first, deliveryContext: null });
  await api.replyMessage({ replyToken: second.replyToken, messages: [{ type: "text", text: "late" }] });
});

test("who is silent for two seconds is given up", { timeout: 20_000 }, async () => {
  shop.delay = 2500;
  const told = await line.act({ channel: SHOP, as: ANN, do: "message", message: { type: "text", text: "slow" } });
  const record = await attempts(told.events[0], 1);
  assert.ok(record.attempts[0].ms >= 1900 && record.attempts[0].ms < 2450, `${record.attempts[0].ms} ms`);
  const { reasons } = (await line.get("statistics")).channels[SHOP];
  assert.equal(reasons.request_timeout["Request timeout"], 1);
});

test("the endpoint is set, told, tested", async () => {
  await api.setWebhookEndpoint({ endpoint: shop.url });
  assert.deepEqual(await api.getWebhookEndpoint(), { endpoint: shop.url, active: true });
  const good = await api.testWebhookEndpoint({});
  assert.deepEqual([good.success, good.statusCode, good.reason], [true, 200, "OK"]);
  assert.deepEqual(shop.seen.at(-1), { destination: BOT, events: [] });
  shop.answer = () => 500;
  const bad = await api.testWebhookEndpoint({ endpoint: shop.url });
  assert.deepEqual([bad.success, bad.statusCode, bad.reason], [false, 500, "ERROR_STATUS_CODE"]);
  await assert.rejects(api.setWebhookEndpoint({ endpoint: "foo" }), { status: 400 });
  const verified = await line.post(`channels/${SHOP}/verify`);
  assert.equal(verified.success, false);
});

test("each type of event is what the SDK's types say", async () => {
  const seen = new Set();
  const check = (events) => {
    assert.ok(events.length > 0);
    for (const event of events) {
      fits(event, FACTS.events, event.type);
      seen.add(event.type + (event.message ? "." + event.message.type : ""));
    }
    return events;
  };
  const media = Buffer.from("bytes").toString("base64");
  const [quoted] = check(
    await say("(moon) @Shop @Cleo @All hi", {
      chat: GROUP,
      message: {
        type: "text",
        text: "(moon) @Shop @Cleo @All hi",
        emojis: [{ productId: "5ac1bfd5040ab15980c9b435", emojiId: "001" }],
        mention: [{ userId: BOT }, { userId: CLEO }, { type: "all" }],
      },
    }),
  );
  assert.deepEqual(quoted.message.emojis, [{ index: 0, length: 6, productId: "5ac1bfd5040ab15980c9b435", emojiId: "001" }]);
  assert.deepEqual(quoted.message.mention.mentionees, [
    { index: 7, length: 5, type: "user", userId: BOT, isSelf: true },
    { index: 13, length: 5, type: "user", userId: CLEO, isSelf: false },
    { index: 19, length: 4, type: "all" },
  ]);
  assert.deepEqual(quoted.source, { type: "group", groupId: GROUP, userId: ANN });
  const send = (message, more) => hear({ do: "message", message, ...more });
  const [answer] = check(await send({ type: "text", text: "yes", quotedMessageId: quoted.message.id }, { chat: GROUP }));
  assert.equal(answer.message.quotedMessageId, quoted.message.id);
  check(await send({ type: "sticker", packageId: 446, stickerId: 1988, keywords: ["moon"] }));
  check(await send({ type: "image", media }));
  check(await send({ type: "image", contentProvider: { type: "external", originalContentUrl: "https://example.com/a.png" } }));
  check(await hear({ do: "message", message: { type: "image" }, set: [{ media }, { media }] }));
  check(await send({ type: "video", media, duration: 1500 }));
  check(await send({ type: "audio", media, duration: 900 }));
  check(await send({ type: "file", media, fileName: "a.txt" }));
  check(await send({ type: "location", title: "t", address: "a", latitude: 1.5, longitude: -2 }));
  check(await hear({ do: "edit", chat: GROUP, message: answer.message.id, text: "no" }));
  check(await hear({ do: "unsend", chat: GROUP, message: answer.message.id }));
  check(await hear({ do: "unfollow" }));
  const [back] = check(await hear({ do: "follow" }));
  assert.deepEqual(back.follow, { isUnblocked: true });
  check(await hear({ do: "follow", as: CLEO }));
  check(await hear({ do: "leave", as: undefined, chat: GROUP, channel: undefined }));
  check(await hear({ do: "join", as: undefined, chat: GROUP }));
  check(await hear({ do: "memberJoin", as: undefined, chat: GROUP, members: [BEN] }));
  check(await hear({ do: "memberLeave", as: undefined, chat: GROUP, members: [BEN] }));
  check(await say("in a room", { chat: ROOM }));
  check(await hear({ do: "postback", data: "a=1", params: { date: "2026-01-31" } }));
  check(await hear({ do: "tap", action: { type: "postback", label: "l", data: "d", displayText: "shown" } }));
  const pick = { type: "datetimepicker", label: "l", data: "when", mode: "datetime" };
  const [picked] = check(await hear({ do: "tap", action: pick, params: { datetime: "2026-01-31T10:30" } }));
  assert.deepEqual(picked.postback, { data: "when", params: { datetime: "2026-01-31T10:30" } });
  const film = { originalContentUrl: "https://example.com/v.mp4", previewImageUrl: "https://example.com/v.png" };
  await api.pushMessage({ to: ANN, messages: [{ type: "video", ...film, trackingId: "track-1" }] });
  check(await hear({ do: "videoPlayComplete", trackingId: "track-1" }));
  check(await hear({ do: "beacon", type: "stay", hwid: "d41d8cd98f", dm: "00ff" }));
  const { linkToken } = await api.issueLinkToken(ANN);
  check(await hear({ do: "accountLink", linkToken, nonce: "0123456789" }));
  const other = await api.issueLinkToken(CLEO);
  const [failed] = check(await hear({ do: "accountLink", linkToken: other.linkToken, nonce: "9876543210" }));
  assert.deepEqual([failed.link.result, failed.source, failed.replyToken], ["failed", undefined, undefined]);
  check(await hear({ do: "membership", type: "renewed", membershipId: 3189 }));
  check(await hear({ do: "deliveryComplete", data: "0123456789abcdef" }));
  for (const event of [
    { type: "module", module: { type: "attached", botId: BOT, scopes: ["message:send"] } },
    { type: "module", module: { type: "detached", botId: BOT, reason: "bot_deleted" } },
    { type: "activated", chatControl: { expireAt: 1 } },
    { type: "deactivated" },
    { type: "botSuspended" },
    { type: "botResumed" },
  ]) {
    check(await hear({ do: "event", event }));
  }
  const contents = Object.keys(FACTS.events["type="].message["message!"]["type="]).map((t) => "message." + t);
  const types = Object.keys(FACTS.events["type="]).filter((t) => t !== "message" && t !== "messageEdited");
  for (const type of [...contents, ...types, "messageEdited.text"]) assert.ok(seen.has(type), `${type} was never sent`);
});
