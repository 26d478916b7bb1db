// Flex as the browser lays it out, held against LINE's published rules: shares, spaces, positions, paint, text.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { messages, near, stage } from "./stage.mjs";

let s, page;
before(async () => {
  s = await stage();
  page = s.page;
});
after(() => s.close());

const show = (contents, width = 420) =>
  page.evaluate(
    ([c, w]) => {
      document.getElementById("stage").style.setProperty("width", `${w}px`);
      show({ type: "flex", altText: "alt", contents: c });
    },
    [contents, width],
  );
const flex = messages.flex;
// Rectangles of parts by their paths, relative to the part before the last step.
const boxes = (...paths) =>
  page.evaluate((all) => all.map((path) => box(at(...path), at(...path.slice(0, -1)))), paths);
const styles = (path, ...names) => page.evaluate(([p, n]) => n.map((name) => css(at(...p), name)), [path, names]);

test("flex shares the width by its ratio; 0 takes what the content needs; 1 is the default in a row", async () => {
  await show(flex.shares);
  const [two, three] = await boxes([0, 0], [0, 1]);
  assert.ok(near(two.width, 120) && near(three.width, 180), JSON.stringify([two, three]));
  const [hello, x, y] = await boxes([1, 0], [1, 1], [1, 2]);
  assert.ok(
    hello.width > 20 && hello.width < 60 && near(x.width, y.width) && near(hello.width + x.width + y.width, 300),
    JSON.stringify([hello, x, y]),
  );
});

test("a width of its own makes a box's flex 0, whatever it says", async () => {
  await show(flex.shares);
  const [px, percent, rest] = await boxes([2, 0], [2, 1], [2, 2]);
  assert.ok(
    near(px.width, 80) && near(percent.width, 150) && near(rest.width, 70),
    JSON.stringify([px, percent, rest]),
  );
});

test("in a column flex shares the free height; the row makes both columns equally high", async () => {
  await show(flex.shares);
  const [left, right, f2, f3] = await boxes([3, 0], [3, 1], [3, 1, 0], [3, 1, 1]);
  assert.ok(near(left.height, right.height) && left.height > 200);
  // X 0 auto: each has its line, and the rest is shared 2 to 3.
  const line = 16 * 1.4,
    free = right.height - 2 * line;
  assert.ok(near(f2.height, line + free * 0.4) && near(f3.height, line + free * 0.6), JSON.stringify([f2, f3, right]));
});

test("spacing lies between parts, margin goes before it, also for the first; none before a filler", async () => {
  await show(flex.spaces);
  const tops = await boxes([0], [1], [2], [4], [5]);
  const line = 22.4;
  const wanted = [
    25 + 16,
    25 + 16 + line + 8,
    25 + 16 + 2 * line + 8 + 20,
    25 + 16 + 3 * line + 28,
    25 + 16 + 3 * line + 28 + 1 + 8,
  ];
  const root = await page.evaluate(() => box(document.querySelector(".f-block-body > .f-box")));
  const ys = await page.evaluate(() => [0, 1, 2, 4, 5].map((i) => box(at(i), at()).y));
  wanted.forEach((want, i) => assert.ok(near(ys[i], want), `${i}: ${ys[i]} for ${want}, ${JSON.stringify(tops[i])}`));
  assert.equal(Math.round(root.width), 260);
  // Padding: all 10, above 25, at the start a tenth of the width around.
  assert.ok(near((await page.evaluate(() => box(at(0), at()))).x, 26));
  assert.ok(near((await page.evaluate(() => box(at(0), at()))).width, 260 - 26 - 10));
});

test("separators are a pixel: lying in a column, standing in a row", async () => {
  await show(flex.spaces);
  const [lying, standing] = await page.evaluate(() => [
    { ...box(at(4)), colour: css(at(4), "background-color") },
    box(at(5, 1), at(5)),
  ]);
  assert.ok(near(lying.height, 1, 0.1) && lying.width > 200);
  assert.equal(lying.colour, "rgb(255, 0, 0)");
  assert.ok(
    near(standing.width, 1, 0.1) && near(standing.height, 22.4) && near(standing.x, (224 - 21) / 2 + 10),
    JSON.stringify(standing),
  );
});

