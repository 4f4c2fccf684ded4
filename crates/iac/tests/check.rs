//! Files as Terraform and Bicep write them, and what is found in them.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hostssl_audit::Profile;
use hostssl_iac::{IacReport, InvalidIac, check, read};
use hostssl_model::{AuditEnd, AuditReport, Outcome, ParameterName};
use hostssl_test_support::fleet::{PlannerKnowledge, flexible};
use serde_json::{Value, json};
use std::fmt::Write as _;

const CREATE: &str = include_str!("fixtures/plan-create.json");
const CHANGE: &str = include_str!("fixtures/plan-change.json");
const DESTROY: &str = include_str!("fixtures/plan-destroy.json");
const STATE: &str = include_str!("fixtures/state.json");
const TEMPLATE: &str = include_str!("fixtures/template.json");

fn checked(text: &str) -> IacReport {
    checked_by(text, "baseline", None)
}

fn checked_by(text: &str, profile: &str, live: Option<&AuditReport>) -> IacReport {
    check(&read(text.as_bytes()).unwrap(), &Profile::find(profile).unwrap(), live)
}

/// A line for each finding, and one for each server that has none.
fn lines(report: &IacReport) -> String {
    let mut lines = format!("{} {:?}\n", report.format, report.end());
    for server in &report.servers {
        writeln!(lines, "{} ({})", server.title(), server.change).unwrap();
        for one in &server.findings {
            let spelled = |meaning| one.setting.spell(meaning).unwrap();
            let value = |meaning: Option<_>| meaning.map_or("?", spelled);
            let reason = one.reason.map_or("", |reason| reason.as_str());
            let (before, after) = (value(one.before), value(one.after));
            let rule = one.rule.as_str();
            write!(lines, "  {} {rule}: {} {before} -> {after}", one.outcome, one.effect).unwrap();
            let outside = one.changed_outside.map(|meaning| format!(" was {} outside", spelled(meaning)));
            let live = one.live.map(|live| format!(" live {} {:?}", spelled(live.meaning), live.difference));
            writeln!(lines, " {reason}{}{}", outside.unwrap_or_default(), live.unwrap_or_default()).unwrap();
        }
    }
    report.gaps.iter().for_each(|gap| writeln!(lines, "gap {gap:?}").unwrap());
    lines
}

#[test]
fn a_plan_that_creates_everything() {
    insta::assert_snapshot!(lines(&checked(CREATE)));
}

#[test]
fn a_plan_that_changes_deletes_forgets_and_creates() {
    insta::assert_snapshot!(lines(&checked(CHANGE)));
}

#[test]
fn a_plan_that_destroys_everything_leaves_nothing_to_judge() {
    let report = checked(DESTROY);
    assert_eq!(report.end(), AuditEnd::Pass);
    assert!(report.servers.iter().all(|server| server.findings.is_empty()), "{}", lines(&report));
}

#[test]
fn a_state() {
    insta::assert_snapshot!(lines(&checked(STATE)));
}

#[test]
fn a_template() {
    insta::assert_snapshot!(lines(&checked(TEMPLATE)));
}

#[test]
fn a_stricter_profile_judges_the_versions() {
    let report = checked_by(CREATE, "strict", None);
    assert_eq!(report.end(), AuditEnd::Findings, "the default of a new server is TLS 1.2");
    let cis = checked_by(CHANGE, "cis-azure-foundations", None);
    assert!(cis.servers.iter().flat_map(|server| &server.findings).all(|one| one.setting.is_switch()));
}

/// Members in any other order: as `jq -S` sorts them.
#[test]
fn the_order_of_members_does_not_matter() {
    for text in [CREATE, CHANGE, STATE, TEMPLATE] {
        let sorted = serde_json::from_str::<Value>(text).unwrap().to_string();
        assert_ne!(sorted, text);
        assert_eq!(lines(&checked(&sorted)), lines(&checked(text)));
    }
}

fn change(actions: Value, before: Value, after: Value, unknown: Value) -> Value {
    json!({"actions": actions, "before": before, "after": after, "after_unknown": unknown,
           "before_sensitive": {}, "after_sensitive": {}})
}

const ID: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.DBforPostgreSQL/flexibleServers/pg";

fn parameter(value: &str) -> Value {
    json!({"id": format!("{ID}/configurations/x"), "name": "require_secure_transport", "server_id": ID, "value": value})
}

