//! Every control against a table of postures, one snapshot each; and the four sets of ids are one set.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hostssl_audit::{ALL, Profile, control, evaluate, needed_parameters};
use hostssl_model::{
    Confidence, ControlId, Kind, Outcome, Parameter, ParameterName as Name, Posture, Reading, Reason, ReplicationRole,
    ResourceId, Server, Tags, Unchecked,
};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

mod wire_cases;

fn server(kind: Kind, role: ReplicationRole, name: &str) -> Server {
    let id = format!("/subscriptions/s/resourceGroups/g/providers/Microsoft.DBforPostgreSQL/t/{name}");
    Server {
        id: ResourceId::try_from(id.as_str()).unwrap(),
        kind,
        location: "westeurope".into(),
        state: None,
        fqdn: None,
        role,
        primary: None,
        tags: Tags::default(),
        administrator: None,
        created_at: None,
        network: hostssl_model::NetworkAccess::default(),
    }
}

fn posture(kind: Kind, role: ReplicationRole, readings: &[(Name, Reading<Parameter>)]) -> Posture {
    Posture { server: server(kind, role, "orders"), readings: readings.to_vec(), wire: Vec::new() }
}

fn known(name: Name, value: &str) -> (Name, Reading<Parameter>) {
    (name, Reading::Known(Parameter::in_effect(name, value)))
}

fn waiting(name: Name, value: &str) -> (Name, Reading<Parameter>) {
    (name, Reading::Known(Parameter::in_effect(name, value).waiting_for_restart(true)))
}

fn forbidden() -> Reading<Parameter> {
    let mut unchecked = Unchecked::new(Reason::Permission, "the client has no authorization");
    unchecked.missing_permission = Some("Microsoft.DBforPostgreSQL/flexibleServers/configurations/read".into());
    Reading::Unknown(unchecked)
}

fn flexible(require: &str, min: &str, max: &str) -> Vec<(Name, Reading<Parameter>)> {
    vec![
        known(Name::RequireSecureTransport, require),
        known(Name::SslMinProtocolVersion, min),
        known(Name::SslMaxProtocolVersion, max),
    ]
}

