//! What zones saw stands until something newer is known, and has an end.

use super::*;
use crate::{LookEnd, Vantage};

const DAY: i64 = 86_400_000;

fn from_zone(port: u16, zone: &str, observed_ms: i64, transport: Option<WireTransport>) -> WireObservation {
    let vantage = Some(Box::new(Vantage { zone: zone.into(), observed_ms, prober: None }));
    WireObservation { vantage, ..look(port, transport) }
}

fn no_way(port: u16) -> WireObservation {
    let listener = Reading::Unknown(Unchecked::new(Reason::Unresolved, "no such name"));
    WireObservation { listener, ..look(port, None) }
}

fn by_rules(at_ms: i64, looks: Vec<WireObservation>) -> Observation {
    Observation::ProbedByRules(at(at_ms, looks))
}

fn without(at_ms: i64, looks: Vec<WireObservation>) -> Observation {
    Observation::Probed(at(at_ms, looks))
}

fn ends(state: &CurrentState) -> Vec<(LookEnd, i64)> {
    state.looks().filter_map(|(_, _, end)| end).collect()
}

/// The zone proved the server, and Azure said that it has no pooler.
fn proven() -> Vec<Observation> {
    vec![declared(1, On), by_rules(10, vec![from_zone(5432, "hub", 9, Some(Refuses))])]
}

fn then(before: Vec<Observation>, more: impl IntoIterator<Item = Observation>) -> CurrentState {
    fold(before.into_iter().chain(more))
}

#[test]
fn that_there_is_no_way_from_here_takes_nothing_from_what_a_zone_saw() {
    let here = without(20, vec![no_way(5432), no_way(6432)]);
    assert_eq!(then(proven(), [here.clone()]).standing(), Standing::Proven);
    // What the zone saw is bad where it is bad.
    let open = by_rules(15, vec![from_zone(5432, "hub", 14, Some(Accepts))]);
    assert_eq!(then(proven(), [open, here.clone()]).standing(), Standing::AcceptsPlaintext);
    // What answers from here counts.
    let other = without(20, vec![look(5432, Some(Accepts))]);
    assert_eq!(then(proven(), [other]).standing(), Standing::AcceptsPlaintext);
    // A pooler that no place has an answer from, and that Azure did not say is gone, is not proven by silence.
    let pooler = by_rules(15, vec![from_zone(5432, "hub", 14, Some(Refuses)), from_zone(6432, "hub", 14, None)]);
    assert_eq!(then(proven(), [pooler, here]).standing(), Standing::Unproven);
}

#[test]
fn a_server_that_could_be_asked_nowhere_is_unknown_for_that() {
    let stopped = Unchecked::new(Reason::Stopped, "the server is stopped");
    let stopped = WireObservation { listener: Reading::Unknown(stopped), ..look(5432, None) };
    let state = then(proven(), [by_rules(20, vec![stopped])]);
    assert_eq!(state.standing(), Standing::Unproven);
    assert!(!state.zones.is_in_no_zone(), "it was not asked from its zone, which it still has");
    assert_eq!(then(proven(), [without(30, vec![no_way(5432)])]).standing(), Standing::Proven);
}

#[test]
fn a_zone_that_did_not_answer_is_no_pass_until_it_answers() {
    let silent = by_rules(20, vec![from_zone(5432, "hub", 20, None)]);
    let here = || without(30, vec![look(5432, Some(Refuses))]);
    assert_eq!(then(proven(), [silent.clone()]).standing(), Standing::Unproven);
    assert_eq!(then(proven(), [silent.clone(), here()]).standing(), Standing::Unproven);
    let again = by_rules(40, vec![from_zone(5432, "hub", 39, Some(Refuses))]);
    assert_eq!(then(proven(), [silent.clone(), here(), again]).standing(), Standing::Proven);
    // Nor does a zone have to answer that the rules no longer name for this server.
    let moved = by_rules(40, vec![from_zone(5432, "spoke", 39, Some(Refuses))]);
    assert_eq!(then(proven(), [silent, here(), moved]).standing(), Standing::Proven);
}

