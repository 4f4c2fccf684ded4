//! Downloads of log files that break: a signed URL expires in the middle, or before the first byte.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop at the first surprise")]

mod common;

use azure_core::error::ErrorKind;
use azure_core::http::headers::Headers;
use azure_core::http::{AsyncRawResponse, HttpClient, Request, StatusCode};
use common::{limits, tenant_through};
use hostssl_azure_sim::{Scenario, SimTransport, Simulation};
use hostssl_census::{CensusReport, CensusVerdict, MissingReason, Requirements};
use hostssl_model::Scope;
use hostssl_ops::take_census;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::watch;

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
