"""Real registries and what belongs to them: certificates made by openssl, a token server, a proxy.

Everything listens on loopback on a port that the system chose, and is a context manager.
"""
import base64
import http.client
import json
import os
import re
import select
import socket
import ssl
import subprocess
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def run(*arguments, **more):
    return subprocess.run(arguments, check=True, capture_output=True, text=True, **more).stdout


class Registry:
    """Debian's docker-registry. `http`, `auth` and `storage` are sections of its configuration."""

    def __init__(self, folder, http=None, auth=None, storage=None):
        self.folder = folder
        settings = {
            "version": 0.1, "log": {"level": "info", "accesslog": {"disabled": True}},
            "storage": {"filesystem": {"rootdirectory": os.path.join(folder, "storage")}, **(storage or {})},
            "http": {"addr": "127.0.0.1:0", "secret": "only-for-loopback", **(http or {})},
        }
        if auth:
            settings["auth"] = auth
        self.config = os.path.join(folder, "registry.yml")
        with open(self.config, "w", encoding="ascii") as file:
            json.dump(settings, file)  # which YAML is a superset of

    def __enter__(self):
        self.process = subprocess.Popen(["docker-registry", "serve", self.config], stderr=subprocess.PIPE, text=True,
                                        stdout=subprocess.DEVNULL)
        self.address = next(re.search(r"listening on ([0-9.:]+)", line).group(1) for line in self.process.stderr
                            if "listening on" in line)
        # Or it would stop when the pipe is full.
        self.drain = threading.Thread(target=self.process.stderr.read)
        self.drain.start()
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.drain.join()
        self.process.communicate()


class Authority:
    """A private certificate authority; `pem` is its certificate."""

    def __init__(self, folder, name="ca"):
        self.folder = folder
        self.pem = os.path.join(folder, name + ".pem")
        self.key = os.path.join(folder, name + ".key")
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-days", "30", "-subj", f"/CN=Test authority {name}", "-keyout", self.key, "-out", self.pem)

    def issue(self, name, hosts=("DNS:localhost", "IP:127.0.0.1"), days="30", usage="serverAuth", rsa=False):
        """Paths of a certificate and its key."""
        stem = os.path.join(self.folder, name)
        kind = ("rsa:2048",) if rsa else ("ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")
        run("openssl", "req", "-newkey", *kind, "-nodes", "-subj", f"/CN={name}", "-keyout", stem + ".key",
            "-out", stem + ".csr")
        with open(stem + ".ext", "w", encoding="ascii") as file:
            file.write(f"extendedKeyUsage = {usage}\nsubjectAltName = {', '.join(hosts)}\n")
        run("openssl", "x509", "-req", "-in", stem + ".csr", "-CA", self.pem, "-CAkey", self.key, "-CAcreateserial",
            "-days", days, "-extfile", stem + ".ext", "-out", stem + ".crt")
        return stem + ".crt", stem + ".key"


class Service:
    """A small HTTP server; subclasses say what it answers. Keeps what it was asked."""

    handler = None

    def __init__(self, certificate=None):
        self.certificate = certificate
        self.requests = []  # (method, path, headers, body)
        self.lock = threading.Lock()

    def __enter__(self):
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self.handler)
        self.server.daemon_threads = True
        self.server.service = self
        # A client that hangs up is nothing to tell of.
        self.server.handle_error = lambda *_: None
        if self.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self.certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.address = f"127.0.0.1:{self.port}"
        self.url = f"{'https' if self.certificate else 'http'}://{self.address}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def credentials_seen(self):
        return [headers["Authorization"] for _, _, headers, _ in self.requests if "Authorization" in headers]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def note(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length).decode()
        service = self.server.service
        with service.lock:
            service.requests.append((self.command, self.path, dict(self.headers), body))
        return service, body

    def send(self, status, value, headers=None):
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", "application/json")
        for key, text in (headers or {}).items():
            self.send_header(key, text)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def basic(self):
        scheme, _, text = self.headers.get("Authorization", "").partition(" ")
        return base64.b64decode(text).decode().partition(":")[::2] if scheme == "Basic" else None


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class TokenHandler(Handler):
    def do_GET(self):
        service, _ = self.note()
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        user = self.basic()
        if user and service.users.get(user[0]) != user[1]:
            return self.send(401, {"errors": [{"code": "UNAUTHORIZED", "message": "incorrect username or password"}]})
        answer = {"token": service.token(user[0] if user else None, query.get("scope", [])), "expires_in": 300}
        if user and "offline_token" in query and service.identity:
            answer["refresh_token"] = service.identity
        return self.send(200, answer)

    def do_POST(self):
        service, body = self.note()
        form = urllib.parse.parse_qs(body)
        if form.get("grant_type") != ["refresh_token"] or form.get("refresh_token") != [service.identity]:
            return self.send(400, {"error": "invalid_grant"})
        scopes = form.get("scope", [""])[0].split()
        return self.send(200, {"access_token": service.token("alice", scopes), "expires_in": 300})


