//! Looks that a probe in a zone took, brought as a document: believed as a whole or not at all.

use super::Looks;
use crate::carried_observation;
use hostssl_model::{Advice, Fault, Hint, Vantage, WireObservation, is_zone_name};
use hostssl_probe::report::{EndpointReport, StartupOutcome, Weakness, WireVerdict};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;

/// How far the clock of a machine in a zone may be ahead of this one: two that are set by the network differ by less. A look
/// from a clock that is ahead would hide the looks that others take until then.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_secs(10);

/// Why looks are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLooks {
    /// Nothing says from which zone they are.
    #[error("it was not probed for a zone")]
    NoZone,
    /// No zone can have this name.
    #[error("its zone has a name that no zone can have")]
    ZoneName,
    /// A look says not when it was taken.
    #[error("a look in it has no time")]
    NoTime,
    /// A look was taken later than now, by more than two clocks differ.
    #[error("a look in it is from the future: {0:.0}")]
    Future(Timestamp),
    /// A look has a verdict that its own answers disprove.
    #[error("a look in it contradicts itself: enforced, and plaintext was accepted")]
    Contradiction,
}

impl Advice for InvalidLooks {
    fn advice(&self) -> Hint {
        match self {
            Self::NoZone => {
                "probe a list that `hostssl zones targets ZONE` made: its looks have their zone and their time"
            }
            Self::Future(_) => "set the clock of the machine in the zone, or of this one, and probe again",
            Self::ZoneName | Self::NoTime | Self::Contradiction => PROBE_AGAIN,
        }
        .into()
    }

    fn fault(&self) -> Fault {
        Fault::Request
    }
}

/// What to do about a document that is not what a probe wrote.
pub const PROBE_AGAIN: &str =
    "probe again in the zone with `hostssl probe --targets LIST -o json`, and copy its whole output";

/// The looks of a document, as they are taken in now.
///
/// # Errors
///
/// [`InvalidLooks`] for the first one that proves nothing, or the whole.
pub fn looks_of_zone(zone: Option<&str>, endpoints: &[EndpointReport], now: Timestamp) -> Result<Looks, InvalidLooks> {
    let zone = zone.ok_or(InvalidLooks::NoZone)?;
    if !is_zone_name(zone) {
        return Err(InvalidLooks::ZoneName);
    }
    let zone: Arc<str> = zone.into();
    let looks = endpoints.iter().map(|report| Ok((report.host.as_str().into(), look(&zone, report, now)?)));
    Ok(Looks { looks: looks.collect::<Result<_, _>>()?, zone: Arc::clone(&zone) })
}

fn look(zone: &Arc<str>, report: &EndpointReport, now: Timestamp) -> Result<WireObservation, InvalidLooks> {
    let taken = report.observed_ms.and_then(|ms| Timestamp::from_millisecond(ms).ok()).ok_or(InvalidLooks::NoTime)?;
    if taken.duration_since(now) > CLOCK_SKEW {
        return Err(InvalidLooks::Future(taken));
    }
    // No look is newer than the moment at which it is taken in.
    let taken = taken.min(now);
    let holes = [Weakness::PlaintextAccepted, Weakness::PlaintextReplicationAccepted];
    let is_open = report.plaintext.outcome == StartupOutcome::Allowed
        || report.startups.iter().any(|startup| startup.plaintext.outcome == StartupOutcome::Allowed)
        || report.weaknesses.iter().any(|weakness| holes.contains(weakness));
    if report.verdict == WireVerdict::Enforced && is_open {
        return Err(InvalidLooks::Contradiction);
    }
    let vantage = Vantage { zone: Arc::clone(zone), observed_ms: taken.as_millisecond(), prober: None };
    Ok(WireObservation { vantage: Some(Box::new(vantage)), ..carried_observation(report, taken, now) })
}
