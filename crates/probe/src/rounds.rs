//! The order of the questions to one endpoint.
//!
//! The first connection is alone: a host that is down, a black hole or a peer that is no PostgreSQL costs that one
//! connection and its time-out. What it shows decides which questions make sense; those then run side by side.

use futures::future::{BoxFuture, FutureExt as _};
use futures::stream::{self, StreamExt as _};
use hostssl_pgwire::tls::TlsVersion;

use crate::answer::{Signal, StartupReply, signal};
use crate::attempt::{Attempt, Reason};
use crate::endpoint::{Endpoint, Opening, attempt};
use crate::facts::{Facts, Startup, StartupFacts};
use crate::hello_jobs::{self, VersionsSeen};
use crate::jobs::{self, First, FirstStartup, TlsRun};
use crate::report::SslRequestOutcome;
use crate::tls_client::Offer;

/// What a job of the second round brings back.
enum Seen {
    Plaintext(usize, Attempt<StartupReply>),
    Encrypted(usize, Box<TlsRun>),
    /// The same, over TLS 1.2 alone, which tells whether the server has it at no further cost.
    EncryptedTls12(usize, Box<TlsRun>, Attempt<bool>),
    Versions(VersionsSeen),
    Direct(Box<TlsRun>),
    DirectWithoutAlpn(Attempt<bool>),
    Gss(Attempt<bool>),
    Stuffing(Attempt<bool>),
}

type Job<'a> = BoxFuture<'a, Seen>;

pub(crate) async fn by_request(endpoint: &Endpoint<'_>, startups: &[Startup]) -> Facts {
    let mut facts = Facts::new(startups);
    // startups() never leaves the list empty.
    let Some(opener) = startups.first() else {
        return facts;
    };
    match jobs::first(endpoint, opener).await {
        // Its turn did not come: nothing is known.
        Err(Reason::EndpointDeadline) => return facts,
        Err(reason) => facts.unreachable = Some(reason),
        Ok(First::TalksFirst) => facts.talks_first = true,
        Ok(First::Negotiated(negotiation, next)) => {
            facts.ssl = negotiation.outcome;
            facts.ssl_note = negotiation.note;
            facts.bytes_before_handshake = negotiation.bytes_after && negotiation.outcome == SslRequestOutcome::S;
            match next {
                Some(FirstStartup::Plaintext(reply)) => set_plaintext(&mut facts, 0, *reply),
                Some(FirstStartup::Encrypted(run)) => set_encrypted(&mut facts, 0, *run),
                None => {}
            }
        }
    }
    match facts.ssl {
        _ if facts.unreachable.is_some() => no_more(&mut facts, "no connection could be made"),
        _ if facts.talks_first => no_more(&mut facts, "the peer talks first"),
        SslRequestOutcome::Garbage | SslRequestOutcome::NotSent => no_more(&mut facts, "the peer is no PostgreSQL"),
        SslRequestOutcome::S if facts.bytes_before_handshake => {
            tls_is_pointless(&mut facts, "bytes stand before the handshake");
            let reply = jobs::plaintext(endpoint, opener).await;
            set_plaintext(&mut facts, 0, reply);
            no_more(&mut facts, "bytes stand before the handshake");
        }
        SslRequestOutcome::S => with_tls(endpoint, startups, &mut facts, Opening::SslRequest).await,
        SslRequestOutcome::N => {
            tls_is_pointless(&mut facts, "the server offers no TLS");
            rest_in_clear(endpoint, startups, &mut facts).await;
        }
        SslRequestOutcome::E | SslRequestOutcome::Closed | SslRequestOutcome::Reset | SslRequestOutcome::Timeout => {
            without_request(endpoint, startups, &mut facts).await;
        }
    }
    facts
}

pub(crate) async fn by_direct_tls(endpoint: &Endpoint<'_>, startups: &[Startup]) -> Facts {
    let mut facts = Facts::new(startups);
    let Some(opener) = startups.first() else {
        return facts;
    };
    let opening = Opening::Direct { alpn: true };
    let run = jobs::encrypted(endpoint, opener, opening, Offer::Modern).await;
    facts.direct = jobs::direct_answer(&run);
    let unreachable = match &run.reply {
        Attempt::Failed(reason @ (Reason::ConnectionRefused | Reason::Connect(_) | Reason::Timeout("connecting"))) => {
            Some(reason.clone())
        }
        _ => None,
    };
    set_encrypted(&mut facts, 0, run);
    if unreachable.is_some() {
        facts.unreachable = unreachable;
        no_more(&mut facts, "no connection could be made");
    } else if facts.direct == Attempt::Completed(true) {
        with_tls(endpoint, startups, &mut facts, opening).await;
    } else {
        // No direct TLS. What a client gets that asks in the other way is to be known all the same.
        return by_request(endpoint, startups).await;
    }
    facts
}

