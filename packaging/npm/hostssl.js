#!/usr/bin/env node
// Runs the program of this platform, which npm installed beside this package.
"use strict";

const { spawn } = require("node:child_process");
const { constants } = require("node:os");

const name = `hostssl-${process.platform}-${process.arch}`;
let program;
try {
  program = require.resolve(`${name}/bin/hostssl`);
} catch {
  console.error(`error: the package ${name} is not installed`);
  console.error("hint: install hostssl with optional dependencies, on Linux with glibc, x64 or arm64; elsewhere build it from source");
  process.exit(1);
}

const child = spawn(program, process.argv.slice(2), { stdio: "inherit" });
// A terminal sends its signals to the program as well; a supervisor sends them to this process alone.
const supervised = !process.stdin.isTTY;
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.on(signal, () => {
    if (supervised || signal === "SIGTERM") child.kill(signal);
  });
}
child.on("error", (error) => {
  console.error(`error: ${program}: ${error.message}`);
  process.exit(1);
});
child.on("exit", (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
