-- A rich menu with two tabs. Bring it to LINE, then serve:
--
--     moonline richmenu plan examples/richmenu-tabs     what would be done
--     moonline richmenu apply examples/richmenu-tabs    does it; again after every change of this file or of an image
--     moonline run examples/richmenu-tabs
--
-- A tab is a menu of its own with an alias; its tab bar switches to the other's alias. images.py draws the two images.

local line = require "line"

-- The same bar in both, so that the tabs do not move under the finger. The image is 810 pixels high: 135 of them are
-- the bar, the rest is for the row below.
local tab_bar = {
  line.action.richmenu_switch("Order", "tab-order", "tab?name=order"),
  line.action.richmenu_switch("Help", "tab-help", "tab?name=help"),
  height = 135,
}

line.richmenu{
  name = "order", alias = "tab-order", image = "order.png", chatBarText = "Menu", default = true,
  rows = {
    tab_bar,
    {line.action.postback("Tea", "order?drink=tea"), line.action.postback("Coffee", "order?drink=coffee"),
      line.action.postback("Juice", "order?drink=juice"), height = 675},
  },
}

line.richmenu{
  name = "help", alias = "tab-help", image = "help.png", chatBarText = "Menu",
  rows = {
    tab_bar,
    {{line.action.message("Opening hours", "When are you open?"), width = 2},
      line.action.uri("Call", "tel:09001234567"), height = 675},
  },
}

line.postback("order", function(event, args)
  event:reply(("One %s, coming up."):format(args.drink))
end)

-- LINE has switched the menu already; this only tells the bot.
line.postback("tab", function() end)

line.hear("^When are you open%?$", function(event)
  event:reply("Every day from nine to six.")
end)
