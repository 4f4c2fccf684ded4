mod zones;

use super::*;
use crate::{Reason, Unchecked, WireListener, WireTransport};
use proptest::prelude::*;

fn look(port: u16, transport: Option<WireTransport>) -> WireObservation {
    let listener = match transport {
        Some(transport) => {
            Reading::Known(WireListener { transport, why: "".into(), versions: Vec::new(), certificate: None })
        }
        None => Reading::Unknown(Unchecked::new(Reason::Unreachable, "no answer")),
    };
    WireObservation { port, address: None, observed_at: "".into(), listener, vantage: None }
}

fn at<T>(at_ms: i64, what: T) -> Evidence<T> {
    Evidence { what, at_ms, source: format!("run-{at_ms}").into() }
}

fn declared(at_ms: i64, what: Enforcement) -> Observation {
    Observation::Declared(at(at_ms, what))
}

fn probed(at_ms: i64, looks: &[(u16, Option<WireTransport>)]) -> Observation {
    Observation::Probed(at(at_ms, looks.iter().map(|(port, transport)| look(*port, *transport)).collect()))
}

fn fold(seen: impl IntoIterator<Item = Observation>) -> CurrentState {
    let mut state = CurrentState::default();
    seen.into_iter().for_each(|one| state.add(one));
    state
}

use Enforcement::{Enforced as On, NotEnforced as Off, Unknown};
use WireTransport::{Enforced as Refuses, Inconclusive, Optional as Accepts};

#[test]
fn an_audit_that_did_not_probe_erases_nothing() {
    let before = [declared(1, On), probed(1, &[(5432, Some(Refuses)), (6432, Some(Accepts))])];
    let state = fold(before.into_iter().chain([declared(2, On), Observation::Probed(at(2, Vec::new()))]));
    assert_eq!(state.standing(), Standing::AcceptsPlaintext);
    assert_eq!(state.probed_ms(), Some(1));
}

/// What was seen of port 5432 in zones, each at a time of its own.
fn carried(at_ms: i64, looks: &[(&str, i64, WireTransport)], here: Option<WireTransport>) -> Observation {
    let from = |(zone, observed_ms, transport): &(&str, i64, WireTransport)| {
        let vantage = crate::Vantage { zone: (*zone).into(), observed_ms: *observed_ms, prober: None };
        WireObservation { vantage: Some(Box::new(vantage)), ..look(5432, Some(*transport)) }
    };
    let here = here.map(|transport| look(5432, Some(transport)));
    Observation::Probed(at(at_ms, looks.iter().map(from).chain(here).collect()))
}

#[test]
fn plaintext_is_as_old_as_the_newest_look_that_saw_it_and_a_proof_as_the_oldest_look() {
    let alone = |at_ms, port, transport| Observation::ProbedAlone(at(at_ms, vec![look(port, transport)]));
    let first = || [declared(1, On), alone(1, 5432, Some(Refuses))];
    let open = fold(first().into_iter().chain([alone(5, 6432, Some(Accepts))]));
    assert_eq!((open.standing(), open.probed_ms()), (Standing::AcceptsPlaintext, Some(5)));
    let both = fold(first().into_iter().chain([alone(3, 5432, Some(Accepts)), alone(5, 6432, Some(Accepts))]));
    assert_eq!(both.probed_ms(), Some(5));
    let proven = fold(first().into_iter().chain([alone(5, 6432, Some(Refuses))]));
    assert_eq!((proven.standing(), proven.probed_ms()), (Standing::Proven, Some(1)));
}

