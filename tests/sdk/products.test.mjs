// The rest of the official SDK: tokens of each kind, audiences, insight, coupons, memberships, LIFF apps, modules, the
// shop. And that each operation which the platform has is called somewhere here.

import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { after, afterEach, before, test } from "node:test";
import { FACTS, SECRET, TOKEN, nothingWrong, refused, start } from "./kit.mjs";

const WORLD = fileURLToPath(new URL("./world.lua", import.meta.url));
const SHOP = "2000000001";
const ANN = "U000000000000000000000000000000a1";
const BOT = "U000000000000000000000000000000ee";
const friend = (i) => "U" + (0xf000 + i).toString(16).padStart(32, "0");
const hello = [{ type: "text", text: "hello" }];

let line, api, audience, audienceBlob, insight, liff, module, attach, shop, tokens, now;

before(async () => {
  line = await start("--world", WORLD, "--clock", "virtual");
  ({ now } = await line.midMonth());
  ({ api, audience, audienceBlob, insight, liff, module, attach, shop, tokens } = line.clients());
});
afterEach(nothingWrong);
after(() => line.stop());

const day = (ms) => new Date(ms + 9 * 3600_000).toISOString().slice(0, 10).replaceAll("-", "");
const today = async () => (await line.get("clock")).now;
const base64url = (value) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");

// ---- tokens ----

test("a short-lived token is issued, works, is verified and revoked", async () => {
  const issued = await tokens.issueChannelToken("client_credentials", SHOP, SECRET);
  assert.equal(issued.token_type, "Bearer");
  assert.equal(issued.expires_in, 2592000);
  assert.equal((await line.clients(issued.access_token).api.getBotInfo()).userId, BOT);
  const told = await tokens.verifyChannelToken(issued.access_token);
  assert.equal(told.client_id, SHOP);
  assert.deepEqual(await tokens.revokeChannelToken(issued.access_token), null);
  await refused(line.clients(issued.access_token).api.getBotInfo(), 401);
  assert.deepEqual((await refused(tokens.verifyChannelToken(issued.access_token), 400)).json, {
    error: "invalid_request",
    error_description: "access_token invalid",
  });
  assert.deepEqual((await refused(tokens.issueChannelToken("client_credentials", SHOP, "wrong"), 400)).json, {
    error: "invalid_client",
    error_description: "invalid client_secret",
  });
});

test("the 31st short-lived token ends the first", async () => {
  const all = [];
  for (let i = 0; i < 31; i++) all.push(await tokens.issueChannelToken("client_credentials", SHOP, SECRET));
  await refused(line.clients(all[0].access_token).api.getBotInfo(), 401);
  await line.clients(all[1].access_token).api.getBotInfo();
  await line.clients(TOKEN).api.getBotInfo();
});

const keys = generateKeyPairSync("rsa", { modulusLength: 2048 });
const ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

function assertion(kid, more = {}, key = keys.privateKey, at = now) {
  const seconds = Math.floor(at / 1000);
  const claims = { iss: SHOP, sub: SHOP, aud: "https://api.line.me/", exp: seconds + 1700, token_exp: 86400, ...more };
  const text = base64url({ alg: "RS256", typ: "JWT", kid }) + "." + base64url(claims);
  return text + "." + sign("RSA-SHA256", Buffer.from(text), key).toString("base64url");
}

