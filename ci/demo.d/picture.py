#!/usr/bin/env python3
"""A picture of the demo's page, in a browser that plays the video. Usage: ci/demo.d/picture.py URL FILE.jpg

Takes Chromium by the pipe that it offers for such things; waits until the page says `live` and its video runs.
"""

import base64
import json
import os
import pathlib
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

WIDTH = 640
# The time limit for the page to play, and for an answer.
PATIENCE = 60
PLAYS = """(() => {
    const video = document.querySelector("video");
    return document.getElementById("state").textContent === "live" && video.readyState >= 3 && video.currentTime >= 3;
})()"""


class Browser:
    """Chromium, headless, with its own folder."""

    def __init__(self, folder):
        program = shutil.which("chromium") or shutil.which("chromium-browser")
        if not program:
            raise RuntimeError("no chromium: apt-get install chromium")
        ours, theirs = os.pipe(), os.pipe()
        self.to, self.of, self.last, self.left = ours[1], theirs[0], 0, b""
        words = ["--headless=new", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
                 "--disable-sync", "--mute-audio", "--hide-scrollbars", f"--user-data-dir={folder}", "--remote-debugging-pipe"]
        if os.geteuid() == 0:
            words.append("--no-sandbox")
        # It reads its file 3 and writes its file 4.
        script = 'exec 3<&"$1" 4>&"$2"; shift 2; exec setpriv --pdeathsig KILL "$@"'
        self.process = subprocess.Popen(["bash", "-c", script, "-", str(ours[0]), str(theirs[1]), program, *words, "about:blank"],
                                        pass_fds=(ours[0], theirs[1]), stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                        env={**os.environ, "HOME": str(folder)})
        os.close(ours[0])
        os.close(theirs[1])

    def ask(self, method, session=None, **parameters):
        """Calls a method; returns its result."""
        self.last += 1
        request = {"id": self.last, "method": method, "params": parameters}
        if session:
            request["sessionId"] = session
        os.write(self.to, json.dumps(request).encode() + b"\0")
        end = time.monotonic() + PATIENCE
        while True:
            while b"\0" in self.left:
                message, self.left = self.left.split(b"\0", 1)
                answer = json.loads(message)
                if answer.get("id") == self.last:
                    if "error" in answer:
                        raise RuntimeError(f"{method}: {answer['error']['message']}")
                    return answer["result"]
            if not select.select([self.of], [], [], max(0, end - time.monotonic()))[0]:
                raise RuntimeError(f"{method}: no answer from the browser within {PATIENCE} s")
            some = os.read(self.of, 1 << 20)
            if not some:
                raise RuntimeError("the browser ended; chromium --headless --no-sandbox says why")
            self.left += some

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def picture(browser, url):
    """The whole page as a JPEG, once its video plays."""
    target = browser.ask("Target.createTarget", url="about:blank")["targetId"]
    session = browser.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def value(expression):
        return browser.ask("Runtime.evaluate", session, expression=expression, returnByValue=True)["result"].get("value")

    browser.ask("Emulation.setDeviceMetricsOverride", session, width=WIDTH, height=480, deviceScaleFactor=1, mobile=False)
    browser.ask("Emulation.setEmulatedMedia", session, features=[{"name": "prefers-color-scheme", "value": "light"}])
    browser.ask("Page.navigate", session, url=url)
    end = time.monotonic() + PATIENCE
    while not value(PLAYS):
        if time.monotonic() > end:
            said = value("document.querySelector('main')?.innerText")
            raise RuntimeError(f"the page does not play within {PATIENCE} s; it says: {said}")
        time.sleep(0.1)
    # Hide the controls, which are for people who can click.
    value("document.querySelector('video').controls = false")
    height = value("document.documentElement.scrollHeight")
    clip = {"x": 0, "y": 0, "width": WIDTH, "height": height, "scale": 1}
    shot = browser.ask("Page.captureScreenshot", session, format="jpeg", quality=70, clip=clip, captureBeyondViewport=True)
    return base64.b64decode(shot["data"])


def main():
    url, path = sys.argv[1], pathlib.Path(sys.argv[2])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="robocast-page.", ignore_cleanup_errors=True) as folder:
        browser = None
        try:
            browser = Browser(folder)
            path.write_bytes(picture(browser, url))
        except (RuntimeError, OSError) as error:
            print(f"No picture of the page: {error}", file=sys.stderr)
            return 1
        finally:
            if browser:
                browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
