//! What a kept census says about making a server stricter.

use super::before_window::doubt;
use super::settled::Settled;
use super::{EarlierClient, EarlierFate, KeptCensus, KeptClient, KeptSource};
use crate::client_key::{Key, order};
use crate::log_time::DAY;
use crate::verdict::{CensusEvidence, FUTURE, covered_by_any, days, index, judge};
use crate::{
    CensusReport, CensusVerdict, Client, Coverage, Interval, Millis, Missing, MissingReason, RefusedClient,
    Requirements, SessionTls, Source, SourceKind,
};
use std::collections::BTreeMap;

/// The shortest time that every log line tells.
const SECOND: Millis = 1_000;

/// A way to make a server stricter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restriction<'a> {
    /// Connections in plaintext are refused.
    RequireTls,
    /// Versions of TLS below this one are refused. It is spelled as PostgreSQL does: `TLSv1.2`.
    MinimumTls(&'a str),
}

impl KeptCensus {
    /// Judges whether TLS can be enforced. The window ends with the newest thing that was observed, and what was seen
    /// before the window, or before `since`, when the server was made, does not count; but nothing is safe while a client that was in plaintext before
    /// the window has not been observed since ([`Self::earlier`]).
    #[must_use]
    pub fn judge(&self, requirements: Requirements, since: Option<Millis>) -> CensusReport {
        self.judge_from(requirements, since, since)
    }

    /// Judges as [`Self::judge`] does, by what was observed since a time that someone chose. The server was there before it:
    /// nothing is safe while a client that was in plaintext before that time has not been observed since.
    #[must_use]
    pub fn judge_chosen(&self, requirements: Requirements, since: Option<Millis>) -> CensusReport {
        self.judge_from(requirements, since, None)
    }

    /// Nothing from before `since` is evidence of TLS, and no client from before `made` may come back.
    fn judge_from(&self, requirements: Requirements, since: Option<Millis>, made: Option<Millis>) -> CensusReport {
        let from = self.from(requirements, since);
        let ahead = ahead(requirements);
        let sources = self.sources_within(from, ahead);
        let clients = self.clients_from(from, &sources);
        let evidence = CensusEvidence { clients: &clients, unlisted: self.unlisted.since(from), sources: &sources };
        let (verdict, reason) = judge(&evidence, requirements);
        let earlier = self.earlier_for(Restriction::RequireTls, from, made, &sources);
        let (verdict, reason) = unless_missed(verdict, reason, &earlier, Restriction::RequireTls);
        let (verdict, reason) = self.unless_ahead(verdict, reason, requirements);
        let whole = covered_by_any(&sources);
        CensusReport {
            verdict,
            reason,
            window: whole.window(),
            observed: whole.observed(),
            sources,
            refused: self.refused.shown(from, &clients),
            refused_unlisted: self.refused.unlisted,
            clients,
            earlier: still_open(earlier),
            unlisted: self.unlisted.counts,
        }
    }

    /// The clients that were refused in plaintext since then, the last one first. The second of `since` counts whole: many
    /// servers, those of Azure among them, write only the second of a line (`%t` in `log_line_prefix`).
    #[must_use]
    pub fn refused_since(&self, since: Millis) -> Vec<RefusedClient> {
        let since = since - since.rem_euclid(SECOND);
        self.refused.shown(Some(since), &self.clients_from(Some(since), &[]))
    }

    /// Judges one way to make the server stricter. The clients of the report are those that it would refuse, and those of which
    /// that is unknown, those among them that were last seen before the window. What was seen before `since` does not count.
    #[must_use]
    pub fn impact(
        &self,
        restriction: Restriction<'_>,
        requirements: Requirements,
        since: Option<Millis>,
    ) -> CensusReport {
        let mut report = self.judge(requirements, since);
        let Restriction::MinimumTls(floor) = restriction else {
            report.clients.retain(|client| matches!(client.tls, SessionTls::Plaintext | SessionTls::Unknown));
            report.clients.extend(report.earlier.iter().cloned());
            return report;
        };
        let earlier = self.earlier_for(restriction, self.from(requirements, since), since, &report.sources);
        let lowest = |client: &Client| client.lowest_protocol.clone();
        let is_below = |client: &Client| lowest(client).is_some_and(|version| version.as_str() < floor);
        let is_open = |client: &Client| match client.tls {
            SessionTls::Tls => client.lowest_protocol.is_none(),
            tls => tls == SessionTls::Unknown,
        };
        let below = report.clients.iter().filter(|client| is_below(client)).count();
        let open = report.clients.iter().filter(|client| is_open(client)).count();
        let unlisted = self.unlisted.since(self.from(requirements, since));
        let is_beyond = |tls: SessionTls| unlisted.get(index(tls)).is_some_and(|count| *count > 0);
        let plural = |count: usize| if count == 1 { "1 client".to_owned() } else { format!("{count} clients") };
        (report.verdict, report.reason) = if below > 0 {
            let verb = if below == 1 { "connects" } else { "connect" };
            (CensusVerdict::Breaks, format!("{} {verb} with a TLS version below {floor}", plural(below)))
        } else if open > 0 {
            (CensusVerdict::NeedsObservation, format!("the TLS version of {} could not be determined", plural(open)))
        } else if is_beyond(SessionTls::Tls) || is_beyond(SessionTls::Unknown) {
            let reason = "more clients connected than are listed, and the TLS version of those could not be determined";
            (CensusVerdict::NeedsObservation, reason.to_owned())
        } else {
            // Clients in plaintext use no version of TLS at all.
            let others: Vec<Client> =
                report.clients.iter().filter(|client| client.tls != SessionTls::Plaintext).cloned().collect();
            let evidence = CensusEvidence { clients: &others, unlisted: [0; 4], sources: &report.sources };
            let (verdict, reason) = match judge(&evidence, requirements) {
                (CensusVerdict::Safe, _) => {
                    let observed = days(report.observed);
                    (CensusVerdict::Safe, format!("every client with TLS used {floor} or newer in {observed}"))
                }
                other => other,
            };
            unless_missed(verdict, reason, &earlier, restriction)
        };
        (report.verdict, report.reason) = self.unless_ahead(report.verdict, report.reason, requirements);
        report.clients.retain(|client| is_below(client) || is_open(client));
        report.earlier = still_open(earlier);
        report.clients.extend(report.earlier.iter().cloned());
        report
    }

