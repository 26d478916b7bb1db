// The gallery: every specimen is drawn whole, at any width, in both themes.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, serve, shoot } from "./kit.mjs";

let server, browser, page;
const errors = [];
before(async () => {
  server = await serve();
  browser = await launch();
  page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type()) && !/Failed to load/.test(message.text()))
      errors.push(message.text());
  });
  await page.goto(server.address + "/gallery.html");
  await page.locator("section").first().waitFor();
});
after(async () => {
  await browser.close();
  await server.close();
});

test("all message types and components are there, and only the unknown type is not drawn", async () => {
  const json = (await page.locator("section pre").allTextContents()).map((words) => {
    try {
      return JSON.parse(words);
    } catch {
      return null;
    }
  });
  const types = new Set();
  const walk = (value) => {
    if (value === null || typeof value !== "object") return;
    if (typeof value.type === "string") types.add(value.type);
    Object.values(value).forEach(walk);
  };
  json.forEach(walk);
  const wanted = `text textV2 sticker image video audio file location coupon imagemap template buttons confirm carousel
    image_carousel flex bubble box button icon span separator filler postback message uri datetimepicker camera cameraRoll
    richmenuswitch clipboard`;
  assert.deepEqual(
    wanted.split(/\s+/).filter((type) => !types.has(type)),
    [],
  );
  assert.deepEqual(await page.locator(".d-fallback-label").allTextContents(), ["Message of type hologram"]);
});

test("no width makes the page scroll sideways, and no message leaves its chat", async () => {
  for (const width of [320, 480, 800, 1280]) {
    await page.setViewportSize({ width, height: 900 });
    const over = await page.evaluate(() => {
      const out = document.documentElement.scrollWidth > innerWidth ? ["the page"] : [];
      for (const chat of document.querySelectorAll(".chat")) {
        const [frame, drawn] = [chat.getBoundingClientRect(), chat.firstChild.firstChild.getBoundingClientRect()];
        if (drawn.right > frame.right + 0.5 || drawn.left < frame.left - 0.5)
          out.push(chat.previousSibling.textContent);
      }
      return out;
    });
    assert.deepEqual(over, [], `${width} pixels`);
  }
});

test("theme, font size and search", async () => {
  const colour = () =>
    page
      .locator(".d-bubble")
      .first()
      .evaluate((node) => getComputedStyle(node).backgroundColor);
  const light = await colour();
  await page.getByLabel("Theme").selectOption("dark");
  assert.notEqual(await colour(), light);
  await shoot(page, "gallery-dark");
  await page.getByLabel("Theme").selectOption("");
  const scaled = page.getByText("scaling follows the font setting").and(page.locator(".f-words"));
  const size = () => scaled.evaluate((node) => getComputedStyle(node).fontSize);
  assert.equal(await size(), "16px");
  await page.getByLabel("Font size").selectOption("1.2");
  assert.equal(await size(), "19.2px");
  await page.getByLabel("Find").fill("linearGradient");
  const found = await page.locator("section:visible h2").allTextContents();
  assert.deepEqual(found, ["Flex: position, border, gradient"]);
  await page.getByLabel("Find").fill("");
});

test("taps are told, and dates are asked for", async () => {
  await page.getByRole("button", { name: "Keep one for me" }).click();
  assert.deepEqual(JSON.parse(await page.locator("#told").textContent()), {
    type: "postback",
    label: "Keep one for me",
    data: "keep=1",
    displayText: "Keep one for me",
  });
  await page.getByRole("button", { name: "When shall I come?" }).click();
  await page.getByRole("button", { name: "Send" }).click();
  await page.waitForFunction(() => document.getElementById("told").textContent.endsWith(" picked 2026-05-01T11:00"));
});

test("the page had no error", () => assert.deepEqual(errors, []));