fn plan_of(changes: &[(&str, &str, Value)]) -> String {
    let changes: Vec<Value> = changes
        .iter()
        .map(|(address, kind, change)| {
            let name = address.rsplit('.').next().unwrap();
            json!({"address": address, "mode": "managed", "type": kind, "name": name, "change": change})
        })
        .collect();
    json!({"format_version": "1.2", "terraform_version": "1.11.4", "resource_changes": changes}).to_string()
}

const PARAMETER: &str = "azurerm_postgresql_flexible_server_configuration";
const SINGLE: &str = "azurerm_postgresql_server";

fn parameters(changes: &[(&str, Value)]) -> String {
    let changes: Vec<_> = changes.iter().map(|(address, change)| (*address, PARAMETER, change.clone())).collect();
    plan_of(&changes)
}

#[test]
fn a_deletion_resets_and_may_come_last() {
    let off = || parameter("off");
    for (name, changes, expected) in [
        (
            "deleted",
            vec![("a.b", change(json!(["delete"]), off(), Value::Null, json!(false)))],
            "reset-refuses-clients",
        ),
        (
            "created before it is destroyed",
            vec![("a.b", change(json!(["create", "delete"]), off(), parameter("off"), json!({})))],
            "reset-refuses-clients",
        ),
        (
            "moved to another block, in whatever order",
            vec![
                ("a.b", change(json!(["delete"]), off(), Value::Null, json!(false))),
                ("a.c", change(json!(["create"]), Value::Null, off(), json!({}))),
            ],
            "unknown require-secure-transport: unknown off -> ? conflict",
        ),
        (
            "created, and the old one forgotten",
            vec![("a.b", change(json!(["create", "forget"]), off(), parameter("on"), json!({})))],
            "pass require-secure-transport: turns-on off -> on",
        ),
        (
            "replaced in place",
            vec![("a.b", change(json!(["delete", "create"]), off(), parameter("on"), json!({})))],
            "pass require-secure-transport: turns-on off -> on",
        ),
    ] {
        let found = lines(&checked(&parameters(&changes)));
        assert!(found.contains(expected), "{name}: {found}");
    }
    let on = change(json!(["delete"]), parameter("on"), Value::Null, json!(false));
    let report = checked(&parameters(&[("a.b", on)]));
    assert_eq!(report.end(), AuditEnd::Pass, "the default is on as well: {}", lines(&report));
}

#[test]
fn what_is_not_known_is_never_a_pass() {
    let unclear = |after: Value, unknown: Value, hidden: Value| {
        let mut change = change(json!(["update"]), parameter("off"), after, unknown);
        change["after_sensitive"] = hidden;
        checked(&parameters(&[("a.b", change)]))
    };
    let mut without = parameter("on");
    without.as_object_mut().unwrap().remove("value");
    let mut number = parameter("on");
    number["value"] = 1.into();
    let mut nameless = parameter("on");
    nameless.as_object_mut().unwrap().remove("name");
    for (after, unknown, hidden, reason) in [
        (without.clone(), json!({"value": true}), json!({}), "until-apply"),
        (without, json!({}), json!({}), "missing-attribute"),
        (number, json!({}), json!({}), "other-value"),
        (parameter("maybe"), json!({}), json!({}), "other-value"),
        (parameter("on"), json!({}), json!({"value": true}), "sensitive"),
        (nameless, json!({"name": true}), json!({}), "until-apply"),
    ] {
        let report = unclear(after, unknown, hidden);
        assert_eq!(report.end(), AuditEnd::Incomplete, "{reason}: {}", lines(&report));
        assert!(lines(&report).contains(reason), "{reason}: {}", lines(&report));
    }
}

#[test]
fn single_servers_of_every_version_of_the_provider() {
    let single = |attributes: Value| {
        let change = change(json!(["create"]), Value::Null, attributes, json!({}));
        checked(&plan_of(&[("a.b", SINGLE, change)]))
    };
    let floor = "ssl_minimal_tls_version_enforced";
    for (attributes, end) in [
        (json!({"ssl_enforcement_enabled": true, floor: "TLS1_2"}), AuditEnd::Pass),
        (json!({"ssl_enforcement": "Enabled", floor: "TLS1_2"}), AuditEnd::Pass),
        (json!({"ssl_enforcement_enabled": false, floor: "TLS1_2"}), AuditEnd::Findings),
        (json!({"ssl_enforcement": "Disabled", floor: "TLS1_2"}), AuditEnd::Findings),
        (json!({"ssl_enforcement_enabled": true, floor: "TLS1_0"}), AuditEnd::Findings),
        (json!({"ssl_enforcement_enabled": true}), AuditEnd::Incomplete),
        (json!({floor: "TLS1_2"}), AuditEnd::Incomplete),
    ] {
        let report = single(attributes.clone());
        assert_eq!(report.end(), end, "{attributes}: {}", lines(&report));
    }
}

