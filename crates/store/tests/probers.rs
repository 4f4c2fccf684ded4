//! Probers in zones: a secret counts once, an answer counts for what was asked, and the newest look of each weight stands.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hostssl_store::{AuditStore, Enrolment, KeptAnswer, LookToKeep, NewProber, StoreReader};

const HOUR: i64 = 3_600_000;

fn new(id: &str, at_ms: i64) -> NewProber {
    NewProber { id: id.into(), key_sha256: format!("{id:0>64}"), version: "0".into(), at_ms }
}

fn store() -> (tempfile::TempDir, AuditStore) {
    let directory = tempfile::tempdir().unwrap();
    let store = AuditStore::open(directory.path()).unwrap();
    store.add_join_secret("one", "hub", HOUR).unwrap();
    assert_eq!(store.enrol_prober("one", &new("p-1", 1)).unwrap(), Enrolment::Done("hub".into()));
    (directory, store)
}

fn look(address: &str, weight: u8, taken_ms: i64) -> LookToKeep {
    LookToKeep { address: address.into(), weight, taken_ms, document: format!("{address} {weight} {taken_ms}") }
}

fn answer(looks: Vec<LookToKeep>) -> KeptAnswer {
    KeptAnswer { host: "db".into(), port: 5432, missing: String::new(), looks }
}

fn kept(store: &AuditStore, oldest_ms: i64) -> Vec<String> {
    let mut documents = Vec::new();
    store.each_look_of_probers(oldest_ms, &mut |look| documents.push(look.document)).unwrap();
    documents
}

#[test]
fn a_secret_enrols_one_prober_once_and_in_time() {
    let (directory, store) = store();
    store.add_join_secret("late", "hub", 10).unwrap();
    store.add_join_secret("known", "hub", HOUR).unwrap();
    for (secret, prober, expected) in [
        ("one", new("p-2", 2), Enrolment::Used),
        ("late", new("p-2", 10), Enrolment::Expired),
        ("guessed", new("p-2", 2), Enrolment::Unknown),
        ("known", new("p-1", 2), Enrolment::KnownKey),
    ] {
        assert_eq!(store.enrol_prober(secret, &prober).unwrap(), expected, "{secret}");
    }
    assert_eq!(store.enrol_prober("known", &new("p-2", 3)).unwrap(), Enrolment::Done("hub".into()), "it was not used");
    let reader = StoreReader::open(directory.path()).unwrap();
    let all = reader.probers().unwrap();
    assert_eq!(all.probers.len(), 2);
    let why: Vec<&str> = all.refusals.iter().map(|one| &*one.why).collect();
    assert!(why.len() == 3 && why[0].contains("known already") && why[2].contains("used before"), "{why:?}");
    assert!(!format!("{all:?}").contains("guessed"), "a secret is not shown");
}

#[test]
fn an_answer_counts_for_what_was_asked() {
    let (_directory, store) = store();
    let strangers = store.keep_answers("p-1", &[answer(vec![look("10.0.0.4", 2, 5)])], 5).unwrap();
    assert_eq!(strangers, [("db".to_owned(), 5432)]);
    assert!(kept(&store, 0).is_empty());
    store.ask_prober("p-1", &[("db", 5432), ("db", 6432)], 6).unwrap();
    assert_eq!(store.unanswered("p-1", 0).unwrap(), 2);
    for _ in 0..2 {
        assert!(store.keep_answers("p-1", &[answer(vec![look("10.0.0.4", 2, 7)])], 7).unwrap().is_empty());
        assert_eq!(kept(&store, 0), ["10.0.0.4 2 7"], "to send it twice changes nothing");
    }
    assert_eq!(store.unanswered("p-1", 0).unwrap(), 1);
    let missing = KeptAnswer { port: 6432, missing: "port 6432".into(), ..answer(Vec::new()) };
    store.keep_answers("p-1", &[missing], 8).unwrap();
    let entry = &store.probers().unwrap().probers[0];
    assert_eq!((entry.asked, entry.answered, entry.without_look), (2, 1, 1));
    assert_eq!(entry.example.as_deref(), Some("db:6432: port 6432"));
}

#[test]
fn the_newest_look_of_each_weight_stands() {
    let (_directory, store) = store();
    store.ask_prober("p-1", &[("db", 5432)], 1).unwrap();
    let keep = |looks: Vec<LookToKeep>| store.keep_answers("p-1", &[answer(looks)], 1).map(drop).unwrap();
    keep(vec![look("", 0, 2)]);
    keep(vec![look("10.0.0.4", 2, 10), look("10.0.0.5", 2, 10)]);
    assert_eq!(kept(&store, 0), ["10.0.0.4 2 10", "10.0.0.5 2 10"], "the name has addresses again");
    keep(vec![look("10.0.0.4", 1, 20)]);
    assert_eq!(kept(&store, 0), ["10.0.0.4 1 20", "10.0.0.4 2 10", "10.0.0.5 2 10"], "it decides nothing");
    keep(vec![look("10.0.0.4", 2, 9)]);
    assert_eq!(kept(&store, 0).len(), 3, "an older one that came late replaces none");
    keep(vec![look("", 0, 30)]);
    assert_eq!(kept(&store, 0).len(), 4, "that there is no address now is known too");
    assert_eq!(kept(&store, 15), [" 0 30", "10.0.0.4 1 20"], "what is too old is left out");
    assert_eq!(kept(&store, 40).len(), 4, "unless there is nothing newer");
}

