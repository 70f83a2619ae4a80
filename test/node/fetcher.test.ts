// Whom a node asks for a block that it lacks, and for how long (protocol 3.1, 3.4): one liar among those who name the
// block must not be able to withhold it, nor blocks that nobody has any more fill the table.

import { expect, test } from "vitest";
import { Fetcher } from "../../src/node/fetcher.js";
import type { Send } from "../../src/types/effects.js";
import { type Digest, type NodeRef, showNode } from "../../src/types/ids.js";
import { limits } from "../../src/types/limits.js";
import { TestNetwork } from "../support/network.js";

const BLOCK = "ab".repeat(32) as Digest;
const OTHERS = ["c1n1", "c1n2", "c1n3"];

async function world() {
  const network = await TestNetwork.create({ models: ["byzantine", "crash"] });
  const known = new Set<Digest>();
  const ref = (name: string): NodeRef => network.node(name).ref;
  const { members } = network;
  const fetcher = new Fetcher({ self: ref("c1n0"), members, isKnown: (digest) => known.has(digest) });
  /** Who is asked; undefined: nobody any more. */
  const ask = (digest = BLOCK): readonly string[] | undefined => {
    const send: Send[] = [];
    const goesOn = fetcher.ask(digest, send);
    return goesOn ? send.flatMap(({ to }) => to.map(showNode)) : undefined;
  };
  return { fetcher, known, ref, ask };
}

test("a witness is asked once at a time, however often it names the block", async () => {
  const { fetcher, ref, ask } = await world();
  for (let i = 0; i < 10; i++) fetcher.want(BLOCK, ref("c1n2"));
  fetcher.want(BLOCK, ref("c2n1"));
  expect(ask()).toEqual(["c1n2", "c2n1"]);
});

test("from the second asking on the own cluster is asked as well", async () => {
  const { fetcher, ref, ask } = await world();
  fetcher.want(BLOCK, ref("c2n1"));
  fetcher.want(BLOCK, ref("c1n3"));
  expect(ask()).toEqual(["c2n1", "c1n3"]);
  expect(ask()?.toSorted()).toEqual([...OTHERS, "c2n1"]);
  expect(ask()?.toSorted()).toEqual([...OTHERS, "c2n1"]);
});

test("without any witness the own cluster is asked at once, but never the node itself", async () => {
  const { fetcher, ref, ask } = await world();
  fetcher.want(BLOCK, ref("c1n0"));
  expect(ask()).toEqual(OTHERS);
});

test("a block that only others name is given up, and may be wanted again", async () => {
  const { fetcher, ref, ask } = await world();
  fetcher.want(BLOCK, ref("c1n2"));
  for (let i = 0; i < limits.fetchesPerBlockMax; i++) {
    // Being named again does not begin it anew.
    fetcher.want(BLOCK, ref("c1n2"));
    expect(ask(), `asking ${i}`).toBeDefined();
    // Until the next asking the last one may still be answered.
    expect(fetcher.wants(BLOCK), `asking ${i}`).toBe(true);
  }
  expect(ask()).toBeUndefined();
  expect(fetcher.wants(BLOCK)).toBe(false);
  fetcher.want(BLOCK, ref("c1n3"));
  expect(ask()).toEqual(["c1n3"]);
});

test("a block that the own log holds is asked for until it comes", async () => {
  const { fetcher, ref, known, ask } = await world();
  fetcher.want(BLOCK, ref("c1n2"));
  fetcher.want(BLOCK, ref("c1n0"));
  for (let i = 0; i < 10 * limits.fetchesPerBlockMax; i++) expect(ask(), `asking ${i}`).toBeDefined();
  known.add(BLOCK);
  expect(ask()).toBeUndefined();
  expect(fetcher.wants(BLOCK)).toBe(false);
});

test("a full table refuses what others name, not what the own log holds", async () => {
  const { fetcher, ref } = await world();
  const digest = (n: number) => n.toString(16).padStart(64, "0") as Digest;
  for (let n = 0; n < limits.heldMessagesMax; n++) fetcher.want(digest(n), ref("c1n2"));
  fetcher.want(BLOCK, ref("c1n2"));
  expect(fetcher.wants(BLOCK)).toBe(false);
  fetcher.want(BLOCK, ref("c1n0"));
  expect(fetcher.wants(BLOCK)).toBe(true);
});
