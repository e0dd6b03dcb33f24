#!/usr/bin/env python3
"""Pulling from servers that work and servers that do not: imagetool against faulty.py.

Usage: test_pull.py IMAGETOOL [unittest arguments]
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import unittest

sys.dont_write_bytecode = True
import faulty  # noqa: E402
import store_case  # noqa: E402
from store_case import PATIENCE, StoreCase  # noqa: E402


class Case(StoreCase):
    def setUp(self):
        super().setUp()
        self.registry = faulty.Registry()
        self.enter(self.registry)

    def ref(self, name):
        return f"{self.registry.address}/{name}"

    def pull(self, name, *arguments, **more):
        result = self.tool("pull", self.ref(name), *arguments, **more)
        self.assertEqual(result.returncode, 0, result.stderr)
        return json.loads(result.stdout), result.stderr

    def refused(self, name, code, *words, **more):
        """One line, with the code and the words; nothing left behind but what another try may take up."""
        result = self.tool("pull", name if "/" in name else self.ref(name), **more)
        self.assertNotEqual(result.returncode, 0, result.stdout)
        errors = [line for line in result.stderr.splitlines() if line.startswith(code + ": ")]
        self.assertEqual(len(errors), 1, result.stderr)
        self.assertTrue(result.stderr.endswith(errors[0] + "\n"), result.stderr)
        for word in ("cannot pull", *words):
            self.assertIn(word, errors[0])
        self.assertFalse([c for c in errors[0] if ord(c) < 32 or ord(c) == 127], errors[0])
        if code not in ("network", "timeout"):
            self.assert_nothing_left()
        self.assert_nothing_visible()
        return errors[0]


class Good(Case):
    def test_first_pull_and_second(self):
        image = faulty.make_image(layers=3)
        self.registry.add("deb", image)
        value, said = self.pull("deb")
        self.assertEqual(value["names"], [self.ref("deb:latest")])
        self.assertEqual(value["digest"], image.top)
        self.assertEqual(value["cmd"], ["sh"])
        layer = value["layers"][0][7:19]
        self.assertEqual(said.splitlines()[0], "latest: Pulling from deb")
        for line in (f"{layer}: Pulling fs layer", f"{layer}: Download complete", f"{layer}: Pull complete",
                     f"Digest: {image.top}", f"Status: Downloaded newer image for {self.ref('deb:latest')}"):
            self.assertIn(line, said.splitlines())
        self.assertEqual(len(self.files("disks")), 1)
        self.assertEqual(self.files("images", "ingest"), [])
        self.assert_store_is_sound()
        fetched = len(self.registry.requests)
        _, said = self.pull("deb")
        self.assertIn(f"Status: Image is up to date for {self.ref('deb:latest')}", said.splitlines())
        self.assertEqual([request[0] for request in self.registry.requests[fetched:]], ["HEAD"])

    def test_docker_manifest(self):
        self.registry.add("docker", faulty.make_image(docker=True))
        value, _ = self.pull("docker")
        self.assertEqual(len(value["layers"]), 1)

    def test_server_without_head(self):
        self.registry.add("no-head", faulty.make_image())
        self.pull("no-head")
        _, said = self.pull("no-head")
        self.assertIn("Image is up to date", said)

    def test_one_blob_twice_is_fetched_once(self):
        image = faulty.Image()
        faulty.add_image(image)
        manifest = json.loads(image.manifests[image.top][1])
        config = json.loads(image.blobs[manifest["config"]["digest"]])
        config["rootfs"]["diff_ids"] *= 2
        manifest["config"] = faulty.descriptor(faulty.OCI_CONFIG, image.blob(json.dumps(config).encode()))
        manifest["layers"] *= 2
        image.manifest(faulty.OCI_MANIFEST, manifest)
        self.registry.add("twice", image)
        value, _ = self.pull("twice")
        self.assertEqual(len(value["layers"]), 2)
        self.assertEqual(len(self.registry.fetched()), 2)

    def test_layers_that_are_here_are_not_fetched(self):
        first = faulty.make_image(layers=2)
        self.registry.add("one", first)
        self.pull("one")
        second = faulty.Image()
        faulty.add_image(second, layers=3)
        self.registry.add("two", second)
        fetched = len(self.registry.fetched())
        self.pull("two")
        # The config and the third layer.
        self.assertEqual(len(self.registry.fetched()) - fetched, 2)
        self.assertEqual(len(self.files("disks")), 2)

    def test_tag_moves(self):
        old, new = faulty.make_image(seed="old"), faulty.make_image(seed="new")
        self.registry.add("deb", old)
        before, _ = self.pull("deb")
        self.registry.add("deb", new)
        after, said = self.pull("deb")
        self.assertIn("Downloaded newer image", said)
        self.assertNotEqual(before["id"], after["id"])
        images = [json.loads(line) for line in self.tool("list").stdout.splitlines()]
        names = {image["id"]: image["names"] for image in images}
        self.assertEqual(names, {before["id"]: [], after["id"]: [self.ref("deb:latest")]})
        self.assertEqual(self.tool("find", self.ref("deb@" + old.top)).returncode, 0)

    def test_by_digest(self):
        image = faulty.make_image()
        self.registry.add("deb", image)
        value, _ = self.pull("deb@" + image.top)
        self.assertEqual((value["names"], value["repoDigests"]), ([], [self.ref("deb@" + image.top)]))
        requests = len(self.registry.requests)
        self.pull("deb@" + image.top)
        self.assertEqual(len(self.registry.requests), requests)
        self.assertEqual(self.tool("find", self.ref("deb")).returncode, 1)

    def test_removal_drops_what_nothing_else_needs(self):
        self.registry.add("one", faulty.make_image(layers=1))
        self.registry.add("two", faulty.make_image(layers=2))
        one, _ = self.pull("one")
        two, _ = self.pull("two")
        result = self.tool("rmi", self.ref("two"))
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn(f"untagged {self.ref('two:latest')}", result.stdout.splitlines())
        self.assertIn(f"deleted {two['id']}", result.stdout.splitlines())
        self.assertEqual(len(self.blobs()), 3)
        self.assertEqual(self.tool("rmi", one["id"][7:15]).returncode, 0)
        self.assertEqual(self.blobs(), [])

    def test_two_names(self):
        self.registry.add("deb", faulty.make_image())
        value, _ = self.pull("deb")
        self.assertEqual(self.tool("tag", self.ref("deb"), "mine:v1").returncode, 0)
        self.assertEqual(json.loads(self.tool("find", "mine:v1").stdout)["id"], value["id"])
        result = self.tool("rmi", value["id"])
        self.assertEqual(result.returncode, 1)
        self.assertIn("conflict: ", result.stderr)
        result = self.tool("rmi", self.ref("deb"))
        self.assertEqual(result.stdout.splitlines(),
                         [f"untagged {self.ref('deb:latest')}", f"untagged {value['repoDigests'][0]}"])
        self.assertEqual(self.tool("rmi", "mine:v1").returncode, 0)
        self.assertEqual(self.blobs(), [])

    def test_pull_mends_what_has_decayed(self):
        self.registry.add("deb", faulty.make_image(layers=2))
        value, _ = self.pull("deb")
        for digest in (value["layers"][1], value["id"], value["manifest"]):
            path = os.path.join(self.home, "images", "blobs", "sha256", digest[7:])
            with open(path, "r+b") as file:
                file.seek(100)
                file.write(b"#")
            shutil.rmtree(os.path.join(self.home, "disks"))
            again, _ = self.pull("deb")
            self.assertEqual(again["id"], value["id"])
            self.assertEqual(len(self.files("disks")), 1)
            self.assert_store_is_sound()

    def test_environment_proxy_is_not_used_for_loopback(self):
        self.registry.add("deb", faulty.make_image())
        self.pull("deb", http_proxy="http://127.0.0.1:1", https_proxy="http://127.0.0.1:1")


class Platforms(Case):
    def index(self, media_type=faulty.OCI_INDEX):
        image = faulty.Image()
        entries = [faulty.add_image(image, seed=arch, architecture=arch) for arch in ("s390x", "arm64", "amd64")]
        attestation = image.manifest(faulty.OCI_MANIFEST, {"schemaVersion": 2, "config": {}, "layers": []})
        entries.insert(0, faulty.descriptor(faulty.OCI_MANIFEST, attestation,
                                            platform={"os": "unknown", "architecture": "unknown"}))
        image.manifest(media_type, {"schemaVersion": 2, "mediaType": media_type, "manifests": entries})
        return image, entries

    def test_index(self):
        for media_type in (faulty.OCI_INDEX, faulty.DOCKER_LIST):
            image, entries = self.index(media_type)
            self.registry.add("multi", image)
            value, said = self.pull("multi", "linux/arm64/v8")
            self.assertEqual(value["platform"], "linux/arm64")
            self.assertEqual(value["manifest"], entries[2]["digest"])
            self.assertEqual(value["digest"], image.top)
            self.assertIn(f"Digest: {image.top}", said)
            value, _ = self.pull("multi", "linux/amd64")
            self.assertEqual(value["platform"], "linux/amd64")

    def test_by_digest_of_the_index(self):
        image, _ = self.index()
        self.registry.add("multi", image)
        value, _ = self.pull("multi@" + image.top, "linux/arm64")
        self.assertEqual(value["platform"], "linux/arm64")

    def test_no_such_platform(self):
        image, _ = self.index()
        self.registry.add("multi", image)
        result = self.tool("pull", self.ref("multi"), "linux/riscv64")
        self.assertIn("unsupported: ", result.stderr)
        self.assertIn("no matching manifest for linux/riscv64 in the manifest list entries: there is linux/s390x, "
                      "linux/arm64, linux/amd64; choose one with --platform", result.stderr)
        self.assert_nothing_left()

    def test_single_image_of_another_platform(self):
        self.registry.add("other", faulty.make_image(architecture="s390x"))
        value, said = self.pull("other")
        self.assertEqual(value["platform"], "linux/s390x")
        self.assertNotIn("WARNING", said)
        _, said = self.pull("other", "linux/riscv64")
        self.assertIn("was found but its platform (linux/s390x) does not match the specified platform (linux/riscv64)",
                      said)

    def test_index_in_an_index(self):
        image, _ = self.index()
        for _ in range(2):
            inner = faulty.descriptor(faulty.OCI_INDEX, image.manifests[image.top][1])
            image.manifest(faulty.OCI_INDEX, {"schemaVersion": 2, "manifests": [inner]})
        self.registry.add("nested", image)
        self.pull("nested", "linux/amd64")

    def test_index_that_nests_too_deep(self):
        image, _ = self.index()
        for _ in range(8):
            inner = faulty.descriptor(faulty.OCI_INDEX, image.manifests[image.top][1])
            image.manifest(faulty.OCI_INDEX, {"schemaVersion": 2, "manifests": [inner]})
        self.registry.add("nested", image)
        self.refused("nested", "invalid", "an index within an index")

    def test_index_that_lies_about_a_size(self):
        image = faulty.Image()
        entry = faulty.add_image(image)
        entry["size"] += 1
        image.manifest(faulty.OCI_INDEX, {"schemaVersion": 2, "manifests": [entry]})
        self.registry.add("size", image)
        result = self.tool("pull", self.ref("size"), "linux/amd64")
        self.assertIn("corrupt: ", result.stderr)
        self.assert_nothing_left()


class Servers(Case):
    """What servers and networks do wrong: each one line that says what, where, and what to do."""

    def bad(self, name, code, *words, **more):
        self.registry.add(name, faulty.make_image())
        return self.refused(name, code, *words, **more)

    def test_connection_refused(self):
        with faulty.Registry() as gone:
            address = gone.address
        self.refused(f"{address}/deb", "network", f"connection refused by {address}; is the registry running there?")

    def test_no_such_repository(self):
        self.refused("nothing", "not-found", "has no repository nothing")

    def test_no_such_tag(self):
        self.registry.add("deb", faulty.make_image())
        self.refused("deb:v9", "not-found", "manifest unknown", "v9", "check name and tag")

    def test_no_such_host(self):
        self.refused("no-such-host.invalid/deb", "network", "no-such-host.invalid")

    def test_layer_cut_short(self):
        self.bad("cut", "network", "closed the connection early")
        # Half of it came, which is worth four more tries of the layer.
        self.assertEqual(len(self.registry.fetched()), 6)

    def test_layer_cut_short_without_a_length(self):
        self.bad("cut-unannounced", "corrupt", "cut short", "of 2")

    def test_layer_cut_short_once(self):
        self.registry.add("cut-once", faulty.make_image(layers=3))
        self.pull("cut-once")
        self.assert_store_is_sound()
        self.assertEqual(len(self.files("disks")), 1)

    def test_wrong_digest(self):
        self.bad("lying-digest", "corrupt", "does not have its digest", self.registry.address)
        # The config, and the layer twice: it might have been the way.
        self.assertEqual(len(self.registry.fetched()), 3)

    def test_wrong_config(self):
        self.bad("lying-config", "corrupt", "does not have its digest")

    def test_wrong_manifest(self):
        self.bad("lying-manifest", "corrupt", "does not have its digest")

    def test_wrong_diff_id(self):
        image = faulty.make_image(diff_ids=[faulty.digest(b"something else")])
        self.registry.add("diff", image)
        self.refused("diff", "corrupt")

    def test_too_long(self):
        self.bad("too-long", "corrupt", "whose manifest says")

    def test_too_long_without_a_length(self):
        self.bad("too-long-unannounced", "corrupt", "is larger than the")

    def test_silent(self):
        self.write_config({"registries": {self.registry.address: {"timeout": 1}}})
        self.bad("silent", "timeout", "sent nothing for 1 s")

    def test_stalls(self):
        self.write_config({"registries": {self.registry.address: {"timeout": 1}}})
        self.bad("stalls", "timeout", "sent nothing for 1 s")

    def test_html(self):
        self.bad("html", "invalid", "is it a registry?")

    def test_garbage(self):
        self.bad("garbage", "invalid", "not an image manifest")

    def test_huge_manifest(self):
        self.bad("huge", "invalid", "larger than")

    def test_rate_limit(self):
        self.bad("busy", "network", "too many requests", "pull rate limit")
        self.assertEqual(len(self.registry.requests), 1)

    def test_server_error(self):
        self.bad("broken", "network", "status 503", "try again later")
        self.assertEqual(len(self.registry.requests), 5)

    def test_server_error_once(self):
        self.registry.add("broken-once", faulty.make_image())
        self.pull("broken-once")

    def test_denied(self):
        self.bad("denied", "auth", "denies access")

    def test_wants_a_login(self):
        self.bad("basic", "auth", "requires a login")

    def test_redirect_in_circles(self):
        self.bad("circles", "network", "redirects in circles")

    def test_redirect_to_a_file(self):
        self.bad("to-file", "network", "refused")

    def test_schema_1(self):
        image = faulty.make_image()
        image.manifest("application/vnd.docker.distribution.manifest.v1+prettyjws",
                       {"schemaVersion": 1, "fsLayers": [], "history": []})
        self.registry.add("old", image)
        self.refused("old", "unsupported", "schema 1")

    def test_foreign_layer(self):
        image = faulty.make_image()
        manifest = json.loads(image.manifests[image.top][1])
        manifest["layers"][0]["mediaType"] = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
        image.manifest(faulty.OCI_MANIFEST, manifest)
        self.registry.add("windows", image)
        self.refused("windows", "unsupported", "may not be distributed")

    def test_plain_http_to_a_tls_registry_is_not_tried_elsewhere(self):
        # A mirror by https:// that speaks plain HTTP: no fall back to plain.
        self.write_config({"registries": {"docker.io": {"mirrors": [f"https://{self.registry.address}"]}}})
        result = self.tool("pull", "alpine")
        self.assertEqual(result.returncode, 1)
        self.assertEqual(self.registry.requests, [])


class Tokens(Case):
    def test_bearer_token(self):
        self.registry.add("token", faulty.make_image())
        self.pull("token")
        asked = [path for _, path, _ in self.registry.requests if path.startswith("/token")]
        self.assertEqual(asked, ["/token?service=test%20service&scope=repository%3Atoken%3Apull"])

    def test_token_that_expires(self):
        self.registry.add("token-expires", faulty.make_image())
        self.pull("token-expires")

    def test_token_that_is_refused(self):
        self.registry.add("token-refused", faulty.make_image())
        self.refused("token-refused", "auth", "pull access denied", "requires a login")

    def test_token_that_injects_a_header(self):
        self.registry.add("token-injects", faulty.make_image())
        self.refused("token-injects", "invalid", "no token")
        self.assertFalse([headers for _, _, headers in self.registry.requests if "X-Injected" in headers])

    def test_redirect_takes_no_token_along(self):
        image = faulty.make_image()
        self.registry.add("redirects", image)
        other = self.enter(faulty.Registry({"redirects": image}))
        self.registry.elsewhere = other.address
        self.pull("redirects")
        self.assertEqual(len(other.requests), 2)
        for _, _, headers in other.requests:
            self.assertNotIn("Authorization", headers)


class Mirrors(Case):
    def setUp(self):
        super().setUp()
        self.image = faulty.make_image()

    def mirrors(self, *urls, registry="docker.io"):
        self.write_config({"future": 1, "registries": {registry: {"mirrors": list(urls)}}})

    def test_mirror_of_docker_hub(self):
        self.registry.add("library/alpine", self.image)
        self.mirrors(f"http://{self.registry.address}")
        result = self.tool("pull", "alpine")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(json.loads(result.stdout)["names"], ["docker.io/library/alpine:latest"])
        self.assertIn("latest: Pulling from library/alpine", result.stderr)
        self.assertIn("Status: Downloaded newer image for alpine:latest", result.stderr)

    def test_in_order_and_then_the_registry(self):
        self.registry.add("deb", self.image)
        with faulty.Registry() as gone:
            dead = gone.address
        empty = self.enter(faulty.Registry())
        self.mirrors(f"http://{dead}", f"http://{empty.address}/", registry=self.registry.address)
        self.pull("deb")
        self.assertEqual(len(empty.requests), 1)

    def test_mirror_that_breaks_on_the_way(self):
        mirror = self.enter(faulty.Registry({"lying-digest": self.image}))
        self.registry.add("lying-digest", self.image)
        self.mirrors(f"http://{mirror.address}", registry=self.registry.address)
        # Both lie: the error is that of the mirror, which has the manifest.
        self.refused("lying-digest", "corrupt", mirror.address)

    def test_mirror_without_the_layers(self):
        bare = faulty.make_image()
        layer = json.loads(bare.manifests[bare.top][1])["layers"][0]["digest"]
        del bare.blobs[layer]
        mirror = self.enter(faulty.Registry({"deb": bare}))
        self.registry.add("deb", self.image)
        self.mirrors(f"http://{mirror.address}", registry=self.registry.address)
        self.pull("deb")
        self.assertEqual(len(self.registry.requests), 1)

    def test_none_has_it(self):
        mirror = self.enter(faulty.Registry())
        self.mirrors(f"http://{mirror.address}", registry=self.registry.address)
        self.refused("deb", "not-found", mirror.address, self.registry.address, "and then")

    def test_wrong_configuration(self):
        for value, words in (({"registries": []}, '"registries" is not an object'),
                             ({"registries": {"docker.io": []}}, 'registry "docker.io" is not an object'),
                             ({"registries": {"docker.io": {"mirrors": "x"}}}, "is not a list of URLs"),
                             ({"registries": {"docker.io": {"mirrors": ["127.0.0.1:5000"]}}}, "is not a URL like"),
                             ({"registries": {"docker.io": {"mirrors": ["http://a/b"]}}}, "is not a URL like"),
                             ({"registries": {"docker.io": {"timeout": "soon"}}}, "is not a number of seconds"),
                             ([], "not a JSON object")):
            self.write_config(value)
            result = self.tool("pull", "alpine")
            self.assertEqual(result.returncode, 1)
            for word in (words, self.config, "correct the file"):
                self.assertIn(word, result.stderr)

    def test_configuration_that_is_not_json(self):
        with open(self.config, "w", encoding="utf-8") as file:
            file.write('{\n  "registries": {\n')
        result = self.tool("pull", "alpine")
        self.assertIn(f"{self.config}: line 3, ", result.stderr)
        result = self.tool("pull", "alpine", MVM_CONFIG=self.config + ".none")
        self.assertIn("MVM_CONFIG names", result.stderr)


class Tls(Case):
    def setUp(self):
        super().setUp()
        self.pem = os.path.join(self.folder, "pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-keyout", self.pem, "-out", self.pem + ".crt", "-subj", "/CN=localhost", "-days", "2",
                        "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"], check=True, capture_output=True)
        with open(self.pem, "a", encoding="ascii") as file, open(self.pem + ".crt", encoding="ascii") as certificate:
            file.write(certificate.read())
        self.secure = self.enter(faulty.Registry(certificate=self.pem))
        self.write_config({"registries": {self.registry.address: {"mirrors": [f"https://{self.secure.address}"]}}})

    def add(self, name):
        self.secure.add(name, faulty.make_image())

    def test_trusted(self):
        self.add("deb")
        self.pull("deb", SSL_CERT_FILE=self.pem)
        self.assertEqual(self.registry.requests, [])

    def test_not_trusted(self):
        self.add("deb")
        self.refused("deb", "not-found", "the certificate of", "is not trusted", "SSL_CERT_FILE")

    def test_no_way_back_to_plain_http(self):
        self.add("redirects")
        self.secure.elsewhere = self.registry.address
        self.refused("redirects", "not-found", "names a token server that is not to be trusted",
                     SSL_CERT_FILE=self.pem)
        self.add("plain-blobs")
        self.secure.elsewhere = self.registry.address
        self.refused("plain-blobs", "network", "plain HTTP is spoken; refused", SSL_CERT_FILE=self.pem)

    def test_tls_server_where_plain_http_is_spoken(self):
        self.write_config({})
        self.refused(f"{self.secure.address}/deb", "network", self.secure.address)


class Crashes(Case):
    def wait_for_layer(self):
        self.assertTrue(self.registry.arrived.acquire(timeout=PATIENCE))

    def test_kill_in_the_middle(self):
        self.registry.add("slow", faulty.make_image(layers=2))
        process = self.start("pull", self.ref("slow"))
        self.wait_for_layer()
        process.send_signal(signal.SIGKILL)
        process.wait(PATIENCE)
        self.assertEqual(self.tool("find", self.ref("slow")).returncode, 1)
        self.assertTrue(self.files("images", "ingest"))
        self.registry.gate.set()
        self.pull("slow")
        self.assertEqual(self.files("images", "ingest"), [])
        self.assertEqual(len(self.files("disks")), 1)
        self.assert_store_is_sound()

    def test_interrupt(self):
        self.registry.add("slow", faulty.make_image())
        process = self.start("pull", self.ref("slow"))
        self.wait_for_layer()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 1)
        self.assertIn("interrupted: ", said)
        self.assert_nothing_visible()

    def test_two_pulls_fetch_each_blob_once(self):
        self.registry.add("slow", faulty.make_image(layers=3))
        first = self.start("pull", self.ref("slow"))
        self.wait_for_layer()
        second = self.start("pull", self.ref("slow"))
        # The second has said that it waits for the first.
        for line in second.stderr:
            if line.endswith(": Waiting\n"):
                break
        self.registry.gate.set()
        for process in (first, second):
            _, said = process.communicate(timeout=PATIENCE)
            self.assertEqual(process.returncode, 0, said)
        layers = [path for path in self.registry.fetched()]
        self.assertEqual(len(layers), len(set(layers)))
        self.assertEqual(len(self.files("disks")), 1)
        self.assert_store_is_sound()

    def test_removal_spares_a_running_pull(self):
        self.registry.add("deb", faulty.make_image(seed="other"))
        self.registry.add("slow", faulty.make_image(layers=2))
        self.pull("deb")
        process = self.start("pull", self.ref("slow"))
        self.wait_for_layer()
        self.assertEqual(self.tool("rmi", self.ref("deb")).returncode, 0)
        self.assertEqual(self.tool("find", self.ref("deb")).returncode, 1)
        self.registry.gate.set()
        _, said = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 0, said)
        # The pull's end has dropped what the removal had to leave.
        self.assertEqual(len(self.blobs()), 4)
        self.assert_store_is_sound()

    def test_many_at_once(self):
        """Pulls and removals of images that share layers, killed now and then: always old or new, never half."""
        for number in range(4):
            self.registry.add(f"deb{number}", faulty.make_image(layers=number + 1))

        def work(number):
            for turn in range(4):
                process = self.start("pull" if turn != 2 else "rmi", self.ref(f"deb{number}"))
                if turn == 1:
                    process.kill()
                process.communicate(timeout=PATIENCE)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(self.tool("list").stdout.splitlines()), 4)
        self.assert_store_is_sound()
        for number in range(4):
            self.assertEqual(self.tool("rmi", self.ref(f"deb{number}")).returncode, 0)
        self.assertEqual(self.blobs(), [])
        self.assertEqual(self.files("images", "ingest"), [])


if __name__ == "__main__":
    store_case.IMAGETOOL = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=1)
