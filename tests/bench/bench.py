"""bench.py: measures sinc beside the plain tool, run and run about, and prints one table.

Called by run.sh on the laptop's side of the test bed. README.md tells what each case is and how to read the table.
"""

import argparse
import contextlib
import ctypes
import fcntl
import glob
import itertools
import json
import os
import pty
import random
import select
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import termios
import threading
import time
import traceback

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import provision  # beside this file, which -I leaves out

CASES = ["cold", "warm", "again", "connect", "install", "status", "cached", "run", "cost", "edit", "large", "git", "burst", "idle", "lunaroute"]
BY_NAME = ["provision"]  # needs a way to the mirrors of Debian and npm
FILES, FILE_BYTES = 10_000, 2_000  # the project of most cases: 20 MB
LARGE = 100_000  # the large project: 200 MB
MARK = "pane-of-the-host-6007"  # never on a command line: the pane's agent puts it together
AGENT = "printf '\\n%s-%d\\n' pane-of-the-host $((6000 + 7)); exec sleep 1000000"
DETACH = (b"\x02", b"d")  # with a pause between: tmux takes keys that come within a millisecond for pasted text
DIR = "/home/dev/bench"  # on the VPS, for what is made by hand


class Failed(Exception):
    pass


class Stopped(BaseException):
    """SIGTERM came."""


