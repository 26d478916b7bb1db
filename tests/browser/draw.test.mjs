// Messages of every type as they are drawn: words, pictures, players, areas, what tapping tells.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { shoot } from "./kit.mjs";
import { messages, near, stage } from "./stage.mjs";

const good = messages.good;
let s, page;
before(async () => { s = await stage(); page = s.page; });
after(() => s.close());

const show = (message, more = {}) => page.evaluate(([m, c]) => void show(m, c), [message, more]);
const told = () => page.evaluate(() => told.map((one) => one.action));
const words = (selector) => page.locator(selector).allTextContents();

test("text keeps its lines, links what is an address, and draws LINE emoji", async () => {
  await show(good.text);
  assert.equal(await page.locator(".d-words").evaluate((node) => getComputedStyle(node).whiteSpaceCollapse), "preserve");
  assert.deepEqual(await page.locator(".d-link").evaluateAll((all) => all.map((a) => [a.textContent, a.href, a.target, a.rel])),
    [["https://example.com/a_(b)?q=1#c", "https://example.com/a_(b)?q=1#c", "_blank", "noopener noreferrer"]]);
  assert.equal(await page.locator(".d-emoji").getAttribute("aria-label"), "LINE emoji p1 / 007");
  assert.equal(await page.locator(".d-words").textContent(), "Line one\nhttps://example.com/a_(b)?q=1#c. Then 007 end");
});

test("an emoji has the page's picture when there is one", async () => {
  await page.evaluate((m) => void show(m, { emojiUrl: (product, id) => `/emoji/${product}/${id}.png` }), good.text);
  assert.match(await page.locator("img.d-emoji").evaluate((img) => img.src), /^http:\/\/127\.0\.0\.1:\d+\/emoji\/p1\/007\.png$/);
});

test("textV2 puts names and emoji for keys, braces for doubled ones, and leaves unknown keys", async () => {
  await show(good.textV2);
  assert.equal(await page.locator(".d-words").textContent(), "{x} @Aki @All 008 {none}");
  assert.deepEqual(await words(".d-mention"), ["@Aki", "@All"]);
});

test("positions in received text are UTF-16 units; a mention of the bot stands out", async () => {
  await show(good.received);
  assert.deepEqual(await words(".d-mention-self"), ["@Bot"]);
  assert.equal(await page.locator(".d-words").textContent(), "😀 @Bot hi 009");
});

test("a quote is drawn above the words, also when what it quotes is not known", async () => {
  await show(good.textV2, { quoted: { userId: "U1", message: good.location } });
  const boxes = await page.evaluate(() => [box(document.querySelector(".d-quote")), box(document.querySelector(".d-words"))]);
  assert.ok(boxes[0].y + boxes[0].height <= boxes[1].y);
  assert.deepEqual(await words(".d-quote > *"), ["Aki", "Office"]);
  await show({ ...good.received, quotedMessageId: "99" });
  assert.deepEqual(await words(".d-quote > *"), ["A message that is not here"]);
});

test("a sticker tells its package and number", async () => {
  await show(good.sticker);
  assert.deepEqual(await words(".d-sticker-ids"), ["446 / 1988"]);
  assert.equal(await page.locator(".d-sticker").getAttribute("aria-label"), "Sticker: package 446, sticker 1988");
});

test("a picture that does not come leaves its host's name in its place", async () => {
  await show(good.image);
  await page.locator(".d-placeholder").waitFor();
  assert.deepEqual(await words(".d-placeholder-host"), ["pictures.invalid"]);
  const size = await page.evaluate(() => box(document.querySelector(".d-photo")));
  assert.ok(near(size.width / size.height, 4 / 3, 0.02) && size.width > 200, JSON.stringify(size));
  assert.equal(await page.locator("a.d-image").getAttribute("href"), "https://pictures.invalid/a.jpg");
});

test("a picture that comes keeps its form; the page says where contents are", async () => {
  await page.evaluate(() => void show({ type: "image", id: "5", contentProvider: { type: "line" } }, {
    mediaUrl: (m, kind) => kind === "preview" ? "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' width='400' height='100'/>" : `/content/${m.id}` }));
  await page.waitForFunction(() => document.querySelector(".d-photo img")?.naturalWidth === 400);
  const size = await page.evaluate(() => box(document.querySelector(".d-photo img")));
  assert.ok(near(size.width, 260) && near(size.height, 65), JSON.stringify(size));
  assert.match(await page.locator("a.d-image").evaluate((a) => a.href), /^http:\/\/127\.0\.0\.1:\d+\/content\/5$/);
});

test("a video that was played to its end tells so once", async () => {
  await page.evaluate((m) => void show(m, { mediaUrl: (_, kind) => kind === "original" ? "/clip.wav" : null }), good.video);
  const play = () => page.locator("video").evaluate((video) => new Promise((resolve) => {
    video.addEventListener("ended", () => setTimeout(resolve), { once: true });
    video.muted = true;
    video.play();
  }));
  await play();
  assert.deepEqual(await told(), [{ type: "videoPlayComplete", trackingId: "film-1" }]);
  await play();
  assert.equal((await told()).length, 1);
});

