// Runs of real replicas of which a checker is shown something else than what happened: a row or a word of a node is
// changed on its way to the checker, and in the store.

import { heightOfKey, type Table, tableOf } from "../../../src/ledger/keys.js";
import { decodeRecord, encodeRecord, type LedgerRecord } from "../../../src/ledger/records.js";
import type { TurnPlan } from "../../../src/node/turn.js";
import type { MakeChecker } from "../../../src/sim/observer.js";
import { carriage, type MessageKind } from "../../../src/types/message.js";
import { envelopeSchema, type StoredSlot, storedSlotSchema } from "../../../src/types/schema.js";
import type { FailureModel } from "../../../src/types/topology.js";
import { TestNetwork, type TestNode } from "../../support/network.js";
import { type Watched, type WatchOptions, watch } from "../../support/watched.js";

export interface BentOptions extends Omit<WatchOptions, "makers"> {
  readonly models?: readonly FailureModel[];
  /** What happens; by default payments within and between the first two clusters. */
  readonly drive?: (network: TestNetwork, watched: Watched) => void;
  readonly healed?: boolean;
}

/** What the checkers report about such a run, in words. */
export async function reasonsOf(
  make: MakeChecker | readonly MakeChecker[],
  options: BentOptions = {},
): Promise<readonly string[]> {
  const { models = ["crash", "crash"], drive = payAround, healed = true, ...watching } = options;
  const network = await TestNetwork.create({ models });
  const watched = watch(network, { makers: [make].flat(), ...watching });
  drive(network, watched);
  network.settle();
  return watched.end({ healed }).map(({ invariant, reason }) => `${invariant} ${reason}`);
}

function payAround(network: TestNetwork): void {
  for (const clusters of [[1], [1, 2], [2, 1], [2], [1]]) {
    network.pay(...clusters);
    network.settle();
  }
}

type Bend = NonNullable<WatchOptions["bend"]>;

/** Changes the rows of a table in turns of the nodes named so. */
export function bendRows(
  names: RegExp,
  table: Table,
  change: (value: Uint8Array, number: number, node: TestNode) => Uint8Array | undefined,
): Bend {
  return (node, plan) => {
    if (!names.test(node.name) || !plan.persist.some(({ key }) => tableOf(key) === table)) return plan;
    const persist = plan.persist.map(({ key, value }) => {
      if (tableOf(key) !== table || value === undefined) return { key, value };
      const isNumbered = table === "record" || table === "slot" || table === "certificates";
      return { key, value: change(value, isNumbered ? heightOfKey(key) : 0, node) };
    });
    return { ...plan, persist };
  };
}

export function bendRecords(
  names: RegExp,
  change: (record: LedgerRecord, node: TestNode) => Partial<LedgerRecord> | undefined,
): Bend {
  return bendRows(names, "record", (value, _, node) => {
    const record = decodeRecord(value);
    const changed = change(record, node);
    return changed === undefined ? value : encodeRecord({ ...record, ...changed });
  });
}

export function bendSlots(
  names: RegExp,
  change: (row: StoredSlot, node: TestNode) => Partial<StoredSlot> | undefined,
): Bend {
  return bendRows(names, "slot", (value, _, node) => {
    const row = storedSlotSchema.decode(value);
    const changed = change(row, node);
    return changed === undefined ? value : storedSlotSchema.encode({ ...row, ...changed });
  });
}

/** Changes the bodies of what the nodes named so say of one kind. */
export function bendWords(names: RegExp, kind: MessageKind, change: (body: Uint8Array) => Uint8Array): Bend {
  return (node, plan) => (names.test(node.name) ? { ...plan, outbound: bentOutbound(plan, kind, change) } : plan);
}

function bentOutbound(
  { outbound }: TurnPlan,
  kind: MessageKind,
  change: (body: Uint8Array) => Uint8Array,
): TurnPlan["outbound"] {
  const bent = (envelope: Uint8Array) => {
    const opened = envelopeSchema.decode(envelope);
    if (opened.kind !== carriage[kind].number) return envelope;
    return envelopeSchema.encode({ ...opened, body: change(opened.body) });
  };
  return new Map([...outbound].map(([to, envelopes]) => [to, envelopes.map(bent)]));
}
