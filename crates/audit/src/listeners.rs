//! What the controls of the wire share: from observations of listeners to one verdict.

use crate::{Control, Evidence, Verdict};
use hostssl_model::{ControlId, Outcome, Reading, Reason, Unchecked, WireListener, WireObservation, WireTransport};

/// Judges every listener and sums up: fail before unknown before pass. `judge` says what one listener does, without its
/// port.
pub(crate) fn judge_listeners(evidence: &Evidence<'_>, judge: impl Fn(&WireListener) -> Verdict) -> Verdict {
    let looks = &evidence.posture.wire;
    if looks.is_empty() {
        return Verdict::Unknown(Unchecked::new(Reason::NotProbed, "the listeners were not probed"));
    }
    let mut sum = Sum::default();
    for look in looks {
        let verdict = match &look.listener {
            Reading::Known(listener) => judge(listener),
            Reading::Unknown(blind) => Verdict::Unknown(blind.clone()),
        };
        sum.add(look, verdict);
    }
    sum.verdict()
}

/// Unknown, because the listener answered and the answer does not decide.
pub(crate) fn inconclusive(why: &str) -> Verdict {
    Verdict::Unknown(Unchecked::new(Reason::Inconclusive, why))
}

/// The verdict about a certificate or a version where none was seen: a listener without TLS has none, and of any other
/// nothing is known.
pub(crate) fn without_tls(listener: &WireListener) -> Verdict {
    match listener.transport {
        WireTransport::PlaintextOnly => Verdict::NotApplicable,
        _ => inconclusive(&listener.why),
    }
}

/// The verdicts of one server's listeners, as they come.
#[derive(Default)]
struct Sum {
    failed: Vec<String>,
    expected: Option<String>,
    unknown: Option<Unchecked>,
    passed: Vec<String>,
}

impl Sum {
    fn add(&mut self, look: &WireObservation, verdict: Verdict) {
        // Several addresses of one name do the same, as a rule.
        let note = |lines: &mut Vec<String>, observed: &str| {
            let line = format!("port {}: {observed}", look.port);
            if !lines.contains(&line) {
                lines.push(line);
            }
        };
        match verdict {
            Verdict::Fail { observed, expected } => {
                note(&mut self.failed, &observed);
                self.expected.get_or_insert(expected.into_owned());
            }
            Verdict::Unknown(mut blind) => {
                // The other reasons hold for the whole server.
                if matches!(blind.reason, Reason::Inconclusive | Reason::Unreachable) {
                    blind.detail = format!("port {}: {}", look.port, blind.detail).into();
                }
                self.unknown.get_or_insert(blind);
            }
            Verdict::Pass { observed } => note(&mut self.passed, &observed),
            Verdict::NotApplicable => {}
        }
    }

    fn verdict(self) -> Verdict {
        match (self.expected, self.unknown) {
            (Some(expected), _) => Verdict::fail(self.failed.join("; "), expected),
            (None, Some(blind)) => Verdict::Unknown(blind),
            (None, None) if self.passed.is_empty() => Verdict::NotApplicable,
            (None, None) => Verdict::pass(self.passed.join("; ")),
        }
    }
}

/// Whether the wire bears out what a control of the declared settings found: its counterpart on the wire ended alike.
pub(crate) fn bears_out(
    control: &Control,
    outcome: Outcome,
    evidence: &Evidence<'_>,
    settings: &crate::Settings,
) -> bool {
    let Some(counterpart) = control.counterpart.filter(|_| !evidence.posture.wire.is_empty()) else {
        return false;
    };
    // The nodes behind a coordinator have floors of their own, and no listener to look at.
    let has_hidden_floors = evidence.posture.server.kind.offering().floors.len() > 1;
    if counterpart == ControlId::LegacyTlsRefused && has_hidden_floors && outcome == Outcome::Pass {
        return false;
    }
    let on_the_wire = (crate::control(counterpart).judge)(evidence, settings);
    matches!((outcome, on_the_wire), (Outcome::Pass, Verdict::Pass { .. }) | (Outcome::Fail, Verdict::Fail { .. }))
}
