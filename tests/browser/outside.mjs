// Changes a server from the console over an Azure outside of the process: node outside.mjs PROGRAM
import assert from "node:assert/strict";
import { startAzure, startBrowser, signIn, startConsole } from "./driver.mjs";

const [program] = process.argv.slice(2);
const azure = await startAzure(program);
const state = `${azure.folder}/state`;
const server = await startConsole(program, ["--allow-changes", "--state", state], azure.env);
const browser = await startBrowser();
const page = await browser.newPage();
const follow = (selector) => Promise.all([page.waitForNavigation({ waitUntil: "load" }), page.click(selector)]);
const shows = (words) =>
  page.waitForFunction((words) => document.querySelector("h1")?.textContent.includes(words), { timeout: 60000, polling: 50 }, words);

try {
  await signIn(page, server);
  await page.waitForSelector("form[action='/runs'] button");
  await follow("form[action='/runs'] button");
  await page.waitForFunction(() => !document.querySelector("h1")?.textContent.includes("in progress"), { timeout: 60000, polling: 100 });
  await page.goto(server.origin + "/resources?q=pg-catalog-prod");
  await follow("#results tbody a");
  await follow(".tabs a:nth-child(2)");
  const tab = page.url();
  await page.click("[name=enforcement][value=enabled]");
  await follow("[data-save] button.main");
  await shows("Enforce TLS on");
  await follow("form[action$='/apply'] button.main");
  await shows("Verified");
  const run = page.url();
  await page.goto(tab);
  assert.ok(await page.$("[name=enforcement][value=enabled][checked]"), "the page knows of the change");
  await page.goto(run);
  await page.click(".ask summary");
  await page.type(".ask [name=reason]", "test");
  await follow(".ask form button");
  await shows("Undone");
  console.log("ok      a server is changed and changed back over an Azure outside of the process");
} catch (error) {
  process.exitCode = 1;
  console.log(`FAILED at ${page.url()}\n${error.stack}\n${(await page.$eval("main", (node) => node.innerText).catch(() => "")).slice(0, 1500)}`);
} finally {
  await browser.close();
  await server.stop();
  await azure.stop();
}
