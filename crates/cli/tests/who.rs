//! Who changed a server: `diff --who`, `watch` and `server history`, against the simulated Azure.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop at the first surprise")]
#![allow(unreachable_pub, missing_docs, dead_code, reason = "a module of this test, shared with others")]

mod common;

use common::run;
use serde_json::Value;

const SERVER: [&str; 4] = ["--name", "pg-directory", "-g", "rg-identity"];

fn switch(state: &str, to: &str) {
    let options =
        ["server", "update", "--simulate", "--state", state, "--ssl-enforcement", to, "-q", "--reason", "a test"];
    let done = run(&[&options[..], &SERVER].concat());
    assert_eq!(done.code, 0, "{}", done.stderr);
}

#[test]
fn a_change_has_its_author_in_watch_and_diff_and_a_server_its_history() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state").display().to_string();
    let kept = |arguments: &[&str]| run(&[arguments, &["--state", &state, "-q"]].concat());
    assert_eq!(kept(&["audit", "--simulate"]).code, 3);
    switch(&state, "Disabled");
    let watched = kept(&["watch", "--once", "--simulate"]);
    assert!(watched.stdout.contains("by application 11111111-1111-4111-8111-111111111111"), "{}", watched.stdout);
    // Without --who, Azure is not asked.
    let plain: Value = serde_json::from_str(&kept(&["diff", "--simulate", "-o", "json"]).stdout).unwrap();
    assert_eq!(plain["changes"][0].get("who"), None);
    let told = kept(&["diff", "--who", "--simulate", "-o", "json"]);
    assert_eq!(told.code, 3, "{}", told.stderr);
    let told: Value = serde_json::from_str(&told.stdout).unwrap();
    let operation = &told["changes"][0]["who"]["operations"][0];
    assert_eq!((&operation["byKind"], &operation["end"]), (&"application".into(), &"succeeded".into()), "{told}");
    assert_eq!(operation["operation"], "Microsoft.DBforPostgreSQL/servers/write");

    let history = kept(&[&["server", "history", "--simulate", "-o", "json"], &SERVER[..]].concat());
    assert_eq!(history.code, 0, "{}", history.stderr);
    let history: Value = serde_json::from_str(&history.stdout).unwrap();
    assert_eq!((&history["complete"], &history["name"]), (&true.into(), &"pg-directory".into()));
    let entry = &history["entries"][0];
    assert_eq!(
        (&entry["run"]["after"], &entry["operation"]["end"]),
        (&"Disabled".into(), &"succeeded".into()),
        "{history}"
    );
    let text = kept(&[&["server", "history", "--simulate", "-o", "table"], &SERVER[..]].concat()).stdout;
    assert!(text.contains("hostssl change ") && text.contains("Activity Log from "), "{text}");
}

#[test]
fn the_past_of_the_demonstration_is_by_people_a_pipeline_and_a_policy() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state").display().to_string();
    let of = |name: &str, group: &str| {
        let done =
            run(&["server", "history", "--simulate", "--state", &state, "-q", "-o", "table", "-n", name, "-g", group]);
        assert_eq!(done.code, 0, "{}", done.stderr);
        done.stdout
    };
    let replica = of("pg-orders-prod-replica", "rg-shop-prod");
    assert!(
        replica.contains("ann@contoso.example (Azure portal)") && replica.contains("require_secure_transport"),
        "{replica}"
    );
    assert!(of("pg-search-prod", "rg-shop-prod").contains("application 30000000-"));
    assert!(of("pg-shipping-stage", "rg-shop-stage").contains("managed identity tls-1-3-everywhere"));
    assert!(of("pg-keycloak", "rg-identity").contains("nothing in the Activity Log from "));
}
