#!/usr/bin/env python3
"""Pulling from Debian's docker-registry through chaos_proxy.py: whatever the way does to the answers, the pull ends right
or in one clear error, nothing half done is visible, and the store is clean.

Usage: test_chaos.py IMAGETOOL [unittest arguments]
"""
import fcntl
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
import chaos_proxy as chaos  # noqa: E402
import faulty  # noqa: E402
import peers  # noqa: E402
import servers  # noqa: E402
import store_case  # noqa: E402
from store_case import PATIENCE, StoreCase  # noqa: E402

LAYERS = 4
SIZE = 300000


@unittest.skipUnless(all(map(shutil.which, peers.TOOLS)), f"needs {', '.join(peers.TOOLS)}")
class Case(StoreCase):
    @classmethod
    def setUpClass(cls):
        cls.registry_folder = tempfile.mkdtemp(prefix="mvm-chaos-")
        cls.addClassCleanup(shutil.rmtree, cls.registry_folder)
        cls.registry = cls.enterClassContext(servers.Registry(cls.registry_folder))
        cls.image = faulty.make_image(layers=LAYERS, size=SIZE)
        peers.push_image(cls.registry.address, cls.registry_folder, cls.image, "deb")

    def setUp(self):
        super().setUp()
        self.proxy = self.enter(chaos.Proxy(self.registry.address))
        self.name = f"{self.proxy.address}/deb"
        # What hangs is given up soon.
        self.write_config({"registries": {self.proxy.address: {"timeout": 1}}})

    def assert_right(self, result):
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(json.loads(result.stdout)["manifest"], self.image.top)
        self.assertEqual(self.files("images", "ingest"), [])
        self.assertEqual(len(self.blobs()), LAYERS + 2)
        self.assertEqual(len(self.files("disks")), 1)
        self.assert_store_is_sound()

    def assert_refused(self, result, *words):
        self.assertEqual(result.returncode, 1, result.stdout)
        last = result.stderr.splitlines()[-1]
        for word in ("cannot pull", *words):
            self.assertIn(word, last)
        self.assertEqual(sum("cannot pull" in line for line in result.stderr.splitlines()), 1, result.stderr)
        self.assertEqual(self.tool("list").stdout, "")
        self.assertEqual(self.files("disks"), [])

    def pull_through(self, fault):
        self.proxy.fault = fault
        return self.tool("pull", self.name)

    def right_through(self, fault):
        self.assert_right(self.pull_through(fault))

    def refused_through(self, fault, *words):
        """And the next pull, the way being clear, works."""
        self.assert_refused(self.pull_through(fault), *words)
        self.right_through(None)

    def ranges(self):
        """The first bytes that were asked for of each layer, by path."""
        first = {}
        for path, wanted in self.proxy.layers():
            first.setdefault(path, []).append(int(wanted[6:-1]) if wanted else 0)
        return first


