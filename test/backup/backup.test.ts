// A backup proves itself: damage at any byte is found by the file, anything that is not proven by its certificate and
// its chain of records is refused, and what a busy node lets go of is asked for again.

import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { BackupDecoder } from "../../src/backup/format.js";
import type { BackupSource } from "../../src/backup/take.js";
import { checkpointOf } from "../../src/cluster/checkpoint.js";
import { historyKey, historySchema, recordKey } from "../../src/ledger/keys.js";
import type { BackupEntry } from "../../src/types/schema.js";
import type { State } from "../../src/types/state-transfer.js";
import { TestNetwork } from "../support/network.js";
import { payMixed } from "../support/sleep.js";
import {
  backupOf,
  contentOf,
  contextOf,
  entriesOf,
  FILE,
  networkWithHistory,
  sealed,
  sourceOf,
  verdictOn,
} from "./world.js";

type Bend = (entries: BackupEntry[]) => readonly (BackupEntry | undefined)[];

describe.each([
  ["crash", "byzantine"],
  ["byzantine", "crash"],
] as const)("a backup of a node of a %s cluster beside a %s one", (...models) => {
  let network: TestNetwork;
  let bytes: Uint8Array;
  beforeAll(async () => {
    network = await networkWithHistory({ models });
    bytes = await backupOf(await sourceOf(network, network.node("c1n1")));
  });

  test("proves the node's checkpoint", () => {
    const { checkpoint, node } = contentOf(bytes, contextOf(network));
    const [stable] = entriesOf(bytes).flatMap(({ state }) => state?.list?.certificate ?? []);
    expect(checkpoint).toEqual(stable && checkpointOf(stable));
    expect(checkpoint.height).toBeGreaterThan(0);
    expect(node.id).toBe("c1n1");
  });

  test("with any byte changed, cut off or added is refused as damaged", () => {
    const context = contextOf(network);
    const changed = (at: number, by: number) => bytes.with(at, (bytes[at] as number) ^ by);
    for (const at of [...Array(250).keys(), ...Array.from({ length: 20 }, (_, i) => bytes.length - 1 - i)]) {
      expect(verdictOn(changed(at, 1), context), `byte ${at}`).toBe("backup-damaged");
    }
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, by) => {
        expect(verdictOn(changed(at, by), context), `byte ${at} changed by ${by}`).toBe("backup-damaged");
        expect(verdictOn(bytes.subarray(0, at), context), `cut off at ${at}`).toBe("backup-damaged");
      }),
      { numRuns: 25 },
    );
    expect(verdictOn(Uint8Array.from([...bytes, 0]), context)).toBe("backup-damaged");
    expect(verdictOn(Buffer.concat([bytes, bytes]), context)).toBe("backup-damaged");
  });

  test("comes apart in the same entries, whatever pieces it is read in", () => {
    const whole = entriesOf(bytes);
    for (const size of [1, 7, 4096]) {
      const decoder = new BackupDecoder(FILE);
      const entries: BackupEntry[] = [];
      const some = size === 1 ? bytes.subarray(0, 3000) : bytes;
      for (let at = 0; at < some.length; at += size) entries.push(...decoder.push(some.subarray(at, at + size)));
      expect(entries).toEqual(whole.slice(0, entries.length));
      if (size > 1) expect(entries.length).toBe(whole.length);
    }
  });

  const isState =
    (part: number) =>
    ({ state }: BackupEntry) =>
      state?.part === part;
  const edit =
    (is: (entry: BackupEntry) => boolean, change: (entry: BackupEntry) => BackupEntry | undefined): Bend =>
    (entries) => {
      const at = entries.findIndex(is);
      return entries.map((entry, i) => (i === at ? change(entry) : entry));
    };
  const list = (change: (list: NonNullable<NonNullable<BackupEntry["state"]>["list"]>) => object) =>
    edit(isState(0), ({ state, ...entry }) => ({
      ...entry,
      state: state && { ...state, list: state.list && { ...state.list, ...change(state.list) } },
    }));
  const pieces = (part: number, change: (bytes: Uint8Array) => Uint8Array | undefined) =>
    edit(isState(part), ({ state, ...entry }) => ({
      ...entry,
      state: state && {
        ...state,
        pieces: state.pieces.flatMap(({ number, bytes: piece }, i) => {
          const other = i === 0 ? change(piece) : piece;
          return other === undefined ? [] : [{ number, bytes: other }];
        }),
      },
    }));
  type Item = NonNullable<BackupEntry["records"]>["items"][number];
  const items = (change: (items: readonly Item[]) => readonly Item[]) =>
    edit(
      ({ records }) => records !== undefined,
      ({ records, ...entry }) => ({ ...entry, records: records && { ...records, items: change(records.items) } }),
    );
  const bent = (piece: Uint8Array) => piece.with(piece.length - 1, (piece.at(-1) as number) ^ 1);
  const full = (part: number) => (entry: BackupEntry) =>
    entry.state?.part === part && entry.state.pieces.some(({ bytes: piece }) => piece.length > 0);

  const LIES: Readonly<Record<string, Bend>> = {
    "no head": (entries) => entries.slice(1),
    "two heads": (entries) => [entries[0] as BackupEntry, ...entries],
    "a node that does not exist": edit(
      ({ head }) => head !== undefined,
      ({ head, ...entry }) => ({ ...entry, head: head && { ...head, node: 9 } }),
    ),
    "a cluster that does not exist": edit(
      ({ head }) => head !== undefined,
      ({ head, ...entry }) => ({ ...entry, head: head && { ...head, cluster: 7 } }),
    ),
    "a node of another cluster": edit(
      ({ head }) => head !== undefined,
      ({ head, ...entry }) => ({ ...entry, head: head && { ...head, cluster: 2 } }),
    ),
    "another height": edit(
      ({ head }) => head !== undefined,
      ({ head, ...entry }) => ({ ...entry, head: head && { ...head, height: head.height + 1 } }),
    ),
    "no list": (entries) => entries.filter((entry) => !isState(0)(entry)),
    "no certificate": list(() => ({ certificate: undefined })),
    "a certificate with a vote less": list(({ certificate }) => ({
      certificate: certificate && { ...certificate, commits: certificate.commits.slice(1) },
    })),
    "a certificate with one vote twice": list(({ certificate }) => ({
      certificate: certificate && { ...certificate, commits: certificate.commits.map(() => certificate.commits[0]) },
    })),
    "a certificate with a bent signature": list(({ certificate }) => ({
      certificate: certificate && {
        ...certificate,
        commits: certificate.commits.map(({ body, signature }) => ({ body, signature: bent(signature) })),
      },
    })),
    "another list of accounts": list(({ accounts }) => ({ accounts: bent(accounts) })),
    "no ids in the list": list(() => ({ ids: [] })),
    "incarnations that nobody has": list(() => ({ incarnations: Uint8Array.of(1) })),
    "a piece of accounts less": (entries) => pieces(1, () => undefined)(entries),
    "all accounts less": (entries) => entries.filter((entry) => !isState(1)(entry)),
    "another balance": (entries) =>
      entries.map((entry) => {
        if (!full(1)(entry)) return entry;
        const { state } = entry;
        const made = state?.pieces.map(({ number, bytes: piece }) => ({
          number,
          bytes: piece.length === 0 ? piece : bent(piece),
        }));
        return { ...entry, state: state && { ...state, pieces: made ?? [] } };
      }),
    "another place of a block": pieces(3, bent),
    "another reply": pieces(2, bent),
    "all places less": (entries) => entries.filter((entry) => !isState(3)(entry)),
    "all ids less": (entries) => entries.filter((entry) => !isState(2)(entry)),
    "no records": (entries) => entries.filter(({ records }) => records === undefined),
    "the first record less": items((all) => all.slice(1)),
    "the last record less": items((all) => all.slice(0, -1)),
    "two records exchanged": items(([a, b, ...all]) => [b as Item, a as Item, ...all]),
    "another record": items(([a, ...all]) => [{ ...(a as Item), record: bent((a as Item).record) }, ...all]),
    "another block": items(([a, b, ...all]) => [{ ...(a as Item), block: (b as Item).block }, b as Item, ...all]),
    "a record without certificates": items(([a, ...all]) => [{ ...(a as Item), certificates: [] }, ...all]),
    "another's certificates": items(([a, b, ...all]) => [
      { ...(a as Item), certificates: (b as Item).certificates },
      b as Item,
      ...all,
    ]),
    "more records than were certified": (entries) => [...entries, ...entries.filter(({ records }) => records)],
  };

  test.each(Object.entries(LIES))("with %s proves nothing, though the file is sound", (what, bend) => {
    const bentEntries = bend([...entriesOf(bytes)]).filter((entry) => entry !== undefined);
    expect(verdictOn(sealed(bentEntries), contextOf(network)), what).toBe("backup-unproven");
  });

  test("of another network is refused as such", async () => {
    const other = await TestNetwork.create({ models: [...models, "crash"] });
    expect(verdictOn(bytes, contextOf(other))).toBe("backup-foreign");
  });

  test("sealed again as it was is the same", () => {
    expect(Buffer.compare(sealed(entriesOf(bytes)), bytes)).toBe(0);
  });
});