test("tokens by assertion: issued, listed, verified, revoked", async () => {
  now = await today();
  const jwk = keys.publicKey.export({ format: "jwk" });
  const { kid } = await line.post(`channels/${SHOP}/keys`, { key: { ...jwk, alg: "RS256", use: "sig" } });
  const jwt = assertion(kid);
  const issued = await tokens.issueChannelTokenByJWT("client_credentials", ASSERTION, jwt);
  assert.equal(issued.expires_in, 86400);
  assert.equal((await line.clients(issued.access_token).api.getBotInfo()).userId, BOT);
  assert.deepEqual((await tokens.getsAllValidChannelAccessTokenKeyIds(ASSERTION, jwt)).kids, [issued.key_id]);
  assert.equal((await tokens.verifyChannelTokenByJWT(issued.access_token)).client_id, SHOP);
  await tokens.revokeChannelTokenByJWT(SHOP, SECRET, issued.access_token);
  await refused(line.clients(issued.access_token).api.getBotInfo(), 401);
  assert.deepEqual((await tokens.getsAllValidChannelAccessTokenKeyIds(ASSERTION, jwt)).kids, []);

  const strings = assertion(kid, { exp: String(Math.floor(now / 1000) + 60), token_exp: "60" });
  const short = await tokens.issueChannelTokenByJWT("client_credentials", ASSERTION, strings);
  await line.advance(60_000);
  await refused(line.clients(short.access_token).api.getBotInfo(), 401);
  const expired = await refused(tokens.verifyChannelTokenByJWT(short.access_token), 400);
  assert.equal(expired.json.error_description, "The access token expired");
  const jws = await refused(tokens.verifyChannelTokenByJWT("plain"), 400);
  assert.equal(jws.json.error_description, "The access token not JWS");

  const issue = (jwt) => tokens.issueChannelTokenByJWT("client_credentials", ASSERTION, jwt);
  const old = await refused(issue(assertion(kid, { exp: 1 })), 400);
  assert.deepEqual(old.json, { error: "invalid_client", error_description: "Invalid exp" });
  const other = await refused(issue(assertion(kid, { iss: "1" })), 400);
  assert.equal(other.json.error_description, "iss and clientId of key do not match");
  const unknown = await refused(issue(assertion("nobody's")), 404);
  assert.equal(unknown.json.message, "Cannot find channel key that satisfies the conditions");
  const forged = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
  await refused(issue(assertion(kid, {}, forged)), 400);

  const stateless = await tokens.issueStatelessChannelTokenByJWTAssertion(assertion(kid));
  assert.equal((await line.clients(stateless.access_token).api.getBotInfo()).userId, BOT);
  for (let i = 0; i < 30; i++) await issue(assertion(kid));
  const full = await refused(issue(assertion(kid)), 400);
  assert.equal(full.json.message, "The maximum number of access tokens has already been issued");
});

test("a stateless token by secret lives for fifteen minutes", async () => {
  const issued = await tokens.issueStatelessChannelTokenByClientSecret(SHOP, SECRET);
  const client = line.clients(issued.access_token).api;
  assert.equal((await client.getBotInfo()).userId, BOT);
  await line.advance(issued.expires_in * 1000);
  await refused(client.getBotInfo(), 401);
  const wrong = await refused(tokens.issueStatelessChannelTokenByClientSecret(SHOP, "wrong"), 400);
  assert.deepEqual(wrong.json, { error: "invalid_request", error_description: "Invalid 'client_credentials'." });
});

// ---- audiences ----

const ready = (id) =>
  line.until(async () => {
    await line.advance(1000);
    const told = await audience.getAudienceData(id);
    return told.audienceGroup.status === "READY" && told;
  }, "the audience to be ready");

