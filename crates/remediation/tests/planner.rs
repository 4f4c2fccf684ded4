//! What the planner decides.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hostssl_model::{
    Kind, Meaning, Parameter, ParameterName as Name, Posture, Reading, Reason, Subscription, SubscriptionId,
    SubscriptionState, TlsVersion, Unchecked,
};
use hostssl_remediation::{
    AffectedClient, ClientEncryption, ClientImpact, ClientVerdict, FixableControl, Floor, Goal, InvalidPlan,
    LeftOutReason, Plan, PlanOptions, SafeText, ServerTags, Step, WaivedFinding, WaveBy, production_canary,
};
use hostssl_test_support::fleet::*;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::Arc;

const SWITCH: FixableControl = FixableControl::RequireSecureTransport;

/// Every step as `wave server parameter before>after disposition`.
fn steps(plan: &Plan) -> Vec<String> {
    let line = |step: &Step| {
        let values = format!("{}>{}", step.before, step.after);
        format!("{} {} {} {values} {}", step.wave, step.server.name(), step.parameter.key(), step.disposition)
    };
    plan.steps().iter().map(line).collect()
}

fn left_out(plan: &Plan) -> Vec<String> {
    let line = |left: &hostssl_remediation::LeftOut| {
        format!("{} {} {}: {}", left.server.name(), left.control, left.reason.as_str(), left.detail)
    };
    plan.left_out().iter().map(line).collect()
}

fn unchecked(mut posture: Posture, name: Name, reason: Reason) -> Posture {
    for (read, reading) in &mut posture.readings {
        if *read == name {
            let mut unchecked = Unchecked::new(reason, "Azure said no");
            unchecked.missing_permission = (reason == Reason::Permission).then(|| "configurations/read".into());
            *reading = Reading::Unknown(unchecked);
        }
    }
    posture
}

/// What a plan does on a kind of server that accepts plaintext and old versions: the settings, and whether hostssl writes
/// them. The match has no other arm on purpose: a new kind does not compile here before it is decided.
fn fixed_on(kind: Kind) -> (&'static [Name], bool) {
    match kind {
        Kind::Flexible | Kind::ElasticCluster => (&[Name::RequireSecureTransport, Name::SslMinProtocolVersion], true),
        Kind::Single => (&[Name::SslEnforcement, Name::MinimalTlsVersion], true),
        Kind::CosmosCluster => (&[Name::SslMinProtocolVersion, Name::NodeSslMinProtocolVersion], true),
        Kind::Horizon => (&[Name::RequireSecureTransport, Name::SslMinProtocolVersion], false),
    }
}

#[test]
fn what_a_kind_offers_decides_what_is_planned() {
    for kind in Kind::ALL {
        let offering = kind.offering();
        let switch = kind.switch().map(|name| (name, kind.spell(name, Meaning::Enforced(false)).unwrap()));
        let old = |name: &Name| (*name, if *name == Name::MinimalTlsVersion { "TLS1_0" } else { "TLSv1" });
        let cap = offering.cap.map(|name| (name, ""));
        let values: Vec<_> = switch.into_iter().chain(offering.floors.iter().map(old)).chain(cap).collect();
        let plan = PlannerKnowledge::new(vec![server(kind, "one", &values)]).plan();
        let found: Vec<_> = plan.steps().iter().map(|step| step.parameter).collect();
        let written = plan.steps().iter().all(Step::is_executable);
        assert_eq!((found.as_slice(), written), fixed_on(kind), "{kind}: {:?}", left_out(&plan));
    }
}

#[test]
fn every_kind_gets_its_own_settings() {
    let plan = PlannerKnowledge::new(vec![
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
            "1 elastic require_secure_transport off>on needs-observation",
            "2 flex require_secure_transport OFF>on needs-observation",
            "2 citus ssl_min_protocol_version TLSv1.1>TLSv1.2 needs-observation",
            "2 citus node.ssl_min_protocol_version TLSv1>TLSv1.2 needs-observation",
            "2 old sslEnforcement Disabled>Enabled needs-observation",
            "2 old minimalTlsVersion TLSEnforcementDisabled>TLS1_2 needs-observation",
        ]
    );
    assert_eq!(plan.servers(), 4);
    assert!(plan.steps().iter().all(|step| step.undo == step.before));
    assert!(plan.steps().iter().all(|step| step.why.as_str().contains("no client data is available")));
}

