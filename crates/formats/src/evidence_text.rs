//! The page of an evidence pack that an auditor reads first.

use crate::evidence_json::EvidenceSummary;
use crate::scope_words::scope_words;
use crate::{earlier_look, safe, waiver_text};
use hostssl_model::{AuditReport, Gap, Principal, Standing, Standings};
use std::collections::BTreeMap;
use std::io::{self, Write};

/// The widest line.
const WIDTH: usize = 100;
/// Gaps that are listed for each reason; the others are in `pack.json`.
const LISTED: usize = 5;

/// Writes the page.
///
/// # Errors
///
/// Whatever the writer returns.
pub fn write(out: &mut dyn Write, summary: &EvidenceSummary<'_>) -> io::Result<()> {
    let report = summary.report;
    title(out, "Evidence: encryption in transit of PostgreSQL on Azure", '=')?;
    if summary.simulated {
        paragraph(out, "", "THIS WAS AN AUDIT OF A SIMULATED AZURE. It is evidence of nothing real.")?;
        writeln!(out)?;
    }
    if !summary.missing.is_empty() {
        let what =
            "THIS PACK IS NOT COMPLETE: a part of what was kept is damaged or lost. What is missing is listed below.";
        paragraph(out, "", what)?;
        writeln!(out)?;
    }
    write_run(out, summary)?;
    write_result(out, report)?;
    write_coverage(out, summary)?;
    write_contents(out, summary)?;
    section(out, "What is not in this pack")?;
    for (_, text) in summary.absent() {
        paragraph(out, "- ", &text)?;
    }
    write_rules(out)?;
    write_checks(out, summary)
}

fn write_run(out: &mut dyn Write, summary: &EvidenceSummary<'_>) -> io::Result<()> {
    let run = &summary.report.run;
    let by = match run.principals.as_slice() {
        [] => "no identity: nothing needed a sign-in".to_owned(),
        principals => principals.iter().map(identity).collect::<Vec<_>>().join("; "),
    };
    let rows = [
        ("Audit", run.id.clone()),
        ("From", run.started_at.clone()),
        ("Until", run.finished_at.clone()),
        ("By", by),
        ("Cloud", run.cloud.clone()),
        ("Scope", scope_words(&run.scope)),
        ("Rules", run.asked.rules(&run.profile)),
        ("Audited with", format!("hostssl {}", run.tool_version)),
        ("Packed with", format!("hostssl {}", summary.packed_with)),
        (
            "Signed by",
            summary.signer.map_or("no key: the pack is not signed".to_owned(), |key| format!("the key {key}")),
        ),
    ];
    for (name, value) in rows {
        paragraph(out, &format!("{name:<14}"), &value)?;
    }
    Ok(())
}

fn identity(principal: &Principal) -> String {
    let object = principal.object_id.as_ref().map(|id| format!(", object {id}"));
    let tenant = principal.tenant.as_ref().map(|id| format!(", tenant {id}"));
    let name = if principal.name.is_empty() { "an identity without a name" } else { &principal.name };
    format!("{name}{}{}, signed in with {}", object.unwrap_or_default(), tenant.unwrap_or_default(), principal.method)
}

fn write_result(out: &mut dyn Write, report: &AuditReport) -> io::Result<()> {
    section(out, "Result")?;
    let counts = &report.summary;
    let line = format!(
        "{} servers: {} fail, {} unknown, {} pass. A server is as its worst control. By what the servers do:",
        counts.servers, counts.fail, counts.unknown, counts.pass
    );
    paragraph(out, "", &line)?;
    let standings = Standings::of(&report.servers);
    for standing in Standing::ALL {
        let text = format!("{}: {}", standing.words(), standing.definition());
        paragraph(out, &format!("{:>7}  ", standings.count(standing)), &text)?;
    }
    earlier_look::counted(report).map_or(Ok(()), |note| paragraph(out, "Note: ", &note))?;
    waiver_text::used(report).iter().try_for_each(|line| paragraph(out, "- ", line))
}