describe("a source", () => {
  const lost = { kind: "state", slot: 0, part: "list", list: undefined, pieces: [] } as const satisfies State;

  test("whose state goes on meanwhile is asked again from the begin", async () => {
    const network = await networkWithHistory({ models: ["crash", "crash"] });
    const node = network.node("c1n0");
    const first = await sourceOf(network, node);
    payMixed(network, 80);
    await network.run(2);
    const later = await sourceOf(network, node);
    let asked = 0;
    const source: BackupSource = { ...first, ask: (question) => (++asked > 2 ? later : first).ask(question) };
    const bytes = await backupOf(source);
    const { checkpoint } = contentOf(bytes, contextOf(network));
    expect(checkpoint.slot).toBe(contentOf(await backupOf(later), contextOf(network)).checkpoint.slot);
    expect(checkpoint.slot).toBeGreaterThan(contentOf(await backupOf(first), contextOf(network)).checkpoint.slot);
  });

  test("whose state always goes on is given up", async () => {
    const network = await networkWithHistory({ models: ["crash", "crash"] });
    const source = await sourceOf(network, network.node("c1n0"));
    const ask: BackupSource["ask"] = async (question) =>
      question.kind === "fetch-state" && question.part !== "list" ? lost : source.ask(question);
    await expect(backupOf({ ...source, ask })).rejects.toMatchObject({ code: "state-gone" });
  });

  test("without a stable checkpoint has nothing to give", async () => {
    const network = await TestNetwork.create({ models: ["crash"] });
    const source = await sourceOf(network, network.node("c1n0"));
    await expect(backupOf(source)).rejects.toMatchObject({ code: "no-checkpoint" });
  });

  test("that lacks old records says so", async () => {
    const network = await networkWithHistory({ models: ["crash", "crash"] });
    const { store, ref } = network.node("c1n0");
    store.apply([
      { key: recordKey(3), value: undefined },
      { key: historyKey(), value: historySchema.encode({ below: 2, from: 4 }) },
    ]);
    const source = await sourceOf(network, { ...network.node("c1n0"), ref });
    await expect(backupOf(source)).rejects.toMatchObject({ code: "history-missing" });
  });
});
