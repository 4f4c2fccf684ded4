// Pictures of every page, light and dark, wide and narrow: node screenshots.mjs PROGRAM FOLDER [name…]
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { startBrowser, startConsole } from "./driver.mjs";

const [program, folder, ...only] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });
const server = await startConsole(program, ["--simulate", "--allow-changes"]);
const browser = await startBrowser();
const page = await browser.newPage();
await page.goto(server.link);
await page.waitForSelector("nav[aria-label=Main]");

const first = async (path, pick) => {
  await page.goto(server.origin + path);
  return page.$eval(pick, (link) => link.getAttribute("href"));
};
const off = await first("/resources?q=pg-catalog-prod", "#results tbody a");
const unseen = await first("/resources?reason=permission", "#results tbody a");
const run = await first("/runs", "tbody a");
const pages = {
  overview: "/",
  resources: "/resources",
  nothing: "/resources?q=nothing-like-this",
  server: off,
  security: `${off}/connection-security`,
  unknown: `${unseen}/connection-security`,
  wire: `${off}/wire`,
  evidence: `${off}/evidence`,
  history: `${off}/history`,
  runs: "/runs",
  run,
  judged: `${run}/judged?profile=strict%401`,
  controls: "/controls",
  control: "/controls/require-secure-transport",
  missing: "/no-such-page",
};
for (const [name, path] of Object.entries(pages)) {
  if (only.length && !only.includes(name)) continue;
  for (const scheme of ["light", "dark"]) {
    for (const width of [1440, 390]) {
      await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
      await page.setViewport({ width, height: width > 900 ? 900 : 844, deviceScaleFactor: 1 });
      await page.goto(server.origin + path, { waitUntil: "networkidle0" });
      await page.screenshot({ path: join(folder, `${name}-${scheme}-${width}.png`), fullPage: true });
    }
  }
}
await browser.close();
await server.stop();
