//! Verdicts on the way to Azure: certificates, proxy, name, endpoint, clock, sign-in.

use super::THROTTLED;
use hostssl_azure::{EndpointFailure, EndpointFault, EndpointReply, ProxyRoute, ProxySetting};
use hostssl_model::{DoctorCheck, DoctorCheckId, Hint, Principal};
use jiff::Timestamp;
use std::net::IpAddr;

/// What stands in the way, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obstacle {
    /// What.
    pub what: String,
    /// What to do.
    pub fix: Hint,
}

/// The file of further certificates to trust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaFileFacts {
    /// None was named.
    NotNamed,
    /// It cannot be used.
    Unusable(Obstacle),
    /// It was read.
    Read {
        /// Its name.
        path: String,
        /// How many certificates it has.
        certificates: usize,
        /// The subjects of those whose validity has ended.
        expired: Vec<String>,
    },
}

/// Whether the file of `--ca-file` can be used.
#[must_use]
pub fn ca_file_check(facts: &CaFileFacts) -> DoctorCheck {
    let id = DoctorCheckId::CaFile;
    let (path, certificates, expired) = match facts {
        CaFileFacts::NotNamed => {
            return DoctorCheck::not_applicable(id, "no --ca-file: the system's roots are trusted");
        }
        CaFileFacts::Unusable(obstacle) => return DoctorCheck::failed(id, &obstacle.what, obstacle.fix.clone()),
        CaFileFacts::Read { path, certificates, expired } => (path, *certificates, expired),
    };
    let noun = if certificates == 1 { "certificate" } else { "certificates" };
    let detail = format!("{path} has {certificates} {noun}");
    let Some(first) = expired.first() else { return DoctorCheck::ok(id, detail) };
    let detail = format!("{detail}, of which {} expired: {first}", expired.len());
    let fix = "get a new file from the issuer of these certificates, and name it with --ca-file";
    if expired.len() >= certificates {
        DoctorCheck::failed(id, detail, fix)
    } else {
        DoctorCheck::warning(id, detail, fix)
    }
}

/// Which proxy requests to Resource Manager go through.
#[must_use]
pub fn proxy_check(route: &ProxyRoute) -> DoctorCheck {
    let id = DoctorCheckId::Proxy;
    let host = &route.host;
    match &route.setting {
        ProxySetting::Unset => DoctorCheck::ok(id, format!("none: requests go to {host} directly")),
        ProxySetting::Through { variable, address, has_user } => {
            let user = if *has_user { ", with a user name that is not shown" } else { "" };
            DoctorCheck::ok(id, format!("requests to {host} go through {address} ({variable}{user})"))
        }
        ProxySetting::Excluded { variable, by } => {
            DoctorCheck::ok(id, format!("requests go to {host} directly: {by} leaves it out of {variable}"))
        }
        ProxySetting::OnlyForHttp { variable } => {
            let detail = format!("requests go to {host} directly: {variable} is for http:// alone");
            DoctorCheck::warning(id, detail, "if this network needs a proxy, set HTTPS_PROXY=http://HOST:PORT as well")
        }
        ProxySetting::Unusable { variable } => {
            let detail = format!("requests go to {host} directly: {variable} is not the address of a proxy");
            DoctorCheck::warning(id, detail, Hint::with("set {}=http://HOST:PORT, or unset it", &[variable]))
        }
        ProxySetting::Socks { variable, address } => {
            let detail = format!("{variable} names {address}, and requests to Azure cannot use a SOCKS proxy");
            let fix = Hint::with(
                "unset {}, or set HTTPS_PROXY=http://HOST:PORT; a SOCKS proxy to PostgreSQL is given with --proxy",
                &[&variable],
            );
            DoctorCheck::failed(id, detail, fix)
        }
    }
}

/// Whether a proxy resolves the name of Resource Manager.
fn leads_through_proxy(route: &ProxyRoute) -> bool {
    matches!(route.setting, ProxySetting::Through { .. } | ProxySetting::Socks { .. })
}

