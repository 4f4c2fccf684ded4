//! What a file does not prove of every server is never a pass.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop at the first surprise")]

mod common;

use common::baseline;
use hostssl_audit::Profile;
use hostssl_iac::{IacReport, check, read};
use hostssl_model::{AuditEnd, AuditReport, FailOn};
use hostssl_test_support::fleet::{PlannerKnowledge, flexible};
use serde_json::{Value, json};

const SERVER: &str = "Microsoft.DBforPostgreSQL/flexibleServers";
const CONFIGURATION: &str = "Microsoft.DBforPostgreSQL/flexibleServers/configurations";
const TF_SERVER: &str = "azurerm_postgresql_flexible_server";
const TF_BLOCK: &str = "azurerm_postgresql_flexible_server_configuration";

fn report(file: &Value, live: Option<&AuditReport>) -> IacReport {
    let read = read(file.to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}: {file}"));
    check(&read, &Profile::find("baseline").unwrap(), live)
}

fn end(file: &Value) -> AuditEnd {
    report(file, None).end()
}

fn server_id(name: &str) -> String {
    format!("/subscriptions/0b1f6471-1bf0-4dda-aec3-111122223333/resourceGroups/rg/providers/{SERVER}/{name}")
}

fn plan(resources: &[Value]) -> Value {
    json!({"format_version": "1.2", "terraform_version": "1.11.4", "resource_changes": resources,
           "configuration": {"root_module": {}}})
}

fn resource(address: &str, actions: &[&str], before: Value, after: Value) -> Value {
    let (kind, name) = address.rsplit_once('.').unwrap();
    json!({"address": address, "mode": "managed", "type": kind, "name": name, "change": {"actions": actions, "before": before,
           "after": after, "after_unknown": {}, "before_sensitive": {}, "after_sensitive": {}}})
}

fn block(name: &str, server: &str, actions: &[&str], before: Option<&str>, after: Option<&str>) -> Value {
    let values = |value: Option<&str>| {
        value.map_or(
            Value::Null,
            |value| json!({"server_id": server_id(server), "name": "require_secure_transport", "value": value}),
        )
    };
    resource(&format!("{TF_BLOCK}.{name}"), actions, values(before), values(after))
}

fn tf_server(name: &str, actions: &[&str], before: bool, after: bool) -> Value {
    let values = |there: bool, with_id: bool| match (there, with_id) {
        (false, _) => Value::Null,
        (true, true) => json!({"id": server_id(name), "name": name, "resource_group_name": "rg"}),
        (true, false) => json!({"name": name, "resource_group_name": "rg"}),
    };
    let is_new = actions.contains(&"create");
    resource(&format!("{TF_SERVER}.{name}"), actions, values(before, true), values(after, !is_new))
}

fn template(resources: Value) -> Value {
    json!({"$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
           "contentVersion": "1.0.0.0", "resources": resources})
}

fn configuration(more: Value) -> Value {
    let mut resource =
        json!({"type": CONFIGURATION, "name": "pg-a/require_secure_transport", "properties": {"value": "on"}});
    resource.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    resource
}

fn deployment(resources: Value, more: Value) -> Value {
    let mut resource = json!({"type": "Microsoft.Resources/deployments", "name": "inner",
                              "properties": {"template": template(resources)}});
    resource.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    resource
}

#[test]
fn of_several_blocks_the_one_that_turns_a_server_off_is_new() {
    let kept = block("a", "pg-a", &["no-op"], Some("off"), Some("off"));
    let known = baseline(&report(&plan(std::slice::from_ref(&kept)), None));
    for (other, is_new) in [
        (block("b", "pg-a", &["update"], Some("on"), Some("off")), true),
        (block("b", "pg-a", &["create"], None, Some("off")), true),
        (block("b", "pg-a", &["no-op"], Some("off"), Some("off")), false),
    ] {
        for blocks in [[kept.clone(), other.clone()], [other.clone(), kept.clone()]] {
            let mut found = report(&plan(&blocks), None);
            found.fail_on = vec![FailOn::New];
            found.compare_with("b.json", &known);
            let expected = if is_new { AuditEnd::Findings } else { AuditEnd::Pass };
            assert_eq!(found.end(), expected, "{blocks:?}");
        }
    }
}