#[test]
fn what_is_left_out_says_why() {
    let mut known = PlannerKnowledge::new(vec![
        flexible("right", "on", "TLSv1.3"),
        in_state(flexible("stopped", "off", "TLSv1.2"), "Stopped"),
        unchecked(flexible("stopped-unread", "off", "TLSv1.2"), Name::RequireSecureTransport, Reason::Stopped),
        in_state(flexible("a-updating", "off", "TLSv1.2"), "Updating"),
        in_state(flexible("zz-disabled", "off", "TLSv1.2"), "Disabled"),
        flexible("locked", "off", "TLSv1.2"),
        flexible("locked-not-really", "off", "TLSv1.2"),
        unchecked(flexible("forbidden", "off", "TLSv1.2"), Name::RequireSecureTransport, Reason::Permission),
        flexible("odd", "maybe", "TLSv1.2"),
        flexible("waived", "off", "TLSv1.2"),
        flexible("excepted", "off", "TLSv1.2"),
        flexible("listed-twice", "off", "TLSv1.2"),
        flexible("listed-twice", "on", "TLSv1.2"),
    ]);
    known.goal = Goal::Fix { controls: vec![SWITCH], minimum_tls: TlsVersion::Tls1_2 };
    known.waived = vec![WaivedFinding {
        server: id(Kind::Flexible, "WAIVED"),
        control: SWITCH,
        detail: "accepted by the owner until 2026-03-01".into(),
    }];
    known.excepted = [(id(Kind::Flexible, "Excepted"), "left out on request: excepted".to_owned())].into();
    known.excepted.insert(id(Kind::Flexible, "waived"), "left out on request: waived".to_owned());
    let lock =
        |scope: String, name: &str, read_only| hostssl_model::ManagementLock { scope, name: name.into(), read_only };
    known.locks = vec![
        lock(id(Kind::Flexible, "Locked").to_string(), "freeze", true),
        lock("/subscriptions/s/resourceGroups/g".into(), "keep", false),
    ];
    let plan = known.plan();
    assert_eq!(
        left_out(&plan),
        [
            "excepted require-secure-transport excepted: left out on request: excepted",
            "forbidden require-secure-transport unknown: permission: needs configurations/read",
            "listed-twice require-secure-transport listed-twice: its first entry is used",
            "locked require-secure-transport locked: ReadOnly lock `freeze` on the server",
            "odd require-secure-transport unknown: malformed-answer: require_secure_transport has the unknown value `maybe`",
            "right require-secure-transport already-right: require_secure_transport = on",
            "stopped require-secure-transport stopped: Azure neither returns nor changes the parameters of a stopped server: start it and plan again",
            "stopped-unread require-secure-transport stopped: Azure said no",
            "waived require-secure-transport waived: accepted by the owner until 2026-03-01",
            "zz-disabled require-secure-transport not-ready: its state is Disabled",
        ]
    );
    assert_eq!(
        steps(&plan),
        [
            "1 listed-twice require_secure_transport off>on needs-observation",
            "2 locked-not-really require_secure_transport off>on needs-observation",
            // Its name comes first, and its turn comes last, because another operation runs on it.
            "2 a-updating require_secure_transport off>on needs-observation",
        ]
    );
}

fn named(name: &str) -> Posture {
    flexible(name, "off", "TLSv1.2")
}

fn tagged(name: &str, key: &str, value: &str) -> Posture {
    let mut posture = named(name);
    posture.server.tags = [(key, value)].into_iter().collect();
    posture
}

/// The servers of each wave.
fn waves(known: &PlannerKnowledge) -> Vec<String> {
    let of = |wave: &[Step]| wave.iter().map(|step| step.server.name()).collect::<Vec<_>>().join(" ");
    known.plan().waves().map(of).collect()
}

