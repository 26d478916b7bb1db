-- What no single field can say: text with emoji and mentions, templates, actions, rich menus, narrowcasts, coupons.

local json = require "json"
local check = require "emulator.check"
local clock = require "emulator.clock"
local errors = require "emulator.errors"
local texts = require "emulator.check_text"
local walk = require "emulator.check_walk"

local rules = check.rules

local function there(v) return v ~= nil and v ~= json.null end

-- Something is wrong with a member of what the walk stands at.
local function found(name, outside, inside)
  walk.down(name)
  walk.found(outside, inside)
  walk.up()
end

local function list_of(v) return check.is_list(v) and v or {} end

-- ---- texts ----

function rules.text_message(message)
  if type(message.text) ~= "string" then return end
  walk.down("emojis")
  for i, emoji in ipairs(list_of(message.emojis)) do
    if check.is_object(emoji) and texts.utf16_at(message.text, math.tointeger(emoji.index or 0) or -1) ~= "$" then
      walk.down(i)
      found("index", "Must be the position of a '$' in the text")
      walk.up()
    end
  end
  walk.up()
end

-- The names between braces of a textV2, or what is wrong with the braces.
local function placeholders(text)
  local names = {}
  local at = 1
  while true do
    local i, _, c = text:find("([{}])", at)
    if not i then return names end
    if text:sub(i + 1, i + 1) == c then
      at = i + 2
    elseif c == "}" then
      return nil, "The '}' has no corresponding '{'."
    else
      local name = text:match("^([^{}]*)}", i + 1)
      if not name then return nil, "The '{' has no corresponding '}'." end
      if not name:find("^[%w_]+$") or #name > 20 then
        return nil, ("The key '%s' enclosed in '{}' does not match the pattern '^[a-zA-Z0-9_]{1,20}$'."):format(name)
      end
      names[#names + 1] = name
      at = i + #name + 2
    end
  end
end

function rules.text_v2_message(message)
  if type(message.text) ~= "string" then return end
  local names, fault = placeholders(message.text)
  if not names then return walk.found_at("text", fault) end
  local substitution = check.is_object(message.substitution) and message.substitution or {}
  local n = {mention = 0, emoji = 0}
  for _, name in ipairs(names) do
    local value = substitution[name]
    if not check.is_object(value) then
      return walk.found_at("text",
        ("The key '%s' enclosed in '{}' is not found in the 'substitution' property."):format(name))
    end
    if n[value.type] then n[value.type] = n[value.type] + 1 end
  end
  for kind, count in pairs(n) do
    if count > 20 then walk.found_at("text", ("The number of %ss must not be greater than 20."):format(kind)) end
  end
end

function rules.sender(sender)
  if type(sender.name) ~= "string" then return end
  for word in sender.name:gmatch("%a+") do
    if word:upper() == "LINE" then return found("name", "May not contain a word that is not allowed: " .. word) end
  end
end

-- ---- templates ----

-- The text of a card is shorter beside an image or a title.
local function card(value)
  if type(value.text) ~= "string" then return end
  local beside = there(value.title) and value.title ~= "" or there(value.thumbnailImageUrl)
  if beside and texts.longer(value.text, 60, true) then
    found("text", "Length must be between 0 and 60", "must not be longer than 60 characters")
  end
end

rules.buttons_template = card
rules.carousel_column = card

local IN_ALL = "must be specified in all columns or in none"
local SAME = {
  {"actions", function(column) return #list_of(column.actions) end, "must be as many in all columns"},
  {"title", function(column) return there(column.title) end, IN_ALL},
  {"thumbnailImageUrl", function(column) return there(column.thumbnailImageUrl) end, IN_ALL},
}

function rules.carousel_template(template)
  local columns = list_of(template.columns)
  local first = columns[1]
  walk.down("columns")
  for i = 2, #columns do
    for _, same in ipairs(SAME) do
      if check.is_object(first) and check.is_object(columns[i]) and same[2](columns[i]) ~= same[2](first) then
        walk.down(i)
        found(same[1], same[3])
        walk.up()
      end
    end
  end
  walk.up()
end

-- ---- actions ----

local QUICK_REPLY = 8

function rules.postback_action(action, place)
  if not there(action.text) then return end
  if there(action.displayText) then
    found("text", "Must not be specified", "must not be specified together with displayText")
  end
  if place == QUICK_REPLY then found("text", "Must not be specified", "must not be specified") end
end

function rules.datetimepicker_action(action)
  if action.mode ~= "date" and action.mode ~= "time" and action.mode ~= "datetime" then return end
  local at = {}
  for _, name in ipairs{"initial", "max", "min"} do
    local v = action[name]
    if type(v) == "string" then
      at[name] = texts.moment(action.mode, v)
      if not at[name] then found(name, "Invalid date or time", "invalid property") end
    end
  end
  if at.min and at.max and at.min >= at.max then found("min", "Must be less than max", "must be less than max") end
end

-- ---- rich menus ----

function rules.richmenu(menu)
  local size = menu.size
  if not check.is_object(size) or type(size.width) ~= "number" or type(size.height) ~= "number" then return end
  if size.height > 0 and size.width / size.height < 1.45 then
    found("size", "the ratio of width to height must be 1.45 or more")
  end
end

function rules.richmenu_batch(batch)
  local operations = list_of(batch.operations)
  local seen = {}
  walk.down("operations")
  if #operations < 1 or #operations > 1000 then walk.found("Size must be between 1 and 1000") end
  walk.up()
  for _, operation in ipairs(operations) do
    if check.is_object(operation) then
      if operation.type == "unlinkAll" and #operations > 1 then
        walk.down("operations[]")
        found("type", "'unlinkAll' type can't be combined with other type")
        return walk.up()
      end
      local from = operation.from
      if from and seen[from] then
        walk.down("operations[]")
        found("from", ("from richmenu (%s) is duplicated"):format(from))
        walk.up()
      end
      if from then seen[from] = true end
    end
  end
end

-- ---- bodies ----

function check.more.show_loading_animation(body)
  local seconds = body.loadingSeconds
  if there(seconds) and seconds % 5 ~= 0 then found("loadingSeconds", "must be a multiple of five") end
end

-- ---- narrowcasts ----

local function operator(value)
  local n = 0
  for _, name in ipairs{"and", "or", "not"} do
    if there(value[name]) then n = n + 1 end
  end
  if n ~= 1 then walk.found("Exactly one of and, or, not must be specified") end
end

rules.recipient_operator = operator
rules.demographic_operator = operator

-- The leaves of a tree of operators.
local function leaves(value, depth)
  if not check.is_object(value) or depth > 50 then return 0 end
  if value.type ~= "operator" then return 1 end
  local n = leaves(value["not"], depth + 1)
  for _, name in ipairs{"and", "or"} do
    for _, entry in ipairs(list_of(value[name])) do n = n + leaves(entry, depth + 1) end
  end
  return n
end

function check.roots.recipient(value)
  if leaves(value, 1) > 10 then walk.found("The number of audiences and redeliveries must be 10 or less") end
end

function rules.filter(filter)
  if leaves(filter.demographic, 1) > 10 then found("demographic", "The number of filters must be 10 or less") end
end

-- gte and lt end with the number that is compared.
local function range(value)
  local low, high = value.gte, value.lt
  if not there(low) and not there(high) then return walk.found("Either gte or lt must be specified") end
  if type(low) ~= "string" or type(high) ~= "string" then return end
  local a, b = tonumber(low:match("%d+$")), tonumber(high:match("%d+$"))
  if a and b and a >= b then found("gte", "Must be less than lt") end
end

rules.age_filter = range
rules.period_filter = range

function rules.limit(limit)
  if limit.forbidPartialDelivery == true and limit.upToRemainingQuota ~= true then
    errors.raise(400, "The option forbidPartialDelivery must be used with upToRemainingQuota.")
  end
end

-- ---- coupons ----

local LATEST = 4102444800 * 10 -- seconds; whatever is later was meant as milliseconds

function rules.coupon(coupon)
  local first, last = coupon.startTimestamp, coupon.endTimestamp
  if coupon.maxUseCountPerTicket == 0 then
    found("maxUseCountPerTicket", "Must be one of the following values: [1,-1]")
  end
  if type(first) ~= "number" or type(last) ~= "number" then return end
  if last <= first then found("endTimestamp", "Must be greater than startTimestamp") end
  if last * 1000 <= clock.now() then found("endTimestamp", "Must be in the future") end
  if first > LATEST then found("startTimestamp", "Must be in seconds") end
  if last > LATEST then found("endTimestamp", "Must be in seconds") end
end

-- A price has the fields of its own type only.
local PRICES = {fixed_price = {"percentage", "originalPrice", "priceAfterDiscount"},
  percentage_price = {"fixedAmount", "originalPrice", "priceAfterDiscount"}, explicit_price = {"fixedAmount",
    "percentage"}}
for kind, others in pairs(PRICES) do
  rules[kind] = function(price)
    for _, name in ipairs(others) do
      if there(price[name]) then found(name, "Must not be specified") end
    end
  end
end

function rules.lottery_acquisition(value)
  if value.maxAcquireCount == 0 then found("maxAcquireCount", "Must be greater than or equal to 1") end
end

return rules
