// What a backup proves (docs/protocol.md, decision 52), entry by entry: that a quorum of the cluster signed its
// checkpoint, that all pieces of the state are there and lead to the certified root, and that the records are the one
// chain from the network's genesis to the certified record, each with its block and its certificates. Nothing in it is
// believed because of who gave it. It is checked alike when it is made, shown and restored.

import type { BlockContext } from "../cluster/block.js";
import { provenCheckpoint } from "../cluster/checkpoint.js";
import { isClaimSigned } from "../cluster/rejoin.js";
import { rootOfPieces } from "../execution/pieces.js";
import type { StableCheckpoint } from "../intra/checkpoint.js";
import { encodeRecord, genesisRecord, recordHash } from "../ledger/records.js";
import type { Rejoined } from "../node/installer.js";
import { type CheckedRecord, checkRecord } from "../node/records.js";
import { isPieceOf, piecesIn, rejoinedIn } from "../node/state-pieces.js";
import { CodedError } from "../types/codes.js";
import { type ClusterId, type Digest, type NodeRef, showNode, toHex } from "../types/ids.js";
import type { BackupEntry, BackupHead, Certificate, RecordItem, StateList, StatePiece } from "../types/schema.js";
import { STATE_PARTS, type StatePart } from "../types/state-transfer.js";
import type { NodeInfo } from "../types/topology.js";

export type Part = Exclude<StatePart, "list">;
/** In the order in which a backup has them. */
export const BACKUP_PARTS: readonly Part[] = ["accounts", "positions", "ids"];

/** What is known of a backup when all of it was checked. */
export interface BackupContent extends StableCheckpoint {
  readonly node: NodeInfo;
  readonly rejoined: Rejoined;
}

/** What an entry has added. */
export type Checked =
  | { readonly kind: "nothing" }
  | { readonly kind: "pieces"; readonly part: Part; readonly pieces: readonly StatePiece[] }
  | { readonly kind: "records"; readonly records: readonly CheckedRecord[] };

interface Link {
  readonly height: number;
  readonly hash: Digest;
}

interface Listed extends StableCheckpoint {
  readonly list: StateList;
  readonly rejoined: Rejoined;
}

export class BackupCheck {
  readonly #context: BlockContext;
  readonly #file: string;
  #node: NodeInfo | undefined;
  #head: BackupHead | undefined;
  #listed: Listed | undefined;
  /** Pieces of each part that were there. */
  readonly #pieces = new Map<Part, number>();
  /** The last record so far. */
  #last: Link | undefined;

  constructor(context: BlockContext, file: string) {
    this.#context = context;
    this.#file = file;
  }

  /** The node whose backup it says it is; undefined before the head. */
  get node(): NodeInfo | undefined {
    return this.#node;
  }

