"""The surroundings of a contender: the camera, the media server and the reader; and the contenders themselves."""

import json
import os
import re
import shutil
import socket
import string
import subprocess
import time
import urllib.request
import xml.etree.ElementTree as xml
from pathlib import Path

from . import processes

PARTS = Path(__file__).parent
MEASURED = "measured"


class Missing(Exception):
    """The benchmark cannot run here; says what to install."""


class Failed(Exception):
    """A program of the benchmark failed."""


# The page shows a command as it is here; $SOURCE and $SINK are substituted word by word.
FFMPEG = ("ffmpeg -nostdin -nostats -loglevel warning -rtsp_transport tcp -fflags nobuffer -flags low_delay "
          "-analyzeduration 0 -probesize 32 -i $SOURCE -c copy -an -flvflags no_duration_filesize -tcp_nodelay 1 "
          "-f flv $SINK")
GST_TUNED = ("gst-launch-1.0 -q rtspsrc location=$SOURCE protocols=tcp latency=0 buffer-mode=none ! rtph264depay "
             "! video/x-h264,stream-format=avc,alignment=au ! flvmux streamable=true latency=0 "
             "! rtmp2sink location=$SINK sync=false async=false chunk-size=65536 enable-last-sample=false")
GST_DEFAULTS = ("gst-launch-1.0 -q rtspsrc location=$SOURCE ! rtph264depay ! h264parse ! flvmux "
                "! rtmp2sink location=$SINK")
ROBOCAST = "robocast run settings.toml --json"


class Peer:
    """A program that is started once for each stream."""
    # Pause after the first picture before figures are taken.
    rest = 1.0

    def __init__(self, name, title, command):
        self.name, self.title, self.command = name, title, command

    def start(self, stage, streams, log):
        programs = []
        for _, source, sink in streams:
            put = {"$SOURCE": source, "$SINK": sink}
            command = [re.sub(r"\$\w+", lambda found: put[found[0]], word) for word in self.command.split()]
            programs.append(processes.start(command, log))
        return programs


class Robocast:
    """The product as a user starts it: one supervisor, and a camera and a push program for each stream."""
    name, title, command = "robocast", "robocast", ROBOCAST
    # Two seconds after a stream went live, a short-lived process makes its slate.
    rest = 3.0

    def start(self, stage, streams, log):
        settings = (PARTS / "robocast.toml").read_text()
        block = string.Template((PARTS / "stream.toml").read_text())
        for name, source, sink in streams:
            settings += block.substitute(name=name, source=source, sink=sink)
        file = stage.folder / "settings.toml"
        file.write_text(settings)
        run = stage.folder / "run"
        run.mkdir(exist_ok=True)
        command = [str(stage.executables / "robocast"), *self.command.split()[1:]]
        command[command.index("settings.toml")] = str(file)
        return [processes.start(command, log, {"ROBOCAST_RUN": str(run)})]


CONTENDERS = [
    Robocast(),
    Peer("ffmpeg", "ffmpeg", FFMPEG),
    Peer("gst-tuned", "GStreamer, tuned", GST_TUNED),
    Peer("gst-defaults", "GStreamer, defaults", GST_DEFAULTS),
]

PACKAGES = {
    "ffmpeg": "ffmpeg",
    "gst-launch-1.0": "gstreamer1.0-tools",
    "nginx": "nginx",
}
ELEMENTS = {
    "rtspsrc": "gstreamer1.0-plugins-good",
    "flvmux": "gstreamer1.0-plugins-good",
    "h264parse": "gstreamer1.0-plugins-bad",
    "rtmp2sink": "gstreamer1.0-plugins-bad",
    "x264enc": "gstreamer1.0-plugins-ugly",
    "avdec_h264": "gstreamer1.0-libav",
}


