import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { after, before, test } from "node:test";
import ts from "typescript";

import * as client from "./index.js";

const run = (command: string, args: string[], cwd = "."): string => execFileSync(command, args, { cwd, encoding: "utf8" });

/** A project that has the package. */
const project = mkdtempSync(join(tmpdir(), "portico-client-"));
const packed = join(project, "node_modules/@portico/client");

// The package and its dependencies as `npm install` leaves them, without asking a registry.
before(() => {
  const [tarball = ""] = run("npm", ["pack", "--silent", "--workspace", "client", "--pack-destination", project]).trim().split("\n");
  mkdirSync(packed, { recursive: true });
  run("tar", ["xzf", join(project, tarball), "--strip-components=1", "-C", packed]);
  for (const name of ["openapi-fetch", "openapi-typescript-helpers", "eventsource-parser"]) {
    symlinkSync(resolve("node_modules", name), join(project, "node_modules", name));
  }
  writeFileSync(join(project, "package.json"), JSON.stringify({ type: "module" }));
  // What openapi-typescript writes.
  writeFileSync(join(project, "schema.ts"), 'export type { paths } from "@portico/client/schema";');
});
after(() => rmSync(project, { recursive: true }));

test("the package is flat, and has its license", () => {
  const files = readdirSync(packed, { recursive: true }).map(String);
  const stray = files.filter((name) => !/^(LICENSE|README\.md|package\.json|dist|dist\/[a-z]+(\.d\.ts|\.js))$/.test(name));

  assert.deepEqual(stray, []);
  assert.equal(readFileSync(join(packed, "LICENSE"), "utf8"), readFileSync("../LICENSE", "utf8"));
});

test("the package can be imported, and required", () => {
  const list = (get: string) => run(process.execPath, ["--input-type=module", "--eval", `${get}; console.log(Object.keys(it).sort().join())`], project);
  const names = `${Object.keys(client).sort().join()}\n`;

  assert.equal(list(`const it = await import("@portico/client")`), names);
  const required = `import { createRequire } from "node:module"; const it = createRequire(import.meta.url + "/x")("@portico/client")`;
  assert.equal(list(required), names);
});

/**
 * The README's TypeScript as one module: imports and what its `given` comments declare, the first block, which creates the client, and
 * a function for each of the others.
 */
function readmeProgram(readme: string): string {
  const imports = /^import .*;\n/gm;
  const blocks = [...readme.matchAll(/```ts\n([^]*?)```/g)].map(([, code = ""]) => code);
  const given = [...readme.matchAll(/<!-- given: ([^]*?) -->/g)].map(([, code = ""]) => `${code}\n`);
  const [first, ...others] = blocks.map((code) => code.replaceAll(imports, ""));
  const functions = others.map((code, i) => `export async function block${i}() {\n${code}}\n`);
  return [...blocks.flatMap((code) => code.match(imports) ?? []), ...given, first, ...functions].join("");
}

test("what the README shows compiles with every strict setting, and all types that the functions take and return are exported", () => {
  const main = join(project, "main.ts");
  writeFileSync(main, readmeProgram(readFileSync(join(packed, "README.md"), "utf8")));
  const { config } = ts.readConfigFile("tsconfig.json", ts.sys.readFile) as { config: { compilerOptions: object } };
    const ours = { skipLibCheck: false, skipDefaultLibCheck: true, noUnusedLocals: false, types: [] };
  const { options } = ts.convertCompilerOptionsFromJson({ ...config.compilerOptions, ...ours, rootDir: project, paths: {} }, project);
  const index = join(packed, "dist/index.d.ts");
  const program = ts.createProgram([main, index], options);

  const host = { getCanonicalFileName: String, getCurrentDirectory: () => project, getNewLine: () => "\n" };
  assert.equal(ts.formatDiagnostics(ts.getPreEmitDiagnostics(program), host), "");
  assert.deepEqual(hidden(program, index), []);
});

/** The types in the signatures of the package's functions, classes and interfaces that are not exports of it. */
function hidden(program: ts.Program, index: string): string[] {
  const checker = program.getTypeChecker();
  const module = checker.getSymbolAtLocation(program.getSourceFile(index) as ts.SourceFile) as ts.Symbol;
  const resolved = (symbol: ts.Symbol) => (symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol);
  const exported = new Set(checker.getExportsOfModule(module).map(resolved));
  const isOurs = (node: ts.Node) => {
    const { fileName } = node.getSourceFile();
    return dirname(fileName) === dirname(index) && !fileName.endsWith("schema.d.ts");
  };
  const names = new Set<string>();
  const visit = (node: ts.Node): void => {
    const type = ts.isTypeReferenceNode(node) ? node.typeName : ts.isExpressionWithTypeArguments(node) ? node.expression : undefined;
    const symbol = type && checker.getSymbolAtLocation(type);
    if (symbol && !exported.has(resolved(symbol)) && resolved(symbol).declarations?.some((d) => isOurs(d) && !ts.isTypeParameterDeclaration(d))) {
      names.add(symbol.name);
    }
    ts.forEachChild(node, visit);
  };
  // Type aliases may have helpers of their own.
  [...exported]
    .flatMap(({ declarations = [] }) => declarations)
    .filter((declaration) => isOurs(declaration) && !ts.isTypeAliasDeclaration(declaration))
    .forEach(visit);
  return [...names];
}
