// What a save does on the page, and an error of a handler; and moonline that goes and comes again.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, beforeEach, test } from "node:test";
import { dev, launch, pane, shoot, visit } from "./kit.mjs";

const AIKO = "2000000001:U0000000000000000000000000000a001";

let bot, browser, v, page, p, good;
before(async () => {
  [bot, browser] = await Promise.all([dev("bots/page.lua"), launch()]);
  v = await visit(browser, bot.address);
  page = v.page;
  p = pane(page, AIKO);
  good = await readFile(bot.file, "utf8");
});
beforeEach(async () => {
  await v.fresh();
});
after(async () => {
  await browser.close();
  await bot.stop();
});
const noErrors = () => assert.deepEqual(v.errors, []);
const panel = () => page.locator(".error-panel");
const generation = () => page.locator("#top .chip").first().textContent();

test("a save: a small note with generation and time, and the new code answers", async () => {
  await page.locator("#top").getByText("1, ").waitFor();
  assert.match(await generation(), /^generation gen\. 1, [\d.]+ ms$/);
  await bot.save(good.replace('"echo: "', '"second: "'));
  await page
    .locator(".note")
    .getByText(/^generation 2, [\d.]+ ms$/)
    .waitFor();
  await p.say("hi");
  await p.bot("second: hi");
  await page.locator(".happening").getByText("generation 2 serves").waitFor();
  noErrors();
});

test("a file that does not load: place, excerpt, and the old code goes on; the mended file closes it", async () => {
  const lines = good.split("\n");
  const at = lines.findIndex((line) => line.includes('line.on("follow"'));
  lines[at] = 'line.on("follow", function(event) say(event, "<img src=x onerror=alert(1)>" "") end end)';
  await bot.save(lines.join("\n"));
  await panel().waitFor();
  assert.match(await panel().locator("strong").textContent(), /does not load; the one before goes on/);
  assert.equal(await panel().locator(".error-first code").textContent(), `bot.lua:${at + 1}`);
  const here = panel().locator(".excerpt .here");
  assert.match(await here.textContent(), new RegExp(`${at + 1}.*<img src=x onerror`));
  assert.equal(await panel().locator("img").count(), 0);
  await shoot(page, "reload-syntax");
  await p.say("still");
  await p.bot("second: still");
  await page.reload();
  await panel().waitFor();
  assert.match(await panel().locator("strong").textContent(), /does not load; the one before goes on/);
  await bot.save(good);
  await panel().waitFor({ state: "detached" });
  await page
    .locator(".note")
    .getByText(/^generation \d+, /)
    .waitFor();
  noErrors();
});

test("a handler that fails: what, where, traceback, because of what; run again works after the mend", async () => {
  await p.say("fail");
  await panel().waitFor();
  assert.equal(await panel().locator("strong").textContent(), "message.text from Aiko 愛子 failed: “fail”");
  const at = good.split("\n").findIndex((line) => line.includes("no such <b>dish</b>")) + 1;
  await panel().getByText(`bot.lua:${at}`, { exact: true }).waitFor();
  await panel().getByText("no such <b>dish</b>").first().waitFor();
  assert.match(await panel().locator(".excerpt .here").textContent(), new RegExp(`${at}.*error\\("no such`));
  assert.match(await panel().locator(".trace").textContent(), /in the function of line \d+/);
  await shoot(page, "reload-failure");
  await panel().getByRole("button", { name: "What happened" }).click();
  await page.locator(".detail").getByText("no such <b>dish</b>").first().waitFor();
  await bot.save(good.replace('error("no such <b>dish</b>")', 'say(event, "mended")'));
  await page
    .locator(".note")
    .getByText(/^generation \d+, /)
    .waitFor();
  await panel().getByRole("button", { name: "Run again" }).click();
  await p.bot("mended");
  await panel().waitFor({ state: "detached" });
  await page.keyboard.press("Escape");
  noErrors();
});

test("the last message is replayed after each save, while the switch is on", async () => {
  await p.say("replay me");
  await p.bot("echo: replay me");
  await page.getByLabel("replay after each save").check();
  await bot.save(good.replace('"echo: "', '"third: "'));
  await p.bot("third: replay me");
  await page.getByLabel("replay after each save").uncheck();
  const third = await generation();
  await bot.save(good);
  await page.waitForFunction((old) => document.querySelector("#top .chip").textContent !== old, third);
  await p.say("after");
  await p.bot("echo: after");
  assert.equal(await p.node.locator(".entry.bot").getByText("echo: replay me").count(), 1);
  noErrors();
});

test("moonline goes and comes again at the same port: the page says so and goes on by itself", async () => {
  await p.say("before");
  await p.bot("echo: before");
  await bot.halt();
  await page.getByText("not connected").waitFor();
  await p.say("nobody hears");
  await page.getByText("moonline does not answer: has it been stopped?").waitFor();
  assert.equal(await p.input.inputValue(), "nobody hears");
  await bot.start(Number(new URL(bot.address).port));
  await page.getByText("moonline was started again").waitFor();
  await p.node.getByText("Nothing was said yet").waitFor();
  await p.say("again");
  await p.bot("echo: again");
  assert.equal(await page.getByText("not connected").isVisible(), false);
  assert.deepEqual(
    // 503: it listens before its world is there.
    v.errors.filter((e) => !/ERR_CONNECTION_REFUSED|ERR_INCOMPLETE|ERR_CONNECTION_RESET|ERR_EMPTY|status of 503/.test(e)),
    [],
  );
});
