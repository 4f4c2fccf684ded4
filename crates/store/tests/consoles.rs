//! What several consoles of one state share: plans, approvals, and who is signed in.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hostssl_remediation::{Journal as _, JournalError, JournalEvent, JournalRecord, NewRun, PlanHash, RunId};
use hostssl_store::{
    AuditStore, KeptLink, KeptPlan, KeptPlanEntry, KeptSession, RequiredApprovals, SignInLimits, Store, StoreReader,
    WorkInProgress, WorkKind,
};
use hostssl_test_support::fleet::{PlannerKnowledge, flexible};

fn opened() -> (tempfile::TempDir, AuditStore, AuditStore) {
    let directory = tempfile::tempdir().unwrap();
    let open = || AuditStore::open(directory.path()).unwrap();
    let (one, two) = (open(), open());
    (directory, one, two)
}

fn hash(digit: char) -> PlanHash {
    PlanHash::new(&digit.to_string().repeat(64)).unwrap()
}

fn plan(id: &str, made_ms: i64) -> KeptPlan {
    let entry = KeptPlanEntry {
        id: id.to_owned(),
        made_ms,
        made_by: "paul".into(),
        hash: hash('a'),
        title: "Enforce on 2 servers".into(),
        writes: 2,
        observed_ms: made_ms - 5,
        approvals: 2,
    };
    KeptPlan { entry, plan: "{}".into(), review: "{\"back\":\"/\"}".into() }
}

#[test]
fn a_plan_is_seen_by_every_console_and_the_oldest_goes() {
    let (directory, one, two) = opened();
    for n in 0..52 {
        one.keep_plan(&plan(&format!("p{n:02}"), 1_000 + n)).unwrap();
    }
    let kept = two.kept_plans().unwrap();
    assert_eq!((kept.len(), kept[0].id.as_str(), kept[49].id.as_str()), (50, "p51", "p02"));
    assert_eq!(two.kept_plan("p51").unwrap(), Some(plan("p51", 1_051)));
    assert_eq!(two.kept_plan("p00").unwrap(), None);
    // What it takes is known for longer.
    let lone = KeptPlanEntry { id: "p99".into(), made_ms: 2_000, hash: hash('c'), approvals: 1, ..plan("", 0).entry };
    one.keep_plan(&KeptPlan { entry: lone, ..plan("", 0) }).unwrap();
    for n in 0..50 {
        let entry = KeptPlanEntry { hash: hash('b'), ..plan(&format!("q{n:02}"), 3_000 + n).entry };
        one.keep_plan(&KeptPlan { entry, ..plan("", 0) }).unwrap();
    }
    let reader = StoreReader::open(directory.path()).unwrap();
    let taken = Some(RequiredApprovals { approvals: 2, made_by: "paul".into() });
    assert_eq!(reader.required_approvals(&hash('a')).unwrap(), taken);
    assert_eq!(reader.required_approvals(&hash('c')).unwrap(), None);
}

#[test]
fn an_approval_counts_once_and_its_withdrawal_is_kept_with_it() {
    let (_directory, one, two) = opened();
    let approve = |store: &AuditStore, person: &str, at_ms| {
        store.approve_plan(&hash('a'), person, at_ms).unwrap();
    };
    approve(&one, "ada", 2);
    approve(&two, "bob", 1);
    approve(&two, "ada", 3);
    let found = one.plan_approvals(&hash('a')).unwrap();
    let told: Vec<_> = found.iter().map(|one| (one.person.as_str(), one.at_ms)).collect();
    assert_eq!(told, [("bob", 1), ("ada", 2)]);
    assert!(one.plan_approvals(&hash('b')).unwrap().is_empty());
    let withdraw = |person| two.withdraw_approval(&hash('a'), person, 4).unwrap();
    assert!(withdraw("ada") && !withdraw("ada") && !withdraw("eve"));
    approve(&one, "ada", 5);
    approve(&one, "ada", 6);
    let found = two.plan_approvals(&hash('a')).unwrap();
    let told: Vec<_> = found.iter().map(|one| (one.person.as_str(), one.at_ms, one.withdrawn_ms)).collect();
    assert_eq!(told, [("bob", 1, None), ("ada", 2, Some(4)), ("ada", 5, None)]);
    assert_eq!(one.run_of_plan(&hash('a')).unwrap(), None);
}

