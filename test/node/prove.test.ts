// Balances with proof (protocol 6): what nodes show proves itself to anyone with the topology, and nothing but the very
// bytes does; a node for which nothing is stable says so; and no client's
// question keeps another's from being answered.

import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { clusterOfAccount } from "../../src/cluster/shards.js";
import { ed25519Verifier } from "../../src/crypto/signature.js";
import { balanceProofOf, checkBalanceProof, readBalanceProof } from "../../src/execution/proof.js";
import type { AccountId, PublicKey } from "../../src/types/ids.js";
import { limits } from "../../src/types/limits.js";
import { carriage } from "../../src/types/message.js";
import {
  type BalanceProof,
  balanceProofSchema,
  envelopeSchema,
  proofSchema,
  proveSchema,
} from "../../src/types/schema.js";
import type { FailureModel } from "../../src/types/topology.js";
import { TestNetwork } from "../support/network.js";
import { payMixed, stableSlot } from "../support/sleep.js";

const NO_BYTES = new Uint8Array(0);

type Answer = ReturnType<typeof proofSchema.decode>;

/** What a node answers to a client at once. */
function ask(network: TestNetwork, accounts: readonly string[], node = "c1n0", nonce = 7): readonly Answer[] {
  const answers: Answer[] = [];
  network.onDelivered = ({ receiver, kind, bytes }) => {
    if (receiver === "client" && kind === "proof") answers.push(proofSchema.decode(envelopeSchema.decode(bytes).body));
  };
  const body = proveSchema.encode({ nonce, accounts });
  network.sendBytes(
    envelopeSchema.encode({ kind: carriage.prove.number, body, signature: NO_BYTES, block: NO_BYTES }),
    node,
  );
  network.settle();
  network.onDelivered = () => undefined;
  return answers;
}

function contextOf({ topology, members }: TestNetwork) {
  return { topology, members, verifier: ed25519Verifier };
}

async function networkWithCheckpoint(models: readonly FailureModel[]): Promise<TestNetwork> {
  const network = await TestNetwork.create({ models });
  while (stableSlot(network.node("c1n0")) < limits.checkpointSlots) payMixed(network, 4);
  await network.run(2);
  return network;
}

