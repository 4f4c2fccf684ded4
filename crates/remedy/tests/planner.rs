//! What the planner decides, and that a plan is what it says.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod common;

use common::fleet::*;
use hostssl_model::{
    Blind, Kind, Parameter, ParameterName as Name, Posture, Reading, Reason, ResourceId, Subscription, SubscriptionId,
    SubscriptionState, TlsVersion,
};
use hostssl_remedy::{
    Approved, ClientVerdict, Disposition, FixableControl, Floor, Goal, InvalidPlan, LeftOutReason, LintContext, Lock,
    Mismatch, NotApproved, Plan, PlanContext, PlanOptions, WaivedFinding, lint,
};
use proptest::prelude::*;
use std::sync::Arc;
use std::time::Duration;

const SWITCH: FixableControl = FixableControl::RequireSecureTransport;
const FLOOR: FixableControl = FixableControl::MinimumTlsVersion;

/// Every step as `wave server parameter before>after disposition`.
fn steps(plan: &Plan) -> Vec<String> {
    let line = |step: &hostssl_remedy::Step| {
        let values = format!("{}>{}", step.before, step.after);
        format!("{} {} {} {values} {}", step.wave, step.server.name(), step.parameter.key(), step.disposition)
    };
    plan.steps().iter().map(line).collect()
}

fn left_out(plan: &Plan) -> Vec<String> {
    let line = |left: &hostssl_remedy::LeftOut| {
        format!("{} {} {}: {}", left.server.name(), left.control, left.reason.as_str(), left.detail)
    };
    plan.left_out().iter().map(line).collect()
}

fn blind(mut posture: Posture, name: Name, reason: Reason) -> Posture {
    for (read, reading) in &mut posture.readings {
        if *read == name {
            let mut blind = Blind::new(reason, "Azure said no");
            blind.missing_permission = (reason == Reason::Permission).then(|| "configurations/read".into());
            *reading = Reading::Unknown(blind);
        }
    }
    posture
}

#[test]
fn every_kind_gets_its_own_settings() {
    let plan = Known::new(vec![
        flexible("flex", "OFF", "TLSv1.2"),
        single("old", "Disabled", "TLSEnforcementDisabled"),
        cosmos("citus", "TLSv1.1", "TLSv1"),
        server(
            Kind::ElasticCluster,
            "elastic",
            &[(Name::RequireSecureTransport, "off"), (Name::SslMinProtocolVersion, "TLSv1.2")],
        ),
    ])
    .plan();
    assert_eq!(
        steps(&plan),
        [
            "1 elastic require_secure_transport off>on breaks-clients",
            "2 flex require_secure_transport OFF>on breaks-clients",
            "2 citus ssl_min_protocol_version TLSv1.1>TLSv1.2 breaks-clients",
            "2 citus node.ssl_min_protocol_version TLSv1>TLSv1.2 breaks-clients",
            "2 old sslEnforcement Disabled>Enabled breaks-clients",
            "2 old minimalTlsVersion TLSEnforcementDisabled>TLS1_2 breaks-clients",
        ]
    );
    assert_eq!(plan.servers(), 4);
    assert!(plan.steps().iter().all(|step| step.undo == step.before));
    assert!(plan.steps().iter().all(|step| step.why.as_str().contains("no client observation")));
}

