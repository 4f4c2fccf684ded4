//! A census that is kept: whatever is read, in whatever order and however often, the result is the same.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hostssl_census::{
    Census, CensusLimits, CensusVerdict, Interval, KeptCensus, LogEnd, LogReader, Millis, MissingReason, Requirements,
    Restriction, SessionTls, Source, SourceKind,
};
use proptest::prelude::*;
use std::fmt::Write as _;

const DAY: Millis = 86_400_000;
/// 2026-09-01 00:00 UTC.
const START: Millis = 1_788_220_800_000;
const CLIENTS: [(&str, &str, &str); 5] = [
    ("app", "10.0.0.4", " SSL enabled (protocol=TLSv1.3, cipher=TLS_AES_256_GCM_SHA384, bits=256)"),
    ("old", "10.0.0.5", " SSL enabled (protocol=TLSv1.1, cipher=ECDHE-RSA-AES256-SHA, bits=256)"),
    ("report", "10.0.0.6", ""),
    ("batch", "10.0.0.7", ""),
    ("postgres", "[local]", ""),
];

/// The log of some hours, counted from [`START`]: each client of `clients` connects every hour.
fn log(hours: std::ops::Range<i64>, clients: &[usize]) -> String {
    let mut log = String::new();
    for hour in hours {
        for client in clients {
            let at = START / 1_000 + hour * 3_600 + *client as i64;
            let time = jiff(at);
            let (user, host, tls) = CLIENTS[*client];
            let head = format!("{time} UTC-{at:08x}.{:x}-LOG:  ", client + 100);
            let port = if host == "[local]" { "" } else { " port=5" };
            let _ = writeln!(log, "{head}connection received: host={host}{port}");
            let _ = writeln!(log, "{head}connection authorized: user={user} database=shop{tls}");
        }
    }
    log
}

/// A time of September 2026 in UTC.
fn jiff(seconds: i64) -> String {
    let since = seconds - START / 1_000;
    let (day, rest) = (since / 86_400 + 1, since % 86_400);
    format!("2026-09-{day:02} {:02}:{:02}:{:02}", rest / 3_600, rest / 60 % 60, rest % 60)
}

fn look(files: &[&str], looked_at: Millis) -> KeptCensus {
    let mut reader = LogReader::new(Census::new(CensusLimits::default(), None), None);
    for (number, file) in files.iter().enumerate() {
        reader.begin(SourceKind::ArmLogFile, format!("file {number}"));
        reader.feed(file.as_bytes());
        reader.end(LogEnd::Whole);
    }
    reader.finish().keep(looked_at)
}

fn requirements(days: i64, now: Millis) -> Requirements {
    Requirements { window: days * DAY, now: Some(now) }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn any_files_in_any_order_any_number_of_times_are_the_same_census(
        cuts in prop::collection::vec((0..100i64, 1..60i64), 1..5),
        again in prop::collection::vec(0..5usize, 0..6),
        together in any::<bool>(),
    ) {
        // Files that overlap, are parts of each other, or leave gaps.
        let files: Vec<String> = cuts.iter().map(|(from, length)| log(*from..from + length, &[0, 2, 4])).collect();
        let all: Vec<&str> = files.iter().map(String::as_str).collect();
        let whole = look(&all, START);
        let mut merged = KeptCensus::default();
        let mut order: Vec<&str> = again.iter().map(|at| all[at % all.len()]).chain(all.iter().rev().copied()).collect();
        if together {
            merged.merge(look(&order, START));
            order.truncate(1);
        }
        for file in order {
            merged.merge(look(&[file], START));
        }
        let now = START + 10 * DAY;
        let (one, other) = (whole.judge(requirements(7, now), None), merged.judge(requirements(7, now), None));
        prop_assert_eq!(&one.clients, &other.clients);
        prop_assert_eq!((one.verdict, one.window, one.observed), (other.verdict, other.window, other.observed));
        prop_assert_eq!(whole.timeline(), merged.timeline());
        prop_assert_eq!(KeptCensus::from_json(&merged.to_json()).unwrap(), merged);
    }
}