class Resume(Case):
    def test_cut_again_and_again(self):
        """A server that cuts each connection: every byte comes once."""
        self.right_through(chaos.cut(100000))
        for asked in self.ranges().values():
            self.assertEqual(asked, [100000 * i for i in range(len(asked))])
        self.assertTrue(any(len(asked) > 3 for asked in self.ranges().values()))

    def test_cut_without_a_length(self):
        self.right_through(chaos.times(1, chaos.cut_unannounced(100000)))
        self.assertIn([0, 100000], self.ranges().values())

    def test_cut_before_it_is_worth_anything(self):
        """What comes in drops is given up in the end."""
        self.refused_through(chaos.cut(5000), "closed the connection early")

    def test_next_pull_goes_on(self):
        self.assert_refused(self.pull_through(chaos.lost(40000)), "status 503")
        self.assertTrue(self.files("images", "ingest"))
        asked = len(self.proxy.requests)
        self.right_through(None)
        again = [wanted for method, path, wanted in self.proxy.requests[asked:] if wanted]
        self.assertTrue(again)
        for wanted in again:
            self.assertGreaterEqual(int(wanted[6:-1]), 40000)

    def test_interrupted_pull_goes_on(self):
        self.proxy.fault = chaos.stall
        process = self.start("pull", self.name)
        self.assertTrue(self.proxy.stalled.acquire(timeout=PATIENCE))
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=PATIENCE)
        self.assertIn("interrupted", said)
        self.right_through(None)

    def test_other_pulls_do_not_keep_it(self):
        """What the failed pull has left goes with the next one that ends."""
        peers.push_image(self.registry.address, self.registry_folder, faulty.make_image(seed="other"), "other")
        self.assert_refused(self.pull_through(chaos.lost(40000)), "status 503")
        self.proxy.fault = None
        self.assertEqual(self.tool("pull", f"{self.proxy.address}/other").returncode, 0)
        self.assertEqual(self.files("images", "ingest"), [])
        self.assertEqual(len(self.blobs()), 3)

    def spoil(self, change):
        """Does something to the longest of what a failed pull has left; its path."""
        self.assert_refused(self.pull_through(chaos.lost(40000)), "status 503")
        folder = os.path.join(self.home, "images", "ingest")
        path = max((os.path.join(folder, name) for name in os.listdir(folder)), key=os.path.getsize)
        with open(path, "r+b") as file:
            change(file)
        return path

    def test_what_was_kept_has_decayed(self):
        """The whole does not have its digest: it is fetched once more from the start."""
        path = self.spoil(lambda file: file.write(b"#"))
        kept = os.path.getsize(path)
        self.proxy.requests.clear()
        self.right_through(None)
        asked = next(asked for name, asked in self.ranges().items() if name.endswith(os.path.basename(path)))
        self.assertEqual(asked, [kept, 0])

    def test_what_was_kept_is_longer_than_the_blob(self):
        self.spoil(lambda file: file.truncate(10 * SIZE))
        self.right_through(None)

    def test_what_was_kept_is_all_of_it(self):
        path = self.spoil(lambda file: file.truncate(0))
        name = os.path.basename(path)
        with open(path, "wb") as file:
            file.write(self.image.blobs["sha256:" + name])
        self.proxy.requests.clear()
        self.right_through(None)
        self.assertFalse([asked for asked, _ in self.proxy.layers() if asked.endswith(name)])

    def test_mirror_that_breaks_in_the_middle(self):
        """The registry goes on where the mirror ended."""
        mirror = self.enter(chaos.Proxy(self.registry.address))
        mirror.fault = chaos.on_layers(lambda exchange: exchange.range and exchange.hang_up() or chaos.cut(100000)(exchange))
        self.write_config({"registries": {self.proxy.address: {"mirrors": [f"http://{mirror.address}"], "timeout": 1}}})
        self.right_through(None)
        self.assertTrue(self.ranges())
        for asked in self.ranges().values():
            self.assertEqual(asked, [100000])


class Ranges(Case):
    """What servers make of a request for a part (RFC 9110, section 14)."""

    def after_a_cut(self, fault):
        """The first answer of each layer is cut; what comes then is the fault's."""
        cut = chaos.cut(100000)
        return lambda exchange: cut(exchange) if exchange.is_layer and not exchange.range else fault(exchange)

    def test_whole_instead(self):
        self.right_through(chaos.times(2, self.after_a_cut(chaos.no_ranges)))

    def test_not_satisfiable(self):
        self.right_through(chaos.times(2, self.after_a_cut(chaos.not_satisfiable)))

    def test_wrong_part(self):
        for fault in (chaos.wrong_range(-50), chaos.wrong_range(1), chaos.nameless_range):
            shutil.rmtree(self.home, ignore_errors=True)
            self.proxy.requests.clear()
            self.right_through(chaos.times(2, self.after_a_cut(fault)))

    def test_wrong_part_always(self):
        self.refused_through(self.after_a_cut(chaos.wrong_range(-50)))

    def test_part_that_lies(self):
        """Bytes from elsewhere under the right name: the digest tells, and the blob comes once more from the start."""
        self.right_through(chaos.times(2, self.after_a_cut(chaos.lying_range(-1))))

    def test_shorter_part(self):
        self.right_through(self.after_a_cut(chaos.short_range(70000)))

    def test_part_of_another_size(self):
        self.right_through(chaos.times(2, self.after_a_cut(chaos.other_size)))

    def test_part_that_nobody_asked_for(self):
        self.right_through(chaos.times(1, chaos.part_unasked))


