#!/usr/bin/env python3
"""Credentials: `mvm login` and `logout` and pulls with what they keep, at Debian's docker-registry with htpasswd and
with a token server, with credential helpers, and at servers that are after credentials.

Usage: test_auth.py MVM IMAGETOOL [unittest arguments]
"""
import base64
import json
import os
import pty
import select
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import termios
import unittest

sys.dont_write_bytecode = True
import faulty  # noqa: E402
import servers  # noqa: E402

MVM = IMAGETOOL = None
TOOLS = ("docker-registry", "skopeo", "htpasswd", "openssl")
PASSWORD = "pass:word"


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


@unittest.skipUnless(all(map(shutil.which, TOOLS)), f"needs {', '.join(TOOLS)}")
class Htpasswd(Case):
    def setUp(self):
        super().setUp()
        path = os.path.join(self.folder, "htpasswd")
        servers.run("htpasswd", "-Bbc", path, "alice", PASSWORD)
        self.registry = self.enter(servers.Registry(self.folder, auth={"htpasswd": {"realm": "test", "path": path}}))
        self.fill(self.registry, "deb", credentials="alice:" + PASSWORD)
        self.name = f"{self.registry.address}/deb"

    def test_login_pull_logout(self):
        self.refused(self.name, "requires a login", f"run 'mvm login {self.registry.address}'")
        result = self.logged_in(self.registry.address)
        self.assertIn(f"stored unencrypted in '{self.docker}/config.json'", result.stderr)
        self.assertEqual(self.docker_config(), {"auths": {self.registry.address: {"auth": encoded("alice", PASSWORD)}}})
        self.assertEqual(stat.S_IMODE(os.stat(os.path.join(self.docker, "config.json")).st_mode), 0o600)
        self.pulled(self.name)
        # skopeo understands what we keep.
        servers.run("skopeo", "inspect", "--tls-verify=false", f"docker://{self.name}",
                    "--authfile", os.path.join(self.docker, "config.json"))
        result = self.run_mvm("login", self.registry.address)
        self.assertEqual(result.stdout, "Login Succeeded\n")
        self.assertIn("Authenticating with existing credentials... [Username: alice]", result.stderr)
        result = self.run_mvm("logout", self.registry.address)
        self.assertEqual(result.stdout, f"Removing login credentials for {self.registry.address}\n")
        self.assertEqual(self.docker_config(), {"auths": {}})
        self.refused(f"{self.registry.address}/deb", "requires a login")

    def test_wrong_password(self):
        result = self.login(self.registry.address, password="guess")
        self.assertEqual(result.returncode, 1)
        self.assertIn("unauthorized", result.stderr)
        self.assertFalse(os.path.exists(os.path.join(self.docker, "config.json")))
        self.write_docker_config({"auths": {self.registry.address: {"auth": encoded("alice", "guess")}}})
        self.refused(self.name, "refuses the credentials of alice", f"run 'mvm login {self.registry.address}'")
        # What is stored is tried, and then there is nobody to ask.
        result = self.run_mvm("login", self.registry.address)
        self.assertEqual(result.returncode, 1)
        self.assertIn("Stored credentials invalid or expired", result.stderr)
        self.assertIn("non TTY device", result.stderr)

    def test_what_others_wrote(self):
        for auths in ({f"https://{self.registry.address}/v2/": {"auth": encoded("alice", PASSWORD)}},
                      {f"http://{self.registry.address}": {"auth": encoded("alice", PASSWORD + "\0\0")}},
                      {self.registry.address: {"username": "alice", "password": PASSWORD}}):
            self.write_docker_config({"auths": auths})
            self.pulled(self.name)
            servers.run(IMAGETOOL, "rmi", self.name, env=self.environment)

    def test_another_server_gets_nothing(self):
        other = self.enter(servers.Scripted(lambda handler: handler.send(
            401, {}, {"WWW-Authenticate": 'Basic realm="give me"'})))
        self.logged_in(self.registry.address)
        self.refused(f"{other.address}/deb", "requires a login")
        self.write_config({"registries": {self.registry.address: {"mirrors": [other.url]}}})
        self.pulled(self.name)
        self.assertGreater(len(other.requests), 1)
        self.assertEqual(other.credentials_seen(), [])

    def test_options(self):
        for arguments, words in (
                (("-u", "alice"), "cannot perform an interactive login from a non TTY device"),
                (("--password-stdin",), "the --password-stdin option requires --username to be set"),
                (("-u", "alice", "-p", "x", "--password-stdin"), "cannot specify both"),
                (("-u", "", "-p", "x"), "username is empty"),
                (("-u", "alice", "-p", ""), "password is empty")):
            result = self.run_mvm("login", *arguments, self.registry.address)
            self.assertEqual(result.returncode, 1, arguments)
            self.assertIn(words, result.stderr)
        self.assertEqual(self.run_mvm("login", "--what").returncode, 125)
        result = self.run_mvm("login", "-u", "alice", "-p", PASSWORD, self.registry.address)
        self.assertEqual(result.stdout, "Login Succeeded\n")
        self.assertIn("WARNING! Using --password via the CLI is insecure. Use --password-stdin.", result.stderr)


if __name__ == "__main__":
    MVM, IMAGETOOL = map(os.path.abspath, (sys.argv.pop(1), sys.argv.pop(1)))
    unittest.main(verbosity=1)
