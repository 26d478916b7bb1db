-- A menu as Flex cards, and a cart that outlives restarts. Run it: moonline run examples/flex-menu.lua
--
-- Say "menu", tap what you like, say "cart".

local line = require "line"
local store = require "store"

local flex, action = line.flex, line.action

local PICTURES = "https://developers-resource.landpress.line.me/fx/img/"

-- In the order of the cards. Prices in yen.
local MENU = {
  {id = "coffee", name = "Coffee", price = 450, picture = PICTURES .. "01_1_cafe.png"},
  {id = "lunch", name = "Lunch of the day", price = 980, picture = PICTURES .. "01_2_restaurant.png"},
  {id = "cake", name = "Cheese cake", price = 520, picture = PICTURES .. "01_3_movie.png"},
}
local by_id = {}
for _, item in ipairs(MENU) do by_id[item.id] = item end

-- ---- the cart: {n = {coffee = 2, …}, last = id of the event that changed it}, kept for a day ----

local function key(event)
  return "cart:" .. event.chat.id
end

local function cart_of(event)
  return store.get(key(event)) or {n = {}}
end

-- An event that a crash interrupted comes again: then the cart has its id already, and is not changed twice. Events of
-- one chat come one by one, so nobody changes the cart in between.
local function change(event, id, by)
  local cart = cart_of(event)
  if cart.last ~= event.webhookEventId then
    local n = (cart.n[id] or 0) + by
    cart.n[id] = n > 0 and n or nil
    cart.last = event.webhookEventId
    store.set(key(event), cart, {ttl = 24 * 3600})
  end
  return cart
end

-- ---- what is shown ----

local function card(item)
  return flex.bubble(
    flex.box("vertical", {
      flex.text(item.name, {weight = "bold", size = "lg", wrap = true}),
      flex.text(("¥%d"):format(item.price), {color = "#888888"}),
    }),
    {
      size = "kilo",
      hero = flex.image(item.picture, {size = "full", aspectRatio = "20:13", aspectMode = "cover"}),
      footer = flex.box("vertical", {
        flex.button(action.postback("Add", "add?item=" .. item.id, {displayText = item.name}), {style = "primary"}),
      }),
    })
end

local function menu()
  local cards = {}
  for i, item in ipairs(MENU) do cards[i] = card(item) end
  return flex("Menu: say 'cart' to see yours", flex.carousel(cards))
end

local function row(left, right, more)
  return flex.box("horizontal", {flex.text(left, {flex = 3}), flex.text(right, {align = "end", flex = 1})}, more)
end

-- A bubble with what is in the cart, or nil when nothing is.
local function bill(cart)
  local rows, total = {}, 0
  for _, item in ipairs(MENU) do
    local n = cart.n[item.id]
    if n then
      total = total + n * item.price
      rows[#rows + 1] = row(("%d × %s"):format(n, item.name), ("¥%d"):format(n * item.price),
        {action = action.postback("One less", "remove?item=" .. item.id)})
    end
  end
  if total == 0 then return nil end
  rows[#rows + 1] = flex.separator{margin = "md"}
  rows[#rows + 1] = row("Total", ("¥%d"):format(total), {margin = "md"})
  return flex(("Your cart: ¥%d"):format(total), flex.bubble(
    flex.box("vertical", rows, {spacing = "sm"}),
    {
      header = flex.box("vertical", {flex.text("Your cart", {weight = "bold"})}),
      footer = flex.box("horizontal", {
        flex.button(action.postback("Empty it", "empty"), {style = "secondary"}),
        flex.button(action.postback("Order", "order"), {style = "primary"}),
      }, {spacing = "md"}),
    })), total
end

local function show(event, cart)
  event:reply(bill(cart) or "Your cart is empty. Say 'menu'.")
end

-- ---- what is done ----

line.hear("^[Mm]enu$", function(event)
  event:reply(menu())
end)

line.hear("^[Cc]art$", function(event)
  show(event, cart_of(event))
end)

line.postback("add", function(event, args)
  if by_id[args.item] then show(event, change(event, args.item, 1)) end
end)

line.postback("remove", function(event, args)
  show(event, change(event, args.item, -1))
end)

line.postback("empty", function(event)
  store.delete(key(event))
  event:reply("Your cart is empty.")
end)

-- A cart that is gone was ordered before: the button of an old card does nothing twice.
line.postback("order", function(event)
  local cart = cart_of(event)
  local _, total = bill(cart)
  if not total then return event:reply("There is nothing to order.") end
  event:reply(("Ordered, ¥%d. It will be ready in ten minutes."):format(total))
  store.delete(key(event))
end)

line.on("message.text", function(event)
  event:reply("Say 'menu' or 'cart'.")
end)
