// The development page by what a person does: writing, tapping, sending things, groups, friends, in a real browser
// against `moonline dev`.

import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { dev, launch, pane, ROOT, shoot, visit } from "./kit.mjs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { wav } from "./stage.mjs";

const AIKO = "2000000001:U0000000000000000000000000000a001";
const SOMCHAI = "2000000001:U0000000000000000000000000000b002";
const LUNCH = "C0000000000000000000000000000d004";

let bot, browser, v, page;
before(async () => {
  [bot, browser] = await Promise.all([dev("bots/page.lua"), launch()]);
  v = await visit(browser, bot.address);
  page = v.page;
});
// Each test has the world one starts with, and a page of its own.
beforeEach(async () => {
  await bot.post("reset");
  await v.fresh();
});
after(async () => {
  await browser.close();
  await bot.stop();
});
const noErrors = () => assert.deepEqual(v.errors, []);

const open = async (key, how = {}) => {
  await page.locator(`[data-chat="${key}"].chat`).click(how);
  return pane(page, key);
};

test("a person writes and the bot's answer stands below, with its time and a word of what happened", async () => {
  const p = pane(page, AIKO);
  assert.equal(await p.node.getByText("Nothing was said yet").isVisible(), true);
  await p.say("hello <b>there</b>");
  await p.bot("echo: hello <b>there</b>");
  assert.equal(await p.node.locator(".entry.own .d-words").textContent(), "hello <b>there</b>");
  assert.equal(await p.node.getByText("Nothing was said yet").isVisible(), false);
  await p.input.fill("two\nlines");
  await p.input.press("Shift+Enter");
  assert.equal(await p.input.inputValue(), "two\nlines\n");
  await p.input.press("Enter");
  await p.bot("echo: two\nlines\n");
  assert.equal(await p.input.inputValue(), "");
  noErrors();
});

test("what is sent quickly keeps its order, and what is refused comes back into the field", async () => {
  const p = pane(page, AIKO);
  for (let i = 0; i < 8; i++) await p.say(`n${i}`);
  await p.bot("echo: n7");
  assert.deepEqual(
    await p.node.locator(".entry.own .d-words").allTextContents(),
    Array.from({ length: 8 }, (_, i) => `n${i}`),
  );
  await bot.post("act", { as: "Aiko 愛子", do: "unfollow" });
  await p.say("does not go");
  await page.getByText("has blocked Bot; unblock first").waitFor();
  assert.equal(await p.input.inputValue(), "does not go");
});

test("quick replies: a tap says its text and takes them away; pickers and the camera leave them; copying copies", async () => {
  const p = pane(page, AIKO);
  await p.say("chips");
  const chips = p.node.getByRole("group", { name: "Quick replies" });
  await chips.getByText("Copy it").click();
  await page.getByText("Copied").waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), "C0DE");
  await chips.waitFor({ state: "detached" });
  await p.say("chips");
  await chips.getByText("A day").click();
  const picker = page.locator("dialog.d-ask");
  assert.equal(await picker.locator("input").inputValue(), "2026-03-01");
  await picker.getByRole("button", { name: "Cancel" }).click();
  assert.equal(await chips.isVisible(), true);
  await chips.getByText("A day").click();
  await picker.locator("input").fill("2026-04-05");
  await picker.getByRole("button", { name: "Send" }).click();
  await p.bot("postback day 2026-04-05");
  assert.equal(await chips.count(), 0, "another message has come");
  await p.say("chips");
  await chips.getByText("Silent").click();
  await p.bot("postback chip=silent");
  assert.equal(await p.node.locator(".entry.own").last().locator(".d-words").textContent(), "shown only");
  await p.say("chips");
  const chooser = page.waitForEvent("filechooser");
  await chips.getByText("Photo").click();
  await chooser;
  assert.equal(await chips.isVisible(), true);
  await chips.getByText("Say tea").click();
  await p.bot("echo: tea");
  noErrors();
});

