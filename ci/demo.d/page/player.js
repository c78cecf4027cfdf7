// Plays a live HLS playlist of MPEG-TS with H.264 pictures. If the browser has Media Source Extensions, each segment
// is remuxed to fragmented MP4; if not (iPhone), the browser plays the playlist itself.
import { readPiece } from "./ts.js";
import { initSegment, mediaSegment, mimeType } from "./mp4.js";

const HERTZ = 90000;
// Segments to start with: one plays while the next is made.
const PIECES_IN_HAND = 2;
const SECONDS_KEPT = 30;
const SECONDS_BEHIND = 16;

export async function play(video, address) {
  if (!window.MediaSource) {
    video.src = address;
    return;
  }
  const source = new MediaSource();
  video.src = URL.createObjectURL(source);
  await happens(source, "sourceopen");
  const stream = new Stream(source, video);
  let last = -1;
  for (;;) {
    try {
      const pieces = await playlist(address);
      // The server restarted.
      if (pieces.length && pieces.at(-1).number < last) last = -1;
      if (last < 0) pieces.splice(0, pieces.length - PIECES_IN_HAND);
      for (const piece of pieces.filter(piece => piece.number > last)) {
        await stream.append(new Uint8Array(await (await get(piece.address)).arrayBuffer()));
        last = piece.number;
      }
    } catch (error) {
      if (error.fatal) throw error;
    }
    stream.keepUp();
    await new Promise(done => setTimeout(done, 500));
  }
}

// The segments of a playlist with their numbers.
async function playlist(address) {
  const answer = await get(address);
  let number = 0;
  const pieces = [];
  for (const line of (await answer.text()).split("\n").map(line => line.trim())) {
    if (line.startsWith("#EXT-X-MEDIA-SEQUENCE:")) number = Number(line.split(":")[1]);
    else if (line && !line.startsWith("#")) pieces.push({ number: number++, address: new URL(line, answer.url) });
  }
  return pieces;
}

async function get(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`${answer.status} ${answer.statusText}`);
  return answer;
}

const happens = (target, event) => new Promise(done => target.addEventListener(event, done, { once: true }));

class Stream {
  constructor(source, video) {
    this.source = source;
    this.video = video;
    this.buffer = null;
    this.parameters = "";
    this.offset = null; // from the server's clock to the element's
    this.end = 0; // where the next frame is expected, on the element's clock
  }

  async append(bytes) {
    const { frames, sps, pps } = readPiece(bytes);
    if (!frames.length) return;
    if (!this.buffer && !sps) return;
    if (sps && `${sps},${pps}` !== this.parameters) await this.announce(sps, pps);

    const first = frames[0].dts;
    // A clock that jumps (a server or robot that restarted) continues where the picture ended.
    if (this.offset === null || Math.abs(first + this.offset - this.end) > HERTZ) this.offset = this.end - first;
    frames.forEach((frame, i) => {
      const next = frames[i + 1];
      frame.duration = next ? Math.max(next.dts - frame.dts, 1) : (frames[i - 1]?.duration ?? HERTZ / 25);
    });
    const start = first + this.offset;
    this.end = frames.at(-1).dts + this.offset + frames.at(-1).duration;
    await this.add(mediaSegment(frames, start));
  }

  // The picture's size or encoding changed: the slate's differ from the robot's.
  async announce(sps, pps) {
    const type = mimeType(sps);
    if (!MediaSource.isTypeSupported(type)) throw Object.assign(new Error(`no decoder for ${type}`), { fatal: true });
    if (!this.buffer) this.buffer = this.source.addSourceBuffer(type);
    else this.buffer.changeType?.(type);
    this.parameters = `${sps},${pps}`;
    await this.add(initSegment(sps, pps));
  }

  async add(bytes) {
    const done = happens(this.buffer, "updateend");
    this.buffer.appendBuffer(bytes);
    await done;
  }

  // Skips gaps, catches up after a pause, removes what was played.
  keepUp() {
    const { video, buffer } = this;
    if (!buffer || buffer.updating || !buffer.buffered.length) return;
    const now = video.currentTime;
    const ranges = Array.from({ length: buffer.buffered.length }, (_, i) => [buffer.buffered.start(i), buffer.buffered.end(i)]);
    const end = ranges.at(-1)[1];
    const within = ranges.some(([from, to]) => now >= from && now < to - 0.1);
    const later = ranges.find(([from]) => from > now);
    if (!within && later) video.currentTime = later[0];
    else if (end - now > SECONDS_BEHIND && !video.paused) video.currentTime = ranges.at(-1)[0] > end - 6 ? ranges.at(-1)[0] : end - 6;
    if (video.paused && !video.played.length) video.play().catch(() => {});
    if (now > 2 * SECONDS_KEPT) buffer.remove(0, now - SECONDS_KEPT);
  }
}
