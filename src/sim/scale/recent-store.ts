// The store of a simulated server: what it wrote lately, of the tables that a running node reads. A run of thousands of
// servers would not fit into memory otherwise. Nothing restarts in these runs, so nothing else is ever asked for; rows
// are kept for one to two spans of virtual time, which is far longer than any message is late.

import { TABLES, type Table } from "../../ledger/keys.js";
import type { Reader, Write } from "../../types/effects.js";

const READ: readonly Table[] = ["height", "reply", "block", "certificates", "verdict"];
const isRead = new Set<number>(READ.map((table) => TABLES[table]));

export class RecentStore implements Reader {
  readonly #spanUs: number;
  #young = new Map<string, Uint8Array>();
  #old = new Map<string, Uint8Array>();
  #turnsAt: number;

  constructor(spanUs: number) {
    this.#spanUs = spanUs;
    this.#turnsAt = spanUs;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    const text = textOf(key);
    return this.#young.get(text) ?? this.#old.get(text);
  }

  /** One atomic batch. */
  apply(batch: readonly Write[], nowUs: number): void {
    if (nowUs >= this.#turnsAt) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#turnsAt = nowUs + this.#spanUs;
    }
    for (const { key, value } of batch) {
      if (value !== undefined && isRead.has(key[0] as number)) this.#young.set(textOf(key), value);
    }
  }
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}