test("videos and sounds fetch nothing before they are played", async () => {
  for (const m of [good.video, good.audio, good.imagemapVideo]) {
    await show(m);
    assert.deepEqual(await page.locator("video, audio").evaluateAll((all) => all.map((p) => [p.preload, p.controls, p.autoplay])), [["none", true, false]]);
  }
  await show(good.audio);
  assert.deepEqual(await words(".d-small"), ["1:01"]);
});

test("files are links to save; places say where they are", async () => {
  await page.evaluate((m) => void show(m, { mediaUrl: () => "/content/4" }), good.file);
  assert.deepEqual(await page.locator("a.d-file").evaluate((a) => [a.download, new URL(a.href).pathname]), ["a.pdf", "/content/4"]);
  assert.deepEqual(await words(".d-file-facts > *"), ["a.pdf", "2.1 kB"]);
  await show(good.location);
  assert.deepEqual(await words(".d-place > *"), ["Office", "Tokyo", "35.680000, 139.730000"]);
});

test("a coupon shows what the page knows of it", async () => {
  await page.evaluate((m) => void show(m, { coupon: () => ({ title: "Half price", until: 1 }), formatTime: () => "in May" }), good.coupon);
  assert.deepEqual(await words(".d-coupon-title, .d-coupon-body .d-small"), ["Half price", "Valid until in May", good.coupon.couponId]);
  await page.locator(".d-coupon").click();
  assert.deepEqual(await told(), [{ type: "coupon", couponId: good.coupon.couponId }]);
});

test("imagemap areas lie where they should and tell actions in the usual form", async () => {
  await show(good.imagemap);
  const all = await page.evaluate(() => [...document.querySelectorAll(".d-area")].map((a) => box(a, document.querySelector(".d-imagemap"))));
  const map = await page.evaluate(() => box(document.querySelector(".d-imagemap")));
  assert.ok(near(map.width / map.height, 2, 0.01));
  const k = map.width / 1040;
  [[0, 0, 520, 520], [520, 0, 520, 260], [780, 260, 260, 260]].forEach((want, i) => {
    const { x, y, width, height } = all[i];
    assert.ok([x, y, width, height].every((n, j) => near(n, want[j] * k)), `${i}: ${JSON.stringify(all[i])}`);
  });
  for (const i of [0, 1, 2]) await page.locator(".d-area").nth(i).click();
  assert.deepEqual(await told(), [{ type: "uri", label: "Left", uri: "https://example.com/left" }, { type: "message", text: "right" },
    { type: "clipboard", clipboardText: "C0DE" }]);
});

test("an imagemap's video has its area, and its link appears after the end", async () => {
  await page.evaluate((m) => void show({ ...m, video: { ...m.video, originalContentUrl: new URL("/clip.wav", location).href } }, {}), good.imagemapVideo);
  const got = await page.evaluate(() => [box(document.querySelector(".d-area-video video"), document.querySelector(".d-imagemap")), box(document.querySelector(".d-imagemap")).width / 1040]);
  assert.ok(near(got[0].x, 104 * got[1]) && near(got[0].y, 52 * got[1]) && near(got[0].width, 416 * got[1]) && near(got[0].height, 208 * got[1]), JSON.stringify(got));
  assert.equal(await page.locator(".d-after-video").isVisible(), false);
  await page.locator("video").evaluate((video) => { video.muted = true; return video.play(); });
  await page.locator(".d-after-video").click();
  assert.deepEqual(await told(), [{ type: "uri", label: "More", uri: "https://example.com/more" }]);
});

test("buttons: picture of 1.51:1 on its colour, default action on top, each button its own", async () => {
  await show(good.buttons);
  const top = await page.evaluate(() => ({ ...box(document.querySelector(".d-thumbnail")), colour: css(document.querySelector(".d-thumbnail"), "background-color") }));
  assert.ok(near(top.width / top.height, 1.51, 0.02), JSON.stringify(top));
  assert.equal(top.colour, "rgb(255, 0, 0)");
  await page.getByText("Words").click();
  await page.getByRole("button", { name: "Two" }).click();
  assert.deepEqual((await told()).map((a) => a.label), ["whole", "Two"]);
});

test("confirm: two buttons side by side, of one width", async () => {
  await show(good.confirm);
  const [yes, no] = await page.evaluate(() => [...document.querySelectorAll(".d-template-action")].map((b) => box(b)));
  assert.ok(near(yes.y, no.y) && near(yes.width, no.width) && no.x >= yes.x + yes.width - 1);
});

