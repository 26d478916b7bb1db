-- What a script asks or does about the chat and the sender of an event. Every method here calls LINE and waits; each
-- raises at the caller's line for events of which it makes no sense.

local core = require "line.core"
local errors = require "line.errors"
local pages = require "line.pages"

local inner, misuse = core.inner, errors.misuse

local chat = {}

local function source_of(event)
  local s = rawget(event, "source")
  return type(s) == "table" and s or {}
end

-- Raises when the bot is no longer where the event comes from.
local function check_there(what, event)
  if event.type == "leave" then
    misuse("%s: the account is no longer in this %s", what, source_of(event).type or "chat")
  end
end

-- event:profile([userId]) → profile
-- Returns the sender's profile {userId=, displayName=, pictureUrl=, …}, in a group or room as its member; with an id,
-- that of another member, such as one of event.joined.members.
-- Raises when LINE did not say who sent the event, and for unfollow: who blocked the account shows it no profile.
-- Waits.
function chat:profile(user_id)
  local s = source_of(self)
  if user_id ~= nil and type(user_id) ~= "string" then
    misuse("event:profile: takes a user id or nothing, not a %s", type(user_id))
  end
  local id = user_id or s.userId
  if not id then misuse("event:profile: LINE does not say who caused this event") end
  if self.type == "unfollow" then misuse("event:profile: who blocks the account shows it no profile") end
  check_there("event:profile", self)
  if s.groupId then
    return inner.get_group_member_profile({groupId = s.groupId, userId = id}, nil, "event:profile")
  elseif s.roomId then
    return inner.get_room_member_profile({roomId = s.roomId, userId = id}, nil, "event:profile")
  end
  return inner.get_profile(id, nil, "event:profile")
end

-- event:group() → group_summary
-- Returns the group's summary {groupId=, groupName=, pictureUrl=}. Raises outside of groups; rooms have no name. Waits.
function chat:group()
  local s = source_of(self)
  if not s.groupId then misuse("event:group: the event does not come from a group") end
  check_there("event:group", self)
  return inner.get_group_summary(s.groupId, nil, "event:group")
end

-- event:member_count() → integer
-- Returns how many people are in the group or room, the bot not counted. Raises in one-on-one chats. Waits.
function chat:member_count()
  local s = source_of(self)
  if not s.groupId and not s.roomId then misuse("event:member_count: the event does not come from a group or room") end
  check_there("event:member_count", self)
  local count = s.groupId and inner.get_group_member_count or inner.get_room_member_count
  return count(s.groupId or s.roomId, nil, "event:member_count").count
end

-- event:members() → iterator of string
-- Returns an iterator over the user ids of the group's or room's members: for id in event:members() do … end. LINE
-- asks for a verified or premium account. The pages are fetched as they are needed. Raises in one-on-one chats. Waits.
function chat:members()
  local s = source_of(self)
  if not s.groupId and not s.roomId then misuse("event:members: the event does not come from a group or room") end
  check_there("event:members", self)
  return pages.through("event:members", s.groupId and "get_group_members_ids" or "get_room_members_ids", "start",
    {groupId = s.groupId, roomId = s.roomId})
end

-- event:leave() → true
-- Leaves the group or room. Raises in one-on-one chats, and where the account has left already. Waits.
function chat:leave()
  local s = source_of(self)
  check_there("event:leave", self)
  if s.groupId then return inner.leave_group(s.groupId, nil, "event:leave") end
  if s.roomId then return inner.leave_room(s.roomId, nil, "event:leave") end
  misuse("event:leave: there is no group or room to leave")
end

-- event:loading([seconds]) → true
-- Shows moving dots in the one-on-one chat, 20 seconds by default (5 to 60, in steps of 5) or until the next message.
-- Raises in groups and rooms, and after an unfollow. Waits.
function chat:loading(seconds)
  local s = source_of(self)
  if s.type ~= "user" or not s.userId then
    misuse("event:loading: the loading animation exists in one-on-one chats only")
  end
  if self.type == "unfollow" then misuse("event:loading: the user has blocked the account") end
  return inner.show_loading_animation({chatId = s.userId, loadingSeconds = seconds}, nil, "event:loading")
end

-- event:mark_read() → true
-- Shows the message, and all before it, as read. Raises for events without a markAsReadToken. Waits.
function chat:mark_read()
  local m = rawget(self, "message")
  local token = type(m) == "table" and m.markAsReadToken
  if not token then misuse("event:mark_read: this event has no markAsReadToken") end
  return inner.mark_messages_as_read_by_token(token, nil, "event:mark_read")
end

-- The message whose media are wanted, if LINE keeps them.
local function media_of(what, event, kinds, words)
  local m = rawget(event, "message")
  if type(m) ~= "table" or not kinds[m.type] then misuse("%s: only %s", what, words) end
  local provider = m.contentProvider
  if type(provider) == "table" and provider.type == "external" then
    local url = what == "event:preview" and provider.previewImageUrl or provider.originalContentUrl
    misuse("%s: LINE does not keep this content; it is at %s", what, tostring(url))
  end
  return m
end

local has_content = {image = true, video = true, audio = true, file = true}
local has_preview = {image = true, video = true}

-- event:content([options]) → content
-- Returns the message's media as a content object: for piece in event:content():chunks() do … end. Options:
-- {ready_timeout = seconds} that media which LINE still prepares are waited for (30), and those of every call.
-- Waits. Raises for messages without media, and for media that LINE does not keep.
function chat:content(options)
  local m = media_of("event:content", self, has_content, "an image, video, audio or file message has content")
  return inner.get_message_content(m.id, options, "event:content")
end

-- event:preview([options]) → content
-- Returns a small picture of an image or video as a content object. Raises for other messages, and for media that LINE
-- does not keep. Waits.
function chat:preview(options)
  local m = media_of("event:preview", self, has_preview, "an image or video message has a preview")
  return inner.get_message_content_preview(m.id, options, "event:preview")
end

return chat
