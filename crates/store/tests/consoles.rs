//! What several consoles of one state share: plans, approvals, and who is signed in.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hostssl_remediation::{
    ApprovalRule, Approvers, Journal as _, JournalError, JournalEvent, JournalRecord, NewRun, Plan, PlanHash, RunId,
};
use hostssl_store::{
    AuditStore, KeptLink, KeptPlan, KeptPlanEntry, KeptSession, ListedRole, ProxiedRole, RequiredApprovals,
    SignInLimits, Store, StoreReader, WorkInProgress, WorkKind,
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
    let (directory, one, two) = opened();
    let approve = |store: &AuditStore, person: &str, at_ms| {
        assert_eq!(store.approve_plan(&hash('a'), person, at_ms).unwrap(), None);
    };
    approve(&one, "ada", 2);
    // The clock of another machine is behind: what was kept first stays first.
    approve(&two, "bob", 1);
    approve(&two, "ada", 3);
    let found = one.plan_approvals(&hash('a')).unwrap();
    let told: Vec<_> = found.iter().map(|one| (one.person.as_str(), one.at_ms)).collect();
    assert_eq!(told, [("ada", 2), ("bob", 1)]);
    assert!(one.plan_approvals(&hash('b')).unwrap().is_empty());
    let withdraw = |person| two.withdraw_approval(&hash('a'), person, 4).unwrap();
    assert!(withdraw("ada") && !withdraw("ada") && !withdraw("eve"));
    approve(&one, "ada", 4);
    approve(&one, "ada", 6);
    let found = two.plan_approvals(&hash('a')).unwrap();
    let told: Vec<_> = found.iter().map(|one| (one.person.as_str(), one.at_ms, one.withdrawn_ms)).collect();
    assert_eq!(told, [("ada", 2, Some(4)), ("bob", 1, None), ("ada", 4, None)]);
    assert_eq!(one.run_of_plan(&hash('a')).unwrap(), None);
    let acts = StoreReader::open(directory.path()).unwrap().approval_acts(&hash('a')).unwrap();
    let acts: Vec<_> = acts.iter().map(|act| (act.person.as_str(), act.at_ms, act.approves)).collect();
    assert_eq!(acts, [("ada", 2, true), ("bob", 1, true), ("ada", 4, false), ("ada", 4, true)]);
}

/// A plan that takes two approvals, and the store that begins its runs.
struct TeamPlan {
    plan: Plan,
    console: AuditStore,
    store: Store,
    directory: tempfile::TempDir,
}

impl TeamPlan {
    fn new() -> Self {
        let (directory, console, _) = opened();
        let store = Store::open(directory.path()).unwrap();
        let made = PlannerKnowledge::new(vec![flexible("a", "off", "TLSv1.2")]).plan();
        let entry = KeptPlanEntry { hash: made.hash().clone(), ..plan("p", 1).entry };
        console.keep_plan(&KeptPlan { entry, ..plan("", 0) }).unwrap();
        Self { plan: made, console, store, directory }
    }

    fn approve(&self, person: &str, at_ms: i64) {
        assert_eq!(self.console.approve_plan(self.plan.hash(), person, at_ms).unwrap(), None);
    }

    async fn begin_as(&self, id: &str, rule: Option<&ApprovalRule>) -> Result<RunId, String> {
        let (run, first) = (RunId::new(id).unwrap(), JournalEvent::RunStarted { reason: None, pace: None });
        let first = JournalRecord { at_ms: 10, event: first };
        let (plan, principal) = (&self.plan, self.plan.principal());
        let begun = self.store.begin(&NewRun { id: &run, plan, principal, first: &first, approvals: rule }).await;
        begun.map(|()| run).map_err(|error| match error {
            JournalError::NotApproved(why) => why.to_string(),
            other => format!("{other:?}"),
        })
    }

    async fn begin(&self) -> Result<RunId, String> {
        self.begin_as("run-1", None).await
    }

