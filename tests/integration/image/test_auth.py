#!/usr/bin/env python3
"""Credentials: `mvm login` and `logout` and pulls with what they keep, at Debian's docker-registry with htpasswd and
with a token server, with credential helpers, and at servers that are after credentials.

Usage: test_auth.py MVM IMAGETOOL [unittest arguments]
"""
import os
import pty
import select
import shutil
import signal
import stat
import subprocess
import sys
import termios
import unittest

sys.dont_write_bytecode = True
import cases  # noqa: E402
import faulty  # noqa: E402
import servers  # noqa: E402
from cases import PASSWORD, Case, encoded  # noqa: E402

TOOLS = ("docker-registry", "skopeo", "htpasswd", "openssl")


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
            servers.run(cases.IMAGETOOL, "rmi", self.name, env=self.environment)

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


@unittest.skipUnless(all(map(shutil.which, TOOLS)), f"needs {', '.join(TOOLS)}")
class Tokens(Case):
    def setUp(self):
        super().setUp()
        self.tokens = self.enter(servers.TokenServer(self.folder, identity="id-t0ken"))
        self.registry = self.enter(servers.Registry(self.folder, auth=self.tokens.settings()))
        self.fill(self.registry, "deb", "private/deb", "public/deb", credentials="alice:" + PASSWORD)
        self.tokens.requests.clear()

    def name(self, repository):
        return f"{self.registry.address}/{repository}"

    def queries(self):
        return [path.partition("?")[2] for method, path, _, _ in self.tokens.requests if method == "GET"]

    def test_anonymous(self):
        self.pulled(self.name("public/deb"))
        self.assertEqual(self.queries(), ["service=test%20registry&scope=repository%3Apublic%2Fdeb%3Apull"])
        self.refused(self.name("deb"), "requires a login", f"run 'mvm login {self.registry.address}'")
        self.assertEqual(self.tokens.credentials_seen(), [])

    def test_name_and_password(self):
        """One token for all of a pull."""
        self.tokens.identity = None
        self.logged_in(self.registry.address)
        self.assertEqual(self.docker_config()["auths"][self.registry.address], {"auth": encoded("alice", PASSWORD)})
        self.assertEqual(self.queries(), ["account=alice&client_id=mvm&offline_token=true&service=test%20registry"])
        self.tokens.requests.clear()
        self.pulled(self.name("deb"))
        self.assertEqual(self.queries(),
                         ["account=alice&service=test%20registry&scope=repository%3Adeb%3Apull"])
        self.assertEqual(self.tokens.credentials_seen(), ["Basic " + encoded("alice", PASSWORD)])

    def test_identity_token(self):
        """It is kept in place of the password, and goes in the body of a POST."""
        self.logged_in(self.registry.address)
        self.assertEqual(self.docker_config()["auths"][self.registry.address],
                         {"auth": encoded("alice", ""), "identitytoken": "id-t0ken"})
        self.tokens.requests.clear()
        self.pulled(self.name("deb"))
        (method, path, headers, body), = self.tokens.requests
        self.assertEqual((method, path), ("POST", "/token"))
        self.assertNotIn("Authorization", headers)
        self.assertEqual(body, "grant_type=refresh_token&service=test%20registry&client_id=mvm"
                               "&scope=repository%3Adeb%3Apull&refresh_token=id-t0ken")
        self.tokens.identity = "another"
        servers.run(cases.IMAGETOOL, "rmi", self.name("deb"), env=self.environment)
        self.refused(self.name("deb"), "refuses the credentials of alice", "run 'mvm login")

    def test_wrong_password(self):
        result = self.login(self.registry.address, password="guess")
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertIn("unauthorized: incorrect username or password", result.stderr)
        self.assertFalse(os.path.exists(os.path.join(self.docker, "config.json")))
        self.write_docker_config({"auths": {self.registry.address: {"auth": encoded("alice", "guess")}}})
        self.refused(self.name("deb"), "refuses the credentials of alice: incorrect username or password")

    def test_who_may_not(self):
        """Good credentials, but not for this repository."""
        self.tokens.identity = None
        self.logged_in(self.registry.address, "bob", "b0b")
        self.pulled(self.name("deb"))
        self.refused(self.name("private/deb"), "bob may not pull", "as somebody who may")

    def test_a_token_of_the_registry(self):
        token = self.tokens.token("alice", ["repository:deb:pull"])
        self.write_docker_config({"auths": {self.registry.address: {"registrytoken": token}}})
        self.pulled(self.name("deb"))
        self.assertEqual(self.tokens.requests, [])
        self.refused(self.name("private/deb"), "the stored token may not pull")

    def test_helper(self):
        """The password never stands in the file, and logout takes it from the helper."""
        self.tokens.identity = None
        store = os.path.join(self.folder, "store")
        self.helper("test", f"""#!/bin/sh
case $1 in
  store) cat > {store} ;;
  get) cat > /dev/null; [ -f {store} ] && cat {store} || {{ echo "credentials not found in native keychain"; exit 1; }} ;;
  erase) rm -f {store} ;;
esac
""")
        self.write_docker_config({"credsStore": "test"})
        self.refused(self.name("deb"), "requires a login")
        result = self.logged_in(self.registry.address)
        self.assertEqual(result.stderr, "")
        self.assertEqual(self.docker_config(), {"credsStore": "test", "auths": {self.registry.address: {}}})
        self.pulled(self.name("deb"))
        self.assertEqual(self.run_mvm("logout", self.registry.address).returncode, 0)
        self.assertFalse(os.path.exists(store))
        self.refused(self.name("private/deb"), "requires a login")

    def test_helper_that_fails(self):
        self.write_docker_config({"credsStore": "gone"})
        result = self.pull(self.name("deb"))
        self.assertIn(f"cannot get the credentials for {self.registry.address}: the credential helper "
                      "docker-credential-gone is not installed", result.stderr)
        self.helper("gone", "#!/bin/sh\necho the keychain is locked; exit 2\n")
        self.refused(self.name("deb"), "'docker-credential-gone get' failed with status 2: the keychain is locked")
        result = self.run_mvm("logout", self.registry.address)
        self.assertEqual(result.returncode, 0)
        self.assertIn("WARNING: could not erase credentials:", result.stderr)


