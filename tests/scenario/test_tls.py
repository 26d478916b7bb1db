#!/usr/bin/python3
"""Webhooks over TLS: 1.2 and newer, with a certificate that can be replaced while it serves."""

import json
import os
import signal
import ssl
import subprocess
import warnings

from harness import PATIENCE, Scenario, main, text, until
from rawhttp import request

ECHO = 'require("line").on("message.text", function(event) event:reply(event.message.text) end)'


class Tls(Scenario):
    def certificate(self, name):
        """Make a self-signed pair, put into place by renaming. Returns its DER bytes."""
        pem = os.path.join(self.dir, "new.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
                        "2", "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout",
                        os.path.join(self.dir, "new.key"), "-out", pem], check=True, capture_output=True)
        with open(pem, encoding="ascii") as file:
            der = ssl.PEM_cert_to_DER_cert(file.read())
        os.rename(pem, self.cert)
        os.rename(os.path.join(self.dir, "new.key"), self.key)
        return der

    def setUp(self):
        super().setUp()
        self.cert, self.key = os.path.join(self.dir, "cert.pem"), os.path.join(self.dir, "key.pem")
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.check_hostname, self.context.verify_mode = False, ssl.CERT_NONE

    def seen(self, server):
        """The certificate that a new connection is shown."""
        with server.connect(self.context) as connection:
            return connection.sock.getpeercert(binary_form=True)

    def test_serve_and_replace_the_certificate(self):
        first = self.certificate("first")
        server = self.serve(self.folder(ECHO), options=["--tls-cert", self.cert, "--tls-key", self.key])
        self.assertIn("listening on https://127.0.0.1:", server.output())
        self.context.verify_mode = ssl.CERT_REQUIRED
        self.context.check_hostname = True
        self.context.load_verify_locations(self.cert)
        with server.connect(self.context) as kept:
            server.post(text("verified"), connection=kept)
            self.assertIn(kept.sock.version(), ("TLSv1.2", "TLSv1.3"))
            self.context.check_hostname, self.context.verify_mode = False, ssl.CERT_NONE  # in this order
        with server.connect(self.context) as kept:
            second = self.certificate("second")
            self.assertEqual(self.seen(server), first, "not before SIGHUP")
            server.signal(signal.SIGHUP)
            until(lambda: self.seen(server) == second, "the second certificate", PATIENCE)
            server.post(text("on the old connection"), connection=kept)
        self.standin.wait_text("on the old connection")
        # A broken pair changes nothing but the log.
        with open(self.cert, "w", encoding="ascii") as file:
            file.write("no certificate at all\n")
        server.signal(signal.SIGHUP)
        server.wait_log(level="error")
        self.assertEqual(self.seen(server), second)

    def test_old_protocols_are_refused(self):
        self.certificate("x")
        server = self.serve(self.folder(ECHO), options=["--tls-cert", self.cert, "--tls-key", self.key])
        for version, works in ((ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_3, True)):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                context.minimum_version = context.maximum_version = version
            if works:
                with server.connect(context) as connection:
                    server.post(text(version.name), connection=connection)
                self.standin.wait_text(version.name)
            else:
                context.set_ciphers("ALL:@SECLEVEL=0")  # or our own side would refuse it first
                with self.assertRaises((ssl.SSLError, ConnectionError)):
                    server.connect(context).close()

    def test_plain_http_to_the_tls_port_does_no_harm(self):
        self.certificate("x")
        server = self.serve(self.folder(ECHO), options=["--tls-cert", self.cert, "--tls-key", self.key])
        with server.connect() as connection:
            connection.send(b"POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
            self.assertTrue(connection.at_end())
        with server.connect(self.context) as connection:
            server.post(text("unharmed"), connection=connection)
        self.standin.wait_text("unharmed")

    def test_routes(self):
        self.certificate("x")
        source = ECHO + '''
            local web, line = require "web", require "line"
            web.post("/echo", function(r) return {r.scheme, r.body} end)
            web.get("/big", function() return ("0123456789abcdef"):rep(1 << 17) end)
            web.get("/stream", function() return function(stream)
              local mark <close> = setmetatable({}, {__close = function() log.info("closed") end})
              for i = 1, 3 do stream:event{data = tostring(i)} line.sleep(0.01) end
              stream:write(("x"):rep(1 << 20))
              line.sleep(3600)
            end end)
        '''
        server = self.serve(self.folder(source), options=["--tls-cert", self.cert, "--tls-key", self.key])
        with server.connect(self.context) as connection:
            connection.send(request("POST", "/echo", b"x" * 300000))
            self.assertEqual(json.loads(connection.read().body), ["https", "x" * 300000])
            connection.send(request("GET", "/big"))
            self.assertEqual(connection.read().body, b"0123456789abcdef" * (1 << 17))
            connection.send(request("GET", "/stream"))
            while connection.pending.count(b"x") < 1 << 20:
                connection._more()
            self.assertIn(b"data: 1\n\n", connection.pending)
        server.wait_log(message="closed")
        with server.connect(self.context) as connection:
            server.post(text("still there"), connection=connection)
        self.standin.wait_text("still there")

    def test_usage(self):
        bot = self.folder(ECHO)
        self.certificate("x")
        for options in (["--tls-cert", self.cert], ["--tls-key", self.key],
                        ["--tls-cert", self.cert, "--tls-key", os.path.join(self.dir, "missing.pem")],
                        ["--tls-cert", self.key, "--tls-key", self.cert]):
            done = self.command("run", bot.path, "--listen", "127.0.0.1:0", "--data", f"{self.dir}/d", *options, status=2)
            self.assertRegex(done.stderr, r"\Amoonline run: .*--tls-(cert|key)[^\n]*\n\Z")


if __name__ == "__main__":
    main()
