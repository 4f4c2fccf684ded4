// Opens the HTML report of an audit as a file in a real browser: node report.mjs PROGRAM
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { startBrowser } from "./driver.mjs";

const [program] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), "hostssl-report-"));
const file = join(folder, "audit.html");
const env = { PATH: process.env.PATH, HOSTSSL_STATE: join(folder, "state") };
const audit = spawnSync(program, ["audit", "--simulate", "--probe", "-o", "json", "-o", `html=${file}`], { env, encoding: "utf8", maxBuffer: 64 << 20 });
assert.equal(audit.status, 3, audit.stderr);
const { summary, servers } = JSON.parse(audit.stdout);
const address = pathToFileURL(file).href;

const browser = await startBrowser();
let complaints = [];
async function open({ javascript = true } = {}) {
  const page = await browser.newPage();
  await page.setJavaScriptEnabled(javascript);
  page.on("console", (message) => complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("request", (request) => { if (request.url().split("#")[0] !== address) complaints.push(`asks ${request.url()}`); });
  await page.setViewport({ width: 1280, height: 900 });
  await page.goto(address, { waitUntil: "load" });
  return page;
}
const shown = (page) => page.$$eval(".servers > tbody", (bodies) => bodies.filter((body) => body.getClientRects().length > 0).length);
const told = (page) => page.$eval("#count", (node) => node.textContent);
const tests = [];
const test = (name, run) => tests.push({ name, run });

test("the figures are those of the JSON, and each leads to as many servers", async () => {
  const page = await open();
  const figures = await page.$$eval(".figures a", (links) => links.map((link) => [link.dataset.choose.split("=")[1], parseInt(link.querySelector("b").textContent, 10)]));
  const camel = (word) => word.replace(/-(.)/g, (_, letter) => letter.toUpperCase());
  const counted = Object.fromEntries(figures.map(([word, servers]) => [camel(word), servers]));
  for (const [standing, servers] of Object.entries(summary.standings)) assert.equal(counted[standing] ?? 0, servers, standing);
  assert.match(await page.$eval("h1", (node) => node.textContent), /^9 of 24 servers do not enforce TLS$/);
  assert.match(await page.$eval(".note", (node) => node.textContent), /This audit is incomplete/);
  for (const [word, servers] of figures.filter(([, servers]) => servers > 0)) {
    await page.click(`.figures [data-choose="status=${word}"]`);
    assert.equal(await shown(page), servers, word);
    assert.equal(await told(page), `${servers} of 24 servers`);
  }
  await page.click("form [type=reset]");
  await page.waitForFunction(() => document.getElementById("count").textContent === "24 servers");
});

test("filters work together, and a link to a hidden server shows it", async () => {
  const page = await open();
  await page.select("[name=outcome]", "fail");
  assert.equal(await shown(page), servers.filter((server) => server.outcome === "fail").length);
  await page.select("[name=severity]", "high");
  await page.type("[name=text]", "orders");
  const expected = servers.filter((server) => server.name.includes("orders") && server.findings.some((one) => one.outcome === "fail" && one.severity === "high"));
  assert.equal(await shown(page), expected.length);
  assert.ok(expected.length > 0);
  await page.keyboard.press("Enter");
  await page.$eval("[aria-labelledby=h-certificates] a", (link) => link.click());
  await page.waitForFunction(() => document.querySelector("tbody:target .more")?.getClientRects().length > 0);
});

test("a server that fails says so at every width, and its row opens and closes", async () => {
  const page = await open();
  for (const width of [360, 800, 1280]) {
    await page.setViewport({ width, height: 900 });
    for (const { name } of servers.filter((server) => server.outcome === "fail")) {
      const classes = await page.$$eval(".servers > tbody", (bodies, name) => bodies.filter((body) => body.querySelector("th").textContent === name)
        .flatMap((body) => [...body.rows[0].querySelectorAll(".badge")].filter((badge) => badge.getClientRects().length > 0).map((badge) => badge.className)), name);
      assert.ok(classes.some((one) => /\b(no|worst)\b/.test(one)), `${name} at ${width}: ${classes}`);
    }
  }
  const isOpen = () => page.$eval("tbody:target .more", (row) => row.getClientRects().length > 0);
  await page.$eval("[aria-labelledby=h-certificates] a", (link) => link.click());
  await page.waitForFunction(() => document.querySelector("tbody:target .open")?.checked);
  assert.ok(await isOpen());
  await page.click("tbody:target .open");
  assert.ok(!(await isOpen()));
  await page.click("tbody:target tr:first-child td");
  assert.ok(await isOpen());
});

test("every server has its evidence, also without scripts", async () => {
  const page = await open({ javascript: false });
  assert.equal(await shown(page), 24);
  assert.equal(await page.$eval("form", (form) => form.getClientRects().length), 0, "filters that do nothing are not shown");
  const more = (page) => page.$$eval(".more", (rows) => rows.filter((row) => row.getClientRects().length > 0).length);
  assert.equal(await more(page), 0);
  await page.click(".servers .open");
  assert.equal(await more(page), 1);
  assert.match(await page.$eval("tbody:has(.open:checked) .more", (row) => row.innerText), /Findings[^]*Declared by Azure[^]*Seen on the wire/);
});

test("on paper whatever needs attention is open, and the pages hold it", async () => {
  const page = await open();
  await page.emulateMediaType("print");
  const open_ = await page.$$eval(".servers > tbody", (bodies) => bodies.filter((body) => body.querySelector(".more").getClientRects().length > 0).length);
  assert.equal(open_, servers.filter((server) => server.outcome !== "pass").length);
  const paper = await page.pdf({ format: "A4", preferCSSPageSize: true, path: join(folder, "audit.pdf") });
  const pages = Buffer.from(paper).toString("latin1").match(/\/Type\s*\/Page\b/g).length;
  assert.ok(pages >= 3 && pages <= 20, `${pages} pages`);
});

test("nothing runs off the screen, and the contrast is right, in light and dark, wide and narrow", async () => {
  const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
  for (const scheme of ["light", "dark"]) {
    for (const width of [360, 800, 1280, 2000]) {
      const page = await open();
      await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
      await page.setViewport({ width, height: 900 });
      await page.click(".servers .open");
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${width}`);
      // The page forbids every script but its own; the check is not of the page.
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => globalThis.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21aa"] }));
      assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes[0].html.slice(0, 120)}`), [], `${scheme} ${width}`);
      await page.close();
    }
  }
});

let failed = 0;
for (const { name, run } of tests) {
  complaints = [];
  try {
    await run();
    assert.deepEqual(complaints, []);
    console.log(`ok  ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED  ${name}\n${error.stack}`);
  }
}
await browser.close();
rmSync(folder, { recursive: true, force: true });
process.exitCode = failed > 0 ? 1 : 0;
