// Topology files for tests: keys from numbers, and one file that uses every kind of field.

import { parseTopology, type TopologyError } from "../../src/cluster/topology.js";
import { ed25519Signer } from "../../src/crypto/signature.js";
import { CodedError } from "../../src/types/codes.js";
import type { PublicKey } from "../../src/types/ids.js";

export function keyOf(number: number): PublicKey {
  const seed = Buffer.alloc(32);
  seed.writeUInt32BE(number);
  return ed25519Signer(seed).publicKey;
}

/** 26 lines; tests count on them. */
export const valid = `network: trade-1
clusters:
  - id: 1
    model: crash
    faults: 1
    nodes:
      - { id: c1n0, key: ${keyOf(10)}, address: /ip4/127.0.0.1/tcp/7000 }
      - { id: c1n1, key: ${keyOf(11)}, address: /ip6/::1/tcp/7001 }
      - { id: c1n2, key: ${keyOf(12)}, address: /dns4/node.example/tcp/7002 }
  - id: 2
    model: byzantine
    nodes:
      - { id: c2n0, key: ${keyOf(20)}, address: /ip4/127.0.0.1/tcp/7003 }
      - { id: c2n1, key: ${keyOf(21)}, address: /ip4/127.0.0.1/tcp/7004 }
      - { id: c2n2, key: ${keyOf(22)}, address: /ip4/127.0.0.1/tcp/7005 }
      - { id: c2n3, key: ${keyOf(23)}, address: /ip4/127.0.0.1/tcp/7006 }
shards: { by: hash }
clients:
  - { id: client0, key: ${keyOf(1)} }
  - { id: client1, key: ${keyOf(2)} }
genesis:
  - { prefix: acct-, count: 1000, owner: client0, balance: 1000000 }
  - { account: treasury, owner: client1, balance: "9007199254740993" }
cross: { dissemination: flattened, initiator: lowest }
timers: { intraMs: 500, crossMs: 2000 }
block: { requestsMax: 1 }
`;

/** The valid file with some of its texts replaced by others; each must be in it. */
export function changed(...changes: readonly (readonly [from: string, to: string])[]): string {
  return changes.reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`no ${from} in the file`);
    return text.replace(from, () => to);
  }, valid);
}

/** The problems of a file that must have some. */
export function problemsOf(text: string): TopologyError["problems"] {
  return errorOf(text).problems;
}

export function errorOf(text: string): TopologyError {
  try {
    parseTopology(text, "net.yaml");
  } catch (error) {
    if (error instanceof CodedError && error.code === "topology-invalid") return error as TopologyError;
    throw error;
  }
  throw new Error("the file has no problems");
}

/** The problems of the valid file after some changes, as "line: what; fix". */
export function faultsOf(...changes: readonly (readonly [string, string])[]): readonly string[] {
  return problemsOf(changed(...changes)).map(({ line, what, fix }) => `${line}: ${what}; ${fix}`);
}
