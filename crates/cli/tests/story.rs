//! The simulated world lasts: commands one after the other tell one story, and what they print works as printed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at the first surprise")]
#![allow(unreachable_pub, missing_docs, dead_code, reason = "a module of this test, shared with others")]

mod common;

use common::{Done, hostssl, start};
use hostssl_remediation::RunId;
use hostssl_store::StoreReader;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

/// A folder to work in, whose state directory has a space in its name.
struct Site(tempfile::TempDir);

impl Site {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn state(&self) -> String {
        self.0.path().join("my state").display().to_string()
    }

    /// Runs a command with the options of every command here.
    fn run(&self, arguments: &[&str]) -> Done {
        let state = self.state();
        self.raw(&[arguments, &["--simulate", "demo", "--state", &state]].concat())
    }

    fn raw(&self, arguments: &[&str]) -> Done {
        start(hostssl().args(arguments).current_dir(self.0.path())).finish()
    }

    fn start(&self, arguments: &[&str]) -> common::Running {
        let mut command = hostssl();
        command.args(arguments).args(["--simulate", "demo", "--state", &self.state()]).current_dir(self.0.path());
        start(&mut command)
    }

    /// Plans, and returns the hash.
    fn plan(&self, file: &str, server: &str) -> String {
        let done =
            self.run(&["plan", "--accept-breakage", "*=a test", "--server", server, "--out", file, "-o", "json"]);
        assert!(matches!(done.code, 0 | 4), "{}", done.stderr);
        self.hash(file)
    }

    /// The hash of a plan file.
    fn hash(&self, file: &str) -> String {
        let text = std::fs::read_to_string(self.0.path().join(file)).unwrap();
        serde_json::from_str::<Value>(&text).unwrap()["hash"].as_str().unwrap().to_owned()
    }

    /// Whether the server enforces TLS, as its settings say and as its listener does.
    fn enforces(&self, server: &str) -> (String, String) {
        let query = "servers[0].[sslEnforcement, findings[?control=='plaintext-refused'].outcome | [0]]";
        let done = self.run(&["audit", "--probe", "--no-save", "--server", server, "-o", "tsv", "--query", query]);
        let mut cells = done.stdout.split_whitespace().map(str::to_owned);
        (cells.next().unwrap_or_default(), cells.next().unwrap_or_default())
    }
}

fn json(done: &Done) -> Value {
    serde_json::from_str(&done.stdout).unwrap_or_else(|error| panic!("{error}: {} {}", done.stdout, done.stderr))
}

#[test]
fn what_is_applied_is_there_until_it_is_undone_or_reset() {
    let site = Site::new();
    let before = site.enforces("pg-catalog-prod");
    assert_eq!(before.0, "Disabled");
    let hash = site.plan("plan.json", "pg-catalog-prod");
    let applied = site.run(&["apply", "plan.json", "--approve", &hash, "-o", "json"]);
    assert_eq!(applied.code, 0, "{}", applied.stderr);
    let after = site.enforces("pg-catalog-prod");
    assert_eq!(after.0, "Enabled");
    assert_ne!(before.1, after.1, "the listener follows the setting");
    let again = site.run(&["apply", "plan.json", "--approve", &hash, "-o", "json"]);
    assert_eq!(json(&again)["summary"]["already"], 1, "{}", again.stdout);
    let shown =
        site.run(&["server", "show", "-n", "pg-catalog-prod", "-g", "rg-shop-prod", "--query", "sslEnforcement"]);
    assert_eq!(shown.stdout, "\"Enabled\"\n");
    assert!(shown.stderr.contains("note: 1 simulated server was changed by earlier commands"), "{}", shown.stderr);

    let run = json(&applied)["run"].as_str().unwrap().to_owned();
    let undone = site.run(&["undo", &run, "--yes", "--reason", "a test", "-o", "json"]);
    assert_eq!((undone.code, &json(&undone)["summary"]["undone"]), (0, &1.into()), "{}", undone.stderr);
    assert_eq!(site.enforces("pg-catalog-prod"), before);

    let update = ["server", "update", "-n", "pg-keycloak", "-g", "rg-identity", "--ssl-enforcement", "Enabled"];
    assert_eq!(site.run(&update).code, 0);
    assert_eq!(site.enforces("pg-keycloak").0, "Enabled");
    // Another scenario is another world, and another state directory too.
    let elsewhere = site.raw(&["audit", "--simulate", "--server", "pg-keycloak", "--no-save", "--state", "other"]);
    assert_eq!(elsewhere.code, 3, "{}", elsewhere.stdout);
    let state = site.state();
    assert_eq!(site.raw(&["simulate", "demo", "--reset", "--state", &state]).code, 0);
    assert_eq!(site.enforces("pg-keycloak").0, "Disabled");
}