class Answers(Case):
    def test_clear(self):
        self.right_through(None)
        self.assertEqual(len(self.proxy.layers()), LAYERS + 1)

    def test_slow(self):
        self.right_through(chaos.slow())

    def test_corrupt(self):
        self.refused_through(chaos.corrupt, "does not have its digest", self.proxy.address)

    def test_corrupt_once(self):
        self.right_through(chaos.times(1, chaos.corrupt))

    def test_too_short(self):
        self.refused_through(chaos.wrong_length(-1000), "whose manifest says")

    def test_too_long(self):
        self.refused_through(chaos.wrong_length(1000), "whose manifest says")

    def test_stall(self):
        self.refused_through(chaos.stall, "sent nothing for 1 s")

    def test_stall_once(self):
        self.right_through(chaos.times(1, chaos.stall))

    def test_duplicate(self):
        self.right_through(chaos.duplicate)

    def test_reordered(self):
        """Layers that come for one another have other sizes or digests."""
        result = self.pull_through(chaos.Reorder())
        self.assert_refused(result)
        self.right_through(None)

    def test_redirect_to_another_port(self):
        other = self.enter(chaos.Proxy(self.registry.address))
        other.fault = chaos.times(1, chaos.cut(100000))
        self.right_through(chaos.redirect(other.address))
        # The range is asked for there, too.
        self.assertTrue([wanted for _, wanted in other.layers() if wanted])

    def test_redirect_to_nowhere(self):
        with chaos.Proxy(self.registry.address) as gone:
            address = gone.address
        self.refused_through(chaos.redirect(address), "cannot pull")


class Patience(Case):
    def test_busy(self):
        for status, date in ((429, False), (503, False), (503, True)):
            shutil.rmtree(self.home, ignore_errors=True)
            self.proxy.requests.clear()
            self.proxy.refused.clear()
            # Manifest and blobs alike. A date has whole seconds: two of them are at least one.
            self.right_through(chaos.times(1, chaos.busy(status, 2 if date else 1, date)))
            self.assertGreater(len(self.proxy.refused), LAYERS)

    def test_too_busy(self):
        self.refused_through(chaos.on_layers(chaos.busy(429, 7200)), "too many requests: slow down; try again in 2 hours")

    def test_too_busy_by_date(self):
        self.refused_through(chaos.busy(429, 7200, True), "try again in", "hour")

    def test_error_once(self):
        self.right_through(chaos.times(1, lambda exchange: exchange.refuse(500)))


