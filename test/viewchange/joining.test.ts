// Who takes part in a view change without a reason of its own (protocol 5): a byzantine node joins the lowest of the
// higher views that f+1 nodes want, for one of them is correct; a crash node follows the primary that asks for its votes.

import { describe, expect, test } from "vitest";
import { openEnvelope } from "../../src/node/wire.js";
import { decodeViewMessage } from "../../src/node/wire-views.js";
import type { ClusterId, View } from "../../src/types/ids.js";
import type { ViewMessage } from "../../src/types/message.js";
import type { FailureModel } from "../../src/types/topology.js";
import { changeOf, injectAs } from "../support/forge.js";
import { type Packet, TestNetwork } from "../support/network.js";

const CLUSTER = 1 as ClusterId;
const NEIGHBOUR = "c1n1";

/** A node that hears what it is told and nothing else, and what it says of views to its neighbour. */
async function listener(model: FailureModel, faults: number, name: string) {
  const network = await TestNetwork.create({ models: [model], faults });
  const { replica, inbox } = network.node(name);
  const said: ViewMessage[] = [];
  network.drop = (packet) => {
    const message = packet.sender === name && packet.receiver === NEIGHBOUR ? viewMessageIn(packet) : undefined;
    if (message !== undefined) said.push(message);
    return packet.receiver !== name;
  };
  return {
    /** The views that it asked for or agreed to. */
    get wanted(): readonly View[] {
      return said.filter(({ kind }) => kind !== "new-view").map(({ view }) => view);
    },
    get opened(): readonly View[] {
      return said.filter(({ kind }) => kind === "new-view").map(({ view }) => view);
    },
    /** The view in which it then is, or the code of its refusal. */
    async hear(from: number, message: ViewMessage): Promise<View | string> {
      const { codes } = await injectAs(network, `c1n${from}`, name, message);
      return codes[0] ?? replica.coordinator.engine.view;
    },
    suspect(): void {
      replica.coordinator.suspect();
      inbox.push({ kind: "tick" });
      network.settle();
    },
    /** Until it says something once more. */
    wait(): void {
      const before = said.length;
      for (let each = 0; each < 200 && said.length === before; each++) network.advance(50);
    },
  };
}

function viewMessageIn({ bytes }: Packet): ViewMessage | undefined {
  const opened = openEnvelope(bytes);
  if (typeof opened === "string") throw new Error(opened);
  const { kind, body } = opened;
  const isOfView = kind === "prepare" || kind === "promise" || kind === "view-change" || kind === "new-view";
  return isOfView ? decodeViewMessage(kind, body) : undefined;
}

interface Joining {
  readonly what: string;
  readonly faults: number;
  /** Who says which view is wanted, and in which the listener is then. */
  readonly heard: readonly (readonly [node: number, view: View, then: View])[];
}

const joinings: readonly Joining[] = [
  {
    what: "f+1 of 4 nodes, not f",
    faults: 1,
    heard: [
      [0, 1, 0],
      [1, 1, 1],
    ],
  },
  {
    what: "f+1 of 7 nodes, not f",
    faults: 2,
    heard: [
      [0, 1, 0],
      [1, 1, 0],
      [2, 1, 1],
    ],
  },
  {
    what: "no single node, whatever it says",
    faults: 1,
    heard: [
      [0, 1, 0],
      [0, 1, 0],
      [0, 2, 0],
      [0, 3, 0],
      [0, 9, 0],
    ],
  },
  {
    what: "the lowest of their views, said last",
    faults: 1,
    heard: [
      [0, 5, 0],
      [1, 2, 2],
    ],
  },
  {
    what: "the lowest of their views, said first",
    faults: 1,
    heard: [
      [0, 2, 0],
      [1, 5, 2],
    ],
  },
  {
    what: "the lowest of three views",
    faults: 2,
    heard: [
      [0, 7, 0],
      [1, 3, 0],
      [2, 5, 3],
    ],
  },
  {
    what: "of each node the highest view it wanted",
    faults: 1,
    heard: [
      [0, 1, 0],
      [0, 4, 0],
      [1, 3, 3],
    ],
  },
  {
    what: "nothing that a node said before something higher",
    faults: 1,
    heard: [
      [0, 4, 0],
      [0, 1, 0],
      [1, 3, 3],
    ],
  },
  {
    what: "f+1 again, in the view it joined",
    faults: 1,
    heard: [
      [0, 2, 0],
      [1, 2, 2],
      [0, 3, 2],
      [1, 4, 3],
    ],
  },
  {
    what: "nobody in views that are not above its own",
    faults: 1,
    heard: [
      [0, 2, 0],
      [1, 2, 2],
      [2, 2, 2],
      [2, 1, 2],
      [0, 3, 2],
    ],
  },
];

describe("a byzantine node with no reason of its own", () => {
  test.each(joinings)("joins $what", async ({ faults, heard }) => {
    const node = await listener("byzantine", faults, `c1n${3 * faults}`);
    for (const [at, [from, view, then]] of heard.entries()) {
      const after = await node.hear(from, changeOf({ node: from, view }));
      expect(after, `after VIEW-CHANGE ${at}, of c1n${from} for view ${view}`).toBe(then);
    }
    const joined = [...new Set(heard.map(([, , then]) => then))].filter((view) => view > 0);
    expect(node.wanted).toEqual(joined);
  });
});

test("a byzantine node whose view does not open wants it again, and the next only when a quorum wanted it", async () => {
  const node = await listener("byzantine", 1, "c1n3");
  node.suspect();
  node.wait();
  expect(node.wanted).toEqual([1, 1]);
  expect(await node.hear(0, changeOf({ node: 0 }))).toBe(1);
  node.wait();
  expect(node.wanted).toEqual([1, 1, 1]);
  expect(await node.hear(2, changeOf({ node: 2 }))).toBe(1);
  node.wait();
  expect(node.wanted).toEqual([1, 1, 1, 2]);
});

test("a crash node promises the primary of a higher view its votes, at once, and nobody else", async () => {
  const node = await listener("crash", 1, "c1n2");
  const prepare = (of: number, view: View) => node.hear(of, { kind: "prepare", cluster: CLUSTER, node: of, view });
  expect(await prepare(0, 1)).toBe("not-primary");
  expect(await prepare(1, 1)).toBe(1);
  expect(await prepare(1, 4)).toBe(4);
  expect(await prepare(0, 3), "a lower view").toBe(4);
  expect(await prepare(1, 1), "a lower view").toBe(4);
  expect(node.wanted).toEqual([1, 4]);
});

test("a crash node opens its view with the PROMISEs of a quorum of different nodes, itself among them", async () => {
  const node = await listener("crash", 2, "c1n2");
  const none = { incarnation: 0, rejoins: [], stable: undefined, decided: [], candidates: [] };
  const promise = (of: number, view: View) =>
    node.hear(of, { kind: "promise", cluster: CLUSTER, node: of, view, ...none });
  node.suspect();
  expect(node.wanted).toEqual([2]);
  for (const [of, view] of [
    [3, 2],
    [3, 2],
    [4, 1],
    [4, 7],
  ] as const)
    await promise(of, view);
  expect(node.opened).toEqual([]);
  await promise(4, 2);
  expect(node.opened).toEqual([2]);
});
