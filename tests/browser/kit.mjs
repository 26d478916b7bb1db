// What the browser's tests share: a static server for scripts/emulator/page as strict as the emulator's, and a Chromium.

import { createServer } from "node:http";
import { readFile, mkdir } from "node:fs/promises";
import { createRequire } from "node:module";
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
