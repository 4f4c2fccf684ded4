//! Zones, and what has to be probed in them, as people and programs read them.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hostssl_formats::prober_json::{
    self, ProberAnswer, ProberReply, ProberRequest, QUESTION, TargetBatch, TargetOutcome,
};
use hostssl_formats::probers_json::{self, ListedProber, ListedRefusal};
use hostssl_formats::probers_text;
use hostssl_formats::targets_json::{self, ZoneTargets};
use hostssl_formats::zones_json::{self, ZoneCoverage};
use hostssl_formats::{Text, zones_text};
use hostssl_model::{Gap, GapScope, NetworkAccess, PrivateNetwork, Reason, Server, Unchecked, ZoneRule};
use hostssl_probe::target::ProbeTarget;
use hostssl_test_support::fleet::flexible;
use hostssl_test_support::schema::Schema;

fn rules() -> Vec<ZoneRule> {
    let network = Some("/subscriptions/s/virtualNetworks/vnet-data".to_owned());
    vec![
        ZoneRule { zone: "hub-weu".into(), virtual_network: network, line: 1, ..ZoneRule::default() },
        ZoneRule {
            zone: "lab".into(),
            server: Some("pg-lab-*".to_owned()),
            location: Some("westeurope".to_owned()),
            line: 5,
            ..ZoneRule::default()
        },
    ]
}

fn private(name: &str, subnet: Option<&str>) -> Server {
    let private = PrivateNetwork { subnet: subnet.map(Into::into), ..PrivateNetwork::default() };
    let network = NetworkAccess { public_access: Some(false), private: Some(Box::new(private)) };
    Server { network, ..flexible(name, "on", "TLSv1.2").server }
}

#[test]
fn rules_are_listed_with_what_they_leave_out() {
    let (rules, servers) =
        (rules(), [private("pg-a", Some("/v/virtualNetworks/n/subnets/\u{202e}db")), private("pg-b", None)]);
    let uncovered: Vec<&Server> = servers.iter().collect();
    let gaps = [Gap { scope: GapScope::Subscription("s".into()), unchecked: Unchecked::new(Reason::Permission, "no") }];
    let coverage = ZoneCoverage { servers: &[3, 0], uncovered: &uncovered, gaps: &gaps };
    let text = |coverage: Option<&ZoneCoverage<'_>>| {
        let mut out = Vec::new();
        zones_text::write(&mut out, &rules, coverage, &Text::plain()).unwrap();
        String::from_utf8(out).unwrap()
    };
    insta::assert_snapshot!(format!("{}---\n{}", text(None), text(Some(&coverage))));

    let schema = Schema::generated("zones-v1", &zones_json::schema());
    schema.assert_accepts(&zones_json::value(&rules, None).unwrap());
    let whole = zones_json::value(&rules, Some(&coverage)).unwrap();
    schema.assert_accepts(&whole);
    schema.assert_refuses(&whole, |wrong| wrong["rules"][0]["vnet"] = "a".into());
    assert_eq!(whole["rules"][1]["servers"], 0);
}

#[test]
fn a_list_for_a_zone_keeps_to_its_schema() {
    let target =
        ProbeTarget { user: Some("dba".to_owned()), databases: vec!["shop".to_owned()], ..ProbeTarget::new("a", 5432) };
    let made_at = "2026-01-01T00:00:00Z".parse().unwrap();
    let list = ZoneTargets { zone: "hub".to_owned(), made_at, targets: vec![target, ProbeTarget::new("b", 6432)] };
    let schema = Schema::generated("targets-v1", &targets_json::schema());
    let value = list.value().unwrap();
    schema.assert_accepts(&value);
    schema.assert_refuses(&value, |wrong| wrong["targets"][0]["resourceId"] = "/subscriptions/s".into());
}

#[test]
fn what_probers_and_the_console_say_keeps_to_its_schema() {
    let schema = Schema::generated("prober-v1", &prober_json::schema());
    let answer = |outcome| ProberAnswer { host: "pg-a".to_owned(), port: 22, outcome };
    let answers = vec![
        answer(TargetOutcome::Fenced("port 22 is not among its --allow-ports".to_owned())),
        answer(TargetOutcome::Unsupported("no".to_owned())),
        answer(TargetOutcome::Unusable("no".to_owned())),
    ];
    let version = || "0.1.0".to_owned();
    for request in [
        ProberRequest::Enrol { secret: "s".to_owned(), version: version() },
        ProberRequest::Targets { version: version(), after: None },
        ProberRequest::Targets { version: version(), after: Some(("pg-a".to_owned(), 5432)) },
        ProberRequest::Wait { wanted: 1 },
        ProberRequest::Looks { answers, ended: Some(1) },
    ] {
        let value = request.value().unwrap();
        schema.assert_accepts(&value);
        schema.assert_refuses(&value, |wrong| wrong["ask"] = "shell".into());
        schema.assert_refuses(&value, |wrong| wrong["schema"] = "hostssl/prober/v2".into());
    }
    let batch = TargetBatch {
        zone: "hub".to_owned(),
        now: "2026-01-01T00:00:00Z".parse().unwrap(),
        wanted: 1,
        targets: vec![(ProbeTarget::new("pg-a", 5432), QUESTION.to_owned())],
        more: false,
    };
    for reply in [
        ProberReply::Enrolled { prober: "p-1".to_owned(), zone: "hub".to_owned() },
        ProberReply::Targets(batch),
        ProberReply::Wanted(2),
        ProberReply::Kept { answers: 1, unkept: vec![(("pg-a".to_owned(), 22), "no".to_owned())] },
        ProberReply::Refused { what: "no".to_owned(), hint: "none".to_owned() },
    ] {
        let value = reply.value().unwrap();
        schema.assert_accepts(&value);
        schema.assert_refuses(&value, |wrong| wrong["reply"] = "run".into());
    }
}

#[test]
fn probers_are_listed_with_what_they_left_out() {
    let prober = |id: &str, status| ListedProber {
        id: id.to_owned(),
        zone: "hub-weu".to_owned(),
        status,
        key_sha256: "ab".repeat(32),
        version: "0.1.0".to_owned(),
        enrolled_at: "2026-01-01T00:00:00Z".to_owned(),
        last_contact: "2026-01-02T00:00:00Z".to_owned(),
        asked: 3,
        answered: 1,
        without_look: 2,
        example: Some("pg-a:22: refused by the prober: port 22 is not among its --allow-ports".to_owned()),
        violations: 0,
    };
    let probers = [prober("p-1", "active"), prober("p-2", "revoked")];
    let refusals = [ListedRefusal {
        prober: None,
        at: "2026-01-02T00:00:00Z".to_owned(),
        why: "a prober gave a secret that was used before\u{202e}".to_owned(),
    }];
    let mut out = Vec::new();
    probers_text::write(&mut out, &probers, &refusals, &Text::plain()).unwrap();
    insta::assert_snapshot!(String::from_utf8(out).unwrap());
    let schema = Schema::generated("probers-v1", &probers_json::schema());
    let value = probers_json::value(&probers, &refusals).unwrap();
    schema.assert_accepts(&value);
    schema.assert_refuses(&value, |wrong| wrong["probers"][0]["secret"] = "s".into());
}
