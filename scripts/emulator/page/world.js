// The world as a whole: snapshots, saving, loading, starting over; and what the channel is.

import { get, patch, post } from "./api.js";
import { refresh } from "./model.js";
import { attempt, button, copy, dialog, el, form, note } from "./ui.js";

let snapshot = null;

async function changed(words) {
  await refresh();
  note(words);
}

async function save() {
  const world = await get("save");
  const link = el("a", "");
  link.href = URL.createObjectURL(
    new Blob([typeof world === "string" ? world : JSON.stringify(world)], { type: "application/json" }),
  );
  link.download = "world.json";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

function load() {
  const input = el("input", "");
  input.type = "file";
  input.accept = ".json,.lua";
  input.addEventListener("change", () =>
    attempt(async () => {
      const [file] = input.files;
      if (!file) return;
      await post("load", await file.text(), file.name.endsWith(".lua") ? "text/x-lua" : "application/json");
      await changed(`${file.name} is the world now`);
    }),
  );
  input.click();
}

export const worldMenu = () => [
  {
    label: "Take a snapshot",
    run: async () => {
      snapshot = (await post("snapshot")).id;
      note("Snapshot taken: World, Back to the snapshot");
    },
  },
  ...(snapshot !== null
    ? [
        {
          label: "Back to the snapshot",
          run: async () => {
            await post("restore", { id: snapshot });
            await changed("As it was at the snapshot");
          },
        },
      ]
    : []),
  null,
  { label: "Save to a file", run: save },
  { label: "Load a file …", hint: "world.lua or a saved world", run: load },
  null,
  {
    label: "Start over",
    bad: true,
    run: async () => {
      await post("reset");
      await changed("The world is as it was at the start");
    },
  },
];

const secret = (label, value) =>
  el(
    "p",
    "row",
    el("span", "label", label),
    el("code", "space", value ?? ""),
    button("Copy", "link", () => copy(value ?? "")),
  );

export function channelDialog(channel) {
  return dialog(
    channel.name,
    (body, close) => {
      body.append(
        secret("Channel id", channel.id),
        secret("Channel secret", channel.secret),
        secret("Access token", channel.token),
        secret("Bot's user id", channel.bot),
        secret("Webhook", channel.webhook?.endpoint ?? "none is set"),
        el(
          "div",
          "row end",
          button("Settings …", "", () => {
            close();
            return settings(channel);
          }),
          button("Close", "main", () => close()),
        ),
      );
    },
    "wide",
  );
}

function settings(channel) {
  const { webhook = {}, quota = {} } = channel;
  return form(
    `${channel.name}: settings`,
    [
      { name: "endpoint", label: "Webhook URL", value: webhook.endpoint ?? "" },
      { name: "active", label: "Use webhook", type: "checkbox", value: webhook.active },
      { name: "redelivery", label: "Webhook redelivery", type: "checkbox", value: webhook.redelivery },
      {
        name: "escapes",
        label: "Characters beyond ASCII in webhooks",
        value: webhook.escapes ?? "raw",
        options: [
          ["raw", "as they are"],
          ["ascii", "as \\u escapes"],
          ["alternate", "both in turn"],
        ],
      },
      { name: "limit", label: "Messages a month (empty: no limit)", type: "number", value: quota.value ?? "" },
      {
        name: "class",
        label: "Account",
        value: channel.class,
        options: [
          ["unverified", "unverified"],
          ["verified", "verified"],
          ["premium", "premium"],
        ],
      },
    ],
    {
      send: (v) =>
        patch(`channels/${channel.id}`, {
          webhook: { endpoint: v.endpoint, active: v.active, redelivery: v.redelivery, escapes: v.escapes },
          quota: v.limit === undefined ? { type: "none" } : { type: "limited", value: v.limit },
          class: v.class,
        }).then(refresh),
    },
  );
}
