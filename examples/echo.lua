-- Says everything back. Run it: moonline run examples/echo.lua

local line = require "line"

line.on("message.text", function(event)
  event:reply("You said: " .. event.message.text)
end)