#[test]
fn what_a_zone_of_another_name_saw_ends_when_the_new_one_has_seen_it() {
    let open = || vec![declared(1, On), by_rules(10, vec![from_zone(5432, "old", 9, Some(Accepts))])];
    let silent = by_rules(20, vec![from_zone(5432, "new", 20, None)]);
    assert_eq!(then(open(), [silent.clone()]).standing(), Standing::AcceptsPlaintext);
    // One that knows no rules says nothing of them.
    let unruled = without(25, vec![from_zone(5432, "new", 24, Some(Refuses))]);
    assert_eq!(then(open(), [unruled]).standing(), Standing::AcceptsPlaintext);
    let seen = by_rules(30, vec![from_zone(5432, "new", 29, Some(Refuses))]);
    let state = then(open(), [silent, seen]);
    assert_eq!((state.standing(), ends(&state)), (Standing::Proven, vec![(LookEnd::Zone, 29)]));
    // A zone that has its say beside it ends nothing.
    let both = by_rules(30, vec![from_zone(5432, "new", 29, Some(Refuses)), from_zone(5432, "old", 9, Some(Accepts))]);
    assert_eq!(then(open(), [both]).standing(), Standing::AcceptsPlaintext);
}

#[test]
fn an_older_look_of_the_new_zone_ends_no_newer_one_of_the_old_zone() {
    let open = || vec![declared(1, On), by_rules(20, vec![from_zone(5432, "old", 19, Some(Accepts))])];
    let moved = || by_rules(30, vec![from_zone(5432, "new", 9, Some(Refuses))]);
    let state = then(open(), [moved()]);
    assert_eq!((state.standing(), ends(&state)), (Standing::AcceptsPlaintext, vec![]));
    // Nor does one that is new beside another that is old.
    let at_address = |address: &str, look| WireObservation { address: Some(address.into()), ..look };
    let fresh = at_address("192.0.2.1", from_zone(5432, "new", 29, Some(Refuses)));
    let stale = at_address("192.0.2.2", from_zone(5432, "new", 9, Some(Refuses)));
    let state = then(open(), [by_rules(30, vec![fresh, stale])]);
    assert_eq!((state.standing(), ends(&state)), (Standing::AcceptsPlaintext, vec![]));
    // The new zone has to look again.
    let again = by_rules(40, vec![from_zone(5432, "new", 39, Some(Refuses))]);
    let state = then(open(), [moved(), again.clone()]);
    assert_eq!((state.standing(), ends(&state)), (Standing::Proven, vec![(LookEnd::Zone, 39)]));
    // A server that returns to its old zone has there what was seen last, however old.
    let back = by_rules(50, vec![from_zone(5432, "old", 19, Some(Accepts))]);
    let state = then(open(), [moved(), again, back]);
    assert!(ends(&state).iter().all(|(end, _)| *end != LookEnd::Zone), "{:?}", ends(&state));
    assert_eq!(state.standing(), Standing::AcceptsPlaintext);
    // A clock that is ahead makes no look newer than the audit that had it.
    let ahead = by_rules(18, vec![from_zone(5432, "new", 25, Some(Refuses))]);
    let state = fold([declared(1, On), from_old(17), ahead.clone()]);
    assert_eq!(ends(&state), vec![(LookEnd::Zone, 18)]);
    assert_eq!(fold([declared(1, On), from_old(22), ahead]).standing(), Standing::AcceptsPlaintext);
}

/// Plaintext that the zone saw which no rule names any more.
fn from_old(observed_ms: i64) -> Observation {
    without(observed_ms, vec![from_zone(5432, "old", observed_ms, Some(Accepts))])
}

#[test]
fn what_decides_nothing_ends_no_plaintext_and_no_proof_counts_beside_it() {
    let open = || vec![declared(1, On), by_rules(10, vec![from_zone(5432, "hub", 9, Some(Accepts))])];
    let undecided = |at_ms: i64, zone| by_rules(at_ms, vec![from_zone(5432, zone, at_ms - 1, Some(Inconclusive))]);
    let refuses = |at_ms: i64, zone| by_rules(at_ms, vec![from_zone(5432, zone, at_ms - 1, Some(Refuses))]);
    let here = || without(90, vec![look(5432, Some(Refuses))]);
    for more in [vec![undecided(20, "hub")], vec![undecided(20, "hub"), here()], vec![undecided(20, "new"), here()]] {
        let state = then(open(), more.clone());
        assert_eq!((state.standing(), ends(&state)), (Standing::AcceptsPlaintext, vec![]), "{more:?}");
        assert_eq!(state, then(open(), more.into_iter().rev()), "in whatever order");
    }
    // A look that decides something ends it, in its zone or where the rules put the server since.
    assert_eq!(then(open(), [undecided(20, "hub"), refuses(30, "hub"), here()]).standing(), Standing::Proven);
    assert_eq!(then(open(), [undecided(20, "new"), refuses(30, "new"), here()]).standing(), Standing::Proven);
    // A proof has to be repeated, until it is.
    let state = then(proven(), [undecided(20, "hub"), here()]);
    assert_eq!(state.standing(), Standing::Unproven);
    assert_eq!(then(proven(), [undecided(20, "hub"), refuses(30, "hub")]).standing(), Standing::Proven);
}

