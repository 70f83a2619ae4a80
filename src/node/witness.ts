// What this node has heard others sign, as long as it may be contradicted: a bounded memory that finds two statements
// of one node which no correct node signs both of (contradiction.ts), and words worth showing to others, since whoever
// speaks or its primary has said something else to this node. What is found is proof only after both signatures were
// checked, here, whatever was checked before. It judges nobody's protocol, and takes no part in it.

import type { CertificateContext } from "../cluster/certificate.js";
import { primaryOf, sameEntry } from "../cluster/quorum.js";
import { RecentCache } from "../crypto/recent.js";
import { type Entry, type NodeRef, nodeKey } from "../types/ids.js";
import { limits } from "../types/limits.js";
import { carriage, type NodeMessage, unreachable, type Verified } from "../types/message.js";
import type { Certificate, Signed, Statement } from "../types/schema.js";
import { contradiction, type Proven, provenBy, type Word, wordOf } from "./contradiction.js";

/** A contradiction, and the two statements that prove it. */
export interface Evidence extends Proven {
  readonly statements: readonly Statement[];
}

/** Of one speaker: by what a contradiction would be about, oldest first. */
interface Heard {
  readonly words: Map<string, Word>;
  /** Keys of its checkpoints, oldest first. */
  readonly checkpoints: string[];
  bytes: number;
}

/** What a word takes beside its body, about. */
const WORD_BYTES = 600;
/** The same contradiction is found again and again. */
const FOUND_MAX = 1024;
const SHOWN_MAX = 1024;

export class Witness {
  readonly #context: CertificateContext;
  readonly #bytesPerNode: number;
  readonly #heard = new Map<number, Heard>();
  readonly #known = new RecentCache<string, true>(FOUND_MAX);
  readonly #shown = new RecentCache<string, true>(SHOWN_MAX);
  #found: Evidence[] = [];
  #odd: (readonly Statement[])[] = [];

  constructor(context: CertificateContext) {
    this.#context = context;
    const nodes = context.topology.clusters.reduce((sum, cluster) => sum + cluster.nodes.length, 0);
    this.#bytesPerNode = Math.max(limits.heardBytesOfNodeMin, Math.floor(limits.heardBytesMax / nodes));
  }

