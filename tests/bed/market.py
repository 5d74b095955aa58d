#!/usr/bin/env python3
"""market.py DIR REGISTRY [TAILSCALE]: what vendors have and this machine cannot reach, as the smallest programs that behave alike.

It makes a signed apt repository of Tailscale and Eternal Terminal, packages of npm, git repositories and releases below
DIR, serves them on 10.77.0.1:8098, and says "ready". A package of npm that it lacks is at REGISTRY. TAILSCALE is where
tests/testbed/tailnet/build.sh put the real one, which is then packaged instead.
"""

import base64
import hashlib
import http.server
import io
import json
import os
import pathlib
import subprocess
import sys
import tarfile
import zipfile

top, registry = pathlib.Path(sys.argv[1]), sys.argv[2].rstrip("/")
web = top / "web"
here = "http://10.77.0.1:8098"
packages = {}


def write(path, text, mode=0o644):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)


def run(*words, **more):
    return subprocess.run(words, check=True, capture_output=True, text=True, **more).stdout


# --- packages of npm ---


def npm(name, version, files, program=None):
    """A package with these files; `program` is the one that it brings."""
    about = {"name": name, "version": version, "type": "module"}
    if program:
        about["bin"] = {program: "main.js"}
    else:
        about["main"] = "main.js"
    blob = io.BytesIO()
    with tarfile.open(fileobj=blob, mode="w:gz") as tar:
        for file, text in {"package.json": json.dumps(about), **files}.items():
            entry = tarfile.TarInfo(f"package/{file}")
            entry.size, entry.mode = len(text.encode()), 0o755
            tar.addfile(entry, io.BytesIO(text.encode()))
    tarball = f"{name.replace('/', '-')}-{version}.tgz"
    (web / "tarballs").mkdir(parents=True, exist_ok=True)
    (web / "tarballs" / tarball).write_bytes(blob.getvalue())
    sum512 = base64.b64encode(hashlib.sha512(blob.getvalue()).digest()).decode()
    about["dist"] = {"tarball": f"{here}/tarballs/{tarball}", "integrity": f"sha512-{sum512}"}
    packages[name] = {"name": name, "dist-tags": {"latest": version}, "versions": {version: about}}


def command(name, version, rest="", program=None):
    main = f"#!/usr/bin/env node\nif (process.argv.includes('--version')) {{ console.log('{version}'); process.exit(0) }}\n{rest}"
    npm(name, version, {"main.js": main}, program or name)


# Its projects are directories that are there, each of them once. Without a token it waits until it is let in (`let-in`): not again
# where it has waited before, unless it is told to. A channel is noted once it is in a server.
KIMAKI = """
import fs from 'node:fs'
import http from 'node:http'
import { execFileSync } from 'node:child_process'
import { DatabaseSync } from 'node:sqlite'
const dir = `${process.env.HOME}/.kimaki`, token = process.env.KIMAKI_BOT_TOKEN, says = (flag) => process.argv.includes(flag)
fs.mkdirSync(dir, { recursive: true })
const db = new DatabaseSync(`${dir}/discord-sessions.db`)
db.exec('CREATE TABLE IF NOT EXISTS bot_tokens (client_id); CREATE TABLE IF NOT EXISTS channel_directories (channel_type)')
const letIn = () => token || fs.existsSync(`${dir}/let-in`)
const waited = db.prepare('SELECT * FROM bot_tokens').get()
const address = 'https://kimaki.example/discord-install?clientId=of-a-test'
function credentials() { if (!waited) db.exec("INSERT INTO bot_tokens VALUES ('of-a-test')") }
if (process.argv[2] === 'discord-install-url') {
  credentials()
  console.error(address)
  process.exit(0)
}
if (process.argv[2] === 'project' && process.argv[3] === 'add') {
  const projects = `${dir}/projects`, project = process.argv.at(-1)
  const known = fs.existsSync(projects) ? fs.readFileSync(projects, 'utf8').split('\\n') : []
  if (!letIn() || !fs.existsSync(project) || known.includes(project)) {
    console.error(`cannot add ${project}`)
    process.exit(64)
  }
  fs.appendFileSync(projects, `${project}\\n`)
  process.exit(0)
}
for (const need of ['opencode', 'bun']) execFileSync('sh', ['-c', `command -v ${need}`])
for (const flag of ['--no-auto-upgrade', '--no-analytics', '--no-critique']) if (!says(flag)) process.exit(2)
if (!token && !says('--gateway')) {
  console.error('Setup requires an interactive terminal')
  process.exit(64)
}
http.createServer((req, res) => { res.statusCode = req.url === '/health' ? 200 : 404; res.end('{}') }).listen(29988, '127.0.0.1')
function inside() { if (!token) db.exec("INSERT INTO channel_directories VALUES ('text')") }
if (letIn()) inside()
else if (waited && !says('--restart-onboarding')) process.exit(64)
else {
  credentials()
  console.log(`data: {"type":"install_url","url":"${address}"}\\n`)
  setTimeout(() => letIn() || process.exit(64), 5000)
  setInterval(() => letIn() && inside(), 300)
}
"""
command("ccmanager", "4.4.3")
command("@opencode/cli", "2.0.32", program="opencode")
command("opencodesync", "0.1.3")
command("kimaki", "0.26.0", KIMAKI)
for name, version in {
    "@simonwjackson/opencode-direnv": "2025.1211.9",
    "@agentmap/opencode": "0.2.0",
    "@tmegit/opencode-worktree-session": "1.1.0",
    "opencode-session-handoff": "1.1.6",
}.items():
    npm(name, version, {"main.js": "export const StandIn = async () => ({})\n"})