#[test]
fn production_is_never_the_canary_by_accident() {
    let mut known = PlannerKnowledge::new(vec![
        tagged("a-orders", "Environment", "Production"),
        named("b-prod"),
        named("c-catalog"),
        tagged("d-prod-copy", "env", "staging"),
        named("e-dev"),
    ]);
    known.options = PlanOptions { canary_size: 1, wave_size: 2, max_servers: None };
    assert_eq!(waves(&known), ["d-prod-copy", "e-dev c-catalog", "a-orders b-prod"]);
    // Nor does a group, or another operation on all the others, or that the last one of them failed.
    for (name, region) in [("a-orders", "east"), ("d-prod-copy", "east")] {
        let posture = known.postures.iter_mut().find(|one| one.server.name() == name).unwrap();
        posture.server.location = region.into();
    }
    known.order.by = Some(WaveBy::Region);
    assert_eq!(waves(&known)[..2], ["d-prod-copy", "a-orders"]);
    known.order.by = None;
    let ready = known.postures.clone();
    for posture in &mut known.postures {
        if !["a-orders", "b-prod"].contains(&posture.server.name()) {
            *posture = in_state(posture.clone(), "Updating");
        }
    }
    assert_eq!(waves(&known), ["d-prod-copy", "a-orders b-prod", "e-dev c-catalog"]);
    known.postures = ready[..2].to_vec();
    known.postures.push(ready[3].clone());
    known.order.last = [id(Kind::Flexible, "d-prod-copy")].into_iter().collect();
    assert_eq!(waves(&known), ["d-prod-copy", "a-orders b-prod"]);
    (known.postures, known.order.last) = (ready, BTreeSet::new());
    // Nor does a limit make it one.
    known.options.max_servers = Some(2);
    assert_eq!(waves(&known), ["d-prod-copy", "e-dev"]);
    known.options.max_servers = None;
    // Where the canary of the last run failed, another one is tried, and it comes last.
    known.order.last = [id(Kind::Flexible, "d-prod-copy")].into_iter().collect();
    assert_eq!(waves(&known), ["e-dev", "c-catalog a-orders", "b-prod d-prod-copy"]);
    // What a person chose is the whole first wave.
    known.order.canary = vec!["C-Catalog".into(), "b-prod".into()];
    assert_eq!(waves(&known), ["c-catalog b-prod", "e-dev a-orders", "d-prod-copy"]);
    known.order.canary = vec!["*-dev".into(), "ENV=stag*".into()];
    assert_eq!(waves(&known)[0], "e-dev d-prod-copy");
    known.order.canary = vec!["nothing-*".into()];
    let said = known.try_plan().unwrap_err().to_string();
    assert!(said.contains("the plan changes no server that the canary `nothing-*` matches"), "{said}");
    known.order.canary = vec!["nobody".into()];
    assert!(known.try_plan().unwrap_err().to_string().contains("the plan does not change the canary `nobody`"));
}

/// A name that says both, or only seems to say production, is tried after what says nothing; and a limit keeps it last.
#[test]
fn a_canary_that_the_plan_does_not_change_is_refused_with_every_reason() {
    let values = |require: &'static str, least: &'static str| {
        [(Name::RequireSecureTransport, require), (Name::SslMinProtocolVersion, least)]
    };
    let mut known = PlannerKnowledge::new(vec![
        flexible("right", "on", "TLSv1.2"),
        server(Kind::Horizon, "manual", &values("off", "TLSv1.2")),
        in_state(flexible("stopped", "off", "TLSv1.2"), "Stopped"),
        flexible("other", "off", "TLSv1.2"),
    ]);
    let mut said = |name: &str| {
        known.order.canary = vec![name.to_owned()];
        known.try_plan().unwrap_err().to_string()
    };
    let right = said("right");
    assert!(right.contains("the canary `right` is right already, so that nothing would be tried there: "), "{right}");
    assert!(right.contains("require_secure_transport = on"), "{right}");
    let manual = said("manual");
    assert!(manual.contains("`manual`: manual: require_secure_transport is not written by hostssl"), "{manual}");
    assert!(!manual.contains("already-right"), "{manual}");
    assert!(said("stopped").contains("the plan does not change the canary `stopped`: stopped: "));
}

