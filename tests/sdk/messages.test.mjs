// Sending through the official SDK: what people then see, what is counted, what is refused and how.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import { after, afterEach, before, test } from "node:test";
import { TOKEN, bytesOf, nothingWrong, refused, sdk, start } from "./kit.mjs";

const WORLD = fileURLToPath(new URL("./world.lua", import.meta.url));
const ANN = "U000000000000000000000000000000a1";
const BEN = "U000000000000000000000000000000b2";
const CLEO = "U000000000000000000000000000000c3";
const GROUP = "C0000000000000000000000000000001a";
const ROOM = "R0000000000000000000000000000001b";
const CHAT = `2000000001:${ANN}`;
const hello = [{ type: "text", text: "hello" }];

let line, api, blob, small;

before(async () => {
  line = await start("--world", WORLD, "--clock", "virtual");
  await line.midMonth();
  ({ api, blob } = line.clients());
  small = line.clients("other-token").api;
});
afterEach(nothingWrong);
after(() => line.stop());

// What Ann says, as the event that the account gets.
async function say(message = { type: "text", text: "hi" }, more = {}) {
  const told = await line.act({ as: ANN, channel: "2000000001", do: "message", message, ...more });
  return (await line.get(`events/${told.events[0]}`)).event;
}

test("a push is seen, is answered with ids and quote tokens, and is counted", async () => {
  const before = (await api.getMessageQuotaConsumption()).totalUsage;
  const answer = await api.pushMessage({
    to: ANN,
    messages: [
      { type: "text", text: "one 🦊 $", emojis: [{ index: 7, productId: "5ac1bfd5040ab15980c9b435", emojiId: "001" }] },
      { type: "sticker", packageId: "446", stickerId: "1988" },
      { type: "location", title: "here", address: "there", latitude: 35.65, longitude: 139.7 },
      {
        type: "template",
        altText: "buttons",
        template: { type: "buttons", text: "choose", actions: [{ type: "postback", label: "a", data: "a=1" }] },
      },
      {
        type: "flex",
        altText: "flex",
        contents: { type: "bubble", body: { type: "box", layout: "vertical", contents: [] } },
        quickReply: { items: [{ type: "action", action: { type: "message", label: "yes", text: "yes" } }] },
      },
    ],
  });
  const entries = (await line.entries(CHAT)).slice(-5);
  assert.deepEqual(
    entries.map((e) => e.id),
    answer.sentMessages.map((m) => m.id),
  );
  assert.deepEqual(
    answer.sentMessages.map((m) => Boolean(m.quoteToken)),
    [true, true, false, true, true],
  );
  assert.equal(entries[0].message.text, "one 🦊 $");
  assert.deepEqual(entries[4].message.contents.body.contents, []);
  assert.equal((await api.getMessageQuotaConsumption()).totalUsage, before + 1);
});

test("a reply token works once, and a minute", async () => {
  const event = await say();
  const answer = await api.replyMessage({ replyToken: event.replyToken, messages: hello, notificationDisabled: true });
  assert.equal((await line.lastMessage(CHAT)).text, "hello");
  assert.match(answer.sentMessages[0].id, /^\d+$/);
  const again = await refused(api.replyMessage({ replyToken: event.replyToken, messages: hello }), 400);
  assert.equal(again.json.message, "Invalid reply token");
  const late = await say();
  await line.advance(60_001);
  const expired = await refused(api.replyMessage({ replyToken: late.replyToken, messages: hello }), 400);
  assert.equal(expired.json.message, "Invalid reply token");
});

