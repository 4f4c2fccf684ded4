//! The startups: in plaintext, again where a silence is not proof, and over TLS where the answer in plaintext needs one.

use super::results::{NOT_NEEDED, NOT_YET, plaintext_signal};
use super::{Job, Seen, run_all};
use crate::attempt::{Attempt, AttemptFailure};
use crate::endpoint::{Endpoint, Opening};
use crate::facts::{EndpointFacts, StartupFacts};
use crate::hello_jobs;
use crate::offer::Startup;
use crate::options::{StartupNames, Startups};
use crate::startup_answer::{Signal, signal};
use crate::startup_jobs;
use futures::FutureExt as _;
use hostssl_pgwire::frontend::Replication;
use hostssl_pgwire::tls::ProtocolVersion;

/// How often the first startups are sent again in plaintext where several servers seem to answer.
const MORE_FOR_SEVERAL: u16 = 4;

/// How many answers in plaintext a verdict rests on, where the fewest connections were not asked for. A balancer that hands
/// every other connection to another server, alike in everything but that it accepts plaintext, keeps it from fewer by
/// chance: seven miss it in less than one of 100 cases (0.5^7).
const LEAST_ANSWERS: u32 = 7;

/// Startups in plaintext that have not been sent.
pub(super) fn plaintext_jobs<'a>(
    endpoint: &'a Endpoint<'_>,
    startups: &'a Startups,
    facts: &EndpointFacts,
    range: std::ops::Range<usize>,
) -> Vec<Job<'a>> {
    let missing = startups.all.iter().enumerate().filter(|(index, _)| range.contains(index)).filter(|(index, _)| {
        let known = facts.startups.get(*index).map(|startup| &startup.plaintext);
        known == Some(&NOT_YET)
    });
    missing.map(|(index, startup)| plaintext_job(endpoint, index, startup)).collect()
}

pub(super) fn plaintext_job<'a>(endpoint: &'a Endpoint<'_>, index: usize, startup: &'a Startup) -> Job<'a> {
    async move { Seen::Plaintext(index, startup_jobs::plaintext(endpoint, startup).await) }.boxed()
}

/// The startups of the second round, and those that are to be sent again.
pub(super) async fn remaining_plaintext(endpoint: &Endpoint<'_>, startups: &Startups, facts: &mut EndpointFacts) {
    let found_hole =
        |facts: &EndpointFacts| facts.startups.iter().any(|startup| plaintext_signal(startup) == Signal::Allowed);
    let first = facts.startups.get(..startups.first).unwrap_or_default();
    let replicates = !first.iter().any(has_no_replication);
    let unneeded = found_hole(facts);
    for startup in facts.startups.iter_mut().skip(startups.first) {
        let replication = startup.startup.replication != Replication::None;
        if unneeded || (replication && !replicates) {
            startup.plaintext = NOT_NEEDED;
        }
    }
    let list = plaintext_jobs(endpoint, startups, facts, startups.first..startups.all.len());
    run_all(endpoint, list, facts).await;

    for _ in 1..endpoint.options.repeat {
        if found_hole(facts) {
            return;
        }
        plaintext_once_more(endpoint, startups, facts, startups.all.len()).await;
    }
    for _ in 1..LEAST_ANSWERS {
        let answers = endpoint.identity().plaintext_answers();
        let enough = endpoint.options.names == StartupNames::Fewest || endpoint.options.repeat > 1;
        if enough || answers == 0 || answers >= LEAST_ANSWERS || found_hole(facts) {
            break;
        }
        plaintext_once_more(endpoint, startups, facts, startups.all.len()).await;
    }
    for _ in 0..MORE_FOR_SEVERAL {
        if endpoint.options.repeat > 1 || found_hole(facts) || endpoint.identity().differences().is_empty() {
            return;
        }
        plaintext_once_more(endpoint, startups, facts, startups.first).await;
    }
}

/// Shakes hands again where startups were sent again: other servers may have other certificates and versions of TLS. All in a row, so
/// that a balancer that takes servers in turn comes to each. Where servers differ, as often as plaintext was tried, until one is
/// hardly missed.
pub(super) async fn repeated_handshakes(
    endpoint: &Endpoint<'_>,
    startups: &Startups,
    facts: &mut EndpointFacts,
    opening: Opening,
) {
    let Some(opener) = startups.all.first() else { return };
    if facts.handshake.completed().is_none() {
        return;
    }
    let differ = !endpoint.identity().differences().is_empty();
    let repeat = if differ { endpoint.options.repeat.max(MORE_FOR_SEVERAL) } else { endpoint.options.repeat };
    let deprecated: Vec<_> = ProtocolVersion::ALL.into_iter().filter(|version| version.is_deprecated()).collect();
    let deprecated = &deprecated;
    let again = |asks_versions: bool| -> Vec<Job<'_>> {
        let mut list: Vec<Job<'_>> = vec![Box::pin(async move {
            Seen::HandshakeAgain(startup_jobs::handshake_again(endpoint, opener, opening).await)
        })];
        if asks_versions {
            list.push(Box::pin(async move {
                Seen::VersionsAgain(hello_jobs::versions(endpoint, opening, deprecated).await)
            }));
        }
        list
    };
    // One question after the other: mixed, each could meet the same server every time.
    for asks_versions in [false, true].into_iter().filter(|asks| !asks || endpoint.options.versions) {
        let jobs = (1..repeat).filter_map(|_| again(asks_versions).pop());
        run_all(endpoint, jobs.collect(), facts).await;
    }
    for _ in 0..endpoint.identity().plaintext_answers() {
        let known = endpoint.identity();
        if endpoint.options.repeat == 1 || known.differences().is_empty() || known.has_all_certificates() {
            return;
        }
        run_all(endpoint, again(false), facts).await;
    }
}

