// Starts the console and a browser for it.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import puppeteer from "puppeteer-core";

const browsers = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

// A simulated Azure in a process of its own, signed in to and written over HTTPS as the real one is.
export async function startAzure(program) {
  const folder = mkdtempSync(join(tmpdir(), "hostssl-azure-"));
  const child = spawn(program, ["simulate", "demo", "--port", "0", "--dir", folder], { stdio: "ignore" });
  const file = join(folder, "env.sh");
  for (const end = Date.now() + 20000; !existsSync(file) || !readFileSync(file, "utf8").includes("SSL_CERT_FILE"); ) {
    if (Date.now() > end || child.exitCode !== null) throw new Error("the simulator did not start");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const env = Object.fromEntries([...readFileSync(file, "utf8").matchAll(/^export (\w+)='(.*)'$/gm)].map(([, name, value]) => [name, value]));
  const stop = () => new Promise((resolve) => {
    child.on("exit", () => { rmSync(folder, { recursive: true, force: true }); resolve(); });
    child.kill("SIGTERM");
  });
  return { env, folder, stop };
}

export async function startConsole(program, args = [], env = {}) {
  const child = spawn(program, ["serve", "--listen", "127.0.0.1:0", ...args], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { PATH: process.env.PATH, ...env },
  });
  let told = "";
  const link = await new Promise((resolve, reject) => {
    child.stderr.setEncoding("utf8");
    child.stderr.on("data", (text) => {
      told += text;
      const found = told.match(/sign in, once, within an hour: (\S+)/);
      if (found) resolve(found[1]);
    });
    child.on("exit", (code) => reject(new Error(`serve ended with ${code}: ${told}`)));
  });
  const stop = () => new Promise((resolve) => {
    child.removeAllListeners("exit");
    child.on("exit", resolve);
    child.kill("SIGTERM");
  });
  return { link, origin: new URL(link).origin, stop };
}

// Opens the link, presses its button, and waits until there is something to see.
export async function signIn(page, server) {
  for (const end = Date.now() + 300000; !(await fetch(`${server.origin}/readyz`)).ok; ) {
    if (Date.now() > end) throw new Error("the console did not get ready");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await page.goto(server.link, { waitUntil: "load" });
  await Promise.all([page.waitForNavigation({ waitUntil: "load" }), page.click("form[action='/sign-in'] button")]);
  await page.waitForSelector("nav[aria-label=Main]");
}

export async function startBrowser() {
  const executablePath = browsers.find((path) => path && existsSync(path));
  if (!executablePath) throw new Error("no Chromium was found; set CHROMIUM");
  return puppeteer.launch({
    executablePath,
    headless: true,
    args: ["--no-sandbox", "--disable-dev-shm-usage", "--font-render-hinting=none", "--host-resolver-rules=MAP rebound.test 127.0.0.1"],
  });
}
