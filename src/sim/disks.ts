// Disks that are lost or fall back to what they were a while ago (protocol 6). Of a cluster never more than f nodes
// at a time have forgotten or lie; one counts until it takes part again. Sometimes its operator knows, and recovers
// it; sometimes it is just started again, and must find out.

import { signedStart } from "../cluster/start.js";
import { startKey } from "../ledger/keys.js";
import { bootOf, rejoinWrite } from "../node/boot.js";
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

/** The disk as it is now comes back when that heals. */
export function keepOldDisk(hosts: readonly SimHost[], draw: Draw): DiskFault | undefined {
  const host = pickFrom(hosts, draw);
  if (host === undefined) return undefined;
  const past = host.store.rows();
  const boot = bootOf(host.store);
  const isKnown = draw.chance(0.5);
  const heal = () => {
    if (!mayForget(host, hosts)) return;
    if (isKnown || !isNoticed(host, hosts, boot.boot)) recover(host);
    else host.lose("unaware", (disk) => disk.replace(past.map(([key, value]) => ({ key, value }))));
    comeBack(host);
  };
  return { what: `${host.name} from boot ${boot.boot}`, heal };
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

/**
 * Will whoever answers know that the copy is old? All must know of a later start, since in a crash cluster a single
 * answer may have to do (docs/protocol.md, Known limits).
 */
function isNoticed(host: SimHost, hosts: readonly SimHost[], boot: number): boolean {
  const { incarnation, boot: last } = bootOf(host.store);
  const others = hosts.filter(({ ref }) => ref.cluster === host.ref.cluster && ref.node !== host.ref.node);
  return others.every(({ store, isCorrect }) => {
    const row = store.get(startKey(host.ref.node));
    const held = row === undefined ? undefined : signedStart(signedSchema.decode(row))?.start;
    if (!isCorrect || held === undefined) return false;
    return last > boot && held.incarnation === incarnation && held.boot === last;
  });
}

function comeBack(host: SimHost): void {
  if (host.running === undefined) host.restart();
}
