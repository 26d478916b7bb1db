// The development page under hostile words, long histories and without a mouse; and who may open it at all.

import assert from "node:assert/strict";
import http from "node:http";
import { after, before, test } from "node:test";
import { dev, launch, pane, POLICY, shoot, visit } from "./kit.mjs";

const AIKO = "2000000001:U0000000000000000000000000000a001";
const EVIL = '<img src=x onerror="window.hacked=1">"\'><script>window.hacked=1</script>';
const LONG = 5000;

// Somebody with a name like that, who has written five thousand messages already.
const WORLD = `
local name, history = [[${EVIL}]], {}
for i = 1, ${LONG} do
  history[i] = {chat = name, from = i % 2 == 0 and "bot" or nil, text = "message " .. i, at = i - ${LONG}}
end
return {
  users = {{name = name, status = name, friend = true}},
  groups = {{name = name .. " all", members = {name}}},
  history = history,
}
`;

let bot, browser;
before(async () => {
  [bot, browser] = await Promise.all([dev("bots/page.lua"), launch()]);
});
after(async () => {
  await browser.close();
  await bot.stop();
});

// An answer to a request with just these headers.
const ask = (where, headers = {}, method = "GET", body) =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(bot.address);
    const request = http.request({ hostname, port, path: where, method, headers }, (response) => {
      response.resume();
      response.once("end", () => resolve(response));
    });
    request.once("error", reject);
    request.end(body);
  });

test("only this machine's own page is served and may act", async () => {
  const own = new URL(bot.address).host;
  for (const where of ["/", "/app.js", "/draw/draw.css", "/icon.svg"]) {
    const { statusCode, headers } = await ask(where);
    assert.equal(statusCode, 200, where);
    assert.equal(headers["content-security-policy"], POLICY, where);
    assert.equal(headers["x-content-type-options"], "nosniff");
    assert.equal(headers["referrer-policy"], "no-referrer");
  }
  const act = JSON.stringify({ as: "Aiko 愛子", do: "message", message: { type: "text", text: "x" } });
  for (const headers of [
    { origin: "https://evil.example" },
    { host: "evil.example" },
    { origin: "null" },
    { "sec-fetch-site": "cross-site" },
  ]) {
    assert.equal((await ask("/_/world", headers)).statusCode, 403, JSON.stringify(headers));
    assert.equal((await ask("/_/act", headers, "POST", act)).statusCode, 403, JSON.stringify(headers));
    assert.equal((await ask("/_/feed?since=0", headers)).statusCode, 403);
    assert.equal((await ask("/", headers)).statusCode, 403, JSON.stringify(headers));
  }
  assert.equal((await ask("/_/world", { origin: bot.address, host: own })).statusCode, 200);
  assert.equal(
    (await bot.get("world")).chats.every((c) => c.n === 0),
    true,
    "nothing was said",
  );
});