    /// The last thing that a source saw which sees every connection; the last of all where there is no such source. What a clock
    /// that was wrong has in the future is left out.
    fn until(&self, ahead: Millis) -> Option<Millis> {
        let last = |spans: &mut dyn Iterator<Item = Interval>| -> Option<Millis> {
            spans.filter(|span| span.from <= ahead).map(|span| span.to.min(ahead)).max()
        };
        let sources = || self.sources.values();
        last(&mut sources().flat_map(|source| &source.complete).map(|span| span.time))
            .or_else(|| last(&mut sources().flat_map(|source| &source.parts).map(|(span, ..)| *span)))
    }

    /// The verdict, unless something that is kept was logged by a clock that was wrong: it is not known what else was.
    fn unless_ahead(
        &self,
        verdict: CensusVerdict,
        reason: String,
        requirements: Requirements,
    ) -> (CensusVerdict, String) {
        let spans = self.sources.values().flat_map(|source| {
            source.complete.iter().map(|span| span.time).chain(source.parts.iter().map(|(span, ..)| *span))
        });
        let beyond = spans.map(|span| span.to).max().zip(requirements.now);
        let Some((last, now)) = beyond.filter(|(last, _)| *last > ahead(requirements)) else {
            return (verdict, reason);
        };
        let verdict = if verdict == CensusVerdict::Safe { CensusVerdict::NeedsObservation } else { verdict };
        let ahead = days(last - now);
        let said = format!(
            "a clock was wrong: what was logged up to {ahead} in the future is left out, and `hostssl clients forget NAME` removes what is kept"
        );
        (verdict, format!("{said}; {reason}"))
    }

    pub(super) fn from(&self, requirements: Requirements, since: Option<Millis>) -> Option<Millis> {
        let from = self.until(ahead(requirements)).map(|until| until.saturating_sub(requirements.window));
        from.max(since)
    }

    fn sources_within(&self, from: Option<Millis>, ahead: Millis) -> Vec<Source> {
        self.sources.iter().flat_map(|(kind, source)| source.shown(*kind, from, ahead)).collect()
    }

    fn clients_from(&self, from: Option<Millis>, sources: &[Source]) -> Vec<Client> {
        let counts = |client: &KeptClient| client.last.is_none() || from.is_none() || client.last >= from;
        let settled = Settled::of(self, &counts);
        let mut clients: Vec<Client> = self
            .clients
            .iter()
            .filter(|(key, client)| counts(client) && !client.is_own(key) && !settled.explains(key, client))
            .map(|(key, client)| client.shown(key, from, sources))
            .collect();
        clients.sort_by(|a, b| order(a).cmp(&order(b)));
        clients
    }
}

/// Times beyond this are of a clock that was wrong.
fn ahead(requirements: Requirements) -> Millis {
    requirements.now.map_or(Millis::MAX, |now| now.saturating_add(FUTURE))
}

/// The verdict, unless it is safe only because clients that would have been refused were not observed lately.
pub(crate) fn unless_missed(
    verdict: CensusVerdict,
    reason: String,
    earlier: &[EarlierClient],
    restriction: Restriction<'_>,
) -> (CensusVerdict, String) {
    match doubt(earlier, restriction) {
        Some(doubt) if verdict == CensusVerdict::Safe => {
            (CensusVerdict::NeedsObservation, format!("{reason}, but {doubt}"))
        }
        _ => (verdict, reason),
    }
}

