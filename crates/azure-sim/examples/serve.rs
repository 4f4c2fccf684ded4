//! Serves a scenario until Ctrl-C, for trying real clients by hand.
//!
//! `cargo run -p hostssl-azure-sim --example serve -- demo 0 /tmp/sim` writes the clients' files into the directory and
//! prints the variables to set, ready for `source`.

use std::error::Error;
use std::io::Write as _;
use std::path::PathBuf;

use hostssl_azure_sim::{Scenario, ServeOptions, Simulation, environment, serve, write_files};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_else(|| "demo".to_owned());
    let port = match arguments.next() {
        Some(port) => port.parse()?,
        None => 0,
    };
    let directory = arguments.next().map_or_else(|| std::env::temp_dir().join("hostssl-sim"), PathBuf::from);
    let scenario = Scenario::named(&name).ok_or_else(|| {
        let names: Vec<&str> = Scenario::NAMES.iter().map(|(name, _)| *name).collect();
        format!("no scenario {name}; there are {}", names.join(", "))
    })?;
    let options = ServeOptions { port, ..ServeOptions::default() };
    let server = serve(Simulation::new(scenario), options).await?;
    let files = write_files(&server, &directory)?;
    let mut out = std::io::stdout().lock();
    for (name, value) in environment(&server, &files) {
        writeln!(out, "export {name}='{value}'")?;
    }
    out.flush()?;
    drop(out);
    tokio::signal::ctrl_c().await?;
    server.shutdown().await;
    Ok(())
}
