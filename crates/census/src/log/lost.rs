//! Lines that a log lacks: sessions that ended without a beginning, and connections that came in and were never authorized.
//!
//! `log_connections` can be off for a time without a line that says so, when the server was restarted in between.

use super::line_facts::LineFacts;
use super::message::ConnectionOrigin;
use super::prefix::SessionKey;
use crate::{Interval, Millis, MissingReason, Source};
use std::collections::{BTreeSet, HashSet};

const SECOND: Millis = 1_000;
const HOUR: Millis = 60 * 60 * SECOND;
/// From the time at which a process begins until it is authorized, at most: `authentication_timeout` is ten minutes at most.
pub(super) const LONGEST_LOGIN: Millis = 11 * 60 * SECOND;
/// At the ends of a file, the line of a session that began there may lie in the file beside it.
const EDGES: (Millis, Millis) = (2 * SECOND, 60 * SECOND);
/// Sessions that are remembered by process id and time.
const MOST_BEGUN: usize = 1 << 20;
/// Ends without a beginning that are judged, and stretches.
const MOST_ENDED: usize = 4_096;
/// Addresses that are remembered.
const MOST_HOSTS: usize = 10_000;
/// Connections of known clients in a stretch that were not authorized. Fewer are wrong passwords.
const FEWEST_UNANSWERED: u32 = 3;
/// Addresses of one stretch.
const MOST_STRETCH_HOSTS: usize = 32;

/// What is remembered to find lines that are missing.
#[derive(Debug, Default)]
pub(super) struct LostLines {
    /// The sessions of process ids, by the second in which they were authorized.
    begun: BTreeSet<(u32, i64)>,
    has_forgotten: bool,
    ended: Vec<Ended>,
    /// Addresses from which a client was authorized.
    answered: HashSet<Box<[u8]>>,
    stretch: Option<Stretch>,
    stretches: Vec<Stretch>,
}

/// A session of which only the end was logged.
#[derive(Debug)]
struct Ended {
    key: SessionKey,
    began: Millis,
    /// The file that has its end.
    source: usize,
}

/// A time in which connections were received and none was authorized.
#[derive(Debug)]
struct Stretch {
    span: Interval,
    hosts: Vec<(Box<[u8]>, u32)>,
    sources: Vec<usize>,
}

impl LostLines {
    /// A connection came in.
    pub(super) fn received(&mut self, line: LineFacts<'_>, origin: ConnectionOrigin<'_>) {
        let (Some(at), ConnectionOrigin::Host(host)) = (line.at, origin) else { return };
        match &mut self.stretch {
            Some(stretch) if (-EDGES.1..=24 * HOUR).contains(&(at - stretch.span.to)) => {
                stretch.span.to = stretch.span.to.max(at);
                if let Some((_, count)) = stretch.hosts.iter_mut().find(|(known, _)| **known == *host) {
                    *count += 1;
                } else if stretch.hosts.len() < MOST_STRETCH_HOSTS {
                    stretch.hosts.push((host.into(), 1));
                }
                if stretch.sources.last() != Some(&line.source) {
                    stretch.sources.push(line.source);
                }
            }
            _ => {
                self.close();
                let span = Interval { from: at, to: at };
                self.stretch = Some(Stretch { span, hosts: Vec::new(), sources: vec![line.source] });
            }
        }
    }

    /// One was authorized.
    pub(super) fn authorized(&mut self, key: Option<SessionKey>, at: Option<Millis>) {
        self.close();
        let (Some(key), Some(at)) = (key.filter(|key| key.is_reused()), at) else { return };
        if self.begun.len() >= MOST_BEGUN {
            self.has_forgotten = true;
        } else {
            self.begun.insert((key.pid, at.div_euclid(SECOND)));
        }
    }

    /// A client came from this address.
    pub(super) fn answered(&mut self, host: &[u8]) {
        if !self.answered.contains(host) && self.answered.len() < MOST_HOSTS {
            self.answered.insert(host.into());
        }
    }

    /// Sessions were given up before their end: what ends later may be theirs.
    pub(super) fn forget(&mut self) {
        self.has_forgotten = true;
    }

    /// A session ended that began then, and nothing else of it is known.
    pub(super) fn ended(&mut self, key: SessionKey, began: Millis, source: usize) {
        if self.ended.len() < MOST_ENDED {
            self.ended.push(Ended { key, began, source });
        }
    }

    fn close(&mut self) {
        let Some(stretch) = self.stretch.take() else { return };
        if stretch.span.to - stretch.span.from >= HOUR && self.stretches.len() < MOST_ENDED {
            self.stretches.push(stretch);
        }
    }

    /// Notes what each file lacks: those that were written when a session began, and do not have its beginning. Where it began at
    /// the edge of a file, all of them are taken together, which cover `whole`: then the file that has its end lacks it.
    pub(super) fn note(&mut self, place: usize, source: &mut Source, whole: &[Interval]) {
        self.close();
        let spans = source.coverage.spans();
        let covers = |at: Millis| spans.iter().any(|span| span.from + EDGES.0 <= at && at <= span.to - EDGES.1);
        let is_within = |at: Millis| whole.iter().any(|span| span.from + EDGES.0 <= at && at <= span.to);
        let is_of_it = |ended: &Ended| covers(ended.began) || ended.source == place && is_within(ended.began);
        let lost = self.ended.iter().filter(|ended| is_of_it(ended) && !self.has_begun(ended)).count();
        if lost > 0 {
            let plural = if lost == 1 { "1 session has" } else { &*format!("{lost} sessions have") };
            let detail = format!(
                "{plural} only an end in the log, which was written when they began: log_connections was off for a time, or lines \
                 were lost"
            );
            source.lacks(MissingReason::LogConnectionsOff, detail);
        }
        let unanswered = |stretch: &&Stretch| {
            let known = stretch.hosts.iter().filter(|(host, _)| self.answered.contains(host));
            known.map(|(_, count)| count).sum::<u32>() >= FEWEST_UNANSWERED && stretch.sources.contains(&place)
        };
        if self.stretches.iter().any(|stretch| unanswered(&stretch)) {
            let detail = "for more than an hour connections are logged as received, and none as authorized: log_connections leaves \
                          that out, or all were refused";
            source.lacks(MissingReason::LogConnectionsOff, detail);
        }
    }

    /// Whether the beginning is in the log, in a file that was read before or after.
    fn has_begun(&self, ended: &Ended) -> bool {
        if !ended.key.is_reused() {
            return false;
        }
        let from = ended.began.div_euclid(SECOND) - 2;
        let to = from + LONGEST_LOGIN / SECOND;
        self.has_forgotten || self.begun.range((ended.key.pid, from)..=(ended.key.pid, to)).next().is_some()
    }
}
