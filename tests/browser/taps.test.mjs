// What can be tapped: imagemaps, templates, quick replies, rich menus, the picker; by mouse and by keys.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { shoot } from "./kit.mjs";
import { messages, near, stage } from "./stage.mjs";

const good = messages.good;
let s, page;
before(async () => {
  s = await stage();
  page = s.page;
});
after(() => s.close());

const show = (message, more = {}) => page.evaluate(([m, c]) => void show(m, c), [message, more]);
const told = () => page.evaluate(() => told.map((one) => one.action));
const words = (selector) => page.locator(selector).allTextContents();

test("imagemap areas lie where they should and tell actions in the usual form", async () => {
  await show(good.imagemap);
  const all = await page.evaluate(() =>
    [...document.querySelectorAll(".d-area")].map((a) => box(a, document.querySelector(".d-imagemap"))),
  );
  const map = await page.evaluate(() => box(document.querySelector(".d-imagemap")));
  assert.ok(near(map.width / map.height, 2, 0.01));
  const k = map.width / 1040;
  [
    [0, 0, 520, 520],
    [520, 0, 520, 260],
    [780, 260, 260, 260],
  ].forEach((want, i) => {
    const { x, y, width, height } = all[i];
    assert.ok(
      [x, y, width, height].every((n, j) => near(n, want[j] * k)),
      `${i}: ${JSON.stringify(all[i])}`,
    );
  });
  for (const i of [0, 1, 2]) await page.locator(".d-area").nth(i).click();
  assert.deepEqual(await told(), [
    { type: "uri", label: "Left", uri: "https://example.com/left" },
    { type: "message", text: "right" },
    { type: "clipboard", clipboardText: "C0DE" },
  ]);
});

test("an imagemap's video has its area, and its link appears after the end", async () => {
  await page.evaluate(
    (m) => void show({ ...m, video: { ...m.video, originalContentUrl: new URL("/clip.wav", location).href } }, {}),
    good.imagemapVideo,
  );
  const got = await page.evaluate(() => [
    box(document.querySelector(".d-area-video video"), document.querySelector(".d-imagemap")),
    box(document.querySelector(".d-imagemap")).width / 1040,
  ]);
  assert.ok(
    near(got[0].x, 104 * got[1]) &&
      near(got[0].y, 52 * got[1]) &&
      near(got[0].width, 416 * got[1]) &&
      near(got[0].height, 208 * got[1]),
    JSON.stringify(got),
  );
  assert.equal(await page.locator(".d-after-video").isVisible(), false);
  await page.locator("video").evaluate((video) => {
    video.muted = true;
    return video.play();
  });
  await page.locator(".d-after-video").click();
  assert.deepEqual(await told(), [{ type: "uri", label: "More", uri: "https://example.com/more" }]);
});

test("buttons: picture of 1.51:1 on its colour, default action on top, each button its own", async () => {
  await show(good.buttons);
  const top = await page.evaluate(() => ({
    ...box(document.querySelector(".d-thumbnail")),
    colour: css(document.querySelector(".d-thumbnail"), "background-color"),
  }));
  assert.ok(near(top.width / top.height, 1.51, 0.02), JSON.stringify(top));
  assert.equal(top.colour, "rgb(255, 0, 0)");
  await page.getByText("Words").click();
  await page.getByRole("button", { name: "Two" }).click();
  assert.deepEqual(
    (await told()).map((a) => a.label),
    ["whole", "Two"],
  );
});

test("confirm: two buttons side by side, of one width", async () => {
  await show(good.confirm);
  const [yes, no] = await page.evaluate(() => [...document.querySelectorAll(".d-template-action")].map((b) => box(b)));
  assert.ok(near(yes.y, no.y) && near(yes.width, no.width) && no.x >= yes.x + yes.width - 1);
});

test("carousels scroll sideways, columns are of one height with their buttons in line", async () => {
  await show(good.carousel);
  const cards = await page.evaluate(() =>
    [...document.querySelectorAll(".d-template-card")].map((c) => ({
      ...box(c),
      button: box(c.querySelector("button")).y,
    })),
  );
  assert.ok(
    cards.every((c) => near(c.height, cards[0].height) && near(c.button, cards[0].button)),
    JSON.stringify(cards),
  );
  const scroller = page.locator(".d-scroller");
  assert.ok(
    await scroller.evaluate((node) => node.scrollWidth > node.clientWidth && node.getBoundingClientRect().width <= 420),
  );
  assert.ok(
    await page
      .locator(".d-thumbnail")
      .first()
      .evaluate((node) => node.clientWidth === node.clientHeight),
  );
  await scroller.evaluate((node) => node.scrollTo({ left: 10000, behavior: "instant" }));
  await page.getByRole("button", { name: "C1" }).click();
  assert.deepEqual(
    (await told()).map((a) => a.data),
    ["c"],
  );
  await show(good.imageCarousel);
  await page.locator(".d-image-column").first().click();
  assert.deepEqual(
    (await told()).map((a) => a.text),
    ["1"],
  );
});

