-- The text of a webhook: JSON whose members stand in the order the platform writes them today, which a Lua table cannot
-- keep. Signatures are made over exactly this text.

local json = require "json"

local wire = {}

-- Members of the request, of events, of messages, of sources; what is not listed comes behind the payload, by name.
local ORDER = {
  "destination", "events",
  "type", "id", "quoteToken", "markAsReadToken", "index", "length", "total", "productId", "emojiId", "text",
    "emojis", "mention",
  "quotedMessageId", "packageId", "stickerId", "stickerResourceType", "title", "address", "latitude", "longitude",
  "fileName", "fileSize", "duration", "contentProvider", "imageSet", "data", "params", "hwid", "dm", "result", "nonce",
  "message", "postback", "unsend", "follow", "joined", "left", "videoPlayComplete", "beacon", "link", "membership",
    "module",
  "chatControl", "delivery", false,
  "webhookEventId", "deliveryContext", "timestamp", "source", "replyToken", "mode",
  "groupId", "roomId", "userId", "isSelf",
}
local rank, unlisted = {}, nil
for i, name in ipairs(ORDER) do
  if name then rank[name] = i else unlisted = i end
end

-- An empty table under one of these is [], elsewhere {}.
local LISTS = {events = true, emojis = true, mentionees = true, members = true, keywords = true, scopes = true}

local ASCII = {ascii = true}

local function before(a, b)
  local ra, rb = rank[a] or unlisted, rank[b] or unlisted
  if ra ~= rb then return ra < rb end
  return a < b
end

local put

local function put_table(out, value, name, style)
  if #value > 0 or LISTS[name] and next(value) == nil then
    out[#out + 1] = "["
    for i = 1, #value do
      if i > 1 then out[#out + 1] = "," end
      put(out, value[i], nil, style)
    end
    out[#out + 1] = "]"
    return
  end
  local keys = {}
  for key in pairs(value) do keys[#keys + 1] = key end
  table.sort(keys, before)
  out[#out + 1] = "{"
  for i, key in ipairs(keys) do
    out[#out + 1] = (i > 1 and "," or "") .. json.encode(key, style) .. ":"
    put(out, value[key], key, style)
  end
  out[#out + 1] = "}"
end

function put(out, value, name, style)
  if type(value) == "table" then put_table(out, value, name, style)
  else out[#out + 1] = json.encode(value, style) end
end

-- wire.encode(value [, ascii]): the text; with ascii, everything beyond ASCII as \u escapes (astral characters as two).
function wire.encode(value, ascii)
  local out = {}
  put(out, value, nil, ascii and ASCII or nil)
  return table.concat(out)
end

return wire