#[test]
fn what_is_left_out_says_why() {
    let mut known = Known::new(vec![
        flexible("right", "on", "TLSv1.3"),
        in_state(flexible("stopped", "off", "TLSv1.2"), "Stopped"),
        blind(flexible("stopped-unread", "off", "TLSv1.2"), Name::RequireSecureTransport, Reason::Stopped),
        in_state(flexible("updating", "off", "TLSv1.2"), "Updating"),
        flexible("locked", "off", "TLSv1.2"),
        flexible("locked-not-really", "off", "TLSv1.2"),
        blind(flexible("forbidden", "off", "TLSv1.2"), Name::RequireSecureTransport, Reason::Permission),
        flexible("odd", "maybe", "TLSv1.2"),
        flexible("waived", "off", "TLSv1.2"),
        flexible("listed-twice", "off", "TLSv1.2"),
        flexible("listed-twice", "on", "TLSv1.2"),
    ]);
    known.goal = Goal::Fix { controls: vec![SWITCH], minimum_tls: TlsVersion::Tls1_2 };
    known.waived = vec![WaivedFinding {
        server: id(Kind::Flexible, "WAIVED"),
        control: SWITCH,
        detail: "accepted by the owner until 2026-03-01".into(),
    }];
    let lock = |scope: String, name: &str, read_only| Lock { scope, name: name.into(), read_only };
    known.locks = vec![
        lock(id(Kind::Flexible, "Locked").to_string(), "freeze", true),
        lock("/subscriptions/s/resourceGroups/g".into(), "keep", false),
    ];
    let plan = known.plan();
    assert_eq!(
        left_out(&plan),
        [
            "forbidden require-secure-transport unknown: permission (missing: configurations/read): Azure said no",
            "listed-twice require-secure-transport listed-twice: its first entry counts",
            "locked require-secure-transport locked: ReadOnly lock `freeze` on /subscriptions/s/resourceGroups/g/providers/Microsoft.DBforPostgreSQL/flexibleServers/Locked",
            "odd require-secure-transport unknown: malformed-answer: require_secure_transport has the unknown value `maybe`",
            "right require-secure-transport already-right: require_secure_transport = on",
            "stopped require-secure-transport stopped: Azure neither tells nor changes the settings of a stopped server: start it and plan again",
            "stopped-unread require-secure-transport stopped: stopped: Azure said no",
            "updating require-secure-transport not-ready: its state is Updating",
            "waived require-secure-transport waived: accepted by the owner until 2026-03-01",
        ]
    );
    assert_eq!(
        steps(&plan),
        [
            "1 listed-twice require_secure_transport off>on breaks-clients",
            "2 locked-not-really require_secure_transport off>on breaks-clients",
        ]
    );
}

#[test]
fn only_a_census_makes_a_step_safe() {
    let mut known = Known::new(vec![
        flexible("a-none", "off", "TLSv1.2"),
        flexible("b-breaks", "off", "TLSv1.2"),
        flexible("c-short", "off", "TLSv1.2"),
        flexible("d-safe", "off", "TLSv1.2"),
    ]);
    let of = |name: &str, verdict| ((id(Kind::Flexible, name), SWITCH), verdict);
    known.clients = [
        of("b-breaks", ClientVerdict::Breaks("batch from 10.0.0.4 (last seen today)".into())),
        of("c-short", ClientVerdict::NotEnough("2 hours of logs".into())),
        of("d-safe", ClientVerdict::Safe("30 days, 12 clients".into())),
    ]
    .into();
    let plan = known.plan();
    // The harmless one is the canary.
    assert_eq!(steps(&plan)[0], "1 d-safe require_secure_transport off>on online-safe");
    let why = |name: &str| {
        let step = plan.steps().iter().find(|step| step.server.name() == name).unwrap();
        (step.disposition, step.why.to_string())
    };
    assert!(why("a-none").1.contains("no client observation"));
    assert_eq!(why("a-none").0, Disposition::BreaksClients);
    assert!(why("b-breaks").1.contains("batch from 10.0.0.4"));
    assert_eq!(why("c-short").0, Disposition::BreaksClients);
    assert!(why("c-short").1.contains("not enough client observation: 2 hours of logs"));
    assert!(why("d-safe").1.contains("30 days, 12 clients"));
}