/// Whether the name of Resource Manager has an address. `addresses` is `None` when the answer did not come in time.
#[must_use]
pub fn name_check(route: &ProxyRoute, addresses: Option<&Result<Vec<IpAddr>, String>>) -> DoctorCheck {
    let id = DoctorCheckId::ManagementName;
    let host = &route.host;
    let fix = || {
        Hint::with(
            "check the DNS servers of this machine (`getent hosts {}`); in a network with a proxy, set HTTPS_PROXY",
            &[&host],
        )
    };
    match addresses {
        _ if leads_through_proxy(route) => DoctorCheck::not_applicable(id, format!("the proxy resolves {host}")),
        Some(Ok(addresses)) if !addresses.is_empty() => {
            let shown: Vec<String> = addresses.iter().take(3).map(ToString::to_string).collect();
            DoctorCheck::ok(id, format!("{host} is {}", shown.join(", ")))
        }
        Some(Ok(_)) => DoctorCheck::failed(id, format!("{host} has no address"), fix()),
        Some(Err(why)) => DoctorCheck::failed(id, format!("{host} has no address: {why}"), fix()),
        None => DoctorCheck::failed(id, format!("no answer about {host} in time"), fix()),
    }
}

/// A request to Resource Manager without a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointTrial {
    /// Where to.
    pub endpoint: String,
    /// The proxy that it went through, and the variable that names it.
    pub proxy: Option<(String, &'static str)>,
    /// The answer; `None` when there was none in time.
    pub answer: Option<Result<EndpointReply, EndpointFailure>>,
    /// When the request was sent, by the clock of this machine.
    pub sent: Timestamp,
    /// When the answer came.
    pub received: Timestamp,
}

/// Whether Resource Manager can be reached.
#[must_use]
pub fn endpoint_check(facts: &EndpointTrial) -> DoctorCheck {
    let id = DoctorCheckId::ManagementEndpoint;
    let endpoint = &facts.endpoint;
    let reach = "allow HTTPS to it in the firewall; in a network with a proxy, set HTTPS_PROXY";
    match &facts.answer {
        Some(Ok(EndpointReply { status: 401, .. })) => {
            DoctorCheck::ok(id, format!("{endpoint} answers, with 401 to a request without a token"))
        }
        Some(Ok(EndpointReply { status: 407, .. })) => {
            let fix = "give them in the variable: HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT";
            DoctorCheck::failed(id, "the proxy requires a user name and a password", fix)
        }
        Some(Ok(EndpointReply { status: 429, retry_after, .. })) => {
            let asks = retry_after.map(|wait| format!(" and asks to wait {} s", wait.as_secs())).unwrap_or_default();
            let detail = format!("{endpoint} answers with 429: Azure throttles requests from here{asks}");
            DoctorCheck::unknown(id, detail, Some(THROTTLED.into()))
        }
        Some(Ok(EndpointReply { status, .. })) => {
            let detail = format!(
                "{endpoint} answers with {status} to a request without a token, where Resource Manager answers with 401: something else may answer in its place"
            );
            DoctorCheck::warning(id, detail, "check the proxy and --arm-endpoint")
        }
        // Which of the two did not answer is not known, and the proxy comes first.
        Some(Err(EndpointFailure { fault: EndpointFault::Unreachable, detail })) if facts.proxy.is_some() => {
            of_proxy(facts, &format!("no connection: {detail}"))
        }
        Some(Err(EndpointFailure { fault, detail })) => {
            let (what, fix) = match fault {
                EndpointFault::Certificate => (
                    "its certificate is not accepted",
                    "if a proxy reads TLS here, name its root certificate with --ca-file; check the clock of this machine, too",
                ),
                EndpointFault::Unreachable => ("no connection", reach),
                EndpointFault::Broken => ("the connection broke", reach),
            };
            DoctorCheck::failed(id, format!("{endpoint}: {what}: {detail}"), fix)
        }
        None if facts.proxy.is_some() => of_proxy(facts, "no answer in time"),
        None => DoctorCheck::failed(id, format!("{endpoint}: no answer in time"), reach),
    }
}

/// What went wrong on the way through a proxy.
fn of_proxy(facts: &EndpointTrial, what: &str) -> DoctorCheck {
    let endpoint = &facts.endpoint;
    let (proxy, variable) = facts.proxy.as_ref().map_or(("", ""), |(proxy, variable)| (proxy, *variable));
    let detail = format!("{endpoint} through the proxy {proxy} ({variable}): {what}");
    let fix = Hint::with("check that the proxy runs and allows HTTPS to this host, or unset {}", &[&variable]);
    DoctorCheck::failed(DoctorCheckId::ManagementEndpoint, detail, fix)
}

impl EndpointTrial {
    /// The proxy that a request takes by its route.
    #[must_use]
    pub fn proxy_of(route: &ProxyRoute) -> Option<(String, &'static str)> {
        match &route.setting {
            ProxySetting::Through { variable, address, .. } => Some((address.clone(), variable)),
            _ => None,
        }
    }
}

