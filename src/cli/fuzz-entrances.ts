// Every entrance that a stranger's bytes can take, as a function from an input to nothing: what is wrong with an input
// is refused, by a value or by the one error that the entrance is documented to throw, and anything else is a find.

import { BackupCheck } from "../backup/check.js";
import { BackupDecoder } from "../backup/format.js";
import { provenCheckpoint } from "../cluster/checkpoint.js";
import { Members } from "../cluster/members.js";
import { planTopology } from "../cluster/plan.js";
import { parseTopology } from "../cluster/topology.js";
import { parseKey } from "../crypto/keys.js";
import { ed25519Signer, ed25519Verifier, type Signer, signingBytes } from "../crypto/signature.js";
import { readBalanceProof } from "../execution/proof.js";
import { decodeRecord } from "../ledger/records.js";
import { FrameError, FrameReader, messagesOf } from "../net/frame.js";
import { Announcements } from "../node/announcements.js";
import { wordOf } from "../node/contradiction.js";
import { Ingress } from "../node/ingress.js";
import { readLocalQuestion } from "../node/local-entrance.js";
import { Reception } from "../node/reception.js";
import { Testimony } from "../node/testimony.js";
import type { Draw } from "../sim/draw.js";
import { mutateEnvelope, requestOf, type Sign } from "../sim/fuzz/liar.js";
import { mutateBytes, mutateMessage, noise, otherSchemas } from "../sim/fuzz/mutate.js";
import { CodecError } from "../types/codec.js";
import { CodedError } from "../types/codes.js";
import type { PublicKey } from "../types/ids.js";
import { carriage } from "../types/message.js";
import { type BackupEntry, envelopeSchema, frameSchema } from "../types/schema.js";
import { parseEvidenceFile } from "./evidence-file.js";
import { backupFileOf, SAMPLE_ACCOUNT, SAMPLE_BALANCE, samplesOf } from "./fuzz-samples.js";
import { parseProofFile, proofBytesOf } from "./proof-file.js";

export interface Entrance {
  readonly name: string;
  /** Of a hundred inputs, so many are for this one. */
  readonly share: number;
  make(): Uint8Array;
  /** True: the input passed. Throws only for what is a find. */
  open(input: Uint8Array): boolean;
}

/** Envelopes of a simulated network's messages, and what is known of that network. */
export interface Corpus {
  readonly envelopes: readonly Uint8Array[];
}

const SEED_BYTES = 32;
const UNKNOWN = "ab".repeat(32) as PublicKey;
const TOPOLOGY_LINES_MAX = 400;

