//! What is known of probers while the console runs: the lists of their zones, who waits, and whether looks are wanted.

use crate::job::JobContext;
use crate::trouble::Trouble;
use crate::zone_list::list_of_zone;
use hostssl_formats::targets_json::ZoneTargets;
use hostssl_model::ZoneRule;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// How long a list of targets is good.
const FRESH: Duration = Duration::from_secs(300);
/// How long Azure is not asked again for a list that could not be made.
const FAILED: Duration = Duration::from_secs(30);

/// The targets of a zone, in the order in which probers get them.
pub(crate) type OrderedTargets = Arc<ZoneTargets>;

/// When a list was made, by which rules, and what is in it, or why it could not be made.
type ListedTargets = (Instant, Vec<ZoneRule>, Result<OrderedTargets, Trouble>);

/// A round of a prober, as far as it has asked for targets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ProberRound {
    /// When it began, in milliseconds since 1970.
    pub(crate) began_ms: i64,
    /// The number of the looks that were wanted then.
    wanted: u64,
    /// Whether it has asked for the last of its targets.
    is_whole: bool,
}

/// What probers and audits have to do with each other.
#[derive(Debug)]
pub(crate) struct ProberDesk {
    /// Raised whenever someone wants new looks. It begins by chance, so that one of before a restart is another one.
    wanted: watch::Sender<u64>,
    /// The first number of this console.
    first: u64,
    /// The number that each prober has answered with a whole round.
    answered: watch::Sender<HashMap<String, u64>>,
    /// The probers that wait to be asked, by their ids, with how many connections they wait.
    waiting: Mutex<HashMap<String, usize>>,
    /// The round in progress of each prober.
    rounds: Mutex<HashMap<String, ProberRound>>,
    lists: Mutex<HashMap<String, ListedTargets>>,
    /// One list of a zone at a time: each asks Azure, and no zone waits for the list of another.
    turns: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

impl Default for ProberDesk {
    fn default() -> Self {
        let (begin, _) = uuid::Uuid::new_v4().as_u64_pair();
        // Numbers of JSON are exact up to 2^53.
        let first = begin >> 16;
        Self {
            wanted: watch::Sender::new(first),
            first,
            answered: watch::Sender::default(),
            waiting: Mutex::default(),
            rounds: Mutex::default(),
            lists: Mutex::default(),
            turns: Mutex::default(),
        }
    }
}

/// A prober that waits. It waits no more when this is dropped.
pub(crate) struct WaitingProber<'a> {
    desk: &'a ProberDesk,
    id: String,
}

impl Drop for WaitingProber<'_> {
    fn drop(&mut self) {
        let mut waiting = lock(&self.desk.waiting);
        if let Some(count) = waiting.get_mut(&self.id) {
            *count -= 1;
            if *count == 0 {
                waiting.remove(&self.id);
            }
        }
    }
}

impl ProberDesk {
    /// The number of the looks that are wanted now.
    pub(crate) fn wanted(&self) -> u64 {
        *self.wanted.borrow()
    }

    /// Waits until looks are wanted that are not those of this number, for `longest` at most.
    pub(crate) async fn wait(&self, id: &str, known: u64, longest: Duration) -> u64 {
        *lock(&self.waiting).entry(id.to_owned()).or_default() += 1;
        let _waiting = WaitingProber { desk: self, id: id.to_owned() };
        let mut wanted = self.wanted.subscribe();
        // The sender lives as long as the desk.
        let _ = tokio::time::timeout(longest, wanted.wait_for(|wanted| *wanted != known)).await;
        self.wanted()
    }

    /// Keeps that a prober begins a round.
    pub(crate) fn round_begins(&self, id: &str, began_ms: i64) {
        let round = ProberRound { began_ms, wanted: self.wanted(), is_whole: false };
        lock(&self.rounds).insert(id.to_owned(), round);
    }

    /// Keeps that a prober was given the last targets of its round.
    pub(crate) fn round_is_whole(&self, id: &str) {
        if let Some(round) = lock(&self.rounds).get_mut(id) {
            round.is_whole = true;
        }
    }

    /// The round of a prober that answers what was wanted with this number, if it asked for all of its targets.
    pub(crate) fn round_of(&self, id: &str, number: u64) -> Option<ProberRound> {
        lock(&self.rounds).get(id).filter(|round| round.is_whole && round.wanted >= number).copied()
    }

