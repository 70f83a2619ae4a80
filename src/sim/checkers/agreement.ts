// I1, agreement: correct nodes of a cluster have equal records at equal heights; no slot of a log is decided twice
// differently, no block in two slots (no-ops excepted), and decided sequences rise with the slots. What was decided is
// remembered for the whole run, over checkpoints and restarts. I8's other half is in votes.ts, proofs in proofs.ts.

import { noOpBlock } from "../../cluster/block.js";
import { recordKey } from "../../ledger/keys.js";
import { type ClusterId, type Digest, type Entry, type Slot, showSequence } from "../../types/ids.js";
import type { Checker, MakeChecker, SimNode } from "../observer.js";
import { sameThing, showEntry } from "./facts.js";
import { historyOf } from "./history.js";
import { type Reason, reporter, short } from "./report.js";

export const makeAgreement: MakeChecker = (world, report): Checker => {
  const violated = reporter("I1", report);
  const history = historyOf(world);
  const logs = new Map(world.topology.clusters.map(({ id }) => [id, new DecidedLog(id, violated)]));

  function compareStored(node: SimNode): void {
    const view = history.view(node.ref.cluster);
    for (let height = 0; height < view.length; height++) {
      const stored = node.store.get(recordKey(height));
      const first = view[height];
      if (stored === undefined || first === undefined || Buffer.compare(first.bytes, stored) === 0) continue;
      violated(`${node.name} holds another record ${height} than ${first.from}`);
    }
  }

  return {
    onTurn(node, plan) {
      const turn = history.take(node, plan);
      if (turn === undefined) return;
      const { cluster } = node.ref;
      for (const { height, bytes, record } of turn.records) {
        const first = history.view(cluster)[height];
        if (record === undefined) violated(`${node.name} stores a record ${height} that is none`);
        else if (record.height !== height)
          violated(`${node.name} stores the record of height ${record.height} at ${height}`);
        if (first !== undefined && Buffer.compare(first.bytes, bytes) !== 0)
          violated(`${node.name} stores another record ${height} than ${first.from}`);
      }
      for (const [slot, row] of turn.slots) {
        if (row === undefined) continue;
        if (row.slot !== slot) violated(`${node.name} stores the row of slot ${row.slot} at ${slot}`);
        if (row.decided !== undefined) logs.get(cluster)?.decide(node, row.decided);
      }
    },
    onEnd() {
      for (const node of world.nodes) if (node.isCorrect) compareStored(node);
      for (const log of logs.values()) log.checkOrder();
    },
  };
};

interface Known {
  readonly entry: Entry;
  readonly from: string;
}

/** All that was ever decided in one cluster's log, as correct nodes stored it. */
class DecidedLog {
  readonly #slots = new Map<Slot, Known>();
  readonly #blocks = new Map<Digest, Known>();
  readonly #noOp: Digest;
  readonly #violated: Reason;

  constructor(cluster: ClusterId, violated: Reason) {
    this.#noOp = noOpBlock(cluster).digest;
    this.#violated = violated;
  }

  decide({ name }: SimNode, entry: Entry): void {
    const { slot, digest } = entry;
    const before = this.#slots.get(slot);
    if (before !== undefined) {
      if (sameThing(before.entry, entry)) return;
      this.#violated(`${name} has decided ${showEntry(entry)}, ${before.from} has decided ${showEntry(before.entry)}`);
      return;
    }
    const known = { entry, from: name };
    this.#slots.set(slot, known);
    this.#compare(this.#slots.get(slot - 1), known);
    this.#compare(known, this.#slots.get(slot + 1));
    if (digest === this.#noOp) return;
    const elsewhere = this.#blocks.get(digest);
    if (elsewhere === undefined) this.#blocks.set(digest, known);
    else
      this.#violated(
        `block ${short(digest)} is decided in slot ${slot} (${name}) and ${elsewhere.entry.slot} (${elsewhere.from})`,
      );
  }

  /** Of all pairs of neighbours, gaps or not. */
  checkOrder(): void {
    const ascending = [...this.#slots.values()].sort((a, b) => a.entry.slot - b.entry.slot);
    for (let i = 1; i < ascending.length; i++) this.#compare(ascending[i - 1], ascending[i]);
  }

  #compare(lower: Known | undefined, higher: Known | undefined): void {
    if (lower === undefined || higher === undefined) return;
    const { sequence, slot, digest, cluster } = higher.entry;
    const before = lower.entry;
    if (before.sequence < sequence || (before.sequence === sequence && digest === this.#noOp)) return;
    const [below, above] = [showSequence(before.sequence), showSequence(sequence)];
    this.#violated(`cluster ${cluster}: slot ${before.slot} has sequence ${below}, slot ${slot} above it ${above}`);
  }
}