#[test]
fn each_place_speaks_for_itself() {
    // An old good look hides no new bad one, whichever came first, and nor does what is seen from here.
    for looks in [[("weu", 9, Accepts), ("eus", 2, Refuses)], [("eus", 2, Refuses), ("weu", 9, Accepts)]] {
        let state = fold([declared(1, On), carried(10, &looks, Some(Refuses))]);
        assert_eq!((state.standing(), state.wire().len()), (Standing::AcceptsPlaintext, 3));
    }
    // A look that is older than the audit before it is still what that place saw last.
    let older =
        [declared(5, On), probed(5, &[(5432, Some(Refuses))]), carried(6, &[("weu", 4, Accepts)], Some(Refuses))];
    assert_eq!(fold(older.clone()).standing(), Standing::AcceptsPlaintext);
    // An audit from here alone does not undo it; the same zone does.
    let here = probed(7, &[(5432, Some(Refuses))]);
    let again = carried(9, &[("weu", 8, Refuses)], Some(Refuses));
    assert_eq!(fold(older.clone().into_iter().chain([here.clone()])).standing(), Standing::AcceptsPlaintext);
    assert_eq!(fold(older.into_iter().chain([here, again])).standing(), Standing::Proven);
}

#[test]
fn an_old_look_at_one_address_takes_no_new_one_at_another_with_it() {
    let first = carried(10, &[("hub", 8, Refuses)], None);
    let both = carried(11, &[("hub", 9, Accepts), ("hub", 2, Refuses)], None);
    assert_eq!(fold([declared(1, On), first.clone(), both.clone()]).standing(), Standing::AcceptsPlaintext);
    // Of a switch that was turned in between, only the newer one tells.
    let state = fold([declared(4, Off), declared(6, On), both]);
    assert_eq!((state.standing(), state.wire().len()), (Standing::AcceptsPlaintext, 1));
}

#[test]
fn of_each_address_in_a_zone_the_newest_look_stands() {
    let seen = |at_ms: i64, looks: &[(&str, i64, WireTransport)]| {
        let from = |(address, observed_ms, transport): &(&str, i64, WireTransport)| {
            let vantage = crate::Vantage { zone: "hub".into(), observed_ms: *observed_ms, prober: None };
            let vantage = Some(Box::new(vantage));
            WireObservation { address: Some((*address).into()), vantage, ..look(5432, Some(*transport)) }
        };
        Observation::Probed(at(at_ms, looks.iter().map(from).collect()))
    };
    let first = seen(160, &[("192.0.2.1", 150, Accepts)]);
    let second = seen(210, &[("192.0.2.1", 100, Refuses), ("192.0.2.2", 200, Refuses)]);
    let third = seen(310, &[("192.0.2.1", 300, Refuses)]);
    let on = || declared(1, On);
    assert_eq!(fold([on(), first.clone(), second.clone()]).standing(), Standing::AcceptsPlaintext);
    assert_eq!(fold([on(), second.clone(), first.clone()]).standing(), Standing::AcceptsPlaintext);
    assert_eq!(fold([on(), first, second, third]).standing(), Standing::Proven);
}

#[test]
fn what_a_zone_saw_after_the_switch_was_turned_counts_and_what_it_saw_before_does_not() {
    let looks = |weu_ms| [("weu", weu_ms, Accepts), ("eus", 2, Refuses)];
    let after = [declared(4, Off), declared(6, On), carried(9, &looks(8), None)];
    assert_eq!(fold(after).standing(), Standing::AcceptsPlaintext);
    let before = [declared(4, Off), declared(6, On), carried(9, &looks(3), Some(Refuses))];
    assert_eq!(fold(before).standing(), Standing::Proven);
}

#[test]
fn a_look_that_failed_neither_clears_nor_convicts() {
    let bad = [declared(1, On), probed(1, &[(5432, Some(Accepts))])];
    let good = [declared(1, On), probed(1, &[(5432, Some(Refuses))])];
    let failed = || [declared(2, On), probed(2, &[(5432, None)])];
    assert_eq!(fold(bad.into_iter().chain(failed())).standing(), Standing::AcceptsPlaintext);
    assert_eq!(fold(good.into_iter().chain(failed())).standing(), Standing::Unproven);
    assert_eq!(fold([declared(1, Off), declared(2, Unknown)]).standing(), Standing::NotEnforced);
    assert_eq!(fold([declared(1, On), declared(2, Unknown)]).standing(), Standing::Unknown);
    // A pooler that could not be reached this time is still the one that accepted plaintext.
    let pooler = [
        declared(1, On),
        probed(1, &[(5432, Some(Refuses)), (6432, Some(Accepts))]),
        probed(2, &[(5432, Some(Refuses)), (6432, None)]),
    ];
    assert_eq!(fold(pooler).standing(), Standing::AcceptsPlaintext);
}