#[test]
fn azapi_resources_are_read_in_both_forms_of_their_body() {
    let of = |body: Value| {
        let after = json!({"type": "Microsoft.DBforPostgreSQL/flexibleServers/configurations@2024-08-01",
                           "parent_id": ID, "name": "require_secure_transport", "body": body});
        checked(&plan_of(&[(
            "azapi_resource.b",
            "azapi_resource",
            change(json!(["create"]), Value::Null, after, json!({})),
        )]))
    };
    let off = json!({"properties": {"value": "off", "source": "user-override"}});
    assert_eq!(of(off.clone()).end(), AuditEnd::Findings);
    assert_eq!(of(off.to_string().into()).end(), AuditEnd::Findings);
    assert_eq!(of(json!({"properties": {"value": "on"}})).end(), AuditEnd::Pass);
    assert_eq!(of(json!("no JSON: S3cret")).end(), AuditEnd::Incomplete);
    let other = json!({"type": "Microsoft.DBforPostgreSQL/newServers@2030-01-01", "parent_id": ID, "body": {}});
    let other = change(json!(["create"]), Value::Null, other, json!({}));
    let report = checked(&plan_of(&[("azapi_resource.b", "azapi_resource", other)]));
    assert_eq!((report.end(), report.gaps.len()), (AuditEnd::Incomplete, 1));
}

/// A plan that makes servers and a block for each of them, whose servers only the configuration names.
fn plan_of_a_fleet(servers: &[&str], blocks: &[&str], server_id: Value, for_each: Value) -> String {
    let server = |key: &&str| {
        let after = json!({"name": format!("pg-{key}"), "resource_group_name": "g"});
        json!({"address": format!("{FLEXIBLE}.f[\"{key}\"]"), "mode": "managed", "type": FLEXIBLE, "name": "f",
               "change": change(json!(["create"]), Value::Null, after, json!({"id": true}))})
    };
    let block = |key: &&str| {
        let after = json!({"name": "require_secure_transport", "value": if *key == "a" { "off" } else { "on" }});
        json!({"address": format!("{PARAMETER}.f[\"{key}\"]"), "mode": "managed", "type": PARAMETER, "name": "f",
               "change": change(json!(["create"]), Value::Null, after, json!({"server_id": true}))})
    };
    let changes: Vec<Value> = servers.iter().map(server).chain(blocks.iter().map(block)).collect();
    let resource = json!({"type": PARAMETER, "name": "f", "expressions": {"server_id": {"references": server_id}},
                          "for_each_expression": {"references": for_each}});
    json!({"format_version": "1.2", "resource_changes": changes,
           "configuration": {"root_module": {"resources": [resource]}}})
    .to_string()
}

const FLEXIBLE: &str = "azurerm_postgresql_flexible_server";

#[test]
fn a_block_for_each_server_is_the_servers_own() {
    let each_value = || json!(["each.value.id", "each.value"]);
    let each_key = || json!(["each.key", format!("{FLEXIBLE}.f")]);
    let of_fleet = || json!([format!("{FLEXIBLE}.f")]);
    let certain = [(each_value(), of_fleet()), (each_key(), json!(["var.names"]))];
    for (server_id, for_each) in certain {
        let report = checked(&plan_of_a_fleet(&["a", "b"], &["a", "b"], server_id, for_each));
        assert_eq!(report.servers.len(), 2, "{}", lines(&report));
        assert_eq!(report.servers.iter().map(|one| one.outcome()).collect::<Vec<_>>(), [Outcome::Fail, Outcome::Pass]);
    }
    // Another number of blocks, or another expression, may be for any of them.
    for (blocks, server_id, for_each) in [
        (vec!["a", "b", "c"], each_value(), of_fleet()),
        (vec!["b"], each_value(), of_fleet()),
        (vec!["a", "b"], each_value(), json!(["var.servers"])),
        (vec!["a", "b"], json!(["local.ids", "each.key"]), of_fleet()),
    ] {
        let report = checked(&plan_of_a_fleet(&["a", "b"], &blocks, server_id, for_each));
        let fleet = report.servers.iter().filter(|one| one.name.is_some());
        assert!(fleet.clone().all(|one| one.outcome() == Outcome::Unknown), "{}", lines(&report));
        assert_eq!(fleet.count(), 2);
    }
}