test("quotes and mentions go where they may go", async () => {
  const told = await line.act({ as: ANN, chat: GROUP, do: "message", message: { type: "text", text: "lunch?" } });
  const event = (await line.get(`events/${told.events[0]}`)).event;
  await api.replyMessage({
    replyToken: event.replyToken,
    messages: [
      {
        type: "textV2",
        text: "yes, {who} {smile}",
        substitution: {
          who: { type: "mention", mentionee: { type: "user", userId: ANN } },
          smile: { type: "emoji", productId: "5ac1bfd5040ab15980c9b435", emojiId: "001" },
        },
        quoteToken: event.message.quoteToken,
      },
    ],
  });
  assert.equal((await line.lastMessage(GROUP)).quoteToken, event.message.quoteToken);
  const elsewhere = { type: "text", text: "x", quoteToken: event.message.quoteToken };
  await refused(api.pushMessage({ to: ANN, messages: [elsewhere] }), 400);
  await refused(api.multicast({ to: [ANN], messages: [elsewhere] }), 400);
});

test("who is nobody, who has blocked, where the account is not", async () => {
  const nobody = await refused(api.pushMessage({ to: "U" + "9".repeat(32), messages: hello }), 400);
  assert.equal(nobody.json.message, "Failed to send messages");
  const used = (await api.getMessageQuotaConsumption()).totalUsage;
  assert.equal((await api.pushMessage({ to: BEN, messages: hello })).sentMessages.length, 1);
  assert.equal((await api.getMessageQuotaConsumption()).totalUsage, used);
  assert.deepEqual(await line.entries(`2000000001:${BEN}`), []);
  const wrong = await refused(api.pushMessage({ to: "nobody", messages: hello }), 400);
  assert.match(wrong.json.message, /^The property, 'to', in the request body is invalid/);
  await refused(small.pushMessage({ to: GROUP, messages: hello }), 400);
});

test("each layer refuses in its own words", async () => {
  const none = await refused(api.pushMessage({ to: ANN, messages: [] }), 400);
  assert.equal(none.json.message, "The request body has 1 error(s)");
  assert.deepEqual(none.json.details, [{ message: "Size must be between 1 and 5", property: "messages" }]);
  const empty = await refused(api.pushMessage({ to: ANN, messages: [{ type: "text", text: "" }] }), 400);
  assert.deepEqual(empty.json.details, [{ message: "May not be empty", property: "messages[0].text" }]);
  const type = await refused(api.pushMessage({ to: 5, messages: hello }), 400);
  assert.match(type.json.message, /^The property, 'to', in the request body is invalid \(line: 1, column: \d+\)$/);
  const flex = await refused(
    api.pushMessage({ to: ANN, messages: [{ type: "flex", altText: "x", contents: { type: "bubble" } }] }),
    400,
  );
  assert.equal(flex.json.message, "A message (messages[0]) in the request body is invalid");
  assert.deepEqual(flex.json.details, [{ message: "At least one block must be specified", property: "/" }]);
});

test("the error has status, text, headers and body", async () => {
  const error = await refused(line.clients("nonsense").api.getBotInfo(), 401);
  assert.equal(error.message, "401 - Unauthorized");
  assert.equal(error.statusText, "Unauthorized");
  assert.equal(
    error.json.message,
    "Authentication failed due to the following reason: invalid token. Confirm that the access token in the authorization header is valid.",
  );
  const call = await line.get(`calls/${error.headers.get("x-line-request-id")}`);
  assert.equal(call.operation, "get_bot_info");
  assert.equal(call.status, 401);
});

test("a retry key is accepted once; the repeat tells the first request", async () => {
  const sends = [
    (key) => api.pushMessageWithHttpInfo({ to: ANN, messages: hello }, key),
    (key) => api.multicastWithHttpInfo({ to: [ANN], messages: hello }, key),
    (key) => api.broadcastWithHttpInfo({ messages: hello }, key),
    (key) => api.narrowcastWithHttpInfo({ messages: hello }, key),
  ];
  for (const send of sends) {
    const key = randomUUID();
    const first = await send(key);
    const before = (await line.entries(CHAT)).length;
    const again = await refused(send(key), 409);
    assert.equal(again.json.message, "The retry key is already accepted");
    assert.equal(again.headers.get("x-line-accepted-request-id"), first.httpResponse.headers.get("x-line-request-id"));
    assert.deepEqual(again.json.sentMessages, first.body.sentMessages);
    assert.equal((await line.entries(CHAT)).length, before);
  }
  const key = randomUUID();
  await api.pushMessage({ to: ANN, messages: hello }, key);
  await line.advance(24 * 3600_000 + 1);
  await api.pushMessage({ to: ANN, messages: hello }, key);
});

