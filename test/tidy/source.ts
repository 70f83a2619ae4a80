// Reads TypeScript just well enough for the tidy test: tells code from comments and texts, and finds what a file
// imports.

export interface Import {
  readonly line: number;
  readonly from: string;
  readonly typesOnly: boolean;
  readonly reexport: boolean;
}

/**
 * The source with comments and the contents of texts and regular expressions replaced by spaces; line ends and offsets
 * stay where they are, quotes too. Code inside of `${}` is kept.
 */
export function codeOnly(source: string): string {
  const code = source.split("");
  /** For each open `${`, how many braces are open inside. */
  const templates: number[] = [];
  let at = 0;
  const blank = (to: number) => {
    for (; at < to && at < source.length; at++) if (code[at] !== "\n") code[at] = " ";
  };
  const template = () => {
    while (at < source.length && source[at] !== "`" && !source.startsWith("${", at)) {
      blank(at + (source[at] === "\\" ? 2 : 1));
    }
    if (source[at] === "$") {
      templates.push(0);
      at++;
    }
    at++;
  };
  while (at < source.length) {
    const char = source[at] as string;
    const rest = source.slice(at, at + 2);
    if (rest === "//" || (at === 0 && rest === "#!")) blank(endOf(source, at, /\n/g) - 1);
    else if (rest === "/*") blank(endOf(source, at + 2, /\*\//g));
    else if (char === '"' || char === "'" || (char === "/" && startsRegex(code, at))) {
      const end = closing(source, at);
      at++;
      blank(end);
      at++;
    } else if (char === "`") {
      at++;
      template();
    } else if (char === "}" && templates.at(-1) === 0) {
      templates.pop();
      at++;
      template();
    } else {
      if (templates.length > 0 && (char === "{" || char === "}"))
        templates.push((templates.pop() as number) + (char === "{" ? 1 : -1));
      at++;
    }
  }
  return code.join("");
}

/** Imports, re-exports and import() of a file, found in its code and read from its source. */
export function importsOf(source: string, code = codeOnly(source)): readonly Import[] {
  const found = [
    ...code.matchAll(/\b(import|export)\b(?<names>[^;"'()=]*?)\bfrom\s*(?<quote>["'])/g),
    ...code.matchAll(/\bimport\s*\(?\s*(?<quote>["'])/g),
  ];
  return found.map((match) => {
    const start = match.index + match[0].length;
    const names = match.groups?.["names"]?.trim() ?? "";
    return {
      line: lineAt(source, match.index),
      from: source.slice(start, source.indexOf(match.groups?.["quote"] ?? '"', start)),
      typesOnly:
        names.startsWith("type ") || /^\{\s*(type\s+[\w$\s]+,?\s*)+\}$/.test(names) || isTypeQuery(code, match),
      reexport: match[1] === "export",
    };
  });
}

export function lineAt(source: string, offset: number): number {
  return source.slice(0, offset).split("\n").length;
}

/** `typeof import("x")` */
function isTypeQuery(code: string, match: RegExpExecArray): boolean {
  return /\btypeof\s+$/.test(code.slice(0, match.index));
}

/** A slash begins a regular expression where a value may begin. */
function startsRegex(code: readonly string[], at: number): boolean {
  const before = code.slice(0, at).join("").trimEnd();
  return before === "" || /[([{,;:=!&|?+\-*%<>~^]$|\b(return|typeof|case|of|in)$/.test(before);
}

/** Where the text or regular expression that opens at `open` ends. */
function closing(source: string, open: number): number {
  const quote = source[open];
  let inClass = false;
  for (let at = open + 1; at < source.length; at++) {
    const char = source[at];
    if (char === "\\") at++;
    else if (quote === "/" && (char === "[" || char === "]")) inClass = char === "[";
    else if (char === quote && !inClass) return at;
  }
  return source.length;
}

function endOf(source: string, from: number, pattern: RegExp): number {
  pattern.lastIndex = from;
  return pattern.exec(source) === null ? source.length + 1 : pattern.lastIndex;
}
