"""The two sides on the booted board: what `robocast net` sets up, and that nothing crosses."""

import re
import subprocess

from board import SETTINGS, until


def net(board):
    return board.status().get("net")


class Capture:
    """Every frame on one of the world's wires, captured from outside."""

    def __init__(self, world, side):
        self.file = world.folder / f"capture-{side}"
        self.program = subprocess.Popen(
            ["ip", "netns", "exec", world.space(side), "python3", "-c",
             "import socket,sys\n"
             "s=socket.socket(socket.AF_PACKET,socket.SOCK_RAW,socket.htons(3)); s.bind(('wire',0))\n"
             "print('ready',flush=True)\n"
             "while True: print(s.recv(65536).hex(),flush=True)"],
            stdout=self.file.open("w"))
        until("the capture runs", 10, lambda: self.file.read_text().startswith("ready"))

    def end(self):
        self.program.kill()
        self.program.wait()
        return self.file.read_text().split()


def crossing(frames, marker):
    return [frame for frame in frames if marker.hex() in frame]


def test_the_network_is_proven(streaming_board):
    board = streaming_board
    told = until("the network is proven", 60, lambda: (found := net(board)) and found["proven"] and found)
    assert told["chosen"] == "eth1" and told["robot"]["present"] and told["robot"]["address"] == "192.168.123.222/24"
    out, status = board.ask("robocast net check", 90)
    assert status == 0, out
    assert board.run("robocast net plan /var/lib/robocast/settings.toml").count("nothing to do") == 2


def test_nothing_crosses_from_one_side_to_the_other(streaming_board, world):
    """Packets for the other side, sent to the box from both sides; and a control that the capture sees such packets."""
    board = streaming_board
    box = re.search(r"inet (10\.77\.0\.\d+)", board.run("ip -4 address show dev eth1"))[1]
    marker = b"robocast-crossing-test"
    captures = {side: Capture(world, side) for side in ("robot", "world")}

    def throw(side, to, via):
        subprocess.run(["ip", "-n", world.space(side), "route", "replace", f"{to}/32", "via", via, "dev", "wire"], check=True)
        subprocess.run(
            ["ip", "netns", "exec", world.space(side), "python3", "-c",
             f"import socket\ns=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\n"
             f"[s.sendto({marker!r}+b'{side}',('{to}',p)) for p in (53,80,1935,5000)]"], check=True)
        subprocess.run(["ip", "-n", world.space(side), "route", "delete", f"{to}/32"], check=True)
    throw("world", "192.168.123.161", box)
    throw("robot", "10.77.0.1", "192.168.123.222")
    # The last frame on each wire, so that everything before it was captured.
    until("the box answers on the uplink", 30, lambda: subprocess.run(
        ["ip", "netns", "exec", world.space("world"), "ping", "-c", "1", "-W", "2", box], capture_output=True).returncode == 0)
    board.run("ip netns exec robot ping -c 1 -W 5 192.168.123.161")
    frames = {side: capture.end() for side, capture in captures.items()}
    assert crossing(frames["world"], marker + b"world") and crossing(frames["robot"], marker + b"robot"), "the control"
    assert not crossing(frames["robot"], marker + b"world"), "from the uplink to the robot"
    assert not crossing(frames["world"], marker + b"robot"), "from the robot to the uplink"


def test_an_interface_that_is_moved_away_is_moved_back(streaming_board):
    board = streaming_board
    board.run("ip -n robot link set eth0 netns 1")
    board.until("the robot's side has it again", 30, "ip -n robot -o address show dev eth0", "192.168.123.222/24")
    board.streaming(60)


def test_a_killed_net_program_is_restarted_and_the_stream_continues(streaming_board):
    board = streaming_board
    recording = board.streaming(60)
    before = board.run("systemctl show -P MainPID robocast-net")
    board.run("systemctl kill --signal=KILL robocast-net")
    board.until("it is back", 60, "systemctl show -P MainPID -P ActiveState robocast-net", rf"(?s)^(?!{before}\n)[1-9]\d*\nactive")
    until("the network is proven", 60, lambda: (found := net(board)) and found["proven"])
    assert board.streaming(60) == recording, "the session was broken"


def test_the_stream_fails_over_to_the_other_uplink_and_returns(the_board, world):
    """Cuts the first uplink behind the card: no link goes down. The session continues if the server supports MPTCP; else a new one begins."""
    board = the_board
    board.cut()
    board.flash(SETTINGS)
    board.cards = ["robot", "world", "spare"]
    board.boot()
    board.streaming(240)
    until("both uplinks have an address", 60, lambda: sum(bool(uplink.get("address")) for uplink in net(board)["uplinks"]) == 2)
    # The uplink that first had an address carries first; the first in the order must be good for a hold-down.
    until("the first one carries", 120, lambda: net(board)["chosen"] == "eth1")
    board.streaming(60)
    try:
        world.cut("world")
        until("the other one carries", 60, lambda: net(board)["chosen"] == "eth2")
        board.streaming(60)
    finally:
        world.cut("world", False)
    until("the first one carries again", 120, lambda: net(board)["chosen"] == "eth1")
    board.streaming(60)
    board.cut()
