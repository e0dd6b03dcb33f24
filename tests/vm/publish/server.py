"""Services for the tests of published ports, run in a guest. It says "ready" when all of them listen.

7001 echo                   7002 on 127.0.0.1 only: tells the peer's address
7003 sends "N" bytes        7004 takes bytes to their end, then tells their number and hash
7005 never reads            7006 resets every connection
7007 tells which address it was reached at, and listens at the container's own and at 127.0.0.1
7008 tells the peer's address, and is on ::1 only
7011/udp echo               7012/udp echo, on 127.0.0.1 only
"""
import asyncio
import hashlib
import socket
import struct
import sys


async def echo(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def tell_peer(reader, writer):
    writer.write(writer.get_extra_info("peername")[0].encode())
    writer.close()


async def tell_own(reader, writer):
    writer.write(writer.get_extra_info("sockname")[0].encode())
    writer.close()


async def send(reader, writer):
    left, block = int(await reader.readline()), bytes(range(256)) * 256
    while left:
        part = block[: min(left, len(block))]
        writer.write(part)
        await writer.drain()
        left -= len(part)
    writer.close()


async def take(reader, writer):
    count, seen = 0, hashlib.sha256()
    while data := await reader.read(262144):
        count += len(data)
        seen.update(data)
    writer.write(f"{count} {seen.hexdigest()}".encode())
    writer.close()


async def never_read(reader, writer):
    writer.transport.pause_reading()
    await asyncio.sleep(100000)


async def reset(reader, writer):
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def echo_datagrams(host, port):
    """asyncio has no empty datagrams."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((host, port))
    asyncio.get_running_loop().add_reader(sock, lambda: sock.sendto(*sock.recvfrom(65536)))


async def main():
    own = sys.argv[1]
    for service, host, port in [
        (echo, "0.0.0.0", 7001),
        (tell_peer, "127.0.0.1", 7002),
        (send, "0.0.0.0", 7003),
        (take, "0.0.0.0", 7004),
        (never_read, "0.0.0.0", 7005),
        (reset, "0.0.0.0", 7006),
        (tell_own, "127.0.0.1", 7007),
        (tell_own, own, 7007),
        (tell_peer, "::1", 7008),
    ]:
        await asyncio.start_server(service, host, port, backlog=4096)
    for host, port in [("0.0.0.0", 7011), ("127.0.0.1", 7012)]:
        echo_datagrams(host, port)
    print("ready", flush=True)
    await asyncio.sleep(100000)


asyncio.run(main())
