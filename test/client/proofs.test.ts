// Balances with proof through the SDK: who is asked, which answers count, and that what is kept of one convinces others.

import { beforeEach, expect, test } from "vitest";
import { type Client, verifyBalance } from "../../src/client/sdk.js";
import { encodeCheckpoint } from "../../src/cluster/checkpoint.js";
import { quorumOf } from "../../src/cluster/quorum.js";
import { ed25519Signer, signingBytes } from "../../src/crypto/signature.js";
import { proveAccounts } from "../../src/execution/proof.js";
import type { AccountId, Digest, NetworkId, Sequence } from "../../src/types/ids.js";
import { type Checkpoint, carriage } from "../../src/types/message.js";
import { envelopeSchema, proofSchema, proveSchema } from "../../src/types/schema.js";
import type { ClusterInfo } from "../../src/types/topology.js";
import { stateOf } from "../execution/states.js";
import { clientKey, hasEnded, type Name, namesOf, type Seen, seedOf, topology, World } from "./world.js";

let world: World;
let client: Client;

beforeEach(async () => {
  world = new World();
  client = await world.client();
});

const NONE = { certificate: undefined, roots: new Uint8Array(0), proofs: [] };

/** What a node of the account's cluster says of its checkpoint at this height, at which the account holds so much. */
function provenAt(
  cluster: ClusterInfo,
  { account, height, balance }: { account: string; height: number; balance: bigint },
) {
  const name = account as AccountId;
  const view = stateOf({ accounts: [{ account: name, balance, owner: clientKey }] }).freeze({ slot: 64, height });
  const said: Checkpoint = {
    kind: "checkpoint",
    cluster: cluster.id,
    node: 0,
    slot: 64,
    sequence: (65_536 * height + cluster.id) as Sequence,
    height,
    record: "a".repeat(64) as Digest,
    finalSequence: (65_536 * height + cluster.id) as Sequence,
    state: view.root(),
  };
  const commits = cluster.nodes.slice(0, quorumOf(cluster)).map(({ index }) => {
    const body = encodeCheckpoint({ ...said, node: index });
    const bytes = signingBytes(topology.networkId, carriage.checkpoint.number, body);
    return { body, signature: ed25519Signer(seedOf(cluster.id * 10 + index)).sign(bytes) };
  });
  return { certificate: { cluster: cluster.id, commits }, ...proveAccounts(view, [name]) };
}

function say(name: Name, to: Seen, answer: ReturnType<typeof provenAt> | typeof NONE): void {
  const { nonce } = proveSchema.decode(envelopeSchema.decode(to.bytes).body);
  const [cluster, node] = [Number(name[1]), Number(name[3])];
  world.say(name, carriage.proof.number, proofSchema.encode({ cluster, node, nonce, ...answer }));
}

const [byzantine, crash] = topology.clusters as readonly [ClusterInfo, ClusterInfo];
const alice = (height: number, balance = 70n) => provenAt(byzantine, { account: "alice", height, balance });
const zoe = (height: number) => provenAt(crash, { account: "zoe", height, balance: 3n });

test("of f + 1 nodes of a byzantine cluster that show proofs, the newest counts", async () => {
  const outcome = client.provenBalance("alice");
  const sent = world.take();
  expect(namesOf(sent)).toEqual(["c1n0", "c1n1", "c1n2", "c1n3"]);
  say("c1n3", sent[3] as Seen, alice(5, 50n));
  expect(await hasEnded(outcome)).toBe(false);
  say("c1n3", sent[3] as Seen, alice(6, 60n));
  expect(await hasEnded(outcome)).toBe(false);
  say("c1n0", sent[0] as Seen, alice(9));
  const ended = await outcome;
  expect(ended).toMatchObject({
    outcome: "proven",
    accounts: [{ account: "alice", exists: true, balance: 70n, owner: clientKey, cluster: 1, height: 9 }],
  });
  const [proven] = ended.outcome === "proven" ? ended.accounts : [];
  expect(verifyBalance(proven?.proof as Uint8Array, topology)).toEqual(proven);
  const elsewhere = { ...topology, networkId: "6".repeat(64) as NetworkId };
  expect(() => verifyBalance(proven?.proof as Uint8Array, elsewhere)).toThrow(/does not hold/);
});

test("what does not prove itself is no answer", async () => {
  const outcome = client.provenBalance("alice");
  const [sent] = world.take() as [Seen];
  const { certificate, roots, proofs } = alice(9);
  const [first] = certificate.commits;
  say("c1n0", sent, { certificate, roots, proofs: alice(9, 71n).proofs });
  say("c1n1", sent, { certificate: { ...certificate, commits: certificate.commits.slice(1) }, roots, proofs });
  say("c1n2", sent, {
    certificate: { ...certificate, commits: certificate.commits.map(() => first as never) },
    roots,
    proofs,
  });
  say("c1n3", sent, { certificate, roots, proofs: [] });
  expect(await hasEnded(outcome)).toBe(false);
  for (const name of ["c1n1", "c1n2"] as const) say(name, sent, alice(9));
  expect(await outcome).toMatchObject({ outcome: "proven" });
});

test("of a crash cluster the primary is asked, and the others when it is silent", async () => {
  const outcome = client.provenBalance("zoe");
  expect(namesOf(world.take())).toEqual(["c2n0"]);
  world.time.advance(1100);
  const copies = world.take();
  expect(namesOf(copies)).toEqual(["c2n0", "c2n1", "c2n2"]);
  say("c2n2", copies[2] as Seen, zoe(4));
  expect(await outcome).toMatchObject({ accounts: [{ balance: 3n, height: 4 }] });
});

test("a client is shown no checkpoint that is older than one it was shown before", async () => {
  const first = client.provenBalance("zoe");
  say("c2n0", world.take()[0] as Seen, zoe(8));
  expect(await first).toMatchObject({ outcome: "proven" });
  const second = client.provenBalance("zoe");
  say("c2n0", world.take()[0] as Seen, zoe(7));
  expect(await hasEnded(second)).toBe(false);
  world.time.advance(80);
  say("c2n1", world.take()[1] as Seen, zoe(8));
  expect(await second).toMatchObject({ accounts: [{ height: 8 }] });
});

test("when nothing is stable at all nodes but f, the code says so at once", async () => {
  const outcome = client.provenBalance("alice");
  const [sent] = world.take() as [Seen];
  say("c1n0", sent, NONE);
  say("c1n1", sent, NONE);
  expect(await hasEnded(outcome)).toBe(false);
  say("c1n2", sent, NONE);
  expect(await outcome).toMatchObject({ outcome: "unavailable", code: "no-checkpoint", clusters: [1] });
});

test("silence ends at the deadline as unavailable", async () => {
  const outcome = client.provenBalance(["alice", "zoe"], { deadlineMs: 500 });
  say("c2n0", world.take().at(-1) as Seen, zoe(4));
  world.time.advance(600);
  expect(await outcome).toMatchObject({ outcome: "unavailable", code: "unavailable", clusters: [1] });
  expect(client.inFlight).toBe(0);
});