/// The server has TLS: all other startups over both transports, and all that there is to ask about TLS.
async fn with_tls(endpoint: &Endpoint<'_>, startups: &[Startup], facts: &mut Facts, opening: Opening) {
    let options = endpoint.options;
    let negotiated = facts.handshake.completed().map(|handshake| handshake.version);
    let mut wanted: Vec<_> = if options.versions { TlsVersion::ALL.to_vec() } else { Vec::new() };
    if let Some(negotiated) = negotiated {
        // We offered 1.3 and 1.2: what is newer than the server's choice it does not have.
        facts.versions.extend(
            wanted
                .iter()
                .filter(|version| **version >= negotiated)
                .map(|version| (*version, Attempt::Completed(*version == negotiated))),
        );
        wanted.retain(|version| *version < negotiated);
    }
    // Without a handshake, only our own hello can tell why.
    let mut by_startup = None;
    // One startup that is let in over TLS is enough for a verdict.
    let first_is_enough = !options.every_startup_over_tls && first_is_allowed(facts);
    if first_is_enough {
        tls_is_pointless(facts, "the first startup has shown that TLS leads on");
    }
    if negotiated == Some(TlsVersion::Tls13)
        && wanted.contains(&TlsVersion::Tls12)
        && startups.len() > 1
        && !first_is_enough
    {
        wanted.retain(|version| *version != TlsVersion::Tls12);
        by_startup = Some(1);
    }
    let mut list: Vec<Job<'_>> = Vec::new();
    for (index, startup) in startups.iter().enumerate() {
        list.push(Box::pin(async move { Seen::Plaintext(index, jobs::plaintext(endpoint, startup).await) }));
        if index == 0 || first_is_enough || !may_shake_hands(facts) {
            continue;
        }
        if by_startup == Some(index) {
            list.push(Box::pin(over_tls12(endpoint, index, startup, opening)));
        } else {
            list.push(Box::pin(async move {
                Seen::Encrypted(index, Box::new(jobs::encrypted(endpoint, startup, opening, Offer::Modern).await))
            }));
        }
    }
    if !wanted.is_empty() {
        list.push(Box::pin(async move { Seen::Versions(hello_jobs::versions(endpoint, opening, &wanted).await) }));
    }
    let Some(opener) = startups.first() else {
        return;
    };
    if options.direct_tls && opening == Opening::SslRequest {
        list.push(Box::pin(direct(endpoint, opener)));
    }
    if options.startup_stuffing && opening == Opening::SslRequest {
        list.push(Box::pin(async move { Seen::Stuffing(jobs::startup_stuffing(endpoint, opener).await) }));
    }
    if options.gss_encryption {
        list.push(Box::pin(async move { Seen::Gss(jobs::gss_encryption(endpoint).await) }));
    }
    run_all(endpoint, list, facts).await;
    silences_again(endpoint, startups, facts).await;
    if !may_shake_hands(facts) {
        copy_handshake_failure(facts);
    }
    if options.direct_tls_without_alpn && facts.direct == Attempt::Completed(true) {
        run_all(endpoint, vec![Box::pin(direct_without_alpn(endpoint, opener))], facts).await;
    }
    enumerate(endpoint, opening, facts).await;
}

fn first_is_allowed(facts: &Facts) -> bool {
    facts.startups.first().is_some_and(|startup| {
        let signal = signal(&startup.encrypted, &startup.startup.user);
        matches!(signal, Signal::Allowed | Signal::ClientCertificate)
    })
}

/// Whether another handshake has a chance where the first one went wrong.
fn may_shake_hands(facts: &Facts) -> bool {
    !matches!(
        facts.handshake,
        Attempt::Failed(
            Reason::Handshake(_)
                | Reason::FalseSignature
                | Reason::ClientCertificate
                | Reason::Timeout(_)
                | Reason::Protocol(_)
        )
    )
}

