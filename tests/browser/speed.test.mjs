// A chat of 5,000 messages: drawn at once, added to, scrolled.
// runner: alone

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { shoot } from "./kit.mjs";
import { messages, stage } from "./stage.mjs";

let s, page;
before(async () => {
  s = await stage();
  page = s.page;
});
after(() => s.close());

// Most of a real chat is text; the rest is everything else in turn.
const fill = (count) =>
  page.evaluate(
    async ([good, flexes, n]) => {
      const others = [
        ...Object.values(good).filter((m) => m.type !== "text"),
        ...Object.values(flexes).map((contents) => ({ type: "flex", altText: "x", contents })),
      ];
      const chat = document.createElement("div");
      chat.id = "chat";
      chat.style.setProperty("height", "700px");
      chat.style.setProperty("overflow-y", "auto");
      document.getElementById("stage").replaceChildren(chat);
      window.added = (i) => {
        const message =
          i % 4 === 0
            ? others[(i / 4) % others.length]
            : { type: "text", text: `Message ${i}: see https://example.com/${i} for more` };
        const row = document.createElement("div");
        row.append(draw.drawMessage(message, context()));
        chat.append(row);
      };
      const begun = performance.now();
      for (let i = 0; i < n; i++) window.added(i);
      const drawn = performance.now();
      chat.scrollTop = chat.scrollHeight;
      await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
      return { draw: drawn - begun, layout: performance.now() - drawn, elements: chat.querySelectorAll("*").length };
    },
    [messages.good, messages.flex, count],
  );

test("5,000 messages are drawn and laid out in good time", async (t) => {
  const took = await fill(5000);
  t.diagnostic(`draw ${took.draw.toFixed(0)} ms, first layout ${took.layout.toFixed(0)} ms, ${took.elements} elements`);
  await shoot(page, "chat");
  assert.ok(took.draw + took.layout < 10000, JSON.stringify(took));
});

test("one more message at the end of 5,000 costs no more than a frame or two", async (t) => {
  const times = await page.evaluate(async () => {
    const chat = document.getElementById("chat"),
      out = [];
    for (let i = 0; i < 30; i++) {
      const begun = performance.now();
      window.added(5001 + i * 4);
      chat.scrollTop = chat.scrollHeight;
      out.push(performance.now() - begun);
      await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
    }
    return out.sort((a, b) => a - b);
  });
  t.diagnostic(`median ${times[15].toFixed(1)} ms, worst ${times[29].toFixed(1)} ms`);
  assert.ok(times[15] < 50, `median ${times[15]} ms`);
});

test("no listener belongs to a message", async () => {
  const listeners = await page.evaluate(() => {
    let count = 0;
    const original = EventTarget.prototype.addEventListener;
    EventTarget.prototype.addEventListener = function (...rest) {
      count++;
      return original.apply(this, rest);
    };
    for (let i = 0; i < 200; i++) window.added(i);
    EventTarget.prototype.addEventListener = original;
    return count;
  });
  assert.equal(listeners, 0);
});
