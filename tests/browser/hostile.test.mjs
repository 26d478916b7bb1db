// Messages that try to become code, styles, links or a page of their own; and messages that are broken.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { messages, stage } from "./stage.mjs";

let s, page;
const asked = [];
before(async () => {
  s = await stage();
  page = s.page;
  page.on("request", (request) => asked.push(request.url()));
});
after(() => s.close());

// What is in the stage that should never be there.
const intruders = () =>
  page.evaluate(() => {
    const bad = [];
    const tags = [
      "DIV",
      "SPAN",
      "A",
      "IMG",
      "BUTTON",
      "VIDEO",
      "AUDIO",
      "DETAILS",
      "SUMMARY",
      "PRE",
      "svg",
      "path",
      "circle",
      "rect",
      "ellipse",
    ];
    for (const node of document.querySelectorAll("#stage *")) {
      if (!tags.includes(node.tagName)) bad.push(node.tagName);
      for (const { name, value } of node.attributes) {
        if (name.startsWith("on") || name === "srcdoc") bad.push(`${node.tagName} ${name}`);
        if (name === "srcset" && !value.split(", ").every((one) => /^https?:\S+ (240|300|460|700|1040)w$/.test(one)))
          bad.push(`srcset ${value}`);
        if (name === "style" && /url\(|expression|position|;\s*\*|javascript/i.test(value)) bad.push(`style ${value}`);
        if (["href", "src", "poster"].includes(name) && !/^(https?:|line:|data:image\/|tel:)/.test(value))
          bad.push(`${name} ${value}`);
      }
      if (node.href && (node.target !== "_blank" || !node.rel.includes("noopener")) && !node.hasAttribute("download"))
        bad.push("a link without noopener");
    }
    return bad;
  });

const pressAll = () =>
  page.evaluate(() => {
    for (const node of document.querySelectorAll("#stage [role=button], #stage button")) {
      node.click();
      node.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true }));
    }
  });

test("every hostile message is drawn, and none becomes more than words", async () => {
  // A link that is followed would leave the page.
  await page.evaluate((all) => {
    for (const message of all)
      for (const more of [
        {},
        { own: true, quoted: { name: "<img src=x onerror=hack()>", message } },
        { memberName: () => "<script>hack()</script>" },
      ])
        document.getElementById("stage").append(draw.drawMessage(message, context(more)));
  }, messages.hostile);
  assert.equal(await page.locator("#stage > .d").count(), messages.hostile.length * 3);
  assert.deepEqual(await intruders(), []);
  await pressAll();
  await page.waitForTimeout(200);
  assert.equal(await page.evaluate(() => window.hacked), undefined);
  assert.deepEqual(await page.evaluate(() => violations), []);
  assert.deepEqual(s.errors, []);
});

test("nothing is drawn outside of its message", async () => {
  // A bot's box of 4000 pixels at -4000 must not lie over the page's own controls.
  const over = await page.evaluate((all) => {
    const out = [];
    for (const message of all) {
      const node = show(message);
      node.style.setProperty("content-visibility", "visible");
      const b = node.getBoundingClientRect();
      if (b.width > 420.5 || b.x < 19.5) out.push([JSON.stringify(message).slice(0, 90), b.x, b.width]);
      if (document.documentElement.scrollWidth > innerWidth)
        out.push([JSON.stringify(message).slice(0, 90), "scrolls the page", document.documentElement.scrollWidth]);
      for (const [x, y] of [
        [3, 3],
        [800, 20],
        [800, 300],
        [10, 200],
        [460, 30],
      ])
        if (document.elementFromPoint(x, y)?.closest(".d"))
          out.push([JSON.stringify(message).slice(0, 90), "lies at", x, y]);
    }
    return out;
  }, messages.hostile);
  assert.deepEqual(over, []);
});

test("only pictures, videos and sounds at http, https and data: were asked for", () => {
  for (const url of asked) assert.match(url, /^(http:\/\/127\.0\.0\.1:\d+\/|https?:\/\/|data:image\/)/);
  assert.ok(!asked.some((url) => /evil\.example/.test(url) && !/^https?:/.test(url)));
});

