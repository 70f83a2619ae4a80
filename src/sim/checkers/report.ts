// How a checker reports: each reason once, and a bounded number of them, for one fault of the system can show at every
// node, height and slot.

import type { SimNode, Violation } from "../observer.js";

export type Reason = (reason: string) => void;

const VIOLATIONS_MAX = 10;

/** Reports under one invariant. */
export function reporter(invariant: Violation["invariant"], report: (violation: Violation) => void): Reason {
  const known = new Set<string>();
  return (reason) => {
    if (known.size >= VIOLATIONS_MAX || known.has(reason)) return;
    known.add(reason);
    report({ invariant, reason });
  };
}

/** Correct, and up: of a node that is down nothing more can be expected. */
export function isExpected(node: SimNode): boolean {
  return node.isCorrect && node.running !== undefined;
}

/** The first digits of a digest: enough to find it. */
export function short(digest: string): string {
  return digest.slice(0, 12);
}
