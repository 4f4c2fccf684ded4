//! `declared-matches-wire`: the server does what Azure declares.

use crate::control::shown;
use crate::listeners::{inconclusive, judge_listeners};
use crate::{Control, ControlInput, ControlResult, EvidenceSource, Settings};
use hostssl_model::{
    Acceptance, ControlId, Floor, Kind, Meaning, Parameter, ParameterName, ReplicationRole, Severity, TlsVersion,
    Unchecked, WireListener, WireTransport, WireVersion,
};

pub(crate) const CONTROL: Control = Control {
    id: ControlId::DeclaredMatchesWire,
    title: "on the wire, the server does what Azure declares",
    severity: Severity::High,
    source: EvidenceSource::Wire,
    counterpart: None,
    needs_primary: false,
    fixable: false,
    needs,
    judge,
    mappings: &[],
    documentation: include_str!("../../../../docs/controls/declared-matches-wire.md"),
};

fn needs(kind: Kind, _: ReplicationRole) -> Vec<ParameterName> {
    kind.switch().into_iter().chain(kind.client_floor()).chain(kind.offering().cap).collect()
}

fn judge(evidence: &ControlInput<'_>, _: &Settings) -> ControlResult {
    let declared = Declared::of(evidence);
    judge_listeners(evidence, |listener| judge_listener(listener, &declared))
}

/// What Azure declares, each part as far as it was read.
struct Declared {
    enforced: Result<(bool, String), Unchecked>,
    floor: Result<Option<(TlsVersion, String)>, Unchecked>,
    cap: Result<Option<(TlsVersion, String)>, Unchecked>,
}

impl Declared {
    fn of(evidence: &ControlInput<'_>) -> Self {
        let kind = evidence.posture.server.kind;
        let statement = |name, parameter: &Parameter| format!("{name} = {}", shown(parameter.value()));
        let bound = |name: ParameterName| {
            let (parameter, meaning) = evidence.meaning(name)?;
            let version = match meaning {
                Meaning::Floor(Floor::At(version)) | Meaning::Cap(Some(version)) => Some(version),
                Meaning::Floor(Floor::None) | Meaning::Cap(None) | Meaning::Enforced(_) => None,
                Meaning::LogDownload(_) | Meaning::LogDays(_) => None,
            };
            Ok(version.map(|version| (version, statement(name, parameter))))
        };
        let enforced = match kind.switch() {
            None => Ok((true, "TLS is required by the platform".to_owned())),
            Some(name) => evidence
                .meaning(name)
                .map(|(parameter, meaning)| (meaning == Meaning::Enforced(true), statement(name, parameter))),
        };
        let bound_by = |name: Option<ParameterName>| name.map_or(Ok(None), bound);
        Self { enforced, floor: bound_by(kind.client_floor()), cap: bound_by(kind.offering().cap) }
    }
}

fn judge_listener(listener: &WireListener, declared: &Declared) -> ControlResult {
    let versions = versions_outside(listener, declared);
    let transport = match (listener.transport, &declared.enforced) {
        (WireTransport::BrokenTls | WireTransport::Inconclusive, _) => Err(inconclusive(&listener.why)),
        (_, Err(unchecked)) => Err(ControlResult::Unknown(unchecked.clone())),
        (WireTransport::Enforced, Ok((false, declared))) => {
            Ok(Some(("plaintext is refused".to_owned(), declared.clone())))
        }
        (WireTransport::Optional | WireTransport::PlaintextOnly, Ok((true, declared))) => {
            Ok(Some((listener.why.to_string(), declared.clone())))
        }
        _ => Ok(None),
    };
    let mut differing: Vec<(String, String)> = Vec::new();
    let mut unknown = None;
    for part in [transport, versions] {
        match part {
            Ok(found) => differing.extend(found),
            Err(verdict) => unknown = unknown.or(Some(verdict)),
        }
    }
    if !differing.is_empty() {
        let (seen, declared): (Vec<_>, Vec<_>) = differing.into_iter().unzip();
        return ControlResult::fail(seen.join(", "), format!("as declared: {}", declared.join(", ")));
    }
    unknown.unwrap_or_else(|| ControlResult::pass("as declared"))
}

/// Versions that are accepted and lie outside what is declared, with what declares it.
fn versions_outside(listener: &WireListener, declared: &Declared) -> Result<Option<(String, String)>, ControlResult> {
    if listener.versions.is_empty() {
        return Ok(None);
    }
    let (floor, cap) = match (&declared.floor, &declared.cap) {
        (Ok(floor), Ok(cap)) => (floor, cap),
        (Err(unchecked), _) | (_, Err(unchecked)) => return Err(ControlResult::Unknown(unchecked.clone())),
    };
    let below = |version| floor.as_ref().is_some_and(|(floor, _)| version < WireVersion::Tls(*floor));
    let above = |version| cap.as_ref().is_some_and(|(cap, _)| version > WireVersion::Tls(*cap));
    let accepted = |outside: &dyn Fn(WireVersion) -> bool| {
        let versions = listener.versions.iter();
        let outside = versions.filter(|(version, seen)| outside(*version) && *seen == Acceptance::Accepted);
        outside.map(|(version, _)| version.to_string()).collect::<Vec<_>>().join(", ")
    };
    let (low, high) = (accepted(&below), accepted(&above));
    let declaration = |bound: &Option<(TlsVersion, String)>| bound.as_ref().map_or("", |(_, text)| text).to_owned();
    match (low.is_empty(), high.is_empty()) {
        (false, _) => Ok(Some((format!("accepts {low}"), declaration(floor)))),
        (true, false) => Ok(Some((format!("accepts {high}"), declaration(cap)))),
        (true, true) => Ok(None),
    }
}
