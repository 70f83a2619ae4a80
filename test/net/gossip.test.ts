import { gossipsub } from "@chainsafe/libp2p-gossipsub";
import { identify } from "@libp2p/identify";
import { createLibp2p } from "libp2p";
import { afterEach, describe, expect, it, vi } from "vitest";
import { limits } from "../../src/types/limits.js";
import { a, addressOf, b, c, client, rawSettings, running, start, stopAll } from "./party.js";
import { bytesOf, NETWORK } from "./recorder.js";

afterEach(stopAll);

describe("gossip", () => {
  it("reaches all nodes and names its author", async () => {
    const third = await start(c, []);
    const second = await start(b, [third]);
    const first = await start(a, [second, third]);
    await Promise.all([
      first.log.saw({ kind: "connect", peer: c.key }),
      second.log.saw({ kind: "connect", peer: c.key }),
    ]);
    // The mesh tells nobody when it is ready: what authors do is to say it again.
    await vi.waitFor(
      () => {
        first.transport.publish("heights", bytesOf("41"));
        for (const { log } of [second, third]) {
          const heard = log.happenings.find(({ kind }) => kind === "gossip");
          expect(heard).toEqual({ kind: "gossip", topic: "heights", peer: a.key, bytes: expect.anything() });
        }
      },
      { timeout: 10_000 },
    );
    expect(first.log.happenings.some(({ kind }) => kind === "gossip")).toBe(false);
    expect(() => first.transport.publish("weather", bytesOf("rain"))).toThrow(RangeError);
    expect(() => first.transport.publish("views", new Uint8Array(limits.gossipBytesMax + 1))).toThrow(RangeError);
  });

  it("of a client is refused at the first node, since only nodes are authors", async () => {
    const second = await start(b, []);
    const first = await start(a, [second]);
    const network = NETWORK.slice(0, 16);
    const raw = await createLibp2p({
      ...rawSettings(client),
      services: {
        identify: identify({ protocolPrefix: `sharper/${network}` }),
        gossip: gossipsub({ allowPublishToZeroTopicPeers: true }),
      },
    });
    running.add(raw);
    await raw.dial(addressOf(first));
    await vi.waitFor(
      async () => {
        await raw.services.gossip.publish(`${network}/views`, bytesOf("I am primary"));
        expect(first.log.codes()).toContain("not-allowed");
      },
      { timeout: 10_000 },
    );
    for (const { log } of [first, second]) expect(log.happenings.some(({ kind }) => kind === "gossip")).toBe(false);
  });
});