test("multicast, broadcast and their counts of the day after", async () => {
  await api.multicast({ to: [ANN, BEN, CLEO], messages: hello, customAggregationUnits: ["promotion_a"] });
  await api.broadcast({ messages: [{ type: "text", text: "to all" }] });
  assert.equal((await line.lastMessage(CHAT)).text, "to all");
  assert.equal((await line.lastMessage(`2000000001:U${(0xf077).toString(16).padStart(32, "0")}`)).text, "to all");
  await api.replyMessage({ replyToken: (await say()).replyToken, messages: hello });
  const { now } = await line.get("clock");
  const day = new Date(now + 9 * 3600_000).toISOString().slice(0, 10).replaceAll("-", "");
  await line.advance(24 * 3600_000);
  const pushed = await api.getNumberOfSentPushMessages(day);
  assert.equal(pushed.status, "ready");
  assert.ok((await api.getNumberOfSentMulticastMessages(day)).success >= 1);
  assert.ok((await api.getNumberOfSentBroadcastMessages(day)).success >= 120);
  assert.ok((await api.getNumberOfSentReplyMessages(day)).success >= 1);
  assert.equal((await api.getNumberOfSentPushMessages("20180101")).status, "out_of_service");
  await refused(api.getNumberOfSentPushMessages("soon"), 400);
  assert.deepEqual((await api.getAggregationUnitNameList("5")).customAggregationUnits, ["promotion_a"]);
  assert.equal((await api.getAggregationUnitUsage()).numOfCustomAggregationUnits, 1);
});

test("the monthly quota ends, by messages reached", async () => {
  assert.deepEqual(await small.getMessageQuota(), { type: "limited", value: 3 });
  assert.deepEqual(await api.getMessageQuota(), { type: "none" });
  await small.pushMessage({ to: ANN, messages: hello });
  const over = await refused(small.broadcast({ messages: hello }), 429);
  assert.equal(over.json.message, "You have reached your monthly limit.");
  await small.pushMessage({ to: ANN, messages: hello });
  await small.pushMessage({ to: ANN, messages: hello });
  await refused(small.pushMessage({ to: ANN, messages: hello }), 429);
});

test("a narrowcast waits, is sent and has succeeded", async () => {
  const sent = await api.narrowcastWithHttpInfo({
    messages: [{ type: "text", text: "to some" }],
    filter: { demographic: { type: "operator", or: [{ type: "gender", oneOf: ["male"] }, { type: "gender", oneOf: ["female", "male"] }] } },
    limit: { max: 100, upToRemainingQuota: false },
  });
  assert.equal(sent.httpResponse.status, 202);
  const id = sent.httpResponse.headers.get("x-line-request-id");
  const first = await api.getNarrowcastProgress(id);
  assert.deepEqual(Object.keys(first).sort(), ["acceptedTime", "phase"]);
  assert.equal(first.phase, "waiting");
  await line.advance(1000);
  await line.until(async () => (await api.getNarrowcastProgress(id)).phase === "sending", "the sending phase");
  await line.advance(1000);
  const done = await line.until(async () => {
    const now = await api.getNarrowcastProgress(id);
    return now.phase !== "sending" && now;
  }, "the end");
  assert.match(done.completedTime, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$/);
  assert.ok(["succeeded", "failed"].includes(done.phase), done.phase);
  const all = await api.narrowcastWithHttpInfo({ messages: [{ type: "text", text: "to everybody" }] });
  const wanted = all.httpResponse.headers.get("x-line-request-id");
  const end = await line.until(async () => {
    await line.advance(1000);
    const now = await api.getNarrowcastProgress(wanted);
    return now.completedTime && now;
  }, "the end");
  assert.deepEqual([end.phase, end.successCount, end.failureCount, end.targetCount], ["succeeded", 120, 0, 120]);
  assert.equal((await line.lastMessage(CHAT)).text, "to everybody");
  await refused(api.getNarrowcastProgress(randomUUID()), 404);
});

