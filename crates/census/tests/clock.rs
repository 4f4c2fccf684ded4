//! A clock that was wrong for a line spoils nothing of what is kept beside it.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod common;

use common::census_of_unnamed;
use hostssl_census::{CensusVerdict, KeptCensus, Millis, Requirements, Restriction};

const TLS: &str = " SSL enabled (protocol=TLSv1.3, cipher=TLS_AES_256_GCM_SHA384, bits=256)";
const HOUR: u64 = 3_600;
const DAY: u64 = 24 * HOUR;
const NOW: u64 = 8 * DAY;

fn session(at: u64, user: &str, tls: &str) -> String {
    let (day, hour, minute, second) = (at / DAY + 1, at / HOUR % 24, at / 60 % 60, at % 60);
    let head = format!("1970-01-{day:02} {hour:02}:{minute:02}:{second:02} UTC-{at:08x}.9-LOG:  ");
    format!(
        "{head}connection received: host=10.0.0.4 port=5\n{head}connection authorized: user={user} database=shop{tls}\n"
    )
}

fn week() -> String {
    (0..NOW).step_by(1_200).map(|at| session(at, "app", TLS)).collect()
}

fn look(log: &str) -> KeptCensus {
    census_of_unnamed([log]).keep(Millis::try_from(NOW).unwrap() * 1_000)
}

#[test]
fn a_line_from_the_future_hides_no_client_of_today() {
    let requirements = Requirements { now: Some(Millis::try_from(NOW).unwrap() * 1_000), ..Requirements::default() };
    assert_eq!(look(&week()).judge(requirements, None).verdict, CensusVerdict::Safe);
    for ahead in [2 * DAY, 15 * DAY] {
        let wrong = look(&(week() + &session(NOW + ahead, "app", TLS)));
        let plain = look(&(week() + &session(NOW - HOUR + 7, "legacy", "")));
        let mut both = wrong.clone();
        both.merge(plain.clone());
        let mut back = plain;
        back.merge(wrong.clone());
        for (kept, expected) in
            [(wrong, CensusVerdict::NeedsObservation), (both, CensusVerdict::Breaks), (back, CensusVerdict::Breaks)]
        {
            let report = kept.judge(requirements, None);
            assert_eq!(report.verdict, expected, "{}", report.reason);
            assert!(report.reason.starts_with("a clock was wrong: "), "{}", report.reason);
            assert!(report.reason.contains("`hostssl clients forget NAME`"), "{}", report.reason);
            assert!(report.window.unwrap().to <= requirements.now.unwrap() + 86_400_000, "{:?}", report.window);
            let floor = kept.impact(Restriction::MinimumTls("TLSv1.2"), requirements, None);
            assert_eq!(floor.verdict, CensusVerdict::NeedsObservation, "{}", floor.reason);
            assert!(floor.reason.starts_with("a clock was wrong: "), "{}", floor.reason);
        }
    }
}
