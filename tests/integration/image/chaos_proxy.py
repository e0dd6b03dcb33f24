"""A proxy on loopback that stands before a real registry and does to its answers what broken networks, servers and
middle boxes do.

    with Proxy(registry_address) as proxy:
        proxy.fault = cut(50000)          # or a function of one's own: fault(exchange) -> True where it has answered
        proxy.address                     # 127.0.0.1:PORT
        proxy.requests                    # [(method, path, Range or None)]

A fault looks at an Exchange (what was asked, what the registry answers) and passes it on, or not. Faults that change
blobs leave configs and manifests alone: `exchange.is_layer` says which are large enough to be a layer.
"""
import email.utils
import http.client
import json
import socket
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}
LAYER = 10000


class Exchange:
    """One request and the registry's answer to it, and ways to pass that on."""

    def __init__(self, handler, status, headers, body):
        self.handler = handler
        self.proxy = handler.server.proxy
        self.path = handler.path
        self.method = handler.command
        self.range = handler.headers.get("Range")
        self.status = status
        self.headers = headers
        self.body = body
        length = next((int(value) for key, value in headers if key.lower() == "content-length"), len(body))
        self.is_layer = "/blobs/" in self.path and (length > LAYER or self.range is not None)

    def count(self):
        """How many times this path has been asked for, this time included."""
        return sum(1 for method, path, _ in self.proxy.requests if path == self.path and method == self.method)

    def send(self, body=None, length=None, status=None, headers=(), close=False):
        """`length` is what is announced: None the truth, -1 nothing."""
        handler = self.handler
        body = self.body if body is None else body
        replaced = {key.lower() for key, _ in headers}
        handler.send_response(status or self.status)
        for key, value in self.headers:
            if key.lower() not in HOP_BY_HOP | replaced:
                handler.send_header(key, value)
        for key, value in headers:
            if value is not None:
                handler.send_header(key, value)
        if self.method == "HEAD":
            length = next((value for key, value in self.headers if key.lower() == "content-length"), len(body))
        if length != -1:
            handler.send_header("Content-Length", str(len(body) if length is None else length))
        if close or length == -1:
            handler.send_header("Connection", "close")
            handler.close_connection = True
        handler.end_headers()
        if self.method != "HEAD":
            handler.wfile.write(body)
            handler.wfile.flush()
        return True

    def refuse(self, status, headers=()):
        self.headers = [("Content-Type", "application/json")]
        return self.send(b'{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}', status=status, headers=headers)

    def hang_up(self):
        self.handler.close_connection = True
        try:
            self.handler.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        return True

    def whole(self):
        """The blob from its first byte, whatever was asked for."""
        return self.proxy.ask("GET", self.path, {})[2]


# Faults. Each takes what it needs and returns a function of an exchange.

def on_layers(fault):
    return lambda exchange: exchange.is_layer and exchange.method == "GET" and fault(exchange)


def times(count, fault):
    """Only for the first `count` requests of each path."""
    return lambda exchange: exchange.count() <= count and fault(exchange)


def cut(length):
    """The connection ends after so many bytes of what was asked for."""
    def fault(exchange):
        if len(exchange.body) <= length:
            return False
        exchange.send(exchange.body[:length], length=len(exchange.body))
        return exchange.hang_up()
    return on_layers(fault)


def cut_unannounced(length):
    """The same, and the end of the connection is the only sign of an end."""
    def fault(exchange):
        if len(exchange.body) <= length:
            return False
        exchange.send(exchange.body[:length], length=-1)
        return exchange.hang_up()
    return on_layers(fault)


def lost(length):
    """The connection ends after so many bytes, and then the server is not to be had."""
    first, then = cut(length), busy(503, 7200)
    return on_layers(lambda exchange: then(exchange) if exchange.range else first(exchange))


def slow(pause=0.02, piece=16384):
    """The bytes come in small pieces."""
    def fault(exchange):
        exchange.send(exchange.body[:piece], length=len(exchange.body))
        for at in range(piece, len(exchange.body), piece):
            time.sleep(pause)
            exchange.handler.wfile.write(exchange.body[at:at + piece])
        return True
    return on_layers(fault)


