#!/usr/bin/env python3
"""save, load and import: archives of other people's tools, through files and pipes, and archives made to hurt.

Usage: test_archive.py MVM IMAGETOOL [unittest arguments]
"""
import gzip
import io
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import unittest

sys.dont_write_bytecode = True
import faulty  # noqa: E402
import store_case  # noqa: E402

MVM = None
PATIENCE = store_case.PATIENCE


def needs(*tools):
    return unittest.skipUnless(all(map(shutil.which, tools)), f"needs {', '.join(tools)}")


def add(tar, name, data=b"", **more):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in more.items():
        setattr(info, key, value)
    tar.addfile(info, io.BytesIO(data))


def archive(*files):
    """A tar of (name, bytes) and of (name, bytes, {fields of TarInfo}), in that order."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, data, *more in files:
            add(tar, name, data, **(more[0] if more else {}))
    return out.getvalue()


def link(name, target, kind=tarfile.SYMTYPE):
    return name, b"", {"type": kind, "linkname": target}


def layer(number=0, size=3000):
    return faulty.tar_layer({f"file{number}": bytes([65 + number]) * size})


def config_for(*layers, architecture="amd64", **more):
    return json.dumps({"architecture": architecture, "os": "linux", "config": {"Cmd": ["sh"]},
                       "rootfs": {"type": "layers", "diff_ids": [faulty.digest(data) for data in layers]},
                       **more}).encode()


def docker_files(layers, tags=("x:1",), config=None):
    """What docker wrote before 25, without manifest.json."""
    config = config or config_for(*layers)
    name = faulty.digest(config)[7:] + ".json"
    names = [faulty.digest(data)[7:] + "/layer.tar" for data in layers]
    manifest = [{"Config": name, "RepoTags": list(tags) if tags else None, "Layers": names}]
    return [(name, config), *zip(names, layers)], manifest


def docker_archive(*layers, **more):
    files, manifest = docker_files(layers, **more)
    return archive(*files, ("manifest.json", json.dumps(manifest).encode()))


def oci_files(image, *entries):
    blobs = {**image.blobs, **{key: value[1] for key, value in image.manifests.items()}}
    index = {"schemaVersion": 2, "manifests": list(entries)}
    return [("oci-layout", b'{"imageLayoutVersion": "1.0.0"}'), ("index.json", json.dumps(index).encode()),
            *((f"blobs/sha256/{key[7:]}", data) for key, data in blobs.items())]


def named(descriptor, name):
    return {**descriptor, "annotations": {"io.containerd.image.name": name, "org.opencontainers.image.ref.name": "v1"}}


class Case(store_case.StoreCase):
    def mvm(self, *arguments, data=None, home=None):
        return subprocess.run([MVM, *arguments], input=data, capture_output=True, timeout=PATIENCE, check=False,
                              env=self.environment(**({"MVM_HOME": home} if home else {})))

    def good(self, *arguments, **more):
        result = self.mvm(*arguments, **more)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def load(self, data):
        return self.good("load", "-q", data=data).decode()

    def refused(self, data, *words, command=("load",)):
        result = self.mvm(*command, data=data)
        said = result.stderr.decode()
        self.assertEqual(result.returncode, 1, said)
        self.assertEqual(result.stdout, b"")
        for word in words:
            self.assertIn(word, said)
        self.assertEqual(len(said.splitlines()), 1, said)
        self.assert_nothing_visible()

    def find(self, name):
        result = self.tool("find", name)
        self.assertEqual(result.returncode, 0, result.stderr)
        return json.loads(result.stdout)

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, data):
        with open(self.path(name), "wb") as file:
            file.write(data)
        return self.path(name)


class Load(Case):
    def test_docker_archive(self):
        config = config_for(layer(0), layer(1))
        data = docker_archive(layer(0), layer(1), tags=("x:1", "quay.io/y/z:v"))
        unended = data.rstrip(b"\0")
        for packed in (data, gzip.compress(data), unended + bytes(-len(unended) % 512)):
            self.assertEqual(self.load(packed), "Loaded image: x:1\nLoaded image: quay.io/y/z:v\n")
        self.assertEqual(self.find("x:1")["id"], faulty.digest(config))
        self.assertEqual(self.find("x:1")["layers"], [faulty.digest(layer(0)), faulty.digest(layer(1))])
        self.assertEqual(len(self.blobs()), 4)
        self.assertEqual(len(self.files("disks")), 1)
        self.assert_store_is_sound()

    def test_links_in_any_order(self):
        """Old docker wrote a layer that is there twice as a link; what follows comes first here."""
        data, config = layer(), config_for(layer(), layer())
        manifest = [{"Config": "c.json", "RepoTags": ["x:1"], "Layers": ["./a/layer.tar", "b/layer.tar"]}]
        for kind, target in ((tarfile.SYMTYPE, "../a/layer.tar"), (tarfile.SYMTYPE, "/a/layer.tar"),
                             (tarfile.LNKTYPE, "a/layer.tar")):
            packed = archive(("manifest.json", json.dumps(manifest).encode()), link("b/layer.tar", target, kind),
                             ("a/VERSION", b"1.0"), ("a/json", b"{}"), ("repositories", b"{}"), ("/a/layer.tar", data),
                             ("c.json", config))
            self.assertEqual(self.load(packed), "Loaded image: x:1\n")
            self.assertEqual(len(self.blobs()), 3)

    def test_compressed_layers(self):
        packed = gzip.compress(layer(), mtime=0)
        files, manifest = docker_files([layer()])
        files = [files[0], (files[1][0], packed)]
        self.load(archive(*files, ("manifest.json", json.dumps(manifest).encode())))
        self.assertEqual(self.find("x:1")["layers"], [faulty.digest(packed)])

    def test_id_of_an_image_that_is_there_stays_once(self):
        """The same image with its layers compressed comes again with plain ones."""
        image = faulty.make_image()
        self.load(archive(*oci_files(image, named(faulty.descriptor(*image.manifests[image.top]), "a:1"))))
        before = self.find("a:1")
        plain = gzip.decompress(next(data for data in image.blobs.values() if data[:2] == b"\x1f\x8b"))
        config = next(data for data in image.blobs.values() if data[:1] == b"{")
        self.load(docker_archive(plain, config=config, tags=("b:1",)))
        self.assertEqual(self.find("b:1")["manifest"], before["manifest"])
        self.assertEqual(len(self.tool("list").stdout.splitlines()), 1)
        self.assertEqual(len(self.blobs()), 3)

    def test_name_is_taken_over(self):
        self.load(docker_archive(layer(0)))
        old = self.find("x:1")["id"]
        self.assertEqual(self.load(docker_archive(layer(1))),
                         f"The image x:1 already exists, renaming the old one with ID {old} to empty string\n"
                         "Loaded image: x:1\n")
        self.assertEqual(self.find(old)["names"], [])

    def test_without_a_name(self):
        data, image_id = docker_archive(layer(), tags=None), faulty.digest(config_for(layer()))
        for _ in range(2):
            self.assertEqual(self.load(data), f"Loaded image ID: {image_id}\n")
        self.load(docker_archive(layer()))
        self.assertEqual(self.load(data), f"Loaded image ID: {image_id}\n")
        self.assertEqual(self.find(image_id)["names"], ["docker.io/library/x:1"])
        self.assertEqual(self.good("rmi", "x:1").count(b"Deleted:"), 2)
        self.assert_nothing_left()

    def test_several_images(self):
        one, two = docker_files([layer(0), layer(1)]), docker_files([layer(0), layer(2)], tags=("y:1",))
        files = dict([*one[0], *two[0]])
        self.assertEqual(self.load(archive(*files.items(), ("manifest.json", json.dumps(one[1] + two[1]).encode()))),
                         "Loaded image: x:1\nLoaded image: y:1\n")
        self.assertEqual(self.find("x:1")["layers"][0], self.find("y:1")["layers"][0])
        self.assert_store_is_sound()

    def test_platforms(self):
        image = faulty.Image()
        entries = [faulty.add_image(image, seed=arch, architecture=arch) for arch in ("arm64", "amd64")]
        image.manifest(faulty.OCI_INDEX, {"schemaVersion": 2, "mediaType": faulty.OCI_INDEX, "manifests": entries})
        nested = archive(*oci_files(image, named(faulty.descriptor(*image.manifests[image.top]), "x:1")))
        flat = archive(*oci_files(image, *(named(entry, "x:1") for entry in entries)))
        for data in (nested, flat):
            for arch in ("arm64", "amd64"):
                self.good("load", "--platform", f"linux/{arch}", data=data)
                self.assertEqual(self.find("x:1")["platform"], f"linux/{arch}")
        self.assertIn(b"no matching manifest for linux/s390x", self.mvm("load", "--platform", "linux/s390x", data=nested).stderr)
        # Docker writes the whole index and the blobs of one platform; any is better than none.
        for arch, entry in zip(("arm64", "amd64"), entries):
            manifest = json.loads(image.manifests[entry["digest"]][1])
            keep = [image.top, entry["digest"], manifest["config"]["digest"], manifest["layers"][0]["digest"]]
            part = faulty.Image()
            part.blobs = {key: data for key, data in image.blobs.items() if key in keep}
            part.manifests = {key: value for key, value in image.manifests.items() if key in keep}
            self.good("rmi", "-f", *{json.loads(line)["id"] for line in self.tool("list").stdout.splitlines()})
            self.load(archive(*oci_files(part, named(faulty.descriptor(*image.manifests[image.top]), "x:1"))))
            self.assertEqual(self.find("x:1")["platform"], f"linux/{arch}")

    def test_decayed_blob_is_mended(self):
        self.load(docker_archive(layer()))
        saved = self.good("save", "x:1")
        path = os.path.join(self.home, "images", "blobs", "sha256", faulty.digest(layer())[7:])
        os.chmod(path, 0o600)
        with open(path, "r+b") as file:
            file.write(b"X")
        result = self.mvm("save", "x:1")
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"has decayed in the store", result.stderr)
        self.load(saved)
        self.assert_store_is_sound()

    def test_terminal(self):
        primary, secondary = pty.openpty()
        result = subprocess.run([MVM, "load"], stdin=secondary, capture_output=True, env=self.environment(),
                                check=False)
        self.assertIn(b"requested load from stdin, but stdin is empty", result.stderr)
        result = subprocess.run([MVM, "save", "x"], stdout=secondary, stderr=subprocess.PIPE, env=self.environment(),
                                check=False)
        self.assertIn(b"cowardly refusing to save to a terminal. Use the -o flag or redirect", result.stderr)
        os.close(primary)
        os.close(secondary)


class Refused(Case):
    """Each is refused in one line, and nothing of it stays."""

    def test_no_archive(self):
        for data, words in ((b"", "it is empty"), (b"hello", "cut short"), (b"\0" * 1024, "neither manifest.json"),
                            (layer(), "mvm import"), (b"x" * 2048, "not a tar header"),
                            (gzip.compress(docker_archive(layer()))[:-20], "cut short"),
                            (b"\xfd7zXZ\0" + b"x" * 100, "compressed by bzip2 or xz")):
            self.refused(data, "cannot load", words)

    def test_cut_short(self):
        data = docker_archive(layer(0, 300000))
        for length in (700, 100000, len(data) // 512 * 512 - 10240 - 600):
            self.refused(data[:length])

    def test_names_and_links_that_leave(self):
        files, manifest = docker_files([layer()])
        text = ("manifest.json", json.dumps(manifest).encode())
        for bad in (("../evil", b"x"), ("a/../../evil", b"x"), link("a/b", "../../evil"),
                    link("a/b", "../evil", tarfile.LNKTYPE)):
            self.refused(archive(*files, bad, text), bad[0], "climbs out")
        self.refused(archive(*files, ("n" * 5000, b""), text), "a name of more than 4095 bytes")
        circle = [{"Config": "c", "RepoTags": ["x:1"], "Layers": []}]
        self.refused(archive(link("c", "d"), link("d", "c"), ("manifest.json", json.dumps(circle).encode())),
                     "links in a row")
        self.refused(archive(link("c", "/etc/passwd"), ("manifest.json", json.dumps(circle).encode())),
                     "config c is not in the archive")

    def test_wrong_digests(self):
        files, manifest = docker_files([layer(0)])
        text = ("manifest.json", json.dumps(manifest).encode())
        self.refused(archive(files[0], (files[1][0], layer(1)), text), files[1][0], "and the config says")
        self.refused(archive(files[0], (files[1][0], gzip.compress(layer(1))), text), "layer 1 of 1", "its content is")
        self.refused(archive(("blobs/sha256/" + "0" * 64, b"x")), "0" * 64, "does not have its digest")

    def test_missing(self):
        files, manifest = docker_files([layer(0), layer(1)])
        text = ("manifest.json", json.dumps(manifest).encode())
        self.refused(archive(*files[:-1], text), "image 1 of manifest.json", files[-1][0], "is not in the archive")
        self.refused(archive(*files[1:], text), files[0][0], "is not in the archive")
        image = faulty.make_image()
        entry = faulty.descriptor(*image.manifests[image.top])
        for name, data in oci_files(image, entry)[2:]:
            rest = [file for file in oci_files(image, entry) if file[0] != name]
            self.refused(archive(*rest), name.split("/")[-1][:12], "is not in the archive")

    def test_documents(self):
        good, manifest = docker_files([layer()])
        for text, words in (("", "manifest.json"), ("{}", "no list of images"), ("[]", "no list of images"),
                            ("[1]", "not an object"), ("[{}]", 'no "Config"'), ('[{"Config": 1}]', '"Config"'),
                            ("[" * 100 + "]" * 100, "manifest.json"),
                            (json.dumps([{**manifest[0], "RepoTags": ["UPPER"]}]), "UPPER"),
                            (json.dumps([{**manifest[0], "Layers": []}]), "0 layers"),
                            (" " * (5 << 20), "larger than")):
            self.refused(archive(*good, ("manifest.json", text.encode())), words)
        layout = ("oci-layout", b'{"imageLayoutVersion": "1.0.0"}')
        for text, words in (("{}", "index.json"), ('{"schemaVersion": 2, "manifests": []}', "names no image"),
                            ('{"schemaVersion": 2, "manifests": [{}]}', "entry 1")):
            self.refused(archive(layout, ("index.json", text.encode())), words)
        self.refused(archive(("oci-layout", b'{"imageLayoutVersion": "9"}'), ("index.json", b"{}")), '"9"')

    def test_nested_too_deep(self):
        image = faulty.make_image()
        for _ in range(6):
            entry = faulty.descriptor(*image.manifests[image.top])
            image.manifest(faulty.OCI_INDEX,
                           {"schemaVersion": 2, "mediaType": faulty.OCI_INDEX, "manifests": [entry]})
        self.refused(archive(*oci_files(image, faulty.descriptor(*image.manifests[image.top]))), "more than 4 deep")

    def test_second_image_is_broken(self):
        one, two = docker_files([layer(0)]), docker_files([layer(2)], tags=("y:1",))
        self.refused(archive(*one[0], *two[0][:1], ("manifest.json", json.dumps(one[1] + two[1]).encode())),
                     "image 2 of manifest.json")

    def test_layers_that_hurt(self):
        evil = archive(("../../evil", b"x"))
        self.refused(docker_archive(evil), "layer 1 of 1", "../../evil", "climbs out")
        self.refused(docker_archive(b"no tar at all"), "layer 1 of 1")

    def test_more_than_allowed(self):
        self.write_config({"images": {"maxUnpackedSize": "1MiB"}})
        self.refused(docker_archive(layer(0, 2 << 20)), "layer.tar", "maxUnpackedSize")

    def test_platform(self):
        self.refused(docker_archive(layer()), "linux/amd64, not for linux/arm64",
                     command=("load", "--platform", "arm64"))


class Save(Case):
    def setUp(self):
        super().setUp()
        self.load(docker_archive(layer(0), layer(1), tags=("x:1", "x:2")))
        self.load(docker_archive(layer(0), layer(2), tags=("quay.io/y/z:v",)))

    @staticmethod
    def documents(data):
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            names = tar.getnames()
            return names, *(json.load(tar.extractfile(name)) for name in ("index.json", "manifest.json"))

    def test_names(self):
        for arguments, tags in ((["x:1"], [["x:1"]]), (["x"], [["x:1", "x:2"]]), (["x:2", "x:1"], [["x:2", "x:1"]]),
                                (["x", "quay.io/y/z:v"], [["x:1", "x:2"], ["quay.io/y/z:v"]]),
                                ([self.find("x:1")["id"]], [None]), ([self.find("x:1")["id"][7:19]], [None]),
                                ([self.find("x:1")["id"], "x:1"], [["x:1"]])):
            names, index, manifest = self.documents(self.good("save", *arguments))
            self.assertEqual([image["RepoTags"] for image in manifest], tags)
            self.assertEqual(len(names), len(set(names)))
            self.assertEqual("repositories" in names, tags != [None])
            self.assertEqual(len(index["manifests"]), sum(len(these or [1]) for these in tags))
        self.assertEqual(index["manifests"][0]["annotations"],
                         {"io.containerd.image.name": "docker.io/library/x:1",
                          "org.opencontainers.image.ref.name": "1"})

    def test_round_trip(self):
        first = self.good("save", "x", "quay.io/y/z:v")
        self.assertEqual(first, self.good("save", "x", "quay.io/y/z:v"))
        other = self.path("other")
        said = self.good("load", "-q", data=first, home=other)
        self.assertEqual(said, b"Loaded image: x:1\nLoaded image: x:2\nLoaded image: quay.io/y/z:v\n")
        self.assertEqual(self.good("save", "x", "quay.io/y/z:v", home=other), first)

    def test_file(self):
        path = self.path("x.tar")
        self.good("save", "-o", path, "x:1")
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        with open(path, "rb") as file:
            whole = file.read()
        self.assertEqual(whole, self.good("save", "x:1"))
        before = sorted(os.listdir(self.folder))
        result = self.mvm("save", "-o", path, "x:1", "nothing:1")
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"no such image: nothing:1", result.stderr)
        with open(path, "rb") as file:
            self.assertEqual(file.read(), whole)
        self.assertEqual(sorted(os.listdir(self.folder)), before)
        self.assertEqual(self.good("load", "-q", "-i", path), b"Loaded image: x:1\n")
        for bad, words in ((self.path("no/x.tar"), "does not exist"), (self.folder, "is a directory")):
            self.assertIn(words, self.mvm("save", "-o", bad, "x:1").stderr.decode())
        self.assertIn(b"does not provide the specified platform (linux/arm64)",
                      self.mvm("save", "--platform", "arm64", "x:1").stderr)

    def test_closed_pipe_and_full_device(self):
        with open("/dev/full", "wb") as full:
            result = subprocess.run([MVM, "save", "x:1"], stdout=full, stderr=subprocess.PIPE, check=False,
                                    env=self.environment())
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"cannot write the archive: No space left", result.stderr)


class Peers(Case):
    """Other people's tools, both ways."""

    def setUp(self):
        super().setUp()
        self.load(docker_archive(layer(0), layer(1), tags=("x:1",)))
        self.image = self.find("x:1")
        self.saved = self.path("saved.tar")
        self.good("save", "-o", self.saved, "x:1")

    def run_tool(self, *arguments):
        result = subprocess.run(arguments, capture_output=True, timeout=PATIENCE, check=False)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def skopeo(self, source, target):
        self.run_tool("skopeo", "--insecure-policy", "copy", "--quiet", source, target)

    def load_elsewhere(self, path):
        home = tempfile.mkdtemp(dir=self.folder)
        self.good("load", "-q", "-i", path, home=home)
        lines = subprocess.run([store_case.IMAGETOOL, "list"], env=self.environment(MVM_HOME=home), check=True,
                               capture_output=True).stdout.splitlines()
        self.assertEqual(len(lines), 1)
        return json.loads(lines[0])

    @needs("skopeo")
    def test_skopeo(self):
        for reader in (f"docker-archive:{self.saved}:docker.io/library/x:1", f"oci-archive:{self.saved}:1"):
            for kind in ("docker-archive", "oci-archive"):
                path = tempfile.mktemp(dir=self.folder)
                self.skopeo(reader, f"{kind}:{path}:x:1")
                image = self.load_elsewhere(path)
                self.assertEqual(image["names"], ["docker.io/library/x:1"])
                self.assertEqual(len(image["layers"]), 2)
                # From one format to the other skopeo writes a config of its own.
                if reader.startswith(kind):
                    self.assertEqual(image["id"], self.image["id"])

    @needs("umoci")
    def test_umoci(self):
        layout = self.path("layout")
        with tarfile.open(self.saved) as tar:
            tar.extractall(layout)
        self.run_tool("umoci", "unpack", "--rootless", "--image", f"{layout}:1", self.path("bundle"))
        self.assertEqual(sorted(os.listdir(self.path("bundle/rootfs"))), ["file0", "file1"])

    @needs("podman")
    def test_podman(self):
        root = self.path("podman")
        podman = ["podman", "--root", root, "--runroot", self.path("run"), "--storage-driver", "vfs"]
        try:
            subprocess.run([*podman, "info"], check=True, capture_output=True, timeout=PATIENCE)
        except (subprocess.SubprocessError, OSError) as error:
            self.skipTest(f"podman does not work here: {getattr(error, 'stderr', error)}")
        loaded = subprocess.run([*podman, "load", "-q", "-i", self.saved], capture_output=True, timeout=PATIENCE,
                                check=False)
        # It unpacks after a chroot, for which it wants a root that is a mount.
        if b"remount /" in loaded.stderr:
            self.skipTest(f"podman cannot unpack layers here: {loaded.stderr.decode(errors='replace')[:200]}")
        self.assertEqual(loaded.returncode, 0, loaded.stderr)
        said = loaded.stdout.decode()
        name = said.split(": ", 1)[1].strip()
        for kind in ("docker-archive", "oci-archive"):
            path = tempfile.mktemp(dir=self.folder)
            self.run_tool(*podman, "save", "-q", "--format", kind, "-o", path, name)
            self.assertEqual(self.load_elsewhere(path)["id"], self.image["id"])


