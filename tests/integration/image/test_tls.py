#!/usr/bin/env python3
"""Whom the registry client trusts, and how it gets there: private authorities, client certificates, insecure
registries, proxies. The registry is Debian's docker-registry, the certificates are openssl's.

Usage: test_tls.py MVM IMAGETOOL [unittest arguments]
"""
import os
import shutil
import sys
import unittest

sys.dont_write_bytecode = True
import cases  # noqa: E402
import faulty  # noqa: E402
import servers  # noqa: E402
from cases import PASSWORD, Case, encoded  # noqa: E402

TOOLS = ("docker-registry", "skopeo", "openssl")


class TlsCase(Case):
    def setUp(self):
        super().setUp()
        self.authority = servers.Authority(self.folder)
        self.environment.pop("SSL_CERT_FILE", None)

    def start(self, certificate, **tls):
        """A registry with an image "deb"."""
        registry = self.enter(servers.Registry(self.folder, http={
            "tls": {"certificate": certificate[0], "key": certificate[1], **tls}}))
        return registry

    def configure(self, address, **settings):
        self.write_config({"registries": {address: settings}})

    def certs_d(self, folder, address, **files):
        path = os.path.join(self.folder, folder, "certs.d", address)
        os.makedirs(path)
        for name, source in files.items():
            shutil.copy(source, os.path.join(path, name.replace("_", ".")))
        return path

    def fails(self, name, *words):
        result = self.pull(name)
        self.assertEqual(result.returncode, 1)
        for word in words:
            self.assertIn(word, result.stderr.splitlines()[-1])

    def again(self, name):
        servers.run(cases.IMAGETOOL, "rmi", name, env=self.environment)


@unittest.skipUnless(all(map(shutil.which, TOOLS)), f"needs {', '.join(TOOLS)}")
class Private(TlsCase):
    """A registry on loopback, which is spoken to over TLS where something is said about its certificates."""

    def setUp(self):
        super().setUp()
        plain = self.enter(servers.Registry(self.folder))
        self.fill(plain, "deb")
        self.registry = self.start(self.authority.issue("server"))
        self.address = self.registry.address
        self.name = f"{self.address}/deb"

    def test_authority(self):
        self.fails(self.name, "cannot pull", "plain HTTP")
        other = servers.Authority(self.folder, "other")
        self.configure(self.address, ca=self.authority.pem)
        self.pulled(self.name)
        self.again(self.name)
        self.configure(self.address, ca=[other.pem, self.authority.pem])
        self.pulled(self.name)
        self.again(self.name)
        self.configure(self.address, ca=other.pem)
        self.fails(self.name, f"the certificate of {self.address} is not trusted (", f'"{self.address}": {{"ca": "/path"}}')
        # Those of the system count as well.
        self.environment["SSL_CERT_FILE"] = self.authority.pem
        self.pulled(self.name)

    def test_folders(self):
        for folder in (".config/containers", ".config/docker", ".docker"):
            path = self.certs_d(folder, self.address, ca_crt=self.authority.pem)
            self.pulled(self.name)
            self.again(self.name)
            shutil.rmtree(path)
        self.certs_d(".docker", "127.0.0.1:1", ca_crt=self.authority.pem)
        self.fails(self.name, "plain HTTP")

    def test_insecure(self):
        self.configure(self.address, insecure=True)
        self.pulled(self.name)

    def test_what_is_wrong_with_the_settings(self):
        garbage = os.path.join(self.folder, "garbage")
        with open(garbage, "w", encoding="ascii") as file:
            file.write("garbage")
        for settings, words in (
                ({"ca": "ca.pem"}, "is neither the absolute path of a file with certificates nor a list"),
                ({"ca": [1]}, "is neither the absolute path"),
                ({"ca": "/nowhere/ca.pem"}, "cannot read the certificate authority: /nowhere/ca.pem"),
                ({"ca": garbage}, f"{garbage} holds no certificate in PEM format"),
                ({"insecure": "yes"}, "is not true or false")):
            self.configure(self.address, **settings)
            self.fails(self.name, words)

    def test_login(self):
        self.configure(self.address, ca=self.authority.pem)
        self.logged_in(self.address)


