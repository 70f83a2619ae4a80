// Golden transcripts of the normal cases: every message that crosses the network, in order, from the request to silence
// (protocol 2, 3, 4). Run with UPDATE_TRANSCRIPTS=1 to write them anew, and explain every changed line by the protocol.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type NetworkOptions, TestNetwork } from "../support/network.js";
import { Transcript } from "../support/transcript.js";

interface Case {
  readonly name: string;
  /** The opening lines of the file. */
  readonly explains: readonly string[];
  readonly options: NetworkOptions;
  readonly run: (network: TestNetwork) => void;
}

const cases: readonly Case[] = [
  {
    name: "intra-crash",
    explains: ["Multi-Paxos in one crash cluster: PROPOSE, ACCEPT to the primary, COMMIT, reply (protocol 2.1)."],
    options: { models: ["crash"] },
    run: (network) => network.pay(1),
  },
  {
    name: "intra-byzantine",
    explains: [
      "PBFT in one byzantine cluster: PROPOSE, then ACCEPT and COMMIT from everyone to everyone, every node replies",
      "(protocol 2.2).",
    ],
    options: { models: ["byzantine"] },
    run: (network) => network.pay(1),
  },
  {
    name: "cross-flattened-crash",
    explains: [
      "One block over two crash clusters, flattened: cluster 2 accepts in round 0 without waiting for its primary; both",
      "primaries count, each sends a COMMIT, cluster 1's with the whole vector; a no-op moves the clock of cluster 1, whose",
      "sequence is below the final one (protocol 3 steps 1-5, 3.3, 4).",
    ],
    options: { models: ["crash", "crash"] },
    run: (network) => network.pay(1, 2),
  },
  {
    name: "cross-flattened-byzantine",
    explains: [
      "One block over two byzantine clusters, flattened: accepts stay in their cluster, signed COMMITs go to all of P and",
      "each node makes the vector itself (protocol 3 steps 2-5).",
    ],
    options: { models: ["byzantine", "byzantine"] },
    run: (network) => network.pay(1, 2),
  },
  {
    name: "cross-flattened-crash-to-byzantine",
    explains: [
      "A crash cluster initiates, a byzantine one is involved: the crash cluster's COMMIT names itself alone, the byzantine",
      "one's are counted (protocol 3 steps 3 and 4).",
    ],
    options: { models: ["crash", "byzantine"] },
    run: (network) => network.pay(1, 2),
  },
  {
    name: "cross-flattened-byzantine-to-crash",
    explains: [
      "A byzantine cluster initiates, a crash one is involved: the crash cluster's primary signs its own COMMIT, accepts",
      "also go to the initiator's primary, which would see them collide (protocol 3 steps 3 and 4, 3.1).",
    ],
    options: { models: ["byzantine", "crash"] },
    run: (network) => network.pay(1, 2),
  },
  {
    name: "cross-super-propose-crash",
    explains: [
      "One block over two crash clusters by super-propose: the other cluster's primary assigns its slot in round 1 and the",
      "nodes answer both primaries (protocol 3 steps 2 and 3).",
    ],
    options: { models: ["crash", "crash"], dissemination: "super-propose" },
    run: (network) => network.pay(1, 2),
  },
  {
    name: "cross-super-propose-byzantine",
    explains: [
      "One block over two byzantine clusters by super-propose: the SUPER-ACCEPT of the other primary is its proposal and",
      "its vote in one (protocol 3 steps 2 and 3).",
    ],
    options: { models: ["byzantine", "byzantine"], dissemination: "super-propose" },
    run: (network) => network.pay(1, 2),
  },
  {
    name: "cross-three-clusters-crash",
    explains: [
      "One block over three crash clusters, flattened, with one debit and two credits: one COMMIT of the initiator names all",
      "three; two clusters end below the final sequence and move their clocks (protocol 3 step 4, 3.3).",
    ],
    options: { models: ["crash", "crash", "crash"] },
    run: (network) => network.pay(1, 2, 3),
  },
  {
    name: "cross-two-validators-crash",
    explains: [
      "A transfer that debits two clusters: each sends its verdicts to the other, and it applies as both say ok",
      "(protocol 4).",
    ],
    options: { models: ["crash", "crash"] },
    run(network) {
      const accounts = [network.account(1), network.account(2)];
      const debits = accounts.map((account) => ({ account, amount: 1n }));
      network.send([{ open: "", debits, credits: [{ account: network.account(1, 1), amount: 2n }] }]);
    },
  },
  {
    name: "conflict-crash",
    explains: [
      "Two initiators collide in crash cluster 3: its node c3n2 meets Y before X, the others X before Y, so that neither has",
      "the fast quorum. Cluster 3's primary turns its choices into round 1, the initiators ask for that by SUPER-PROPOSE,",
      "and everyone follows (protocol 3.1).",
    ],
    options: { models: ["crash", "crash", "crash"] },
    run: collide,
  },
  {
    name: "conflict-byzantine",
    explains: [
      "Two initiators collide in byzantine cluster 3: two of its nodes meet Y before X, the others X before Y, so that no",
      "entry has a quorum. Its primary sees the accepts differ and turns its choices into round 1 (protocol 3.1).",
    ],
    options: { models: ["byzantine", "byzantine", "byzantine"] },
    run: collide,
  },
];

/** X over clusters 1 and 3, Y over 2 and 3; half of cluster 3 (crash: one of three) gets Y first. */
function collide(network: TestNetwork): void {
  network.pay(1, 3);
  network.pay(2, 3);
  network.deliver({ receiver: "c1n0" });
  network.deliver({ receiver: "c2n0" });
  const size = network.nodesOf(3).length;
  for (const { name, ref } of network.nodesOf(3)) {
    const isLast = ref.node >= Math.ceil(size / 2);
    for (const sender of isLast ? ["c2n0", "c1n0"] : ["c1n0", "c2n0"]) {
      network.deliver({ sender, receiver: name, kind: "propose" });
    }
  }
}

describe("golden transcripts", () => {
  test.each(cases)("$name", async ({ name, explains, options, run }) => {
    const network = await TestNetwork.create(options);
    network.settle();
    const transcript = new Transcript(network);
    run(network);
    network.settle();
    const text = `${[...explains.map((line) => `# ${line}`), ...transcript.lines].join("\n")}\n`;
    const path = join(import.meta.dirname, "transcripts", `${name}.txt`);
    if (process.env["UPDATE_TRANSCRIPTS"] === "1") writeFileSync(path, text);
    expect(existsSync(path), `${path} is missing`).toBe(true);
    expect(text).toBe(readFileSync(path, "utf8"));
  });
});