class Thieves(Case):
    """Servers that would like to have what is stored for others."""

    def challenger(self, realm):
        return self.enter(servers.Scripted(lambda handler: handler.send(
            401, {}, {"WWW-Authenticate": f'Bearer realm="{realm}",service="s",scope="repository:x:pull,push,delete"'})))

    def know(self, *addresses):
        self.write_docker_config({"auths": {address: {"auth": encoded("alice", PASSWORD)} for address in addresses}})

    def test_redirect(self):
        """A name and a password stay with the host that they are for, whoever asks for them."""
        image = faulty.make_image()
        wanted = "Basic " + encoded("alice", PASSWORD)
        thief = self.enter(servers.Scripted(lambda handler: handler.send(
            200, *[image.blobs[handler.path[1:]]] if handler.path[1:] in image.blobs else [b""])))

        def answer(handler):
            what = handler.path.rsplit("/", 1)[1]
            if handler.headers.get("Authorization") != wanted:
                handler.send(401, {}, {"WWW-Authenticate": 'Basic realm="x"'})
            elif "/blobs/" in handler.path:
                handler.send(307, b"", {"Location": f"{thief.url}/{what}"})
            else:
                kind, data = image.manifests[image.top]
                handler.send(200, data, {"Content-Type": kind})

        registry = self.enter(servers.Scripted(answer))
        self.know(registry.address)
        self.pulled(f"{registry.address}/deb")
        self.assertEqual(len(thief.requests), 2)
        self.assertEqual(thief.credentials_seen(), [])
        self.assertIn(wanted, registry.credentials_seen())

    def test_challenge_from_behind_a_redirect(self):
        tokens = self.challenger("http://127.0.0.1:1/")
        thief = self.challenger(tokens.url + "/token")
        for kind in ("Bearer", "Basic"):
            thief.answer = lambda handler, kind=kind: handler.send(
                401, {}, {"WWW-Authenticate": f'{kind} realm="{tokens.url}/token",service="s"'})
            registry = self.enter(servers.Scripted(lambda handler: handler.send(
                307, b"", {"Location": thief.url + handler.path})))
            self.know(registry.address)
            self.refused(f"{registry.address}/deb", f"redirects to {thief.address}, which wants a login; refused")
        self.assertEqual(thief.credentials_seen() + tokens.requests, [])

    def test_token_server_that_redirects(self):
        """Neither the header nor, of an identity token, the body goes along."""
        thief = self.challenger("http://127.0.0.1:1/")
        for status in (301, 302, 307, 308):
            tokens = self.enter(servers.Scripted(lambda handler, status=status: handler.send(
                status, b"", {"Location": thief.url + "/token"})))
            registry = self.challenger(tokens.url + "/token")
            self.know(registry.address)
            self.assertEqual(self.pull(f"{registry.address}/deb").returncode, 1)
            self.write_docker_config({"auths": {registry.address: {"identitytoken": "secret"}}})
            self.assertEqual(self.pull(f"{registry.address}/deb").returncode, 1)
            self.assertEqual(len(tokens.requests), 2)
        self.assertEqual(thief.credentials_seen(), [])
        self.assertNotIn("POST", [method for method, _, _, _ in thief.requests])
        self.assertNotIn("secret", str(thief.requests))

    def test_token_server_elsewhere_without_tls(self):
        """Through a proxy that knows the names: another host's token server, over plain HTTP, gets nothing."""
        tokens = self.challenger("http://127.0.0.1:1/")
        registry = self.challenger("http://auth.test/token")
        proxy = self.enter(servers.Proxy({"registry.test": registry.address, "auth.test": tokens.address}))
        self.environment["http_proxy"] = proxy.url
        self.write_config({"registries": {"hub.test": {"mirrors": ["http://registry.test"]}}})
        self.know("registry.test")
        error = self.pull("hub.test/alpine").stderr
        self.assertIn("without TLS on another host, which gets no credentials: http://auth.test/token", error)
        self.assertEqual(tokens.requests, [])

    def test_realms_that_are_none(self):
        for realm in ("file:///etc/passwd", "ftp://127.0.0.1/", "http://alice:x@127.0.0.1:1/", "javascript:1"):
            registry = self.challenger(realm)
            self.know(registry.address)
            result = self.pull(f"{registry.address}/deb")
            self.assertIn("names a token server that is not to be trusted", result.stderr)


