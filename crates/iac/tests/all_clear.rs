//! A file whose verdict was once better than what it says.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod common;

use common::baseline;
use hostssl_audit::Profile;
use hostssl_iac::{IacReport, check, read};
use hostssl_model::{AuditEnd, AuditReport, FailOn};
use hostssl_test_support::fleet::{PlannerKnowledge, flexible};
use serde_json::{Value, json};

const SERVER: &str = "azurerm_postgresql_flexible_server";
const PARAMETER: &str = "azurerm_postgresql_flexible_server_configuration";
const ID: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.DBforPostgreSQL/flexibleServers/pg";

fn checked(file: &Value) -> IacReport {
    live(file, None)
}

fn live(file: &Value, audit: Option<&AuditReport>) -> IacReport {
    let read = read(file.to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}: {file}"));
    check(&read, &Profile::find("baseline").unwrap(), audit)
}

fn resource(kind: &str, name: &str, actions: Value, before: Value, after: Value, unknown: Value) -> Value {
    json!({"address": format!("{kind}.{name}"), "mode": "managed", "type": kind, "name": name, "change": {
        "actions": actions, "before": before, "after": after, "after_unknown": unknown,
        "before_sensitive": {}, "after_sensitive": {}}})
}

fn plan(resources: &[Value]) -> Value {
    json!({"format_version": "1.2", "resource_changes": resources})
}

fn server() -> Value {
    json!({"id": ID, "name": "pg", "resource_group_name": "g"})
}

fn block(value: &str) -> Value {
    json!({"name": "require_secure_transport", "server_id": ID, "value": value})
}

fn made(name: &str) -> Value {
    let after = json!({"name": name, "resource_group_name": "g"});
    resource(SERVER, "b", json!(["create"]), Value::Null, after, json!({"id": true}))
}

fn destroyed() -> Value {
    resource(SERVER, "a", json!(["delete"]), server(), Value::Null, json!({}))
}

fn written(before: Value, value: &str) -> Value {
    let action = if before.is_null() { "create" } else { "update" };
    resource(PARAMETER, "c", json!([action]), before, block(value), json!({}))
}

#[test]
fn a_destroyed_server_takes_no_block_with_it() {
    let kept = || resource(SERVER, "b", json!(["no-op"]), server(), server(), json!({}));
    for resources in [
        vec![destroyed(), made("pg"), written(Value::Null, "off")],
        vec![made("PG"), destroyed(), written(block("on"), "off")],
        vec![kept(), destroyed(), written(block("on"), "off")],
        vec![destroyed(), kept(), written(block("on"), "off")],
    ] {
        let report = checked(&plan(&resources));
        assert_eq!(report.end(), AuditEnd::Findings, "{report:?}");
    }
    // The block of the old server goes with it, and the new one starts with the default.
    let gone = resource(PARAMETER, "c", json!(["delete"]), block("off"), Value::Null, json!({}));
    let report = checked(&plan(&[destroyed(), made("pg"), gone]));
    assert_eq!(report.end(), AuditEnd::Pass, "{report:?}");
    // Nothing of the plan has the server that is written to.
    for other in [vec![], vec![made("other")]] {
        let resources: Vec<Value> = [destroyed(), written(block("on"), "off")].into_iter().chain(other).collect();
        let report = checked(&plan(&resources));
        assert_eq!((report.end(), report.gaps.len()), (AuditEnd::Incomplete, 1), "{report:?}");
    }
}

#[test]
fn a_kept_block_writes_nothing_to_a_server_that_is_made_anew() {
    let replaced = |mode: Value| {
        let of = json!({"id": ID, "name": "pg", "resource_group_name": "g", "create_mode": mode});
        resource(SERVER, "a", json!(["delete", "create"]), of.clone(), of, json!({}))
    };
    let kept = |value| resource(PARAMETER, "c", json!(["no-op"]), block(value), block(value), json!({}));
    for (mode, value, end) in [
        (json!("PointInTimeRestore"), "on", AuditEnd::Incomplete),
        (json!("PointInTimeRestore"), "off", AuditEnd::Incomplete),
        (json!("Default"), "on", AuditEnd::Pass),
        // The next plan writes it again.
        (Value::Null, "off", AuditEnd::Findings),
    ] {
        let report = checked(&plan(&[replaced(mode.clone()), kept(value)]));
        assert_eq!(report.end(), end, "{mode} {value}: {report:?}");
    }
}

