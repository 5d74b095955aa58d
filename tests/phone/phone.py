#!/usr/bin/env python3
"""phone.py CHROMIUM PORT NAME TEXT LINE ANSWER: a phone's browser without a screen, driven over its DevTools.

It opens the page at PORT, through a line of 50 ms, taps on the session NAME, waits for TEXT in the pane, types LINE and waits for ANSWER. Prints what it
measured as JSON, milliseconds: `list` from opening the page to the list, `pane` from the tap to TEXT, `open` both,
`answer` from the line to ANSWER; and `width`, what the page takes the screen for.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import threading

chromium, port, name, text, line, answer = sys.argv[1:]
WIDTH, HEIGHT, PATIENCE, ROUND_TRIP = 390, 844, 20000, 0.05


async def passed_on(there, back):
    """One connection: what is said comes half a round trip later, and the first word waits for a whole one."""
    await asyncio.sleep(ROUND_TRIP)
    other, onward = await asyncio.open_connection("127.0.0.1", int(port))

    async def one_way(reader, writer):
        later = asyncio.get_running_loop().call_later
        try:
            while data := await reader.read(1 << 16):
                later(ROUND_TRIP / 2, writer.write, data)
        except ConnectionError:
            pass
        later(ROUND_TRIP / 2, writer.close)

    await asyncio.gather(one_way(there, onward), one_way(other, back))


def line_to_host():
    """Makes the line, and gives its port here."""
    ready, loop, ports = threading.Event(), asyncio.new_event_loop(), []

    async def begin():
        server = await asyncio.start_server(passed_on, "127.0.0.1", 0)
        ports.append(server.sockets[0].getsockname()[1])
        ready.set()
        await server.serve_forever()

    threading.Thread(target=lambda: loop.run_until_complete(begin()), daemon=True).start()
    ready.wait(5)
    return ports[0]


class Browser:
    """Chromium with its DevTools on a pair of pipes: JSON, ended by a NUL byte."""

    def __init__(self, profile):
        read_in, self.write = os.pipe()
        self.read, write_out = os.pipe()
        words = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-pipe"]
        words += [f"--user-data-dir={profile}", f"--window-size={WIDTH},{HEIGHT}", "about:blank"]

        def ends():
            # It reads from 3 and writes to 4.
            first, second = os.dup2(read_in, 100), os.dup2(write_out, 101)
            os.dup2(first, 3)
            os.dup2(second, 4)

        self.process = subprocess.Popen(
            [chromium, *words], close_fds=False, preexec_fn=ends, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        os.close(read_in)
        os.close(write_out)
        self.rest, self.count, self.session = b"", 0, None

    def call(self, method, **params):
        self.count += 1
        message = {"id": self.count, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.write, json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self.rest:
                more = os.read(self.read, 1 << 16)
                if not more:
                    sys.exit("phone.py: the browser has ended")
                self.rest += more
            said, _, self.rest = self.rest.partition(b"\0")
            said = json.loads(said)
            if said.get("id") == self.count:
                if "error" in said:
                    sys.exit(f"phone.py: {method}: {said['error']['message']}")
                return said["result"]

    def evaluate(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in result:
            sys.exit(f"phone.py: {result['exceptionDetails'].get('exception', {}).get('description', result)}")
        return result["result"].get("value")

    def wait_for(self, what, condition):
        """The page's clock at the moment at which the condition holds."""
        return self.evaluate(
            f"""new Promise((resolve, reject) => {{
              const look = () => {{ if ({condition}) resolve(performance.now()) }}
              new MutationObserver(look).observe(document, {{ childList: true, subtree: true, characterData: true }})
              setTimeout(() => reject(new Error({json.dumps(what)} + ' did not come; the page: ' + document.body.innerText)), {PATIENCE})
              look()
            }})"""
        )


with tempfile.TemporaryDirectory() as profile:
    browser = Browser(profile)
    try:
        page = browser.call("Target.createTarget", url="about:blank")["targetId"]
        browser.session = browser.call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        browser.call(
            "Emulation.setDeviceMetricsOverride", width=WIDTH, height=HEIGHT, deviceScaleFactor=3, mobile=True
        )
        browser.call("Emulation.setTouchEmulationEnabled", enabled=True)
        browser.call("Page.enable")
        browser.call("Page.navigate", url=f"http://127.0.0.1:{line_to_host()}/")
        row = f"[...document.querySelectorAll('button')].find((it) => it.textContent === {json.dumps(name)})"
        shown = browser.wait_for("the session", row)
        x, y = browser.evaluate(
            f"(() => {{ const at = {row}.getBoundingClientRect(); return [at.x + at.width / 2, at.y + at.height / 2] }})()"
        )
        browser.evaluate("addEventListener('click', () => { window.tapped = performance.now() }, true)")
        browser.call("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": x, "y": y}])
        browser.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
        pane = "document.getElementById('pane').textContent"
        live = browser.wait_for(text, f"{pane}.includes({json.dumps(text)})")
        tapped = browser.evaluate("window.tapped")
        typed = browser.evaluate(f"keys({json.dumps(line)} + '\\r') || performance.now()")
        heard = browser.wait_for(answer, f"{pane}.includes({json.dumps(answer)})")
        measured = {
            "list": round(shown),
            "pane": round(live - tapped),
            "open": round(shown + live - tapped),
            "answer": round(heard - typed),
            "width": browser.evaluate("innerWidth"),
        }
        print(json.dumps(measured))
    finally:
        browser.process.terminate()
        browser.process.wait()
