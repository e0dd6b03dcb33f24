"""What the tests of login, TLS and proxies share."""
import base64
import json
import os
import shutil
import subprocess
import tempfile
import unittest

import faulty
import servers

PASSWORD = "pass:word"
MVM = IMAGETOOL = None


def use(mvm, imagetool):
    global MVM, IMAGETOOL
    MVM, IMAGETOOL = map(os.path.abspath, (mvm, imagetool))


def encoded(user, password):
    return base64.b64encode(f"{user}:{password}".encode()).decode()


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="mvm-auth-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.docker = os.path.join(self.folder, "docker")
        self.config = os.path.join(self.folder, "mvm.json")
        self.bin = os.path.join(self.folder, "bin")
        os.mkdir(self.bin)
        self.write_config({})
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")},
            "HOME": self.folder, "MVM_HOME": os.path.join(self.folder, "mvm"), "MVM_CONFIG": self.config,
            "DOCKER_CONFIG": self.docker, "PATH": self.bin + ":" + os.environ["PATH"]}

    def write_config(self, value):
        with open(self.config, "w", encoding="ascii") as file:
            json.dump(value, file)

    def enter(self, manager):
        value = manager.__enter__()
        self.addCleanup(manager.__exit__, None, None, None)
        return value

    def run_mvm(self, *arguments, **more):
        return subprocess.run([MVM, *arguments], capture_output=True, text=True, env=self.environment,
                              stdin=None if "input" in more else subprocess.DEVNULL, **more)

    def login(self, server, user="alice", password=PASSWORD):
        return self.run_mvm("login", "-u", user, "--password-stdin", server, input=password + "\n")

    def logged_in(self, *arguments, **more):
        result = self.login(*arguments, **more)
        self.assertEqual((result.returncode, result.stdout), (0, "Login Succeeded\n"), result.stderr)
        return result

    def pull(self, name):
        return subprocess.run([IMAGETOOL, "pull", name, "linux/amd64"], capture_output=True, text=True,
                              env=self.environment)

    def pulled(self, name):
        result = self.pull(name)
        self.assertEqual(result.returncode, 0, result.stderr)

    def refused(self, name, *words):
        result = self.pull(name)
        self.assertEqual(result.returncode, 1)
        error = result.stderr.splitlines()[-1]
        self.assertTrue(error.startswith("auth: "), error)
        for word in words:
            self.assertIn(word, error)

    def docker_config(self):
        with open(os.path.join(self.docker, "config.json"), encoding="utf-8") as file:
            return json.load(file)

    def write_docker_config(self, value):
        os.makedirs(self.docker, exist_ok=True)
        with open(os.path.join(self.docker, "config.json"), "w", encoding="utf-8") as file:
            file.write(value if isinstance(value, str) else json.dumps(value))

    def helper(self, name, script):
        path = os.path.join(self.bin, "docker-credential-" + name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(script)
        os.chmod(path, 0o755)

    def fill(self, registry, *names, credentials=None):
        """One image under each name."""
        layout = os.path.join(self.folder, "layout")
        if not os.path.isdir(layout):
            image = faulty.make_image()
            blobs = os.path.join(layout, "blobs", "sha256")
            os.makedirs(blobs)
            for digest, data in (*image.blobs.items(), *((key, value[1]) for key, value in image.manifests.items())):
                with open(os.path.join(blobs, digest.split(":")[1]), "wb") as file:
                    file.write(data)
            with open(os.path.join(layout, "oci-layout"), "w", encoding="ascii") as file:
                file.write('{"imageLayoutVersion": "1.0.0"}')
            with open(os.path.join(layout, "index.json"), "w", encoding="ascii") as file:
                entry = faulty.descriptor(*image.manifests[image.top])
                entry["annotations"] = {"org.opencontainers.image.ref.name": "it"}
                json.dump({"schemaVersion": 2, "manifests": [entry]}, file)
        for name in names:
            servers.run("skopeo", "--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false",
                        *(("--dest-creds", credentials) if credentials else ("--dest-no-creds",)),
                        f"oci:{layout}:it", f"docker://{registry.address}/{name}")
