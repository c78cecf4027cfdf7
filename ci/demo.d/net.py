#!/usr/bin/env python3
"""robocast on a box with two uplinks (hw/rig/uplinks.py has the picture).

The access point loses its way into the world while its link stays up; the streams go over the other uplink, and come back.
Usage: ci/demo.d/net.py [SECONDS]: with SECONDS it cuts by itself, ends, and succeeds only if the video continued.
"""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "hw/rig"))
sys.dont_write_bytecode = True

from page import serve  # noqa: E402
from uplinks import Ended, Uplinks  # noqa: E402
from world import FOOTAGE, run  # noqa: E402

TERMINAL = sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def say(words, colour=""):
    print(f"\x1b[{colour}m{words}\x1b[0m" if TERMINAL and colour else words, flush=True)


class Silence(threading.Thread):
    """The longest time without data at the server, since the last call."""

    def __init__(self, demo):
        super().__init__(daemon=True)
        self.demo, self.longest, self.ending = demo, 0.0, False

    def run(self):
        size, last = -1, time.monotonic()
        while not self.ending:
            now = self.demo.recorded()
            at = time.monotonic()
            if now != size:
                self.longest, size, last = max(self.longest, at - last), now, at
            time.sleep(0.01)

    def take(self):
        longest, self.longest = self.longest, 0.0
        return longest


def watch(demo, seconds):
    """Lets it play for a while; updates the page's figures."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        demo.alive()
        demo.status()
        time.sleep(0.5)


def main():
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else None
    programs = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target")) / "release"
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = pathlib.Path(tempfile.mkdtemp(prefix="robocast-net.", dir="/tmp"))
    folder.chmod(0o755)
    demo = Uplinks(folder)
    kept = False
    try:
        demo.world()
        demo.server()
        demo.robot(programs / "robocast-sim", FOOTAGE)
        demo.power()
        demo.robocast(programs)
        demo.until("video at the server", 60, lambda: demo.recorded() > 200_000)
        demo.carried_by("wlan0")
        demo.until("a piece of video for browsers", 60, lambda: list((folder / "hls").glob("*.ts")))
        say(f"The server's video plays at {serve(folder / 'http.sock')}", "32")
        silence = Silence(demo)
        silence.start()
        rounds = 0
        began = time.monotonic()
        while seconds is None or time.monotonic() - began < seconds or rounds == 0:
            watch(demo, 5)
            silence.take()
            sessions = len(demo.recordings())
            say("wlan0: cut behind its access point; its link stays up")
            demo.cut(True)
            demo.until("the streams go over wwan0", 30, lambda: demo.chosen() == "wwan0")
            say(f"  {demo.net_status()['why']}")
            watch(demo, 5)
            before = demo.recorded()
            demo.until("video over wwan0", 15, lambda: demo.recorded() > before + 50_000)
            anew = len(demo.recordings()) - sessions
            say(f"  wwan0 carries: {silence.take() * 1000:.0f} ms without video, "
                + ("the session continued (MPTCP)" if anew == 0 else f"{anew} new session(s)"), "32")
            say("wlan0: connected again")
            demo.cut(False)
            demo.until("the streams are back on wlan0", 90, lambda: demo.chosen() == "wlan0")
            watch(demo, 3)
            say(f"  {demo.net_status()['why']}; {silence.take() * 1000:.0f} ms without video", "32")
            rounds += 1
        silence.ending = True
        result = run("ffprobe", "-v", "fatal", "-count_packets", "-select_streams", "v:0", "-show_entries", "stream=nb_read_packets",
                     "-of", "csv=p=0", demo.recordings()[-1])
        say(f"{result.stdout.strip()} pictures in the last recording, {len(demo.recordings())} session(s) in all.", "32")
    except (SystemExit, Ended, TimeoutError, subprocess.CalledProcessError) as error:
        kept = True
        if isinstance(error, subprocess.CalledProcessError):
            error = f"{' '.join(error.cmd)}: {error.stderr.strip()}"
        say(f"The video stopped: {error}", "31")
        say(f"Logs of all programs: {folder}/*.log", "31")
        return 1
    except KeyboardInterrupt:
        return 0
    finally:
        demo.close()
        if not kept:
            shutil.rmtree(folder, ignore_errors=True)
        say("Stopped; nothing is left running.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
