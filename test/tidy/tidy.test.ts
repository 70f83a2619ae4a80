// The architecture and the house style as a test: the import table, purity, and what can be counted. First the checker
// itself is checked with planted violations, then the repository is.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, sep } from "node:path";
import { describe, expect, test } from "vitest";
import { type SourceFile, untidy } from "./check.js";
import { type Rules, rules } from "./rules.js";
import { codeOnly, importsOf } from "./source.js";

const root = join(import.meta.dirname, "..", "..");
const planted: Rules = {
  ...rules,
  pure: { imports: ["types"], importsTypes: ["net", "intra/engine.ts"], purity: "pure", packages: ["yaml"] },
  deterministic: { imports: [], purity: "deterministic", exceptions: { "disk.ts": "free" } },
};

function findings(path: string, text: string): readonly string[] {
  return untidy({ path, text: text.startsWith("//") ? text : `// Header.\n${text}` }, planted, ["yaml", "libp2p"]);
}

describe("the checker", () => {
  test.each([
    ['import { a } from "../net/x.js";', /imports more than types from net\/x.ts/],
    ['import { type A, b } from "../net/x.js";', /imports more than types from net\/x.ts/],
    ['import {\n  a,\n  b,\n} from "../cross/x.js";', /2: pure must not import cross\/x.ts/],
    ['import type { A } from "../intra/log.js";', /must not import intra\/log.ts/],
    ['import "../cli/x.js";', /must not import cli\/x.ts/],
    ['const x = await import("../cli/x.js");', /must not import cli\/x.ts/],
    ['import { a } from "../../test/x.js";', /outside of src/],
    ['export { a } from "../types/x.js";', /re-exports types\/x.ts/],
    ['export * from "./x.js";', /barrel/],
    ['import fs from "node:fs";', /imports node:fs into pure code/],
    ['import { x } from "libp2p";', /imports libp2p into pure code/],
    ['import { x } from "lodash/fp";', /imports lodash, which is no dependency/],
    ['import { x } from "@scope/name/deep.js";', /imports @scope\/name, which is no dependency/],
    ["const t = Date.now();", /reads a clock/],
    ["const t = new Date();", /reads a clock/],
    ["const t = performance.now();", /reads a clock/],
    ["const r = Math.random();", /randomness/],
    ["const r = randomBytes(32);", /randomness/],
    ["setTimeout(f, 5);", /sets a timer/],
    ["queueMicrotask(f);", /sets a timer/],
    ["function f(): Promise<void> {}", /uses promises/],
    ["const f = async () => 1;", /uses promises/],
    ['const m = import("yaml");', /loads a module while it runs/],
    ["const x = process.pid;", /uses process/],
    ["console.log(1);", /writes to the console/],
    ["const x = `a ${process.pid} b`;", /uses process/],
    ["export default 5;", /default export/],
    ["enum A { b }", /enum/],
    ["export const enum A { b }", /enum/],
    ["let a: any;", /uses any/],
    ["f(x as any);", /uses any/],
    ["let a: Map<string, any>;", /uses any/],
    ["class A extends B {}", /inherits/],
    ["class A<T extends Map<K, V>> extends B<T> {}", /inherits/],
    ["const a = class extends B {};", /inherits/],
    ["abstract class A extends\n  B {}", /inherits/],
    [`const x = "${"x".repeat(120)}";`, /columns, at most 120/],
    ["\n".repeat(400).concat("const x = 1;"), /has 402 lines/],
    ["// TO" + "DO: later", /says "TO/],
    ['throw new Error("not ' + 'implemented");', /says "not/],
  ])("finds %j", (text, expected) => {
    expect(findings("src/pure/file.ts", text)).toContainEqual(expect.stringMatching(expected));
  });

  test.each([
    'import { a } from "../types/x.js";',
    'import { a } from "./x.js";',
    'import type { A } from "../net/x.js";',
    'import { type A, type B as C } from "../intra/engine.js";',
    'import { parse } from "yaml";',
    'type Yaml = typeof import("yaml");',
    "// process.exit, Date.now and await are words here",
    "/* setTimeout( */ const x = 1;",
    'const x = "await process.exit(1)";',
    "const x = `async ${f(`await ${1}`)} Promise`;",
    "const x = /await \"process.pid'/.test(a) ? b / c : d / e;",
    "class A extends Error {}",
    "class A implements B {}",
    "class A<K extends string, V> {}",
    "const processed = anyOf(company);",
    "if (a.any(b)) f({ any: 1 });",
    "// biome-ignore lint/suspicious/noExplicitAny: a reason\nlet a: any;",
  ])("is content with %j", (text) => {
    expect(findings("src/pure/file.ts", text)).toEqual([]);
  });

  test("knows where rules end", () => {
    expect(findings("src/pure/index.ts", "const x = 1;")).toContainEqual(expect.stringMatching(/barrel/));
    expect(findings("src/nowhere/x.ts", "")).toContainEqual(expect.stringMatching(/no folder of the import table/));
    expect(untidy({ path: "src/pure/x.ts", text: "const x = 1;\n" }, planted, [])).toHaveLength(1);
    expect(findings("src/deterministic/x.ts", "await f();")).toEqual([]);
    expect(findings("src/deterministic/x.ts", "const t = Date.now();")).toHaveLength(1);
    expect(findings("src/deterministic/disk.ts", 'import "node:fs";\nconst t = Date.now();')).toEqual([]);
    expect(findings("src/client/sdk.ts", 'export type { A } from "./x.js";')).toEqual([]);
    expect(findings("test/pure/x.test.ts", "setTimeout(f, 5);")).toEqual([]);
    expect(findings("test/pure/x.test.ts", 'test.skip("x", () => 1);')).toHaveLength(1);
    expect(findings("test/pure/x.test.ts", 'describe.only("x", () => 1);')).toHaveLength(1);
  });

  test("tells code from text without moving anything", () => {
    const source = 'const a = "x\\"y"; // c\nconst b = `p${`q${r}s`}t`; /* d\n */ e(/["/]/g, f / g / h);\n';
    const code = 'const a = "    ";     \nconst b = ` ${` ${r} `} `;     \n    e(/    /g, f / g / h);\n';
    expect(codeOnly(source)).toBe(code);
  });

  test("reads every form of import", () => {
    const source = [
      'import a from "a";',
      'import { b,\n  type C } from "b";',
      'import type D from "d";',
      'import * as e from "e";',
      'export type { F } from "f";',
      'import "g";',
      'type H = typeof import("h");',
      'const from = "not an import";',
    ].join("\n");
    expect(importsOf(source).map(({ from, typesOnly }) => `${from} ${typesOnly}`)).toEqual([
      "a false",
      "b false",
      "d true",
      "e false",
      "f true",
      "g false",
      "h true",
    ]);
  });
});

describe("the repository", () => {
  const manifest: { dependencies: Record<string, string> } = JSON.parse(
    readFileSync(join(root, "package.json"), "utf8"),
  );
  const dependencies = Object.keys(manifest.dependencies);

  test("keeps the import table, purity and the countable rules of style", () => {
    expect(
      filesOf("src", "test", "scripts", "docs", "config").flatMap((file) => untidy(file, rules, dependencies)),
    ).toEqual([]);
  });

  test("has no folder of src without a rule", () => {
    expect(readdirSync(join(root, "src")).filter((folder) => rules[folder] === undefined)).toEqual([]);
  });

  test("locks dependencies without naming a registry", () => {
    expect(readFileSync(join(root, "package-lock.json"), "utf8")).not.toMatch(/"resolved"|https?:\/\/[^"]*\.tgz/);
  });
});

function filesOf(...folders: readonly string[]): readonly SourceFile[] {
  return folders
    .filter((folder) => existsSync(join(root, folder)))
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && !entry.parentPath.endsWith(join("test", "tidy")))
        .map((entry) => join(entry.parentPath, entry.name)),
    )
    .map((path) => ({
      path: path
        .slice(root.length + 1)
        .split(sep)
        .join("/"),
      text: readFileSync(path, "utf8"),
    }));
}
