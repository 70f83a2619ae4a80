// Clients that are too slow for their place (faults F28, F29): what makes a frame old, and that over real sockets the
// slow are cut, each with its code, while nodes and honest clients stay.

import type { Connection } from "@libp2p/interface";
import { afterEach, describe, expect, it, vi } from "vitest";
import { ended } from "../../src/net/link.js";
import { Pace } from "../../src/net/pace.js";
import { limits } from "../../src/types/limits.js";
import { a, b, client, frameOf, rawPeer, rawStream, start, stopAll } from "./party.js";

const { frameTimeoutMs, readTimeoutMs, clientIdleMs } = limits;

describe("a client's pace", () => {
  it("a frame that has begun must end in time, however often a crumb of it comes", () => {
    const pace = new Pace(0);
    for (let now = 0; now <= frameTimeoutMs; now += 1000) {
      pace.heard(now, { partial: 1 + now, completed: false });
      expect(pace.fault(now, undefined)).toBeUndefined();
    }
    pace.heard(frameTimeoutMs + 1, { partial: 99, completed: false });
    expect(pace.fault(frameTimeoutMs + 1, undefined)).toBe("slow-sender");
  });

  it("each frame that gets complete gives the next one its time", () => {
    const pace = new Pace(0);
    for (let now = 0; now <= 5 * frameTimeoutMs; now += frameTimeoutMs / 2) {
      pace.heard(now, { partial: 1 + now, completed: true });
      expect(pace.fault(now, undefined)).toBeUndefined();
    }
    pace.heard(5 * frameTimeoutMs, { partial: 0, completed: true });
    expect(pace.fault(5 * frameTimeoutMs + clientIdleMs, undefined)).toBeUndefined();
    expect(pace.fault(5 * frameTimeoutMs + clientIdleMs + 1, undefined)).toBe("idle");
  });

  it("who does not read is cut, and who reads a little is not", () => {
    const pace = new Pace(0);
    expect(pace.fault(readTimeoutMs, 0)).toBeUndefined();
    expect(pace.fault(readTimeoutMs + 1, 0)).toBe("slow-reader");
    expect(pace.fault(readTimeoutMs + 1, 2)).toBeUndefined();
  });
});

describe("over sockets", () => {
  afterEach(async () => {
    vi.restoreAllMocks();
    await stopAll();
  });

  /** From now on the clock of the transport is so far ahead. */
  function skip(ms: number): void {
    const real = performance.now.bind(performance);
    vi.spyOn(performance, "now").mockImplementation(() => real() + ms);
  }

  it("a client that stops in the middle of a frame is cut", async () => {
    const node = await start(a, []);
    const slow = await rawPeer(client);
    const stream = await rawStream(slow, node);
    stream.send(frameOf("begun and left").subarray(0, 3));
    await node.log.saw({ kind: "connect", peer: client.key });
    skip(frameTimeoutMs + 5000);
    await node.log.saw({ kind: "rejected", code: "slow-sender", peer: client.key });
    await node.log.saw({ kind: "disconnect", peer: client.key });
  });

  it("a client that never reads is cut, and its queue with it", async () => {
    const node = await start(a, []);
    const deaf = await rawPeer(client, (stream) => stream.pause());
    await rawStream(deaf, node);
    await node.log.saw({ kind: "connect", peer: client.key });
    const large = new Uint8Array(1 << 20);
    let taken = 0;
    for (let i = 0; i < 40; i++) if (node.transport.send(client.key, [large])) taken++;
    expect(taken).toBeLessThan(20);
    skip(readTimeoutMs + 5000);
    await node.log.saw({ kind: "rejected", code: "slow-reader", peer: client.key });
    await node.log.saw({ kind: "disconnect", peer: client.key });
  });

  it("a client that says nothing is cut, a node is not", async () => {
    const node = await start(a, []);
    const [idle, peer] = [await rawPeer(client), await rawPeer(b)];
    await rawStream(idle, node);
    const quiet = await rawStream(peer, node);
    for (const { key } of [client, b]) await node.log.saw({ kind: "connect", peer: key });
    const [connection] = idle.getConnections() as [Connection];
    skip(clientIdleMs + 5000);
    await node.log.saw({ kind: "rejected", code: "idle", peer: client.key });
    await ended(connection);
    await node.log.saw({ kind: "disconnect", peer: client.key });
    // All are looked at at once, so the node would be gone by now.
    quiet.send(frameOf("still here"));
    await node.log.sawMessages(1);
    expect(node.log.codes()).toEqual(["idle"]);
    expect(node.transport.connected()).toEqual([b.key]);
  });
});
