"""A stick with one file: at boot, later, two at once, pulled out; its receipt; and no secret anywhere."""

import base64
import json
import re
import time

import pytest
from board import figure, PATIENCE, SETTINGS, sticks, until
from world import run

# Each secret can be recognized by this word.
SECRETS = SETTINGS.replace("/live/front", "/live/front?token=SECRETtoken7") + """
[page]
password = "SECRETpage-7"
[control]
mqtt = "mqtt://10.77.0.1"
username = "rig"
password = "SECRETmqtt 7"
"""


def named(name, settings=SETTINGS):
    """The settings of a box of another name."""
    return settings.replace("rig-01", name).encode()


def receipt(image):
    """The receipt on a stick; checks that all its forms are there."""
    text, picture = sticks.read(image, "robocast-receipt.txt"), sticks.read(image, "robocast-receipt.svg")
    assert text and picture, "the stick has no receipt"
    return json.loads(sticks.read(image, "robocast-receipt.json"))


def receipts(board):
    """The receipts on the box, oldest first."""
    out, _ = board.ask("ls /var/lib/robocast/receipts/*.json 2>/dev/null")
    return out.split()


def told(board, after=(), seconds=150):
    """Waits until the box has written another receipt; returns the newest."""
    names = until("a receipt", seconds, lambda: (all := receipts(board)) and all[-1] not in after and all)
    return json.loads(board.run(f"cat {names[-1]}"))


def idle(board):
    board.until("no stick is under way", 150, "systemctl list-units --no-legend --state=activating 'robocast-provision*' | wc -l", "^0")


def insert(board, image, seconds=150):
    """Plugs a stick in, waits for its receipt and pulls it out."""
    before = receipts(board)
    board.plug(image, image.stem)
    said = told(board, before, seconds)
    idle(board)
    board.pull(image.stem)
    on = receipt(image)
    assert on == said
    return said


def failed(said):
    """The parts of the verification that failed."""
    return [part["what"] for part in said["steps"][-1]["parts"] if not part["ok"]]


@pytest.fixture(scope="module", autouse=True)
def broker(world):
    world.broker()


@pytest.fixture
def new_board(the_board):
    """A box without settings, switched off."""
    the_board.cut()
    the_board.flash()
    yield the_board
    the_board.cut()


@pytest.fixture(scope="module")
def running(the_board, folder):
    """A box that got its settings from a stick while it ran; the tests use it one after another."""
    board = the_board
    board.cut()
    board.flash()
    board.boot()
    board.until("the system is up", 180, "systemctl is-system-running", "running")
    board.until("this slot was marked", 60, "systemctl show -P ActiveState robocast-good", "inactive")
    assert receipts(board) == [], "an empty boot partition is no news"
    image = board.stick(folder, "first", {"ROBOCAST.TOML": SETTINGS.encode()})
    began = time.monotonic()
    board.plug(image, "first")
    until("the receipt on the stick", 60, lambda: b"The box" in (sticks.read(image, "robocast-receipt.txt") or b""))
    took = time.monotonic() - began
    figure(f"plug to receipt: {took:.1f} s (to be below 15 s)")
    assert told(board)["outcome"] == "proven"
    # The processor is emulated.
    assert took < 15 * PATIENCE
    board.streaming(60)
    idle(board)
    board.pull("first")
    assert receipt(image)["outcome"] == "proven"
    yield board
    board.cut()


def test_a_stick_at_boot_and_no_secret_anywhere(new_board, folder):
    board = new_board
    image = new_board.stick(folder, "owner", {"robocast.toml": SECRETS.encode(), "robocast-support": b""})
    board.sticks = [image]
    board.boot()
    board.streaming(240)
    said = told(board)
    assert said["outcome"] == "proven", json.dumps(said, indent=1)
    parts = {part["what"]: part for part in said["steps"][-1]["parts"]}
    assert {"robot", "uplink", "clock", "mqtt", "support"} <= parts.keys() and all(part["ok"] for part in parts.values()), parts
    idle(board)
    assert board.run("cat /proc/sys/kernel/hostname") == "rig-01"
    assert board.run("stat -c '%a %U' /var/lib/robocast/settings.toml /var/lib/robocast/keys/box.age") == "600 root\n600 root"
    places = {
        "journal": "journalctl -b -o export --no-pager",
        "status": "robocast status; robocast status --json",
        "processes": "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n'",
        "run": "grep -rI . /run/robocast /run/systemd/generator 2>/dev/null",
        "D-Bus": "for name in $(busctl list --no-legend --acquired | grep -o '^org.robocast[^ ]*'); do "
                 "for path in $(busctl tree --list --no-pager $name); do busctl introspect --no-pager $name $path; done; done",
        "receipts": "cat /var/lib/robocast/receipts/*",
    }
    for place, command in places.items():
        # The searched files are not empty, and a secret would be found.
        out, _ = board.ask(f"({command}) >/run/said; wc -c </run/said; grep -ac SECRE'T' /run/said; grep -a SECRE'T' /run/said | head -3", 120)
        size, found, *_ = out.split("\n")
        assert int(size) > 100 and found == "0", f"{place}: {out}"
    assert board.run("grep -c SECRE'T' /var/lib/robocast/settings.toml") == "3"
    # Proven settings survive a power cut, and the second copy has them too.
    board.until("the second copy", 60, "systemctl show -P Result robocast-settings.service", "success")
    board.cut()
    assert receipt(image) == said
    assert b"PROVEN" in sticks.read(image, "robocast-receipt.txt")
    for name in ("robocast-receipt.txt", "robocast-receipt.json", "robocast-receipt.svg"):
        assert b"SECRET" not in sticks.read(image, name)
    listing = "\n".join(sticks.names(image))
    bundle = re.search(r"robocast-support-rig-01-\S+\.tar\.gz", listing)
    assert bundle, listing
    (folder / "support.tar.gz").write_bytes(sticks.read(image, bundle[0]))
    files = run("tar", "-xzOf", folder / "support.tar.gz").stdout
    assert "SECRET" not in files and "robocast-provision" in files
    board.sticks = []
    board.boot()
    board.streaming(240)