class Prompts(Case):
    """At a terminal."""

    def setUp(self):
        super().setUp()
        wanted = "Basic " + encoded("alice", PASSWORD)
        self.registry = self.enter(servers.Scripted(lambda handler: (
            handler.send(200, {}) if handler.headers.get("Authorization") == wanted
            else handler.send(401, {}, {"WWW-Authenticate": 'Basic realm="x"'}))))
        self.main, self.terminal = pty.openpty()
        self.addCleanup(os.close, self.main)
        self.addCleanup(os.close, self.terminal)
        self.process = subprocess.Popen([cases.MVM, "login", self.registry.address], stdin=self.terminal,
                                        stdout=self.terminal, stderr=self.terminal, env=self.environment,
                                        start_new_session=True, preexec_fn=self.take_terminal)
        self.addCleanup(self.process.wait)
        self.said = ""

    def take_terminal(self):
        os.close(os.open(os.ttyname(0), os.O_RDWR))  # the first that a session opens becomes its own

    def read_until(self, text):
        while text not in self.said:
            if not select.select([self.main], [], [], 60)[0]:
                self.process.kill()
                self.fail(f"no {text!r} in {self.said!r}")
            self.said += os.read(self.main, 4096).decode()

    def write(self, text):
        os.write(self.main, text.encode())

    def echoes(self):
        return bool(termios.tcgetattr(self.terminal)[3] & termios.ECHO)

    def test_asks(self):
        self.read_until("Username: ")
        self.assertTrue(self.echoes())
        self.write("alice\n")
        self.read_until("Password: ")
        # The question comes before the echo goes; what is typed in between is thrown away.
        while self.echoes():
            pass
        self.write(PASSWORD + "\n")
        self.read_until("Login Succeeded")
        self.assertEqual(self.process.wait(), 0)
        self.assertNotIn(PASSWORD, self.said)
        self.assertTrue(self.echoes())
        self.assertEqual(self.docker_config()["auths"][self.registry.address], {"auth": encoded("alice", PASSWORD)})

    def test_interrupt(self):
        self.read_until("Username: ")
        self.write("alice\n")
        self.read_until("Password: ")
        while self.echoes():
            pass
        self.write("half of it\x03")
        self.assertEqual(self.process.wait(), -signal.SIGINT)
        self.assertTrue(self.echoes())
        self.assertFalse(os.path.exists(os.path.join(self.docker, "config.json")))

    def test_nothing(self):
        self.read_until("Username: ")
        self.write("\n")
        self.read_until("username is required")
        self.assertEqual(self.process.wait(), 1)


class Saving(Case):
    """kill -9 and others at the same time."""

    def test_kill(self):
        """However far it got, the file is the old or the new one."""
        registry = self.enter(servers.Scripted(lambda handler: handler.send(200, {})))
        before = {"auths": {"other.example": {"auth": encoded("a", "b")}}, "future": list(range(2000))}
        after = {**before, "auths": {**before["auths"], registry.address: {"auth": encoded("alice", PASSWORD)}}}
        for round_ in range(30):
            self.write_docker_config(before)
            process = subprocess.Popen([cases.MVM, "login", "-u", "alice", "-p", PASSWORD, registry.address],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=self.environment)
            try:
                process.wait(timeout=round_ / 1000)
            except subprocess.TimeoutExpired:
                process.kill()
            process.wait()
            self.assertIn(self.docker_config(), (before, after))
        self.logged_in(registry.address)
        self.assertEqual(self.docker_config(), after)

    def test_two_at_once(self):
        registry = self.enter(servers.Scripted(lambda handler: handler.send(200, {})))
        proxy = self.enter(servers.Proxy({f"r{n}.test": registry.address for n in range(6)}))
        names = [f"r{n}.test" for n in range(6)]
        self.environment["http_proxy"] = proxy.url
        self.write_config({"registries": {name: {"insecure": True} for name in names}})
        processes = [subprocess.Popen([cases.MVM, "login", "-u", "alice", "-p", PASSWORD, name], env=self.environment,
                                      stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) for name in names]
        errors = [process.communicate()[1] for process in processes]
        self.assertEqual([process.returncode for process in processes], [0] * len(names), errors)
        self.assertEqual(set(self.docker_config()["auths"]), set(names))


if __name__ == "__main__":
    cases.use(sys.argv.pop(1), sys.argv.pop(1))
    unittest.main(verbosity=1)
