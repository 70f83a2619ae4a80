// Weaker protocols, each with one rule left out, and for each a schedule that breaks it (protocol 9). Clusters are named
// by model and size; node 0 is the primary of view 0, node 1 of view 1, and so on.

import { fastQuorumOf } from "../../src/cluster/quorum.js";
import type { NodeIndex } from "../../src/types/ids.js";
import type { ClusterInfo } from "../../src/types/topology.js";
import type { KeepOptions } from "../../src/viewchange/keep.js";
import type { Rules } from "./model.js";
import { byzantine, clusterOf, crash } from "./notation.js";
import { type KeepRules, plainKeep } from "./plain.js";

export interface Weaker {
  readonly rule: string;
  readonly without: Rules;
  readonly cluster: ClusterInfo;
  readonly liars?: readonly NodeIndex[];
  /** One action a line. */
  readonly schedule: string;
  /** What the last line breaks. */
  readonly breaks: string;
}

/** `keep` with rules left out. */
export const keeping = (rules: KeepRules): Rules => ({ keep: (options: KeepOptions) => plainKeep(options, rules) });
export const fewest = ({ faults }: ClusterInfo) => faults + 1;

/** Only node 0 accepts A and B; then nodes 1 and 2 decide something in slot 1 without it. */
const alone = (block: string, hint: number) => `
  propose 0 A
  propose 0 B
  promise 1 1
  promise 2 1
  open 1 1,2
  enter 2 1
  propose 1 ${block} ${hint}
  accept 2 1`;

/** They forget the slot under a stable checkpoint. */
const forgotten = `
  learn 1 1
  learn 2 1
  checkpoint 2 1`;

/** Node 0 returns with what it accepted in view 0. */
const returns = `
  promise 0 2
  promise 2 2
  open 2 0,2`;

const accepted = `
  enter 0 2
  again 0 0`;

