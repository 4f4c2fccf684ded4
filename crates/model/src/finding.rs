//! What a control found on a server.

use crate::{ControlId, ResourceId, Unchecked, Waiver, coded};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::sync::Arc;

coded! {
    /// How a control ends. Ordered from best to worst, so that the worst of several is their maximum.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Outcome {
        /// The control has nothing to say about this kind of server.
        NotApplicable = "not-applicable",
        /// Seen, and as it should be.
        Pass = "pass",
        /// Could not be checked. Never a pass.
        Unknown = "unknown",
        /// Seen, and not as it should be.
        Fail = "fail",
    }
}

coded! {
    /// How much a failure of a control matters.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Severity {
        /// Worth knowing.
        Low = "low",
        /// Worth planning for.
        Medium = "medium",
        /// Data can cross the network in plaintext.
        High = "high",
    }
}

coded! {
    /// How sure an outcome is. Apart from severity: it says what the evidence is, not what is at stake.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Confidence {
        /// Azure's control plane declares it.
        Declared = "declared",
        /// The wire showed it.
        WireConfirmed = "wire-confirmed",
    }
}

/// A control's outcome on one server.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The control.
    pub control: ControlId,
    /// How it ended.
    pub outcome: Outcome,
    /// How much a failure matters.
    pub severity: Severity,
    /// What the evidence is.
    pub confidence: Confidence,
    /// What was seen, in the words of the setting: `require_secure_transport = off`.
    pub observed: Option<Cow<'static, str>>,
    /// What would pass, in the same words.
    pub expected: Option<Cow<'static, str>>,
    /// Why nothing was seen; present exactly when the outcome is [`Outcome::Unknown`].
    pub unchecked: Option<Unchecked>,
    /// The waiver for a failure, whether or not it is in effect. It does not change the outcome.
    pub waiver: Option<Arc<Waiver>>,
}

impl Finding {
    /// Whether it fails without a waiver in effect.
    #[must_use]
    pub fn fails_unwaived(&self) -> bool {
        self.outcome == Outcome::Fail && self.accepted().is_none()
    }

    /// The waiver by which a failure is accepted.
    #[must_use]
    pub fn accepted(&self) -> Option<&Waiver> {
        self.waiver.as_deref().filter(|waiver| self.outcome == Outcome::Fail && waiver.is_in_effect())
    }

    /// A stable name for "this control on this server", the same in every run: 16 hexadecimal digits of the SHA-256 of
    /// the control and the lower-case id.
    #[must_use]
    pub fn fingerprint(&self, server: &ResourceId) -> String {
        let mut hash = Sha256::new();
        hash.update(self.control.as_str().as_bytes());
        hash.update(b"\0");
        hash.update(server.to_lowercase().as_bytes());
        crate::hex(&hash.finalize()[..8])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_outcome_is_the_maximum() {
        assert_eq!([Outcome::Pass, Outcome::Fail, Outcome::Unknown].iter().max(), Some(&Outcome::Fail));
        assert_eq!([Outcome::Pass, Outcome::Unknown, Outcome::NotApplicable].iter().max(), Some(&Outcome::Unknown));
        assert_eq!([Outcome::Pass, Outcome::NotApplicable].iter().max(), Some(&Outcome::Pass));
    }

    #[test]
    fn a_fingerprint_depends_on_control_and_server_and_not_on_case() {
        let finding = |control| Finding {
            control,
            outcome: Outcome::Pass,
            severity: Severity::High,
            confidence: Confidence::Declared,
            observed: None,
            expected: None,
            unchecked: None,
            waiver: None,
        };
        let id = |text: &str| ResourceId::try_from(text).unwrap();
        let orders = id("/subscriptions/s/resourceGroups/g/providers/p/t/Orders");
        let lower = id("/subscriptions/s/resourcegroups/g/providers/p/t/orders");
        let other = id("/subscriptions/s/resourceGroups/g/providers/p/t/other");
        assert_eq!(
            finding(ControlId::PendingRestart).fingerprint(&orders),
            finding(ControlId::PendingRestart).fingerprint(&lower)
        );
        assert_ne!(
            finding(ControlId::PendingRestart).fingerprint(&orders),
            finding(ControlId::ReplicaParity).fingerprint(&orders)
        );
        assert_ne!(
            finding(ControlId::PendingRestart).fingerprint(&orders),
            finding(ControlId::PendingRestart).fingerprint(&other)
        );
    }
}
