-- Ties LINE users to the accounts of a web site. Run both, with the same credentials in the environment:
--
--     moonline run examples/account-link            the bot; say "link"
--     python3 examples/account-link/page.py         the site's login page, on port 8000
--
-- 1. "link": the bot asks LINE for a link token and sends the address of the login page with it.
-- 2. The user logs in there. The page makes a nonce, tells the bot whose it is, and sends the browser on to LINE.
-- 3. LINE asks the user, and sends the bot an accountLink event with the nonce: now the bot knows the account.
--
-- How the page tells the bot: by a webhook like LINE's, signed with the channel secret, of the type "login". Nobody
-- else can sign one, and like every event it is on disk before the page gets its 200.

local line = require "line"
local store = require "store"

local PAGE = "http://127.0.0.1:8000/login" -- of your site: https:// and its name

local function account_of(event)
  return store.get("account:" .. event.source.userId)
end

line.hear("^link$", function(event)
  local account = account_of(event)
  if account then return event:reply("You are " .. account .. " already. Say 'unlink' to undo it.") end
  event:reply(line.buttons("Link your account", "Log in once, and I know your orders. Say 'unlink' to undo it.", {
    line.action.uri("Log in", line.account_link_url(event.source.userId, PAGE)),
  }))
end)

-- From page.py. "*", since LINE knows no such type: what is not a login goes on to the handlers below.
line.on("*", function(event, next)
  if event.type ~= "login" then return next() end
  local login = event.login
  line.account_link_finish(login.linkToken, login.account, {nonce = login.nonce})
end)

line.on("accountLink", function(event)
  local account, why = line.account_link_check(event)
  if not account then
    if event.replyToken then event:reply("That did not work (" .. why .. "). Say 'link' to try again.") end
    return
  end
  store.set("account:" .. event.source.userId, account)
  event:reply("Now I know you as " .. account .. ".")
end)

line.hear("^unlink$", function(event)
  local gone = store.delete("account:" .. event.source.userId)
  event:reply(gone and "I have forgotten your account." or "You have no account linked.")
end)

line.on("message.text", function(event)
  local account = account_of(event)
  event:reply(account and ("What can I do for you, %s?"):format(account) or "Say 'link' to log in.")
end)
