// Reads LevelDB's numbers and slices one after the other. What does not fit makes the cursor unsound instead of
// throwing: whoever reads asks at the end.

export class Cursor {
  readonly #bytes: Uint8Array;
  #at: number;
  isSound = true;

  constructor(bytes: Uint8Array, at = 0) {
    this.#bytes = bytes;
    this.#at = at;
  }

  get at(): number {
    return this.#at;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  byte(): number {
    const byte = this.#bytes[this.#at++];
    if (byte === undefined) this.isSound = false;
    return byte ?? 0;
  }

  fixed32(): number {
    return this.#has(4) ? fixed32(this.#bytes, this.#skip(4)) : 0;
  }

  fixed64(): number {
    return this.fixed32() + this.fixed32() * 0x1_0000_0000;
  }

  varint(): number {
    let value = 0;
    for (let scale = 1; scale <= 2 ** 49; scale *= 128) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
    this.isSound = false;
    return 0;
  }

  bytes(length: number): Uint8Array {
    if (!this.#has(length)) return new Uint8Array(0);
    const from = this.#skip(length);
    return this.#bytes.subarray(from, from + length);
  }

  /** With its length before it. */
  slice(): Uint8Array {
    return this.bytes(this.varint());
  }

  #has(length: number): boolean {
    if (this.#at + length > this.#bytes.length) this.isSound = false;
    return this.isSound;
  }

  #skip(length: number): number {
    this.#at += length;
    return this.#at - length;
  }
}

/** The lowest byte first. */
export function fixed32(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true);
}
