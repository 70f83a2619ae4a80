// Protocol 9, scenario 8: a byzantine initiator shows X to its own cluster and X', with the same request, to the other.
// Each cluster decides what it saw. Both blocks must get into both logs, and the request may be executed once.

import { describe, expect, test, vi } from "vitest";
import { ConsumedIds } from "../../../src/execution/consumed.js";
import { Fetcher } from "../../../src/node/fetcher.js";
import { Queries } from "../../../src/node/queries.js";
import { type Digest, type Entry, NO_SEQUENCE } from "../../../src/types/ids.js";
import type { Propose } from "../../../src/types/message.js";
import { blockOf, requestOf } from "../../support/forge.js";
import { balanceOf } from "../../support/inspect.js";
import { START } from "../../support/network.js";
import { expectViolated, lose, restoreRules, SOUND, scenario, speakAs, wait } from "./scenario.js";

/** What is missing is waited for: a cluster takes only what its initiator brings. */
function askNobody(): void {
  vi.spyOn(Queries.prototype, "ask").mockImplementation(() => undefined);
  vi.spyOn(Fetcher.prototype, "want").mockImplementation(() => undefined);
}

/** A block is executed as it is, whatever was executed before. */
function executeAgain(): void {
  vi.spyOn(ConsumedIds.prototype, "has").mockImplementation(() => false);
}

restoreRules();

describe("8. a byzantine initiator shows X to one cluster and X' to another", () => {
  async function run() {
    let paid: bigint | undefined;
    const outcome = await scenario({ models: ["byzantine", "byzantine"], liar: "c1n0" }, (network) => {
      const operation = network.payment([1, 2]);
      const options = { nonce: 1, validUntil: START + 60_000 };
      network.send([operation], options);
      network.deliver({ receiver: "c1n0", kind: "request" });
      lose(network, ({ receiver }) => receiver.startsWith("c2"));
      const { engine } = network.node("c1n0").replica.coordinator;
      const shown = engine.entryOf(engine.digestAt(1) as Digest) as Entry;
      const block = blockOf([requestOf(network, [operation], options)], { time: START + 1 });
      const entry: Entry = { ...shown, digest: block.digest };
      const message: Propose = { kind: "propose", entry, node: 0, previous: NO_SEQUENCE, block };
      speakAs(network, { from: "c1n0", to: network.nodesOf(2).map(({ name }) => name), message });
      wait(network, 60);
      paid = balanceOf(network.node("c2n1"), network.account(2));
    });
    return { ...outcome, paid };
  }

  test("two clusters that ask nobody wait for each other's block", async () => {
    askNobody();
    expectViolated(await run(), "I3");
  });

  test("a request in two blocks is paid twice if its id is not remembered", async () => {
    executeAgain();
    const { paid, ...outcome } = await run();
    expect(paid).toBe(1002n);
    expectViolated(outcome, "I7");
  });

  test("both blocks get into both logs, and the request is executed once", async () => {
    expect(await run()).toEqual({ ...SOUND, paid: 1001n });
  });
});
