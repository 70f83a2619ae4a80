// CHECKPOINTs that are lost (protocol 6): a node says its own again until it is stable, also after a restart, and who
// speaks of what is stable already is shown the certificate. So the window never fills for want of votes.

import { describe, expect, test } from "vitest";
import { checkpointOf } from "../../src/cluster/checkpoint.js";
import { checkpointKey, saidKey } from "../../src/ledger/keys.js";
import type { ClusterId, Digest } from "../../src/types/ids.js";
import { limits } from "../../src/types/limits.js";
import type { Checkpoint } from "../../src/types/message.js";
import { type Certificate, certificateSchema } from "../../src/types/schema.js";
import { injectAs, signedOf } from "../support/forge.js";
import { expectConsistent } from "../support/inspect.js";
import { TestNetwork, type TestNode } from "../support/network.js";

const MODELS = [["crash"], ["byzantine"]] as const;

function wait(network: TestNetwork, seconds: number): void {
  for (let i = 0; i < 2 * seconds; i++) network.advance(500);
}

function pay(network: TestNetwork, times: number): void {
  for (let i = 0; i < times; i++) {
    network.pay(1);
    network.settle();
  }
}

function certificateIn({ store }: TestNode): Certificate | undefined {
  const row = store.get(checkpointKey());
  return row === undefined ? undefined : certificateSchema.decode(row);
}

function stableSlots(network: TestNetwork): readonly (number | undefined)[] {
  return network.nodes.map((node) => {
    const certificate = certificateIn(node);
    return certificate === undefined ? undefined : checkpointOf(certificate)?.slot;
  });
}

describe.each(MODELS)("a %s cluster whose CHECKPOINTs are lost", (model) => {
  test("fills its window, and goes on when they arrive again", async () => {
    const network = await TestNetwork.create({ models: [model] });
    network.drop = ({ kind }) => kind === "checkpoint" || kind === "stable";
    pay(network, limits.windowSlots + 5);
    expect(network.node("c1n1").replica.height).toBe(limits.windowSlots);
    network.drop = () => false;
    wait(network, 15);
    const all = network.nodes.length;
    expect(stableSlots(network)).toEqual(Array(all).fill(limits.windowSlots));
    for (const { name, replica } of network.nodes) {
      // What waited for the window shares a block.
      expect([name, replica.height, replica.wakeAt]).toEqual([name, limits.windowSlots + 1, undefined]);
    }
    await expectConsistent(network, model);
  });

  test("goes on also when all its nodes were restarted meanwhile", async () => {
    const network = await TestNetwork.create({ models: [model] });
    network.drop = ({ kind }) => kind === "checkpoint" || kind === "stable";
    pay(network, limits.windowSlots);
    for (const node of network.nodes) await network.restart(node);
    network.drop = () => false;
    wait(network, 15);
    expect(new Set(stableSlots(network))).toEqual(new Set([limits.windowSlots]));
    pay(network, 5);
    expect(network.node("c1n1").replica.height).toBe(limits.windowSlots + 5);
  });

  test("a node that alone missed the others' is shown the certificate", async () => {
    const network = await TestNetwork.create({ models: [model] });
    network.drop = ({ kind, receiver }) => kind === "checkpoint" && receiver === "c1n2";
    pay(network, limits.checkpointSlots);
    network.drop = () => false;
    expect(certificateIn(network.node("c1n2"))).toBeUndefined();
    let shown = 0;
    network.onDelivered = ({ kind }) => {
      if (kind === "stable") shown++;
    };
    wait(network, 5);
    expect(new Set(stableSlots(network))).toEqual(new Set([limits.checkpointSlots]));
    expect(shown).toBeGreaterThan(0);
    expect(shown).toBeLessThan(network.nodes.length);
    expect(network.node("c1n2").replica.wakeAt).toBeUndefined();
  });

  test("nothing is said twice as long as nothing is lost", async () => {
    const network = await TestNetwork.create({ models: [model] });
    const said: string[] = [];
    network.onDelivered = ({ kind, sender }) => {
      if (kind === "checkpoint") said.push(sender);
      if (kind === "stable") said.push("stable");
    };
    pay(network, limits.checkpointSlots);
    wait(network, 20);
    const all = network.nodes.length;
    expect(said).toHaveLength(all * (all - 1));
    expect(said).not.toContain("stable");
  });
});

describe("a proof of a stable checkpoint", () => {
  const checkpoint: Checkpoint = {
    kind: "checkpoint",
    cluster: 1 as ClusterId,
    node: 0,
    slot: 640,
    sequence: 65_537 as Checkpoint["sequence"],
    height: 640,
    record: "ab".repeat(32) as Digest,
    finalSequence: 65_537 as Checkpoint["finalSequence"],
    state: "cd".repeat(32) as Digest,
  };

  test("is refused when it proves nothing", async () => {
    const network = await TestNetwork.create({ models: ["byzantine", "byzantine"] });
    const say = (node: number, change: Partial<Checkpoint> = {}) =>
      signedOf(network, `c1n${node}`, { ...checkpoint, node, ...change });
    const good = { cluster: 1, commits: [0, 1, 2].map((node) => say(node)) };
    const wrong: Readonly<Record<string, Certificate>> = {
      "too few": { ...good, commits: good.commits.slice(1) },
      "too many": { ...good, commits: [...good.commits, say(3)] },
      "a node twice": { ...good, commits: [say(0), say(1), say(1)] },
      "statements that differ": { ...good, commits: [say(0), say(1), say(2, { state: "ef".repeat(32) as Digest })] },
      "another cluster's name": { ...good, cluster: 2 },
      "a forged signature": {
        ...good,
        commits: good.commits.map(({ body, signature }) => ({ body, signature: signature.subarray(1) })),
      },
      noise: { cluster: 1, commits: [{ body: Uint8Array.of(9, 9), signature: new Uint8Array(64) }] },
      "nothing in it": { cluster: 1, commits: [] },
    };
    for (const [what, certificate] of Object.entries(wrong)) {
      const { codes, changed } = await injectAs(network, "c1n3", "c1n1", { kind: "stable", certificate });
      // What speaks of no slot at all is not even news.
      expect([what, codes.filter((code) => code !== "bad-certificate"), changed]).toEqual([what, [], false]);
      expect(network.node("c1n1").notes.filter(({ kind }) => kind === "stable")).toEqual([]);
    }
    const foreign = await injectAs(network, "c2n0", "c1n1", { kind: "stable", certificate: good });
    expect(foreign.codes).toEqual(["not-allowed"]);
    expect((await injectAs(network, "c1n3", "c1n1", { kind: "stable", certificate: good })).codes).toEqual([]);
    expect(network.node("c1n1").notes.filter(({ kind }) => kind === "stable")).toHaveLength(1);
  });

  test("that contradicts what this node itself has said stops it", async () => {
    const network = await TestNetwork.create({ models: ["crash"] });
    network.drop = ({ kind }) => kind === "checkpoint";
    pay(network, limits.checkpointSlots);
    const node = network.node("c1n1");
    expect(node.store.get(saidKey())).toBeDefined();
    const commits = [0, 2].map((i) => signedOf(network, `c1n${i}`, { ...checkpoint, slot: 64, node: i }));
    const injected = injectAs(network, "c1n0", "c1n1", { kind: "stable", certificate: { cluster: 1, commits } });
    await expect(injected).rejects.toThrow(/stable with another content/);
  });
});
