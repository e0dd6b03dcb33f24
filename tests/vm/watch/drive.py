"""Changes files of a watched folder and reads, from a command's output, what tests/vm/watch/inotify sees of it in the guest.

drive.py latency COUNT FOLDER COMMAND...   the median from a write to its event, in milliseconds
drive.py burst COUNT FOLDER COMMAND...     COUNT new files at once: how many of them are told of, and when all were
drive.py race COUNT FILE COMMAND...        writes of one size, one soon after the other: the last one is what is read
"""
import os
import random
import select
import statistics
import subprocess
import sys
import time

PATIENCE = float(os.environ.get("MVM_PATIENCE", "60"))


class Guest:
    def __init__(self, command):
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE)
        self.rest = b""

    def lines(self, end):
        """All that come, until nobody asks any more or time is over."""
        while True:
            *lines, self.rest = self.rest.split(b"\n")
            yield from (line.decode() for line in lines)
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))
            data = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            if not data:
                sys.exit("the guest says nothing more")
            self.rest += data

    def until(self, wanted):
        for line in self.lines(time.monotonic() + PATIENCE):
            if line.rstrip() == wanted:
                return

    def end(self):
        self.process.kill()
        self.process.wait()


def write(path, text):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    os.write(fd, text.encode())
    os.close(fd)


def latency(guest, count, folder):
    took = []
    guest.until("watching")
    for i in range(count):
        time.sleep(random.uniform(0.02, 0.05))
        start = time.monotonic()
        write(folder + "/drive", "%06d" % i)
        guest.until("modify /src drive")
        took.append((time.monotonic() - start) * 1000)
    print("median %.1f ms of %d, %.1f to %.1f" % (statistics.median(took), count, min(took), max(took)))


def burst(guest, count, folder):
    names = {"burst%d" % i for i in range(count)}
    left = set(names)
    guest.until("watching")
    start = time.monotonic()
    for name in names:
        write(folder + "/" + name, name)
    wrote = time.monotonic() - start
    events = 0
    for line in guest.lines(start + PATIENCE):
        events += 1
        left.discard(line.split(" ")[2])
        if not left:
            break
    print("seen %d of %d, written in %.2f s, all told after %.2f s in %d events" %
          (count - len(left), count, wrote, time.monotonic() - start, events))


def race(guest, count, path):
    for i in range(count):
        last = "%06d" % (2 * i + 1)
        write(path, "%06d" % (2 * i))
        time.sleep(random.uniform(0.005, 0.02))
        write(path, last)
        guest.until(last)
    print("read the last of %d" % count)


def main():
    what, count, path, *command = sys.argv[1:]
    guest = Guest(command)
    try:
        {"latency": latency, "burst": burst, "race": race}[what](guest, int(count), path)
    finally:
        guest.end()


main()