class Import(Case):
    def imported(self, data, *arguments):
        image_id = self.good("import", *arguments, data=data).decode().strip()
        with open(os.path.join(self.home, "images", "blobs", "sha256", image_id[7:]), "rb") as file:
            return image_id, json.load(file)

    def test_config(self):
        image_id, config = self.imported(layer(), "-c", 'CMD ["a"]', "--change", "ENV A=b", "-m", "why", "-", "x:1")
        self.assertEqual(self.find("x:1")["id"], image_id)
        self.assertEqual(config["config"], {"Cmd": ["a"], "Env": ["A=b"]})
        self.assertEqual(config["rootfs"], {"type": "layers", "diff_ids": [faulty.digest(layer())]})
        self.assertEqual((config["history"][0]["comment"], config["os"]), ("why", "linux"))
        self.assertEqual(config["history"][0]["created"], config["created"])
        _, config = self.imported(layer(), "--platform", "linux/arm/v6", "-")
        self.assertEqual((config["architecture"], config["variant"]), ("arm", "v6"))
        self.assertEqual(config["history"][0]["comment"], "Imported from -")

    def test_compressions_and_files(self):
        forms = [layer(), gzip.compress(layer())]
        if shutil.which("zstd"):
            forms.append(subprocess.run(["zstd", "-q"], input=layer(), capture_output=True, check=True).stdout)
        for data in forms:
            path = self.write("fs.tar", data)
            _, config = self.imported(None, path, "x:1")
            self.assertEqual(config["rootfs"]["diff_ids"], [faulty.digest(layer())])
            self.assertEqual(self.find("x:1")["layers"], [faulty.digest(data)])
        self.assertEqual(len(self.files("disks")), 1)
        self.assert_store_is_sound()

    def test_refused(self):
        for arguments, data, words in (
                (["-"], b"", "nothing in it"), (["-"], b"hello", "cut short"), (["-"], b"x" * 1024, "not a tar header"),
                (["-"], layer()[:1024], "cut short"), (["-"], archive(("../x", b"")), "climbs out"),
                (["-", "x@sha256:" + "0" * 64], layer(), "digest reference"), (["-", "X"], layer(), "lowercase"),
                (["-c", "RUN x", "-"], layer(), "RUN is not a valid change command"),
                (["http://127.0.0.1/fs.tar"], b"", "curl -fsSL http://127.0.0.1/fs.tar | mvm import -"),
                (["/nothing"], b"", "No such file")):
            self.refused(data, words, command=("import", *arguments))


