// The development page's inspector, faults, clock and world, by what a person does.

import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { readFile } from "node:fs/promises";
import { dev, launch, pane, shoot, visit } from "./kit.mjs";

const AIKO = "2000000001:U0000000000000000000000000000a001";

let bot, browser, v, page, p;
before(async () => {
  [bot, browser] = await Promise.all([dev("bots/page.lua"), launch()]);
  v = await visit(browser, bot.address);
  page = v.page;
  p = pane(page, AIKO);
});
beforeEach(async () => {
  await bot.post("reset");
  await fetch(`${bot.address}/_/faults`, { method: "DELETE" });
  await v.fresh();
});
after(async () => {
  await browser.close();
  await bot.stop();
});
const noErrors = () => assert.deepEqual(v.errors, []);
const row = (what, said) => {
  const rows = page.locator(".happening").filter({ hasText: what });
  return (said ? rows.filter({ hasText: said }) : rows).first();
};
const fact = (name) => page.locator(`.facts-list dt:text-is("${name}") + dd`).first();

test("an event: handler and line, generation, delivery, calls with request and answer, token, cost, the signed webhook", async () => {
  await p.say("inspect me");
  await p.bot("echo: inspect me");
  await row("message.text", "inspect me").click();
  await page.getByRole("heading", { name: "message.text" }).waitFor();
  await page.getByText(/^bot\.lua:\d+$/).waitFor();
  assert.equal(await fact("generation").textContent(), "1");
  assert.equal(await fact("outcome").textContent(), "done");
  assert.match(await fact("took").textContent(), /ms$/);
  assert.match(await fact("reply token").textContent(), /^used by call /);
  assert.equal(await fact("cost").textContent(), "free of charge");
  await page.getByText("answered 200").waitFor();
  await page.locator("summary").filter({ hasText: "reply_message 200" }).click();
  await page.locator(".json").filter({ hasText: '"text": "echo: inspect me"' }).waitFor();
  await page.locator(".json").filter({ hasText: '"sentMessages"' }).waitFor();
  await page.locator("summary").filter({ hasText: "Webhook" }).click();
  const signature = await fact("x-line-signature").textContent();
  const { createHmac } = await import("node:crypto");
  const [channel] = (await bot.get("world")).channels;
  const found = await bot.get(`events/${await fact("event id").textContent()}`);
  assert.equal(signature, createHmac("sha256", channel.secret).update(found.body).digest("base64"));
  await page.locator(".json").filter({ hasText: '"webhookEventId"' }).waitFor();
  await shoot(page, "inspect-event");
  await page.keyboard.press("Escape");
  await row("reply_message").click();
  await page.getByRole("button", { name: "Because of message.text" }).click();
  await page.getByRole("heading", { name: "message.text" }).waitFor();
  noErrors();
});

test("a reply token counts down; a push costs; a refused call is told", async () => {
  const [channel] = (await bot.get("world")).channels;
  await fetch(`${bot.address}/_/channels/${channel.id}`, {
    method: "PATCH",
    body: JSON.stringify({ quota: { type: "limited", value: 200 } }),
  });
  await p.say("silence");
  await row("message.text", "silence").click();
  const token = fact("reply token");
  await page.waitForFunction(() => /^fresh, \d\d s left$/.test(document.querySelector(".token")?.textContent));
  const before = Number(/\d+/.exec(await token.textContent())[0]);
  await page.waitForFunction((n) => Number(/\d+/.exec(document.querySelector(".token").textContent)[0]) < n, before);
  await page.keyboard.press("Escape");
  await p.say("push");
  await p.bot("pushed");
  await page.getByText("1 of 200 this month").waitFor();
  await row("message.text", "push").click();
  await page.locator('dd:text-is("1 of the quota")').waitFor();
  await page.keyboard.press("Escape");
  await p.say("wrong");
  await page.locator(".happening .dot.bad").waitFor();
  await row("push_message", "refused").click();
  await page.locator(".json").filter({ hasText: '"message"' }).last().waitFor();
  noErrors();
});

test("send again has a fresh token, redeliver is the same event, copy as test copies", async () => {
  await p.say("once more");
  await p.bot("echo: once more");
  await row("message.text", "once more").click();
  const id = await fact("event id").textContent();
  await page.getByRole("button", { name: "Send again" }).click();
  await page.waitForFunction((old) => [...document.querySelectorAll(".facts-list code")].every((c) => c.textContent !== old), id);
  await page.waitForFunction(() => document.querySelectorAll(".entry.bot").length === 2);
  await page
    .locator(".token")
    .getByText(/^used by call/)
    .waitFor();
  await page.getByRole("button", { name: "Redeliver" }).click();
  await page.locator(".attempts").getByText("redelivery").waitFor();
  await page.getByRole("button", { name: "Copy as test" }).click();
  const text = page.locator("dialog pre");
  await page.waitForFunction(() => /import unittest/.test(document.querySelector("dialog pre")?.textContent));
  await page.getByRole("button", { name: "Copy", exact: true }).click();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), await text.textContent());
  await page.getByRole("button", { name: "curl" }).click();
  await page.waitForFunction(() => /^#!\/bin\/sh/.test(document.querySelector("dialog pre").textContent));
  await page.getByRole("button", { name: "Lua" }).click();
  await page.waitForFunction(() =>
    /return \{[^]*once more[^]*reply_message/.test(document.querySelector("dialog pre").textContent),
  );
  await shoot(page, "inspect-test");
  noErrors();
});