test("buttons: text, data with the keyboard opened, date and time, the account link's dialog", async () => {
  const p = pane(page, AIKO);
  await p.say("buttons");
  await p.node.getByRole("button", { name: "Hello" }).click();
  await p.bot("echo: hello from a button");
  await p.node.getByRole("button", { name: "Data" }).click();
  await p.bot("postback a=1");
  assert.equal(await p.input.inputValue(), "filled in");
  await p.node.getByRole("button", { name: "When" }).click();
  await page.locator("dialog.d-ask input").fill("2026-05-06T07:08");
  await page.locator("dialog.d-ask").getByRole("button", { name: "Send" }).click();
  await p.bot("postback when 2026-05-06T07:08");
  await p.node.getByRole("button", { name: "Dialog" }).click();
  assert.equal(await page.getByLabel("linkToken").inputValue(), "T0KEN");
  await page.getByRole("button", { name: "Agree" }).click();
  await page.getByText("linkToken: it is none of Bot").waitFor();
  await page.keyboard.press("Escape");
  await page.locator("dialog").waitFor({ state: "detached" });
  assert.deepEqual(
    v.errors.filter((e) => !/\/_\/act$/.test(e)),
    [],
    "a refusal is told by the browser, too",
  );
});

test("pictures, a voice, video and files go by choosing, dropping and pasting, and are drawn back", async () => {
  const p = pane(page, AIKO);
  const png = await readFile(path.join(ROOT, "examples/richmenu-tabs/order.png"));
  const choose = async (label, files) => {
    const chooser = page.waitForEvent("filechooser");
    await p.node.getByRole("button", { name: "Send something else" }).click();
    await page.getByRole("menuitem", { name: label }).click();
    await (await chooser).setFiles(files);
  };
  await choose("Picture …", { name: "a.png", mimeType: "image/png", buffer: png });
  await p.bot("got image");
  await page.waitForFunction(() => document.querySelector(".entry.own .d-of-image img")?.naturalWidth === 1200);
  await choose(
    "Picture …",
    [1, 2, 3].map((i) => ({ name: `${i}.png`, mimeType: "image/png", buffer: png })),
  );
  await p.bot("got image 3 of 3");
  await choose("File …", { name: "a <b>.txt", mimeType: "text/plain", buffer: Buffer.from("12345") });
  await p.bot("got file a <b>.txt 5");
  await p.node.locator(".d-file").getByText("a <b>.txt").waitFor();
  await p.node.getByRole("button", { name: "Send something else" }).click();
  await page.getByRole("menuitem", { name: "Voice message" }).click();
  await p.bot("got audio 1500");
  await p.node.locator(".entry.own audio").waitFor();
  await drop(p.node, [{ name: "song.wav", type: "audio/wav", bytes: [...wav()] }]);
  await p.bot("got audio 200");
  await paste(p.input, [{ name: "clip.mp4", type: "video/mp4", bytes: [0, 0, 0, 1] }]);
  await p.bot("got video");
  assert.ok(await p.atEnd(), "pictures that came later have not pushed the end away");
  noErrors();
});

// What a hand does with the mouse and the clipboard: the browser's own events with files in them.
const filesIn = (list) =>
  page.evaluateHandle((given) => {
    const data = new DataTransfer();
    for (const f of given) data.items.add(new File([new Uint8Array(f.bytes)], f.name, { type: f.type }));
    return data;
  }, list);
async function drop(node, list) {
  const dataTransfer = await filesIn(list);
  for (const type of ["dragover", "drop"]) await node.dispatchEvent(type, { dataTransfer });
}
async function paste(node, list) {
  await node.evaluate(
    (target, clipboardData) =>
      target.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true })),
    await filesIn(list),
  );
}

test("stickers and places", async () => {
  const p = pane(page, AIKO);
  await p.node.getByRole("button", { name: "Stickers" }).click();
  await page.getByRole("button", { name: "1990", exact: true }).click();
  await p.bot("got sticker 446/1990");
  await p.node.getByRole("button", { name: "Send something else" }).click();
  await page.getByRole("menuitem", { name: "Location …" }).click();
  await page.getByLabel("Name").fill("Home");
  await page.getByRole("button", { name: "Send", exact: true }).last().click();
  await p.bot("got place Home");
  noErrors();
});