test("absolute parts keep their distances from the box and are cut at its edge", async () => {
  await show(flex.position);
  const [a, b] = await boxes([0, 1], [0, 2]);
  assert.ok(near(a.x, 40) && near(a.y, 10) && near(a.width, 300 - 40 - 75) && near(a.height, 70), JSON.stringify(a));
  assert.ok(near(b.x, 270) && near(b.y, -5) && near(b.width, 30), JSON.stringify(b));
  assert.deepEqual(await styles([0], "overflow-x"), ["hidden"]);
  assert.equal((await boxes([0]))[0].height, 100);
});

test("relative offsets move a part without moving its neighbours; maxWidth goes before width", async () => {
  await show(flex.position);
  const part = await page.evaluate(() => box(at(1), at()));
  assert.ok(
    near(part.x, 8) && near(part.y, 107) && near(part.width, 60) && near(part.height, 40),
    JSON.stringify(part),
  );
  assert.ok(near(await page.evaluate(() => box(at()).height), 140));
});

test("gradients, borders, corners and block styles", async () => {
  await show(flex.paint);
  const [image, radius, width, colour] = await styles(
    [0],
    "background-image",
    "border-top-left-radius",
    "border-top-width",
    "border-top-color",
  );
  assert.equal(image, "linear-gradient(45deg, rgb(0, 0, 0) 0%, rgb(255, 0, 0) 20%, rgba(255, 255, 255, 0.5) 100%)");
  assert.deepEqual([radius, width, colour], ["16px", "3px", "rgb(255, 0, 0)"]);
  const block = await page.evaluate(() => [
    css(document.querySelector(".f-block-body"), "background-color"),
    css(document.querySelector(".f-block-body"), "border-top-width"),
    css(document.querySelector(".f-block-footer"), "border-top-color"),
    css(document.querySelector(".f-block-footer"), "border-top-width"),
  ]);
  assert.deepEqual(block, ["rgb(17, 34, 51)", "0px", "rgb(171, 205, 239)", "1px"]);
});

test("text has size, weight, style, colour, decoration and side; spans have their own", async () => {
  await show(flex.paint);
  const names = ["font-size", "font-weight", "font-style", "color", "text-decoration-line", "text-align"];
  assert.deepEqual(await styles([1, 0], ...names), ["29px", "700", "italic", "rgb(1, 2, 3)", "underline", "end"]);
  assert.deepEqual(await styles([2, 0, 1], ...names.slice(0, 5)), [
    "74px",
    "700",
    "normal",
    "rgb(255, 0, 0)",
    "line-through",
  ]);
  assert.deepEqual(await styles([2, 0, 0], "font-size", "font-weight"), ["16px", "400"]);
});

test("text is cut, wraps, ends after maxLines, spreads its lines, shrinks and scales", async () => {
  await show(flex.words);
  await page.waitForFunction(() => at(5, 0).style.fontSize !== "" && at(5, 0).style.fontSize !== "1em");
  const h = (await boxes([0], [1], [2], [3], [4])).map((b) => b.height);
  assert.ok(near(h[0], 22.4) && h[1] > 60 && near(h[2], 44.8) && near(h[3], 67.2), h);
  // Two gaps between three lines, nothing above and below.
  assert.ok(near(h[4], h[3] + 40), h);
  assert.deepEqual(await styles([0, 0], "text-overflow"), ["ellipsis"]);
  const fit = await page.evaluate(() => {
    const range = document.createRange();
    range.selectNodeContents(at(5, 0));
    return [range.getBoundingClientRect().width, box(at(5)).width, parseFloat(css(at(5, 0), "font-size"))];
  });
  assert.ok(fit[0] <= fit[1] && fit[0] > fit[1] * 0.9 && fit[2] < 22 && fit[2] > 11, String(fit));
  assert.deepEqual(await styles([6], "font-size"), ["20px"]);
  await page.evaluate(() => document.getElementById("stage").style.setProperty("--d-scale", "1.5"));
  assert.deepEqual([...(await styles([6], "font-size")), ...(await styles([0], "font-size"))], ["30px", "16px"]);
  await page.evaluate(() => document.getElementById("stage").style.removeProperty("--d-scale"));
});