#[test]
fn a_census_grows_and_the_window_cuts_it() {
    // Two weeks: a nightly job in plaintext ran in the first of them.
    let mut kept = look(&[&log(0..7 * 24, &[0, 3])], START + 7 * DAY);
    assert_eq!(kept.judge(requirements(7, START + 7 * DAY), None).verdict, CensusVerdict::Breaks);
    kept.merge(look(&[&log(7 * 24..15 * 24, &[0])], START + 15 * DAY));
    let now = START + 15 * DAY;
    let week = kept.judge(requirements(7, now), None);
    // The week has no client in plaintext, but nothing newer is known of the one from the week before.
    assert_eq!((week.verdict, week.clients.len()), (CensusVerdict::NeedsObservation, 1), "{}", week.reason);
    assert_eq!(week.earlier.iter().map(|client| client.user.as_deref()).collect::<Vec<_>>(), [Some("batch")]);
    let fortnight = kept.judge(requirements(14, now), None);
    assert_eq!((fortnight.verdict, fortnight.clients.len()), (CensusVerdict::Breaks, 2), "{}", fortnight.reason);
    let since = kept.judge(requirements(14, now), Some(START + 10 * DAY));
    assert_eq!((since.verdict, since.clients.len()), (CensusVerdict::NeedsObservation, 1), "{}", since.reason);
    // What was seen before a server was made is of another one that had its name.
    let made = kept.impact(Restriction::RequireTls, requirements(7, now), Some(START + 10 * DAY));
    assert_eq!(made.verdict, CensusVerdict::NeedsObservation, "{}", made.reason);
    // Old evidence is not today's.
    let stale = kept.judge(requirements(7, now + 3 * DAY), None);
    assert_eq!(stale.verdict, CensusVerdict::NeedsObservation);
    assert!(stale.reason.contains("ended 3d 1h ago"), "{}", stale.reason);
    assert_eq!(kept.timeline().len(), 15);
    let of_first = kept.timeline()[0];
    assert_eq!((of_first.day, of_first.sessions), (START, [24, 0, 24, 0]));
}

#[test]
fn raising_the_floor_concerns_clients_with_old_versions_only() {
    let now = START + 8 * DAY;
    let kept = look(&[&log(0..8 * 24, &[0, 1, 2])], now);
    let impact = |restriction| kept.impact(restriction, requirements(7, now), None);
    let enforced = impact(Restriction::RequireTls);
    assert_eq!((enforced.verdict, enforced.clients[0].user.as_deref()), (CensusVerdict::Breaks, Some("report")));
    let floor = impact(Restriction::MinimumTls("TLSv1.2"));
    assert_eq!((floor.verdict, floor.clients.len()), (CensusVerdict::Breaks, 1), "{}", floor.reason);
    assert_eq!(floor.clients[0].user.as_deref(), Some("old"));
    let kept = look(&[&log(0..8 * 24, &[0, 2])], now);
    let floor = kept.impact(Restriction::MinimumTls("TLSv1.2"), requirements(7, now), None);
    assert_eq!((floor.verdict, floor.clients.len()), (CensusVerdict::Safe, 0), "{}", floor.reason);
}

#[test]
fn a_part_that_is_read_as_a_whole_later_counts_then() {
    let text = log(0..8 * 24, &[0]);
    let broken = |end: LogEnd, text: &str| {
        let mut reader = LogReader::new(Census::new(CensusLimits::default(), None), None);
        reader.begin(SourceKind::ArmLogFile, "file");
        reader.feed(text.as_bytes());
        reader.end(end);
        reader.finish().keep(START + 8 * DAY)
    };
    let mut kept = broken(LogEnd::Broken("the connection was lost".to_owned()), &text);
    let now = START + 8 * DAY;
    let report = kept.judge(requirements(7, now), None);
    assert_eq!(report.verdict, CensusVerdict::NeedsObservation);
    assert_eq!(report.sources[0].missing[0].reason, MissingReason::Truncated);
    kept.merge(broken(LogEnd::Whole, &text));
    let report = kept.judge(requirements(7, now), None);
    assert_eq!((report.verdict, report.clients[0].sightings), (CensusVerdict::Safe, 168 + 24), "{}", report.reason);
    // And a part afterwards takes nothing back.
    kept.merge(broken(LogEnd::Broken("again".to_owned()), &text));
    assert_eq!(kept.judge(requirements(7, now), None).verdict, CensusVerdict::Safe);
}

