// Records of a cluster's view (protocol 7): one per delivered block, chained by hash from the genesis record. The hash
// covers the record's exact encoding and so everything but the certificates, which may differ from node to node. P
// needs no field of its own: every sequence of the vector carries its cluster. Knows nothing of how a record comes
// about.

import { digestOf } from "../crypto/hash.js";
import { CodecError } from "../types/bytes.js";
import type { ClusterId, Digest, Sequence } from "../types/ids.js";
import { clusterOf, fromHex, NO_SEQUENCE, sequenceOf, toHex } from "../types/ids.js";
import { recordSchema } from "../types/schema.js";
import type { Topology } from "../types/topology.js";

export interface LedgerRecord {
  /** Position in the view; 0 is the genesis record. */
  readonly height: number;
  /** Hash of this view's previous record. */
  readonly parent: Digest;
  readonly finalSequence: Sequence;
  /** What every cluster of P decided, ascending by cluster. */
  readonly sequences: readonly Sequence[];
  readonly digest: Digest;
  /** max(the block's time, the previous record's time), milliseconds since 1970 (protocol 4). */
  readonly time: number;
  /** One result number per operation of the block. */
  readonly results: Uint8Array;
}

const NO_PARENT = "0".repeat(64) as Digest;

/** Record 0. The network's one genesis block has the same digest in all views; the vector tells whose view this is. */
export function genesisRecord(topology: Topology, cluster: ClusterId): LedgerRecord {
  return {
    height: 0,
    parent: NO_PARENT,
    finalSequence: NO_SEQUENCE,
    sequences: [sequenceOf(0, cluster)],
    digest: genesisDigest(topology),
    time: 0,
    results: new Uint8Array(0),
  };
}

export function genesisDigest(topology: Topology): Digest {
  return digestOf(Buffer.concat([Buffer.from("sharper genesis"), fromHex(topology.networkId)]));
}

export function encodeRecord(record: LedgerRecord): Uint8Array {
  return recordSchema.encode({ ...record, parent: fromHex(record.parent), digest: fromHex(record.digest) });
}

/** Throws CodecError. Only shape is checked: the audit judges the rest. */
export function decodeRecord(bytes: Uint8Array): LedgerRecord {
  const { parent, digest, finalSequence, sequences, ...rest } = recordSchema.decode(bytes);
  return {
    ...rest,
    parent: toHex(parent),
    digest: toHex(digest),
    finalSequence: finalSequence as Sequence,
    sequences: sequences as readonly Sequence[],
  };
}

/** The hash of a record's exact encoding: the next record's parent. */
export function recordHash(encoded: Uint8Array): Digest {
  return digestOf(encoded);
}

/** The involved clusters P. */
export function recordClusters(record: LedgerRecord): readonly ClusterId[] {
  return record.sequences.map(clusterOf);
}

/** What stored bytes say, or undefined when they are not the encoding of anything. */
export function tryDecode<T>(decode: () => T): T | undefined {
  try {
    return decode();
  } catch (error) {
    if (error instanceof CodecError) return undefined;
    throw error;
  }
}
