-- The state of the emulated platform, and the histories in it. See README.md for what is where.

local json = require "json"

local world = {}

-- What an empty world is. seed: an integer; the same seed and the same deeds give the same ids.
function world.new(seed)
  return {
    format = 1,
    random = seed or 1,
    seed = seed or 1,
    last_message = 560000000000000000,
    counters = {},
    channels = {}, users = {}, groups = {}, rooms = {}, media = {},
    chats = {},    -- key → {key=, type=, id=, channel=, n=, entries = {JSON text, …}}
    chat_list = {}, -- number → key: the index below holds numbers, not texts
    shared = {},   -- what went to many at once, in the order of its ids; see world.add_shared
    index = {},    -- message id as an integer → number of the chat << 32 | place in it
  }
end

world.state = world.new(1)

-- ---- chats ----

-- world.chat(channel, source) → the chat, made on first need.
-- source: {type = "user"|"group"|"room", userId=, groupId=, roomId=}. channel may be nil for groups and rooms.
function world.chat(channel, source)
  local state = world.state
  local id = source.groupId or source.roomId or source.userId
  local key = source.groupId or source.roomId or (channel.id .. ":" .. id)
  local chat = state.chats[key]
  if not chat then
    chat = {key = key, type = source.type, id = id, channel = channel and channel.id, n = 0, entries = {}}
    state.chat_list[#state.chat_list + 1] = key
    chat.number = #state.chat_list
    state.chats[key] = chat
  end
  return chat
end

-- world.user_chat(channel, userId) → the chat of the account and a person, made on first need. Costs nothing where it
-- is there: a broadcast asks for a hundred thousand.
function world.user_chat(channel, user)
  return world.state.chats[channel.id .. ":" .. user] or world.chat(channel, {type = "user", userId = user})
end

-- world.source(chat, userId) → the source of an event from that chat.
function world.source(chat, user)
  if chat.type == "user" then return {type = "user", userId = chat.id} end
  return {type = chat.type, [chat.type .. "Id"] = chat.id, userId = user}
end

-- ---- histories ----

-- world.add(chat, entry) → its place. entry.id is a message id. An entry with `event` is a person's.
function world.add(chat, entry)
  local n = chat.n + 1
  chat.n = n
  chat.entries[n] = json.encode(entry)
  if entry.event then chat.wrote = entry.time end
  local id = math.tointeger(tonumber(entry.id))
  if id then world.state.index[id] = chat.number << 32 | n end
  return n
end

-- world.add_shared(list of chats, text, first): the same entry for many, kept once. text: the entry without id, as
-- JSON. Their message ids are first, first + 1 … (ids.messages); in a history stands the id alone, as an integer.
function world.add_shared(chats, text, first)
  local shared = world.state.shared
  local numbers = {}
  for i, chat in ipairs(chats) do
    local n = chat.n + 1
    chat.n = n
    chat.entries[n] = first + i - 1
    numbers[i] = chat.number
  end
  shared[#shared + 1] = {first = first, last = first + #chats - 1, text = text, chats = numbers}
end

-- The record of a shared entry's id.
local function shared_of(id)
  local shared = world.state.shared
  local low, high = 1, #shared
  while low <= high do
    local i = (low + high) // 2
    local record = shared[i]
    if id < record.first then high = i - 1 elseif id > record.last then low = i + 1 else return record end
  end
end

-- world.entry(chat, i) → the entry, a copy.
function world.entry(chat, i)
  local text = chat.entries[i]
  if not text then return nil end
  local entry
  if math.type(text) == "integer" then
    entry = json.decode(shared_of(text).text)
    entry.id = tostring(text)
  else
    entry = json.decode(text)
  end
  if entry.event and chat.read and i <= chat.read then entry.read = true end
  return entry
end

-- world.change(chat, i, entry): put a changed copy back.
function world.change(chat, i, entry)
  chat.entries[i] = json.encode(entry)
  local id = math.tointeger(tonumber(entry.id))
  if id then world.state.index[id] = chat.number << 32 | i end
end

-- world.find(messageId) → chat, place, entry; nil when no history has it.
function world.find(message)
  local state = world.state
  local id = math.tointeger(tonumber(message))
  if not id then return nil end
  local at = state.index[id]
  if at then
    local chat = state.chats[state.chat_list[at >> 32]]
    local i = at & 0xffffffff
    return chat, i, world.entry(chat, i)
  end
  local record = shared_of(id)
  if not record then return nil end
  local chat = state.chats[state.chat_list[record.chats[id - record.first + 1]]]
  for i = chat and chat.n or 0, 1, -1 do -- none: a saved world may end before a chat that was just begun
    if chat.entries[i] == id then return chat, i, world.entry(chat, i) end
  end
end

-- world.read(chat, place): the account has read everything up to there.
function world.read(chat, place)
  if place > (chat.read or 0) then chat.read = place end
end

-- ---- who is who ----

-- world.channel_of_token(token) → channel, token's record; expired ones are not looked at here.
function world.channel_of_token(token)
  for _, channel in pairs(world.state.channels) do
    local record = channel.tokens[token]
    if record then return channel, record end
  end
end

-- world.channel_of_bot(userId) → the channel whose bot has that user id.
function world.channel_of_bot(user)
  for _, channel in pairs(world.state.channels) do
    if channel.bot == user then return channel end
  end
end

-- world.is_friend(channel, userId)
function world.is_friend(channel, user)
  local friend = channel.friends[user]
  return friend ~= nil and friend.state == "friend"
end

return world
