// Drives the console in a real browser over a simulated Azure: node run.mjs PROGRAM
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startBrowser, signIn, startConsole } from "./driver.mjs";

const [program] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const folder = mkdtempSync(join(tmpdir(), "hostssl-zones-"));
const zones = join(folder, "zones.toml");
writeFileSync(zones, '[[rule]]\nzone = "hub-weu"\nvirtual-network = "vnet-data"\n');
const server = await startConsole(program, ["--simulate", "--zones", zones]);
const browser = await startBrowser();
const tests = [];
const test = (name, run) => tests.push({ name, run });

// Whatever the page's own policy forbids, or asks of another host, fails the test that is running.
let complaints = [];
async function open(path = "/") {
  const page = await browser.newPage();
  page.on("console", (message) => { if (["error", "warning"].includes(message.type())) complaints.push(message.text()); });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("request", (request) => {
    if (!request.url().startsWith(server.origin) && !request.url().startsWith("data:")) complaints.push(`asks ${request.url()}`);
  });
  await page.setViewport({ width: 1280, height: 900 });
  await page.goto(server.origin + path, { waitUntil: "load" });
  return page;
}
const text = (page, selector) => page.$eval(selector, (node) => node.textContent.trim());
const texts = (page, selector) => page.$$eval(selector, (nodes) => nodes.map((node) => node.textContent.trim()));
const href = (page, selector) => page.$eval(selector, (node) => node.getAttribute("href"));
const settled = (page, wanted, argument) => page.waitForFunction(wanted, { timeout: 15000, polling: 50 }, argument);

let addresses;

test("signing in by the link, once", async () => {
  const page = await open();
  assert.equal(await text(page, "h1"), "Sign in");
  complaints = complaints.filter((line) => !line.includes("401"));
  await signIn(page, server);
  assert.match(await text(page, "h1"), /^\d+ of 24 servers do not enforce TLS$/);
  assert.match(await text(page, ".status"), /^24 servers in 4 subscriptions · Audited 3 hours ago/);
  const cookies = await page.browserContext().cookies();
  const session = cookies.find((cookie) => cookie.name.startsWith("hostssl-") && cookie.name !== "hostssl-theme");
  assert.ok(session.httpOnly && session.sameSite === "Strict");
  assert.equal(await page.evaluate(() => document.cookie), "");
  await page.goto(server.link);
  assert.equal(await text(page, "h1"), "This link was used");
  complaints = complaints.filter((line) => !line.includes("401"));
});

test("the overview tells what is enforced, what is not, and what was not seen", async () => {
  const page = await open();
  assert.deepEqual(await texts(page, ".figure .n"), ["2 +1 since the previous audit", "7", "4", "11 +2 since the previous audit"]);
  assert.match(await text(page, ".headline"), /1 more than in the previous audit$/);
  assert.match(await text(page, ".status .incomplete"), /5 servers and 1 subscription could not be checked/);
  assert.ok((await texts(page, ".delta .keep")).some((line) => line.includes("switched off") && line.includes("pg-ledger-prod")));
  assert.match(await text(page, ".simulated"), /Simulated/);
  assert.match(await text(page, "#h-ready"), /1 of the 7 that are off/);
  await page.waitForSelector("[aria-labelledby=h-ready] .chips", { timeout: 30000 });
  assert.match(await text(page, "[aria-labelledby=h-ready] .chips"), /1 safe to enforce.*2 with clients in plaintext.*not observed enough/);
  assert.ok((await texts(page, ".why li")).some((line) => /missing permission/.test(line) && line.includes("pg-payroll-prod")));
  await page.click(".trend summary");
  assert.equal((await page.$$(".trend tbody tr")).length, 14);
  await page.click(".figure.no");
  await page.waitForSelector("#results");
  assert.match(page.url(), /standing=not-enforced/);
  assert.equal((await page.$$("#results tbody tr")).length, 7);
});