test("carousels scroll sideways, columns are of one height with their buttons in line", async () => {
  await show(good.carousel);
  const cards = await page.evaluate(() => [...document.querySelectorAll(".d-template-card")].map((c) => ({ ...box(c), button: box(c.querySelector("button")).y })));
  assert.ok(cards.every((c) => near(c.height, cards[0].height) && near(c.button, cards[0].button)), JSON.stringify(cards));
  const scroller = page.locator(".d-scroller");
  assert.ok(await scroller.evaluate((node) => node.scrollWidth > node.clientWidth && node.getBoundingClientRect().width <= 420));
  assert.ok(await page.locator(".d-thumbnail").first().evaluate((node) => node.clientWidth === node.clientHeight));
  await scroller.evaluate((node) => node.scrollTo({ left: 10000, behavior: "instant" }));
  await page.getByRole("button", { name: "C1" }).click();
  assert.deepEqual((await told()).map((a) => a.data), ["c"]);
  await show(good.imageCarousel);
  await page.locator(".d-image-column").first().click();
  assert.deepEqual((await told()).map((a) => a.text), ["1"]);
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
  assert.deepEqual((await told()).map((a) => a.type), ["uri", "message", "clipboard"]);
  await show(good.confirm);
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Space");
  assert.deepEqual((await told()).map((a) => a.text), ["yes", "no"]);
});

test("quick replies are a row of chips that scrolls", async () => {
  await page.evaluate(() => {
    told.length = 0;
    const items = Array.from({ length: 13 }, (_, i) => ({ type: "action", action: { type: "message", label: `Choice ${i}`, text: `c${i}` } }));
    items[1].action = { type: "camera", label: "Camera" };
    document.getElementById("stage").replaceChildren(draw.drawQuickReply({ items }, context()));
  });
  const facts = await page.locator(".d-quick-reply").evaluate((node) => [node.scrollWidth > node.clientWidth, node.clientHeight, node.querySelectorAll(".d-chip-icon").length]);
  assert.ok(facts[0] && facts[1] < 70 && facts[2] === 1, String(facts));
  await page.getByRole("button", { name: "Choice 12" }).click();
  await page.getByRole("button", { name: "Camera" }).press("Enter");
  assert.deepEqual((await told()).map((a) => a.label), ["Choice 12", "Camera"]);
});

test("rich menu areas scale with the menu, with and without its picture", async () => {
  const menu = { size: { width: 2500, height: 1000 }, selected: true, name: "m", chatBarText: "Menu", areas: [
    { bounds: { x: 0, y: 0, width: 1250, height: 1000 }, action: { type: "richmenuswitch", richMenuAliasId: "b", data: "tab" } },
    { bounds: { x: 1250, y: 500, width: 1250, height: 500 }, action: { type: "postback", label: "P", data: "p" } }] };
  for (const picture of ["data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' width='2500' height='1000'/>", null]) {
    await page.evaluate(([m, url]) => {
      told.length = 0;
      document.getElementById("stage").replaceChildren(draw.drawRichMenu(m, url, context()));
    }, [menu, picture]);
    const got = await page.evaluate(() => [...document.querySelectorAll(".d-area")].map((a) => box(a, document.querySelector(".d-rich-menu"))));
    assert.ok(near(got[0].width, 210) && near(got[0].height, 168) && near(got[1].x, 210) && near(got[1].y, 84), JSON.stringify(got));
    await page.locator(".d-area").nth(1).click();
    await page.locator(".d-area").nth(0).press("Enter");
    assert.deepEqual((await told()).map((a) => a.type), ["postback", "richmenuswitch"]);
  }
});

test("the picker is the browser's own, within bounds, and gives what LINE would send", async () => {
  const ask = (action) => page.evaluate((a) => { window.asked = draw.askDateTime(a); }, action);
  const picked = () => page.evaluate(() => window.asked);
  await ask({ type: "datetimepicker", label: "When?", data: "d", mode: "date", initial: "2026-05-01", min: "2026-04-01", max: "2026-06-01" });
  const input = page.locator("dialog input");
  assert.deepEqual(await input.evaluate((node) => [node.type, node.value, node.min, node.max]), ["date", "2026-05-01", "2026-04-01", "2026-06-01"]);
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

test("what is not known is shown as what it is", async () => {
  await show({ type: "hologram", depth: 3 });
  assert.equal(await page.locator(".d-fallback-label").textContent(), "Message of type hologram");
  await page.locator("summary").click();
  assert.deepEqual(JSON.parse(await page.locator(".d-fallback pre").textContent()), { type: "hologram", depth: 3 });
});

test("dark: bubbles follow the theme, cards of bots stay white", async () => {
  const look = async () => {
    await show(good.text);
    const bubble = await page.evaluate(() => css(document.querySelector(".d-bubble"), "background-color"));
    await show(good.confirm);
    return [bubble, await page.evaluate(() => css(document.querySelector(".d-card"), "background-color"))];
  };
  assert.deepEqual(await look(), ["rgb(255, 255, 255)", "rgb(255, 255, 255)"]);
  await page.emulateMedia({ colorScheme: "dark" });
  const [dark, card] = await look();
  assert.notEqual(dark, "rgb(255, 255, 255)");
  assert.equal(card, "rgb(255, 255, 255)");
  await page.evaluate(() => { document.documentElement.dataset.theme = "light"; });
  assert.equal((await look())[0], "rgb(255, 255, 255)");
  await page.emulateMedia({ colorScheme: "light" });
  await page.evaluate(() => { document.documentElement.dataset.theme = "dark"; });
  assert.equal((await look())[0], dark);
  await page.evaluate(() => { delete document.documentElement.dataset.theme; });
});

test("the page had no error", () => assert.deepEqual(s.errors, []));
