//! How many endpoints a second the prober does, and what they cost in CPU time. Run `cargo bench -p hostssl-probe`; a word
//! after `--` chooses the cases whose name holds it.
//!
//! Figures of one run can be compared with each other, not with those of another machine or day. Real servers are those of
//! `scripts/install-wire-servers`; `openssl s_client`, which looks at TLS alone, is measured beside them.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark, run by hand")]

#[path = "../tests/common/mod.rs"]
mod common;
mod responder;

use std::collections::BTreeMap;
use std::error::Error;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use common::pki::{Wanted, root};
use common::servers::{Server, Version};
use futures::StreamExt as _;
use hostssl_probe::target::Target;
use hostssl_probe::{Options, Prober, probe_many};
use responder::Responder;

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
    println!("{:<46} {:>9} {:>12} {:>16}", "case", "endpoints", "endpoints/s", "ms client CPU");
    for (name, kind, count, options) in [
        ("fast responder, no TLS", "plain", 20_000, Options::default()),
        ("fast responder, no TLS, lean", "plain", 20_000, Options::lean()),
        ("fast responder, TLS", "tls", 5_000, Options::default()),
        ("fast responder, TLS, lean", "tls", 5_000, Options::lean()),
    ] {
        if name.contains(wanted) {
            let responder = Responder::start(kind)?;
            runtime.block_on(measure(name, responder.port, count, options))?;
        }
    }
    if "PostgreSQL 15".contains(wanted) {
        real(&runtime)?;
    }
    Ok(())
}

fn real(runtime: &tokio::runtime::Runtime) -> Result<()> {
    let Some(bin) = Version::Pg15.bin() else {
        println!("PostgreSQL 15 is not installed: run scripts/install-wire-servers");
        return Ok(());
    };
    let identity = Wanted::new("127.0.0.1").ip("127.0.0.1").by(&root("Benchmark root"));
    let settings = ["listen_addresses=0.0.0.0", "max_connections=200"];
    let server = Server::postgres(&bin, "hostssl all all all scram-sha-256", &settings, Some(&identity));
    let port = server.address.port();
    runtime.block_on(measure("PostgreSQL 15", port, 1_000, Options::default()))?;
    runtime.block_on(measure("PostgreSQL 15, lean", port, 1_000, Options::lean()))?;
    handshakes_of_openssl(port, 500);
    Ok(())
}

async fn measure(name: &str, port: u16, count: u32, options: Options) -> Result<()> {
    let prober = Arc::new(Prober::new(options)?);
    let targets = (0..count).map(move |index| {
        // 250 addresses in each of 250 networks, so that no two probes at once share a server.
        let (high, low) = (index % 62_500 / 250, index % 250);
        Target::new(format!("127.1.{high}.{}", low + 1), port)
    });
    let (begin, cpu) = (Instant::now(), cpu_seconds()?);
    let mut verdicts: BTreeMap<String, u32> = BTreeMap::new();
    let mut stream = probe_many(prober, targets, AT_ONCE);
    while let Some(report) = stream.next().await {
        *verdicts.entry(format!("{:?}", report.verdict)).or_default() += 1;
    }
    let (wall, cpu) = (begin.elapsed().as_secs_f64(), cpu_seconds()? - cpu);
    let each = f64::from(count);
    println!("{name:<46} {count:>9} {:>12.0} {:>16.3}  {verdicts:?}", each / wall, cpu * 1000.0 / each);
    Ok(())
}

/// Eight at once, one handshake each and no look at plaintext.
fn handshakes_of_openssl(port: u16, count: usize) {
    let next = AtomicUsize::new(0);
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while next.fetch_add(1, Ordering::Relaxed) < count {
                    let mut command = Command::new("openssl");
                    command.args(["s_client", "-starttls", "postgres", "-connect", &format!("127.0.0.1:{port}")]);
                    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
                    let _ = quiet.status();
                }
            });
        }
    });
    let rate = count as f64 / begin.elapsed().as_secs_f64();
    println!("{:<46} {count:>9} {rate:>12.0}", "  openssl s_client, 8 at once, one handshake");
}

/// User and system time of this process (proc(5), /proc/pid/stat, fields 14 and 15, in ticks of a hundredth second).
fn cpu_seconds() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(')').ok_or("no such field")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let field = |index: usize| -> Result<f64> { Ok(fields.get(index).ok_or("no such field")?.parse()?) };
    Ok((field(11)? + field(12)?) / 100.0)
}
