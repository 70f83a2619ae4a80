// Disks that are lost or fall back to what they were a while ago (protocol 6). Of a cluster never more than f nodes
// at a time have forgotten or lie; one counts until it takes part again. Sometimes its operator knows, and recovers
// it; sometimes it is just started again, and must find out.

import { quorumOf } from "../cluster/quorum.js";
import { compareMarks, signedStart } from "../cluster/start.js";
import { heardKey, heardSchema, startKey } from "../ledger/keys.js";
import { type Boot, bootOf, rejoinWrite } from "../node/boot.js";
import type { Mark } from "../types/message.js";
import { signedSchema } from "../types/schema.js";
import type { Draw } from "./draw.js";
import type { SimHost } from "./host.js";

export interface DiskFault {
  readonly what: string;
  readonly heal: () => void;
}

/** The disk is gone at once, and the node comes back when that heals. */
export function loseDisk(hosts: readonly SimHost[], draw: Draw): DiskFault | undefined {
  const host = pickFrom(hosts, draw);
  if (host === undefined) return undefined;
  const isKnown = draw.chance(0.5);
  if (isKnown) recover(host);
  else host.lose("unaware", (disk) => disk.replace(host.genesis));
  return { what: `${host.name}${isKnown ? "" : " unnoticed"}`, heal: () => comeBack(host) };
}

/** The disk breaks its promise at once, and the node comes back when that heals, and finds out. */
export function loseTail(hosts: readonly SimHost[], draw: Draw): DiskFault | undefined {
  const host = pickFrom(hosts, draw);
  if (host === undefined) return undefined;
  const count = draw.integer([1, 20]);
  host.lose("unaware", (disk) => disk.lose(count));
  return { what: `${host.name}, ${count} writes`, heal: () => comeBack(host) };
}

/**
 * The disk as it is now comes back when that heals. Half of the nodes start once more in between, so that their peers
 * know of a later start than the copy does; of the others they may have heard what was said since.
 */
export function keepOldDisk(hosts: readonly SimHost[], draw: Draw): DiskFault | undefined {
  const host = pickFrom(hosts, draw);
  if (host === undefined) return undefined;
  const past = host.store.rows();
  const copy = { boot: bootOf(host.store), mark: host.running?.replica.coordinator.engine.mark };
  const isKnown = draw.chance(0.3);
  const startsAgain = draw.chance(0.5);
  if (startsAgain) {
    host.crash();
    host.restart();
  }
  const heal = () => {
    if (!mayForget(host, hosts)) return;
    if (isKnown || !mustBeNoticed(copy, host, hosts)) recover(host);
    else host.lose("unaware", (disk) => disk.replace(past.map(([key, value]) => ({ key, value }))));
    comeBack(host);
  };
  return { what: `${host.name} from boot ${copy.boot.boot}`, heal };
}

/** What `sharper node recover` does: a new folder that knows what it is. */
export function recover(host: SimHost): void {
  host.lose("recovering", (disk) => disk.replace([...host.genesis, rejoinWrite()]));
}

function pickFrom(hosts: readonly SimHost[], draw: Draw): SimHost | undefined {
  const able = hosts.filter((host) => mayForget(host, hosts));
  return able.length === 0 ? undefined : draw.pick(able);
}

function mayForget(host: SimHost, hosts: readonly SimHost[]): boolean {
  const cluster = hosts.filter(({ ref }) => ref.cluster === host.ref.cluster);
  const faulty = cluster.filter(({ isCorrect, amnesia }) => !isCorrect || amnesia !== undefined);
  return host.isCorrect && host.amnesia === undefined && faulty.length < host.cluster.faults;
}

interface Copy {
  readonly boot: Boot;
  /** How far the node had spoken when it was made, or further; undefined: that is not known. */
  readonly mark: Mark | undefined;
}

/**
 * Must the node find out that its disk is this copy? By the rules of START it must if those who would take it for the
 * newest are too few to answer for it, also when others lose what they know meanwhile: then nobody's silence helps it.
 * Where they are enough, it depends on who is down and who is slow (docs/protocol.md, Known limits).
 */
function mustBeNoticed(copy: Copy, host: SimHost, hosts: readonly SimHost[]): boolean {
  const others = hosts.filter(({ ref }) => ref.cluster === host.ref.cluster && ref.node !== host.ref.node);
  const unaware = others.filter((other) => !knowsBetter(other, { copy, host }));
  const othersLost = host.cluster.faults - 1;
  return unaware.length + othersLost < quorumOf(host.cluster) - 1;
}

/** By what it has on its own disk, since it may start again before it is asked. */
function knowsBetter(
  { store, isCorrect, amnesia }: SimHost,
  { copy, host }: { readonly copy: Copy; readonly host: SimHost },
): boolean {
  if (!isCorrect || amnesia !== undefined) return false;
  const row = store.get(startKey(host.ref.node));
  const start = row === undefined ? undefined : signedStart(signedSchema.decode(row))?.start;
  const { incarnation, boot } = copy.boot;
  if (start !== undefined && (start.incarnation - incarnation || start.boot - boot) > 0) return true;
  const heard = store.get(heardKey());
  const mark = heard === undefined ? undefined : heardSchema.decode(heard).marks[host.ref.node];
  return mark !== undefined && copy.mark !== undefined && compareMarks(mark, copy.mark) > 0;
}

function comeBack(host: SimHost): void {
  if (host.running === undefined) host.restart();
}
