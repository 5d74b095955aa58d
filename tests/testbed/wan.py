"""wan.py: a link between two network namespaces, in user space (no kernel module is needed).

    wan.py serve NETNS_A IF_A NETNS_B IF_B SOCKET   makes a TAP in each namespace and carries frames between them
    wan.py ask SOCKET JSON                          changes settings ({} for none) and prints the link's state

Settings, changed while it runs:
    delay_ms, jitter_ms   for each direction; frames keep their order
    loss                  fraction of the frames that are dropped, for each direction
    rate_kbit             0 for no limit
    limit                 frames that may wait; more are dropped
    cut                   true drops everything silently, those in flight too
Counters beside them: carried, lost, over (the limit), queued. Ends on SIGTERM; the TAPs go with it.
"""

import ctypes
import fcntl
import heapq
import json
import os
import random
import select
import signal
import socket
import struct
import sys
import time

TUNSETIFF, IFF_TAP, IFF_NO_PI, CLONE_NEWNET = 0x400454CA, 0x2, 0x1000, 0x40000000


def tap(netns, name):
    """Makes a TAP inside another network namespace, and comes back."""
    libc = ctypes.CDLL(None, use_errno=True)
    here = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open("/run/netns/" + netns, os.O_RDONLY)
    if libc.setns(there, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns " + netns)
    try:
        fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
    finally:
        libc.setns(here, CLONE_NEWNET)
        os.close(here)
        os.close(there)
    return fd


class Link:
    def __init__(self, fds):
        self.fds = fds
        self.set = {"delay_ms": 0.0, "jitter_ms": 0.0, "loss": 0.0, "rate_kbit": 0, "cut": False, "limit": 2000}
        self.count = {"carried": 0, "lost": 0, "over": 0}
        self.queue = []  # (due, number, direction, frame)
        self.number = 0
        self.free = [0.0, 0.0]  # when the line of each direction is free again (rate)
        self.last = [0.0, 0.0]  # when its last frame is due (order)

    def read(self, direction):
        for _ in range(64):
            try:
                frame = os.read(self.fds[direction], 65535)
            except OSError:  # nothing more
                return
            s = self.set
            if s["cut"] or (s["loss"] and random.random() < s["loss"]):
                self.count["lost"] += 1
                continue
            if len(self.queue) >= s["limit"]:
                self.count["over"] += 1
                continue
            due = time.monotonic()
            if s["rate_kbit"]:
                due = self.free[direction] = max(self.free[direction], due) + len(frame) * 8 / (s["rate_kbit"] * 1e3)
            due += max(0.0, s["delay_ms"] + s["jitter_ms"] * (2 * random.random() - 1)) / 1e3
            due = self.last[direction] = max(due, self.last[direction])
            self.number += 1
            heapq.heappush(self.queue, (due, self.number, direction, frame))

    def deliver(self):
        """Writes what is due; the seconds until the next frame is, or -1."""
        while self.queue:
            wait = self.queue[0][0] - time.monotonic()
            if wait > 0:
                return wait
            _, _, direction, frame = heapq.heappop(self.queue)
            try:
                if self.set["cut"]:
                    raise OSError("cut")
                os.write(self.fds[1 - direction], frame)
                self.count["carried"] += 1
            except OSError:  # cut, or the other end is down
                self.count["lost"] += 1
        return -1

    def answer(self, server):
        client, _ = server.accept()
        client.settimeout(1)
        with client:
            try:
                new = json.loads(client.recv(4096))
                if set(new) <= set(self.set):
                    self.set.update(new)
                    reply = {**self.set, **self.count, "queued": len(self.queue)}
                else:
                    reply = {"error": "settings are " + ", ".join(self.set)}
                client.sendall((json.dumps(reply) + "\n").encode())
            except (OSError, ValueError) as error:
                print("wan:", error, file=sys.stderr, flush=True)


def serve(netns_a, if_a, netns_b, if_b, path):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    link = Link([tap(netns_a, if_a), tap(netns_b, if_b)])
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen(8)
    poll = select.epoll()
    for fd in (server.fileno(), *link.fds):
        poll.register(fd, select.EPOLLIN)
    while True:
        for fd, _ in poll.poll(link.deliver()):
            if fd == server.fileno():
                link.answer(server)
            else:
                link.read(link.fds.index(fd))


def ask(path, text):
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(3)
    client.connect(path)
    client.sendall(text.encode())
    reply = client.recv(4096).decode().strip()
    print(reply)
    return 1 if not reply or "error" in json.loads(reply) else 0


if __name__ == "__main__":
    if len(sys.argv) == 7 and sys.argv[1] == "serve":
        serve(*sys.argv[2:])
    elif len(sys.argv) == 4 and sys.argv[1] == "ask":
        sys.exit(ask(*sys.argv[2:]))
    else:
        sys.exit(__doc__)
