// The bar at the top: which bot, its generation, the emulator's clock, and the doors to everything else.

import { post } from "./api.js";
import { clockDialog } from "./clock.js";
import { faultsDialog } from "./faults.js";
import { model, now, on, tell } from "./model.js";
import { attempt, button, el, menu, note, took } from "./ui.js";
import { channelDialog, worldMenu } from "./world.js";

const THEMES = [
  ["", "As the system"],
  ["light", "Light"],
  ["dark", "Dark"],
];

function setTheme(name) {
  if (name) document.documentElement.dataset.theme = name;
  else delete document.documentElement.dataset.theme;
  localStorage.setItem("theme", name);
}

const flip = (name, other) => {
  document.body.classList.remove(other);
  return document.body.classList.toggle(name);
};

// Events that a person caused and the bot could answer: what the switch sends again after each save.
const answerable = (item) => item.kind === "event" && item.event?.replyToken;

let replays = sessionStorage.getItem("replay") === "yes";

function setReplay(value) {
  replays = value;
  sessionStorage.setItem("replay", value ? "yes" : "no");
}

export function replayLast() {
  const last = replays && model.happened.findLast(answerable);
  if (last) attempt(() => post(`events/${last.id}/again`));
}

const worldItems = () => (model.world.live ? [] : worldMenu());

export function showTop(root) {
  setTheme(localStorage.getItem("theme") ?? "");
  const bot = button("", "link bot-name", () => channelDialog(model.world.channels[0]), {
    title: "The channel: secret, token, webhook, quota",
  });
  const live = el("span", "tag live", "live: this page looks on");
  const generation = button("", "chip", () => tell("inspect", { generation: true }), {
    title: "The newest generation of the bot's code",
  });
  const quota = el("span", "quota");
  const clock = button("", "chip clock", () => clockDialog(), { title: "The emulator's clock" });
  const faults = button("Faults", "chip", () => faultsDialog(), { title: "Failures on demand" });
  const world = button("World", "chip", () => menu(world, worldItems()), { "aria-haspopup": "menu" });
  const themes = () =>
    THEMES.map(([name, label]) => ({
      label,
      hint: (document.documentElement.dataset.theme ?? "") === name ? "✓" : "",
      run: () => setTheme(name),
    }));
  const theme = button("◐", "round", () => menu(theme, themes()), { "aria-label": "Light or dark", "aria-haspopup": "menu" });
  const replay = el("input", "");
  replay.type = "checkbox";
  replay.id = "replay";
  replay.checked = replays;
  replay.addEventListener("change", () => setReplay(replay.checked));
  const replayLabel = el("label", "check replay acts", replay, el("span", "", "replay after each save"));
  replayLabel.title = "After each save, the last thing you sent is sent again";
  const toggleReplay = () => {
    setReplay(!replays);
    replay.checked = replays;
    note(replays ? "Each save sends your last message again" : "Saves send nothing");
  };
  // What has no room in a narrow window.
  const rest = button(
    "⋯",
    "round only-narrow",
    () =>
      menu(rest, [
        ...(model.world.live
          ? []
          : [
              { label: "Replay after each save", hint: replays ? "on" : "off", run: toggleReplay },
              { label: "Faults …", hint: activeFaults() || "", run: faultsDialog },
              { label: "Clock …", run: clockDialog },
              null,
            ]),
        ...worldItems(),
        ...(model.world.live ? [] : [null]),
        ...themes(),
      ]),
    { "aria-label": "More", "aria-haspopup": "menu" },
  );
  const inspect = button("", "chip only-overlay", () => flip("inspecting", "listing"), { "aria-label": "What happened" });
  inspect.append(el("span", "only-wide", "What happened"), el("span", "only-narrow", "Log"));
  const list = button("☰", "round only-narrow", () => flip("listing", "inspecting"), { "aria-label": "Conversations" });
  const gone = el("span", "gone", "not connected");
  gone.setAttribute("role", "status");
  for (const node of [quota, clock, faults, world]) node.classList.add("acts");
  for (const node of [clock, faults, world, theme, replayLabel, quota]) node.classList.add("only-wide");
  root.append(
    list,
    el("span", "mark"),
    el("span", "word only-wide", "moonline"),
    bot,
    live,
    generation,
    gone,
    el("span", "space"),
    replayLabel,
    quota,
    faults,
    clock,
    world,
    theme,
    rest,
    inspect,
  );

  const activeFaults = () => model.world.faults.filter((f) => !f.over).length;
  const draw = () => {
    const channel = model.world.channels[0];
    bot.hidden = !channel;
    bot.textContent = channel?.name ?? "";
    bot.disabled = model.world.live;
    live.hidden = !model.world.live;
    document.body.classList.toggle("live", Boolean(model.world.live));
    quota.textContent = channel?.quota?.type === "limited" ? `${channel.quota.used} of ${channel.quota.value} this month` : "";
    const active = activeFaults();
    faults.textContent = active ? `Faults (${active})` : "Faults";
    faults.classList.toggle("bad", active > 0);
    const g = model.generation;
    generation.hidden = !g;
    if (g) {
      generation.replaceChildren(
        el("span", "only-wide", "generation "),
        el("span", "only-narrow", "gen. "),
        g.what === "refused" ? `${g.number} does not load` : `${g.number}, ${took(g.ms)}`,
      );
      generation.classList.toggle("bad", g.what === "refused");
    }
    gone.hidden = model.connected;
    document.body.classList.toggle("alone", !model.connected);
  };
  const tick = () => {
    const still = model.world.clock.mode === "virtual";
    const t = new Date(still ? model.world.clock.now : now());
    clock.textContent = `${t.toLocaleTimeString()}${still ? " ⏸" : ""}`;
    clock.title = still ? "The emulator's clock stands still" : "The emulator's clock";
    clock.classList.toggle("still", still);
  };
  const title = () => {
    const unread = [...model.unread.values()].reduce((a, b) => a + b, 0);
    document.title = `${unread ? `(${unread}) ` : ""}${model.world.channels[0]?.name ?? "moonline"} · moonline`;
  };
  setInterval(tick, 1000);
  for (const kind of ["world", "news", "connected", "restart"]) on(kind, draw);
  on("world", tick);
  for (const kind of ["unread", "world"]) on(kind, title);
  draw();
  tick();
  title();
}