#[test]
fn an_address_that_is_gone_does_not_end_by_a_look_that_decides_nothing() {
    let at_address = |address: &str, look: WireObservation| WireObservation { address: Some(address.into()), ..look };
    let one = at_address("192.0.2.1", from_zone(5432, "hub", DAY, Some(Accepts)));
    let other = at_address("192.0.2.2", from_zone(5432, "hub", 3 * DAY, Some(Inconclusive)));
    let state = fold([declared(1, On), by_rules(DAY + 1, vec![one]), by_rules(3 * DAY + 1, vec![other])]);
    assert_eq!((state.standing(), ends(&state)), (Standing::AcceptsPlaintext, vec![]));
}

#[test]
fn a_server_that_no_rule_puts_into_a_zone_any_more_is_proven_from_here_or_not_at_all() {
    let lost = by_rules(20, vec![no_way(5432)]);
    assert_eq!(then(proven(), [lost.clone()]).standing(), Standing::Unproven);
    let later = without(30, vec![no_way(5432)]);
    assert_eq!(then(proven(), [lost.clone(), later]).standing(), Standing::Unproven);
    let here = by_rules(30, vec![look(5432, Some(Refuses))]);
    let state = then(proven(), [lost, here]);
    assert_eq!((state.standing(), ends(&state)), (Standing::Proven, vec![(LookEnd::Zone, 30)]));
}

#[test]
fn an_address_that_is_gone_counts_for_a_day() {
    let at_address = |address: &str, look: WireObservation| WireObservation { address: Some(address.into()), ..look };
    let one = at_address("192.0.2.1", from_zone(5432, "hub", DAY, Some(Accepts)));
    let other = |observed| at_address("192.0.2.2", from_zone(5432, "hub", observed, Some(Refuses)));
    let before = || vec![declared(1, On), by_rules(DAY + 1, vec![one.clone()])];
    let soon = by_rules(2 * DAY, vec![other(2 * DAY)]);
    assert_eq!(then(before(), [soon.clone()]).standing(), Standing::AcceptsPlaintext);
    let late = by_rules(2 * DAY + 2, vec![other(2 * DAY + 1)]);
    let state = then(before(), [soon, late.clone()]);
    assert_eq!((state.standing(), ends(&state)), (Standing::Proven, vec![(LookEnd::Address, 2 * DAY + 2)]));
    // One that is still brought is still there.
    let both = by_rules(3 * DAY, vec![other(3 * DAY), one.clone()]);
    assert_eq!(then(before(), [late, both]).standing(), Standing::AcceptsPlaintext);
}

#[test]
fn of_addresses_that_are_gone_a_few_are_remembered() {
    let at_address = |day: i64| {
        let look = from_zone(5432, "hub", day * DAY, Some(Refuses));
        let look = WireObservation { address: Some(format!("192.0.2.{day}").into()), ..look };
        by_rules(day * DAY + 1, vec![look])
    };
    let state = then(vec![declared(1, On)], (1..60).map(at_address));
    let kept = state.zones.seen[&(5432, "hub".into())].what.len();
    assert_eq!((kept, state.standing()), (16, Standing::Proven));
}

