//! A check of a Terraform plan and of a template, in every format that people or programs read.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hostssl_audit::Profile;
use hostssl_formats::iac_snippet::{self, NoSnippet, SnippetAim, SnippetLanguage};
use hostssl_formats::iac_words::IacOrigin;
use hostssl_formats::{Text, iac_csv, iac_html, iac_json, iac_junit, iac_markdown, iac_ocsf, iac_sarif, iac_text};
use hostssl_iac::{IacReport, check, read};
use hostssl_model::{AuditEnd, Kind, Outcome, ResourceId, TlsVersion};
use hostssl_test_support::schema::Schema;
use serde_json::{Value, json};

const PLAN: &str = include_str!("../../iac/tests/fixtures/plan-change.json");
const CREATE: &str = include_str!("../../iac/tests/fixtures/plan-create.json");
const STATE: &str = include_str!("../../iac/tests/fixtures/state.json");
const TEMPLATE: &str = include_str!("../../iac/tests/fixtures/template.json");
/// How every secret in the files begins.
const SECRET: &str = "S3cret";

fn report(text: &str) -> IacReport {
    check(&read(text.as_bytes()).unwrap(), &Profile::find("baseline").unwrap(), None)
}

fn outputs(report: &IacReport, file: &str) -> [(&'static str, String); 8] {
    let (mut text, mut json, mut sarif) = (Vec::new(), Vec::new(), Vec::new());
    let (mut junit, mut markdown) = (Vec::new(), Vec::new());
    let (mut csv, mut ocsf, mut html) = (Vec::new(), Vec::new(), Vec::new());
    let origin = IacOrigin { file, tool_version: "0.1.0", checked_at: jiff::Timestamp::UNIX_EPOCH };
    iac_csv::write(&mut csv, report, file).unwrap();
    iac_ocsf::write(&mut ocsf, report, &origin).unwrap();
    iac_html::write(&mut html, report, &origin).unwrap();
    iac_junit::write(&mut junit, report, file).unwrap();
    iac_markdown::write(&mut markdown, report, file).unwrap();
    iac_text::write(&mut text, report, file, &Text::plain()).unwrap();
    iac_json::write(&mut json, report, file).unwrap();
    iac_sarif::write(&mut sarif, report, file, "0.1.0").unwrap();
    let people = [("text", text), ("junit", junit), ("markdown", markdown), ("html", html)];
    let programs = [("json", json), ("sarif", sarif), ("csv", csv), ("ocsf", ocsf)];
    let mut all = people.into_iter().chain(programs);
    std::array::from_fn(|_| all.next().map(|(name, out)| (name, String::from_utf8(out).unwrap())).unwrap())
}

fn output(report: &IacReport, file: &str, name: &str) -> String {
    outputs(report, file).into_iter().find(|(one, _)| *one == name).unwrap().1
}

#[test]
fn people_read_what_fails_first() {
    insta::assert_snapshot!("plan_as_text", output(&report(PLAN), "plan.json", "text"));
    insta::assert_snapshot!("plan_as_junit", output(&report(PLAN), "plan.json", "junit"));
    insta::assert_snapshot!("plan_as_markdown", output(&report(PLAN), "plan.json", "markdown"));
    insta::assert_snapshot!("template_as_text", output(&report(TEMPLATE), "main.json", "text"));
    let none = report(r#"{"format_version": "1.2", "resource_changes": []}"#);
    let text = output(&none, "plan.json", "text");
    assert!(
        text.contains("no flexible or single server of Azure Database for PostgreSQL in this Terraform plan"),
        "{text}"
    );
}

#[test]
fn the_schema_is_the_committed_one_and_reports_keep_to_it() {
    let schema = Schema::generated("iac-v1", &iac_json::schema());
    for (file, text) in [("plan.json", PLAN), ("-", CREATE), ("s", STATE), ("t", TEMPLATE)] {
        let report = report(text);
        let written: Value = serde_json::from_str(&output(&report, file, "json")).unwrap();
        assert_eq!(written, iac_json::value(&report, file).unwrap());
        schema.assert_accepts(&written);
        schema.assert_refuses(&written, |wrong| wrong["exit"]["reason"] = "fine".into());
        schema.assert_refuses(&written, |wrong| wrong["servers"][0]["findings"][0]["effect"] = "odd".into());
    }
    let server = &iac_json::value(&report(PLAN), "plan.json").unwrap()["servers"][1];
    insta::assert_json_snapshot!("a_server_as_json", server);
}

#[test]
fn sarif() {
    let report = report(PLAN);
    let log: Value = serde_json::from_str(&output(&report, "./infra/plan.json", "sarif")).unwrap();
    let run = &log["runs"][0];
    let results = run["results"].as_array().unwrap();
    let findings = report.servers.iter().flat_map(|server| &server.findings);
    let of = |outcome| findings.clone().filter(|finding| finding.outcome == outcome).count();
    let count = |kind: &str| results.iter().filter(|result| result["kind"] == kind).count();
    assert_eq!((count("fail"), count("open")), (of(Outcome::Fail), of(Outcome::Unknown)));
    assert!(count("fail") > 0 && count("open") > 0);
    let mut fingerprints: Vec<&str> = Vec::new();
    for result in results {
        let rule = &run["tool"]["driver"]["rules"][result["ruleIndex"].as_u64().unwrap() as usize];
        assert_eq!(rule["id"], result["ruleId"]);
        assert_eq!(result["kind"] == "fail", result["level"] != "none", "{result}");
        assert_eq!(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], "infra/plan.json");
        fingerprints.push(result["partialFingerprints"]["hostsslFinding/v1"].as_str().unwrap());
    }
    let all = fingerprints.len();
    fingerprints.sort_unstable();
    fingerprints.dedup();
    assert_eq!(fingerprints.len(), all, "every finding has a fingerprint of its own");
    insta::assert_json_snapshot!("a_result_as_sarif", results[0]);
}

#[test]
fn what_could_not_be_understood_is_in_every_format() {
    let partial = json!({"format_version": "1.2", "complete": false, "resource_changes": []}).to_string();
    let report = report(&partial);
    // A row is about a server; the command says beside it what could not be understood.
    for (name, text) in outputs(&report, "p").into_iter().filter(|(name, _)| *name != "csv") {
        assert!(text.contains("Terraform deferred a part of it"), "{name}: {text}");
    }
    let log: Value = serde_json::from_str(&output(&report, "p", "sarif")).unwrap();
    assert_eq!(log["runs"][0]["invocations"][0]["executionSuccessful"], false);
    assert_eq!(log["runs"][0]["invocations"][0]["exitCode"], 4);
}

#[test]
fn no_secret_of_a_file_is_in_any_format() {
    for text in [PLAN, CREATE, STATE, TEMPLATE] {
        assert!(text.contains(SECRET));
        // Also where it is not expected: every text that is not one of those that are read.
        for text in [text.to_owned(), secrets_everywhere(text)] {
            for (name, out) in outputs(&report(&text), "plan.json") {
                assert!(!out.contains(SECRET), "{name}: {out}");
            }
        }
    }
}

/// Members whose texts are read; all others become secrets, and each object has one more.
const READ: [&str; 26] = [
    "format_version",
    "terraform_version",
    "actions",
    "address",
    "module_address",
    "mode",
    "type",
    "name",
    "id",
    "server_id",
    "resource_group_name",
    "value",
    "ssl_minimal_tls_version_enforced",
    "references",
    "$schema",
    "contentVersion",
    "sslEnforcement",
    "minimalTlsVersion",
    "defaultValue",
    "scope",
    "parent_id",
    "create_mode",
    "index",
    "key",
    "condition",
    "legacy",
];

fn secrets_everywhere(text: &str) -> String {
    fn change(value: &mut Value, member: &str) {
        match value {
            Value::Object(members) => {
                members.iter_mut().for_each(|(name, value)| change(value, name));
                // What is listed there by name is a resource.
                if member != "resources" {
                    members.insert("password".to_owned(), SECRET.into());
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| change(item, member)),
            Value::String(text) if !READ.contains(&member) => *text = SECRET.to_owned(),
            _ => {}
        }
    }
    let mut value: Value = serde_json::from_str(text).unwrap();
    change(&mut value, "");
    value.to_string()
}

/// With the strictest minimum.
const STRICT: SnippetAim = SnippetAim { minimum: TlsVersion::Tls1_3, raises_maximum: false };

fn snippet(kind: Kind, name: &str, aim: SnippetAim, language: SnippetLanguage) -> Result<String, NoSnippet> {
    let id = format!("/subscriptions/s/resourceGroups/rg-shop/providers/{}/{name}", kind.offering().arm_type);
    let mut out = Vec::new();
    iac_snippet::write(&mut out, kind, &ResourceId::try_from(id.as_str()).unwrap(), aim, language).unwrap()?;
    Ok(String::from_utf8(out).unwrap())
}

#[test]
fn snippets_of_every_kind_and_language() {
    let languages = [SnippetLanguage::Terraform, SnippetLanguage::Bicep];
    let all = [(Kind::Flexible, "pg-1"), (Kind::Single, "1-legacy")];
    let written: Vec<String> = all
        .iter()
        .flat_map(|(kind, name)| languages.map(|language| snippet(*kind, name, STRICT, language).unwrap()))
        .collect();
    insta::assert_snapshot!("snippets", written.join("---\n"));
    let raised = SnippetAim { raises_maximum: true, ..STRICT };
    let raised = languages.map(|language| snippet(Kind::Flexible, "pg-1", raised, language).unwrap());
    insta::assert_snapshot!("snippets_that_raise_the_maximum", raised.join("---\n"));
    assert_eq!(snippet(Kind::CosmosCluster, "c", STRICT, SnippetLanguage::Bicep), Err(NoSnippet::AlwaysOn));
    assert_eq!(snippet(Kind::Horizon, "h", STRICT, SnippetLanguage::Bicep), Err(NoSnippet::ParameterGroup));
    // Nothing that a template would read otherwise.
    for name in ["a'b", "a\"b", "${a}"] {
        assert_eq!(snippet(Kind::Flexible, name, STRICT, SnippetLanguage::Terraform), Err(NoSnippet::Name), "{name}");
    }
}

/// A command that is printed as the next one prints what passes: the values of its snippet, put into the plan, leave no failure.
#[test]
fn the_next_command_fixes_what_fails() {
    let parameters = ["require_secure_transport", "ssl_min_protocol_version", "ssl_max_protocol_version"];
    for (profile, values, options) in [
        ("baseline", ["off", "TLSv1.2", "TLSv1.3"], "--profile baseline@1"),
        ("strict", ["on", "TLSv1.2", "TLSv1.3"], "--profile strict@1"),
        ("strict", ["on", "TLSv1.2", "TLSv1.2"], "--profile strict@1 --raise-maximum"),
    ] {
        let set: Vec<(&str, &str)> = parameters.into_iter().zip(values).collect();
        let before = judged(&plan_that_sets(&set), profile);
        let text = output(&before, "plan.json", "text");
        let (_, next) = text.split_once("next: hostssl iac snippet ").unwrap();
        assert!(next.contains(&format!("/pg {options}    #")), "{text}");
        let aim = SnippetAim {
            minimum: Profile::find(profile).unwrap().settings.minimum_tls,
            raises_maximum: options.contains("--raise-maximum"),
        };
        let snippet = snippet(Kind::Flexible, "pg", aim, SnippetLanguage::Terraform).unwrap();
        let of_block = |name: &&'static str| Some((*name, snippet.split_once(&format!("\"{name}\"\n"))?.1));
        let blocks = parameters.iter().filter_map(of_block);
        let written: Vec<(&str, &str)> = blocks
            .map(|(name, rest)| (name, rest.split("value     = \"").nth(1).unwrap().split('"').next().unwrap()))
            .collect();
        let fixed: Vec<(&str, &str)> = set
            .iter()
            .map(|(name, old)| (*name, written.iter().find(|(one, _)| one == name).map_or(*old, |(_, new)| *new)))
            .collect();
        assert_eq!(judged(&plan_that_sets(&fixed), profile).end(), AuditEnd::Pass, "{fixed:?} of {snippet}");
    }
}

fn judged(plan: &Value, profile: &str) -> IacReport {
    check(&read(plan.to_string().as_bytes()).unwrap(), &Profile::find(profile).unwrap(), None)
}

fn plan_that_sets(parameters: &[(&str, &str)]) -> Value {
    let id = "/subscriptions/s/resourceGroups/rg-shop/providers/Microsoft.DBforPostgreSQL/flexibleServers/pg";
    let change = |(name, value): &(&str, &str)| {
        json!({"address": format!("a.{name}"), "mode": "managed", "name": name,
               "type": "azurerm_postgresql_flexible_server_configuration",
               "change": {"actions": ["create"], "before": null, "after_unknown": {},
                          "after": {"name": name, "server_id": id, "value": value}}})
    };
    json!({"format_version": "1.2", "resource_changes": parameters.iter().map(change).collect::<Vec<_>>()})
}

#[test]
fn a_server_that_is_destroyed_is_no_pass() {
    let report = report(include_str!("../../iac/tests/fixtures/plan-destroy.json"));
    assert_eq!(iac_text::summary(&report), "7 servers: 7 not-applicable");
}
