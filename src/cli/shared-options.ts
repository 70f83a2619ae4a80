// Options that several commands have, so that they mean and say the same everywhere.

import { CodedError } from "../types/codes.js";

/** A number that must be given when the option is. */
export const number = { type: "number", requiresArg: true } as const;

/** Of commands that check something offline, or work on one node's files. */
export const topologyFile = {
  type: "string",
  demandOption: true,
  requiresArg: true,
  describe: "The topology file",
} as const;

/** Of commands that make a network on the spot. */
export const model = {
  choices: ["byzantine", "crash"] as const,
  default: "byzantine" as const,
  describe: "Of all clusters",
};
export const keepIn = {
  type: "string",
  requiresArg: true,
  describe: "Make the network in this new folder and keep it",
} as const;

export interface Range {
  readonly min: number;
  readonly max: number;
}

/** Throws CodedError "usage". */
export function checkWhole(name: string, value: number, { min, max }: Range): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw new CodedError("usage", `--${name} must be a whole number from ${min} to ${max}`);
}
