// The page beside a bot that talks to LINE: another moonline plays LINE, the page only looks on.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { after, before, test } from "node:test";
import path from "node:path";
import { ROOT, dev, launch, shoot } from "./kit.mjs";

const BINARY = path.join(path.resolve(ROOT, process.env.BUILD || "build"), "moonline");
const BOT = `local line = require "line"
line.on("message.text", function(event)
  line.get_profile(event.source.userId)
  event:reply("You said: " .. event.message.text)
end)
`;

let line, bot, browser, page;
const errors = [];

// moonline emulate, which is LINE here.
async function emulate() {
  const child = spawn(BINARY, ["emulate", "--listen", "127.0.0.1:0"], { stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, LINE_CHANNEL_SECRET: "secret-of-the-channel", LINE_CHANNEL_ACCESS_TOKEN: "token-of-the-channel" } });
  let out = "";
  for await (const bytes of child.stdout) {
    out += bytes;
    const found = /on (http:\/\/\S+)/.exec(out);
    if (found) {
      const ask = async (method, where, body) => {
        const answer = await fetch(found[1] + where, { method, body: JSON.stringify(body) });
        assert.ok(answer.ok, `${where}: ${answer.status} ${await answer.clone().text()}`);
        return answer.json();
      };
      return { child, address: found[1], ask };
    }
  }
  throw new Error(out);
}

before(async () => {
  line = await emulate();
  Object.assign(process.env, { LINE_API_BASE: line.address, LINE_CHANNEL_SECRET: "secret-of-the-channel",
    LINE_CHANNEL_ACCESS_TOKEN: "token-of-the-channel" });
  bot = await dev(BOT, { more: ["--live"] });
  const hook = /listening on (http:\/\/\S+)/.exec(bot.output())[1];
  await line.ask("PATCH", "/_/channels/2000000001", { webhook: { endpoint: `${hook}/webhook` } });
  browser = await launch();
  page = await browser.newPage({ viewport: { width: 1300, height: 800 } });
  page.on("pageerror", (error) => errors.push(String(error)));
  await page.goto(bot.address);
});

after(async () => {
  await browser?.close();
  await bot?.stop();
  line?.child.kill();
});

test("a conversation appears as it happens, and nothing can be done in it", async () => {
  await page.getByText("live: this page looks on").waitFor();
  await page.getByText("Nobody has written yet.").waitFor();
  await line.ask("POST", "/_/act", { as: "Aiko 愛子", do: "message", message: { type: "text", text: "hello" } });
  const pane = page.locator("#panes .pane");
  await pane.getByText("You said: hello").waitFor();
  await pane.getByText("Aiko 愛子").first().waitFor(); // the bot has looked up who it is
  for (const acts of await page.locator(".acts").all()) assert.equal(await acts.isVisible(), false);
  assert.equal(await page.locator("textarea:visible, input[type=file]:visible").count(), 0);
  await shoot(page, "live");
  assert.deepEqual(errors, []);
});

test("the inspector has the handler, its calls and LINE's answers", async () => {
  await page.locator("#inspector .happening", { hasText: "message.text" }).first().click();
  const detail = page.locator("#inspector .detail");
  await detail.getByText("bot.lua:2").first().waitFor();
  await detail.getByText("used").first().waitFor();
  await detail.locator("details", { hasText: "reply_message" }).first().click();
  await detail.getByText("sentMessages").first().waitFor();
  await shoot(page, "live-detail");
  assert.equal((await page.content()).includes("token-of-the-channel"), false);
  assert.equal((await page.content()).includes("secret-of-the-channel"), false);
  assert.deepEqual(errors, []);
});
