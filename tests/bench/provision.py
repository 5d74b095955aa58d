"""`sinc install` beside the same commands by hand, and what LunaRoute adds to a request. Used by bench.py."""

import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import threading
import time
import tomllib

COMPONENTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../install/components")
ARGS = ["install", "--tier", "minimal", "--without", "et", "--agent", "codex"]
# As root: all that a run has put there goes, and what it has fetched.
FRESH = """
export DEBIAN_FRONTEND=noninteractive
if [ ! -e /var/tmp/packages ]; then dpkg-query -W -f '${Package}\\n' | sort >/var/tmp/packages; fi
ufw --force reset >/dev/null 2>&1
new=$(dpkg-query -W -f '${Package}\\n' | sort | comm -13 /var/tmp/packages -)
[ -z "$new" ] || apt-get -y -q purge $new >/dev/null
rm -rf /usr/local/lib/node_modules /usr/local/bin/* /root/.npm /home/dev/.npm /var/lib/sinc /etc/default/locale /etc/ufw/*.rules.2*
rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin
apt-get clean
sync
"""


def steps(name):
    with open(os.path.join(COMPONENTS, f"{name}.toml"), "rb") as file:
        return tomllib.load(file)["step"]


def by_hand():
    """The commands of apt, npm and ufw that these components stand for."""
    # A proxy's certificate may be in the host's environment, which sudo does not read.
    environment = "set -a; . /etc/environment; set +a"
    lines = ["set -e", environment, "export DEBIAN_FRONTEND=noninteractive", "apt-get -y -q update"]
    for name in ["base", "node", "codex", "ufw"]:
        for step in steps(name):
            if "apt" in step:
                lines.append("apt-get -y -q install --no-install-recommends " + " ".join(step["apt"]["packages"]))
            if "npm" in step:
                npm = step["npm"]
                scripts = f"--allow-scripts={npm['package']} " if npm.get("scripts") else ""
                lines.append(f"npm install -g --no-fund --no-audit {scripts}{npm['package']}@{npm['version']}")
    lines += ["echo LANG=C.UTF-8 >>/etc/default/locale", "ufw allow 22/tcp", "ufw --force enable"]
    return "\n".join(lines)