export const weaker: readonly Weaker[] = [
  {
    rule: "a round-0 quorum is the fast quorum, not f + 1 (scenario 3)",
    without: {
      fastQuorum: fewest,
      ...keeping({ neededReports: (cluster, reports) => reports - (cluster.nodes.length - fewest(cluster)) }),
    },
    cluster: crash(3),
    schedule: `
      direct 0 B
      direct 1 B
      direct 2 A
      promise 1 1
      promise 2 1
      open 1 1,2`,
    breaks: "the opening of view 1 has 1.1 1:1 A where 0.0 1:1 B is decided",
  },
  {
    rule: "a round-0 quorum includes the primary (3.1)",
    without: { quorumWithoutPrimary: true },
    cluster: crash(5),
    schedule: `
      direct 1 B
      direct 2 B
      direct 3 B
      direct 4 B
      propose 0 A
      accept 1 1
      accept 2 1`,
    breaks: "decided 0.0 1:1 B and 0.1 1:1 A",
  },
  {
    rule: "a round-0 entry is kept only if enough nodes report it (scenario 11)",
    without: keeping({ neededReports: () => 1 }),
    cluster: crash(5),
    schedule: `
      direct 0 B
      direct 1 B
      direct 2 B
      direct 3 B
      direct 4 A
      promise 1 1
      promise 2 1
      promise 4 1
      open 1 1,2,4`,
    breaks: "the opening of view 1 has 1.1 1:1 A where 0.0 1:1 B is decided",
  },
  {
    // Slot 1 holds a choice of the primary that nobody else heard of, so nodes 1 and 2 have nothing there.
    rule: "a round-0 entry is kept only if enough nodes report it, even when it is the only one of its slot (5)",
    without: keeping({ keepsLone: true }),
    cluster: crash(5),
    schedule: `
      direct 0 C
      propose 0 A
      accept 1 2
      accept 2 2
      accept 3 2
      direct 0 B
      direct 1 B
      direct 2 B
      direct 3 B
      direct 4 B
      promise 1 1
      promise 2 1
      promise 4 1
      open 1 1,2,4`,
    breaks: "the opening of view 1 has 1.1 3:2 - where 0.0 3:3 B is decided",
  },
  {
    rule: "a round-0 entry that may have been decided is kept (5)",
    without: keeping({
      neededReports: (cluster, reports) => 1 + reports - (cluster.nodes.length - fastQuorumOf(cluster)),
    }),
    cluster: crash(3),
    schedule: `
      direct 0 A
      direct 1 A
      direct 2 A
      promise 1 1
      promise 2 1
      open 1 1,2`,
    breaks: "the opening of view 1 has 1.1 1:0 - where 0.0 1:1 A is decided",
  },
  {
    rule: "accepts of different views are not added up (scenario 4)",
    without: { ignoresViews: true },
    cluster: crash(3),
    schedule: `
      propose 0 A
      promise 1 1
      promise 2 1
      open 1 1,2
      propose 1 B
      promise 2 2
      promise 0 2
      open 2 2,0
      promise 0 3
      promise 1 3
      open 3 0,1`,
    breaks: "the opening of view 3 has 3.1 1:1 B where 2.1 1:1 A is decided",
  },
  {
    rule: "candidates are taken by descending ballot (5)",
    without: keeping({ ignoresBallots: true }),
    cluster: crash(3),
    schedule: alone("C", 0) + returns,
    breaks: "the opening of view 2 has 2.1 1:1 A where 1.1 1:1 C is decided",
  },
  {
    rule: "decided entries stay, however few report them (5)",
    without: keeping({ ignoresDecisions: true }),
    cluster: crash(3),
    schedule: `
      direct 0 A
      direct 1 A
      direct 2 A
      learn 2 1
      promise 1 1
      promise 2 1
      open 1 1,2`,
    breaks: "the opening of view 1 has 1.1 1:0 - where 0.0 1:1 A is decided",
  },
  {
    rule: "what is kept is in sequence order (scenario 11)",
    without: keeping({ ignoresOrder: true }),
    cluster: crash(3),
    schedule: alone("C", 5) + returns + accepted,
    breaks: "decided 1.1 1:6 C and 2.1 2:2 B",
  },
  {
    rule: "a block is kept in one slot (5)",
    without: keeping({ ignoresBlocks: true }),
    cluster: crash(3),
    schedule: alone("B", 0) + returns + accepted,
    breaks: "decided 1.1 1:1 B and 2.1 2:2 B",
  },
  {
    rule: "a stale duplicate of a block decided below `low` is dropped (scenario 11)",
    without: keeping({ ignoresSettled: true }),
    cluster: crash(3),
    schedule: alone("B", 0) + forgotten + returns + accepted,
    breaks: "decided 1.1 1:1 B and 2.1 2:2 B",
  },
  {
    rule: "a candidate with a sequence below that of `low` is dropped (5)",
    without: keeping({ ignoresLowSequence: true }),
    cluster: crash(3),
    schedule: alone("C", 5) + forgotten + returns + accepted,
    breaks: "decided 1.1 1:6 C and 2.1 2:2 B",
  },
  {
    rule: "nobody self-assigns before it has the opening of its view (scenario 12)",
    without: { assignsEarly: true },
    cluster: crash(5),
    schedule: `
      propose 0 A
      accept 1 1
      accept 2 1
      promise 1 1
      promise 3 1
      promise 4 1
      direct 3 B
      direct 4 B
      open 1 1,3,4
      promise 2 2
      promise 3 2
      promise 4 2
      open 2 2,3,4`,
    breaks: "the opening of view 2 has 2.1 1:1 B where 0.1 1:1 A is decided",
  },
  {
    rule: "nobody self-assigns before it accepted what its view opened with (scenario 12)",
    without: { assignsEarly: true },
    cluster: crash(5),
    schedule: `
      propose 0 A
      accept 1 1
      accept 2 1
      promise 1 1
      promise 3 1
      promise 4 1
      open 1 1,3,4
      enter 3 1
      enter 4 1
      direct 3 A
      direct 4 A
      promise 2 2
      promise 3 2
      promise 4 2
      open 2 2,3,4`,
    breaks: "the opening of view 2 has 2.1 1:0 - where 0.1 1:1 A is decided",
  },
  {
    rule: "a primary's round-0 accept is its choice (3.1, scenario 10)",
    without: { choosesTwice: true },
    cluster: crash(3),
    schedule: `
      direct 0 A
      direct 1 A
      direct 2 A
      propose 0 B
      accept 1 1`,
    breaks: "decided 0.0 1:1 A and 0.1 1:1 B",
  },
  {
    rule: "a node that accepted a round-1 entry commits no conflicting one of round 0 (2.3, scenario 10)",
    without: { commitsDisplaced: true },
    cluster: byzantine(4),
    liars: [0],
    schedule: `
      direct 1 A
      direct 2 A
      forge 1 1 1 B
      forge 2 1 1 B
      prepare 1 1 0
      prepare 2 1 0
      prepare 1 1 1
      prepare 2 1 1`,
    breaks: "decided 0.0 1:1 A and 0.1 1:1 B",
  },
  {
    rule: "a round-1 entry is refused against what is held prepared (2.3, scenario 10)",
    without: { ignoresPrepared: true },
    cluster: byzantine(4),
    liars: [0],
    schedule: `
      direct 1 A
      direct 2 A
      prepare 1 1 0
      prepare 2 1 0
      forge 1 2 2 A
      forge 2 2 2 A
      prepare 1 2 1
      prepare 2 2 1`,
    breaks: "decided 0.0 1:1 A and 0.1 2:2 A",
  },
  {
    rule: "a round-1 entry is refused for conflicts beyond its slot (2.3, scenario 10)",
    without: { comparesSlotsOnly: true },
    cluster: byzantine(4),
    liars: [0],
    schedule: `
      forge 1 1 5 A
      forge 2 1 5 A
      prepare 1 1 1
      prepare 2 1 1
      forge 1 2 4 B
      forge 2 2 4 B
      prepare 1 2 1
      prepare 2 2 1`,
    breaks: "decided 0.1 1:5 A and 0.1 2:4 B",
  },
  {
    // Two prepared entries of one ballot: nothing tells which of them may be decided.
    rule: "displaced round-0 accepts count (2.3)",
    without: { forgetsDisplaced: true },
    cluster: byzantine(4),
    liars: [0],
    schedule: `
      direct 1 A
      direct 2 A
      prepare 3 1 0
      forge 1 1 1 B
      forge 2 1 1 B
      direct 1 A
      direct 2 A
      prepare 1 2 0
      prepare 2 2 0
      promise 1 1
      promise 2 1
      promise 3 1
      open 1 1,2,3`,
    breaks: "the opening of view 1 has 1.1 2:1 - where 0.0 2:2 A is decided",
  },
  {
    // Nodes 1 and 3 decide A in view 0, and view 4 has it; its lying primary has it placed again by those that lack it.
    rule: "what a view opened with counts as accepted before its blocks are there (2.3)",
    without: { ignoresOpening: true },
    cluster: byzantine(4),
    liars: [0],
    schedule: `
      forge 1 1 1 A
      forge 3 1 1 A
      prepare 1 1 1
      prepare 3 1 1
      promise 1 4
      promise 2 4
      open 4 0,1,2
      enter 2 4
      enter 3 4
      forge 2 2 2 A
      forge 3 2 2 A
      prepare 2 2 1
      prepare 3 2 1`,
    breaks: "decided 0.1 1:1 A and 4.1 2:2 A",
  },
  {
    rule: "with more than 2f + 1 nodes a quorum is more than f + 1 (scenario 9)",
    without: { quorum: fewest, ...keeping({}) },
    cluster: clusterOf({ model: "crash", n: 4, f: 1 }),
    schedule: `
      propose 0 A
      accept 1 1
      promise 2 2
      promise 3 2
      open 2 2,3`,
    breaks: "the opening of view 2 has nothing where 0.1 1:1 A is decided",
  },
  {
    rule: "with more than 3f + 1 nodes a quorum is more than 2f + 1 (scenario 9)",
    without: { quorum: ({ faults }) => 2 * faults + 1, ...keeping({}) },
    cluster: clusterOf({ model: "byzantine", n: 5, f: 1 }),
    liars: [0],
    schedule: `
      forge 1 1 1 A
      forge 2 1 1 A
      forge 3 1 1 B
      forge 4 1 1 B
      prepare 1 1 1
      prepare 2 1 1
      prepare 3 1 1
      prepare 4 1 1`,
    breaks: "decided 0.1 1:1 A and 0.1 1:1 B",
  },
];
