"""What the tests of pulling share: a home of its own for each, imagetool, and what must be true of a store."""
import hashlib
import json
import os
import subprocess
import tempfile
import unittest

# Set by who runs the tests.
IMAGETOOL = None
# No test takes so long unless something hangs.
PATIENCE = 60


class StoreCase(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="mvm-pull-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.home = os.path.join(folder.name, "home")
        self.config = os.path.join(folder.name, "config.json")
        self.write_config({})

    def enter(self, manager):
        value = manager.__enter__()
        self.addCleanup(manager.__exit__, None, None, None)
        return value

    def write_config(self, value):
        with open(self.config, "w", encoding="utf-8") as file:
            json.dump(value, file)

    def environment(self, **more):
        clean = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
        return {**clean, "MVM_HOME": self.home, "MVM_CONFIG": self.config, **more}

    def tool(self, *arguments, **more):
        return subprocess.run([IMAGETOOL, *arguments], env=self.environment(**more), capture_output=True, text=True,
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

    def files(self, *parts):
        path = os.path.join(self.home, *parts)
        return sorted(os.listdir(path)) if os.path.isdir(path) else []

    def blobs(self):
        return self.files("images", "blobs", "sha256")

    def assert_nothing_visible(self):
        """No name, no disk; and what was kept for another try goes with the next collection."""
        self.assertEqual(self.tool("list").stdout, "")
        self.assertEqual(self.files("disks"), [])
        self.assertEqual(self.tool("collect").returncode, 0)
        self.assert_nothing_left()

    def assert_nothing_left(self):
        self.assertEqual(self.blobs(), [])
        self.assertEqual(self.files("images", "ingest"), [])
        self.assertEqual(self.files("disks"), [])
        self.assertEqual(self.tool("list").stdout, "")

    def assert_store_is_sound(self):
        """Every blob has the digest that it is named by, and every name its blobs."""
        for name in self.blobs():
            with open(os.path.join(self.home, "images", "blobs", "sha256", name), "rb") as file:
                self.assertEqual(hashlib.sha256(file.read()).hexdigest(), name)
        for line in self.tool("list").stdout.splitlines():
            image = json.loads(line)
            for digest in (image["id"], image["manifest"], *image["layers"]):
                self.assertIn(digest.split(":")[1], self.blobs())