test("an audience of ids, added to by file, narrowcast to, renamed, deleted", async () => {
  const some = Array.from({ length: 40 }, (_, i) => ({ id: friend(i + 1) }));
  const made = await audience.createAudienceGroupWithHttpInfo({ description: "some", audiences: some });
  assert.equal(made.httpResponse.status, 202);
  assert.equal(made.body.type, "UPLOAD");
  const id = made.body.audienceGroupId;
  const lines = Array.from({ length: 20 }, (_, i) => friend(i + 41)).join("\r\n");
  await audienceBlob.addUserIdsToAudience(new Blob([lines], { type: "text/plain" }), id, "the rest");
  await audience.addAudienceToAudienceGroup({ audienceGroupId: id, audiences: [{ id: ANN }], uploadDescription: "Ann" });
  const told = await ready(id);
  assert.equal(told.audienceGroup.audienceCount, 61);
  assert.equal(told.jobs.length, 3);
  const sent = await api.narrowcastWithHttpInfo({
    messages: [{ type: "text", text: "to the audience" }],
    recipient: { type: "operator", and: [{ type: "audience", audienceGroupId: id }] },
  });
  const requestId = sent.httpResponse.headers.get("x-line-request-id");
  const end = await line.until(async () => {
    await line.advance(1000);
    const progress = await api.getNarrowcastProgress(requestId);
    return progress.completedTime && progress;
  }, "the narrowcast");
  assert.deepEqual([end.phase, end.successCount], ["succeeded", 61]);
  assert.equal((await line.lastMessage(`${SHOP}:${ANN}`)).text, "to the audience");
  assert.equal(await line.lastMessage(`${SHOP}:${friend(80)}`), undefined);
  await audience.updateAudienceGroupDescription(id, { description: "renamed" });
  const list = await audience.getAudienceGroups(1, "rename", undefined, 10);
  assert.deepEqual([list.totalCount, list.audienceGroups[0].description], [1, "renamed"]);
  assert.deepEqual((await audience.getSharedAudienceGroups(1)).audienceGroups, []);
  await audience.deleteAudienceGroup(id);
  for (const ask of ["getAudienceData", "getSharedAudienceData", "deleteAudienceGroup"]) {
    const gone = await refused(audience[ask](id), 400);
    assert.equal(gone.json.message, "audience group not found");
    assert.deepEqual(gone.json.details, [{ message: "AUDIENCE_GROUP_NOT_FOUND" }]);
  }
});

test("an audience by file is refused with its codes", async () => {
  const file = (text) => new Blob([text], { type: "text/plain" });
  const made = await audienceBlob.createAudienceForUploadingUserIdsWithHttpInfo(file(`${ANN}\n${friend(1)}\n`), "by file", false, "first");
  assert.equal(made.httpResponse.status, 202);
  const told = await ready(made.body.audienceGroupId);
  assert.equal(told.jobs[0].description, "first");
  const bad = await refused(audienceBlob.addUserIdsToAudience(file("nobody"), made.body.audienceGroupId, "x"), 400);
  assert.equal(bad.json.details[0].message, "UPLOAD_AUDIENCE_GROUP_INVALID_AUDIENCE_ID_FORMAT");
  const long = await refused(audience.createAudienceGroup({ description: "x".repeat(121) }), 400);
  assert.deepEqual(long.json, { message: "size over audienceGroupName", details: [{ message: "AUDIENCE_GROUP_NAME_SIZE_OVER" }] });
  const many = await refused(audience.getAudienceGroups(1, undefined, undefined, 41), 400);
  assert.deepEqual(many.json, { message: "size: must be less than or equal to 40", details: [{ message: "TOO_HIGH" }] });
});

// ---- insight ----

test("who opened a link becomes figures and an audience", async () => {
  await line.patch(`channels/${SHOP}`, { minimums: false });
  const url = "https://example.com/sale";
  const sent = await api.broadcastWithHttpInfo({
    messages: [
      {
        type: "template",
        altText: "sale",
        template: { type: "buttons", text: "sale", actions: [{ type: "uri", label: "look", uri: url }] },
      },
    ],
  });
  const requestId = sent.httpResponse.headers.get("x-line-request-id");
  await line.act({ as: ANN, channel: SHOP, do: "read" });
  const entry = (await line.entries(`${SHOP}:${ANN}`)).at(-1);
  await line.act({ as: ANN, channel: SHOP, do: "tap", entry: entry.id, action: { type: "uri", label: "look", uri: url } });
  const told = await insight.getMessageEvent(requestId);
  assert.equal(told.overview.delivered, 120);
  assert.equal(told.overview.uniqueImpression, 1);
  assert.deepEqual(told.clicks.map((c) => [c.seq, c.url, c.click]), [[1, url, 1]]);
  const clicked = await audience.createClickBasedAudienceGroup({ description: "clicked", requestId, clickUrl: url });
  assert.equal((await ready(clicked.audienceGroupId)).audienceGroup.audienceCount, 1);
  const seen = await audience.createImpBasedAudienceGroup({ description: "seen", requestId });
  assert.equal((await ready(seen.audienceGroupId)).audienceGroup.type, "IMP");
});