#[test]
fn a_part_that_cannot_be_read_is_not_bridged_by_its_neighbours() {
    let (before, after) = (log(0..96, &[0]), log(97..8 * 24, &[0]));
    let hour = log(96..97, &[0]);
    let cut = &hour[..hour.len() - 10];
    let now = START + 8 * DAY;
    let whole = look(&[&before, &hour, &after], now);
    assert_eq!(whole.judge(requirements(7, now), None).verdict, CensusVerdict::Safe);
    for order in [[0, 1, 2], [1, 0, 2], [2, 1, 0]] {
        let mut kept = KeptCensus::default();
        for at in order {
            let mut reader = LogReader::new(Census::new(CensusLimits::default(), None), None);
            reader.begin(SourceKind::ArmLogFile, format!("file {at}"));
            reader.feed([before.as_str(), cut, after.as_str()][at].as_bytes());
            reader.end(if at == 1 { LogEnd::Broken("it was cut".to_owned()) } else { LogEnd::Whole });
            kept.merge(reader.finish().keep(now));
        }
        let report = kept.judge(requirements(7, now), None);
        assert_eq!(report.verdict, CensusVerdict::NeedsObservation, "{order:?}: {}", report.reason);
        assert!(report.reason.contains("it was cut"), "{}", report.reason);
        // What was read as a whole since takes that back.
        kept.merge(look(&[&log(95..98, &[0])], now));
        assert_eq!(kept.judge(requirements(7, now), None).verdict, CensusVerdict::Safe, "{order:?}");
    }
}

#[test]
fn half_of_a_session_is_no_client_once_the_other_half_is_known() {
    let text = log(0..8 * 24, &[0, 2]);
    // The first line of a session is in a file that nobody has read.
    let half = text.split_inclusive('\n').skip(3).take(1).collect::<String>();
    let mut kept = look(&[&half], START);
    let report = kept.judge(requirements(7, START + 8 * DAY), None);
    assert_eq!((report.clients.len(), report.clients[0].tls), (1, SessionTls::Unknown));
    kept.merge(look(&[&text], START + 8 * DAY));
    let report = kept.judge(requirements(7, START + 8 * DAY), None);
    assert!(report.clients.iter().all(|client| client.tls != SessionTls::Unknown), "{:?}", report.clients);
}

#[test]
fn more_clients_than_are_kept_are_counted_and_said() {
    let mut log = String::new();
    for number in 0..2_500 {
        let at = START / 1_000 + number;
        let head = format!("{} UTC-{at:08x}.1-LOG:  ", jiff(at));
        let _ = writeln!(log, "{head}connection received: host=10.1.{}.{} port=1", number / 250, number % 250);
        let _ = writeln!(log, "{head}connection authorized: user=u{number} database=shop");
    }
    let mut kept = look(&[&log], START + DAY);
    let report = kept.judge(requirements(7, START + DAY), None);
    assert_eq!((report.clients.len(), report.unlisted), (2_000, [500, 0, 0, 0]));
    kept.merge(look(&[&log], START + DAY));
    assert_eq!(kept.judge(requirements(7, START + DAY), None), report, "once more changes nothing");
}

#[test]
fn a_session_in_plaintext_that_outlives_the_window_is_not_forgotten() {
    let now = START + 15 * DAY;
    let tls = log(0..15 * 24, &[0]);
    for (client, expected) in [(3, CensusVerdict::NeedsObservation), (1, CensusVerdict::Safe)] {
        // One long session, of which the second week has the end only.
        let begins = log(0..1, &[client]);
        let (_, key) = begins.split_once("UTC-").unwrap();
        let key = key.split_once("-LOG").unwrap().0;
        let (user, host, _) = CLIENTS[client];
        let ends = format!(
            "{} UTC-{key}-LOG:  disconnection: session time: 300:00:00.1 user={user} database=shop host={host} port=5\n",
            jiff(START / 1_000 + 14 * 86_400)
        );
        let mut kept = look(&[&tls, &begins], START + 7 * DAY);
        kept.merge(look(&[&ends], now));
        let report = kept.judge(requirements(7, now), None);
        assert_eq!(report.verdict, expected, "{user}: {}", report.reason);
    }
}