test("quoting, unsending; the bot's quote shows what it quotes", async () => {
  const p = pane(page, AIKO);
  await p.say("first");
  await p.bot("echo: first");
  await p.more("echo: first", "Quote");
  await p.node.getByText("Reply to Bot: echo: first").waitFor();
  await p.input.press("Escape");
  assert.equal(await p.node.locator(".quote-bar").isVisible(), false);
  await p.more("echo: first", "Quote");
  await p.say("second");
  await p.bot("echo: second quoting");
  await p.node.locator(".entry.own .d-quote").getByText("echo: first").waitFor();
  await p.say("quote me");
  await p.node.locator(".entry.bot .d-quote").getByText("quote me").waitFor();
  await p.more("second", "Unsend");
  await p.node.getByText("You unsent a message.").waitFor();
  assert.equal(await p.node.locator(".d-words").getByText("second", { exact: true }).count(), 0);
  noErrors();
});

test("the loading animation stands while the bot thinks and goes with its answer", async () => {
  const p = pane(page, AIKO);
  await p.say("wait");
  await p.node.getByRole("status", { name: "The bot is writing" }).waitFor();
  await p.bot("waited");
  assert.equal(await p.node.locator(".loading").isVisible(), false);
});

test("read marks", async () => {
  const [channel] = (await bot.get("world")).channels;
  await fetch(`${bot.address}/_/channels/${channel.id}`, { method: "PATCH", body: JSON.stringify({ chatMode: "chat" }) });
  const p = pane(page, AIKO);
  await p.say("silence");
  await p.say("read");
  await p.node.locator(".entry.own .facts").getByText("Read").nth(1).waitFor();
  noErrors();
});