test("figures of days, of units and of people", async () => {
  const from = await today();
  await api.multicast({ to: [ANN, friend(1)], messages: hello, customAggregationUnits: ["unit_1"] });
  await line.act({ as: ANN, channel: SHOP, do: "read" });
  const unit = await insight.getStatisticsPerUnit("unit_1", day(from), day(from));
  assert.deepEqual(unit.clicks, []);
  assert.equal(unit.messages[0].seq, 1);
  await line.advance(24 * 3600_000);
  const sent = await insight.getNumberOfMessageDeliveries(day(from));
  assert.equal(sent.status, "ready");
  assert.equal(sent.apiMulticast, 2);
  assert.equal((await insight.getNumberOfMessageDeliveries(day(await today()))).status, "unready");
  assert.equal((await refused(insight.getNumberOfMessageDeliveries("soon"), 400)).json.message, "Bad Request");
  await line.advance(24 * 3600_000);
  const followers = await insight.getNumberOfFollowers(day(from));
  assert.deepEqual([followers.status, followers.followers, followers.blocks], ["ready", 121, 1]);
  assert.equal((await refused(insight.getNumberOfFollowers(), 400)).json.message, "date is required");
  await line.advance(4 * 24 * 3600_000);
  const people = await insight.getFriendsDemographics();
  assert.equal(people.available, true);
  const sum = people.genders.reduce((n, tile) => n + tile.percentage, 0);
  assert.ok(Math.abs(sum - 100) < 1, `${sum} %`);
});

// ---- coupons, memberships, LIFF ----

test("a coupon is made, sent and closed for good", async () => {
  const seconds = Math.floor((await today()) / 1000);
  const given = {
    acquisitionCondition: { type: "lottery", lotteryProbability: 50, maxAcquireCount: 10 },
    title: "Ten off",
    description: "d",
    startTimestamp: seconds,
    endTimestamp: seconds + 86400,
    maxUseCountPerTicket: 1,
    timezone: "ASIA_TOKYO",
    visibility: "UNLISTED",
    reward: { type: "discount", priceInfo: { type: "fixed", currency: "JPY", fixedAmount: 10 } },
  };
  const { couponId } = await api.createCoupon(given);
  assert.match(couponId, /^[0-9A-Z]{26}$/);
  const detail = await api.getCouponDetail(couponId);
  assert.equal(detail.status, "RUNNING");
  assert.deepEqual(detail.reward.priceInfo.fixedAmount, 10);
  await api.pushMessage({ to: ANN, messages: [{ type: "coupon", couponId }] });
  assert.equal((await line.lastMessage(`${SHOP}:${ANN}`)).couponId, couponId);
  assert.deepEqual((await api.listCoupon(["RUNNING"], undefined, 5)).items, [{ couponId, title: "Ten off" }]);
  await api.closeCoupon(couponId);
  const twice = await refused(api.closeCoupon(couponId), 410);
  assert.equal(twice.json.details[0].message, "The coupon has already been closed.");
  assert.equal((await api.getCouponDetail(couponId)).status, "CLOSED");
  assert.equal((await refused(api.getCouponDetail("x"), 404)).json.details[0].message, "coupon not found");
  const long = await refused(api.createCoupon({ ...given, title: "x".repeat(61) }), 400);
  assert.deepEqual(long.json.details, [{ message: "Size must be between 1 and 60", property: "title" }]);
});

test("memberships: plans, who has them, who has which", async () => {
  const { memberships } = await api.getMembershipList();
  assert.deepEqual(memberships.map((m) => [m.membershipId, m.memberCount, m.memberLimit]), [[3189, 1, null], [3190, 0, 10]]);
  const { subscriptions } = await api.getMembershipSubscription(ANN);
  assert.equal(subscriptions[0].membership.title, "Gold");
  assert.match(subscriptions[0].user.nextBillingDate, /^\d{4}-\d\d-\d\d$/);
  await refused(api.getMembershipSubscription(friend(1)), 404);
  assert.deepEqual((await api.getJoinedMembershipUsers(3189)).userIds, [ANN]);
  assert.equal((await refused(api.getJoinedMembershipUsers(1), 404)).json.message, "Membership ID is not found");
  const told = await line.act({ as: friend(1), channel: SHOP, do: "membership", type: "joined", membershipId: 3190 });
  assert.deepEqual((await line.get(`events/${told.events[0]}`)).event.membership, { type: "joined", membershipId: 3190 });
  assert.deepEqual((await api.getJoinedMembershipUsers(3190, undefined, 10)).userIds, [friend(1)]);
  assert.equal((await refused(line.clients("other-token").api.getMembershipList(), 404)).json.message, "Membership plan not found");
});

