// What the browser's tests share: a static server for scripts/emulator/page as strict as the emulator's, and a Chromium.

import { spawn } from "node:child_process";
import { createServer } from "node:http";
import { cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

const HERE = path.dirname(fileURLToPath(import.meta.url));
export const ROOT = path.resolve(HERE, "../..");
export const PAGE = path.join(ROOT, "scripts/emulator/page");
const BUILD = path.resolve(ROOT, process.env.BUILD || "build");

// npm puts it below build/, not into the tree.
const require = createRequire(path.join(BUILD, "browser/"));
const { chromium } = require("playwright-core");

export const POLICY =
  "default-src 'self'; img-src 'self' https: http: data: blob:; media-src 'self' https: http: data: blob:; " +
  "style-src 'self'; script-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'";

const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".json": "application/json",
  ".png": "image/png",
};

// Serves the page's folder, and what `extra` holds ("/x.html": [type, body]), on a port of the system's choice.
export async function serve(extra = {}) {
  const server = createServer(async (request, response) => {
    const where = decodeURIComponent(new URL(request.url, "http://x/").pathname);
    let type, body;
    try {
      if (Object.hasOwn(extra, where)) {
        [type, body] = extra[where];
      } else {
        const file = path.join(PAGE, path.normalize(where));
        type = TYPES[path.extname(file)] || "application/octet-stream";
        body = await readFile(file);
      }
    } catch {
      response.writeHead(404, { "content-type": "text/plain" }).end("none");
      return;
    }
    const length = Buffer.byteLength(body);
    // Chromium wants ranges before it calls a video seekable.
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
    const head = {
      "content-type": type,
      "content-security-policy": POLICY,
      "cache-control": "no-store",
      "accept-ranges": "bytes",
    };
    if (!range) return void response.writeHead(200, { ...head, "content-length": length }).end(body);
    const from = Number(range[1]),
      to = range[2] ? Number(range[2]) : length - 1;
    response.writeHead(206, {
      ...head,
      "content-range": `bytes ${from}-${to}/${length}`,
      "content-length": to - from + 1,
    });
    response.end(body.subarray(from, to + 1));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    address: `http://127.0.0.1:${server.address().port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  };
}

export const launch = () =>
  chromium.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    args: [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    ],
  });

// build/browser/shots/NAME.png, to be looked at.
export async function shoot(page, name, options = {}) {
  const folder = path.join(BUILD, "browser/shots");
  await mkdir(folder, { recursive: true });
  await page.screenshot({ path: path.join(folder, `${name}.png`), ...options });
}

// ---- moonline dev with a bot of its own ----

const READY = { page: /^moonline: page on (http:\/\/\S+)/m, bot: /^moonline: bot .*generation 1/m };

// Starts `moonline dev` with a copy of an example ("echo.lua"), of a bot of ours ("bots/page.lua"), or the Lua text given,
// and waits until it is ready.
// {address, file, save(text), get(path), post(path, body), output(), stop(), restart()}: the bot's file is a copy; save
// writes it as editors do. more: further arguments; port: where the page answers, of the system's choice unless given.
export async function dev(bot, { port = 0, more = [], world } = {}) {
  const folder = await mkdtemp(path.join(tmpdir(), "moonline-page-"));
  const file = path.join(folder, "bot.lua");
  if (/^bots\/[\w-]+\.lua$/.test(bot)) await cp(path.join(HERE, bot), file);
  else if (/^[\w-]+\.lua$/.test(bot)) await cp(path.join(ROOT, "examples", bot), file);
  else await writeFile(file, bot);
  if (world) {
    await writeFile(path.join(folder, "world.lua"), world);
    more = [...more, "--world", path.join(folder, "world.lua")];
  }
  const one = { file, address: "", child: null };
  let out = "";
  one.start = (at) =>
    new Promise((resolve, reject) => {
      out = "";
      const args = ["dev", file, "--page", `127.0.0.1:${at}`, "--listen", "127.0.0.1:0", ...more];
      if (process.env.SCRIPTS_DIR) args.push("--scripts-dir", process.env.SCRIPTS_DIR); // while one writes the page
      one.child = spawn(path.join(BUILD, "moonline"), args, { stdio: ["ignore", "pipe", "pipe"] });
      const late = setTimeout(() => reject(new Error(`moonline dev is not ready:\n${out}`)), 20000);
      const hear = (bytes) => {
        out += bytes;
        const page = READY.page.exec(out);
        if (!page || !READY.bot.test(out)) return;
        clearTimeout(late);
        one.address = page[1].replace(/\/$/, "");
        resolve();
      };
      one.child.stdout.on("data", hear);
      one.child.stderr.on("data", hear);
      one.child.once("exit", (code) => reject(new Error(`moonline dev ended (${code}):\n${out}`)));
    });
  one.halt = () =>
    new Promise((resolve) => {
      if (one.child.exitCode !== null || one.child.signalCode) return void resolve();
      one.child.once("exit", resolve);
      one.child.kill("SIGTERM");
    });
  one.stop = async () => {
    await one.halt();
    await rm(folder, { recursive: true, force: true });
  };
  one.restart = async () => {
    const { port: same } = new URL(one.address);
    await one.halt();
    await one.start(Number(same));
  };
  one.save = async (text) => {
    await writeFile(`${file}.new`, text);
    await rename(`${file}.new`, file);
  };
  const ask = async (where, options) => {
    const answer = await fetch(`${one.address}/_/${where}`, options);
    const body = await answer.text();
    if (!answer.ok) throw new Error(`${where}: ${answer.status} ${body}`);
    return JSON.parse(body);
  };
  one.get = (where) => ask(where);
  one.post = (where, body = {}) => ask(where, { method: "POST", body: JSON.stringify(body) });
  one.output = () => out;
  await one.start(port);
  return one;
}

// The page of a moonline in a context of its own: {page, context, errors, close}. errors: whatever a person would find in
// the console, and dialogs of the browser's. options: of the context, as Playwright has them.
const SCREEN = { width: 1280, height: 800 };

export async function visit(browser, address, options = {}) {
  const context = await browser.newContext({ viewport: SCREEN, permissions: ["clipboard-read", "clipboard-write"], ...options });
  context.setDefaultTimeout(8000);
  const page = await context.newPage();
  const errors = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("dialog", (box) => {
    errors.push(`dialog: ${box.message()}`);
    box.dismiss();
  });
  page.on("console", (message) => {
    // Pictures of other hosts do not come here: the browser is let to this machine only.
    if (["error", "warning"].includes(message.type()) && !/ERR_NAME_NOT_RESOLVED/.test(message.text()))
      errors.push(`${message.text()} ${message.location().url}`);
  });
  // The page anew, as if nobody had been here: that is quicker than another context.
  const fresh = async () => {
    await page.evaluate(() => sessionStorage.clear()).catch(() => {});
    await page.setViewportSize(options.viewport ?? SCREEN);
    await page.goto(address);
    await page.waitForSelector("body[data-ready]");
    errors.length = 0;
  };
  await fresh();
  return { page, context, errors, fresh, close: () => context.close() };
}

// What a person does in one conversation of the page.
export function pane(page, key) {
  const node = page.locator(`.pane[data-chat="${key}"]`);
  const input = node.getByRole("textbox", { name: "Message" });
  const entry = (text) =>
    node
      .locator(".entry")
      .filter({ has: page.getByText(text, { exact: true }) })
      .last();
  return {
    node,
    input,
    say: async (text) => {
      await input.fill(text);
      await input.press("Enter");
    },
    // Waits until the newest message that the bot has sent says this.
    bot: (text) =>
      page.waitForFunction(
        ([chat, wanted]) => {
          const all = document.querySelectorAll(`.pane[data-chat="${chat}"] .entry.bot .d-words`);
          return all.length > 0 && all[all.length - 1].textContent === wanted;
        },
        [key, text],
        { timeout: 8000 },
      ),
    more: async (text, item) => {
      await entry(text).hover();
      await entry(text).getByRole("button", { name: "More about this message" }).click();
      await page.getByRole("menuitem", { name: item }).click();
    },
    menu: async (item) => {
      await node
        .locator(".pane-head")
        .getByRole("button", { name: /^What .* can do$/ })
        .click();
      await page.getByRole("menuitem", { name: item }).click();
    },
    // Whether the newest message is in sight, at the latest when what has just come is laid out.
    atEnd: () =>
      page
        .waitForFunction(
          (chat) => {
            const h = document.querySelector(`.pane[data-chat="${chat}"] .history`);
            return h.scrollHeight - h.scrollTop - h.clientHeight < 3;
          },
          key,
          { timeout: 2000 },
        )
        .then(
          () => true,
          () => false,
        ),
  };
}
