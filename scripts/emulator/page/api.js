// The emulator's controls, below /_/. Every answer is JSON; one that is no success is thrown as an Error with its words.

async function ask(method, path, body, type) {
  const options = { method, headers: {} };
  if (body !== undefined) {
    options.headers["content-type"] = type ?? "application/json";
    options.body = type ? body : JSON.stringify(body);
  }
  let answer;
  try {
    answer = await fetch(`/_/${path}`, options);
  } catch {
    throw new Error("moonline does not answer: has it been stopped?");
  }
  const text = await answer.text();
  let json = {};
  try {
    json = text ? JSON.parse(text) : {};
  } catch {
    if (answer.ok) return text; // a script, a test to copy
  }
  if (!answer.ok) throw new Error(json.message ?? `${method} /_/${path}: ${answer.status}`);
  return json;
}

export const get = (path) => ask("GET", path);
export const post = (path, body = {}, type) => ask("POST", path, body, type);
export const patch = (path, body) => ask("PATCH", path, body);
export const remove = (path) => ask("DELETE", path);

// What a person does; see /_/ for the list.
export const act = (as, chat, what, more = {}) => post("act", { as, chat: chat?.key, channel: chat?.channel, do: what, ...more });

export const part = encodeURIComponent;

// The content of a message of a person's: what the bot would fetch.
export const mediaUrl = (id, which) => `/_/media/${part(id)}${which === "preview" ? "/preview" : ""}`;

// Everything that happens, as it happens. onItem(item); onState(true or false): whether the stream is there. One that
// breaks is opened again, behind the number that again(last one it had) gives; while that rejects, nobody is there.
export function follow(since, onItem, onState, again) {
  let last = since;
  function open() {
    const source = new EventSource(`/_/feed?since=${last}`);
    source.onopen = () => onState(true);
    source.onmessage = (event) => {
      last = Number(event.lastEventId) || last;
      onItem(JSON.parse(event.data));
    };
    source.onerror = () => {
      source.close();
      onState(false);
      setTimeout(reopen, 300);
    };
  }
  async function reopen() {
    try {
      last = await again(last);
    } catch {
      setTimeout(reopen, 500);
      return;
    }
    open();
  }
  open();
}