#[test]
fn a_plan_that_only_refreshes_is_a_state() {
    let plan = json!({"format_version": "1.2", "planned_values": {"root_module": {}},
                      "prior_state": {"values": serde_json::from_str::<Value>(STATE).unwrap()["values"]}});
    let report = checked(&plan.to_string());
    assert_eq!(lines(&report).replace("terraform-plan", "terraform-state"), lines(&checked(STATE)));
}

#[test]
fn a_deleted_azapi_block_is_not_a_reset() {
    let deleted = |kind: &str| {
        let before = json!({"type": "Microsoft.DBforPostgreSQL/flexibleServers/configurations@2024-08-01", "parent_id": ID,
                            "name": "require_secure_transport", "body": {"properties": {"value": "off"}}});
        let change = change(json!(["delete"]), before, Value::Null, json!(false));
        lines(&checked(&plan_of(&[("a.b", kind, change)])))
    };
    let update = deleted("azapi_update_resource");
    assert!(update.contains("fail require-secure-transport: releases off -> off"), "{update}");
    let resource = deleted("azapi_resource");
    assert!(resource.contains("unknown require-secure-transport: unknown off -> ? unknown-deletion"), "{resource}");
}

#[test]
fn a_plan_that_is_not_whole_is_incomplete() {
    for (member, value) in [("errored", json!(true)), ("complete", json!(false)), ("deferred_changes", json!([{}]))] {
        let mut plan = json!({"format_version": "1.2", "resource_changes": []});
        assert_eq!(checked(&plan.to_string()).end(), AuditEnd::Pass);
        plan[member] = value;
        assert_eq!(checked(&plan.to_string()).end(), AuditEnd::Incomplete, "{member}");
    }
}

fn audit(servers: &[(&str, &str, &str)]) -> AuditReport {
    PlannerKnowledge::new(servers.iter().map(|(name, on, floor)| flexible(name, on, floor)).collect()).audit()
}

#[test]
fn a_plan_against_what_the_servers_have() {
    let keep = |value| change(json!(["no-op"]), parameter(value), parameter(value), json!({}));
    let write = |value| change(json!(["update"]), parameter("off"), parameter(value), json!({}));
    let delete = || change(json!(["delete"]), parameter("on"), Value::Null, json!(false));
    for (name, plan, live, expected) in [
        ("as the plan has it", keep("on"), "on", "pass require-secure-transport: keeps on -> on  live on None"),
        (
            "turned off since",
            keep("on"),
            "off",
            "fail require-secure-transport: keeps on -> on  live off Some(Unnoticed)",
        ),
        (
            "turned on since",
            keep("off"),
            "on",
            "fail require-secure-transport: keeps off -> off  live on Some(Unnoticed)",
        ),
        (
            "turned on, and off again",
            write("off"),
            "on",
            "fail require-secure-transport: turns-off off -> off  live on Some(Overwritten)",
        ),
        ("turned on twice", write("on"), "on", "pass require-secure-transport: keeps off -> on  live on None"),
        ("fixed", write("on"), "off", "pass require-secure-transport: turns-on off -> on  live off None"),
        (
            "deleted and off",
            delete(),
            "off",
            "fail reset-refuses-clients: resets-to-default on -> on  live off Some(Overwritten)",
        ),
    ] {
        let audit = audit(&[("pg", live, "TLSv1.2"), ("other", "off", "TLSv1.2")]);
        let report = checked_by(&parameters(&[("a.b", plan)]), "baseline", Some(&audit));
        assert!(lines(&report).contains(expected), "{name}: {}", lines(&report));
    }
    let missing = checked_by(&parameters(&[("a.b", keep("on"))]), "baseline", Some(&audit(&[("x", "on", "TLSv1.2")])));
    assert_eq!(missing.end(), AuditEnd::Incomplete, "{}", lines(&missing));
    assert!(lines(&missing).contains("not-in-audit"));
}

#[test]
fn a_server_that_the_file_does_not_manage_is_what_it_is() {
    let server = json!({"id": ID, "name": "pg", "resource_group_name": "g"});
    let plan = plan_of(&[(
        "s.s",
        "azurerm_postgresql_flexible_server",
        change(json!(["no-op"]), server.clone(), server, json!({})),
    )]);
    assert_eq!(checked(&plan).end(), AuditEnd::Incomplete);
    for (live, end) in [("on", AuditEnd::Pass), ("off", AuditEnd::Findings)] {
        let report = checked_by(&plan, "baseline", Some(&audit(&[("pg", live, "TLSv1.2")])));
        assert_eq!(report.end(), end, "{}", lines(&report));
    }
}

