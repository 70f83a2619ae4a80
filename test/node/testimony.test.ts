// Evidence on its way (protocol I13): kept once for each contradiction and a bounded number for each node, told by
// gossip a few in a second, believed only with good signatures, and listed and checked by people who have the topology
// alone.

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { runProgram } from "../../src/cli/program.js";
import { ed25519Verifier } from "../../src/crypto/signature.js";
import { openLevelStore } from "../../src/ledger/level.js";
import { genesisWrites } from "../../src/node/restore.js";
import { evidenceOf, Testimony } from "../../src/node/testimony.js";
import { type ClusterId, type Digest, type PublicKey, sequenceOf } from "../../src/types/ids.js";
import { limits } from "../../src/types/limits.js";
import { carriage, type NodeMessage, type Verified } from "../../src/types/message.js";
import { testimonySchema } from "../../src/types/schema.js";
import { signedOf } from "../support/forge.js";
import { TestNetwork } from "../support/network.js";

const cluster = 1 as ClusterId;
const network = await TestNetwork.create({ models: ["byzantine", "byzantine"] });
const context = { topology: network.topology, members: network.members, verifier: ed25519Verifier };
const author = network.node("c1n2").info.key;
const other = network.node("c1n3").info.key;

function accept(slot: number, digit: number, node = 1): NodeMessage {
  const digest = digit.toString(16).padStart(64, "0") as Digest;
  const entry = { cluster, view: 0, round: 1, slot, sequence: sequenceOf(slot, cluster), digest } as const;
  return { kind: "accept", entry, node };
}

function statement(message: NodeMessage, node = "c1n1") {
  return { kind: carriage[message.kind].number, ...signedOf(network, node, message) };
}

function heard(message: NodeMessage): Verified {
  return { from: { cluster, node: 1 }, message, signed: signedOf(network, "c1n1", message) } as Verified;
}

function gossip(slot: number): Uint8Array {
  return testimonySchema.encode({ statements: [statement(accept(slot, 1)), statement(accept(slot, 2))] });
}

/** At a time at which nobody has said anything yet. */
let seconds = 10;
const later = () => 1000 * ++seconds;

function lie(testimony: Testimony, slot: number) {
  testimony.hear(heard(accept(slot, 1)));
  testimony.hear(heard(accept(slot, 2)));
}

