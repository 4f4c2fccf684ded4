//! What a prober does: it enrols, asks what to probe, probes, sends what it saw, and waits for the next round.
//!
//! All that it must not lose is on the disk before it does the next thing: it may be ended at any time, and continues where it
//! was. To probe or to send the same twice changes nothing.

use crate::console_line::{ConsoleError, ConsoleLine};
use crate::fence::FencedDial;
use crate::join_string::JoinString;
use crate::prober_memory::{Enrolled, MemoryError, ProberMemory};
use crate::prober_news::{ProberNews, RoundTally};
use crate::prober_round::{RoundTools, messages, probe_batch};
use hostssl_formats::prober_json::{ProberAnswer, ProberReply, ProberRequest, TargetBatch, TargetOutcome};
use hostssl_model::{Advice, Fault, Hint};
use hostssl_probe::Prober;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The shortest and the longest time before something is tried again.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// The shortest time between two rounds that a console asks for: one that asks without pause does not have its servers probed
/// without pause.
const ASKED_EVERY: Duration = Duration::from_secs(30);
/// What is kept of unsent messages, in bytes.
const UNSENT: u64 = 64 << 20;
/// Targets of one round: no zone has as many, and no console keeps a prober busy indefinitely.
const MAX_ROUND: u64 = 1_000_000;

/// How a prober runs.
pub struct ProberRunOptions {
    /// How to enrol, where it is not enrolled yet.
    pub join: Option<JoinString>,
    /// What it remembers is there.
    pub state: PathBuf,
    /// The time from the beginning of one round to the next; `None` for one round alone.
    pub every: Option<Duration>,
    /// How long the console is tried, where there is one round alone.
    pub patience: Duration,
    /// What probes. It must reach its targets by `fence`.
    pub prober: Arc<Prober>,
    /// What it may reach.
    pub fence: Arc<FencedDial>,
    /// Targets at once.
    pub at_once: usize,
    /// The version that the console is told.
    pub version: String,
}

/// A prober cannot continue.
#[derive(Debug, thiserror::Error)]
pub enum ProberRunError {
    /// Its state cannot be used.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// The console does not let it.
    #[error(transparent)]
    Console(#[from] ConsoleError),
    /// It is not enrolled.
    #[error("this prober is not enrolled")]
    NotEnrolled,
    /// It belongs to another console than the join string names.
    #[error("this prober belongs to the console at {0}, and the join string is of another one")]
    OtherConsole(String),
    /// A message cannot be written down.
    #[error("a message cannot be written")]
    Message(#[from] serde_json::Error),
}

impl Advice for ProberRunError {
    fn advice(&self) -> Hint {
        Hint::from(match self {
            Self::Memory(error) => return error.advice(),
            Self::Console(error) => return error.advice(),
            Self::NotEnrolled => {
                "give it the join string that `hostssl zones enrol ZONE --url URL` prints, with --join"
            }
            Self::OtherConsole(_) => "give the new prober a directory of its own with --state",
            Self::Message(_) => hostssl_model::REPORT_DEFECT,
        })
    }

    fn fault(&self) -> Fault {
        match self {
            Self::Console(error) => error.fault(),
            _ => Fault::Request,
        }
    }
}

/// Runs a prober until it cannot continue, or for one round. It may be dropped at any time.
///
/// # Errors
///
/// [`ProberRunError`] when no later try can do better; of one round alone also when the console is not reached in time.
pub async fn run_prober(
    options: &ProberRunOptions,
    tell: &mut (dyn FnMut(ProberNews) + Send),
) -> Result<RoundTally, ProberRunError> {
    let mut memory = ProberMemory::open(&options.state)?;
    let (url, pin) = match (memory.enrolled.clone(), &options.join) {
        (None, None) => return Err(ProberRunError::NotEnrolled),
        (None, Some(join)) => (join.url.clone(), join.pin),
        (Some(enrolled), join) => {
            let console = enrolled.console().ok_or(ProberRunError::NotEnrolled)?;
            match join {
                Some(join) if join.pin != console.1 => {
                    return Err(ProberRunError::OtherConsole(console.0.to_string()));
                }
                // The same console, by its key, at another address.
                Some(join) if join.url != console.0 => {
                    let moved = Enrolled { url: join.url.to_string(), ..enrolled };
                    memory.remember(moved)?;
                    tell(ProberNews::Moved { from: console.0.to_string() });
                    (join.url.clone(), join.pin)
                }
                Some(_) => {
                    tell(ProberNews::AlreadyEnrolled);
                    console
                }
                None => console,
            }
        }
    };
    let console = ConsoleLine::new(&memory.key, url, pin)?;
    let mut running =
        Running { options, memory, console, tell, tally: RoundTally::default(), gives_up: None, asked: None };
    loop {
        let begun = Instant::now();
        running.gives_up = options.every.is_none().then(|| begun + options.patience);
        running.enrol().await?;
        let resumes = running.memory.enrolled.as_ref().is_some_and(|enrolled| enrolled.after.is_some());
        let mut wanted = running.round(resumes).await?;
        if resumes {
            // What was probed before the prober was ended may be long ago: a round is done when all of it was probed now.
            running.tally = RoundTally { lost: running.tally.lost, ..RoundTally::default() };
            wanted = running.round(false).await?;
        }
        let tally = std::mem::take(&mut running.tally);
        (running.tell)(ProberNews::RoundEnded(tally));
        let Some(every) = options.every else { return Ok(tally) };
        running.wait(wanted, begun + every).await?;
    }
}

struct Running<'a> {
    options: &'a ProberRunOptions,
    memory: ProberMemory,
    console: ConsoleLine,
    tell: &'a mut (dyn FnMut(ProberNews) + Send),
    tally: RoundTally,
    /// When the console is not tried any more.
    gives_up: Option<Instant>,
    /// When the console last asked for a round.
    asked: Option<Instant>,
}

impl Running<'_> {
    async fn enrol(&mut self) -> Result<(), ProberRunError> {
        let (None, Some(join)) = (&self.memory.enrolled, &self.options.join) else { return Ok(()) };
        let request = ProberRequest::Enrol { secret: join.secret.clone(), version: self.options.version.clone() };
        let body = request.value()?.to_string().into_bytes();
        let ProberReply::Enrolled { prober, zone } = self.until_done(body).await? else { return Err(out_of_turn()) };
        let (url, pin) = (join.url.to_string(), join.pin.to_string());
        self.memory.remember(Enrolled { url, pin, prober: prober.clone(), zone: zone.clone(), after: None })?;
        (self.tell)(ProberNews::Enrolled { prober, zone });
        Ok(())
    }

