//! Which looks at one listener stand, where several were taken from one zone.
//!
//! A newer look replaces an older one only if it says at least as much: one that found no way, or whose answer decides
//! nothing, stands beside what was seen before. So plaintext that was seen is not forgotten, and a proof has to be repeated.

use crate::{Reading, WireObservation, WireTransport, WorstListener};

/// How much a look says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum LookWeight {
    /// There was no way to the listener.
    NoWay,
    /// Something answered or was known, and it does not tell what the listener does.
    Undecided,
    /// It was seen what the listener does with clients without TLS.
    Decided,
}

impl WireObservation {
    /// Whether it was seen what the listener does.
    #[must_use]
    pub fn is_decided(&self) -> bool {
        self.weight() == LookWeight::Decided
    }

    fn weight(&self) -> LookWeight {
        match &self.listener {
            Reading::Known(seen) if seen.transport == WireTransport::Inconclusive => LookWeight::Undecided,
            Reading::Known(_) => LookWeight::Decided,
            Reading::Unknown(unchecked) if unchecked.reason.is_no_way() => LookWeight::NoWay,
            Reading::Unknown(_) => LookWeight::Undecided,
        }
    }

    /// Whether another look at the same address says nothing beside this one. Of two of one time the worse stands.
    fn outdates(&self, other: &Self) -> bool {
        let rank = |look: &Self| (taken_ms(look), look.weight(), WorstListener::from(&look.listener));
        self.address == other.address && self.weight() >= other.weight() && rank(self) >= rank(other)
    }
}

/// The same, where one prober says nothing of what another saw: one of them may not be believed any more one day.
#[must_use]
pub(crate) fn standing_of_each_prober(looks: impl IntoIterator<Item = WireObservation>) -> Vec<WireObservation> {
    standing_by(looks, |newer, older| newer.outdates(older) && prober_of(newer) == prober_of(older))
}

/// Of looks at one listener from one zone, those that stand: of each address the newest that decides, and what is newer and
/// decides nothing. Of looks that say the same at one time the first stands.
#[must_use]
pub fn standing_looks(looks: impl IntoIterator<Item = WireObservation>) -> Vec<WireObservation> {
    standing_by(looks, WireObservation::outdates)
}

/// Those of some looks that stand beside each other.
pub(crate) fn standing_beside<'a>(looks: impl IntoIterator<Item = &'a WireObservation>) -> Vec<&'a WireObservation> {
    standing_by(looks, |newer, older| newer.outdates(older))
}

fn standing_by<T>(looks: impl IntoIterator<Item = T>, outdates: impl Fn(&T, &T) -> bool) -> Vec<T> {
    let mut newest: Vec<T> = Vec::new();
    for look in looks {
        if !newest.iter().any(|known| outdates(known, &look)) {
            newest.retain(|known| !outdates(&look, known));
            newest.push(look);
        }
    }
    newest
}

fn prober_of(look: &WireObservation) -> Option<&str> {
    look.vantage.as_ref().and_then(|vantage| vantage.prober.as_deref())
}

fn taken_ms(look: &WireObservation) -> i64 {
    look.vantage.as_ref().map_or(i64::MIN, |vantage| vantage.observed_ms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Reason, Unchecked, Vantage, WireListener};

    fn look(observed_ms: i64, seen: Result<WireTransport, Reason>) -> WireObservation {
        let listener = match seen {
            Ok(transport) => {
                Reading::Known(WireListener { transport, why: "".into(), versions: Vec::new(), certificate: None })
            }
            Err(reason) => Reading::Unknown(Unchecked::new(reason, "")),
        };
        let vantage = Some(Box::new(Vantage { zone: "hub".into(), observed_ms, prober: None }));
        WireObservation { port: 5432, address: None, observed_at: "".into(), listener, vantage }
    }

    fn left(looks: &[(i64, Result<WireTransport, Reason>)]) -> Vec<(i64, &'static str)> {
        let looks = looks.iter().map(|(at, seen)| look(*at, *seen));
        let mut left: Vec<_> = standing_looks(looks)
            .iter()
            .map(|one| (taken_ms(one), WorstListener::from(&one.listener).as_str()))
            .collect();
        left.sort_unstable();
        left
    }

    #[test]
    fn a_look_is_replaced_by_one_that_says_as_much() {
        use WireTransport::{BrokenTls, Enforced, Inconclusive, Optional};
        for (older, newer, expected) in [
            (Ok(Optional), Ok(Enforced), vec![(2, "enforced")]),
            (Ok(Optional), Ok(BrokenTls), vec![(2, "broken-tls")]),
            (Ok(Enforced), Ok(Optional), vec![(2, "optional")]),
            (Ok(Optional), Ok(Inconclusive), vec![(1, "optional"), (2, "inconclusive")]),
            (Ok(Enforced), Ok(Inconclusive), vec![(1, "enforced"), (2, "inconclusive")]),
            (Ok(Inconclusive), Ok(Enforced), vec![(2, "enforced")]),
            (Ok(Optional), Err(Reason::Unresolved), vec![(1, "optional"), (2, "unseen")]),
            (Ok(Inconclusive), Err(Reason::Unreachable), vec![(1, "inconclusive"), (2, "unseen")]),
            (Err(Reason::Unreachable), Ok(Inconclusive), vec![(2, "inconclusive")]),
        ] {
            assert_eq!(left(&[(1, older), (2, newer)]), expected, "{older:?}, then {newer:?}");
            assert_eq!(left(&[(2, newer), (1, older)]), expected, "{newer:?} first");
        }
    }

    #[test]
    fn of_two_looks_of_one_time_the_worse_stands() {
        use WireTransport::{Enforced, Inconclusive, Optional};
        for looks in [[Ok(Enforced), Ok(Optional)], [Ok(Optional), Ok(Enforced)], [Ok(Optional), Ok(Inconclusive)]] {
            assert_eq!(left(&looks.map(|seen| (1, seen))), [(1, "optional")]);
        }
    }
}
