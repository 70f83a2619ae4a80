// I8: every vote a correct node sends is in its store at that moment, and no two of its votes contradict each other,
// over all its lives: in one ballot never two entries for a slot nor two slots for a block, sequences in slot order; no
// COMMIT against a later accept; no vote of a view below one it has voted in, but for what is decided (protocol 2.3,
// 6). A checkpoint it signs covers records and decisions that it holds, and a verdict it sends is stored.

import { noOpBlock } from "../../cluster/block.js";
import { FOREIGN } from "../../execution/rules.js";
import { heightKey, heightSchema, recordKey, verdictKey } from "../../ledger/keys.js";
import { decodeRecord, recordHash } from "../../ledger/records.js";
import { bootOf } from "../../node/boot.js";
import type { TurnPlan } from "../../node/turn.js";
import type { Digest, Entry, Slot, View } from "../../types/ids.js";
import { unreachable } from "../../types/message.js";
import type { Checker, MakeChecker, SimNode } from "../observer.js";
import { DurableLog } from "./durable.js";
import { type Statement, sameThing, showEntry } from "./facts.js";
import { historyOf, type Turn } from "./history.js";
import { type Reason, reporter } from "./report.js";

export const makeVotes: MakeChecker = (world, report): Checker => {
  const violated = reporter("I8", report);
  const history = historyOf(world);
  const voters = new Map<string, Voter>();
  /** Nodes that have lost what they said, and have not come back; the last incarnation of those that did. */
  const lost = new Set<string>();
  const incarnations = new Map<string, number>();

  function voterOf(node: SimNode): Voter {
    let voter = voters.get(node.name);
    if (voter === undefined) {
      voter = new Voter(node, violated);
      voters.set(node.name, voter);
    }
    return voter;
  }

  /** It may take part again when its cluster has ordered its next incarnation, and not before. */
  function checkReturn(node: SimNode, plan: TurnPlan, { said }: Pick<Turn, "said">): void {
    if (!plan.notes.some(({ kind }) => kind === "takes-part")) {
      const word = said.find(({ kind }) => kind === "vote" || kind === "commit" || kind === "checkpoint");
      if (word !== undefined) violated(`${node.name} says ${word.kind}, having lost what it said before`);
      return;
    }
    lost.delete(node.name);
    const { incarnation } = bootOf(node.store);
    const last = incarnations.get(node.name) ?? 0;
    if (incarnation <= last)
      violated(`${node.name} takes part as incarnation ${incarnation}, having lost what it said`);
    incarnations.set(node.name, incarnation);
  }

  return {
    onTurn(node, plan) {
      const turn = history.take(node, plan);
      if (turn === undefined) return;
      if (lost.has(node.name)) checkReturn(node, plan, turn);
      const voter = voterOf(node);
      voter.log.write(turn);
      for (const statement of turn.said) voter.hear(statement);
      voter.endTurn();
    },
    onCrash(node) {
      voters.get(node.name)?.log.forget();
    },
    onStart(node) {
      voters.get(node.name)?.log.forget();
    },
    onLost(node) {
      // What it said is void, and it comes back as another incarnation. Order is judged for each by itself.
      voters.get(node.name)?.checkOrder();
      voters.delete(node.name);
      lost.add(node.name);
    },
    onEnd() {
      for (const voter of voters.values()) voter.checkOrder();
    },
  };
};

/** What a node said in one ballot. */
interface Ballot {
  readonly slots: Map<Slot, Entry>;
  readonly blocks: Map<Digest, Entry>;
}

class Voter {
  readonly log: DurableLog;
  readonly #node: SimNode;
  readonly #violated: Reason;
  readonly #noOp: Digest;
  /** By view and round, as one number. */
  readonly #accepts = new Map<number, Ballot>();
  readonly #commits = new Map<number, Ballot>();
  readonly #checkpoints = new Map<Slot, string>();
  /** The highest view it voted in before this turn, and in it. */
  #view: View = 0;
  #nextView: View = 0;

  constructor(node: SimNode, violated: Reason) {
    this.#node = node;
    this.#violated = violated;
    this.#noOp = noOpBlock(node.ref.cluster).digest;
    this.log = new DurableLog(node);
  }