#[test]
fn a_change_that_waits_for_a_restart_is_told() {
    let mut posture = flexible("a", "off", "TLSv1.2");
    posture.readings[0].1 = Reading::Known(Parameter { value: "off".into(), pending_restart: true });
    let mut known = Known::new(vec![posture]);
    known.clients = [((id(Kind::Flexible, "a"), SWITCH), ClientVerdict::Safe("seen".into()))].into();
    assert_eq!(steps(&known.plan()), ["1 a require_secure_transport off>on needs-restart"]);
}

#[test]
fn replicas_come_before_their_primary_and_hold_it_up() {
    let primary = id(Kind::Flexible, "a-primary");
    let known = Known::new(vec![
        flexible("a-primary", "off", "TLSv1.2"),
        replica(flexible("b-replica", "off", "TLSv1.2"), &primary),
        replica(flexible("c-replica", "off", "TLSv1.2"), &primary),
        replica(in_state(flexible("d-replica", "off", "TLSv1.2"), "Stopped"), &primary),
        flexible("e-alone", "off", "TLSv1.2"),
    ]);
    let plan = known.plan();
    let order: Vec<(u32, &str)> = plan.steps().iter().map(|step| (step.wave, step.server.name())).collect();
    assert_eq!(order, [(1, "b-replica"), (2, "c-replica"), (2, "e-alone"), (3, "a-primary")]);
    let last = plan.step(4).unwrap();
    assert_eq!(last.needs, [1, 2]);
    assert!(last.why.as_str().contains("replica d-replica does not get this"), "{}", last.why);
    assert!(plan.step(1).unwrap().why.as_str().contains("failover"));
}

#[test]
fn loosening_takes_the_primary_first() {
    let primary = id(Kind::Flexible, "primary");
    let mut known = Known::new(vec![
        flexible("primary", "on", "TLSv1.2"),
        replica(flexible("a-replica", "on", "TLSv1.2"), &primary),
    ]);
    known.goal = Goal::Set { enforcement: Some(false), minimum_tls: None };
    let plan = known.plan();
    assert_eq!(
        steps(&plan),
        [
            "1 primary require_secure_transport on>off online-safe",
            "2 a-replica require_secure_transport on>off online-safe",
        ]
    );
    assert_eq!(plan.step(2).unwrap().needs, [1]);
}

#[test]
fn a_loop_of_replicas_makes_a_plan_all_the_same() {
    let known = Known::new(vec![
        replica(flexible("a", "off", "TLSv1.2"), &id(Kind::Flexible, "b")),
        replica(flexible("b", "off", "TLSv1.2"), &id(Kind::Flexible, "a")),
        replica(flexible("c", "off", "TLSv1.2"), &id(Kind::Flexible, "c")),
        replica(flexible("d", "off", "TLSv1.2"), &id(Kind::Flexible, "a")),
    ]);
    assert_eq!(known.plan().servers(), 4);
}

#[test]
fn an_order_sets_exactly_what_it_says() {
    let set = |posture: Posture, enforcement, minimum_tls| {
        let mut known = Known::new(vec![posture]);
        known.goal = Goal::Set { enforcement, minimum_tls };
        let plan = known.plan();
        [steps(&plan), left_out(&plan)].concat()
    };
    let tls10 = Some(Floor::At(TlsVersion::Tls1_0));
    assert_eq!(
        set(single("a", "Enabled", "TLS1_2"), Some(false), tls10),
        ["1 a sslEnforcement Enabled>Disabled online-safe", "1 a minimalTlsVersion TLS1_2>TLS1_0 online-safe"]
    );
    assert_eq!(
        set(single("a", "enabled", "TLS1_2"), Some(true), Some(Floor::None)),
        [
            "1 a minimalTlsVersion TLS1_2>TLSEnforcementDisabled online-safe",
            "a require-secure-transport already-right: it has this value",
        ]
    );
    assert_eq!(
        set(flexible("a", "on", "TLSv1.2"), None, tls10),
        ["a minimum-tls-version not-supported: ssl_min_protocol_version of this kind of server cannot be TLS 1.0"]
    );
    assert_eq!(
        set(cosmos("a", "TLSv1.2", "TLSv1.2"), Some(false), None),
        ["a require-secure-transport not-supported: TLS cannot be turned off there"]
    );
}