def provision(bench, run):
    """A fresh host for an agent, by sinc and by hand; then the plan of a second run, which is empty."""
    bench.forget()
    bench.bed.do("net", "off")
    bench.bed.do("net", "on")
    os.chdir(bench.work)
    script = os.path.join(bench.work, "by-hand.sh")
    with open(script, "w") as file:
        file.write(by_hand())
    bench.latency(50)

    def fresh():
        subprocess.run([bench.bed.script, "vps", "sh", "-c", FRESH], env=bench.bed.env, check=True, timeout=300,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        bench.cut_shared()

    ours = lambda: run([bench.sinc, *ARGS, "--yes"], timeout=900)
    plain = lambda: run(["sh", "-c", f"ssh vps sudo sh -s <{script}"], timeout=900)
    goal = lambda ours, plain: ("≤ 1.10 ×", ours <= 1.10 * plain)
    bench.compare("install: a fresh host for Codex, without Eternal Terminal", ours, plain, goal, fresh, runs=min(bench.runs, 3))
    if subprocess.run([bench.sinc, *ARGS, "--check"], stdin=subprocess.DEVNULL, capture_output=True).returncode:
        ours()

    def again():
        bench.cut_shared()
        return run([bench.sinc, *ARGS, "--check"])

    times = [1000 * again() for _ in range(max(bench.runs, 3))]
    bench.add("install: the second plan, which is empty", times, [], lambda ours, _: ("< 2 s", ours < 2000))
    fresh()
    bench.bed.do("net", "off")


# --- LunaRoute ---

ASK = json.dumps({"model": "claude-x", "max_tokens": 1, "messages": [{"role": "user", "content": "x" * 4000}]}).encode()
REPLY = json.dumps({"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x", "stop_reason": "end_turn",
                    "content": [{"type": "text", "text": "hi"}], "usage": {"input_tokens": 1, "output_tokens": 1}}).encode()


def message(stream):
    """One message of HTTP with a length: all of it, or nothing at the end."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = stream.readline()
        if not line:
            return b""
        head += line
    sizes = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return head + stream.read(int(sizes[0]) if sizes else 0)


def serve(port, each):
    """A server on the loopback: `each` gets a connection."""
    listener = socket.create_server(("127.0.0.1", port))

    def loop():
        while True:
            connection, _ = listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=each, args=[connection], daemon=True).start()

    threading.Thread(target=loop, daemon=True).start()
    return listener.getsockname()[1]


def provider(connection):
    """Answers each message with the same one."""
    stream = connection.makefile("rb")
    while message(stream):
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
                           b"content-length: %d\r\n\r\n%s" % (len(REPLY), REPLY))


def stand_in(port, upstream):
    """Passes messages on, and keeps them, as LunaRoute does."""
    def each(connection):
        to = socket.create_connection(("127.0.0.1", upstream))
        to.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        asks, replies = connection.makefile("rb"), to.makefile("rb")
        with open("kept", "ab") as kept:
            while ask := message(asks):
                if ask.startswith(b"GET /healthz "):
                    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 15\r\n\r\n" b'{"status":"ok"}')
                    continue
                to.sendall(ask)
                reply = message(replies)
                connection.sendall(reply)
                kept.write(ask + reply)

    serve(port, each)
    threading.Event().wait()


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def lunaroute(bench, program, failed):
    """A request through LunaRoute, and the same to the provider itself."""
    bench.latency(0)
    upstream, port, ui = serve(0, provider), free_port(), free_port()
    home = os.path.join(bench.work, "lunaroute")
    os.mkdir(home)
    if program:
        with open(os.path.join(home, "config.yaml"), "w") as file:
            file.write(f"host: 127.0.0.1\nport: {port}\nui:\n  host: 127.0.0.1\n  port: {ui}\n"
                       f"providers:\n  anthropic:\n    enabled: true\n    base_url: http://127.0.0.1:{upstream}\n")
        words = [program, "serve"]
    else:
        words = [sys.executable, "-IS", os.path.abspath(__file__), str(port), str(upstream)]
    env = {**os.environ, "HOME": home, "LUNAROUTE_CONFIG": os.path.join(home, "config.yaml")}
    server = subprocess.Popen(words, cwd=home, env=env, stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    headers = {"content-type": "application/json", "x-api-key": "of a benchmark", "anthropic-version": "2023-06-01"}
    try:
        until = time.monotonic() + 30
        while True:
            try:
                ways = [http.client.HTTPConnection("127.0.0.1", at, timeout=10) for at in (port, upstream)]
                ways[0].request("GET", "/healthz")
                if ways[0].getresponse().read():
                    break
            except OSError:
                if time.monotonic() > until or server.poll() is not None:
                    raise failed("LunaRoute does not answer") from None
                time.sleep(0.05)
        times = ([], [])
        for number in range(1000):
            for way, into in list(zip(ways, times))[:: 1 if number % 2 else -1]:
                start = time.perf_counter()
                way.request("POST", "/v1/messages", ASK, headers)
                if way.getresponse().read() != REPLY:
                    raise failed("another answer than the provider's came")
                into.append(1000 * (time.perf_counter() - start))
        # The first ones make connections.
        through, itself = (one[100:] for one in times)
        which = "LunaRoute" if program else "LunaRoute (a stand-in)"
        added = [a - b for a, b in zip(through, itself)]
        name = f"{which}: a request through it, and without it"
        bench.add(name, through, itself, lambda a, b: (f"+ < 0.5 ms (+ {statistics.median(added):.2f})", a - b < 0.5))
    finally:
        server.kill()
        server.wait()


if __name__ == "__main__":
    stand_in(int(sys.argv[1]), int(sys.argv[2]))
