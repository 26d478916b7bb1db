// The page: a phone for each conversation, and beside it what happened. Served by the emulator; everything it knows and
// does goes through the controls below /_/.

import { showChats } from "./chats.js";
import { showInspector } from "./inspector.js";
import { model, start, tell } from "./model.js";
import { openChat, showPanes } from "./panes.js";
import { watchReload } from "./reload.js";
import { showTop } from "./top.js";
import { attempt, note } from "./ui.js";

const wide = matchMedia("(min-width: 700px)");

// The conversations of before, else the first person's.
function openFirst() {
  const chats = model.world.chats;
  const wanted = JSON.parse(sessionStorage.getItem("open") ?? "[]").filter((key) => chats.some((c) => c.key === key));
  const keys = wanted.length ? wanted : chats.slice(0, 1).map((c) => c.key);
  for (const key of keys.slice(0, wide.matches ? 4 : 1)) openChat(key, { beside: true });
}

await attempt(async () => {
  await start();
  showTop(document.getElementById("top"));
  showChats(document.getElementById("chats"));
  showPanes(document.getElementById("panes"));
  showInspector(document.getElementById("inspector"));
  watchReload();
  openFirst();
  tell("ready", {});
});
document.body.dataset.ready = "yes";
if (!model.world.channels.length) note("There is no channel in this world: make one under World.", { bad: true });
