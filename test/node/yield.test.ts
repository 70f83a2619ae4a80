// How long a node stays with one source of a state (protocol 6): to the end with every honest one, whatever the sizes of
// its pieces, and not for long with one that says or gives the same as good as nothing.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Yield } from "../../src/node/yield.js";
import { limits } from "../../src/types/limits.js";
import type { StatePiece } from "../../src/types/schema.js";

// Large against small is what counts.
Object.assign(limits, { stateAnswerBytesMax: 1000 });

const piece = (size: number): StatePiece => ({ number: 0, bytes: new Uint8Array(size) });

/** What a source that fills its answers gives of pieces that have these sizes (state-server.ts). */
function answerOf(sizes: readonly number[]): readonly StatePiece[] {
  let room = limits.stateAnswerBytesMax;
  const end = sizes.findIndex((size, i) => {
    room -= size;
    return room < 0 && i > 0;
  });
  return sizes.slice(0, end < 0 ? sizes.length : end).map(piece);
}

describe("a source", () => {
  test("that fills its answers is kept, whatever the sizes of its pieces", () => {
    const sizes = fc.oneof(
      fc.nat(100),
      fc.integer({ min: 1, max: limits.stateAnswerBytesMax }),
      fc.constantFrom(limits.stateAnswerBytesMax - 1, limits.stateAnswerBytesMax, 3 * limits.stateAnswerBytesMax),
    );
    const parts = fc.array(fc.array(sizes, { minLength: 1, maxLength: 40, size: "max" }), { minLength: 1 });
    fc.assert(
      fc.property(parts, (all) => {
        const source = new Yield();
        for (const part of all) {
          for (let given = 0; given < part.length; ) {
            const pieces = answerOf(part.slice(given));
            expect(source.onPieces(part.length - given, pieces)).toBe(true);
            given += pieces.length;
          }
        }
      }),
    );
  });

  test("that gives a piece at a time is not, unless these are large", () => {
    const stingy = new Yield();
    const kept = Array.from({ length: limits.shortAnswersMax }, () => stingy.onPieces(100, [piece(1)]));
    expect(kept.indexOf(false)).toBe(limits.shortAnswersMax - 1);
    // A whole part now and then does not make up for it.
    const small = new Yield();
    const answers = Array.from({ length: 3 * limits.shortAnswersMax }, (_, i) =>
      small.onPieces(1 + (i % 2), [piece(1)]),
    );
    expect(answers.indexOf(false)).toBe(2 * limits.shortAnswersMax - 1);
    const large = new Yield();
    const size = Math.ceil(limits.stateAnswerBytesMax / limits.shortAnswersMax);
    for (let i = 0; i < 100; i++) expect(large.onPieces(100, [piece(size)])).toBe(true);
  });

  test("has said its list again when it gave nothing since", () => {
    const source = new Yield();
    expect(source.onList(64)).toBe("first");
    expect(source.onList(64)).toBe("again");
    expect(source.onList(128)).toBe("further");
    source.onPieces(2, [piece(1)]);
    expect(source.onList(128)).toBe("further");
    expect(source.onList(128)).toBe("again");
  });
});
