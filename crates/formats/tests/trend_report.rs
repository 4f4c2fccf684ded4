//! Audits over time, as people and programs read them.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hostssl_formats::trend::{AuditPoint, PresentPoint, schema, value, write, write_csv};
use hostssl_formats::{Palette, Text};
use hostssl_model::Standings;
use hostssl_test_support::schema::Schema;

fn points() -> Vec<AuditPoint<'static>> {
    let point = |run, day: u32, profile, complete, not_enforced, unknown, proven| AuditPoint {
        run,
        started_at: format!("2026-11-{day:02}T09:00:00Z"),
        profile,
        complete,
        standings: Standings { not_enforced, unknown, proven, not_probed: 40, ..Standings::default() },
        fail: not_enforced,
        unknown,
        pass: proven + 40,
    };
    vec![
        point("01a2b3c4-d5e6-7000-8000-000000000001", 1, "baseline@1", true, 300, 1, 0),
        point("01a2b3c4-d5e6-7000-8000-000000000002", 8, "baseline@1", false, 200, 60, 80),
        point("=cmd", 9, "baseline@2", true, 0, 0, 300),
    ]
}

fn now() -> PresentPoint {
    let standings = Standings { accepts_plaintext: 2, unproven: 1, proven: 297, ..Standings::default() };
    PresentPoint { at: "2026-11-10T09:00:00Z".to_owned(), standings, changed: 2 }
}

fn chart(text: &Text<'_>) -> String {
    let mut out = Vec::new();
    write(&mut out, &points(), None, text).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_chart_is_to_scale_and_needs_no_colour() {
    insta::assert_snapshot!(chart(&Text::plain()));
    assert!(chart(&Text { palette: Palette::Colour, ..Text::plain() }).contains("\u{1b}["));
    let narrow = chart(&Text { width: Some(80), ..Text::plain() });
    let longest = narrow.lines().take(4).map(|line| line.chars().count()).max().unwrap();
    assert!(longest <= 80, "{longest}:\n{narrow}");
    // One server among hundreds is still a letter.
    assert!(narrow.lines().nth(1).unwrap().contains('▒'), "{narrow}");
}

#[test]
fn the_present_is_a_line_of_its_own_where_it_is_another_than_the_last_audit() {
    let write_with = |now: &PresentPoint| {
        let mut out = Vec::new();
        write(&mut out, &points(), Some(now), &Text::plain()).unwrap();
        String::from_utf8(out).unwrap()
    };
    insta::assert_snapshot!(write_with(&now()));
    let standings = points().pop().unwrap().standings;
    let same = PresentPoint { standings, changed: 0, ..now() };
    assert_eq!(write_with(&same), chart(&Text::plain()), "nothing happened since");
    assert!(write_with(&PresentPoint { changed: 1, ..same }).contains("a run has changed 1 server"));
}

#[test]
fn the_schema_is_the_committed_one_and_trends_keep_to_it() {
    let schema = Schema::generated("trend-v1", &schema());
    let written = value(&points(), Some(&now())).unwrap();
    schema.assert_accepts(&written);
    schema.assert_refuses(&written, |wrong| wrong["audits"][0]["servers"] = "many".into());
    for audit in written["audits"].as_array().unwrap() {
        let counts = audit["standings"].as_object().unwrap().values().map(|count| count.as_u64().unwrap());
        assert_eq!(audit["servers"], counts.sum::<u64>());
    }
    let mut csv = Vec::new();
    write_csv(&mut csv, &points()).unwrap();
    insta::assert_snapshot!(String::from_utf8(csv).unwrap());
}

#[test]
fn no_audit_is_an_empty_trend() {
    let mut out = Vec::new();
    write(&mut out, &[], None, &Text::plain()).unwrap();
    assert_eq!(value(&[], None).unwrap()["audits"], serde_json::json!([]));
}
