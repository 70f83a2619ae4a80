// The import table and the purity of docs/architecture.md as data: what each folder of src may import, and what its
// code may do. The tidy test applies it.

/**
 * `pure`: no clock, randomness, timers, promises, I/O, process or console, and only the packages named. `deterministic`:
 * the same, but promises are allowed, since it reads through the store. `free`: anything.
 */
export type Purity = "pure" | "deterministic" | "free";

export interface FolderRule {
  /** Folders or files of src that may be imported; files of the own folder always may. */
  readonly imports: readonly string[];
  /** Folders or files of src of which only types may be imported. */
  readonly importsTypes?: readonly string[];
  readonly purity: Purity;
  /** Packages and node modules that pure files may import. */
  readonly packages?: readonly string[];
  /** Files whose purity is another one. */
  readonly exceptions?: Readonly<Record<string, Purity>>;
}

export type Rules = Readonly<Record<string, FolderRule>>;

const consensus = ["types", "crypto", "cluster"];
const core = [...consensus, "viewchange", "intra", "cross", "execution", "ledger"];

export const rules: Rules = {
  types: { imports: [], purity: "pure" },
  crypto: {
    imports: ["types"],
    purity: "pure",
    packages: ["node:crypto", "node:module", "@noble/hashes", "sodium-native"],
    exceptions: { "keys.ts": "free" },
  },
  cluster: { imports: ["types", "crypto"], purity: "pure", packages: ["yaml", "zod"] },
  viewchange: { imports: consensus, purity: "pure" },
  intra: { imports: [...consensus, "viewchange"], purity: "pure" },
  cross: { imports: [...consensus, "viewchange"], importsTypes: ["intra/engine.ts"], purity: "pure" },
  execution: { imports: consensus, purity: "pure" },
  ledger: {
    imports: consensus,
    purity: "deterministic",
    packages: ["node:zlib"],
    exceptions: {
      "level.ts": "free",
      "level-check.ts": "free",
      "mark.ts": "free",
      "node-store.ts": "free",
      "scrub.ts": "free",
    },
  },
  net: { imports: ["types", "crypto"], purity: "free" },
  node: {
    imports: [...core, "net"],
    purity: "pure",
    exceptions: {
      "disk-watch.ts": "free",
      "host.ts": "free",
      "local-entrance.ts": "free",
      "log.ts": "free",
      "metrics.ts": "free",
      "progress-log.ts": "free",
      "prune.ts": "deterministic",
      "restore.ts": "deterministic",
      "restore-state.ts": "deterministic",
      "timer-clock.ts": "free",
    },
  },
  backup: {
    imports: [...core, "node", "net/frame.ts"],
    purity: "deterministic",
    exceptions: { "local-source.ts": "free" },
  },
  client: { imports: [...consensus, "net", "execution/proof.ts"], purity: "free" },
  load: {
    imports: ["client", ...consensus],
    importsTypes: ["net"],
    purity: "pure",
    packages: ["hdr-histogram-js"],
    exceptions: { "driver.ts": "free", "run.ts": "free" },
  },
  sim: {
    imports: [...core, "node", "load/random.ts", "load/accounts.ts"],
    purity: "deterministic",
    packages: ["node:crypto", "node:zlib"],
  },
  chaos: {
    imports: [...consensus, "ledger", "client", "load"],
    purity: "pure",
    packages: [],
    exceptions: {
      "clients.ts": "free",
      "damage.ts": "free",
      "mesh.ts": "free",
      "proxy.ts": "free",
      "views.ts": "deterministic",
    },
  },
  cli: { imports: [...core, "net", "node", "backup", "client", "load", "sim", "chaos"], purity: "free" },
};

export const linesMax = 400;
export const columnsMax = 120;
/** The package's public surface may name the types it hands out. */
export const reexporting: readonly string[] = ["src/client/sdk.ts"];
export const bannedWords: readonly string[] = [
  "TODO",
  "FIXME",
  "XXX",
  "stub",
  "stubs",
  "placeholder",
  "not implemented",
];