test("unread messages are counted in the list and in the title until one looks", async () => {
  await open(AIKO);
  await bot.post("act", { as: "Somchai สมชาย", do: "message", message: { type: "text", text: "psst" } });
  const badge = page.locator(`[data-chat="${SOMCHAI}"] .unread`);
  await badge.waitFor();
  assert.equal(await badge.textContent(), "1");
  assert.match(await page.title(), /^\(1\) /);
  await bot.post("act", { as: "Somchai สมชาย", do: "message", message: { type: "text", text: "many" } });
  await page.waitForFunction((key) => document.querySelector(`[data-chat="${key}"] .unread`)?.textContent === "6", SOMCHAI);
  assert.match(await page.locator(`[data-chat="${SOMCHAI}"] .chat-last`).textContent(), /part 5/);
  await open(SOMCHAI);
  await badge.waitFor({ state: "detached" });
  assert.doesNotMatch(await page.title(), /^\(/);
});

test("several conversations side by side, remembered over a reload; a broadcast reaches all of them", async () => {
  await page.setViewportSize({ width: 1700, height: 900 });
  await bot.post("act", { as: "Somchai สมชาย", do: "follow" });
  await open(SOMCHAI, { modifiers: ["Control"] });
  await page.locator(`[data-chat="${LUNCH}"].chat`).hover();
  await page.getByRole("button", { name: "Open Lunch 🍜 beside the others" }).click();
  assert.equal(await page.locator(".pane").count(), 3);
  const [a, s] = [pane(page, AIKO), pane(page, SOMCHAI)];
  await a.say("everybody");
  await Promise.all([a.bot("to everybody"), s.bot("to everybody")]);
  await page.reload();
  await page.waitForSelector("body[data-ready]");
  assert.equal(await page.locator(".pane").count(), 3);
  await s.bot("to everybody");
  await shoot(page, "shell-three");
  await page.setViewportSize({ width: 700, height: 900 });
  await page.waitForFunction(() => document.querySelectorAll(".pane").length <= 2);
  noErrors();
});

test("friends: blocking, unblocking, adding, by the menu and by the notice", async () => {
  const p = pane(page, AIKO);
  await p.menu("Block the bot");
  await p.node.getByText("Aiko 愛子 has blocked the bot.").waitFor();
  await page.locator(`[data-chat="${AIKO}"]`).getByText("blocked", { exact: true }).waitFor();
  await p.node.getByRole("button", { name: "Unblock" }).click();
  await p.bot("welcome");
  const s = await open(SOMCHAI);
  await s.node.getByRole("button", { name: "Add" }).click();
  await s.bot("welcome");
  await s.node.locator(".pane-note").waitFor({ state: "hidden" });
});

test("a group: inviting, choosing who one is, mentions, editing, people coming and going, leaving", async () => {
  const g = await open(LUNCH);
  await g.node.getByRole("button", { name: "Invite it" }).click();
  await g.bot("joined");
  await page.waitForFunction(() => document.activeElement?.matches(".composer textarea"));
  await g.node.getByLabel("Who you are here").selectOption({ label: "Zoë 🦊" });
  await g.input.fill("hi @Som");
  await page.getByRole("option", { name: "@Somchai สมชาย" }).waitFor();
  await g.input.press("Tab");
  assert.equal(await g.input.inputValue(), "hi @Somchai สมชาย ");
  await g.input.press("Enter");
  await g.bot("echo: hi @Somchai สมชาย  mentions 1");
  await g.more("hi @Somchai สมชาย ", "Edit …");
  await page.locator("dialog textarea").fill("changed");
  await page.getByRole("button", { name: "Save" }).click();
  await g.node.locator(".entry.own").getByText("edited").waitFor();
  await g.node.getByLabel("Who you are here").selectOption({ label: "Aiko 愛子" });
  assert.equal(await g.node.locator(".entry.own").count(), 0);
  await g.node.locator(".entry-name").getByText("Zoë 🦊").waitFor();
  await g.menu("Somebody leaves …");
  await page.getByRole("checkbox", { name: "Somchai สมชาย" }).check();
  await page.getByRole("button", { name: "Leave", exact: true }).click();
  await g.node.getByText("2 people and Bot").waitFor();
  await g.menu("Somebody joins …");
  await page.getByRole("checkbox", { name: "Somchai สมชาย" }).check();
  await page.getByRole("button", { name: "Join", exact: true }).click();
  await g.bot("members +1");
  await g.menu("Remove the bot");
  await g.node.getByText("The bot is not in here.").waitFor();
  noErrors();
});

test("a beacon, any event, a new person", async () => {
  const p = pane(page, AIKO);
  await p.node.getByRole("button", { name: "Send something else" }).click();
  await page.getByRole("menuitem", { name: "Beacon …" }).click();
  await page.getByRole("button", { name: "Send", exact: true }).last().click();
  await p.bot("beacon d41d8cd98f");
  await p.menu("Any event …");
  await page.locator("dialog textarea").fill("{oops");
  await page.locator("dialog").getByRole("button", { name: "Send" }).click();
  await page.getByText("This is not JSON").waitFor();
  await page.locator("dialog textarea").fill('{"type":"botSuspended"}');
  await page.locator("dialog").getByRole("button", { name: "Send" }).click();
  await page.locator(".happening").getByText("botSuspended").waitFor();
  await page.getByRole("button", { name: "Add a person or a group" }).click();
  await page.getByRole("menuitem", { name: "Person …" }).click();
  await page.getByLabel("Name").fill("Mia 🌙");
  await page.getByRole("button", { name: "Add", exact: true }).last().click();
  await page.locator(".pane-title").getByText("Mia 🌙").waitFor();
  await page.locator(".pane .entry.bot").getByText("welcome").waitFor();
  noErrors();
});

// A menu of two tabs, as the example has it, by the platform's own calls.
async function richMenus() {
  const [channel] = (await bot.get("world")).channels;
  const call = async (method, where, body, type = "application/json") => {
    const answer = await fetch(`${bot.address}${where}`, {
      method,
      body,
      headers: { authorization: `Bearer ${channel.token}`, ...(body ? { "content-type": type } : {}) },
    });
    if (!answer.ok) throw new Error(`${where}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  };
  const area = (x, y, width, height, action) => ({ bounds: { x, y, width, height }, action });
  const ids = [];
  for (const name of ["order", "help"]) {
    const other = name === "order" ? "help" : "order";
    const { richMenuId } = await call(
      "POST",
      "/v2/bot/richmenu",
      JSON.stringify({
        size: { width: 1200, height: 810 },
        selected: true,
        name,
        chatBarText: `Menu ${name}`,
        areas: [
          area(0, 0, 1200, 135, { type: "richmenuswitch", richMenuAliasId: other, data: `tab-${other}` }),
          area(0, 135, 1200, 675, { type: "postback", data: `in-${name}`, label: "In", inputOption: "closeRichMenu" }),
        ],
      }),
    );
    await call(
      "POST",
      `/v2/bot/richmenu/${richMenuId}/content`,
      await readFile(path.join(ROOT, `examples/richmenu-tabs/${name}.png`)),
      "image/png",
    );
    await call("POST", "/v2/bot/richmenu/alias", JSON.stringify({ richMenuAliasId: name, richMenuId }));
    ids.push(richMenuId);
  }
  await call("POST", `/v2/bot/user/all/richmenu/${ids[0]}`);
}

test("the rich menu: its picture and areas, tabs that switch at once, opening and closing", async () => {
  const p = pane(page, AIKO);
  await richMenus();
  const bar = p.node.locator(".rich-bar");
  await bar.getByText("Menu order").waitFor();
  assert.equal(await bar.getAttribute("aria-expanded"), "true");
  await page.waitForFunction(() => document.querySelector(".d-rich-menu img")?.naturalWidth === 1200);
  await shoot(page, "shell-rich-menu");
  await p.node.locator(".d-rich-menu .d-area").first().click();
  await bar.getByText("Menu help").waitFor();
  await p.bot("postback tab-help SUCCESS");
  await p.node.locator(".d-rich-menu .d-area").nth(1).click();
  await p.bot("postback in-help");
  assert.equal(await bar.getAttribute("aria-expanded"), "false");
  await bar.click();
  assert.equal(await p.node.locator(".d-rich-menu").isVisible(), true);
  noErrors();
});

test("light and dark, 360 and 1700 pixels: nothing is cut off, everything is reached", async () => {
  const p = pane(page, AIKO);
  for (const what of ["flex", "buttons", "imagemap", "sticker", "place", "cook", "chips"]) {
    await p.say(what);
    await page.waitForTimeout(30);
  }
  await p.node.getByRole("group", { name: "Quick replies" }).waitFor();
  for (const theme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme: theme });
    for (const width of [360, 800, 1280, 1700]) {
      await page.setViewportSize({ width, height: width < 500 ? 740 : 900 });
      await page.waitForTimeout(60);
      const over = await page.evaluate(() => [
        document.documentElement.scrollWidth - innerWidth,
        ...[...document.querySelectorAll("#top > *")]
          .filter((n) => n.offsetWidth && n.getBoundingClientRect().right > innerWidth + 1)
          .map((n) => n.textContent),
      ]);
      assert.deepEqual(over, [0], `${theme} ${width}`);
      assert.ok(await p.atEnd(), `${theme} ${width}: the newest message is there`);
      if (width === 360 || (theme === "dark" && width === 1280)) await shoot(page, `shell-${theme}-${width}`);
    }
  }
  await page.setViewportSize({ width: 360, height: 740 });
  await page.getByRole("button", { name: "Conversations" }).click();
  await shoot(page, "shell-narrow-list");
  await page.locator(`[data-chat="${LUNCH}"].chat`).click();
  await page.locator(".pane-title").getByText("Lunch").waitFor();
  await page.getByRole("button", { name: "What happened", exact: true }).first().click();
  await page.locator(".happening").filter({ hasText: "message.text" }).first().click();
  await page.getByRole("button", { name: "Send again" }).waitFor();
  await shoot(page, "shell-narrow-inspector");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Escape");
  assert.equal(await page.locator("#inspector").isVisible(), false);
  noErrors();
});
