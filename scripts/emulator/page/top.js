// The bar at the top: which bot, its generation, the emulator's clock, and the doors to everything else.

import { post } from "./api.js";
import { clockDialog } from "./clock.js";
import { faultsDialog } from "./faults.js";
import { model, now, on, tell } from "./model.js";
import { button, el, menu, took } from "./ui.js";
import { channelDialog, worldMenu } from "./world.js";

const THEMES = [["", "as the system"], ["light", "light"], ["dark", "dark"]];

function setTheme(name) {
  if (name) document.documentElement.dataset.theme = name;
  else delete document.documentElement.dataset.theme;
  localStorage.setItem("theme", name);
}

export function showTop(root) {
  setTheme(localStorage.getItem("theme") ?? "");
  const bot = el("strong", "bot-name");
  const generation = button("", "chip", () => tell("inspect", { generation: true }), { title: "The newest generation of the bot's code" });
  const quota = el("span", "quota");
  const clock = button("", "chip clock", () => clockDialog(), { title: "The emulator's clock" });
  const faults = button("Faults", "chip", () => faultsDialog());
  const world = button("World", "chip", () => menu(world, worldMenu()), { "aria-haspopup": "menu" });
  const theme = button("◐", "round", () => menu(theme, THEMES.map(([name, label]) => ({ label, run: () => setTheme(name) }))), { "aria-label": "Light or dark", "aria-haspopup": "menu" });
  const replay = el("input", "");
  replay.type = "checkbox";
  replay.id = "replay";
  replay.checked = sessionStorage.getItem("replay") === "yes";
  replay.addEventListener("change", () => sessionStorage.setItem("replay", replay.checked ? "yes" : "no"));
  const replayLabel = el("label", "check replay", replay, el("span", "", "replay after each save"));
  replayLabel.title = "After each save, the last thing you sent is sent again";
  const inspect = button("What happened", "chip only-narrow", () => document.body.classList.toggle("inspecting"));
  const list = button("Chats", "chip only-narrow", () => document.body.classList.toggle("listing"));
  const gone = el("span", "gone", "not connected");
  root.append(el("span", "mark"), el("span", "word", "moonline"), list, bot, generation, gone, el("span", "space"), replayLabel, quota, faults, clock, world, theme, inspect);

  const draw = () => {
    const channel = model.world.channels[0];
    bot.replaceChildren(channel ? button(channel.name, "link", () => channelDialog(channel), { title: "The channel: secret, token, webhook, quota" }) : "");
    quota.textContent = channel?.quota?.type === "limited" ? `${channel.quota.used} of ${channel.quota.value} this month` : "";
    const active = model.world.faults.length;
    faults.textContent = active ? `Faults (${active})` : "Faults";
    faults.classList.toggle("bad", active > 0);
    const g = model.generation;
    generation.hidden = !g;
    if (g) {
      generation.textContent = g.what === "refused" ? `generation ${g.number} does not load` : `generation ${g.number}, ${took(g.ms)}`;
      generation.classList.toggle("bad", g.what === "refused");
    }
    gone.hidden = model.connected;
  };
  const tick = () => {
    const t = new Date(model.world.clock.mode === "virtual" ? model.world.clock.now : now());
    clock.textContent = t.toLocaleTimeString();
    clock.classList.toggle("still", model.world.clock.mode === "virtual");
  };
  setInterval(tick, 1000);
  for (const kind of ["world", "news", "connected"]) on(kind, draw);
  on("world", tick);
  on("connected", draw);
  draw();
  tick();
}

// After a save, for the switch above: the newest event that a person caused is sent once more.
export function replayLast() {
  if (!document.getElementById("replay")?.checked) return;
  const last = model.happened.findLast((item) => item.kind === "event" && !item.again);
  if (last) post(`events/${last.id ?? last.event}/again`).catch(() => {});
}
