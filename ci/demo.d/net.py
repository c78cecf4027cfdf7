#!/usr/bin/env python3
"""A box with two uplinks, in network namespaces: real NetworkManager, real nginx, real robocast.

    robot ==eth0== box ==wlan0== access point ==+
                    \\===wwan0== mobile network ==+== media server --> page on loopback

The access point loses its way into the world while its link stays up; the streams go over the other uplink, and come back.
Usage: ci/demo.d/net.py [SECONDS]: with SECONDS it cuts by itself, ends, and succeeds only if the video went on.
"""

import json
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
sys.path.insert(0, str(REPOSITORY / "hw/rig/virtual"))

from page import serve  # noqa: E402
from world import FOOTAGE, run, until  # noqa: E402

SERVER = "203.0.113.10"
# The box's interface, its router, and the network between; the stand-in of a radio is a cable.
UPLINKS = {"wlan0": ("ap", "10.91.0"), "wwan0": ("op", "10.92.0")}
SETTINGS = f"""\
schema = 1
[device]
name = "demo"
[robot]
kind = "go2"
[[stream]]
name = "front"
source = "go2:"
push = ["rtmp://{SERVER}/live/front"]
[uplink.ethernet]
interface = "wlan0"
"""
BUS = """\
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path=/run/dbus/system_bus_socket</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/><allow user="*"/></policy>
</busconfig>
"""
NETWORK_MANAGER = """\
[main]
plugins=keyfile
dns=none
rc-manager=unmanaged
auth-polkit=false
hostname-mode=none
systemd-resolved=false
dhcp=internal
[keyfile]
unmanaged-devices=interface-name:eth0
[device]
managed=1
[connectivity]
enabled=false
"""
TERMINAL = sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def say(words, colour=""):
    print(f"\x1b[{colour}m{words}\x1b[0m" if TERMINAL and colour else words, flush=True)