describe("testimony", () => {
  test("what a node finds is kept, told once, and told again now and then", () => {
    const testimony = new Testimony({ ...context, stored: [] });
    for (let i = 0; i < 3; i++) lie(testimony, 5);
    const { persist, publish, found } = testimony.take(later());
    expect(found).toMatchObject([{ kind: "votes", by: { cluster: 1, node: 1 } }]);
    expect(evidenceOf(persist[0]?.value as Uint8Array, context)).toMatchObject({ kind: "votes" });
    expect(publish).toEqual([persist[0]?.value]);
    expect(testimony.take(later())).toEqual({ persist: [], publish: [], found: [] });
    testimony.repeat();
    expect(testimony.take(later()).publish).toEqual(publish);
  });

  test("what another tells is checked, kept, and not passed on as one's own find of it again", () => {
    const testimony = new Testimony({ ...context, stored: [] });
    expect(testimony.onGossip(author, gossip(5), later())).toBe(true);
    expect(testimony.take(later()).found).toHaveLength(1);
    expect(testimony.onGossip(other, gossip(5), later())).toBe(true);
    lie(testimony, 5);
    expect(testimony.take(later()).found).toEqual([]);
  });

  test("is known after a restart", () => {
    const first = new Testimony({ ...context, stored: [] });
    lie(first, 5);
    const [row] = first.take(later()).persist;
    const stored = evidenceOf(row?.value as Uint8Array, context);
    if (stored === undefined) throw new Error("the row proves nothing");
    const again = new Testimony({ ...context, stored: [stored] });
    lie(again, 5);
    expect(again.take(later()).found).toEqual([]);
    expect(again.kept).toBe(1);
  });

  test("of one node a bounded number is kept, also when others tell without end", () => {
    const testimony = new Testimony({ ...context, stored: [] });
    for (let slot = 1; slot <= limits.evidencePerNodeMax + 20; slot++) {
      testimony.onGossip(author, gossip(slot), later());
      testimony.take(later());
    }
    expect(testimony.kept).toBe(limits.evidencePerNodeMax);
  });

  test("one author is heard a few times in a second, whoever else speaks", () => {
    const testimony = new Testimony({ ...context, stored: [] });
    const tick = later();
    const told = (key: PublicKey) =>
      Array.from({ length: 20 }, (_, i) => testimony.onGossip(key, gossip(i + 1), tick)).filter(Boolean).length;
    expect(told(author)).toBe(limits.testimoniesPerSecondMax);
    expect(told(other)).toBe(limits.testimoniesPerSecondMax);
    expect(testimony.onGossip(author, gossip(1), later())).toBe(true);
  });

  test.each([
    ["bytes of something else", Uint8Array.of(1, 2, 3)],
    ["one statement", testimonySchema.encode({ statements: [statement(accept(5, 1))] })],
    [
      "statements that somebody else signed",
      testimonySchema.encode({ statements: [statement(accept(5, 1)), statement(accept(5, 2), "c1n3")] }),
    ],
    [
      "statements that bind nobody",
      testimonySchema.encode({ statements: [statement(accept(5, 1)), { ...statement(accept(5, 2)), kind: 1 }] }),
    ],
  ])("gossip of %s is refused and proves nothing", (_, data) => {
    const testimony = new Testimony({ ...context, stored: [] });
    expect(testimony.onGossip(author, data, later())).toBe(false);
    expect(testimony.take(later()).found).toEqual([]);
  });

  test("two words of two nodes accuse nobody, and are compared with what was heard", () => {
    const testimony = new Testimony({ ...context, stored: [] });
    const odd = testimonySchema.encode({
      statements: [statement(accept(5, 2)), statement(accept(5, 1, 0), "c1n0")],
    });
    expect(testimony.onGossip(author, odd, later())).toBe(true);
    expect(testimony.take(later()).found).toEqual([]);
    testimony.hear(heard(accept(5, 1)));
    expect(testimony.onGossip(author, odd, later())).toBe(true);
    expect(testimony.take(later()).found).toMatchObject([{ by: { cluster: 1, node: 1 } }]);
  });
});

describe("sharper evidence", () => {
  let folder: string;
  let out = "";

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "sharper-evidence-"));
    vi.spyOn(process.stdout, "write").mockImplementation((text) => {
      out += String(text);
      return true;
    });
    vi.spyOn(process.stderr, "write").mockImplementation(() => true);
    for (const name of ["c1n0", "c1n2"]) {
      const { networkId } = network.topology;
      const store = await openLevelStore({ path: join(folder, name), networkId, nodeId: name, create: true });
      await store.write(genesisWrites(network.topology, cluster, network.text), { sync: true });
      const testimony = new Testimony({ ...context, stored: [] });
      lie(testimony, 5);
      if (name === "c1n2") lie(testimony, 6);
      await store.write(testimony.take(later()).persist, { sync: true });
      await store.close();
    }
    await writeFile(join(folder, "topology.yaml"), network.text);
  });

  afterEach(async () => {
    vi.restoreAllMocks();
    process.exitCode = undefined;
    await rm(folder, { recursive: true });
  });

  async function evidence(...args: readonly string[]): Promise<number> {
    out = "";
    process.exitCode = undefined;
    const load = () => import("../../src/cli/evidence.js");
    await runProgram(["evidence", ...args], [{ name: "evidence", describe: "", load }]);
    return Number(process.exitCode);
  }

  test("lists what nodes hold, each contradiction once, and writes it to a file that proves itself", async () => {
    const [file, topology] = [join(folder, "evidence.json"), join(folder, "topology.yaml")];
    expect(await evidence("--data", folder, "--out", file)).toBe(0);
    expect(out).toContain("2 contradictions, held by 2 nodes");
    expect(out).toContain("c1n0 c1n2");
    expect(await evidence("verify", file, "--topology", topology)).toBe(0);
    expect(out).toMatch(/votes, slot 5 in ballot 0\.1.*\bPROVEN/s);
    const forged = (await readFile(file, "utf8")).replace(/"signature":"../, '"signature":"00');
    await writeFile(file, forged);
    expect(await evidence("verify", file, "--topology", topology)).toBe(1);
    expect(out).toContain("NOT PROVEN");
    await writeFile(file, "{}");
    expect(await evidence("verify", file, "--topology", topology)).toBe(2);
  });
});
