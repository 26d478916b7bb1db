// Messages of every type as they are drawn: words, pictures, players, cards, the theme.

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

test("text keeps its lines, links what is an address, and draws LINE emoji", async () => {
  await show(good.text);
  assert.equal(
    await page.locator(".d-words").evaluate((node) => getComputedStyle(node).whiteSpaceCollapse),
    "preserve",
  );
  assert.deepEqual(
    await page.locator(".d-link").evaluateAll((all) => all.map((a) => [a.textContent, a.href, a.target, a.rel])),
    [["https://example.com/a_(b)?q=1#c", "https://example.com/a_(b)?q=1#c", "_blank", "noopener noreferrer"]],
  );
  assert.equal(await page.locator(".d-emoji").getAttribute("aria-label"), "LINE emoji p1 / 007");
  assert.equal(await page.locator(".d-words").textContent(), "Line one\nhttps://example.com/a_(b)?q=1#c. Then 007 end");
});

test("an emoji has the page's picture when there is one", async () => {
  await page.evaluate((m) => void show(m, { emojiUrl: (product, id) => `/emoji/${product}/${id}.png` }), good.text);
  assert.match(
    await page.locator("img.d-emoji").evaluate((img) => img.src),
    /^http:\/\/127\.0\.0\.1:\d+\/emoji\/p1\/007\.png$/,
  );
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
  const boxes = await page.evaluate(() => [
    box(document.querySelector(".d-quote")),
    box(document.querySelector(".d-words")),
  ]);
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
  await page.evaluate(
    () =>
      void show(
        { type: "image", id: "5", contentProvider: { type: "line" } },
        {
          mediaUrl: (m, kind) =>
            kind === "preview"
              ? "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' width='400' height='100'/>"
              : `/content/${m.id}`,
        },
      ),
  );
  await page.waitForFunction(() => document.querySelector(".d-photo img")?.naturalWidth === 400);
  const size = await page.evaluate(() => box(document.querySelector(".d-photo img")));
  assert.ok(near(size.width, 260) && near(size.height, 65), JSON.stringify(size));
  assert.match(await page.locator("a.d-image").evaluate((a) => a.href), /^http:\/\/127\.0\.0\.1:\d+\/content\/5$/);
});

test("a video that was played to its end tells so once", async () => {
  await page.evaluate(
    (m) => void show(m, { mediaUrl: (_, kind) => (kind === "original" ? "/clip.wav" : null) }),
    good.video,
  );
  const play = () =>
    page.locator("video").evaluate(
      (video) =>
        new Promise((resolve) => {
          video.addEventListener("ended", () => setTimeout(resolve), { once: true });
          video.muted = true;
          video.play();
        }),
    );
  await play();
  assert.deepEqual(await told(), [{ type: "videoPlayComplete", trackingId: "film-1" }]);
  await play();
  assert.equal((await told()).length, 1);
});

test("videos and sounds fetch nothing before they are played; a video shows its preview until then", async () => {
  const asked = [];
  page.on("request", (request) => asked.push(request.url()));
  for (const m of [good.video, good.audio, good.imagemapVideo]) {
    await show(m);
    const players = await page.locator("video, audio").evaluateAll((all) => all.map((p) => [p.preload, p.autoplay]));
    assert.deepEqual(players, [["none", false]]);
  }
  await show(good.audio);
  assert.deepEqual(await words(".d-small"), ["1:01"]);
  await show(good.video);
  await page.locator(".d-placeholder").waitFor();
  assert.deepEqual(await words(".d-placeholder-host"), ["films.invalid"]);
  assert.ok(!asked.some((url) => url.endsWith(".mp4") || url.endsWith(".m4a")), String(asked));
});

test("the play button starts a video by click and by key; the browser's controls come then", async () => {
  for (const start of [(b) => b.click(), (b) => b.press("Enter")]) {
    await page.evaluate(
      (m) => void show(m, { mediaUrl: (_, kind) => (kind === "original" ? "/clip.wav" : null) }),
      good.video,
    );
    await start(page.getByRole("button", { name: "Play the video" }));
    await page.waitForFunction(() => told.length > 0);
    assert.equal(await page.locator(".d-play").isVisible(), false);
    assert.equal(
      await page.locator("video").evaluate((video) => video.controls && document.activeElement === video),
      true,
    );
  }
});

test("a video that does not come says from where", async () => {
  await show(good.video);
  await page.getByRole("button", { name: "Play the video" }).click();
  await page.locator(".d-film-note").waitFor();
  assert.ok(await page.locator(".d-placeholder").isVisible());
  assert.deepEqual(await words(".d-film-note"), ["The video did not come from films.invalid"]);
  await shoot(page, "video-failed");
  // The button is back, for another try.
  await page.locator("video").evaluate((video) => (video.src = "/clip.wav"));
  await page.getByRole("button", { name: "Play the video" }).click();
  await page.waitForFunction(() => told.length > 0);
});

test("without a preview a video has its controls at once", async () => {
  await page.evaluate(
    () => void show({ type: "video", id: "6" }, { mediaUrl: (_, kind) => (kind === "original" ? "/clip.wav" : null) }),
  );
  assert.deepEqual(await page.locator("video").evaluate((v) => [v.controls, v.preload]), [true, "metadata"]);
  const size = await page.evaluate(() => box(document.querySelector("video")));
  assert.ok(near(size.width, 260) && near(size.height, 195), JSON.stringify(size));
});

test("files are links to save; places say where they are", async () => {
  await page.evaluate((m) => void show(m, { mediaUrl: () => "/content/4" }), good.file);
  assert.deepEqual(await page.locator("a.d-file").evaluate((a) => [a.download, new URL(a.href).pathname]), [
    "a.pdf",
    "/content/4",
  ]);
  assert.deepEqual(await words(".d-file-facts > *"), ["a.pdf", "2.1 kB"]);
  await show(good.location);
  assert.deepEqual(await words(".d-place > *"), ["Office", "Tokyo", "35.680000, 139.730000"]);
});

test("a coupon shows what the page knows of it", async () => {
  await page.evaluate(
    (m) => void show(m, { coupon: () => ({ title: "Half price", until: 1 }), formatTime: () => "in May" }),
    good.coupon,
  );
  assert.deepEqual(await words(".d-coupon-title, .d-coupon-body .d-small"), [
    "Half price",
    "Valid until in May",
    good.coupon.couponId,
  ]);
  await page.locator(".d-coupon").click();
  assert.deepEqual(await told(), [{ type: "coupon", couponId: good.coupon.couponId }]);
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
  await page.evaluate(() => {
    document.documentElement.dataset.theme = "light";
  });
  assert.equal((await look())[0], "rgb(255, 255, 255)");
  await page.emulateMedia({ colorScheme: "light" });
  await page.evaluate(() => {
    document.documentElement.dataset.theme = "dark";
  });
  assert.equal((await look())[0], dark);
  await page.evaluate(() => {
    delete document.documentElement.dataset.theme;
  });
});

test("the page had no error", () => assert.deepEqual(s.errors, []));
