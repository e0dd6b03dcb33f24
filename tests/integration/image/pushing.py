"""What the tests of pushing share: images, a store to push from, and a proxy in front of a registry that breaks
connections."""
import contextlib
import http.client
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import faulty

PATIENCE = 60
CHUNK = 16 << 20


def make_image(*sizes, seed=1, docker=False):
    """Layers of noise: nobody unpacks them here."""
    noise, image, layers = random.Random(seed), faulty.Image(), []
    for size in sizes:
        blob = image.blob(noise.randbytes(size))
        layers.append(faulty.descriptor(faulty.DOCKER_LAYER if docker else faulty.OCI_LAYER, blob))
    config = image.blob(json.dumps({
        "architecture": "amd64", "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [faulty.digest(layer["digest"].encode()) for layer in layers]},
    }).encode())
    kind = faulty.DOCKER_MANIFEST if docker else faulty.OCI_MANIFEST
    # Spaces that no tool would write: the bytes must stay.
    image.manifest(kind, json.dumps({
        "schemaVersion": 2, "mediaType": kind,
        "config": faulty.descriptor(faulty.DOCKER_CONFIG if docker else faulty.OCI_CONFIG, config), "layers": layers,
    }, indent=3).encode())
    return image


SMALL = make_image(20000, 30000)
LARGE = make_image(2 * CHUNK + 5000000, 1000, seed=2)


class Proxy:
    """In front of a registry. `cut` is asked for each request: after how many bytes of its body is the client's
    connection to be closed? `stream` passes such a part on, else it stays here, as with a proxy that buffers."""

    def __init__(self, address, cut=lambda method, path, length: None, stream=False):
        self.address_behind, self.cut, self.stream = address, cut, stream
        self.requests = []  # (method, path, bytes of the body)
        self.lock = threading.Lock()

    def __enter__(self):
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def handle_any(self):
                length = int(self.headers.get("Content-Length", 0))
                with outer.lock:
                    outer.requests.append((self.command, self.path, length))
                    cut = outer.cut(self.command, self.path, length)
                body = self.rfile.read(length if cut is None else cut)
                if cut is not None and not outer.stream:
                    return self.hang_up()
                with contextlib.closing(http.client.HTTPConnection(outer.address_behind)) as behind:
                    return self.pass_on(behind, body, cut)

            def pass_on(self, behind, body, cut):
                behind.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for key, value in self.headers.items():
                    if key.lower() != "expect":
                        behind.putheader(key, value)
                behind.endheaders(body)
                if cut is not None:
                    # Until the registry has noticed.
                    behind.sock.shutdown(socket.SHUT_WR)
                    behind.sock.recv(1)
                    return self.hang_up()
                answer = behind.getresponse()
                data = answer.read()
                self.send_response(answer.status)
                for key, value in answer.getheaders():
                    if key.lower() not in ("date", "connection", "transfer-encoding"):
                        self.send_header(key, value)
                # On a connection that is used again libcurl may try a request twice by itself.
                self.send_header("Connection", "close")
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(data)
                return None

            do_HEAD = do_GET = do_POST = do_PUT = do_PATCH = handle_any

            def hang_up(self):
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, client_address):
                if not isinstance(sys.exc_info()[1], ConnectionError):
                    super().handle_error(request, client_address)

        self.server = Server(("127.0.0.1", 0), Handler)
        self.address = "127.0.0.1:%d" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def methods(self, part="/blobs/uploads/"):
        return [method for method, path, _ in self.requests if part in path]

    def sent(self):
        return sum(length for _, path, length in self.requests if "/blobs/" in path)


class Case(unittest.TestCase):
    imagetool = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="mvm-push-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.home = os.path.join(folder.name, "home")
        self.config = os.path.join(folder.name, "config.json")
        with open(self.config, "w", encoding="ascii") as file:
            json.dump({}, file)
        self.tool("list")

    def enter(self, manager):
        value = manager.__enter__()
        self.addCleanup(manager.__exit__, None, None, None)
        return value

    def environment(self):
        clean = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
        return {**clean, "MVM_HOME": self.home, "MVM_CONFIG": self.config,
                "DOCKER_CONFIG": os.path.join(self.folder, "docker")}

    def tool(self, *arguments):
        return subprocess.run([self.imagetool, *arguments], env=self.environment(), capture_output=True, text=True,
                              timeout=PATIENCE, check=False)

    def start(self, *arguments):
        process = subprocess.Popen([self.imagetool, *arguments], env=self.environment(), stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def end(process):
        if process.poll() is None:
            process.kill()
        process.communicate()

    def put(self, name, image, source=None):
        """An image into the store, as if it had been pulled."""
        folder = os.path.join(self.home, "images")
        for digest, data in (*image.blobs.items(), (image.top, image.manifests[image.top][1])):
            with open(os.path.join(folder, "blobs", "sha256", digest.split(":")[1]), "wb") as file:
                file.write(data)
        with open(os.path.join(folder, "index.json"), encoding="utf-8") as file:
            index = json.load(file)
        media_type, data = image.manifests[image.top]
        annotations = {"org.opencontainers.image.ref.name": name}
        if source:
            annotations["io.mvm.image.source"] = f"{source}@{image.top}"
        index["manifests"].append(faulty.descriptor(media_type, data, annotations=annotations))
        with open(os.path.join(folder, "index.json"), "w", encoding="utf-8") as file:
            json.dump(index, file)

    def push(self, name, image):
        """The image goes under the name; what stderr said."""
        result = self.tool("push", name)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stdout, f"{image.top} {len(image.manifests[image.top][1])}\n")
        return result.stderr

    def refused(self, name, code, *words):
        result = self.tool("push", name)
        self.assertNotEqual(result.returncode, 0, result.stdout)
        errors = [line for line in result.stderr.splitlines() if line.startswith(code + ": ")]
        self.assertEqual(len(errors), 1, result.stderr)
        for word in words:
            self.assertIn(word, errors[0])
        self.assertFalse([c for c in errors[0] if ord(c) < 32 or ord(c) == 127], errors[0])
        return errors[0]

    def digests(self, name):
        return json.loads(self.tool("find", name).stdout)["repoDigests"]
