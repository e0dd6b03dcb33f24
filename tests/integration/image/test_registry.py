#!/usr/bin/env python3
"""Pulling from Debian's docker-registry, filled by skopeo; and the store as skopeo and umoci see it.

Usage: test_registry.py IMAGETOOL [unittest arguments]
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
import faulty  # noqa: E402
import peers  # noqa: E402
import servers  # noqa: E402
from servers import run  # noqa: E402

IMAGETOOL = None


@unittest.skipUnless(all(map(shutil.which, peers.TOOLS)), f"needs {', '.join(peers.TOOLS)}")
class RealRegistry(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="mvm-registry-")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.address = cls.enterClassContext(servers.Registry(cls.folder)).address
        cls.image = faulty.Image()
        entries = [faulty.add_image(cls.image, layers=2, seed=arch, architecture=arch) for arch in ("arm64", "amd64")]
        cls.image.manifest(faulty.OCI_INDEX, {"schemaVersion": 2, "mediaType": faulty.OCI_INDEX, "manifests": entries})
        for name, *options in (("multi", "--all"), ("library/alpine",), ("docker", "--format", "v2s2")):
            peers.push_image(cls.address, cls.folder, cls.image, name, *options)

    def setUp(self):
        self.home = tempfile.mkdtemp(dir=self.folder)
        self.config = os.path.join(self.home, "config.json")
        with open(self.config, "w", encoding="ascii") as file:
            json.dump({"registries": {"docker.io": {"mirrors": [f"http://{self.address}"]}}}, file)

    def tool(self, *arguments):
        return run(IMAGETOOL, *arguments,
                   env={**os.environ, "MVM_HOME": os.path.join(self.home, "mvm"), "MVM_CONFIG": self.config})

    def layout(self, name):
        return os.path.join(self.home, "mvm", "images") + ":" + name

    def test_index_and_both_formats(self):
        for name in ("multi", "docker"):
            value = json.loads(self.tool("pull", f"{self.address}/{name}", "linux/amd64"))
            self.assertEqual(value["platform"], "linux/amd64")
            self.assertEqual(len(value["layers"]), 2)
        arm = json.loads(self.tool("pull", f"{self.address}/multi", "linux/arm64"))
        self.assertEqual(arm["platform"], "linux/arm64")

    def test_mirror(self):
        value = json.loads(self.tool("pull", "alpine", "linux/amd64"))
        self.assertEqual(value["names"], ["docker.io/library/alpine:latest"])

    def test_missing(self):
        for name, words in (("nothing", "of nothing; check name and tag"), ("multi:v9", "manifest unknown")):
            with self.assertRaises(subprocess.CalledProcessError) as raised:
                self.tool("pull", f"{self.address}/{name}")
            self.assertIn(words, raised.exception.stderr)

    def test_skopeo_and_umoci_read_the_store(self):
        value = json.loads(self.tool("pull", "alpine", "linux/amd64"))
        name = "docker.io/library/alpine:latest"
        seen = json.loads(run("skopeo", "--insecure-policy", "inspect", "oci:" + self.layout(name)))
        self.assertEqual(seen["Layers"], value["layers"])
        self.assertEqual(seen["Digest"], value["manifest"])
        bundle = os.path.join(self.home, "bundle")
        run("umoci", "unpack", "--rootless", "--image", self.layout(name), bundle)
        self.assertEqual(sorted(os.listdir(os.path.join(bundle, "rootfs"))), ["file0", "file1"])

    def test_what_skopeo_writes_is_found(self):
        self.tool("list")
        run("skopeo", "--insecure-policy", "copy", "--quiet", "--src-tls-verify=false", "--override-arch", "amd64",
            f"docker://{self.address}/library/alpine", "oci:" + self.layout("theirs"))
        self.assertEqual(len(json.loads(self.tool("find", "theirs"))["layers"]), 2)
        self.tool("rmi", "theirs")
        self.assertEqual(os.listdir(os.path.join(self.home, "mvm", "images", "blobs", "sha256")), [])


if __name__ == "__main__":
    IMAGETOOL = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=1)