#[test]
fn a_listener_that_is_gone_says_nothing_more() {
    let state = fold([
        declared(1, On),
        probed(1, &[(5432, Some(Refuses)), (6432, Some(Accepts))]),
        declared(2, On),
        probed(2, &[(5432, Some(Refuses))]),
    ]);
    assert_eq!(state.standing(), Standing::Proven);
}

#[test]
fn what_was_seen_before_the_switch_was_turned_on_does_not_contradict_it() {
    let change = Observation::Changed(at(2, SwitchChange { before: Off, after: On }));
    let state = fold([declared(1, Off), probed(1, &[(5432, Some(Accepts))]), change]);
    assert_eq!((state.standing(), state.probed_before_the_change()), (Standing::NotProbed, true));
    // The same without a run of ours: someone turned it on, and an audit saw that.
    let state = fold([declared(1, Off), probed(1, &[(5432, Some(Accepts))]), declared(3, On)]);
    assert_eq!(state.standing(), Standing::NotProbed);
    // A time in which the setting could not be read is not a change.
    let state = fold([declared(1, On), probed(1, &[(5432, Some(Accepts))]), declared(2, Unknown), declared(3, On)]);
    assert_eq!(state.standing(), Standing::AcceptsPlaintext);
}

fn any_seen() -> impl Strategy<Value = Observation> {
    let enforcement = || prop::sample::select(Enforcement::ALL.to_vec());
    let transport = || prop::sample::select(vec![None, Some(Refuses), Some(Accepts), Some(Inconclusive)]);
    let looks = prop::collection::vec((prop::sample::select(vec![5432_u16, 6432]), transport()), 0..3);
    (
        0_i64..50,
        prop_oneof![
            enforcement().prop_map(|what| declared(0, what)),
            looks.prop_map(|looks| probed(0, &looks)),
            (enforcement(), enforcement())
                .prop_map(|(before, after)| Observation::Changed(at(0, SwitchChange { before, after }))),
        ],
    )
        .prop_map(|(when, seen)| match seen {
            Observation::Declared(one) => declared(when, one.what),
            Observation::Probed(one) => Observation::Probed(at(when, one.what)),
            Observation::ProbedByRules(one) => Observation::ProbedByRules(at(when, one.what)),
            // Folded as it comes, so that it has no part in histories.
            Observation::ProbedAlone(one) => Observation::ProbedAlone(at(when, one.what)),
            Observation::Changed(one) => Observation::Changed(at(when, one.what)),
        })
}

/// A history in which no two things have one time, as no two runs have one id.
fn histories() -> impl Strategy<Value = Vec<Observation>> {
    prop::collection::vec(any_seen(), 0..12).prop_map(|mut seen| {
        for (index, one) in (1_i64..).zip(&mut seen) {
            let stamp = |at_ms: &mut i64, source: &mut Box<str>| {
                *at_ms = *at_ms * 100 + index;
                *source = format!("run-{at_ms}").into();
            };
            match one {
                Observation::Declared(one) => stamp(&mut one.at_ms, &mut one.source),
                Observation::Probed(one) | Observation::ProbedByRules(one) | Observation::ProbedAlone(one) => {
                    stamp(&mut one.at_ms, &mut one.source)
                }
                Observation::Changed(one) => stamp(&mut one.at_ms, &mut one.source),
            }
        }
        seen
    })
}