#[test]
fn a_pooler_that_azure_says_is_gone_stays_gone_when_nothing_answers() {
    let open = [from_zone(5432, "hub", 9, Some(Refuses)), from_zone(6432, "hub", 9, Some(Accepts))];
    let before = vec![declared(1, On), by_rules(10, open.to_vec())];
    assert_eq!(fold(before.clone()).standing(), Standing::AcceptsPlaintext);
    let gone = by_rules(20, vec![from_zone(5432, "hub", 19, Some(Refuses))]);
    let state = then(before, [gone, without(30, vec![no_way(5432), no_way(6432)])]);
    assert_eq!((state.standing(), ends(&state)), (Standing::Proven, vec![(LookEnd::Port, 20)]));
    let back = by_rules(40, vec![from_zone(5432, "hub", 39, Some(Refuses)), from_zone(6432, "hub", 39, Some(Accepts))]);
    let mut again = state;
    again.add(back);
    assert_eq!(again.standing(), Standing::AcceptsPlaintext);
}

fn any_probe() -> impl Strategy<Value = Vec<(u16, Option<&'static str>, i64, Option<WireTransport>)>> {
    let transport = prop::sample::select(vec![None, Some(Refuses), Some(Accepts), Some(Inconclusive)]);
    let zone = prop::sample::select(vec![None, Some("hub"), Some("spoke")]);
    prop::collection::vec((prop::sample::select(vec![5432_u16, 6432]), zone, 0_i64..5, transport), 1..4)
}

proptest! {
    #[test]
    fn with_zones_the_order_does_not_matter_either(
        (seen, shuffled) in prop::collection::vec((0_i64..50, any::<bool>(), any_probe()), 0..9)
            .prop_map(|seen| (1_i64..).zip(seen).collect::<Vec<_>>())
            .prop_flat_map(|seen| (Just(seen.clone()), Just(seen).prop_shuffle()))
    ) {
        let observation = |(index, (when, ruled, looks)): (i64, (i64, bool, Vec<_>))| {
            let at_ms = when * 100 + index;
            let one = |(port, zone, age, transport): (u16, Option<&str>, i64, Option<WireTransport>)| match zone {
                Some(zone) => from_zone(port, zone, at_ms - age * 100, transport),
                None => look(port, transport),
            };
            let mut looks: Vec<WireObservation> = looks.into_iter().map(one).collect();
            // Of one place and port an audit has one look.
            looks.sort_by_key(|look| (look.port, look.vantage.as_ref().map(|from| from.zone.to_string())));
            looks.dedup_by_key(|look| (look.port, look.vantage.as_ref().map(|from| from.zone.to_string())));
            if ruled { by_rules(at_ms, looks) } else { without(at_ms, looks) }
        };
        let on = || declared(1, On);
        let one = fold([on()].into_iter().chain(seen.into_iter().map(observation)));
        let other = fold([on()].into_iter().chain(shuffled.into_iter().map(observation)));
        prop_assert_eq!(&one, &other);
        prop_assert_eq!(one.wire(), other.wire());
    }
}

fn by_prober(prober: &str, observed_ms: i64, transport: WireTransport) -> WireObservation {
    let vantage = Some(Box::new(Vantage { zone: "hub".into(), observed_ms, prober: Some(prober.into()) }));
    WireObservation { vantage, ..look(5432, Some(transport)) }
}

#[test]
fn what_a_prober_saw_that_is_not_believed_any_more_hides_nothing_and_proves_nothing() {
    let honest = by_rules(10, vec![by_prober("p-1", 9, Accepts)]);
    let file = by_rules(10, vec![from_zone(5432, "hub", 9, Some(Accepts))]);
    for honest in [honest, file] {
        let lie = by_rules(20, vec![by_prober("p-2", 19, Refuses)]);
        let mut state = then(vec![declared(1, On), honest], [lie]);
        assert_eq!(state.standing(), Standing::Proven, "the newest look of a zone counts");
        state.zones.disown(&"p-2".into(), 30);
        assert_eq!(state.standing(), Standing::AcceptsPlaintext, "what the other saw stands again");
        assert_eq!(ends(&state), [(LookEnd::Prober, 30)]);
    }

    let mut alone =
        then(vec![declared(1, On)], [by_rules(20, vec![by_prober("p-2", 19, Refuses), look(5432, Some(Refuses))])]);
    assert_eq!(alone.standing(), Standing::Proven);
    alone.zones.disown(&"p-2".into(), 30);
    assert_eq!(alone.standing(), Standing::Unproven, "its zone has no answer any more, whatever is seen from here");
    alone.add(by_rules(40, vec![by_prober("p-1", 39, Refuses), look(5432, Some(Refuses))]));
    assert_eq!(alone.standing(), Standing::Proven, "someone else has looked");
}
