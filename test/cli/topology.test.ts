// `sharper topology`: what it writes and with which modes, what it never overwrites, and what `check` says of files.

import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { ExitCode } from "../../src/cli/output.js";
import { runProgram } from "../../src/cli/program.js";
import { parseTopology } from "../../src/cluster/topology.js";
import { readKeyFile } from "../../src/crypto/keys.js";

const config = join(import.meta.dirname, "../../config");
let folder: string;
let written: { out: string; err: string };

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sharper-topology-"));
  vi.spyOn(process.stdout, "write").mockImplementation((text) => collect("out", String(text)));
  vi.spyOn(process.stderr, "write").mockImplementation((text) => collect("err", String(text)));
});

afterEach(async () => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
  await rm(folder, { recursive: true });
});

function collect(to: "out" | "err", text: string): true {
  written[to] += text;
  return true;
}

async function run(...args: string[]): Promise<number | string | null | undefined> {
  written = { out: "", err: "" };
  await runProgram(
    ["topology", ...args],
    [{ name: "topology", describe: "topologies", load: () => import("../../src/cli/topology.js") }],
  );
  return process.exitCode;
}

async function networkOf(out: string) {
  const file = join(out, "topology.yaml");
  return parseTopology(await readFile(file, "utf8"), file);
}

describe("topology new", () => {
  test("writes a topology and for each of its keys a file that only the owner may read", async () => {
    const out = join(folder, "net");
    expect(await run("new", "--clusters", "2", "--model", "crash", "--f", "1", "--out", out)).toBe(ExitCode.ok);
    const { clusters, clients } = await networkOf(out);
    const nodes = clusters.flatMap((cluster) => cluster.nodes);
    expect([nodes.length, clients.length]).toEqual([6, 4]);
    for (const [kind, holders] of [
      ["nodes", nodes],
      ["clients", clients],
    ] as const) {
      expect((await stat(join(out, kind))).mode & 0o777).toBe(0o700);
      expect(await readdir(join(out, kind))).toHaveLength(holders.length);
      for (const { id, key } of holders) {
        const path = join(out, kind, `${id}.key`);
        expect((await stat(path)).mode & 0o777).toBe(0o600);
        expect((await readKeyFile(path)).signer.publicKey).toBe(key);
      }
    }
    expect((await stat(out)).mode & 0o777).toBe(0o700);
  });

  test("shares neither keys, name nor id with another network made the same way", async () => {
    const [one, two] = [join(folder, "one"), join(folder, "two")];
    for (const out of [one, two]) await run("new", "--from", join(config, "crash-1x3.yaml"), "--out", out);
    const networks = [await networkOf(one), await networkOf(two)];
    const keys = networks.flatMap(({ clusters, clients }) => [...clusters.flatMap(({ nodes }) => nodes), ...clients]);
    expect(new Set(keys.map(({ key }) => key)).size).toBe(14);
    expect(new Set(networks.map(({ name }) => name)).size).toBe(2);
    expect(new Set(networks.map(({ networkId }) => networkId)).size).toBe(2);
  });

  test("makes mixed networks, with a model for each cluster", async () => {
    const out = join(folder, "net");
    expect(await run("new", "--mix", "crash, byzantine", "--f", "2", "--shards", "range", "--out", out)).toBe(
      ExitCode.ok,
    );
    const { clusters, shards } = await networkOf(out);
    expect(clusters.map(({ model, nodes }) => [model, nodes.length])).toEqual([
      ["crash", 5],
      ["byzantine", 7],
    ]);
    expect(shards.by).toBe("range");
  });

  test("overwrites nothing of a network that is there", async () => {
    const out = join(folder, "net");
    await run("new", "--clusters", "1", "--out", out);
    const before = await readFile(join(out, "topology.yaml"), "utf8");
    expect(await run("new", "--clusters", "1", "--out", out, "--json")).toBe(ExitCode.usage);
    expect(JSON.parse(written.err).error.code).toBe("exists");
    await rm(join(out, "topology.yaml"));
    expect(await run("new", "--clusters", "1", "--out", out)).toBe(ExitCode.usage);
    await writeFile(join(out, "topology.yaml"), before);
    const [node] = (await networkOf(out)).clusters[0]?.nodes ?? [];
    expect((await readKeyFile(join(out, "nodes", "c1n0.key"))).signer.publicKey).toBe(node?.key);
  });

  test("lists what it wrote, as one document for programs", async () => {
    const out = join(folder, "net");
    await run("new", "--from", join(config, "mixed-2x3-2x4.yaml"), "--base-port", "9000", "--out", out, "--json");
    const document = JSON.parse(written.out);
    expect(document).toMatchObject({ topology: join(out, "topology.yaml"), accounts: 10_000, supply: "10000000000" });
    expect(document.keys).toHaveLength(18);
    expect((await networkOf(out)).clusters[0]?.nodes[0]?.address).toBe("/ip4/127.0.0.1/tcp/9000");
  });

  test.each([
    ["a model that is none", ["--mix", "crash,honest"]],
    ["a template and a shape", ["--from", join(config, "crash-1x3.yaml"), "--clusters", "2"]],
    ["a mix and a model", ["--mix", "crash", "--model", "crash"]],
    ["clusters without end", ["--clusters", "1e12"]],
    ["less than no clusters", ["--clusters=-1"]],
    ["a balance that is no number", ["--balance", "much"]],
    ["a template that is not there", ["--from", "nowhere.yaml"]],
  ])("refuses %s, and writes nothing", async (_, args) => {
    expect(await run("new", ...args, "--out", join(folder, "net"))).toBe(ExitCode.usage);
    expect(written.err).toMatch(/^sharper: ./);
    expect(await readdir(folder)).toEqual([]);
  });

  test("refuses a file with keys as a template", async () => {
    await run("new", "--clusters", "1", "--out", join(folder, "net"));
    const from = join(folder, "net", "topology.yaml");
    expect(await run("new", "--from", from, "--out", join(folder, "other"), "--json")).toBe(ExitCode.usage);
    expect(JSON.parse(written.err).error.code).toBe("not-a-template");
  });
});