class Demo:
    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.name = f"rc{os.getpid()}"
        self.programs = []
        self.spaces = []

    # --- Namespaces and programs.

    def space(self, side):
        return f"{self.name}-{side}"

    def make(self, side):
        run("ip", "netns", "add", self.space(side))
        self.spaces.append(self.space(side))
        run("ip", "-n", self.space(side), "link", "set", "lo", "up")

    def start(self, name, *words, prefix=(), env=None):
        log = (self.folder / f"{name}.log").open("ab")
        program = subprocess.Popen(
            [*prefix, *map(str, words)], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})}, start_new_session=True)
        self.programs.append((name, program))
        return program

    def inside(self, side):
        return ("ip", "netns", "exec", self.space(side))

    def box(self, *words):
        """Words for a program in the box's namespaces of network and mounts."""
        return ("nsenter", f"--target={self.holder}", "--mount", "--net", "--", *map(str, words))

    def wire(self, one, name, other, far):
        run("ip", "link", "add", name, "netns", one, "type", "veth", "peer", "name", far, "netns", other)
        for space, link in ((one, name), (other, far)):
            run("ip", "-n", space, "link", "set", link, "up")

    def close(self):
        for _, program in reversed(self.programs):
            program.terminate()
        for _, program in self.programs:
            try:
                program.wait(5)
            except subprocess.TimeoutExpired:
                program.kill()
        for space in self.spaces:
            subprocess.run(["ip", "netns", "delete", space], capture_output=True)

    def alive(self):
        for name, program in self.programs:
            if program.poll() is not None:
                raise SystemExit(f"{name} ended before its time: see {self.folder / name}.log")
        return True

    # --- What stands around the box.

    def world(self):
        for side in ("world", "ap", "op", "wire", "box"):
            self.make(side)
        world = self.space("world")
        run("ip", "-n", world, "address", "add", f"{SERVER}/32", "dev", "lo")
        for number, (interface, (router, net)) in enumerate(UPLINKS.items()):
            space = self.space(router)
            self.wire(self.space("box"), interface, space, "lan")
            self.wire(space, "way", world, router)
            run("ip", "-n", space, "address", "add", f"{net}.1/24", "dev", "lan")
            run("ip", "-n", space, "address", "add", f"198.51.100.{4 * number + 2}/30", "dev", "way")
            run("ip", "-n", world, "address", "add", f"198.51.100.{4 * number + 1}/30", "dev", router)
            run("ip", "-n", space, "route", "add", "default", "via", f"198.51.100.{4 * number + 1}")
            run("ip", "-n", world, "route", "add", f"{net}.0/24", "via", f"198.51.100.{4 * number + 2}")
            run(*self.inside(router), "sysctl", "-qw", "net.ipv4.ip_forward=1")
            self.start(f"dhcp-{router}", "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--interface=lan", "--port=0",
                       f"--dhcp-range={net}.50,{net}.99,1h", f"--dhcp-leasefile={self.folder}/{router}.leases", "--pid-file=",
                       "--user=root", "--log-facility=-", prefix=self.inside(router))
        # The robot's wire.
        self.wire(self.space("box"), "eth0", self.space("wire"), "wire")
        run("ip", "-n", self.space("wire"), "address", "add", "192.168.123.161/24", "dev", "wire")
        run("ip", "-n", self.space("wire"), "route", "add", "224.0.0.0/4", "dev", "wire")

    def server(self):
        recordings = self.folder / "recordings"
        recordings.mkdir()
        recordings.chmod(0o777)
        page = REPOSITORY / "ci/demo.d/page"
        configuration = self.folder / "nginx.conf"
        configuration.write_text(f"""
daemon off; pid {self.folder}/nginx.pid; error_log {self.folder}/nginx-error.log info; worker_processes 1; user root;
load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;
events {{ worker_connections 64; }}
rtmp {{ server {{ access_log off; listen {SERVER}:1935 so_keepalive=5s:1s:3;
  application live {{ live on; drop_idle_publisher 5s; wait_key on; record all; record_path {recordings}; record_unique on;
    hls on; hls_path {self.folder}/hls; hls_fragment 1s; hls_playlist_length 60s; }} }} }}
http {{ access_log off; types {{ text/html html; text/css css; text/javascript js; application/json json;
    application/vnd.apple.mpegurl m3u8; video/mp2t ts; }}
  client_body_temp_path {self.folder}/body; proxy_temp_path {self.folder}/proxy; fastcgi_temp_path {self.folder}/fastcgi;
  uwsgi_temp_path {self.folder}/uwsgi; scgi_temp_path {self.folder}/scgi;
  server {{ listen unix:{self.folder}/http.sock; root {page}; charset utf-8; add_header Cache-Control no-store;
    location = /status.json {{ root {self.folder}; }}
    location /hls/ {{ root {self.folder}; }} }} }}
""")
        # MPTCP at the server's end too: as MediaMTX has it of itself.
        self.start("nginx", "mptcpize", "run", "nginx", "-c", configuration, "-e", self.folder / "nginx-error.log", prefix=self.inside("world"))
        run(*self.inside("world"), "ip", "mptcp", "limits", "set", "subflow", "4", "add_addr_accepted", "4")

    # --- The box.

    def power(self, programs):
        for folder in ("run", "state", "nm", "nm-state"):
            (self.folder / folder).mkdir()
        (self.folder / "state/settings.toml").write_text(SETTINGS)
        (self.folder / "state/settings.toml").chmod(0o600)
        (self.folder / "nm/NetworkManager.conf").write_text(NETWORK_MANAGER)
        (self.folder / "bus.conf").write_text(BUS)
        # Mounts of its own: nothing of this machine's NetworkManager or bus is seen, or touched.
        script = """
mount --make-rprivate /
mount -o remount,bind,ro /sys
mount --bind "$1/run" /run && mount --make-shared /run
mount --bind "$1/nm" /etc/NetworkManager
mkdir -p /var/lib/NetworkManager && mount --bind "$1/nm-state" /var/lib/NetworkManager
mkdir -p /run/dbus /run/NetworkManager /run/udev /run/systemd
exec sleep infinity
"""
        holder = self.start("box", "unshare", "--mount", "sh", "-ec", script, "box", self.folder, prefix=self.inside("box"))
        # `ip netns exec` and `unshare` become the program they run.
        self.holder = holder.pid
        until("the box's mounts", 10, lambda: self.alive() and (self.folder / "run/systemd").exists())
        env = {"DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/run/dbus/system_bus_socket",
               "ROBOCAST_STATE": str(self.folder / "state"), "ROBOCAST_RUN": "/run/robocast"}
        self.env = env
        self.start("dbus", "dbus-daemon", f"--config-file={self.folder}/bus.conf", "--nofork", "--nopidfile", prefix=self.box())
        until("the bus", 10, lambda: self.alive() and (self.folder / "run/dbus/system_bus_socket").exists())
        self.robocast = programs / "robocast"
        self.start("net", self.robocast, "net", prefix=self.box(), env=env)
        until("the robot's side", 20, lambda: self.alive() and (self.folder / "run/netns/robot").exists())
        self.start("network-manager", "NetworkManager", "--no-daemon", prefix=self.box(), env=env)
        self.start("camera", "ip", "netns", "exec", "robot", self.robocast, "camera", "front", prefix=self.box(), env=env)
        self.start("push", self.robocast, "push", "front", prefix=self.box(), env=env)

    def status(self):
        """What the box says: the stream, and the network."""
        result = subprocess.run([*self.box(self.robocast, "status", "--json")], capture_output=True, text=True, env={**os.environ, **self.env})
        told = {}
        for line in result.stdout.splitlines():
            fact = json.loads(line)
            told["net" if "net" in fact else "stream"] = fact.get("net", fact)
        if "stream" in told:
            temporary = self.folder / "status.new"
            temporary.write_text(json.dumps(told["stream"]))
            temporary.rename(self.folder / "status.json")
        return told

    def recordings(self):
        return sorted((self.folder / "recordings").glob("front-*.flv"))

    def chosen(self):
        return self.status().get("net", {}).get("chosen", "")

    def cut(self, really):
        """The access point's way into the world, not its link."""
        run(*self.inside("ap"), "sysctl", "-qw", f"net.ipv4.ip_forward={int(not really)}")


