"""A media server's recording, frame by frame, compared with what the robot sent."""

from dataclasses import dataclass

VIDEO, AVC_NALU = 9, 1
FNV_START, FNV_PRIME, FNV_MASK = 0xCBF29CE484222325, 0x100000001B3, (1 << 64) - 1


@dataclass
class Frame:
    end: int        # offset in the file after its last byte
    slices: tuple   # hashes of its coded slices


def fnv1a(data):
    """The hash in the robot's log (draft-eastlake-fnv, 64 bits)."""
    value = FNV_START
    for byte in data:
        value = ((value ^ byte) * FNV_PRIME) & FNV_MASK
    return value


def frames(path):
    """The video frames of an FLV file, without an incomplete last one."""
    data = path.read_bytes()
    at, found = 9 + 4, []
    while at + 11 <= len(data):
        kind, size = data[at], int.from_bytes(data[at + 1:at + 4], "big")
        body, at = data[at + 11:at + 11 + size], at + 11 + size + 4
        if at > len(data):
            break
        # Frame type and codec (1), packet type (1), composition time (3), then NAL units behind their lengths.
        if kind == VIDEO and len(body) > 5 and body[0] & 0x0F == 7 and body[1] == AVC_NALU:
            found.append(Frame(at, tuple(slices(body[5:]))))
    return found


def slices(body):
    at = 0
    while at + 4 <= len(body):
        size = int.from_bytes(body[at:at + 4], "big")
        unit, at = body[at + 4:at + 4 + size], at + 4 + size
        if unit and 1 <= unit[0] & 0x1F <= 5:
            yield fnv1a(unit)


def sent(lines):
    """Hashes of the slices that the robot sent, from the lines of its log."""
    return [int(line.split(b" ")[2], 16) for line in lines]


def places(frames, when_arrived, sent_slices, when_sent):
    """The position of each recorded frame in the robot's sequence; None for one that the robot never sent (a slate).

    Footage repeats: of several positions it is the last one sent before the frame arrived. Both are observed a little late."""
    found, at = {}, {}
    for index, value in enumerate(sent_slices):
        found.setdefault(value, []).append(index)
    for number, (frame, arrived) in enumerate(zip(frames, when_arrived)):
        known = found.get(frame.slices[0], []) if frame.slices else []
        before = [index for index in known if when_sent[index] <= arrived + 0.1]
        if before:
            at[number] = before[-1]
    return [at.get(number) for number in range(len(when_arrived))]