def test_another_stick_restarts_only_what_changed(running, folder):
    # Another name for the box: no camera program is restarted for it.
    camera = running.run("systemctl show -P MainPID robocast-camera@front")
    said = insert(running, running.stick(folder, "second", {"robocast.toml": named("rig-02")}))
    assert (said["device"], said["outcome"]) == ("rig-02", "proven"), said
    assert running.run("cat /proc/sys/kernel/hostname") == "rig-02"
    assert running.run("systemctl show -P MainPID robocast-camera@front") == camera

    # The same again: nothing is done, and the stream continues.
    recording = running.streaming(60)
    size = recording.stat().st_size
    said = insert(running, running.stick(folder, "third", {"robocast.toml": named("rig-02")}))
    assert said["outcome"] == "proven"
    assert running.world.recordings()[-1] == recording and recording.stat().st_size > size


@pytest.mark.lg_feature("fat")
def test_a_stick_with_exfat(running, folder):
    # Only the board itself can make one here.
    image = folder / "exfat.img"
    image.unlink(missing_ok=True)
    with image.open("wb") as file:
        file.truncate(64 << 20)
    running.plug(image, "exfat")
    running.until("the disk", 60, "test -b /dev/sda && echo there", "there")
    running.run("mkfs.exfat -q /dev/sda && udevadm settle")
    idle(running)
    content = base64.b64encode(named("rig-07")).decode()
    running.run(f"mkdir -p /run/exfat && mount /dev/sda /run/exfat && echo {content} | base64 -d >/run/exfat/RoboCast.toml && umount /run/exfat")
    running.pull("exfat")
    running.until("the disk is gone", 60, "test -b /dev/sda || echo gone", "gone")
    before = receipts(running)
    running.plug(image, "exfat")
    said = told(running, before)
    assert (said["device"], said["outcome"]) == ("rig-07", "proven"), said
    idle(running)
    on = running.run("mount -o ro /dev/sda /run/exfat && cat /run/exfat/robocast-receipt.json && umount /run/exfat")
    assert json.loads(on) == said
    running.pull("exfat")


def test_secrets_are_erased_from_the_stick(running, folder):
    text = named("rig-06", SETTINGS.replace("schema = 1", "schema = 1\nerase_secrets = true") + '[page]\npassword = "SECRETpage-7"\n')
    image = running.stick(folder, "erase", {"robocast.toml": text})
    assert b"SECRET" in image.read_bytes()
    said = insert(running, image)
    assert said["outcome"] == "proven" and not failed(said), said
    # Not in the file, nor in any other cell of the stick.
    assert b"sealed = " in sticks.read(image, "robocast.toml") and b"SECRET" not in image.read_bytes()
    # The box can read what it sealed.
    said = insert(running, image)
    steps = {step["step"]: step for step in said["steps"]}
    assert said["outcome"] == "proven" and steps["unseal"]["result"] == "done" and steps["write"]["text"] == "already in force", said


def test_a_file_that_is_not_valid_changes_nothing(running, folder):
    recording = running.streaming(60)
    size = recording.stat().st_size
    settings = running.run("cat /var/lib/robocast/settings.toml")
    bad = running.stick(folder, "bad", {"robocast.toml": SETTINGS.replace("source", "sourse").encode()})
    said = insert(running, bad)
    assert said["outcome"] == "refused"
    steps = {step["step"]: step["result"] for step in said["steps"]}
    assert steps["validate"] == "failed" and steps["write"] == "not reached"
    assert running.run("cat /var/lib/robocast/settings.toml") == settings
    until("the stream continues", 30, lambda: recording.stat().st_size > size + 100_000)
    assert running.world.recordings()[-1] == recording
    assert b"sourse" in sticks.read(bad, "robocast-receipt.txt")
    assert running.run("systemctl is-system-running") == "running"


