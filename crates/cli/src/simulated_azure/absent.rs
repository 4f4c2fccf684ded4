//! The types of a simulated Azure that does not exist: none of them can be made.

use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::http::{AsyncRawResponse, HttpClient, request::Request};
use jiff::Timestamp;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use tokio::io::DuplexStream;

#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    never: Infallible,
}

impl Scenario {
    /// What earlier builds kept of simulations can be read, and the one that they had by default is named for it.
    pub(crate) const NAMES: &'static [(&'static str, &'static str)] = &[("demo", "")];

    pub(crate) fn calm(&self) -> Self {
        match self.never {}
    }
}

/// Who writes.
#[derive(Debug, Clone)]
#[expect(dead_code, reason = "it can be made, and nothing is there that would log it")]
pub(crate) enum Actor {
    Person(String),
    Application { app: String, object: String },
}

#[derive(Debug, Clone)]
pub(crate) struct Simulation(Infallible);

impl Simulation {
    pub(crate) fn new(scenario: Scenario) -> Self {
        match scenario.never {}
    }

    pub(crate) fn kept(scenario: Scenario, _: PathBuf) -> io::Result<Self> {
        match scenario.never {}
    }

    pub(crate) fn changed(&self) -> usize {
        match self.0 {}
    }

    pub(crate) fn tenant_ids(&self) -> Vec<String> {
        match self.0 {}
    }

    pub(crate) fn server_ids(&self) -> Vec<String> {
        match self.0 {}
    }

    pub(crate) fn set_parameter(&self, _: &str, _: &str, _: &str) -> Result<(), Infallible> {
        match self.0 {}
    }

    pub(crate) fn parameter(&self, _: &str, _: &str) -> Result<String, Infallible> {
        match self.0 {}
    }

    pub(crate) fn set_log_age(&self, _: u32) {
        match self.0 {}
    }

    pub(crate) fn log_past_write(&self, _: &str, _: Option<&str>, _: Timestamp, _: Actor) -> Result<(), Infallible> {
        match self.0 {}
    }

    pub(crate) fn copy_writes(&self, _: &Self, _: usize, _: Timestamp) -> Result<(), Infallible> {
        match self.0 {}
    }

    pub(crate) fn logged_writes(&self) -> usize {
        match self.0 {}
    }
}

#[derive(Debug)]
pub(crate) struct SimCredential(Infallible);

impl SimCredential {
    pub(crate) fn new(simulation: &Simulation, _: impl Into<String>) -> Self {
        match simulation.0 {}
    }
}

#[async_trait::async_trait]
impl TokenCredential for SimCredential {
    async fn get_token(&self, _: &[&str], _: Option<TokenRequestOptions<'_>>) -> azure_core::Result<AccessToken> {
        match self.0 {}
    }
}

#[derive(Debug)]
pub(crate) struct SimTransport(Infallible);

impl SimTransport {
    pub(crate) fn new(simulation: &Simulation) -> Self {
        match simulation.0 {}
    }
}

#[async_trait::async_trait]
impl HttpClient for SimTransport {
    async fn execute_request(&self, _: &Request) -> azure_core::Result<AsyncRawResponse> {
        match self.0 {}
    }
}

pub(crate) type WireError = Infallible;

#[derive(Debug)]
pub(crate) struct Wire(Infallible);

/// A root certificate of the simulated listeners.
pub(crate) struct Root {
    pub(crate) name: &'static str,
    pub(crate) der: Vec<u8>,
}

impl Wire {
    pub(crate) fn new(simulation: &Simulation) -> Result<Self, WireError> {
        match simulation.0 {}
    }

    pub(crate) fn inside(simulation: &Simulation) -> Result<Self, WireError> {
        match simulation.0 {}
    }

    pub(crate) fn resolve(&self, _: &str) -> Option<IpAddr> {
        match self.0 {}
    }

    pub(crate) fn connect(&self, _: SocketAddr, _: IpAddr) -> io::Result<DuplexStream> {
        match self.0 {}
    }

    pub(crate) fn roots(&self) -> &[Root] {
        match self.0 {}
    }
}
