//! The controls, one file each.

mod certificate_expiry;
mod certificate_valid;
mod declared_matches_wire;
mod legacy_tls_refused;
mod maximum_tls_version;
mod minimum_tls_version;
mod pending_restart;
mod plaintext_refused;
mod replica_parity;
mod require_secure_transport;

use crate::Control;
use hostssl_model::ControlId;

/// Every control, in the order in which reports list them: what is declared, then what the wire shows.
pub const ALL: [&Control; 10] = [
    &require_secure_transport::CONTROL,
    &minimum_tls_version::CONTROL,
    &maximum_tls_version::CONTROL,
    &pending_restart::CONTROL,
    &replica_parity::CONTROL,
    &plaintext_refused::CONTROL,
    &legacy_tls_refused::CONTROL,
    &certificate_valid::CONTROL,
    &certificate_expiry::CONTROL,
    &declared_matches_wire::CONTROL,
];

/// The control with this id.
#[must_use]
pub fn control(id: ControlId) -> &'static Control {
    match id {
        ControlId::RequireSecureTransport => &require_secure_transport::CONTROL,
        ControlId::MinimumTlsVersion => &minimum_tls_version::CONTROL,
        ControlId::MaximumTlsVersion => &maximum_tls_version::CONTROL,
        ControlId::PendingRestart => &pending_restart::CONTROL,
        ControlId::ReplicaParity => &replica_parity::CONTROL,
        ControlId::PlaintextRefused => &plaintext_refused::CONTROL,
        ControlId::LegacyTlsRefused => &legacy_tls_refused::CONTROL,
        ControlId::CertificateValid => &certificate_valid::CONTROL,
        ControlId::CertificateExpiry => &certificate_expiry::CONTROL,
        ControlId::DeclaredMatchesWire => &declared_matches_wire::CONTROL,
    }
}

/// The control that a person names.
#[must_use]
pub fn find(id: &str) -> Option<&'static Control> {
    ControlId::from_code(id).map(control)
}

impl Control {
    /// Whether it judges what was seen on the wire.
    #[must_use]
    pub fn is_of_the_wire(&self) -> bool {
        self.id.is_of_the_wire()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_is_of_one_control_in_the_order_of_reports() {
        assert_eq!(ALL.map(|control| control.id), ControlId::ALL);
        for id in ControlId::ALL {
            assert_eq!(control(id).id, id);
            assert_eq!(control(id).source == crate::EvidenceSource::Wire, id.is_of_the_wire(), "{id:?}");
        }
    }

    #[test]
    fn what_is_declared_comes_first_and_has_its_counterpart_on_the_wire() {
        assert!(ALL.is_sorted_by_key(|control| control.is_of_the_wire()));
        for (here, there) in ALL.into_iter().filter_map(|one| Some((one, control(one.counterpart?)))) {
            assert!(!here.is_of_the_wire() && there.is_of_the_wire(), "{} and {}", here.id, there.id);
        }
    }
}