test("LIFF apps", async () => {
  await refused(liff.getAllLIFFApps(), 404);
  const { liffId } = await liff.addLIFFApp({ view: { type: "tall", url: "https://example.com/" }, description: "shop" });
  await liff.updateLIFFApp(liffId, { view: { type: "full" }, botPrompt: "normal" });
  const [app] = (await liff.getAllLIFFApps()).apps;
  assert.deepEqual([app.liffId, app.view, app.botPrompt], [liffId, { type: "full", url: "https://example.com/" }, "normal"]);
  await refused(liff.addLIFFApp({ view: { type: "tall", url: "http://example.com/" } }), 400);
  await liff.deleteLIFFApp(liffId);
  await refused(liff.deleteLIFFApp(liffId), 404);
});

// ---- partners ----

test("a module is attached, takes the control of a chat, gives it back, is detached", async () => {
  const verifier = randomBytes(32).toString("base64url");
  const { code } = await line.post("channels/2000000003/codes", {
    account: SHOP,
    redirectUri: "https://example.com/back",
    scopes: ["message:send"],
    codeChallenge: createHash("sha256").update(verifier).digest("base64url"),
  });
  const take = (verifier) =>
    attach.attachModule("authorization_code", code, "https://example.com/back", verifier, "2000000003", "module-secret");
  await refused(take("wrong"), 400);
  assert.deepEqual(await take(verifier), { bot_id: BOT, scopes: ["message:send"] });
  await refused(take(verifier), 400);
  const partner = line.clients("module-token").module;
  assert.deepEqual((await partner.getModules()).bots.map((b) => b.userId), [BOT]);
  const modes = async () => {
    const told = await line.act({ as: ANN, channel: SHOP, do: "message", message: { type: "text", text: "hi" } });
    const { event } = await line.get(`events/${told.events[0]}`);
    return [event.mode, Boolean(event.replyToken)];
  };
  assert.deepEqual(await modes(), ["active", true]);
  await partner.acquireChatControl(ANN, { expired: true, ttl: 60 });
  assert.deepEqual(await modes(), ["standby", false]);
  await partner.releaseChatControl(ANN);
  assert.deepEqual(await modes(), ["active", true]);
  await partner.detachModule({ botId: BOT });
  assert.deepEqual((await partner.getModules()).bots, []);
  await refused(module.detachModule({ botId: BOT }), 400);
});

test("mission stickers", async () => {
  const given = { to: ANN, productId: "4", productType: "STICKER", sendPresentMessage: false };
  await refused(shop.missionStickerV3(given), 404);
  await line.post(`channels/${SHOP}/missions`, { productId: "4" });
  await shop.missionStickerV3(given);
  await refused(line.clients("other-token").shop.missionStickerV3(given), 403);
});

// ---- all of it ----

test("each operation is called by some test here", () => {
  const here = fileURLToPath(new URL(".", import.meta.url));
  const text = readdirSync(here)
    .filter((name) => name.endsWith(".test.mjs"))
    .map((name) => readFileSync(here + name, "utf8"))
    .join("");
  // The SDK has no methods for these two; the scenarios call them.
  const missing = new Set(["getRichMenuInsightSummary", "getRichMenuInsightDaily"]);
  const stateless = { issueStatelessChannelToken: /\.issueStatelessChannelTokenByClientSecret\(/ };
  for (const { name } of Object.values(FACTS.answers)) {
    if (missing.has(name)) continue;
    const called = stateless[name] ?? new RegExp(`[."]${name}(WithHttpInfo)?["(]`);
    assert.match(text, called, `${name} is called nowhere`);
  }
});