class Crashes(Case):
    def begin(self, *arguments):
        process = subprocess.Popen([MVM, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, env=self.environment())
        self.addCleanup(self.end_all, process)
        return process

    @staticmethod
    def end_all(process):
        if process.poll() is None:
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            try:
                pipe.close()
            except BrokenPipeError:
                pass

    def stop_in_the_middle(self, signo, *arguments, data=None):
        """Gives all but the end, and more than a pipe holds; then the process has begun to read."""
        process = self.begin(*arguments)
        process.stdin.write(data[:-2048])
        process.stdin.flush()
        process.send_signal(signo)
        process.wait(PATIENCE)
        return process

    def test_kill(self):
        large = layer(0, 2 << 20)
        for data, command in ((docker_archive(large), ["load"]), (large, ["import", "-", "x:1"])):
            self.stop_in_the_middle(signal.SIGKILL, *command, data=data)
            self.assert_nothing_visible()
        self.load(docker_archive(large))
        self.assertEqual(self.files("images", "ingest"), [])
        self.assert_store_is_sound()

    def test_interrupt(self):
        process = self.stop_in_the_middle(signal.SIGINT, "load", data=docker_archive(layer(0, 2 << 20)))
        self.assertEqual(process.returncode, 1)
        self.assertEqual(process.stderr.read(), b"mvm: cannot load the archive: interrupted\n")
        self.assert_nothing_left()

    def test_two_at_once(self):
        image = faulty.make_image(layers=2, size=1 << 20)
        data = archive(*oci_files(image, named(faulty.descriptor(*image.manifests[image.top]), "x:1")))
        other = docker_archive(layer(0, 1 << 20), tags=("y:1",))
        first, second, third = self.begin("load", "-q"), self.begin("load", "-q"), self.begin("load", "-q")
        # The first holds a blob that the second wants: the second waits, and both end well.
        first.stdin.write(data[:len(data) // 2])
        first.stdin.flush()
        self.assertEqual(third.communicate(other, timeout=PATIENCE)[0], b"Loaded image: y:1\n")
        first.stdin.write(data[len(data) // 2:])
        first.stdin.close()
        self.assertEqual(second.communicate(data, timeout=PATIENCE)[0], b"Loaded image: x:1\n")
        self.assertEqual(first.wait(PATIENCE), 0)
        self.assertEqual(len(self.files("disks")), 2)
        self.assert_store_is_sound()

    def test_full_disk(self):
        os.mkdir(self.home)
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", self.home], capture_output=True,
                          check=False).returncode:
            self.skipTest("a small file system needs root and the right to mount")
        self.addCleanup(subprocess.run, ["umount", self.home], check=True)
        for data, command in ((docker_archive(layer(0, 8 << 20)), "load"), (layer(0, 8 << 20), "import")):
            self.refused(data, "No space left on device", command=(command, *(["-"] if command == "import" else [])))


if __name__ == "__main__":
    MVM, store_case.IMAGETOOL = os.path.abspath(sys.argv.pop(1)), os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=1)
