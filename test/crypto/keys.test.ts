// Key files: for their owner alone, never overwritten, and refused with a code that says what to do.

import { chmod, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { generateSeed, readKeyFile, writeKeyFile } from "../../src/crypto/keys.js";
import { ed25519Verifier } from "../../src/crypto/signature.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sharper-keys-"));
});
afterAll(() => rm(folder, { recursive: true }));

it("reads back the key it wrote, as one line that only the owner may read", async () => {
  const path = join(folder, "a.key");
  const seed = generateSeed();
  const publicKey = await writeKeyFile(path, seed);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(await readFile(path, "utf8")).toMatch(/^sharper-key-v1 [0-9a-f]{64}\n$/);
  const { seed: read, signer } = await readKeyFile(path);
  expect(read).toEqual(Uint8Array.from(seed));
  expect(signer.publicKey).toBe(publicKey);
  const bytes = Buffer.from("hello");
  expect(ed25519Verifier.verify({ bytes, signature: signer.sign(bytes), publicKey })).toBe(true);
});

it("never overwrites a key", async () => {
  const path = join(folder, "b.key");
  await writeKeyFile(path, generateSeed());
  const before = await readFile(path);
  await expect(writeKeyFile(path, generateSeed())).rejects.toMatchObject({ code: "exists" });
  expect(await readFile(path)).toEqual(before);
});

it.each([0o640, 0o604, 0o620, 0o601])("refuses a key that others can get at (mode %o)", async (mode) => {
  const path = join(folder, `mode-${mode}.key`);
  await writeKeyFile(path, generateSeed());
  await chmod(path, mode);
  await expect(readKeyFile(path)).rejects.toMatchObject({
    code: "key-exposed",
    message: expect.stringContaining("chmod 600"),
  });
});

it("says that a key file is missing", async () => {
  await expect(readKeyFile(join(folder, "none.key"))).rejects.toMatchObject({ code: "key-missing" });
});

const malformed = {
  empty: "",
  "no version": `${"ab".repeat(32)}\n`,
  "another version": `sharper-key-v2 ${"ab".repeat(32)}\n`,
  "too short": `sharper-key-v1 ${"ab".repeat(31)}\n`,
  "upper case": `sharper-key-v1 ${"AB".repeat(32)}\n`,
  "two lines": `sharper-key-v1 ${"ab".repeat(32)}\n\n`,
  long: `sharper-key-v1 ${"ab".repeat(3200)}\n`,
};
it.each(Object.entries(malformed))("refuses a key file that is %s", async (name, text) => {
  const path = join(folder, `${name}.key`);
  await writeFile(path, text, { mode: 0o600 });
  await expect(readKeyFile(path)).rejects.toMatchObject({ code: "key-malformed" });
});

it("makes another seed each time", () => {
  expect(generateSeed()).toHaveLength(32);
  expect(generateSeed()).not.toEqual(generateSeed());
});
