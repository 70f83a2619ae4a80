// Gives records of this node's view to nodes of its cluster that are behind (protocol 6). It reads the store, nothing
// else, and gives at most one bounded answer per asker and turn: whoever asks and asks keeps no vote waiting.

import { blockKey, certificatesKey, recordKey } from "../ledger/keys.js";
import { decodeRecord } from "../ledger/records.js";
import type { Reader, Send } from "../types/effects.js";
import type { NodeIndex } from "../types/ids.js";
import { limits } from "../types/limits.js";
import type { FetchRecords, Records, Verified } from "../types/message.js";
import { committedSchema, type RecordItem } from "../types/schema.js";

export class RecordServer {
  readonly #reader: Reader;
  /** Who was answered in this turn. */
  readonly #answered = new Set<NodeIndex>();

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  /** An empty answer says that this node does not have them either. */
  onFetchRecords({ from, message }: Verified<FetchRecords>, send: Send[]): void {
    if (this.#answered.has(from.node)) return;
    this.#answered.add(from.node);
    send.push({ to: [from], message: this.answer(message) });
  }

  endTurn(): void {
    this.#answered.clear();
  }

  /** Upwards, or downwards from the upper end, until the answer is full or there is no more. */
  answer({ from, to, blocks, downwards }: FetchRecords): Records {
    const items: RecordItem[] = [];
    let bytes = 0;
    const isUpwards = blocks && !downwards;
    let height = isUpwards ? from : to;
    const step = isUpwards ? 1 : -1;
    for (; height >= from && height <= to && items.length < limits.recordsPerAnswerMax; height += step) {
      const item = this.#item(height, blocks);
      if (item === undefined) break;
      bytes += sizeOf(item);
      if (bytes > limits.recordsAnswerBytesMax && items.length > 0) break;
      items.push(item);
    }
    if (!isUpwards) items.reverse();
    return { kind: "records", from: isUpwards ? from : height + 1, items };
  }

  #item(height: number, withBlock: boolean): RecordItem | undefined {
    const record = this.#reader.get(recordKey(height));
    if (record === undefined || !withBlock) return record && { record, block: NO_BYTES, certificates: [] };
    const block = this.#reader.get(blockKey(decodeRecord(record).digest));
    const certificates = this.#reader.get(certificatesKey(height));
    if (block === undefined || certificates === undefined) return undefined;
    return { record, block, certificates: committedSchema.decode(certificates).certificates };
  }
}

function sizeOf({ record, block, certificates }: RecordItem): number {
  const commits = certificates.flatMap((certificate) => certificate.commits);
  return commits.reduce(
    (sum, { body, signature }) => sum + body.length + signature.length,
    record.length + block.length,
  );
}

const NO_BYTES = new Uint8Array(0);
