//! Clients that were last seen before the window: they count until newer evidence replaces what is known of them.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hostssl_census::{
    Backend, Census, CensusLimits, CensusVerdict, EarlierFate, Interval, KeptCensus, Millis, Requirements, Restriction,
    SessionTls, Sighting, Source, SourceKind,
};

const DAY: Millis = 86_400_000;
/// 2026-09-01 00:00 UTC.
const START: Millis = 1_788_220_800_000;

/// Who connects: the user, the application and the address.
type Who<'a> = (&'a str, &'a str, &'a str);

const APP: Who<'_> = ("app", "app", "10.0.0.4");
const JOB: Who<'_> = ("billing", "billing-run", "10.40.6.1");

/// A look that saw every connection of some days, counted from [`START`]: each client once an hour, with this version of TLS or
/// in plaintext.
fn look(days: std::ops::Range<i64>, clients: &[(Who<'_>, Option<&str>)]) -> KeptCensus {
    let mut census = Census::default();
    let source = census.add_source(Source::new(SourceKind::ArmLogFile, "log"));
    let span = Interval { from: START + days.start * DAY, to: START + days.end * DAY };
    census.source_mut(source).unwrap().coverage.add(span);
    for hour in days.start * 24..days.end * 24 {
        for ((user, application, address), version) in clients {
            let sighting = Sighting {
                user: Some((*user).to_owned()),
                database: Some("shop".to_owned()),
                application: Some((*application).to_owned()).filter(|name| !name.is_empty()),
                address: Some((*address).to_owned()),
                backend: Backend::Client,
                tls: if version.is_some() { SessionTls::Tls } else { SessionTls::Plaintext },
                protocol: version.map(ToOwned::to_owned),
                cipher: None,
                at: Some(START + hour * 3_600_000),
                doubt: None,
            };
            census.add(source, sighting);
        }
    }
    census.keep(span.to)
}

fn week(until: i64) -> Requirements {
    Requirements { window: 7 * DAY, now: Some(START + until * DAY) }
}

const TLS: Option<&str> = Some("TLSv1.3");

/// A week with a job in plaintext, and so many more days without it.
fn with_job(until: i64) -> KeptCensus {
    let mut kept = look(0..7, &[(APP, TLS), (JOB, None)]);
    kept.merge(look(7..until, &[(APP, TLS)]));
    kept
}

/// The fates of the clients that were seen before the window.
fn fates(kept: &KeptCensus, until: i64) -> Vec<EarlierFate> {
    kept.earlier(week(until), None).into_iter().map(|one| one.fate).collect()
}

#[test]
fn a_client_in_plaintext_that_was_not_observed_since_is_no_all_clear() {
    let kept = with_job(15);
    let report = kept.judge(week(15), None);
    assert_eq!(report.verdict, CensusVerdict::NeedsObservation);
    assert!(report.reason.contains("1 client that connected in plaintext before has not been observed since"));
    let named = |clients: &[hostssl_census::Client]| -> Vec<String> {
        clients.iter().map(|client| client.user.clone().unwrap()).collect()
    };
    assert_eq!((named(&report.clients), named(&report.earlier)), (vec!["app".into()], vec!["billing".to_owned()]));
    assert_eq!(report.earlier[0].last_seen, Some(START + 7 * DAY - 3_600_000));
    // Whoever plans is told who it is.
    let impact = kept.impact(Restriction::RequireTls, week(15), None);
    assert_eq!((impact.verdict, named(&impact.clients)), (CensusVerdict::NeedsObservation, vec!["billing".to_owned()]));
    // It may use any version of TLS: raising the lowest one does not concern it.
    assert_eq!(kept.impact(Restriction::MinimumTls("TLSv1.2"), week(15), None).verdict, CensusVerdict::Safe);
    // What was before the server was made is another server's.
    let made = kept.judge(week(15), Some(START + 7 * DAY));
    assert_eq!((made.verdict, made.earlier.len()), (CensusVerdict::Safe, 0), "{}", made.reason);
    let text = KeptCensus::from_json(&kept.to_json()).unwrap();
    assert_eq!(text.judge(week(15), None), report);
}

#[test]
fn a_client_that_came_back_with_tls_is_replaced_and_another_one_is_not() {
    let (user, application, address) = JOB;
    let cases = [
        ("the same", JOB, true),
        ("installed again elsewhere", (user, application, "10.40.6.9"), true),
        ("another program from there", (user, "psycopg", address), false),
        ("without a name from there", (user, "", address), true),
        ("without a name elsewhere", (user, "", "10.40.6.9"), false),
        ("another job of this user", (user, "psql", "10.40.6.9"), false),
        ("another user from there", ("report", application, address), false),
    ];
    for (name, who, is_replaced) in cases {
        let mut kept = with_job(15);
        kept.merge(look(10..11, &[(who, TLS)]));
        let report = kept.judge(week(15), None);
        let fate = if is_replaced { EarlierFate::WithTls(START + 11 * DAY - 3_600_000) } else { EarlierFate::Unknown };
        assert_eq!(fates(&kept, 15), [fate], "{name}");
        assert_eq!(report.verdict == CensusVerdict::Safe, is_replaced, "{name}: {}", report.reason);
        assert_eq!(report.earlier.is_empty(), is_replaced, "{name}");
    }
    // One that has none is known by its address, whatever names come from there.
    let mut kept = look(0..7, &[(APP, TLS), (("billing", "", "10.40.6.1"), None)]);
    kept.merge(look(7..15, &[(APP, TLS), (("billing", "web", "10.40.6.1"), TLS)]));
    assert!(matches!(fates(&kept, 15)[..], [EarlierFate::WithTls(_)]));
    // Two that both have no application name are not the same for that.
    let mut kept = look(0..7, &[(APP, TLS), (("billing", "", "10.40.6.1"), None)]);
    kept.merge(look(7..15, &[(APP, TLS), (("billing", "", "10.40.6.9"), TLS)]));
    assert_eq!(fates(&kept, 15), [EarlierFate::Unknown]);
    // That it used TLS before it was in plaintext replaces nothing.
    let mut kept = look(0..3, &[(APP, TLS), (JOB, TLS)]);
    kept.merge(look(3..7, &[(APP, TLS), (JOB, None)]));
    kept.merge(look(7..15, &[(APP, TLS)]));
    assert_eq!(fates(&kept, 15), [EarlierFate::Unknown]);
}

#[test]
fn a_client_is_gone_when_every_connection_of_a_month_was_observed_without_it() {
    for (until, fate, verdict) in
        [(41, EarlierFate::Unknown, CensusVerdict::NeedsObservation), (42, EarlierFate::Gone, CensusVerdict::Safe)]
    {
        let kept = with_job(until);
        assert_eq!((fates(&kept, until), kept.judge(week(until), None).verdict), (vec![fate], verdict), "{until}");
    }
    // Nobody looked for a week: it may have come then.
    let mut kept = with_job(20);
    kept.merge(look(27..43, &[(APP, TLS)]));
    assert_eq!(fates(&kept, 43), [EarlierFate::Unknown]);
}

#[test]
fn a_client_below_the_floor_that_was_not_observed_since_counts_for_the_floor_alone() {
    let mut kept = look(0..7, &[(APP, TLS), (JOB, Some("TLSv1.1"))]);
    kept.merge(look(7..15, &[(APP, TLS)]));
    let impact = |kept: &KeptCensus, restriction| kept.impact(restriction, week(15), None);
    let floor = impact(&kept, Restriction::MinimumTls("TLSv1.2"));
    assert_eq!((floor.verdict, floor.clients.len()), (CensusVerdict::NeedsObservation, 1), "{}", floor.reason);
    assert_eq!(impact(&kept, Restriction::MinimumTls("TLSv1.1")).verdict, CensusVerdict::Safe);
    assert_eq!(impact(&kept, Restriction::RequireTls).verdict, CensusVerdict::Safe);
    kept.merge(look(8..9, &[(JOB, Some("TLSv1.2"))]));
    let floor = impact(&kept, Restriction::MinimumTls("TLSv1.2"));
    assert_eq!((floor.verdict, floor.clients.len()), (CensusVerdict::Safe, 0), "{}", floor.reason);
}

#[test]
fn a_time_that_someone_chose_hides_no_client_from_before_it() {
    let kept = with_job(15);
    let chosen = Some(START + 8 * DAY);
    let report = kept.judge_chosen(week(15), chosen);
    assert_eq!((report.verdict, report.earlier.len()), (CensusVerdict::NeedsObservation, 1), "{}", report.reason);
    assert!(report.reason.contains("before has not been observed since"), "{}", report.reason);
    let mut back = kept.clone();
    back.merge(look(10..11, &[(JOB, TLS)]));
    assert_eq!(back.judge_chosen(week(15), chosen).verdict, CensusVerdict::Safe);
    // Logs that are not kept.
    for (job_since, verdict) in [(None, CensusVerdict::NeedsObservation), (Some(JOB), CensusVerdict::Safe)] {
        let mut census = Census::new(CensusLimits::default(), chosen);
        census.add_source(Source::new(SourceKind::LogFile, "log"));
        let span = Interval { from: START, to: START + 15 * DAY };
        census.source_mut(0).unwrap().coverage.add(span);
        let seen = [(0, JOB, SessionTls::Plaintext), (9, APP, SessionTls::Tls)];
        for (day, (user, application, address), tls) in
            seen.into_iter().chain(job_since.map(|job| (10, job, SessionTls::Tls)))
        {
            let sighting = Sighting {
                user: Some(user.to_owned()),
                database: Some("shop".to_owned()),
                application: Some(application.to_owned()),
                address: Some(address.to_owned()),
                backend: Backend::Client,
                tls,
                protocol: TLS.filter(|_| tls == SessionTls::Tls).map(ToOwned::to_owned),
                cipher: None,
                at: Some(START + day * DAY),
                doubt: None,
            };
            census.add(0, sighting);
        }
        let report = census.finish(Requirements { window: 6 * DAY, now: None });
        assert_eq!(report.verdict, verdict, "{}", report.reason);
        assert!(report.clients.iter().all(|client| client.tls == SessionTls::Tls), "the job is from before");
    }
}

#[test]
fn nothing_is_safe_where_the_kept_clients_could_not_be_read() {
    let safe = look(0..8, &[(APP, TLS)]).judge(week(8), None);
    assert_eq!(safe.verdict, CensusVerdict::Safe);
    let unread = safe.without_kept();
    assert_eq!(unread.verdict, CensusVerdict::NeedsObservation);
    assert!(unread.reason.ends_with("could not be read: earlier clients are unknown"), "{}", unread.reason);
    let breaks = look(0..8, &[(JOB, None)]).judge(week(8), None);
    assert_eq!(breaks.clone().without_kept(), breaks, "what was seen is enough");
}
