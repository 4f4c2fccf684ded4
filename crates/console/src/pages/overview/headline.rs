//! What is different since the previous audit, in one line and beside each figure.

use crate::view::{change, count};
use hostssl_model::{Standing, Standings};
use std::cmp::Ordering;

/// How many servers do not enforce, compared with the previous audit.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Headline {
    pub(super) class: &'static str,
    pub(super) shape: &'static str,
    pub(super) words: String,
    /// Why fewer is not better, where that is so: servers that could not be checked, or that were not listed any more.
    pub(super) but: String,
}

impl Headline {
    /// Fewer is good news only while everything that was known before is still known. `lost` counts the servers that did not
    /// enforce and are out of sight now: others that can be checked again would hide them in the figures.
    pub(super) fn of(now: &Standings, before: &Standings, lost: u64) -> Self {
        let (open, then) = (now.open(), before.open());
        let unknown = now.unknown.saturating_sub(before.unknown);
        let gone = before.servers().saturating_sub(now.servers());
        let notes = match lost {
            0 => [(unknown, "more could not be checked"), (gone, "fewer listed")],
            lost => [(lost, "of those could not be checked or listed"), (0, "")],
        };
        let notes = notes.into_iter().filter(|(servers, _)| *servers > 0);
        let notes: Vec<String> = notes.map(|(servers, words)| format!("{} {words}", count(servers))).collect();
        let (class, shape, words) = match open.cmp(&then) {
            Ordering::Greater => ("no", "▲", format!("{} more than", count(open - then))),
            Ordering::Less if notes.is_empty() => ("yes", "▼", format!("{} fewer than", count(then - open))),
            Ordering::Less => ("unknown", "▼", format!("{} fewer than", count(then - open))),
            Ordering::Equal => ("none", "=", "As many as".to_owned()),
        };
        Self { class, shape, words, but: notes.join(" and ") }
    }
}

/// How many more or fewer servers stand there than in the previous audit, and the class of that. More is worse everywhere but
/// among the proven; what got fewer has no colour, since that alone proves nothing.
pub(super) fn shift(standing: Standing, now: &Standings, before: &Standings) -> Option<(&'static str, String)> {
    let (servers, then) = (now.count(standing), before.count(standing));
    let class = match (servers.cmp(&then), standing) {
        (Ordering::Equal, _) => return None,
        // A proof of a server that enforced already is good news only while no other stopped enforcing.
        (Ordering::Greater, Standing::Proven) if now.enforced() >= before.enforced() => "yes",
        (Ordering::Greater, Standing::Unknown) => "unknown",
        (Ordering::Greater, Standing::AcceptsPlaintext | Standing::NotEnforced) => "no",
        _ => "none",
    };
    Some((class, change(servers, then)))
}

/// Servers that enforce and are not proven to: counted beside the figures, so that the shifts add up.
pub(super) struct Beside {
    pub(super) standing: &'static str,
    pub(super) words: String,
    pub(super) shift: Option<(&'static str, String)>,
}

/// What is declared and not proven: as long as the present or the previous audit had any. The previous audit is compared with what is
/// of its scope.
pub(super) fn beside(now: &Standings, of_scope: &Standings, before: Option<&Standings>) -> Vec<Beside> {
    let had = |standing| now.count(standing) + before.map_or(0, |before| before.count(standing)) > 0;
    let told = [Standing::NotProbed, Standing::Unproven].into_iter().filter(|standing| had(*standing));
    let of = |standing: Standing| Beside {
        standing: standing.as_str(),
        words: format!("{} {}", count(now.count(standing)), standing.words()),
        shift: before.and_then(|before| shift(standing, of_scope, before)),
    };
    told.map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standings(not_enforced: u64, unknown: u64, proven: u64) -> Standings {
        Standings { not_enforced, unknown, proven, ..Standings::default() }
    }

    #[test]
    fn fewer_is_good_news_only_while_nothing_got_out_of_sight() {
        let before = standings(5, 1, 10);
        let with_lost = |now: Standings, lost| {
            let one = Headline::of(&now, &before, lost);
            (one.class, one.words, one.but)
        };
        let headline_parts = |now| with_lost(now, 0);
        assert_eq!(headline_parts(standings(3, 1, 12)), ("yes", "2 fewer than".into(), String::new()));
        assert_eq!(headline_parts(standings(6, 1, 9)), ("no", "1 more than".into(), String::new()));
        assert_eq!(headline_parts(standings(5, 1, 10)).0, "none");
        let hidden = ("unknown", "2 fewer than".into(), "2 more could not be checked".into());
        assert_eq!(headline_parts(standings(3, 3, 10)), hidden);
        let gone = ("unknown", "2 fewer than".into(), "2 fewer listed".into());
        assert_eq!(headline_parts(standings(3, 1, 10)), gone);
        // As many are unknown as before, but they are others: one that did not enforce is among them.
        let swapped = "1 of those could not be checked or listed".to_owned();
        assert_eq!(with_lost(standings(4, 1, 11), 1), ("unknown", "1 fewer than".into(), swapped));
    }

    #[test]
    fn a_shift_is_green_for_proofs_alone() {
        let (before, now) = (standings(5, 1, 10), standings(4, 2, 11));
        let of = |standing| shift(standing, &now, &before);
        assert_eq!(of(Standing::Proven), Some(("yes", "+1".into())));
        assert_eq!(of(Standing::Unknown), Some(("unknown", "+1".into())));
        assert_eq!(of(Standing::NotEnforced), Some(("none", "\u{2212}1".into())));
        assert_eq!(of(Standing::AcceptsPlaintext), None);
        let before = Standings { not_probed: 4, ..before };
        let now = Standings { not_probed: 1, ..standings(6, 1, 12) };
        assert_eq!(shift(Standing::Proven, &now, &before), Some(("none", "+2".into())), "fewer enforce than before");
        // What got none is told as long as the previous audit had some.
        let told = |now: Standings| -> Vec<(String, Option<String>)> {
            let of = |one: Beside| (one.words, one.shift.map(|(_, words)| words));
            beside(&now, &now, Some(&before)).into_iter().map(of).collect()
        };
        assert_eq!(told(now), [("1 enforced, not probed".to_owned(), Some("\u{2212}3".to_owned()))]);
        assert_eq!(told(standings(6, 1, 12))[0].0, "0 enforced, not probed");
    }
}
