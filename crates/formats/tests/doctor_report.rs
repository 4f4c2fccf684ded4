//! What `hostssl doctor` found, as people and programs read it.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hostssl_formats::doctor_json::{schema, value};
use hostssl_formats::{Palette, Text, doctor_text};
use hostssl_model::{DoctorCheck, DoctorCheckId as Id, DoctorReport};
use hostssl_test_support::schema::Schema;

fn report(detail: &str) -> DoctorReport {
    DoctorReport {
        checked_at: "2026-11-29T12:00:00Z".into(),
        tool_version: "0.1.0".into(),
        cloud: "AzureCloud".into(),
        checks: vec![
            DoctorCheck::ok(Id::StateDirectory, detail),
            DoctorCheck::not_applicable(Id::CaFile, "no --ca-file"),
            DoctorCheck::warning(Id::RightsApply, detail, "ask for a role"),
            DoctorCheck::failed(Id::SignIn, detail, "run `az login`"),
            DoctorCheck::unknown(Id::Clock, "no answer", None),
        ],
    }
}

fn text(report: &DoctorReport, text: &Text<'_>) -> String {
    let mut out = Vec::new();
    doctor_text::write(&mut out, report, text).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_line_for_each_check_and_what_to_do() {
    insta::assert_snapshot!(text(&report("so it is"), &Text::plain()));
    let coloured = Text { palette: Palette::Colour, ..Text::plain() };
    assert!(text(&report("so it is"), &coloured).contains("\u{1b}["));
}

#[test]
fn the_schema_is_the_committed_one_and_reports_keep_to_it() {
    let schema = Schema::generated("doctor-v1", &schema());
    let written = value(&report("so it is")).unwrap();
    schema.assert_accepts(&written);
    schema.assert_refuses(&written, |wrong| wrong["checks"][0]["fix"] = 1.into());
    assert_eq!(written["summary"], serde_json::json!({"ok": 1, "warning": 1, "failed": 1, "skipped": 2}));
    assert_eq!((&written["complete"], &written["checks"][4]["unknown"]), (&false.into(), &true.into()));
}