class Together(Case):
    def test_two_processes_fetch_each_blob_once(self):
        """Counted at the registry's door, with every blob slow enough for the two to meet."""
        self.proxy.fault = chaos.slow(pause=0.01)
        pulls = [self.start("pull", self.name) for _ in range(3)]
        for process in pulls:
            said, errors = process.communicate(timeout=PATIENCE)
            self.assertEqual(process.returncode, 0, errors)
        paths = [path for path, _ in self.proxy.layers()]
        self.assertEqual(len(paths), LAYERS + 1)
        self.assertEqual(len(set(paths)), LAYERS + 1)
        self.assert_store_is_sound()

    def test_one_is_killed_and_the_other_goes_on(self):
        self.proxy.fault = chaos.slow(pause=0.02)
        first, second = self.start("pull", self.name), None
        for line in first.stderr:
            if line.endswith("Pulling fs layer\n"):
                second = second or self.start("pull", self.name)
                break
        for line in second.stderr:
            if line.endswith("Waiting\n"):
                break
        first.kill()
        said, errors = second.communicate(timeout=PATIENCE)
        self.assertEqual(second.returncode, 0, errors)
        self.assert_store_is_sound()
        self.assertEqual(self.files("images", "ingest"), [])

    def test_interrupt_while_another_builds_the_disk(self):
        """Ctrl-C is heard by who waits for another process, and by who unpacks."""
        self.right_through(None)
        (disk,) = self.files("disks")
        disks = os.path.join(self.home, "disks")
        shutil.rmtree(os.path.join(disks, disk))
        with open(os.path.join(disks, f".build-{disk}.lock"), "wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            process = self.start("pull", self.name)
            # All layers are here: the only wait is that for the lock.
            for line in process.stderr:
                if line.endswith("Download complete\n"):
                    break
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=PATIENCE)
            self.assertEqual(process.returncode, 1)
            self.assertIn("interrupted", said)
        self.right_through(None)

    def test_downloads_at_once(self):
        for config, most in (({}, 3), ({"max-concurrent-downloads": 1}, 1)):
            shutil.rmtree(self.home, ignore_errors=True)
            self.write_config(config)
            running, seen = [0], [0]

            def count(exchange):
                if not exchange.is_layer:
                    return False
                with self.proxy.lock:
                    running[0] += 1
                    seen[0] = max(seen[0], running[0])
                chaos.slow(pause=0.005)(exchange)
                with self.proxy.lock:
                    running[0] -= 1
                return True

            self.right_through(count)
            self.assertLessEqual(seen[0], most)
            self.assertGreaterEqual(seen[0], min(most, 2))


class Tags(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for tag in ("v1", "v2", "v3"):
            peers.push_image(cls.registry.address, cls.registry_folder, faulty.make_image(seed=tag), f"tags:{tag}")

    def names(self, fault=None):
        self.proxy.fault = fault
        result = self.tool("pull-tags", f"{self.proxy.address}/tags")
        self.assertEqual(result.returncode, 0, result.stderr)
        return [json.loads(line)["names"][0].rsplit(":", 1)[1] for line in result.stdout.splitlines()]

    def test_all(self):
        self.assertEqual(sorted(self.names()), ["v1", "v2", "v3"])
        self.assert_store_is_sound()

    def test_pages(self):
        for link in (lambda path, last: f'<{path}?last={last}&n=1>; rel="next"',
                     lambda path, last: f'<http://{self.proxy.address}{path}?last={last}>; rel=next',
                     lambda path, last: f'</elsewhere>; rel="first", <?last={last}>; rel="next"'):
            self.assertEqual(self.names(chaos.paged(link)), ["v1", "v2", "v3"])

    def test_pages_elsewhere(self):
        self.proxy.fault = chaos.paged(lambda path, last: f'<http://127.0.0.1:1{path}?last={last}>; rel="next"')
        self.assert_refused(self.tool("pull-tags", f"{self.proxy.address}/tags"), "at another server")

    def test_none(self):
        self.assert_refused(self.tool("pull-tags", f"{self.proxy.address}/nothing"), "nothing")


class Anything(Case):
    def test_all_of_it_at_random(self):
        """Every fault there is, by chance, until the way is clear: right or refused, and never half."""
        seed = random.randrange(1 << 30)
        chance = random.Random(seed)
        faults = [chaos.cut(100000), chaos.cut_unannounced(120000), chaos.corrupt, chaos.wrong_length(7),
                  chaos.wrong_range(-3), chaos.lying_range(5), chaos.nameless_range, chaos.short_range(70000),
                  chaos.no_ranges, chaos.not_satisfiable, chaos.part_unasked, chaos.duplicate, chaos.other_size,
                  chaos.busy(503, 0), lambda exchange: exchange.hang_up(), lambda exchange: exchange.refuse(502)]

        def fault(exchange):
            return chance.random() < 0.3 and chance.choice(faults)(exchange)

        with self.subTest(seed=seed):
            for _ in range(12):
                result = self.pull_through(fault)
                if result.returncode == 0:
                    self.assert_right(result)
                else:
                    self.assert_refused(result)
            self.proxy.fault = None
            self.right_through(None)


if __name__ == "__main__":
    store_case.IMAGETOOL = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=1)
