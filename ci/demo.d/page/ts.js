// Reads H.264 from an MPEG transport stream: ISO/IEC 13818-1, and Annex B of ITU-T H.264.
const PACKET = 188;
const AVC = 0x1b;
const [NAL_IDR, NAL_SPS, NAL_PPS, NAL_AUD] = [5, 7, 8, 9];

// The frames of a segment ({dts, pts, key, data with each NAL's length before it}) and its last parameter sets.
export function readPiece(bytes) {
  const frames = [];
  const sets = { sps: null, pps: null };
  let tablePid = -1;
  let videoPid = -1;
  let parts = [];
  const finish = () => {
    if (parts.length) addFrame(frames, sets, join(parts));
    parts = [];
  };
  for (let at = 0; at + PACKET <= bytes.length; at += PACKET) {
    if (bytes[at] !== 0x47) throw new Error("this is no transport stream");
    const starts = bytes[at + 1] & 0x40;
    const pid = (bytes[at + 1] & 0x1f) << 8 | bytes[at + 2];
    const control = bytes[at + 3] >> 4 & 3;
    if (!(control & 1)) continue;
    const payload = bytes.subarray(at + 4 + (control & 2 ? 1 + bytes[at + 4] : 0), at + PACKET);
    if (pid === 0 && starts) {
      tablePid = programTable(payload);
    } else if (pid === tablePid && starts) {
      videoPid = videoStream(payload);
    } else if (pid === videoPid) {
      if (starts) finish();
      parts.push(payload);
    }
  }
  finish();
  return { frames, ...sets };
}

// The PAT has the PID of the (only) programme's PMT.
function programTable(payload) {
  const table = payload.subarray(1 + payload[0]);
  return (table[10] & 0x1f) << 8 | table[11];
}

// The PMT has the PID of its H.264.
function videoStream(payload) {
  const table = payload.subarray(1 + payload[0]);
  const end = 3 + ((table[1] & 0x0f) << 8 | table[2]) - 4;
  let at = 12 + ((table[10] & 0x0f) << 8 | table[11]);
  while (at < end) {
    if (table[at] === AVC) return (table[at + 1] & 0x1f) << 8 | table[at + 2];
    at += 5 + ((table[at + 3] & 0x0f) << 8 | table[at + 4]);
  }
  return -1;
}

// One PES packet is one frame.
function addFrame(frames, sets, packet) {
  const flags = packet[7] >> 6;
  if (!(flags & 2)) return;
  const pts = stamp(packet, 9);
  const dts = flags & 1 ? stamp(packet, 14) : pts;
  const kept = [];
  let key = false;
  for (const unit of units(packet.subarray(9 + packet[8]))) {
    const kind = unit[0] & 0x1f;
    if (kind === NAL_SPS) sets.sps = unit;
    else if (kind === NAL_PPS) sets.pps = unit;
    else if (kind !== NAL_AUD) {
      key ||= kind === NAL_IDR;
      const length = unit.length;
      kept.push(new Uint8Array([length >>> 24, length >>> 16, length >>> 8, length]), unit);
    }
  }
  if (kept.length) frames.push({ dts, pts, key, data: join(kept) });
}

// A time stamp of 33 bits at 90 kHz: too large for bit operators.
function stamp(bytes, at) {
  const high = bytes[at] >> 1 & 7;
  return high * 2 ** 30 + (bytes[at + 1] << 22 | (bytes[at + 2] & 0xfe) << 14 | bytes[at + 3] << 7 | bytes[at + 4] >> 1);
}

// The bytes between start codes.
function* units(bytes) {
  let start = -1;
  let zeros = 0;
  for (let at = 0; at < bytes.length; at++) {
    if (bytes[at] === 1 && zeros >= 2) {
      if (start >= 0) yield trimmed(bytes.subarray(start, at - zeros));
      start = at + 1;
    }
    zeros = bytes[at] === 0 ? zeros + 1 : 0;
  }
  if (start >= 0 && start < bytes.length) yield trimmed(bytes.subarray(start));
}

function trimmed(unit) {
  let end = unit.length;
  while (end > 1 && unit[end - 1] === 0) end--;
  return unit.subarray(0, end);
}

export function join(parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