#[test]
fn the_looks_of_64_addresses_of_a_target_are_kept() {
    let (_directory, store) = store();
    store.ask_prober("p-1", &[("db", 5432), ("db", 6432)], 1).unwrap();
    store.keep_answers("p-1", &[KeptAnswer { port: 6432, ..answer(vec![look("10.0.0.1", 2, 1)]) }], 1).unwrap();
    for round in 0..6_u8 {
        let looks = (0..50).flat_map(|last| {
            let (address, at_ms) = (format!("10.0.{round}.{last:02}"), i64::from(round) * 100 + last);
            [look(&address, 2, at_ms), look(&address, 1, at_ms)]
        });
        store.keep_answers("p-1", &[answer(looks.collect())], 1).unwrap();
    }
    let kept = kept(&store, 0);
    assert_eq!(kept.len(), 2 * 64 + 1, "both weights of 64 addresses, and those of another port");
    assert!(kept.iter().any(|look| look.starts_with("10.0.4.36 ")) && kept.iter().any(|look| look == "10.0.0.1 2 1"));
    assert!(!kept.iter().any(|look| look.starts_with("10.0.4.35 ")), "the oldest go");
}

#[test]
fn a_revoked_prober_leaves_nothing_that_counts() {
    let (_directory, store) = store();
    store.ask_prober("p-1", &[("db", 5432)], 1).unwrap();
    store.keep_answers("p-1", &[answer(vec![look("a", 2, 2)])], 2).unwrap();
    assert!(store.revoke_prober("p-1", 3).unwrap());
    assert!(!store.revoke_prober("p-1", 4).unwrap(), "it was before");
    assert!(kept(&store, 0).is_empty());
    assert_eq!(store.prober_of_key(&format!("{:0>64}", "p-1")).unwrap().unwrap().revoked_ms, Some(3));
}

#[test]
fn a_suspended_prober_leaves_nothing_that_counts() {
    let (directory, store) = store();
    store.ask_prober("p-1", &[("db", 5432), ("other", 5432)], 1).unwrap();
    let missing = KeptAnswer { host: "other".into(), missing: "no look".into(), ..answer(Vec::new()) };
    store.keep_answers("p-1", &[answer(vec![look("10.0.0.4", 2, 2)]), missing], 2).unwrap();
    let reader = StoreReader::open(directory.path()).unwrap();
    for violations in 0..4 {
        let counts = usize::from(violations < 3);
        assert_eq!(kept(&store, 0).len(), counts, "after {violations}");
        let mut read = 0;
        reader.each_look_of_probers(0, &mut |_| read += 1).unwrap();
        assert_eq!(read, counts, "after {violations}");
        assert_eq!(store.reasons_of_probers().unwrap().len(), counts, "after {violations}");
        store.refuse_of_prober("p-1", violations, "not asked", true).unwrap();
    }
}

#[test]
fn violations_suspend_and_refusals_are_bounded() {
    let (_directory, store) = store();
    for at_ms in 0..300 {
        store.refuse_of_prober("p-1", at_ms, "too large", at_ms < 3).unwrap();
    }
    let all = store.probers().unwrap();
    assert!(all.probers[0].is_suspended() && all.probers[0].violations == 3);
    assert_eq!((all.refusals.len(), all.refusals[0].at_ms), (20, 299));
}

#[test]
fn no_one_pushes_out_what_is_kept_of_another() {
    let (_directory, store) = store();
    assert_eq!(store.enrol_prober("one", &new("p-2", 2)).unwrap(), Enrolment::Used);
    for at_ms in 0..300 {
        store.refuse_of_prober("p-1", at_ms, "its clock is wrong", false).unwrap();
        assert_eq!(store.enrol_prober("guessed", &new("p-3", at_ms)).unwrap(), Enrolment::Unknown);
    }
    let all = store.probers().unwrap();
    let used = all.refusals.iter().find(|one| one.why.contains("used before"));
    assert_eq!(used.map(|one| one.prober.clone()), Some(None), "{:?}", all.refusals);
    assert!(!all.refusals.iter().any(|one| one.why.contains("did not make")), "a guess writes nothing");
}

#[test]
fn what_is_not_asked_for_long_is_forgotten() {
    let (_directory, store) = store();
    store.ask_prober("p-1", &[("db", 5432)], 1).unwrap();
    store.keep_answers("p-1", &[answer(vec![look("a", 2, 2)])], 2).unwrap();
    store.ask_prober("p-1", &[("other", 5432)], 8 * 24 * HOUR).unwrap();
    assert!(kept(&store, 0).is_empty());
    assert_eq!(store.unanswered("p-1", 0).unwrap(), 1);
}