/// The log of a minute in which so many clients connect, each once.
fn crowd(from: i64, clients: i64, tls: &str) -> String {
    let mut log = String::new();
    for number in 0..clients {
        let at = START / 1_000 + from * 3_600 + number / 100;
        let head = format!("{} UTC-{at:08x}.{:x}-LOG:  ", jiff(at), number + 1_000);
        let _ = writeln!(log, "{head}connection received: host=10.1.0.1 port=1");
        let _ = writeln!(log, "{head}connection authorized: user=u{from}x{number} database=shop{tls}");
    }
    log
}

#[test]
fn clients_that_are_not_listed_are_no_clients_with_tls() {
    let now = START + 15 * DAY;
    // The list of a look is full with the first week's; in the second week others come in plaintext.
    let limits = CensusLimits { clients: 50 };
    let look = |files: &[String]| {
        let census = files.iter().fold(Census::new(limits, None), |census, file| {
            let mut reader = LogReader::new(census, None);
            reader.begin(SourceKind::ArmLogFile, "file");
            reader.feed(file.as_bytes());
            reader.finish()
        });
        census.keep(now)
    };
    let week = log(0..15 * 24, &[0]);
    let kept = look(&[week.clone(), crowd(1, 50, ""), crowd(14 * 24, 10, "")]);
    let report = kept.judge(requirements(7, now), None);
    assert_eq!((report.verdict, report.clients.len()), (CensusVerdict::NeedsObservation, 1), "{}", report.reason);
    assert_eq!(KeptCensus::from_json(&kept.to_json()).unwrap(), kept);
    // Of those who came before the window, only the ones that are listed matter: they may come back.
    let kept = look(&[week.clone(), crowd(1, 60, "")]);
    let report = kept.judge(requirements(7, now), None);
    assert_eq!((report.verdict, report.earlier.len()), (CensusVerdict::NeedsObservation, 50));
    assert!(report.reason.contains("50 clients that connected in plaintext before"), "{}", report.reason);
    // A document without their time counts them as of its look.
    let text = kept.to_json();
    let (head, tail) = text.split_once(",\"unlistedUntil\":[").unwrap();
    let (_, tail) = tail.split_once(']').unwrap();
    let old = KeptCensus::from_json(&format!("{head}{tail}")).unwrap();
    assert_eq!(old.judge(requirements(7, now), None).verdict, CensusVerdict::NeedsObservation);

    // With TLS, the question is which version.
    let with_tls = " SSL enabled (protocol=TLSv1.1, cipher=ECDHE-RSA-AES256-SHA, bits=256)";
    let kept = look(&[week, crowd(1, 49, CLIENTS[0].2), crowd(14 * 24, 10, with_tls)]);
    let floor = |kept: &KeptCensus| kept.impact(Restriction::MinimumTls("TLSv1.2"), requirements(7, now), None);
    assert_eq!(floor(&kept).verdict, CensusVerdict::NeedsObservation, "{}", floor(&kept).reason);
    assert_eq!(kept.impact(Restriction::RequireTls, requirements(7, now), None).verdict, CensusVerdict::Safe);
}