describe("topology check", () => {
  test("says what a network is", async () => {
    const out = join(folder, "net");
    await run("new", "--clusters", "4", "--accounts", "100", "--out", out);
    expect(await run("check", join(out, "topology.yaml"))).toBe(ExitCode.ok);
    expect(written.out).toContain((await networkOf(out)).networkId);
    expect(written.out).toMatch(/\n.* 4 .* byzantine .* 4 .* 1 .* 3 .* 3 /);
    expect(written.out).toMatch(/^supply +100000000$/m);
    expect(await run("check", join(out, "topology.yaml"), "--json")).toBe(ExitCode.ok);
    expect(JSON.parse(written.out)).toMatchObject({ valid: true, template: false, accounts: 100 });
  });

  test("says that a template is one, and how to use it", async () => {
    const file = join(config, "byzantine-4x4.yaml");
    expect(await run("check", file)).toBe(ExitCode.ok);
    expect(written.out).toContain(`sharper topology new --from ${file} --out DIR`);
    await run("check", file, "--json");
    const document = JSON.parse(written.out);
    expect(document).toMatchObject({ valid: true, template: true, network: "byzantine-4x4" });
    expect(document).not.toHaveProperty("networkId");
  });

  test("lists everything that is wrong, with exit code 1", async () => {
    const file = join(folder, "bad.yaml");
    const text = await readFile(join(config, "crash-1x3.yaml"), "utf8");
    await writeFile(file, text.replace("model: crash", "model: byzantine").replace("owner: client3", "owner: eve"));
    expect(await run("check", file)).toBe(ExitCode.checkFailed);
    expect(written.err.split("\n").slice(0, 2)).toEqual([
      expect.stringMatching(/^\S+bad\.yaml:\d+: cluster 1 has 3 nodes, too few for byzantine with faults: 1; give it/),
      expect.stringMatching(/^\S+bad\.yaml:\d+: owner eve is not a client of this network; name/),
    ]);
    expect(await run("check", file, "--json")).toBe(ExitCode.checkFailed);
    expect(JSON.parse(written.out)).toMatchObject({
      valid: false,
      problems: [{ path: "clusters[0].nodes" }, { path: "genesis[3].owner" }],
    });
  });

  test("says that a file is not there", async () => {
    expect(await run("check", join(folder, "none.yaml"))).toBe(ExitCode.usage);
    expect(written.err).toContain("none.yaml");
  });
});