#[test]
fn an_audit_from_its_json_is_enough() {
    let mut audit = audit(&[("pg", "off", "TLSv1.2")]);
    audit.servers[0].readings.clear();
    let keep = change(json!(["no-op"]), parameter("on"), parameter("on"), json!({}));
    let report = checked_by(&parameters(&[("a.b", keep)]), "baseline", Some(&audit));
    assert!(lines(&report).contains("Unnoticed"), "{}", lines(&report));
    assert!(report.servers[0].findings.iter().all(|one| one.setting != ParameterName::SslMaxProtocolVersion));
}

fn refused(text: &[u8]) -> String {
    read(text).unwrap_err().to_string()
}

#[test]
fn what_is_no_such_file_is_refused_with_what_it_is() {
    assert_eq!(refused(b""), "it is empty");
    assert!(refused(b"PK\x03\x04rest").contains("saved plan"));
    assert!(refused(b"\xff\xfe{\0}\0").contains("UTF-16"));
    assert!(refused(b"resource \"azurerm\" \"x\" {}").starts_with("it is not JSON: expected value at line 1 column 1"));
    assert!(refused(b"{\"format_version\": \"1.2\", \"resource_changes\": [").starts_with("it is not JSON: EOF"));
    assert!(refused(b"{\"format_version\": \"1.2\"} {}").contains("trailing characters at line 1 column 27"));
    assert!(refused(b"{\"format_version\": \"2.0\"}").contains("format_version is 2.0"));
    assert!(refused(b"{\"format_version\": \"0.2\"}").contains("format_version is 0.2"));
    assert!(refused(b"{\"format_version\": \"<script>\"}").contains("no version"));
    assert!(refused(b"{\"version\": 4, \"serial\": 1, \"lineage\": \"x\", \"resources\": []}").contains("state file"));
    assert!(refused(b"{\"@level\":\"info\"}\n{\"@level\":\"info\"}").contains("log of a Terraform run"));
    assert!(refused(b"{\"$schema\": \"https://x/deploymentParameters.json#\"}").contains("parameters"));
    assert!(refused(b"{\"a\": 1}").contains("no Terraform plan"));
    assert!(refused(b"[\"1.2\"]").contains("no Terraform plan"));
    assert_eq!(
        refused(b"{\"format_version\": \"1.2\",\n \"resource_changes\": 1}"),
        "line 2, column 23: a value of an unexpected type, which is a list"
    );
    let mark = [b"\xEF\xBB\xBF".as_slice(), STATE.as_bytes()].concat();
    assert_eq!(
        lines(&check(&read(mark.as_slice()).unwrap(), &Profile::find("baseline").unwrap(), None)),
        lines(&checked(STATE))
    );
}

#[test]
fn an_error_shows_no_text_of_the_file() {
    let secret = "S3cret-in-an-error";
    for text in [
        json!({"format_version": "1.2", "resource_changes": secret}).to_string(),
        json!({"format_version": "1.2", "resource_changes": [secret]}).to_string(),
        json!({"format_version": secret}).to_string(),
        json!({ secret: secret }).to_string(),
        json!({"$schema": secret, "resources": secret}).to_string(),
        format!("{{\"format_version\": \"1.2\", \"{secret}"),
        secret.to_owned(),
    ] {
        let error = read(text.as_bytes()).unwrap_err();
        assert!(!format!("{error} {error:?}").contains(secret), "{error:?}");
    }
}

/// A reader of a file that never ends.
struct Endless;

impl std::io::Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        buffer.fill(b' ');
        Ok(buffer.len())
    }
}

#[test]
#[ignore = "reads 256 MiB, which takes seconds without optimization"]
fn a_file_beyond_the_limit_is_refused() {
    assert!(matches!(read(Endless).unwrap_err(), InvalidIac::TooLarge));
}

#[test]
fn too_many_resources_are_refused() {
    let one = format!("{{\"type\":\"{PARAMETER}\"}}");
    let mut text = String::from("{\"format_version\":\"1.2\",\"resource_changes\":[");
    text.push_str(&vec![one.as_str(); hostssl_iac::MAX_RESOURCES + 1].join(","));
    text.push_str("]}");
    assert!(matches!(read(text.as_bytes()).unwrap_err(), InvalidIac::TooMany));
    // What is not about PostgreSQL is not counted.
    let other = text.replace(PARAMETER, "azurerm_storage_account");
    assert_eq!(checked(&other).servers.len(), 0);
}
