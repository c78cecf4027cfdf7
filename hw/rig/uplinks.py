"""A box with two uplinks, in its own network namespaces: a real NetworkManager, a real media server.

    robot ==eth0== box ==wlan0== access point ==+
                    \\===wwan0== mobile network ==+== media server --> its page, through a socket in the file system
"""

import json
import os
import pathlib
import signal
import subprocess

import nginx
from world import run, until

SERVER = "203.0.113.10"
# The box's interface, its router, and the network between; a cable stands in for the radio.
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
# Its own mounts: nothing of this machine's NetworkManager or bus is visible, or touched.
MOUNTS = """
mount --make-rprivate /
mount -o remount,bind,ro /sys
mount --bind "$1/run" /run && mount --make-shared /run
mount --bind "$1/nm" /etc/NetworkManager
mkdir -p /var/lib/NetworkManager && mount --bind "$1/nm-state" /var/lib/NetworkManager
mkdir -p /run/dbus /run/NetworkManager /run/udev /run/systemd
exec sleep infinity
"""


class Ended(Exception):
    """A program ended early."""


class Uplinks:
    """The namespaces, and the programs that run in them."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.name = f"rc{os.getpid()}"
        self.programs = []
        self.spaces = []
        self.env = {}

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
        """The command line of a program in the box's network and mount namespaces."""
        return ("nsenter", f"--target={self.holder}", "--mount", "--root", "--net", "--", *map(str, words))

    def wire(self, one, name, other, far):
        run("ip", "link", "add", name, "netns", one, "type", "veth", "peer", "name", far, "netns", other)
        for space, link in ((one, name), (other, far)):
            run("ip", "-n", space, "link", "set", link, "up")

    def close(self):
        for _, program in reversed(self.programs):
            self.tell(program, signal.SIGTERM)
        for _, program in self.programs:
            try:
                program.wait(5)
            except subprocess.TimeoutExpired:
                self.tell(program, signal.SIGKILL)
                program.wait()
        for space in self.spaces:
            subprocess.run(["ip", "netns", "delete", space], capture_output=True)

    @staticmethod
    def tell(program, what):
        """Ends a program and all that it started."""
        try:
            os.killpg(program.pid, what)
        except ProcessLookupError:
            pass

    def alive(self):
        for name, program in self.programs:
            if program.poll() is not None:
                raise Ended(f"{name} ended early: see {self.folder / name}.log")
        return True

    def until(self, what, seconds, condition):
        """As `until`, as long as all programs run."""
        return until(what, seconds, lambda: self.alive() and condition())

    # --- The surroundings of the box.

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

    def server(self, mptcp=True):
        """nginx-rtmp at rtmp://SERVER/live/NAME; records what it receives in recordings/NAME-*.flv."""
        configuration = nginx.configuration(self.folder, SERVER, "5s" if mptcp else "500ms")
        # MPTCP at the server's end too: MediaMTX has it by itself.
        speaks = ("mptcpize", "run") if mptcp else ()
        self.start("nginx", *speaks, "nginx", "-c", configuration, "-e", self.folder / "nginx-error.log", prefix=self.inside("world"))
        if mptcp:
            run(*self.inside("world"), "ip", "mptcp", "limits", "set", "subflow", "4", "add_addr_accepted", "4")

    def robot(self, simulator, footage, *more):
        """A Go2 on the robot's wire."""
        self.start("robot", simulator, "go2", "--interface", "wire", "--file", footage, *more, prefix=self.inside("wire"))

    # --- The box.

    def power(self, profiles=None):
        """The box's mounts and its bus. `profiles`: NetworkManager profiles that an owner would have written by hand."""
        for folder in ("run", "state", "nm", "nm/system-connections", "nm-state"):
            (self.folder / folder).mkdir()
        (self.folder / "nm/NetworkManager.conf").write_text(NETWORK_MANAGER)
        for name, text in (profiles or {}).items():
            file = self.folder / f"nm/system-connections/{name}.nmconnection"
            file.write_text(text)
            file.chmod(0o600)
        (self.folder / "bus.conf").write_text(BUS)
        holder = self.start("box", "unshare", "--mount", "sh", "-ec", MOUNTS, "box", self.folder, prefix=self.inside("box"))
        # `ip netns exec` and `unshare` replace themselves with the program they run.
        self.holder = holder.pid
        self.until("the box's mounts", 10, (self.folder / "run/systemd").exists)
        self.env = {"DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/run/dbus/system_bus_socket",
                    "ROBOCAST_STATE": str(self.folder / "state"), "ROBOCAST_RUN": "/run/robocast"}
        self.start("dbus", "dbus-daemon", f"--config-file={self.folder}/bus.conf", "--nofork", "--nopidfile", prefix=self.box())
        self.until("the bus", 10, (self.folder / "run/dbus/system_bus_socket").exists)

    def network_manager(self):
        self.start("network-manager", "NetworkManager", "--no-daemon", prefix=self.box(), env=self.env)

    def robocast(self, programs):
        """Starts the programs of a box in boot order, NetworkManager among them."""
        settings = self.folder / "state/settings.toml"
        settings.write_text(SETTINGS)
        settings.chmod(0o600)
        self.executable = programs / "robocast"
        self.net = self.start("net", self.executable, "net", prefix=self.box(), env=self.env)
        self.until("the robot's side", 20, (self.folder / "run/netns/robot").exists)
        self.network_manager()
        self.start("camera", "ip", "netns", "exec", "robot", self.executable, "camera", "front", prefix=self.box(), env=self.env)
        self.start("push", self.executable, "push", "front", prefix=self.box(), env=self.env)

    def status(self):
        """The box's status: the stream, and the network."""
        result = subprocess.run([*self.box(self.executable, "status", "--json")], capture_output=True, text=True,
                                env={**os.environ, **self.env})
        told = {}
        for line in result.stdout.splitlines():
            fact = json.loads(line)
            told["net" if "net" in fact else "stream"] = fact.get("net", fact)
        if "stream" in told:
            temporary = self.folder / "status.new"
            temporary.write_text(json.dumps(told["stream"]))
            temporary.rename(self.folder / "status.json")
        return told

    def net_status(self):
        return self.status().get("net", {})

    def chosen(self):
        return self.net_status().get("chosen", "")

    def carried_by(self, uplink):
        """Waits until the network is as the settings want it, and `uplink` carries the streams."""
        self.until("the network is as the settings want it", 90, lambda: self.net_status().get("proven"))
        self.until(f"the streams go over {uplink}", 90, lambda: self.chosen() == uplink)

    def recordings(self):
        return sorted((self.folder / "recordings").glob("front-*.flv"))

    def recorded(self):
        """Bytes in all recordings."""
        return sum(file.stat().st_size for file in self.recordings())

    def cut(self, really):
        """Cuts the access point's path to the world, not its link."""
        run(*self.inside("ap"), "sysctl", "-qw", f"net.ipv4.ip_forward={int(not really)}")

    def take_down(self, really):
        """Takes the access point itself down: the box's link loses its carrier."""
        run("ip", "-n", self.space("ap"), "link", "set", "lan", "down" if really else "up")
