//! Measures what the simulator itself costs: making a fleet, and answering a client that reads all of it in process.
//!
//! `cargo run --release -p hostssl-azure-sim --example measure -- 2000 100` makes 2,000 servers in 100 subscriptions.
//! Memory and processor time are the kernel's figures from `/proc`.

use std::error::Error;
use std::io::Write as _;
use std::time::Instant;

use azure_core::credentials::TokenCredential as _;
use azure_core::http::request::Request;
use azure_core::http::{HttpClient as _, Method, Url};
use hostssl_azure_sim::{FleetSize, FleetSource, Mix, Scenario, SimCredential, SimTransport, Simulation};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let servers = arguments.next().map_or(Ok(2_000), |text| text.parse())?;
    let subscriptions_per_tenant = arguments.next().map_or(Ok(100), |text| text.parse())?;
    let mut out = std::io::stdout().lock();

    let (start, memory) = (Instant::now(), resident()?);
    let simulation = Simulation::new(Scenario::of(FleetSource::Generated(FleetSize {
        servers,
        subscriptions_per_tenant,
        mix: Mix::FLEXIBLE_ONLY,
        ..FleetSize::default()
    })));
    writeln!(
        out,
        "made {servers} servers in {subscriptions_per_tenant} subscriptions: {:.0} ms, {:.1} MB more resident",
        start.elapsed().as_secs_f64() * 1_000.0,
        (resident()? - memory) / 1_024.0
    )?;

    let tenant = simulation.tenant_ids().swap_remove(0);
    let scope = ["https://management.azure.com/.default"];
    let token = SimCredential::new(&simulation, tenant).get_token(&scope, None).await?;
    let bearer = format!("Bearer {}", token.token.secret());
    let transport = SimTransport::new(&simulation);
    let get = async |path: String| -> Result<usize, Box<dyn Error>> {
        let url = format!("https://management.azure.com{path}?api-version=2025-08-01");
        let mut request = Request::new(Url::parse(&url)?, Method::Get);
        request.insert_header("authorization", bearer.clone());
        let (status, _, body) = transport.execute_request(&request).await?.deconstruct();
        let body = body.collect().await?;
        if !status.is_success() && status != azure_core::http::StatusCode::BadRequest {
            return Err(format!("{path} answered {status}").into());
        }
        Ok(body.len())
    };
    let (start, cpu) = (Instant::now(), processor()?);
    let mut bytes = get("/subscriptions".to_owned()).await?;
    for id in simulation.subscription_ids() {
        let list = "providers/Microsoft.DBforPostgreSQL/flexibleServers";
        bytes += get(format!("/subscriptions/{id}/{list}")).await?;
    }
    for id in simulation.server_ids() {
        bytes += get(format!("{id}/configurations/require_secure_transport")).await?;
    }
    writeln!(
        out,
        "answered {} requests, {:.1} MB: {:.0} ms, {:.2} s of processor time",
        simulation.requests().total(),
        bytes as f64 / 1_048_576.0,
        start.elapsed().as_secs_f64() * 1_000.0,
        processor()? - cpu
    )?;
    Ok(())
}

/// Resident memory in KiB.
fn resident() -> Result<f64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.ok_or("no VmRSS in /proc/self/status")?.parse()?)
}

/// Processor time of this process in seconds, from clock ticks of 10 ms.
fn processor() -> Result<f64, Box<dyn Error>> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, tail) = stat.rsplit_once(')').ok_or("no name in /proc/self/stat")?;
    let ticks = tail.split_whitespace().skip(11).take(2);
    let mut sum = 0.0;
    for field in ticks {
        sum += field.parse::<f64>()?;
    }
    Ok(sum / 100.0)
}
