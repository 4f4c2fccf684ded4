//! What the controls of the wire share: from observations of listeners to one verdict.

use crate::{Control, ControlInput, ControlResult};
use hostssl_model::{ControlId, Outcome, Reading, Reason, Unchecked, WireListener, WireObservation, WireTransport};

/// Judges every listener and sums up: fail before unknown before pass. `judge` says what one listener does, without its
/// port.
pub(crate) fn judge_listeners(
    evidence: &ControlInput<'_>,
    judge: impl Fn(&WireListener) -> ControlResult,
) -> ControlResult {
    let looks = &evidence.posture.wire;
    if looks.is_empty() {
        return ControlResult::Unknown(Unchecked::new(Reason::NotProbed, "the listeners were not probed"));
    }
    let mut sum = Sum::default();
    for look in looks {
        let verdict = match &look.listener {
            Reading::Known(listener) => judge(listener),
            Reading::Unknown(unchecked) => ControlResult::Unknown(unchecked.clone()),
        };
        sum.add(look, verdict);
    }
    sum.verdict()
}

/// Unknown, because the listener answered and the answer does not decide.
pub(crate) fn inconclusive(why: &str) -> ControlResult {
    ControlResult::Unknown(Unchecked::new(Reason::Inconclusive, why))
}

/// The verdict about a certificate or a version where none was seen: a listener without TLS has none, and of any other
/// nothing is known.
pub(crate) fn without_tls(listener: &WireListener) -> ControlResult {
    match listener.transport {
        WireTransport::PlaintextOnly => ControlResult::NotApplicable,
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
    fn add(&mut self, look: &WireObservation, verdict: ControlResult) {
        // Several addresses of one name do the same, as a rule.
        let place = match &look.vantage {
            Some(vantage) => format!("port {} from zone {}", look.port, vantage.zone),
            None => format!("port {}", look.port),
        };
        let note = |lines: &mut Vec<String>, observed: &str| {
            let line = format!("{place}: {observed}");
            if !lines.contains(&line) {
                lines.push(line);
            }
        };
        match verdict {
            ControlResult::Fail { observed, expected } => {
                note(&mut self.failed, &observed);
                self.expected.get_or_insert(expected.into_owned());
            }
            ControlResult::Unknown(mut unchecked) => {
                // The other reasons hold for the whole server.
                if matches!(unchecked.reason, Reason::Inconclusive | Reason::Unreachable) {
                    unchecked.detail = format!("{place}: {}", unchecked.detail).into();
                }
                self.unknown.get_or_insert(unchecked);
            }
            ControlResult::Pass { observed } => note(&mut self.passed, &observed),
            ControlResult::NotApplicable => {}
        }
    }

    fn verdict(self) -> ControlResult {
        match (self.expected, self.unknown) {
            (Some(expected), _) => ControlResult::fail(self.failed.join("; "), expected),
            (None, Some(unchecked)) => ControlResult::Unknown(unchecked),
            (None, None) if self.passed.is_empty() => ControlResult::NotApplicable,
            (None, None) => ControlResult::pass(self.passed.join("; ")),
        }
    }
}

/// Whether the wire bears out what a control of the declared settings found: its counterpart on the wire ended alike.
pub(crate) fn bears_out(
    control: &Control,
    outcome: Outcome,
    evidence: &ControlInput<'_>,
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
    matches!(
        (outcome, on_the_wire),
        (Outcome::Pass, ControlResult::Pass { .. }) | (Outcome::Fail, ControlResult::Fail { .. })
    )
}