test("gravity of text, images and buttons; justifyContent; alignItems", async () => {
  await show(flex.align);
  const rows = await page.evaluate(() => [0, 1, 2].map((i) => box(at(0, i, 0), at(0)).y));
  assert.ok(near(rows[0], 0) && near(rows[1], 50 - 11.2) && near(rows[2], 100 - 22.4), String(rows));
  const image = await page.evaluate(() => [box(at(0, 3, 0), at(0, 3)), box(at(0, 3))]);
  assert.ok(near(image[0].y, 80) && near(image[0].x, image[1].width - 20), JSON.stringify(image));
  assert.ok(near((await page.evaluate(() => box(at(0, 4, 0), at(0)))).y, 30));
  const spread = await page.evaluate(() => [
    box(at(1, 0), at(1)).x,
    box(at(1, 1), at(1)).x,
    box(at(2, 0), at(2)),
    box(at(2, 1), at(2)),
    box(at(3, 0), at(3)),
  ]);
  assert.ok(near(spread[0], 0) && near(spread[1], 260), String(spread));
  assert.ok(
    near(spread[2].x, 220 / 3) && near(spread[2].y, 20) && near(spread[3].x, 440 / 3 + 40) && near(spread[3].y, 15),
    JSON.stringify(spread),
  );
  assert.ok(near(spread[4].x + spread[4].width, 300) && spread[4].width < 60, JSON.stringify(spread[4]));
});

test("in a baseline box the icon stands on the line of the text", async () => {
  await show(flex.align);
  const [icon, bottom] = await page.evaluate(() => {
    const mark = document.createElement("span");
    mark.style.setProperty("display", "inline-block");
    at(4, 1, 0).append(mark);
    return [box(at(4, 0)), box(mark).y];
  });
  assert.ok(
    near(icon.width, 44) && near(icon.height, 22) && near(icon.y + icon.height, bottom, 1.5),
    JSON.stringify([icon, bottom]),
  );
});

test("images: width by size, height by ratio, no wider than their place", async () => {
  await show(flex.images);
  const hero = await page.evaluate(() => box(document.querySelector(".f-block-hero .f-area")));
  assert.ok(near(hero.width, 300) && near(hero.height, 195), JSON.stringify(hero));
  const [md, half, tall, squeezed] = await page.evaluate(() => [
    box(at(0, 0), at(0)),
    box(at(1, 0), at(1)),
    box(at(2, 0)),
    box(at(3, 0, 0)),
  ]);
  assert.ok(near(md.width, 100) && near(md.height, 100) && near(md.x, 100), JSON.stringify(md));
  assert.ok(near(half.width, 150) && near(half.height, 75) && near(half.x, 0), JSON.stringify(half));
  assert.ok(near(tall.width, 220) && near(tall.height, 660), JSON.stringify(tall));
  assert.ok(near(squeezed.width, 60) && near(squeezed.height, 60), JSON.stringify(squeezed));
  const paint = await page.evaluate(() => css(at(1, 0), "background-color"));
  assert.equal(paint, "rgb(0, 255, 0)");
  await page.locator(".d-placeholder").first().waitFor();
  assert.ok(
    near((await page.evaluate(() => box(document.querySelector(".f-block-hero .f-area")))).height, 195),
    "a picture that failed moved the layout",
  );
});

test("aspectMode: cover fills, fit shows all", async () => {
  const image = (aspectMode) => ({
    type: "image",
    url: "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' width='10' height='10'/>",
    aspectMode,
  });
  await show({
    type: "bubble",
    body: { type: "box", layout: "vertical", contents: [image("cover"), image("fit"), image()] },
  });
  assert.deepEqual(
    await page.locator(".f-image img").evaluateAll((all) => all.map((img) => getComputedStyle(img).objectFit)),
    ["cover", "contain", "contain"],
  );
});

test("right to left turns rows and sides around", async () => {
  await show(flex.rtl);
  const [first, second] = await page.evaluate(() => [box(at(0), at()), box(at(1), at())]);
  assert.ok(
    near(first.x + first.width, 270) && near(second.x + second.width, first.x - 10) && near(second.x, 0),
    JSON.stringify([first, second]),
  );
});

