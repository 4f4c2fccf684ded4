//! Kept censuses: what goes in comes out, grows, and is listed without reading documents.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hostssl_census::{
    Census, CensusLimits, CensusVerdict, KeptCensus, LogEnd, LogReader, Millis, Requirements, SourceKind,
};
use hostssl_model::{Kind, ResourceId};
use hostssl_store::{AuditStore, StoreReader, server_key};
use hostssl_test_support::fleet::id;
use std::fmt::Write as _;

/// 2026-09-16 00:00 UTC.
const START: i64 = 1_789_516_800;
const HOUR: i64 = 3_600;

/// A look at the log of so many hours before [`START`], with this end of the line that authorizes.
fn look(hours: i64, rest: &str) -> KeptCensus {
    let mut log = String::new();
    for hour in 0..=hours {
        let at = START - (hours - hour) * HOUR;
        let days = START / 86_400 - at.div_euclid(86_400);
        let time = format!("2026-09-{:02} {:02}:00:00", 16 - days, at.rem_euclid(86_400) / HOUR);
        let _ = writeln!(log, "{time} UTC-{at:08x}.1-LOG:  connection received: host=10.0.0.4 port=1");
        let _ = writeln!(log, "{time} UTC-{at:08x}.1-LOG:  connection authorized: {rest}");
        let _ = writeln!(log, "{time} UTC-{at:08x}.1-LOG:  statement: ALTER USER app PASSWORD 'hunter2'");
    }
    let mut reader = LogReader::new(Census::new(CensusLimits::default(), None), None);
    reader.begin(SourceKind::ArmLogFile, "log");
    reader.feed(log.as_bytes());
    reader.end(LogEnd::Whole);
    reader.finish().keep(START * 1_000)
}

const TLS: &str = "user=app database=shop SSL enabled (protocol=TLSv1.3, cipher=TLS_AES_256_GCM_SHA384, bits=256)";
const PLAIN: &str = "user=report database=shop";

fn server(name: &str) -> ResourceId {
    id(Kind::Flexible, name)
}

#[test]
fn what_is_kept_of_one_server_can_be_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    let store = AuditStore::open(directory.path()).unwrap();
    store.merge_censuses(vec![(server("one"), look(2, TLS)), (server("two"), look(2, PLAIN))]).unwrap();
    store.merge_named_census("Shop", look(2, TLS)).unwrap();
    let kept = store.kept_censuses().unwrap();
    let named: Vec<_> = kept.iter().map(|one| (one.server.as_str(), one.is_named, one.clients)).collect();
    assert_eq!(named, [(server("one").as_str(), false, 1), (server("two").as_str(), false, 1), ("Shop", true, 1)]);
    assert!(store.forget_census(&kept[2].key).unwrap() && store.forget_census(&kept[0].key).unwrap());
    assert!(!store.forget_census(&kept[0].key).unwrap(), "it is gone");
    assert_eq!(store.kept_censuses().unwrap(), kept[1..2]);
    assert_eq!(store.merge_named_census("shop", look(1, TLS)).unwrap(), look(1, TLS));
}

#[test]
fn a_census_grows_with_every_look_and_is_listed() {
    let directory = tempfile::tempdir().unwrap();
    let store = AuditStore::open(directory.path()).unwrap();
    let looks = vec![(server("safe"), look(200, TLS)), (server("breaks"), look(2, TLS))];
    let kept = store.merge_censuses(looks).unwrap();
    assert_eq!(kept.len(), 2);
    let merged = store.merge_censuses(vec![(server("breaks"), look(1, PLAIN))]).unwrap();
    assert_eq!(merged[0].judge(Requirements::default(), None).clients.len(), 2);
    // The spelling of an id does not matter.
    let key = server_key(&ResourceId::try_from(server("BREAKS").as_str().to_uppercase().as_str()).unwrap());
    let reader = StoreReader::open(directory.path()).unwrap();
    assert_eq!(reader.census(&key).unwrap().as_ref(), Some(&merged[0]));
    assert_eq!(reader.census("none").unwrap(), None);

    let now: Millis = START * 1_000;
    let entries = store.census_entries(now).unwrap();
    let of = |name: &str| entries.get(&server_key(&server(name))).unwrap().clone();
    assert_eq!((of("safe").verdict, of("safe").tls), (CensusVerdict::Safe, 1));
    let breaks = of("breaks");
    assert_eq!(
        (breaks.verdict, breaks.plaintext, breaks.tls, breaks.until_ms),
        (CensusVerdict::Breaks, 1, 1, Some(now))
    );
    // What was safe is not safe for ever; who was refused still would be.
    let later = store.census_entries(now + 25 * HOUR * 1_000).unwrap();
    assert_eq!(later[&server_key(&server("safe"))].verdict, CensusVerdict::NeedsObservation);
    assert_eq!(later[&server_key(&server("breaks"))].verdict, CensusVerdict::Breaks);
}

#[test]
fn no_statement_and_no_secret_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let store = AuditStore::open(directory.path()).unwrap();
    let look = look(3, PLAIN);
    for secret in ["hunter2", "ALTER", "statement"] {
        assert!(!look.to_json().contains(secret), "{secret}");
    }
    store.merge_censuses(vec![(server("a"), look)]).unwrap();
    for file in std::fs::read_dir(directory.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        for secret in [&b"hunter2"[..], b"ALTER USER"] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret));
        }
    }
}

#[test]
fn two_thousand_servers_are_kept_in_one_go() {
    let directory = tempfile::tempdir().unwrap();
    let store = AuditStore::open(directory.path()).unwrap();
    let one = look(24, TLS);
    let looks: Vec<_> = (0..2_000).map(|number| (server(&format!("s{number}")), one.clone())).collect();
    assert_eq!(store.merge_censuses(looks.clone()).unwrap().len(), 2_000);
    let size = || std::fs::metadata(directory.path().join("hostssl.db")).unwrap().len();
    let before = size();
    store.merge_censuses(looks).unwrap();
    assert_eq!(store.census_entries(START * 1_000).unwrap().len(), 2_000);
    drop(store);
    assert!(size() < 2 * before.max(4 << 20), "the same looks once more take no more room: {} {before}", size());
}
