// Rich menus through the official SDK: made, given an image, shown to people, switched by alias, changed for many.

import assert from "node:assert/strict";
import { deflateSync } from "node:zlib";
import { fileURLToPath } from "node:url";
import { after, afterEach, before, test } from "node:test";
import { bytesOf, nothingWrong, refused, start } from "./kit.mjs";

const WORLD = fileURLToPath(new URL("./world.lua", import.meta.url));
const ANN = "U000000000000000000000000000000a1";
const FRIEND = "U" + (0xf001).toString(16).padStart(32, "0");

let line, api, blob;

before(async () => {
  line = await start("--world", WORLD, "--clock", "virtual");
  ({ api, blob } = line.clients());
});
afterEach(nothingWrong);
after(() => line.stop());

const menu = (more = {}) => ({
  size: { width: 2500, height: 843 },
  selected: false,
  name: "menu",
  chatBarText: "Tap",
  areas: [{ bounds: { x: 0, y: 0, width: 1250, height: 843 }, action: { type: "postback", data: "a=1", label: "a" } }],
  ...more,
});

// A PNG of one colour.
function png(width, height) {
  const crcs = Array.from({ length: 256 }, (_, n) => {
    for (let k = 0; k < 8; k++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
    return n >>> 0;
  });
  const chunk = (type, data) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    let crc = ~0;
    for (const byte of body) crc = crcs[(crc ^ byte) & 255] ^ (crc >>> 8);
    const out = Buffer.alloc(body.length + 8);
    out.writeUInt32BE(data.length);
    body.copy(out, 4);
    out.writeUInt32BE(~crc >>> 0, body.length + 4);
    return out;
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([1, 0, 0, 0, 0], 8);
  const rows = deflateSync(Buffer.alloc((Math.ceil(width / 8) + 1) * height));
  const start = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([start, chunk("IHDR", head), chunk("IDAT", rows), chunk("IEND", Buffer.alloc(0))]);
}

const IMAGE = png(2500, 843);

async function made(more) {
  const { richMenuId } = await api.createRichMenu(menu(more));
  await blob.setRichMenuImage(richMenuId, new Blob([IMAGE], { type: "image/png" }));
  return richMenuId;
}
const shown = async (user = ANN) => (await line.get(`chats/${encodeURIComponent(`2000000001:${user}`)}/richmenu`)).id;

test("a menu is kept as it was given", async () => {
  await api.validateRichMenuObject(menu());
  const { richMenuId } = await api.createRichMenu(menu({ areas: [] }));
  assert.match(richMenuId, /^richmenu-[0-9a-f]{32}$/);
  assert.deepEqual(await api.getRichMenu(richMenuId), { richMenuId, ...menu({ areas: [] }) });
  assert.ok((await api.getRichMenuList()).richmenus.some((m) => m.richMenuId === richMenuId));
  await api.deleteRichMenu(richMenuId);
  const gone = await refused(api.getRichMenu(richMenuId), 404);
  assert.equal(gone.json.message, "Not found");
  const wrong = await refused(api.createRichMenu(menu({ name: undefined })), 400);
  assert.deepEqual(wrong.json.details, [{ message: "must be specified", property: "name" }]);
  await refused(api.validateRichMenuObject(menu({ chatBarText: "x".repeat(15) })), 400);
  const uri = { bounds: { x: 0, y: 0, width: 1, height: 1 }, action: { type: "uri", uri: "foo" } };
  const bad = await refused(api.createRichMenu(menu({ areas: [uri] })), 400);
  assert.equal(bad.json.details[0].property, "areas[0].action.uri");
});

test("its image is uploaded once and comes back", async () => {
  const { richMenuId } = await api.createRichMenu(menu());
  const missing = await refused(blob.getRichMenuImage(richMenuId), 404);
  assert.equal(missing.json.message, "Not found");
  const unset = await refused(api.setDefaultRichMenu(richMenuId), 400);
  assert.equal(unset.json.message, "must upload richmenu image before applying it to user");
  await refused(blob.setRichMenuImage(richMenuId, new Blob([IMAGE], { type: "image/gif" })), 415);
  const small = await refused(blob.setRichMenuImage(richMenuId, new Blob([png(100, 100)], { type: "image/png" })), 400);
  assert.equal(small.json.message, "The image size is not allowed for richmenu");
  await blob.setRichMenuImage(richMenuId, new Blob([IMAGE], { type: "image/png" }));
  const got = await blob.getRichMenuImageWithHttpInfo(richMenuId);
  assert.equal(got.httpResponse.headers.get("content-type"), "image/png");
  assert.ok(IMAGE.equals(await bytesOf(got.body)));
  const twice = await refused(blob.setRichMenuImage(richMenuId, new Blob([IMAGE], { type: "image/png" })), 400);
  assert.equal(twice.json.message, "An image has already been uploaded to the richmenu");
});

test("a person's own menu goes before the default", async () => {
  const first = await made();
  const own = await made({ name: "own" });
  const none = await refused(api.getDefaultRichMenuId(), 404);
  assert.equal(none.json.message, "no default richmenu");
  await api.setDefaultRichMenu(first);
  assert.deepEqual(await api.getDefaultRichMenuId(), { richMenuId: first });
  assert.equal(await shown(), first);
  await api.linkRichMenuIdToUser(ANN, own);
  assert.deepEqual(await api.getRichMenuIdOfUser(ANN), { richMenuId: own });
  assert.equal(await shown(), own);
  assert.equal(await shown(FRIEND), first);
  await api.unlinkRichMenuIdFromUser(ANN);
  const without = await refused(api.getRichMenuIdOfUser(ANN), 404);
  assert.equal(without.json.message, "the user has no richmenu");
  assert.equal(await shown(), first);
  await api.cancelDefaultRichMenu();
  assert.equal(await shown(), undefined);
  await refused(api.linkRichMenuIdToUser("Ux", own), 400);
});

test("for many at once, a moment later", async () => {
  const id = await made();
  const answer = await api.linkRichMenuIdToUsersWithHttpInfo({ richMenuId: id, userIds: [ANN, FRIEND] });
  assert.equal(answer.httpResponse.status, 202);
  await line.advance(1000);
  await line.until(async () => (await shown()) === id && (await shown(FRIEND)) === id, "the menus to be linked");
  await api.unlinkRichMenuIdFromUsers({ userIds: [FRIEND] });
  await line.advance(1000);
  await line.until(async () => (await shown(FRIEND)) === undefined, "the menu to be unlinked");
  const bad = await refused(api.linkRichMenuIdToUsers({ richMenuId: id, userIds: ["x"] }), 400);
  assert.match(bad.json.message, /^The property, 'userIds\[0\]', in the request body is invalid/);
  const to = await made({ name: "to" });
  const operations = [{ type: "link", from: id, to }];
  await api.validateRichMenuBatchRequest({ operations });
  const batch = await api.richMenuBatchWithHttpInfo({ operations });
  const requestId = batch.httpResponse.headers.get("x-line-request-id");
  assert.equal((await api.getRichMenuBatchProgress(requestId)).phase, "ongoing");
  await line.advance(1000);
  const done = await line.until(async () => {
    const now = await api.getRichMenuBatchProgress(requestId);
    return now.phase === "succeeded" && now;
  }, "the batch to succeed");
  assert.ok(done.completedTime >= done.acceptedTime);
  assert.equal(await shown(), to);
  const mixed = [...operations, { type: "unlinkAll" }];
  const refusal = await refused(api.validateRichMenuBatchRequest({ operations: mixed }), 400);
  assert.deepEqual(refusal.json.details, [
    { message: "'unlinkAll' type can't be combined with other type", property: "operations[].type" },
  ]);
});

test("aliases, and a tap that switches", async () => {
  const a = await made();
  const b = await made({ name: "b" });
  await api.createRichMenuAlias({ richMenuAliasId: "tab-a", richMenuId: a });
  await api.createRichMenuAlias({ richMenuAliasId: "tab-b", richMenuId: a });
  await api.updateRichMenuAlias("tab-b", { richMenuId: b });
  assert.deepEqual(await api.getRichMenuAlias("tab-b"), { richMenuAliasId: "tab-b", richMenuId: b });
  assert.equal((await api.getRichMenuAliasList()).aliases.length, 2);
  const conflict = await refused(api.createRichMenuAlias({ richMenuAliasId: "tab-a", richMenuId: a }), 400);
  assert.equal(conflict.json.message, "conflict richmenu alias id");
  await api.linkRichMenuIdToUser(ANN, a);
  const action = { type: "richmenuswitch", richMenuAliasId: "tab-b", data: "to b" };
  const told = await line.act({ as: ANN, channel: "2000000001", do: "tap", action, richmenu: true });
  const event = (await line.get(`events/${told.events[0]}`)).event;
  assert.deepEqual(event.postback, { data: "to b", params: { status: "SUCCESS", newRichMenuAliasId: "tab-b" } });
  assert.equal(await shown(), b);
  await api.deleteRichMenuAlias("tab-b");
  const gone = await refused(api.getRichMenuAlias("tab-b"), 404);
  assert.equal(gone.json.message, "richmenu alias not found");
  const missed = await line.act({ as: ANN, channel: "2000000001", do: "tap", action, richmenu: true });
  assert.equal(
    (await line.get(`events/${missed.events[0]}`)).event.postback.params.status,
    "RICHMENU_ALIAS_ID_NOTFOUND",
  );
});
