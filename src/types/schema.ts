// The wire and storage schema in code, one declaration per message of wire.proto, which is the published form (a test
// compares them field by field). Bounds come from limits.ts. What each message means is in message.ts and
// docs/protocol.md.

import {
  bool,
  bytes,
  bytesList,
  list,
  nested,
  type Schema,
  schema,
  text,
  textList,
  u32,
  u32List,
  u53,
  u53List,
  u64,
} from "./codec.js";
import { limits } from "./limits.js";

type Of<S> = S extends Schema<infer T> ? T : never;

const KEY_BYTES = 32;
/** Its length, and three numbers with their tags. */
const INCARNATION_BYTES_MAX = 1 + 3 * 9;
const DIGEST_BYTES = 32;
const SIGNATURE_BYTES = 64;
const NONCE_BYTES = 8;
/** Of 64 buckets in a group, and of 64 groups: six siblings. */
const PATH_BYTES = 6 * DIGEST_BYTES;
/** Roots under a state root: of accounts, ids, positions and incarnations. */
const STATE_PARTS_MAX = 4;
const BODY_BYTES_MAX = limits.frameBytesMax;
/** One result per operation, one sequence per cluster, and the fixed fields. */
const RECORD_BYTES_MAX = limits.blockOperationsMax + 8 * limits.clustersMax + 256;

// ---- what a client signs
export const postingSchema = schema({ account: text(1, limits.accountBytesMax), amount: u64(2) });
export const operationSchema = schema({
  open: text(1, limits.accountBytesMax),
  debits: list(2, postingSchema, limits.postingsMax),
  credits: list(3, postingSchema, limits.postingsMax),
});
export const rejoinSchema = schema({ cluster: u32(1), node: u32(2), incarnation: u53(3) });
export const requestBodySchema = schema({
  client: bytes(1, KEY_BYTES),
  nonce: u53(2),
  validUntil: u53(3),
  operations: list(4, operationSchema, limits.operationsMax),
  rejoin: nested(5, rejoinSchema),
});
export const signedSchema = schema({ body: bytes(1, BODY_BYTES_MAX), signature: bytes(2, SIGNATURE_BYTES) });

// ---- blocks
export const blockSchema = schema({
  clusters: u32List(1, limits.clustersMax),
  time: u53(2),
  requests: list(3, signedSchema, limits.blockRequestsMax),
});
export const blockHeaderSchema = schema({
  clusters: u32List(1, limits.clustersMax),
  time: u53(2),
  count: u32(3),
  root: bytes(4, DIGEST_BYTES),
});

// ---- consensus
export const voteSchema = schema({
  cluster: u32(1),
  node: u32(2),
  view: u53(3),
  round: u32(4),
  slot: u53(5),
  sequence: u53(6),
  digest: bytes(7, DIGEST_BYTES),
  previous: u53(8),
});
export const commitEntrySchema = schema({
  cluster: u32(1),
  view: u53(2),
  round: u32(3),
  slot: u53(4),
  sequence: u53(5),
});
export const commitSchema = schema({
  cluster: u32(1),
  node: u32(2),
  digest: bytes(3, DIGEST_BYTES),
  entries: list(4, commitEntrySchema, limits.clustersMax),
});
export const certificateSchema = schema({ cluster: u32(1), commits: list(2, signedSchema, limits.nodesPerClusterMax) });
export const resultSchema = schema({
  cluster: u32(1),
  node: u32(2),
  digest: bytes(3, DIGEST_BYTES),
  verdicts: bytes(4, limits.blockOperationsMax),
  final: bool(5),
});
export const querySchema = schema({
  digest: bytes(1, DIGEST_BYTES),
  missing: u32List(2, limits.clustersMax),
  verdicts: u32List(3, limits.clustersMax),
  body: bool(4),
  evidence: nested(5, certificateSchema),
});
export const committedSchema = schema({
  digest: bytes(1, DIGEST_BYTES),
  certificates: list(2, certificateSchema, limits.clustersMax),
});
export const unknownSchema = schema({ digest: bytes(1, DIGEST_BYTES) });
export const fetchSchema = schema({ digest: bytes(1, DIGEST_BYTES), slot: u53(2) });
export const chunkSchema = schema({
  digest: bytes(1, DIGEST_BYTES),
  certificates: list(2, certificateSchema, limits.clustersMax),
});
export const checkpointSchema = schema({
  cluster: u32(1),
  node: u32(2),
  slot: u53(3),
  sequence: u53(4),
  height: u53(5),
  record: bytes(6, DIGEST_BYTES),
  finalSequence: u53(7),
  state: bytes(8, DIGEST_BYTES),
});

