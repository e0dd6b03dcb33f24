"""The servers of the outside world in world.bats: echo (7, TCP and UDP), a digest of what it gets (9), much data with
its digest (19), and DNS (53), which at 203.0.113.3 says other things than at 203.0.113.2."""

import hashlib
import os
import signal
import socket
import struct
import sys
import threading

NAMES = {
    "both.example": ("203.0.113.2", None),
    "six.example": (None, "2001:db8:1::2"),
    "where.example": {"203.0.113.2": ("192.0.2.2", None), "203.0.113.3": ("192.0.2.3", None)},
}


def echo(conn):
    while data := conn.recv(1 << 16):
        conn.sendall(data)


def digest(conn):
    own = hashlib.sha256()
    while data := conn.recv(1 << 16):
        own.update(data)
    conn.sendall(own.hexdigest().encode())


def pour(conn):
    data = os.urandom(1 << 20) * 64
    conn.sendall(hashlib.sha256(data).hexdigest().encode() + b"\n" + data)


def serve(server, handle):
    def one(conn):
        with conn:
            handle(conn)

    while True:
        threading.Thread(target=one, args=(server.accept()[0],), daemon=True).start()


def echo_datagrams(sock):
    while True:
        sock.sendto(*sock.recvfrom(65535))


def answer(query, address):
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode())
        at += 1 + query[at]
    kind = struct.unpack(">H", query[at + 1 : at + 3])[0]
    known = NAMES.get(".".join(labels).lower())
    known = known[address] if isinstance(known, dict) else known
    found = known and {1: known[0], 28: known[1]}.get(kind)
    data = socket.inet_pton(socket.AF_INET if kind == 1 else socket.AF_INET6, found) if found else b""
    record = struct.pack(">HHHIH", 0xC00C, kind, 1, 60, len(data)) + data if found else b""
    flags = 0x8180 if known else 0x8183
    return query[:2] + struct.pack(">HHHHH", flags, 1, 1 if found else 0, 0, 0) + query[12 : at + 5] + record


def names(sock, address):
    while True:
        query, client = sock.recvfrom(4096)
        sock.sendto(answer(query, address), client)


def start(target, *args):
    threading.Thread(target=target, args=args, daemon=True).start()


for port, handler in (7, echo), (9, digest), (19, pour):
    start(serve, socket.create_server(("203.0.113.2", port)), handler)
    start(serve, socket.create_server(("2001:db8:1::2", port), family=socket.AF_INET6), handler)
for family, host in (socket.AF_INET, "203.0.113.2"), (socket.AF_INET6, "2001:db8:1::2"):
    datagrams = socket.socket(family, socket.SOCK_DGRAM)
    datagrams.bind((host, 7))
    start(echo_datagrams, datagrams)
for host in "203.0.113.2", "203.0.113.3":
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind((host, 53))
    start(names, datagrams, host)
open(sys.argv[1], "w").close()
signal.pause()
