// Pictures of every page, light and dark, wide and narrow: node screenshots.mjs PROGRAM FOLDER [name…]
// Of another simulated estate: SCENARIO=fleet node screenshots.mjs PROGRAM FOLDER [name…]
// The pictures of docs/console.md: node screenshots.mjs PROGRAM docs/images --docs
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { startBrowser, signIn, startConsole } from "./driver.mjs";

const [program, folder, ...only] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });
const scenario = process.env.SCENARIO ? [process.env.SCENARIO] : [];
const server = await startConsole(program, ["--simulate", ...scenario, "--allow-changes"]);
const browser = await startBrowser();
const page = await browser.newPage();
await signIn(page, server);

const go = (path) => page.goto(server.origin + path, { waitUntil: "networkidle0" });
const all = async (path, pick) => {
  await go(path);
  return page.$$eval(pick, (links) => links.map((link) => link.getAttribute("href")));
};
const follow = (selector) => Promise.all([page.waitForNavigation({ waitUntil: "load" }), page.click(selector)]);
const titled = (words) =>
  page.waitForFunction((words) => document.querySelector("h1")?.textContent.startsWith(words), { timeout: 60000, polling: 50 }, words);
async function picture(name, scheme = "light", width = 1280, height = 860) {
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
  await page.setViewport({ width, height: height || 860, deviceScaleFactor: 1 });
  await page.evaluate(() => scrollTo(0, 0));
  await page.screenshot({ path: join(folder, `${name}.png`), fullPage: height === 0 });
}

// The few that tell the story, in its order.
async function story() {
  await go("/");
  await picture("console-overview", "light", 1280, 1060);
  await picture("console-overview-dark", "dark", 1280, 1060);
  const [server] = await all("/resources?q=pg-catalog-prod", "#results tbody a");
  await go(`${server}/connection-security`);
  await page.click("[name=enforcement][value=enabled]");
  await picture("console-connection-security", "light", 1280, 940);
  await go("/resources?enforcement=not-enforced&sort=name");
  await picture("console-resources-phone", "dark", 390, 844);
  await page.setViewport({ width: 1280, height: 860 });
  await go("/");
  await follow("form[action='/plans'] button");
  await page.waitForSelector("#h-file", { timeout: 60000 });
  await picture("console-plan", "light", 1280, 1000);
  await follow("form[action$='/apply'] button.main");
  await page.waitForSelector("#h-said", { timeout: 60000 });
  await picture("console-run", "light", 1280, 900);
  const [search] = await all("/resources?q=pg-search-prod", "#results tbody a");
  await go(`${search}/wire`);
  await follow("form[action$='/probe'] button");
  await titled("Audit of");
  await go(`${search}/wire`);
  await page.click(".exchange summary");
  await picture("console-wire", "dark", 1280, 1040);
}

async function every() {
  const [off] = await all("/resources?q=pg-catalog-prod", "#results tbody a");
  const [unseen] = await all("/resources?reason=permission", "#results tbody a");
  const runs = await all("/runs", "tbody a");
  const [undone, applied] = runs.filter((run) => run.startsWith("/applies/"));
  const audits = runs.filter((run) => run.startsWith("/runs/"));
  const pages = {
    overview: "/",
    resources: "/resources",
    nothing: "/resources?q=nothing-like-this",
    server: off,
    security: `${off}/connection-security`,
    unknown: `${unseen}/connection-security`,
    wire: `${off}/wire`,
    unlooked: `${off}/wire?run=${audits.at(-1).replace("/runs/", "")}`,
    evidence: `${off}/evidence`,
    history: `${off}/history`,
    runs: "/runs",
    run: audits[0],
    judged: `${audits[0]}/judged?profile=strict%401`,
    applied,
    undone,
    plans: "/plans",
    zones: "/zones",
    controls: "/controls",
    control: "/controls/require-secure-transport",
    missing: "/no-such-page",
  };
  for (const [name, path] of Object.entries(pages)) {
    if (only.length && !only.includes(name)) continue;
    await go(path);
    for (const scheme of ["light", "dark"]) {
      for (const width of [1440, 1024, 390]) await picture(`${name}-${scheme}-${width}`, scheme, width, 0);
    }
  }
}

try {
  await (only[0] === "--docs" ? story() : every());
} finally {
  await browser.close();
  await server.stop();
}
