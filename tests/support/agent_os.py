#!/usr/bin/env python3
"""agent_os.py: stands in for Agent-OS: the smallest program with the same API, terminal and page.

PORT and DB_PATH are its own settings (3011, agent-os.db). It listens on all addresses, unless STAND_IN_HOST names one.
"""

import base64
import codecs
import fcntl
import hashlib
import http.server
import json
import os
import pty
import re
import signal
import sqlite3
import struct
import subprocess
import termios
import threading
import uuid

PROVIDERS = ["claude", "codex", "opencode", "gemini", "aider", "cursor", "amp", "pi", "omp", "shell"]
ITS_OWN = re.compile(rf"({'|'.join(PROVIDERS)})-([0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}})")
COLUMNS = ["id", "name", "tmux_name", "working_directory", "group_path", "agent_type", "status", "updated_at"]
db = sqlite3.connect(os.environ.get("DB_PATH", "agent-os.db"), check_same_thread=False, isolation_level=None)
db.row_factory = sqlite3.Row
db.execute(f"CREATE TABLE IF NOT EXISTS sessions ({', '.join(COLUMNS)}, PRIMARY KEY (id))")
lock = threading.Lock()


def rows(where="1", *words):
    with lock:
        return [dict(row) for row in db.execute(f"SELECT * FROM sessions WHERE {where}", words)]


def run(sql, *words):
    with lock:
        db.execute(sql, words)


def tmux(*words):
    return subprocess.run(["tmux", *words], capture_output=True, text=True).stdout


def add(body):
    agent = body.get("agentType")
    agent = agent if agent in PROVIDERS else "claude"
    name, own = (body.get("name") or "").strip() or "Session 1", str(uuid.uuid4())
    # The name of its tmux session is its own choice, and it starts none.
    tmux_name = f"{agent}-{own}" if body.get("useTmux", True) else None
    run(
        "INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, 'idle', datetime('now'))",
        *(own, name, tmux_name, body.get("workingDirectory", "~"), body.get("groupPath", "sessions"), agent),
    )
    return rows("id = ?", own)[0]


def change(row, body):
    if body.get("name", row["name"]) != row["name"]:
        # With a new name its tmux session gets one too.
        new = re.sub(r"^-|-$", "", re.sub(r"-+", "-", re.sub(r"[^a-z0-9-]", "-", body["name"].lower())))[:50]
        tmux("rename-session", "-t", row["tmux_name"], new)
        run("UPDATE sessions SET name = ?, tmux_name = ? WHERE id = ?", body["name"], new, row["id"])
    if "workingDirectory" in body:
        run("UPDATE sessions SET working_directory = ? WHERE id = ?", body["workingDirectory"], row["id"])
    return rows("id = ?", row["id"])[0]


def statuses():
    """Of tmux's sessions only those are looked at whose name is of its own making."""
    found = {}
    for name in tmux("list-sessions", "-F", "#{session_name}").splitlines():
        if match := ITS_OWN.fullmatch(name):
            lines = [line for line in tmux("capture-pane", "-t", name, "-p", "-S", "-10").splitlines() if line]
            found[match[2]] = {"sessionName": name, "status": "idle", "lastLine": lines[-1] if lines else ""}
    return found


