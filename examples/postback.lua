-- A small menu with buttons. Run it: moonline run examples/postback.lua
--
-- Buttons carry data of the form name?key=value&…, which line.postback hands over as a table.

local line = require "line"

local function menu()
  return line.buttons("What would you like?", "What would you like?", {
    line.action.postback("Tea", "order?drink=tea&size=small"),
    line.action.postback("Coffee", "order?drink=coffee&size=large"),
    line.action.datetimepicker("Come by", "visit", "datetime"),
    line.action.uri("About LINE bots", "https://developers.line.biz/"),
  })
end

line.hear("^menu$", function(event)
  event:reply(menu())
end)

line.postback("order", function(event, args)
  local again = line.quick_reply(line.action.message("Menu", "menu"), line.action.postback("Cancel", "cancel"))
  event:reply(line.text(("One %s %s, coming up."):format(args.size, args.drink), {quickReply = again}))
end)

line.postback("visit", function(event)
  local at = event:picked() -- {year =, month =, day =, hour =, min =}
  event:reply(("See you on %d/%d at %d:%02d."):format(at.day, at.month, at.hour, at.min))
end)

line.postback("cancel", function(event)
  event:reply("Never mind.")
end)

line.on("message.text", function(event)
  event:reply("Write 'menu'.")
end)
