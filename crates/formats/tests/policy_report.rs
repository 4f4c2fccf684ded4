//! Azure Policy assignments, as Resource Manager, Bicep and Terraform take them.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hostssl_formats::policy::{BuiltInPolicy, ENFORCING, PolicyScope, REPORTING, value, write_bicep, write_terraform};
use std::io;

fn all() -> Vec<BuiltInPolicy> {
    REPORTING.into_iter().chain([ENFORCING]).collect()
}

fn written(
    write: impl Fn(&mut dyn io::Write, &[BuiltInPolicy], &PolicyScope, &str) -> io::Result<()>,
    scope: &str,
) -> String {
    let mut out = Vec::new();
    write(&mut out, &all(), &PolicyScope::read(scope).unwrap(), "westeurope").unwrap();
    String::from_utf8(out).unwrap()
}

const SUBSCRIPTION: &str = "/subscriptions/00000000-0000-0000-0000-000000000001";
const GROUP: &str = "/providers/Microsoft.Management/managementGroups/platform";

#[test]
fn assignments_in_every_format() {
    insta::assert_json_snapshot!(value(&all(), &PolicyScope::read(SUBSCRIPTION).unwrap(), "westeurope"));
    insta::assert_snapshot!(written(write_bicep, SUBSCRIPTION));
    insta::assert_snapshot!(written(write_terraform, GROUP));
    let reporting = value(&REPORTING, &PolicyScope::read(SUBSCRIPTION).unwrap(), "");
    assert!(
        reporting.as_array().unwrap().iter().all(|one| one.get("identity").is_none()),
        "what reports needs no identity"
    );
    // Azure allows 24 letters in the name of an assignment to a management group.
    assert!(all().iter().all(|policy| policy.name.len() <= 24));
}

#[test]
fn a_scope_is_the_id_of_a_place_and_nothing_that_a_template_reads_otherwise() {
    for text in [SUBSCRIPTION, GROUP, "/SUBSCRIPTIONS/20000000-0000-4000-8000-00000000000a/resourcegroups/my.rg_(1)/"] {
        let scope = PolicyScope::read(text).unwrap();
        assert!(scope.id().eq_ignore_ascii_case(text.trim_end_matches('/')), "{text}");
    }
    for wrong in [
        "",
        "s",
        "/subscriptions/",
        "/subscriptions/s",
        "/subscriptions/20000000-0000-4000-8000-00000000000a/x",
        "/subscriptions/a'b",
        "/subscriptions/${a}",
        "/subscriptions/s/resourceGroups/rg",
        "/subscriptions/20000000-0000-4000-8000-00000000000a/resourceGroups/a\"b",
        "/providers/x/managementGroups/g",
    ] {
        assert!(PolicyScope::read(wrong).is_err(), "{wrong}");
    }
}
