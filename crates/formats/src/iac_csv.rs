//! A check of a file as CSV: one row for each server and rule, and one for a server of which nothing is left to judge.

use crate::csv_cell::{inert, unwrapped};
use crate::{iac_words, standards};
use hostssl_iac::{IacFinding, IacReason, IacReport, IacRule, IacServer, LiveDifference};
use hostssl_model::{Meaning, ResourceId};
use std::io::{self, Write};

const HEADINGS: [&str; 23] = [
    "file",
    "server",
    "resourceGroup",
    "address",
    "kind",
    "serverChange",
    "outcome",
    "rule",
    "ruleOutcome",
    "severity",
    "setting",
    "effect",
    "before",
    "after",
    "live",
    "liveDifference",
    "expected",
    "reason",
    "what",
    "id",
    "standards",
    "waivedUntil",
    "fingerprint",
];

/// Writes the report of a file that is called so.
///
/// # Errors
///
/// Whatever the writer returns.
pub fn write(out: &mut dyn Write, report: &IacReport, file: &str) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(HEADINGS).map_err(unwrapped)?;
    for server in &report.servers {
        let none = server.findings.is_empty().then(|| row(server, file, None));
        let rows = server.findings.iter().map(|finding| row(server, file, Some(finding)));
        for row in none.into_iter().chain(rows) {
            writer.write_record(row.each_ref().map(|cell| inert(cell))).map_err(unwrapped)?;
        }
    }
    writer.flush()
}

fn row(server: &IacServer, file: &str, finding: Option<&IacFinding>) -> [String; 23] {
    let of = |words: &dyn Fn(&IacFinding) -> String| finding.map(words).unwrap_or_default();
    let code = |code: &dyn Fn(&IacFinding) -> &'static str| finding.map(code).unwrap_or_default().to_owned();
    let spelled = |meaning: &dyn Fn(&IacFinding) -> Option<Meaning>| {
        code(&|one| meaning(one).and_then(|meaning| one.setting.spell(meaning)).unwrap_or_default())
    };
    [
        file.to_owned(),
        server.title().to_owned(),
        server.resource_group.as_deref().unwrap_or_default().to_owned(),
        server.address.to_string(),
        server.kind.as_str().to_owned(),
        server.change.as_str().to_owned(),
        server.outcome().as_str().to_owned(),
        code(&|one| one.rule.as_str()),
        code(&|one| one.outcome.as_str()),
        code(&|one| one.rule.severity().as_str()),
        code(&|one| one.setting.key()),
        code(&|one| one.effect.as_str()),
        spelled(&|one| one.before),
        spelled(&|one| one.after),
        spelled(&|one| one.live.map(|live| live.meaning)),
        code(&|one| one.live.and_then(|live| live.difference).map_or("", LiveDifference::as_str)),
        of(&|one| one.expected.as_deref().unwrap_or_default().to_owned()),
        code(&|one| one.reason.map_or("", IacReason::as_str)),
        of(&iac_words::what),
        server.id.as_ref().map_or("", ResourceId::as_str).to_owned(),
        of(&|one| match one.rule {
            IacRule::Control(id) => standards::requirements_of(id).join("; "),
            IacRule::ResetRefusesClients => String::new(),
        }),
        of(&|one| one.accepted().map_or("", |waiver| waiver.expires.as_str()).to_owned()),
        of(&|one| server.fingerprint(one)),
    ]
}