test("bubbles have their widths, and no more than there is", async () => {
  const body = { type: "box", layout: "vertical", contents: [{ type: "text", text: "x" }] };
  const widths = { nano: 120, micro: 160, deca: 220, hecto: 241, kilo: 260, mega: 300, giga: 386 };
  for (const [size, width] of Object.entries(widths)) {
    await show({ type: "bubble", size, body });
    assert.ok(near((await page.evaluate(() => box(document.querySelector(".f-bubble")))).width, width), size);
  }
  await show({ type: "bubble", size: "giga", body }, 280);
  assert.ok(near((await page.evaluate(() => box(document.querySelector(".f-bubble")))).width, 280));
});

test("a carousel scrolls; bodies grow to the tallest, bubbles without one stay", async () => {
  const words = (n) => ({
    type: "box",
    layout: "vertical",
    contents: Array.from({ length: n }, () => ({ type: "text", text: "x" })),
  });
  await show({
    type: "carousel",
    contents: [
      { type: "bubble", size: "kilo", body: words(1) },
      { type: "bubble", size: "kilo", body: words(6), footer: words(1) },
      { type: "bubble", size: "kilo", header: words(1) },
    ],
  });
  const [one, two, three] = await page.evaluate(() => [...document.querySelectorAll(".f-bubble")].map((b) => box(b)));
  assert.ok(
    near(one.height, two.height) && three.height < two.height / 2 && near(one.width, 260),
    JSON.stringify([one, two, three]),
  );
  assert.ok(
    near((await page.evaluate(() => box(document.querySelector(".f-block-body > .f-box")))).height, one.height),
  );
  assert.ok(await page.locator(".d-scroller").evaluate((node) => node.scrollWidth > node.clientWidth));
});

test("buttons: three looks, two heights, colour where the look has it", async () => {
  const button = (more) => ({ type: "button", action: { type: "message", label: "b", text: "b" }, ...more });
  await show({
    type: "bubble",
    body: {
      type: "box",
      layout: "vertical",
      contents: [
        button({}),
        button({ style: "primary" }),
        button({ style: "secondary", height: "sm" }),
        button({ style: "primary", color: "#123456" }),
        button({ color: "#123456" }),
      ],
    },
  });
  const got = await page
    .locator(".f-press")
    .evaluateAll((all) =>
      all.map((b) => [b.offsetHeight, getComputedStyle(b).backgroundColor, getComputedStyle(b).color]),
    );
  assert.deepEqual(
    got.map((b) => b[0]),
    [52, 52, 40, 52, 52],
  );
  assert.deepEqual(
    [got[3][1], got[3][2], got[4][2], got[0][1]],
    ["rgb(18, 52, 86)", "rgb(255, 255, 255)", "rgb(18, 52, 86)", "rgba(0, 0, 0, 0)"],
  );
  assert.notEqual(got[1][1], got[2][1]);
});

test("taps reach the innermost action: text, box, button, hero, and last the bubble", async () => {
  await show(flex.taps);
  await page.getByText("plain").click();
  await page.getByText("in a box").click();
  await page.getByText("text", { exact: true }).click();
  await page.getByRole("button", { name: "When?" }).click();
  await page.locator(".f-block-hero .f-image").click();
  await page.locator(".f-bubble").press("Enter");
  const seen = await page.evaluate(() =>
    told.map(({ action }) => action.text ?? action.data ?? action.clipboardText ?? action.label),
  );
  assert.deepEqual(seen, ["bubble", "box", "text", "d", "hero", "bubble"]);
});

test("a hero video has its ratio, its controls and its link", async () => {
  await show(flex.heroVideo);
  const film = await page.evaluate(() => box(document.querySelector("video")));
  assert.ok(near(film.width, 300) && near(film.height, 150), JSON.stringify(film));
  await page.getByText("More").click();
  assert.deepEqual(await page.evaluate(() => told.map((t) => t.action.uri)), ["https://example.com/"]);
});

test("the page had no error", () => assert.deepEqual(s.errors, []));
