use super::config_file::settings;
use super::*;
use crate::command_line::Cli;
use clap::CommandFactory as _;
use hostssl_model::FileMistake;
use hostssl_test_support::schema::Schema;
use std::collections::BTreeSet;

fn mistakes(text: &str) -> Vec<(u32, u32, String)> {
    let wrong = settings(text, false).unwrap_err();
    wrong.into_iter().map(|FileMistake { line, column, what }| (line, column, what)).collect()
}

/// Every command with an option that the parser calls so.
fn having(id: &str) -> BTreeSet<String> {
    fn add(command: &Command, path: &str, id: &str, found: &mut BTreeSet<String>) {
        if command.get_arguments().any(|argument| argument.get_id() == id) {
            found.insert(path.to_owned());
        }
        for below in command.get_subcommands() {
            add(below, format!("{path} {}", below.get_name()).trim(), id, found);
        }
    }
    let mut found = BTreeSet::new();
    add(&Cli::command(), "", id, &mut found);
    found
}

/// Options of the same name that a key is not for, and why.
const OTHERS: [(&str, &[&str]); 10] = [
    // Runs that write, which nothing should cut short; and an audit that may not be made at all.
    ("concurrency", &["iac check", "server update"]),
    ("deadline", &["enforce", "iac check", "server update", "apply", "resume", "undo"]),
    ("expiry-days", &[]),
    // Where a role can be assigned; and the scope of an audit that may not be made at all.
    ("management-group", &["iac check", "role audit", "role remediate"]),
    // It must be given there.
    ("profile", &["runs judge"]),
    // The names of one server.
    ("resource-group", &["iac check", "server show", "server history", "server update"]),
    ("state", &[]),
    ("store", &[]),
    // And a condition of a rule, not the scope of a command.
    (
        "subscription",
        &["iac check", "role audit", "role remediate", "server show", "server history", "server update", "zones add"],
    ),
    // Servers are changed in the tenant that their plan names, and audits compared in that of the later one.
    ("tenant", &["iac check", "apply", "resume", "undo", "server update", "diff"]),
];

#[test]
fn a_key_is_for_every_command_with_its_option_or_says_why_not() {
    for (key, (name, others)) in KEYS.iter().zip(OTHERS) {
        assert_eq!(key.name, name);
        let having = having(key.id);
        let meant: BTreeSet<String> = key.commands.concat().into_iter().map(ToOwned::to_owned).collect();
        let missing: Vec<_> = meant.difference(&having).collect();
        assert!(missing.is_empty(), "{name}: no such option: {missing:?}");
        let others: BTreeSet<String> = others.iter().map(ToString::to_string).collect();
        let rest: Vec<_> = having.difference(&meant).filter(|command| !others.contains(*command)).collect();
        assert!(rest.is_empty(), "{name}: say whether it is for {rest:?}");
    }
}

#[test]
fn nothing_that_makes_a_run_less_safe_has_a_key() {
    let unsafe_options = [
        "yes",
        "approve",
        "accept-breakage",
        "accept-incomplete",
        "proxy",
        "connect-to",
        "auth",
        "cloud",
        "arm-endpoint",
        "authority-host",
        "ca-file",
        "except",
        "fail-on",
        "baseline",
        "waivers",
        "no-save",
        "window",
        "webhook",
        "allow-changes",
        "control",
        "server",
        "tag",
        "simulate",
    ];
    for option in unsafe_options {
        assert!(!KEYS.iter().any(|key| key.name == option), "{option}");
        assert_eq!(settings(&format!("{option} = \"x\""), true).unwrap_err().len(), 1, "{option}");
    }
}

#[test]
fn mistakes_are_told_by_line_and_key() {
    let found = mistakes("# a comment\nprofil = \"strict\"\nconcurrency = \"many\"\nexpiry-days = 4.5\n");
    assert_eq!(found[0], (2, 1, "there is no key `profil`; is it `profile`?".to_owned()));
    assert_eq!(found[1], (3, 15, "`concurrency` is not a number".to_owned()));
    assert_eq!(found[2], (4, 15, "`expiry-days` is not a number".to_owned()));
    // By the option's own parser.
    let found =
        mistakes("concurrency = 0\nsubscription = [\"a\", \"b/c\"]\nprofile = \"nonsense\"\ndeadline = \"soon\"\n");
    assert_eq!(
        found.iter().map(|(line, column, _)| (*line, *column)).collect::<Vec<_>>(),
        [(1, 15), (2, 22), (3, 11), (4, 12)]
    );
    assert!(found[0].2.contains("0 is not in 1..=2000"), "{found:?}");
    assert!(found[1].2.contains("expected a name") && found[3].2.contains("90s, 10m or 1h"), "{found:?}");
    assert!(found[2].2.contains("nonsense"), "{found:?}");
    let twice = mistakes("profile = \"strict\"\nprofile = \"baseline\"\n");
    assert_eq!((twice.len(), twice[0].0), (1, 2), "{twice:?}");
    assert_eq!(twice[0].2, "duplicate key `profile`");
    assert_eq!(mistakes("[scope]\ntenant = \"x\"\n")[0].2, "there is no key `scope`");
    assert!(mistakes("state = \"/tmp/x\"")[0].2.contains("HOSTSSL_CONFIG"));
    assert!(settings("state = \"/tmp/x\"", true).is_ok() && settings("", false).unwrap().is_empty());
    let stored = settings("store = \"postgres://u:hunter2@db/x\"", true).unwrap_err();
    assert_eq!(stored[0].what, "`store` has a password in it, which others could read");
    let other = settings("store = \"mysql://db/x\"", true).unwrap_err();
    assert_eq!(other[0].what, "`store` is not an address of PostgreSQL, which begins with postgres://");
    assert_eq!(mistakes("subscription = []")[0].1, 16);
    assert_eq!(mistakes("profile = strict").len(), 1);
}

#[test]
fn the_schema_is_the_committed_one_and_refuses_what_the_program_does() {
    let schema = Schema::generated("config-v1", &schema::schema());
    let text =
        "profile = \"strict\"\nsubscription = [\"a\", \"b*\"]\ntenant = \"t\"\nconcurrency = 8\nexpiry-days = 45\n";
    assert_eq!(settings(text, true).unwrap().len(), 5);
    let document: serde_json::Value = toml::from_str(text).unwrap();
    schema.assert_accepts(&document);
    for (wrong, value) in
        [("profil", "strict".into()), ("concurrency", "8".into()), ("subscription", Vec::<String>::new().into())]
    {
        schema.assert_refuses(&document, |document| document[wrong] = value);
    }
}
