//! How the hosts of Azure's servers are called.

/// The ends of the names of Azure's servers, in all its clouds. Those of simulated servers have [`SIMULATED`] behind them.
const AZURE_SUFFIXES: [&str; 5] = [
    ".postgres.database.azure.com",
    ".postgres.database.usgovcloudapi.net",
    ".postgres.database.chinacloudapi.cn",
    ".postgres.database.sovcloud-api.fr",
    ".postgres.cosmos.azure.com",
];
/// The end of the names of simulated servers.
const SIMULATED: &str = ".invalid";

/// Whether a host has the name of one of Azure's servers, or of a simulated one.
pub(crate) fn is_azure(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let name = host.strip_suffix(SIMULATED).unwrap_or(&host);
    AZURE_SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
}
