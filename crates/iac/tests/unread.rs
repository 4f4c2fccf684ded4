//! What a file hides, or spells in another letter case, is never a pass.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hostssl_audit::Profile;
use hostssl_iac::{InvalidIac, check, read};
use hostssl_model::{AuditEnd, AuditReport, FailOn};
use hostssl_test_support::fleet::{PlannerKnowledge, flexible};
use serde_json::{Value, json};

const CONFIGURATION: &str = "Microsoft.DBforPostgreSQL/flexibleServers/configurations";
const SERVER_ID: &str = "/subscriptions/0b1f6471-1bf0-4dda-aec3-111122223333/resourceGroups/rg/providers/\
                         Microsoft.DBforPostgreSQL/flexibleServers/pg-a";

fn end(file: &Value, live: Option<&AuditReport>) -> AuditEnd {
    let file = read(file.to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}: {file}"));
    check(&file, &Profile::find("baseline").unwrap(), live).end()
}

fn template(resources: Value) -> Value {
    json!({
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "contentVersion": "1.0.0.0",
        "variables": {"v": "on", "t": {"resources": []}},
        "resources": resources,
    })
}

fn parameter(members: Value) -> Value {
    let mut resource = json!({"type": CONFIGURATION, "name": "pg-a/require_secure_transport"});
    resource.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    resource
}

fn deployment(properties: Value) -> Value {
    template(json!([{"type": "Microsoft.Resources/deployments", "name": "inner", "properties": properties}]))
}

/// An audit in which the server enforces TLS.
fn live() -> AuditReport {
    PlannerKnowledge::new(vec![flexible("pg-a", "on", "TLSv1.2")]).audit()
}

#[test]
fn a_value_that_cannot_be_read_is_not_what_the_server_has() {
    let audit = live();
    for members in [
        json!({"properties": "[union(createObject('value', 'off'), createObject())]"}),
        json!({"properties": {"value": null}}),
        json!({"properties": {}}),
        json!({}),
        json!({"properties": {"value": ["on"]}}),
    ] {
        let file = template(json!([parameter(members)]));
        assert_eq!(end(&file, None), AuditEnd::Incomplete, "{file}");
        assert_eq!(end(&file, Some(&audit)), AuditEnd::Incomplete, "live: {file}");
    }
}

#[test]
fn a_provider_of_another_source_is_not_the_one_that_it_is_named_like() {
    let plan = |provider: Value| {
        let change = json!({"actions": ["create"], "before": null, "after_unknown": {"id": true},
            "after": {"name": "pg-a", "resource_group_name": "rg", "location": "westeurope"}});
        let mut resource = json!({"address": "azurerm_postgresql_flexible_server.main", "mode": "managed",
            "type": "azurerm_postgresql_flexible_server", "name": "main", "change": change});
        resource["provider_name"] = provider;
        json!({"format_version": "1.2", "terraform_version": "1.9.0", "resource_changes": [resource]})
    };
    let gaps = |provider: &str| read(plan(provider.into()).to_string().as_bytes()).unwrap().gaps.len();
    for known in [
        "registry.terraform.io/hashicorp/azurerm",
        "registry.opentofu.org/hashicorp/azurerm",
        "azurerm",
        "registry.terraform.io/-/azurerm",
    ] {
        assert_eq!((gaps(known), end(&plan(known.into()), None)), (0, AuditEnd::Pass), "{known}");
    }
    for other in ["registry.terraform.io/acme/azurerm", "registry.terraform.io/hashicorp/azurerm-next"] {
        assert_eq!((gaps(other), end(&plan(other.into()), None)), (1, AuditEnd::Incomplete), "{other}");
    }
}

#[test]
fn names_are_read_in_any_letter_case() {
    let audit = live();
    let off = [
        template(json!([parameter(json!({"Properties": {"Value": "off"}}))])),
        template(
            json!([{"Type": CONFIGURATION, "Name": "pg-a/require_secure_transport", "PROPERTIES": {"value": "OFF"}}]),
        ),
        deployment(json!({
            "expressionEvaluationOptions": {"scope": "inner"},
            "parameters": {"VALUE": {"Value": "off"}},
            "template": {
                "parameters": {"value": {"defaultValue": "on"}},
                "resources": [parameter(json!({"properties": {"value": "[parameters('Value')]"}}))],
            },
        })),
        deployment(json!({
            "ExpressionEvaluationOptions": {"Scope": "Inner"},
            "template": {
                "variables": {"V": "off"},
                "resources": [parameter(json!({"properties": {"value": "[variables('v')]"}}))],
            },
        })),
    ];
    for file in off {
        assert_eq!(end(&file, None), AuditEnd::Findings, "{file}");
        assert_eq!(end(&file, Some(&audit)), AuditEnd::Findings, "live: {file}");
    }
    let mut both = template(json!([parameter(json!({"properties": {"value": "[variables('v')]"}}))]));
    assert_eq!(end(&both, None), AuditEnd::Pass, "{both}");
    both["variables"]["V"] = json!("off");
    assert_eq!(end(&both, None), AuditEnd::Incomplete, "which of the two is meant cannot be told: {both}");
}

