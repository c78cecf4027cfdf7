// Reads the picture's size from a sequence parameter set: ITU-T H.264, 7.3.2.1.1.
const WITH_CHROMA = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];

class Bits {
  constructor(bytes) {
    // Removes the emulation prevention bytes.
    this.bytes = bytes.filter((byte, i) => !(byte === 3 && i >= 2 && bytes[i - 1] === 0 && bytes[i - 2] === 0));
    this.at = 0;
  }

  bit() {
    const bit = this.bytes[this.at >> 3] >> 7 - (this.at & 7) & 1;
    this.at += 1;
    return bit;
  }

  unsigned() {
    let zeros = 0;
    while (zeros < 32 && !this.bit()) zeros++;
    let value = 1;
    for (let i = 0; i < zeros; i++) value = value * 2 + this.bit();
    return value - 1;
  }

  signed() {
    const value = this.unsigned();
    return value & 1 ? (value + 1) / 2 : -value / 2;
  }

  scalingList(size) {
    for (let i = 0, last = 8, next = 8; i < size; i++) {
      if (next) next = (last + this.signed() + 256) % 256;
      last = next || last;
    }
  }
}

export function pictureSize(sps) {
  const bits = new Bits(sps);
  bits.at = 32;
  bits.unsigned();
  let chroma = 1;
  if (WITH_CHROMA.includes(sps[1])) {
    chroma = bits.unsigned();
    if (chroma === 3) bits.bit();
    bits.unsigned();
    bits.unsigned();
    bits.bit();
    if (bits.bit()) {
      for (let i = 0; i < (chroma === 3 ? 12 : 8); i++) if (bits.bit()) bits.scalingList(i < 6 ? 16 : 64);
    }
  }
  bits.unsigned();
  const order = bits.unsigned();
  if (order === 0) {
    bits.unsigned();
  } else if (order === 1) {
    bits.bit();
    bits.signed();
    bits.signed();
    for (let left = bits.unsigned(); left > 0; left--) bits.signed();
  }
  bits.unsigned();
  bits.bit();
  const columns = bits.unsigned() + 1;
  const rows = bits.unsigned() + 1;
  const frameOnly = bits.bit();
  if (!frameOnly) bits.bit();
  bits.bit();
  const [left, right, top, bottom] = bits.bit() ? [0, 0, 0, 0].map(() => bits.unsigned()) : [0, 0, 0, 0];
  const stepX = chroma === 1 || chroma === 2 ? 2 : 1;
  const stepY = (chroma === 1 ? 2 : 1) * (2 - frameOnly);
  return { width: columns * 16 - stepX * (left + right), height: rows * 16 * (2 - frameOnly) - stepY * (top + bottom) };
}
