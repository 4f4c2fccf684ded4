// Changes servers in a real browser over a simulated Azure: node changing.mjs PROGRAM [FOLDER for pictures]
import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { startBrowser, signIn, startConsole } from "./driver.mjs";

const [program, folder] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const server = await startConsole(program, ["--simulate", "--allow-changes"]);
const browser = await startBrowser();
if (folder) mkdirSync(folder, { recursive: true });

const complaints = [];
const page = await browser.newPage();
page.on("console", (message) => { if (["error", "warning"].includes(message.type())) complaints.push(message.text()); });
page.on("pageerror", (error) => complaints.push(String(error)));
await page.setViewport({ width: 1440, height: 900 });
const text = (selector) => page.$eval(selector, (node) => node.textContent.trim().replace(/\s+/g, " "));
const href = (selector) => page.$eval(selector, (node) => node.getAttribute("href"));
// To another document: a list that puts its filters into the address is none.
async function follow(selector) {
  await page.evaluate(() => { window.isLeft = true; });
  await page.click(selector);
  await page.waitForFunction(() => !window.isLeft && document.readyState === "complete", { timeout: 30000, polling: 50 });
}
const shows = (words) =>
  page.waitForFunction((words) => document.querySelector("h1")?.textContent.includes(words), { timeout: 30000, polling: 50 }, words);

// No serious violation, nothing that scrolls sideways on a phone; and pictures.
async function look(name) {
  await page.evaluate(axe);
  const found = await page.evaluate(() => axe.run(document));
  const serious = found.violations.filter((violation) => ["serious", "critical"].includes(violation.impact));
  assert.deepEqual(serious.map((v) => `${v.id}: ${v.nodes.map((node) => node.html.slice(0, 160)).join(" | ")}`), [], name);
  for (const scheme of ["light", "dark"]) {
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
    for (const width of [1440, 390]) {
      await page.setViewport({ width, height: 900 });
      const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(over <= 0, `${name} is ${over} px too wide at ${width}`);
      if (folder) await page.screenshot({ path: join(folder, `${name}-${scheme}-${width}.png`), fullPage: true });
    }
  }
  await page.setViewport({ width: 1440, height: 900 });
}

// The portal's procedure for one server: find, open, Connection security, ENABLED, Save, Apply, verified; and back.
async function procedure(kind, name, pictures) {
  await page.goto(server.origin + "/resources");
  await page.select("[name=kind]", kind);
  await page.type("[name=q]", name);
  await page.waitForFunction(() => document.querySelectorAll("#results tbody tr").length === 1, { timeout: 15000 });
  await follow("#results tbody a");
  await follow(".tabs a:nth-child(2)");
  const tab = page.url();
  assert.ok(await page.$eval("[data-needs-change]", (button) => button.disabled), "nothing has changed yet");
  await page.click("[name=enforcement][value=enabled]");
  assert.ok(!(await page.$eval("[data-needs-change]", (button) => button.disabled)));
  await page.click("button[type=reset]");
  await page.waitForFunction(() => document.querySelector("[data-needs-change]").disabled);
  await page.click("[name=enforcement][value=enabled]");
  if (pictures) await look("save");
  await follow("[data-save] button.main");
  await shows("Enforce TLS on");
  if (pictures) await look("plan-one");
  assert.match(await text("#h-break + p"), /refused from their next connection on/);
  await follow("form[action$='/apply'] button.main");
  if (pictures && (await text("h1")).includes("in progress")) await look("applying");
  await shows("Verified");
  if (pictures) await look("applied");
  await page.goto(tab);
  assert.match(await text(".head h1"), /enforced/);
  assert.ok(!(await text(".head h1")).includes("not enforced"));
  await page.goBack();
  await page.click(".ask summary");
  await page.type(".ask [name=reason]", "test");
  await follow(".ask form button");
  await shows("Undone");
  if (pictures) await look("undone");
  await page.goto(tab);
  assert.match(await text(".head h1"), /not enforced/);
  assert.ok(!(await page.$eval(".reason", (field) => field.checkVisibility())), "a reason is asked for nothing");
  console.log(`ok      the portal's procedure for a ${kind} server`);
}

