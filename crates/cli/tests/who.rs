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
    // Each process numbers its requests anew: the write of another one is not taken for this one's.
    switch(&state, "Enabled");
    let history = kept(&[&["server", "history", "--simulate", "-o", "json"], &SERVER[..]].concat());
    let history: Value = serde_json::from_str(&history.stdout).unwrap();
    let entries = history["entries"].as_array().unwrap();
    let mut after: Vec<_> =
        entries.iter().filter(|one| !one["operation"].is_null()).map(|one| &one["run"]["after"]).collect();
    after.sort_by_key(|value| value.to_string());
    assert_eq!(after, ["Disabled", "Enabled"], "{history}");
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

#[test]
fn a_waived_failure_is_shown_with_its_waiver_and_does_not_count() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state").display().to_string();
    let kept = |arguments: &[&str]| run(&[arguments, &["--state", &state, "-q"]].concat());
    assert_eq!(kept(&["audit", "--simulate"]).code, 3);
    switch(&state, "Disabled");
    let file = folder.path().join("waivers.toml").display().to_string();
    let id = "/subscriptions/20000000-0000-4000-8000-000000000003/resourceGroups/rg-identity/providers/Microsoft.DBforPostgreSQL/servers/pg-directory";
    let later = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * 20);
    let expires = later.to_string()[..10].to_owned();
    let waiver = |expires: &str| {
        format!(
            "[[waiver]]\ncontrol = \"require-secure-transport\"\nscope = \"{id}\"\nowner = \"Ada\"\nreason = \"migration\"\napprover = \"Grace\"\nexpires = {expires}\n"
        )
    };
    std::fs::write(&file, waiver(&expires)).unwrap();
    let watched = kept(&["watch", "--once", "--simulate", "--waivers", &file]);
    assert_eq!(watched.code, 0, "{}{}", watched.stdout, watched.stderr);
    assert!(
        watched.stdout.contains(&format!("waived until {expires}: migration; by application")),
        "{}",
        watched.stdout
    );
    let compared = kept(&["diff", "--simulate", "--waivers", &file, "-o", "json"]);
    assert_eq!(compared.code, 0, "{}", compared.stderr);
    let compared: Value = serde_json::from_str(&compared.stdout).unwrap();
    let change = &compared["changes"][0];
    assert_eq!((&change["difference"], &change["after"]["outcome"]), (&"new".into(), &"fail".into()));
    assert_eq!((&change["after"]["waiver"]["reason"], &compared["summary"]["new"]), (&"migration".into(), &1.into()));
    // One that has expired is shown too, and waives nothing; and without the file the failure counts.
    std::fs::write(&file, waiver("2020-01-01")).unwrap();
    assert_eq!(kept(&["diff", "--simulate", "--waivers", &file]).code, 3);
    assert_eq!(kept(&["diff", "--simulate"]).code, 3);
}