export function entrancesOf({ envelopes }: Corpus, draw: Draw): readonly Entrance[] {
  const { below } = draw;
  const plan = makePlan();
  const topology = parseTopology(plan.text, "fuzz.yaml");
  const members = new Members(topology);
  const context = { topology, members, verifier: ed25519Verifier };
  const nodes = topology.clusters.flatMap((cluster) => cluster.nodes);
  const [client] = topology.clients;
  if (client === undefined) throw new Error("the network has no client");
  let tick = 0;
  let nonce = 0;

  const doors = topology.clusters.map(({ id, nodes: own }) => {
    const ingress = new Ingress({
      ...context,
      self: { cluster: id, node: own.length - 1 },
      knownBlock: () => undefined,
      wants: () => true,
      awaits: () => false,
      onRejected: () => undefined,
    });
    return new Reception({ members, ingress, hasRoom: () => true, onRejected: () => undefined, clientRate: 1e9 });
  });
  const signOf =
    (key: PublicKey): Sign =>
    (kind, body) =>
      plan.signer(key).sign(signingBytes(topology.networkId, kind, body));
  const some = () => draw.pick(envelopes);

  /** `from` says something to a node, and a turn takes it. */
  function knock(from: PublicKey, envelope: Uint8Array): boolean {
    const door = draw.pick(doors);
    door.take(from, envelope, ++tick);
    return door.next().length > 0;
  }

  /** The sender travels in front of the input, so that a find can be repeated. */
  const withSender = (from: PublicKey, envelope: Uint8Array) => Buffer.concat([Buffer.from(from, "hex"), envelope]);
  const fromSender = (input: Uint8Array) => {
    const from = Buffer.from(input.subarray(0, SEED_BYTES)).toString("hex") as PublicKey;
    return knock(from, input.subarray(SEED_BYTES));
  };

  const announcements = new Announcements(members);
  const testimony = new Testimony({ ...context, stored: [] });
  const gossip = (input: Uint8Array) => {
    const { key } = draw.pick(nodes);
    tick += 1000;
    return announcements.onGossip(key, input) || testimony.onGossip(key, input, tick);
  };
  const announcement = otherSchemas.announcement.encode({ cluster: 1, node: 0, view: 3, height: 64 });
  const told = otherSchemas.testimony.encode({ statements: [0, 1].map(() => statementIn(some())) });
  const keyLine = Buffer.from(`sharper-key-v1 ${"5a".repeat(SEED_BYTES)}\n`);
  const evidence = Buffer.from(evidenceText(topology.networkId, envelopes));
  const topologyLines = plan.text.split("\n");
  const samples = samplesOf(topology, signOf);
  const backup = backupFileOf(samples.backup);

  return [
    {
      name: "frames",
      share: 20,
      make: () => {
        const messages = Array.from({ length: 1 + below(4) }, some);
        const frame = frameSchema.encode({ messages });
        const whole = Buffer.concat([varint(frame.length), frame]);
        return below(10) === 0 ? noise(below(200), below) : mutateBytes(whole, some(), below);
      },
      open: refusing([CodecError, FrameError], (input) => {
        const reader = new FrameReader();
        for (let at = 0; at < input.length; ) {
          const end = at + 1 + below(64);
          for (const frame of reader.push(input.subarray(at, end))) messagesOf(frame);
          at = end;
        }
      }),
    },
    {
      name: "messages of nodes",
      share: 26,
      make: () => {
        const envelope = some();
        // Mostly of whom it speaks for: others are refused for that alone.
        const by = below(4) === 0 ? undefined : wordOf(envelopeSchema.decode(envelope))?.by;
        const key = (by && members.node(by))?.key ?? draw.pick(nodes).key;
        return withSender(key, mutateEnvelope(envelope, some(), signOf(key), below));
      },
      open: fromSender,
    },
    {
      name: "requests, of known and unknown clients",
      share: 18,
      make: () => {
        const key = below(10) === 0 ? UNKNOWN : client.key;
        const body = requestOf(topology, client.key, { nonce: ++nonce, validUntil: 1_900_000_000_000 }, below);
        const sign = signOf(client.key);
        const { number } = carriage.request;
        const whole = envelopeSchema.encode({ kind: number, body, signature: sign(number, body), block: NO_BYTES });
        return withSender(key, below(20) === 0 ? whole : mutateEnvelope(whole, some(), sign, below));
      },
      open: fromSender,
    },
    {
      name: "random bytes",
      share: 5,
      make: () => withSender(draw.pick([...nodes, client]).key, noise(below(300), below)),
      open: fromSender,
    },
    {
      name: "gossip",
      share: 8,
      make: () => {
        const [bytes, schema] =
          below(2) === 0 ? [announcement, otherSchemas.announcement] : [told, otherSchemas.testimony];
        return mutateMessage(bytes, schema, below) ?? mutateBytes(bytes, some(), below);
      },
      open: gossip,
    },
    {
      name: "records and certificates",
      share: 5,
      make: () => mutateBytes(some(), some(), below),
      open: refusing([CodecError], (input) => {
        const certificate = otherSchemas.certificate.decode(input);
        for (const { id } of topology.clusters) provenCheckpoint(certificate, context, id);
        decodeRecord(input);
      }),
    },
    {
      name: "proofs of balances",
      share: 2,
      make: () => {
        const bent = below(2) === 0 ? mutateMessage(samples.proof, otherSchemas.balanceProof, below) : undefined;
        return below(20) === 0 ? samples.proof : (bent ?? mutateBytes(samples.proof, some(), below));
      },
      open: (input) => {
        const shown = readBalanceProof(input, context);
        if (typeof shown === "string") return false;
        // The signers may stand in another order; what they signed is one thing.
        if (shown.account !== SAMPLE_ACCOUNT || shown.value?.balance !== SAMPLE_BALANCE)
          throw new Error("it proves a lie");
        return true;
      },
    },
    {
      name: "proof files",
      share: 2,
      make: () => mutateBytes(samples.proofFile, some(), below),
      open: refusing([CodedError], (input) => {
        const { proofs } = parseProofFile(Buffer.from(input).toString("utf8"), "fuzz.json");
        for (const row of proofs) readBalanceProof(proofBytesOf(row), context);
      }),
    },
    {
      name: "backup files",
      share: 4,
      make: () => {
        if (below(2) === 0) return mutateBytes(backup, some(), below);
        const at = below(samples.backup.length);
        const entry = otherSchemas.backupEntry.encode(samples.backup[at] as BackupEntry);
        const bent = mutateMessage(entry, otherSchemas.backupEntry, below) ?? entry;
        return backupFileOf(samples.backup.with(at, otherSchemas.backupEntry.decode(bent)));
      },
      open: refusing([CodedError, CodecError], (input) => {
        const decoder = new BackupDecoder("fuzz.backup");
        const entries = [...decoder.push(input)];
        decoder.finish();
        const check = new BackupCheck(context, "fuzz.backup");
        refusing([CodedError], () => {
          for (const entry of entries) check.take(entry);
          check.finish();
        })(input);
      }),
    },
    {
      name: "questions at the local entrance",
      share: 2,
      make: () => mutateBytes(samples.question, some(), below),
      open: (input) => readLocalQuestion(input, context) !== undefined,
    },
    {
      name: "key files",
      share: 2,
      make: () => mutateBytes(keyLine, some(), below),
      open: refusing([CodedError], (input) => void parseKey(Buffer.from(input).toString("utf8"), "fuzz.key")),
    },
    {
      name: "evidence files",
      share: 5,
      make: () => mutateBytes(evidence, some(), below),
      open: refusing([CodedError], (input) => void parseEvidenceFile(Buffer.from(input).toString("utf8"), "fuzz.json")),
    },
    {
      name: "topology files",
      share: 1,
      make: () => Buffer.from(mutateLines(topologyLines, below).join("\n")),
      open: refusing([CodedError], (input) => void parseTopology(Buffer.from(input).toString("utf8"), "fuzz.yaml")),
    },
  ];
}

