//! Files with many servers: the time grows with the file, and not with its square.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hostssl_audit::Profile;
use hostssl_iac::{check, read};
use hostssl_model::AuditEnd;
use serde_json::{Value, json};

const SERVER: &str = "azurerm_postgresql_flexible_server";
const BLOCK: &str = "azurerm_postgresql_flexible_server_configuration";
const MANY: usize = 6000;

fn created(module: Option<String>, kind: &str, key: &str, after: &Value, unknown: &str) -> Value {
    let prefix = module.as_ref().map(|module| format!("{module}.")).unwrap_or_default();
    json!({"address": format!("{prefix}{kind}.f{key}"), "module_address": module, "mode": "managed", "type": kind, "name": "f",
           "change": {"actions": ["create"], "before": null, "after": after, "after_unknown": {unknown: true},
                      "before_sensitive": false, "after_sensitive": {}}})
}

/// A server and its block for every number, in what `place` makes of the number: a module, and the key of the resource.
fn plan(place: impl Fn(usize) -> (Option<String>, String), value: &str, configuration: &Value) -> String {
    let pair = |number: usize| {
        let (module, key) = place(number);
        let server = json!({"name": format!("pg-{number}"), "resource_group_name": "g"});
        let block = json!({"name": "require_secure_transport", "value": value});
        [created(module.clone(), SERVER, &key, &server, "id"), created(module, BLOCK, &key, &block, "server_id")]
    };
    let changes: Vec<Value> = (0..MANY).flat_map(pair).collect();
    json!({"format_version": "1.2", "resource_changes": changes, "configuration": {"root_module": configuration}})
        .to_string()
}

/// Checks a plan, each of whose servers gets `off` by its own block. With each server compared with each block, a test takes a
/// minute and not a second.
fn every_server_fails(plan: &str) {
    let report = check(&read(plan.as_bytes()).unwrap(), &Profile::find("baseline").unwrap(), None);
    assert_eq!((report.end(), report.servers.len()), (AuditEnd::Findings, MANY));
}

fn block_of(references: &Value) -> Value {
    json!({"type": BLOCK, "name": "f", "expressions": {"server_id": {"references": references}},
           "for_each_expression": {"references": [format!("{SERVER}.f")]}})
}

#[test]
fn a_fleet_by_for_each_is_read() {
    let block = block_of(&json!(["each.value.id", "each.value"]));
    let place = |number: usize| (None, format!("[\"{number}\"]"));
    every_server_fails(&plan(place, "off", &json!({"resources": [block]})));
}

#[test]
fn a_fleet_of_modules_is_read() {
    let mut block = block_of(&json!([format!("{SERVER}.f.id"), format!("{SERVER}.f")]));
    block.as_object_mut().unwrap().remove("for_each_expression");
    let calls = json!({"shop": {"source": "./shop", "module": {"resources": [block]}}});
    let place = |number: usize| (Some(format!("module.shop[\"{number}\"]")), String::new());
    every_server_fails(&plan(place, "off", &json!({"module_calls": calls})));
}

#[test]
fn blocks_without_a_server_are_read() {
    // The servers are there, and what the blocks are of is known only when they are made.
    let plan = plan(|number| (None, format!("[{number}]")), "on", &json!({}));
    let report = check(&read(plan.as_bytes()).unwrap(), &Profile::find("baseline").unwrap(), None);
    assert_eq!(report.end(), AuditEnd::Incomplete);
}