try {
  await signIn(page, server);
  await page.goto(server.origin + "/plans");
  await look("plans-none");
  await procedure("flexible", "pg-catalog-prod", true);
  await procedure("single", "pg-archive-legacy", false);

  // Servers of which the census of the simulated past does not say that every client uses TLS.
  const chosen = ["pg-catalog-prod", "pg-archive-legacy"];
  await page.goto(`${server.origin}/resources?q=${chosen[0]}`);
  await page.click("#results [name=server]");
  // What is chosen on one view of the list stays chosen on another.
  await page.goto(`${server.origin}/resources?q=${chosen[1]}`);
  await page.click("#results [name=server]");
  assert.match(await text("[data-choose] .main"), /\(2\)/);
  await look("choosing");
  await follow("[data-choose] .main");
  await page.waitForSelector("#h-file", { timeout: 30000 });
  assert.match(await text("h1"), /Nothing to write/);
  await look("plan-gated");
  assert.match(await text("#h-left ~ details"), /clients/);
  await page.type("[data-accept] [name=accept]", "agreed with the shop team");
  await follow("[data-accept] button");
  await page.waitForSelector("#h-approve", { timeout: 30000 });
  assert.match(await text("h1"), /Enforce on 2 servers/);
  assert.match(await page.$eval("main", (node) => node.innerText), /agreed with the shop team/);
  console.log("ok      chosen servers are planned");

  await page.goto(server.origin + "/");
  await page.waitForSelector("form[action='/plans'] button", { timeout: 30000 });
  await follow("form[action='/plans'] button");
  await page.waitForSelector("#h-file", { timeout: 30000 });
  if (await page.$("[data-accept]")) {
    await page.type("[data-accept] [name=accept]", "agreed with every team");
    await follow("[data-accept] button");
    await page.waitForSelector("#h-approve", { timeout: 30000 });
  }
  const title = await text("h1");
  assert.match(title, /Enforce on \d+ servers/);
  await look("plan-many");
  // The reviewer makes another server the canary.
  const second = await page.$eval("button[form=canary]", (button) => button.value);
  await follow("button[form=canary]");
  await page.waitForSelector("#h-file", { timeout: 30000 });
  assert.ok((await href("#wave-1 th a")).includes(second), "the chosen server is not the canary");
  console.log("ok      the reviewer chooses the canary");
  await follow("form[action$='/apply'] button.main");
  const run = new URL(page.url()).pathname;
  assert.match(run, /^\/applies\//);
  await page.waitForSelector("#h-said", { timeout: 60000 });
  await look("run-many");
  await page.goto(server.origin + run);
  await page.click(".ask summary");
  await page.type(".ask [name=reason]", "test");
  await follow(".ask form button");
  await page.waitForFunction(() => document.querySelector("h1").textContent.startsWith("Undone") || document.querySelector("#h-said"), { timeout: 60000 });
  console.log("ok      a plan for many servers, to undo");

  // Without a script: plain forms and refreshes do the same.
  await page.goto(server.origin + "/resources?q=pg-catalog-prod");
  const off = await href("#results tbody a");
  await page.setJavaScriptEnabled(false);
  await page.goto(`${server.origin}${off}/connection-security`);
  await page.click("[name=enforcement][value=enabled]");
  await follow("[data-save] button.main");
  await page.waitForSelector("form[action$='/apply']", { timeout: 30000 });
  await follow("form[action$='/apply'] button.main");
  await page.waitForSelector("#h-said", { timeout: 30000 });
  assert.match(await text("h1"), /Verified/);
  console.log("ok      the same without a script");
  assert.deepEqual(complaints, [], "the browser complained");
} catch (error) {
  process.exitCode = 1;
  console.log(`FAILED at ${page.url()}\n${error.stack}\n${(await page.$eval("main", (node) => node.innerText).catch(() => "")).slice(0, 1500)}`);
} finally {
  await browser.close();
  await server.stop();
}