@unittest.skipUnless(all(map(shutil.which, TOOLS)), f"needs {', '.join(TOOLS)}")
class Certificates(TlsCase):
    def test_one_for_another_host(self):
        registry = self.start(self.authority.issue("server", hosts=["DNS:registry.example"]))
        self.configure(registry.address, ca=self.authority.pem)
        self.fails(f"{registry.address}/deb", f"the certificate of {registry.address} is not valid (",
                   "the server needs another one")

    def test_one_that_has_expired(self):
        registry = self.start(self.authority.issue("server", days="-1"))
        self.configure(registry.address, ca=self.authority.pem)
        self.fails(f"{registry.address}/deb", "is not valid (", "expired")

    def test_client(self):
        plain = self.enter(servers.Registry(self.folder))
        self.fill(plain, "deb")
        registry = self.start(self.authority.issue("server"), clientcas=[self.authority.pem])
        certificate, key = self.authority.issue("client", usage="clientAuth")
        name = f"{registry.address}/deb"
        self.configure(registry.address, ca=self.authority.pem)
        self.fails(name, registry.address, "a client certificate that it knows", "NAME.cert and NAME.key")
        path = self.certs_d(".docker", registry.address, ca_crt=self.authority.pem, client_cert=certificate)
        self.configure(registry.address)
        self.fails(name, f"the client certificate {path}/client.cert needs its key {path}/client.key")
        shutil.copy(key, os.path.join(path, "client.key"))
        self.pulled(name)
        self.again(name)
        other, key = servers.Authority(self.folder, "other").issue("stranger", usage="clientAuth")
        shutil.copy(other, os.path.join(path, "client.cert"))
        shutil.copy(key, os.path.join(path, "client.key"))
        self.fails(name, "a client certificate that it knows")

    def test_token_server(self):
        """It may be under the same authority."""
        certificate = self.authority.issue("server")
        tokens = self.enter(servers.TokenServer(self.folder, certificate=certificate))
        registry = self.enter(servers.Registry(self.folder, auth=tokens.settings(), http={
            "tls": {"certificate": certificate[0], "key": certificate[1]}}))
        self.fill(registry, "deb", credentials="alice:" + PASSWORD)
        self.configure(registry.address, ca=self.authority.pem)
        self.fails(f"{registry.address}/deb", "requires a login")
        self.logged_in(registry.address)
        self.pulled(f"{registry.address}/deb")


