import { mkdtempSync, rmSync } from "node:fs";
import { it, vi } from "vitest";
import { runProgram } from "../../src/cli/program.js";
import { openLevelStore } from "../../src/ledger/level.js";
import { drawLedger } from "./drawn.js";

const F = `
  p1: a0 a1 X a2 a3 Y a4
  p2: b0 b1 X b2 b3 Y b4 b5
  p3: c0 c1 Z c2 c3 Y c4
  p4: d0 d1 Z d2 d3 d4 Y d5
`;
async function make(dir: string, drawing: string, model: "crash" | "byzantine") {
  rmSync(dir, { recursive: true, force: true });
  const d = await drawLedger(drawing, {
    model,
    makeStore: (n, networkId) => openLevelStore({ path: `${dir}/${n}`, networkId, nodeId: n, create: true }),
  });
  for (const { store } of d.nodes) await store.close();
}
it("x", async () => {
  const commands = [{ name: "ledger", describe: "", load: () => import("../../src/cli/ledger.js") }];
  await make("/tmp/lv/f", F, "byzantine");
  await runProgram("ledger graph --data /tmp/lv/f --out /tmp/lv/f.svg".split(" "), commands);
  await runProgram("ledger verify --data /tmp/lv/f".split(" "), commands);
  await runProgram("ledger show --data /tmp/lv/f/c1n0".split(" "), commands);
  await runProgram("ledger show --data /tmp/lv/f/c1n0 --height 3".split(" "), commands);
  let seed = 7;
  const rnd = (n: number) => (seed = (seed * 48271) % 2147483647) % n;
  const lanes: string[][] = [[], [], [], [], [], []];
  for (let i = 0; i < 240; i++) {
    const size = rnd(10) < 8 ? 1 : 2 + rnd(2);
    const set = new Set<number>();
    while (set.size < size) set.add(rnd(6));
    const mark = rnd(12) === 0 ? "!" : size > 1 && rnd(3) === 0 ? "*" : "";
    for (const l of set) lanes[l]!.push(`n${i}${mark}`);
  }
  await make("/tmp/lv/g", lanes.map((l, i) => `p${i + 1}: ${l.join(" ")}`).join("\n"), "crash");
  await runProgram("ledger graph --data /tmp/lv/g --out /tmp/lv/g.svg".split(" "), commands);
  await runProgram("ledger graph --data /tmp/lv/f --out /tmp/lv/f.dot".split(" "), commands);
  await runProgram("ledger verify --data /tmp/lv/g --strict".split(" "), commands);
  await runProgram("ledger graph --data /tmp/lv/g --last 5 --out /tmp/lv/h.svg".split(" "), commands);
  {
    const names = Array.from({ length: 5000 }, (_, i) => ({ i, set: i % 10 === 0 ? [i % 4, (i + 1) % 4] : [i % 4] }));
    const t0 = performance.now();
    await make(
      "/tmp/lv/p",
      [0, 1, 2, 3]
        .map(
          (l) =>
            `p${l + 1}: ${names
              .filter((n) => n.set.includes(l))
              .map((n) => `n${n.i}`)
              .join(" ")}`,
        )
        .join("\n"),
      "byzantine",
    );
    const t1 = performance.now();
    await runProgram("ledger verify --data /tmp/lv/p --strict".split(" "), commands);
    console.log("made", t1 - t0, "verified", performance.now() - t1);
  }
  await runProgram("ledger --help".split(" "), commands);
  await runProgram("ledger graph --help".split(" "), commands);
}, 60000);