#[test]
fn what_may_be_production_is_the_canary_only_where_all_may_be() {
    let mut known = PlannerKnowledge::new(vec![
        named("a-prod-lab-results"),
        named("psqlledgerprodweu01"),
        named("psqlordersdevweu02"),
        named("orders"),
    ]);
    known.options = PlanOptions { canary_size: 3, wave_size: 9, max_servers: None };
    for (name, region) in [("psqlledgerprodweu01", "east"), ("a-prod-lab-results", "east")] {
        let posture = known.postures.iter_mut().find(|one| one.server.name() == name).unwrap();
        posture.server.location = region.into();
    }
    assert_eq!(waves(&known)[0], "psqlordersdevweu02 orders");
    known.order.by = Some(WaveBy::Region);
    assert_eq!(waves(&known)[0], "psqlordersdevweu02 orders");
    (known.order.by, known.options.max_servers) = (None, Some(2));
    assert_eq!(waves(&known).concat(), "psqlordersdevweu02orders");
    known.options.max_servers = None;
    known.postures.retain(|one| !one.server.name().contains("orders"));
    assert_eq!(waves(&known), ["a-prod-lab-results", "psqlledgerprodweu01"]);
}

/// Servers with every way to be named, in every state, and every way to order them.
fn any_fleet() -> impl Strategy<Value = (PlannerKnowledge, BTreeSet<String>)> {
    const NAMES: [(&str, bool); 12] = [
        ("orders-prod", true),
        ("pgprod", true),
        ("live-shop", true),
        ("prodorders", true),
        ("orders", false),
        ("catalog-dev", false),
        ("stgorders", false),
        ("pgtest", false),
        ("pre-prod", false),
        ("psqlledgerprodweu", true),
        ("psqlordersdevweu", false),
        ("pg-prod-lab", false),
    ];
    let state = prop_oneof![Just("Ready"), Just("Updating"), Just("Starting")];
    let one = (0..NAMES.len(), state, 0..3_usize, any::<bool>(), any::<bool>());
    let by = prop_oneof![
        Just(None),
        Just(Some(WaveBy::Region)),
        Just(Some(WaveBy::Subscription)),
        Just(Some(WaveBy::Tag("team".into())))
    ];
    let options = (1..4_u32, 4..9_u32, proptest::option::of(1..6_u32));
    (proptest::collection::vec(one, 1..12), by, options).prop_map(
        |(servers, by, (canary_size, wave_size, max_servers))| {
            let (mut postures, mut production, mut last) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
            for (number, (name, state, group, failed, linked)) in servers.into_iter().enumerate() {
                let (word, is_production) = NAMES[name];
                let name = format!("{word}{number}");
                let mut posture = in_state(named(&name), state);
                posture.server.location = ["westeurope", "northeurope", "uksouth"][group].into();
                posture.server.tags = [("team", ["shop", "pay", ""][group])].into_iter().collect();
                // A replica is what its primary is.
                if linked && number > 0 {
                    let primary: &Posture = &postures[number - 1];
                    if production.contains(primary.server.name()) == is_production {
                        posture.server.primary = Some(primary.server.id.clone());
                    }
                }
                if failed {
                    last.insert(posture.server.id.clone());
                }
                if is_production {
                    production.insert(name);
                }
                postures.push(posture);
            }
            let mut known = PlannerKnowledge::new(postures);
            known.options = PlanOptions { canary_size, wave_size, max_servers };
            (known.order.by, known.order.last) = (by, last);
            (known, production)
        },
    )
}

