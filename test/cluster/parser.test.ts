// The parser against anything: whatever the text, the answer is a topology or a coded error, soon, never another
// exception. And the genesis rules, which count without expanding, against a set that expands.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseTemplate, parseTopology, type TopologyError } from "../../src/cluster/topology.js";
import { CodedError } from "../../src/types/codes.js";
import { limits } from "../../src/types/limits.js";
import { problemsOf, valid } from "./files.js";

type Outcome = "topology" | "topology-template" | "topology-invalid";

function outcomeOf(text: string): Outcome {
  try {
    parseTemplate(text, "net.yaml");
    expect(parseTopology(text, "net.yaml").networkId).toMatch(/^[0-9a-f]{64}$/);
    return "topology";
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    if (error.code === "topology-template") return error.code;
    expect(error.code).toBe("topology-invalid");
    const lines = text.split(/\r\n|\n|\r/).length;
    const { problems } = error as TopologyError;
    expect(problems.length).toBeGreaterThan(0);
    const misshown = problems.filter(
      ({ line, column, what, fix }) =>
        line < 1 || line > lines || column < 1 || /undefined|\[object/.test(`${what}; ${fix}`),
    );
    expect(misshown).toEqual([]);
    return "topology-invalid";
  }
}

/** Texts that mean something to YAML or to us. */
const snippet = fc.constantFrom(
  ..."{ } [ ] : , - ? & * # | > ! % @ ` ' \" ~ << --- ... \n \t".split(" "),
  ...["\n", "\n  ", "\n- ", ": ", " #", "&a ", "*a", "!!int ", "%YAML 1.1\n---\n", "__proto__: 1\n", "key: generate"],
  ...["generate", "hash", "range", "0", "-1", "1e999", "\0", "\u2028", "\ud800", "null", "nodes: []", "clusters: *a"],
);

describe("whatever the text is, the answer is a topology or a coded error", () => {
  it("for arbitrary text", () => {
    const anything = fc.oneof(
      fc.string({ unit: "binary", maxLength: 200 }),
      fc.array(snippet).map((all) => all.join("")),
    );
    fc.assert(
      fc.property(anything, (text) => {
        expect(outcomeOf(text)).toBe("topology-invalid");
      }),
      { numRuns: 500 },
    );
  });

  it("for the valid file with texts cut out and others put in", () => {
    const edit = fc.record({
      at: fc.nat(valid.length),
      cut: fc.nat(30),
      put: fc.oneof(snippet, fc.string({ maxLength: 5 })),
    });
    const seen = new Set<Outcome>();
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), (edits) => {
        const text = edits.reduce((t, { at, cut, put }) => t.slice(0, at) + put + t.slice(at + cut), valid);
        seen.add(outcomeOf(text));
      }),
      { numRuns: 500 },
    );
    expect(seen).toContain("topology-invalid");
  });

  it("for the valid file with lines moved, doubled or left out", () => {
    const lines = valid.split("\n");
    const some = fc.array(fc.constantFrom(...lines), { maxLength: 40 });
    const most = fc.subarray(lines, { minLength: lines.length - 3 });
    fc.assert(
      fc.property(fc.oneof(some, most), (chosen) => {
        outcomeOf(chosen.join("\n"));
      }),
      { numRuns: 300 },
    );
  });
});

describe("a small file does not grow", () => {
  const nine = (name: string) => `[${Array(9).fill(name).join(", ")}]`;
  const laughs = ["a0: &a0 [x]", ...[...Array(30).keys()].map((i) => `a${i + 1}: &a${i + 1} ${nine(`*a${i}`)}`)].join(
    "\n",
  );

  it.each<[name: string, text: string]>([
    ["aliases of aliases", laughs],
    ["an alias of what it is in", "a: &a [*a]"],
    ["open brackets", "[".repeat(1_000_000)],
    ["open braces", "{a: ".repeat(200_000)],
    ["dashes", "- ".repeat(20_000)],
    ["question marks", "? ".repeat(20_000)],
    ["indentation", [...Array(2000).keys()].map((i) => `${" ".repeat(i)}a:`).join("\n")],
    ["a very long number", valid.replace("balance: 1000000", `balance: ${"9".repeat(1_000_000)}`)],
    ["a very long name", valid.replace("trade-1", "x".repeat(1_000_000))],
    ["many equal keys", "a: 1\n".repeat(20_000)],
    ["many unknown keys", [...Array(20_000).keys()].map((i) => `k${i}: 1\n`).join("")],
    ["many documents", "---\n".repeat(20_000)],
    ["more bytes than a topology has", "#".repeat(limits.topologyBytesMax + 1)],
    ["more bytes than letters", "é".repeat(limits.topologyBytesMax / 2 + 1)],
  ])("from %s", (_, text) => {
    const problems = problemsOf(text);
    expect(problems.length).toBeLessThanOrEqual(500);
    for (const { what, fix } of problems) expect(what.length + fix.length).toBeLessThan(600);
  });
});

describe("the genesis rules count without expanding", () => {
  const prefix = fc.constantFrom("a", "a1", "a10", "a01", "a0", "b", "", "1", "a-");
  const row = fc.oneof(
    fc.record({ prefix, count: fc.integer({ min: 1, max: 120 }) }),
    fc.record({ account: fc.tuple(prefix, fc.nat(130)).map(([head, number]) => `${head}${number}`) }),
  );

  it("and find a duplicate exactly where expanding finds one", () => {
    fc.assert(
      fc.property(fc.array(row, { minLength: 1, maxLength: 5 }), (rows) => {
        const names = rows.flatMap((r) =>
          "account" in r ? [r.account] : Array.from({ length: r.count }, (_, i) => `${r.prefix}${i}`),
        );
        const twice = new Set(names).size < names.length;
        const lines = rows.map((r) =>
          "account" in r
            ? `  - { account: "${r.account}", owner: client0, balance: 1 }`
            : `  - { prefix: "${r.prefix}", count: ${r.count}, owner: client0, balance: 1 }`,
        );
        const text = valid.replace(/genesis:\n(.*\n){2}/, `genesis:\n${lines.join("\n")}\n`);
        if (twice) {
          const found = problemsOf(text).map(({ what }) => /^account (\S+) is also one of/.exec(what)?.[1]);
          for (const name of found) expect(names.filter((n) => n === name).length).toBeGreaterThan(1);
        } else {
          expect(outcomeOf(text)).toBe("topology");
        }
      }),
      { numRuns: 300 },
    );
  });
});
