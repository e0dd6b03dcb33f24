#!/usr/bin/env python3
"""Pushing to Debian's docker-registry: directly, through a proxy that breaks connections, with htpasswd and with tokens;
what arrived is read back by skopeo. And `mvm push` as people see it.

Usage: test_push.py MVM IMAGETOOL [unittest arguments]
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import unittest

sys.dont_write_bytecode = True
import faulty  # noqa: E402
import peers  # noqa: E402
import servers  # noqa: E402
from pushing import CHUNK, LARGE, PATIENCE, SMALL, Case, Proxy, make_image  # noqa: E402

MVM = None
TOOLS = ("docker-registry", "skopeo", "htpasswd", "openssl")


@unittest.skipUnless(all(map(shutil.which, TOOLS)), f"needs {', '.join(TOOLS)}")
class RegistryCase(Case):
    def registry(self, **settings):
        return self.enter(servers.Registry(tempfile.mkdtemp(dir=self.folder), **settings)).address

    def skopeo(self, *arguments):
        return servers.run("skopeo", "--insecure-policy", *arguments)

    def assert_arrived(self, name, image):
        """Others read there what was pushed: every blob's bytes, for copying checks digests, and the manifest's."""
        target = tempfile.mkdtemp(dir=self.folder)
        self.skopeo("copy", "--quiet", "--src-tls-verify=false", "--preserve-digests", f"docker://{name}",
                    f"dir:{target}")
        with open(os.path.join(target, "manifest.json"), "rb") as file:
            self.assertEqual(file.read(), image.manifests[image.top][1])
        seen = json.loads(self.skopeo("inspect", "--tls-verify=false", f"docker://{name}"))
        self.assertEqual(seen["Digest"], image.top)


class Real(RegistryCase):
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

    def test_pulled_from_an_index(self):
        """The one platform's manifest is what is here, and what goes."""
        address = self.registry()
        image = faulty.Image()
        entries = [faulty.add_image(image, seed=arch, architecture=arch) for arch in ("arm64", "amd64")]
        image.manifest(faulty.OCI_INDEX,
                       {"schemaVersion": 2, "mediaType": faulty.OCI_INDEX, "manifests": entries})
        peers.push_image(address, self.folder, image, "multi", "--all", "--preserve-digests")
        self.assertEqual(self.tool("pull", f"{address}/multi", "linux/arm64").returncode, 0)
        self.assertEqual(self.digests(f"{address}/multi"), [f"{address}/multi@{image.top}"])
        self.tool("tag", f"{address}/multi", f"{address}/one")
        index, image.top = image.top, entries[0]["digest"]
        self.assertIn("Mounted from multi", self.push(f"{address}/one", image))
        self.assert_arrived(f"{address}/one", image)
        self.assertEqual(sorted(self.digests(f"{address}/one")),
                         [f"{address}/multi@{index}", f"{address}/one@{image.top}"])

    def test_what_is_gone_where_it_should_be_mounted_from_is_sent(self):
        proxy = self.enter(Proxy(self.registry()))
        self.put(f"{proxy.address}/new:latest", SMALL, source=f"{proxy.address}/gone")
        said = self.push(f"{proxy.address}/new", SMALL)
        self.assertEqual(said.count(": Pushed\n"), 2)
        self.assert_arrived(f"{proxy.address}/new", SMALL)
        # The upload that the registry opened instead of mounting is used.
        self.assertEqual(sorted(proxy.methods()), ["POST"] * 3 + ["PUT"] * 3)

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
        self.assertEqual(proxy.methods().count("PATCH"), 5)
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
        address = self.registry(storage={"maintenance": {"readonly": {"enabled": True}}})
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