def tell(command):
    """A program's output, on either stream."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.stdout


def check(executables, footage):
    """Reports everything that is missing, with its package."""
    os.environ["PATH"] += ":/usr/sbin:/usr/local/sbin"
    missing = [(name, package) for name, package in PACKAGES.items() if not shutil.which(name)]
    if shutil.which("gst-inspect-1.0"):
        missing += [(f"GStreamer element {name}", package) for name, package in ELEMENTS.items()
                    if subprocess.run(["gst-inspect-1.0", "--exists", name]).returncode]
    if shutil.which("nginx") and rtmp_module() is None:
        missing.append(("RTMP module of nginx", "libnginx-mod-rtmp"))
    if missing:
        lines = [f"  {name}: package {package}" for name, package in missing]
        packages = " ".join(sorted({package for _, package in missing}))
        raise Missing("missing:\n" + "\n".join(lines) + f"\ninstall them: ci/packages, or apt-get install {packages}")
    for name in ("robocast", "robocast-media", "robocast-sim"):
        if not (executables / name).is_file():
            raise Missing(f"no {name} in the folder of release executables (ROBOCAST_BIN)")
    if not footage.is_file():
        raise Missing(f"tests/fixtures/{footage.name} is missing: check the repository out whole")


def rtmp_module():
    """The line that loads the module: empty when it is built in, None when there is none."""
    built = tell(["nginx", "-V"])
    folders = re.findall(r"--modules-path=(\S+)", built) + ["/usr/lib/nginx/modules", "/usr/lib64/nginx/modules"]
    for folder in folders:
        file = Path(folder) / "ngx_rtmp_module.so"
        if file.is_file():
            return f"load_module {file};"
    return "" if re.search(r"--add-module=\S*rtmp", built) else None


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Stage:
    """Camera and server, alive over the whole run."""

    def __init__(self, folder, executables, footage):
        self.folder, self.executables, self.footage = folder, executables, footage
        self.programs = []
        self.others = []
        self.turn = 0

    def open(self):
        self.measured = self.cameras("--pattern", "--size", "1280x720", "--fps", "30", "--bitrate", "2000",
                                     "--keyframe-interval", "1s", "--path", f"/{MEASURED}")[0]
        self.serve()

    def close(self):
        processes.end(self.programs)

    def cameras(self, *arguments):
        """Starts simulated cameras and returns their URLs."""
        log = self.folder / "cameras.log"
        command = [str(self.executables / "robocast-sim"), "rtsp", "--listen", "127.0.0.1:0", *arguments]
        program = processes.start(command, log, output=subprocess.PIPE)
        self.programs.append(program)
        line = program.stdout.readline()
        if not line:
            raise Failed(f"the simulated camera does not start: {last_lines(log)}")
        return json.loads(line)["urls"]

    def with_others(self, count):
        """Starts the additional cameras, up to `count` streams."""
        if count - 1 > len(self.others):
            paths = [word for index in range(len(self.others) + 1, count) for word in ("--path", f"/other{index:02}")]
            self.others += self.cameras("--file", str(self.footage), *paths)

    def serve(self):
        (self.folder / "temp").mkdir()
        template = string.Template((PARTS / "nginx.conf").read_text())
        log = self.folder / "error.log"
        for _ in range(5):
            self.rtmp_port, self.http_port = free_port(), free_port()
            config = self.folder / "nginx.conf"
            config.write_text(template.substitute(
                load_module=rtmp_module(), rtmp_port=self.rtmp_port, http_port=self.http_port))
            program = processes.start(
                ["nginx", "-p", str(self.folder), "-e", str(log), "-c", str(config)], log)
            deadline = time.monotonic() + 10
            while program.poll() is None and time.monotonic() < deadline:
                try:
                    self.bytes_in()
                    self.programs.append(program)
                    return
                except OSError:
                    time.sleep(0.05)
            processes.end([program])
        raise Failed(f"nginx does not start: {last_lines(log)}")

    def mind(self):
        """Fails when camera or server have ended."""
        for program in self.programs:
            if program.poll() is not None:
                raise Failed(f"{Path(program.args[0]).name} ended under way (status {program.returncode}; below 0: "
                             f"by that signal): {last_lines(self.folder / 'cameras.log')} "
                             f"{last_lines(self.folder / 'error.log')}")

    def bytes_in(self):
        """Bytes received so far, by stream."""
        url = f"http://127.0.0.1:{self.http_port}/stat"
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=5) as answer:
            tree = xml.fromstring(answer.read())
        return {s.findtext("name"): int(s.findtext("bytes_in")) for s in tree.iter("stream") if s.find("publishing") is not None}

    def streams(self, count):
        """Name, source and sink of each stream of a turn. The measured one is started last."""
        self.turn += 1
        sources = self.others[:count - 1] + [self.measured]
        names = [f"s{index:02}" for index in range(1, count + 1)]
        return [(name, source, f"rtmp://127.0.0.1:{self.rtmp_port}/live/{self.turn}-{name}")
                for name, source in zip(names, sources)]

    def probe(self, url, *arguments):
        log = self.folder / "probe.log"
        command = [str(self.executables / "robocast-sim"), "probe", url, "--clock", "--json", *arguments]
        return processes.start(command, log, output=subprocess.PIPE)

    def seen(self, probe, timeout):
        """The report of a probe."""
        try:
            output, _ = probe.communicate(timeout=timeout)
            return json.loads(output)
        except (subprocess.TimeoutExpired, json.JSONDecodeError) as error:
            processes.end([probe])
            raise Failed(f"the probe gave no report ({type(error).__name__})") from error


def last_lines(log):
    """A program's last output, without the folders of this machine."""
    try:
        said = " | ".join(log.read_text(errors="replace").strip().splitlines()[-3:])
        return re.sub(r"(?<![\w/:])/(?:[\w.+-]+/)+", "", said) or "it said nothing"
    except OSError:
        return "it said nothing"
