// From the key that sends a message to the bot's answer drawn on the page: node tests/bench/page.mjs [times]. Prints one
// line, milliseconds a message, in their order. Drawn means that the frame with the answer in it has been made.

import { dev, launch, pane, visit } from "../browser/kit.mjs";

const times = Number(process.argv[2] ?? 50);
const AIKO = "2000000001:U0000000000000000000000000000a001";
const FIRST = 5; // the first ones warm up and do not count

const [bot, browser] = await Promise.all([dev("echo.lua"), launch()]);
try {
  const { page } = await visit(browser, bot.address);
  const p = pane(page, AIKO);
  await p.input.waitFor();
  await page.evaluate((chat) => {
    let pressed = 0;
    window.measured = [];
    document.addEventListener(
      "keydown",
      (event) => {
        if (event.key === "Enter") pressed = performance.now();
      },
      { capture: true },
    );
    const list = document.querySelector(`.pane[data-chat="${chat}"] .entries`);
    new MutationObserver((changes) => {
      if (!changes.some((c) => [...c.addedNodes].some((n) => n.classList?.contains("bot")))) return;
      const began = pressed;
      // Behind the next frame: what was added is on the screen then.
      requestAnimationFrame(() => {
        const channel = new MessageChannel();
        channel.port1.onmessage = () => window.measured.push(performance.now() - began);
        channel.port2.postMessage(0);
      });
    }).observe(list, { childList: true });
  }, AIKO);
  for (let i = 0; i < times + FIRST; i++) {
    await p.input.fill(`message ${i}`);
    await p.input.press("Enter");
    await page.waitForFunction((n) => window.measured.length > n, i);
  }
  const took = await page.evaluate(() => window.measured);
  console.log(
    took
      .slice(FIRST)
      .map((ms) => ms.toFixed(2))
      .join(" "),
  );
} finally {
  await browser.close();
  await bot.stop();
}
