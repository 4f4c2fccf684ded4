//! Downloads of log files that break: a signed URL expires in the middle, or before the first byte.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop at the first surprise")]

mod common;

use azure_core::error::ErrorKind;
use azure_core::http::headers::Headers;
use azure_core::http::{AsyncRawResponse, HttpClient, Request, StatusCode};
use common::{limits, tenant_through};
use hostssl_azure_sim::{Fleet, FleetSource, Kind, Scenario, Server, SimTransport, Simulation, Subscription, Tenant};
use hostssl_census::{CensusReport, CensusVerdict, MissingReason, Requirements};
use hostssl_model::Scope;
use hostssl_ops::take_census;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::{Semaphore, watch};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// The connection breaks after half of the third file, and not the next time.
    Middle,
    /// From the third file on, it breaks each time.
    Always,
    /// From the third file on, storage refuses the signature.
    Refused,
}

#[derive(Debug)]
struct Storage {
    simulated: SimTransport,
    downloads: AtomicUsize,
    fault: Fault,
}

#[async_trait::async_trait]
impl HttpClient for Storage {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let answer = self.simulated.execute_request(request).await?;
        if !request.url().path().starts_with("/simulated-logs/") {
            return Ok(answer);
        }
        let number = self.downloads.fetch_add(1, Ordering::SeqCst);
        match self.fault {
            Fault::Middle | Fault::Always if number == 2 || (number > 2 && self.fault == Fault::Always) => {
                let body = answer.into_body().collect().await?.to_vec();
                let half = body[..body.len() / 2].to_vec();
                let broken =
                    || azure_core::Error::with_message(ErrorKind::Io, "connection reset: sig=simulated-signature");
                let pieces = futures::stream::iter([Ok(half.into()), Err(broken())]);
                Ok(AsyncRawResponse::new(StatusCode::Ok, Headers::new(), Box::pin(pieces)))
            }
            Fault::Refused if number >= 2 => {
                let nothing = Box::pin(futures::stream::empty());
                Ok(AsyncRawResponse::new(StatusCode::Forbidden, Headers::new(), nothing))
            }
            _ => Ok(answer),
        }
    }
}

async fn census_of(server: &str, fault: Fault) -> CensusReport {
    let simulation = Simulation::new(Scenario::named("demo").unwrap());
    let storage = Storage { simulated: SimTransport::new(&simulation), downloads: AtomicUsize::new(0), fault };
    let (_run, stop) = watch::channel(None);
    let tenant = tenant_through(&simulation, Arc::new(storage), limits(), stop);
    let scope = Scope { servers: vec![server.to_owned()], ..Scope::default() };
    let seen = take_census(&[tenant], &scope, 0, &[]).await.unwrap();
    let [one] = seen.servers.as_slice() else { panic!("{:#?}", seen.servers) };
    one.look.clone().judge(Requirements::default(), None)
}

/// Storage that answers no download before ten are asked for at once, and counts how many there are.
#[derive(Debug)]
struct SlowStorage {
    simulated: SimTransport,
    asked: AtomicUsize,
    most: AtomicUsize,
    full: Semaphore,
}

/// As many servers are read at once.
const AT_ONCE: usize = 10;

#[async_trait::async_trait]
impl HttpClient for SlowStorage {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        if !request.url().path().starts_with("/simulated-logs/") {
            return self.simulated.execute_request(request).await;
        }
        let now = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        if now == AT_ONCE {
            // From here on nothing waits; if an eleventh were asked for beside these ten, it would have come by now or comes now.
            self.full.add_permits(1_000);
        }
        let _turn = self.full.acquire().await.unwrap();
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        let answer = self.simulated.execute_request(request).await;
        self.asked.fetch_sub(1, Ordering::SeqCst);
        answer
    }
}

#[tokio::test]
async fn ten_servers_are_read_at_once_and_no_more() {
    let server =
        |number| Server::new(Kind::Flexible, "rg", format!("pg-{number:02}")).with("logfiles.download_enable", "on");
    let servers: Vec<Server> = (0..25).map(server).collect();
    let id = "20000000-0000-4000-8000-000000000001".to_owned();
    let subscription = Subscription { id, name: "Many".to_owned(), servers, ..Subscription::default() };
    let id = "10000000-0000-4000-8000-000000000001".to_owned();
    let tenant = Tenant { id, name: "many.example".to_owned(), subscriptions: vec![subscription], ..Tenant::default() };
    let simulation = Simulation::new(Scenario::of(FleetSource::Listed(Fleet { tenants: vec![tenant] })));
    let storage = Arc::new(SlowStorage {
        simulated: SimTransport::new(&simulation),
        asked: AtomicUsize::new(0),
        most: AtomicUsize::new(0),
        full: Semaphore::new(0),
    });
    let (_run, stop) = watch::channel(None);
    let tenant = tenant_through(&simulation, Arc::clone(&storage) as Arc<dyn HttpClient>, limits(), stop);
    let seen = take_census(&[tenant], &Scope::default(), 0, &[]).await.unwrap();
    assert_eq!((seen.servers.len(), seen.gaps.len()), (25, 0));
    assert_eq!(storage.most.load(Ordering::SeqCst), AT_ONCE);
    for one in &seen.servers {
        let report = one.look.clone().judge(Requirements::default(), None);
        assert_eq!(report.clients.len(), 1, "{}: {}", one.server.id, report.reason);
    }
}

#[tokio::test]
async fn a_signed_url_that_expires_is_no_all_clear_and_hides_nothing() {
    let whole = census_of("pg-orders-prod", Fault::None).await;
    assert_eq!(whole.verdict, CensusVerdict::Safe, "{}", whole.reason);
    // A fresh URL is asked for, and the rest of the file read with it: nothing is missing and nothing counted twice.
    let middle = census_of("pg-orders-prod", Fault::Middle).await;
    assert_eq!((middle.verdict, &middle.clients), (CensusVerdict::Safe, &whole.clients), "{}", middle.reason);
    for fault in [Fault::Always, Fault::Refused] {
        let report = census_of("pg-orders-prod", fault).await;
        assert_eq!(report.verdict, CensusVerdict::NeedsObservation, "{fault:?}: {}", report.reason);
        let missing: Vec<_> = report.sources.iter().flat_map(|source| &source.missing).collect();
        assert!(missing.iter().any(|missing| missing.reason == MissingReason::Truncated), "{missing:?}");
        assert!(!format!("{report:?}").contains("simulated-signature"));
        // What came before counts: a client in plaintext is found all the same.
        let report = census_of("pg-catalog-prod", fault).await;
        assert_eq!(report.verdict, CensusVerdict::Breaks, "{fault:?}");
    }
}
