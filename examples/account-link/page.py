#!/usr/bin/env python3
"""The login page of the site in bot.lua's example, with nothing but Python's standard library. Yours checks a password
where this one believes any name. LINE_CHANNEL_SECRET signs what it tells the bot.

    python3 page.py [PORT [WEBHOOK]]      default 8000 http://127.0.0.1:3000/webhook"""

import base64
import hashlib
import hmac
import html
import json
import os
import secrets
import sys
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

PORT = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
WEBHOOK = sys.argv[2] if len(sys.argv) > 2 else "http://127.0.0.1:3000/webhook"
SECRET = os.environ["LINE_CHANNEL_SECRET"].split(",", maxsplit=1)[0]
FORM = """<!doctype html><meta name="viewport" content="width=device-width"><title>Log in</title>
<form method="post"><input type="hidden" name="linkToken" value="%s">
<label>Your name <input name="account" required></label> <button>Log in</button></form>"""


def tell_bot(login):
    """Returns once the bot has it on disk. Raises when it does not take it."""
    event = {"type": "login", "login": login, "mode": "active", "timestamp": int(time.time() * 1000),
             "webhookEventId": secrets.token_hex(13).upper(), "deliveryContext": {"isRedelivery": False}}
    body = json.dumps({"destination": "", "events": [event]}).encode()
    signature = base64.b64encode(hmac.new(SECRET.encode(), body, hashlib.sha256).digest()).decode()
    request = urllib.request.Request(WEBHOOK, body, {"X-Line-Signature": signature, "Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=5):
        pass


class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        token = parse_qs(urlsplit(self.path).query).get("linkToken", [""])[0]
        page = (FORM % html.escape(token)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def do_POST(self):
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        login = {"linkToken": form["linkToken"][0], "account": form["account"][0], "nonce": secrets.token_urlsafe(24)}
        tell_bot(login)
        where = {"linkToken": login["linkToken"], "nonce": login["nonce"]}
        self.send_response(303)
        self.send_header("Location", "https://access.line.me/dialog/bot/accountLink?" + urlencode(where))
        self.send_header("Content-Length", "0")
        self.end_headers()


server = ThreadingHTTPServer(("127.0.0.1", PORT), Page)
print(f"the login page is at http://127.0.0.1:{server.server_address[1]}/login", flush=True)
server.serve_forever()
