// A bare page with the drawing modules in it, for tests that look at what is drawn: stage().

import { readFile } from "node:fs/promises";
import path from "node:path";
import { ROOT, launch, serve } from "./kit.mjs";

export const messages = JSON.parse(await readFile(path.join(ROOT, "tests/browser/messages.json"), "utf8"));

const HTML = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>stage</title><link rel="icon" href="data:,">
<link rel="stylesheet" href="/draw/draw.css"><link rel="stylesheet" href="/stage.css"><script type="module" src="/stage.js"></script></head>
<body><div id="stage"></div></body></html>`;

const CSS = "body { margin: 20px; } #stage { width: 420px; }";

// Runs in the page. show(message) draws into the emptied stage; told are the actions that came.
const JS = `
import * as draw from "/draw/index.js";
window.draw = draw;
window.told = [];
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => violations.push(event.violatedDirective + " " + event.blockedURI));
window.hack = () => { window.hacked = true; };
window.context = (more = {}) => ({ onAction: (action, { element }) => told.push({ action, tag: element.tagName }),
  memberName: (id) => ({ U1: "Aki", U2: "Bot" })[id], ...more });
window.show = (message, more) => {
  told.length = 0;
  const node = draw.drawMessage(message, context(more));
  document.getElementById("stage").replaceChildren(node);
  return node;
};
// Rectangle relative to another element's.
window.box = (node, of = document.getElementById("stage")) => {
  const a = node.getBoundingClientRect(), b = of.getBoundingClientRect();
  return { x: a.x - b.x, y: a.y - b.y, width: a.width, height: a.height };
};
window.css = (node, name) => getComputedStyle(node).getPropertyValue(name);
// The parts of a box of Flex by their order: at(1, 0) is the first part of the second part of the body's box.
window.at = (...path) => path.reduce((node, i) => node.children[i], document.querySelector(".f-block-body > .f-box"));
window.ready = true;
`;

// {page, browser, server, errors, close}: errors are the page's own, dialogs and console errors but for what does not load.
export async function stage() {
  const server = await serve({
    "/stage.html": ["text/html; charset=utf-8", HTML],
    "/stage.css": ["text/css", CSS],
    "/stage.js": ["text/javascript", JS],
    "/clip.wav": ["audio/wav", wav()],
  });
  const browser = await launch();
  const page = await browser.newPage({ viewport: { width: 900, height: 800 } });
  const errors = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("dialog", (dialog) => {
    errors.push("dialog: " + dialog.message());
    dialog.dismiss();
  });
  page.on("console", (message) => {
    if (message.type() === "error" && !/Failed to load resource/.test(message.text())) errors.push(message.text());
  });
  await page.goto(server.address + "/stage.html");
  await page.waitForFunction("window.ready === true");
  return {
    page,
    browser,
    server,
    errors,
    close: async () => {
      await browser.close();
      await server.close();
    },
  };
}

// A fifth of a second of silence: something that really plays to its end, in any browser.
export function wav() {
  const samples = 1600,
    data = Buffer.alloc(44 + samples, 128);
  data.write("RIFF", 0);
  data.writeUInt32LE(36 + samples, 4);
  data.write("WAVEfmt ", 8);
  data.writeUInt32LE(16, 16);
  data.writeUInt16LE(1, 20);
  data.writeUInt16LE(1, 22);
  data.writeUInt32LE(8000, 24);
  data.writeUInt32LE(8000, 28);
  data.writeUInt16LE(1, 32);
  data.writeUInt16LE(8, 34);
  data.write("data", 36);
  data.writeUInt32LE(samples, 40);
  return data;
}

export const near = (got, wanted, slack = 1) => Math.abs(got - wanted) <= slack;
