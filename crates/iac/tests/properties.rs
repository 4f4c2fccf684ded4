//! Whatever a plan or a template says: nothing passes for being on unless its value is on, and no secret is kept.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hostssl_audit::Profile;
use hostssl_iac::{IacReport, check, read};
use hostssl_model::{Meaning, Outcome};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A value that a setting may have in a file, or something else.
fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!("on")),
        Just(json!("off")),
        Just(json!("ON")),
        Just(json!(true)),
        Just(json!(false)),
        Just(Value::Null),
        Just(json!(1)),
        Just(json!("S3cret")),
        Just(json!(["on"])),
        Just(json!({"on": "on"})),
        Just(json!("[parameters('x')]")),
    ]
}

fn marks() -> impl Strategy<Value = Value> {
    let mark = |name: &'static str| Just(json!({ name: true }));
    prop_oneof![4 => Just(json!({})), 1 => Just(json!(true)), 1 => Just(json!(false)), 1 => mark("value"), 1 => mark("server_id"),
                1 => mark("name"), 1 => mark("ssl_enforcement_enabled")]
}

fn actions() -> impl Strategy<Value = Value> {
    let all = [
        json!(["no-op"]),
        json!(["create"]),
        json!(["update"]),
        json!(["delete"]),
        json!(["forget"]),
        json!(["delete", "create"]),
        json!(["create", "delete"]),
        json!(["create", "forget"]),
        json!(["read"]),
        json!([]),
    ];
    proptest::sample::select(all.to_vec())
}

fn attributes() -> impl Strategy<Value = Value> {
    let id = |name: &str| {
        format!("/subscriptions/s/resourceGroups/g/providers/Microsoft.DBforPostgreSQL/flexibleServers/{name}")
    };
    let server = proptest::sample::select(vec![json!(id("a")), json!(id("b")), Value::Null, json!("S3cret"), json!(7)]);
    let name =
        proptest::sample::select(vec!["require_secure_transport", "ssl_min_protocol_version", "log_connections"]);
    let mode = proptest::sample::select(vec![Value::Null, json!("Default"), json!("Replica")]);
    (value(), value(), server, name, mode, proptest::option::of(Just(()))).prop_map(
        |(one, two, server, name, mode, some)| {
            if some.is_none() {
                return Value::Null;
            }
            json!({"id": server, "name": name, "server_id": server, "value": one, "ssl_enforcement_enabled": two,
               "ssl_enforcement": one, "create_mode": mode, "administrator_password": "S3cret", "body": "S3cret"})
        },
    )
}

fn resource() -> impl Strategy<Value = Value> {
    let types = vec![
        "azurerm_postgresql_flexible_server",
        "azurerm_postgresql_flexible_server_configuration",
        "azurerm_postgresql_server",
        "azurerm_key_vault_secret",
    ];
    let place = (proptest::sample::select(types), 0..3_u8, any::<bool>());
    (place, actions(), attributes(), attributes(), marks(), marks()).prop_map(
        |((kind, number, deposed), actions, before, after, unknown, sensitive)| {
            let mut resource = json!({
                "address": format!("{kind}.r{number}"), "mode": "managed", "type": kind, "name": format!("r{number}"),
                "change": {"actions": actions, "before": before, "after": after, "after_unknown": unknown,
                           "before_sensitive": sensitive, "after_sensitive": sensitive},
            });
            if deposed {
                resource["deposed"] = "1".into();
            }
            resource
        },
    )
}

fn configuration() -> impl Strategy<Value = Value> {
    proptest::bool::ANY.prop_map(|each| {
        let references = if each {
            json!(["each.key", "azurerm_postgresql_flexible_server.r0"])
        } else {
            json!(["azurerm_postgresql_flexible_server.r1.id", "azurerm_postgresql_flexible_server.r1"])
        };
        let block = |name| {
            json!({"address": "x", "type": "azurerm_postgresql_flexible_server_configuration", "name": name,
                   "expressions": {"server_id": {"references": references}}})
        };
        json!({"root_module": {"resources": [block("r0"), block("r1")]}})
    })
}

fn template_resource() -> impl Strategy<Value = Value> {
    let types = vec![
        "Microsoft.DBforPostgreSQL/flexibleServers",
        "Microsoft.DBforPostgreSQL/flexibleServers/configurations",
        "Microsoft.DBforPostgreSQL/servers",
    ];
    let names = vec![
        "a",
        "a/require_secure_transport",
        "[parameters('n')]",
        "[concat(parameters('n'), '/require_secure_transport')]",
    ];
    let condition = proptest::option::of(value());
    (proptest::sample::select(types), proptest::sample::select(names), value(), value(), condition).prop_map(
        |(kind, name, one, two, condition)| {
            let mut resource = json!({"type": kind, "name": name, "properties": {"value": one, "sslEnforcement": two,
                                      "minimalTlsVersion": "TLS1_2", "administratorLoginPassword": "S3cret"}});
            if let Some(condition) = condition {
                resource["condition"] = condition;
            }
            resource
        },
    )
}

fn assert_sound(report: &IacReport) {
    for one in report.servers.iter().flat_map(|server| &server.findings) {
        let is_on = one.after == Some(Meaning::Enforced(true));
        if one.setting.is_switch() && one.outcome == Outcome::Pass {
            assert!(is_on, "{one:?}");
        }
        assert_eq!(one.outcome == Outcome::Unknown, one.reason.is_some(), "{one:?}");
    }
    assert!(!format!("{report:?}").contains("S3cret"), "{report:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_plan_passes_only_for_a_value_that_is_on(
        changes in proptest::collection::vec(resource(), 0..6),
        drift in proptest::collection::vec(resource(), 0..2),
        configuration in configuration(),
    ) {
        let plan = json!({"format_version": "1.2", "resource_changes": changes, "resource_drift": drift, "configuration": configuration});
        let file = read(plan.to_string().as_bytes()).unwrap();
        assert!(!format!("{file:?}").contains("S3cret"), "{file:?}");
        let report = check(&file, &Profile::find("baseline").unwrap(), None);
        assert_sound(&report);
        // No single one of its values is on: nothing may be on but for Azure's default.
        let off = plan.to_string().replace("\"on\"", "\"off\"").replace("\"ON\"", "\"off\"").replace("_enabled\":true", "_enabled\":false");
        let report = check(&read(off.as_bytes()).unwrap(), &Profile::find("baseline").unwrap(), None);
        for one in report.servers.iter().flat_map(|server| &server.findings) {
            let by_default = [hostssl_iac::IacEffect::LeavesDefault, hostssl_iac::IacEffect::ResetsToDefault].contains(&one.effect);
            assert!(one.after != Some(Meaning::Enforced(true)) || by_default, "{one:?}");
        }
    }

    #[test]
    fn a_template_passes_only_for_a_value_that_is_on(resources in proptest::collection::vec(template_resource(), 0..6)) {
        let template = json!({"$schema": "https://x/deploymentTemplate.json#", "contentVersion": "1.0.0.0", "resources": resources});
        let file = read(template.to_string().as_bytes()).unwrap();
        let report = check(&file, &Profile::find("baseline").unwrap(), None);
        assert_sound(&report);
        let off = template.to_string().replace("\"on\"", "\"off\"").replace("\"ON\"", "\"off\"");
        let report = check(&read(off.as_bytes()).unwrap(), &Profile::find("baseline").unwrap(), None);
        for one in report.servers.iter().flat_map(|server| &server.findings) {
            assert_ne!(one.after, Some(Meaning::Enforced(true)), "{one:?}");
        }
    }
}
