//! How many endpoints a second the prober does, and what they cost in CPU time. Run `cargo bench -p hostssl-probe`; a
//! word after `--` chooses the cases whose name holds it.
//!
//! Figures of one run can be compared with each other, not with those of another machine or day. Real servers are those
//! of `scripts/install-wire-servers`; `openssl s_client`, which looks at TLS alone, is measured beside them.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark, run manually")]

use std::collections::BTreeMap;
use std::error::Error;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use futures::StreamExt as _;
use hostssl_probe::certificate::RootStore;
use hostssl_probe::target::ProbeTarget;
use hostssl_probe::{ProbeOptions, Prober, probe_many};
use hostssl_test_support::pki::{WantedCertificate, root};
use hostssl_test_support::responder::{self, Responder};
use hostssl_test_support::wire_servers::{ServerVersion, WireServer};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Endpoints probed at once.
const AT_ONCE: usize = 16;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let [word, kind] = arguments.as_slice()
        && word == "respond"
    {
        return responder::run(kind);
    }
    let wanted = arguments.first().map_or("", String::as_str);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    println!("{:<46} {:>9} {:>12} {:>16} {:>16}", "case", "endpoints", "endpoints/s", "ms client CPU", "ms server CPU");
    for (name, kind, count, options) in [
        ("fast responder, no TLS", "plain", 20_000, ProbeOptions::default()),
        ("fast responder, no TLS, lean", "plain", 20_000, ProbeOptions::lean()),
        ("fast responder, TLS", "tls", 5_000, ProbeOptions::default()),
        ("fast responder, TLS, lean", "tls", 5_000, ProbeOptions::lean()),
    ] {
        if name.contains(wanted) {
            let responder = Responder::start(kind)?;
            runtime.block_on(measure(name, responder.port, count, options, AT_ONCE, None))?;
        }
    }
    if "PostgreSQL 17".contains(wanted) {
        real(&runtime)?;
    }
    Ok(())
}

/// Addresses of the one real server.
const ADDRESSES: u32 = 200;
/// How often each way is measured. They take turns, so that what disturbs the machine disturbs all of them.
const ROUNDS: usize = 5;
/// Processes of `openssl s_client` at once.
const CLIENTS: u32 = 8;

/// 200 addresses of one PostgreSQL 17, asked in three ways and by `openssl s_client`, which does one handshake and
/// nothing else.
fn real(runtime: &tokio::runtime::Runtime) -> Result<()> {
    let Some(bin) = ServerVersion::Pg17.bin() else {
        println!("PostgreSQL 17 is not installed: run scripts/install-wire-servers");
        return Ok(());
    };
    let issuer = root("Benchmark root");
    let identity = WantedCertificate::new("127.0.0.1").ip("127.0.0.1").by(&issuer);
    let settings = ["listen_addresses=0.0.0.0", "max_connections=500"];
    let server = WireServer::postgres(&bin, "hostssl all all all scram-sha-256", &settings, Some(&identity));
    let (port, postmaster) = (server.address.port(), Some(server.pid()));
    let roots: Arc<[RootStore]> = Arc::from([RootStore::from_pem("benchmark", issuer.pem().as_bytes())?]);
    let ways =
        [("default", ProbeOptions::default()), ("--quick", ProbeOptions::quick()), ("lean", ProbeOptions::lean())];
    let mut rates = vec![Vec::new(); ways.len() + 1];
    for _ in 0..ROUNDS {
        let (rate_of_openssl, rates_of_ways) = rates.split_last_mut().ok_or("no way")?;
        for ((name, options), rates) in ways.iter().zip(rates_of_ways) {
            let options = ProbeOptions { roots: roots.clone(), ..options.clone() };
            let at_once = options.conversations;
            let name = format!("PostgreSQL 17, {name}");
            rates.push(runtime.block_on(measure(&name, port, ADDRESSES, options, at_once, postmaster))?);
        }
        rate_of_openssl.push(handshakes_of_openssl(port, server.pid())?);
    }
    println!("\n{:<46} {:>12} {:>24}", "median of 5 rounds", "endpoints/s", "of openssl's handshakes");
    let medians: Vec<f64> = rates.into_iter().map(median).collect();
    let openssl = medians.last().copied().ok_or("no figure")?;
    for (name, rate) in ways.iter().map(|(name, _)| *name).chain(["openssl s_client, 8 at once"]).zip(medians) {
        println!("{name:<46} {rate:>12.0} {:>24.2}", rate / openssl);
    }
    Ok(())
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied().unwrap_or_default()
}