test("what an audit saw is told where it is pointed at, and to the keyboard, without words of the browser's own", async () => {
  const page = await open();
  assert.equal((await page.$$(".plot title, .plot [title]")).length, (await page.$$(".tip time[title]")).length);
  const shown = () => page.$$eval(".tip", (tips) => tips.filter((tip) => getComputedStyle(tip).display !== "none").map((tip) => tip.textContent));
  assert.deepEqual(await shown(), []);
  const columns = await page.$$(".area > a");
  assert.equal(columns.length, 17, "14 audits, 2 runs, and the undo of one");
  await columns[3].hover();
  assert.match((await shown()).join("|"), /^[A-Z][a-z]{2}\s[0-9]{1,2},\s[^|]*14not enforced−1[^|]*6enforced, not probed\+1$/);
  const [tip, plot] = await page.$$eval(".area > a:nth-of-type(4) .tip > div, .plot", (nodes) => nodes.map((node) => node.getBoundingClientRect()).map(({ left, right }) => ({ left, right })).sort((a, b) => a.right - a.left - b.right + b.left));
  assert.ok(tip.left >= plot.left && tip.right <= plot.right, JSON.stringify([tip, plot]));
  await page.mouse.move(5, 5);
  await page.keyboard.press("Tab");
  await columns[16].evaluate((link) => link.focus());
  assert.match((await shown()).join("|"), /1 value restored by a run/);
});

test("each bar of the overview leads to as many servers as it says", async () => {
  const page = await open();
  const bars = await page.$$eval(".bars a", (links) => links.map((link) => [link.getAttribute("href"), parseInt(link.querySelector(".num").textContent, 10)]));
  assert.ok(bars.length > 12, String(bars.length));
  for (const [address, servers] of bars) {
    await page.goto(server.origin + address);
    assert.equal((await page.$$("#results tbody tr")).length, servers, address);
  }
});

test("resources are searched, filtered, sorted, and the address can be shared", async () => {
  const page = await open("/resources");
  assert.match(await text(page, "[role=status]"), /24 servers/);
  await page.type("[name=q]", "prod");
  await settled(page, () => /of 24 servers/.test(document.querySelector("[role=status]").textContent));
  assert.equal((await page.$$("#results tbody tr")).length, 10);
  assert.equal(await page.evaluate(() => document.activeElement.name), "q", "typing goes on");
  await settled(page, () => new URLSearchParams(location.search).get("q") === "prod");
  await page.select("[name=kind]", "single");
  await settled(page, () => document.querySelectorAll("#results tbody tr").length === 1);
  assert.deepEqual(await texts(page, "#results tbody th"), ["pg-archive-legacy"]);
  const shared = await open(new URL(page.url()).pathname + new URL(page.url()).search);
  assert.deepEqual(await texts(shared, "#results tbody th"), ["pg-archive-legacy"]);
  assert.equal(await shared.$eval("[name=kind]", (select) => select.value), "single");
  await shared.close();
  await page.bringToFront();
  await page.goto(server.origin + "/resources");
  await page.click("#results thead a");
  await settled(page, () => document.querySelector("#results thead th").getAttribute("aria-sort") === "ascending");
  const names = await texts(page, "#results tbody th");
  assert.deepEqual(names, [...names].sort());
});

test("every export arrives whole in a browser", async () => {
  const page = await open("/resources");
  const received = (format) => page.evaluate(async (format) => (await (await fetch(`/resources/export?format=${format}`)).text()), format);
  const { servers } = JSON.parse(await received("json"));
  assert.equal(servers.length, 24);
  for (const format of ["html", "csv", "yaml", "tsv", "table"]) {
    const text = await received(format);
    assert.deepEqual(servers.filter(({ name }) => !text.includes(name)), [], format);
  }
});