#[test]
fn a_template_that_is_not_in_the_file_is_a_gap() {
    for file in [
        deployment(json!({"template": "[variables('t')]"})),
        deployment(json!("[variables('t')]")),
        deployment(json!({"templateLink": {"uri": "https://example.com/t.json"}})),
        deployment(json!({})),
        deployment(
            json!({"expressionEvaluationOptions": {"scope": "[variables('v')]"}, "template": {"resources": []}}),
        ),
        template(json!([{"type": "Microsoft.Resources/deploymentStacks", "name": "s", "properties": {}}])),
        template(json!([{"type": "[concat('Microsoft.', 'DBforPostgreSQL/flexibleServers')]", "name": "s"}])),
    ] {
        assert_eq!(end(&file, None), AuditEnd::Incomplete, "{file}");
    }
    assert_eq!(end(&deployment(json!({"template": {"resources": []}})), None), AuditEnd::Pass);
}

fn plan(resource_type: &str, actions: Value, after: Value, unknown: Value) -> Value {
    let change = json!({"actions": actions, "before": null, "after": after, "after_unknown": unknown});
    let resource =
        json!({"address": "x.one", "mode": "managed", "type": resource_type, "name": "one", "change": change});
    json!({"format_version": "1.2", "resource_changes": [resource]})
}

#[test]
fn terraform_resources_that_are_not_read_are_gaps() {
    let action = json!({
        "type": format!("{CONFIGURATION}@2024-08-01"), "method": "PUT",
        "resource_id": format!("{SERVER_ID}/configurations/require_secure_transport"),
        "body": {"properties": {"value": "off"}},
    });
    let of_template = |text: &str| json!({"name": "d", "template_content": text});
    let group = "azurerm_resource_group_template_deployment";
    for file in [
        plan("azapi_resource_action", json!(["create"]), action.clone(), json!({})),
        plan("azapi_resource", json!(["create"]), json!({"parent_id": SERVER_ID}), json!({"type": true})),
        plan(
            "azapi_resource",
            json!(["create"]),
            json!({"type": "Microsoft.Resources/deployments@2021-04-01"}),
            json!({}),
        ),
        plan(group, json!(["create"]), of_template("{\"type\":\"Microsoft.DBForPostgreSQL/servers\"}"), json!({})),
        plan(group, json!(["update"]), of_template("{\"templateLink\":{}}"), json!({})),
        plan(group, json!(["create"]), json!({"name": "d"}), json!({"template_content": true})),
        plan(group, json!(["create"]), json!({"name": "d", "template_spec_version_id": "/s"}), json!({})),
    ] {
        assert_eq!(end(&file, None), AuditEnd::Incomplete, "{file}");
    }
    // What is not done changes nothing, and a template of other resources says nothing about servers.
    for file in [
        plan("azapi_resource_action", json!(["no-op"]), action, json!({})),
        plan(group, json!(["create"]), of_template("{\"resources\":[{\"type\":\"Microsoft.Web/sites\"}]}"), json!({})),
        plan(
            "aws_thing",
            json!(["create"]),
            json!({"template_content": [1], "template_spec_version_id": {}}),
            json!({}),
        ),
    ] {
        assert_eq!(end(&file, None), AuditEnd::Pass, "{file}");
    }
}

#[test]
fn a_damaged_file_is_refused() {
    let mut changed = plan("azurerm_postgresql_flexible_server_configuration", json!([]), json!({}), json!({}));
    changed["resource_changes"][0]["change"] = json!("x");
    for file in [changed, json!({"format_version": "1.2", "values": "x"})] {
        let error = read(file.to_string().as_bytes()).unwrap_err();
        assert!(matches!(error, InvalidIac::Unexpected { .. } | InvalidIac::Other), "{file}: {error}");
    }
    // Terraform writes this for a state without resources.
    assert_eq!(end(&json!({"format_version": "1.0"}), None), AuditEnd::Pass);
}

