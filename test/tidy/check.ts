// The tidy checks of one file, given as text: imports and purity by the table, and the house style's countable rules.

import { dirname, join } from "node:path/posix";
import { bannedWords, columnsMax, type FolderRule, linesMax, type Rules, reexporting } from "./rules.js";
import { codeOnly, type Import, importsOf, lineAt } from "./source.js";

export interface SourceFile {
  /** From the root of the repository, with slashes. */
  readonly path: string;
  readonly text: string;
}

interface Pattern {
  readonly pattern: RegExp;
  readonly what: string;
}

const impure: readonly Pattern[] = [
  { pattern: /\bDate\.now\b|\bnew Date\b|\bperformance\b(?!:)/g, what: "reads a clock" },
  { pattern: /\bMath\.random\b|\brandom(Bytes|UUID|Int|FillSync)\b|\bgetRandomValues\b/g, what: "uses randomness" },
  { pattern: /\b(set(Timeout|Interval|Immediate)|queueMicrotask|nextTick)\b/g, what: "sets a timer" },
  { pattern: /\bprocess\s*\./g, what: "uses process" },
  { pattern: /\bconsole\s*\./g, what: "writes to the console" },
  { pattern: /(?<!typeof\s)\bimport\s*\(/g, what: "loads a module while it runs" },
];

const promises: readonly Pattern[] = [{ pattern: /\bPromise\b|\basync\b|\bawait\b/g, what: "uses promises" }];

const style: readonly Pattern[] = [
  { pattern: /\bexport\s+default\b|\bas\s+default\b/g, what: "has a default export" },
  { pattern: /\benum\s+\w+\s*\{/g, what: "declares an enum" },
  { pattern: /(?::|<|,|\||&|=>|=|\bas)\s*any\b(?!\s*[:(.])/g, what: "uses any" },
  { pattern: /\bexport\s*\*/g, what: "is a barrel (export *)" },
  { pattern: /\bclass\b\s*\w*\s*(?:<(?:[^<>]|<[^<>]*>)*>)?\s*extends\s+(?!Error\b)/g, what: "inherits from a class" },
];

const testStyle: readonly Pattern[] = [
  { pattern: /\b(it|test|describe|suite)\s*\.\s*(skip|only|todo)\b/g, what: "skips tests" },
];

/** What is untidy in a file: "path:line: what", in no order that matters. */
export function untidy(file: SourceFile, rules: Rules, dependencies: readonly string[]): readonly string[] {
  const findings = [...checkLines(file)];
  if (!file.path.endsWith(".ts")) return findings;
  const code = codeOnly(file.text);
  findings.push(...checkPatterns(file, code, file.path.startsWith("test/") ? [...style, ...testStyle] : style));
  if (file.path.startsWith("src/")) findings.push(...checkSource(file, code, rules, dependencies));
  return [...new Set(findings)];
}

function checkSource(file: SourceFile, code: string, rules: Rules, dependencies: readonly string[]): readonly string[] {
  const findings: string[] = [];
  const [, folder = "", name = ""] = file.path.split("/");
  const rule = rules[folder];
  if (rule === undefined) return [`${file.path}:1: ${folder} is no folder of the import table`];
  const lines = file.text.trimEnd().split("\n").length;
  if (lines > linesMax) findings.push(`${file.path}:${linesMax}: has ${lines} lines, at most ${linesMax}`);
  if (!/^(#!.*\n)?\/\/ /.test(file.text)) findings.push(`${file.path}:1: does not begin with what the file is for`);
  if (name === "index.ts") findings.push(`${file.path}:1: is a barrel (index.ts)`);

  const purity = rule.exceptions?.[name] ?? rule.purity;
  const isFree = purity === "free";
  for (const each of importsOf(file.text, code)) {
    const wrong = each.from.startsWith(".")
      ? checkInner(file, folder, each, rule)
      : checkPackage(each, isFree ? undefined : (rule.packages ?? []), dependencies);
    if (wrong !== undefined) findings.push(`${file.path}:${each.line}: ${wrong}`);
  }
  if (isFree) return findings;
  return [
    ...findings,
    ...checkPatterns(file, code, impure),
    ...(purity === "pure" ? checkPatterns(file, code, promises) : []),
  ];
}

function checkInner(file: SourceFile, folder: string, each: Import, rule: FolderRule): string | undefined {
  const target = join(dirname(file.path), each.from).replace(/\.js$/, ".ts");
  const inner = target.replace(/^src\//, "");
  const to = inner.split("/")[0] as string;
  if (each.reexport && !reexporting.includes(file.path)) return `re-exports ${inner}; import it from where it is`;
  if (!target.startsWith("src/")) return `imports ${target}, which is outside of src`;
  if (to === folder || rule.imports.includes(to) || rule.imports.includes(inner)) return undefined;
  const types = rule.importsTypes?.some((allowed) => inner === allowed || to === allowed) === true;
  if (types && each.typesOnly) return undefined;
  return types ? `imports more than types from ${inner}` : `${folder} must not import ${inner}`;
}

function checkPackage(
  each: Import,
  allowed: readonly string[] | undefined,
  dependencies: readonly string[],
): string | undefined {
  const parts = each.from.split("/");
  const name = each.from.startsWith("@") ? parts.slice(0, 2).join("/") : (parts[0] as string);
  if (!name.startsWith("node:") && !dependencies.includes(name)) return `imports ${name}, which is no dependency`;
  if (allowed === undefined || allowed.includes(name)) return undefined;
  return `imports ${name} into pure code`;
}

function checkLines({ path, text }: SourceFile): readonly string[] {
  const banned = new RegExp(`\\b(${bannedWords.join("|")})\\b`, "i");
  return text.split("\n").flatMap((line, index) => {
    const findings: string[] = [];
    const word = banned.exec(line)?.[1];
    if (word !== undefined) findings.push(`${path}:${index + 1}: says "${word}"`);
    if (line.length > columnsOf(path)) {
      findings.push(`${path}:${index + 1}: has ${line.length} columns, at most ${columnsOf(path)}`);
    }
    return findings;
  });
}

function checkPatterns({ path, text }: SourceFile, code: string, patterns: readonly Pattern[]): readonly string[] {
  const lines = text.split("\n");
  return patterns.flatMap(({ pattern, what }) =>
    [...code.matchAll(pattern)].flatMap((match) => {
      const line = lineAt(text, match.index);
      // The linter demands a reason where a rule is set aside; what it accepts is accepted here.
      return lines[line - 2]?.includes("biome-ignore") === true ? [] : [`${path}:${line}: ${what}`];
    }),
  );
}

/** Texts that a test compares, drawings, and prose with tables and links, cannot be broken at will. */
function columnsOf(path: string): number {
  if ([".md", ".txt", ".svg"].some((ending) => path.endsWith(ending))) return Number.POSITIVE_INFINITY;
  return path.startsWith("test/") ? 2 * columnsMax : columnsMax;
}
