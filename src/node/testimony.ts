// Evidence on its way (docs/protocol.md, decision 50): what this node found is kept for good and told to all nodes by
// gossip, a few in a second; what others tell is checked and kept alike, once for each contradiction and a bounded
// number for each node. Words that seem to be a lie to somebody travel the same way and are only compared.

import type { CertificateContext } from "../cluster/certificate.js";
import { digestOf } from "../crypto/hash.js";
import { evidenceKey } from "../ledger/keys.js";
import { CodecError } from "../types/codec.js";
import type { Write } from "../types/effects.js";
import { type NodeRef, nodeKey, type PublicKey } from "../types/ids.js";
import { limits } from "../types/limits.js";
import type { Verified } from "../types/message.js";
import { type Statement, testimonySchema } from "../types/schema.js";
import { CONTRADICTIONS, isSigned, type Proven, provenBy, wordOf } from "./contradiction.js";
import { type Evidence, Witness } from "./witness.js";

export interface TestimonyOptions extends CertificateContext {
  /** Contradictions on disk. */
  readonly stored: readonly Evidence[];
}

/** One round of what is to be done about what was heard. */
export interface Findings {
  readonly persist: readonly Write[];
  /** For gossip. */
  readonly publish: readonly Uint8Array[];
  /** New ones, for the log. */
  readonly found: readonly Proven[];
}

const SECOND_MS = 1000;

export class Testimony {
  readonly #options: TestimonyOptions;
  readonly #witness: Witness;
  /** By node, how many are kept. */
  readonly #counts = new Map<number, number>();
  readonly #kept: Evidence[];
  /** By author of gossip, this node among them: what was said in this second. */
  readonly #said = new Map<PublicKey | undefined, number>();
  #second = 0;
  #toPublish: Uint8Array[] = [];
  #repeated = 0;

  constructor(options: TestimonyOptions) {
    this.#options = options;
    this.#witness = new Witness(options);
    this.#kept = [...options.stored];
    for (const { by } of options.stored) this.#count(by);
  }

  get kept(): number {
    return this.#kept.length;
  }

  hear(verified: Verified): void {
    this.#witness.hear(verified);
  }

  /** Gossip that its author signed. False: it is none, is too much, or is signed by nobody. */
  onGossip(author: PublicKey, data: Uint8Array, tick: number): boolean {
    const statements = decode(data);
    if (statements === undefined || !this.#maySpeak(author, tick)) return false;
    const words = statements.map(wordOf);
    if (!words.every((word) => word !== undefined && isSigned(word, this.#options))) return false;
    this.#witness.compare(statements);
    return true;
  }

  /** What was found since the last call. `tick`: ms of a monotonic clock. */
  take(tick: number): Findings {
    const persist: Write[] = [];
    const found: Evidence[] = [];
    for (const evidence of this.#witness.takeFound()) {
      const { by, kind, subject, statements } = evidence;
      const isKnown = this.#kept.some((each) => isSame(each, evidence));
      if (isKnown || (this.#counts.get(nodeKey(by)) ?? 0) >= limits.evidencePerNodeMax) continue;
      this.#count(by);
      this.#kept.push(evidence);
      found.push(evidence);
      const key = evidenceKey(by, CONTRADICTIONS[kind], digestOf(Buffer.from(subject)));
      persist.push({ key, value: testimonySchema.encode({ statements }) });
    }
    for (const statements of [...found.map((each) => each.statements), ...this.#witness.takeOdd()]) {
      this.#queue(statements);
    }
    return { persist, publish: this.#publish(tick), found };
  }

  /** Now and then what is known is told again, in turns: who was away has missed it. */
  repeat(): void {
    const evidence = this.#kept[this.#repeated++ % Math.max(1, this.#kept.length)];
    if (evidence !== undefined) this.#queue(evidence.statements);
  }

  #count(by: NodeRef): void {
    this.#counts.set(nodeKey(by), (this.#counts.get(nodeKey(by)) ?? 0) + 1);
  }

  /** What is too long for gossip stays here, and is listed where it was found. */
  #queue(statements: readonly Statement[]): void {
    const data = testimonySchema.encode({ statements });
    if (data.length <= limits.gossipBytesMax && this.#toPublish.length < limits.oddWordsMax) this.#toPublish.push(data);
  }

  #publish(tick: number): readonly Uint8Array[] {
    const published: Uint8Array[] = [];
    while (this.#toPublish.length > 0 && this.#maySpeak(undefined, tick)) {
      published.push(this.#toPublish.shift() as Uint8Array);
    }
    return published;
  }

  #maySpeak(author: PublicKey | undefined, tick: number): boolean {
    const second = Math.floor(tick / SECOND_MS);
    if (second !== this.#second) this.#said.clear();
    this.#second = second;
    const said = this.#said.get(author) ?? 0;
    this.#said.set(author, said + 1);
    return said < limits.testimoniesPerSecondMax;
  }
}

function isSame(a: Proven, b: Proven): boolean {
  return nodeKey(a.by) === nodeKey(b.by) && a.kind === b.kind && a.subject === b.subject;
}

function decode(data: Uint8Array): readonly Statement[] | undefined {
  try {
    const { statements } = testimonySchema.decode(data);
    return statements.length === 2 ? statements : undefined;
  } catch (error) {
    if (error instanceof CodecError) return undefined;
    throw error;
  }
}

/** A stored row as evidence; undefined when it proves nothing. */
export function evidenceOf(value: Uint8Array, context: CertificateContext): Evidence | undefined {
  const statements = decode(value);
  if (statements === undefined) return undefined;
  const copies = statements.map(({ kind, body, signature }) => ({
    kind,
    body: body.slice(),
    signature: signature.slice(),
  }));
  const proven = provenBy(copies, context);
  return typeof proven === "string" ? undefined : { ...proven, statements: copies };
}
