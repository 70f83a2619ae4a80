import { expect, it } from "vitest";
import { Disseminator } from "../../src/cross/dissemination.js";
import type { ClusterId } from "../../src/types/ids.js";

const other = 2 as ClusterId;

function observe(disseminator: Disseminator, blocks: number, collisions: number): void {
  for (let i = 0; i < blocks; i++) disseminator.observe(other, i < collisions);
}

it("a fixed rule never changes", () => {
  for (const rule of ["flattened", "super-propose"] as const) {
    const disseminator = new Disseminator(rule);
    observe(disseminator, 100, 100);
    expect(disseminator.choose(other)).toBe(rule);
  }
});

it("adaptive begins flattened and changes at a tenth of collisions, once there are enough blocks to tell", () => {
  const disseminator = new Disseminator("adaptive");
  observe(disseminator, 15, 15);
  expect(disseminator.choose(other)).toBe("flattened");
  observe(disseminator, 1, 1);
  expect(disseminator.choose(other)).toBe("super-propose");
});

it("fewer collisions than a tenth change nothing", () => {
  const disseminator = new Disseminator("adaptive");
  for (let i = 0; i < 200; i++) disseminator.observe(other, i % 16 === 15);
  expect(disseminator.choose(other)).toBe("flattened");
});

it("under super-propose one block in sixteen is sent flattened, and calm ones change the way back", () => {
  const disseminator = new Disseminator("adaptive");
  observe(disseminator, 16, 16);
  const ways = Array.from({ length: 32 }, () => disseminator.choose(other));
  expect(ways.filter((way) => way === "flattened")).toHaveLength(2);
  observe(disseminator, 16, 0);
  expect(disseminator.choose(other)).toBe("flattened");
});

it("pairs of clusters are measured apart", () => {
  const disseminator = new Disseminator("adaptive");
  observe(disseminator, 16, 16);
  expect(disseminator.choose(3 as ClusterId)).toBe("flattened");
});