class Bed:
    def __init__(self):
        self.script = os.environ["SINC_TESTBED"]
        self.ssh_config = os.environ["SINC_TESTBED_SSH_CONFIG"]
        self.env = dict(os.environ)

    def do(self, *words):
        done = subprocess.run([self.script, *words], env=self.env, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
        if done.returncode:
            raise Failed(f"testbed.sh {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout.strip()

    def vps(self, script):
        """Runs this on the VPS as its user, not over the link."""
        return self.do("vps", "setpriv", "--reuid=dev", "--regid=dev", "--init-groups", "env", "HOME=/home/dev",
                       "sh", "-c", script)


def run(argv, timeout=300, **more):
    """Runs a command to its end; gives seconds."""
    start = time.perf_counter()
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=timeout, **more)
    seconds = time.perf_counter() - start
    if done.returncode:
        raise Failed(f"{' '.join(argv)[:200]} ended with {done.returncode}:\n{done.stdout[-2000:]}")
    return seconds


def attach(argv):
    """Starts a program on a terminal of its own; gives the seconds until the pane's text has come out of it.

    Then detaches as a person does, and waits for its end.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 40, 120, 0, 0))
    terminal = os.ttyname(theirs)
    onto = [(os.POSIX_SPAWN_OPEN, 0, terminal, os.O_RDWR, 0), (os.POSIX_SPAWN_DUP2, 0, 1), (os.POSIX_SPAWN_DUP2, 0, 2)]
    start = time.perf_counter()
    pid = os.posix_spawnp(argv[0], argv, os.environ, file_actions=onto, setsid=True)
    os.close(theirs)
    seen, seconds, deadline, ready, piece = b"", None, start + 60, False, b""
    try:
        while True:
            left = deadline - time.perf_counter()
            ready = left > 0 and select.select([ours], [], [], left)[0]
            try:
                piece = os.read(ours, 65536) if ready else b""
            except OSError:  # EIO: nobody has the other end any more
                piece = b""
            if not piece:
                break
            now = time.perf_counter()
            seen += piece
            if seconds is None and MARK.encode() in seen:
                seconds = now - start
                deadline = now + 10
                for key in DETACH:
                    time.sleep(0.02)
                    os.write(ours, key)
    finally:
        os.close(ours)
        if not (ready and not piece):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)
    if seconds is None:
        raise Failed(f"{' '.join(argv)[:200]} never showed the pane; its last words:\n{seen[-1000:].decode(errors='replace')}")
    return seconds


class Bench:
    def __init__(self, work, sinc, runs, deadline):
        self.bed, self.work, self.sinc = Bed(), work, sinc
        self.runs, self.deadline, self.rtt, self.rows = runs, deadline, 0, []
        self.home, self.small, self.big = (os.path.join(work, name) for name in ("home", "small", "big"))
        self.bin, self.fake = os.path.join(work, "bin"), os.path.join(work, "fake")
        self.mutagen_data = os.path.join(self.home, ".local/share/sinc/mutagen")
        self.hand_data = os.path.join(work, "by-hand")
        self.hand_master = os.path.join(work, "cm")
        mutagen = shutil.which("mutagen") or sys.exit("bench: mutagen is not on PATH")
        for path in (self.home, self.small, self.big, self.bin, self.fake):
            os.mkdir(path)
        # What both tools get: nothing of this machine's user.
        for name in ("ssh", "scp"):
            with open(os.path.join(self.bin, name), "w") as file:
                file.write(f'#!/bin/sh\nexec {shutil.which(name)} -F {self.bed.ssh_config} "$@"\n')
            os.chmod(file.name, 0o755)
        with open(os.path.join(self.fake, "ssh"), "w") as file:
            file.write("#!/bin/sh\nexit 255\n")  # as one that did not get there
        os.chmod(file.name, 0o755)
        os.environ.clear()
        os.environ.update(HOME=self.home, PATH=f"{self.bin}:{os.path.dirname(mutagen)}:/usr/bin:/bin", USER="me",
                          SHELL="/bin/bash", TERM="xterm-256color", LANG="C.UTF-8", MUTAGEN_DATA_DIRECTORY=self.hand_data)
        config = os.path.join(self.home, ".config/sinc/config.toml")
        os.makedirs(os.path.dirname(config))
        with open(config, "w") as file:
            file.write('default-agent = "bench"\n[host.vps]\ndestination = "vps"\n'
                       f"[agent.bench]\ncommand = '''{AGENT}'''\n")
        self.fill(self.small, 20)
        self.fill(self.big, FILES)

    @staticmethod
    def fill(directory, files):
        rng = random.Random(1)
        for number in range(files):
            into = os.path.join(directory, f"d{number // 100:03}")
            os.makedirs(into, exist_ok=True)
            with open(os.path.join(into, f"f{number:05}.dat"), "wb") as file:
                file.write(rng.randbytes(FILE_BYTES))

    # --- the two sides' state ---

    def latency(self, rtt):
        self.bed.do("latency", str(rtt))
        self.rtt = rtt

    def wait_for_after_attach(self):
        """sinc leaves a process beside an attach that asks Mutagen and the host; it must not disturb the next run."""
        until = time.perf_counter() + 30
        while time.perf_counter() < until:
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            for path in glob.glob("/proc/[0-9]*/cmdline"):
                with contextlib.suppress(OSError), open(path, "rb") as file:
                    words = file.read().split(b"\0")
                    if b"after-attach" in words and words[0] == self.sinc.encode():
                        break
            else:
                return
            time.sleep(0.02)
        raise Failed("sinc after-attach does not end")

    def cut_shared(self):
        """Ends the connection that sinc shares, and not the one that Mutagen may have beside it."""
        self.wait_for_after_attach()
        for path in glob.glob(os.path.join(self.home, ".local/state/sinc/hosts/*.json")):
            with open(path) as file:
                self.end_master(json.load(file)["control"])

    def end_master(self, socket):
        if os.path.exists(socket):
            run(["ssh", "-o", f"ControlPath={socket}", "-O", "exit", "vps"])

    def session(self, directory):
        """The project's session exists; gives its id."""
        os.chdir(directory)
        run([self.sinc, "--no-attach"])
        return self.bed.vps("tmux list-sessions -F '#{session_name}'").split()[0]

    def forget(self):
        """No session, no sync, no daemon; on the host only what `mutagen` has installed."""
        self.wait_for_after_attach()
        os.chdir(self.work)
        subprocess.run([self.sinc, "link", "stop"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, timeout=60)
        for data in (self.mutagen_data, self.hand_data):
            if os.path.isdir(data):
                run(["mutagen", "daemon", "stop"], env={**os.environ, "MUTAGEN_DATA_DIRECTORY": data})
        for socket in glob.glob(os.path.join(self.home, ".sinc/cm/*")):
            self.end_master(socket)
        for path in (".local", ".sinc"):
            shutil.rmtree(os.path.join(self.home, path), ignore_errors=True)
        shutil.rmtree(self.hand_data, ignore_errors=True)
        self.bed.vps(f"tmux kill-server 2>/dev/null; rm -rf ~/workspace ~/.local/state/sinc {DIR}")

    def end(self):
        with contextlib.suppress(Exception):
            self.forget()

    # --- measuring ---

    def compare(self, case, ours, plain, goal, before=lambda: None, runs=None):
        """Runs both in turn, the first of them in turn too; `ours` and `plain` give seconds."""
        times = {ours: [], plain: []}
        for number in range(runs or self.runs):
            for what in (ours, plain) if number % 2 else (plain, ours):
                if what is None:
                    continue
                if time.monotonic() > self.deadline:
                    raise TimeoutError
                before()
                times[what].append(what())
        self.add(case, [1000 * t for t in times[ours]], [1000 * t for t in times[plain]], goal)

    def add(self, case, ours, plain, goal, unit="ms"):
        ours_median, plain_median = statistics.median(ours), statistics.median(plain) if plain else None
        text, met = goal(ours_median, plain_median)
        digits = 0 if ours_median >= 100 else 1 if ours_median >= 1 else 2
        row = [case, str(self.rtt), f"{ours_median:.{digits}f} {unit}",
               f"{min(ours):.{digits}f}–{max(ours):.{digits}f}",
               f"{plain_median:.{digits}f} {unit}" if plain else "–",
               f"{ours_median / plain_median:.2f}" if plain else "–", text, "met" if met else "MISSED"]
        self.rows.append(row)
        print("  ".join(row), file=sys.stderr)

    def missing(self, case, goal, error):
        """A command of sinc's that fails: said in the table, with its own words on stderr."""
        print(f"{case}: {error}", file=sys.stderr)
        self.rows.append([case, str(self.rtt), "not there yet", "", "", "", goal(1, 1)[0], "–"])

    # --- the cases ---

    def existing(self, cases, rtts):
        self.forget()
        self.latency(0)
        id = self.session(self.small)
        sinc = lambda: attach([self.sinc])
        shared = ["-o", "ControlMaster=auto", "-o", f"ControlPath={self.hand_master}", "-o", "ControlPersist=30m"]
        bare = lambda: attach(["ssh", "-t", "vps", f"tmux attach -t {id}"])
        bare_warm = lambda: attach(["ssh", *shared, "-t", "vps", f"tmux attach -t {id}"])
        for rtt in rtts:
            self.latency(rtt)
            sinc(), bare_warm()
            if "cold" in cases:
                self.compare("existing, cold", sinc, bare, self.goal_cold, self.cut_shared)
                self.wait_for_after_attach()
            if "warm" in cases:
                sinc()
                self.compare("existing, warm", sinc, bare_warm, self.goal_warm, self.wait_for_after_attach)
            if "again" in cases:
                def sinc_again():
                    sinc()
                    return sinc()

                def bare_again():
                    bare_warm()
                    return bare_warm()
                self.compare("existing, again at once", sinc_again, bare_again, self.goal_warm, self.wait_for_after_attach)
            self.wait_for_after_attach()
        self.end_master(self.hand_master)

    def goal_cold(self, ours, plain):
        under = "" if self.rtt > 100 else ", < 2 s"
        return f"≤ 1.10 ×{under}", ours <= 1.10 * plain and (self.rtt > 100 or ours < 2000)

    def goal_warm(self, ours, plain):
        if self.rtt == 0:
            return "≤ bare + 30 ms", ours <= plain + 30
        return "≤ 1.15 ×", ours <= 1.15 * plain

    def first(self, cases, rtts):
        # The settings that sinc gives Mutagen, from a first trial.
        self.forget()
        self.latency(0)
        self.session(self.big)
        settings = os.path.join(self.work, "settings.yml")
        shutil.copy(glob.glob(os.path.join(self.mutagen_data, "settings-*.yml"))[0], settings)
        by_hand = (f"ssh vps 'mkdir -p {DIR}/big && tmux new-session -d -s by-hand -c {DIR}/big' && "
                   f"mutagen sync create --no-global-configuration -c {settings} -n by-hand {self.big} vps:{DIR}/big && "
                   "mutagen sync flush by-hand")

        def complete(what, where):
            """The seconds of `what`, if all files are there then."""
            seconds = run(what)
            count = int(self.bed.vps(f"find {where} -name '*.dat' | wc -l"))
            if count != FILES:
                raise Failed(f"{count} files of {FILES} are on the host after {what[0]}")
            return seconds

        def sinc():
            os.chdir(self.big)
            return complete([self.sinc, "--no-attach"], "~/workspace/big")

        hand = lambda: complete(["sh", "-c", by_hand], f"{DIR}/big")

        def forget_agent():
            self.forget()
            self.bed.vps("rm -rf ~/.mutagen")

        goal = lambda ours, plain: ("≤ 1.25 ×", ours <= 1.25 * plain)
        for rtt in rtts:
            self.latency(rtt)
            if "connect" in cases:
                self.compare("first connect, 10,000 files", sinc, hand, goal, self.forget)
            if "install" in cases:
                self.compare("the same, Mutagen's agent not on the host", sinc, hand, goal, forget_agent)

    def status(self, cases, rtts):
        self.forget()
        self.latency(0)
        self.session(self.big)
        flush = lambda: run(["mutagen", "sync", "flush", "--all"],
                            env={**os.environ, "MUTAGEN_DATA_DIRECTORY": self.mutagen_data})
        status = lambda: run([self.sinc, "status"])
        cached = lambda: run([self.sinc, "status", "--cached"])
        goal = lambda ours, plain: ("≤ 1.2 ×", ours <= 1.2 * plain)
        goal_cached = lambda ours, plain: (f"< {2 * self.rtt + 60} ms", ours < 2 * self.rtt + 60)
        for rtt in rtts:
            self.latency(rtt)
            for case, ours, plain, wanted in (("status", status, flush, goal), ("cached", cached, None, goal_cached)):
                if case not in cases:
                    continue
                name = "status" if case == "status" else "status --cached"
                try:
                    ours()
                except Failed as error:
                    self.missing(name, wanted, error)
                    continue
                self.compare(name, ours, plain, wanted)

    def run_command(self, rtts):
        self.forget()
        self.latency(0)
        self.session(self.big)
        shared = f"-o ControlMaster=auto -o ControlPath={self.hand_master} -o ControlPersist=30m"
        flush = f"MUTAGEN_DATA_DIRECTORY={self.mutagen_data} mutagen sync flush --all"
        by_hand = f"{flush} && ssh {shared} vps 'cd workspace/big && wc -l <d000/f00000.dat' && {flush}"
        sinc = lambda: run([self.sinc, "run", "--", "sh", "-c", "wc -l <d000/f00000.dat"])
        hand = lambda: run(["sh", "-c", by_hand])
        for rtt in rtts:
            self.latency(rtt)
            sinc(), hand()
            self.compare("run, warm", sinc, hand, lambda ours, plain: ("≤ 1.15 ×", ours <= 1.15 * plain))
        self.end_master(self.hand_master)

    # --- the link ---

    def on_vps(self):
        """The VPS's root as a path here: both sides are one kernel, so that a file is written and seen without a process."""
        marker = f"/tmp/bench-{os.getpid()}"
        self.bed.vps(f"touch {marker}")
        for path in glob.glob("/proc/[0-9]*/root"):
            with contextlib.suppress(OSError):
                if os.path.exists(path + marker) and not os.path.samefile(path, "/"):
                    return path
        raise Failed("no process of the VPS is seen from here")

    def link(self, patience=60):
        """Waits until the link watches both sides of every session and has looked at them; gives its process."""
        until = time.monotonic() + patience
        while time.monotonic() < until:
            said = subprocess.run([self.sinc, "link", "status", "--json"], capture_output=True, text=True, timeout=60)
            links = json.loads(said.stdout)["data"]["links"]
            if links and links[0]["up"] and all(one["there"]["by"] == one["here"]["by"] == "inotify" and not one["looking"]
                                                for one in links[0]["sessions"].values()):
                time.sleep(1)
                return links[0]["pid"]
            time.sleep(0.1)
        raise Failed(f"the link does not watch: {said.stdout}")

    def by_hand(self, name, here, *options):
        """A sync made by hand; gives the directory on the VPS."""
        there = f"{DIR}/{name}"
        self.bed.vps(f"mkdir -p {DIR}")
        run(["mutagen", "sync", "create", "--no-global-configuration", "--ignore", "node_modules", *options,
             "-n", name, here, f"vps:{there}"])
        run(["mutagen", "sync", "flush", name])
        return there

    @contextlib.contextmanager
    def hand_made_link(self, name, here, there):
        """The shortest thing that a person could write: an event on either side, then a flush."""
        watch = "inotifywait -qmr -e modify,attrib,move,create,delete --format x --exclude /node_modules"
        eyes = [subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0)
                for words in (["ssh", "vps", f"{watch} {there}"], [*watch.split(), here])]
        stop = threading.Event()

        def loop():
            while not stop.is_set():
                ready = select.select([eye.stdout for eye in eyes], [], [], 0.2)[0]
                if ready:
                    time.sleep(0.01)
                    for stream in select.select([eye.stdout for eye in eyes], [], [], 0)[0]:
                        os.read(stream.fileno(), 65536)
                    subprocess.run(["mutagen", "sync", "flush", name], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, timeout=60)
        thread = threading.Thread(target=loop)
        thread.start()
        time.sleep(3)
        try:
            yield
        finally:
            stop.set()
            thread.join()
            for eye in eyes:
                eye.kill()
                eye.wait()
            self.bed.vps("pkill inotifywait; true")

    def edit_time(self, source, target, rest):
        """The seconds until what is written into a file that exists is on the other side."""
        text = f"{random.random()}\n".encode()
        start = time.perf_counter()
        with open(source, "wb") as file:
            file.write(text)
        while True:
            with contextlib.suppress(OSError), open(target, "rb") as file:
                if file.read() == text:
                    break
            if time.perf_counter() - start > 60:
                raise Failed(f"{source} never came to {target}")
            time.sleep(0.001)
        seconds = time.perf_counter() - start
        time.sleep(rest)  # what the edit sets off on the other side ends: a cycle more
        return seconds

    def large(self, rtts):
        """The same with ten times the files."""
        large = os.path.join(self.work, "large")
        self.fill(large, LARGE)
        self.edit(rtts, large, ", 100,000 files", limits=(1000, 1000), rest=3)
        shutil.rmtree(large)

    def edit(self, rtts, project=None, more="", limits=(280, 350), rest=0.8):
        project = project or self.big
        self.forget()
        self.latency(0)
        self.session(project)
        self.link()
        root, edits = self.on_vps(), 0
        copies = {name: os.path.join(self.work, f"copy-{name}") for name in ("hand", "bare")}
        for copy in copies.values():
            shutil.copytree(project, copy, dirs_exist_ok=True)
        places = {"sinc": (project, f"{root}/home/dev/workspace/{os.path.basename(project)}"),
                  "hand": (copies["hand"], root + self.by_hand("hand", copies["hand"], "--watch-mode", "no-watch")),
                  "bare": (copies["bare"], root + self.by_hand("bare", copies["bare"]))}
        run(["mutagen", "sync", "pause", "bare"])
        os.sync()  # what the disk has yet to write of all these would be in the times
        runs = max(self.runs, 3) * 2
        with self.hand_made_link("hand", copies["hand"], f"{DIR}/hand"):
            for rtt in rtts:
                self.latency(rtt)
                for title, turn in ((f"edit here, until it is there{more}", 1), (f"edit there, until it is here{more}", -1)):
                    times = {name: [] for name in places}

                    def edit_one(name):
                        nonlocal edits
                        if time.monotonic() > self.deadline:
                            raise TimeoutError
                        # Another file each time: Mutagen itself watches those that changed last.
                        edits += 1
                        file = f"d{edits % 100:03}/f{edits % 100 * 100 + edits // 100:05}.dat"
                        source, target = (os.path.join(side, file) for side in places[name][::turn])
                        times[name].append(1000 * self.edit_time(source, target, rest))

                    for _ in range(runs):
                        edit_one("sinc")
                        edit_one("hand")
                    # By itself: it looks at all files again and again. Three: ten seconds each.
                    run(["mutagen", "sync", "resume", "bare"])
                    run(["mutagen", "sync", "flush", "bare"])
                    for _ in range(3):
                        edit_one("bare")
                    run(["mutagen", "sync", "pause", "bare"])
                    p95 = sorted(times["sinc"])[int(0.95 * (len(times["sinc"]) - 1) + 0.5)]

                    def goal(ours, plain):
                        text, met = f"≤ 1.15 × (p95 {p95:.0f})", ours <= 1.15 * plain
                        if rtt == 50:
                            median, most = limits
                            return f"≤ {median}, p95 ≤ {most}, {text}", met and ours <= median and p95 <= most
                        return text, met
                    self.add(title, times["sinc"], times["hand"], goal)
                    self.add(f"{title}: beside bare Mutagen", times["sinc"], times["bare"],
                             lambda ours, plain: ("quicker", ours < plain))

    def git(self, rtts):
        """Git on both sides: a commit on one until the other has it with nothing to commit; the first time; and idle."""
        project = os.path.join(self.work, "history")
        self.history(project)
        there = f"{self.on_vps()}/home/dev/workspace/history"
        one = os.path.join("d000", "f00000.dat")
        os.environ.update(SINC_GIT="true", SINC_LINK="true")
        self.forget()
        self.latency(0)
        self.session(project)
        self.link()
        self.at_rest(project, there)
        medians = {}
        for rtt in rtts:
            self.latency(rtt)
            self.link()
            for title, source, target in (("commit here, until it is there", project, there),
                                          ("commit there, until it is here", there, project)):
                self.commit_time(source, target, one)
                times = []
                for _ in range(2 * max(self.runs, 3)):
                    if time.monotonic() > self.deadline:
                        raise TimeoutError
                    times.append(1000 * self.commit_time(source, target, one))
                p95 = sorted(times)[int(0.95 * (len(times) - 1) + 0.5)]
                goal = lambda ours, _: (f"p95 ≤ 700 (p95 {p95:.0f})", p95 <= 700) if rtt == 50 else (f"(p95 {p95:.0f})", True)
                self.add(title, times, [], goal)
                medians.setdefault(title, {})[rtt] = statistics.median(times)
        for title, by_rtt in medians.items():
            near, far = min(by_rtt), max(by_rtt)
            if far > near:
                trips = (by_rtt[far] - by_rtt[near]) / (far - near)
                self.add(f"{title}: round trips", [trips], [], lambda ours, _: ("≤ 8", ours <= 8), "")
        self.git_idle()
        self.git_first(project, rtts)

    def history(self, project):
        """A repository of 1,000 commits and 400 files."""
        rng = random.Random(2)
        name = lambda number: f"d{number // 100:03}/f{number:05}.dat"
        text = lambda: "".join(f"{rng.getrandbits(64):016x}\n" for _ in range(100))
        stream = []
        for number in range(1000):
            stream.append(f"commit refs/heads/main\ncommitter Ada <ada@example.com> {1_700_000_000 + number} +0000\n"
                          f"data 4\nc{number:03}\n")
            for file in range(400) if number == 0 else [rng.randrange(400)]:
                data = text()
                stream.append(f"M 644 inline {name(file)}\ndata {len(data)}\n{data}\n")
        os.mkdir(project)
        here = {"cwd": project}
        run(["git", "init", "-q", "-b", "main"], **here)
        for key, value in (("user.name", "Ada"), ("user.email", "ada@example.com")):
            run(["git", "config", key, value], **here)
        subprocess.run(["git", "fast-import", "--quiet"], input="".join(stream).encode(), check=True, timeout=60, **here)
        run(["git", "reset", "-q", "--hard"], **here)

    @staticmethod
    def asks(directory, *words):
        """What git says there, without a lock; on the VPS in its own mounts, but not over the link."""
        root, on, below = directory.partition("/root/")
        enter = ["nsenter", "-m", "-r", "-t", root.removeprefix("/proc/")] if on else []
        return subprocess.run([*enter, "git", "--no-optional-locks", "-c", "safe.directory=*", "-C", f"/{below}" if on else directory,
                               *words], capture_output=True, text=True, timeout=60).stdout

    def at_rest(self, one, other):
        """Waits until both sides have the same commit and nothing to commit."""
        until = time.monotonic() + 60
        while time.monotonic() < until:
            said = [self.asks(side, "rev-parse", "HEAD") + self.asks(side, "status", "--porcelain") for side in (one, other)]
            if said[0] == said[1] and len(said[0]) == 41:
                return time.sleep(0.8)
            time.sleep(0.1)
        raise Failed(f"git does not come to rest: {said}")

    def commit_time(self, source, target, file):
        """The seconds from the end of `git commit -a`, right after a save, until the other side has it and a clean status."""
        script = (f"cd {{}} && date +%s%N >{file} && date +%s%N >>{file} && git commit -qam bench && date +%s%N && "
                  "git rev-parse HEAD")
        place = "~/workspace/history"
        words = (["sh", "-c", script.format(source)] if not source.startswith("/proc") else
                 [self.bed.script, "vps", "setpriv", "--reuid=dev", "--regid=dev", "--init-groups", "env", "HOME=/home/dev",
                  "sh", "-c", script.format(place)])
        branch = os.path.join(target, ".git/refs/heads/main")

        def stands():
            with contextlib.suppress(OSError), open(branch) as file:
                return file.read().strip()
        before, until = stands(), time.monotonic() + 60
        commit = subprocess.Popen(words, env=self.bed.env if source.startswith("/proc") else None, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        while stands() == before or self.asks(target, "status", "--porcelain"):
            if time.monotonic() > until:
                raise Failed(f"a commit never came to {target}: {commit.communicate()[0]}")
            time.sleep(0.002)
        came = time.time_ns()
        said = commit.communicate(timeout=60)[0].split()
        if len(said) != 2 or stands() != said[1]:
            raise Failed(f"not what was committed: {said}")
        time.sleep(0.8)  # what it sets off ends
        return (came - int(said[0])) / 1e9

    def git_idle(self):
        """What a link costs that shares a repository of which nobody does anything, and what it sends, beside one that does not."""
        self.latency(0)
        sent, cpu = {}, {}
        for shares in ("false", "true"):
            os.environ["SINC_GIT"] = shares
            run([self.sinc, "link", "stop"])
            run([self.sinc, "--no-attach"])
            pid = self.link()
            time.sleep(5)
            before, began = (self.sent(), self.cpu_of(pid)), time.monotonic()
            time.sleep(60)
            seconds = time.monotonic() - began
            sent[shares], cpu[shares] = (self.sent() - before[0]) / seconds, (self.cpu_of(pid) - before[1]) / seconds
        self.add("link with git, idle: CPU a second", [cpu["true"]], [], lambda ours, _: ("< 1 ms", ours < 1))
        self.add("link with git, idle: sent, beside one without", [sent["true"]], [sent["false"]],
                 lambda ours, plain: ("≤ 1.10 ×", ours <= 1.10 * plain), "B/s")

    @staticmethod
    def sent():
        """Bytes that this side has sent so far."""
        with open("/proc/net/dev") as file:
            lines = [line.split(":") for line in file if ":" in line]
        return sum(int(numbers.split()[8]) for name, numbers in lines if name.strip() != "lo")

    @staticmethod
    def cpu_of(pid):
        with open(f"/proc/{pid}/stat") as file:
            words = file.read().rsplit(")", 1)[1].split()
        return 1000 * (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def git_first(self, project, rtts):
        """The host's repository is made: what `sinc` takes longer than without git, beside `git push` of the same."""
        run([self.sinc, "link", "stop"])
        os.environ.update(SINC_LINK="false")

        def connect(shares):
            os.chdir(project)
            os.environ["SINC_GIT"] = shares
            return run([self.sinc, "--no-attach"])

        def ours():
            without = connect("false")
            self.bed.vps("rm -rf ~/workspace/history/.git")
            shutil.rmtree(os.path.join(project, ".git/sinc"), ignore_errors=True)
            took = connect("true")
            if self.bed.vps("git -C ~/workspace/history rev-parse main") != self.asks(project, "rev-parse", "main").strip():
                raise Failed("the host's repository is not as the one here")
            return took - without

        def push():
            self.bed.vps(f"rm -rf {DIR}; git init -q --bare -b main {DIR}")
            return run(["git", "push", "-q", f"ssh://vps{DIR}", "main"], cwd=project)
        for rtt in rtts:
            self.latency(rtt)
            connect("false")
            self.compare("first set-up of 1,000 commits, beside git push", ours, push,
                         lambda ours, plain: ("≤ 1.3 ×", ours <= 1.3 * plain))
        for name in ("SINC_GIT", "SINC_LINK"):
            del os.environ[name]

    def burst(self):
        """20,000 files are unpacked or checked out on the host beside those of the runs before: how long that takes."""
        self.forget()
        self.latency(50)
        self.session(self.small)
        self.link()
        root, copy = self.on_vps(), os.path.join(self.work, "copy-burst")
        shutil.copytree(self.small, copy, dirs_exist_ok=True)
        bare = root + self.by_hand("burst", copy)
        perl = ("mkdir $d=shift; for $n (0..19999) { $p = \"$d/\" . int($n / 200); mkdir $p unless $n % 200; "
                "open F, \">$p/$n\"; print F \"x\" x 2000; close F }")
        # Nothing is deleted on the disk, here and in between: for minutes ext4 then looks long for an inode that it may use again.
        git = "git -c user.name=bench -c user.email=bench@example.com"
        self.bed.vps(f"cd /dev/shm && perl -e '{perl}' files && tar -C files -cf {DIR}/files.tar . && git init -q files && "
                     f"{git} -C files add . && {git} -C files commit -qm all && git clone -q --bare files {DIR}/files.git && rm -rf files")
        unpack = f"tar -C $into -xf {DIR}/files.tar"
        check_out = "git -C $into checkout -q"
        build = "find $into -name '*.c' | while read -r it; do md5sum <$it >${it%c}o; done"
        sources = ("mkdir $d=shift; for $n (0..1999) { $p = \"$d/\" . int($n / 50); mkdir $p unless $n % 50; "
                   "open F, \">$p/$n.c\"; print F \"x\" x 4000; close F }")
        ready = {unpack: "mkdir -p $into", check_out: f"git clone -qn {DIR}/files.git $into",
                 build: f"mkdir -p ${{into%/*}}; perl -e '{sources}' $into"}
        made = itertools.count()

        def make(place, name, work, sync, other):
            into = f"{place[len(root):]}/{name}/{next(made)}"
            # Each alone: the other one's looks would be in the clock, a whole one of 100,000 files every 10 s.
            run(other("pause"))
            self.bed.vps(f"into={into}; {ready[work]}; sync")
            run(sync("flush"))
            # What that leaves behind, here as with bare Mutagen, is not in it either.
            time.sleep(14)
            # The same where nobody looks: the machine was idle, and the first work after that takes longer by a fifth and more.
            self.bed.vps(f"into={DIR}/nobody/{name}/{next(made)}; {ready[work]}; {work}")
            took = self.bed.vps(f"into={into}; s=$(date +%s%N); {work}; echo $(($(date +%s%N) - s))")
            run(other("resume"))
            return int(took) / 1e9
        ours = f"{root}/home/dev/workspace/small"
        sinc, mutagen = lambda word: [self.sinc, word], lambda word: ["mutagen", "sync", word, "burst"]
        goal = lambda ours, plain: ("≤ 1.05 ×", ours <= 1.05 * plain)
        # The build first: it is at work while the others' files are looked at, and those are hundreds of thousands in the end.
        for name, work, title in (("out", build, "a build in a watched one: 2,000 files, each by a process"),
                                  ("node_modules", unpack, "20,000 files unpacked in an ignored directory"),
                                  ("out", unpack, "20,000 files unpacked in a watched one"),
                                  ("out", check_out, "20,000 files checked out by git in a watched one")):
            self.compare(title, lambda: make(ours, name, work, sinc, mutagen), lambda: make(bare, name, work, mutagen, sinc), goal)

    def idle(self):
        """What a link costs that has nothing to do: ten sessions, for a minute."""
        self.forget()
        self.latency(0)
        for number in range(10):
            project = os.path.join(self.work, f"idle{number}")
            shutil.copytree(self.small, project, dirs_exist_ok=True)
            self.session(project)
        pid = self.link()

        time.sleep(5)
        before, seconds = self.cpu_of(pid), 60
        time.sleep(seconds)
        cpu = (self.cpu_of(pid) - before) / seconds
        with open(f"/proc/{pid}/stat") as file:
            guard = file.read().rpartition(")")[2].split()[1]
        memory = 0
        for process in (pid, guard):
            with open(f"/proc/{process}/smaps_rollup") as file:
                memory += sum(int(words[1]) / 1000 for words in map(str.split, file)
                              if words[0] in ("Private_Clean:", "Private_Dirty:"))
        self.add("link, 10 sessions, idle: CPU a second", [cpu], [], lambda ours, _: ("< 1 ms", ours < 1))
        self.add("link, 10 sessions, idle: own memory, with its guard", [memory], [],
                 lambda ours, _: ("< 8 MB", ours < 8), "MB")

    def cost(self):
        self.forget()
        self.latency(0)
        self.session(self.small)
        # Processes whose parent ends come to us, so that each is measured for itself; and they begin as a copy of a
        # small shell, not of this program, whose memory would be counted as theirs.
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 40, 120, 0, 0))

        def usage(program):
            path = {**os.environ, "PATH": f"{self.fake}:{os.environ['PATH']}"}
            # It begins when the shell has ended, which would otherwise wait for it in our place.
            begin = 'exec 3<&0; { read -r go <&3; exec "$0" <"$1" >"$1" 2>"$1" 3<&-; } >/dev/null & echo $!'
            gate, go = os.pipe()
            shell = subprocess.run(["sh", "-c", begin, program, os.ttyname(theirs)], env=path, stdin=gate,
                                   stdout=subprocess.PIPE, timeout=10)
            pid = int(shell.stdout)
            os.write(go, b"\n")
            os.close(gate), os.close(go)
            _, status, used = os.wait4(pid, 0)
            text = os.read(ours, 65536).decode(errors="replace") if select.select([ours], [], [], 0)[0] else ""
            if os.waitstatus_to_exitcode(status) != 255:  # it did not become the ssh that was laid out for it
                raise Failed(f"{program} with a fake ssh: {os.waitstatus_to_exitcode(status)}, {text}")
            return 1000 * (used.ru_utime + used.ru_stime), used.ru_maxrss * 1024 / 1e6  # Linux counts KiB

        used = {self.sinc: [], os.path.join(self.fake, "ssh"): []}
        for _ in range(max(self.runs, 9)):
            for program, into in used.items():
                self.wait_for_after_attach()
                into.append(usage(program))
        self.wait_for_after_attach()
        for name, index, unit, limit in (("sinc before exec, CPU", 0, "ms", 10), ("sinc before exec, memory", 1, "MB", 12)):
            columns = [[pair[index] for pair in used[program]] for program in used]
            self.add(name, *columns, lambda ours, plain: (f"< {limit} {unit}", ours < limit), unit)
        os.close(ours)
        os.close(theirs)

        def wall(argv):
            out = [(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)]
            start = time.perf_counter()
            os.waitpid(os.posix_spawnp(argv[0], argv, os.environ, file_actions=out), 0)
            return time.perf_counter() - start
        self.compare("sinc --version", lambda: wall([self.sinc, "--version"]), lambda: wall(["true"]),
                     lambda ours, plain: ("< 5 ms", ours < 5), runs=50)

    def table(self):
        head = ["case", "RTT", "sinc", "its runs", "plain", "ratio", "goal", ""]
        order = list(dict.fromkeys(row[0] for row in self.rows))
        rows = [head, *sorted(self.rows, key=lambda row: order.index(row[0]))]
        width = [max(len(row[column]) for row in rows) for column in range(len(head))]
        lines = ["| " + " | ".join(cell.ljust(size) for cell, size in zip(row, width)) + " |" for row in rows]
        lines.insert(1, "|" + "|".join("-" * (size + 2) for size in width) + "|")
        return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", required=True)
    parser.add_argument("--sinc", required=True)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rtt")
    parser.add_argument("--runs", type=int)
    parser.add_argument("--lunaroute")
    parser.add_argument("cases", nargs="*", choices=[*CASES, *BY_NAME, []])
    args = parser.parse_args()
    cases = args.cases or CASES
    rtts = [int(ms) for ms in args.rtt.split(",")] if args.rtt else [0, 100] if args.quick else [0, 50, 100, 200]
    def stop(*_):
        raise Stopped

    signal.signal(signal.SIGTERM, stop)
    minutes = 20 if args.quick else 90
    began = time.monotonic()
    bench = Bench(args.work, args.sinc, args.runs or (3 if args.quick else 9), began + 60 * minutes)
    code = 0
    try:
        if {"cold", "warm", "again"} & set(cases):
            bench.existing(cases, rtts)
        if {"status", "cached"} & set(cases):
            bench.status(cases, rtts)
        if "run" in cases:
            bench.run_command(rtts)
        if "cost" in cases:
            bench.cost()
        if {"connect", "install"} & set(cases):
            bench.first(cases, rtts)
        if "edit" in cases:
            bench.edit(rtts)
        if "large" in cases:
            bench.large(rtts)
        if "git" in cases:
            bench.git(rtts)
        if "burst" in cases:
            bench.burst()
        if "idle" in cases:
            bench.idle()
        if "lunaroute" in cases:
            provision.lunaroute(bench, args.lunaroute, Failed)
        if "provision" in cases:
            provision.provision(bench, run)
    except (KeyboardInterrupt, Stopped) as signalled:
        code = 143 if isinstance(signalled, Stopped) else 130
    except TimeoutError:
        print(f"bench: out of time ({minutes} minutes); what there is:", file=sys.stderr)
        code = 75
    except Exception as error:  # whatever it is, what was measured is printed
        if isinstance(error, (Failed, subprocess.TimeoutExpired)):
            print(f"bench: {error}", file=sys.stderr)
        else:
            traceback.print_exc()
        code = 1
    finally:
        bench.end()
    if bench.rows:
        print(bench.table())
        print(f"\nmedians of {bench.runs} runs each, in turn; {os.cpu_count()} cores, load {os.getloadavg()[2]:.1f}; "
              f"{time.monotonic() - began:.0f} s")
    sys.exit(code or (3 if any(row[-1] == "MISSED" for row in bench.rows) else 0))


if __name__ == "__main__":
    main()
