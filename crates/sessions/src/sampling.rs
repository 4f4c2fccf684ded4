//! Samples one server and its poolers, once or until stopped.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use hostssl_census::{Census, Millis, MissingReason, Sampling, SourceKind};

use crate::{LoginError, PoolerConsole, ServerSessions};

/// The longest pause between two samples.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// A sample may use this part of the server's time.
const LOAD: u32 = 20;

/// How often to look.
#[derive(Debug, Clone, Copy)]
pub struct Schedule {
    /// The pause between two samples; `None` to sample once.
    pub interval: Option<Duration>,
    /// The time, in milliseconds since 1970, for poolers, which do not return theirs.
    pub now: fn() -> Millis,
}

/// What samples one server: its sessions, its poolers, or both.
#[derive(Default)]
pub struct Observer {
    /// The server.
    pub server: Option<ServerSessions>,
    /// Its poolers.
    pub poolers: Vec<PoolerConsole>,
}

/// One source and how it goes.
struct SourceTrack {
    sampling: Sampling,
    failures: u32,
    /// It failed in a way that does not pass by itself.
    is_over: bool,
}

impl Observer {
    /// Samples until `stop` is done, or once. What was observed is counted into `census`; what could not be is noted
    /// there.
    pub async fn observe(mut self, mut census: Census, schedule: Schedule, stop: impl Future<Output = ()>) -> Census {
        let mut server =
            self.server.as_ref().map(|server| SourceTrack::begin(&mut census, SourceKind::Sessions, server.name()));
        let mut poolers: Vec<SourceTrack> = self
            .poolers
            .iter()
            .map(|pooler| SourceTrack::begin(&mut census, SourceKind::Pgbouncer, pooler.name()))
            .collect();
        tokio::pin!(stop);
        loop {
            let began = Instant::now();
            let round = self.round(&mut census, server.as_mut(), &mut poolers, schedule.now);
            let is_stopped = tokio::select! {
                () = round => false,
                // A look that was not finished says nothing.
                () = &mut stop => true,
            };
            let mut tracks = server.iter().chain(&poolers);
            let Some(interval) =
                schedule.interval.filter(|_| !is_stopped && tracks.clone().any(|track| !track.is_over))
            else {
                break;
            };
            let failures = tracks.by_ref().filter(|track| !track.is_over).map(|track| track.failures).max();
            tokio::select! {
                () = tokio::time::sleep(pause(interval, began.elapsed(), failures.unwrap_or_default())) => {}
                () = &mut stop => break,
            }
        }
        server.into_iter().chain(poolers).for_each(|track| track.sampling.end(&mut census));
        census
    }

    /// Samples everything once. Poolers come first: their legs show which of the server's sessions are theirs.
    async fn round(
        &mut self,
        census: &mut Census,
        server: Option<&mut SourceTrack>,
        poolers: &mut [SourceTrack],
        now: fn() -> Millis,
    ) {
        let mut legs = HashSet::new();
        for (console, track) in self.poolers.iter_mut().zip(poolers).filter(|(_, track)| !track.is_over) {
            let at = now();
            let Some(look) = track.took(console.look(at).await) else { continue };
            if look.is_silent_on_tls {
                let detail = "this PgBouncer is too old to report which clients use TLS: that requires 1.6 or later";
                track.sampling.lacks(census, MissingReason::Disabled, detail);
            }
            legs.extend(look.legs);
            track.sampling.take(census, at, look.sessions);
        }
        let (Some(sessions), Some(track)) = (&mut self.server, server.filter(|track| !track.is_over)) else { return };
        let Some(look) = track.took(sessions.look(&legs).await) else { return };
        if let Some(grant) = &look.missing_grant {
            let hidden = match look.hidden {
                1 => "1 other process is".to_owned(),
                hidden => format!("{hidden} other processes are"),
            };
            let detail = format!(
                "the role sees only its own sessions; {hidden} hidden from it. An administrator can change that with: {grant}"
            );
            track.sampling.lacks(census, MissingReason::Privilege, &detail);
        }
        track.sampling.take(census, look.at, look.sessions);
    }
}

impl SourceTrack {
    fn begin(census: &mut Census, kind: SourceKind, name: String) -> Self {
        Self { sampling: Sampling::begin(census, kind, name), failures: 0, is_over: false }
    }

    fn took<T>(&mut self, look: Result<T, LoginError>) -> Option<T> {
        match look {
            Ok(look) => {
                self.failures = 0;
                Some(look)
            }
            Err(error) => {
                self.failures += 1;
                // A wrong password that is sent again and again locks the account.
                self.is_over = error.is_lasting();
                self.sampling.fail(error.to_string());
                None
            }
        }
    }
}

/// The pause before the next look: longer when the server is slow, and when it could not be asked.
fn pause(interval: Duration, took: Duration, failures: u32) -> Duration {
    let for_load = took.saturating_mul(LOAD);
    let for_failures = interval.saturating_mul(1 << failures.min(16));
    interval.max(for_load).max(for_failures).min(LONGEST_PAUSE.max(interval))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_is_slow_or_down_is_asked_less_often() {
        let seconds = Duration::from_secs;
        assert_eq!(pause(seconds(10), Duration::from_millis(2), 0), seconds(10));
        assert_eq!(pause(seconds(10), seconds(2), 0), seconds(40));
        assert_eq!(pause(seconds(10), seconds(0), 2), seconds(40));
        assert_eq!(pause(seconds(10), seconds(0), 99), LONGEST_PAUSE);
        assert_eq!(pause(seconds(3_600), seconds(0), 0), seconds(3_600));
    }
}