  hear(statement: Statement): void {
    switch (statement.kind) {
      case "vote":
        this.#checkSpeaker(statement.entry.cluster, statement.node, statement.message);
        return this.#onAccept(statement.entry, statement.message);
      case "commit": {
        this.#checkSpeaker(statement.cluster, statement.node, "commit");
        // A crash primary's COMMIT names other clusters' entries, too: those are not its votes.
        const own = statement.entries.find(({ cluster }) => cluster === this.#node.ref.cluster);
        return own === undefined ? undefined : this.#onCommit(own);
      }
      case "checkpoint":
        this.#checkSpeaker(statement.cluster, statement.node, "checkpoint");
        return this.#onCheckpoint(statement);
      case "result":
        this.#checkSpeaker(statement.cluster, statement.node, "result");
        return this.#onResult(statement);
      case "reply":
        return;
      default:
        unreachable(statement);
    }
  }

  /** Messages of a turn to different nodes have no order among themselves. */
  endTurn(): void {
    this.#view = this.#nextView;
  }

  /** Of all pairs of neighbours in each ballot, gaps or not. */
  checkOrder(): void {
    for (const { slots } of this.#accepts.values()) {
      const ascending = [...slots.values()].sort((a, b) => a.slot - b.slot);
      for (let i = 1; i < ascending.length; i++) this.#checkPair(ascending[i - 1], ascending[i]);
    }
  }

  #onAccept(entry: Entry, message: string): void {
    if (!this.log.hasAccepted(entry))
      this.#complain(`says ${message} for ${showEntry(entry)}, which it does not store`);
    this.#checkView(entry, message);
    this.#vote(this.#accepts, entry, message);
    const { slots } = ballotOf(this.#accepts, entry);
    this.#checkPair(slots.get(entry.slot - 1), entry);
    this.#checkPair(entry, slots.get(entry.slot + 1));
  }

  #onCommit(entry: Entry): void {
    const isByzantine = this.#node.cluster.model === "byzantine";
    const isStored = isByzantine ? this.log.hasCommitted(entry) : this.log.hasAccepted(entry);
    if (!isStored) this.#complain(`says commit for ${showEntry(entry)}, which it does not store`);
    if (this.log.isDecided(entry)) return;
    // Of a crash cluster it says that a quorum has accepted, which stays true in whatever view it is said.
    if (isByzantine) this.#checkView(entry, "commit");
    this.#vote(this.#commits, entry, "commit");
    if (entry.round === 1) return;
    const later = this.#accepts.get(2 * entry.view + 1);
    const rival = later?.slots.get(entry.slot) ?? later?.blocks.get(entry.digest);
    if (rival !== undefined && !sameThing(rival, entry))
      this.#complain(`says commit for ${showEntry(entry)}, having accepted ${showEntry(rival)}`);
  }

  #checkSpeaker(cluster: number, node: number, message: string): void {
    const { ref } = this.#node;
    if (cluster !== ref.cluster || node !== ref.node) this.#complain(`says ${message} as node ${node} of ${cluster}`);
  }

  #checkView(entry: Entry, message: string): void {
    if (entry.view > this.#nextView) this.#nextView = entry.view;
    if (entry.view >= this.#view || this.log.isDecided(entry)) return;
    this.#complain(`says ${message} for ${showEntry(entry)}, having voted in view ${this.#view}`);
  }

  #vote(said: Map<number, Ballot>, entry: Entry, message: string): void {
    const { slots, blocks } = ballotOf(said, entry);
    const isNoOp = entry.digest === this.#noOp;
    for (const before of [slots.get(entry.slot), isNoOp ? undefined : blocks.get(entry.digest)]) {
      if (before === undefined || sameThing(before, entry)) continue;
      this.#complain(`says ${message} for ${showEntry(entry)}, and said so before for ${showEntry(before)}`);
    }
    slots.set(entry.slot, entry);
    if (!isNoOp) blocks.set(entry.digest, entry);
  }

  #checkPair(lower: Entry | undefined, higher: Entry | undefined): void {
    if (lower === undefined || higher === undefined || lower.sequence < higher.sequence) return;
    if (lower.sequence === higher.sequence && higher.digest === this.#noOp) return;
    this.#complain(`accepts ${showEntry(lower)} below ${showEntry(higher)}`);
  }

  #onCheckpoint(checkpoint: Extract<Statement, { kind: "checkpoint" }>): void {
    const { slot, sequence, height, record, finalSequence, state } = checkpoint;
    const said = `${sequence} ${height} ${record} ${finalSequence} ${state}`;
    const before = this.#checkpoints.get(slot);
    if (before !== undefined && before !== said) this.#complain(`signs two checkpoints of slot ${slot}`);
    this.#checkpoints.set(slot, said);
    const bytes = this.#node.store.get(recordKey(height));
    const isStored = bytes !== undefined && recordHash(bytes) === record;
    if (!isStored || decodeRecord(bytes).finalSequence !== finalSequence)
      this.#complain(`signs a checkpoint of record ${height}, which it does not store`);
    for (let each = this.log.stable.slot + 1; each <= slot; each++) {
      const decided = this.log.row(each)?.decided;
      if (decided === undefined)
        this.#complain(`signs a checkpoint of slot ${slot} without the decision of slot ${each}`);
      else if (each === slot && decided.sequence !== sequence)
        this.#complain(`signs a checkpoint of slot ${slot} with a sequence that is not that slot's`);
    }
  }

  #onResult({ digest, verdicts, final }: Extract<Statement, { kind: "result" }>): void {
    if (final) {
      const results = this.#resultsOf(digest);
      if (results?.length !== verdicts.length || verdicts.some((code, i) => code !== FOREIGN && code !== results[i]))
        this.#complain(`sends results of block ${digest.slice(0, 12)} that its record does not have`);
      return;
    }
    const stored = this.#node.store.get(verdictKey(digest));
    if (stored === undefined || Buffer.compare(stored, verdicts) !== 0)
      this.#complain(`sends verdicts on block ${digest.slice(0, 12)} that it does not store`);
  }

  #resultsOf(digest: Digest): Uint8Array | undefined {
    const { store } = this.#node;
    const height = store.get(heightKey(digest));
    const record = height === undefined ? undefined : store.get(recordKey(heightSchema.decode(height).height));
    return record === undefined ? undefined : decodeRecord(record).results;
  }

  #complain(what: string): void {
    this.#violated(`${this.#node.name} ${what}`);
  }
}

function ballotOf(said: Map<number, Ballot>, { view, round }: Entry): Ballot {
  const key = 2 * view + round;
  let ballot = said.get(key);
  if (ballot === undefined) {
    ballot = { slots: new Map(), blocks: new Map() };
    said.set(key, ballot);
  }
  return ballot;
}