test("the list can be searched and narrowed down", async () => {
  for (const text of ["apple", "pear"]) {
    await p.say(text);
    await p.bot(`echo: ${text}`);
  }
  await page.getByRole("button", { name: "Events", exact: true }).click();
  assert.equal(await page.locator(".happening").filter({ hasText: "reply_message" }).count(), 0);
  await page.getByLabel("Find in what happened").fill("pear");
  assert.equal(await page.locator(".happening").count(), 1);
  await page.getByLabel("Find in what happened").fill("no such thing");
  await page.getByText("Nothing fits.").waitFor();
});

test("faults with a click: the call fails, the list says so, and they are taken away again", async () => {
  await page.getByRole("button", { name: "Faults", exact: true }).click();
  await page.getByText("None: everything works.").waitFor();
  await page.getByRole("button", { name: "The next reply is answered 500" }).click();
  await page.getByText("the next reply_message is answered 500").waitFor();
  await page.getByRole("button", { name: "The next webhook comes twice" }).click();
  await page.locator(".fault-list").getByText("the next webhook comes twice").waitFor();
  await page.getByLabel("Operation").fill("get_profil");
  await page.getByRole("button", { name: "Add", exact: true }).click();
  await page.getByText("did you mean 'get_profile'?").waitFor();
  await shoot(page, "inspect-faults");
  await page.getByRole("button", { name: "Remove: the next webhook comes twice" }).click();
  await page.locator(".fault-list").getByText("the next webhook comes twice").waitFor({ state: "detached" });
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Faults (1)" }).waitFor();
  await p.say("hit me");
  await page.locator(".happening").filter({ hasText: "reply_message" }).filter({ hasText: "500" }).first().waitFor();
  await page.getByRole("button", { name: "Faults", exact: true }).waitFor();
  assert.deepEqual(
    v.errors.filter((e) => !/\/_\/faults$/.test(e)),
    [],
  );
});

test("the clock stands still and goes on by a click", async () => {
  await page.getByTitle("The emulator's clock").click();
  await page.getByLabel("Time stands still").check();
  await page.waitForFunction(() => /⏸/.test(document.querySelector(".clock").textContent));
  const { now } = await bot.get("clock");
  await page.getByRole("button", { name: "+ 1 hour" }).click();
  await page.waitForFunction(
    (hour) => new Date(`2000-01-01 ${document.querySelector(".clock").textContent.replace("⏸", "")}`).getHours() === hour,
    new Date(now + 3600e3).getHours(),
  );
  assert.equal((await bot.get("clock")).now, now + 3600e3);
  await page.getByLabel("Time stands still").uncheck();
  await page.waitForFunction(() => !/⏸/.test(document.querySelector(".clock").textContent));
  await page.getByRole("button", { name: "Done" }).click();
  noErrors();
});

test("the world: snapshot and back, saved to a file and loaded, started over", async () => {
  const world = async (item) => {
    await page.getByRole("button", { name: "World" }).click();
    await page.getByRole("menuitem", { name: item }).click();
  };
  await p.say("kept");
  await p.bot("echo: kept");
  await world("Take a snapshot");
  await page.getByText("Snapshot taken").waitFor();
  await p.say("lost");
  await p.bot("echo: lost");
  await world("Back to the snapshot");
  await p.bot("echo: kept");
  const coming = page.waitForEvent("download");
  await world("Save to a file");
  const file = await (await coming).path();
  assert.match(await readFile(file, "utf8"), /echo: kept/);
  await world("Start over");
  await p.node.getByText("Nothing was said yet").waitFor();
  const chooser = page.waitForEvent("filechooser");
  await world("Load a file …");
  await (await chooser).setFiles({ name: "world.json", mimeType: "application/json", buffer: await readFile(file) });
  await p.bot("echo: kept");
  noErrors();
});

test("the channel: its secret and token, its settings; what is refused is told beside the button", async () => {
  await page.locator(".bot-name").click();
  const [channel] = (await bot.get("world")).channels;
  await page.getByText(channel.secret).waitFor();
  await page.getByRole("button", { name: "Settings …" }).click();
  await page.getByLabel("Webhook URL").fill("nonsense");
  await page.getByRole("button", { name: "Save" }).click();
  await page.locator("dialog .wrong").getByText("is no address").waitFor();
  await page.getByLabel("Webhook URL").fill(channel.webhook.endpoint);
  await page.getByLabel("Messages a month").fill("7");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("0 of 7 this month").waitFor();
});
