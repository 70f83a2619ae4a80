// I13: no evidence can name a correct node. Of everything that a correct node signs in all its lives, to whomever, no
// two statements contradict each other as node/contradiction.ts understands it; so whatever others put together from
// it, they cannot prove anything against it.

import { contradiction, type Word, wordOf } from "../../node/contradiction.js";
import type { TurnPlan } from "../../node/turn.js";
import { carriage, kindOfNumber } from "../../types/message.js";
import { envelopeSchema, type Statement } from "../../types/schema.js";
import type { Checker, MakeChecker } from "../observer.js";
import { reporter } from "./report.js";

export const makeInnocence: MakeChecker = (_world, report): Checker => {
  const violated = reporter("I13", report);
  const said = new Map<string, Words>();
  return {
    onTurn(node, plan) {
      if (!node.isCorrect) return;
      let record = said.get(node.name);
      if (record === undefined) {
        record = new Words();
        said.set(node.name, record);
      }
      for (const word of wordsOf(plan)) {
        // What it passes on of others is theirs.
        if (word.by.cluster !== node.ref.cluster || word.by.node !== node.ref.node) continue;
        const kind = record.add(word);
        if (kind !== undefined) violated(`${node.name} can be accused: ${kind}`);
      }
    },
  };
};

/** Everything that one node signed, by what could contradict it. */
class Words {
  readonly #words = new Map<string, Word[]>();
  readonly #commits: Word[] = [];
  readonly #changes: Word[] = [];
  readonly #bodies = new Set<string>();

  /** What contradicts this among all before. */
  add(word: Word): string | undefined {
    const body = `${word.statement.kind} ${Buffer.from(word.statement.body).toString("base64")}`;
    if (this.#bodies.has(body)) return undefined;
    this.#bodies.add(body);
    const subject = subjectOf(word);
    const rivals = this.#words.get(subject) ?? [];
    if (rivals.length === 0) this.#words.set(subject, rivals);
    const found = [...rivals, ...this.#acrossViews(word)].map((rival) => contradiction(rival, word));
    rivals.push(word);
    if (word.claim.about === "commit") this.#commits.push(word);
    if (word.claim.about === "view-change") this.#changes.push(word);
    const [first] = found.filter((each) => each !== undefined);
    return first === undefined ? undefined : `${first.kind}, ${first.subject}`;
  }

  /** A VIEW-CHANGE and the COMMITs of the view before it. */
  #acrossViews({ claim }: Word): readonly Word[] {
    if (claim.about === "view-change") return this.#commits;
    return claim.about === "commit" ? this.#changes : [];
  }
}

function subjectOf({ claim }: Word): string {
  switch (claim.about) {
    case "vote":
    case "commit":
      return `slot ${claim.entry.slot}`;
    case "checkpoint":
      return `checkpoint ${claim.checkpoint.slot}`;
    case "view-change":
      return `view ${claim.change.view}`;
    case "verdicts":
      return `block ${claim.digest}`;
  }
}

/** What the node says in the turn, to others and to itself. */
function wordsOf({ outbound, inbound }: TurnPlan): readonly Word[] {
  const statements: Statement[] = [];
  const seen = new Set<Uint8Array>();
  for (const envelopes of outbound.values()) {
    for (const envelope of envelopes) {
      if (seen.has(envelope)) continue;
      seen.add(envelope);
      const statement = envelopeSchema.decode(envelope);
      if (isBinding(statement.kind)) statements.push(statement);
    }
  }
  for (const event of inbound) {
    const signed = event.kind === "message" ? event.verified.signed : undefined;
    if (event.kind !== "message" || signed === undefined) continue;
    const { number } = carriage[event.verified.message.kind];
    if (isBinding(number)) statements.push({ kind: number, ...signed });
  }
  return statements.map(wordOf).filter((word) => word !== undefined);
}

function isBinding(kind: number): boolean {
  const name = kindOfNumber(kind);
  return name !== undefined && carriage[name].signed !== "never";
}
