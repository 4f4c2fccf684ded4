//! The `hostssl` command as users and scripts meet it, against the simulated Azure.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at the first surprise")]
#![allow(unreachable_pub, missing_docs, dead_code, reason = "a module of this test, shared with others")]

mod common;

use common::{hostssl, run, simulator, start};
use hostssl_test_support::schema::Schema;
use serde_json::Value;

#[test]
fn the_demonstration_as_a_table() {
    let done = run(&["audit", "--simulate"]);
    assert_eq!(done.code, 3, "{}", done.stderr);
    insta::assert_snapshot!(done.stdout);
    insta::assert_snapshot!("the_demonstration_stderr", done.stderr);
}

#[test]
fn output_is_plain_unless_colour_is_asked_for() {
    assert!(!run(&["audit", "--simulate"]).stdout.contains('\u{1b}'));
    assert!(run(&["audit", "--simulate", "--color", "always"]).stdout.contains("\u{1b}["));
    let mut command = hostssl();
    command.args(["audit", "--simulate"]).env("NO_COLOR", "1");
    assert!(!String::from_utf8(command.output().unwrap().stdout).unwrap().contains('\u{1b}'));
}

#[test]
fn json_keeps_to_the_schema_and_says_who_looked() {
    let schema = Schema::committed("audit-v1");
    for scenario in ["demo", "enforced", "readonly", "faults"] {
        // One of the faults is a server that never answers.
        let done = run(&["audit", "--simulate", scenario, "--output", "json", "--deadline", "3s"]);
        let report: Value = serde_json::from_str(&done.stdout).unwrap();
        schema.assert_accepts(&report);
        assert_eq!(report["run"]["cloud"], format!("simulated:{scenario}"));
        assert!(done.stderr.contains(report["run"]["principal"].as_str().unwrap()), "{}", done.stderr);
    }
}

#[test]
fn exit_codes_are_those_of_the_help() {
    assert_eq!(run(&["audit", "--simulate", "enforced"]).code, 0);
    assert_eq!(run(&["audit", "--simulate"]).code, 3);
    // Only a server that is stopped: nothing fails, and not everything was seen.
    assert_eq!(run(&["audit", "--simulate", "--server", "pg-catalog-stage"]).code, 4);
    assert_eq!(run(&["audit", "--simulate", "--discovery", "graph", "enforced"]).code, 2);
    assert_eq!(run(&["audit", "--simulate", "enforced", "--discovery", "graph"]).code, 4);
    assert_eq!(run(&["--version"]).code, 0);
    assert_eq!(run(&["audit", "--help"]).code, 0);
    assert_eq!(run(&["nonsense"]).code, 2);
}

#[test]
fn the_version_says_on_request_what_it_was_built_of() {
    let version = format!("hostssl {}", env!("CARGO_PKG_VERSION"));
    for short in [&["--version"][..], &["-V"], &["-qV"], &["--color", "never", "--version"]] {
        assert_eq!(run(short).stdout.lines().collect::<Vec<_>>(), [version.as_str()], "{short:?}");
    }
    for long in [&["--version", "--verbose"][..], &["-V", "-v"], &["-vV"], &["-Vv"], &["--verbose", "--version"]] {
        let done = run(long);
        let lines: Vec<_> = done.stdout.lines().map(|line| line.split_once(": ").unwrap_or((line, ""))).collect();
        let names: Vec<_> = lines.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, [version.as_str(), "commit", "features", "target", "rustc"], "{long:?}");
        assert!(lines[1..].iter().all(|(_, value)| !value.is_empty()), "{long:?}: {}", done.stdout);
        let has = |feature: &str| lines[2].1.split(", ").any(|one| one == feature);
        assert_eq!(has("certificate"), cfg!(feature = "certificate"), "{}", done.stdout);
        assert_eq!(has("mcp"), cfg!(feature = "mcp"), "{}", done.stdout);
    }
}

#[test]
fn a_selector_that_matches_nothing_ends_with_2_and_names_the_nearest() {
    let plan = ["plan", "--simulate", "-o", "none"];
    for (arguments, expected) in [
        (
            [&["audit", "--simulate"][..], &["--server", "pg-grafanna"]].concat(),
            "--server pg-grafanna matches no server in scope (did you mean pg-grafana?)",
        ),
        (
            [&["audit", "--simulate", "-o", "csv"][..], &["--server", "mysql-*"]].concat(),
            "--server mysql-* matches no server in scope;",
        ),
        ([&["audit", "--simulate"][..], &["--except", "pg-keycloack"]].concat(), "(did you mean pg-keycloak?)"),
        (
            [&["audit", "--simulate"][..], &["--management-group", "nosuch"]].concat(),
            "--management-group nosuch matches no management group",
        ),
        (
            [&["audit", "--simulate"][..], &["--subscription", "nosuch"]].concat(),
            "--subscription nosuch matches no subscription",
        ),
        (
            [&["audit", "--simulate"][..], &["--tenant", "nosuch"]].concat(),
            "--tenant nosuch matches no simulated tenant",
        ),
        ([&["audit", "--simulate"][..], &["--control", "nosuch"]].concat(), "nosuch"),
        (
            [&plan[..], &["--except", "pg-keycloack"]].concat(),
            "--except pg-keycloack matches no server in scope (did you mean pg-keycloak?)",
        ),
        ([&plan[..], &["--tag", "environment=stage"]].concat(), "--tag environment=stage matches no server"),
        ([&plan[..], &["-g", "rg-nosuch"]].concat(), "--resource-group rg-nosuch matches no resource group"),
        ([&["server", "list", "--simulate"][..], &["--except", "a*b"]].concat(), "--except a*b matches no server"),
        ([&["server", "list", "--simulate"][..], &["-g", "rg-identty"]].concat(), "(did you mean rg-identity?)"),
    ] {
        let done = run(&arguments);
        assert_eq!((done.code, done.stdout.as_str()), (2, ""), "{arguments:?}: {}", done.stderr);
        assert!(done.stderr.contains(expected), "{arguments:?}: {}", done.stderr);
        assert!(done.stderr.contains("\nhint: "), "{}", done.stderr);
    }
}