def corrupt(exchange):
    """One bit is another."""
    if not exchange.is_layer or not exchange.body:
        return False
    body = bytearray(exchange.body)
    body[len(body) // 2] ^= 1
    return exchange.send(bytes(body))


def wrong_length(difference):
    """Content-Length is not the blob's."""
    return on_layers(lambda exchange: exchange.send(length=len(exchange.body) + difference) and exchange.hang_up())


def wrong_range(offset):
    """A part that begins elsewhere, and says so."""
    def fault(exchange):
        if exchange.status != 206:
            return False
        whole = exchange.whole()
        first = max(0, int(exchange.range[6:-1]) + offset)
        return exchange.send(whole[first:], headers=[("Content-Range", f"bytes {first}-{len(whole) - 1}/{len(whole)}")])
    return fault


def lying_range(offset):
    """A part that begins elsewhere, and says that it does not."""
    def fault(exchange):
        if exchange.status != 206:
            return False
        first = max(0, int(exchange.range[6:-1]) + offset)
        return exchange.send((exchange.whole()[first:] + b"x" * len(exchange.body))[:len(exchange.body)])
    return fault


def nameless_range(exchange):
    """206 without Content-Range."""
    return exchange.status == 206 and exchange.send(headers=[("Content-Range", None)])


def short_range(length):
    """A part of what was asked for, which a server may send."""
    def fault(exchange):
        if exchange.status != 206 or len(exchange.body) <= length:
            return False
        whole = len(exchange.whole())
        first = int(exchange.range[6:-1])
        return exchange.send(exchange.body[:length],
                             headers=[("Content-Range", f"bytes {first}-{first + length - 1}/{whole}")])
    return fault


def other_size(exchange):
    """206 of a blob that is larger than it should be."""
    if exchange.status != 206:
        return False
    first = int(exchange.range[6:-1])
    last = first + len(exchange.body) - 1
    return exchange.send(headers=[("Content-Range", f"bytes {first}-{last}/{last + 1000}")])


def no_ranges(exchange):
    """200 and the whole, which a server may answer to any range."""
    return exchange.status == 206 and exchange.send(exchange.whole(), status=200, headers=[("Content-Range", None)])


def not_satisfiable(exchange):
    return exchange.status == 206 and exchange.send(b"", status=416, headers=[("Content-Range", "bytes */1")])


def part_unasked(exchange):
    """206 to who asked for all."""
    if not exchange.is_layer or exchange.status != 200:
        return False
    half = len(exchange.body) // 2
    return exchange.send(exchange.body[:half], status=206,
                         headers=[("Content-Range", f"bytes 0-{half - 1}/{len(exchange.body)}")])


def busy(status, delay, date=False):
    """429 or 503 with Retry-After, in seconds or as a date."""
    def fault(exchange):
        value = email.utils.formatdate(time.time() + delay, usegmt=True) if date else str(delay)
        exchange.proxy.refused.append(time.monotonic())
        return exchange.refuse(status, [("Retry-After", value)])
    return fault


def stall(exchange):
    """Half of it, and then silence for as long as the test lasts."""
    if not exchange.is_layer:
        return False
    exchange.send(exchange.body[:len(exchange.body) // 2], length=len(exchange.body))
    exchange.proxy.stalled.release()
    exchange.proxy.done.wait()
    return exchange.hang_up()


def redirect(address):
    """Blobs are at another server."""
    def fault(exchange):
        if "/blobs/" not in exchange.path:
            return False
        return exchange.send(b"", status=307, headers=[("Location", f"http://{address}{exchange.path}")])
    return fault


def duplicate(exchange):
    """The answer twice, one right after the other."""
    if not exchange.is_layer:
        return False
    exchange.send()
    return exchange.send()


def paged(link):
    """One tag a page; `link` makes the Link header of (path, the tag that was last)."""
    def fault(exchange):
        path, _, query = exchange.path.partition("?")
        if not path.endswith("/tags/list"):
            return False
        tags = json.loads(exchange.proxy.ask("GET", path, {})[2])["tags"]
        last = urllib.parse.parse_qs(query).get("last", [""])[0]
        page = sorted(tag for tag in tags if tag > last)[:1]
        more = [("Link", link(path, page[0]))] if page and page[0] != max(tags) else []
        return exchange.send(json.dumps({"name": "tags", "tags": page}).encode(), headers=more)
    return fault


class Reorder:
    """Each blob's answer goes to whoever asks for a blob next."""

    def __init__(self):
        self.lock = threading.Lock()
        self.kept = None

    def __call__(self, exchange):
        if not exchange.is_layer:
            return False
        with self.lock:
            kept, self.kept = self.kept, (exchange.status, exchange.headers, exchange.body)
        if kept:
            exchange.status, exchange.headers, exchange.body = kept
        return exchange.send()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        proxy = self.server.proxy
        with proxy.lock:
            proxy.requests.append((self.command, self.path, self.headers.get("Range")))
        wanted = {key: self.headers[key] for key in ("Accept", "Range", "Authorization") if key in self.headers}
        exchange = Exchange(self, *proxy.ask(self.command, self.path, wanted))
        if not (proxy.fault and proxy.fault(exchange)):
            exchange.send()

    do_HEAD = do_GET


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        """A client that hangs up is what many of the tests are about."""


class Proxy:
    def __init__(self, registry):
        self.registry = registry
        self.fault = None
        self.requests = []
        self.refused = []
        self.lock = threading.Lock()
        self.done = threading.Event()
        self.stalled = threading.Semaphore(0)

    def ask(self, method, path, headers):
        connection = http.client.HTTPConnection(self.registry)
        try:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    def __enter__(self):
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.proxy = self
        self.address = "127.0.0.1:%d" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.server.shutdown()
        self.server.server_close()

    def layers(self):
        """(path, Range) of what was asked for of layers, in order."""
        return [(path, wanted) for method, path, wanted in self.requests if method == "GET" and "/blobs/" in path]
