// Every bound of the system, with its reason. Over a bound: refuse or drop, count, never grow. Sizes in bytes, times in
// milliseconds, everything else in pieces; the unit or "Max" ends the name.

export const limits = {
  // -- what a client may sign
  accountBytesMax: 64, // fits an IBAN (34) with a prefix, and an account row stays under 128 bytes
  postingsMax: 64, // debits or credits of one transfer: a payroll line, not a payroll
  operationsMax: 10_000, // per request: a payment gateway's batch, about 600 KiB
  requestBytesMax: 1 << 20, // holds operationsMax typical transfers, and is well under a frame
  requestLifetimeMs: 600_000, // how far validUntil may lie ahead (protocol 4): bounds the remembered ids
  accountsPerReadMax: 1024, // one screenful of reads, a reply of about 100 KiB
  accountsPerProofMax: 16, // shown with proof in one answer: some 60 KiB, 3 ms to make
  proofWeight: 100, // what showing an account with proof costs beside reading it: 0.2 to 0.3 ms, measured
  proofRowsBytesMax: 2304, // of one account's proof: two pages of accounts, each a kilobyte and a row
  proofPagesBytesMax: 1 << 17, // digests of the pages of a bucket as large as a frame
  nonceMax: Number.MAX_SAFE_INTEGER, // exact as a number

  // -- topology
  clustersMax: 1024, // a cross-shard vector stays under 16 KiB; ids may go up to clusterIdMax
  clusterIdMax: 65_535, // the cluster's share of a sequence (protocol 2)
  nodesPerClusterMax: 64, // certificates stay under 8 KiB
  clientsMax: 100_000,
  genesisAccountsMax: 10_000_000,
  topologyBytesMax: 16 << 20,
  supplyMax: (1n << 63n) - 1n, // the sum of all balances; half of 2^64, so no credit can overflow

  // -- blocks
  blockRequestsMax: 2000, // about 500 KiB of one-transfer requests: 100 ms of signature checks
  blockBytesMax: 2 << 20, // at least one request of the largest size
  blockOperationsMax: 20_000, // bounds the time one block may take to execute (about 50 ms)
  clockAheadMs: 30_000, // a block from further ahead is held (protocol 4)

  // -- the log
  counterMax: 2 ** 37 - 1, // so that counter * 65,536 + cluster is exact as a number
  counterJumpMax: 1024, // what a backup accepts without evidence (protocol 2)
  windowSlots: 256, // own blocks in flight above the stable checkpoint (protocol 2)
  slotsAheadMax: 4096, // foreign blocks and no-ops are placed outside the window, yet not without end
  checkpointSlots: 64, // protocol 6: window >= 4 intervals
  fetchesPerBlockMax: 8, // askings for a block that only others speak of, about 13 s: then all may have dropped it
  viewEntriesMax: 8192, // what one node may report of its log: all that slotsAheadMax lets it hold, and then some
  heldMessagesMax: 4096, // messages that wait for an earlier slot, a later view or a block
  remoteVotesMax: 16_384, // blocks whose foreign votes are being counted

  // -- primaries
  queuedRequestsMax: 20_000, // about 3 s of one cluster's best throughput, shared by its clients; over it: busy
  armedPerClientMax: 16, // requests of one client that one backup times: its primary must do them all in that time
  blocksInFlightMax: 2, // own blocks of one primary: one under way while the next one fills
  crossBlocksInFlightMax: 2, // of one primary: they cost more than others, so they should be fuller, measured
  unheardStartsMax: 256, // starts of a folder that nobody acknowledged, told apart: 2 KiB in each STARTED for each node
  queriesPerTurnMax: 16, // answers that one turn gives to one asking node
  slotsPerFetchMax: 16, // missing slots that one node is asked for at a time: what it answers in a turn

  // -- catching up
  recordsPerAnswerMax: 256, // records in one answer: with their certificates, some 50 ms of signature checks
  recordsAnswerBytesMax: 1 << 20, // of one answer, unless a single record needs more
  catchUpRecordsMax: 1 << 18, // a gap that records close, about 50 MiB of memory; a longer one needs the state itself
  catchUpAtOnceMax: 1024, // a gap that records close without a question for the smaller way: a few answers
  idsPerPageMax: 1024, // ids in one piece of the state, their replies included
  idPageBytes: 1 << 17, // of replies in one piece, after which the next one begins: batches have long replies
  positionsPerChunk: 2048, // places of blocks in one piece of the state: 96 KiB, 10 ms to read
  statePiecesMax: 4096, // pieces that one question may name: every bucket of accounts
  stateAnswerBytesMax: 1 << 18, // of one answer, unless a single piece needs more: 5 ms at both ends
  shortAnswersMax: 4, // of a source of a state, that together are less than one may be: of an honest one two are more
  pieceEveryMs: 50, // between an answer and the next question: 5 MB/s, and a tenth of a source's time at most
  stateSlicesMax: 1024, // seconds within which unexpired ids may expire, and then some
  stateDigestsBytesMax: 2 << 20, // of the list of one part's pieces: 128 million blocks, and below a frame
  stateHoldMs: 30_000, // a past state that nobody asks for is kept so long, so that a node in the middle can go on
  stateViewsMax: 2, // past states that are kept for nodes in the middle
  stateUndoMax: 1 << 18, // accounts changed since a kept state, about 50 MiB; then it is let go
  localEveryMs: 50, // between two answers to a backup of a running node: as to a node that is behind
  localShare: 10, // and so many times as long as the last answer took, that a busy node keeps its time
  localIdleMs: 60_000, // a backup that asks nothing makes room for another one
  historyEveryMs: 500, // between two questions for old records, which nobody waits for
  sourceBanMs: 30_000, // a node that gave something wrong, or nothing, is left out so long

  // -- starts
  rejoinEveryMs: 10_000, // of one node, in record time: each costs its cluster a change of view
  incarnationsKeptMax: 8192, // of one node, with their places: one for each record above a kept state, at worst
  rejoinLifetimeMs: 60_000, // of one INCARNATION request; then the node signs another

  // -- time
  intraTimeoutMs: 1000, // an entry's or request's timer (protocol 2.4)
  crossTimeoutMs: 2500, // larger than the intra timer (protocol 3.4)
  timeoutMaxMs: 10_000, // cap of the doubling
  adaptiveBlocks: 128, // blocks over which a pair's conflict share is measured (protocol 3.2)

  // -- execution
  undeliveredMax: 4096, // blocks evaluated but waiting for foreign verdicts
  earlyVerdictsMax: 16_384, // blocks whose verdicts came before the block was delivered

  // -- host
  turnEventsMax: 512, // events of one turn: bounds its latency
  inboxMessagesMax: 65_536, // verified messages that wait for a turn
  clientEventsMax: 256, // clients' messages opened in a turn: 13 ms if all are requests, whose signatures are checked
  clientEventsMin: 16, // of them also in a turn that is full of what nodes say, or clients would starve
  clientTurnBytesMax: 2 << 20, // of them: two of the largest size, some 20 ms to take apart
  clientTurnWeightMax: 4096, // accounts read in a turn, proofs weighed in: some 10 ms; the last one may lie across
  // Requests of one client to one node, more than a cluster can order, or accounts that it reads, some 5 % of the
  // node's time, or 200 that it has proven; see --client-rate.
  clientRatePerSecond: 20_000,
  lanesBytesMax: 16 << 20, // clients' messages that wait to be looked at: about 4 s of a cluster's best throughput
  laneMessagesMax: 8192, // of one sender among them: about 2 s of a cluster's best throughput
  refusalsMax: 4096, // "busy" answers that wait to be sent; over it the flood is answered with silence
  writeSlowMs: 1000, // a durable write, some 5 ms as a rule: the whole intra timer, in which others suspect a primary
  writeSlowToldEveryMs: 10_000, // in the log; each is counted

  // -- evidence
  heardBytesMax: 8 << 20, // signed words of others that may yet be contradicted, of all nodes together
  heardCheckpointsMax: 128, // of one node: one comes every 64 slots, so without this they would pile up for hours
  heardBytesOfNodeMin: 64 << 10, // of one node, also in a large network: about 100 votes
  oddWordsMax: 32, // words that wait to be shown to others
  evidencePerNodeMax: 64, // contradictions of one node that are kept: more of them prove no more
  testimoniesPerSecondMax: 8, // of one node: two signatures to check each, about 1 % of everyone's core

  // -- network
  frameBytesMax: 4 << 20, // holds the largest message; a longer one ends its connection before allocation
  messageBytesMax: (4 << 20) - 64, // one envelope: with its tag and length it fits into a frame
  frameMessagesMax: 4096, // messages of one turn to one peer
  peerQueueBytesMax: 16 << 20, // queued for one slow peer; then its frames are dropped
  clientQueueBytesMax: 4 << 20, // the same for a client: 20,000 replies
  clientsPartialBytesMax: 64 << 20, // of frames that clients have begun: 16 of the largest size at once
  frameTimeoutMs: 20_000, // from the first byte of a client's frame to its last: 200 KiB/s for the largest
  readTimeoutMs: 20_000, // a client that reads nothing of what waits for it
  clientIdleMs: 900_000, // a client that says nothing; the SDK connects again by itself
  paceEveryMs: 1000, // how often these are looked at
  connectionsMax: 4096, // all nodes of a large network and its clients
  clientConnectionsMax: 3072, // clients never take the last places, so a node can always come back
  connectionsPerClientMax: 4, // processes that share one client key; the oldest gives way
  connectionsPerSecondMax: 100, // of one remote address: slows a scanner, not a restart
  handshakesMax: 64, // connections that are not yet authenticated
  handshakeTimeoutMs: 10_000, // an unauthenticated connection may live so long
  dialTimeoutMs: 5000, // socket, handshake and protocol choice together, also on a busy machine
  knockTimeoutMs: 1000, // of a start, for somebody to answer at the node's own address, where packets may vanish
  dialBackoffMinMs: 50, // before the second attempt; doubles from there
  dialBackoffMaxMs: 2000, // between attempts to reach a node that is down
  streamsPerConnectionMax: 16, // ours, gossip and identify need four each way
  streamWindowBytesMax: 4 << 20, // a whole frame in flight to one peer
  gossipBytesMax: 4096, // a checkpoint or a view announcement with its signature
  gossipHeartbeatMs: 5000, // upkeep of the mesh; messages do not wait for it
  gossipQueueBytesMax: 1 << 20, // gossip to one slow peer, then its messages are dropped
} as const;

/** Of one VIEW-CHANGE: a NEW-VIEW holds a quorum of them, and a share as large is left for its own entries. */
export function viewChangeBytesMax(quorum: number): number {
  return Math.floor(limits.frameBytesMax / (quorum + 1));
}