/// A difference above this is worth a word: logs of both sides are hard to compare.
const NOTICED: i64 = 60;
/// Who checks a token commonly allows for this much (Microsoft.IdentityModel, `TokenValidationParameters.DefaultClockSkew`).
const TOLERATED: i64 = 300;

/// Whether the clock of this machine agrees with that of Resource Manager.
#[must_use]
pub fn clock_check(facts: &EndpointTrial) -> DoctorCheck {
    let id = DoctorCheckId::Clock;
    let date = match &facts.answer {
        Some(Ok(EndpointReply { date, .. })) => *date,
        _ => return DoctorCheck::unknown(id, "there is no answer to compare it with", None),
    };
    let Some(date) = date else {
        return DoctorCheck::unknown(id, "the answer of the endpoint has no date", None);
    };
    // The answer was dated between the two, and its date is cut to the second.
    let between = i64::midpoint(facts.sent.as_millisecond(), facts.received.as_millisecond());
    let ahead = (between - date.as_millisecond() - 500) / 1000;
    let words = match ahead {
        0 => "it agrees with that of the endpoint to the second".to_owned(),
        ahead if ahead > 0 => format!("it is {ahead} s ahead of that of the endpoint"),
        behind => format!("it is {} s behind that of the endpoint", behind.abs()),
    };
    let fix = "set the clock of this machine, and let NTP keep it: `timedatectl set-ntp true`";
    match ahead.abs() {
        seconds if seconds > TOLERATED => {
            DoctorCheck::failed(id, format!("{words}; beyond {TOLERATED} s, tokens are commonly refused"), fix)
        }
        seconds if seconds > NOTICED => DoctorCheck::warning(id, words, fix),
        _ => DoctorCheck::ok(id, words),
    }
}