#[test]
fn servers_are_chosen_by_pattern_and_tag_and_left_out() {
    let names = |arguments: &[&str], query: &str| -> Vec<String> {
        let done = run(&[arguments, &["--simulate", "-o", "json", "--query", query]].concat());
        serde_json::from_str(&done.stdout).unwrap_or_else(|error| panic!("{error}: {}", done.stderr))
    };
    let staging = ["--tag", "environment=staging", "--except", "*-stage"];
    let expected = ["pg-cart-review-812"];
    assert_eq!(names(&[&["audit"][..], &staging].concat(), "servers[].name"), expected);
    let listed = names(&[&["server", "list"][..], &staging].concat(), "[].name");
    assert_eq!(listed, expected);
    assert_eq!(names(&["audit", "--server", "*-insights", "-g", "rg-*"], "servers[].name"), ["horizon-insights"]);
    let planned = names(
        &["plan", "--accept-breakage", "*=a test", "--except", "environment=production", "--except", "pg-keycloak"],
        "steps[].server",
    );
    assert!(
        !planned.is_empty() && planned.iter().all(|id| !id.ends_with("-prod") && !id.ends_with("keycloak")),
        "{planned:?}"
    );
    let scope = run(&["plan", "--simulate", "--except", "pg-key*", "-o", "json", "--query", "scope.except"]);
    assert_eq!(serde_json::from_str::<Vec<String>>(&scope.stdout).unwrap(), ["pg-key*"]);
}

#[test]
fn what_was_left_out_stands_in_the_check_of_the_plan() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plan.json").display().to_string();
    run(&["plan", "--simulate", "--accept-breakage", "*=a test", "--except", "pg-key*", "--out", &file]);
    let checked = run(&["plan", "check", &file]);
    assert!(checked.stdout.contains("left out on request by --except pg-key*: pg-keycloak\n"), "{}", checked.stdout);
}

#[test]
fn json_says_which_finding_made_the_exit_code() {
    let exit = |arguments: &[&str]| {
        let done = run(&[&["audit", "--simulate", "-o", "json"][..], arguments].concat());
        let report: Value = serde_json::from_str(&done.stdout).unwrap();
        assert_eq!(report["exit"]["code"], done.code);
        let decided = report["exit"]["decidedBy"].as_array().unwrap().clone();
        (report["exit"]["reason"].as_str().unwrap().to_owned(), decided)
    };
    let (reason, decided) = exit(&["--server", "pg-keycloak", "--server", "pg-grafana"]);
    assert_eq!((reason.as_str(), decided.len()), ("findings", 1));
    assert_eq!(decided[0]["control"], "require-secure-transport");
    assert!(decided[0]["server"].as_str().unwrap().ends_with("/pg-keycloak"));
    let (reason, decided) = exit(&["--server", "pg-catalog-stage"]);
    assert!(reason == "incomplete" && !decided.is_empty());
    assert_eq!(exit(&["--server", "pg-grafana", "--subscription", "Contoso Platform"]).0, "pass");
}

/// Whoever follows a simulated name reaches nobody: `.invalid` is kept free for ever (RFC 6761).
#[test]
fn simulated_servers_have_names_that_nobody_owns() {
    for scenario in ["demo", "enforced"] {
        let done = run(&["audit", "--simulate", scenario, "-o", "json", "--query", "servers[?fqdn].fqdn"]);
        let names: Vec<String> = serde_json::from_str(&done.stdout).unwrap();
        assert!(names.len() > 5 && names.iter().all(|name| name.ends_with(".invalid")), "{scenario}: {names:?}");
    }
}

#[test]
fn queries_take_text_in_backticks_as_the_azure_cli_does() {
    let query = "[?sslEnforcement==`Disabled`] | [?name=='pg-keycloak'].name";
    let done = run(&["server", "list", "--simulate", "--query", query, "-o", "tsv"]);
    assert_eq!(done.stdout, "pg-keycloak\n", "{}", done.stderr);
}

#[test]
fn runs_of_simulations_are_found_by_the_beginning_of_an_id_and_as_the_latest() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().display().to_string();
    let kept = |arguments: &[&str]| run(&[arguments, &["--state", &state]].concat());
    assert_eq!(kept(&["runs", "show", "latest"]).code, 2);
    assert_eq!(kept(&["audit", "--simulate", "enforced"]).code, 0);
    let listed = kept(&["runs", "-o", "json", "--query", "[].run"]);
    let ids: Vec<String> = serde_json::from_str(&listed.stdout).unwrap();
    assert_eq!(ids.len(), 1, "{}", listed.stderr);
    for name in ["latest", &ids[0], &ids[0][..10]] {
        let shown = kept(&["runs", "show", name, "-o", "json", "--query", "run.id"]);
        assert_eq!(shown.stdout.trim(), format!("\"{}\"", ids[0]), "{name}: {}", shown.stderr);
    }
    assert_eq!(kept(&["runs", "show", "nosuchrun"]).code, 2);
}

#[test]
fn a_plan_is_read_from_standard_input_and_pages_are_written_into_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plan.json");
    run(&["plan", "--simulate", "--out", &file.display().to_string()]);
    let mut command = hostssl();
    command.args(["plan", "show", "-", "-o", "json"]).stdin(std::fs::File::open(&file).unwrap());
    assert_eq!(String::from_utf8(command.output().unwrap().stdout).unwrap(), std::fs::read_to_string(&file).unwrap());
    let pages = folder.path().join("man");
    assert_eq!(run(&["man", "--dir", &pages.display().to_string()]).code, 0);
    assert!(pages.join("hostssl.1").is_file() && pages.join("hostssl-audit.1").is_file());
}

