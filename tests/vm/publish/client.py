"""What the tests of published ports do on the host: client.py WHAT PORT [MORE]. Ends with 0, or says what was wrong."""
import asyncio
import errno
import hashlib
import os
import socket
import struct
import sys
import time

HOST = os.environ.get("HOST", "127.0.0.1")
PATIENCE = float(os.environ.get("MVM_PATIENCE", 60))


def fail(text):
    sys.exit(f"client: {text}")


def same(expected, actual, what):
    if expected != actual:
        fail(f"{what}: expected {expected!r:.200}, got {actual!r:.200}")


def connect(port):
    return socket.create_connection((HOST, port), timeout=PATIENCE)


def read_all(sock):
    parts = []
    while data := sock.recv(1 << 20):
        parts.append(data)
    return b"".join(parts)


def say(port):
    """Prints what the service says."""
    print(read_all(connect(port)).decode())


def is_reset(port):
    """The connection ends with a reset."""
    try:
        sock = connect(port)
        data = sock.recv(1)
    except OSError as error:
        same(errno.ECONNRESET, error.errno, "end of the connection")
    else:
        fail(f"no reset but {data!r}")


def half_close(port):
    """What is sent comes back after the end of the sending, too, and then the end."""
    sock = connect(port)
    sock.sendall(b"first")
    same(b"first", sock.recv(5), "before the end")
    sock.sendall(b"second" * 20000)
    sock.shutdown(socket.SHUT_WR)
    same(b"second" * 20000, read_all(sock), "after the end")


def download(port, count):
    sock, seen, left = connect(port), hashlib.sha256(), int(count)
    begin = time.monotonic()
    sock.sendall(f"{left}\n".encode())
    while data := sock.recv(1 << 20):
        left -= len(data)
        seen.update(data)
    print(f"{int(count) / (time.monotonic() - begin) / 1e6:.0f} MB/s")
    same(0, left, "bytes missing")
    block, expected = bytes(range(256)) * 256, hashlib.sha256()
    for at in range(0, int(count), len(block)):
        expected.update(block[: min(len(block), int(count) - at)])
    same(expected.hexdigest(), seen.hexdigest(), "content")


def download_among(port, count, other, others):
    """As above, with so many other connections open before."""
    held = [connect(int(other)) for _ in range(int(others))]
    for sock in held:
        sock.sendall(b"here")
    for sock in held:
        same(b"here", sock.recv(4), "answer")
    download(port, count)


def upload(port, count):
    sock, seen, left = connect(port), hashlib.sha256(), int(count)
    block = os.urandom(1 << 20)
    begin = time.monotonic()
    while left:
        part = block[: min(left, len(block))]
        sock.sendall(part)
        seen.update(part)
        left -= len(part)
    sock.shutdown(socket.SHUT_WR)
    answer = read_all(sock).decode()
    print(f"{int(count) / (time.monotonic() - begin) / 1e6:.0f} MB/s")
    same(f"{count} {seen.hexdigest()}", answer, "what arrived")


def stall(port, other):
    """A connection that nobody reads takes no more at some time, and another one goes on."""
    sock = connect(port)
    sock.setblocking(False)
    sent, quiet_since = 0, time.monotonic()
    while time.monotonic() - quiet_since < 1:
        try:
            sent += sock.send(bytes(1 << 20))
            quiet_since = time.monotonic()
        except BlockingIOError:
            time.sleep(0.01)
        if sent > 1 << 30:
            fail("a service that does not read takes a gigabyte")
    half_close(int(other))
    print(sent)


def abort(port, other):
    """Connections that are broken off leave others alone."""
    for _ in range(50):
        sock = connect(port)
        sock.sendall(b"x" * 100000)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
    half_close(int(other))


async def exchange(port, number):
    reader, writer = await asyncio.open_connection(HOST, port)
    text = f"{number}:".encode() * 50
    writer.write(text)
    same(text, await reader.readexactly(len(text)), f"connection {number}")
    return reader, writer


async def many_at_once(port, count):
    """All are open at the same time, and each works."""
    opened = await asyncio.gather(*(exchange(port, number) for number in range(count)))
    for number, (reader, writer) in enumerate(opened):
        writer.write(f"last {number}".encode())
        writer.write_eof()
    for number, (reader, writer) in enumerate(opened):
        same(f"last {number}".encode(), await reader.read(), f"end of connection {number}")
        writer.close()


async def one_after_another(port, count):
    """`count` connections, 50 at a time."""
    numbers = iter(range(count))

    async def work():
        for number in numbers:
            reader, writer = await exchange(port, number)
            writer.write_eof()
            same(b"", await reader.read(), f"end of connection {number}")
            writer.close()

    await asyncio.gather(*(work() for _ in range(50)))


def datagrams(port, clients):
    """Each client gets its own back, whatever its size, from where it sent to."""
    socks = []
    for number in range(int(clients)):
        sock = socket.socket(socket.AF_INET6 if ":" in HOST else socket.AF_INET, socket.SOCK_DGRAM)
        sock.settimeout(5)
        sock.connect((HOST, port))
        socks.append(sock)
    for size in (0, 1, 1400, 9000, 65507 if ":" not in HOST else 60000):
        for number, sock in enumerate(socks):
            text = (b"%d/" % number * size)[:size]
            for _ in range(5):
                sock.send(text)
                try:
                    same(text, sock.recv(65536), f"datagram of client {number}")
                    break
                except TimeoutError:
                    pass
            else:
                fail(f"client {number} gets no answer to {size} bytes")


def main():
    what, port, more = globals()[sys.argv[1]], int(sys.argv[2]), sys.argv[3:]
    if asyncio.iscoroutinefunction(what):
        asyncio.run(asyncio.wait_for(what(port, *map(int, more)), 4 * PATIENCE))
    else:
        what(port, *more)


main()