test("a server: its switch, its evidence, its history", async () => {
  const page = await open("/resources?q=pg-ledger-prod");
  await Promise.all([page.waitForNavigation(), page.click("#results tbody a")]);
  assert.match(await text(page, "h1"), /pg-ledger-prod/);
  const to = async (tab) => { await Promise.all([page.waitForNavigation(), page.click(`.tabs a[href$="${tab}"]`)]); };
  await to("connection-security");
  assert.equal(await text(page, ".big .set"), "DISABLED");
  await to("wire");
  assert.match(await text(page, "main"), /no-vantage/, "it is private, and no zone covers it");
  await to("evidence");
  assert.match(await text(page, "pre"), /"value":"off"/);
  assert.match(await text(page, "main"), /the excerpt matches its SHA-256/);
  await to("history");
  assert.match(await text(page, "#h-history"), /14 audits/);
  const changes = await page.$$eval(".events .change", (all) => all.map((one) => one.innerText.trim()));
  assert.ok(changes.includes("require_secure_transport on → off"), changes.join(" | "));
  await page.goto(server.origin + addresses.unlooked);
  assert.match(await text(page, "main h2"), /did not probe the server/);
});

test("the clients of a server: who would be refused, by day, and what to change", async () => {
  const page = await open(addresses.clients);
  assert.match(await text(page, ".verdict"), /clients would be refused.*2 clients connect in plaintext/);
  assert.ok((await page.$$(".timeline g")).length >= 7);
  const [chart, card] = await page.$$eval(".timeline, [aria-labelledby=h-days]", (nodes) => nodes.map((node) => node.getBoundingClientRect().width).sort((a, b) => a - b));
  assert.ok(chart > card * 0.8, `the chart is ${chart} wide in a card of ${card}`);
  const rows = await texts(page, ".clients tbody tr");
  assert.ok(rows.some((row) => row.includes("Metabase") && row.includes("plaintext") && /SSL/.test(row)), rows.join("\n"));
  await page.goto(server.origin + addresses.security);
  assert.match(await text(page, "[aria-labelledby=h-refused]"), /report on catalog, Metabase/);
});

test("an audit is followed live and its page shows what it found", async () => {
  const page = await open("/runs");
  await Promise.all([page.waitForNavigation(), page.click("button.main")]);
  assert.equal(await text(page, "h1"), "Audit in progress");
  const address = page.url();
  await settled(page, () => Number(document.querySelector("[data-p=looked]")?.textContent) > 0 || !document.querySelector("[data-live]"));
  await settled(page, () => !document.querySelector("[data-live]") && document.querySelector("h1")?.textContent.startsWith("Audit of"));
  assert.equal(page.url(), address);
  assert.match(await text(page, "main .muted"), /24 servers in 4 subscriptions/);
});

test("an audit is stopped and says that it was", async () => {
  const page = await open("/runs");
  await Promise.all([page.waitForNavigation(), page.click("button.main")]);
  await Promise.all([page.waitForNavigation(), page.click("form[action$='/stop'] button")]);
  await settled(page, () => document.querySelector("h1")?.textContent.startsWith("Audit of"));
  assert.match(await text(page, ".partial"), /^Stopped by local user after \d+ of \d+ servers\./);
  // The overview stays with the last audit that saw everything it could.
  await page.goto(server.origin + "/");
  assert.match(await text(page, ".status"), /^24 servers in 4 subscriptions/);
});

test("the facts of a run are judged by other rules", async () => {
  const page = await open(addresses.run);
  await page.select("[name=profile]", "strict@1");
  await Promise.all([page.waitForNavigation(), page.click(".inline button")]);
  assert.match(await text(page, "h1"), /strict@1/);
  assert.ok((await page.$$("main section:last-child tbody tr")).length > 0);
});

