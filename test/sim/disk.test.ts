// What survives a crash: everything synced, and of what was not, any beginning.

import { describe, expect, test } from "vitest";
import { MemoryStore } from "../../src/ledger/memory.js";
import { Disk } from "../../src/sim/disk.js";

const key = (name: string) => new TextEncoder().encode(name);

function diskOf() {
  const disk = new Disk(new MemoryStore());
  return {
    disk,
    write: (sync: boolean, ...pairs: readonly (readonly [string, number | undefined])[]) =>
      disk.write(
        pairs.map(([name, value]) => ({ key: key(name), value: value === undefined ? value : Uint8Array.of(value) })),
        { sync },
      ),
    read: (name: string) => disk.store.get(key(name))?.[0],
  };
}

describe("the simulated disk", () => {
  test("loses the newest unsynced writes, and brings back what they replaced or deleted", () => {
    const { disk, write, read } = diskOf();
    write(true, ["a", 1], ["b", 1]);
    write(false, ["a", 2], ["c", 2]);
    write(false, ["b", undefined], ["a", 3]);
    disk.crash(1);
    expect([read("a"), read("b"), read("c")]).toEqual([2, 1, 2]);
  });

  test("a synced write makes everything before it durable", () => {
    const { disk, write, read } = diskOf();
    write(false, ["a", 1]);
    write(true, ["b", 1]);
    write(false, ["a", 2]);
    disk.crash(10);
    expect([read("a"), read("b")]).toEqual([1, 1]);
  });

  test("that has lost what was synced is refused, and one that lost what was not is taken", async () => {
    const { disk, write } = diskOf();
    for (let i = 0; i < 5; i++) write(true, ["a", i]);
    write(false, ["a", 9]);
    disk.crash(1);
    expect(await disk.refusal()).toBeUndefined();
    disk.lose(2);
    expect((await disk.refusal())?.code).toBe("store-rolled-back");
    expect(disk.store.get(key("a"))).toEqual(Uint8Array.of(2));
  });

  test("that breaks its promise loses something that was synced, whatever survived a crash after it", async () => {
    const { disk, write, read } = diskOf();
    for (let i = 0; i < 3; i++) write(true, ["a", i]);
    write(false, ["a", 9]);
    disk.crash(0);
    disk.lose(1);
    expect(read("a")).toBe(1);
    expect((await disk.refusal())?.code).toBe("store-rolled-back");
  });

  test("what a crash has not lost is not lost at the next one", () => {
    const { disk, write, read } = diskOf();
    write(false, ["a", 1]);
    disk.crash(0);
    disk.crash(1);
    expect(read("a")).toBe(1);
  });
});