# --- repositories of git ---

# Refuses what the real one was not made for: an unbuilt tree, and root.
AGENT_OS = "test -e .next/BUILD_ID && test $(id -u) != 0 && exec python3 server.py"
work = top / "agent-os"
write(work / "server.py", (pathlib.Path(__file__).parent.parent / "support/agent_os.py").read_text())
scripts = {"build": "mkdir -p .next && echo 1 >.next/BUILD_ID", "start": AGENT_OS}
about = {"name": "agent-os", "version": "0.2.1", "scripts": scripts}
write(work / "package.json", json.dumps(about))
lock = {"name": "agent-os", "version": "0.2.1", "lockfileVersion": 3, "requires": True}
write(work / "package-lock.json", json.dumps({**lock, "packages": {"": {"name": "agent-os", "version": "0.2.1"}}}))
who = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.com"]
run("git", "init", "-q", "-b", "main", work)
run("git", "-C", work, "add", ".")
run("git", *who, "-C", work, "commit", "-q", "-m", "a stand-in")
bare = web / "github/saadnvd1/agent-os.git"
run("git", "clone", "-q", "--bare", work, bare)
run("git", "-C", bare, "update-server-info")
write(top / "agent-os-commit", run("git", "-C", work, "rev-parse", "--short=7", "HEAD").strip())

# --- releases ---

AI_SESSIONS = """#!/usr/bin/env python3
import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    said = {"protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": {"name": "ai-sessions", "version": "1.3.1"}}
    print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": said}), flush=True)
"""
release = web / "github/yoavf/ai-sessions-mcp/releases/download/v1.3.1"
release.mkdir(parents=True)
with zipfile.ZipFile(release / "ai-sessions-linux-amd64.zip", "w") as archive:
    archive.writestr("ai-sessions-linux-amd64", AI_SESSIONS)
sums = hashlib.sha256((release / "ai-sessions-linux-amd64.zip").read_bytes()).hexdigest()
write(release / "checksums.txt", f"{'0' * 64}  ai-sessions-darwin-amd64.zip\n{sums}  ai-sessions-linux-amd64.zip\n")

# It notes what would go to a provider, which it has none of.
LUNAROUTE = """#!/usr/bin/env python3
import http.server, os, sys, threading
if sys.argv[1:] != ["serve"]:
    sys.exit(1)
class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, status, body):
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        if self.path == "/healthz":
            return self.answer(200, b'{"status":"ok"}')
        self.do_POST()
    def do_POST(self):
        # What it does not know would go to OpenAI.
        if not self.path.startswith("/v1/"):
            os._exit(3)
        self.rfile.read(int(self.headers.get("content-length") or 0))
        with open(os.path.expanduser("~/.lunaroute/seen"), "a") as file:
            print(self.command, self.path.split("?")[0], file=file)
        if os.environ.get("LUNAROUTE_ENABLE_SESSION_RECORDING") != "false":
            open(os.path.expanduser("~/.lunaroute/sessions.db"), "a").close()
        self.answer(401, b'{"error":{"type":"invalid_request_error","message":"no such key"}}')
for name in ["", "UI_"]:
    at = (os.environ[f"LUNAROUTE_{name}HOST"], int(os.environ[f"LUNAROUTE_{name}PORT"]))
    threading.Thread(target=http.server.ThreadingHTTPServer(at, Handler).serve_forever).start()
"""
for processor in ["amd64", "arm64"]:
    write(web / f"github/erans/lunaroute/releases/download/v0.2.1/lunaroute-server-linux-{processor}-0.2.1", LUNAROUTE)