/// A name, the posture of a server, and what was seen of its primary.
pub(crate) type Case = (&'static str, Posture, Option<Reading<Posture>>);

fn cases() -> Vec<Case> {
    use Kind::{CosmosCluster, ElasticCluster, Flexible, Horizon, Single};
    let of = |kind, readings: &[_]| (posture(kind, ReplicationRole::None, readings), None);
    let replica = |kind, own: &[_], primarys: &[_]| {
        let primary = Posture {
            server: server(kind, ReplicationRole::Primary, "orders-primary"),
            readings: primarys.to_vec(),
            wire: Vec::new(),
        };
        (posture(kind, ReplicationRole::Replica, own), Some(Reading::Known(primary)))
    };
    let single = |enforcement: &str, floor: &str| {
        vec![known(Name::SslEnforcement, enforcement), known(Name::MinimalTlsVersion, floor)]
    };
    let cosmos = |coordinator: &str, nodes: &str| {
        vec![known(Name::SslMinProtocolVersion, coordinator), known(Name::NodeSslMinProtocolVersion, nodes)]
    };
    let mut half = flexible("on", "TLSv1.2", "");
    half[2].1 = forbidden();
    let mut pending = half.clone();
    pending[0] = waiting(Name::RequireSecureTransport, "on");
    let cases = vec![
        ("flexible, as it should be", of(Flexible, &flexible("on", "TLSv1.2", ""))),
        ("flexible, upper case, TLS 1.3", of(Flexible, &flexible("ON", "TLSV1.3", "tlsv1.3"))),
        ("flexible, off, capped", of(Flexible, &flexible("off", "TLSv1.2", "TLSv1.2"))),
        ("flexible, values nobody knows", of(Flexible, &flexible("maybe\u{1b}[31m", "1.2", "TLSv9"))),
        ("flexible, one parameter forbidden", of(Flexible, &half)),
        ("flexible, forbidden and waiting for a restart", of(Flexible, &pending)),
        ("flexible, no cap, waiting for a restart", {
            let mut readings = flexible("on", "TLSv1.2", "");
            readings[2] = waiting(Name::SslMaxProtocolVersion, "");
            of(Flexible, &readings)
        }),
        ("flexible, capped at TLS 1.3, waiting for a restart", {
            let mut readings = flexible("on", "TLSv1.2", "");
            readings[2] = waiting(Name::SslMaxProtocolVersion, "TLSv1.3");
            of(Flexible, &readings)
        }),
        ("flexible, nothing read", of(Flexible, &[])),
        ("elastic cluster, off", of(ElasticCluster, &flexible("Off", "TLSv1.2", ""))),
        ("single, enabled, TLS 1.2", of(Single, &single("Enabled", "TLS1_2"))),
        ("single, disabled, TLS 1.0", of(Single, &single("disabled", "TLS1_0"))),
        ("single, no floor", of(Single, &single("Enabled", "TLSEnforcementDisabled"))),
        ("single, 2019 answer without minimalTlsVersion", of(Single, &[known(Name::SslEnforcement, "Enabled")])),
        ("cosmos cluster, TLS 1.2", of(CosmosCluster, &cosmos("TLSv1.2", "TLSv1.3"))),
        ("cosmos cluster, weak nodes", of(CosmosCluster, &cosmos("TLSv1.2", "TLSv1.1"))),
        ("cosmos cluster, coordinator forbidden, weak nodes", {
            let mut readings = cosmos("TLSv1.2", "TLSv1");
            readings[0].1 = forbidden();
            of(CosmosCluster, &readings)
        }),
        ("horizon, on, no floor returned", of(Horizon, &[known(Name::RequireSecureTransport, "on")])),
        ("replica, as its primary", {
            replica(Flexible, &flexible("ON", "TLSv1.2", ""), &flexible("on", "TLSv1.2", " "))
        }),
        ("replica, drifted", replica(Flexible, &flexible("off", "TLSv1.2", ""), &flexible("on", "TLSv1.3", ""))),
        ("replica, drifted, rest forbidden", replica(Flexible, &half, &flexible("off", "TLSv1.2", ""))),
        ("replica, equal, rest forbidden", replica(Flexible, &half, &flexible("on", "TLSv1.2", ""))),
        ("replica, as its primary, waiting for a restart", {
            let mut own = flexible("on", "TLSv1.2", "");
            own[0] = waiting(Name::RequireSecureTransport, "on");
            replica(Flexible, &own, &flexible("on", "TLSv1.2", ""))
        }),
        ("replica, primary not seen", {
            let unchecked = Unchecked::new(Reason::Vanished, "ResourceNotFound");
            (
                posture(Flexible, ReplicationRole::Replica, &flexible("on", "TLSv1.2", "")),
                Some(Reading::Unknown(unchecked)),
            )
        }),
        (
            "replica, primary not named",
            (posture(Flexible, ReplicationRole::Replica, &flexible("on", "TLSv1.2", "")), None),
        ),
        ("single replica, drifted", replica(Single, &single("Disabled", "TLS1_2"), &single("Enabled", "TLS1_2"))),
    ];
    cases.into_iter().map(|(name, (posture, primary))| (name, posture, primary)).collect()
}

#[test]
fn every_control_on_every_case() {
    for control in ALL {
        let wire = control.is_of_the_wire();
        let profiles = ["baseline", "strict"].map(|name| Profile::find_for(name, wire).unwrap());
        let mut text = String::new();
        for (case, posture, primary) in if wire { wire_cases::cases() } else { cases() } {
            writeln!(text, "{case}").unwrap();
            let mut last = String::new();
            for profile in &profiles {
                let narrowed = profile.clone().narrowed(&[control.id.to_string()]).unwrap();
                let finding = evaluate(&posture, primary.as_ref(), &narrowed).remove(0);
                let mut line = finding.outcome.to_string();
                for (label, part) in [("observed", &finding.observed), ("expected", &finding.expected)] {
                    if let Some(part) = part {
                        write!(line, "; {label}: {part}").unwrap();
                    }
                }
                if let Some(unchecked) = &finding.unchecked {
                    write!(line, "; {}: {}", unchecked.reason, unchecked.detail).unwrap();
                }
                if line != last {
                    writeln!(text, "  {profile}: {line}").unwrap();
                }
                last = line;
            }
        }
        insta::assert_snapshot!(control.id.as_str(), text);
    }
}

#[test]
fn unknown_has_a_reason_and_nothing_else_does() {
    let profile = Profile::find_for("baseline", true).unwrap();
    for (case, posture, primary) in cases().into_iter().chain(wire_cases::cases()) {
        for finding in evaluate(&posture, primary.as_ref(), &profile) {
            assert_eq!(finding.outcome == Outcome::Unknown, finding.unchecked.is_some(), "{case}: {}", finding.control);
            assert_eq!(finding.outcome == Outcome::Fail, finding.expected.is_some(), "{case}: {}", finding.control);
        }
    }
}

#[test]
fn without_readings_nothing_passes_that_needs_one() {
    let profile = Profile::find_for("baseline", true).unwrap();
    for kind in Kind::ALL {
        for role in [ReplicationRole::None, ReplicationRole::Primary, ReplicationRole::Replica] {
            for finding in evaluate(&posture(kind, role, &[]), None, &profile) {
                let needs = (control(finding.control).needs)(kind, role);
                if !needs.is_empty() || control(finding.control).is_of_the_wire() {
                    assert_eq!(finding.outcome, Outcome::Unknown, "{kind} {role:?} {}", finding.control);
                }
            }
        }
    }
}

#[test]
fn the_wire_raises_the_confidence_of_what_it_bears_out() {
    use Confidence::{Declared, WireConfirmed};
    let profile = Profile::find("baseline").unwrap();
    let confidence = |posture: &Posture, control: ControlId| {
        let findings = evaluate(posture, None, &profile);
        findings.into_iter().find(|finding| finding.control == control).unwrap().confidence
    };
    for (case, posture, _) in wire_cases::cases() {
        let (switch, floor) = match case {
            "as declared" | "two addresses, a pooler" | "declared off, and so it is" => (WireConfirmed, WireConfirmed),
            "the pooler takes plaintext" => (Declared, WireConfirmed),
            "a single server with old versions" => (WireConfirmed, WireConfirmed),
            "declared on, plaintext taken" | "declared off, plaintext refused" => (Declared, WireConfirmed),
            _ => continue,
        };
        let (control, floor_control) = (ControlId::RequireSecureTransport, ControlId::MinimumTlsVersion);
        assert_eq!((confidence(&posture, control), confidence(&posture, floor_control)), (switch, floor), "{case}");
        // What the wire cannot know stays a declaration.
        assert_eq!(confidence(&posture, ControlId::PendingRestart), Declared, "{case}");
    }
    for (case, posture, _) in cases() {
        assert_eq!(confidence(&posture, ControlId::RequireSecureTransport), Declared, "{case}");
    }
}

/// A floor that nobody knows bounds nothing that could be compared: what the wire shows is then no agreement.
#[test]
fn a_bound_that_nobody_knows_is_not_taken_for_none() {
    let profile = Profile::find_for("baseline", true).unwrap();
    let (_, as_declared, _) = wire_cases::cases().into_iter().find(|(name, ..)| *name == "as declared").unwrap();
    let outcome = |index: usize, value: &str| {
        let mut posture = as_declared.clone();
        let name = posture.readings[index].0;
        posture.readings[index] = known(name, value);
        let findings = evaluate(&posture, None, &profile);
        findings.iter().find(|finding| finding.control == ControlId::DeclaredMatchesWire).unwrap().outcome
    };
    assert_eq!(outcome(1, "TLSv1.2"), Outcome::Pass);
    assert_eq!(outcome(1, "TLSv9"), Outcome::Unknown);
    assert_eq!(outcome(2, "TLSv9"), Outcome::Unknown);
}

#[test]
fn a_narrow_profile_needs_few_parameters() {
    let baseline = Profile::find("baseline").unwrap();
    let only = baseline.clone().narrowed(&["require-secure-transport".into()]).unwrap();
    assert_eq!(needed_parameters(&only, Kind::Flexible, ReplicationRole::None), [Name::RequireSecureTransport]);
    assert_eq!(needed_parameters(&baseline, Kind::Flexible, ReplicationRole::None).len(), 3);
    let parity = baseline.narrowed(&["replica-parity".into()]).unwrap();
    assert!(needed_parameters(&parity, Kind::Flexible, ReplicationRole::Primary).is_empty());
}

#[test]
fn one_id_names_a_file_a_page_a_snapshot_and_a_control() {
    let names = |folder: &str, prefix: &str, suffix: &str| -> BTreeSet<String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let entries =
            std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        entries.filter_map(|name| Some(name.strip_prefix(prefix)?.strip_suffix(suffix)?.replace('_', "-"))).collect()
    };
    let ids: BTreeSet<String> = ALL.into_iter().map(|control| control.id.to_string()).collect();
    assert_eq!(ids.len(), ALL.len());
    assert_eq!(names("src/controls", "", ".rs"), ids);
    assert_eq!(names("../../docs/controls", "", ".md"), ids);
    assert_eq!(names("tests/snapshots", "controls__", ".snap"), ids);
}

#[test]
fn a_page_says_what_the_control_says() {
    for control in ALL {
        let page = control.documentation;
        assert!(page.starts_with(&format!("# {}\n", control.id)), "{}", control.id);
        assert!(page.to_lowercase().contains(&format!("\n{}.\n", control.title.to_lowercase())), "{}", control.id);
        assert!(page.contains(&format!("| severity | {} |", control.severity.as_str())), "{}", control.id);
        for mapping in control.mappings {
            let version = if mapping.version.is_empty() { String::new() } else { format!("{} ", mapping.version) };
            let requirements = mapping.requirements.join(", ");
            let row = format!("| {} | {version}| {requirements} | {} |", mapping.standard, mapping.basis.as_str());
            assert!(page.contains(&row), "{}: {row}", control.id);
        }
        let rows = page.split("## Required by").nth(1).unwrap().lines().filter(|line| line.starts_with("| ")).count();
        assert_eq!(rows.saturating_sub(2), control.mappings.len(), "{}", control.id);
    }
}
