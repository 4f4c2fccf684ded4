//! What the jobs of one endpoint have seen, before anything is made of it.

use std::collections::BTreeMap;

use hostssl_pgwire::frontend::Replication;
use hostssl_pgwire::tls::{CipherSuite, NamedGroup, ProtocolVersion};

use crate::attempt::{Attempt, AttemptFailure};
use crate::identity::Identity;
use crate::offer::{Handshake, Startup};
use crate::report::SslRequestOutcome;
use crate::startup_answer::StartupReply;

/// One startup and what came of it in plaintext and over TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StartupFacts {
    /// The startup.
    pub(crate) startup: Startup,
    /// Over a plaintext connection.
    pub(crate) plaintext: Attempt<StartupReply>,
    /// Over TLS.
    pub(crate) encrypted: Attempt<StartupReply>,
}

impl StartupFacts {
    /// Whether a startup for replication found all WAL senders taken, or none configured (53300). Other startups have
    /// slots of their own.
    pub(crate) fn is_full(&self) -> bool {
        self.startup.replication != Replication::None && is_full(&self.plaintext)
    }
}

/// Whether the answer is that no slot is free.
pub(crate) fn is_full(reply: &Attempt<StartupReply>) -> bool {
    matches!(reply, Attempt::Completed(StartupReply::Error(error)) if error.code.as_deref() == Some("53300"))
}

/// A list of suites or groups found by asking for less and less.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Enumerated<T> {
    /// The version.
    pub(crate) version: ProtocolVersion,
    /// What the server chose, in that order.
    pub(crate) chosen: Vec<T>,
    /// Whether the server refused what was left over.
    pub(crate) complete: bool,
}

/// All that was seen of one endpoint.
#[derive(Clone, Debug)]
pub(crate) struct EndpointFacts {
    /// Why no connection could be made, if so.
    pub(crate) unreachable: Option<AttemptFailure>,
    /// The answer to `SSLRequest`.
    pub(crate) ssl: SslRequestOutcome,
    /// What is to be said about that, such as the text of an error.
    pub(crate) ssl_note: Option<String>,
    /// The peer sent bytes before it was asked anything.
    pub(crate) talks_first: bool,
    /// Bytes came after `S` and before the handshake.
    pub(crate) bytes_before_handshake: bool,
    /// The startups.
    pub(crate) startups: Vec<StartupFacts>,
    /// The handshake of a modern client.
    pub(crate) handshake: Attempt<Handshake>,
    /// Certificates from a handshake that only our own hello could begin.
    pub(crate) hello_chain: Vec<Vec<u8>>,
    /// A `CertificateRequest` was seen in such a handshake.
    pub(crate) hello_certificate_requested: bool,
    /// The cipher suite that the server chose in such a handshake, in the newest version that it has.
    pub(crate) hello_suite: Option<CipherSuite>,
    /// Whether each version is accepted.
    pub(crate) versions: BTreeMap<ProtocolVersion, Attempt<bool>>,
    /// Direct TLS with ALPN `postgresql`: whether it was answered in PostgreSQL's protocol.
    pub(crate) direct: Attempt<bool>,
    /// The same without ALPN.
    pub(crate) direct_without_alpn: Attempt<bool>,
    /// Whether GSSAPI encryption is offered.
    pub(crate) gss: Attempt<bool>,
    /// Whether a stuffed startup is answered over TLS.
    pub(crate) stuffing: Attempt<bool>,
    /// Suites by version, when asked for.
    pub(crate) suites: Option<Vec<Enumerated<CipherSuite>>>,
    /// Groups by version, when asked for.
    pub(crate) groups: Option<Vec<Enumerated<NamedGroup>>>,
    /// Groups that withstand a quantum computer, when asked for.
    pub(crate) post_quantum: Option<Enumerated<NamedGroup>>,
    /// What the connections show about the servers that accepted them.
    pub(crate) identity: Identity,
    /// Whether startups in plaintext were to be sent more than once.
    pub(crate) repeated: bool,
}

impl EndpointFacts {
    /// Nothing seen yet.
    #[must_use]
    pub(crate) fn new(startups: &[Startup]) -> Self {
        let startup = |startup: &Startup| StartupFacts {
            startup: startup.clone(),
            plaintext: Attempt::NotScheduled(AttemptFailure::EndpointDeadline),
            encrypted: Attempt::NotScheduled(AttemptFailure::EndpointDeadline),
        };
        Self {
            unreachable: None,
            ssl: SslRequestOutcome::NotSent,
            ssl_note: None,
            talks_first: false,
            bytes_before_handshake: false,
            startups: startups.iter().map(startup).collect(),
            handshake: Attempt::NotScheduled(AttemptFailure::EndpointDeadline),
            hello_chain: Vec::new(),
            hello_certificate_requested: false,
            hello_suite: None,
            versions: BTreeMap::new(),
            direct: Attempt::NotScheduled(AttemptFailure::NotAsked),
            direct_without_alpn: Attempt::NotScheduled(AttemptFailure::NotAsked),
            gss: Attempt::NotScheduled(AttemptFailure::NotAsked),
            stuffing: Attempt::NotScheduled(AttemptFailure::NotAsked),
            suites: None,
            groups: None,
            post_quantum: None,
            identity: Identity::default(),
            repeated: false,
        }
    }

    /// Whether an answer to a startup came in PostgreSQL's protocol. One byte, as after `SSLRequest`, is not evidence.
    pub(crate) fn spoke_postgresql(&self) -> bool {
        let spoke = |attempt: &Attempt<StartupReply>| attempt.completed().is_some();
        self.startups.iter().any(|facts| spoke(&facts.plaintext) || spoke(&facts.encrypted))
    }

    /// Whether anything that came breaks PostgreSQL's protocol.
    pub(crate) fn broke_protocol(&self) -> bool {
        self.talks_first
            || self.bytes_before_handshake
            || self.ssl == SslRequestOutcome::Garbage
            || self.startups.iter().any(|facts| matches!(facts.plaintext, Attempt::Failed(AttemptFailure::Protocol(_))))
    }
}