    fn counted(&self, run: &RunId) -> Vec<(String, i64)> {
        let found = self.console.run_approvals(run).unwrap();
        found.into_iter().map(|one| (one.person, one.at_ms)).collect()
    }
}

/// Who begins it has counted before; someone may have withdrawn since.
#[tokio::test]
async fn a_run_of_a_plan_begins_only_while_it_has_its_approvals() {
    let team = TeamPlan::new();
    let (console, hash) = (&team.console, team.plan.hash());
    // The author does not count, and one person in two spellings is one.
    for person in ["Paul", "bob", "Bob"] {
        team.approve(person, 2);
        assert!(team.begin().await.unwrap_err().contains("of 2 approvals"));
    }
    team.approve("ada", 3);
    assert!(console.withdraw_approval(hash, "ada", 4).unwrap());
    team.begin().await.unwrap_err();
    assert_eq!(console.run_of_plan(hash).unwrap(), None);
    team.approve("ada", 5);
    let run = team.begin().await.unwrap();
    assert_eq!(console.run_of_plan(hash).unwrap(), Some(run.clone()));
    assert!(!console.withdraw_approval(hash, "ada", 6).unwrap(), "a run has begun");
    assert_eq!(console.approve_plan(hash, "eve", 7).unwrap(), Some(run.clone()), "a run has begun");
    // What counted stays as it was, and is for one run.
    assert_eq!(team.counted(&run), [("bob".to_owned(), 2), ("ada".to_owned(), 5)]);
    let finished = JournalRecord { at_ms: 11, event: JournalEvent::RunFinished };
    team.store.append(&run, &[finished]).await.unwrap();
    let again = team.begin_as("run-2", None).await.unwrap_err();
    assert!(again.contains("run run-1 has applied this plan"), "{again}");
}

/// The transaction that begins a run counts as the console does, by what it knows of people.
#[tokio::test]
async fn approvals_are_judged_where_a_run_begins() {
    let team = TeamPlan::new();
    for (person, at_ms) in [("bob", 2), ("eve", 3)] {
        team.approve(person, at_ms);
    }
    let named = [("eve".to_owned(), Some("she left".to_owned()))].into();
    let rule = ApprovalRule { approvers: Approvers { named, others: None }, ..ApprovalRule::default() };
    let refused = team.begin_as("run-1", Some(&rule)).await.unwrap_err();
    assert!(refused.contains("1 of 2 approvals"), "{refused}");
    let three = ApprovalRule { needed: 3, ..rule.clone() };
    team.approve("ada", 4);
    assert!(team.begin_as("run-1", Some(&three)).await.unwrap_err().contains("2 of 3 approvals"));
    let also_hers = ApprovalRule { made_by: vec!["ADA".to_owned()], ..rule.clone() };
    assert!(team.begin_as("run-1", Some(&also_hers)).await.unwrap_err().contains("1 of 2 approvals"));
    let run = team.begin_as("run-1", Some(&rule)).await.unwrap();
    assert_eq!(team.counted(&run), [("bob".to_owned(), 2), ("ada".to_owned(), 4)]);
}

/// What begins a run without a console counts by the `--link` of the console that was started last.
#[tokio::test]
async fn whom_a_console_lists_holds_where_a_run_begins_without_one() {
    let team = TeamPlan::new();
    for (person, at_ms) in [("bob", 2), ("eve", 3), ("zoe", 4)] {
        team.approve(person, at_ms);
    }
    let one = |person: &str, role: &str| ListedRole {
        person: person.to_owned(),
        role: role.to_owned(),
        may_approve: role == "approver",
    };
    let listed = [one(" Bob", "approver"), one("eve", "viewer")];
    team.console.keep_listed_roles(&listed, false).unwrap();
    assert!(team.begin().await.unwrap_err().contains("1 of 2 approvals"));
    let known = StoreReader::open(team.directory.path()).unwrap().listed_approvers().unwrap();
    assert_eq!(known.named["bob"], None);
    assert_eq!(known.named["eve"].as_deref(), Some("--link of the console gives this name the role viewer"));
    assert_eq!(known.others.as_deref(), Some("--link of the console does not have this name"));
    // A console has a list of its own.
    let own = ApprovalRule { needed: 4, ..ApprovalRule::default() };
    assert!(team.begin_as("run-1", Some(&own)).await.unwrap_err().contains("3 of 4 approvals"));
    team.console.keep_listed_roles(&listed, true).unwrap();
    let run = team.begin().await.unwrap();
    assert_eq!(team.counted(&run), [("bob".to_owned(), 2), ("zoe".to_owned(), 4)], "a proxy may vouch for zoe");
}