#[test]
fn undo_takes_the_newest_run_with_something_left_to_undo() {
    let site = Site::new();
    let hash = site.plan("plan.json", "pg-catalog-prod");
    let before = site.enforces("pg-catalog-prod");
    let [first, second] = [(), ()].map(|()| {
        let done = site.run(&["apply", "plan.json", "--approve", &hash, "-o", "json"]);
        assert_eq!(done.code, 0, "{}", done.stderr);
        json(&done)["run"].as_str().unwrap().to_owned()
    });
    let refused = |run: &str, why: &str| {
        let done = site.run(&["undo", run, "--yes", "--reason", "a test"]);
        assert!(done.code == 2 && done.stderr.contains(why), "{run}: {} {}", done.code, done.stderr);
    };
    // The second found everything as it should be.
    refused(&second, &format!("nothing is left to undo of run {second}"));
    let undone = site.run(&["undo", "latest", "--yes", "--reason", "a test", "-o", "json"]);
    assert_eq!((undone.code, json(&undone)["run"].as_str()), (0, Some(&*first)), "{}", undone.stderr);
    assert_eq!(site.enforces("pg-catalog-prod"), before);
    refused("latest", &format!("nothing is left to undo; the last run that changed servers was {first}"));
    refused(&first, &format!("nothing is left to undo of run {first}"));
    let ends = site.run(&["runs", "-o", "json", "--query", "[?kind=='apply'].[run, phase]"]);
    assert_eq!(json(&ends), serde_json::json!([[second, "finished"], [first, "undo-finished"]]));
}

