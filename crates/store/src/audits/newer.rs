//! What a newer version kept and this one does not know: it is unknown, and not damaged.

use super::document::{ServerFacts, ServerJudgement, StoredFinding, StoredReading};
use super::listener::StoredListener;
use super::unchecked::StoredUnchecked;
use hostssl_model::{
    Coded, Floor, Gap, GapScope, Kind, Outcome, Reason, SslEnforcement, Unchecked, WireTransport, Word,
};

/// What of the servers of an audit this version does not know.
#[derive(Debug, Default)]
pub struct NewerWords {
    /// For each server with such words, which they are.
    pub gaps: Vec<Gap>,
    /// How many of those servers are of a kind that this version does not know, so that it cannot show or judge them.
    pub servers: u64,
}

impl NewerWords {
    pub(crate) fn add(&mut self, facts: &ServerFacts, judgement: &ServerJudgement) {
        let words = words(facts, judgement);
        if !words.is_empty() {
            let unchecked = Unchecked::of_a_newer_version(&words);
            self.gaps.push(Gap { scope: GapScope::read(&facts.id), unchecked });
        }
    }
}

/// The words of a server's documents that this version does not know, each with what it stands for.
pub(crate) fn words(facts: &ServerFacts, judgement: &ServerJudgement) -> Vec<String> {
    let mut found = Vec::new();
    of_facts(facts, &mut found);
    note::<SslEnforcement>("the enforcement", &judgement.ssl_enforcement, &mut found);
    if let Some(floor) = &judgement.minimal_tls_version {
        note::<Floor>("the minimum version", floor, &mut found);
    }
    for finding in &judgement.findings {
        of_finding(finding, &mut found);
    }
    found
}

fn of_facts(facts: &ServerFacts, found: &mut Vec<String>) {
    note::<Kind>("the kind", &facts.kind, found);
    for reading in &facts.readings {
        of_reading(reading, found);
    }
    for listener in &facts.wire {
        of_listener(listener, found);
    }
}

fn of_reading(reading: &StoredReading, found: &mut Vec<String>) {
    if let Word::Other(setting) = reading.name() {
        found.push(match &reading.value {
            Some(value) => format!("the setting `{setting}` with the value `{value}`"),
            None => format!("the setting `{setting}`"),
        });
    }
    of_unchecked(reading.unchecked.as_ref(), found);
}

fn of_finding(finding: &StoredFinding, found: &mut Vec<String>) {
    if let Word::Other(control) = finding.control() {
        found.push(format!("the control `{control}` with the outcome `{}`", finding.outcome));
    } else {
        note::<Outcome>(&format!("of the control `{}` the outcome", finding.control), &finding.outcome, found);
    }
    of_unchecked(finding.unchecked.as_ref(), found);
}

fn of_listener(listener: &StoredListener, found: &mut Vec<String>) {
    let of_port = |what: &str| format!("of port {} the {what}", listener.port);
    if let Some(seen) = &listener.seen {
        note::<WireTransport>(&of_port("verdict"), &seen.transport, found);
        let unknown = seen.unknown_versions();
        found.extend(unknown.map(|version| format!("{} `{version}`", of_port("version"))));
    }
    of_unchecked(listener.unchecked.as_ref(), found);
}

fn of_unchecked(unchecked: Option<&StoredUnchecked>, found: &mut Vec<String>) {
    if let Some(unchecked) = unchecked {
        note::<Reason>("the reason", &unchecked.reason, found);
    }
}

/// Notes a word that is none of this version's. Words of a document are often the same: each is noted once.
fn note<T: Coded>(what: &str, word: &str, found: &mut Vec<String>) {
    if T::of_code(word).is_none() {
        let told = format!("{what} `{word}`");
        if !found.contains(&told) {
            found.push(told);
        }
    }
}
