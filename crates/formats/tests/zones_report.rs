//! Zones, and what has to be probed in them, as people and programs read them.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

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