/// Who begins it has counted before; someone may have withdrawn since.
#[tokio::test]
async fn a_run_of_a_plan_begins_only_while_it_has_its_approvals() {
    let (directory, console, _) = opened();
    let store = Store::open(directory.path()).unwrap();
    let made = PlannerKnowledge::new(vec![flexible("a", "off", "TLSv1.2")]).plan();
    let entry = KeptPlanEntry { hash: made.hash().clone(), ..plan("p", 1).entry };
    console.keep_plan(&KeptPlan { entry, ..plan("", 0) }).unwrap();
    let (run, first) = (RunId::new("run-1").unwrap(), JournalEvent::RunStarted { reason: None, pace: None });
    let first = JournalRecord { at_ms: 1, event: first };
    let begin =
        async || store.begin(&NewRun { id: &run, plan: &made, principal: made.principal(), first: &first }).await;
    // The author does not count, and one person in two spellings is one.
    for person in ["Paul", "bob", "Bob"] {
        console.approve_plan(made.hash(), person, 2).unwrap();
        let refused = begin().await.unwrap_err();
        assert!(
            matches!(&refused, JournalError::Other(why) if why.to_string().contains("of 2 approvals")),
            "{refused:?}"
        );
    }
    console.approve_plan(made.hash(), "ada", 3).unwrap();
    assert!(console.withdraw_approval(made.hash(), "ada", 4).unwrap());
    begin().await.unwrap_err();
    assert_eq!(console.run_of_plan(made.hash()).unwrap(), None);
    console.approve_plan(made.hash(), "ada", 5).unwrap();
    begin().await.unwrap();
    assert_eq!(console.run_of_plan(made.hash()).unwrap(), Some(run.clone()));
    assert!(!console.withdraw_approval(made.hash(), "ada", 6).unwrap(), "a run has begun");
}

const NOW: i64 = 1_000_000;

fn limits() -> SignInLimits {
    SignInLimits { began_after_ms: NOW - 1_000, made_after_ms: NOW - 500, sessions: 3, links: 2, links_of_one: 1 }
}

fn link(token: &str, person: Option<&str>, made_ms: i64) -> KeptLink {
    let (token, person) = (token.to_owned(), person.map(ToOwned::to_owned));
    KeptLink { token, person, role: "planner".into(), maker: None, made_ms, is_invited: false }
}

fn session(secret: &str, began_ms: i64) -> KeptSession {
    let (secret, id) = (secret.to_owned(), format!("id-{secret}"));
    KeptSession { secret, id, person: None, role: String::new(), began_ms, is_invited: false }
}

fn begin(store: &AuditStore, secret: &str, person: Option<&str>, began_ms: i64) {
    store.keep_link(&link(secret, person, NOW), &limits()).unwrap();
    store.sign_in(secret, session(secret, began_ms), &limits()).unwrap().unwrap();
}

#[test]
fn a_link_signs_in_once_whichever_console_it_is_used_at() {
    let (_directory, one, two) = opened();
    one.keep_link(&link("t", Some("ada"), NOW), &limits()).unwrap();
    assert_eq!(two.sign_in_link("t", &limits()).unwrap().unwrap().person.as_deref(), Some("ada"));
    let begun = two.sign_in("t", session("s", NOW), &limits()).unwrap().unwrap();
    assert_eq!((begun.person.as_deref(), begun.role.as_str()), (Some("ada"), "planner"));
    assert_eq!(one.sign_in("t", session("other", NOW), &limits()).unwrap(), None);
    assert_eq!(one.session("s", &limits()).unwrap(), Some(begun));
    assert_eq!(one.session("other", &limits()).unwrap(), None);
    // Who was invited is known to be, and no one else.
    one.keep_link(&KeptLink { is_invited: true, ..link("i", Some("zoe"), NOW) }, &limits()).unwrap();
    assert!(two.sign_in_link("i", &limits()).unwrap().unwrap().is_invited);
    two.sign_in("i", session("z", NOW), &limits()).unwrap().unwrap();
    let invited = |store: &AuditStore, secret| store.session(secret, &limits()).unwrap().map(|one| one.is_invited);
    assert_eq!((invited(&one, "z"), invited(&one, "s")), (Some(true), Some(false)));
    one.end_sessions(&["id-z"], &[]).unwrap();
    assert_eq!(invited(&two, "z"), None);
    // Too old, in each way.
    one.keep_link(&link("old", None, NOW - 501), &limits()).unwrap();
    assert_eq!(two.sign_in("old", session("x", NOW), &limits()).unwrap(), None);
    let later = SignInLimits { began_after_ms: NOW + 1, ..limits() };
    assert_eq!(two.session("s", &later).unwrap(), None);
}