test("everything tappable is reached by Tab and done by Enter or Space", async () => {
  await show(good.imagemap);
  await page.mouse.click(3, 3);
  for (const key of ["Enter", "Space", "Enter"]) {
    await page.keyboard.press("Tab");
    assert.notEqual(await page.evaluate(() => css(document.activeElement, "outline-style")), "none");
    assert.equal(await page.evaluate(() => document.activeElement.getAttribute("role")), "button");
    await page.keyboard.press(key);
  }
  assert.deepEqual(
    (await told()).map((a) => a.type),
    ["uri", "message", "clipboard"],
  );
  await show(good.confirm);
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Space");
  assert.deepEqual(
    (await told()).map((a) => a.text),
    ["yes", "no"],
  );
});

test("quick replies are a row of chips that scrolls", async () => {
  await page.evaluate(() => {
    told.length = 0;
    const items = Array.from({ length: 13 }, (_, i) => ({
      type: "action",
      action: { type: "message", label: `Choice ${i}`, text: `c${i}` },
    }));
    items[1].action = { type: "camera", label: "Camera" };
    document.getElementById("stage").replaceChildren(draw.drawQuickReply({ items }, context()));
  });
  const facts = await page
    .locator(".d-quick-reply")
    .evaluate((node) => [
      node.scrollWidth > node.clientWidth,
      node.clientHeight,
      node.querySelectorAll(".d-chip-icon").length,
    ]);
  assert.ok(facts[0] && facts[1] < 70 && facts[2] === 1, String(facts));
  await page.getByRole("button", { name: "Choice 12" }).click();
  await page.getByRole("button", { name: "Camera" }).press("Enter");
  assert.deepEqual(
    (await told()).map((a) => a.label),
    ["Choice 12", "Camera"],
  );
});

test("rich menu areas scale with the menu, with and without its picture", async () => {
  const menu = {
    size: { width: 2500, height: 1000 },
    selected: true,
    name: "m",
    chatBarText: "Menu",
    areas: [
      {
        bounds: { x: 0, y: 0, width: 1250, height: 1000 },
        action: { type: "richmenuswitch", richMenuAliasId: "b", data: "tab" },
      },
      { bounds: { x: 1250, y: 500, width: 1250, height: 500 }, action: { type: "postback", label: "P", data: "p" } },
    ],
  };
  for (const picture of [
    "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' width='2500' height='1000'/>",
    null,
  ]) {
    await page.evaluate(
      ([m, url]) => {
        told.length = 0;
        document.getElementById("stage").replaceChildren(draw.drawRichMenu(m, url, context()));
      },
      [menu, picture],
    );
    const got = await page.evaluate(() =>
      [...document.querySelectorAll(".d-area")].map((a) => box(a, document.querySelector(".d-rich-menu"))),
    );
    assert.ok(
      near(got[0].width, 210) && near(got[0].height, 168) && near(got[1].x, 210) && near(got[1].y, 84),
      JSON.stringify(got),
    );
    await page.locator(".d-area").nth(1).click();
    await page.locator(".d-area").nth(0).press("Enter");
    assert.deepEqual(
      (await told()).map((a) => a.type),
      ["postback", "richmenuswitch"],
    );
  }
});

test("the picker is the browser's own, within bounds, and gives what LINE would send", async () => {
  const ask = (action) =>
    page.evaluate((a) => {
      window.asked = draw.askDateTime(a);
    }, action);
  const picked = () => page.evaluate(() => window.asked);
  await ask({
    type: "datetimepicker",
    label: "When?",
    data: "d",
    mode: "date",
    initial: "2026-05-01",
    min: "2026-04-01",
    max: "2026-06-01",
  });
  const input = page.locator("dialog input");
  assert.deepEqual(await input.evaluate((node) => [node.type, node.value, node.min, node.max]), [
    "date",
    "2026-05-01",
    "2026-04-01",
    "2026-06-01",
  ]);
  await input.fill("2027-01-01");
  await page.getByRole("button", { name: "Send" }).click();
  assert.equal(await page.locator("dialog[open]").count(), 1, "a day after max was sent");
  await input.fill("2026-05-17");
  await shoot(page, "picker");
  await page.getByRole("button", { name: "Send" }).click();
  assert.equal(await picked(), "2026-05-17");

  await ask({ mode: "datetime", initial: "2026-05-01t09:30" });
  assert.deepEqual(await input.evaluate((node) => [node.type, node.value]), ["datetime-local", "2026-05-01T09:30"]);
  await input.press("Enter");
  assert.equal(await picked(), "2026-05-01T09:30");

  await ask({ mode: "time", initial: "23:59", max: "<b>" });
  await page.keyboard.press("Escape");
  assert.equal(await picked(), null);
  assert.equal(await page.locator("dialog").count(), 0);
});

test("the page had no error", () => assert.deepEqual(s.errors, []));