/// Sends the first `count` startups once more in plaintext, as far as they have been sent.
async fn plaintext_once_more(endpoint: &Endpoint<'_>, startups: &Startups, facts: &mut EndpointFacts, count: usize) {
    let sent =
        startups.all.iter().enumerate().take(count).filter(|(index, _)| {
            facts.startups.get(*index).is_some_and(|startup| startup.plaintext.completed().is_some())
        });
    let list = sent.map(|(index, startup)| plaintext_job(endpoint, index, startup)).collect();
    run_all(endpoint, list, facts).await;
}

/// Whether the answer to a startup for replication says that no client can have any.
fn has_no_replication(startup: &StartupFacts) -> bool {
    startup.startup.replication != Replication::None
        && (plaintext_signal(startup) == Signal::NoReplication || startup.is_full())
}

/// Sends over TLS the startups whose answer in plaintext means something only beside the other one, and, as long as
/// none was accepted over TLS, those of the first round.
pub(super) async fn startups_over_tls(
    endpoint: &Endpoint<'_>,
    startups: &Startups,
    facts: &mut EndpointFacts,
    opening: Opening,
) {
    if !handshake_can_succeed(facts) {
        return;
    }
    let first_is_enough = facts.startups.first().is_some_and(|startup| {
        let signal = signal(&startup.encrypted, &startup.startup.user);
        matches!(signal, Signal::Allowed | Signal::ClientCertificate)
    });
    let needs = |index: usize, startup: &StartupFacts| {
        let unclear = matches!(plaintext_signal(startup), Signal::Silent | Signal::Unclear) || startup.is_full();
        startup.encrypted == NOT_YET && (unclear || (!first_is_enough && index < startups.first))
    };
    let mut list: Vec<Job<'_>> = Vec::new();
    for (index, startup) in startups.all.iter().enumerate() {
        if facts.startups.get(index).is_some_and(|known| needs(index, known)) {
            list.push(Box::pin(async move {
                Seen::Encrypted(index, Box::new(startup_jobs::encrypted(endpoint, startup, opening).await))
            }));
        }
    }
    run_all(endpoint, list, facts).await;
}

/// Why startups that were sent in plaintext alone were not sent over TLS.
pub(super) fn why_no_more_over_tls(facts: &EndpointFacts) -> &'static str {
    let over_tls = |startup: &StartupFacts| signal(&startup.encrypted, &startup.startup.user);
    if facts.startups.iter().any(|startup| matches!(over_tls(startup), Signal::Allowed | Signal::ClientCertificate)) {
        "another startup has shown that TLS is accepted"
    } else {
        "those that were sent first were not accepted over TLS"
    }
}

/// Whether another handshake has a chance where the first one went wrong.
pub(super) fn handshake_can_succeed(facts: &EndpointFacts) -> bool {
    !matches!(
        facts.handshake,
        Attempt::Failed(
            AttemptFailure::Handshake(_)
                | AttemptFailure::FalseSignature
                | AttemptFailure::ClientCertificate
                | AttemptFailure::Timeout(_)
                | AttemptFailure::Protocol(_)
        )
    )
}

/// What was closed in plaintext without an answer is asked again alone, one after the other. A terminator that has closed
/// the first ones again and again looks at no names: then each of the others is sent again once.
pub(super) async fn retry_silent_startups(
    endpoint: &Endpoint<'_>,
    startups: &Startups,
    facts: &mut EndpointFacts,
    range: std::ops::Range<usize>,
) {
    let is_answered = |startup: &StartupFacts| startup.plaintext.completed().is_some();
    let mut pauses = if range.start > 0 && !facts.startups.iter().any(is_answered) {
        &startup_jobs::ONE_MORE_SILENCE[..]
    } else {
        &startup_jobs::SILENCES[..]
    };
    for (index, startup) in startups.all.iter().enumerate().filter(|(index, _)| range.contains(index)) {
        let silent = facts.startups.get(index).is_some_and(|startup| startup_jobs::is_silent(&startup.plaintext));
        if silent {
            let reply = startup_jobs::plaintext_again(endpoint, startup, pauses).await;
            let is_first = pauses.len() == startup_jobs::SILENCES.len();
            if is_first && startup_jobs::is_silent(&reply) {
                pauses = &startup_jobs::LATER_SILENCES;
            }
            // A deadline that came first leaves the silence what it was: no proof.
            if let Some(known) = facts.startups.get_mut(index) {
                known.plaintext = reply;
            }
        }
    }
}
