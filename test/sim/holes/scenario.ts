// What the scenarios of protocol 9 share: a directed schedule is run twice, once with a rule that fails, put in place of
// ours for that one test, and once with ours, and the checkers of protocol 10 watch both. A node that stops by an
// assertion of its own stays down, so that the checkers see what the others make of it.

import { afterEach, expect, vi } from "vitest";
import { makeCheckers } from "../../../src/sim/checkers/all.js";
import type { Invariant, MakeChecker } from "../../../src/sim/observer.js";
import type { Message } from "../../../src/types/message.js";
import { sealAs } from "../../support/forge.js";
import { type NetworkOptions, type Packet, TestNetwork } from "../../support/network.js";
import { watch } from "../../support/watched.js";

export interface ScenarioOptions extends NetworkOptions {
  /** A byzantine node: nothing is promised about it. */
  readonly liar?: string;
}

export interface Outcome {
  /** Invariants that were violated, ascending. */
  readonly violated: readonly Invariant[];
  /** Nodes that stopped, and why: "c1n0: ...". */
  readonly stopped: readonly string[];
  /** What the checkers say, for whoever reads a failure. */
  readonly reasons: readonly string[];
}

/** Nothing was found and nobody stopped. */
export const SOUND: Outcome = { violated: [], stopped: [], reasons: [] };

export async function scenario(
  { liar, ...options }: ScenarioOptions,
  schedule: (network: TestNetwork) => void | Promise<void>,
): Promise<Outcome> {
  const network = await TestNetwork.create(options);
  const stopped = stopOnError(network);
  const watched = watch(network, { makers: [...makeCheckers, makeAnswered], isCorrect: (name) => name !== liar });
  network.settle();
  await schedule(network);
  const violations = watched.end();
  const violated = [...new Set(violations.map(({ invariant }) => invariant))];
  return {
    violated: violated.sort((a, b) => Number(a.slice(1)) - Number(b.slice(1))),
    stopped,
    reasons: violations.map(({ invariant, reason }) => `${invariant}: ${reason}`),
  };
}

/** The checkers report this invariant. */
export function expectViolated(
  { violated, reasons }: Pick<Outcome, "violated" | "reasons">,
  invariant: Invariant,
): void {
  expect(violated, reasons.join("\n")).toContain(invariant);
}

/** A broken rule is in force for one test. */
export function restoreRules(): void {
  afterEach(() => {
    vi.restoreAllMocks();
  });
}

/** I10: in the end every request of a correct client has its reply. */
const makeAnswered: MakeChecker = (_, report) => {
  const waiting = new Set<string>();
  return {
    onRequest: ({ client, nonce }) => void waiting.add(`${client} ${nonce}`),
    onReply: (client, { nonce }) => void waiting.delete(`${client} ${nonce}`),
    onEnd() {
      for (const each of waiting) report({ invariant: "I10", reason: `request ${each} is not answered` });
    },
  };
};

/** A node whose own assertion fails stops for good, as its host would stop it. */
function stopOnError(network: TestNetwork): readonly string[] {
  const stopped: string[] = [];
  const down = new Set<string>();
  const turns = network.turns.bind(network);
  network.turns = (node) => {
    if (down.has(node.name)) return;
    try {
      turns(node);
    } catch (error) {
      down.add(node.name);
      node.inbox.length = 0;
      stopped.push(`${node.name}: ${error instanceof Error ? error.message : error}`);
    }
  };
  return stopped;
}

/** Time passes and everything that is due happens. */
export function wait(network: TestNetwork, seconds: number): void {
  for (let i = 0; i < 2 * seconds; i++) network.advance(500);
}

/** Time passes, and one node notices. */
export function timeOut(network: TestNetwork, name: string, ms: number): void {
  network.tick += ms;
  const node = network.node(name);
  node.inbox.push({ kind: "tick" });
  network.turns(node);
}

/** The node does not trust its primary any more, whatever its timers say. */
export function suspect(network: TestNetwork, name: string): void {
  const node = network.node(name);
  node.replica.coordinator.suspect();
  node.inbox.push({ kind: "tick" });
  network.turns(node);
}

/** Until they are healed, these nodes hear nobody and nobody hears them. */
export function isolate(network: TestNetwork, names: readonly string[]): { readonly heal: () => void } {
  const { drop } = network;
  let isOver = false;
  network.drop = (packet) => {
    return drop(packet) || (!isOver && (names.includes(packet.sender) || names.includes(packet.receiver)));
  };
  return {
    heal: () => {
      isOver = true;
    },
  };
}

/** What was held once is not held again. */
const released = new WeakSet<Packet>();

/** From now on packets of which this says true wait outside the network; `release` puts them back on their way. */
export function hold(network: TestNetwork, isHeld: (packet: Packet) => boolean): { readonly release: () => void } {
  const { drop } = network;
  const held: Packet[] = [];
  let isOver = false;
  network.drop = (packet) => {
    if (drop(packet)) return true;
    if (isOver || released.has(packet) || !isHeld(packet)) return false;
    held.push(packet);
    return true;
  };
  const release = () => {
    isOver = true;
    for (const packet of held) released.add(packet);
    network.packets.push(...held.splice(0));
  };
  return { release };
}

/** What is under way and matches is lost. */
export function lose(network: TestNetwork, isLost: (packet: Packet) => boolean): void {
  network.packets.splice(0, network.packets.length, ...network.packets.filter((packet) => !isLost(packet)));
}

/** A lie: sent by a node's key to these nodes, without its replica's knowledge. */
export function speakAs(
  network: TestNetwork,
  { from, to, message }: { readonly from: string; readonly to: readonly string[]; readonly message: Message },
): void {
  const bytes = sealAs(network, from, message);
  for (const name of to) network.post(network.node(from).info.key, network.node(name).info.key, bytes);
}