#[test]
fn a_server_that_is_there_already_is_not_made_again() {
    let new_on = |server: &str| block("c", server, &["create"], None, Some("on"));
    for (value, expected) in [("off", AuditEnd::Findings), ("on", AuditEnd::Pass)] {
        let live = PlannerKnowledge::new(vec![flexible("pg-a", value, "TLSv1.2")]).audit();
        let there = live.servers[0].server.id.as_str().to_owned();
        let made = |actions: &[&str], before: &str| {
            let mut server = tf_server("pg-a", actions, true, true);
            server["change"]["before"]["id"] = json!(before);
            server["change"]["after"]["resource_group_name"] = json!(live.servers[0].server.id.resource_group());
            server["change"]["after_unknown"] = json!({"id": true});
            let mut block = new_on("pg-a");
            block["change"]["after"]["server_id"] = json!(there.clone());
            plan(&[server, block])
        };
        // Forgotten and made, or made under a name that another server has.
        for file in [made(&["create", "forget"], &there), made(&["delete", "create"], &server_id("pg-other"))] {
            assert_eq!(report(&file, Some(&live)).end(), expected, "{value}: {file}");
        }
    }
}

#[test]
fn a_loop_that_may_make_nothing_proves_nothing() {
    let server = json!({"type": SERVER, "name": "pg-a", "properties": {}});
    let own = |count: Value| json!([server, configuration(json!({"copy": {"name": "c", "count": count}}))]);
    let nested = |count: Value| {
        let copy = json!({"copy": {"name": "c", "count": count}});
        json!([server, deployment(json!([configuration(json!({}))]), copy)])
    };
    let both: [&dyn Fn(Value) -> Value; 2] = [&own, &nested];
    for resources in both {
        for count in [json!(0), json!("[if(parameters('e'), 1, 0)]"), json!("[length(parameters('e'))]"), json!([])] {
            let file = template(resources(count));
            assert_eq!(end(&file), AuditEnd::Incomplete, "{file}");
        }
        assert_eq!(end(&template(resources(json!(2)))), AuditEnd::Pass);
    }
    // A parameter of servers that the same loop names is there for each of them.
    let each = json!({"name": "[concat(parameters('names')[copyIndex()], '/require_secure_transport')]",
                      "copy": {"name": "c", "count": "[length(parameters('names'))]"}});
    assert_eq!(end(&template(json!([configuration(each)]))), AuditEnd::Pass);
}

#[test]
fn what_is_declared_in_a_resource_that_is_left_out_is_deployed_all_the_same() {
    let child = json!({"type": "configurations", "name": "require_secure_transport", "properties": {"value": "off"}});
    let server = json!({"type": SERVER, "name": "pg-a", "condition": false, "resources": [child]});
    assert_eq!(end(&template(json!([server]))), AuditEnd::Findings);
    let left_out = json!({"type": SERVER, "name": "pg-a", "condition": false});
    assert_eq!(end(&template(json!([left_out]))), AuditEnd::Pass, "nothing is deployed");
}

#[test]
fn a_resource_within_another_one_is_read_or_a_gap() {
    let off = configuration(json!({"properties": {"value": "off"}}));
    let within = |parent: &str, child: Value| json!({"type": parent, "name": "p", "resources": [child]});
    let relative =
        json!({"type": "configurations", "name": "require_secure_transport", "properties": {"value": "off"}});
    for resource in [
        within("Microsoft.Network/virtualNetworks", deployment(json!([off]), json!({}))),
        within("Microsoft.Network/virtualNetworks", off.clone()),
        within(CONFIGURATION, off.clone()),
        within("Microsoft.DBforPostgreSQL/flexibleServers/databases", relative.clone()),
        json!({"type": SERVER, "name": "pg-a", "resources": [{"type": SERVER, "name": "pg-b"}]}),
        json!({"type": "Microsoft.DBforPostgreSQL/newServers", "name": "pg-a"}),
    ] {
        let file = template(json!([resource, configuration(json!({}))]));
        let found = report(&file, None);
        assert!(!found.gaps.is_empty() && found.end() != AuditEnd::Pass, "{file}");
    }
    // A server of another database has parameters of the same name.
    let mysql = within("Microsoft.DBforMySQL/flexibleServers", relative);
    assert_eq!(end(&template(json!([mysql]))), AuditEnd::Pass);
}