  /** What it holds of all nodes, about. */
  get bytes(): number {
    return [...this.#heard.values()].reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** A message that passed the door: what its sender signed, and what others signed as it shows. */
  hear({ message, signed }: Verified): void {
    if (signed !== undefined) this.#take({ kind: carriage[message.kind].number, ...signed });
    for (const statement of quotedIn(message)) this.#take(statement);
  }

  /** What others thought worth showing, signatures checked: compared, and not kept, lest it drive out what is. */
  compare(statements: readonly Statement[]): void {
    const words = statements.map(wordOf).filter((word) => word !== undefined);
    const [first, second] = words;
    if (first !== undefined && second !== undefined) this.#judge(first, second);
    for (const word of words) {
      for (const key of [keyOf(word), ...rivalsOf(word)]) this.#judge(this.#held(word.by, key), word);
      this.#compareWithCommits(word);
    }
  }

  /** Found since the last call, each once. */
  takeFound(): readonly Evidence[] {
    const found = this.#found;
    this.#found = [];
    return found;
  }

  /** Words to be shown to all since the last call: pairs of different nodes, one of which seems to lie. */
  takeOdd(): readonly (readonly Statement[])[] {
    const odd = this.#odd;
    this.#odd = [];
    return odd;
  }

  #take(statement: Statement): void {
    if (weightOf(statement) > this.#bytesPerNode) return;
    const word = wordOf(statement);
    if (word === undefined || this.#context.members.node(word.by) === undefined) return;
    const key = keyOf(word);
    const before = this.#held(word.by, key);
    if (before !== undefined) {
      // Said again, most of the time.
      if (Buffer.compare(before.statement.body, statement.body) === 0) return;
      this.#judge(before, word);
      if (word.claim.about !== "view-change") return;
    }
    for (const rival of rivalsOf(word)) this.#judge(this.#held(word.by, rival), word);
    this.#compareWithCommits(word);
    this.#keep(word, key);
    this.#compareWithPrimary(word);
  }

  #held(by: NodeRef, key: string): Word | undefined {
    return this.#heard.get(nodeKey(by))?.words.get(key);
  }

  #keep(word: Word, key: string): void {
    const speaker = nodeKey(word.by);
    let heard = this.#heard.get(speaker);
    if (heard === undefined) {
      heard = { words: new Map(), checkpoints: [], bytes: 0 };
      this.#heard.set(speaker, heard);
    }
    forget(heard, key);
    heard.words.set(key, word);
    heard.bytes += weightOf(word.statement);
    if (word.claim.about === "checkpoint") keepNewest(heard, key);
    for (const oldest of heard.words.keys()) {
      if (heard.bytes <= this.#bytesPerNode) return;
      forget(heard, oldest);
    }
  }

  /** A VIEW-CHANGE speaks of everything that its sender said COMMIT for. */
  #compareWithCommits({ by, claim, statement }: Word): void {
    if (claim.about !== "view-change") return;
    for (const each of this.#heard.get(nodeKey(by))?.words.values() ?? []) {
      const isBefore = each.claim.about === "commit" && each.claim.entry.view === claim.change.view - 1;
      if (isBefore) this.#judge(each, { by, claim, statement });
    }
  }

  #judge(a: Word | undefined, b: Word): void {
    // Statements are decoded and signatures looked at only for pairs that contradict each other.
    if (a === undefined || contradiction(a, b) === undefined) return;
    const statements = [a.statement, b.statement];
    const proven = provenBy(statements, this.#context);
    if (typeof proven === "string") return;
    const key = `${nodeKey(proven.by)} ${proven.kind} ${proven.subject}`;
    if (this.#known.get(key) !== undefined) return;
    this.#known.set(key, true);
    this.#found.push({ ...proven, statements });
  }

  /**
   * A node of a byzantine cluster speaks for another entry than its primary did here: one of the two lies, to somebody.
   * Round-0 accepts differ by nature.
   */
  #compareWithPrimary(word: Word): void {
    const entry = boundEntry(word);
    if (entry === undefined) return;
    const cluster = this.#context.members.clusterOf(entry.cluster);
    if (cluster.model === "crash") return;
    const primary = { cluster: entry.cluster, node: primaryOf(cluster, entry.view) };
    if (word.by.node !== primary.node) {
      const choice = this.#held(primary, ballotKey("vote", entry));
      if (choice !== undefined) this.#show(word, choice);
      return;
    }
    if (word.claim.about !== "vote") return;
    for (const { index } of cluster.nodes) {
      const by = { cluster: entry.cluster, node: index };
      for (const about of entry.round === 1 ? (["vote", "commit"] as const) : (["commit"] as const)) {
        const other = this.#held(by, ballotKey(about, entry));
        if (other !== undefined && index !== primary.node) this.#show(other, word);
      }
    }
  }

  #show(word: Word, choice: Word): void {
    const [said, chosen] = [boundEntry(word), boundEntry(choice) ?? entryOf(choice)];
    if (said === undefined || chosen === undefined || sameEntry(said, chosen)) return;
    const key = `${nodeKey(word.by)} ${keyOf(word)}`;
    if (this.#shown.get(key) !== undefined || this.#odd.length >= limits.oddWordsMax) return;
    this.#shown.set(key, true);
    this.#odd.push([word.statement, choice.statement]);
  }
}

/** They are few and live long: what they are about was settled long before they are the oldest words. */
function keepNewest(heard: Heard, checkpoint: string): void {
  heard.checkpoints.push(checkpoint);
  const oldest = heard.checkpoints.length > limits.heardCheckpointsMax ? heard.checkpoints.shift() : undefined;
  if (oldest !== undefined) forget(heard, oldest);
}

function forget(heard: Heard, key: string): void {
  const word = heard.words.get(key);
  if (word === undefined) return;
  heard.words.delete(key);
  heard.bytes -= weightOf(word.statement);
}

function weightOf({ body }: Statement): number {
  return body.length + WORD_BYTES;
}

/** Of a claim that can be compared with the primary's choice. */
function boundEntry({ claim }: Word): Entry | undefined {
  if (claim.about === "commit") return claim.entry;
  return claim.about === "vote" && claim.entry.round === 1 ? claim.entry : undefined;
}

function entryOf({ claim }: Word): Entry | undefined {
  return claim.about === "vote" || claim.about === "commit" ? claim.entry : undefined;
}

function ballotKey(about: "vote" | "commit", { view, round, slot }: Entry): string {
  return `${about} ${view}.${round}.${slot}`;
}

/** Under what a word is held: two of one speaker and key are said at most once, or they are the same. */
function keyOf({ claim }: Word): string {
  switch (claim.about) {
    case "vote":
    case "commit":
      return ballotKey(claim.about, claim.entry);
    case "checkpoint":
      return `checkpoint ${claim.checkpoint.slot}`;
    case "view-change":
      return `view ${claim.change.view}`;
    case "verdicts":
      return `verdicts ${claim.digest}${claim.final ? " final" : ""}`;
    default:
      return unreachable(claim);
  }
}

/** Other keys of what the speaker may have said and this could contradict. */
function rivalsOf(word: Word): readonly string[] {
  const { claim } = word;
  switch (claim.about) {
    case "vote":
      return [ballotKey("commit", claim.entry)];
    case "commit":
      return [ballotKey("vote", claim.entry), `view ${claim.entry.view + 1}`];
    case "view-change":
    case "checkpoint":
    case "verdicts":
      return [];
    default:
      return unreachable(claim);
  }
}

/** What others signed, as this message shows: certificates and proofs are others' words. */
function quotedIn(message: NodeMessage): readonly Statement[] {
  switch (message.kind) {
    case "view-change":
      return [
        ...message.prepared.flatMap(({ proof }) => proof),
        ...message.decided.flatMap(({ certificate }) => commitsOf(certificate)),
      ];
    case "new-view":
      return message.changes.map(({ signed }) => ({ kind: carriage["view-change"].number, ...signed }));
    case "committed":
    case "chunk":
      return message.certificates.flatMap(commitsOf);
    case "stable":
      return message.certificate.commits.map((signed) => ({ kind: carriage.checkpoint.number, ...signed }));
    default:
      return [];
  }
}

function commitsOf({ commits }: Certificate): readonly Statement[] {
  return commits.map((signed: Signed) => ({ kind: carriage.commit.number, ...signed }));
}
