// `sharper simulate` with the threads that it has when it is built: they run every seed once, come to what one thread
// would, and then end.

import { expect, test } from "vitest";
import { planOf } from "../../src/sim/profiles.js";
import { run } from "../../src/sim/run.js";
import { sharperJson } from "./commands.js";

const SEEDS = [1, 2, 3, 4];
const WISHES = { profile: "calm", clusters: 1 } as const;

test("two threads run four seeds", async () => {
  const sum = { transfers: 0, messages: 0 };
  for (const seed of SEEDS) {
    const { transfers, messages } = await run({ plan: planOf({ seed, ...WISHES }) });
    sum.transfers += transfers;
    sum.messages += messages;
  }
  const options = ["--seeds", "1..4", "--profile", WISHES.profile, "--clusters", `${WISHES.clusters}`, "--jobs", "2"];
  const { seeds, failed, profiles } = await sharperJson<Record<string, unknown>>("simulate", ...options);
  const row = { seeds: 4, passed: 4, failed: 0, ...sum };
  expect({ seeds, failed, profiles }).toMatchObject({
    ...{ seeds: 4, failed: 0 },
    profiles: [
      { profile: "calm", ...row },
      { profile: "all", ...row },
    ],
  });
});