class Silence(threading.Thread):
    """The longest time in which the server got nothing, since it was last asked."""

    def __init__(self, demo):
        super().__init__(daemon=True)
        self.demo, self.longest, self.ending = demo, 0.0, False

    def run(self):
        size, last = -1, time.monotonic()
        while not self.ending:
            now = sum(file.stat().st_size for file in self.demo.recordings())
            at = time.monotonic()
            if now != size:
                self.longest, size, last = max(self.longest, at - last), now, at
            time.sleep(0.01)

    def take(self):
        longest, self.longest = self.longest, 0.0
        return longest


def main():
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else None
    programs = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target")) / "release"
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = pathlib.Path(tempfile.mkdtemp(prefix="robocast-net.", dir="/tmp"))
    folder.chmod(0o755)
    demo = Demo(folder)
    kept = False
    try:
        demo.world()
        demo.server()
        demo.start("robot", programs / "robocast-sim", "go2", "--interface", "wire", "--file", FOOTAGE, prefix=demo.inside("wire"))
        demo.power(programs)
        until("video at the server", 60, lambda: demo.alive() and demo.recordings() and demo.recordings()[-1].stat().st_size > 200_000)
        until("the network is as the settings want it", 90, lambda: demo.alive() and demo.status().get("net", {}).get("proven"))
        until("the preferred uplink carries", 60, lambda: demo.alive() and demo.chosen() == "wlan0")
        until("a piece of video for browsers", 60, lambda: demo.alive() and list((folder / "hls").glob("*.ts")))
        say(f"The video that reached the server plays at {serve(folder / 'http.sock')}", "32")
        silence = Silence(demo)
        silence.start()
        rounds = 0
        began = time.monotonic()
        while seconds is None or time.monotonic() - began < seconds or rounds == 0:
            time.sleep(5)
            demo.alive()
            silence.take()
            sessions = len(demo.recordings())
            say("wlan0: cut behind its access point; its link stays up")
            demo.cut(True)
            until("the streams go over wwan0", 30, lambda: demo.alive() and demo.chosen() == "wwan0")
            say(f"  {demo.status()['net']['why']}")
            time.sleep(5)
            before = sum(file.stat().st_size for file in demo.recordings())
            until("video over wwan0", 15, lambda: sum(file.stat().st_size for file in demo.recordings()) > before + 50_000)
            anew = len(demo.recordings()) - sessions
            say(f"  wwan0 carries: {silence.take() * 1000:.0f} ms without video, "
                + ("the session went on (MPTCP)" if anew == 0 else f"{anew} new session(s)"), "32")
            say("wlan0: there again")
            demo.cut(False)
            until("the streams are back on wlan0", 90, lambda: demo.alive() and demo.chosen() == "wlan0")
            time.sleep(3)
            say(f"  {demo.status()['net']['why']}; {silence.take() * 1000:.0f} ms without video", "32")
            rounds += 1
        silence.ending = True
        result = run("ffprobe", "-v", "fatal", "-count_packets", "-select_streams", "v:0", "-show_entries", "stream=nb_read_packets",
                     "-of", "csv=p=0", demo.recordings()[-1])
        say(f"{result.stdout.strip()} pictures in the last recording, {len(demo.recordings())} session(s) in all.", "32")
    except (SystemExit, TimeoutError, subprocess.CalledProcessError) as error:
        kept = True
        if isinstance(error, subprocess.CalledProcessError):
            error = f"{' '.join(error.cmd)}: {error.stderr.strip()}"
        say(f"The video does not go on: {error}", "31")
        say(f"What all programs said: {folder}/*.log", "31")
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
