//! What decides how a check of a file ends: waivers and a baseline, in every format. Neither makes what is not known a pass.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hostssl_audit::{Profile, read_waivers};
use hostssl_formats::iac_baseline::{self, InvalidIacJson};
use hostssl_formats::iac_words::IacOrigin;
use hostssl_formats::{Text, iac_csv, iac_html, iac_json, iac_junit, iac_markdown, iac_ocsf, iac_sarif, iac_text};
use hostssl_iac::{IacReport, check, read};
use hostssl_model::{AuditEnd, FailOn, Outcome};
use hostssl_test_support::schema::Schema;
use jiff::Timestamp;
use jiff::civil::date;
use serde_json::{Value, json};

const SUBSCRIPTION: &str = "/subscriptions/00000000-0000-4000-8000-000000000001";

/// A plan that turns the servers of these names off, and sets the lowest version of each.
fn plan(servers: &[(&str, &str, &str)]) -> String {
    let changes = servers.iter().flat_map(|(name, switch, floor)| {
        let id = format!("{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.DBforPostgreSQL/flexibleServers/{name}");
        let block = |setting: &str, value: &str| {
            let after = json!({ "name": setting, "value": value, "server_id": id });
            json!({
                "address": format!("azurerm_postgresql_flexible_server_configuration.{name}-{setting}"), "mode": "managed",
                "type": "azurerm_postgresql_flexible_server_configuration", "name": format!("{name}-{setting}"),
                "change": { "actions": ["create"], "before": null, "after": after },
            })
        };
        [block("require_secure_transport", switch), block("ssl_min_protocol_version", floor)]
    });
    json!({ "format_version": "1.2", "resource_changes": changes.collect::<Vec<_>>() }).to_string()
}

fn report_by(profile: &str, plan: &str) -> IacReport {
    check(&read(plan.as_bytes()).unwrap(), &Profile::find(profile).unwrap(), None)
}

fn report(plan: &str) -> IacReport {
    report_by("baseline", plan)
}

fn json_of(report: &IacReport) -> String {
    iac_json::value(report, "plan.json").unwrap().to_string()
}

/// Compares with an earlier check, of which only what its JSON says is known.
fn compared(mut report: IacReport, earlier: &IacReport) -> IacReport {
    report.fail_on = vec![FailOn::New];
    report.compare_with("old.json", &iac_baseline::read(json_of(earlier).as_bytes()).unwrap());
    report
}

fn waived(mut report: IacReport, until: &str) -> IacReport {
    let file = format!(
        "[[waiver]]\ncontrol = 'require-secure-transport'\nscope = '{SUBSCRIPTION}/resourceGroups/rg'\nowner = 'shop'\n\
         approver = 'security'\nexpires = '{until}'\nreason = 'until the | next <b>release</b>'\n\
         [[waiver]]\ncontrol = 'minimum-tls-version'\nscope = '/subscriptions/00000000-0000-4000-8000-000000000002'\n\
         owner = 'other'\napprover = 'security'\nexpires = '2020-01-01'\nreason = 'of another file'\n"
    );
    report.apply_waivers("w.toml", read_waivers(&file, date(2026, 11, 28), 365).unwrap());
    report
}

fn outputs(report: &IacReport) -> Vec<(&'static str, String)> {
    let origin = IacOrigin { file: "plan.json", tool_version: "0.1.0", checked_at: Timestamp::UNIX_EPOCH };
    let mut all = Vec::new();
    let mut add = |name, write: &dyn Fn(&mut Vec<u8>) -> std::io::Result<()>| {
        let mut out = Vec::new();
        write(&mut out).unwrap();
        all.push((name, String::from_utf8(out).unwrap()));
    };
    add("text", &|out| iac_text::write(out, report, origin.file, &Text::plain()));
    add("json", &|out| iac_json::write(out, report, origin.file));
    add("csv", &|out| iac_csv::write(out, report, origin.file));
    add("sarif", &|out| iac_sarif::write(out, report, origin.file, origin.tool_version));
    add("ocsf", &|out| iac_ocsf::write(out, report, &origin));
    add("junit", &|out| iac_junit::write(out, report, origin.file));
    add("markdown", &|out| iac_markdown::write(out, report, origin.file));
    add("html", &|out| iac_html::write(out, report, &origin));
    all
}

#[test]
fn what_failed_as_before_does_not_count_and_what_is_new_does() {
    let before = report(&plan(&[("pg-a", "off", "TLSv1.2")]));
    assert_eq!(before.end(), AuditEnd::Findings);
    let same = compared(report(&plan(&[("pg-a", "off", "TLSv1.2")])), &before);
    assert_eq!((same.end(), same.baseline.as_ref().unwrap().known), (AuditEnd::Pass, 1));
    let more = compared(report(&plan(&[("pg-a", "off", "TLSv1.2"), ("pg-b", "off", "TLSv1.2")])), &before);
    assert_eq!(more.end(), AuditEnd::Findings);
    // The same rule fails for another value.
    let before = report_by("strict", &plan(&[("pg-a", "on", "TLSv1.1")]));
    let other = compared(report_by("strict", &plan(&[("pg-a", "on", "TLSv1.2")])), &before);
    assert_eq!(other.end(), AuditEnd::Findings);
}