test("the wire is looked at when that is asked for", async () => {
  const page = await open("/runs");
  await page.$eval("[name=probe]", (box) => { box.checked = true; });
  await Promise.all([page.waitForNavigation(), page.click("button.main")]);
  await settled(page, () => document.querySelector("h1")?.textContent.startsWith("Audit of"));
  await page.goto(server.origin + "/resources?q=pg-catalog-prod");
  assert.match(await text(page, "main table tbody tr"), /accepts plaintext/);
  await Promise.all([page.waitForNavigation(), page.click("main table tbody th a")]);
  const key = new URL(page.url()).pathname;
  await page.goto(server.origin + key + "/wire");
  assert.match(await text(page, "main"), /5432/);
  assert.match(await text(page, "main"), /TLS 1\.3/);
  await Promise.all([page.waitForNavigation(), page.click("form[action$='/probe'] button")]);
  await settled(page, () => document.querySelector("h1")?.textContent.startsWith("Audit of"));
  assert.match(await text(page, "main .muted"), /1 server/);
  await Promise.all([page.waitForNavigation(), page.click(`a.main[href="${key}/wire"]`)]);
  await page.click(".exchange summary");
  const messages = await texts(page, ".exchange[open] tbody tr");
  assert.ok(messages.some((line) => line.includes("StartupMessage")) && messages.some((line) => line.includes("ClientHello")));
  addresses.exchange = `${key}/wire`;
});

test("the past has a plan that was applied and one that was taken back", async () => {
  const page = await open("/runs");
  const runs = await page.$$eval("tbody a[href^='/applies/']", (links) => links.map((link) => link.getAttribute("href")));
  assert.equal(runs.length, 2);
  await page.goto(server.origin + runs[0]);
  assert.match(await text(page, "h1"), /^Undone/);
  await page.goto(server.origin + runs[1]);
  assert.match(await text(page, "h1"), /^Verified/);
  assert.match(await text(page, "main"), /read back/);
});

test("a person is given a role, and their session is ended", async () => {
  const page = await open("/sessions");
  await page.type("[name=name]", "Vera");
  await page.select("[name=role]", "viewer");
  await Promise.all([page.waitForNavigation(), page.click("form[action='/sessions'] button")]);
  const link = await text(page, "[data-origin], .code code");
  const other = await browser.createBrowserContext();
  const hers = await other.newPage();
  await hers.goto(link);
  assert.match(await text(hers, "main"), /as Vera, viewer/);
  await Promise.all([hers.waitForNavigation(), hers.click("form[action='/sign-in'] button")]);
  assert.equal((await hers.$$("form[action='/runs']")).length, 0, "a viewer is offered an audit");
  await page.goto(server.origin + "/sessions");
  const end = await page.$$eval("tbody tr", (rows) => rows.find((row) => row.textContent.includes("Vera")).querySelector("form").getAttribute("action"));
  await Promise.all([page.waitForNavigation(), page.click(`form[action='${end}'] button`)]);
  assert.equal((await hers.goto(server.origin + "/")).status(), 401);
  await other.close();
});

test("what a machine in a zone saw is uploaded, and counted by the next audit", async () => {
  const page = await open("/zones");
  assert.deepEqual(await texts(page, "main h2"), ["hub-weu", "Upload what a zone saw"]);
  const targets = await page.$eval("form[action$='/targets']", async (form) => {
    const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) });
    return [answer.headers.get("content-disposition"), await answer.text()];
  });
  assert.equal(targets[0], 'attachment; filename="hub-weu-incomplete.json"', "one subscription of the demonstration cannot be listed");
  writeFileSync(join(folder, "targets.json"), targets[1]);
  const probed = spawnSync(program, ["probe", "--targets", join(folder, "targets.json"), "--simulate", "-o", "json", "-q", "--no-save"]);
  assert.equal(probed.status, 3, String(probed.stderr));
  writeFileSync(join(folder, "looks.json"), probed.stdout);
  writeFileSync(join(folder, "half.json"), probed.stdout.subarray(0, 300));
  const upload = async (name) => {
    await page.goto(server.origin + "/zones");
    await (await page.$("input[type=file]")).uploadFile(join(folder, name));
    await Promise.all([page.waitForNavigation({ waitUntil: "load" }), page.click("form[action='/zones/looks'] button")]);
  };
  await upload("half.json");
  assert.equal(await text(page, "h1"), "Nothing was taken");
  complaints = complaints.filter((line) => !line.includes("422"));
  await upload("looks.json");
  assert.match(await text(page, "[role=status]"), /^2 looks from zone hub-weu were accepted, the oldest .* They count from the next audit that probes\.$/);
  assert.match(await text(page, "main .facts"), /Waiting\s*2 looks/);
  assert.ok(await page.$eval("[name=zones]", (box) => box.checked));
  await Promise.all([page.waitForNavigation({ waitUntil: "load" }), page.click("form[action='/runs'] button")]);
  await settled(page, () => document.querySelector("h1")?.textContent.startsWith("Audit of"));
  await page.goto(server.origin + "/zones");
  assert.match(await text(page, "main .facts"), /Seen from there\s*1 of 1, 1 accepts plaintext/);
  await page.click("main details a");
  await page.waitForSelector(".verdict");
  assert.match(await text(page, "main"), /from zone hub-weu/);
  await page.close();
});

