//! That a plan is what it says: its file form, its approval, and properties of every plan.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hostssl_model::{
    Kind, ParameterName as Name, Posture, Reading, Reason, ResourceId, Subscription, SubscriptionId, SubscriptionState,
    TlsVersion, Unchecked,
};
use hostssl_remediation::{
    Approved, ContextMismatch, Disposition, FixableControl, Floor, Goal, InvalidPlan, LintContext, NotApproved, Plan,
    PlanContext, PlanOptions, failed_findings, lint,
};
use hostssl_test_support::fleet::*;
use proptest::prelude::*;
use std::sync::Arc;
use std::time::Duration;

const SWITCH: FixableControl = FixableControl::RequireSecureTransport;

#[test]
fn a_plan_is_read_back_as_it_was_written() {
    let plan = sample();
    let text = plan.to_json();
    assert_eq!(Plan::parse(&text).unwrap(), plan);
    assert!(text.starts_with("{\n  \"schema\": \"hostssl/plan/v1\",\n  \"hash\": \""), "{text}");
}

fn sample() -> Plan {
    let primary = id(Kind::Flexible, "a-primary");
    PlannerKnowledge::new(vec![
        flexible("a-primary", "off", "TLSv1.2"),
        replica(flexible("b-replica", "off", "TLSv1.2"), &primary),
        single("old", "Disabled", "TLS1_0"),
        in_state(flexible("stopped", "off", "TLSv1.2"), "Stopped"),
    ])
    .plan()
}

/// What is known of one server, of its subscription, and of another one.
fn with_subscriptions(posture: Posture) -> PlannerKnowledge {
    let subscription = |id: SubscriptionId, name: &str| {
        Arc::new(Subscription { id, name: name.into(), tenant: "tenant-1".into(), state: SubscriptionState::Enabled })
    };
    let own = subscription(posture.server.id.subscription(), "Pay\u{202e}ments");
    let mut known = PlannerKnowledge::new(vec![posture]);
    known.subscriptions = vec![own, subscription(SubscriptionId::new("other"), "Other")];
    known
}

#[test]
fn a_plan_has_the_names_of_its_subscriptions() {
    let known = with_subscriptions(flexible("a", "off", "TLSv1.2"));
    let own = known.subscriptions[0].id.clone();
    let plan = known.plan();
    let names = |plan: &Plan| -> Vec<(String, String)> {
        plan.subscription_names().map(|(id, name)| (id.to_string(), name.to_string())).collect()
    };
    assert_eq!(names(&plan), [(own.to_string(), "Pay\u{fffd}ments".to_owned())]);
    let text = plan.to_json();
    assert_eq!(Plan::parse(&text).unwrap(), plan);
    assert!(matches!(Plan::parse(&text.replace("Pay", "Play")), Err(InvalidPlan::Edited { .. })));
    // Those of before have none.
    let text = sample().to_json();
    assert!(!text.contains("\"subscriptions\": [\n    {"), "{text}");
    assert!(names(&Plan::parse(&text).unwrap()).is_empty());
}

#[test]
fn a_long_reason_is_kept_whole() {
    let said = format!("Azure answered HTTP 403: {}the end", "over the scope '/subscriptions/s' ".repeat(40));
    let unread = || Reading::Unknown(Unchecked::new(Reason::Permission, said.clone()));
    let mut posture = flexible("a", "off", "TLSv1.2");
    posture.readings = vec![(Name::RequireSecureTransport, unread())];
    let text = PlannerKnowledge::new(vec![posture]).plan().to_json();
    assert!(text.contains(&said), "{text}");
    assert!(Plan::parse(&text).is_ok());
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
    let large = " ".repeat(hostssl_remediation::MAX_PLAN_BYTES + 1);
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
    assert!(inconsistent("\"canarySize\": 1", "\"canarySize\": 999"));
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
    let other = PlannerKnowledge::new(vec![flexible("x", "off", "TLSv1.2")]).plan();
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
    assert!(matches!(
        with(PlanContext { cloud: "AzureChinaCloud", ..here.clone() })[..],
        [ContextMismatch::Cloud { .. }]
    ));
    assert!(matches!(with(PlanContext { tenant: Some("x"), ..here.clone() })[..], [ContextMismatch::Tenant { .. }]));
    assert!(matches!(
        with(PlanContext { principal: Some("x"), ..here.clone() })[..],
        [ContextMismatch::Principal { .. }]
    ));
    let late = PlanContext { now_ms: NOW_MS + 86_400_001, ..here.clone() };
    assert!(matches!(with(late)[..], [ContextMismatch::TooOld { .. }]));
    let early = PlanContext { now_ms: NOW_MS - 600_000, ..here.clone() };
    assert!(matches!(with(early)[..], [ContextMismatch::FromTheFuture(_)]));
    assert_eq!(plan.check_context(&PlanContext { now_ms: NOW_MS - 60_000, tenant: None, ..here }), Ok(()));
}

#[test]
fn the_schema_describes_the_file() {
    let schema = hostssl_remediation::plan_schema();
    let members = schema["properties"].as_object().unwrap();
    let plan = with_subscriptions(flexible("a", "off", "TLSv1.2")).plan();
    let document: serde_json::Value = serde_json::from_str(&plan.to_json()).unwrap();
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

fn any_known() -> impl Strategy<Value = PlannerKnowledge> {
    let goal = prop_oneof![
        Just(fix(TlsVersion::Tls1_2)),
        Just(fix(TlsVersion::Tls1_3)),
        Just(Goal::Set { enforcement: Some(false), minimum_tls: None }),
        Just(Goal::Set { enforcement: Some(true), minimum_tls: Some(Floor::At(TlsVersion::Tls1_2)) }),
    ];
    let options = (1_u32..4, 0_u32..5, proptest::option::of(0_u32..20));
    (proptest::collection::vec(any_posture(), 0..30), goal, options).prop_map(|(postures, goal, options)| {
        let mut known = PlannerKnowledge::new(postures);
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
            let mut shuffled = PlannerKnowledge::new(known.postures.clone());
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
        let failed = failed_findings(&known.reports());
        let context = LintContext {
            now_ms: NOW_MS,
            max_age: Duration::from_hours(1),
            max_servers: None,
            cloud: Some("AzureCloud"),
            subscriptions: &[],
            failed: Some(&failed),
            tags: None,
        };
        let lints = lint(&plan, &context);
        // A loop of replicas has no right order, and old floors cannot be undone.
        let expected = [hostssl_remediation::LintCode::ReplicaOrder, hostssl_remediation::LintCode::CannotBeUndone];
        let complaints: Vec<_> = lints
            .iter()
            .filter(|lint| !lint.code.is_warning() && !expected.contains(&lint.code))
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
        prop_assert!(plan.left_out().iter().all(|left| known.goal.controls().contains(&left.control)));
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in ".{0,300}") {
        prop_assert!(Plan::parse(&text).is_err());
    }
}