#[test]
fn a_baseline_that_does_not_compare_never_passes() {
    let failing = plan(&[("pg-a", "off", "TLSv1.2")]);
    let strict = compared(report(&failing), &report_by("strict", &failing));
    assert_eq!(strict.end(), AuditEnd::Incomplete, "by other rules");
    assert!(outputs(&strict).iter().find(|(name, _)| *name == "text").unwrap().1.contains("another profile"));
    let template = report(
        r#"{"$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#", "contentVersion": "1.0.0.0", "resources": []}"#,
    );
    assert_eq!(compared(report(&failing), &template).end(), AuditEnd::Findings, "nothing is known");
    let nothing = r#"{"format_version": "1.2", "resource_changes": []}"#;
    assert_eq!(compared(report(nothing), &template).end(), AuditEnd::Incomplete, "of another format");
    // What is not known stays so.
    let partial = r#"{"format_version": "1.2", "complete": false, "resource_changes": []}"#;
    assert_eq!(compared(report(partial), &report(partial)).end(), AuditEnd::Incomplete);
    for wrong in ["{}", r#"{"schema": "hostssl/audit/v1"}"#, "[]", r#""x""#] {
        assert!(matches!(iac_baseline::read(wrong.as_bytes()), Err(InvalidIacJson::Schema(_))), "{wrong}");
    }
    for wrong in ["", "x", r#"{"schema": "hostssl/iac/v1"}"#] {
        assert!(matches!(iac_baseline::read(wrong.as_bytes()), Err(InvalidIacJson::Json(_))), "{wrong}");
    }
}

#[test]
fn a_waiver_waives_while_it_holds_and_changes_no_outcome() {
    let text = plan(&[("pg-a", "off", "TLSv1.2")]);
    let report_of = |until: &str| waived(report(&text), until);
    let (holds, expired) = (report_of("2027-01-01"), report_of("2026-01-01"));
    assert_eq!((holds.end(), expired.end()), (AuditEnd::Pass, AuditEnd::Findings));
    assert!([&holds, &expired].iter().all(|one| one.servers.iter().any(|server| server.outcome() == Outcome::Fail)));
    // A failure that was waived is new once the waiver has gone.
    assert_eq!(compared(report(&text), &holds).end(), AuditEnd::Findings);
    assert_eq!(compared(report_of("2026-01-01"), &expired).end(), AuditEnd::Findings, "expired failures are not known");
    for (name, out) in outputs(&holds) {
        let said = if name == "csv" { "2027-01-01" } else { "until the" };
        assert!(out.contains(said), "{name}: {out}");
        assert!(name == "json" || !out.contains("of another file"), "{name}: {out}");
        assert!(!matches!(name, "html" | "markdown" | "junit") || !out.contains("<b>"), "{name}: {out}");
    }
    let schema = Schema::generated("iac-v1", &iac_json::schema());
    for report in [holds, expired, compared(report(&text), &report(&text))] {
        schema.assert_accepts(&serde_json::from_str(&json_of(&report)).unwrap());
    }
}

#[test]
fn a_server_without_an_id_has_no_waiver() {
    let server = json!({ "name": "pg-old", "resource_group_name": "rg", "ssl_enforcement_enabled": false });
    let change = json!({
        "address": "azurerm_postgresql_server.old", "mode": "managed", "type": "azurerm_postgresql_server", "name": "old",
        "change": { "actions": ["create"], "before": null, "after": server },
    });
    let plan = json!({ "format_version": "1.2", "resource_changes": [change] }).to_string();
    let report = waived(report(&plan), "2027-01-01");
    assert!(report.servers[0].id.is_none());
    assert_eq!(report.end(), AuditEnd::Findings);
}

#[test]
fn rows_and_events_are_those_of_the_findings() {
    let report = report(include_str!("../../iac/tests/fixtures/plan-change.json"));
    let findings: Vec<_> = report.servers.iter().flat_map(|server| &server.findings).collect();
    let all = outputs(&report);
    let of = |wanted: &str| &all.iter().find(|(name, _)| *name == wanted).unwrap().1;
    let bare = report.servers.iter().filter(|server| server.findings.is_empty()).count();
    let mut rows = csv::Reader::from_reader(of("csv").as_bytes());
    assert_eq!(rows.records().map(Result::unwrap).count(), findings.len() + bare);
    let events: Vec<Value> = serde_json::from_str(of("ocsf")).unwrap();
    let status = |wanted: &str| events.iter().filter(|one| one["compliance"]["status"] == wanted).count();
    let count = |wanted| findings.iter().filter(|one| one.outcome == wanted).count();
    assert_eq!((status("Fail"), status("Pass")), (count(Outcome::Fail), count(Outcome::Pass)));
    assert_eq!(status("Warning"), count(Outcome::Unknown) + report.gaps.len());
    insta::assert_json_snapshot!("an_event", events.iter().find(|one| one["compliance"]["status"] == "Fail"));
    insta::assert_snapshot!("first_rows", of("csv").lines().take(4).collect::<Vec<_>>().join("\n"));
    let page = of("html");
    assert!(page.contains("default-src &#39;none&#39;") && !page.contains("<script"), "{page}");
    assert_eq!(page.matches(">fail</span>").count(), count(Outcome::Fail));
}