fn write_coverage(out: &mut dyn Write, summary: &EvidenceSummary<'_>) -> io::Result<()> {
    section(out, "What could not be checked")?;
    let report = summary.report;
    let whole = if report.run.complete {
        "The audit is complete: every server that Azure lists in this scope was read. What the identity cannot see at all \
         is not listed to it, and so is not in the scope."
    } else {
        "The audit is NOT complete. Nothing below counts as a pass; pack.json has every gap."
    };
    paragraph(out, "", whole)?;
    let mut by_reason: BTreeMap<&str, Vec<&Gap>> = BTreeMap::new();
    report.gaps.iter().for_each(|gap| by_reason.entry(gap.unchecked.reason.as_str()).or_default().push(gap));
    for (reason, gaps) in by_reason {
        paragraph(out, "- ", &format!("{reason}: {}", gaps.len()))?;
        for gap in gaps.iter().take(LISTED) {
            let needs = gap.unchecked.missing_permission.as_ref().map(|action| format!("; needs {action}"));
            let text = format!("{}: {}{}", gap.scope, gap.unchecked.detail, needs.unwrap_or_default());
            paragraph(out, "    ", &text)?;
        }
        if gaps.len() > LISTED {
            paragraph(out, "    ", &format!("and {} more, in pack.json", gaps.len() - LISTED))?;
        }
    }
    Ok(())
}

fn write_contents(out: &mut dyn Write, summary: &EvidenceSummary<'_>) -> io::Result<()> {
    section(out, "What is in this pack")?;
    let servers = summary.report.servers.len();
    let has_waivers = summary.report.overlay.waivers.is_some();
    let rows = [
        (true, "pack.json", "what the pack is: the audit, its identities, its coverage with every gap".to_owned()),
        (true, "audit.json", "the audit: every server and every result, in the format hostssl/audit/v1".to_owned()),
        (true, "audit.csv", "the same as a table: a row for each server and control".to_owned()),
        (true, "audit.md", "a summary with what fails and what is unknown".to_owned()),
        (
            servers > 0,
            "servers/",
            format!(
                "a file for each of {servers} servers: its id, when and by whom it was read, Azure's response for each \
                 setting with its SHA-256, what a probe observed, and why each control ended as it did"
            ),
        ),
        (
            true,
            "controls.json",
            "the controls, and the requirements of standards that they answer, by version".to_owned(),
        ),
        (true, "controls/", "a page for each control: what it checks and how it decides".to_owned()),
        (summary.audits > 0, "history.csv", format!("the audits of the same scope ({}), oldest first", summary.audits)),
        (
            summary.clients > 0,
            "clients.json",
            format!(
                "the clients of servers ({}), from all observations that were kept when the pack was made",
                summary.clients
            ),
        ),
        (
            summary.transcripts > 0,
            "transcripts/",
            format!(
                "what the audit's own probes exchanged with {} servers: the report of a listener a line, with every message, \
                 as hostssl/probe/v1 has them",
                summary.transcripts
            ),
        ),
        (summary.earlier > 0, "earlier/", earlier(summary)),
        (
            summary.probes > 0,
            "probes/",
            format!(
                "probes of servers of this audit that were run on their own ({}), an endpoint a line",
                summary.probes
            ),
        ),
        (
            summary.runs > 0,
            "runs/",
            format!(
                "runs that changed servers of this audit ({}). ID/plan.json is the plan that was approved, whole, because \
                 its hash covers all of it; ID/approval.json who approved it; ID/result.json each step with the receipts \
                 of its writes; ID/journal.jsonl everything that was recorded, in order",
                summary.runs
            ),
        ),
        (has_waivers, "waivers.toml", "the failures that were accepted, as the file was given".to_owned()),
        (true, "SHA256SUMS", "the SHA-256 of every other file".to_owned()),
        (summary.signer.is_some(), "SHA256SUMS.sig", "its signature".to_owned()),
    ];
    for (_, name, text) in rows.iter().filter(|(is_there, ..)| *is_there) {
        paragraph(out, &format!("{name:<16}"), text)?;
    }
    Ok(())
}