#[test]
fn there_is_room_for_so_many_and_ended_ones_are_gone() {
    let (_directory, one, two) = opened();
    for (n, token) in ["a", "b", "c"].into_iter().enumerate() {
        one.keep_link(&link(token, None, NOW - i64::try_from(n).unwrap()), &limits()).unwrap();
    }
    let mut tokens: Vec<String> = two.signed_in(&limits()).unwrap().1.into_iter().map(|link| link.token).collect();
    tokens.sort();
    assert_eq!(tokens, ["a", "c"], "the newest of them, and the one that was made now");
    begin(&one, "1", Some("ada"), NOW - 50);
    begin(&one, "2", Some("bob"), NOW - 40);
    begin(&one, "3", Some("bob"), NOW - 30);
    begin(&one, "4", Some("bob"), NOW - 20);
    let ids = |store: &AuditStore| {
        let mut ids: Vec<String> =
            store.signed_in(&limits()).unwrap().0.into_iter().map(|session| session.secret).collect();
        ids.sort();
        ids
    };
    assert_eq!(ids(&two), ["1", "3", "4"], "bob's own oldest made room");
    let left = two.signed_in(&limits()).unwrap().1;
    two.end_sessions(&["id-3"], &left).unwrap();
    assert_eq!(ids(&one), ["1", "4"]);
    assert!(one.signed_in(&limits()).unwrap().1.is_empty());
}

#[test]
fn one_session_does_not_push_out_the_links_of_others() {
    let (_directory, one, two) = opened();
    let made_by = |token: &str, maker: &str| KeptLink { maker: Some(maker.into()), ..link(token, None, NOW) };
    for (token, maker) in [("theirs", "a"), ("mine", "b"), ("mine too", "b")] {
        one.keep_link(&made_by(token, maker), &limits()).unwrap();
    }
    let mut tokens: Vec<String> = two.signed_in(&limits()).unwrap().1.into_iter().map(|link| link.token).collect();
    tokens.sort();
    assert_eq!(tokens, ["mine too", "theirs"]);
}

fn work(id: &str, heard_ms: i64) -> WorkInProgress {
    let (kind, console, person) = (WorkKind::Plan, "process 7 on host".into(), "paul".into());
    WorkInProgress { id: id.into(), kind, console, person, began_ms: 1, heard_ms, looked: 3, found: 5 }
}

#[test]
fn how_far_work_is_is_known_until_it_is_kept_or_ends() {
    let (_directory, one, two) = opened();
    one.note_work(&work("p", 10), 0).unwrap();
    one.note_work(&WorkInProgress { looked: 4, ..work("p", 20) }, 0).unwrap();
    assert_eq!(two.work_of("p").unwrap(), Some(WorkInProgress { looked: 4, ..work("p", 20) }));
    one.keep_plan(&plan("p", 30)).unwrap();
    assert_eq!(two.work_of("p").unwrap(), None);
    // One that comes late changes nothing.
    one.note_work(&work("p", 40), 0).unwrap();
    assert!(two.work_in_progress().unwrap().is_empty());
    one.note_work(&work("old", 50), 0).unwrap();
    two.note_work(&work("new", 60), 55).unwrap();
    assert_eq!(one.work_in_progress().unwrap(), [work("new", 60)]);
    one.end_work("new").unwrap();
    one.end_work("none").unwrap();
    assert!(two.work_in_progress().unwrap().is_empty());
}