/** An entrance that may throw these, and nothing else. */
function refusing(errors: readonly (new (...args: never[]) => Error)[], work: (input: Uint8Array) => void) {
  return (input: Uint8Array): boolean => {
    try {
      work(input);
      return true;
    } catch (error) {
      if (errors.some((allowed) => error instanceof allowed)) return false;
      throw error;
    }
  };
}

interface Planned {
  readonly text: string;
  readonly signer: (key: PublicKey) => Signer;
}

/** A crash cluster and a byzantine one, as in the corpus; keys come from numbers. */
function makePlan(): Planned {
  let seeds = 0;
  const { yaml, keys } = planTopology({
    name: "fuzz",
    models: ["crash", "byzantine"],
    faults: 1,
    host: "127.0.0.1",
    basePort: 7000,
    clients: 2,
    accounts: 20,
    balance: 1000n,
    shards: "hash",
    suffix: "0",
    makeSeed: () => new Uint8Array(SEED_BYTES).fill(++seeds),
  });
  const signers = new Map(keys.map(({ seed }) => [ed25519Signer(seed).publicKey, ed25519Signer(seed)]));
  return { text: yaml, signer: (key) => signers.get(key) as Signer };
}

function statementIn(envelope: Uint8Array) {
  const { kind, body, signature } = envelopeSchema.decode(envelope);
  return { kind, body: body.subarray(0, 512), signature };
}

function evidenceText(network: string, envelopes: readonly Uint8Array[]): string {
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
  const statements = envelopes.slice(0, 2).map((envelope) => {
    const { body, signature } = statementIn(envelope);
    return { message: "accept", body: hex(body), signature: hex(signature) };
  });
  return JSON.stringify({
    network,
    evidence: [{ node: "c1n0", contradiction: "votes", subject: "slot 1", statements }],
  });
}

/** Lines moved, doubled, indented, and values that no file should have. */
function mutateLines(lines: readonly string[], below: (count: number) => number): readonly string[] {
  const at = below(lines.length);
  const line = lines[at] ?? "";
  const value = ODD_VALUES[below(ODD_VALUES.length)] as string;
  switch (below(6)) {
    case 0:
      return lines.toSpliced(at, 1);
    case 1:
      return lines.toSpliced(at, 0, line);
    case 2:
      return lines.with(at, line.replace(/: .*$/, `: ${value}`));
    case 3:
      return lines.with(at, `  ${line}`);
    case 4:
      return [...lines.slice(0, at), ...lines.slice(below(lines.length))].slice(0, TOPOLOGY_LINES_MAX);
    default: {
      const cut = below(line.length + 1);
      return lines.with(at, `${line.slice(0, cut)}${value}${line.slice(cut)}`);
    }
  }
}

const ODD_VALUES = [
  "-1",
  "0",
  "1e99",
  "99999999999999999999",
  "0x10",
  "null",
  "~",
  "true",
  "[]",
  "{}",
  "''",
  "*a",
  "&a [*a]",
  "&a",
  "<<",
  "!!binary aa",
  "|",
  ">",
  "@",
  "`",
  "%",
  "\t",
  "\u0000",
  "😀",
  "a: b: c",
  "[[[[[[[[[[[[[[[[",
  "{{{{{{{{",
  "? x",
  "---",
  "...",
  "2026-01-01",
  ".nan",
  ".inf",
  "__proto__",
  "constructor",
  "c1n0",
  "1",
  "65536",
];

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  return Uint8Array.from([...bytes, rest]);
}

const NO_BYTES = new Uint8Array(0);