proptest! {
    #[test]
    fn while_there_is_another_server_production_is_not_in_the_first_wave((known, production) in any_fleet()) {
        let plan = known.plan();
        let is_production = |step: &Step| production.contains(step.server.name());
        let first = plan.waves().next().unwrap_or_default();
        let mixed = !plan.steps().iter().all(is_production);
        prop_assert!(!first.is_empty() || plan.steps().is_empty());
        prop_assert!(!mixed || !first.iter().any(is_production), "{:?}", plan.steps());
        // The reviewer's check and the planner decide alike.
        let said = production_canary(&plan, &[], &ServerTags::new());
        prop_assert!(said.iter().all(|server| production.contains(server.name())));
        prop_assert_eq!(said.is_empty(), mixed || plan.waves().count() < 2);
        // Nothing else is lost on the way.
        prop_assert!(known.options.max_servers.is_some() || plan.steps().len() == known.postures.len());
    }
}

#[test]
fn of_servers_that_are_alike_the_one_with_the_fewest_clients_comes_first() {
    let mut known = PlannerKnowledge::new(vec![named("a"), named("b"), named("c"), named("d-prod")]);
    known.options = PlanOptions { canary_size: 1, wave_size: 3, max_servers: None };
    known.order.clients = [("a", 40), ("c", 2), ("d-prod", 0)].map(|(name, n)| (id(Kind::Flexible, name), n)).into();
    assert_eq!(waves(&known), ["c", "a b d-prod"], "clients that were not observed are not few");
}

/// A wave lasts as long as its slowest server.
#[test]
fn servers_with_two_changes_share_a_wave() {
    let with = |name: &str, tls: &str| flexible(name, "off", tls);
    let (old, new) = ("TLSv1.1", "TLSv1.2");
    let mut known = PlannerKnowledge::new(vec![
        with("a", new),
        with("b", old),
        with("c", new),
        with("d", old),
        with("e", new),
        with("f-prod", new),
    ]);
    known.options = PlanOptions { canary_size: 1, wave_size: 2, max_servers: None };
    assert_eq!(waves(&known), ["a", "c e", "b b d d", "f-prod"]);
    // The canary is chosen by what a failure would do.
    known.order.clients = [("b", 2), ("c", 3)].map(|(name, n)| (id(Kind::Flexible, name), n)).into();
    assert_eq!(waves(&known), ["b b", "c a", "e d d", "f-prod"]);
}

/// A primary whose replica comes last would be in a small wave of its own.
#[test]
fn a_replica_comes_before_servers_that_no_other_one_waits_for() {
    let mut known = PlannerKnowledge::new(["a", "b", "c", "d", "z"].map(named).to_vec());
    known.postures[4].server.primary = Some(id(Kind::Flexible, "a"));
    known.options = PlanOptions { canary_size: 1, wave_size: 2, max_servers: None };
    assert_eq!(waves(&known), ["b", "z c", "a d"]);
}

#[test]
fn a_wave_holds_one_group_where_that_is_asked_for() {
    let mut known = PlannerKnowledge::new(vec![
        tagged("a", "team", "shop"),
        tagged("b", "team", "Pay"),
        tagged("c", "team", "shop"),
        named("d"),
        tagged("e", "team", "pay"),
    ]);
    known.options = PlanOptions { canary_size: 1, wave_size: 5, max_servers: None };
    known.order.by = Some(WaveBy::Tag("team".into()));
    assert_eq!(waves(&known), ["d", "b e", "a c"]);
}

#[test]
fn how_a_client_connects_is_a_word_of_a_table() {
    for tls in [
        ClientEncryption::Plaintext,
        ClientEncryption::Unknown,
        ClientEncryption::Tls(None),
        ClientEncryption::Tls(Some(TlsVersion::Tls1_1)),
    ] {
        assert_eq!(ClientEncryption::named(tls.as_str()), Some(tls));
    }
    // No text of a log or of a file passes for one.
    for word in ["", "Plaintext", "TLSv1.9", "plaintext\n", "SSLv3"] {
        assert_eq!(ClientEncryption::named(word), None, "{word}");
    }
}