/// Those of which nothing newer is known.
pub(crate) fn still_open(earlier: Vec<EarlierClient>) -> Vec<Client> {
    earlier.into_iter().filter(|one| one.fate == EarlierFate::Unknown).map(|one| one.client).collect()
}

impl KeptClient {
    pub(super) fn shown(&self, key: &Key, from: Option<Millis>, sources: &[Source]) -> Client {
        let Key { user, database, application, address, backend, tls } = key.clone();
        let first_day = from.map(|from| from.div_euclid(DAY));
        let counted: Vec<_> =
            self.days.iter().filter(|(day, _)| day.is_none() || first_day.is_none() || **day >= first_day).collect();
        let protocols: BTreeMap<_, _> =
            self.protocols.iter().filter(|(_, (at, _))| at.is_none() || from.is_none() || *at >= from).collect();
        let newest = protocols.iter().max_by_key(|(_, (at, _))| *at);
        Client {
            user,
            database,
            application,
            address,
            backend,
            tls,
            protocol: newest.map(|(protocol, _)| (*protocol).clone()),
            cipher: newest.and_then(|(_, (_, cipher))| cipher.clone()),
            lowest_protocol: protocols.keys().next().map(|protocol| (*protocol).clone()),
            first_seen: self.first,
            last_seen: self.last,
            sightings: counted.iter().map(|(_, sessions)| sessions.count()).sum(),
            is_estimate: counted.iter().any(|(_, sessions)| !sessions.is_exact()),
            sources: (0..sources.len())
                .filter(|at| sources.get(*at).is_some_and(|source| self.sources.contains(&source.kind)))
                .collect(),
            doubt: self.doubt,
        }
    }
}

impl KeptSource {
    /// What it has shown since then: whole, and in part.
    fn shown(&self, kind: SourceKind, from: Option<Millis>, ahead: Millis) -> Vec<Source> {
        let within = |span: Interval| (span.from <= ahead).then_some(Interval { to: span.to.min(ahead), ..span });
        let mut whole = Source::new(kind, name(kind));
        whole.coverage = Coverage::apart(self.covered().into_iter().filter_map(within).collect());
        let mut part = Source::new(kind, format!("{}, in part", name(kind)));
        part.coverage = Coverage::apart(self.parts.iter().filter_map(|(span, ..)| within(*span)).collect());
        for (_, reason, detail) in &self.parts {
            part.lacks(*reason, detail.clone());
        }
        if let Some(from) = from {
            whole.coverage.cut(from);
            part.coverage.cut(from);
        }
        for (reason, detail) in &self.notes {
            if reason.blocks() {
                part.lacks(*reason, detail.clone());
            } else {
                whole.missing.push(Missing { reason: *reason, detail: detail.clone() });
            }
        }
        let is_shown = |source: &Source| source.coverage.window().is_some();
        // Sessions and poolers never show everything, so that what is said of them has no other place.
        if !is_shown(&whole) && is_shown(&part) {
            for missing in std::mem::take(&mut whole.missing) {
                part.lacks(missing.reason, missing.detail);
            }
        }
        let mut shown = Vec::new();
        if is_shown(&whole) {
            shown.push(whole);
        } else if part.missing.is_empty() && !is_shown(&part) {
            // It was asked, and had nothing to show for this time.
            whole.is_complete = false;
            if whole.missing.is_empty() {
                whole.lacks(MissingReason::Empty, "it has no data for this time");
            }
            shown.push(whole);
        }
        let blocks = part.missing.iter().any(|missing| missing.reason.blocks());
        if is_shown(&part) || (blocks && self.notes.keys().any(|reason| reason.blocks())) {
            part.is_complete = false;
            shown.push(part);
        }
        shown.extend(self.unplaced_in(kind, from));
        shown
    }
}

impl KeptSource {
    /// A file of which the time is not known, where there is a time that may be its.
    fn unplaced_in(&self, kind: SourceKind, from: Option<Millis>) -> Option<Source> {
        let covered = self.covered();
        let mut gaps = covered.iter().zip(covered.iter().skip(1)).map(|(one, next)| (one.to, next.from));
        let (_, reason, detail) = self.unplaced.iter().rev().find(|(looked_at, reason, _)| {
            reason.hides_lines() && gaps.any(|(gap, to)| gap < *looked_at && from.is_none_or(|from| to > from))
        })?;
        let mut source = Source::new(kind, format!("{}, of an unknown time", name(kind)));
        source.lacks(*reason, detail.clone());
        Some(source)
    }
}

/// What a kind of source is called where its files are not told apart.
fn name(kind: SourceKind) -> &'static str {
    match kind {
        SourceKind::LogFile => "log files",
        SourceKind::ArmLogFile => "log files of Azure",
        SourceKind::Sessions => "sessions",
        SourceKind::LogAnalytics => "Log Analytics",
        SourceKind::Pgbouncer => "PgBouncer",
    }
}
