//! Clients, sessions and refusals.

use hostssl_census::{
    Backend, CensusReport, CensusVerdict, Client, Coverage, Interval, MissingReason, RefusedClient, SessionTls, Source,
    SourceKind,
};
use hostssl_formats::clients::{ClientsReport, ServerClients};
use hostssl_formats::run_refused::RefusedSince;
use hostssl_formats::run_sessions::{RunSession, RunSessions};
use hostssl_test_support::hostile::hostile;

fn refused_client() -> RefusedClient {
    let word = || Some(hostile());
    RefusedClient {
        user: word(),
        database: word(),
        address: word(),
        backend: Backend::Client,
        first_seen: None,
        last_seen: None,
        attempts: 1,
        is_estimate: false,
        has_connected_since: false,
    }
}

pub(crate) fn clients() -> ClientsReport {
    let word = || Some(hostile());
    let client = |tls| Client {
        user: word(),
        database: word(),
        application: word(),
        address: word(),
        backend: Backend::Client,
        tls,
        protocol: word(),
        cipher: word(),
        lowest_protocol: word(),
        first_seen: Some(0),
        last_seen: Some(1),
        sightings: 1,
        is_estimate: false,
        sources: vec![0],
        doubt: None,
    };
    let mut source = Source::new(SourceKind::LogFile, hostile());
    source.format = hostile();
    source.coverage = Coverage::default();
    source.coverage.add(Interval { from: 0, to: 1 });
    source.lacks(MissingReason::Damaged, hostile());
    let census = CensusReport {
        verdict: CensusVerdict::Breaks,
        reason: hostile(),
        window: Some(Interval { from: 0, to: 1 }),
        observed: 1,
        sources: vec![source],
        clients: SessionTls::ALL.map(client).into(),
        earlier: vec![client(SessionTls::Plaintext)],
        unlisted: [1; 4],
        refused: vec![refused_client()],
        refused_unlisted: 1,
    };
    let server = ServerClients { id: word(), name: hostile(), owner: word(), census, hidden: [1; 4] };
    ClientsReport {
        id: hostile(),
        started_at: hostile(),
        finished_at: hostile(),
        principal: word(),
        cloud: word(),
        window: 1,
        since: None,
        servers: vec![server],
    }
}

/// Sessions of two servers: of one that has some, and of one that has none.
pub(crate) fn sessions() -> [RunSessions; 2] {
    let word = || Some(hostile());
    let session = RunSession {
        user: word(),
        database: word(),
        application: word(),
        address: word(),
        replication: false,
        ended: false,
    };
    let on_server = |sessions| RunSessions { server: hostile(), name: hostile(), sessions, reason: word() };
    [on_server(vec![session]), on_server(Vec::new())]
}

pub(crate) fn refused_since() -> [RefusedSince; 1] {
    [RefusedSince { server: hostile(), name: hostile(), clients: vec![refused_client()] }]
}