#[test]
fn mistakes_are_one_line_and_a_hint() {
    let folder = std::env::temp_dir().join(format!("hostssl-test-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (empty, missing) = (folder.join("empty.pem"), folder.join("missing.pem"));
    std::fs::write(&empty, "no certificate").unwrap();
    let mistakes: &[&[&str]] = &[
        &["audit", "--simulate", "nowhere"],
        &["audit", "--simulate", "--subscription", "Unknown"],
        &["audit", "--simulate", "--profile", "lax"],
        &["audit", "--simulate", "--control", "no-such-control"],
        &["audit", "--simulate", "--query", "[*"],
        &["audit", "--simulate", "--query", "length(`1`)"],
        &["audit", "--simulate", "--query", "[*]", "--output", "csv"],
        &["audit", "--simulate", "--output", "xml"],
        &["audit", "--simulate", "--standard", "SOC 2"],
        &["audit", "--simulate", "--output", "standards-csv", "--standard", "soc2"],
        &["audit", "--simulate", "--deadline", "soon"],
        &["audit", "--simulate", "--concurrency", "0"],
        &["audit", "--simulate", "--subscripton", "x"],
        &["audit", "--simulate", "-g", ".."],
        &["server", "show", "--simulate", "-g", "g", "-n", ""],
        &["role", "audit", "--subscription", "../.."],
        &["audit", "--cloud", "AzureMoonCloud"],
        &["audit", "--arm-endpoint", "http://localhost:1"],
        &["audit", "--arm-endpoint", "localhost"],
        &["audit", "--ca-file", empty.to_str().unwrap()],
        &["audit", "--ca-file", missing.to_str().unwrap()],
        &["audit", "--auth", "secret"],
        &["audit", "--auth", "password"],
        &["server", "show", "--simulate", "-n", "x", "-g", "y"],
        &["server", "show", "--simulate", "-n", "x"],
        &["controls", "no-such-control"],
        &["simulate", "nowhere"],
        &["simulate", "--throttle", "fast"],
    ];
    let mut told = String::new();
    for mistake in mistakes {
        let done = run(mistake);
        assert!(matches!(done.code, 1 | 2), "{mistake:?}: {} {}", done.code, done.stderr);
        assert_eq!(done.stdout, "", "{mistake:?}");
        let lines: Vec<&str> = done.stderr.lines().filter(|line| !line.starts_with("signed in")).collect();
        let [error, hint] = lines.as_slice() else { panic!("{mistake:?}: {}", done.stderr) };
        assert!(error.starts_with("error: ") && hint.starts_with("hint: "), "{mistake:?}: {}", done.stderr);
        let shown = mistake.join(" ").replace(folder.to_str().unwrap(), "DIR");
        told += &format!("$ hostssl {shown}\n{error}\n{hint}\n\n").replace(folder.to_str().unwrap(), "DIR");
    }
    std::fs::remove_dir_all(&folder).unwrap();
    insta::assert_snapshot!(told);
}

#[test]
fn the_procedure_with_its_own_commands() {
    let archive = ["-n", "pg-archive-legacy", "-g", "rg-finance-prod", "--simulate"];
    let names = "[*].{name:name, resourceGroup:resourceGroup}";
    let table = run(&["server", "list", "--output", "table", "--query", names, "--simulate", "enforced"]);
    assert_eq!(table.code, 0, "{}", table.stderr);
    insta::assert_snapshot!(table.stdout);
    let show = |more: &[&str]| run(&[&["server", "show"], &archive[..], more].concat());
    assert_eq!(show(&["--query", "sslEnforcement"]).stdout, "\"Disabled\"\n");
    assert_eq!(show(&["--query", "sslEnforcement", "-o", "tsv"]).stdout, "Disabled\n");
    assert_eq!(show(&["-o", "none"]).stdout, "");
    insta::assert_snapshot!("show_single", show(&[]).stdout);
    insta::assert_snapshot!("show_single_yaml", show(&["-o", "yaml"]).stdout);
    let flexible =
        run(&["server", "show", "--name", "PG-CATALOG-PROD", "--resource-group", "RG-SHOP-PROD", "--simulate"]);
    insta::assert_snapshot!("show_flexible", flexible.stdout);
}

#[test]
fn servers_are_named_by_their_ids_as_the_azure_cli_takes_them() {
    let ids = "[?resourceGroup=='rg-identity'].id";
    let listed = run(&["server", "list", "--simulate", "-o", "tsv", "--query", ids]).stdout;
    let ids: Vec<&str> = listed.lines().collect();
    assert!(ids.len() > 2, "{listed}");
    let show =
        |ids: &[&str]| run(&[&["server", "show", "--simulate", "--query", "[].name || name", "--ids"], ids].concat());
    assert_eq!(show(&ids[..1]).stdout.trim(), format!("\"{}\"", ids[0].rsplit('/').next().unwrap()));
    let several: Vec<String> = serde_json::from_str(&show(&ids).stdout).unwrap();
    assert_eq!(several.len(), ids.len());
    for (arguments, words) in [
        (&["server", "show", "--simulate", "--ids", "nonsense"][..], "--ids nonsense"),
        // The name of a part, or of another product, is not that of a server.
        (
            &["server", "show", "--simulate", "--ids", &format!("{}/databases/pg-keycloak", ids[0])],
            "not the id of a PostgreSQL server",
        ),
        (
            &[
                "server",
                "update",
                "--simulate",
                "--ssl-enforcement",
                "Enabled",
                "--ids",
                &ids[0].replace("DBforPostgreSQL", "Sql"),
            ],
            "not the id of a PostgreSQL server",
        ),
        (
            &["server", "show", "--simulate", "--ids", &format!("{},{}", ids[0], ids[1])],
            "not the id of a PostgreSQL server",
        ),
        (&["server", "show", "--simulate", "--ids", ids[0], "-n", "x"], "cannot be used with"),
        (&["server", "show", "--simulate", "-g", "x"], "--name"),
    ] {
        let done = run(arguments);
        assert!(done.code == 2 && done.stderr.contains(words), "{arguments:?}: {}", done.stderr);
    }
}

#[test]
fn a_list_shows_what_is_asked_for_in_the_order_that_is_asked_for() {
    let audit = ["audit", "--simulate", "--only", "fail", "--sort", "severity", "--columns", "severity,server,control"];
    let table = run(&audit).stdout;
    let mut lines = table.lines();
    assert!(lines.next().unwrap().starts_with("SEVERITY  SERVER "), "{table}");
    // Behind the first line of a server come its other reasons.
    let first = |line: &&str| !line[10..].starts_with(' ');
    let severities: Vec<&str> =
        lines.take_while(|line| !line.is_empty()).filter(first).map(|line| &line[..4]).collect();
    let high = severities.iter().rposition(|word| *word == "high").unwrap();
    let medium = severities.iter().position(|word| *word == "medi").unwrap();
    assert!(high < medium, "the worst first: {table}");
    for (arguments, hint) in [
        (&["audit", "--simulate", "--columns", "servr"][..], "'server'"),
        (&["audit", "--simulate", "--only", "fial"], "'fail'"),
        (&["runs", "--sort", "startd"], "'started'"),
        (&["controls", "--only", "hihg"], "'high'"),
        (&["plan", "--simulate", "--only", "manul"], "'manual'"),
        (&["server", "list", "--simulate", "-o", "table", "--sort", "nam"], "'name'"),
        (&["audit", "--simulate", "-o", "json", "--only", "fail"], "--query"),
    ] {
        let done = run(arguments);
        assert!(done.code == 2 && done.stderr.contains(hint), "{arguments:?}: {}", done.stderr);
    }
}

/// Nobody knows a subscription by its id.
#[test]
fn tables_name_subscriptions() {
    let plan = run(&["plan", "--simulate", "-o", "wide"]);
    assert!(plan.stdout.contains("Contoso Production") && !plan.stdout.contains("  20000000-0000"), "{}", plan.stdout);
    let _ = plan.stderr.lines().filter_map(|line| line.strip_prefix("written to ")).map(std::fs::remove_file).count();
}

#[test]
fn a_line_for_each_request_says_what_was_asked_and_how_long_it_took() {
    let done = run(&["audit", "--simulate", "-v", "-g", "rg-identity", "--subscription", "Contoso Platform"]);
    let lines: Vec<&str> = done.stderr.lines().filter(|line| line.starts_with("GET ")).collect();
    assert!(lines.len() > 4, "{}", done.stderr);
    for line in &lines {
        let words: Vec<&str> = line.split(' ').collect();
        let [_, path, status, millis, "ms"] = words.as_slice() else { panic!("{line}") };
        assert!(path.starts_with('/') && !path.contains('?'), "{line}");
        assert!(status.parse::<u16>().is_ok() && millis.parse::<u64>().is_ok(), "{line}");
    }
    let others = done.stderr.lines().filter(|line| !line.starts_with("GET ")).count();
    assert_eq!(others, 1, "who is signed in: {}", done.stderr);
}

#[test]
fn what_server_list_cannot_see_is_said_even_when_quiet() {
    let done = run(&["server", "list", "--simulate", "-q", "-o", "table"]);
    assert_eq!(done.code, 4);
    insta::assert_snapshot!("list_table", done.stdout);
    insta::assert_snapshot!("list_stderr", done.stderr);
}

#[test]
fn every_format_of_the_audit() {
    for format in [
        "table",
        "json",
        "jsonc",
        "yaml",
        "yamlc",
        "tsv",
        "csv",
        "standards-csv",
        "sarif",
        "ocsf",
        "junit",
        "markdown",
        "none",
    ] {
        let done = run(&["audit", "--simulate", "--output", format]);
        assert_eq!(done.code, 3, "{format}");
        assert_eq!(done.stdout.is_empty(), format == "none", "{format}");
    }
    let of_one = run(&["audit", "--simulate", "-o", "standards-csv", "--standard", "soc*", "-q"]).stdout;
    assert!(of_one.lines().skip(1).all(|line| line.starts_with("SOC 2,")) && of_one.lines().count() > 1, "{of_one}");
    let failing = "servers[?outcome=='fail'].{name:name, ssl:sslEnforcement}";
    insta::assert_snapshot!(run(&["audit", "--simulate", "-o", "table", "--query", failing]).stdout);
    let csv = run(&["audit", "--simulate", "-o", "csv", "--control", "require-secure-transport"]).stdout;
    insta::assert_snapshot!("csv", csv);
}

#[test]
fn one_audit_is_written_in_several_formats() {
    let folder = std::env::temp_dir().join(format!("hostssl-formats-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    let file = |name: &str| folder.join(name).display().to_string();
    let to = |format: &str| format!("{format}={}", file(format));
    let done = run(&["audit", "--simulate", "-o", &to("json"), "-o", "csv", "-o", &to("sarif"), "-o", &to("table")]);
    assert_eq!(done.code, 3, "{}", done.stderr);
    assert!(done.stdout.starts_with("subscription,"), "{}", done.stdout);
    let json: Value = serde_json::from_str(&std::fs::read_to_string(file("json")).unwrap()).unwrap();
    let sarif: Value = serde_json::from_str(&std::fs::read_to_string(file("sarif")).unwrap()).unwrap();
    assert_eq!(json["run"]["id"], sarif["runs"][0]["automationDetails"]["guid"]);
    let table = std::fs::read_to_string(file("table")).unwrap();
    assert!(table.contains("pg-catalog-prod") && !table.contains('\u{1b}'), "{table}");
    // Nothing goes to standard output then, and what could not be checked is told.
    let done = run(&["audit", "--simulate", "-o", &to("junit")]);
    assert_eq!((done.code, done.stdout.as_str()), (3, ""));
    assert!(done.stderr.contains("warning: could not be checked") && done.stderr.contains("written: "));
    let missing = format!("json={}", folder.join("no/such").display());
    let early = run(&["audit", "--simulate", "-o", "table", "-o", &missing]);
    assert_eq!((early.code, early.stdout.as_str()), (2, ""));
    assert!(early.stderr.contains("there is no folder"), "{}", early.stderr);
    assert_eq!(run(&["audit", "--simulate", "-o", "table", "-o", "json"]).code, 2);
    assert_eq!(run(&["audit", "--simulate", "-o", &to("json"), "--query", "run"]).code, 2);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn controls_and_role() {
    insta::assert_snapshot!("controls", run(&["controls"]).stdout);
    let page = run(&["controls", "replica-parity"]).stdout;
    assert!(page.starts_with("# replica-parity\n"), "{page}");
    let described: Value = serde_json::from_str(&run(&["controls", "-o", "json"]).stdout).unwrap();
    assert_eq!(described.as_array().unwrap().len(), 10);
    let role: Value =
        serde_json::from_str(&run(&["role", "audit", "--subscription", "20000000-0000-4000-8000-000000000001"]).stdout)
            .unwrap();
    assert_eq!(role["AssignableScopes"], serde_json::json!(["/subscriptions/20000000-0000-4000-8000-000000000001"]));
    // Whatever an audit may find missing is in the role.
    let report: Value = serde_json::from_str(&run(&["audit", "--simulate", "-o", "json"]).stdout).unwrap();
    let missing: Vec<&str> =
        report["gaps"].as_array().unwrap().iter().filter_map(|gap| gap["missingPermission"].as_str()).collect();
    assert!(!missing.is_empty());
    for permission in missing {
        assert!(role["Actions"].as_array().unwrap().iter().any(|action| action == permission), "{permission}");
    }
}

#[test]
fn completions_and_the_manual_are_made() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(run(&["completion", shell]).stdout.contains("management-group"), "{shell}");
    }
    let manual = run(&["man"]).stdout;
    assert!(manual.starts_with(".ie") && manual.contains("hostssl\\-audit"), "{manual}");
}

fn json(text: impl AsRef<[u8]>) -> Value {
    serde_json::from_slice(text.as_ref()).unwrap()
}

/// What bash offers for the last of these words, with the script that hostssl prints and hostssl itself below it.
#[cfg(unix)]
fn completed(state: &std::path::Path, words: &[&str]) -> Vec<String> {
    let program = env!("CARGO_BIN_EXE_hostssl");
    let script = run(&["completion", "bash"]).stdout;
    let words: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let asked = format!(
        "{script}\nCOMP_WORDS=('{program}' {}); COMP_CWORD={}; COMPREPLY=()\n\
         _hostssl_runs '{program}' \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD-1]}}\"\n\
         printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        words.join(" "),
        words.len(),
    );
    // From a file: as an argument it is longer than Linux takes.
    let mut file = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(&mut file, asked.as_bytes()).unwrap();
    let mut bash = std::process::Command::new("bash");
    let bash = bash.arg("--norc").arg(file.path()).env("HOSTSSL_STATE", state).output().unwrap();
    assert!(bash.status.success(), "{}", String::from_utf8_lossy(&bash.stderr));
    String::from_utf8(bash.stdout).unwrap().lines().map(ToOwned::to_owned).collect()
}

/// What zsh is offered of the runs, with clap's part left out: its functions are those of zsh's own completion.
#[cfg(unix)]
fn completed_by_zsh(state: &std::path::Path, words: &[&str]) -> Option<Vec<String>> {
    let program = env!("CARGO_BIN_EXE_hostssl");
    let script = run(&["completion", "zsh"]).stdout;
    assert_eq!(script.matches("\n_hostssl() {").count(), 1, "clap's function has another name");
    assert!(script.contains("\n_hostssl_words() {"));
    let words: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let asked = format!(
        "compdef() {{ : }}\n_arguments() {{ return 1 }}\n_describe() {{ return 1 }}\n\
         compadd() {{ shift; print -rl -- \"$@\" }}\n{script}\n\
         words=('{program}' {}); CURRENT={}\n_hostssl; true",
        words.join(" "),
        words.len() + 1,
    );
    let mut file = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(&mut file, asked.as_bytes()).unwrap();
    // Where there is no zsh, its script is still what it was made of.
    let zsh = std::process::Command::new("zsh").arg("-f").arg(file.path()).env("HOSTSSL_STATE", state).output().ok()?;
    assert!(zsh.status.success(), "{}", String::from_utf8_lossy(&zsh.stderr));
    Some(String::from_utf8(zsh.stdout).unwrap().lines().map(ToOwned::to_owned).collect())
}

#[cfg(unix)]
#[test]
fn the_shell_completes_the_ids_of_the_runs_that_a_command_takes() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().to_str().unwrap();
    let plan = directory.path().join("plan.json");
    let plan = plan.to_str().unwrap();
    assert_eq!(run(&["audit", "--simulate", "--state", state]).code, 3);
    let planned = ["plan", "--simulate", "--state", state, "--server", "pg-keycloak", "--out", plan];
    run(&[&planned[..], &["--accept-breakage", "*=agreed with the owners"]].concat());
    let hash = json(std::fs::read(plan).unwrap())["hash"].as_str().unwrap().to_owned();
    let applied = run(&["apply", plan, "--simulate", "--state", state, "--approve", &hash]);
    assert_eq!(applied.code, 0, "{}", applied.stderr);
    let kept = json(run(&["runs", "--simulate", "--state", state, "-o", "json"]).stdout);
    let of = |kind: &str| -> Vec<String> {
        let runs = kept.as_array().unwrap().iter().filter(|run| run["kind"] == kind);
        runs.map(|run| run["run"].as_str().unwrap().to_owned()).collect()
    };
    let (applies, audits) = (of("apply"), of("audit"));
    assert!(applies.len() == 1 && !audits.is_empty(), "{kept}");
    let state = directory.path();
    let offered = |words: &[&str]| {
        let found = completed(state, words);
        let known = |ids: &[String]| ids.iter().filter(|id| found.contains(id)).count();
        (known(&applies), known(&audits))
    };
    assert_eq!(offered(&["undo", "--simulate", ""]), (1, 0));
    assert_eq!(offered(&["resume", "--simulate", &applies[0][..9]]), (1, 0));
    assert_eq!(offered(&["diff", "--simulate", ""]), (0, audits.len()));
    assert_eq!(offered(&["runs", "judge", "--simulate", ""]), (0, audits.len()));
    assert_eq!(offered(&["runs", "show", "--simulate", ""]), (1, audits.len()));
    assert_eq!(offered(&["undo", "--simulate", "nothing-like-this"]), (0, 0));
    assert_eq!(offered(&["undo", "--simulate", "--reason", ""]), (0, 0), "that is the reason");
    assert_eq!(offered(&["audit", "--simulate", ""]), (0, 0));
    assert!(completed(state, &["und"]).contains(&"undo".to_owned()), "what clap completes is still there");
    assert_eq!(offered(&["diff", "--simulate", &audits[0], "--reverse", ""]), (0, audits.len()), "a flag has no value");
    assert_eq!(offered(&["trend", "--simulate", ""]), (0, audits.len()));
    assert_eq!(offered(&["audit", "--simulate", "--baseline", ""]), (0, audits.len()));
    assert_eq!(offered(&["plan", "check", plan, "--simulate", "--audit", ""]), (0, audits.len()));
    for words in
        [&["undo", ""][..], &["diff", ""], &["audit", "--baseline", ""], &["plan", "check", plan, "--audit", ""]]
    {
        assert!(completed(state, words).contains(&"latest".to_owned()), "{words:?}");
    }
    assert_eq!(offered(&["iac", "check", "f", "--baseline", ""]), (0, 0), "that is a file");
    let all: Vec<String> = applies.iter().chain(&audits).cloned().collect();
    let cases: [(&[&str], &[String]); 7] = [
        (&["undo", "--simulate", ""], &applies),
        (&["diff", "--simulate", ""], &audits),
        (&["audit", "--simulate", "--baseline", ""], &audits),
        (&["plan", "check", plan, "--simulate", "--audit", ""], &audits),
        (&["runs", "show", "--simulate", ""], &all),
        (&["undo", "--simulate", "--reason", ""], &[]),
        (&["audit", "--simulate", ""], &[]),
    ];
    for (words, expected) in cases {
        if let Some(mut found) = completed_by_zsh(state, words) {
            let mut expected = expected.to_vec();
            found.sort_unstable();
            expected.sort_unstable();
            assert_eq!(found, expected, "{words:?}");
        }
    }
}

#[cfg(unix)]
#[test]
fn the_shell_completes_the_values_of_options() {
    let state = std::path::Path::new("/nothing-is-here");
    let cases: [(&[&str], &str); 7] = [
        (&["plan", "check", "p.json", "--allow", "production"], "production-canary"),
        (&["plan", "--wave-by", "sub"], "subscription"),
        (&["audit", "--cloud", "AzureU"], "AzureUSGovernment"),
        (&["plan", "check", "p.json", "--cloud", "AzureC"], "AzureChinaCloud"),
        (&["probe", "db", "--fail-on", "no-t"], "no-tls13"),
        (&["probe", "db", "--allow", "verify"], "verify-full"),
        (&["probe", "db", "--fail-on", "not-"], "not-enforced"),
    ];
    for (words, expected) in cases {
        let found = completed(state, words);
        assert!(found.contains(&expected.to_owned()), "{words:?}: {found:?}");
    }
}

#[test]
fn options_that_would_be_ignored_are_refused() {
    let cases: [&[&str]; 10] = [
        &["audit", "--simulate", "--ca-file", "/no/such/file"],
        &["audit", "--simulate", "--no-save", "--retain", "3"],
        &["server", "list", "--simulate", "--ca-file", "/no/such/file"],
        &["plan", "--simulate", "--ca-file", "/no/such/file"],
        &["plan", "--simulate", "--accept-breakage", "pg-a=one", "--accept-breakage", "PG-A=two"],
        &["probe", "127.0.0.1:1", "--no-save", "--retain", "3"],
        &["watch", "--simulate", "--once", "--every", "5m"],
        &["watch", "--simulate", "--once", "--webhook-secret", "Cargo.toml"],
        &["watch", "--simulate", "--once", "--webhook-kind", "slack"],
        &["serve", "--simulate", "--link", "ann=viewer", "--link", "ann=approver"],
    ];
    for arguments in cases {
        let done = run(arguments);
        assert!(done.code == 2 && done.stdout.is_empty(), "{arguments:?}: {} {}", done.code, done.stderr);
    }
}

/// Runs the program with a text on standard input.
fn piped(arguments: &[&str], text: &str) -> common::Done {
    let mut file = tempfile::tempfile().unwrap();
    std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
    std::io::Seek::rewind(&mut file).unwrap();
    start(hostssl().args(arguments).stdin(file)).finish()
}

#[test]
fn files_can_be_piped() {
    let bundle = run(&["ca-bundle"]).stdout;
    let checked = piped(&["ca-bundle", "check", "-"], &bundle);
    assert!(
        checked.code == 0 && checked.stdout.starts_with("standard input\n"),
        "{}{}",
        checked.stdout,
        checked.stderr
    );
    assert_eq!(piped(&["ca-bundle", "check", "-"], "no certificate").code, 2);
    // libpq refuses files that were joined without a line break.
    let joined = piped(&["ca-bundle", "check", "-"], &bundle.replace("-----\n\n# ", "-----# "));
    assert!(joined.code == 2 && joined.stderr.contains("line "), "{}", joined.stderr);

    // A waiver is proposed as text to paste, which is what the other commands read.
    let proposed = run(&[
        "waivers",
        "add",
        "-",
        "--control",
        "require-secure-transport",
        "--scope",
        "/subscriptions/20000000-0000-4000-8000-000000000001",
        "--owner",
        "ada",
        "--approver",
        "bob",
        "--expires",
        &(jiff::Timestamp::now() + jiff::Span::new().hours(24 * 30)).to_string()[..10],
        "--reason",
        "a test",
    ]);
    assert!(
        proposed.code == 0 && proposed.stdout.starts_with("[[waiver]]\n"),
        "{}{}",
        proposed.stdout,
        proposed.stderr
    );
    assert_eq!(piped(&["waivers", "check", "-"], &proposed.stdout).code, 0);
    assert!(piped(&["waivers", "list", "-"], &proposed.stdout).stdout.contains("a test"));
    assert_eq!(piped(&["waivers", "check", "-"], "[[waiver]]\ncontrol = 1\n").code, 2);
    assert!(!std::path::Path::new("-").exists());

    // It stands beside the failures of a kept audit too.
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().to_str().unwrap();
    run(&["audit", "--simulate", "--state", state, "-q"]);
    let show = ["runs", "show", "latest", "--simulate", "--state", state, "-o", "json", "--waivers", "-"];
    let shown = piped(&show, &proposed.stdout);
    let waived = json(&shown.stdout);
    let findings =
        waived["servers"].as_array().unwrap().iter().flat_map(|server| server["findings"].as_array().unwrap());
    let covered = findings.filter(|finding| finding["waiver"]["owner"] == "ada").count();
    assert!(shown.code == 0 && covered > 0, "{}", shown.stderr);
}

#[test]
fn over_tls_with_a_client_secret() {
    let simulator = simulator(&["demo"]);
    let done = simulator.run(&["audit", "-o", "json"]);
    assert_eq!(done.code, 3, "{}", done.stderr);
    let served: Value = serde_json::from_str(&done.stdout).unwrap();
    let inside: Value = serde_json::from_str(&run(&["audit", "--simulate", "-o", "json"]).stdout).unwrap();
    assert_eq!(served["servers"], inside["servers"]);
    assert_eq!(served["run"]["cloud"], "custom");
    // Signing in elsewhere is never tried.
    let wrong = simulator.run_with(&["audit"], &[("AZURE_CLIENT_SECRET", "wrong")]);
    assert_eq!(wrong.code, 1);
    assert!(wrong.stderr.contains("signing in with --auth secret failed"), "{}", wrong.stderr);
    let untrusted = simulator.run_with(&["audit"], &[("HOSTSSL_CA_FILE", ""), ("SSL_CERT_FILE", "/dev/null")]);
    assert_eq!(untrusted.code, 1, "{}", untrusted.stderr);
    let tenant = simulator.run(&["audit", "--tenant", "99999999-0000-4000-8000-000000000000"]);
    assert_eq!(tenant.code, 2, "{}", tenant.stderr);
}

#[test]
fn every_way_to_sign_in_that_the_simulator_has() {
    let simulator = simulator(&["enforced"]);
    let arm = simulator.variable("HOSTSSL_ARM_ENDPOINT");
    let folder = simulator.folder();
    let token_file = folder.join("token");
    std::fs::write(&token_file, "simulated").unwrap();
    let workload = [("AZURE_FEDERATED_TOKEN_FILE", token_file.to_str().unwrap())];
    let identity_endpoint = format!("{arm}/msi/token");
    let managed = [("IDENTITY_ENDPOINT", identity_endpoint.as_str()), ("IDENTITY_HEADER", "simulated")];
    let oidc = format!("{arm}/oidctoken");
    let (tenant, client) = (simulator.variable("AZURE_TENANT_ID"), simulator.variable("AZURE_CLIENT_ID"));
    let pipelines = [
        ("SYSTEM_OIDCREQUESTURI", oidc.as_str()),
        ("SYSTEM_ACCESSTOKEN", "simulated"),
        ("AZURESUBSCRIPTION_TENANT_ID", tenant.as_str()),
        ("AZURESUBSCRIPTION_CLIENT_ID", client.as_str()),
        ("AZURESUBSCRIPTION_SERVICE_CONNECTION_ID", "connection"),
    ];
    let tool = common::fake_azure_tools(&simulator);
    let path = [("PATH", tool.as_str())];
    let ways: [(&str, &[(&str, &str)]); 6] = [
        ("secret", &[]),
        ("workload-identity", &workload),
        ("managed-identity", &managed),
        ("pipelines", &pipelines),
        ("cli", &path),
        ("azd", &path),
    ];
    for (way, variables) in ways {
        let done = simulator.run_with(&["audit", "--auth", way], variables);
        assert_eq!(done.code, 0, "{way}: {}{}", done.stderr, done.stdout);
        assert!(
            done.stderr.starts_with(&format!("signed in as simulated-app (--auth {way})")),
            "{way}: {}",
            done.stderr
        );
    }
    // `cli` when nothing is said, and nothing else when it fails.
    let nobody = simulator.run_with(&["audit"], &[("HOSTSSL_AUTH", ""), ("PATH", "/nowhere")]);
    assert_eq!(nobody.code, 1, "{}", nobody.stderr);
}

#[test]
fn no_token_and_no_signature_is_ever_written() {
    let simulator = simulator(&["demo"]);
    for arguments in [&["audit", "-vv"][..], &["audit", "-v", "-o", "json"], &["server", "list", "-vv"]] {
        let done = simulator.run(arguments);
        assert!(done.stderr.len() > 1000, "-v tells what is sent");
        // Every JWT begins with the encoding of `{"`.
        for text in [&done.stdout, &done.stderr] {
            assert!(!text.contains("eyJ") && !text.to_lowercase().contains("bearer "), "{arguments:?}");
        }
        let wrong = simulator.run_with(arguments, &[("AZURE_CLIENT_SECRET", "not-the-secret")]);
        assert!(!wrong.stderr.contains("not-the-secret"), "{arguments:?}: {}", wrong.stderr);
    }
}

#[test]
fn an_interrupt_ends_in_a_valid_partial_report() {
    let simulator = simulator(&["fleet", "--subscriptions", "20", "--servers", "400", "--latency", "400"]);
    let mut audit = simulator.start(&["audit", "-v", "-o", "json", "--concurrency", "8"]);
    // 400 servers at 8 requests in 400 ms take a minute. It has begun to read them when a parameter of one is there.
    while !audit.wait_for_stderr("").contains("/configurations/") {}
    audit.signal("INT");
    let done = audit.finish();
    assert!(matches!(done.code, 3 | 4), "{}: {}", done.code, done.stderr);
    let report: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(report["run"]["complete"], false);
    let reasons: Vec<&Value> = report["gaps"].as_array().unwrap().iter().map(|gap| &gap["reason"]).collect();
    assert!(reasons.iter().any(|reason| *reason == "interrupted"), "{reasons:?}");
}

#[test]
fn a_deadline_ends_in_a_valid_partial_report() {
    let simulator = simulator(&["fleet", "--subscriptions", "20", "--servers", "400", "--latency", "400"]);
    let done = simulator.run(&["audit", "--concurrency", "8", "--deadline", "2s"]);
    assert!(matches!(done.code, 3 | 4), "{}", done.stderr);
    assert!(done.stdout.contains("coverage: partial"), "{}", done.stdout);
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut audit = start(hostssl().args(["audit", "--simulate", "-o", "csv"]));
    audit.close_stdout();
    let done = audit.finish();
    // As for a signal that the reader is gone: a verdict over a part would be none.
    assert_eq!((done.code, done.stderr.contains("error")), (141, false), "{}", done.stderr);
}

/// A peer that has no TLS and asks everyone for a password in plaintext.
fn plaintext_only_server() -> u16 {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                let mut first = [0; 1024];
                while let Ok(count @ 1..) = stream.read(&mut first) {
                    let is_ssl_request = first.get(..count) == Some(&[0, 0, 0, 8, 4, 210, 22, 47]);
                    let answer: &[u8] = if is_ssl_request { b"N" } else { b"R\0\0\0\x08\0\0\0\x03" };
                    if stream.write_all(answer).is_err() {
                        return;
                    }
                }
            });
        }
    });
    port
}

