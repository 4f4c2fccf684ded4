//! What listeners do, as far as probes saw it: versions, certificates, and what was said.

use crate::exchanges::ServerExchanges;
use crate::options::Exchange;
use crate::view::{Badge, When, plural};
use hostssl_model::{Acceptance, Reading, TlsVersion, WireListener, WireTransport, WireVersion};
use hostssl_store::{ServerDetail, StoredListener, StoredUnchecked, StoredVantage};

/// A listener as the newest probe of it saw it.
pub(crate) struct Listener {
    pub(crate) port: u16,
    pub(crate) address: Option<String>,
    /// What it did.
    pub(crate) known: Option<WireListener>,
    /// Why that is not known.
    pub(crate) unchecked: Option<StoredUnchecked>,
    /// Where and when it was seen, when that was not from here.
    pub(crate) vantage: Option<(String, When)>,
}

impl Listener {
    /// Every listener of a server.
    pub(super) fn all(detail: &ServerDetail) -> Vec<Self> {
        let listener = |one: &StoredListener| {
            let (known, unchecked) = match one.seen.as_ref().map(|seen| seen.listener(None)) {
                Some(Reading::Known(listener)) => (Some(listener), None),
                Some(Reading::Unknown(unchecked)) => (None, Some(StoredUnchecked::from(&unchecked))),
                None => (None, one.unchecked.clone()),
            };
            let zone = |from: &StoredVantage| match &from.prober {
                Some(prober) => format!("{} by prober {prober}", from.zone),
                None => from.zone.clone(),
            };
            let vantage = one.vantage.as_ref().map(|from| (zone(from), When(from.observed_ms)));
            Self { port: one.port, address: one.address.clone(), known, unchecked, vantage }
        };
        detail.wire.iter().map(listener).collect()
    }

    /// What it does with clients without TLS.
    pub(crate) fn badge(&self) -> Badge {
        self.known.as_ref().map_or(WireTransport::Inconclusive, |known| known.transport).into()
    }

    /// How long its certificate lasts, and whether that is long enough by the rules of the audit.
    pub(super) fn validity(&self, expiry_days: Option<u32>) -> Option<Validity> {
        let not_after = self.known.as_ref()?.certificate.as_ref()?.not_after.as_deref()?;
        Validity::of(not_after, super::now_ms(), expiry_days)
    }

    /// What was said to it, right after the probe.
    pub(super) fn exchanges(&self, taken: Option<&ServerExchanges>) -> Vec<Exchange> {
        // It was asked from here.
        let said = taken.iter().filter(|_| self.vantage.is_none()).flat_map(|taken| &taken.listeners);
        let here = |one: &&Exchange| {
            one.port == self.port && (one.address.is_none() || self.address.is_none() || one.address == self.address)
        };
        said.filter(here).cloned().collect()
    }
}

/// Which versions of TLS each port accepts.
pub(super) struct Matrix {
    pub(super) ports: Vec<u16>,
    /// The newest version first, with a cell for each port.
    pub(super) rows: Vec<(String, Vec<VersionCell>)>,
}

/// What a port does with a version: in words, and whether that is good.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct VersionCell {
    pub(super) class: &'static str,
    pub(super) shape: &'static str,
    pub(super) words: &'static str,
}

impl Matrix {
    pub(super) fn of(listeners: &[Listener]) -> Self {
        let mut ports: Vec<u16> = listeners.iter().filter(|one| one.known.is_some()).map(|one| one.port).collect();
        ports.dedup();
        // A port may have several addresses: one of them that accepts is enough.
        let answers = |version: WireVersion, port: u16| {
            let here = listeners.iter().filter(move |one| one.port == port).filter_map(|one| one.known.as_ref());
            here.flat_map(|one| &one.versions).filter(move |(one, _)| *one == version).map(|(_, answer)| *answer)
        };
        let row = |version: WireVersion| {
            let was_asked = ports.iter().any(|port| answers(version, *port).next().is_some());
            let cell = |port: &u16| VersionCell::of(version, answers(version, *port).collect::<Vec<_>>().as_slice());
            was_asked.then(|| (version.to_string(), ports.iter().map(cell).collect()))
        };
        Self { rows: WireVersion::ALL.into_iter().rev().filter_map(row).collect(), ports }
    }
}