    /// The rest of the round in progress, or a whole one. Returns the number that it answers.
    async fn round(&mut self, resumes: bool) -> Result<u64, ProberRunError> {
        let (mut targets, mut begun) = (0, None);
        self.deliver().await?;
        loop {
            let enrolled = self.memory.enrolled.clone().ok_or(ProberRunError::NotEnrolled)?;
            let request =
                ProberRequest::Targets { version: self.options.version.clone(), after: enrolled.after.clone() };
            let body = request.value()?.to_string().into_bytes();
            let ProberReply::Targets(batch) = self.until_done(body).await? else { return Err(out_of_turn()) };
            if batch.zone != enrolled.zone {
                let what = format!("it asks about zone {}, and this prober is in zone {}", batch.zone, enrolled.zone);
                return Err(ConsoleError::Odd(what).into());
            }
            let (wanted, more) = (*begun.get_or_insert(batch.wanted), batch.more);
            // What was probed before the prober was ended is no answer to what is wanted now.
            let ended = if resumes { 0 } else { wanted };
            targets += batch.targets.len() as u64;
            let last = batch.targets.last().map(|(target, _)| (target.host.clone(), target.port));
            if more && (last <= enrolled.after || targets > MAX_ROUND) {
                return Err(ConsoleError::Odd("its list of targets has no end".to_owned()).into());
            }
            self.probe(batch, (!more).then_some(ended)).await?;
            self.memory.remember(Enrolled { after: last.filter(|_| more), ..enrolled })?;
            self.deliver().await?;
            if !more {
                return Ok(wanted);
            }
        }
    }

    /// Probes a batch, and keeps what is to be said of it until it is sent.
    async fn probe(&mut self, batch: TargetBatch, ended: Option<u64>) -> Result<(), ProberRunError> {
        let (prober, fence, at_once) = (&*self.options.prober, &*self.options.fence, self.options.at_once);
        let answers = probe_batch(&RoundTools { prober, fence, at_once }, batch).await;
        answers.iter().for_each(|answer| self.count(answer));
        for message in messages(answers, ended)? {
            let dropped = self.memory.queue(&message, UNSENT)?;
            if dropped > 0 {
                self.tally.lost += dropped;
                (self.tell)(ProberNews::Dropped(dropped));
            }
        }
        Ok(())
    }

