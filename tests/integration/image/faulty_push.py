"""A registry on loopback that takes pushes, and misbehaves on request: the repository's name says how.

    with Registry() as registry:
        registry.address                        # 127.0.0.1:PORT
        registry.requests                       # [(step, path, headers)]
        registry.blobs, registry.manifests      # what was stored, {digest: bytes} and {repository:tag: bytes}
"""
import json
import socket
import sys
import threading
import urllib.parse
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import faulty

STEPS = {("HEAD", False): "head", ("POST", False): "open", ("PATCH", False): "piece", ("GET", False): "status",
         ("PUT", False): "close", ("PUT", True): "manifest"}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def handle_any(self):
        self.registry = self.server.registry
        url = urllib.parse.urlsplit(self.path)
        self.query = {key: values[0] for key, values in urllib.parse.parse_qs(url.query).items()}
        self.step = STEPS.get((self.command, "/manifests/" in url.path), "other")
        with self.registry.lock:
            self.registry.requests.append((self.step, self.path, dict(self.headers)))
        repository = url.path.split("/v2/")[-1].split("/blobs/")[0].split("/manifests/")[0]
        self.repository, self.what = repository, url.path.rsplit("/", 1)[-1]
        self.body = None
        fault = getattr(self, "fault_" + repository.split("/")[-1].replace("-", "_"), None)
        if fault and fault():
            return
        self.take()
        getattr(self, "on_" + self.step)()

    do_HEAD = do_GET = do_POST = do_PUT = do_PATCH = handle_any

    def take(self):
        if self.body is None:
            self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def answer(self, status, headers=None, body=b""):
        self.take()
        self.send_response(status)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(body)))
        # On a connection that is used again libcurl may try a request twice by itself.
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        return True

    def error(self, status, code, message, headers=None):
        return self.answer(status, {"Content-Type": "application/json", **(headers or {})},
                           json.dumps({"errors": [{"code": code, "message": message}]}).encode())

    def hang_up(self):
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)
        return True

    def count(self, key):
        with self.registry.lock:
            self.registry.counts[key] = self.registry.counts.get(key, 0) + 1
            return self.registry.counts[key]

    def session(self):
        return self.registry.sessions[self.what]

    def where(self):
        return {"Location": f"/v2/{self.repository}/blobs/uploads/{self.what}?state=a%2Fb"}

    def extent(self):
        return {"Range": f"0-{max(len(self.session()) - 1, 0)}"}

    # The steps as they should be.

    def on_head(self):
        blob = self.registry.blobs.get((self.repository, self.what))
        if blob is None:
            return self.answer(404, {"Content-Length": "0"})
        return self.answer(200, {"Content-Length": str(len(blob)), "Docker-Content-Digest": self.what})

    def on_open(self, **headers):
        self.what = str(uuid.uuid4())
        self.registry.sessions[self.what] = bytearray()
        return self.answer(202, {**self.where(), **headers})

    def on_piece(self):
        first, last = map(int, self.headers["Content-Range"].split("-"))
        if first != len(self.session()) or last - first + 1 != len(self.body):
            return self.error(416, "RANGE_INVALID", "out of order")
        self.session().extend(self.body)
        return self.answer(202, {**self.where(), **self.extent()})

    def on_status(self):
        if self.what not in self.registry.sessions:
            return self.error(404, "BLOB_UPLOAD_UNKNOWN", "no such upload")
        return self.answer(204, {**self.where(), **self.extent()})

    def on_close(self, status=201):
        data, wanted = bytes(self.session() + self.body), self.query["digest"]
        if faulty.digest(data) != wanted or self.query.get("state") != "a/b":
            return self.error(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
        self.registry.blobs[self.repository, wanted] = data
        return self.answer(status, {"Docker-Content-Digest": wanted})

    def on_manifest(self, status=201, digest=None):
        self.registry.manifests[f"{self.repository}:{self.what}"] = self.body
        return self.answer(status, {"Docker-Content-Digest": digest or faulty.digest(self.body)})

    # What each repository does otherwise. True where the answer has been sent.

    def fault_stuck_range(self):
        """Range stays where it was after the first piece; the bytes are taken."""
        if self.step != "piece":
            return False
        self.take()
        self.session().extend(self.body)
        return self.answer(202, {**self.where(), "Range": f"0-{(16 << 20) - 1}"})

    def fault_small_pieces(self):
        """Takes no more than 4 MiB in a piece, but any size in one."""
        return self.step == "piece" and self.error(416, "REQUESTED_RANGE_NOT_SATISFIABLE",
                                                   "the request body is too large")

    def fault_no_pieces(self):
        return self.step == "piece" and self.answer(405)

    def fault_half(self):
        """Takes the first half of the first piece, and says so."""
        if self.step != "piece" or self.count("half") > 1:
            return False
        self.take()
        self.session().extend(self.body[:len(self.body) // 2])
        return self.answer(202, {**self.where(), **self.extent()})

    def fault_forgets(self):
        """Loses uploads after the first piece, twice."""
        if self.step == "piece" and len(self.session()) and self.count("forgets") <= 2:
            del self.registry.sessions[self.what]
            return self.error(404, "BLOB_UPLOAD_UNKNOWN", "no such upload")
        return False

    def fault_breaks(self):
        """Keeps half a piece when the connection breaks, twice; and tells."""
        if self.step != "piece" or not len(self.session()) or self.count("breaks") > 2:
            return False
        length = int(self.headers["Content-Length"])
        self.session().extend(self.rfile.read(length // 2))
        return self.hang_up()

    def fault_lying_status(self):
        """Says that it has more than was sent."""
        if self.step == "piece" and self.count("lying") == 1:
            self.take()
            return self.hang_up()
        return self.step == "status" and self.answer(204, {**self.where(), "Range": "0-99999999999"})

    def fault_odd_status(self):
        if self.step == "piece" and self.count("odd") == 1:
            self.take()
            return self.hang_up()
        return self.step == "status" and self.answer(204, {**self.where(), "Range": "7-\x1b[31mx"})

    def fault_loses_bytes(self):
        """Stores pieces wrongly, wholes rightly."""
        if self.step == "piece" and len(self.session()):
            self.take()
            self.body = self.body[:-1] + b"?"
        return False

    def fault_min_piece(self):
        """Wants pieces of 20 MiB."""
        if self.step == "open":
            self.on_open(**{"OCI-Chunk-Min-Length": str(20 << 20)})
            return True
        if self.step == "piece" and int(self.headers["Content-Length"]) < 20 << 20 and not self.session():
            return self.error(416, "SIZE_INVALID", "too small")
        return False

    def fault_silly_min(self):
        if self.step == "open":
            return self.on_open(**{"OCI-Chunk-Min-Length": "99999999999999999999999"})
        return False

    def fault_no_location(self):
        return self.step == "open" and self.answer(202)

    def fault_huge_location(self):
        return self.step == "open" and self.answer(202, {"Location": "/" + "x" * 20000})

    def fault_file_location(self):
        return self.step == "open" and self.answer(202, {"Location": "file:///etc/passwd"})

    def fault_circles(self):
        """Sends uploads round."""
        return self.step in ("piece", "close") and self.answer(307, {"Location": self.path})

    def fault_opens_anew(self):
        """Every answer to an upload opens another one."""
        return self.step in ("piece", "close") and self.on_open()

    def fault_moves(self):
        """Has the body of an upload sent elsewhere, by 307."""
        if self.step != "close" or "moved" in self.query:
            return False
        return self.answer(307, {"Location": self.path + "&moved=1"})

    def fault_elsewhere(self):
        """Wants a token, and the uploads at another server."""
        if self.headers.get("Authorization") != "Bearer good-token":
            return self.error(401, "UNAUTHORIZED", "authentication required", {
                "WWW-Authenticate": f'Bearer realm="http://{self.registry.address}/v2/token/blobs/x",service="s"'})
        if self.step == "open":
            self.what = "shared"
            self.registry.other.sessions[self.what] = bytearray()
            return self.answer(202, {"Location": f"http://{self.registry.other.address}/v2/any/blobs/uploads/"
                                                 f"{self.what}?state=a%2Fb"})
        return False

    def fault_token(self):
        return self.answer(200, {}, b'{"token": "good-token"}')

    def fault_expires(self):
        """Tokens last for eight requests."""
        if self.headers.get("Authorization") and self.count(self.headers["Authorization"]) <= 8:
            return False
        return self.error(401, "UNAUTHORIZED", "authentication required", {
            "WWW-Authenticate": f'Bearer realm="http://{self.registry.address}/v2/fresh/blobs/x",service="s"'})

    def fault_fresh(self):
        return self.answer(200, {}, json.dumps({"token": f"token-{self.count('fresh')}"}).encode())

    def fault_busy_once(self):
        return self.count(self.step) == 1 and self.error(429, "TOOMANYREQUESTS", "slow down", {"Retry-After": "1"})

    def fault_busy(self):
        return self.error(429, "TOOMANYREQUESTS", "slow down", {"Retry-After": "3600"})

    def fault_broken_once(self):
        return self.count(self.step) == 1 and self.answer(502, {}, b"Bad Gateway")

    def fault_broken(self):
        return self.step == "close" and self.answer(500, {}, b"<html>\x1b[31mInternal</html>")

    def fault_stored_and_broke(self):
        """Stores what comes and breaks before it says so."""
        if self.step != "close" or self.count(self.query["digest"]) > 1:
            return False
        self.take()
        self.registry.blobs[self.repository, self.query["digest"]] = bytes(self.session() + self.body)
        return self.hang_up()

    def fault_denied(self):
        return self.step != "head" and self.error(403, "DENIED", "requested access to the resource is denied")

    def fault_head_denied(self):
        return self.step == "head" and self.answer(403)

    def fault_mount_denied(self):
        return self.step == "open" and "mount" in self.query and self.error(403, "DENIED", "not yours")

    def fault_mount_lies(self):
        """Mounts something else."""
        return self.step == "open" and "mount" in self.query and self.answer(
            201, {"Docker-Content-Digest": "sha256:" + "0" * 64})

    def fault_quota(self):
        return self.step in ("piece", "close") and self.error(413, "DENIED", "adding 16 MiB exceeds the quota\x1b[0m")

    def fault_no_repository(self):
        return self.error(404, "NAME_UNKNOWN", "the repository does not exist")

    def fault_other_manifest(self):
        return self.step == "manifest" and self.on_manifest(digest="sha256:" + "1" * 64)

    def fault_invalid_manifest(self):
        return self.step == "manifest" and self.error(400, "MANIFEST_INVALID", "manifest invalid")

    def fault_two_hundred(self):
        """200 for 201, with the digest."""
        if self.step not in ("close", "manifest"):
            return False
        self.take()
        return getattr(self, "on_" + self.step)(status=200)

    def fault_portal(self):
        return self.answer(200, {"Content-Type": "text/html"}, b"<html>Please log in to this wireless network</html>")

    def fault_accepts(self):
        """202 where nothing has been stored."""
        return self.step == "close" and self.answer(202, self.where())

    def fault_five(self):
        """Answers no blob before five have come; knows whether there were ever more."""
        if self.step != "close":
            return False
        self.take()
        with self.registry.lock:
            self.registry.running += 1
            self.registry.most = max(self.registry.most, self.registry.running)
        if self.count("five") <= 5:
            self.registry.barrier.wait(30)
        with self.registry.lock:
            self.registry.running -= 1
        return False

    def fault_stalls(self):
        """Takes some and then nothing."""
        if self.step != "piece":
            return False
        self.rfile.read(100000)
        self.registry.done.wait()
        return self.hang_up()


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A client that hangs up is what many of the tests are about."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Registry:
    def __init__(self):
        self.requests, self.counts, self.sessions, self.blobs, self.manifests = [], {}, {}, {}, {}
        self.lock = threading.Lock()
        self.done = threading.Event()
        self.other = None
        self.barrier = threading.Barrier(5)
        self.running = self.most = 0

    def __enter__(self):
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.registry = self
        self.address = "127.0.0.1:%d" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.server.shutdown()
        self.server.server_close()

    def steps(self):
        return [step for step, _, _ in self.requests]