export const stableSchema = schema({ certificate: nested(1, certificateSchema) });
export const fetchRecordsSchema = schema({ from: u53(1), to: u53(2), blocks: bool(3), downwards: bool(4) });
export const recordItemSchema = schema({
  record: bytes(1, RECORD_BYTES_MAX),
  block: bytes(2, limits.blockBytesMax),
  certificates: list(3, certificateSchema, limits.clustersMax),
});
export const recordsSchema = schema({ from: u53(1), items: list(2, recordItemSchema, limits.recordsPerAnswerMax) });
// ---- states
export const fetchStateSchema = schema({
  slot: u53(1),
  part: u32(2),
  height: u53(3),
  pieces: u32List(4, limits.statePiecesMax),
});
export const statePieceSchema = schema({ number: u32(1), bytes: bytes(2, BODY_BYTES_MAX) });
export const stateSliceSchema = schema({ second: u53(1), digests: bytes(2, limits.stateDigestsBytesMax) });
export const stateListSchema = schema({
  certificate: nested(1, certificateSchema),
  accounts: bytes(2, limits.statePiecesMax * DIGEST_BYTES),
  ids: list(3, stateSliceSchema, limits.stateSlicesMax),
  positions: bytes(4, limits.stateDigestsBytesMax),
  stateBytes: u53(5),
  recordsBytes: u53(6),
  incarnations: bytes(7, limits.nodesPerClusterMax * INCARNATION_BYTES_MAX),
  rejoins: list(8, signedSchema, limits.nodesPerClusterMax),
});
export const stateSchema = schema({
  slot: u53(1),
  part: u32(2),
  list: nested(3, stateListSchema),
  pieces: list(4, statePieceSchema, limits.statePiecesMax),
});
export const stateIdSchema = schema({
  client: bytes(1, KEY_BYTES),
  nonce: u53(2),
  reply: bytes(3, limits.operationsMax + 256),
});
export const stateIdsSchema = schema({ ids: list(1, stateIdSchema, limits.idsPerPageMax) });

// ---- view changes
export const prepareSchema = schema({ cluster: u32(1), node: u32(2), view: u53(3) });
export const viewQuerySchema = schema({ view: u53(1) });
export const logEntrySchema = schema({
  view: u53(1),
  round: u32(2),
  slot: u53(3),
  sequence: u53(4),
  digest: bytes(5, DIGEST_BYTES),
});
export const promiseSchema = schema({
  cluster: u32(1),
  node: u32(2),
  view: u53(3),
  stable: nested(4, certificateSchema),
  decided: list(5, certificateSchema, limits.viewEntriesMax),
  candidates: list(6, logEntrySchema, 2 * limits.viewEntriesMax),
  incarnation: u53(7),
  rejoins: list(8, signedSchema, limits.nodesPerClusterMax),
});
export const statementSchema = schema({
  kind: u32(1),
  body: bytes(2, BODY_BYTES_MAX),
  signature: bytes(3, SIGNATURE_BYTES),
});
export const preparedSchema = schema({ statements: list(1, statementSchema, limits.nodesPerClusterMax + 1) });
export const viewChangeSchema = schema({
  cluster: u32(1),
  node: u32(2),
  view: u53(3),
  stable: nested(4, certificateSchema),
  decided: list(5, certificateSchema, limits.viewEntriesMax),
  prepared: list(6, preparedSchema, limits.viewEntriesMax),
  incarnation: u53(7),
  rejoins: list(8, signedSchema, limits.nodesPerClusterMax),
});
export const newViewSchema = schema({
  cluster: u32(1),
  node: u32(2),
  view: u53(3),
  entries: list(4, logEntrySchema, limits.viewEntriesMax),
  stable: nested(5, certificateSchema),
  decided: list(6, certificateSchema, limits.viewEntriesMax),
  changes: list(7, signedSchema, limits.nodesPerClusterMax),
  rejoins: list(8, signedSchema, limits.nodesPerClusterMax),
});

// ---- starts
export const startSchema = schema({
  cluster: u32(1),
  node: u32(2),
  incarnation: u53(3),
  since: u53(4),
  nonces: bytes(5, NONCE_BYTES * limits.unheardStartsMax),
  view: u53(6),
  slot: u53(7),
});
export const startedSchema = schema({
  boot: u53(1),
  nonce: bytes(2, NONCE_BYTES),
  fresh: bool(3),
  starts: list(4, signedSchema, limits.nodesPerClusterMax),
  rejoins: list(5, signedSchema, limits.nodesPerClusterMax),
  cluster: u32(6),
  view: u53(7),
  slot: u53(8),
});

// ---- clients
export const replySchema = schema({
  cluster: u32(1),
  node: u32(2),
  nonce: u53(3),
  request: bytes(4, DIGEST_BYTES),
  refusal: u32(5),
  results: bytes(6, limits.operationsMax),
  height: u53(7),
  sequence: u53(8),
  digest: bytes(9, DIGEST_BYTES),
  view: u53(10),
  retryAfterMs: u53(11),
});
export const readSchema = schema({
  nonce: u53(1),
  accounts: textList(2, limits.accountBytesMax, limits.accountsPerReadMax),
});
export const accountStateSchema = schema({
  account: text(1, limits.accountBytesMax),
  exists: bool(2),
  balance: u64(3),
  owner: bytes(4, KEY_BYTES),
});
export const readReplySchema = schema({
  cluster: u32(1),
  node: u32(2),
  nonce: u53(3),
  height: u53(4),
  accounts: list(5, accountStateSchema, limits.accountsPerReadMax),
});