#[test]
fn a_template_in_a_plan_is_read_as_a_template_or_is_a_gap() {
    let of = |content: &str| {
        let values = json!({"name": "t", "template_content": content});
        plan(&[resource("azurerm_resource_group_template_deployment.t", &["create"], Value::Null, values)])
    };
    let plain = template(json!([{"type": "Microsoft.Network/virtualNetworks", "name": "n"}])).to_string();
    assert_eq!(end(&of(&plain)), AuditEnd::Pass);
    for resource in [
        r#"{"type":"Microsoft.Resources/deployments","name":"n","properties":"[parameters('p')]"}"#,
        r#"{"type":"Microsoft.Resources/deploymentStacks","name":"n","properties":"[parameters('p')]"}"#,
        r#"{"type": /* x */ "[parameters('p')]","name":"n"}"#,
        r#"{"type":"Microsoft.Resources/deployments","name":"n","properties":{"template": /**/ "[parameters('p')]"}}"#,
        r#"{"type":"Microsoft.DBfor\u0050ostgreSQL/flexibleServers/configurations","name":"x/require_secure_transport"}"#,
        r#"{"type":"Microsoft.Authorization/policyDefinitions","properties":{"a":"Microsoft.DBforPostgreSQL/servers"}}"#,
    ] {
        let content = format!(r#"{{"resources":[{resource}]}}"#);
        assert_eq!(end(&of(&content)), AuditEnd::Incomplete, "{content}");
    }
    for content in ["{}", "[]", "null", "{"] {
        assert_eq!(end(&of(content)), AuditEnd::Incomplete, "{content}");
    }
}

#[test]
fn a_block_that_is_kept_on_a_destroyed_server_is_a_gap() {
    let mut new = tf_server("pg-new", &["create"], false, true);
    new["change"]["after"] = json!({"resource_group_name": "rg"});
    new["change"]["after_unknown"] = json!({"id": true, "name": true});
    let gone = tf_server("pg-a", &["delete"], true, false);
    let kept = block("c", "pg-a", &["no-op"], Some("off"), Some("off"));
    assert_eq!(end(&plan(&[gone, new, kept])), AuditEnd::Incomplete);
}

#[test]
fn a_resource_without_its_values_is_a_gap() {
    let (mut none, mut typeless) =
        (block("c", "pg-a", &["no-op"], None, None), block("d", "pg-a", &[], None, Some("off")));
    let state = |values: Value| {
        json!({"format_version": "1.0", "values": {"root_module": {"resources": [
            {"address": format!("{TF_BLOCK}.c"), "mode": "managed", "type": TF_BLOCK, "name": "c", "values": values}]}}})
    };
    assert_eq!(end(&plan(&[none.clone()])), AuditEnd::Incomplete);
    none.as_object_mut().unwrap().remove("change");
    typeless["type"] = json!(5);
    let empty_server = tf_server("pg-a", &["create"], false, false);
    for file in [plan(&[none]), plan(&[typeless]), plan(&[empty_server]), state(Value::Null)] {
        assert_eq!(end(&file), AuditEnd::Incomplete, "{file}");
    }
}

#[test]
fn a_body_that_is_sensitive_as_a_whole_is_not_read() {
    let body = |value: &str| {
        json!({"type": format!("{CONFIGURATION}@2024-08-01"), "parent_id": server_id("pg-a"), "name": "require_secure_transport",
               "body": {"properties": {"value": value}}})
    };
    let change = resource("azapi_resource.c", &["update"], body("off"), body("on"));
    assert_eq!(end(&plan(std::slice::from_ref(&change))), AuditEnd::Pass);
    for (member, mark) in
        [("after_sensitive", json!({"body": {"properties": true}})), ("after_unknown", json!({"body": true}))]
    {
        let mut hidden = change.clone();
        hidden["change"][member] = mark;
        assert_eq!(end(&plan(&[hidden.clone()])), AuditEnd::Incomplete, "{hidden}");
    }
}

#[test]
fn an_id_that_is_hidden_once_is_hidden_everywhere() {
    let mut old = tf_server("s3cret-name", &["delete"], true, false);
    old["address"] = json!(format!("{TF_SERVER}.old"));
    old["name"] = json!("old");
    old["deposed"] = json!("a1");
    old["change"]["before_sensitive"] = json!({"name": true});
    let kept = block("c", "s3cret-name", &["update"], Some("on"), Some("off"));
    let found = report(&plan(&[old, kept]), None);
    assert!(!format!("{:?}", found.servers).contains("s3cret"), "{found:?}");
    assert_eq!(found.end(), AuditEnd::Findings);
}

#[test]
fn names_of_terraform_keep_their_letter_case() {
    let server = |module: &str| {
        let mut server = tf_server("main", &["create"], false, true);
        server["address"] = json!(format!("module.{module}.{TF_SERVER}.main"));
        server["module_address"] = json!(format!("module.{module}"));
        server["change"]["after_unknown"] = json!({"id": true});
        server
    };
    let block = || {
        let mut block = block("c", "x", &["create"], None, Some("on"));
        block["address"] = json!(format!("module.cfg.{TF_BLOCK}.c"));
        block["module_address"] = json!("module.cfg");
        block["change"]["after"].as_object_mut().unwrap().remove("server_id");
        block["change"]["after_unknown"] = json!({"server_id": true});
        block
    };
    for (module, output, variable) in [("srv", "server_id", "server_id"), ("PG", "serverId", "theServer")] {
        let mut file = plan(&[server(module), block()]);
        file["configuration"]["root_module"] = json!({"module_calls": {
            module: {"module": {"outputs": {output: {"expression": {"references": [format!("{TF_SERVER}.main.id"), format!("{TF_SERVER}.main")]}}},
                                "resources": [{"type": TF_SERVER, "name": "main"}]}},
            "cfg": {"expressions": {variable: {"references": [format!("module.{module}.{output}"), format!("module.{module}")]}},
                    "module": {"resources": [{"type": TF_BLOCK, "name": "c",
                                              "expressions": {"server_id": {"references": [format!("var.{variable}")]}}}]}}}});
        assert_eq!(end(&file), AuditEnd::Pass, "{file}");
    }
}

/// Neither grows faster than the file: each took minutes.
#[test]
fn a_configuration_that_names_everything_many_times_ends() {
    let references = json!(["var.a", "var.b", "var.c", "var.d", "var.a.id"]);
    let passed = json!({"a": {"references": references}, "b": {"references": references}, "c": {"references": references},
                        "d": {"references": references}});
    let inner = json!({"resources": [{"type": TF_BLOCK, "name": "c", "expressions": {"server_id": {"references": ["var.a"]}}}]});
    let module =
        (0..14).fold(inner, |inner, _| json!({"module_calls": {"m": {"expressions": passed, "module": inner}}}));
    let path = vec!["module.m"; 14].join(".");
    let mut block = block("c", "x", &["create"], None, Some("on"));
    block["module_address"] = json!(path);
    block["change"]["after"].as_object_mut().unwrap().remove("server_id");
    block["change"]["after_unknown"] = json!({"server_id": true});
    let mut file = plan(&[block]);
    file["configuration"]["root_module"] = module;
    assert_eq!(end(&file), AuditEnd::Pass, "whichever server it is, it is on");
}
