// What work costs a simulated server. It has one core, which does one thing after the other; what arrives meanwhile
// waits. Signatures are counted where they are made and checked, so whatever the door skips costs nothing, and a block
// costs each node that checks it one check for every request. Disks and bandwidth are not modelled.

/** Microseconds of one core. */
export interface CpuCosts {
  /** To read, decode and handle one message, without signatures. */
  readonly receiveUs: number;
  readonly verifyUs: number;
  readonly signUs: number;
  /** To hand one message to the network, for each of its receivers. */
  readonly sendUs: number;
}

/** Ed25519 by libsodium as measured on one core of a 2-core machine; receiving and sending are estimates. */
const BASE: CpuCosts = { receiveUs: 5, verifyUs: 50, signUs: 18, sendUs: 3 };

/** Costs of a server on which checking one signature takes so long, everything else in proportion. */
export function costsOf(verifyUs: number): CpuCosts {
  const slower = verifyUs / BASE.verifyUs;
  return {
    receiveUs: BASE.receiveUs * slower,
    verifyUs,
    signUs: BASE.signUs * slower,
    sendUs: BASE.sendUs * slower,
  };
}

/** What a turn has done, as far as it costs. */
export interface Work {
  readonly received: number;
  readonly verified: number;
  readonly signed: number;
}

/** Microseconds before the first message of the turn can leave. */
export function workUs({ received, verified, signed }: Work, costs: CpuCosts): number {
  return received * costs.receiveUs + verified * costs.verifyUs + signed * costs.signUs;
}

/** One core: when it is free, and how long it was busy within the measured span. */
export class Core {
  readonly #from: number;
  readonly #to: number;
  #freeAt = 0;
  #busyUs = 0;

  constructor(span: { readonly fromUs: number; readonly toUs: number }) {
    this.#from = span.fromUs;
    this.#to = span.toUs;
  }

  get freeAt(): number {
    return this.#freeAt;
  }

  /** Works from `at`, when it must be free, for so long; returns when it is done. */
  work(at: number, forUs: number): number {
    if (at < this.#freeAt) throw new Error(`the core is busy until ${this.#freeAt}, asked at ${at}`);
    this.#freeAt = at + forUs;
    this.#busyUs += Math.max(0, Math.min(this.#freeAt, this.#to) - Math.max(at, this.#from));
    return this.#freeAt;
  }

  /** Share of the measured span, 0 to 1. */
  get busy(): number {
    return this.#busyUs / (this.#to - this.#from);
  }
}