test("actions with addresses that are no links are told, for the page to check, and linkAddress refuses them", async () => {
  const refused = await page.evaluate(() =>
    [
      "javascript:hack()",
      " javascript:hack()",
      "java\nscript:hack()",
      "JAVASCRIPT:hack()",
      "data:text/html,x",
      "file:///etc/passwd",
      "vbscript:x",
      "blob:x",
      "about:blank",
      "",
      null,
      7,
      {},
      "//evil.example",
      "https://",
      "intent://x#Intent;end",
      "filesystem:http://x/",
    ]
      .map((uri) => draw.linkAddress(uri))
      .filter((x) => x !== null),
  );
  assert.deepEqual(refused, []);
  const taken = await page.evaluate(() =>
    ["https://example.com/a b", "http://x/", "tel:0312345678", "line://ti/p/x", "line:ti"].map((uri) =>
      draw.linkAddress(uri),
    ),
  );
  assert.ok(
    taken.every((uri) => typeof uri === "string"),
    String(taken),
  );
});

test("quick replies, rich menus and the picker take anything, too", async () => {
  await page.evaluate((all) => {
    const stage = document.getElementById("stage");
    stage.replaceChildren();
    const odd = [
      ...all,
      { items: all },
      {
        items: [
          { action: all[0] },
          null,
          { imageUrl: "javascript:hack()", action: { type: "message", label: "<b>x</b>" } },
        ],
      },
      {
        size: { width: "100%", height: -1 },
        areas: [null, { bounds: { x: 0, y: 0, width: 1, height: 1 }, action: { type: "<b>" } }, { bounds: "x" }],
      },
    ];
    for (const one of odd) {
      stage.append(
        draw.drawQuickReply(one, context()),
        draw.drawRichMenu(one, one, context()),
        draw.drawRichMenu(one, "javascript:hack()"),
      );
    }
    stage.append(draw.drawMessage({ type: "text", text: "x" }, null), draw.drawMessage({ type: "text", text: "x" }));
  }, messages.hostile);
  assert.deepEqual(await intruders(), []);
  await pressAll();
  for (const action of [
    null,
    7,
    { mode: "__proto__", label: "<script>hack()</script>", initial: {}, min: "x", max: 5 },
  ]) {
    await page.evaluate((a) => {
      window.asked = draw.askDateTime(a);
    }, action);
    assert.equal(await page.locator("dialog script, dialog b").count(), 0);
    await page.keyboard.press("Escape");
    assert.equal(await page.evaluate(() => window.asked), null);
  }
  assert.equal(await page.evaluate(() => window.hacked), undefined);
});

test("a context that throws, or that gives hostile addresses, costs its part only", async () => {
  await page.evaluate((good) => {
    const stage = document.getElementById("stage");
    stage.replaceChildren();
    const bad = () => {
      throw new Error("context");
    };
    for (const message of Object.values(good)) {
      stage.append(
        draw.drawMessage(message, { mediaUrl: bad, memberName: bad, emojiUrl: bad, coupon: bad, formatTime: bad }),
      );
      stage.append(
        draw.drawMessage(message, {
          mediaUrl: () => "javascript:hack()",
          memberName: () => ({}),
          emojiUrl: () => "javascript:hack()",
          coupon: () => ({ imageUrl: "javascript:x", title: {} }),
        }),
      );
    }
  }, messages.good);
  assert.deepEqual(await intruders(), []);
  assert.equal(await page.locator("#stage > .d").count(), Object.keys(messages.good).length * 2);
  assert.equal(await page.evaluate(() => window.hacked), undefined);
});

test("deep, wide and long messages end somewhere", async () => {
  const ms = await page.evaluate(() => {
    let deep = { type: "text", text: "bottom" };
    for (let i = 0; i < 3000; i++) deep = { type: "box", layout: "vertical", contents: [deep] };
    const wide = {
      type: "box",
      layout: "horizontal",
      contents: Array.from({ length: 50000 }, () => ({ type: "text", text: "x" })),
    };
    const begun = performance.now();
    for (const body of [deep, wide]) {
      const node = show({ type: "flex", contents: { type: "bubble", body } });
      if (
        !node.offsetHeight ||
        !node.textContent.includes("too much to draw") ||
        node.querySelectorAll("*").length > 300000
      )
        return 1e9;
    }
    show({ type: "text", text: "https://".repeat(200000) }).offsetHeight;
    show({ type: "text", text: "(".repeat(300000) + ")".repeat(300000) }).offsetHeight;
    show({ type: "text", text: "https://x/" + ")".repeat(100000) }).offsetHeight;
    show({ type: "textV2", text: "{a}".repeat(300000), substitution: { a: { type: "emoji" } } }).offsetHeight;
    return performance.now() - begun;
  });
  assert.ok(ms < 8000, `${ms} ms`);
  const cyclic = await page.evaluate(() => {
    const message = { type: "loop" };
    message.self = message;
    return show(message).textContent;
  });
  assert.match(cyclic, /loop/);
});

test("the page had no error", () => assert.deepEqual(s.errors, []));