/// Address `index` of a loopback network: 250 in each of 250, so that no two probes at once share a server.
fn address(index: u32) -> String {
    let (high, low) = (index % 62_500 / 250, index % 250);
    format!("127.1.{high}.{}", low + 1)
}

/// Endpoints a second, with so many of them `at_once`. The server's time is known where its process is a `postmaster`.
async fn measure(
    name: &str,
    port: u16,
    count: u32,
    options: ProbeOptions,
    at_once: usize,
    postmaster: Option<u32>,
) -> Result<f64> {
    let prober = Arc::new(Prober::new(options)?);
    let targets = (0..count).map(move |index| ProbeTarget::new(address(index), port));
    let server = postmaster.map(cpu_of_server).transpose()?;
    let (begin, cpu) = (Instant::now(), cpu_seconds()?);
    let mut verdicts: BTreeMap<String, u32> = BTreeMap::new();
    let mut stream = probe_many(prober, targets, at_once);
    while let Some(report) = stream.next().await {
        *verdicts.entry(format!("{:?}", report.verdict)).or_default() += 1;
    }
    let (wall, cpu) = (begin.elapsed().as_secs_f64(), cpu_seconds()? - cpu);
    let each = f64::from(count);
    let server = match (server, postmaster) {
        (Some(before), Some(postmaster)) => {
            format!("{:.3}", (cpu_of_server(postmaster)? - before) * 1000.0 / each)
        }
        _ => "-".to_owned(),
    };
    println!("{name:<46} {count:>9} {:>12.0} {:>16.3} {server:>16}  {verdicts:?}", each / wall, cpu * 1000.0 / each);
    Ok(each / wall)
}

/// Handshakes a second of `openssl s_client`, with the same addresses and no look at plaintext.
fn handshakes_of_openssl(port: u16, postmaster: u32) -> Result<f64> {
    let (next, failed) = (AtomicU32::new(0), AtomicU32::new(0));
    let (server, clients) = (cpu_of_server(postmaster)?, cpu_of("self", 13)?);
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= ADDRESSES {
                        return;
                    }
                    let mut command = Command::new("openssl");
                    let server = format!("{}:{port}", address(index));
                    command.args(["s_client", "-starttls", "postgres", "-connect", &server]);
                    // Reading the system's roots anew in each process would take most of its time, and the prober reads
                    // its own once.
                    command.args(["-no-CAfile", "-no-CApath", "-no-CAstore"]);
                    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
                    if !quiet.status().is_ok_and(|status| status.success()) {
                        failed.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let rate = f64::from(ADDRESSES) / begin.elapsed().as_secs_f64();
    if failed.into_inner() > 0 {
        return Err("openssl s_client is not installed, or its handshake fails".into());
    }
    let each = |seconds: f64| seconds * 1000.0 / f64::from(ADDRESSES);
    let (server, clients) = (each(cpu_of_server(postmaster)? - server), each(cpu_of("self", 13)? - clients));
    let name = "  openssl s_client, 8 at once, one handshake";
    println!("{name:<46} {ADDRESSES:>9} {rate:>12.0} {clients:>16.3} {server:>16.3}");
    Ok(rate)
}

/// User and system time of this process.
fn cpu_seconds() -> Result<f64> {
    cpu_of("self", 11)
}

/// The same of a postmaster and of the processes that served connections and ended.
fn cpu_of_server(postmaster: u32) -> Result<f64> {
    let process = postmaster.to_string();
    Ok(cpu_of(&process, 11)? + cpu_of(&process, 13)?)
}

/// Two neighbouring figures of /proc/pid/stat, in ticks of a hundredth second: behind the name of the process, 11 is where its
/// own time stands, user and system, and 13 that of the children that it waited for (proc(5), fields 14 to 17).
fn cpu_of(process: &str, at: usize) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let (_, fields) = stat.rsplit_once(')').ok_or("no such field")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let field = |index: usize| -> Result<f64> { Ok(fields.get(index).ok_or("no such field")?.parse()?) };
    Ok((field(at)? + field(at + 1)?) / 100.0)
}