// ---- proofs of balances
export const accountProofSchema = schema({
  rows: bytes(1, limits.proofRowsBytesMax),
  first: u32(2),
  pages: bytes(3, limits.proofPagesBytesMax),
  group: bytes(4, DIGEST_BYTES),
  pathInGroup: bytes(5, PATH_BYTES),
  pathOfGroup: bytes(6, PATH_BYTES),
});
export const proveSchema = schema({
  nonce: u53(1),
  accounts: textList(2, limits.accountBytesMax, limits.accountsPerProofMax),
});
export const proofSchema = schema({
  cluster: u32(1),
  node: u32(2),
  nonce: u53(3),
  certificate: nested(4, certificateSchema),
  roots: bytes(5, STATE_PARTS_MAX * DIGEST_BYTES),
  proofs: list(6, accountProofSchema, limits.accountsPerProofMax),
});
/** One of them by itself, as it is kept in files. */
export const balanceProofSchema = schema({
  account: text(1, limits.accountBytesMax),
  certificate: nested(2, certificateSchema),
  roots: bytes(3, STATE_PARTS_MAX * DIGEST_BYTES),
  proof: nested(4, accountProofSchema),
});

// ---- the stream
export const envelopeSchema = schema({
  kind: u32(1),
  body: bytes(2, BODY_BYTES_MAX),
  signature: bytes(3, SIGNATURE_BYTES),
  block: bytes(4, limits.blockBytesMax),
});
export const frameSchema = schema({ messages: bytesList(1, limits.frameBytesMax, limits.frameMessagesMax) });

// ---- gossip
export const announcementSchema = schema({ cluster: u32(1), node: u32(2), view: u53(3), height: u53(4) });
/** Two signed statements that contradict each other, or of which one seems to be a lie. Also as stored and in files. */
export const testimonySchema = schema({ statements: list(1, statementSchema, 2) });

// ---- storage
export const storedSlotSchema = schema({
  slot: u53(1),
  selfAssigned: nested(2, logEntrySchema),
  accepted: nested(3, logEntrySchema),
  committed: nested(4, logEntrySchema),
  decided: nested(5, logEntrySchema),
  certificate: nested(6, certificateSchema),
  prepared: list(7, statementSchema, limits.nodesPerClusterMax + 1),
  proposal: nested(8, statementSchema),
});
export const storedViewSchema = schema({ view: u53(1), opening: nested(2, signedSchema) });
export const recordSchema = schema({
  height: u53(1),
  parent: bytes(2, DIGEST_BYTES),
  finalSequence: u53(3),
  sequences: u53List(4, limits.clustersMax),
  digest: bytes(5, DIGEST_BYTES),
  time: u53(6),
  results: bytes(7, limits.blockOperationsMax),
});
export const storedAccountSchema = schema({ balance: u64(1), owner: bytes(2, KEY_BYTES) });
export const storedReplySchema = schema({
  request: bytes(1, DIGEST_BYTES),
  validUntil: u53(2),
  height: u53(3),
  sequence: u53(4),
  digest: bytes(5, DIGEST_BYTES),
  results: bytes(6, limits.operationsMax),
});

// ---- backups
export const backupHeadSchema = schema({
  network: bytes(1, DIGEST_BYTES),
  cluster: u32(2),
  node: u32(3),
  slot: u53(4),
  height: u53(5),
});
export const backupEndSchema = schema({ entries: u53(1), chain: bytes(2, DIGEST_BYTES) });
export const backupEntrySchema = schema({
  head: nested(1, backupHeadSchema),
  state: nested(2, stateSchema),
  records: nested(3, recordsSchema),
  end: nested(4, backupEndSchema),
});
export const localHelloSchema = schema({ network: bytes(1, DIGEST_BYTES), cluster: u32(2), node: u32(3) });

export type Signed = Of<typeof signedSchema>;
export type Certificate = Of<typeof certificateSchema>;
export type Operation = Of<typeof operationSchema>;
export type Posting = Of<typeof postingSchema>;
export type StoredSlot = Of<typeof storedSlotSchema>;
export type StoredView = Of<typeof storedViewSchema>;
export type LogEntry = Of<typeof logEntrySchema>;
export type Statement = Of<typeof statementSchema>;
export type WireRecord = Of<typeof recordSchema>;
export type RecordItem = Of<typeof recordItemSchema>;
export type StateList = Of<typeof stateListSchema>;
export type StatePiece = Of<typeof statePieceSchema>;
export type WireReply = Of<typeof replySchema>;
export type AccountState = Of<typeof accountStateSchema>;
export type WireAccountProof = Of<typeof accountProofSchema>;
export type WireProof = Of<typeof proofSchema>;
export type BackupHead = Of<typeof backupHeadSchema>;
export type BackupEntry = Of<typeof backupEntrySchema>;
export type BalanceProof = Of<typeof balanceProofSchema>;
