import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { test } from "node:test";

const run = (command: string, args: string[], cwd = "."): string => execFileSync(command, args, { cwd, encoding: "utf8" });

/** A project that has the package and what it depends on, as `npm install` leaves them, without asking a registry. */
function installed(dir: string): void {
  run("npm", ["pack", "--silent", "--workspace", "client", "--pack-destination", dir]);
  const modules = join(dir, "node_modules");
  mkdirSync(join(modules, "@portico/client"), { recursive: true });
  run("tar", ["xzf", join(dir, "portico-client-0.0.0.tgz"), "--strip-components=1", "-C", join(modules, "@portico/client")]);
  for (const name of ["openapi-fetch", "openapi-typescript-helpers", "eventsource-parser", "@types/node", "undici-types"]) {
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(resolve("node_modules", name), join(modules, name));
  }
}

test("the package has its license, and what its README shows compiles with every strict setting", (t) => {
  const dir = mkdtempSync(join(tmpdir(), "portico-client-"));
  t.after(() => rmSync(dir, { recursive: true }));
  installed(dir);

  const packed = join(dir, "node_modules/@portico/client");
  assert.equal(readFileSync(join(packed, "LICENSE"), "utf8"), readFileSync("../LICENSE", "utf8"));

  const [, program = ""] = /```ts\n(.*?)```/s.exec(readFileSync(join(packed, "README.md"), "utf8")) ?? [];
  assert.match(program, /createClient/);
  writeFileSync(join(dir, "main.ts"), program);
  const { compilerOptions } = JSON.parse(run("node_modules/.bin/tsc", ["--showConfig"])) as { compilerOptions: object };
  const options = { ...compilerOptions, rootDir: ".", outDir: "build", skipLibCheck: false };
  writeFileSync(join(dir, "tsconfig.json"), JSON.stringify({ compilerOptions: options, include: ["main.ts"] }));
  writeFileSync(join(dir, "package.json"), JSON.stringify({ type: "module" }));
  run(resolve("node_modules/.bin/tsc"), [], dir);
});