#[test]
fn a_probe_tells_what_the_wire_does() {
    let target = format!("127.0.0.1:{}", plaintext_only_server());
    let done = run(&["probe", &target]);
    assert_eq!(done.code, 3, "{}", done.stderr);
    assert!(
        done.stdout.contains("plaintext-only") && done.stdout.contains("weakness: plaintext-password"),
        "{}",
        done.stdout
    );
    let report: Value = serde_json::from_str(&run(&["probe", &target, "-o", "json"]).stdout).unwrap();
    assert_eq!(report["schema"], "hostssl/probe/v1");
    assert_eq!(report["endpoints"][0]["sslRequest"], "N");
    assert_eq!(report["endpoints"][0]["plaintext"]["authentication"], "password");
    let transcript = run(&["probe", &target, "--transcript"]).stdout;
    assert!(transcript.contains("SSLRequest") && transcript.contains("StartupMessage"), "{transcript}");
    let closed = run(&["probe", "127.0.0.1:1"]);
    assert_eq!(closed.code, 4, "what cannot be reached is not enforced: {}", closed.stdout);
    let secret = run(&["probe", &format!("postgresql://me:hunter2@{target}/db"), "--transcript", "-o", "json"]);
    assert!(!secret.stdout.contains("hunter2") && !secret.stderr.contains("hunter2"));
    for mistake in [&["probe"][..], &["probe", "/var/run/postgresql"], &["probe", "--targets", "/no/such/file"]] {
        assert_eq!(run(mistake).code, 2, "{mistake:?}");
    }
}