fn impact(verdict: ClientVerdict, reason: &str) -> ClientImpact {
    let client = AffectedClient {
        user: Some(SafeText::new("batch")),
        database: Some(SafeText::new("shop")),
        application: None,
        address: Some(SafeText::new("10.0.0.4")),
        tls: ClientEncryption::Plaintext,
        last_seen: Some("2025-12-31T00:00:00Z".into()),
    };
    let clients = if verdict == ClientVerdict::Breaks { vec![client] } else { Vec::new() };
    ClientImpact { verdict, reason: SafeText::new(reason), clients, more: 0 }
}

/// Four servers: nobody looked, clients break, too little was seen, safe.
fn observed() -> PlannerKnowledge {
    let mut known = PlannerKnowledge::new(vec![
        flexible("a-none", "off", "TLSv1.2"),
        flexible("b-breaks", "off", "TLSv1.2"),
        flexible("c-short", "off", "TLSv1.2"),
        flexible("d-safe", "off", "TLSv1.2"),
    ]);
    let of = |name: &str, impact| ((id(Kind::Flexible, name), SWITCH), impact);
    known.clients = [
        of("b-breaks", impact(ClientVerdict::Breaks, "1 client connects in plaintext")),
        of("c-short", impact(ClientVerdict::NeedsObservation, "2h observed of the 7d asked for")),
        of("d-safe", impact(ClientVerdict::Safe, "every client used TLS in 8d")),
    ]
    .into();
    known
}

#[test]
fn without_a_census_that_says_safe_a_server_is_left_out() {
    let mut known = observed();
    known.accepts_breakage = false;
    let plan = known.plan();
    assert_eq!(steps(&plan), ["1 d-safe require_secure_transport off>on online-safe"]);
    let gated: Vec<_> = plan.left_out().iter().filter(|one| one.control == SWITCH).collect();
    let told: Vec<_> = gated.iter().map(|one| (one.server.name(), one.reason, one.detail.as_str())).collect();
    assert_eq!(
        told,
        [
            ("a-none", LeftOutReason::NeedsObservation, "no client data is available"),
            ("b-breaks", LeftOutReason::BreaksClients, "1 client connects in plaintext"),
            ("c-short", LeftOutReason::NeedsObservation, "2h observed of the 7d asked for"),
        ]
    );
    let of_breaks = gated[1].clients.as_ref().unwrap();
    assert_eq!(of_breaks.clients[0].address.as_ref().unwrap().as_str(), "10.0.0.4");
    assert!(plan.steps()[0].accepted.is_none(), "nobody had to accept what breaks nobody");
    assert_eq!(Plan::parse(&plan.to_json()).unwrap(), plan, "the file has the clients too");
}

#[test]
fn what_is_accepted_is_planned_with_the_name_of_who_said_it() {
    let known = observed();
    let plan = known.plan();
    // The harmless one is the canary.
    assert_eq!(
        steps(&plan),
        [
            "1 d-safe require_secure_transport off>on online-safe",
            "2 a-none require_secure_transport off>on needs-observation",
            "2 c-short require_secure_transport off>on needs-observation",
            "2 b-breaks require_secure_transport off>on breaks-clients",
        ]
    );
    let step = |name: &str| plan.steps().iter().find(|step| step.server.name() == name).unwrap();
    let accepted = step("b-breaks").accepted.as_ref().unwrap();
    assert_eq!((accepted.reason.as_str(), accepted.by.as_str()), ("a test", "a tester"));
    let why = step("b-breaks").why.to_string();
    assert!(why.contains("clients are refused: 1 client connects in plaintext; accepted by a tester: a test"), "{why}");
    assert!(step("d-safe").accepted.is_none());
    assert!(step("d-safe").why.as_str().contains("every client used TLS in 8d"));
    let text = plan.to_json();
    assert!(text.contains("\"by\": \"a tester\"") && text.contains("\"address\": \"10.0.0.4\""), "{text}");
    assert_eq!(Plan::parse(&text).unwrap(), plan);
}