@unittest.skipUnless(all(map(shutil.which, TOOLS)), f"needs {', '.join(TOOLS)}")
class Proxies(TlsCase):
    def setUp(self):
        super().setUp()
        self.image = faulty.make_image()
        self.plain = self.enter(faulty.Registry({"deb": self.image, "plain-blobs": self.image}))
        self.proxy = self.enter(servers.Proxy({"registry.test": self.plain.address, "192.0.2.1": self.plain.address}))
        # A mirror may be without TLS, so that it can be seen what passes.
        self.mirror("http://registry.test")

    def mirror(self, url):
        self.write_config({"registries": {"hub.test": {"mirrors": [url], "timeout": 2}}})

    def use(self, **variables):
        for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
            self.environment.pop(name, None)
            self.environment.pop(name.upper(), None)
        self.environment.update(variables)
        del self.proxy.requests[:]

    def through(self):
        self.pulled("hub.test/deb")
        self.again("hub.test/deb")
        self.assertGreater(len(self.proxy.requests), 2)

    def around(self):
        """The names lead nowhere without it."""
        self.assertEqual(self.pull("hub.test/deb").returncode, 1)
        self.assertNotIn("registry.test", str(self.proxy.requests))
        self.assertNotIn("192.0.2.1", str(self.proxy.requests))

    def test_plain(self):
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            self.use(**{name: self.proxy.url})
            self.through()

    def test_no_proxy(self):
        dead = "http://127.0.0.1:1"
        for name in ("no_proxy", "NO_PROXY"):
            for value in ("registry.test", "other.test, .test", "test", "*"):
                self.use(http_proxy=self.proxy.url, https_proxy=dead, **{name: value})
                self.around()
            self.use(http_proxy=self.proxy.url, **{name: "other.test,192.0.2.0/24,egistry.test"})
            self.through()
        self.mirror("http://192.0.2.1")
        self.use(http_proxy=self.proxy.url, no_proxy="198.51.100.0/24,192.0.2.2")
        self.through()
        self.use(http_proxy=self.proxy.url, https_proxy=dead, no_proxy="192.0.2.0/24")
        self.around()

    def test_loopback_is_not_proxied(self):
        self.use(http_proxy=self.proxy.url, https_proxy=self.proxy.url, no_proxy="example.com")
        for name in (f"{self.plain.address}/deb", f"localhost:{self.plain.address.rpartition(':')[2]}/deb"):
            self.pulled(name)
        self.assertEqual(self.proxy.requests, [])

    def test_redirect_to_loopback_and_away(self):
        """Each step of a redirect takes its own way."""
        self.plain.elsewhere = self.plain.address
        self.use(http_proxy=self.proxy.url)
        self.pulled("hub.test/plain-blobs")
        passed = [path for _, path, _, _ in self.proxy.requests]
        self.assertEqual(len([path for path in passed if "/blobs/" in path]), 2)
        self.assertFalse([path for path in passed if "elsewhere" in path])
        self.again("hub.test/plain-blobs")
        self.plain.elsewhere = "registry.test"
        del self.proxy.requests[:]
        self.pulled(f"{self.plain.address}/plain-blobs")
        self.assertTrue([path for _, path, _, _ in self.proxy.requests if "elsewhere" in path])

    def test_tls(self):
        """Through a tunnel; what passes is sealed."""
        certificate = self.authority.issue("registry", hosts=["DNS:registry.test"])
        seen = []

        def answer(handler):
            seen.append(handler.headers.get("Authorization"))
            handler.send(401 if len(seen) == 1 else 200, {}, {"WWW-Authenticate": 'Basic realm="x"'})

        registry = self.enter(servers.Scripted(answer, certificate))
        self.proxy.hosts["registry.test"] = registry.address
        for name in ("https_proxy", "HTTPS_PROXY"):
            del seen[:]
            self.configure("registry.test", ca=self.authority.pem)
            self.use(**{name: self.proxy.url})
            self.logged_in("registry.test")
            self.assertEqual(seen, [None, "Basic " + encoded("alice", PASSWORD)])
            self.assertEqual({path for _, path, _, _ in self.proxy.requests}, {"registry.test:443"})
            self.assertEqual(self.proxy.credentials_seen(), [])

    def test_only_tls_away_from_loopback(self):
        """No plain HTTP to another host, unless it is configured; no credentials either."""
        self.use(http_proxy=self.proxy.url, https_proxy=self.proxy.url)
        self.write_docker_config({"auths": {"registry.test": {"auth": encoded("alice", PASSWORD)}}})
        self.write_config({})
        self.fails("registry.test/deb", "no TLS with registry.test", '"insecure": true')
        self.assertEqual({method for method, _, _, _ in self.proxy.requests}, {"CONNECT"})
        self.configure("registry.test", insecure=True)
        self.pulled("registry.test/deb")
        self.again("registry.test/deb")
        self.write_config({"registries": {"registry.test": {"insecure": False}}})
        self.fails("registry.test/deb", "no TLS with registry.test")

    def test_proxy_that_is_down(self):
        self.use(http_proxy="http://127.0.0.1:1", https_proxy="http://127.0.0.1:1")
        self.fails("hub.test/deb", "cannot connect to the proxy 127.0.0.1 port 1 on the way to registry.test: Connection refused")


if __name__ == "__main__":
    cases.use(sys.argv.pop(1), sys.argv.pop(1))
    unittest.main(verbosity=1)
