// Fragmented MP4 of one H.264 track: ISO/IEC 14496-12 and 14496-15. Times count 90,000 a second.
import { join } from "./ts.js";
import { pictureSize } from "./sps.js";

const HERTZ = 90000;
const UNITY = [0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000].flatMap(u32);
const zeros = count => new Array(count).fill(0);
const text = string => Array.from(string, letter => letter.charCodeAt(0));

function u16(value) {
  return [value >>> 8 & 255, value & 255];
}

function u32(value) {
  return [value >>> 24 & 255, value >>> 16 & 255, value >>> 8 & 255, value & 255];
}

function box(name, ...parts) {
  const body = join(parts.map(part => part instanceof Uint8Array ? part : new Uint8Array(part)));
  return join([new Uint8Array([...u32(8 + body.length), ...text(name)]), body]);
}

const fullBox = (name, version, flags, ...parts) => box(name, [version, ...u32(flags).slice(1)], ...parts);

export function mimeType(sps) {
  const codec = Array.from(sps.subarray(1, 4), byte => byte.toString(16).padStart(2, "0")).join("");
  return `video/mp4; codecs="avc1.${codec}"`;
}

// The decoder's configuration, before the first frame.
export function initSegment(sps, pps) {
  const { width, height } = pictureSize(sps);
  const avcC = box("avcC", [1, sps[1], sps[2], sps[3], 0xff, 0xe1, ...u16(sps.length)], sps, [1, ...u16(pps.length)], pps);
  const avc1 = box("avc1", zeros(6), u16(1), zeros(16), u16(width), u16(height), u32(0x480000), u32(0x480000),
    zeros(4), u16(1), zeros(32), u16(0x18), u16(0xffff), avcC);
  const stbl = box("stbl", fullBox("stsd", 0, 0, u32(1), avc1), fullBox("stts", 0, 0, u32(0)),
    fullBox("stsc", 0, 0, u32(0)), fullBox("stsz", 0, 0, zeros(8)), fullBox("stco", 0, 0, u32(0)));
  const dinf = box("dinf", fullBox("dref", 0, 0, u32(1), fullBox("url ", 0, 1)));
  const minf = box("minf", fullBox("vmhd", 0, 1, zeros(8)), dinf, stbl);
  const mdhd = fullBox("mdhd", 0, 0, zeros(8), u32(HERTZ), u32(0), u16(0x55c4), u16(0));
  const hdlr = fullBox("hdlr", 0, 0, zeros(4), text("vide"), zeros(12), text("video\0"));
  const tkhd = fullBox("tkhd", 0, 3, zeros(8), u32(1), zeros(24), UNITY, u16(width), u16(0), u16(height), u16(0));
  const mvhd = fullBox("mvhd", 0, 0, zeros(8), u32(HERTZ), u32(0), u32(0x10000), u16(0x100), zeros(10), UNITY,
    zeros(24), u32(2));
  const trex = fullBox("trex", 0, 0, u32(1), u32(1), zeros(12));
  return join([
    box("ftyp", text("isom"), u32(1), text("isomavc1")),
    box("moov", mvhd, box("trak", tkhd, box("mdia", mdhd, hdlr, minf)), box("mvex", trex)),
  ]);
}

// A fragment with the frames from `start` on.
export function mediaSegment(frames, start) {
  const samples = frames.flatMap(frame => [
    ...u32(frame.duration), ...u32(frame.data.length), ...u32(frame.key ? 0x02000000 : 0x01010000),
    ...u32(frame.pts - frame.dts),
  ]);
  const tfhd = fullBox("tfhd", 0, 0x020000, u32(1));
  const tfdt = fullBox("tfdt", 1, 0, u32(Math.floor(start / 2 ** 32)), u32(start % 2 ** 32));
  const moof = place => box("moof", fullBox("mfhd", 0, 0, u32(1)),
    box("traf", tfhd, tfdt, fullBox("trun", 1, 0xf01, u32(frames.length), u32(place), samples)));
  const place = moof(0).length + 8;
  return join([moof(place), box("mdat", ...frames.map(frame => frame.data))]);
}