assets = [
    {"url": f"{here}/1", "name": f"lunaroute-server-linux-{it}-0.2.1", "uploader": {"login": "x"}, "digest": f"sha256:{sum_}"}
    for it, sum_ in [("arm64", "0" * 64), ("amd64", hashlib.sha256(LUNAROUTE.encode()).hexdigest())]
]
write(web / "api/repos/erans/lunaroute/releases/tags/v0.2.1", json.dumps({"name": "v0.2.1", "assets": assets}))

# --- Discord: two servers that the bot is in, and their roles ---

servers = {"1": ("Mine", [("1", "@everyone", "1024"), ("7", "kimaki", "0")]), "2": ("Open", [("2", "@everyone", "1056")])}
discord = web / "discord/api/v10"
write(discord / "users/@me/guilds", json.dumps([{"id": id, "name": name} for id, (name, _) in servers.items()]))
for id, (_, roles) in servers.items():
    roles = [{"id": role, "name": name, "permissions": may} for role, name, may in roles]
    write(discord / f"guilds/{id}/roles", json.dumps(roles))

# --- a signed apt repository ---

ETSERVER = """#!/usr/bin/env python3
import socket, time
server = socket.create_server(("0.0.0.0", 2022))
while True:
    time.sleep(60)
"""
ET_UNIT = "[Service]\nExecStart=/usr/bin/etserver --cfgfile=/etc/et.cfg\n[Install]\nWantedBy=multi-user.target\n"
TAILSCALED = """#!/bin/sh
ip tuntap add dev tailscale0 mode tun && ip addr add 100.64.0.9/32 dev tailscale0 && ip link set tailscale0 up
trap 'ip link delete tailscale0; exit 0' TERM
mkdir -p /var/lib/tailscale
while :; do sleep 60 & wait $!; done
"""
TAILSCALED_UNIT = "[Service]\nExecStart=/usr/sbin/tailscaled\n[Install]\nWantedBy=multi-user.target\n"
# Its states, exit codes and sentences are those of 1.102.
TAILSCALE = r"""#!/bin/sh
dir=/var/lib/tailscale
systemctl is-active --quiet tailscaled || { echo 'failed to connect to local tailscaled' >&2; exit 1; }
said() { cat "$dir/$1" 2>/dev/null; }
up() {
  if [ "$(said state)" = Stopped ]; then
    [ $# = 0 ] || { echo "Error: changing settings via 'tailscale up' requires mentioning all non-default flags." >&2; exit 1; }
    echo Running >$dir/state
    return
  fi
  key= server=
  for word in "$@"; do
    case $word in
    --auth-key=file:*) key=$(cat "${word#--auth-key=file:}") || exit 1 ;;
    --login-server=*) server=${word#--login-server=} ;;
    --timeout=*) ;;
    *) echo "unknown flag $word" >&2; exit 2 ;;
    esac
  done
  [ "$server" = http://10.77.0.1:8098/tailnet ] || { echo 'timeout waiting' >&2; exit 1; }
  if [ -n "$key" ] && [ "$(printf %s "$key" | sha256sum | cut -c 1-64)" != KEYSUM ]; then
    echo 'invalid authkey' >$dir/health
    echo 'backend error: invalid authkey' >&2
    exit 1
  fi
  if [ -z "$key" ]; then
    echo http://10.77.0.1:8098/login/abc >$dir/url
    until [ -e $dir/approved ]; do sleep 0.1; done
  fi
  rm -f $dir/url $dir/health
  echo Running >$dir/state
}
case $1 in
status)
  state=$(said state) state=${state:-NeedsLogin} name=
  [ $state != Running ] || name=vps.tail-test.ts.net.
  printf '{\n  "Version": "1.102.3",\n  "BackendState": "%s",\n  "AuthURL": "%s",\n' "$state" "$(said url)"
  printf '  "Self": {\n    "DNSName": "%s"\n  },\n  "Health": [\n    "%s"\n  ]\n}\n' "$name" "$(said health)"
  ;;
up)
  shift
  up "$@"
  ;;
down) echo Stopped >$dir/state ;;
logout) rm -f $dir/state ;;
version) echo 1.102.3 ;;
esac
"""


# The key itself is to be seen nowhere.
TAILSCALE = TAILSCALE.replace("KEYSUM", hashlib.sha256(b"tskey-auth-" + b"good").hexdigest())