#[test]
fn a_block_of_which_nothing_is_known_may_be_any() {
    let block = resource(PARAMETER, "c", json!(["create"]), Value::Null, Value::Null, json!(true));
    for resources in [vec![block.clone()], vec![made("pg"), block]] {
        let report = checked(&plan(&resources));
        assert_eq!(report.end(), AuditEnd::Incomplete, "{report:?}");
    }
}

#[test]
fn an_old_or_unchanged_deployment_of_a_template_is_a_gap() {
    let text = r#"{"resources": [{"type": "Microsoft.DBforPostgreSQL/flexibleServers"}]}"#;
    let inner = |text: &str| json!({"name": "t", "template_content": text});
    let kept = |kind: &str, values: Value| resource(kind, "t", json!(["no-op"]), values.clone(), values, json!({}));
    let group = "azurerm_resource_group_template_deployment";
    let azapi = json!({"type": "Microsoft.Resources/deployments@2021-04-01"});
    for one in [
        kept("azurerm_template_deployment", json!({"name": "t", "template_body": text})),
        kept(group, inner(text)),
        kept(group, inner(r#"{"properties": {"template" : "[variables('t')]"}}"#)),
        kept(group, inner("{\"type\":\n\"[concat('Microsoft.', variables('t'))]\"}")),
        kept("azapi_resource", azapi),
    ] {
        assert_eq!(checked(&plan(std::slice::from_ref(&one))).end(), AuditEnd::Incomplete, "{one}");
    }
    let other = r#"{"parameters": {"a": {"type": "string"}}, "resources": [{"type": "Microsoft.Web/sites"}]}"#;
    assert_eq!(checked(&plan(&[kept(group, inner(other))])).end(), AuditEnd::Pass);
}

#[test]
fn damaged_modules_are_refused() {
    for file in [
        json!({"format_version": "1.2", "planned_values": {"root_module": "x"}}),
        json!({"format_version": "1.2", "values": {"root_module": [1]}}),
        json!({"format_version": "1.2", "prior_state": {"values": {"root_module": 1}}}),
        json!({"format_version": "1.2", "prior_state": {"values": "x"}}),
        json!({"format_version": "1.2", "prior_state": "x"}),
    ] {
        assert!(read(file.to_string().as_bytes()).is_err(), "{file}");
    }
    let empty = json!({"format_version": "1.2", "planned_values": {"root_module": {}}, "prior_state": null});
    assert_eq!(checked(&empty).end(), AuditEnd::Pass);
}

fn audit(value: &str) -> AuditReport {
    PlannerKnowledge::new(vec![flexible("pg", value, "TLSv1.2")]).audit()
}

/// What a plan does to the server that this audit has.
fn of_audit(audit: &AuditReport, actions: Value, kind: &str, before: Value, after: Value) -> IacReport {
    live(&plan(&[resource(kind, "x", actions, before, after, json!({}))]), Some(audit))
}

#[test]
fn a_deleted_block_is_not_judged_by_what_the_plan_believes() {
    let mut unread = audit("off");
    let id = unread.servers[0].server.id.to_string();
    let block = json!({"name": "require_secure_transport", "server_id": id, "value": "on"});
    unread.servers[0].readings.clear();
    unread.servers[0].ssl_enforcement = hostssl_model::SslEnforcement::Unknown;
    let mut missing = audit("off");
    missing.servers.clear();
    for audit in [unread, missing] {
        let report = of_audit(&audit, json!(["delete"]), PARAMETER, block.clone(), Value::Null);
        assert_eq!(report.end(), AuditEnd::Incomplete, "{report:?}");
    }
    let report = of_audit(&audit("on"), json!(["delete"]), PARAMETER, block, Value::Null);
    assert_eq!(report.end(), AuditEnd::Pass, "{report:?}");
}

#[test]
fn a_server_that_is_there_cannot_be_made() {
    let found = audit("off");
    let (id, group) = (found.servers[0].server.id.to_string(), found.servers[0].server.id.resource_group().to_owned());
    let after = json!({"name": "pg", "resource_group_name": group});
    let of = |audit: &AuditReport| of_audit(audit, json!(["create"]), SERVER, Value::Null, after.clone());
    assert_eq!(of(&found).end(), AuditEnd::Findings);
    assert_eq!(of(&audit("on")).end(), AuditEnd::Pass);
    let mut unread = audit("on");
    unread.servers[0].readings.clear();
    unread.servers[0].ssl_enforcement = hostssl_model::SslEnforcement::Unknown;
    assert_eq!(of(&unread).end(), AuditEnd::Incomplete);
    let mut missing = audit("on");
    missing.servers.clear();
    assert_eq!(of(&missing).end(), AuditEnd::Pass, "a server that is made need not be there");
    // It is destroyed first.
    let old = json!({"id": id, "name": "pg", "resource_group_name": group});
    let both = [
        resource(SERVER, "a", json!(["delete"]), old, Value::Null, json!({})),
        resource(SERVER, "x", json!(["create"]), Value::Null, after.clone(), json!({"id": true})),
    ];
    assert_eq!(live(&plan(&both), Some(&found)).end(), AuditEnd::Pass);
}

fn compared(earlier: &IacReport, mut report: IacReport) -> IacReport {
    report.compare_with("b.json", &baseline(earlier));
    report.fail_on = vec![FailOn::New];
    report
}

fn known(earlier: &IacReport, report: IacReport) -> u64 {
    compared(earlier, report).baseline.unwrap().known
}

#[test]
fn a_baseline_has_no_change_that_it_did_not_have() {
    let kept = checked(&plan(&[resource(PARAMETER, "c", json!(["no-op"]), block("off"), block("off"), json!({}))]));
    let turned_off = || checked(&plan(&[written(block("on"), "off")]));
    assert_eq!(known(&kept, kept.clone()), 1);
    assert_eq!(known(&kept, turned_off()), 0, "the server enforces now");
    assert_eq!(known(&turned_off(), turned_off()), 1, "the same plan again");
    assert_eq!(known(&turned_off(), kept.clone()), 1, "it was applied");
    // What was there before is not in this plan.
    let set = || checked(&plan(&[written(Value::Null, "off")]));
    assert_eq!(known(&kept, set()), 0, "the server may enforce now");
    assert_eq!(known(&set(), set()), 1, "the same plan again");
    // The plan believes off, and the server has on.
    let (off, on) = (audit("off"), audit("on"));
    let id = off.servers[0].server.id.to_string();
    let block = json!({"name": "require_secure_transport", "server_id": id, "value": "off"});
    let of = |audit: &AuditReport| of_audit(audit, json!(["update"]), PARAMETER, block.clone(), block.clone());
    assert_eq!((known(&of(&off), of(&off)), known(&of(&off), of(&on))), (1, 0));
}

#[test]
fn an_id_without_a_name_is_not_that_of_another_parameter() {
    let id = format!("{ID}/configurations/");
    let of = |id: &str| {
        let body = json!({"properties": {"value": "off"}});
        let block = json!({"type": "Microsoft.DBforPostgreSQL/flexibleServers/configurations@2024-08-01", "resource_id": id, "body": body});
        checked(&plan(&[resource("azapi_update_resource", "u", json!(["create"]), Value::Null, block, json!({}))]))
            .end()
    };
    assert_eq!(of(&format!("{id}require_secure_transport")), AuditEnd::Findings);
    assert_eq!(of(&format!("{id}require_secure_transport/")), AuditEnd::Findings);
    assert_eq!(of(&id), AuditEnd::Incomplete);
}

#[test]
fn an_address_is_no_baseline_of_another_server() {
    let of = |name: Value, unknown: Value| {
        let after = json!({"name": name, "resource_group_name": "g"});
        let server = resource(SERVER, "a", json!(["create"]), Value::Null, after, unknown);
        let value = json!({"name": "require_secure_transport", "value": "off"});
        let block = resource(PARAMETER, "c", json!(["create"]), Value::Null, value, json!({"server_id": true}));
        let mut file = plan(&[server, block]);
        let to = json!({"references": [format!("{SERVER}.a.id"), format!("{SERVER}.a")]});
        let resource = json!({"type": PARAMETER, "name": "c", "address": format!("{PARAMETER}.c"), "expressions": {"server_id": to}});
        file["configuration"] = json!({"root_module": {"resources": [resource]}});
        checked(&file)
    };
    let named = |name: &str| of(json!(name), json!({"id": true}));
    assert_eq!(known(&named("alpha"), named("alpha")), 1);
    assert_eq!(known(&named("alpha"), named("beta")), 0);
    let unnamed = || of(Value::Null, json!({"id": true, "name": true}));
    assert_eq!(unnamed().end(), AuditEnd::Findings);
    assert_eq!(compared(&unnamed(), unnamed()).end(), AuditEnd::Incomplete, "nothing says that it is the same server");
    assert_eq!(compared(&named("alpha"), named("alpha")).end(), AuditEnd::Pass);
    assert_eq!(compared(&named("alpha"), named("beta")).end(), AuditEnd::Findings);
}

fn template(resources: Value) -> Value {
    json!({
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "variables": {"v": "on"},
        "resources": resources,
    })
}

fn deployment(properties: &Value, copy: &Value) -> Value {
    json!({"type": "Microsoft.Resources/deployments", "name": "d", "properties": properties, "copy": copy})
}

#[test]
fn parameters_that_are_not_in_the_file_are_not_the_defaults() {
    let inner = |members: Value| {
        let mut properties = json!({
            "expressionEvaluationOptions": {"scope": "inner"},
            "template": {
                "parameters": {"v": {"defaultValue": "on"}},
                "resources": [{
                    "type": "Microsoft.DBforPostgreSQL/flexibleServers/configurations",
                    "name": "pg/require_secure_transport",
                    "properties": {"value": "[parameters('v')]"},
                }],
            },
        });
        properties.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        checked(&template(json!([deployment(&properties, &Value::Null)]))).end()
    };
    assert_eq!(inner(json!({})), AuditEnd::Pass);
    assert_eq!(inner(json!({"parameters": {"other": {"value": "x"}}})), AuditEnd::Pass);
    for members in [
        json!({"parameters": "[parameters('all')]"}),
        json!({"parameters": []}),
        json!({"parametersLink": {"uri": "https://example.com/p.json"}}),
        json!({"ParametersLink": "[variables('link')]", "parameters": {}}),
        json!({"expressionEvaluationOptions": "[parameters('options')]"}),
    ] {
        assert_eq!(inner(members.clone()), AuditEnd::Incomplete, "{members}");
    }
}

#[test]
fn the_same_index_of_two_loops_is_two_servers() {
    let loops = |first: Value, second: Value| {
        let of = |resource: Value, count: Value| {
            let copy = json!({"name": "l", "count": count});
            deployment(&json!({"template": {"resources": [resource]}}), &copy)
        };
        let kind = "Microsoft.DBforPostgreSQL/flexibleServers";
        let name = |rest: &str| format!("[format('pg-{{0}}{rest}', copyIndex())]");
        let server = json!({"type": kind, "name": name("")});
        let value = json!({"value": "on"});
        let block = json!({"type": format!("{kind}/configurations"), "name": name("/require_secure_transport"),
                           "properties": value});
        checked(&template(json!([of(server, first), of(block, second)])))
    };
    for (first, second) in [(json!(3), json!(1)), (json!("[length(variables('a'))]"), json!(3)), (json!({}), json!({}))]
    {
        let report = loops(first, second);
        assert_eq!(report.end(), AuditEnd::Incomplete, "{report:?}");
    }
    let length = || json!("[length(variables('a'))]");
    for (first, second) in [(json!(3), json!(3)), (length(), length())] {
        let report = loops(first, second);
        assert_eq!((report.end(), report.servers.len()), (AuditEnd::Pass, 1), "{report:?}");
    }
}

#[test]
fn an_action_that_is_not_known_is_not_taken_for_none() {
    let kept = || resource(SERVER, "b", json!(["no-op"]), server(), server(), json!({}));
    let with = |actions: Value| plan(&[kept(), resource(PARAMETER, "c", actions, block("on"), block("on"), json!({}))]);
    let end = |actions| checked(&with(actions)).end();
    assert_eq!(end(json!(["no-op"])), AuditEnd::Pass);
    for unknown in [json!(["explode"]), json!([]), json!(["update", "explode"])] {
        assert_ne!(end(unknown.clone()), AuditEnd::Pass, "{unknown}");
    }
}