#[test]
fn what_hostssl_must_not_write_is_left_to_people() {
    let mut known = Known::new(vec![
        server(
            Kind::Horizon,
            "horizon",
            &[(Name::RequireSecureTransport, "off"), (Name::SslMinProtocolVersion, "TLSv1.3")],
        ),
        server(
            Kind::Flexible,
            "capped",
            &[
                (Name::RequireSecureTransport, "on"),
                (Name::SslMinProtocolVersion, "TLSv1.2"),
                (Name::SslMaxProtocolVersion, "TLSv1.2"),
            ],
        ),
        server(
            Kind::Flexible,
            "cap-unseen",
            &[(Name::RequireSecureTransport, "on"), (Name::SslMinProtocolVersion, "TLSv1.2")],
        ),
        flexible("free", "on", "TLSv1.2"),
        single("old", "Enabled", "TLS1_2"),
    ]);
    known.goal = fix(TlsVersion::Tls1_3);
    known.profile = "strict";
    let plan = known.plan();
    assert_eq!(
        steps(&plan),
        [
            "1 free ssl_min_protocol_version TLSv1.2>TLSv1.3 breaks-clients",
            "0 horizon require_secure_transport off>on manual",
            "0 capped ssl_min_protocol_version TLSv1.2>TLSv1.3 manual",
        ]
    );
    assert_eq!(plan.waves().count(), 1);
    let reasons: Vec<(&str, LeftOutReason)> = plan
        .left_out()
        .iter()
        .filter(|left| left.reason != LeftOutReason::AlreadyRight)
        .map(|left| (left.server.name(), left.reason))
        .collect();
    assert_eq!(reasons, [("cap-unseen", LeftOutReason::Unknown), ("old", LeftOutReason::NotSupported)]);
}

#[test]
fn the_blast_radius_keeps_replica_sets_whole() {
    let primary = id(Kind::Flexible, "a-primary");
    let mut known = Known::new(vec![
        flexible("a-primary", "off", "TLSv1.2"),
        replica(flexible("b-replica", "off", "TLSv1.2"), &primary),
        flexible("c", "off", "TLSv1.2"),
        flexible("d", "off", "TLSv1.2"),
    ]);
    let planned = |known: &Known| -> Vec<String> {
        known.plan().steps().iter().map(|step| step.server.name().to_owned()).collect()
    };
    known.options.max_servers = Some(1);
    assert_eq!(planned(&known), ["c"]);
    known.options.max_servers = Some(3);
    assert_eq!(planned(&known), ["b-replica", "a-primary", "c"]);
    let over = known.plan().left_out().iter().filter(|left| left.reason == LeftOutReason::OverLimit).count();
    assert_eq!(over, 1);
}

#[test]
fn a_plan_is_one_tenants() {
    let mut known = Known::new(vec![flexible("a", "off", "TLSv1.2")]);
    let subscription = |tenant: &str| {
        Arc::new(Subscription {
            id: SubscriptionId::new("S"),
            name: "s".into(),
            tenant: tenant.into(),
            state: SubscriptionState::Enabled,
        })
    };
    known.subscriptions = vec![subscription("TENANT-1")];
    assert_eq!(known.plan().steps().len(), 1);
    known.subscriptions = vec![subscription("tenant-2")];
    let plan = known.plan();
    assert!(plan.is_empty());
    assert_eq!(plan.left_out()[0].reason, LeftOutReason::OtherTenant);
}