/// What went wrong with the first handshake would go wrong with the others, which were not tried.
fn copy_handshake_failure(facts: &mut Facts) {
    let Some(reply) = facts.startups.first().map(|startup| startup.encrypted.clone()) else {
        return;
    };
    for startup in facts.startups.iter_mut().skip(1) {
        if startup.encrypted == NOT_YET {
            startup.encrypted = reply.clone();
        }
    }
}

/// `SSLRequest` found no answer that goes on: in clear, and by direct TLS.
async fn without_request(endpoint: &Endpoint<'_>, startups: &[Startup], facts: &mut Facts) {
    let Some(opener) = startups.first() else {
        return;
    };
    let mut list: Vec<Job<'_>> =
        vec![Box::pin(async move { Seen::Plaintext(0, jobs::plaintext(endpoint, opener).await) })];
    if facts.ssl != SslRequestOutcome::E {
        list.push(Box::pin(direct(endpoint, opener)));
    }
    run_all(endpoint, list, facts).await;
    let answered = facts.startups.first().is_some_and(|startup| startup.plaintext.completed().is_some());
    if facts.direct == Attempt::Completed(true) {
        with_tls(endpoint, startups, facts, Opening::Direct { alpn: true }).await;
    } else {
        tls_is_pointless(facts, "SSLRequest found no answer");
        if answered {
            rest_in_clear(endpoint, startups, facts).await;
        } else {
            no_more(facts, "the first startup found no answer");
        }
    }
}

async fn rest_in_clear(endpoint: &Endpoint<'_>, startups: &[Startup], facts: &mut Facts) {
    let mut list: Vec<Job<'_>> = Vec::new();
    for (index, startup) in startups.iter().enumerate() {
        let done = facts.startups.get(index).is_some_and(|startup| startup.plaintext != NOT_YET);
        if !done {
            list.push(Box::pin(async move { Seen::Plaintext(index, jobs::plaintext(endpoint, startup).await) }));
        }
    }
    if endpoint.options.gss_encryption {
        list.push(Box::pin(async move { Seen::Gss(jobs::gss_encryption(endpoint).await) }));
    }
    run_all(endpoint, list, facts).await;
}

/// The startup of `index` over TLS 1.2; once more over any version when the server does not have that one.
async fn over_tls12(endpoint: &Endpoint<'_>, index: usize, startup: &Startup, opening: Opening) -> Seen {
    let run = jobs::encrypted(endpoint, startup, opening, Offer::Tls12).await;
    match &run.handshake {
        Ok(_) => Seen::EncryptedTls12(index, Box::new(run), Attempt::Completed(true)),
        // The server goes on to talk about certificates only in a version that it has.
        Err(fault) if fault.reason == Reason::ClientCertificate => {
            Seen::EncryptedTls12(index, Box::new(run), Attempt::Completed(true))
        }
        Err(fault) => {
            let support = if fault.version_refused {
                Attempt::Completed(false)
            } else {
                // No common suite perhaps. Our own hello offers them all.
                let mut seen = hello_jobs::versions(endpoint, opening, &[TlsVersion::Tls12]).await;
                seen.versions.remove(&TlsVersion::Tls12).unwrap_or(Attempt::Failed(fault.reason.clone()))
            };
            let again = jobs::encrypted(endpoint, startup, opening, Offer::Modern).await;
            Seen::EncryptedTls12(index, Box::new(again), support)
        }
    }
}

async fn direct(endpoint: &Endpoint<'_>, startup: &Startup) -> Seen {
    Seen::Direct(Box::new(jobs::encrypted(endpoint, startup, Opening::Direct { alpn: true }, Offer::Modern).await))
}

async fn direct_without_alpn(endpoint: &Endpoint<'_>, startup: &Startup) -> Seen {
    let run = jobs::encrypted(endpoint, startup, Opening::Direct { alpn: false }, Offer::Modern).await;
    Seen::DirectWithoutAlpn(jobs::direct_answer(&run))
}

