// Which way a block goes to another cluster (protocol 3.2): fixed, or by the share of blocks that collided.

import { describe, expect, test } from "vitest";
import { Disseminator } from "../../src/cross/dissemination.js";
import type { ClusterId } from "../../src/types/ids.js";
import { limits } from "../../src/types/limits.js";

const [ONE, TWO] = [1, 2] as ClusterId[] as [ClusterId, ClusterId];

/** Blocks to a cluster of which some collide if sent flattened; returns how many went flattened. */
function send(disseminator: Disseminator, cluster: ClusterId, collisions: readonly boolean[]): number {
  let flattened = 0;
  for (const collided of collisions) {
    if (disseminator.choose(cluster) !== "flattened") continue;
    flattened++;
    disseminator.observe(cluster, collided);
  }
  return flattened;
}

function share(collided: number, of: number): boolean[] {
  // The collisions last, so that they count as soon as they are seen.
  return Array.from({ length: of }, (_, i) => i >= of - collided);
}

describe.each(["flattened", "super-propose"] as const)("%s", (rule) => {
  test("is what the rule says, whatever collides", () => {
    const disseminator = new Disseminator(rule);
    for (let i = 0; i < 200; i++) disseminator.observe(ONE, true);
    expect(disseminator.choose(ONE)).toBe(rule);
  });
});

describe("adaptive", () => {
  test("begins flattened and stays so below 10 %", () => {
    const disseminator = new Disseminator("adaptive");
    expect(send(disseminator, ONE, share(12, limits.adaptiveBlocks))).toBe(limits.adaptiveBlocks);
    expect(disseminator.choose(ONE)).toBe("flattened");
  });

  test("goes over to super-propose at 10 %, for that pair of clusters only", () => {
    const disseminator = new Disseminator("adaptive");
    send(disseminator, ONE, share(13, limits.adaptiveBlocks));
    expect(disseminator.choose(ONE)).toBe("super-propose");
    expect(disseminator.choose(TWO)).toBe("flattened");
  });

  test("says nothing from a few blocks", () => {
    const disseminator = new Disseminator("adaptive");
    expect(send(disseminator, ONE, share(15, 15))).toBe(15);
    expect(disseminator.choose(ONE)).toBe("flattened");
  });

  test("looks at the last blocks only", () => {
    const disseminator = new Disseminator("adaptive");
    // One in eleven is below the limit, for ever.
    for (let i = 0; i < 50; i++) expect(send(disseminator, ONE, share(1, 11))).toBe(11);
    send(disseminator, ONE, share(0, limits.adaptiveBlocks));
    send(disseminator, ONE, share(12, 12));
    expect(disseminator.choose(ONE)).toBe("flattened");
    send(disseminator, ONE, share(1, 1));
    expect(disseminator.choose(ONE)).toBe("super-propose");
  });

  test("measures on with one block in sixteen, and comes back below 5 %", () => {
    const disseminator = new Disseminator("adaptive");
    send(disseminator, ONE, share(16, 16));
    expect(send(disseminator, ONE, share(0, 15 * 16))).toBe(15);
    expect(disseminator.choose(ONE)).toBe("super-propose");
    expect(send(disseminator, ONE, share(0, 16))).toBeGreaterThan(0);
    expect(disseminator.choose(ONE)).toBe("flattened");
  });

  test("does not come back between 5 and 10 %", () => {
    const disseminator = new Disseminator("adaptive");
    send(disseminator, ONE, share(16, 16));
    for (let i = 0; i < 10; i++) {
      // One probe in fourteen collides.
      for (let probe = 0; probe < 14; probe++) {
        for (let j = 0; j < 16; j++)
          if (disseminator.choose(ONE) === "flattened") disseminator.observe(ONE, probe === 0);
      }
    }
    const ways = Array.from({ length: 16 }, () => disseminator.choose(ONE));
    expect(ways.filter((way) => way === "flattened")).toHaveLength(1);
  });
});