test("messages are checked without being sent", async () => {
  const before = (await line.entries(CHAT)).length;
  for (const name of ["validateReply", "validatePush", "validateMulticast", "validateNarrowcast", "validateBroadcast"]) {
    assert.deepEqual(await api[name]({ messages: hello }), {});
    const error = await refused(api[name]({ messages: [{ type: "text" }] }), 400);
    assert.equal(error.json.details[0].property, "messages[0].text");
  }
  assert.equal((await line.entries(CHAT)).length, before);
});

test("content comes back as it was sent, also when it is long", async () => {
  const picture = Buffer.alloc(3 * 1024 * 1024);
  for (let i = 0; i < picture.length; i++) picture[i] = (i * 7919) >> 3;
  const { mediaId } = await line.control("POST", "media", picture, { headers: { "content-type": "image/png" } });
  const event = await say({ type: "image", mediaId });
  const got = await blob.getMessageContentWithHttpInfo(event.message.id);
  assert.equal(got.httpResponse.headers.get("content-type"), "image/png");
  assert.ok(picture.equals(await bytesOf(got.body)));
  assert.ok((await bytesOf(await blob.getMessageContentPreview(event.message.id))).length > 0);
  await refused(blob.getMessageContentTranscodingByMessageId(event.message.id), 400);
  const video = await say({ type: "video", media: Buffer.from("video").toString("base64"), duration: 1000 });
  assert.deepEqual(await blob.getMessageContentTranscodingByMessageId(video.message.id), { status: "succeeded" });
  await line.act({ as: ANN, channel: "2000000001", do: "unsend", message: event.message.id });
  const gone = await refused(blob.getMessageContent(event.message.id), 410);
  assert.equal(gone.json.message, "The content is gone");
  const none = await refused(blob.getMessageContent("1"), 404);
  assert.equal(none.json.message, "not found");
});

test("a long video is not ready at first: 202 without a body", async () => {
  const { now } = await line.get("clock");
  const video = await say({ type: "video", media: Buffer.from("v").toString("base64"), duration: 9, readyAt: now + 5000 });
  const early = await blob.getMessageContentWithHttpInfo(video.message.id);
  assert.equal(early.httpResponse.status, 202);
  assert.deepEqual(await blob.getMessageContentTranscodingByMessageId(video.message.id), { status: "processing" });
  await line.advance(5000);
  assert.equal((await bytesOf(await blob.getMessageContent(video.message.id))).toString(), "v");
});

test("profiles, followers, groups and rooms", async () => {
  assert.deepEqual(await api.getProfile(ANN), {
    userId: ANN,
    displayName: "Ann",
    language: "en",
    statusMessage: "out to lunch",
    pictureUrl: "https://example.com/ann.png",
  });
  await refused(api.getProfile(BEN), 404);
  await refused(api.getProfile("Unobody"), 400);
  const ids = [];
  let start;
  do {
    const page = await api.getFollowers(start, 50);
    ids.push(...page.userIds);
    start = page.next;
  } while (start);
  assert.equal(new Set(ids).size, 120);
  await refused(small.getFollowers(), 403);
  const info = await api.getBotInfo();
  assert.deepEqual([info.displayName, info.basicId, info.chatMode], ["Shop", "@shop", "chat"]);
  assert.deepEqual(await api.getGroupSummary(GROUP), { groupId: GROUP, groupName: "Lunch 🍜", pictureUrl: "https://example.com/lunch.png" });
  assert.deepEqual(await api.getGroupMemberCount(GROUP), { count: 2 });
  assert.deepEqual((await api.getGroupMembersIds(GROUP)).memberIds.sort(), [ANN, CLEO]);
  assert.equal((await api.getGroupMemberProfile(GROUP, CLEO)).displayName, "Cleo");
  await refused(api.getGroupMemberProfile(GROUP, BEN), 404);
  assert.deepEqual(await api.getRoomMemberCount(ROOM), { count: 2 });
  assert.deepEqual((await api.getRoomMembersIds(ROOM)).memberIds.sort(), [ANN, CLEO]);
  assert.equal((await api.getRoomMemberProfile(ROOM, ANN)).displayName, "Ann");
  await api.leaveRoom(ROOM);
  await api.leaveRoom(ROOM);
  await api.leaveGroup(GROUP);
  await refused(api.leaveGroup(GROUP), 404);
  await refused(api.getGroupSummary(GROUP), 404);
});

