// Byzantine clients against correct nodes (protocol 4): each trick is played and answered with the code it deserves, the
// audit finds supply and records sound, and the payments of a correct client are executed meanwhile.

import { expect, test } from "vitest";
import { digestOf } from "../../../src/crypto/hash.js";
import type { Signer } from "../../../src/crypto/signature.js";
import { openEnvelope } from "../../../src/node/wire.js";
import { type VillainClientName, villainClients } from "../../../src/sim/villains/clients.js";
import { refusalCode, resultCode } from "../../../src/types/codes.js";
import { type PublicKey, toHex } from "../../../src/types/ids.js";
import type { FailureModel } from "../../../src/types/topology.js";
import { START } from "../../support/network.js";
import { Stage } from "./stage.js";

/** What a client that plays this trick is told. */
const deserved: Readonly<Record<VillainClientName, readonly string[]>> = {
  "double-spend": ["ok", "insufficient-funds"],
  "double-id": ["ok", "id-reused"],
  "show-few": ["ok", "wrong-cluster"],
  "wrong-accounts": [
    ...["not-owner", "unknown-account", "account-exists", "unbalanced", "zero-amount", "amount-overflow"],
    ...["malformed", "mixed-clusters", "wrong-cluster"],
  ],
  storm: ["ok"],
  "reuse-id": ["ok", "id-reused"],
  "wrong-time": ["expired", "valid-too-long", "ok"],
  "wrong-key": ["bad-signature"],
  mixed: ["ok", "insufficient-funds", "id-reused"],
};

const PAYMENTS = 6;
const seeds = [1, 2, 3];
const models: readonly FailureModel[] = ["byzantine", "crash", "byzantine"];

test.each(Object.entries(deserved))("%s: nobody else is harmed, no money is made", async (name, codes) => {
  const told = new Set<string>();
  for (const seed of seeds) {
    const stage = await Stage.create(seed, { models, initiator: seed % 2 === 0 ? "lowest" : "source" });
    const { network, draw } = stage;
    const signer = network.clients[1] as Signer;
    const villain = villainClients[name as VillainClientName]();
    const hashes = new Set<string>();
    for (let i = 0; i < 36; i++) {
      const words = villain({ topology: network.topology, signer, time: START + network.tick, below: draw });
      for (const { to, envelope, delay } of words) {
        const opened = openEnvelope(envelope);
        if (typeof opened !== "string") hashes.add(digestOf(opened.body));
        stage.say(signer.publicKey, { to: network.members.node(to)?.key as PublicKey, envelope, delay });
      }
      if (i % 6 === 0) network.pay(1 + draw(3));
      stage.pass(500);
    }
    stage.pass(10_000);
    await stage.expectAgreement();
    const mine = network.replies.filter(({ request }) => hashes.has(toHex(request)));
    for (const { refusal, results } of mine) {
      if (refusal !== 0) told.add(refusalCode(refusal) as string);
      else for (const result of results) told.add(resultCode(result) as string);
    }
    const others = network.replies.filter(({ request, refusal }) => refusal === 0 && !hashes.has(toHex(request)));
    expect(new Set(others.map(({ nonce }) => nonce)).size, `seed ${seed}`).toBe(PAYMENTS);
    // One request, one place in the ledger, however often it was sent.
    const heights = new Set(mine.filter(({ refusal }) => refusal === 0).map((reply) => placeOf(reply)));
    const executed = new Set(mine.filter(({ refusal }) => refusal === 0).map(({ request }) => toHex(request)));
    expect(heights.size, `seed ${seed}`).toBe(executed.size);
  }
  expect([...told]).toEqual(expect.arrayContaining([...codes]));
});

function placeOf({ request, digest, sequence }: Stage["network"]["replies"][number]): string {
  return `${toHex(request)} ${toHex(digest)} ${sequence}`;
}