  /** Throws CodedError: `backup-foreign`, of another network; `backup-unproven`, for all else. */
  take(entry: BackupEntry): Checked {
    const { head, state, records } = entry;
    if (head !== undefined) return this.#onHead(head);
    if (this.#node === undefined || this.#head === undefined) throw this.#unproven("it does not say whose it is");
    const { cluster } = this.#node;
    if (state !== undefined && STATE_PARTS[state.part] === "list") return this.#onList(state, cluster);
    if (this.#listed === undefined) throw this.#unproven("there is no checkpoint certificate before its content");
    if (state !== undefined) return this.#onPieces(state, this.#listed);
    return this.#onRecords(records?.from ?? 0, records?.items ?? [], cluster);
  }

  /** Everything was there. */
  finish(): BackupContent {
    const [node, listed] = [this.#node, this.#listed];
    if (node === undefined || listed === undefined) throw this.#unproven("there is no checkpoint certificate");
    const { certificate, checkpoint, rejoined, list } = listed;
    const missing = BACKUP_PARTS.find((part) => (this.#pieces.get(part) ?? 0) < piecesIn(list, part));
    if (missing !== undefined) throw this.#unproven(`pieces of its ${missing} are missing`);
    if (this.#last?.height !== checkpoint.height) throw this.#unproven("records are missing");
    return { node, certificate, checkpoint, rejoined };
  }

  #onHead(head: BackupHead): Checked {
    const { topology, members } = this.#context;
    if (this.#head !== undefined) throw this.#unproven("it says twice whose it is");
    const network = toHex<string>(head.network);
    if (network !== topology.networkId) {
      const [said, wanted] = [network.slice(0, 12), topology.networkId.slice(0, 12)];
      throw new CodedError(
        "backup-foreign",
        `${this.#file} is of network ${said}, the topology of ${wanted}; give the topology of the backup's network`,
      );
    }
    const ref: NodeRef = { cluster: head.cluster as ClusterId, node: head.node };
    const node = members.findCluster(head.cluster) === undefined ? undefined : members.node(ref);
    if (node === undefined) throw this.#unproven(`the topology has no node ${showNode(ref)}`);
    this.#head = head;
    this.#node = node;
    this.#last = { height: 0, hash: recordHash(encodeRecord(genesisRecord(topology, node.cluster))) };
    return NOTHING;
  }

  #onList(
    { slot, list }: { readonly slot: number; readonly list: StateList | undefined },
    cluster: ClusterId,
  ): Checked {
    if (this.#listed !== undefined) throw this.#unproven("it has two checkpoint certificates");
    const certificate: Certificate | undefined = list?.certificate;
    const checkpoint = certificate && provenCheckpoint(certificate, this.#context, cluster);
    if (list === undefined || certificate === undefined || checkpoint === undefined) {
      throw this.#unproven(`its checkpoint certificate is not that of a quorum of cluster ${cluster}`);
    }
    const isSame = [slot, this.#head?.slot].every((each) => each === checkpoint.slot);
    if (!isSame || this.#head?.height !== checkpoint.height) throw this.#unproven("it says another checkpoint");
    if (rootOfPieces(list) !== checkpoint.state) throw this.#unproven("its state is not the one that was certified");
    const rejoined = rejoinedIn(list, cluster);
    const isTold = rejoined?.claims.every((claim) => isClaimSigned(claim, cluster, this.#context));
    if (rejoined === undefined || isTold !== true)
      throw this.#unproven("a node's word that it rejoined is not its own");
    this.#listed = { list, checkpoint, certificate, rejoined };
    return NOTHING;
  }

  #onPieces(
    {
      slot,
      part: number,
      pieces,
    }: { readonly slot: number; readonly part: number; readonly pieces: readonly StatePiece[] },
    { list, checkpoint }: Listed,
  ): Checked {
    const part = STATE_PARTS[number];
    if (part === undefined || part === "list" || slot !== checkpoint.slot)
      throw this.#unproven("a piece is of no part");
    const first = this.#pieces.get(part) ?? 0;
    for (const [i, piece] of pieces.entries()) {
      const isNext = piece.number === first + i && piece.number < piecesIn(list, part);
      if (!isNext) throw this.#unproven(`piece ${first + i} of its ${part} is missing`);
      if (!isPieceOf(list, part, piece)) throw this.#unproven(`piece ${piece.number} of its ${part} is another`);
    }
    this.#pieces.set(part, first + pieces.length);
    return { kind: "pieces", part, pieces };
  }

  #onRecords(from: number, items: readonly RecordItem[], cluster: ClusterId): Checked {
    const { checkpoint } = this.#listed as Listed;
    const records: CheckedRecord[] = [];
    for (const [i, item] of items.entries()) {
      const last = this.#last as Link;
      const hash = recordHash(item.record);
      const height = last.height + 1;
      const checked = checkRecord(item, hash, { ...this.#context, cluster });
      const isNext = from + i === height && checked?.record.height === height && checked.record.parent === last.hash;
      if (checked === undefined || !isNext) throw this.#unproven(`record ${height} is not that of its ledger`);
      if (height > checkpoint.height || (height === checkpoint.height && hash !== checkpoint.record)) {
        throw this.#unproven(`record ${height} is not the one that was certified`);
      }
      this.#last = { height, hash };
      records.push(checked);
    }
    return { kind: "records", records };
  }

  #unproven(reason: string): CodedError {
    return new CodedError("backup-unproven", `${this.#file} is no backup to rely on: ${reason}`);
  }
}

const NOTHING: Checked = { kind: "nothing" };
