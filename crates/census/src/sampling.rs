//! Samples of the current sessions, one after the other, folded into sightings.
//!
//! A session in two samples in a row is one session and counts once. What connects and ends between two samples is
//! never observed, so no such source is complete, however often it samples.

use crate::{Census, Interval, Millis, MissingReason, SessionId, Sighting, Source, SourceKind};
use std::collections::HashSet;

/// A session as one look saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampledSession {
    /// Which session it is.
    pub id: SessionId,
    /// What was seen of it. Its time is that of the look.
    pub sighting: Sighting,
}

/// The samples of one server, or of one pooler.
#[derive(Debug)]
pub struct Sampling {
    source: usize,
    /// The sessions of the last look that worked.
    known: HashSet<SessionId>,
    looks: u64,
    last: Option<Millis>,
    /// Why the samples since the last one that worked failed.
    failed: Option<String>,
    gaps: u64,
}

impl Sampling {
    /// Begins to look.
    #[must_use]
    pub fn begin(census: &mut Census, kind: SourceKind, name: impl Into<String>) -> Self {
        let source = census.add_source(Source::new(kind, name));
        Self { source, known: HashSet::new(), looks: 0, last: None, failed: None, gaps: 0 }
    }

    /// Takes the sessions that were there at `at`.
    pub fn take(&mut self, census: &mut Census, at: Millis, sessions: Vec<SampledSession>) {
        let mut seen = HashSet::with_capacity(sessions.len());
        for SampledSession { id, sighting } in sessions {
            if self.known.contains(&id) {
                census.add_again(self.source, id, &sighting);
            } else {
                census.add_session(self.source, id, sighting);
            }
            seen.insert(id);
        }
        self.known = seen;
        let from = match (self.last, self.failed.take()) {
            (Some(last), None) if last <= at => last,
            (Some(_), Some(why)) => {
                self.gaps += 1;
                self.lacks(census, MissingReason::Gap, &format!("it could not be sampled for some time: {why}"));
                at
            }
            _ => at,
        };
        if let Some(source) = census.source_mut(self.source) {
            source.coverage.add(Interval { from, to: at });
        }
        self.last = Some(at);
        self.looks += 1;
    }

    /// Notes that a sample failed. What happens until the next one that works is not observed.
    pub fn fail(&mut self, why: impl Into<String>) {
        self.failed = Some(why.into());
    }

    /// Notes that the source lacks something.
    pub fn lacks(&self, census: &mut Census, reason: MissingReason, detail: &str) {
        if let Some(source) = census.source_mut(self.source) {
            source.lacks(reason, detail);
        }
    }

    /// Ends the samples, and notes what they cannot show.
    pub fn end(self, census: &mut Census) {
        if let Some(why) = &self.failed {
            self.lacks(census, MissingReason::Unreachable, why);
        }
        let detail = match self.looks {
            0 => "it was never sampled".to_owned(),
            1 => "sampled once: clients that were not connected at that moment are missing; --watch samples again"
                .to_owned(),
            looks => format!("sampled {looks} times: clients that came and went in between are missing"),
        };
        self.lacks(census, MissingReason::Sampling, &detail);
        if let Some(source) = census.source_mut(self.source) {
            let counted = |count, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
            let gaps = if self.gaps > 0 { format!(", {}", counted(self.gaps, "interruption")) } else { String::new() };
            source.format = counted(self.looks, "sample") + &gaps;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Backend, CensusVerdict, Requirements, SessionTls};

    fn session(pid: u32, start: u64, tls: SessionTls, at: Millis) -> SampledSession {
        let sighting = Sighting {
            user: Some("app".into()),
            database: Some("shop".into()),
            application: None,
            address: Some("10.0.0.4".into()),
            backend: Backend::Client,
            tls,
            protocol: None,
            cipher: None,
            at: Some(at),
            doubt: None,
        };
        SampledSession { id: SessionId::of_backend(start, pid), sighting }
    }

    #[test]
    fn a_session_that_stays_counts_once_and_is_seen_until_its_end() {
        let mut census = Census::default();
        let mut sampling = Sampling::begin(&mut census, SourceKind::Sessions, "db:5432");
        for at in [1_000, 2_000, 3_000] {
            sampling.take(&mut census, at, vec![session(7, 5, SessionTls::Plaintext, at)]);
        }
        // The process id comes again with another beginning.
        sampling.take(&mut census, 4_000, vec![session(7, 9, SessionTls::Plaintext, 4_000)]);
        sampling.end(&mut census);
        let report = census.finish(Requirements::default());
        let [client] = report.clients.as_slice() else { panic!("{:#?}", report.clients) };
        assert_eq!((client.sightings, client.first_seen, client.last_seen), (2, Some(1_000), Some(4_000)));
        assert_eq!(report.verdict, CensusVerdict::Breaks);
        assert_eq!(report.observed, 3_000);
    }

    #[test]
    fn looks_alone_are_never_an_all_clear() {
        let mut census = Census::default();
        let mut sampling = Sampling::begin(&mut census, SourceKind::Sessions, "db:5432");
        for hour in 0..24 * 30 {
            let at = hour * 3_600_000;
            sampling.take(&mut census, at, vec![session(7, 5, SessionTls::Tls, at)]);
        }
        sampling.end(&mut census);
        let report = census.finish(Requirements::default());
        assert_eq!(report.verdict, CensusVerdict::NeedsObservation, "{}", report.reason);
        assert!(report.sources[0].missing.iter().any(|missing| missing.reason == MissingReason::Sampling));
    }

    #[test]
    fn one_sample_is_one() {
        let mut census = Census::default();
        let mut sampling = Sampling::begin(&mut census, SourceKind::Sessions, "db:5432");
        sampling.take(&mut census, 0, vec![]);
        sampling.end(&mut census);
        assert_eq!(census.sources()[0].format, "1 sample");
    }

    #[test]
    fn a_server_that_drops_leaves_a_gap() {
        const DAY: Millis = 86_400_000;
        let mut census = Census::default();
        let mut sampling = Sampling::begin(&mut census, SourceKind::Sessions, "db:5432");
        sampling.take(&mut census, 0, vec![]);
        sampling.take(&mut census, 1_000, vec![]);
        sampling.fail("connection reset");
        sampling.take(&mut census, DAY, vec![]);
        sampling.take(&mut census, DAY + 1_000, vec![]);
        sampling.fail("connection refused");
        sampling.end(&mut census);
        let report = census.finish(Requirements::default());
        assert_eq!(report.sources[0].format, "4 samples, 1 interruption");
        assert_eq!(report.observed, 2_000);
        let reasons: Vec<_> = report.sources[0].missing.iter().map(|missing| missing.reason).collect();
        assert_eq!(reasons, [MissingReason::Gap, MissingReason::Unreachable, MissingReason::Sampling]);
    }
}