#[test]
fn senseless_options_are_refused() {
    let mut known = Known::new(vec![flexible("a", "off", "TLSv1.2")]);
    for (canary_size, wave_size) in [(0, 1), (2, 1), (0, 0)] {
        known.options = PlanOptions { canary_size, wave_size, max_servers: None };
        assert!(matches!(known.try_plan(), Err(InvalidPlan::Inconsistent(_))));
    }
    known.options = PlanOptions::default();
    known.principal.name = "two\nlines".into();
    assert!(matches!(known.try_plan(), Err(InvalidPlan::Inconsistent(_))));
}

#[test]
fn a_plan_is_read_back_as_it_was_written() {
    let plan = sample();
    let text = plan.to_json();
    assert_eq!(Plan::parse(&text).unwrap(), plan);
    assert!(text.starts_with("{\n  \"schema\": \"hostssl/plan/v1\",\n  \"hash\": \""), "{text}");
}

fn sample() -> Plan {
    let primary = id(Kind::Flexible, "a-primary");
    Known::new(vec![
        flexible("a-primary", "off", "TLSv1.2"),
        replica(flexible("b-replica", "off", "TLSv1.2"), &primary),
        single("old", "Disabled", "TLS1_0"),
        in_state(flexible("stopped", "off", "TLSv1.2"), "Stopped"),
    ])
    .plan()
}

#[test]
fn a_plan_that_was_touched_is_refused() {
    let text = sample().to_json();
    let with = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        Plan::parse(&text.replacen(from, to, 1)).unwrap_err()
    };
    assert!(matches!(with("\"after\": \"on\"", "\"after\": \"off\""), InvalidPlan::Edited { .. }));
    assert!(matches!(with("AzureCloud", "AzureChinaCloud"), InvalidPlan::Edited { .. }));
    assert!(matches!(with("\"reason\": \"stopped\"", "\"reason\": \"waived\""), InvalidPlan::Edited { .. }));
    assert!(matches!(with("plan/v1", "plan/v2"), InvalidPlan::OtherVersion(_)));
    assert!(matches!(with("\"cloud\":", "\"clouds\":"), InvalidPlan::Malformed(_)));
    assert!(matches!(with("\"cloud\":", "\"extra\": 1, \"cloud\":"), InvalidPlan::Malformed(_)));
    assert!(matches!(with("\"cloud\":", "\"cloud\": \"x\", \"cloud\":"), InvalidPlan::Malformed(_)));
    for length in [0, 1, text.len() / 2, text.len() - 3] {
        assert!(matches!(Plan::parse(&text[..length]), Err(InvalidPlan::Malformed(_))), "{length}");
    }
    let large = " ".repeat(hostssl_remedy::MAX_PLAN_BYTES + 1);
    assert!(matches!(Plan::parse(&large), Err(InvalidPlan::TooLarge(_))));
}

/// Whoever computes the hash again after an edit still cannot break the rules of every plan.
#[test]
fn a_plan_with_a_right_hash_and_wrong_content_is_refused() {
    let text = sample().to_json();
    let forge = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        let edited = text.replacen(from, to, 1);
        match Plan::parse(&edited) {
            Err(InvalidPlan::Edited { stated, computed }) => {
                Plan::parse(&edited.replacen(stated.as_str(), computed.as_str(), 1)).unwrap_err()
            }
            other => panic!("{other:?}"),
        }
    };
    let inconsistent = |from, to| matches!(forge(from, to), InvalidPlan::Inconsistent(_));
    assert!(inconsistent("\"undo\": \"off\"", "\"undo\": \"on\""));
    assert!(inconsistent("\"after\": \"on\"", "\"after\": \"ON\""));
    assert!(inconsistent("\"after\": \"on\"", "\"after\": \"off\""));
    assert!(inconsistent("\"before\": \"off\"", "\"before\": \"whatever\""));
    assert!(inconsistent("\"id\": 2,\n      \"wave\"", "\"id\": 3,\n      \"wave\""));
    assert!(inconsistent("\"wave\": 2", "\"wave\": 1"));
    assert!(inconsistent("\"canarySize\": 1", "\"canarySize\": 99"));
    assert!(inconsistent("\"maxServers\": null", "\"maxServers\": 1"));
    assert!(inconsistent("\"kind\": \"flexible\"", "\"kind\": \"cosmos-cluster\""));
    assert!(inconsistent("\"createdAt\": \"2026", "\"createdAt\": \"1026"));
    assert!(inconsistent("\"steps\": [\n        1\n      ]", "\"steps\": []"));
    assert!(matches!(forge("flexibleServers/b-replica", "flexibleServers/../x"), InvalidPlan::BadText { .. }));
    assert!(matches!(forge("\"why\": \"", "\"why\": \"\\u001b[2J"), InvalidPlan::BadText { .. }));
}