/// Suites and groups of every version that is accepted, if they are asked for.
async fn enumerate(endpoint: &Endpoint<'_>, opening: Opening, facts: &mut Facts) {
    let accepted: Vec<_> = facts
        .versions
        .iter()
        .filter(|(_, support)| support.completed() == Some(&true))
        .map(|(version, _)| *version)
        .collect();
    let limit = endpoint.options.connections_per_server.max(1);
    if endpoint.options.cipher_suites {
        let jobs: Vec<BoxFuture<'_, _>> =
            accepted.iter().map(|version| hello_jobs::suites(endpoint, opening, *version).boxed()).collect();
        facts.suites = Some(stream::iter(jobs).buffered(limit).collect().await);
    }
    if endpoint.options.groups {
        // SSL 3.0 has no extension to name a group in.
        let with_groups = accepted.iter().filter(|version| **version > TlsVersion::Ssl3);
        let jobs: Vec<BoxFuture<'_, _>> =
            with_groups.map(|version| hello_jobs::groups(endpoint, opening, *version).boxed()).collect();
        facts.groups = Some(stream::iter(jobs).buffered(limit).collect().await);
    }
}

/// What was closed in clear without a word is asked again alone, one after the other.
async fn silences_again(endpoint: &Endpoint<'_>, startups: &[Startup], facts: &mut Facts) {
    for (index, startup) in startups.iter().enumerate() {
        let silent = facts.startups.get(index).is_some_and(|startup| jobs::is_silent(&startup.plaintext));
        if silent {
            let reply = jobs::plaintext_again(endpoint, startup).await;
            // A deadline that came first leaves the silence what it was: no proof.
            set_plaintext(facts, index, reply);
        }
    }
}

async fn run_all(endpoint: &Endpoint<'_>, jobs: Vec<Job<'_>>, facts: &mut Facts) {
    let mut running = stream::iter(jobs).buffer_unordered(endpoint.options.connections_per_server.max(1));
    while let Some(seen) = running.next().await {
        match seen {
            Seen::Plaintext(index, reply) => set_plaintext(facts, index, reply),
            Seen::Encrypted(index, run) => set_encrypted(facts, index, *run),
            Seen::EncryptedTls12(index, run, support) => {
                facts.versions.insert(TlsVersion::Tls12, support);
                set_encrypted(facts, index, *run);
            }
            Seen::Versions(seen) => {
                facts.versions.extend(seen.versions);
                facts.hello_chain = seen.chain;
                facts.hello_certificate_requested |= seen.certificate_requested;
            }
            Seen::Direct(run) => {
                facts.direct = jobs::direct_answer(&run);
                // Where SSLRequest leads nowhere, this is the only way over TLS.
                if facts.ssl != SslRequestOutcome::S && facts.direct == Attempt::Completed(true) {
                    set_encrypted(facts, 0, *run);
                }
            }
            Seen::DirectWithoutAlpn(answer) => facts.direct_without_alpn = answer,
            Seen::Gss(answer) => facts.gss = answer,
            Seen::Stuffing(answer) => facts.stuffing = answer,
        }
    }
}

const NOT_YET: Attempt<StartupReply> = Attempt::NotScheduled(Reason::EndpointDeadline);

fn set_plaintext(facts: &mut Facts, index: usize, reply: Attempt<StartupReply>) {
    if let Some(startup) = facts.startups.get_mut(index) {
        startup.plaintext = reply;
    }
}

fn set_encrypted(facts: &mut Facts, index: usize, run: TlsRun) {
    if let Some(startup) = facts.startups.get_mut(index) {
        startup.encrypted = run.reply;
    }
    match run.handshake {
        // The newest version is what a modern client gets.
        Ok(handshake) => {
            if facts.handshake.completed().is_none_or(|known| known.version < handshake.version) {
                facts.handshake = Attempt::Completed(handshake);
            }
        }
        Err(fault) => {
            if facts.hello_chain.is_empty() {
                facts.hello_chain = fault.chain;
            }
            if facts.handshake.completed().is_none() {
                facts.handshake = attempt(Err(fault.reason));
            }
        }
    }
}

fn tls_is_pointless(facts: &mut Facts, why: &'static str) {
    for startup in &mut facts.startups {
        if startup.encrypted == NOT_YET {
            startup.encrypted = Attempt::NotScheduled(Reason::Pointless(why));
        }
    }
    if facts.handshake.completed().is_none() && matches!(facts.handshake, Attempt::NotScheduled(_)) {
        facts.handshake = Attempt::NotScheduled(Reason::Pointless(why));
    }
}

fn no_more(facts: &mut Facts, why: &'static str) {
    tls_is_pointless(facts, why);
    for StartupFacts { plaintext, .. } in &mut facts.startups {
        if *plaintext == NOT_YET {
            *plaintext = Attempt::NotScheduled(Reason::Pointless(why));
        }
    }
}