test("the theme is remembered and changes nothing else", async () => {
  const page = await open("/controls");
  await page.click("details.menu summary");
  await Promise.all([page.waitForNavigation(), page.click("button[name=theme][value=dark]")]);
  assert.equal(new URL(page.url()).pathname, "/controls");
  assert.equal(await page.$eval("html", (node) => node.dataset.theme), "dark");
  await page.click("details.menu summary");
  await Promise.all([page.waitForNavigation(), page.click("button[name=theme][value='']")]);
  assert.equal(await page.$eval("html", (node) => node.dataset.theme ?? ""), "");
});

test("everything can be read without JavaScript", async () => {
  const page = await browser.newPage();
  await page.setJavaScriptEnabled(false);
  for (const path of Object.values(addresses)) {
    const answer = await page.goto(server.origin + path);
    assert.ok(answer.ok(), path);
    assert.ok((await page.$$("h1")).length === 1, path);
  }
  await page.goto(server.origin + "/resources");
  await page.type("[name=q]", "pg-grafana");
  await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
  assert.equal((await page.$$("#results tbody tr")).length, 1);
  await page.close();
});

test("the keyboard reaches the content, the navigation and the menus", async () => {
  const page = await open();
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "main");
  await page.focus("details.menu summary");
  await page.keyboard.press("Enter");
  assert.ok(await page.$eval("details.menu", (menu) => menu.open));
  await page.keyboard.press("Escape");
  assert.ok(!(await page.$eval("details.menu", (menu) => menu.open)));
  assert.equal(await page.evaluate(() => document.activeElement.tagName), "SUMMARY");
});

test("on a phone the menu shows every page, and a long name leaves its mark", async () => {
  const page = await open();
  await page.setViewport({ width: 360, height: 700 });
  for (const path of Object.values(addresses)) {
    await page.goto(server.origin + path);
    const [all, shown] = await page.$eval(".top nav", (nav) => [nav.scrollWidth, nav.clientWidth]);
    assert.ok(all <= shown, `${path}: ${all} of ${shown}`);
  }
  const [name, menu] = await page.$eval(".top summary", (summary) => {
    summary.firstElementChild.textContent = "ada.lovelace-byron@contoso.example";
    return [summary.firstElementChild.getBoundingClientRect().right, summary.getBoundingClientRect().right];
  });
  assert.ok(name + 10 < menu, `${name} of ${menu}`);
});

