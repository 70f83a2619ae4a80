// I7: what has an effect was signed by its client, who is enrolled and owns what is debited, was in time, and happened
// once: the same request never in two blocks, an id never twice in a view while the first use of it is remembered
// (protocol 4).

import type { LedgerRecord } from "../../ledger/records.js";
import { type Block, type Request, rejoinOf, requestId } from "../../types/block.js";
import { type ClusterId, type Digest, fromHex, type PublicKey } from "../../types/ids.js";
import { carriage } from "../../types/message.js";
import type { Checker, MakeChecker } from "../observer.js";
import { validatorsOf } from "./balances.js";
import { historyOf } from "./history.js";
import { reporter, short } from "./report.js";

interface Use {
  readonly digest: Digest;
  readonly validUntil: number;
}

export const makeRequests: MakeChecker = (world, report): Checker => {
  const violated = reporter("I7", report);
  const history = historyOf(world);
  const { topology, verifier } = world;
  const clients = new Set<PublicKey>(topology.clients.map(({ key }) => key));
  // A node asks for itself when it rejoins, and for nothing else (static validity).
  const isEnrolled = (request: Request) => clients.has(request.client) || rejoinOf(request) !== undefined;
  const prefix = Buffer.concat([fromHex(topology.networkId), Uint8Array.of(carriage.request.number)]);
  const verified = new Set<Digest>();
  /** Requests with an effect, by hash. */
  const effects = new Map<Digest, Digest>();
  const uses = new Map<ClusterId, Map<string, Use>>(topology.clusters.map(({ id }) => [id, new Map()]));
  const done = new Map<ClusterId, number>();

  function checkSignatures({ digest, requests }: Block): void {
    if (verified.has(digest)) return;
    verified.add(digest);
    for (const { client, signed, nonce } of requests) {
      const bytes = Buffer.concat([prefix, signed.body]);
      if (verifier.verify({ bytes, signature: signed.signature, publicKey: client })) continue;
      violated(`request ${nonce} of ${short(client)} in block ${short(digest)} is not signed by its client`);
    }
  }

  function check(cluster: ClusterId, record: LedgerRecord, block: Block): void {
    const { results, height } = record;
    if (results.length !== block.operations)
      violated(
        `record ${height} of cluster ${cluster} has ${results.length} results for ${block.operations} operations`,
      );
    let first = 0;
    for (const request of block.requests) {
      const share = results.subarray(first, first + request.operations.length);
      first += request.operations.length;
      const where = `request ${request.nonce} of ${short(request.client)}, record ${height} of cluster ${cluster}`;
      const before = remember(cluster, record, request);
      if (share.some((result) => result === 0)) checkEffect(record, request, where);
      for (let i = 0; i < share.length; i++) {
        if (share[i] === 0) checkOperation({ cluster, record, request, index: i, before, where });
      }
    }
  }

  /** The earlier use of the id that is still remembered, if there is one; else this is the use to remember. */
  function remember(cluster: ClusterId, { time, digest }: LedgerRecord, request: Request): Use | undefined {
    const known = uses.get(cluster)?.get(requestId(request));
    if (known !== undefined && known.validUntil >= time) return known;
    const { validUntil } = request;
    if (validUntil >= time && isEnrolled(request)) uses.get(cluster)?.set(requestId(request), { digest, validUntil });
    return undefined;
  }

  function checkEffect({ digest }: LedgerRecord, request: Request, where: string): void {
    const { hash } = request;
    if (!isEnrolled(request)) violated(`${where}: the client is not enrolled`);
    const other = effects.get(hash);
    if (other !== undefined && other !== digest) violated(`${where}: it was executed in block ${short(other)}, too`);
    effects.set(hash, digest);
  }

  function checkOperation(args: {
    readonly cluster: ClusterId;
    readonly record: LedgerRecord;
    readonly request: Request;
    readonly index: number;
    readonly before: Use | undefined;
    readonly where: string;
  }): void {
    const { cluster, record, request, index, before, where } = args;
    const { height, time } = record;
    const operation = request.operations[index];
    if (operation === undefined || !validatorsOf(topology, operation).includes(cluster)) return;
    if (request.validUntil < time) violated(`${where}: it had expired`);
    if (before !== undefined) violated(`${where}: its id was used in block ${short(before.digest)}`);
    if (operation.kind !== "transfer") return;
    for (const { account } of operation.debits) {
      const value = history.balances(cluster).at(account, height);
      if (value !== undefined && value.owner !== request.client) violated(`${where}: ${account} is not the signer's`);
    }
  }

  return {
    onTurn(node, plan) {
      const turn = history.take(node, plan);
      if (turn === undefined || turn.records.length === 0) return;
      const { cluster } = node.ref;
      for (const { record, block } of history.after(cluster, done.get(cluster) ?? 0)) {
        done.set(cluster, record.height);
        checkSignatures(block);
        check(cluster, record, block);
      }
    },
  };
};