/// A proxy was heard to give someone a lower role, and no session of theirs is left.
#[tokio::test]
async fn the_role_that_a_proxy_gave_last_outlives_every_session() {
    let team = TeamPlan::new();
    let say = |person, role, may_approve| {
        team.console.keep_proxied_role(&ProxiedRole { person, role, may_approve, at_ms: 1 }).unwrap();
    };
    for (person, at_ms) in [("bob", 2), ("eve", 3)] {
        say(person, "approver", true);
        team.approve(person, at_ms);
    }
    say(" EVE", "viewer", false);
    let found = team.console.plan_approvals(team.plan.hash()).unwrap();
    let told: Vec<_> = found.iter().map(|one| (one.person.as_str(), one.lower_role.as_deref())).collect();
    assert_eq!(told, [("bob", None), ("eve", Some("viewer"))]);
    assert!(team.begin().await.unwrap_err().contains("1 of 2 approvals"));
    say("eve", "approver", true);
    let run = team.begin().await.unwrap();
    // What was said later takes nothing back.
    say("eve", "viewer", false);
    assert_eq!(team.counted(&run), [("bob".to_owned(), 2), ("eve".to_owned(), 3)]);
}

/// Before it was kept with the run, who approved is told by the clock.
#[tokio::test]
async fn of_a_run_of_an_earlier_version_the_approvals_before_it_are_shown() {
    let team = TeamPlan::new();
    for (person, at_ms) in [("bob", 2), ("eve", 3)] {
        team.approve(person, at_ms);
    }
    let run = team.begin().await.unwrap();
    let database = rusqlite::Connection::open(team.directory.path().join("hostssl.db")).unwrap();
    let hash = team.plan.hash().as_str();
    database
        .execute_batch(&format!(
            "DROP TRIGGER run_approvals_are_not_removed; DELETE FROM run_approvals;
             INSERT INTO approval_changes (plan, person, at_ms, approves)
             VALUES ('{hash}', 'bob', 20, 0), ('{hash}', 'ada', 21, 1), ('{hash}', 'Paul', 4, 1)"
        ))
        .unwrap();
    assert_eq!(team.counted(&run), [("bob".to_owned(), 2), ("eve".to_owned(), 3)]);
}

#[test]
fn the_last_use_of_a_session_is_known_to_every_console() {
    let (_directory, one, two) = opened();
    begin(&one, "s", Some("ada"), NOW);
    let used = |store: &AuditStore| store.session("s", &limits()).unwrap().unwrap().used_ms;
    assert_eq!(used(&two), None);
    one.keep_session_use("id-s", NOW + 60).unwrap();
    two.keep_session_use("id-s", NOW + 30).unwrap();
    assert_eq!((used(&two), two.signed_in(&limits()).unwrap().0[0].used_ms), (Some(NOW + 60), Some(NOW + 60)));
    // What has ended leaves nothing.
    one.end_sessions(&["id-s"], &[]).unwrap();
    two.keep_session_use("id-s", NOW + 90).unwrap();
    begin(&one, "s", Some("ada"), NOW);
    assert_eq!(used(&two), None);
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
    KeptSession { secret, id, person: None, role: String::new(), began_ms, used_ms: None, is_invited: false }
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
