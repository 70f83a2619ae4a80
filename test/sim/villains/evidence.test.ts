// I13: who says two things is named, and nobody else, when correct nodes compare what reached them; and mostly without
// comparing everything, by what each notices and shows to the others (node/witness.ts). SEEDS=from-to explores others.

import { describe, expect, test } from "vitest";
import { Members } from "../../../src/cluster/members.js";
import { contradiction, provenBy, type Word, wordOf } from "../../../src/node/contradiction.js";
import { type Opened, openEnvelope, openMessage } from "../../../src/node/wire.js";
import { Witness } from "../../../src/node/witness.js";
import type { Checker, MakeVillain, SimWorld } from "../../../src/sim/observer.js";
import { planOf } from "../../../src/sim/profiles.js";
import { run } from "../../../src/sim/run.js";
import { villains } from "../../../src/sim/villains/all.js";
import { type PublicKey, showNode } from "../../../src/types/ids.js";
import { carriage, type NodeMessage, type Verified } from "../../../src/types/message.js";

const [firstSeed = 1, lastSeed = firstSeed] = (process.env["SEEDS"] ?? "1-4").split("-").map(Number);
const seeds = Array.from({ length: lastSeed - firstSeed + 1 }, (_, i) => firstSeed + i);

/** What reached the correct nodes of a world, and what comes of it. */
class Comparison {
  readonly world: SimWorld;
  /** By all that reached all of them. */
  readonly named = new Set<string>();
  /** By what each noticed and showed. */
  readonly noticed = new Set<string>();
  readonly #members: Members;
  readonly #witnesses = new Map<PublicKey, Witness>();
  readonly #words = new Map<string, Word[]>();
  readonly #messages = new WeakMap<Uint8Array, NodeMessage | undefined>();

  constructor(world: SimWorld) {
    this.world = world;
    this.#members = new Members(world.topology);
    const context = { topology: world.topology, members: this.#members, verifier: world.verifier };
    for (const { info, isCorrect } of world.nodes) if (isCorrect) this.#witnesses.set(info.key, new Witness(context));
  }

  /** Somebody said this to somebody. */
  arrive(from: { readonly cluster: number; readonly node: number }, to: PublicKey, envelope: Uint8Array): void {
    const witness = this.#witnesses.get(to);
    const opened = witness === undefined ? "not correct" : openEnvelope(envelope);
    if (witness === undefined || typeof opened === "string" || opened.kind === "request") return;
    // The same bytes go to many.
    if (!this.#messages.has(envelope)) this.#messages.set(envelope, this.#messageOf(opened));
    const message = this.#messages.get(envelope);
    if (message === undefined) return;
    const { body, signature } = opened;
    const signed = carriage[opened.kind].signed === "never" || signature.length === 0 ? undefined : { body, signature };
    if (signed !== undefined) this.#pool({ kind: carriage[opened.kind].number, body, signature });
    witness.hear({ from, message, signed } as Verified);
    for (const odd of witness.takeOdd()) for (const other of this.#witnesses.values()) other.compare(odd);
    for (const each of this.#witnesses.values()) {
      for (const { by } of each.takeFound()) this.noticed.add(showNode(by));
    }
  }

  #messageOf(opened: Opened): NodeMessage | undefined {
    const context = { topology: this.world.topology, members: this.#members, verifier: { verify: () => true } };
    const message = openMessage(opened, { ...context, knownBlock: () => undefined, vouched: true });
    return typeof message === "string" ? undefined : message;
  }

  #pool(statement: Word["statement"]): void {
    const word = wordOf(statement);
    if (word === undefined || this.named.has(showNode(word.by))) return;
    const key = `${showNode(word.by)} ${subjectOf(word)}`;
    const before = this.#words.get(key) ?? [];
    if (before.some((each) => Buffer.compare(each.statement.body, statement.body) === 0)) return;
    this.#words.set(key, [...before, word]);
    const context = { topology: this.world.topology, members: this.#members, verifier: this.world.verifier };
    for (const each of before) {
      if (contradiction(each, word) === undefined) continue;
      const proven = provenBy([each.statement, word.statement], context);
      if (typeof proven !== "string") this.named.add(showNode(proven.by));
    }
  }
}

function subjectOf({ claim }: Word): string {
  if ("entry" in claim) return `${claim.entry.view} ${claim.entry.slot}`;
  return claim.about === "checkpoint" ? `checkpoint ${claim.checkpoint.slot}` : claim.about;
}

async function play(seed: number, makers: Readonly<Record<string, MakeVillain>>) {
  let comparison: Comparison | undefined;
  const liars = new Set<string>();
  const overhear =
    (make: MakeVillain): MakeVillain =>
    (below) => {
      const villain = make(below);
      return {
        ...villain,
        bend(outgoing, context) {
          const said = villain.bend?.(outgoing, context) ?? outgoing;
          liars.add(context.node.name);
          for (const { to, envelope } of said) comparison?.arrive(context.node.ref, to, envelope);
          return said;
        },
      };
    };
  const cast = Object.fromEntries(Object.entries(makers).map(([name, make]) => [name, overhear(make)]));
  const listen = (world: SimWorld): Checker => {
    comparison = new Comparison(world);
    return {
      onTurn(node, plan) {
        if (!node.isCorrect) return;
        for (const [to, envelopes] of plan.outbound) {
          for (const envelope of envelopes) comparison?.arrive(node.ref, to, envelope);
        }
      },
    };
  };
  const drawn = planOf({ seed, profile: "treason", clusters: 2 });
  // Short: liars begin to lie at once.
  const plan = { ...drawn, safetyMs: 8000, load: { ...drawn.load, requestsMax: 40 } };
  await run({ plan, cast: { checkers: [listen], villains: cast, rogues: {} } });
  return { liars, named: comparison?.named ?? new Set(), noticed: comparison?.noticed ?? new Set() };
}

const { equivocate, twins, composite } = villains;
const contradicting = { equivocate, twins, "two-faced": villains["two-faced"], "vote-all": villains["vote-all"] };
const quiet = { silent: villains.silent, deaf: villains.deaf, slow: villains.slow, replay: villains.replay };

describe("evidence", () => {
  test(`names those who contradict themselves, and nobody else, seeds ${firstSeed} to ${lastSeed}`, async () => {
    let [liars, named, noticed] = [0, 0, 0];
    for (const seed of seeds) {
      const found = await play(seed, { ...contradicting, composite });
      for (const name of [...found.named, ...found.noticed]) {
        expect(found.liars, `seed ${seed}: ${name} is correct`).toContain(name);
      }
      liars += found.liars.size;
      named += found.named.size;
      noticed += found.noticed.size;
    }
    expect(named, `seeds ${firstSeed} to ${lastSeed}: ${liars} liars, ${noticed} noticed`).toBeGreaterThan(0);
    expect(noticed, `seeds ${firstSeed} to ${lastSeed}: ${liars} liars, ${named} named`).toBeGreaterThan(0);
    if (process.env["SEEDS"] !== undefined) console.log({ liars, named, noticed });
  });

  test.each(seeds.slice(0, 2))(
    "names nobody who only fails, is late, or repeats what it heard, seed %i",
    async (seed) => {
      const { named, noticed } = await play(seed, quiet);
      expect([...named, ...noticed], `seed ${seed}`).toEqual([]);
    },
  );
});