#[test]
fn only_the_whole_hash_approves() {
    let plan = sample();
    let hash = plan.hash().to_string();
    let other = Known::new(vec![flexible("x", "off", "TLSv1.2")]).plan();
    assert!(Approved::new(plan.clone(), &hash.to_uppercase()).is_ok());
    assert!(matches!(Approved::new(plan.clone(), &hash[..12]), Err(NotApproved::NoHash(_))));
    assert!(matches!(Approved::new(plan, other.hash().as_str()), Err(NotApproved::OtherPlan { .. })));
}

#[test]
fn a_plan_fits_one_place_time_and_identity() {
    let plan = sample();
    let here = PlanContext {
        cloud: "azurecloud",
        tenant: Some("TENANT-1"),
        principal: Some("11111111-0000-0000-0000-000000000000"),
        now_ms: NOW_MS + 60_000,
        max_age: Duration::from_hours(24),
    };
    assert_eq!(plan.check_context(&here), Ok(()));
    let with = |context: PlanContext<'_>| plan.check_context(&context).unwrap_err();
    assert!(matches!(with(PlanContext { cloud: "AzureChinaCloud", ..here.clone() })[..], [Mismatch::Cloud { .. }]));
    assert!(matches!(with(PlanContext { tenant: Some("x"), ..here.clone() })[..], [Mismatch::Tenant { .. }]));
    assert!(matches!(with(PlanContext { principal: Some("x"), ..here.clone() })[..], [Mismatch::Principal { .. }]));
    let late = PlanContext { now_ms: NOW_MS + 86_400_001, ..here.clone() };
    assert!(matches!(with(late)[..], [Mismatch::TooOld { .. }]));
    let early = PlanContext { now_ms: NOW_MS - 600_000, ..here.clone() };
    assert!(matches!(with(early)[..], [Mismatch::FromTheFuture(_)]));
    assert_eq!(plan.check_context(&PlanContext { now_ms: NOW_MS - 60_000, tenant: None, ..here }), Ok(()));
}

#[test]
fn the_schema_describes_the_file() {
    let schema = hostssl_remedy::plan_schema();
    let members = schema["properties"].as_object().unwrap();
    let document: serde_json::Value = serde_json::from_str(&sample().to_json()).unwrap();
    let mut written: Vec<&String> = document.as_object().unwrap().keys().collect();
    let mut described: Vec<&String> = members.keys().collect();
    written.sort();
    described.sort();
    assert_eq!(written, described);
}

fn any_posture() -> impl Strategy<Value = Posture> {
    let name = "[a-f]{1,2}";
    let values =
        (prop_oneof!["on", "off", "ON", "odd"], prop_oneof![Just("TLSv1.1"), Just("TLSv1.2"), Just("TLSv1.3")]);
    let state = prop_oneof![4 => Just("Ready"), 1 => Just("Stopped"), 1 => Just("Updating")];
    let kind = prop_oneof![3 => Just(Kind::Flexible), 1 => Just(Kind::Single), 1 => Just(Kind::CosmosCluster), 1 => Just(Kind::Horizon)];
    let primary = proptest::option::of("[a-f]{1,2}");
    (name, values, state, kind, primary).prop_map(|(name, (switch, floor), state, kind, primary)| {
        let posture = match kind {
            Kind::Single if switch == "off" => single(&name, "Disabled", "TLS1_0"),
            Kind::Single => single(&name, "Enabled", "TLS1_2"),
            Kind::CosmosCluster => cosmos(&name, floor, "TLSv1.2"),
            Kind::Horizon => server(kind, &name, &[(Name::RequireSecureTransport, &switch)]),
            _ => flexible(&name, &switch, floor),
        };
        let posture = in_state(posture, state);
        match primary {
            Some(primary) => replica(posture, &id(kind, &primary)),
            None => posture,
        }
    })
}