test("no page is wider than the screen", async () => {
  const page = await open();
  for (const width of [320, 390, 700, 905, 1024, 1250]) {
    await page.setViewport({ width, height: 800 });
    for (const path of Object.values(addresses)) {
      await page.goto(server.origin + path);
      const [content, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      assert.ok(content <= screen, `${path} is ${content} wide on ${screen}`);
    }
  }
});

for (const scheme of ["light", "dark"]) {
  test(`no serious violation of accessibility, ${scheme}`, async () => {
    const page = await open();
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
    for (const path of Object.values(addresses)) {
      await page.goto(server.origin + path, { waitUntil: "load" });
      // Through the debugger, because the page's policy forbids foreign scripts.
      await page.evaluate(axe);
      const found = await page.evaluate(() => axe.run(document));
      const serious = found.violations.filter((violation) => ["serious", "critical"].includes(violation.impact));
      const told = serious.map((v) => `${v.id}: ${v.nodes.map((node) => node.html.slice(0, 160)).join(" | ")}`);
      assert.deepEqual(told, [], path);
    }
  });
}

test("another name for this address is refused", async () => {
  const page = await browser.newPage();
  const answer = await page.goto(`http://rebound.test:${new URL(server.origin).port}/`);
  assert.equal(answer.status(), 421);
  await page.close();
});

test("a form of another site does nothing", async () => {
  const before = await texts(await open("/runs"), "tbody th");
  const page = await browser.newPage();
  await page.goto("data:text/html,<form method=post action='" + server.origin + "/runs'><button>x</button></form>");
  const [answer] = await Promise.all([page.waitForNavigation(), page.click("button")]);
  assert.ok([401, 403].includes(answer.status()), String(answer.status()));
  assert.deepEqual(await texts(await open("/runs"), "tbody th"), before);
  await page.close();
});

test("a connection that is lost is told, and the page goes on when it is back", async () => {
  const page = await open("/runs");
  await page.setRequestInterception(true);
  let lost = true;
  page.on("request", (request) => (lost && request.url().endsWith("/events") ? request.abort() : request.continue()));
  await Promise.all([page.waitForNavigation(), page.click("button.main")]);
  await settled(page, () => /connection to the console was lost/.test(document.querySelector("[data-word]")?.textContent));
  lost = false;
  await settled(page, () => document.querySelector("h1")?.textContent.startsWith("Audit of"));
  complaints = complaints.filter((line) => !line.includes("ERR_FAILED"));
});

let failed = 0;
try {
  for (const { name, run } of tests) {
    complaints = [];
    try {
      await run();
      assert.deepEqual(complaints, [], "the browser complained");
      console.log(`ok      ${name}`);
    } catch (error) {
      failed += 1;
      console.log(`FAILED  ${name}\n${error.stack}`);
    }
    if (!addresses) {
      const page = await open("/resources?q=pg-catalog-prod");
      const off = await href(page, "#results tbody a");
      await page.goto(server.origin + "/resources?reason=permission");
      const unseen = await href(page, "#results tbody a");
      await page.goto(server.origin + "/runs");
      const run = await href(page, "tbody a");
      const [undone, applied] = await page.$$eval("tbody a[href^='/applies/']", (links) => links.map((link) => link.getAttribute("href")));
      const audits = await page.$$eval("tbody a[href^='/runs/']", (links) => links.map((link) => link.getAttribute("href")));
      const earlier = audits.at(-1).replace("/runs/", "");
      addresses = {
        overview: "/", resources: "/resources", nothing: "/resources?q=nothing", server: off, security: `${off}/connection-security`,
        unknown: `${unseen}/connection-security`, wire: `${off}/wire`, evidence: `${off}/evidence`, history: `${off}/history`,
        clients: `${off}/clients`, sessions: "/sessions", runs: "/runs", run, undone, applied, unlooked: `${off}/wire?run=${earlier}`, plans: "/plans", judged: `${run}/judged?profile=strict%401`, zones: "/zones", controls: "/controls", control: "/controls/require-secure-transport",
      };
      await page.close();
    }
    for (const page of await browser.pages()) if (page.url() !== "about:blank") await page.close();
  }
} finally {
  await browser.close();
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
}
console.log(`${tests.length - failed} of ${tests.length} pass`);
process.exitCode = failed ? 1 : 0;