proptest! {
    #[test]
    fn the_order_does_not_matter((seen, shuffled) in histories().prop_flat_map(|seen| (Just(seen.clone()), Just(seen).prop_shuffle()))) {
        prop_assert_eq!(fold(seen), fold(shuffled));
    }

    #[test]
    fn twice_is_once(seen in histories()) {
        prop_assert_eq!(fold(seen.clone()), fold(seen.iter().chain(&seen).cloned()));
    }

    #[test]
    fn a_look_not_made_changes_nothing(seen in histories(), when in 0_i64..10_000) {
        let before = fold(seen.clone());
        let after = fold(seen.into_iter().chain([Observation::Probed(at(when, Vec::new()))]));
        prop_assert_eq!(before, after);
    }

    /// Whatever failed to be read or reached last, nothing gets better by it.
    #[test]
    fn a_failed_look_never_makes_it_better(seen in histories(), ports in prop::collection::vec(Just(5432_u16), 1..3)) {
        let before = fold(seen.clone()).standing();
        let failed = ports.iter().map(|port| (*port, None)).collect::<Vec<_>>();
        for late in [declared(1_000_000, Unknown), probed(1_000_000, &failed)] {
            let after = fold(seen.iter().cloned().chain([late])).standing();
            // Of what is proven to be open, only the words change: "declared on" cannot be said of what was not read.
            let is_open = |standing| matches!(standing, Standing::AcceptsPlaintext | Standing::NotEnforced);
            prop_assert!(after >= before || (is_open(before) && is_open(after)), "{before:?} {after:?}");
        }
    }
}

#[test]
fn a_probe_of_one_port_says_nothing_of_the_others_and_clears_nothing_worse() {
    let alone = |at_ms, port, transport| Observation::ProbedAlone(at(at_ms, vec![look(port, transport)]));
    let audit = || [declared(1, On), probed(1, &[(5432, Some(Refuses)), (6432, Some(Accepts))])];
    // The pooler that an audit saw open stays open when only PostgreSQL is probed, and when a probe that may name less is
    // refused there.
    for more in [alone(2, 5432, Some(Refuses)), alone(2, 6432, Some(Refuses)), alone(2, 6432, None)] {
        assert_eq!(fold(audit().into_iter().chain([more])).standing(), Standing::AcceptsPlaintext);
    }
    // Bad news is believed from whoever brings it, and an audit's probe clears it.
    let good = || [declared(1, On), probed(1, &[(5432, Some(Refuses))])];
    let open = fold(good().into_iter().chain([alone(2, 5432, Some(Accepts))]));
    assert_eq!((open.standing(), open.probed_ms()), (Standing::AcceptsPlaintext, Some(2)));
    let cleared = good().into_iter().chain([alone(2, 5432, Some(Accepts)), probed(3, &[(5432, Some(Refuses))])]);
    assert_eq!(fold(cleared).standing(), Standing::Proven);
    // What nobody had probed is proven by it; what was not reached is reached now.
    assert_eq!(fold([declared(1, On), alone(2, 5432, Some(Refuses))]).standing(), Standing::Proven);
    let reached = [declared(1, On), probed(1, &[(5432, None)]), alone(2, 5432, Some(Refuses))];
    assert_eq!(fold(reached).standing(), Standing::Proven);
    // What was seen while the switch was off does not stand in the way of what is seen when it is on.
    let turned_on =
        [declared(1, Off), probed(1, &[(5432, Some(Accepts))]), declared(2, On), alone(3, 5432, Some(Refuses))];
    assert_eq!(fold(turned_on).standing(), Standing::Proven);
    // Neither an older probe nor one that decides nothing changes anything.
    for more in [alone(0, 5432, Some(Accepts)), alone(2, 5432, Some(Inconclusive))] {
        assert_eq!(fold(good().into_iter().chain([more])).standing(), Standing::Proven);
    }
}