    /// Keeps that a prober has answered all that was wanted with this number. One that no console of this process gave is none.
    pub(crate) fn has_answered(&self, id: &str, number: u64) {
        if !(self.first..=self.wanted()).contains(&number) {
            return;
        }
        self.answered.send_modify(|answered| _ = answered.insert(id.to_owned(), number));
    }

    /// Asks the probers that wait for new looks, and waits until each has sent them, for `longest` at most. Returns those that
    /// have not. One that is not believed any more may wait still: it is not waited for.
    pub(crate) async fn ask_waiting(&self, longest: Duration, is_believed: impl Fn(&str) -> bool) -> Vec<String> {
        let asked: Vec<String> = lock(&self.waiting).keys().filter(|id| is_believed(id)).cloned().collect();
        if asked.is_empty() {
            return asked;
        }
        let mut number = 0;
        self.wanted.send_modify(|wanted| {
            *wanted += 1;
            number = *wanted;
        });
        let mut answered = self.answered.subscribe();
        let is_done = |answered: &HashMap<String, u64>, id: &String| answered.get(id).is_some_and(|own| *own >= number);
        let all = answered.wait_for(|answered| asked.iter().all(|id| is_done(answered, id)));
        let _ = tokio::time::timeout(longest, all).await;
        let answered = self.answered.borrow();
        asked.into_iter().filter(|id| !is_done(&answered, id)).collect()
    }

    /// The targets of a zone, as Azure listed them not long ago.
    pub(crate) async fn targets(
        &self,
        context: &Arc<JobContext>,
        rules: Vec<ZoneRule>,
        zone: &str,
    ) -> Result<OrderedTargets, Trouble> {
        let fresh = || {
            let lists = lock(&self.lists);
            let is_fresh = |(made, by, found): &&ListedTargets| {
                made.elapsed() < if found.is_ok() { FRESH } else { FAILED } && *by == rules
            };
            lists.get(zone).filter(is_fresh).map(|(.., found)| found.clone())
        };
        let turn = Arc::clone(lock(&self.turns).entry(zone.to_owned()).or_default());
        let _turn = turn.lock().await;
        if let Some(found) = fresh() {
            return found;
        }
        let found = match list_of_zone(Arc::clone(context), rules.clone(), zone.to_owned()).await {
            Ok((list, is_whole)) if list.targets.is_empty() && !is_whole => {
                Err(crate::zone_list::nothing_in(zone, is_whole))
            }
            Ok((list, _)) => Ok(Arc::new(list.in_order())),
            Err(trouble) => Err(trouble),
        };
        lock(&self.lists).insert(zone.to_owned(), (Instant::now(), rules, found.clone()));
        found
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_waits_is_asked_and_who_does_not_answer_is_named() {
        let desk = Arc::new(ProberDesk::default());
        assert!(desk.ask_waiting(Duration::from_secs(9), |_| true).await.is_empty(), "no one waits");
        let known = desk.wanted();
        let (good, silent) = (desk.clone(), desk.clone());
        let good = tokio::spawn(async move {
            let number = good.wait("good", known, Duration::from_secs(30)).await;
            assert_ne!(number, known);
            good.has_answered("good", number);
        });
        let silent = tokio::spawn(async move { silent.wait("silent", known, Duration::from_secs(30)).await });
        let revoked = desk.clone();
        let revoked = tokio::spawn(async move { revoked.wait("revoked", known, Duration::from_secs(30)).await });
        tokio::task::yield_now().await;
        assert_eq!(desk.ask_waiting(Duration::from_secs(9), |id| id != "revoked").await, ["silent"]);
        good.await.unwrap();
        silent.await.unwrap();
        revoked.await.unwrap();
        assert!(lock(&desk.waiting).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_ends_when_nothing_is_wanted() {
        let desk = ProberDesk::default();
        assert_eq!(desk.wait("a", desk.wanted(), Duration::from_secs(30)).await, desk.wanted());
        assert_ne!(
            desk.wait("a", desk.wanted() + 1, Duration::MAX).await,
            desk.wanted() + 1,
            "one of before a restart"
        );
    }
}
