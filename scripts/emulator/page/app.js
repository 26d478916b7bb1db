// The page: a phone for each conversation, and beside it what happened. Served by the emulator; everything it knows and
// does goes through the controls below /_/.

import { showChats } from "./chats.js";
import { showInspector } from "./inspector.js";
import { model, on, readAll, start, tell } from "./model.js";
import { openChat, room, showPanes } from "./panes.js";
import { watchReload } from "./reload.js";
import { showTop } from "./top.js";
import { attempt, note } from "./ui.js";

// The conversations of before, else the first person's.
function openFirst() {
  const chats = model.world.chats;
  const wanted = JSON.parse(sessionStorage.getItem("open") ?? "[]").filter((key) => chats.some((c) => c.key === key));
  const keys = wanted.length ? wanted : chats.slice(0, 1).map((c) => c.key);
  for (const key of keys.slice(0, room())) openChat(key, { beside: true });
}

await attempt(async () => {
  await start();
  showTop(document.getElementById("top"));
  showChats(document.getElementById("chats"));
  showPanes(document.getElementById("panes"));
  showInspector(document.getElementById("inspector"));
  watchReload();
  openFirst();
  tell("open", model.open);
});
// Looking on at a real bot, there is nobody until somebody writes.
on("world", () => model.world.live && !document.querySelector("#panes .pane") && openFirst());
document.addEventListener("visibilitychange", () => !document.hidden && model.open.forEach(readAll));
on("restart", () => note("moonline was started again"));
// Escape beside everything that has a use of its own for it: what lies over the page goes.
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") document.body.classList.remove("listing", "inspecting");
});
document.body.dataset.ready = "yes";
if (!model.world.channels.length) note("There is no channel in this world: make one under World.", { bad: true });