class Guarded(RegistryCase):
    """Registries that want to know who pushes."""

    def login(self, address, user, password):
        result = subprocess.run([MVM, "login", "-u", user, "--password-stdin", address], input=password, text=True,
                                capture_output=True, env=self.environment(), check=False)
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_htpasswd(self):
        path = os.path.join(self.folder, "htpasswd")
        servers.run("htpasswd", "-Bbc", path, "alice", "secret")
        address = self.registry(auth={"htpasswd": {"realm": "test", "path": path}})
        self.put(f"{address}/large:latest", LARGE)
        self.refused(f"{address}/large", "auth", "push access denied", f"mvm login {address}")
        self.login(address, "alice", "secret")
        self.push(f"{address}/large", LARGE)

    def test_tls(self):
        """Under a private authority, where libcurl and the registry agree on HTTP/2."""
        authority = servers.Authority(self.folder)
        certificate, key = authority.issue("server")
        address = self.registry(http={"tls": {"certificate": certificate, "key": key}})
        with open(self.config, "w", encoding="ascii") as file:
            json.dump({"registries": {address: {"ca": authority.pem}}}, file)
        image = make_image(2 * CHUNK + 5, CHUNK + 1, 100, 200, 300, 400, seed=3)
        self.put(f"{address}/large:latest", image)
        self.put(f"{address}/other:latest", image)
        self.push(f"{address}/large", image)
        self.assertEqual(self.push(f"{address}/other", image).count("Mounted from large"), 6)
        with open(self.config, "w", encoding="ascii") as file:
            json.dump({"registries": {address: {"insecure": True}}}, file)
        self.push(f"{address}/other", image)
        self.assert_arrived(f"{address}/other", image)

    def test_insecure(self):
        """TLS is tried, and there is none."""
        address = self.registry()
        with open(self.config, "w", encoding="ascii") as file:
            json.dump({"registries": {address: {"insecure": True}}}, file)
        self.put(f"{address}/small:latest", SMALL)
        self.push(f"{address}/small", SMALL)
        self.assert_arrived(f"{address}/small", SMALL)

    def test_tokens(self):
        """Whoever may push mounts too: the token is asked for both repositories."""
        server = self.enter(servers.TokenServer(self.folder))
        address = self.registry(auth=server.settings())
        self.put(f"{address}/team/one:latest", SMALL)
        self.refused(f"{address}/team/one", "auth", "push access denied", f"mvm login {address}")
        self.login(address, "bob", "b0b")
        self.refused(f"{address}/team/one", "auth", "push access denied", "bob may not push")
        self.login(address, "alice", "pass:word")
        self.push(f"{address}/team/one", SMALL)
        self.tool("tag", f"{address}/team/one", f"{address}/team/two")
        said = self.push(f"{address}/team/two", SMALL)
        self.assertEqual(said.count(": Mounted from team/one\n"), 2)


class Command(RegistryCase):
    def mvm(self, *arguments, status=0):
        result = subprocess.run([MVM, *arguments], env=self.environment(), capture_output=True, text=True, check=False)
        self.assertEqual(result.returncode, status, result.stderr)
        return result

    def test_output(self):
        """Docker's words; on stdout only the last."""
        address = self.registry()
        self.put(f"{address}/small:latest", SMALL)
        result = self.mvm("push", f"{address}/small")
        size = len(SMALL.manifests[SMALL.top][1])
        self.assertEqual(result.stdout, f"latest: digest: {SMALL.top} size: {size}\n")
        said = result.stderr.splitlines()
        self.assertEqual(said[:2], ["Using default tag: latest", f"The push refers to repository [{address}/small]"])
        self.assertEqual(len(said), 6)
        result = self.mvm("image", "push", f"{address}/small:latest")
        self.assertEqual(result.stderr.splitlines()[0], f"The push refers to repository [{address}/small]")
        result = self.mvm("push", "-q", f"{address}/small")
        self.assertEqual((result.stdout, result.stderr), (f"{address}/small:latest\n", ""))
        self.assertIn(SMALL.top, self.mvm("images", "--digests").stdout)

    def test_all_tags(self):
        address = self.registry()
        other = make_image(100, seed=5)
        self.put(f"{address}/small:a", SMALL)
        self.put(f"{address}/small:b", other)
        self.put(f"{address}/small-not:c", other)
        result = self.mvm("push", "-a", f"{address}/small")
        self.assertEqual(sorted(line.split(": size")[0][:80] for line in result.stdout.splitlines()),
                         [f"a: digest: {SMALL.top}"[:80], f"b: digest: {other.top}"[:80]])
        self.assert_arrived(f"{address}/small:a", SMALL)
        self.assert_arrived(f"{address}/small:b", other)
        self.assertEqual(self.mvm("push", "-a", "-q", f"{address}/small").stdout, f"{address}/small\n")
        self.assertIn("tag can't be used with --all-tags/-a",
                      self.mvm("push", "-a", f"{address}/small:a", status=125).stderr)
        self.assertIn("An image does not exist locally with the tag: " + address,
                      self.mvm("push", "-a", f"{address}/none", status=1).stderr)

    def test_platform(self):
        address = self.registry()
        self.put(f"{address}/small:latest", SMALL)
        self.assertIn("does not provide the specified platform (linux/arm64): it is for linux/amd64",
                      self.mvm("push", "--platform", "linux/arm64", f"{address}/small", status=1).stderr)
        self.mvm("push", "--platform", "linux/amd64", f"{address}/small")


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


if __name__ == "__main__":
    MVM, Case.imagetool = (os.path.abspath(sys.argv.pop(1)) for _ in range(2))
    unittest.main(verbosity=1)