impl VersionCell {
    /// By what the addresses of a port answered. TLS 1.0 and 1.1 are deprecated (RFC 8996), SSL 3.0 is prohibited (RFC 7568).
    fn of(version: WireVersion, answers: &[Acceptance]) -> Self {
        let is_weak = !matches!(version, WireVersion::Tls(TlsVersion::Tls1_2 | TlsVersion::Tls1_3));
        let (class, shape, words) = match (answers.contains(&Acceptance::Accepted), is_weak) {
            (true, true) => ("no", "✕", "accepted"),
            (true, false) => ("yes", "✓", "accepted"),
            (false, _) if !answers.contains(&Acceptance::Refused) => ("unknown", "?", "unknown"),
            (false, true) => ("yes", "✓", "refused"),
            (false, false) => ("none", "–", "refused"),
        };
        Self { class, shape, words }
    }
}

/// How long a certificate lasts.
pub(super) struct Validity {
    pub(super) until: When,
    pub(super) words: String,
    pub(super) class: &'static str,
    /// The share of a year that is left, in percent.
    pub(super) width: i64,
}

impl Validity {
    fn of(not_after: &str, now_ms: i64, expiry_days: Option<u32>) -> Option<Self> {
        let until = not_after.parse::<jiff::Timestamp>().ok()?.as_millisecond();
        let days = (until - now_ms).div_euclid(86_400_000);
        let class = match expiry_days {
            _ if days < 0 => "no",
            None => "unknown",
            Some(enough) if days < i64::from(enough) => "no",
            Some(_) => "yes",
        };
        let words =
            if days < 0 { "expired".to_owned() } else { format!("{} left", plural(days.unsigned_abs(), "day")) };
        Some(Self { until: When(until), words, class, width: (days.max(0) * 100 / 365).clamp(2, 100) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_bad_by_the_rules_of_the_audit() {
        let of = |days: i64, enough| {
            let now = 1_800_000_000_000;
            let end = jiff::Timestamp::from_millisecond(now + days * 86_400_000).unwrap().to_string();
            let validity = Validity::of(&end, now, enough).unwrap();
            (validity.class, validity.words)
        };
        assert_eq!(of(45, Some(30)), ("yes", "45 days left".to_owned()));
        assert_eq!(of(45, Some(60)), ("no", "45 days left".to_owned()));
        assert_eq!(of(30, Some(30)).0, "yes", "as the control counts");
        assert_eq!(of(1, None), ("unknown", "1 day left".to_owned()));
        assert_eq!(of(-1, None), ("no", "expired".to_owned()));
    }

    #[test]
    fn a_weak_version_that_is_accepted_is_bad_wherever_one_address_accepts_it() {
        use Acceptance::{Accepted, Refused, Unknown};
        let (weak, strong) = (WireVersion::Tls(TlsVersion::Tls1_0), WireVersion::Tls(TlsVersion::Tls1_3));
        let badge_parts = |version, answers: &[Acceptance]| {
            let cell = VersionCell::of(version, answers);
            (cell.class, cell.words)
        };
        assert_eq!(badge_parts(weak, &[Refused, Accepted]), ("no", "accepted"));
        assert_eq!(badge_parts(weak, &[Refused, Unknown]), ("yes", "refused"));
        assert_eq!(badge_parts(strong, &[Accepted]), ("yes", "accepted"));
        assert_eq!(badge_parts(strong, &[Refused]), ("none", "refused"));
        for version in [weak, strong] {
            assert_eq!(badge_parts(version, &[Unknown]), ("unknown", "unknown"));
            assert_eq!(badge_parts(version, &[]), ("unknown", "unknown"));
        }
    }
}
