//! The verdict on the store that several machines share.

use hostssl_model::{Advice as _, DoctorCheck, DoctorCheckId, Hint, chain};
use hostssl_probe::report::WireVerdict;
use hostssl_store::{LogHead, StoreError};

/// Whether a store can be used. `found` is what it is, or `None` where it is to be made; `listeners` are the verdicts on its own
/// listeners, of which there are none when the probe had no time.
#[must_use]
pub fn store_check(
    place: &str,
    found: Result<Option<&LogHead>, &StoreError>,
    listeners: &[WireVerdict],
) -> DoctorCheck {
    let id = DoctorCheckId::Store;
    let detail = match found {
        Err(error) => return DoctorCheck::failed(id, chain(error), error.advice()),
        Ok(None) => {
            format!("{place} has nothing in it yet, and the first command that keeps something makes its tables")
        }
        Ok(Some(head)) => format!("{place} ends at entry {} and has version {}", head.last, head.version),
    };
    let open = listeners.iter().find(|verdict| matches!(verdict, WireVerdict::Optional | WireVerdict::PlaintextOnly));
    if open.is_some() {
        let fix = Hint::from("refuse plaintext at its server too: hostssl connects with TLS, and others need not");
        return DoctorCheck::warning(id, format!("{detail}; its server accepts plaintext"), fix);
    }
    let is_proven = !listeners.is_empty() && listeners.iter().all(|verdict| *verdict == WireVerdict::Enforced);
    let wire =
        if is_proven { "its server refuses plaintext" } else { "whether its server refuses plaintext is not known" };
    DoctorCheck::ok(id, format!("{detail}; {wire}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostssl_model::DoctorStatus::{Failed, Ok as Fine, Warning};

    #[test]
    fn a_store_whose_server_accepts_plaintext_is_a_warning() {
        let kept = LogHead { store: "id".into(), version: 12, last: 3, chain: String::new() };
        let head = || Ok(Some(&kept));
        let check = |found, listeners: &[WireVerdict]| store_check("db:5432/hostssl", found, listeners);
        let good = check(head(), &[WireVerdict::Enforced]);
        assert_eq!((good.status, good.detail.contains("refuses plaintext")), (Fine, true), "{}", good.detail);
        let open = check(head(), &[WireVerdict::Enforced, WireVerdict::Optional]);
        assert_eq!(open.status, Warning);
        for unproven in [&[][..], &[WireVerdict::Unreachable]] {
            let unproven = check(head(), unproven);
            assert_eq!((unproven.status, unproven.detail.contains("not known")), (Fine, true), "{}", unproven.detail);
        }
        assert_eq!(check(Ok(None), &[WireVerdict::Enforced]).status, Fine);
        assert_eq!(check(Err(&StoreError::Closed), &[]).status, Failed);
    }
}
