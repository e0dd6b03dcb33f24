#!/usr/bin/env python3
"""Pushing to registries that misbehave: those of faulty_push.py.

Usage: test_push_faulty.py IMAGETOOL [unittest arguments]
"""
import json
import os
import sys
import threading
import unittest

sys.dont_write_bytecode = True
import faulty_push  # noqa: E402
from pushing import CHUNK, LARGE, SMALL, Case, make_image  # noqa: E402


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

    def test_five_at_once(self):
        self.stored("five", make_image(*range(100, 111)))
        self.assertEqual(self.registry.most, 5)

    def test_fewer_at_once(self):
        """As configured."""
        with open(self.config, "w", encoding="ascii") as file:
            json.dump({"max-concurrent-uploads": 2}, file)
        self.registry.barrier = threading.Barrier(1)
        self.stored("five", make_image(*range(100, 111)))
        self.assertLessEqual(self.registry.most, 2)

    def test_stalls(self):
        with open(self.config, "w", encoding="ascii") as file:
            json.dump({"registries": {self.registry.address: {"timeout": 1}}}, file)
        self.fails("stalls", LARGE, "timeout", "took nothing for 1 s")


if __name__ == "__main__":
    Case.imagetool = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=1)
