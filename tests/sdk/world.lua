-- The world of the SDK's tests: an account for all that LINE has, 120 friends, a group, a room, plans.
local users = {
  {id = "U000000000000000000000000000000a1", name = "Ann", language = "en", status = "out to lunch",
    picture = "https://example.com/ann.png", phone = "+818000001234", friend = true},
  {id = "U000000000000000000000000000000b2", name = "Ben 🦊", friend = "blocked"},
  {id = "U000000000000000000000000000000c3", name = "Cleo"},
}
for i = 1, 119 do users[#users + 1] = {id = ("U%032x"):format(0xf000 + i), name = "Friend " .. i, friend = true} end

return {
  channels = {
    {id = "2000000001", name = "Shop", basicId = "@shop", class = "premium", partner = true, join = true,
      chatMode = "chat", bot = "U000000000000000000000000000000ee", picture = "https://example.com/shop.png"},
    {id = "2000000002", name = "Small", token = "other-token", secret = "other-secret", class = "unverified",
      quota = 3},
    {id = "2000000003", name = "Module", token = "module-token", secret = "module-secret", module = true},
  },
  users = users,
  groups = {{id = "C0000000000000000000000000000001a", name = "Lunch 🍜", members = {"Ann", "Cleo"}, bot = "2000000001",
    picture = "https://example.com/lunch.png"}},
  rooms = {{id = "R0000000000000000000000000000001b", members = {"Ann", "Cleo"}, bot = "2000000001"}},
  memberships = {
    {membershipId = 3189, title = "Gold", description = "All of it", benefits = {"early", "often"}, price = 500,
      currency = "JPY", members = {"Ann"}},
    {membershipId = 3190, title = "Silver", description = "Some", benefits = {"late"}, price = 300.5, currency = "TWD",
      memberLimit = 10},
  },
}
