import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { backoffMs } from "../../src/net/backoff.js";
import { encodeFrames, FrameReader, messagesOf, rejectionOf } from "../../src/net/frame.js";
import { limits } from "../../src/types/limits.js";

function sent(messages: readonly Uint8Array[]): Uint8Array[] {
  return [...encodeFrames(messages)].map((frame) => frame.subarray());
}

function received(chunks: readonly Uint8Array[]): Uint8Array[] {
  const reader = new FrameReader();
  return chunks.flatMap((chunk) => [...reader.push(chunk)].flatMap((frame) => [...messagesOf(frame)]));
}

function expectNothing(frames: Iterable<Uint8Array>): void {
  for (const _ of frames) throw new Error("a frame came out of a part of it");
}

function refusal(chunks: readonly Uint8Array[]): string | undefined {
  try {
    received(chunks);
  } catch (error) {
    return rejectionOf(error);
  }
  throw new Error("these bytes were accepted");
}

describe("frames", () => {
  it("any messages come out as they went in, however the bytes are cut", () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 40 }),
        fc.integer({ min: 1, max: 97 }),
        (messages, cut) => {
          const bytes = Buffer.concat(sent(messages));
          const chunks = [];
          for (let at = 0; at < bytes.length; at += cut) chunks.push(bytes.subarray(at, at + cut));
          expect(received(chunks).map((message) => Buffer.from(message))).toEqual(messages.map((m) => Buffer.from(m)));
        },
      ),
    );
  });

  it("no messages make no frame", () => {
    expect(sent([])).toEqual([]);
  });

  it("one turn's messages are one frame, up to the bounds on their number and bytes", () => {
    const small = new Uint8Array(10);
    expect(sent(Array(limits.frameMessagesMax).fill(small))).toHaveLength(1);
    expect(sent(Array(limits.frameMessagesMax + 1).fill(small))).toHaveLength(2);
    const large = new Uint8Array(limits.frameBytesMax / 2 - 5);
    expect(sent([large, large])).toHaveLength(1);
    expect(sent([large, large, small])).toHaveLength(2);
    for (const bytes of sent([large, large, small])) expect(bytes.length).toBeLessThanOrEqual(limits.frameBytesMax + 4);
  });

  it("a message that fits no frame is our own bug", () => {
    expect(() => sent([new Uint8Array(limits.frameBytesMax)])).toThrow();
  });

  it("a length over the bound is refused from the length alone", () => {
    expect(refusal([Uint8Array.of(0x81, 0x80, 0x80, 0x02)])).toBe("oversized");
    expect(refusal([new Uint8Array(16).fill(0xff)])).toBe("oversized");
  });

  it("a frame that is not the one encoding of messages is malformed", () => {
    expect(refusal([Uint8Array.of(2, 0x12, 0x00)])).toBe("malformed");
    expect(refusal([Uint8Array.of(3, 0x0a, 0x05, 0x00)])).toBe("malformed");
    expect(refusal([Uint8Array.of(0), Uint8Array.of(0)])).toBe("malformed");
  });

  it("a frame in single bytes takes no more memory than its bytes", () => {
    const reader = new FrameReader();
    const length = 256 << 10;
    const [bytes] = sent([new Uint8Array(length)]) as [Uint8Array];
    globalThis.gc?.();
    const before = process.memoryUsage.rss();
    // As they come from a socket: each byte a piece of its own.
    for (const byte of bytes.subarray(0, -1)) expectNothing(reader.push(Uint8Array.of(byte)));
    expect(reader.partial).toBe(bytes.length - 1);
    expect(process.memoryUsage.rss() - before).toBeLessThan(64 << 20);
    expect([...reader.push(bytes.subarray(-1))]).toHaveLength(1);
  });

  it("a length that is not the shortest is malformed", () => {
    expect(refusal([Uint8Array.of(0x83, 0x00, 0x0a, 0x01, 0x00)])).toBe("malformed");
  });

  it("a stream that ends inside a frame is no offence", () => {
    const reader = new FrameReader();
    expect([...reader.push(Uint8Array.of(9, 1, 2))]).toEqual([]);
    expect(reader.partial).toBe(3);
  });
});

describe("backing off", () => {
  it("waits double up to the cap, and never less than half of it", () => {
    fc.assert(
      fc.property(fc.nat(5000), fc.double({ min: 0, max: 1, noNaN: true }), (attempt, chance) => {
        const full = Math.min(limits.dialBackoffMaxMs, limits.dialBackoffMinMs * 2 ** attempt);
        const waitMs = backoffMs(attempt, chance);
        expect(waitMs).toBeGreaterThanOrEqual(full / 2);
        expect(waitMs).toBeLessThanOrEqual(full);
      }),
    );
  });
});