def test_pictures_and_other_partitions_are_ignored(running, folder):
    before = receipts(running)
    image = running.stick(folder, "pictures", {"DCIM/1.JPG": b"a picture"})
    running.plug(image, "pictures")
    running.until("it was looked at", 60, "journalctl -b -o cat -u 'robocast-provision@*'", "nor anything else for the box")
    idle(running)
    running.pull("pictures")
    assert receipts(running) == before and sticks.read(image, "robocast-receipt.txt") is None


def test_a_stick_that_is_pulled_out(running, folder):
    for number, moment in enumerate((0.3, 0.8, 1.5, 3, 6)):
        before, new = running.run("robocast settings name"), f"rig-{number + 10}"
        image = running.stick(folder, f"pulled{number}", {"robocast.toml": named(new)})
        running.plug(image, image.stem)
        # Waits for no state: somebody pulls it out at any time.
        time.sleep(moment)
        running.pull(image.stem)
        idle(running)
        # Intact: the old settings or the new.
        assert running.run("robocast settings name") in (before, new)
        assert running.run("robocast check /var/lib/robocast/settings.toml >/dev/null && echo fine") == "fine"
        running.streaming(120)


def test_uplinks_that_do_not_work_are_rolled_back(running, folder):
    assert insert(running, running.stick(folder, "good", {"robocast.toml": named("rig-03")}))["outcome"] == "proven"
    # An address in a network that does not exist.
    wrong = named("rig-04") + b'[uplink.ethernet]\ninterface = "eth1"\naddress = "10.99.0.5/24"\ngateway = "10.99.0.1"\n'
    said = insert(running, running.stick(folder, "wrong", {"robocast.toml": wrong}), 300)
    assert said["outcome"] == "kept" and failed(said)[:1] == ["uplink"], said
    running.streaming(120)
    # Also after a power cut; and the rest of the new settings stays in force.
    running.cut()
    running.boot()
    running.streaming(240)
    assert running.run("cat /proc/sys/kernel/hostname") == "rig-04"
    # The next stick's uplinks are tried.
    assert insert(running, running.stick(folder, "fixed", {"robocast.toml": named("rig-05")}))["outcome"] == "proven"


def test_an_update_that_is_none_is_refused_in_rauc_s_words(running, folder):
    """The way to RAUC is whole also where none can be installed: D-Bus starts the update program, which asks RAUC."""
    said = insert(running, running.stick(folder, "no-update", {"update.raucb": b"no bundle"}))
    assert failed(said) == ["update"], said
    [part] = [part for part in said["steps"][-1]["parts"] if part["what"] == "update"]
    assert part["text"].startswith("RAUC does not install update.raucb: "), part
    assert running.run("busctl get-property org.robocast.Update1 /org/robocast/Update1 org.robocast.Update1 Operation") == 's "idle"'
    running.until("it ends by itself", 120, "systemctl is-active robocast-update.service || true", "inactive")


# RAUC reads it through the update program, which has it open; it does so with verity alone.
@pytest.mark.lg_feature("device-mapper")
def test_an_update_on_a_stick(running, folder):
    size = running.bundle.stat().st_size + (64 << 20)
    image = running.stick(folder, "update", {"update.raucb": running.bundle}, max(size, 320 << 20))
    running.until("slot A is proven", 60, "cat /var/lib/robocast/proven", "rootfs.0 ")
    said = insert(running, image, 300)
    assert not failed(said), said
    assert running.run("fw_printenv -n BOOT_ORDER") == "B A"


def test_two_sticks_at_once(new_board, folder):
    images = [new_board.stick(folder, name, {"robocast.toml": named(name)}) for name in ("rig-a", "rig-b")]
    new_board.sticks = images
    new_board.boot()
    until("both receipts", 300, lambda: len(receipts(new_board)) == 2)
    idle(new_board)
    last = told(new_board)
    assert new_board.run("cat /proc/sys/kernel/hostname") == last["device"]
    assert last["device"] in new_board.run("cat /var/lib/robocast/settings.toml")
    new_board.streaming(120)
    new_board.cut()
    both = [receipt(image) for image in images]
    assert {said["device"] for said in both} == {"rig-a", "rig-b"}
    assert {said["outcome"] for said in both} == {"proven"}


@pytest.mark.lg_feature("fat")
def test_the_boot_partition_at_first_boot(new_board, folder):
    start, _ = new_board.partition("boot")
    source = folder / "robocast.toml"
    source.write_bytes(SETTINGS.encode())
    place = f"{new_board.disk}@@{start}"
    run("mcopy", "-o", "-i", place, source, "::robocast.toml")
    new_board.boot()
    assert told(new_board, (), 240)["outcome"] == "proven"
    new_board.streaming(120)
    idle(new_board)
    new_board.cut()
    assert receipt(place)["outcome"] == "proven"
    # From now on the box has settings, and the file there is not read again.
    source.write_bytes(named("rig-08"))
    run("mcopy", "-o", "-i", place, source, "::robocast.toml")
    new_board.boot()
    new_board.streaming(240)
    assert new_board.run("cat /proc/sys/kernel/hostname") == "rig-01"