describe.each<[FailureModel, FailureModel]>([
  ["crash", "byzantine"],
  ["byzantine", "crash"],
])("nodes of a %s cluster beside a %s one", (...models) => {
  let network: TestNetwork;
  beforeAll(async () => {
    network = await networkWithCheckpoint(models);
  });

  test("prove what accounts held at the checkpoint, and that others are not there", () => {
    const asked = [network.account(1), network.account(1, 3), absentOf(network)];
    for (const { name, ref } of network.nodesOf(1)) {
      const [answer] = ask(network, asked, name) as [Answer];
      expect(answer).toMatchObject({ cluster: ref.cluster, node: ref.node, nonce: 7 });
      const shown = asked.map((account, i) =>
        checkBalanceProof(balanceProofOf(account, i, answer), contextOf(network)),
      );
      const heights = shown.map((each) => (typeof each === "string" ? each : each.checkpoint.height));
      expect(new Set(heights).size).toBe(1);
      expect(shown[0]).toMatchObject({ value: { account: asked[0], owner: network.clients[0]?.publicKey } });
      expect(shown[2]).toMatchObject({ account: asked[2], value: undefined });
    }
  });

  test("a proof with any byte changed, cut off or added proves nothing", () => {
    const account = network.account(1);
    const [answer] = ask(network, [account]) as [Answer];
    const proof = balanceProofSchema.encode(balanceProofOf(account, 0, answer));
    expect(typeof readBalanceProof(proof, contextOf(network))).toBe("object");
    const verdict = (bytes: Uint8Array) => typeof readBalanceProof(bytes, contextOf(network));
    fc.assert(
      fc.property(fc.nat(proof.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const bent = proof.with(at, (proof[at] as number) ^ change);
        expect(verdict(bent), `byte ${at} changed by ${change}`).toBe("string");
        expect(verdict(proof.subarray(0, at)), `cut off at ${at}`).toBe("string");
      }),
      { numRuns: 400 },
    );
    expect(verdict(Uint8Array.from([...proof, 0]))).toBe("string");
  });

  test("a proof is of its own account, cluster and network only", async () => {
    const [mine, other] = [network.account(1), network.account(1, 1)];
    const [answer] = ask(network, [mine, other]) as [Answer];
    const whole = balanceProofOf(mine, 0, answer);
    const [foreign] = ask(network, [network.account(2)], "c2n0") as [Answer];
    const lies: Readonly<Record<string, BalanceProof>> = {
      "another account": { ...whole, account: other },
      "an account of another cluster": { ...whole, account: network.account(2) },
      "no account": { ...whole, account: "no name!" },
      "no certificate": { ...whole, certificate: undefined },
      "a vote less": { ...whole, certificate: fewer(whole, 1) },
      "one vote twice": { ...whole, certificate: repeated(whole) },
      "another cluster's certificate": { ...whole, certificate: foreign.certificate },
      "no roots": { ...whole, roots: NO_BYTES },
      "half a root": { ...whole, roots: whole.roots.subarray(1) },
      "no proof": { ...whole, proof: undefined },
      "another's proof": { ...whole, proof: answer.proofs[1] },
    };
    const context = contextOf(network);
    expect(typeof checkBalanceProof(whole, context)).toBe("object");
    for (const [what, lie] of Object.entries(lies)) expect(typeof checkBalanceProof(lie, context), what).toBe("string");
    const elsewhere = contextOf(await TestNetwork.create({ models: [...models, "crash"] }));
    expect(typeof checkBalanceProof(whole, elsewhere)).toBe("string");
  });

  test("a node answers whatever a turn brings, however much of it another client asks", () => {
    const accounts = Array.from({ length: limits.accountsPerProofMax }, (_, i) => network.account(1, i));
    const node = network.node("c1n1");
    const [flooder, other] = network.topology.clients.map(({ key }) => key) as [PublicKey, PublicKey];
    const question = (from: PublicKey, names: readonly string[]) =>
      ({ kind: "prove", from, prove: { kind: "prove", nonce: 1, accounts: names } }) as const;
    const told = new Map<PublicKey, number>();
    network.onTurn = ({ name }, { outbound }) => {
      if (name !== node.name) return;
      for (const from of [flooder, other]) told.set(from, (told.get(from) ?? 0) + (outbound.get(from)?.length ?? 0));
    };
    // What no account can be called costs the others nothing.
    const nameless = accounts.map(() => "no name!");
    node.inbox.push(question(flooder, nameless), question(flooder, nameless), question(flooder, nameless));
    node.inbox.push(question(flooder, accounts), question(flooder, accounts), question(other, accounts));
    network.turns(node);
    network.onTurn = () => undefined;
    expect([told.get(flooder), told.get(other)]).toEqual([2, 1]);
    network.packets.length = 0;
  });

  test("the door refuses too many accounts in one question", () => {
    const one = proveSchema.encode({ nonce: 1, accounts: ["a"] });
    const entry = one.subarray(2);
    const body = Buffer.concat([one.subarray(0, 2), ...Array.from({ length: 17 }, () => entry)]);
    const bytes = envelopeSchema.encode({ kind: carriage.prove.number, body, signature: NO_BYTES, block: NO_BYTES });
    network.sendBytes(bytes, "c1n0");
    network.settle();
    expect(network.node("c1n0").rejected.at(-1)).toMatchObject({ code: "malformed", kind: "prove" });
  });
});

test("a node for which no checkpoint is stable says so", async () => {
  const network = await TestNetwork.create({ models: ["crash"] });
  network.pay(1);
  network.settle();
  expect(ask(network, [network.account(1)])).toMatchObject([{ certificate: undefined, proofs: [] }]);
});

test("a node that restarted proves the same checkpoint", async () => {
  const network = await networkWithCheckpoint(["byzantine", "crash"]);
  const before = ask(network, [network.account(1)], "c1n2");
  await network.restart(network.node("c1n2"));
  expect(ask(network, [network.account(1)], "c1n2")).toEqual(before);
});

function absentOf(network: TestNetwork): AccountId {
  const known = network.account(1);
  for (let i = 0; ; i++) {
    const name = `${known}x${i}` as AccountId;
    if (clusterOfAccount(network.topology, name) === 1) return name;
  }
}

function fewer({ certificate }: BalanceProof, by: number): BalanceProof["certificate"] {
  return certificate && { ...certificate, commits: certificate.commits.slice(by) };
}

function repeated({ certificate }: BalanceProof): BalanceProof["certificate"] {
  return certificate && { ...certificate, commits: certificate.commits.map(() => certificate.commits[0] as never) };
}