#[test]
fn an_error_is_explained() {
    let error = r#"FATAL: no pg_hba.conf entry for host "203.0.113.9", user "app", database "shop", no encryption"#;
    let done = run(&["explain", error]);
    assert!(done.stdout.starts_with("tls-enforced (confidence: high)\n"), "{}", done.stdout);
    for part in ["What: ", "Why:  It says: no pg_hba.conf entry ... no encryption.", "Next: Set sslmode=require"] {
        assert!(done.stdout.contains(part), "{part}: {}", done.stdout);
    }
    let herring = run(&["explain", &format!("FATAL: password authentication failed for user \"app\" {error}")]);
    assert!(herring.stdout.starts_with("password") && herring.stdout.contains("red herring"), "{}", herring.stdout);
    let unknown = run(&["explain", "something", "else"]);
    assert!(unknown.stdout.starts_with("unknown"));
    assert_eq!(unknown.code, 4, "a script is to know that nothing is explained");
}

/// Runs `hostssl explain` with these arguments and bytes on standard input.
fn explain_input(args: &[&str], input: &[u8]) -> std::process::Output {
    use std::io::Write;
    use std::process::Stdio;
    let mut command = hostssl();
    command.arg("explain").args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // It may stop reading before the end.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

#[test]
fn an_error_is_read_from_standard_input() {
    let error = b"2026-11-25 09:00:00 UTC [7] \x1b[31mFATAL:\x1b[0m  no pg_hba.conf entry for host \"1.2.3.4\",\n user \"f\xfcr\", \
                  database \"\x1b[2J\", no encryption\n";
    for args in [&[][..], &["-"], &["-", "-o", "table"]] {
        let done = explain_input(args, error);
        assert_eq!(done.status.code(), Some(0), "{args:?}");
        assert!(done.stdout.starts_with(b"tls-enforced"), "{}", String::from_utf8_lossy(&done.stdout));
        assert!(done.stderr.is_empty() && !done.stdout.contains(&0x1b), "nothing of the text reaches the terminal");
    }
    let found: Value = serde_json::from_slice(&explain_input(&["-o", "json"], error).stdout).unwrap();
    assert_eq!((&found[0]["cause"], &found[0]["confidence"]), (&"tls-enforced".into(), &"high".into()));
}

#[test]
fn input_that_is_long_or_empty() {
    let mut log = error_line("app");
    log.resize(300 << 10, b'x');
    let done = explain_input(&[], &log);
    assert!(done.stdout.starts_with(b"password"), "{}", String::from_utf8_lossy(&done.stdout));
    assert_eq!(String::from_utf8(done.stderr).unwrap(), "warning: only the first 64 KiB are read\n");
    for args in [&[][..], &["-"]] {
        let done = explain_input(args, b" \n");
        assert_eq!(done.status.code(), Some(2), "no text is a mistake in the use");
        assert!(String::from_utf8_lossy(&done.stderr).contains("hostssl explain < error.txt"));
    }
}

fn error_line(user: &str) -> Vec<u8> {
    format!("FATAL: password authentication failed for user \"{user}\"\n").into_bytes()
}

#[test]
fn no_plan_is_promised_for_a_value_that_waits_for_a_restart() {
    let csv = run(&["audit", "--simulate", "-o", "csv", "-q"]).stdout;
    let failing = |name: &str| csv.lines().find(|line| line.contains(name) && line.contains("Expected: ")).unwrap();
    let waits = failing("pg-shipping-stage");
    assert!(
        waits.contains("The value waits for a restart of the server") && !waits.contains("plans the change"),
        "{waits}"
    );
    assert!(failing("pg-catalog-prod").contains("`hostssl plan` plans the change"), "{csv}");
}
