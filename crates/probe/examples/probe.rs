//! Probes the targets given as arguments and prints each report as a line of JSON.
//!
//! `cargo run -p hostssl-probe --example probe -- [--thorough] [--transcript] TARGET..`

use std::io::Write as _;

use hostssl_probe::target::ProbeTarget;
use hostssl_probe::{ProbeOptions, Prober};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut options = ProbeOptions::default();
    let mut targets = Vec::new();
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--thorough" => options = ProbeOptions { transcript: options.transcript, ..ProbeOptions::thorough() },
            "--transcript" => options.transcript = true,
            text => targets.extend(ProbeTarget::parse(text)?),
        }
    }
    let prober = Prober::new(options)?;
    for target in &targets {
        for report in prober.probe(target).await {
            writeln!(
                std::io::stdout(),
                "{}",
                serde_json::to_string_pretty(&hostssl_formats::probe_json::endpoint(&report)?)?
            )?;
        }
    }
    Ok(())
}
