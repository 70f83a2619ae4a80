// A topology file as plain text, lists and maps, with the place of each in the file, so that whatever is wrong with it
// later can be shown where it stands. Every scalar stays the text it is (YAML's failsafe schema): numbers are read by
// the fields that want them, so `007` stays an account's name and no large integer loses digits. Aliases are refused
// and nesting is bounded, since a small file could otherwise grow without end in memory.

import { isMap, isPair, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument } from "yaml";
import { limits } from "../types/limits.js";

export type Path = readonly (string | number)[];

/** Texts, lists and maps of them. */
export type Plain = string | readonly Plain[] | ReadonlyMap<string, Plain>;

/** One thing that is wrong, where, and what would be right. */
export interface Problem {
  readonly line: number;
  readonly column: number;
  readonly path: string;
  readonly what: string;
  readonly fix: string;
}

export interface Document {
  readonly root: Plain | undefined;
  /** Where a value stands; of a missing one, where it should. `key`: the name of the field instead of its value. */
  locate(path: Path, part?: "key" | "value"): { readonly line: number; readonly column: number };
  /** The offsets of a text within the file, quotes included. */
  spanOf(path: Path): { readonly start: number; readonly end: number };
  get(path: Path): Plain | undefined;
}

export type Report = (problem: Problem) => void;

const NESTING_MAX = 16; // a topology needs five
/** Brackets that may be open at once, in texts and comments, too: the parser's stack must not be ours to lose. */
const OPEN_BRACKETS_MAX = 64;

/** Reads the text and reports what is wrong with it as YAML; undefined when it is no use to look further. */
export function readDocument(text: string, report: Report): Document | undefined {
  const lines = new LineCounter();
  const tooMuch = refusedUnread(text);
  if (tooMuch !== undefined) {
    report({ line: 1, column: 1, path: "", ...tooMuch });
    return undefined;
  }
  const placeOf = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const yaml = parseDocument(text, {
    schema: "failsafe",
    uniqueKeys: false, // checked below: the library compares each key with all others
    prettyErrors: false,
    lineCounter: lines,
  });
  const faults = [...yaml.errors, ...yaml.warnings];
  for (const { message, pos } of faults) {
    report({ ...placeOf(pos[0]), path: "", what: `not valid YAML: ${message}`, fix: "correct the YAML here" });
  }
  if (faults.length > 0) return undefined;

  let sound = true;
  const refuse: Refuse = (node, what, fix, fatal = true) => {
    if (fatal) sound = false;
    report({ ...placeOf(node?.range?.[0] ?? 0), path: "", what, fix });
  };
  const root = yaml.contents === null ? undefined : plainOf(yaml.contents, 0, refuse);
  if (!sound) return undefined;

  return {
    root,
    locate: (path, part = "value") => placeOf(offsetOf(yaml.contents, path, part)),
    spanOf(path) {
      const node = nodeAt(yaml.contents, path);
      const [start, end] = node?.range ?? [0, 0];
      return { start, end };
    },
    get: (path) => path.reduce<Plain | undefined>(step, root),
  };
}

function refusedUnread(text: string): { readonly what: string; readonly fix: string } | undefined {
  if (text.length > limits.topologyBytesMax || Buffer.byteLength(text) > limits.topologyBytesMax) {
    return { what: "the file is too large", fix: `a topology has at most ${limits.topologyBytesMax} bytes` };
  }
  let open = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x5b || code === 0x7b) open++;
    else if (code === 0x5d || code === 0x7d) open = Math.max(0, open - 1);
    if (open > OPEN_BRACKETS_MAX) {
      return {
        what: "the file is nested too deeply",
        fix: `at most ${OPEN_BRACKETS_MAX} brackets may be open at once`,
      };
    }
  }
  return undefined;
}

/** Reports what a node is and should not be; not fatal: what else is wrong with the file can still be told. */
type Refuse = (node: Node | null, what: string, fix: string, fatal?: boolean) => void;

function plainOf(node: Node | null, depth: number, refuse: Refuse): Plain {
  if (depth > NESTING_MAX) {
    refuse(node, "nested too deeply", `a topology nests at most ${NESTING_MAX} levels`);
    return "";
  }
  if (node === null) return "";
  if (isScalar(node)) return String(node.value ?? "");
  if (isSeq(node)) return node.items.map((item) => plainOf(item as Node | null, depth + 1, refuse));
  if (!isMap(node)) {
    refuse(node, "an alias stands for something written elsewhere", "write it out: a topology has no aliases");
    return "";
  }
  const map = new Map<string, Plain>();
  for (const { key, value } of node.items) {
    if (!isScalar(key) || typeof key.value !== "string") {
      refuse((key as Node | null) ?? node, "the name of a field is not a text", "write `name: value`");
      continue;
    }
    if (map.has(key.value)) refuse(key, `${key.value} is written twice`, "keep one of the two", false);
    map.set(key.value, plainOf(value as Node | null, depth + 1, refuse));
  }
  return map;
}

function step(at: Plain | undefined, key: string | number): Plain | undefined {
  if (at instanceof Map) return at.get(String(key));
  return Array.isArray(at) ? at[Number(key)] : undefined;
}

function offsetOf(root: Node | null, path: Path, part: "key" | "value"): number {
  let at: Node | null = root;
  let offset = root?.range?.[0] ?? 0;
  for (const [depth, key] of path.entries()) {
    const child = childOf(at, key);
    if (child === undefined) break;
    const name = isPair(child) ? (child.key as Node) : undefined;
    at = (isPair(child) ? child.value : child) as Node | null;
    // A list or map begins lines after its name, and a value that was left out has no place of its own.
    const shown = isScalar(at) && at.range?.[0] !== at.range?.[1] && (part === "value" || depth < path.length - 1);
    offset = (shown ? at : (name ?? at))?.range?.[0] ?? offset;
  }
  return offset;
}

function nodeAt(root: Node | null, path: Path): Node | null {
  return path.reduce<Node | null>((at, key) => {
    const child = childOf(at, key);
    return (isPair(child) ? child.value : (child ?? null)) as Node | null;
  }, root);
}

function childOf(at: Node | null, key: string | number): Node | Pair | undefined {
  if (isMap(at)) return at.items.find((pair) => isScalar(pair.key) && pair.key.value === key);
  return isSeq(at) ? (at.items[Number(key)] as Node | undefined) : undefined;
}
