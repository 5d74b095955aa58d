"""far.py HOST PORT MS: ssh's ProxyCommand to a server that is far away.

What goes either way comes so many milliseconds late, and in order; nothing is held back for what went before."""

import os
import queue
import socket
import sys
import threading
import time


def carry(read, write, end, late):
    """Carries from one to the other, until there is no more."""
    waiting = queue.Queue()

    def take():
        data = b"-"
        while data:
            try:
                data = read(1 << 16)
            except OSError:
                data = b""
            waiting.put((time.monotonic() + late, data))

    threading.Thread(target=take, daemon=True).start()
    while True:
        due, data = waiting.get()
        time.sleep(max(0, due - time.monotonic()))
        try:
            if not data:
                return end()
            while data:
                data = data[write(data):]
        except OSError:
            return end()


def main():
    server = socket.create_connection((sys.argv[1], int(sys.argv[2])))
    server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    late = float(sys.argv[3]) / 1000

    def no_more():
        try:
            server.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    there = threading.Thread(target=carry, args=(lambda most: os.read(0, most), server.send, no_more, late), daemon=True)
    there.start()
    carry(server.recv, lambda data: os.write(1, data), lambda: None, late)


main()