def deb(name, version, files, conffiles="", unit=""):
    tree = top / f"deb-{name}"
    control = f"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: nobody <nobody@example.com>\nDescription: stands in for {name}\n"
    write(tree / "DEBIAN/control", control)
    if conffiles:
        write(tree / "DEBIAN/conffiles", conffiles)
    write(tree / "DEBIAN/postinst", f"#!/bin/sh\nset -e\nsystemctl enable --now {unit}\n", 0o755)
    write(tree / "DEBIAN/prerm", f"#!/bin/sh\nset -e\nsystemctl disable --now {unit}\n", 0o755)
    write(tree / "DEBIAN/postrm", f"#!/bin/sh\nset -e\n[ \"$1\" != purge ] || rm -rf /var/lib/{name}\n", 0o755)
    for file, (text, mode) in files.items():
        write(tree / file, text, mode)
    package = web / f"apt/pool/{name}.deb"
    package.parent.mkdir(parents=True, exist_ok=True)
    run("dpkg-deb", "-Zgzip", "-z1", "--root-owner-group", "-b", tree, package)
    data = package.read_bytes()
    return f"{control}Filename: pool/{name}.deb\nSize: {len(data)}\nSHA256: {hashlib.sha256(data).hexdigest()}\n\n"


if len(sys.argv) > 3:
    real = pathlib.Path(sys.argv[3])
    # It would tell its maker, whom it does not reach.
    defaults = 'PORT="41641"\nFLAGS="--no-logs-no-support"\n'
    files = {
        "usr/bin/tailscale": ((real / "tailscale").read_bytes(), 0o755),
        "usr/sbin/tailscaled": ((real / "tailscaled").read_bytes(), 0o755),
        "lib/systemd/system/tailscaled.service": ((real / "tailscaled.service").read_text(), 0o644),
        "etc/default/tailscaled": (defaults, 0o644),
    }
    tailscale = ((real / "version").read_text().strip(), files, "/etc/default/tailscaled\n")
else:
    files = {
        "usr/bin/tailscale": (TAILSCALE, 0o755),
        "usr/sbin/tailscaled": (TAILSCALED, 0o755),
        "lib/systemd/system/tailscaled.service": (TAILSCALED_UNIT, 0o644),
    }
    tailscale = ("1.102.3", files, "")
listed = deb(
    "et",
    "7.0.0-1",
    {
        "usr/bin/et": ("#!/bin/sh\necho 'et version 7.0.0'\n", 0o755),
        "usr/bin/etserver": (ETSERVER, 0o755),
        "etc/et.cfg": ("[Networking]\nport=2022\n[Debug]\ntelemetry=true\n", 0o644),
        "lib/systemd/system/et.service": (ET_UNIT, 0o644),
    },
    "/etc/et.cfg\n",
    "et.service",
) + deb("tailscale", *tailscale, "tailscaled.service")
os.environ["GNUPGHOME"] = str(top / "gnupg")
(top / "gnupg").mkdir(mode=0o700)
gpg = ["gpg", "-q", "--batch"]
run(*gpg, "--passphrase", "", "--quick-generate-key", "vendor <nobody@example.com>", "rsa2048", "sign", "never")
for suite in ["bookworm", "trixie"]:
    dist = web / "apt/dists" / suite
    lists = ""
    for processor in ["all", "amd64", "arm64"]:
        write(dist / f"main/binary-{processor}/Packages", listed)
        lists += f" {hashlib.sha256(listed.encode()).hexdigest()} {len(listed)} main/binary-{processor}/Packages\n"
    head = f"Suite: {suite}\nCodename: {suite}\nArchitectures: all amd64 arm64\nComponents: main\nDate: {run('date', '-Ru').strip()}\n"
    write(dist / "Release", f"{head}SHA256:\n{lists}")
    run(*gpg, "--clearsign", "-o", dist / "InRelease", dist / "Release")
    run(*gpg, "--export", "-o", web / f"apt/{suite}.noarmor.gpg")
run(*gpg, "--export", "-o", web / "apt/et.gpg")
# Another vendor is another place: apt takes no place with two keys.
(web / "apt-et").symlink_to("apt")
run("gpgconf", "--kill", "all")


class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, *words):
        super().__init__(*words, directory=web)

    def log_message(self, *words):
        pass

    def do_GET(self):
        if self.path.startswith("/discord/") and self.headers["authorization"] != "Bot token of a bot":
            return self.send_error(401)
        if not self.path.startswith("/npm/"):
            return super().do_GET()
        name = self.path[len("/npm/") :].replace("%2f", "/").replace("%2F", "/")
        if name not in packages:
            self.send_response(302)
            self.send_header("location", f"{registry}/{self.path[len('/npm/') :]}")
            self.send_header("content-length", "0")
            return self.end_headers()
        body = json.dumps(packages[name]).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        return self.wfile.write(body)


server = http.server.ThreadingHTTPServer(("10.77.0.1", 8098), Handler)
print("ready", flush=True)
server.serve_forever()
