#!/usr/bin/env python3
"""Pushing to Debian's docker-registry, directly and through a proxy that breaks connections, and to the registries of
faulty_push.py; what arrived is read back by skopeo.

Usage: test_push.py IMAGETOOL [unittest arguments]
"""
import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

sys.dont_write_bytecode = True
import faulty  # noqa: E402
import faulty_push  # noqa: E402

IMAGETOOL = None
TOOLS = ("docker-registry", "skopeo")
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
                behind = http.client.HTTPConnection(outer.address_behind)
                behind.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for key, value in self.headers.items():
                    if key.lower() != "expect":
                        behind.putheader(key, value)
                behind.endheaders(body)
                if cut is not None:
                    # Until the registry has noticed.
                    behind.sock.shutdown(socket.SHUT_WR)
                    behind.sock.recv(1)
                    behind.close()
                    return self.hang_up()
                answer = behind.getresponse()
                data = answer.read()
                self.send_response(answer.status)
                for key, value in answer.getheaders():
                    if key.lower() not in ("date", "connection", "transfer-encoding"):
                        self.send_header(key, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(data)
                behind.close()
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
        return {**clean, "MVM_HOME": self.home, "MVM_CONFIG": self.config}

    def tool(self, *arguments):
        return subprocess.run([IMAGETOOL, *arguments], env=self.environment(), capture_output=True, text=True,
                              timeout=PATIENCE, check=False)

    def start(self, *arguments):
        process = subprocess.Popen([IMAGETOOL, *arguments], env=self.environment(), stdout=subprocess.PIPE,
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


@unittest.skipUnless(all(map(shutil.which, TOOLS)), f"needs {', '.join(TOOLS)}")
class Real(Case):
    def registry(self, extra=""):
        folder = tempfile.mkdtemp(dir=self.folder)
        config = os.path.join(folder, "registry.yml")
        with open(config, "w", encoding="ascii") as file:
            file.write("version: 0.1\nlog: {level: info, accesslog: {disabled: true}}\n"
                       f"storage: {{filesystem: {{rootdirectory: {folder}/storage}}{extra}}}\n"
                       "http: {addr: '127.0.0.1:0', secret: only-for-loopback}\n")
        process = subprocess.Popen(["docker-registry", "serve", config], stderr=subprocess.PIPE, text=True,
                                   stdout=subprocess.DEVNULL)
        self.addCleanup(self.end, process)
        address = next(re.search(r"listening on ([0-9.:]+)", line).group(1) for line in process.stderr
                       if "listening on" in line)
        # Or it would stop when the pipe is full.
        drain = threading.Thread(target=process.stderr.read, daemon=True)
        drain.start()
        self.addCleanup(drain.join)
        self.addCleanup(process.kill)
        return address

    @staticmethod
    def end(process):
        process.kill()
        process.wait()
        process.stderr.close()

    def skopeo(self, *arguments):
        return subprocess.run(["skopeo", "--insecure-policy", *arguments], check=True, capture_output=True,
                              text=True).stdout

    def assert_arrived(self, name, image):
        """Others read there what was pushed: every blob's bytes, for copying checks digests, and the manifest's."""
        target = tempfile.mkdtemp(dir=self.folder)
        self.skopeo("copy", "--quiet", "--src-tls-verify=false", "--preserve-digests", f"docker://{name}",
                    f"dir:{target}")
        with open(os.path.join(target, "manifest.json"), "rb") as file:
            self.assertEqual(file.read(), image.manifests[image.top][1])
        seen = json.loads(self.skopeo("inspect", "--tls-verify=false", f"docker://{name}"))
        self.assertEqual(seen["Digest"], image.top)

    def test_into_an_empty_registry_and_again(self):
        proxy = self.enter(Proxy(self.registry()))
        name = f"{proxy.address}/team/small:v1"
        self.put(name, SMALL)
        said = self.push(name, SMALL)
        layer = faulty.digest(faulty.digest(next(iter(SMALL.blobs.values()))).encode())[7:19]
        self.assertIn(f"{layer}: Preparing\n", said)
        self.assertIn(f"{layer}: Pushed\n", said)
        self.assert_arrived(name, SMALL)
        self.assertEqual(self.digests(name), [f"{proxy.address}/team/small@{SMALL.top}"])
        proxy.requests.clear()
        self.assertIn(f"{layer}: Layer already exists\n", self.push(name, SMALL))
        self.assertEqual(proxy.methods("/blobs/"), ["HEAD"] * 3)

    def test_docker_format_stays(self):
        image = make_image(5000, docker=True)
        name = f"{self.registry()}/docker:v2s2"
        self.put(name, image)
        self.push(name, image)
        self.assert_arrived(name, image)

    def test_pulled_images_layers_are_mounted(self):
        """Pulled from one repository, pushed to another of the same registry: not a byte of a blob goes up."""
        proxy = self.enter(Proxy(self.registry()))
        image = faulty.make_image(layers=2)
        self.put(f"{proxy.address}/library/deb:latest", image)
        self.push(f"{proxy.address}/library/deb", image)
        self.tool("rmi", f"{proxy.address}/library/deb")
        self.assertEqual(self.tool("pull", f"{proxy.address}/library/deb", "linux/amd64").returncode, 0)
        self.tool("tag", f"{proxy.address}/library/deb", f"{proxy.address}/mine/deb:v2")
        proxy.requests.clear()
        said = self.push(f"{proxy.address}/mine/deb:v2", image)
        self.assertEqual(said.count(": Mounted from library/deb\n"), 2)
        self.assertEqual(proxy.sent(), 0)
        self.assert_arrived(f"{proxy.address}/mine/deb:v2", image)
        self.assertEqual(sorted(self.digests(f"{proxy.address}/mine/deb:v2")),
                         [f"{proxy.address}/{name}@{image.top}" for name in ("library/deb", "mine/deb")])

    def test_layers_shared_with_another_image_are_mounted(self):
        """The layer is in an image that came from there; the image that is pushed never was."""
        address = self.registry()
        self.put(f"{address}/base:latest", SMALL)
        self.push(f"{address}/base", SMALL)
        image = make_image(20000, 7)
        self.assertTrue(set(image.blobs) & set(SMALL.blobs))
        self.put(f"{address}/derived:latest", image)
        said = self.push(f"{address}/derived", image)
        self.assertEqual((said.count("Mounted from base"), said.count(": Pushed")), (1, 1))
        self.assert_arrived(f"{address}/derived", image)

    def test_what_is_gone_where_it_should_be_mounted_from_is_sent(self):
        proxy = self.enter(Proxy(self.registry()))
        self.put(f"{proxy.address}/new:latest", SMALL, source=f"{proxy.address}/gone")
        said = self.push(f"{proxy.address}/new", SMALL)
        self.assertEqual(said.count(": Pushed\n"), 2)
        self.assert_arrived(f"{proxy.address}/new", SMALL)
        # The upload that the registry opened instead of mounting is used.
        self.assertEqual(proxy.methods(), ["POST"] * 3 + ["PUT"] * 3)

    def test_large_blobs_go_in_pieces(self):
        proxy = self.enter(Proxy(self.registry()))
        self.put(f"{proxy.address}/large:latest", LARGE)
        self.push(f"{proxy.address}/large", LARGE)
        self.assert_arrived(f"{proxy.address}/large", LARGE)
        self.assertEqual([length for method, _, length in proxy.requests if method == "PATCH"],
                         [CHUNK, CHUNK, 5000000])

    def break_once(self, stream):
        cuts = iter([3000000])
        proxy = self.enter(Proxy(self.registry(), stream=stream, cut=lambda method, path, length: (
            next(cuts, None) if method == "PATCH" and length == 5000000 else None)))
        self.put(f"{proxy.address}/large:latest", LARGE)
        self.push(f"{proxy.address}/large", LARGE)
        self.assert_arrived(f"{proxy.address}/large", LARGE)
        return proxy

    def test_a_broken_upload_is_resumed(self):
        """The registry never saw the piece that broke, so it goes on after the one before."""
        proxy = self.break_once(stream=False)
        self.assertEqual(proxy.methods().count("GET"), 1)
        self.assertEqual([length for method, _, length in proxy.requests if method == "PATCH"],
                         [CHUNK, CHUNK, 5000000, 5000000])

    def test_a_broken_upload_that_cannot_be_resumed_begins_again(self):
        """Half a piece arrived, after which docker-registry 2.8 drops the upload."""
        proxy = self.break_once(stream=True)
        self.assertEqual(proxy.methods().count("GET"), 1)
        self.assertEqual(proxy.methods().count("PATCH"), 6)

    def test_a_small_blob_breaks(self):
        for stream in (False, True):
            cuts = iter([100])
            proxy = self.enter(Proxy(self.registry(), stream=stream, cut=lambda method, path, length: (
                next(cuts, None) if method == "PUT" and length > 1000 else None)))
            self.put(f"{proxy.address}/small:latest", SMALL)
            self.push(f"{proxy.address}/small", SMALL)
            self.assert_arrived(f"{proxy.address}/small", SMALL)

    def test_a_line_that_always_breaks(self):
        proxy = self.enter(Proxy(self.registry(), cut=lambda method, path, length: (
            100 if method == "PATCH" else None)))
        self.put(f"{proxy.address}/large:latest", LARGE)
        self.refused(f"{proxy.address}/large", "network", "cannot push", "closed the connection early")
        self.assertEqual(proxy.methods().count("PATCH"), 3)
        self.assertEqual(self.digests(f"{proxy.address}/large"), [])

    def test_killed_and_pushed_again(self):
        """By SIGKILL, with half of it sent."""
        reached = threading.Event()

        def note(method, path, length):
            if method == "PATCH" and length == 5000000:
                reached.set()

        proxy = self.enter(Proxy(self.registry(), cut=note))
        self.put(f"{proxy.address}/large:latest", LARGE)
        process = self.start("push", f"{proxy.address}/large")
        self.assertTrue(reached.wait(PATIENCE))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        self.assertEqual(self.digests(f"{proxy.address}/large"), [])
        self.push(f"{proxy.address}/large", LARGE)
        self.assert_arrived(f"{proxy.address}/large", LARGE)

    def test_interrupted(self):
        reached = threading.Event()

        def note(method, path, length):
            if method == "PATCH":
                reached.set()

        proxy = self.enter(Proxy(self.registry(), cut=note))
        self.put(f"{proxy.address}/large:latest", LARGE)
        process = self.start("push", f"{proxy.address}/large")
        self.assertTrue(reached.wait(PATIENCE))
        process.send_signal(signal.SIGINT)
        self.assertIn("interrupted: ", process.communicate(timeout=PATIENCE)[1])
        self.assertEqual(process.returncode, 1)

    def test_two_at_once(self):
        address = self.registry()
        names = [f"{address}/large:a", f"{address}/large:b", f"{address}/other:c"]
        for name in names:
            self.put(name, LARGE)
        processes = [self.start("push", name) for name in names]
        for name, process in zip(names, processes):
            self.assertEqual(process.communicate(timeout=PATIENCE)[0].split()[:1], [LARGE.top])
        for name in names:
            self.assert_arrived(name, LARGE)
        for name in names:
            self.assertEqual(sorted(self.digests(name)), [f"{address}/{r}@{LARGE.top}" for r in ("large", "other")])

    def test_a_read_only_registry(self):
        address = self.registry(extra=", maintenance: {readonly: {enabled: true}}")
        self.put(f"{address}/small:latest", SMALL)
        self.refused(f"{address}/small", "unsupported", "cannot push", address, "read-only")

    def test_damaged_on_our_disk(self):
        """The registry sees that the bytes are not the digest's, and so do we."""
        address = self.registry()
        self.put(f"{address}/small:latest", SMALL)
        blob = next(iter(SMALL.blobs)).split(":")[1]
        path = os.path.join(self.home, "images", "blobs", "sha256", blob)
        with open(path, "r+b") as file:
            file.write(b"other")
        self.refused(f"{address}/small", "corrupt", blob[:12], "damaged on the disk", "pull or load the image again")
        self.assertFalse(os.path.exists(path))

    def test_never_to_a_mirror(self):
        mirror, address = self.enter(Proxy(self.registry())), self.registry()
        with open(self.config, "w", encoding="ascii") as file:
            json.dump({"registries": {address: {"mirrors": [f"http://{mirror.address}"]}}}, file)
        self.put(f"{address}/small:latest", SMALL)
        self.push(f"{address}/small", SMALL)
        self.assertEqual(mirror.requests, [])
        self.assert_arrived(f"{address}/small", SMALL)


class NotHere(Case):
    def test_no_such_image(self):
        self.put("127.0.0.1:1/small:v1", SMALL)
        self.assertEqual(self.refused("127.0.0.1:1/other", "not-found").split(";")[0],
                         "not-found: An image does not exist locally with the tag: 127.0.0.1:1/other")
        self.assertEqual(self.refused("127.0.0.1:1/small:v2", "not-found").split(";")[0],
                         "not-found: tag does not exist: 127.0.0.1:1/small:v2")
        self.refused(f"127.0.0.1:1/small@{SMALL.top}", "usage", "cannot push a digest reference")

    def test_no_registry(self):
        self.put("127.0.0.1:1/small:v1", SMALL)
        self.refused("127.0.0.1:1/small:v1", "network", "cannot push", "connection refused")


class Faulty(Case):
    def setUp(self):
        super().setUp()
        self.registry = self.enter(faulty_push.Registry())

    def name(self, repository):
        return f"{self.registry.address}/{repository}:latest"

    def stored(self, repository, image, elsewhere=None):
        """It goes there in the end, every byte of it."""
        self.put(self.name(repository), image)
        said = self.push(self.name(repository), image)
        self.assertEqual(self.registry.manifests[f"{repository}:latest"], image.manifests[image.top][1])
        for digest, data in image.blobs.items():
            self.assertEqual((elsewhere or self.registry).blobs[elsewhere and "any" or repository, digest], data)
        return said

    def fails(self, repository, image, code, *words):
        self.put(self.name(repository), image)
        said = self.refused(self.name(repository), code, "cannot push", *words)
        self.assertFalse([text for text in self.digests(self.name(repository)) if f"/{repository}@" in text])
        return said

    def test_as_it_should_be(self):
        self.stored("good", LARGE)
        self.assertEqual(self.registry.steps().count("piece"), 3)

    def test_range_that_lags_behind(self):
        self.stored("stuck-range", LARGE)
        self.assertEqual(self.registry.steps().count("piece"), 3)

    def test_pieces_not_taken(self):
        for repository in ("small-pieces", "no-pieces"):
            self.registry.requests.clear()
            self.stored(repository, LARGE)
            self.assertEqual(self.registry.steps().count("piece"), 1)

    def test_half_a_piece_taken(self):
        self.stored("half", LARGE)
        self.assertEqual(self.registry.steps().count("piece"), 4)

    def test_uploads_forgotten(self):
        self.stored("forgets", LARGE)

    def test_resumed_in_the_middle_of_a_piece(self):
        self.stored("breaks", LARGE)
        ranges = [headers["Content-Range"] for step, _, headers in self.registry.requests if step == "piece"]
        self.assertEqual(ranges[2], f"{CHUNK + CHUNK // 2}-{2 * CHUNK - 1}")
        self.assertEqual(self.registry.steps().count("status"), 2)

    def test_status_that_cannot_be(self):
        for repository in ("lying-status", "odd-status"):
            self.stored(repository, LARGE)

    def test_pieces_stored_wrongly(self):
        self.stored("loses-bytes", LARGE)

    def test_larger_pieces_wanted(self):
        self.stored("min-piece", LARGE)
        self.assertEqual(self.registry.steps().count("piece"), 2)
        self.stored("silly-min", LARGE)

    def test_uploads_that_lead_nowhere(self):
        for repository in ("no-location", "huge-location", "file-location"):
            self.fails(repository, SMALL, "network", "does not say where")
        self.fails("circles", SMALL, "network", "redirects in circles")
        self.fails("circles", LARGE, "network", "redirects in circles")

    def test_uploads_that_never_end(self):
        self.fails("opens-anew", SMALL, "network", "status 202")
        self.fails("opens-anew", LARGE, "network", "status 202")
        self.fails("accepts", LARGE, "network", "status 202")

    def test_a_body_is_sent_again_where_a_redirect_says(self):
        self.stored("moves", SMALL)

    def test_uploads_at_another_server(self):
        """It gets the blobs and not the token."""
        other = self.registry.other = self.enter(faulty_push.Registry())
        image = make_image()
        self.stored("elsewhere", image, other)
        self.assertEqual(other.steps(), ["close"])
        self.assertNotIn("Authorization", other.requests[0][2])

    def test_tokens_that_end_too_soon(self):
        self.stored("expires", LARGE)
        self.assertGreater(self.registry.counts["fresh"], 1)

    def test_patience(self):
        self.stored("busy-once", SMALL)
        self.stored("broken-once", SMALL)
        self.fails("busy", SMALL, "network", "too many requests")
        self.fails("broken", SMALL, "network", "status 500", "try again later")

    def test_stored_before_it_broke(self):
        """It is not sent twice."""
        said = self.stored("stored-and-broke", SMALL)
        self.assertEqual(self.registry.steps().count("close"), 3)
        self.assertEqual(said.count(": Pushed\n"), 2)

    def test_denied(self):
        self.fails("denied", SMALL, "auth", "denies access to denied: requested access to the resource is denied")
        self.fails("no-repository", SMALL, "not-found", "has no repository no-repository")
        self.stored("head-denied", SMALL)

    def test_mounts_refused(self):
        for repository in ("mount-denied", "good"):
            self.put(self.name("x/" + repository), SMALL, source=f"{self.registry.address}/library/source")
            self.assertEqual(self.push(self.name("x/" + repository), SMALL).count(": Pushed\n"), 2)
        self.put(self.name("mount-lies"), SMALL, source=f"{self.registry.address}/library/source")
        self.refused(self.name("mount-lies"), "corrupt", "has stored something else")

    def test_quota(self):
        for image in (SMALL, LARGE):
            self.fails("quota", image, "no-space", "adding 16 MiB exceeds the quota", "your quota")

    def test_another_manifest(self):
        self.fails("other-manifest", SMALL, "corrupt", "something else than the manifest latest", "sha256:1111")
        self.fails("invalid-manifest", SMALL, "network", "manifest invalid")

    def test_200(self):
        self.stored("two-hundred", LARGE)
        self.fails("portal", SMALL, "network", "is it a registry?")

    def test_stalls(self):
        with open(self.config, "w", encoding="ascii") as file:
            json.dump({"registries": {self.registry.address: {"timeout": 1}}}, file)
        self.fails("stalls", LARGE, "timeout", "took nothing for 1 s")


if __name__ == "__main__":
    IMAGETOOL = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=1)
