//! Every server that a file mentions is judged, whichever of its settings the file has.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hostssl_audit::Profile;
use hostssl_iac::{IacReport, check, read};
use hostssl_model::{AuditEnd, AuditReport, Outcome};
use hostssl_test_support::fleet::{PlannerKnowledge, flexible};
use serde_json::{Value, json};

const ID: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.DBforPostgreSQL/flexibleServers/pg";
const PARAMETER: &str = "azurerm_postgresql_flexible_server_configuration";

fn judged(file: &Value, profile: &str, live: Option<&AuditReport>) -> IacReport {
    check(&read(file.to_string().as_bytes()).unwrap(), &Profile::find(profile).unwrap(), live)
}

fn live(enforced: &str, floor: &str) -> AuditReport {
    PlannerKnowledge::new(vec![flexible("pg", enforced, floor)]).audit()
}

/// A plan with one block of a server that it does not have.
fn plan_with(name: &str, value: &str) -> Value {
    let after = json!({"name": name, "server_id": ID, "value": value});
    json!({"format_version": "1.2", "resource_changes": [{
        "address": "a.b", "mode": "managed", "type": PARAMETER, "name": "b",
        "change": {"actions": ["create"], "before": null, "after": after, "after_unknown": {"id": true}},
    }]})
}

fn state_with(name: &str, value: &str) -> Value {
    json!({"format_version": "1.0", "values": {"root_module": {"resources": [{
        "address": "a.b", "mode": "managed", "type": PARAMETER, "name": "b",
        "values": {"name": name, "server_id": ID, "value": value},
    }]}}})
}

fn template_with(name: &str, value: &str) -> Value {
    json!({
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "resources": [{"type": "Microsoft.DBforPostgreSQL/flexibleServers/configurations",
                       "name": format!("pg/{name}"), "properties": {"value": value}}],
    })
}

#[test]
fn a_server_of_which_the_file_has_another_setting_only_does_not_pass() {
    for file in [plan_with, state_with, template_with] {
        for (name, value) in [("ssl_min_protocol_version", "TLSv1.3"), ("work_mem", "4096")] {
            let file = file(name, value);
            let alone = judged(&file, "baseline", None);
            assert_eq!((alone.end(), alone.servers.len()), (AuditEnd::Incomplete, 1), "{file}");
            for (enforced, end) in [("on", AuditEnd::Pass), ("off", AuditEnd::Findings)] {
                let report = judged(&file, "baseline", Some(&live(enforced, "TLSv1.2")));
                assert_eq!(report.end(), end, "{enforced}: {file}");
            }
        }
    }
}

#[test]
fn a_profile_that_asks_for_more_than_the_file_sets_needs_the_server() {
    let file = plan_with("require_secure_transport", "on");
    assert_eq!(judged(&file, "baseline", None).end(), AuditEnd::Pass, "Azure offers no version that fails");
    assert_eq!(judged(&file, "strict", None).end(), AuditEnd::Incomplete);
    for (floor, end) in [("TLSv1.3", AuditEnd::Pass), ("TLSv1.2", AuditEnd::Findings)] {
        assert_eq!(judged(&file, "strict", Some(&live("on", floor))).end(), end, "{floor}");
    }
}

#[test]
fn a_block_whose_server_is_not_known_says_nothing_about_enforcement() {
    let mut file = plan_with("ssl_min_protocol_version", "TLSv1.3");
    file["resource_changes"][0]["change"]["after"].as_object_mut().unwrap().remove("server_id");
    file["resource_changes"][0]["change"]["after_unknown"]["server_id"] = true.into();
    for live in [None, Some(&live("on", "TLSv1.2"))] {
        let report = judged(&file, "baseline", live);
        assert_eq!(report.servers.iter().map(|one| one.outcome()).collect::<Vec<_>>(), [Outcome::Unknown]);
    }
}