fn earlier(summary: &EvidenceSummary<'_>) -> String {
    let looks = summary.earlier;
    let with = match summary.earlier_transcripts {
        0 => String::new(),
        with => format!(", with every message of {with} of these looks as in transcripts/"),
    };
    format!(
        "what earlier audits saw of servers that count by it, as this audit did not probe them, or not from there: \
         ID/ is the audit, with a file for each look ({looks}){with}"
    )
}

const RULES: [&str; 6] = [
    "pass: it was observed, and it is as the control asks.",
    "fail: it was observed, and it is not as the control asks.",
    "unknown: it could not be checked. The reason is given, with the permission that is missing if that is it. It is never \
     counted as a pass.",
    "not-applicable: the control says nothing about this kind of server.",
    "Results with the confidence `declared` rest on what Azure declares. Those with `wire-confirmed` rest on what a probe \
     observed from the network as well, without credentials, from the place where hostssl ran.",
    "A waiver changes no outcome: the control still fails, with the waiver beside it. Waivers are judged by the day on which \
     the audit ended.",
];

fn write_rules(out: &mut dyn Write) -> io::Result<()> {
    section(out, "How outcomes are decided")?;
    RULES.iter().try_for_each(|rule| paragraph(out, "- ", rule))?;
    paragraph(out, "- ", "The rules of each control are in controls/, as the hostssl that made the pack has them.")
}

fn write_checks(out: &mut dyn Write, summary: &EvidenceSummary<'_>) -> io::Result<()> {
    section(out, "How to check this pack without hostssl")?;
    paragraph(out, "", "Unpack it into an empty folder, and in that folder run:")?;
    writeln!(out, "\n    sha256sum --check --strict --quiet SHA256SUMS\n")?;
    let text = "It prints nothing when no listed file was changed or removed. That no file was added shows when these two \
                numbers are equal:";
    paragraph(out, "", text)?;
    writeln!(out, "\n    wc -l < SHA256SUMS\n    find . -type f ! -path './SHA256SUMS*' | wc -l\n")?;
    if summary.signer.is_some() {
        paragraph(
            out,
            "",
            "Who signed it, with a file of the keys that you trust (`NAME ssh-ed25519 KEY`, a line each):",
        )?;
        let command = "ssh-keygen -Y verify -f allowed_signers -I NAME -n file -s SHA256SUMS.sig < SHA256SUMS";
        writeln!(out, "\n    {command}\n")?;
    } else {
        let text = "It is not signed: anyone who changes a file can write a new SHA256SUMS. Compare the SHA-256 of SHA256SUMS \
                    with one that you got another way; `hostssl evidence` printed it when it made the pack.";
        paragraph(out, "", text)?;
        writeln!(out)?;
    }
    paragraph(out, "", "With hostssl, all of it at once, and the archive too:")?;
    let signers = if summary.signer.is_some() { " --allowed-signers allowed_signers" } else { "" };
    writeln!(out, "\n    hostssl evidence verify FILE.zip{signers}\n")?;
    let text = "This shows that the pack is as it was written, and who signed it. It does not show that the machine on which \
                hostssl ran recorded what Azure and the servers answered: for that, run the audit again.";
    paragraph(out, "", text)
}

fn title(out: &mut dyn Write, text: &str, line: char) -> io::Result<()> {
    let under: String = std::iter::repeat_n(line, text.chars().count()).collect();
    writeln!(out, "{text}\n{under}\n")
}

fn section(out: &mut dyn Write, text: &str) -> io::Result<()> {
    writeln!(out)?;
    title(out, text, '-')
}

/// Writes text behind a beginning, and its further lines below the first word.
fn paragraph(out: &mut dyn Write, begin: &str, text: &str) -> io::Result<()> {
    let text = safe(text);
    let indent = begin.chars().count();
    let mut line = begin.to_owned();
    let mut is_empty = true;
    for word in text.split_whitespace() {
        let length = line.chars().count() + word.chars().count() + 1;
        if !is_empty && length > WIDTH {
            writeln!(out, "{}", line.trim_end())?;
            line = " ".repeat(indent);
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    writeln!(out, "{}", line.trim_end())
}