#[test]
fn an_error_says_which_member_is_there_twice_and_what_was_expected() {
    let refused = |text: &str| read(text.as_bytes()).unwrap_err().to_string();
    let twice = r#"{"format_version": "1.2", "resource_changes": [{"address": "S3cret", "address": "x"}]}"#;
    let error = refused(twice);
    assert!(error.starts_with("line 1, column") && error.contains("an object has `address` twice"), "{error}");
    let list = refused(r#"{"format_version": "1.2", "resource_changes": "S3cret, expected a list"}"#);
    assert!(list.ends_with("a value of an unexpected type, which is a list"), "{list}");
    assert!(!list.contains("S3cret") && !error.contains("S3cret"), "{list} {error}");
}

/// A server whose name or group Terraform marks as sensitive: its id has them in it.
#[test]
fn a_sensitive_name_is_not_told_by_the_id() {
    let audit = PlannerKnowledge::new(vec![flexible("pg-a", "off", "TLSv1.2")]).audit();
    let id = audit.servers[0].server.id.to_string();
    let group = audit.servers[0].server.id.resource_group().to_owned();
    let server = json!({"id": id, "name": "pg-a", "resource_group_name": group});
    let block = json!({"name": "require_secure_transport", "value": "on", "server_id": id});
    let change = |kind: &str, name: &str, values: &Value, hidden: Value| {
        json!({"address": format!("{kind}.{name}"), "mode": "managed", "type": kind, "name": name,
               "change": {"actions": ["no-op"], "before": values, "after": values, "after_unknown": {},
                          "before_sensitive": hidden, "after_sensitive": hidden}})
    };
    for hidden in ["name", "resource_group_name"] {
        let hides = json!({hidden: true});
        let file = json!({"format_version": "1.2", "resource_changes": [
            change("azurerm_postgresql_flexible_server", "s", &server, hides),
            change("azurerm_postgresql_flexible_server_configuration", "c", &block, json!({})),
        ]});
        let read = read(file.to_string().as_bytes()).unwrap();
        for live in [None, Some(&audit)] {
            let report = check(&read, &Profile::find("baseline").unwrap(), live);
            let [one] = report.servers.as_slice() else { panic!("{report:?}") };
            assert_eq!(one.id, None, "{hidden}");
            assert!(hidden != "name" || one.name.is_none(), "{one:?}");
            assert!(hidden != "resource_group_name" || one.resource_group.is_none(), "{one:?}");
            // The block is still that server's, and the audit still has it.
            assert_eq!(one.findings[0].effect.as_str(), "keeps");
            assert_eq!(one.findings[0].live.is_some(), live.is_some(), "{hidden}: {one:?}");
        }
    }
}

/// What Bicep and the tools of Azure take as a template, which is more than JSON.
#[test]
fn a_template_may_have_comments_and_last_commas() {
    let text = r#"// The database of the shop.
{
  "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
  "resources": [ /* "value": "on" */
    {
      "type": "Microsoft.DBforPostgreSQL/flexibleServers/configurations", // of a server that exists
      "name": "pg-a/require_secure_transport",
      "properties": { "value": "off", },
    },
  ],
}
"#;
    let report = check(&read(text.as_bytes()).unwrap(), &Profile::find("baseline").unwrap(), None);
    assert_eq!((report.end(), report.servers.len()), (AuditEnd::Findings, 1));
    let open = text.replace("// The", "/* The");
    assert!(matches!(read(open.as_bytes()), Err(InvalidIac::NotJson(_))));
}

/// A gate chooses among failures. What is not known never passes.
#[test]
fn a_gate_makes_no_pass_of_what_is_not_known() {
    let of = |name: &str, value: &str| json!({"type": CONFIGURATION, "name": name, "properties": {"value": value}});
    let (off, open) = (of("pg-a/require_secure_transport", "off"), of("pg-b/require_secure_transport", "[x]"));
    let cap = of("pg-c/ssl_max_protocol_version", "TLSv1.2");
    let on = of("pg-c/require_secure_transport", "on");
    for (resources, fail_on, end) in [
        (json!([off, open]), vec![], AuditEnd::Findings),
        (json!([off, open]), vec![FailOn::Never], AuditEnd::Incomplete),
        (json!([off]), vec![FailOn::Never], AuditEnd::Pass),
        (json!([off]), vec![FailOn::High], AuditEnd::Findings),
        (json!([cap, on]), vec![FailOn::Fail], AuditEnd::Findings),
        (json!([cap, on]), vec![FailOn::High], AuditEnd::Pass),
        (json!([cap, on, open]), vec![FailOn::High], AuditEnd::Incomplete),
        (json!([open]), vec![FailOn::Unknown], AuditEnd::Findings),
        (json!([on]), vec![FailOn::Unknown, FailOn::Fail], AuditEnd::Pass),
    ] {
        let file = read(template(resources).to_string().as_bytes()).unwrap();
        let mut report = check(&file, &Profile::find("baseline").unwrap(), None);
        report.fail_on = fail_on;
        assert_eq!(report.end(), end, "{:?}", report.fail_on);
    }
}
