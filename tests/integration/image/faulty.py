"""A registry on loopback that misbehaves on request: the repository's name says how.

    with Registry() as registry:
        registry.add("cut", image)        # GET /v2/cut/... cuts blobs short
        registry.address                  # 127.0.0.1:PORT
        registry.requests                 # [(method, path, headers)]
"""
import gzip
import hashlib
import io
import json
import os
import socket
import ssl
import sys
import tarfile
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# Whoever runs the tests may be logged in somewhere.
os.environ["DOCKER_CONFIG"] = "/nonexistent"

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def descriptor(media_type, data, **more):
    return {"mediaType": media_type, "digest": digest(data), "size": len(data), **more}


def tar_layer(files):
    """A tar of {name: bytes}, the same bytes every time."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in sorted(files.items()):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


class Image:
    """Blobs and manifests by digest, and the digest that the tag `latest` stands for."""

    def __init__(self):
        self.blobs = {}
        self.manifests = {}  # digest: (media type, bytes)
        self.top = None

    def blob(self, data):
        self.blobs[digest(data)] = data
        return data

    def manifest(self, media_type, value):
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.top = digest(data)
        self.manifests[self.top] = (media_type, data)
        return data


def make_image(layers=1, size=200000, seed="a", architecture="amd64", docker=False, diff_ids=None):
    image = Image()
    add_image(image, layers, size, seed, architecture, docker, diff_ids)
    return image


def add_image(image, layers=1, size=200000, seed="a", architecture="amd64", docker=False, diff_ids=None):
    """Adds one platform's image; returns the descriptor of its manifest."""
    descriptors, ids = [], []
    for number in range(layers):
        # Bytes that do not compress, so that a blob is as large as it says.
        noise = b"".join(hashlib.sha256(f"{seed}{number}{i}".encode()).digest() for i in range(size // 32))
        tar = tar_layer({f"file{number}": noise})
        blob = image.blob(gzip.compress(tar, mtime=0, compresslevel=1))
        descriptors.append(descriptor(DOCKER_LAYER if docker else OCI_LAYER, blob))
        ids.append(digest(tar))
    config = image.blob(json.dumps({
        "architecture": architecture, "os": "linux", "created": "2024-05-06T07:08:09.123Z",
        "config": {"Cmd": ["sh"], "Env": ["A=b"]},
        "rootfs": {"type": "layers", "diff_ids": diff_ids or ids},
    }).encode())
    manifest_type = DOCKER_MANIFEST if docker else OCI_MANIFEST
    manifest = image.manifest(manifest_type, {
        "schemaVersion": 2, "mediaType": manifest_type,
        "config": descriptor(DOCKER_CONFIG if docker else OCI_CONFIG, config), "layers": descriptors,
    })
    return descriptor(manifest_type, manifest, platform={"os": "linux", "architecture": architecture})


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.answer(head=True)

    def do_GET(self):
        self.answer(head=False)

    def answer(self, head):
        server = self.server.registry
        path = urllib.parse.urlsplit(self.path)
        with server.lock:
            server.requests.append((self.command, self.path, dict(self.headers)))
        if path.path == "/token":
            return self.token(urllib.parse.parse_qs(path.query))
        if path.path.startswith("/elsewhere/"):
            return self.elsewhere(path.path)
        parts = path.path.split("/")
        if len(parts) < 5 or parts[1] != "v2":
            return self.send(404, b"not found", "text/plain")
        name, kind, what = "/".join(parts[2:-2]), parts[-2], parts[-1]
        if name not in server.images:
            return self.error(404, "NAME_UNKNOWN", "repository name not known to registry")
        fault = getattr(self, "fault_" + name.split("/")[-1].replace("-", "_"), None)
        if fault and fault(name, kind, what):
            return None
        return self.serve(name, kind, what)

    def serve(self, name, kind, what):
        image = self.server.registry.images[name]
        if kind == "manifests":
            found = image.manifests.get(image.top if what == "latest" else what)
            if not found:
                return self.error(404, "MANIFEST_UNKNOWN", "manifest unknown")
            return self.send(200, found[1], found[0], {"Docker-Content-Digest": digest(found[1])})
        if what not in image.blobs:
            return self.error(404, "BLOB_UNKNOWN", "blob unknown to registry")
        return self.send(200, image.blobs[what], "application/octet-stream")

    def send(self, status, body, media_type, headers=None, length=None):
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        return True

    def error(self, status, code, message, headers=None):
        body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
        return self.send(status, body, "application/json", headers)

    def hang_up(self):
        self.close_connection = True
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        return True

    def is_layer(self, name, kind, what):
        return kind == "blobs" and len(self.server.registry.images[name].blobs.get(what, b"")) > 10000

    def count(self, key):
        with self.server.registry.lock:
            counts = self.server.registry.counts
            counts[key] = counts.get(key, 0) + 1
            return counts[key]

    # What each repository does wrong. True where the answer has been sent.

    def fault_cut(self, name, kind, what):
        """Every layer ends in the middle."""
        return self.is_layer(name, kind, what) and self.cut(name, what)

    def fault_cut_once(self, name, kind, what):
        return self.is_layer(name, kind, what) and self.count(what) == 1 and self.cut(name, what)

    def cut(self, name, what):
        body = self.server.registry.images[name].blobs[what]
        self.send(200, body[: len(body) // 2], "application/octet-stream", length=len(body))
        return self.hang_up()

    def fault_cut_unannounced(self, name, kind, what):
        """The same without Content-Length: the end of the connection is the end of the body."""
        if not self.is_layer(name, kind, what):
            return False
        body = self.server.registry.images[name].blobs[what]
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body[: len(body) // 2])
        return self.hang_up()

    def fault_lying_digest(self, name, kind, what):
        if not self.is_layer(name, kind, what):
            return False
        body = bytearray(self.server.registry.images[name].blobs[what])
        body[len(body) // 2] ^= 1
        return self.send(200, bytes(body), "application/octet-stream")

    def fault_lying_config(self, name, kind, what):
        if kind != "blobs" or self.is_layer(name, kind, what):
            return False
        return self.send(200, self.server.registry.images[name].blobs[what].replace(b"sh", b"xx"), "application/json")

    def fault_too_long(self, name, kind, what):
        if not self.is_layer(name, kind, what):
            return False
        return self.send(200, self.server.registry.images[name].blobs[what] + b"more", "application/octet-stream")

    def fault_too_long_unannounced(self, name, kind, what):
        if not self.is_layer(name, kind, what):
            return False
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(self.server.registry.images[name].blobs[what] + b"more")
        return self.hang_up()

    def fault_lying_manifest(self, name, kind, what):
        """What comes is not what the digest says."""
        if kind != "manifests":
            return False
        found = self.server.registry.images[name].manifests[self.server.registry.images[name].top]
        return self.send(200, found[1] + b" ", found[0], {"Docker-Content-Digest": digest(found[1])})

    def fault_silent(self, name, kind, what):
        """Never answers."""
        self.server.registry.done.wait()
        return self.hang_up()

    def fault_stalls(self, name, kind, what):
        """Layers stop arriving in the middle, without an end."""
        if not self.is_layer(name, kind, what):
            return False
        body = self.server.registry.images[name].blobs[what]
        self.send(200, body[: len(body) // 2], "application/octet-stream", length=len(body))
        self.wfile.flush()
        self.server.registry.done.wait()
        return self.hang_up()

    def fault_html(self, name, kind, what):
        return self.send(200, b"<html><body>Please log in to this wireless network</body></html>", "text/html")

    def fault_garbage(self, name, kind, what):
        return self.send(200, b'{"schemaVersion": 2, "layers": [', OCI_MANIFEST)

    def fault_huge(self, name, kind, what):
        return self.send(200, b" " * (5 << 20), OCI_MANIFEST)

    def fault_busy(self, name, kind, what):
        return self.error(429, "TOOMANYREQUESTS", "You have reached your pull rate limit.", {"Retry-After": "3600"})

    def fault_broken(self, name, kind, what):
        return self.send(503, b"<html>\x1b[31mService Unavailable</html>", "text/html")

    def fault_broken_once(self, name, kind, what):
        return self.count(what) == 1 and self.send(502, b"Bad Gateway", "text/plain")

    def fault_denied(self, name, kind, what):
        return self.error(403, "DENIED", "requested access to the resource is denied")

    def fault_basic(self, name, kind, what):
        return self.error(401, "UNAUTHORIZED", "authentication required",
                          {"WWW-Authenticate": 'Basic realm="Registry"'})

    def challenge(self, realm=None):
        realm = realm or f"http://{self.server.registry.address}/token"
        return {"WWW-Authenticate": f'Bearer realm="{realm}",service="test service",scope="repository:token:pull"'}

    def fault_token(self, name, kind, what):
        """Wants a bearer token for all."""
        if self.headers.get("Authorization") == "Bearer good-token":
            return False
        return self.error(401, "UNAUTHORIZED", "authentication required", self.challenge())

    def fault_token_refused(self, name, kind, what):
        return self.error(401, "UNAUTHORIZED", "authentication required", self.challenge())

    def fault_token_expires(self, name, kind, what):
        """The token is good for manifests; layers want another."""
        wanted = "Bearer good-token" if kind == "manifests" else "Bearer fresh-token"
        if self.headers.get("Authorization") == wanted:
            return False
        realm = f"http://{self.server.registry.address}/token"
        return self.error(401, "UNAUTHORIZED", "authentication required",
                          self.challenge(realm if kind == "manifests" else realm + "?fresh=1"))

    def fault_token_injects(self, name, kind, what):
        realm = f"http://{self.server.registry.address}/token?evil=1"
        return self.error(401, "UNAUTHORIZED", "authentication required", self.challenge(realm))

    def token(self, query):
        text = "good-token"
        if "fresh" in query:
            text = "fresh-token"
        if "evil" in query:
            text = "good\r\nX-Injected: yes"
        if query.get("service") != ["test service"] or not query.get("scope"):
            return self.error(400, "BAD", "no service or scope")
        return self.send(200, json.dumps({"token": text, "expires_in": 300}).encode(), "application/json")

    def fault_redirects(self, name, kind, what):
        """Wants a token, and sends layers from another server, as registries do."""
        if self.headers.get("Authorization") != "Bearer good-token":
            return self.error(401, "UNAUTHORIZED", "authentication required", self.challenge())
        if kind != "blobs":
            return False
        other = self.server.registry.elsewhere or self.server.registry.address
        return self.send(307, b"", "text/plain", {"Location": f"http://{other}/elsewhere/{name}/{what}"})

    def fault_plain_blobs(self, name, kind, what):
        if kind != "blobs":
            return False
        return self.send(307, b"", "text/plain",
                         {"Location": f"http://{self.server.registry.elsewhere}/elsewhere/{name}/{what}"})

    def elsewhere(self, path):
        name, what = path[len("/elsewhere/"):].rsplit("/", 1)
        return self.serve(name, "blobs", what)

    def fault_circles(self, name, kind, what):
        return self.send(302, b"", "text/plain", {"Location": self.path})

    def fault_to_file(self, name, kind, what):
        return self.send(302, b"", "text/plain", {"Location": "file:///etc/passwd"})

    def fault_no_head(self, name, kind, what):
        return self.command == "HEAD" and self.send(405, b"", "text/plain")

    def fault_slow(self, name, kind, what):
        """Layers wait until the test lets them go."""
        if self.is_layer(name, kind, what):
            self.server.registry.arrived.release()
            self.server.registry.gate.wait()
        return False


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A client that hangs up is what many of the tests are about."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, ssl.SSLError)):
            super().handle_error(request, client_address)


class Registry:
    def __init__(self, images=None, certificate=None):
        """`certificate` is a file with key and certificate: the registry then speaks TLS."""
        self.images = dict(images or {})
        self.certificate = certificate
        self.requests = []
        self.counts = {}
        self.lock = threading.Lock()
        self.done = threading.Event()
        self.gate = threading.Event()
        self.arrived = threading.Semaphore(0)
        self.elsewhere = None

    def __enter__(self):
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.registry = self
        if self.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.address = "127.0.0.1:%d" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.gate.set()
        self.server.shutdown()
        self.server.server_close()

    def add(self, name, image):
        self.images[name] = image

    def fetched(self, kind="blobs", method="GET"):
        """Paths of one kind that were asked for, in order."""
        return [path for verb, path, _ in self.requests if verb == method and f"/{kind}/" in path]