test("loading, reading, link tokens", async () => {
  assert.deepEqual(await api.showLoadingAnimation({ chatId: ANN, loadingSeconds: 10 }), {});
  const item = await line.get("wait?kind=loading&since=0");
  assert.equal(item.item.chat, CHAT);
  await refused(api.showLoadingAnimation({ chatId: ANN, loadingSeconds: 7 }), 400);
  await refused(api.showLoadingAnimation({ chatId: GROUP }), 400);
  const event = await say();
  await api.markMessagesAsReadByToken({ markAsReadToken: event.message.markAsReadToken });
  assert.equal((await line.entries(CHAT)).at(-1).read, true);
  await refused(api.markMessagesAsReadByToken({ markAsReadToken: "x" }), 400);
  await say();
  await api.markMessagesAsRead({ chat: { userId: ANN } });
  assert.equal((await line.entries(CHAT)).at(-1).read, true);
  const { linkToken } = await api.issueLinkToken(ANN);
  const nonce = randomUUID();
  const told = await line.act({ as: ANN, channel: "2000000001", do: "accountLink", linkToken, nonce });
  assert.deepEqual((await line.get(`events/${told.events[0]}`)).event.link, { result: "ok", nonce });
});

test("the partners' messages by telephone", async () => {
  const { createHash } = await import("node:crypto");
  const to = createHash("sha256").update("+818000001234").digest("hex");
  const tag = "delivery-tag-of-sixteen";
  await api.pushMessagesByPhone({ to, messages: hello }, tag);
  const events = (await line.get("events?limit=5")).events;
  const told = events.find((e) => e.type === "delivery");
  assert.equal((await line.get(`events/${told.id}`)).event.delivery.data, tag);
  const nobody = await refused(api.pushMessagesByPhone({ to: "0".repeat(64), messages: hello }), 422);
  assert.equal(nobody.json.message, "Failed to send messages");
  const { now } = await line.get("clock");
  const day = new Date(now + 9 * 3600_000).toISOString().slice(0, 10).replaceAll("-", "");
  await line.advance(24 * 3600_000);
  assert.equal((await api.getPNPMessageStatistics(day)).success, 1);
});

test("the one client for all, LineBotClient, with its three addresses", async () => {
  const client = sdk.LineBotClient.fromChannelAccessToken({
    channelAccessToken: TOKEN,
    apiBaseURL: line.url,
    dataApiBaseURL: line.url,
    managerBaseURL: line.url,
  });
  assert.equal((await client.getProfile(ANN)).displayName, "Ann");
  await client.pushMessage({ to: ANN, messages: [{ type: "text", text: "by the one client" }] });
  assert.equal((await line.lastMessage(CHAT)).text, "by the one client");
  await refused(client.getMessageContent("1"), 404);
});

test("faults reach the SDK as what they are", async () => {
  await line.post("faults", { fault: "push_message:1=500" });
  await refused(api.pushMessage({ to: ANN, messages: hello }), 500);
  await line.post("faults", { fault: "push_message:1=429" });
  const limited = await refused(api.pushMessage({ to: ANN, messages: hello }), 429);
  assert.equal(limited.json.message, "The API rate limit has been exceeded. Try again later.");
  await line.post("faults", { fault: "push_message:1=drop" });
  await assert.rejects(api.pushMessage({ to: ANN, messages: hello }), (e) => e instanceof TypeError);
  await line.post("faults", { fault: "push_message:1=delay:50" });
  const begun = performance.now();
  await api.pushMessage({ to: ANN, messages: hello });
  assert.ok(performance.now() - begun >= 50);
});
