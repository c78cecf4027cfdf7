"""The surroundings of a board: the robot's wire, and the network behind its two uplinks.

    board: first card  ==bridge== wire   [robot]  192.168.123.161, where the robot is
           second card ==bridge== wire   [world]  10.77.0.1, where the media server, the broker and DHCP are
           third card  ==bridge== spare  [world]  10.78.0.1, another way to the same; not every board has that card

[robot] and [world] are namespaces of this run. The bridges have no address, so nothing crosses that the board does not
let cross.
"""

import json
import os
import pathlib
import signal
import subprocess
import time

import nginx

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
FOOTAGE = REPOSITORY / "tests/fixtures/bigbuckbunny-720p25.mp4"
# Timeouts are given for an idle machine with two cores; a slower or busy one multiplies them by this.
PATIENCE = 3
# What a card of the board may be connected to: the namespace, its interface there, and that interface's address.
SIDES = {
    "robot": ("robot", "wire", "192.168.123.161/24"),
    "world": ("world", "wire", "10.77.0.1/24"),
    "spare": ("world", "spare", "10.78.0.1/24"),
}


def run(*words, check=True, **options):
    return subprocess.run([str(word) for word in words], check=check, capture_output=True, text=True, **options)


def until(what, seconds, condition):
    """Waits until `condition` returns something true, and returns that."""
    end = time.monotonic() + seconds * PATIENCE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {seconds * PATIENCE} s")
        time.sleep(0.2)


class World:
    """The two namespaces, and the programs that run in them."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.name = f"rc{os.getpid()}"
        self.programs = []

    def __enter__(self):
        for name in ("robot", "world"):
            subprocess.run(["ip", "netns", "delete", self.space(name)], capture_output=True)
            run("ip", "netns", "add", self.space(name))
            run("ip", "-n", self.space(name), "link", "set", "lo", "up")
        for side, (name, wire, address) in SIDES.items():
            space, bridge = self.space(name), self.bridge(side)
            # No snooping: a robot's multicast groups reach the board without a querier on the wire.
            run("ip", "link", "add", bridge, "type", "bridge", "mcast_snooping", "0")
            run("ip", "link", "add", f"{bridge}p", "type", "veth", "peer", "name", wire, "netns", space)
            run("ip", "link", "set", f"{bridge}p", "master", bridge, "up")
            # The host itself sends nothing on these wires.
            run("sysctl", "-qw", f"net.ipv6.conf.{bridge}.disable_ipv6=1")
            run("ip", "link", "set", bridge, "up")
            run("ip", "-n", space, "address", "add", address, "dev", wire)
            run("ip", "-n", space, "link", "set", wire, "up")
        for name in ("robot", "world"):
            run("ip", "-n", self.space(name), "route", "add", "224.0.0.0/4", "dev", "wire")
        return self

    def __exit__(self, *_):
        for program in reversed(self.programs):
            program.terminate()
        for program in self.programs:
            try:
                program.wait(5)
            except subprocess.TimeoutExpired:
                program.kill()
        for side in SIDES:
            subprocess.run(["ip", "link", "delete", self.bridge(side)], capture_output=True)
            subprocess.run(["ip", "link", "delete", f"{self.name}t{side[0]}"], capture_output=True)
        for name in ("robot", "world"):
            subprocess.run(["ip", "netns", "delete", self.space(name)], capture_output=True)

    def space(self, name):
        return f"{self.name}-{name}"

    def bridge(self, side):
        return f"{self.name}-{side[0]}"

    def tap(self, side):
        """The end of a wire for a board that is a process."""
        tap = f"{self.name}t{side[0]}"
        if not pathlib.Path("/sys/class/net", tap).exists():
            run("ip", "tuntap", "add", tap, "mode", "tap")
            run("ip", "link", "set", tap, "master", self.bridge(side), "up")
        return tap

    def card(self, side, space, name, address):
        """The end of a wire for a board that has a namespace: a card called `name` in it."""
        end = f"{self.name}c{side[0]}"
        run("ip", "link", "add", end, "type", "veth", "peer", "name", name, "address", address, "netns", space)
        run("ip", "link", "set", end, "master", self.bridge(side), "up")

    def cut(self, side, cut=True):
        """Blocks all traffic on a wire, or lets it through again. No card notices: their links stay up."""
        run("ip", "link", "set", f"{self.bridge(side)}p", "down" if cut else "up")

    def start(self, side, *words, name=None):
        """Starts a program in one of the namespaces; its output goes to a file of its name."""
        name = name or pathlib.Path(str(words[0])).name
        log = (self.folder / f"{name}.log").open("ab")
        # It ends with the process that made this world.
        program = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "ip", "netns", "exec", self.space(side), *map(str, words)],
                                   stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        self.programs.append(program)
        return program

    def stop(self, program):
        program.send_signal(signal.SIGTERM)
        program.wait(10)
        self.programs.remove(program)

    def dhcp(self):
        """Gives the board an address on each of its uplinks, 10.77.0.50 and up, 10.78.0.50 and up."""
        leases = self.folder / "leases"
        self.start("world", "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--interface=wire", "--interface=spare",
                   "--bind-interfaces", "--dhcp-range=10.77.0.50,10.77.0.99,1h", "--dhcp-range=10.78.0.50,10.78.0.99,1h",
                   f"--dhcp-leasefile={leases}", "--pid-file=", "--user=root",
                   "--no-resolv", "--no-hosts", "--address=/media.test/10.77.0.1", "--log-facility=-", name="dhcp")

    def server(self):
        """nginx-rtmp at rtmp://10.77.0.1/live/NAME; records what it receives in recordings/NAME-*.flv."""
        configuration = nginx.configuration(self.folder, "10.77.0.1", "5s")
        self.start("world", "nginx", "-c", configuration, "-e", self.folder / "nginx-error.log", name="nginx")

    def go2(self, footage=None):
        """A Go2 on the robot's wire."""
        footage = footage or FOOTAGE
        return self.start("robot", os.environ["ROBOCAST_SIM"], "go2", "--interface", "wire", "--file", footage, name="go2")

    def broker(self):
        """An MQTT broker at 10.77.0.1."""
        configuration = self.folder / "mosquitto.conf"
        configuration.write_text("listener 1883 10.77.0.1\nallow_anonymous true\nuser root\n")
        self.start("world", "mosquitto", "-c", configuration, name="mosquitto")

    def recordings(self, stream="front"):
        return sorted((self.folder / "recordings").glob(f"{stream}-*.flv"))

    def robots_pictures(self, file):
        """How many pictures of a recording equal, bit for bit, the footage that the robot plays: no slate, none changed."""
        def decoded(source):
            lines = run("ffmpeg", "-nostdin", "-v", "fatal", "-i", source, "-map", "0:v", "-f", "framemd5", "-").stdout.splitlines()
            return [line.rsplit(",", 1)[1].strip() for line in lines if not line.startswith("#")]
        own = set(decoded(FOOTAGE))
        return sum(picture in own for picture in decoded(file))

    def pictures(self, file):
        """How many pictures of a recording a decoder returns, and their size."""
        # A file that is being written ends in the middle of something; a file that was just begun, in its own header.
        result = run("ffprobe", "-v", "fatal", "-count_frames", "-select_streams", "v:0", "-show_entries",
                     "stream=nb_read_frames,width,height", "-of", "json", file, check=False)
        streams = json.loads(result.stdout or "{}").get("streams")
        return (int(streams[0]["nb_read_frames"]), streams[0]["width"], streams[0]["height"]) if streams else (0, 0, 0)