PAGE = r"""<!doctype html>
<html><head><meta charset="utf-8"><title>AgentOS</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>body { margin: 0; font: 16px sans-serif } button { width: 100%; padding: 14px; text-align: left }
pre { margin: 0; font: 10px monospace; white-space: pre-wrap }</style></head>
<body><div id="sessions"></div><pre id="pane"></pre>
<script>
const pane = document.getElementById('pane')
const plain = (text) => text.replace(/\x1b\][^\x07\x1b]*(\x07|\x1b\\)|\x1b[\[(][0-9;?>=]*[ -\/]*[@-~]|\x1b[=>78]|[\r\x0f]/g, '')
// The terminal is a shell that is there with the page.
const socket = new WebSocket(`ws://${location.host}/ws/terminal`)
const say = (type, data) => socket.send(JSON.stringify({ type, data }))
const ready = new Promise((resolve) => {
  socket.onopen = () => socket.send(JSON.stringify({ type: 'resize', cols: Math.floor(innerWidth / 6.1), rows: 50 }))
  socket.onmessage = ({ data }) => {
    const said = JSON.parse(data)
    if (said.type === 'output') pane.append(plain(said.data))
    resolve()
  }
})
window.keys = (data) => say('input', data)
// It is told to attach, or to begin what is not there.
const open = async (session) => {
  const name = session.tmux_name, agent = session.agent_type === 'shell' ? '' : ` "${session.agent_type}"`
  await ready
  say('input', '\x03')
  setTimeout(() => say('command', `tmux set -g mouse on 2>/dev/null; tmux attach -t ${name} 2>/dev/null || tmux new -s ${name} -c "${session.working_directory}"${agent}`), 50)
}
fetch('/api/sessions').then((answer) => answer.json()).then(({ sessions }) => {
  for (const session of sessions) {
    const button = document.createElement('button')
    button.textContent = session.name
    button.onclick = () => { button.parentNode.hidden = true; open(session) }
    document.getElementById('sessions').append(button)
  }
})
</script></body></html>
"""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *words):
        pass

    def answer(self, what, code=200, kind="application/json"):
        body = (what if kind == "text/html" else json.dumps(what, separators=(",", ":"))).encode()
        self.send_response(code)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def handle_all(self):
        length = int(self.headers.get("content-length") or 0)
        text = self.rfile.read(length)
        method, path = self.command, self.path.split("?")[0]
        if method == "GET" and path == "/ws/terminal":
            return self.terminal()
        if method == "GET" and path == "/":
            return self.answer(PAGE, kind="text/html")
        if method == "GET" and path == "/manifest.json":
            return self.answer({"name": "AgentOS"})
        if method == "GET" and path == "/api/sessions":
            return self.answer({"sessions": rows(), "groups": []})
        if method == "GET" and path == "/api/sessions/status":
            return self.answer({"statuses": statuses()})
        if method == "POST" and path == "/api/sessions":
            try:
                return self.answer({"session": add(json.loads(text))}, 201)
            except ValueError:
                return self.answer({"error": "Failed to create session"}, 500)
        if match := re.fullmatch(r"/api/sessions/([^/]+)", path):
            found = rows("id = ?", match[1])
            if not found:
                return self.answer({"error": "Session not found"}, 404)
            if method == "GET":
                return self.answer({"session": found[0]})
            if method == "PATCH":
                return self.answer({"session": change(found[0], json.loads(text))})
            if method == "DELETE":
                # The row goes; its tmux session is none of its business.
                run("DELETE FROM sessions WHERE id = ?", match[1])
                return self.answer({"success": True})
        return self.answer({"error": "Not found"}, 404)

    do_GET = do_POST = do_PATCH = do_DELETE = handle_all

    def terminal(self):
        key = self.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("upgrade", "websocket")
        self.send_header("connection", "Upgrade")
        self.send_header("sec-websocket-accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        self.end_headers()
        self.close_connection = True
        shell = os.environ.get("SHELL") or "/bin/bash"
        pid, end = pty.fork()
        if pid == 0:
            os.chdir(os.environ["HOME"])
            os.environ["TERM"] = "xterm-256color"
            os.execv(shell, [shell])
        threading.Thread(target=self.tell, args=(end,), daemon=True).start()
        try:
            while (text := self.frame()) is not None:
                said = json.loads(text)
                if said["type"] == "resize":
                    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", said["rows"], said["cols"], 0, 0))
                else:
                    os.write(end, (said["data"] + ("\r" if said["type"] == "command" else "")).encode())
        finally:
            os.kill(pid, signal.SIGHUP)
            os.waitpid(pid, 0)

    def tell(self, end):
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        try:
            while data := os.read(end, 65536):
                body = json.dumps({"type": "output", "data": decoder.decode(data)}).encode()
                size = len(body)
                head = bytes([0x81, size]) if size < 126 else b"\x81\x7e" + struct.pack(">H", size)
                if size > 65535:
                    head = b"\x81\x7f" + struct.pack(">Q", size)
                self.wfile.write(head + body)
        except OSError:
            pass

    def frame(self):
        """The text of the next message, or None at the end. A browser masks what it says."""
        head = self.rfile.read(2)
        if len(head) < 2 or head[0] & 15 == 8:
            return None
        size = head[1] & 127
        if size == 126:
            size = struct.unpack(">H", self.rfile.read(2))[0]
        mask = self.rfile.read(4)
        return bytes(byte ^ mask[at % 4] for at, byte in enumerate(self.rfile.read(size))).decode()


at = (os.environ.get("STAND_IN_HOST", "0.0.0.0"), int(os.environ.get("PORT", "3011")))
http.server.ThreadingHTTPServer(at, Handler).serve_forever()