#[test]
fn the_document_is_frozen() {
    let kept = look(&[&log(0..1, &[0, 2])], START);
    let expected = concat!(
        r#"{"schema":"hostssl/kept-census/v1","lookedAt":1788220800000,"unlisted":[0,0,0,0],"#,
        r#""sources":[{"kind":"arm-log-file","lookedAt":1788220800000,"#,
        r#""complete":[{"from":1788220800000,"to":1788220802000}],"parts":[],"notes":{}}],"#,
        r#""clients":[{"user":"app","database":"shop","address":"10.0.0.4","backend":"client","tls":"tls","#,
        r#""first":1788220800000,"last":1788220800000,"sources":["arm-log-file"],"days":[[20697,"HASH"]],"#,
        r#""protocols":[["TLSv1.3",1788220800000,"TLS_AES_256_GCM_SHA384"]]},"#,
        r#"{"user":"report","database":"shop","address":"10.0.0.6","backend":"client","tls":"plaintext","#,
        r#""first":1788220802000,"last":1788220802000,"sources":["arm-log-file"],"days":[[20697,"HASH"]]}]}"#,
    );
    let text = kept.to_json();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let notes = value["sources"][0]["notes"].as_object().unwrap();
    assert_eq!(notes.keys().collect::<Vec<_>>(), ["imitation", "older-sessions"]);
    let mut shown = text.replace(&serde_json::to_string(notes).unwrap(), "{}");
    for client in value["clients"].as_array().unwrap() {
        shown = shown.replacen(client["days"][0][1].as_str().unwrap(), "HASH", 1);
    }
    assert_eq!(shown, expected);
    assert!(KeptCensus::from_json("{}").is_err());
    assert!(KeptCensus::from_json(&kept.to_json().replace("/v1", "/v2")).is_err());
}

#[test]
fn whoever_was_refused_is_kept_once_and_changes_no_verdict() {
    let head = |hour: u32, pid: u32| format!("2026-09-16 {hour:02}:02:12 UTC-6aaae7b4.{pid:x}-");
    let refused = |hour, pid, user: &str| {
        let head = head(hour, pid);
        format!(
            "{head}LOG:  connection received: host=10.0.0.9 port=5\n{head}FATAL:  no pg_hba.conf entry for host \"10.0.0.9\", \
             user \"{user}\", database \"shop\", no encryption\n"
        )
    };
    let with_tls = |hour, pid, user: &str| {
        let head = head(hour, pid);
        format!(
            "{head}LOG:  connection received: host=10.0.0.9 port=5\n{head}LOG:  connection authorized: user={user} database=shop \
             SSL enabled (protocol=TLSv1.3, cipher=TLS_AES_256_GCM_SHA384, bits=256)\n"
        )
    };
    let log = [refused(1, 1, "old"), refused(2, 2, "both"), with_tls(2, 3, "both"), refused(3, 4, "old")].concat();
    let look = |at| {
        let mut reader = LogReader::new(Census::default(), None);
        reader.begin(SourceKind::ArmLogFile, "log");
        reader.feed(log.as_bytes());
        reader.end(LogEnd::Whole);
        reader.finish().keep(at)
    };
    let mut kept = look(1);
    kept.merge(look(2));
    let kept = KeptCensus::from_json(&kept.to_json()).unwrap();
    let report = kept.judge(Requirements::default(), None);
    assert!(report.clients.iter().all(|client| client.tls == SessionTls::Tls), "{report:#?}");
    assert_ne!(report.verdict, CensusVerdict::Breaks);
    let told: Vec<_> = report
        .refused
        .iter()
        .map(|one| (one.user.as_deref().unwrap(), one.attempts, one.has_connected_since))
        .collect();
    assert_eq!(told, [("old", 2, false), ("both", 1, true)]);
    let last = report.refused[0].last_seen.unwrap();
    assert_eq!(last % 1_000, 0, "the line has no milliseconds");
    assert_eq!(kept.refused_since(last).len(), 1);
    assert_eq!(kept.refused_since(last + 999).len(), 1, "it may have been refused after that, in the same second");
    assert_eq!(kept.refused_since(last + 1_000).len(), 0);
}

#[test]
fn an_interruption_of_sessions_is_said() {
    let mut census = Census::default();
    let mut source = Source::new(SourceKind::Sessions, "sessions");
    source.coverage.add(Interval { from: START, to: START + DAY });
    source.lacks(MissingReason::Sampling, "between two samples");
    source.lacks(MissingReason::Gap, "1 interruption");
    census.add_source(source);
    let report = census.keep(START + DAY).judge(requirements(7, START + DAY), None);
    let missing: Vec<MissingReason> =
        report.sources.iter().flat_map(|source| &source.missing).map(|missing| missing.reason).collect();
    assert!(missing.contains(&MissingReason::Gap), "{missing:?}");
}
