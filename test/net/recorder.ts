// What a transport told its owner, and a way to wait for the next such event: tests of the network wait on events only.

import { ed25519Signer } from "../../src/crypto/signature.js";
import type { TransportHandlers } from "../../src/net/transport.js";
import type { NetworkId, PublicKey } from "../../src/types/ids.js";

export type Happening =
  | { readonly kind: "message"; readonly peer: PublicKey; readonly bytes: Uint8Array }
  | { readonly kind: "connect" | "disconnect"; readonly peer: PublicKey }
  | { readonly kind: "gossip"; readonly topic: string; readonly peer: PublicKey; readonly bytes: Uint8Array }
  | { readonly kind: "rejected"; readonly code: string; readonly peer: PublicKey | undefined }
  | { readonly kind: "error"; readonly error: unknown };

export interface Recorder {
  readonly handlers: Required<TransportHandlers>;
  readonly happenings: Happening[];
  /** The first happening, past or to come, that matches all of the given fields. */
  saw(fields: Partial<Record<string, unknown>>): Promise<Happening>;
  /** Resolves once so many messages have come. */
  sawMessages(count: number): Promise<void>;
  messages(): readonly Uint8Array[];
  texts(): readonly string[];
  codes(): readonly string[];
}

export function recorder(): Recorder {
  const happenings: Happening[] = [];
  const waiting: { readonly test: () => boolean; readonly resolve: () => void }[] = [];

  function add(happening: Happening): void {
    happenings.push(happening);
    for (const waiter of waiting.splice(0)) {
      if (waiter.test()) waiter.resolve();
      else waiting.push(waiter);
    }
  }

  function until(test: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      if (test()) resolve();
      else waiting.push({ test, resolve });
    });
  }

  const messages = (): readonly Uint8Array[] =>
    happenings.flatMap((happening) => (happening.kind === "message" ? [happening.bytes] : []));

  return {
    happenings,
    handlers: {
      onMessage: (peer, bytes) => add({ kind: "message", peer, bytes }),
      onConnect: (peer) => add({ kind: "connect", peer }),
      onDisconnect: (peer) => add({ kind: "disconnect", peer }),
      onGossip: (topic, peer, bytes) => add({ kind: "gossip", topic, peer, bytes }),
      onRejected: (code, peer) => add({ kind: "rejected", code, peer }),
      onError: (error) => add({ kind: "error", error }),
    },
    async saw(fields) {
      const matching = (): Happening | undefined =>
        happenings.find((happening) => {
          const entries: Partial<Record<string, unknown>> = { ...happening };
          return Object.entries(fields).every(([name, value]) => entries[name] === value);
        });
      await until(() => matching() !== undefined);
      return matching() as Happening;
    },
    sawMessages: (count) => until(() => messages().length >= count),
    messages,
    texts: () => messages().map(textOf),
    codes: () => happenings.flatMap((happening) => (happening.kind === "rejected" ? [happening.code] : [])),
  };
}

export const NETWORK = "ab".repeat(32) as NetworkId;
export const OTHER_NETWORK = "cd".repeat(32) as NetworkId;

export interface TestKey {
  readonly seed: Uint8Array;
  readonly key: PublicKey;
}

/** Keys in ascending order: an earlier one dials a later one. */
export function testKeys(count: number): readonly TestKey[] {
  return Array.from({ length: count }, (_, at) => {
    const seed = new Uint8Array(32).fill(at + 1);
    return { seed, key: ed25519Signer(seed).publicKey };
  }).sort((a, b) => (a.key < b.key ? -1 : 1));
}

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
