//! The small documents that programs read: their schemas are the committed ones, and their bytes stay.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hostssl_formats::apply_json::RunApproval;
use hostssl_formats::approval_json::{self, PackedOrder};
use hostssl_formats::config_json::{self, ConfigRow};
use hostssl_model::Principal;
use hostssl_test_support::schema::Schema;
use serde_json::json;

#[test]
fn an_approval_keeps_to_its_schema_and_its_bytes() {
    let schema = Schema::generated("evidence-approval-v1", &approval_json::schema());
    let principal = Principal {
        name: "ada@contoso.example".into(),
        object_id: None,
        tenant: Some("t".into()),
        method: "cli".into(),
    };
    let order = PackedOrder { at: "2026-11-29T12:00:00Z", act: "apply", person: "Ada", plan: "11" };
    let written = approval_json::value("run-1", "11", &principal, vec![order], &[]).unwrap();
    schema.assert_accepts(&written);
    schema.assert_refuses(&written, |document| document["orders"] = json!("none"));
    assert_eq!(
        written.to_string(),
        r#"{"approvedPlan":"11","orders":[{"act":"apply","at":"2026-11-29T12:00:00Z","person":"Ada","plan":"11"}],"principal":{"method":"cli","name":"ada@contoso.example","objectId":null,"tenant":"t"},"run":"run-1"}"#
    );
    let approval = RunApproval { person: "Ada".into(), at: "2026-11-29T11:00:00Z".into() };
    let with_approvals = approval_json::value("run-1", "11", &principal, Vec::new(), &[approval]).unwrap();
    schema.assert_accepts(&with_approvals);
    assert_eq!(with_approvals["approvals"].to_string(), r#"[{"at":"2026-11-29T11:00:00Z","person":"Ada"}]"#);
    let head = approval_json::probe_head("p-1", "2026-11-29T12:00:00Z", "0.1.0").unwrap();
    assert_eq!(head.to_string(), r#"{"probe":"p-1","startedAt":"2026-11-29T12:00:00Z","toolVersion":"0.1.0"}"#);
}

#[test]
fn the_keys_of_the_configuration_keep_to_their_schema_and_their_bytes() {
    let schema = Schema::generated("config-show-v1", &config_json::schema());
    let row = ConfigRow { key: "tenant", value: "contoso".into(), from: "hostssl.toml:3".into() };
    let written = config_json::value(&[row]).unwrap();
    schema.assert_accepts(&written);
    schema.assert_refuses(&written, |document| document[0]["from"] = json!(3));
    assert_eq!(written.to_string(), r#"[{"from":"hostssl.toml:3","key":"tenant","value":"contoso"}]"#);
}