class TokenServer(Service):
    """Signs tokens for docker-registry's `auth: token`. Anybody may pull what is called public/..., the users all."""

    handler = TokenHandler
    users = {"alice": "pass:word", "bob": "b0b"}

    def __init__(self, folder, identity=None, certificate=None):
        super().__init__(certificate)
        self.identity = identity
        self.authority = Authority(folder, "signer")
        self.certificate_of_signer, self.key = self.authority.issue("token", rsa=True)
        with open(self.certificate_of_signer, encoding="ascii") as file:
            self.x5c = [base64.b64encode(ssl.PEM_cert_to_DER_cert(file.read())).decode()]

    def settings(self):
        return {"token": {"realm": self.url + "/token", "service": "test registry", "issuer": "test",
                          "rootcertbundle": self.authority.pem}}

    def token(self, user, scopes):
        access = []
        for scope in scopes:
            kind, name, actions = scope.split(":")
            allowed = {"alice": ["pull", "push"], "bob": ["pull"]}.get(user, ["pull"] if name.startswith("public/") else [])
            if user == "bob" and name.startswith("private/"):
                allowed = []
            access.append({"type": kind, "name": name, "actions": [a for a in actions.split(",") if a in allowed]})
        now = int(time.time())
        claims = {"iss": "test", "sub": user or "", "aud": "test registry", "exp": now + 300, "nbf": now - 10,
                  "iat": now, "jti": str(len(self.requests)), "access": access}
        header = {"typ": "JWT", "alg": "RS256", "x5c": self.x5c}
        text = ".".join(base64url(json.dumps(part).encode()) for part in (header, claims))
        signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.key], input=text.encode(),
                                   capture_output=True, check=True).stdout
        return text + "." + base64url(signature)


class RedirectHandler(Handler):
    def do_GET(self):
        service, _ = self.note()
        service.answer(self)

    do_HEAD = do_POST = do_GET


class Scripted(Service):
    """Answers as a function of the handler says."""

    handler = RedirectHandler

    def __init__(self, answer, certificate=None):
        super().__init__(certificate)
        self.answer = answer


class ProxyHandler(Handler):
    def do_CONNECT(self):
        self.note()
        service = self.server.service
        with socket.create_connection(service.find(self.path)) as there:
            self.send_response(200)
            self.end_headers()
            here = self.connection
            while True:
                for source in select.select([here, there], [], [])[0]:
                    data = source.recv(65536)
                    if not data:
                        self.close_connection = True
                        return
                    (there if source is here else here).sendall(data)

    def do_GET(self):
        self.note()
        url = urllib.parse.urlsplit(self.path)
        connection = http.client.HTTPConnection(*self.server.service.find(url.netloc))
        headers = {key: value for key, value in self.headers.items() if key.lower() != "proxy-connection"}
        connection.request(self.command, self.path.split(url.netloc, 1)[1], headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        kept = {key: value for key, value in answer.getheaders()
                if key.lower() not in ("content-length", "content-type", "transfer-encoding", "connection")}
        kept["Content-Type"] = answer.getheader("Content-Type", "")
        self.send_response(answer.status)
        self.send_header("Content-Length", answer.getheader("Content-Length", str(len(body))))
        for key, value in kept.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body)
        connection.close()

    do_HEAD = do_GET


class Proxy(Service):
    """An HTTP proxy. `hosts` says where names lead that only the proxy knows: {"registry.test": "127.0.0.1:5000"}."""

    handler = ProxyHandler

    def __init__(self, hosts):
        super().__init__()
        self.hosts = hosts

    def find(self, netloc):
        host, _, port = self.hosts.get(netloc.rpartition(":")[0] if ":" in netloc else netloc, netloc).rpartition(":")
        return host, int(port)