test("a page of another site cannot drive the controls", async () => {
  const elsewhere = http.createServer((_, response) =>
    response.writeHead(200, { "content-type": "text/html" }).end("<h1>elsewhere</h1>"),
  );
  await new Promise((resolve) => elsewhere.listen(0, "127.0.0.1", resolve));
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${elsewhere.address().port}/`);
  await page.evaluate(async (address) => {
    await fetch(`${address}/_/act`, {
      method: "POST",
      mode: "no-cors",
      body: JSON.stringify({ as: "Aiko 愛子", do: "message", message: { type: "text", text: "x" } }),
    }).catch(() => {});
    const frame = document.createElement("iframe");
    frame.src = address;
    document.body.append(frame);
    await new Promise((resolve) => frame.addEventListener("load", resolve));
  }, bot.address);
  assert.equal(
    (await bot.get("world")).chats.every((c) => c.n === 0),
    true,
  );
  assert.equal(await page.frames()[1].locator("#panes").count(), 0, "it is in no frame of others");
  await page.close();
  elsewhere.close();
});

test("by keys alone: writing, a message's menu, another conversation, a dialog, the inspector", async () => {
  const v = await visit(browser, bot.address);
  const { page } = v;
  const p = pane(page, AIKO);
  const press = (...keys) => keys.reduce((before, key) => before.then(() => page.keyboard.press(key)), Promise.resolve());
  const active = () =>
    page.evaluate(() => document.activeElement.getAttribute("aria-label") ?? document.activeElement.textContent);
  const tabTo = async (name, key = "Tab", most = 40) => {
    for (let i = 0; i < most; i++) {
      await press(key);
      // Behind the last thing of a page comes the browser itself.
      if (await page.evaluate(() => document.activeElement === document.body)) continue;
      const [shown, ring] = await page.evaluate(() => {
        const box = document.activeElement.getBoundingClientRect();
        return [box.width > 0 && box.height > 0, getComputedStyle(document.activeElement).outlineStyle !== "none"];
      });
      const now = await active();
      assert.ok(shown, `${now} is seen`);
      assert.ok(ring, `${now} shows that it has the focus`);
      if (name.test(now)) return;
    }
    assert.fail(`${name} is not reached by ${key}`);
  };
  assert.equal(await active(), "Message", "one can write at once");
  await page.keyboard.type("chips");
  await press("Enter");
  await p.node.getByRole("group", { name: "Quick replies" }).waitFor();
  await tabTo(/Say tea/, "Shift+Tab");
  await press("Enter");
  await p.bot("echo: tea");
  assert.equal(await active(), "Message", "the focus is not lost with what had it");
  await press("ArrowUp");
  await press("ArrowUp");
  await press("Enter");
  await page.getByRole("menu").waitFor();
  assert.match(await active(), /What happened/);
  await press("ArrowUp", "Enter");
  await page.getByText("Copied").waitFor();
  await press("Escape", "Escape");
  assert.equal(await active(), "Message");
  await page.keyboard.type("/");
  await press("Backspace");
  await tabTo(/^Faults/);
  await press("Enter");
  await page.locator("dialog[open]").waitFor();
  await press("Escape");
  await page.locator("dialog").waitFor({ state: "detached" });
  assert.match(await active(), /^Faults/, "a dialog gives the focus back");
  await tabTo(/Find a conversation/);
  await press("Tab", "Tab");
  await press("ArrowDown", "Enter");
  await page.locator(".pane-title").getByText("Somchai").waitFor();
  assert.equal(await active(), "Message");
  await tabTo(/message\.text/);
  await press("Enter");
  await page
    .getByRole("heading", { name: "message.text" })
    .or(page.getByRole("heading", { name: "unsend" }))
    .waitFor();
  await press("Escape");
  assert.match(await active(), /message\.text/);
  assert.deepEqual(v.errors, []);
  await v.close();
});

test("everything that can be used has a name, and is described as what it is", async () => {
  const v = await visit(browser, bot.address);
  await pane(v.page, AIKO).say("hello");
  await pane(v.page, AIKO).bot("echo: hello");
  const nameless = await v.page.evaluate(() =>
    [...document.querySelectorAll("button, input, select, textarea, a, [role=button], [tabindex='0']")]
      .filter((node) => {
        const label = node.getAttribute("aria-label") || node.textContent.trim() || node.title || node.labels?.[0]?.textContent;
        return !label && node.checkVisibility();
      })
      .map((node) => node.outerHTML.slice(0, 120)),
  );
  assert.deepEqual(nameless, []);
  await v.close();
});

test("hostile names, texts, file names, Flex, group names and errors are words, never HTML", async () => {
  await fetch(`${bot.address}/_/load`, { method: "POST", headers: { "content-type": "text/x-lua" }, body: WORLD }).then(
    async (r) => assert.equal(r.status, 200, await r.text()),
  );
  const v = await visit(browser, bot.address);
  const { page } = v;
  const world = await bot.get("world");
  const [{ id: channel }] = world.channels;
  const [{ id: user }] = world.users;
  const [{ id: group }] = world.groups;
  const p = pane(page, `${channel}:${user}`);
  const act = (more) => bot.post("act", { as: user, ...more });
  await p.say(EVIL);
  await p.bot(`echo: ${EVIL}`);
  await act({ do: "message", message: { type: "file", fileName: `${EVIL}.html`, media: Buffer.from(EVIL).toString("base64") } });
  await act({ do: "message", message: { type: "location", title: EVIL, address: EVIL, latitude: 1, longitude: 2 } });
  await act({ do: "postback", data: EVIL });
  await act({ do: "event", event: { type: EVIL } });
  await act({ chat: group, do: "join" });
  await act({ chat: group, do: "message", message: { type: "text", text: EVIL } });
  const token = world.channels[0].token;
  const push = (message) =>
    fetch(`${bot.address}/v2/bot/message/push`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify({ to: user, messages: [message] }),
    });
  await push({
    type: "flex",
    altText: EVIL,
    contents: { type: "bubble", body: { type: "box", layout: "vertical", contents: [{ type: "text", text: EVIL, wrap: true }] } },
  });
  await push({ type: "text", text: EVIL, sender: { name: "<b>Cook</b>" } });
  await push({ type: EVIL });
  await p.say("fail");
  await page.locator(".error-panel").waitFor();
  await page.locator(".happening").filter({ hasText: "onerror" }).first().click();
  await page.locator(".detail h3").waitFor();
  await p.node.getByRole("button", { name: "What" }).first().click();
  await page.getByRole("menu").waitFor();
  await page.keyboard.press("Escape");
  await page.waitForTimeout(100);
  assert.equal(await page.evaluate(() => window.hacked), undefined);
  assert.deepEqual(
    await page.evaluate(() =>
      [...document.querySelectorAll("script, img[src='x'], b")]
        .filter((n) => n.tagName !== "SCRIPT" || !n.src.endsWith("/app.js"))
        .filter((n) => !n.closest(".call-title"))
        .map((n) => n.outerHTML),
    ),
    [],
  );
  await shoot(page, "page-hostile");
  assert.deepEqual(v.errors, []);
  await v.close();
});

test(`${LONG} messages: quick to open, to scroll and to go on, with a bounded document`, async () => {
  await fetch(`${bot.address}/_/load`, { method: "POST", headers: { "content-type": "text/x-lua" }, body: WORLD });
  const began = performance.now();
  const v = await visit(browser, bot.address);
  const { page } = v;
  const world = await bot.get("world");
  const p = pane(page, `${world.channels[0].id}:${world.users[0].id}`);
  await p.node.getByText(`message ${LONG}`, { exact: true }).waitFor();
  const opened = performance.now() - began;
  const nodes = () => page.evaluate(() => document.querySelectorAll("*").length);
  const count = () => p.node.locator(".entry").count();
  // Scrolling up through a good part of it, frame by frame.
  await p.node.locator(".history").hover();
  const frames = page.evaluate(
    () =>
      new Promise((resolve) => {
        const gaps = [];
        let last = performance.now();
        const step = (now) => {
          gaps.push(now - last);
          last = now;
          if (gaps.length < 90) requestAnimationFrame(step);
          else resolve(gaps.sort((a, b) => a - b));
        };
        requestAnimationFrame(step);
      }),
  );
  let most = 0;
  const first = async () => Number(/\d+/.exec(await p.node.locator(".d-words").first().textContent())[0]);
  for (let i = 0; i < 400 && (await first()) > LONG - 600; i++) {
    await page.mouse.wheel(0, -900);
    most = Math.max(most, await count());
  }
  const gaps = await frames;
  assert.ok((await first()) <= LONG - 600, "older and older messages come");
  assert.ok(most >= 250 && most <= 300, `${most} messages in the document`);
  const size = await nodes();
  assert.ok(size < 6000, `${size} elements`);
  await p.node.getByRole("button", { name: "To the newest message" }).waitFor();
  // What is read stays where it is while older messages come.
  const seen = await p.node
    .locator(".history")
    .evaluate(
      (h) =>
        [...h.querySelectorAll(".d-words")].find((w) => w.getBoundingClientRect().top > h.getBoundingClientRect().top)
          .textContent,
    );
  await page.waitForTimeout(150);
  assert.equal(await p.node.getByText(seen, { exact: true }).isVisible(), true);
  await p.say("go on");
  await p.bot("echo: go on");
  assert.ok(await p.atEnd());
  // Appending: twenty messages, each answered by five.
  const from = performance.now();
  for (let i = 0; i < 20; i++) await p.say("many of them");
  await page.waitForFunction(
    () =>
      [...document.querySelectorAll(".entry.own .d-words")].slice(-20).every((w) => w.textContent === "many of them") &&
      [...document.querySelectorAll(".entry.bot .d-words")].slice(-1)[0].textContent === "part 5",
  );
  const appended = (performance.now() - from) / 120;
  await page.waitForTimeout(100);
  assert.ok((await count()) <= 300);
  console.log(
    `# opened in ${opened.toFixed(0)} ms, frame median ${gaps[45].toFixed(1)} ms, 95 % ` +
      `${gaps[85].toFixed(1)} ms, a message ${appended.toFixed(1)} ms`,
  );
  assert.ok(gaps[45] < 50, `frames of ${gaps[45]} ms`);
  assert.ok(appended < 50, `${appended} ms a message`);
  assert.deepEqual(v.errors, []);
  await v.close();
});