    fn count(&mut self, answer: &ProberAnswer) {
        let why = match &answer.outcome {
            TargetOutcome::Looks(_) => {
                self.tally.looked += 1;
                return;
            }
            TargetOutcome::Fenced(why) | TargetOutcome::Unsupported(why) | TargetOutcome::Unusable(why) => why,
        };
        self.tally.without_look += 1;
        let target = format!("{}:{}", answer.host, answer.port);
        (self.tell)(ProberNews::WithoutLook { target, why: why.clone() });
    }

    /// Sends what is not sent yet, the oldest first.
    async fn deliver(&mut self) -> Result<(), ProberRunError> {
        while let Some((number, message)) = self.memory.oldest()? {
            match self.until_done(message).await {
                Ok(ProberReply::Kept { unkept, .. }) => {
                    for ((host, port), why) in unkept {
                        self.tally.without_look += 1;
                        (self.tell)(ProberNews::NotKept { target: format!("{host}:{port}"), why });
                    }
                }
                Ok(_) => return Err(out_of_turn()),
                Err(ProberRunError::Console(error)) if error.is_of_message() => {
                    self.tally.lost += 1;
                    (self.tell)(ProberNews::GivenUp { why: error.to_string() });
                }
                Err(error) => return Err(error),
            }
            self.memory.sent(number)?;
        }
        Ok(())
    }

    /// Sends until it is answered, or no later try can do better.
    async fn until_done(&mut self, body: Vec<u8>) -> Result<ProberReply, ProberRunError> {
        let mut tries = 0;
        loop {
            let error = match self.console.send(body.clone()).await {
                Ok(reply) => return Ok(reply),
                Err(error) if error.is_final() || error.is_of_message() => return Err(error.into()),
                Err(error) => error,
            };
            let after = pause(tries);
            if self.gives_up.is_some_and(|end| Instant::now() + after > end) {
                return Err(error.into());
            }
            let (why, hint) = (error.to_string(), error.advice().to_string());
            (self.tell)(ProberNews::Retrying { why, hint, after });
            tokio::time::sleep(after).await;
            tries += 1;
        }
    }

    /// Waits for the next round: until its time, or until someone wants new looks.
    async fn wait(&mut self, wanted: u64, until: Instant) -> Result<(), ProberRunError> {
        let mut failed = 0;
        while Instant::now() < until {
            let asked = Instant::now();
            let answer = tokio::time::timeout_at(until, self.console.ask(&ProberRequest::Wait { wanted })).await;
            match answer {
                Err(_) => break,
                Ok(Ok(ProberReply::Wanted(now))) if now != wanted => {
                    let earliest = self.asked.map_or(asked, |last| last + ASKED_EVERY);
                    tokio::time::sleep_until(until.min(earliest)).await;
                    self.asked = Some(Instant::now());
                    break;
                }
                Ok(Err(error)) if error.is_final() => return Err(error.into()),
                // A console that answers at once, or not at all, is not asked without end.
                Ok(reply) => {
                    failed = if reply.is_ok() && asked.elapsed() > BACKOFF.0 { 0 } else { failed + 1 };
                    let pause = if failed == 0 { Duration::ZERO } else { pause(failed) };
                    tokio::time::sleep_until(until.min(Instant::now() + pause)).await;
                }
            }
        }
        Ok(())
    }
}

fn out_of_turn() -> ProberRunError {
    ConsoleError::Odd("it is the answer to another question".to_owned()).into()
}

/// How long to wait before the next try: twice as long each time, and not as long as all others who wait.
fn pause(tries: u32) -> Duration {
    let mut random = [0; 1];
    // Without randomness it is the longest.
    let part = getrandom::fill(&mut random).map_or(255, |()| random[0]);
    let (shortest, longest) = BACKOFF;
    let whole = shortest.saturating_mul(2_u32.saturating_pow(tries)).min(longest);
    whole.mul_f64(0.5 + f64::from(part) / 510.0).max(shortest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_within_their_bounds_and_differ() {
        for tries in 0..40 {
            assert!((BACKOFF.0..=BACKOFF.1).contains(&pause(tries)), "{tries}");
        }
        let late: std::collections::BTreeSet<Duration> = (0..50).map(|_| pause(20)).collect();
        assert!(late.len() > 1 && *late.first().unwrap() >= BACKOFF.1 / 2);
    }
}