fn any_known() -> impl Strategy<Value = Known> {
    let goal = prop_oneof![
        Just(fix(TlsVersion::Tls1_2)),
        Just(fix(TlsVersion::Tls1_3)),
        Just(Goal::Set { enforcement: Some(false), minimum_tls: None }),
        Just(Goal::Set { enforcement: Some(true), minimum_tls: Some(Floor::At(TlsVersion::Tls1_2)) }),
    ];
    let options = (1_u32..4, 0_u32..5, proptest::option::of(0_u32..20));
    (proptest::collection::vec(any_posture(), 0..30), goal, options).prop_map(|(postures, goal, options)| {
        let mut known = Known::new(postures);
        known.goal = goal;
        known.options =
            PlanOptions { canary_size: options.0, wave_size: options.0 + options.1, max_servers: options.2 };
        known
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn planning_is_a_pure_function_of_its_inputs_whatever_their_order(known in any_known(), seed in any::<u64>()) {
        let plan = known.plan();
        prop_assert_eq!(&known.plan(), &plan);
        // Entries of one id keep their order among themselves: the first counts.
        let mut ids: Vec<ResourceId> = known.postures.iter().map(|posture| posture.server.id.clone()).collect();
        ids.sort();
        ids.dedup();
        if ids.len() == known.postures.len() {
            let mut shuffled = Known::new(known.postures.clone());
            shuffled.goal = known.goal.clone();
            shuffled.options = known.options;
            let length = shuffled.postures.len().max(1);
            shuffled.postures.rotate_left(usize::try_from(seed % length as u64).unwrap());
            prop_assert_eq!(shuffled.plan(), plan);
        }
    }

    #[test]
    fn every_plan_parses_back_lints_clean_and_loses_no_server(known in any_known()) {
        let plan = known.plan();
        prop_assert_eq!(&Plan::parse(&plan.to_json()).unwrap(), &plan);
        let reports = known.reports();
        let context = LintContext {
            now_ms: NOW_MS,
            max_age: Duration::from_hours(1),
            max_servers: None,
            cloud: Some("AzureCloud"),
            subscriptions: &[],
            servers: Some(&reports),
        };
        let lints = lint(&plan, &context);
        // A loop of replicas has no right order.
        let complaints: Vec<_> = lints
            .iter()
            .filter(|lint| !lint.code.is_warning() && lint.code != hostssl_remedy::LintCode::ReplicaOrder)
            .collect();
        prop_assert!(complaints.is_empty(), "{:?}", complaints);
        for posture in &known.postures {
            for control in known.goal.controls() {
                let planned = plan.steps().iter().any(|step| step.server == posture.server.id && step.control == control);
                let left = plan.left_out().iter().any(|left| left.server == posture.server.id && left.control == control);
                prop_assert!(planned || left, "{} {}", posture.server.id, control);
            }
        }
        prop_assert!(!plan.steps().iter().any(|step| step.disposition == Disposition::OnlineSafe
            && step.control == SWITCH && &*step.after != "off" && &*step.after != "Disabled"));
        prop_assert!(plan.left_out().iter().all(|left| left.control == SWITCH || left.control == FLOOR));
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in ".{0,300}") {
        prop_assert!(Plan::parse(&text).is_err());
    }
}