#[test]
fn a_value_that_is_ordered_by_name_needs_no_other_word() {
    let mut known = observed();
    known.accepts_breakage = false;
    known.goal = Goal::Set { enforcement: Some(true), minimum_tls: None };
    let plan = known.plan();
    assert_eq!(plan.servers(), 4);
    let accepted = plan.steps().iter().find(|step| step.server.name() == "b-breaks").unwrap().accepted.as_ref();
    assert_eq!(accepted.unwrap().by.as_str(), "planner");
    // Loosening refuses nobody.
    known.postures.iter_mut().for_each(|posture| {
        posture.readings[0].1 = Reading::Known(Parameter::in_effect(posture.readings[0].0, "on"));
    });
    known.goal = Goal::Set { enforcement: Some(false), minimum_tls: None };
    let plan = known.plan();
    assert_eq!(plan.servers(), 4);
    assert!(plan.steps().iter().all(|step| step.clients.is_none() && step.accepted.is_none()));
}

#[test]
fn a_change_that_waits_for_a_restart_is_told() {
    let mut posture = flexible("a", "off", "TLSv1.2");
    posture.readings[0].1 =
        Reading::Known(Parameter::in_effect(posture.readings[0].0, "off").waiting_for_restart(true));
    let mut known = PlannerKnowledge::new(vec![posture]);
    known.clients = [((id(Kind::Flexible, "a"), SWITCH), impact(ClientVerdict::Safe, "seen"))].into();
    assert_eq!(steps(&known.plan()), ["1 a require_secure_transport off>on needs-restart"]);
}

#[test]
fn replicas_come_before_their_primary_and_hold_it_up() {
    let primary = id(Kind::Flexible, "a-primary");
    let known = PlannerKnowledge::new(vec![
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
    assert!(last.why.as_str().contains("replica d-replica is not changed"), "{}", last.why);
    assert!(plan.step(1).unwrap().why.as_str().contains("failover"));
}

#[test]
fn loosening_takes_the_primary_first() {
    let primary = id(Kind::Flexible, "primary");
    let mut known = PlannerKnowledge::new(vec![
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
    let known = PlannerKnowledge::new(vec![
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
        let mut known = PlannerKnowledge::new(vec![posture]);
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
            "a require-secure-transport already-right: it already has this value",
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
    let mut known = PlannerKnowledge::new(vec![
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
            "1 free ssl_min_protocol_version TLSv1.2>TLSv1.3 needs-observation",
            "0 capped ssl_min_protocol_version TLSv1.2>TLSv1.3 manual",
            "0 horizon require_secure_transport off>on manual",
        ]
    );
    assert_eq!(plan.waves().count(), 1);
    for step in plan.steps().iter().filter(|step| !step.is_executable()) {
        assert!(step.accepted.is_none() && step.clients.is_none(), "no one consents to what hostssl does not write");
        assert!(!step.why.as_str().contains("accepted") && !step.why.as_str().contains("client data"), "{}", step.why);
    }
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
    let mut known = PlannerKnowledge::new(vec![
        flexible("a-primary", "off", "TLSv1.2"),
        replica(flexible("b-replica", "off", "TLSv1.2"), &primary),
        flexible("c", "off", "TLSv1.2"),
        flexible("d", "off", "TLSv1.2"),
    ]);
    let planned = |known: &PlannerKnowledge| -> Vec<String> {
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
    let mut known = PlannerKnowledge::new(vec![flexible("a", "off", "TLSv1.2")]);
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
    let mut known = PlannerKnowledge::new(vec![flexible("a", "off", "TLSv1.2")]);
    for (canary_size, wave_size) in [(0, 1), (2, 1), (0, 0)] {
        known.options = PlanOptions { canary_size, wave_size, max_servers: None };
        assert!(matches!(known.try_plan(), Err(InvalidPlan::Inconsistent(_))));
    }
    known.options = PlanOptions::default();
    known.principal.name = "two\nlines".into();
    assert!(matches!(known.try_plan(), Err(InvalidPlan::Inconsistent(_))));
}