#[test]
fn what_is_printed_about_a_plan_leads_to_where_and_what_it_is_for() {
    let site = Site::new();
    let hash = site.plan("plan.json", "pg-catalog-prod");
    let shown = site.raw(&["plan", "show", "plan.json"]);
    assert!(shown.stdout.contains("`hostssl audit --server pg-catalog-prod --simulate demo`"), "{}", shown.stdout);
    assert_eq!(site.run(&["plan", "show", "plan.json"]).code, 0, "it takes the options of the other commands");
    // Nobody is asked, and nobody signs in, for a plan that cannot be applied here.
    let refused = |arguments: &[&str], why: &str, hint: &str| {
        let done = site.raw(&[&["apply", "plan.json", "--state", &site.state(), "--approve"], arguments].concat());
        assert!(done.code == 2 && done.stderr.contains(why) && done.stderr.contains(hint), "{}", done.stderr);
        assert!(!done.stderr.contains("signed in"), "{}", done.stderr);
    };
    refused(&[&hash, "--simulate", "enforced"], "the plan is for the simulated Azure `demo`", "use --simulate demo");
    refused(&[&"0".repeat(64), "--simulate"], "the approval is for plan", "`hostssl plan show plan.json");
    let aged = jiff::Timestamp::now() + std::time::Duration::from_secs(2);
    while jiff::Timestamp::now() < aged {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let again = "`hostssl plan --server pg-catalog-prod --simulate demo";
    refused(&[&hash, "--simulate", "--max-age", "1s"], "the servers were checked", again);
}

#[test]
fn a_quiet_plan_prints_what_could_not_be_checked_and_no_hint() {
    let site = Site::new();
    let done = site.run(&["plan", "-q", "-o", "none"]);
    assert!(done.stderr.contains("warning: ") && !done.stderr.contains("hint: "), "{}", done.stderr);
    // The permission that is missing is the reason, in the words of every command.
    let planned = site.run(&["plan", "--out", "whole.json"]).stdout;
    let shown = site.raw(&["plan", "show", "whole.json"]).stdout;
    let found = site.run(&["clients"]).stdout;
    let needs = "needs Microsoft.DBforPostgreSQL/flexibleServers/configurations/read";
    for text in [planned, shown, found] {
        assert!(text.contains(needs) && !text.contains("AuthorizationFailed"), "{text}");
    }
}

/// What makes a server less strict is a decision with a reason, whichever command does it.
#[test]
fn a_server_becomes_less_strict_only_for_a_reason_that_is_kept() {
    let site = Site::new();
    let update = |value: &str, more: &[&str]| {
        let name = ["server", "update", "-n", "pg-grafana", "-g", "rg-identity", "--ssl-enforcement", value];
        site.run(&[&name[..], more].concat()).code
    };
    assert_eq!((update("Disabled", &["--reason", "incident 42"]), update("Enabled", &[])), (0, 0));
    let runs = json(&site.run(&["runs", "-o", "json", "--query", "[?kind=='apply'].run"]));
    let run = runs[1].as_str().unwrap().to_owned();
    let shown = site.run(&["runs", "show", &run, "-o", "json"]);
    assert_eq!(json(&shown)["reason"], "incident 42", "{}", shown.stdout);

    // The plan of the first update is one that loosens.
    let reader = StoreReader::open(Path::new(&site.state()).join("simulated")).unwrap();
    let plan = reader.load(&RunId::new(&run).unwrap()).unwrap().plan;
    std::fs::write(site.0.path().join("loosen.json"), plan).unwrap();
    let hash = site.hash("loosen.json");
    let shown = site.raw(&["plan", "show", "loosen.json", "--color", "always"]).stdout;
    assert!(shown.to_lowercase().contains("\u{1b}[31mon -> off"), "{shown:?}");
    let apply = ["apply", "loosen.json", "--approve", &hash, "-o", "json", "--color", "always"];
    let undo = ["undo", "latest", "--yes", "-o", "json", "--color", "always"];
    let refused = |command: &[&str]| {
        for more in [&[][..], &["--no-loosening"]] {
            let done = site.run(&[command, more].concat());
            assert!(done.code == 2 && done.stderr.contains("in plaintext"), "{} {}", done.code, done.stderr);
        }
    };
    refused(&apply);
    assert_eq!(site.enforces("pg-grafana").0, "Enabled");
    let done = site.run(&[&apply[..], &["--reason", "incident 43"]].concat());
    assert_eq!((done.code, &json(&done)["reason"]), (0, &"incident 43".into()), "{}", done.stderr);
    let red = "\u{1b}[31mwarning: less strict: pg-grafana will accept connections without TLS";
    assert!(done.stderr.contains(red), "{:?}", done.stderr);
    let shown = site.run(&["runs", "show", "latest"]).stdout;
    assert!(shown.contains("reason: incident 43"), "{shown}");

    // An undo that makes it stricter takes no reason, and one that loosens does.
    let done = site.run(&undo);
    assert!(done.code == 0 && !done.stderr.contains("less strict"), "{}", done.stderr);
    assert_eq!((update("Disabled", &["--reason", "incident 44"]), update("Enabled", &[])), (0, 0));
    refused(&undo);
    assert_eq!(site.enforces("pg-grafana").0, "Enabled");
    let done = site.run(&[&undo[..], &["--reason", "incident 45"]].concat());
    assert!(done.code == 0 && done.stderr.contains(red), "{}", done.stderr);
    assert_eq!(json(&done)["undoReason"], "incident 45");
    assert_eq!(site.enforces("pg-grafana").0, "Disabled");
}

#[test]
fn a_killed_apply_is_resumed_by_another_process() {
    let site = Site::new();
    let hash = site.plan("plan.json", "pg-catalog-prod");
    let mut running = site.start(&["apply", "plan.json", "--approve", &hash]);
    running.wait_for_stderr("wave 1");
    let receipts = || {
        let shown = site.run(&["runs", "show", "latest", "-o", "json"]);
        serde_json::from_str::<Value>(&shown.stdout).ok().and_then(|run| run["receipts"].as_array().map(Vec::len))
    };
    while receipts().is_none_or(|count| count == 0) {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    running.signal("KILL");
    running.wait_for_signalled_end();
    let resumed = site.run(&["resume", "latest", "-o", "json"]);
    assert_eq!(resumed.code, 0, "{} {}", resumed.stderr, resumed.stdout);
    assert_eq!(json(&resumed)["steps"][0]["status"], "applied");
    assert_eq!(site.enforces("pg-catalog-prod").0, "Enabled");
}

/// Commands of this program in what it printed: behind `next:` and below it, and between backquotes.
fn printed(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in text.lines() {
        let line_command = line.trim_start().trim_start_matches("next: ");
        if line_command.starts_with("hostssl ") && (line.starts_with("next: ") || line.starts_with("      ")) {
            found.push(line_command.split("    #").next().unwrap_or_default().trim().to_owned());
        }
        found.extend(line.split('`').skip(1).step_by(2).filter(|part| part.starts_with("hostssl ")).map(str::to_owned));
    }
    found
}

/// Words of a command as a shell makes them; only single quotes are used.
fn words(command: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for (index, part) in command.split('\'').enumerate() {
        if index % 2 == 1 {
            words.last_mut().unwrap().push_str(part);
            continue;
        }
        let mut pieces = part.split(' ');
        words.last_mut().unwrap().push_str(pieces.next().unwrap_or_default());
        words.extend(pieces.map(str::to_owned));
    }
    words.retain(|word| !word.is_empty());
    words
}

#[test]
fn every_command_that_is_printed_works_as_printed() {
    let site = Site::new();
    let hash = site.plan("plan.json", "pg-catalog-prod");
    let said: Vec<Done> = [
        &["audit"][..],
        &["audit", "--server", "pg-ledger-prod"],
        &["audit", "--server", "nosuch"],
        &["plan", "--server", "pg-keycloak", "--accept-breakage", "*=a test", "--out", "other.json"],
        &["plan", "check", "plan.json", "--audit", "nosuch"],
        &["apply", "nosuch.json"],
        &["apply", "plan.json"],
        &["apply", "plan.json", "--approve", &hash],
        &["runs"],
        &["runs", "show", "latest"],
        &["runs", "show", "nosuch"],
        &["undo", "nosuch", "--yes"],
        &["resume", "nosuch"],
        &["server", "show", "-n", "nosuch", "-g", "rg"],
        &["server", "update", "-n", "pg-keycloak", "-g", "rg-identity", "--ssl-enforcement", "Enabled"],
        &["clients", "--server", "pg-keycloak"],
    ]
    .map(|arguments| site.run(arguments))
    .into();
    let commands: BTreeSet<String> =
        said.iter().flat_map(|done| [printed(&done.stdout), printed(&done.stderr)].concat()).collect();
    let named = |start: &str| commands.iter().any(|command| command.starts_with(start));
    for start in [
        "hostssl controls ",
        "hostssl plan check other.json",
        "hostssl apply other.json",
        "hostssl undo 2",
        "hostssl runs ",
        "hostssl plan ",
    ] {
        assert!(named(start), "no `{start}…` among {commands:#?}");
    }
    let (mut simulated, options) = (0, format!("--simulate demo --state '{}'", site.state()));
    for command in &commands {
        let mut arguments = words(command).split_off(1);
        // Placeholders stand for what the reader knows.
        if arguments.iter().any(|word| !word.starts_with('-') && word.chars().all(|c| c.is_ascii_uppercase())) {
            continue;
        }
        simulated += usize::from(command.contains(&options));
        let help: Vec<&str> = arguments.iter().map(String::as_str).chain(["--help"]).collect();
        let help = site.raw(&help).stdout;
        let lists = |option: &str| help.lines().any(|line| line.trim_start().starts_with(option));
        let takes = |option: &str| lists(option) && !command.contains("--help");
        assert!(!takes("--simulate") || command.contains("--simulate demo"), "{command}");
        assert!(!takes("--state") || command.contains("--state '"), "{command}");
        // Who reads it would answer the question.
        if arguments[0] == "undo" {
            arguments.extend(undo_answers());
        }
        if arguments[0] == "apply" || arguments[0] == "enforce" {
            arguments.push("--help".to_owned());
        }
        let done = site.raw(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(!matches!(done.code, 1 | 2), "{command}: {}", done.stderr);
    }
    assert!(simulated >= 6, "{commands:#?}");
}

/// What a person at the terminal is asked by an undo, and answers.
fn undo_answers() -> [String; 3] {
    ["--yes", "--reason", "a test"].map(str::to_owned)
}

/// The commands of a page that are shown on a console, without their comments.
fn shown_commands(page: &str) -> Vec<String> {
    let fences = page.split("```console\n").skip(1).filter_map(|rest| rest.split("\n```").next());
    let lines = fences.flat_map(str::lines).map(|line| line.split(" #").next().unwrap_or_default().trim().to_owned());
    let own = lines.map(|line| line.replacen("cargo run -- ", "hostssl ", 1));
    own.filter(|line| line.starts_with("hostssl ")).collect()
}

fn pages() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let docs = std::fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let pages = docs.filter(|path| path.extension().is_some_and(|end| end == "md")).chain([root.join("README.md")]);
    pages.map(|path| (path.display().to_string(), std::fs::read_to_string(&path).unwrap())).collect()
}

/// Whoever copies a simulated command of a page gets what the page promises.
#[test]
fn the_simulated_commands_of_the_pages_work() {
    let mut tried = 0;
    for (page, text) in pages() {
        let site = Site::new();
        let state = site.state();
        for command in shown_commands(&text).iter().filter(|command| command.contains("--simulate")) {
            let mut arguments = words(command).split_off(1);
            // A page that names a state directory gets the one of this test.
            match arguments.iter().position(|argument| argument == "--state") {
                Some(option) => arguments[option + 1].clone_from(&state),
                None => arguments.extend(["--state".to_owned(), state.clone()]),
            }
            match arguments[0].as_str() {
                // It would not end.
                "serve" => arguments.push("--help".to_owned()),
                // Who reads it would answer the question.
                "apply" => arguments.extend(["--approve".to_owned(), site.hash("plan.json")]),
                "undo" if !command.contains("--yes") => arguments.extend(undo_answers()),
                _ => {}
            }
            let done = site.raw(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
            assert!(!matches!(done.code, 1 | 2), "{page}: {command}: {}", done.stderr);
            tried += 1;
        }
    }
    assert!(tried >= 5, "only {tried} commands were found: the search is broken");
}

/// The five commands of the README, one after the other, against the simulated Azure.
#[test]
fn the_commands_of_the_readme_tell_one_story() {
    let site = Site::new();
    let (_, readme) = pages().pop().unwrap();
    let five = readme.split("## Five commands").nth(1).unwrap().split("\n## ").next().unwrap();
    let mut codes = Vec::new();
    for command in shown_commands(five) {
        let mut arguments = words(&command).split_off(1);
        match arguments[0].as_str() {
            "apply" => arguments.extend(["--approve".to_owned(), site.hash("plan.json")]),
            "undo" => arguments.extend(undo_answers()),
            _ => {}
        }
        let done = site.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(!matches!(done.code, 1 | 2), "{command}: {}", done.stderr);
        codes.push(done.code);
    }
    assert_eq!(codes.len(), 5, "{five}");
}
