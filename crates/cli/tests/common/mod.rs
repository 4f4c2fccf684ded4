//! Runs the program with a clean environment, alone or against a served simulation.

pub mod visitor;

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// What a command came to.
#[derive(Debug)]
pub struct Done {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// The program, in an environment that says nothing.
pub fn hostssl() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hostssl"));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).stdin(Stdio::null());
    // Audits are kept by default, and not among the runs of whoever tests.
    command.env("XDG_STATE_HOME", env!("CARGO_TARGET_TMPDIR"));
    command
}

/// Runs the program.
pub fn run(arguments: &[&str]) -> Done {
    start(hostssl().args(arguments)).finish()
}

/// Starts a command.
pub fn start(command: &mut Command) -> Running {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (stdout, stderr) = (child.stdout.take(), BufReader::new(child.stderr.take().unwrap()));
    Running { child, stdout, stderr, seen: String::new() }
}

/// A command that goes on.
pub struct Running {
    child: Child,
    stdout: Option<ChildStdout>,
    stderr: BufReader<ChildStderr>,
    seen: String,
}

impl Running {
    /// Waits until a line on stderr begins so, and returns it.
    pub fn wait_for_stderr(&mut self, begin: &str) -> String {
        loop {
            let mut line = String::new();
            assert!(self.stderr.read_line(&mut line).unwrap() > 0, "ended before `{begin}`: {}", self.seen);
            self.seen.push_str(&line);
            if line.starts_with(begin) {
                return line;
            }
        }
    }

    /// Sends a signal.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for the end after a signal that leaves no choice.
    pub fn wait_for_signalled_end(mut self) {
        assert_eq!(self.child.wait().unwrap().code(), None, "it was ended by a signal");
    }

    /// Goes away as a reader.
    pub fn close_stdout(&mut self) {
        self.stdout = None;
    }

    /// Waits for the end.
    pub fn finish(mut self) -> Done {
        let mut stdout = String::new();
        let mut stderr = std::mem::take(&mut self.seen);
        let out = self.stdout.take();
        std::thread::scope(|scope| {
            scope.spawn(|| out.map(|mut out| out.read_to_string(&mut stdout).unwrap()));
            self.stderr.read_to_string(&mut stderr).unwrap();
        });
        let code = self.child.wait().unwrap().code().expect("the program ends by itself");
        Done { code, stdout, stderr }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Whether it is still there or not, it must not outlive the test.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A simulated Azure that is served, and the environment for it.
pub struct Simulator {
    _running: Running,
    folder: PathBuf,
    variables: HashMap<String, String>,
}

/// Serves a scenario.
pub fn simulator(arguments: &[&str]) -> Simulator {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("hostssl-test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let folder = std::env::temp_dir().join(name);
    let mut running = start(hostssl().arg("simulate").args(arguments).arg("--dir").arg(&folder));
    running.wait_for_stderr("next");
    let script = std::fs::read_to_string(folder.join("env.sh")).unwrap();
    let variable = |line: &str| {
        let (name, value) = line.strip_prefix("export ")?.split_once('=')?;
        Some((name.to_owned(), value.trim_matches('\'').to_owned()))
    };
    let variables = script.lines().filter_map(variable).collect();
    Simulator { _running: running, folder, variables }
}

impl Simulator {
    /// Runs the program against it.
    pub fn run(&self, arguments: &[&str]) -> Done {
        self.run_with(arguments, &[])
    }

    /// Runs the program against it with other variables; an empty value takes the variable away.
    pub fn run_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Done {
        let mut command = self.command(arguments);
        for (name, value) in variables {
            if value.is_empty() {
                command.env_remove(name)
            } else {
                command.env(name, value)
            };
        }
        start(&mut command).finish()
    }

    /// Starts the program against it.
    pub fn start(&self, arguments: &[&str]) -> Running {
        start(&mut self.command(arguments))
    }

    /// One of the variables that it prints.
    pub fn variable(&self, name: &str) -> String {
        self.variables[name].clone()
    }

    /// A folder that lives as long as it does.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The program with its environment, for those who start it themselves.
    pub fn command_of(&self, arguments: &[&str]) -> Command {
        self.command(arguments)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = hostssl();
        command.args(arguments).envs(&self.variables);
        // What another test has probed is not known here.
        command.env("XDG_STATE_HOME", self.folder.join("states"));
        command
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A folder, in front of the search path, with an `az` and an `azd` that get their token from the simulated authority.
pub fn fake_azure_tools(simulator: &Simulator) -> String {
    let folder = simulator.folder().join("bin");
    std::fs::create_dir_all(&folder).unwrap();
    let token = format!(
        "curl --silent --cacert {} -d client_id={} -d client_secret={} -d grant_type=client_credentials \
         -d scope={}/.default {}/{}/oauth2/v2.0/token",
        simulator.variable("HOSTSSL_CA_FILE"),
        simulator.variable("AZURE_CLIENT_ID"),
        simulator.variable("AZURE_CLIENT_SECRET"),
        simulator.variable("HOSTSSL_ARM_ENDPOINT"),
        simulator.variable("HOSTSSL_AUTHORITY_HOST"),
        simulator.variable("AZURE_TENANT_ID"),
    );
    let extract = r#"sed -E 's/.*"access_token": ?"([^"]*)".*/\1/'"#;
    let az = r#"printf '{"accessToken":"%s","expires_on":%s,"tokenType":"Bearer"}' "$t" $(( $(date +%s) + 3600 ))"#;
    let azd = r#"printf '{"token":"%s","expiresOn":"%s"}' "$t" "$(date -u -d '+1 hour' +%Y-%m-%dT%H:%M:%SZ)""#;
    for (tool, print) in [("az", az), ("azd", azd)] {
        let path = folder.join(tool);
        std::fs::write(&path, format!("#!/bin/sh\nt=$({token} | {extract})\n{print}\n")).unwrap();
        assert!(Command::new("chmod").arg("+x").arg(&path).status().unwrap().success());
    }
    format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default())
}
