#!/usr/bin/python3
"""Account link, from the link token to the account: each nonce is good for one accountLink event, in its time, and the
answer is the same when that event is handled again."""

import re

from harness import Scenario, event, main, text, user

# "link" asks for the login page's address; any other text is a login: what the page would do once it knows the account.
BOT = """
local line = require "line"
line.on("message.text", function(event)
  if event.message.text == "link" then
    event:reply(line.account_link_url(event.source.userId, "https://shop.test/login?lang=en"))
  else
    local account, ttl = event.message.text:match("^(%w+) ?([%d.]*)$")
    event:reply((line.account_link_finish("tok/en=", { name = account }, { ttl = tonumber(ttl) })))
  end
end)
line.on("accountLink", function(event)
  local account, why = line.account_link_check(event)
  line.push("Utold", account and account.name or "no: " .. why)
end)
"""


class AccountLink(Scenario):
    def setUp(self):
        super().setUp()
        self.standin.fault(r"POST /v2/bot/user/[^/]+/linkToken", times=99, status=200, body={"linkToken": "tok/en="})
        self.bot = self.folder(BOT)
        self.server = self.serve(self.bot)

    def said(self, words, source="somebody"):
        before = len(self.standin.find("reply", status=200))
        self.server.post(text(words, source=source))
        return self.standin.wait_calls(before + 1, "reply", status=200)[before].texts[0]

    def nonce(self, words):
        return re.fullmatch(r"https://access\.line\.me/dialog/bot/accountLink\?linkToken=tok%2Fen%3D&nonce=([\w-]{32})",
                            self.said(words))[1]

    def linked(self, nonce, result="ok"):
        before = len(self.standin.find("push", status=200))
        made = event("accountLink", link={"result": result, "nonce": nonce})
        if result == "failed":  # such events come from nobody
            del made["source"], made["replyToken"]
        self.server.post(made)
        return self.standin.wait_calls(before + 1, "push", status=200)[before].texts[0]

    def test_the_address_to_send(self):
        self.assertEqual(self.said("link", source="ann"), "https://shop.test/login?lang=en&linkToken=tok%2Fen%3D")
        self.assertEqual([c.path for c in self.standin.find("linkToken")], [f"/v2/bot/user/{user('ann')}/linkToken"])

    def test_a_nonce_is_good_for_one_event(self):
        first, second = self.nonce("ann"), self.nonce("bob")
        self.assertNotEqual(first, second)
        self.assertEqual(self.linked(first), "ann")
        self.assertEqual(self.linked(first), "no: used")
        self.assertEqual(self.linked("a" * 32), "no: unknown")
        self.assertEqual(self.linked(second, "failed"), "no: failed")
        self.assertEqual(self.linked(second), "no: used")

    def test_it_expires(self):
        self.assertEqual(self.linked(self.nonce("ann 0.001")), "no: unknown")

    def test_it_outlives_a_restart(self):
        nonce = self.nonce("ann")
        self.server.stop()
        self.server = self.serve(self.bot)
        self.assertEqual(self.linked(nonce), "ann")


if __name__ == "__main__":
    main()
