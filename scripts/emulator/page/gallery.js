// The gallery: every specimen drawn, with its JSON. A help for those who write messages, and a page for the tests.

import { askDateTime, drawMessage, drawQuickReply, drawRichMenu } from "./draw/index.js";
import { specimens } from "./draw/specimens.js";

// The specimens' addresses belong to nobody; "name-600x400.png" is drawn here as a picture of that size.
const PICTURE = /^https:\/\/example\.com\/([a-z]+)-(\d+)x(\d+)\.png$/;

function picture(name, width, height) {
  let hue = 0;
  for (const letter of name) hue = (hue * 7 + letter.charCodeAt(0) * 11) % 360;
  const [w, h] = [Number(width), Number(height)];
  const attributes = `xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${w} ${h}" width="${w}" height="${h}"`;
  const shapes = name === "star" || name === "moon" ? star(name) : scene(name, hue, w, h);
  return "data:image/svg+xml," + encodeURIComponent(`<svg ${attributes}>${shapes}</svg>`);
}

const star = (name) =>
  `<path d="M20 2l5 12 13 1-10 9 3 13-11-7-11 7 3-13L2 15l13-1z" fill="${name === "star" ? "#f5b301" : "#cccccc"}"/>`;

const scene = (name, hue, w, h) => `<rect width="${w}" height="${h}" fill="hsl(${hue} 60% 75%)"/>
<circle cx="${w * 0.76}" cy="${h * 0.28}" r="${h * 0.13}" fill="#fff3c4"/>
<path d="M0 ${h}L${w * 0.3} ${h * 0.4}L${w * 0.52} ${h * 0.8}L${w * 0.7} ${h * 0.55}L${w} ${h}z" fill="hsl(${hue} 35% 45%)"/>
<text x="${w / 2}" y="${h * 0.93}" font-size="${Math.min(w, h) * 0.12}" text-anchor="middle" font-family="sans-serif"
 fill="#ffffff">${name}</text>`;

// The same message with addresses that show something.
function shown(value) {
  if (typeof value === "string") {
    const hit = PICTURE.exec(value);
    return hit ? picture(hit[1], hit[2], hit[3]) : value;
  }
  if (Array.isArray(value)) return value.map(shown);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, shown(inner)]));
}

const told = document.getElementById("told");

function context(specimen) {
  return {
    own: specimen.user === true,
    quoted: specimen.quoted ?? null,
    memberName: (id) => (id.endsWith("995") ? "Aki" : "Bakery"),
    coupon: () => ({
      title: "10 % off all bread",
      description: "One for each customer",
      imageUrl: picture("bread", 600, 400),
      until: Date.UTC(2026, 5, 30),
    }),
    formatTime: (ms) => new Date(ms).toLocaleDateString(),
    async onAction(action) {
      told.textContent = JSON.stringify(action);
      if (action.type !== "datetimepicker") return;
      const picked = await askDateTime(action);
      told.textContent = picked === null ? "nothing picked" : `${JSON.stringify(action)} picked ${picked}`;
    },
  };
}

function drawn(specimen) {
  const with_ = context(specimen);
  if (specimen.quickReply) return drawQuickReply(shown(specimen.quickReply), with_);
  if (specimen.richMenu) return drawRichMenu(shown(specimen.richMenu), shown(specimen.imageUrl), with_);
  const message = shown(specimen.message);
  // An imagemap adds a width to its address, which a drawn picture does not need.
  if (message.type === "imagemap") message.baseUrl += "#";
  return drawMessage(message, with_);
}

function card(specimen) {
  const section = document.createElement("section");
  const title = document.createElement("h2");
  title.textContent = specimen.name;
  const chat = document.createElement("div");
  chat.className = specimen.user ? "chat mine" : "chat";
  chat.append(drawn(specimen));
  const details = document.createElement("details");
  const summary = document.createElement("summary");
  summary.textContent = "JSON";
  const json = document.createElement("pre");
  json.textContent = JSON.stringify(specimen.message ?? specimen.quickReply ?? specimen.richMenu, null, 2);
  const copy = document.createElement("button");
  copy.type = "button";
  copy.textContent = "Copy";
  copy.addEventListener("click", () =>
    navigator.clipboard.writeText(json.textContent).then(
      () => {
        told.textContent = "copied";
      },
      () => {
        told.textContent = "the browser does not let this page copy";
      },
    ),
  );
  details.append(summary, copy, json);
  section.append(title, chat, details);
  section.dataset.words = `${specimen.name} ${json.textContent}`.toLowerCase();
  return section;
}

const gallery = document.getElementById("gallery");
gallery.append(...specimens.map(card));

document.getElementById("theme").addEventListener("change", (event) => {
  if (event.target.value) document.documentElement.dataset.theme = event.target.value;
  else delete document.documentElement.dataset.theme;
});
document
  .getElementById("scale")
  .addEventListener("change", (event) => gallery.style.setProperty("--d-scale", event.target.value));
document.getElementById("find").addEventListener("input", (event) => {
  const wanted = event.target.value.trim().toLowerCase();
  for (const section of gallery.children) section.hidden = !section.dataset.words.includes(wanted);
});
