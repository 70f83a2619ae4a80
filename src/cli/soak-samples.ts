// What a node's process takes of the machine, sampled from /proc: resident memory, its part that no file backs, and
// open file descriptors. LevelDB maps its files into memory, so that the resident part follows the ledger's size up to
// what the kernel cares to keep; the anonymous part is what the process itself holds.

import { readdir, readFile } from "node:fs/promises";
import { type Point, slopeOf } from "../chaos/slope.js";

export interface Sample {
  readonly atMs: number;
  readonly residentBytes: number;
  readonly anonymousBytes: number;
  readonly descriptors: number;
}

export interface Usage {
  readonly residentMiB: { readonly first: number; readonly last: number };
  readonly residentMiBPerHour: number;
  readonly anonymousMiBPerHour: number;
  readonly descriptors: { readonly first: number; readonly last: number; readonly most: number };
}

const MIB = 2 ** 20;
const HOUR_MS = 3_600_000;
const ENDS = 10; // samples of which the median stands for the beginning and the end: memory swings with collections

/** Undefined when the process is gone, or the machine has no /proc. */
export async function sampleOf(pid: number, atMs: number): Promise<Sample | undefined> {
  try {
    const [status, descriptors] = await Promise.all([
      readFile(`/proc/${pid}/status`, "utf8"),
      readdir(`/proc/${pid}/fd`),
    ]);
    const [residentBytes, anonymousBytes] = ["VmRSS", "RssAnon"].map((name) => {
      return 1024 * Number(new RegExp(`^${name}:\\s*(\\d+) kB`, "m").exec(status)?.[1] ?? Number.NaN);
    });
    return { atMs, residentBytes, anonymousBytes, descriptors: descriptors.length } as Sample;
  } catch {
    return undefined;
  }
}

/** Of the samples after the warm-up. */
export function usageOf(samples: readonly Sample[]): Usage {
  const resident = samples.map(({ residentBytes }) => residentBytes / MIB);
  const open = samples.map(({ descriptors }) => descriptors);
  const perHour = (pick: (sample: Sample) => number): number =>
    slopeOf(samples.map((sample): Point => ({ x: sample.atMs / HOUR_MS, y: pick(sample) / MIB })));
  return {
    residentMiB: { first: median(resident.slice(0, ENDS)), last: median(resident.slice(-ENDS)) },
    residentMiBPerHour: perHour(({ residentBytes }) => residentBytes),
    anonymousMiBPerHour: perHour(({ anonymousBytes }) => anonymousBytes),
    descriptors: { first: median(open.slice(0, ENDS)), last: median(open.slice(-ENDS)), most: Math.max(0, ...open) },
  };
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
