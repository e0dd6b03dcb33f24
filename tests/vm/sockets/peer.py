"""Both ends of connections over unix sockets, on the host and in guests: peer.py serve PATH, or peer.py WHAT PATH [MORE].
Ends with 0, or says what was wrong."""
import asyncio
import hashlib
import os
import socket
import struct
import sys

PATIENCE = float(os.environ.get("MVM_PATIENCE", 60))
PATTERN = bytes(range(251)) * 261


def fail(text):
    sys.exit(f"peer: {text}")


def same(expected, actual, what):
    if expected != actual:
        fail(f"{what}: expected {expected!r:.200}, got {actual!r:.200}")


def connect(path):
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(PATIENCE)
    sock.connect(path)
    return sock


def read_all(sock):
    parts = []
    while data := sock.recv(1 << 20):
        parts.append(data)
    return b"".join(parts)


def pieces(size):
    while size:
        piece = PATTERN[:size]
        size -= len(piece)
        yield piece


def digest(size):
    total = hashlib.sha256()
    for piece in pieces(size):
        total.update(piece)
    return total.hexdigest()


# --- the server: what it does with a connection is its first line ---


async def handle(reader, writer):
    try:
        await obey((await reader.readline()).decode().split(), reader, writer)
    except ConnectionError:
        pass
    finally:
        writer.close()


async def obey(words, reader, writer):
    if words[:1] == ["echo"]:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    elif words[:1] == ["source"]:
        for piece in pieces(int(words[1])):
            writer.write(piece)
            await writer.drain()
    elif words[:1] == ["sink"]:
        total = hashlib.sha256()
        while data := await reader.read(1 << 20):
            total.update(data)
        writer.write(total.hexdigest().encode())
    elif words[:1] == ["note"]:
        # It takes its time, and answers somebody who has gone.
        writer.write(b"too late" * 1000)
        data = await reader.read()
        with open(words[1], "w") as file:
            file.write(str(len(data)))
    elif words[:1] == ["uid"]:
        writer.write(str(os.getuid()).encode())


async def serve(path, backlog):
    server = await asyncio.start_unix_server(handle, path, backlog=backlog)
    print("ready", flush=True)
    await server.serve_forever()


# --- the clients ---


def ask(path, text):
    sock = connect(path)
    sock.sendall(text.encode() + b"\n")
    return sock


def say(path, *words):
    print(read_all(ask(path, " ".join(words))).decode())


def half_close(path):
    sock = ask(path, "echo")
    sock.sendall(b"first")
    same(b"first", sock.recv(5), "before the end")
    sock.sendall(b"second" * 20000)
    sock.shutdown(socket.SHUT_WR)
    same(b"second" * 20000, read_all(sock), "after the end")


def download(path, size):
    total = hashlib.sha256()
    sock = ask(path, f"source {size}")
    while data := sock.recv(1 << 20):
        total.update(data)
    same(digest(int(size)), total.hexdigest(), "what came")


def upload(path, size):
    sock = ask(path, "sink")
    for piece in pieces(int(size)):
        sock.sendall(piece)
    sock.shutdown(socket.SHUT_WR)
    same(digest(int(size)), read_all(sock).decode(), "what went")


def leave(path, file, size):
    """Sends and goes at once: all of it arrives."""
    sock = ask(path, f"note {file}")
    for piece in pieces(int(size)):
        sock.sendall(piece)
    sock.close()


def stall(path):
    """One who does not read holds up nobody."""
    sock = ask(path, "source 268435456")
    half_close(path)
    sock.close()


async def one_of_many(path, number, together):
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(b"echo\n")
    text = struct.pack("I", number) * 1000
    writer.write(text)
    same(text, await reader.readexactly(len(text)), "an echo")
    together.append(number)
    while len(together) < together.wanted:
        await asyncio.sleep(0.05)
    writer.write_eof()
    same(b"", await reader.read(), "the end of an echo")
    writer.close()


class Together(list):
    wanted = 0


async def all_of_many(path, count):
    together = Together()
    together.wanted = count
    await asyncio.wait_for(asyncio.gather(*(one_of_many(path, i, together) for i in range(count))), PATIENCE)


def many(path, count):
    """So many, all open at the same time."""
    asyncio.run(all_of_many(path, int(count)))


def refused(path):
    """Somebody takes the connection, and gives it up at once."""
    sock = connect(path)
    try:
        same(b"", sock.recv(1), "of a service that is not there")
    except ConnectionResetError:
        pass


def identities(path):
    """How many keys an ssh-agent has: draft-miller-ssh-agent, 3.5."""
    sock = connect(path)
    sock.sendall(struct.pack(">IB", 1, 11))
    length, kind, count = struct.unpack(">IBI", sock.recv(9, socket.MSG_WAITALL))
    same(12, kind, "the agent's answer")
    print(count)


def vsock(path, first, last):
    """Which of these ports of the host take a connection."""
    for port in range(int(first), int(last) + 1):
        sock = socket.socket(socket.AF_VSOCK)
        sock.settimeout(PATIENCE)
        if sock.connect_ex((2, port)) == 0:
            print(port)
        sock.close()


if sys.argv[1] == "serve":
    asyncio.run(serve(sys.argv[2], int(sys.argv[3]) if sys.argv[3:] else 100))
else:
    globals()[sys.argv[1]](*sys.argv[2:])