/// Whether signing in works, and who it is. `None` when there was no answer in time.
#[must_use]
pub fn sign_in_check(signed_in: Option<&Result<Vec<&Principal>, Obstacle>>) -> DoctorCheck {
    let id = DoctorCheckId::SignIn;
    match signed_in {
        Some(Ok(principals)) => {
            let who = |one: &&Principal| {
                let tenant = one.tenant.as_deref().unwrap_or("unknown");
                format!("{} (--auth {}), tenant {tenant}", one.name, one.method)
            };
            DoctorCheck::ok(id, principals.iter().map(who).collect::<Vec<_>>().join("; "))
        }
        Some(Err(obstacle)) => DoctorCheck::failed(id, &obstacle.what, obstacle.fix.clone()),
        None => {
            let fix = "check that the sign-in address can be reached, or choose another way to sign in with --auth";
            DoctorCheck::failed(id, "no token came in time", fix)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostssl_model::DoctorStatus::{Failed, Ok as Fine, Skipped, Warning};
    use std::time::Duration;

    fn route(setting: ProxySetting) -> ProxyRoute {
        ProxyRoute { host: "arm.example".into(), setting }
    }

    fn facts(answer: Option<Result<EndpointReply, EndpointFailure>>) -> EndpointTrial {
        let at = |second| Timestamp::from_second(second).unwrap();
        let endpoint = "https://arm.example".into();
        EndpointTrial { endpoint, proxy: None, answer, sent: at(1000), received: at(1002) }
    }

    fn dated(status: u16, second: i64) -> EndpointTrial {
        let date = Timestamp::from_second(second).ok();
        facts(Some(Ok(EndpointReply { status, date, retry_after: None })))
    }

    #[test]
    fn only_a_whole_file_of_valid_certificates_is_ok() {
        let read = |certificates, expired: &[&str]| CaFileFacts::Read {
            path: "ca.pem".into(),
            certificates,
            expired: expired.iter().map(ToString::to_string).collect(),
        };
        let status = |facts: CaFileFacts| ca_file_check(&facts).status;
        let unusable = CaFileFacts::Unusable(Obstacle { what: "torn".into(), fix: "another".into() });
        let all = [CaFileFacts::NotNamed, unusable, read(2, &[]), read(2, &["CN=a"]), read(1, &["CN=a"])];
        assert_eq!(all.map(status), [Skipped, Failed, Fine, Warning, Failed]);
    }

    #[test]
    fn a_proxy_that_cannot_be_used_is_not_ok() {
        let through = ProxySetting::Through { variable: "HTTPS_PROXY", address: "http://p:1".into(), has_user: true };
        let socks = ProxySetting::Socks { variable: "ALL_PROXY", address: "socks5h://p:1".into() };
        let all = [
            ProxySetting::Unset,
            through.clone(),
            ProxySetting::Excluded { variable: "HTTPS_PROXY", by: "NO_PROXY" },
            ProxySetting::OnlyForHttp { variable: "HTTP_PROXY" },
            ProxySetting::Unusable { variable: "HTTPS_PROXY" },
            socks,
        ];
        let statuses = all.map(|setting| proxy_check(&route(setting)).status);
        assert_eq!(statuses, [Fine, Fine, Fine, Warning, Warning, Failed]);
        let nothing = Err("no such name".to_owned());
        assert_eq!(name_check(&route(through), Some(&nothing)).status, Skipped);
        let direct = route(ProxySetting::Unset);
        let found = Ok(vec![IpAddr::from([192, 0, 2, 1])]);
        let status = |addresses| name_check(&direct, addresses).status;
        assert_eq!([status(Some(&found)), status(Some(&nothing)), status(None)], [Fine, Failed, Failed]);
        assert_eq!(status(Some(&Ok(Vec::new()))), Failed);
    }

    #[test]
    fn only_resource_manager_itself_is_ok() {
        let status = |facts: EndpointTrial| endpoint_check(&facts).status;
        let failure = |fault| facts(Some(Err(EndpointFailure { fault, detail: "x".into() })));
        assert_eq!([401, 200, 407].map(|code| status(dated(code, 0))), [Fine, Warning, Failed]);
        let faults = [EndpointFault::Certificate, EndpointFault::Unreachable, EndpointFault::Broken];
        assert_eq!(faults.map(|fault| status(failure(fault))), [Failed; 3]);
        assert_eq!(status(facts(None)), Failed);
    }

    #[test]
    fn a_dead_proxy_is_not_the_fault_of_the_endpoint() {
        let refused = EndpointFailure { fault: EndpointFault::Unreachable, detail: "connection refused".into() };
        let setting = ProxySetting::Through { variable: "HTTPS_PROXY", address: "http://p:1".into(), has_user: false };
        let proxy = EndpointTrial::proxy_of(&route(setting));
        let told = |answer| endpoint_check(&EndpointTrial { proxy: proxy.clone(), ..facts(answer) });
        let refused = told(Some(Err(refused)));
        let expected =
            "https://arm.example through the proxy http://p:1 (HTTPS_PROXY): no connection: connection refused";
        assert_eq!((refused.status, &*refused.detail), (Failed, expected));
        assert!(told(None).detail.contains("through the proxy http://p:1"));
        assert_eq!(EndpointTrial::proxy_of(&route(ProxySetting::Unset)), None);
    }

    #[test]
    fn a_clock_is_compared_with_the_middle_of_the_request() {
        let at = |second| clock_check(&dated(401, second));
        assert_eq!((at(1001).status, at(1000).status), (Fine, Fine));
        assert!(at(1001).detail.contains("agrees"), "{}", at(1001).detail);
        assert_eq!(
            [1001 - 61, 1001 - 62, 1001 + 62, 1001 + 302, 1].map(|second| at(second).status),
            [Fine, Warning, Warning, Failed, Failed]
        );
        assert!(at(1).detail.contains("ahead") && at(5000).detail.contains("behind"));
        let undated = clock_check(&facts(Some(Ok(EndpointReply { status: 401, date: None, retry_after: None }))));
        assert!(undated.is_unknown && clock_check(&facts(None)).is_unknown);
    }

    #[test]
    fn throttling_is_told_as_such() {
        let asked =
            |retry_after| endpoint_check(&facts(Some(Ok(EndpointReply { status: 429, date: None, retry_after }))));
        let check = asked(Some(Duration::from_secs(300)));
        assert!(check.is_unknown, "{check:?}");
        let says = "https://arm.example answers with 429: Azure throttles requests from here and asks to wait 300 s";
        assert_eq!(check.detail, says);
        assert!(asked(None).detail.ends_with("throttles requests from here"));
    }

    #[test]
    fn no_token_is_no_sign_in() {
        let principal =
            Principal { name: "ann@example".into(), object_id: None, tenant: Some("t".into()), method: "cli".into() };
        let check = sign_in_check(Some(&Ok(vec![&principal])));
        assert_eq!((check.status, check.detail.as_str()), (Fine, "ann@example (--auth cli), tenant t"));
        assert_eq!(sign_in_check(None).status, Failed);
    }
}
