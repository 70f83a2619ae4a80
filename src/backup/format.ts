// A backup as a file: a line that says what it is, then entries, each with its length and a checksum, and at the end
// how many there were and a hash over all of them. So damage anywhere is found by the file itself, whatever its
// content; what the content proves is judged in check.ts.

import { crc32c } from "../crypto/crc32c.js";
import { sha256 } from "../crypto/hash.js";
import { CodecError } from "../types/codec.js";
import { CodedError } from "../types/codes.js";
import { limits } from "../types/limits.js";
import type { Records } from "../types/message.js";
import { type BackupEntry, type BackupHead, backupEntrySchema } from "../types/schema.js";
import { STATE_PARTS, type State } from "../types/state-transfer.js";

const FIRST_LINE = Buffer.from("sharper-backup-v1\n");
/** Length and checksum. */
const FRAME_BYTES = 8;
/** An answer of a node and some bytes around it. */
const ENTRY_BYTES_MAX = limits.frameBytesMax + 1024;
const NO_BYTES = Buffer.alloc(0);
const NOTHING: BackupEntry = { head: undefined, state: undefined, records: undefined, end: undefined };

export class BackupEncoder {
  #chain: Uint8Array = new Uint8Array(0);
  #entries = 0;

  head(head: BackupHead): Uint8Array {
    return this.entry({ ...NOTHING, head });
  }

  /** An answer of a node. */
  answer(message: State | Records): Uint8Array {
    if (message.kind === "records") return this.entry({ ...NOTHING, records: message });
    return this.entry({ ...NOTHING, state: { ...message, part: STATE_PARTS.indexOf(message.part) } });
  }

  end(): Uint8Array {
    return this.entry({ ...NOTHING, end: { entries: this.#entries, chain: this.#chain } });
  }

  /** Whatever the next entry is. */
  entry(entry: BackupEntry): Uint8Array {
    const bytes = backupEntrySchema.encode(entry);
    const before = this.#entries === 0 ? FIRST_LINE : NO_BYTES;
    this.#chain = chained(this.#chain, bytes);
    this.#entries++;
    const frame = Buffer.alloc(FRAME_BYTES);
    frame.writeUInt32BE(bytes.length);
    frame.writeUInt32BE(crc32c(bytes), FRAME_BYTES / 2);
    return Buffer.concat([before, frame, bytes]);
  }
}

/** Takes a file in pieces of whatever length. Throws CodedError `backup-damaged` for what no encoder has written. */
export class BackupDecoder {
  readonly #file: string;
  #pending: Buffer = NO_BYTES;
  #at = 0;
  #chain: Uint8Array = new Uint8Array(0);
  #entries = 0;
  #isBegun = false;
  #isEnded = false;

  constructor(file: string) {
    this.#file = file;
  }

  /** The entries that these bytes complete, without the end. */
  *push(bytes: Uint8Array): Generator<BackupEntry> {
    this.#pending = this.#pending.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.#pending, bytes]);
    if (!this.#isBegun) {
      const line = this.#pending.subarray(0, FIRST_LINE.length);
      if (!FIRST_LINE.subarray(0, line.length).equals(line))
        throw this.#damaged("it does not begin as a backup does, so it may be none");
      if (line.length < FIRST_LINE.length) return;
      this.#isBegun = true;
      this.#skip(FIRST_LINE.length);
    }
    for (let entry = this.#next(); entry !== undefined; entry = this.#next()) {
      if (entry.end === undefined) yield entry;
    }
  }

  /** There is no more of it. */
  finish(): void {
    if (!this.#isEnded || this.#pending.length > 0) throw this.#damaged("it is cut off");
  }

  #next(): BackupEntry | undefined {
    if (this.#isEnded && this.#pending.length > 0) throw this.#damaged("there is more behind its end");
    if (this.#pending.length < FRAME_BYTES) return undefined;
    const length = this.#pending.readUInt32BE();
    if (length > ENTRY_BYTES_MAX) throw this.#damaged(`an entry of ${length} bytes is longer than any`);
    if (this.#pending.length < FRAME_BYTES + length) return undefined;
    const bytes = this.#pending.subarray(FRAME_BYTES, FRAME_BYTES + length);
    if (this.#pending.readUInt32BE(FRAME_BYTES / 2) !== crc32c(bytes)) throw this.#damaged("a checksum is wrong");
    const entry = this.#decode(bytes);
    if (entry.end !== undefined) {
      const isWhole = entry.end.entries === this.#entries && Buffer.compare(entry.end.chain, this.#chain) === 0;
      if (!isWhole) throw this.#damaged("entries are missing, or not those that were written");
      this.#isEnded = true;
    }
    this.#chain = chained(this.#chain, bytes);
    this.#entries++;
    this.#skip(FRAME_BYTES + length);
    return entry;
  }

  #decode(bytes: Uint8Array): BackupEntry {
    try {
      const entry = backupEntrySchema.decode(bytes.slice());
      const count = Object.values(entry).filter((each) => each !== undefined).length;
      if (count !== 1) throw this.#damaged(`an entry says ${count} things`);
      return entry;
    } catch (error) {
      if (error instanceof CodecError) throw this.#damaged(`an entry cannot be read (${error.message})`);
      throw error;
    }
  }

  #skip(bytes: number): void {
    this.#at += bytes;
    this.#pending = this.#pending.subarray(bytes);
  }

  #damaged(reason: string): CodedError {
    const advice = "take another copy of it, or another backup";
    return new CodedError("backup-damaged", `${this.#file} is damaged at byte ${this.#at}: ${reason}; ${advice}`);
  }
}

function chained(chain: Uint8Array, bytes: Uint8Array): Uint8Array {
  return new Uint8Array(sha256(Buffer.concat([chain, sha256(bytes)])));
}
