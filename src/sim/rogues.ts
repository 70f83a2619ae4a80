// Byzantine clients in the world: each is woken now and then, says what it likes to whom it likes, and waits for no
// answers. What they say is written beside the villains.

import type { Signer } from "../crypto/signature.js";
import type { NodeRef, PublicKey } from "../types/ids.js";
import type { Topology } from "../types/topology.js";
import type { Draw } from "./draw.js";
import type { EventQueue } from "./events.js";
import type { Endpoint, Frame } from "./network.js";

export interface RogueWord {
  readonly to: NodeRef;
  readonly envelope: Uint8Array;
  /** Virtual ms. */
  readonly delay: number;
}

export interface RogueContext {
  readonly topology: Topology;
  /** Its own key: that of an enrolled client. */
  readonly signer: Signer;
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly below: (count: number) => number;
}

/** What it says when it is woken. */
export type Rogue = (context: RogueContext) => readonly RogueWord[];
export type MakeRogue = () => Rogue;

export interface RogueOptions {
  readonly name: string;
  readonly rogue: Rogue;
  readonly endpoint: Endpoint;
  readonly signer: Signer;
  readonly draw: Draw;
  readonly everyMs: number;
  readonly queue: EventQueue;
  readonly topology: Topology;
  readonly time: () => number;
  readonly keyOf: (node: NodeRef) => PublicKey;
  readonly send: (from: Endpoint, to: PublicKey, frame: Frame, extraMs: number) => void;
}

export class RogueClient {
  readonly #options: RogueOptions;
  #isActive = true;

  constructor(options: RogueOptions) {
    this.#options = options;
  }

  start(): void {
    const { queue, draw, everyMs } = this.#options;
    queue.after(draw.wait(everyMs), () => {
      if (!this.#isActive) return;
      this.#speak();
      this.start();
    });
  }

  stop(): void {
    this.#isActive = false;
  }

  #speak(): void {
    const { rogue, topology, signer, time, draw, endpoint, keyOf, send } = this.#options;
    for (const { to, envelope, delay } of rogue({ topology, signer, time: time(), below: draw.below })) {
      send(endpoint, keyOf(to), [envelope], delay);
    }
  }
}
