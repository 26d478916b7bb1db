"""HTTP/1.1 by hand, because the tests need what polite libraries hide: half a body, fifty requests in one write, odd
header spellings, a connection that stays open. One class a connection; every read has a deadline."""

import socket
import time


class Answer:
    """One HTTP answer: status, headers (names in lower case), body."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def __repr__(self):
        return f"<{self.status} {self.headers} {self.body[:300]!r}>"


class Closed(Exception):
    """The other side closed the connection before an answer was whole."""


class Connection:
    """A client connection. context: an ssl.SSLContext for TLS. timeout: seconds for every single wait."""

    def __init__(self, host, port, timeout, context=None):
        self.sock = socket.create_connection((host, port), timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context:
            self.sock = context.wrap_socket(self.sock, server_hostname=host)
        self.timeout, self.pending = timeout, b""

    def send(self, data):
        self.sock.sendall(data)

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _more(self):
        self.sock.settimeout(self.timeout)
        try:
            piece = self.sock.recv(65536)
        except ConnectionError as error:
            raise Closed(str(error)) from error
        if not piece:
            raise Closed("closed by the other side, have %r" % self.pending[:200])
        self.pending += piece

    def _line(self):
        while b"\r\n" not in self.pending:
            self._more()
        line, self.pending = self.pending.split(b"\r\n", 1)
        return line

    def _exactly(self, n):
        while len(self.pending) < n:
            self._more()
        data, self.pending = self.pending[:n], self.pending[n:]
        return data

    def read(self, method="POST"):
        """The next answer; informational ones (100) count too."""
        status = int(self._line().split()[1])
        headers = {}
        while line := self._line():
            name, value = line.decode("latin-1").split(":", 1)
            headers[name.strip().lower()] = value.strip()
        body = b""
        if method == "HEAD" or status < 200 or status in (204, 304):
            pass
        elif headers.get("transfer-encoding", "").lower() == "chunked":
            while n := int(self._line().split(b";")[0], 16):
                body += self._exactly(n)
                self._line()
            while self._line():
                pass
        elif "content-length" in headers:
            body = self._exactly(int(headers["content-length"]))
        else:
            try:
                while True:
                    self._more()
            except Closed:
                body, self.pending = self.pending, b""
        return Answer(status, headers, body)

    def at_end(self):
        """True once the other side has closed; waits for it up to the timeout."""
        deadline = time.monotonic() + self.timeout
        while time.monotonic() < deadline:
            try:
                self._more()
            except Closed:
                return True
            except (TimeoutError, socket.timeout):
                return False
        return False


def request(method, path, body=b"", headers=(), host="127.0.0.1", version="1.1"):
    """The bytes of one request. headers: pairs; Content-Length is added unless a length is spelled out there."""
    fields = [("Host", host), *headers]
    names = {name.lower() for name, _ in fields}
    if (body or method in ("POST", "PUT")) and not names & {"content-length", "transfer-encoding"}:
        fields.append(("Content-Length", str(len(body))))
    head = f"{method} {path} HTTP/{version}\r\n" + "".join(f"{n}: {v}\r\n" for n, v in fields) + "\r\n"
    return head.encode("latin-1") + body


def chunked(pieces):
    """A body in chunks, with its end."""
    return b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"
