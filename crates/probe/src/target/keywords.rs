//! The keywords that a connection string can have. A mistyped one is refused, never dropped: what it was to say would be
//! lost, and another server probed.

use super::TargetError;
use super::connection_parameters::SECRET_WORDS;

/// Every keyword of libpq up to PostgreSQL 18 (libpq, section "Parameter Key Words"; PQconninfoOptions in
/// fe-connect.c).
const KEYWORDS: [&str; 50] = [
    "application_name",
    "authtype",
    "channel_binding",
    "client_encoding",
    "connect_timeout",
    "dbname",
    "fallback_application_name",
    "gssdelegation",
    "gssencmode",
    "gsslib",
    "host",
    "hostaddr",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "krbsrvname",
    "load_balance_hosts",
    "max_protocol_version",
    "min_protocol_version",
    "oauth_client_id",
    "oauth_client_secret",
    "oauth_issuer",
    "oauth_scope",
    "options",
    "passfile",
    "password",
    "port",
    "replication",
    "require_auth",
    "requirepeer",
    "requiressl",
    "scram_client_key",
    "scram_server_key",
    "service",
    "servicefile",
    "ssl_max_protocol_version",
    "ssl_min_protocol_version",
    "sslcert",
    "sslcertmode",
    "sslcompression",
    "sslcrl",
    "sslcrldir",
    "sslkey",
    "sslkeylogfile",
    "sslmode",
    "sslnegotiation",
    "sslpassword",
    "sslrootcert",
    "sslsni",
];
/// The same that are not in alphabetical order with the others.
const MORE_KEYWORDS: [&str; 3] = ["target_session_attrs", "tcp_user_timeout", "user"];

/// Those that a driver's own keywords are compared with.
const MEANT: [&str; 11] = [
    "host",
    "hostaddr",
    "port",
    "user",
    "dbname",
    "sslrootcert",
    "sslmode",
    "sslnegotiation",
    "service",
    "sslcrl",
    "sslcrldir",
];

/// Words for a host and a port that other clients take, and no driver that reads URLs.
const FOREIGN: [(&str, &str); 12] = [
    ("addr", "host"),
    ("address", "host"),
    ("datasource", "host"),
    ("host_name", "host"),
    ("hostname", "host"),
    ("server", "host"),
    ("server_name", "host"),
    ("servername", "host"),
    ("port_number", "port"),
    ("portnumber", "port"),
    ("server_port", "port"),
    ("serverport", "port"),
];

/// Keywords of Npgsql 2 to 10 (NpgsqlConnectionStringBuilder) that mean nothing here, without spaces and in lower case.
const NPGSQL: &str = "alwaysprepare applicationname arraynullabilitymode autoprepareminusages backendtimeouts buffersize \
    cancellationtimeout channelbinding checkcertificaterevocation clientcertificate clientcertificatekey clientencoding \
    commandtimeout compatible connectionidlelifetime connectionlifetime connectionpruninginterval \
    continuousprocessing convertinfinitydatetime efadmindatabase eftemplatedatabase encoding enlist entityadmindatabase \
    entitytemplatedatabase gssencryptionmode hostrecheckseconds includeerrordetail includeerrordetails \
    includefailedbatchedcommand includerealm integratedsecurity internalcommandtimeout keepalive kerberosservicename \
    krbsrvname loadbalancehosts loadtablecomposites logparameters maxautoprepare maximumpoolsize maxpoolsize \
    minimumpoolsize minpoolsize multiplexing noresetonclose options passfile password persistsecurityinfo pooling \
    preloadreader protocol psw pwd readbuffersize replicationmode requireauth searchpath servercompatibilitymode \
    socketreceivebuffersize socketsendbuffersize ssl sslcertificate sslkey sslmode sslpassword syncnotification \
    targetsessionattributes tcpkeepalive tcpkeepaliveinterval tcpkeepalivetime timeout timezone trustservercertificate \
    useextendedtypes useperfcounters usesslstream writebuffersize writecoalescingbufferthresholdbytes";

/// Keywords of psqlODBC (dlg_specific.h) and of the driver manager that mean nothing here, likewise.
const ODBC: &str = "batchsize boolsaschar byteaaslongvarbinary cancelasfreestmt commlog connsettings debug description \
    disablekeepalive disallowpremature driver dsn dtclog extrasystableprefixes fakeoidindex fetch fetchrefcursors \
    filedsn gssauthusegss ignoretimeout keepaliveinterval keepalivetime ksqo lfconversion lie logdir \
    lowercaseidentifier maxlongvarcharsize maxvarcharsize numericas optimizer optionalerrors parse pqopt preferlibpq \
    provider readonly rowversioning savefile showoidcolumn showsystemtables socket textaslongvarchar translationdll \
    translationname translationoption trueisminus1 uniqueindex unknownsaslongvarchar unknownsizes updatablecursors \
    usedeclarefetch useserversideprepare xaopt";

/// Keywords that other clients have in the same URLs, none of which says where a server is: Prisma, node-postgres, pgx,
/// lib/pq, SQLx, Rails, Django and Doctrine, as their documentation lists them.
const OF_CLIENTS: &str = "adapter binary_parameters charset checkout_timeout conn_health_checks conn_max_age connection_limit \
    default_query_exec_mode description_cache_capacity encoding idle_in_transaction_session_timeout lock_timeout \
    min_read_buffer_size persistent pgbouncer pool pool_health_check_period pool_max_conn_idle_time pool_max_conn_lifetime \
    pool_max_conn_lifetime_jitter pool_max_conns pool_min_conns pool_timeout prepared_statements query_timeout \
    reaping_frequency schema schema_search_path search_path serverversion single_use_connections socket_timeout sslaccept sslidentity \
    sslinline statement-cache-capacity statement_cache_capacity statement_cache_size statement_timeout timezone \
    uselibpqcompat";

/// Refuses a keyword that neither libpq nor another client of the same URLs has.
pub(super) fn check_url(keyword: &str) -> Result<(), TargetError> {
    let is_of_a_client = OF_CLIENTS.split_whitespace().any(|known| known.eq_ignore_ascii_case(keyword));
    if is_of_a_client { Ok(()) } else { check_libpq(keyword) }
}

/// Refuses a keyword that libpq does not have.
pub(super) fn check_libpq(keyword: &str) -> Result<(), TargetError> {
    let keyword = keyword.to_ascii_lowercase();
    if is_known(&keyword) {
        return Ok(());
    }
    let near = MEANT.into_iter().chain(all()).find(|one| is_slip(&keyword, one)).or_else(|| foreign(&keyword));
    Err(TargetError::Keyword(near))
}

/// Refuses a keyword in the URL of a driver, which has keywords of its own, only if it is all but one of those that mean
/// something here.
pub(super) fn check_driver(keyword: &str) -> Result<(), TargetError> {
    let keyword = keyword.to_ascii_lowercase();
    if is_known(&keyword) {
        return Ok(());
    }
    let near = MEANT.into_iter().find(|one| is_slip(&keyword, one)).or_else(|| foreign(&keyword));
    near.map_or(Ok(()), |near| Err(TargetError::Keyword(Some(near))))
}

/// Refuses a keyword that neither Npgsql nor psqlODBC has.
pub(super) fn check_ado(keyword: &str) -> Result<(), TargetError> {
    let keyword = plain(keyword);
    if is_ado(&keyword) || SECRET_WORDS.contains(&keyword.as_str()) {
        return Ok(());
    }
    const MEANT: [&str; 8] =
        ["host", "server", "port", "database", "username", "user id", "root certificate", "ssl negotiation"];
    let near = MEANT.into_iter().find(|one| is_slip(&keyword, &plain(one)));
    Err(TargetError::AdoKeyword(near.or_else(|| foreign(&keyword))))
}

/// Whether Npgsql or psqlODBC has a keyword that means nothing here.
pub(super) fn is_ado(keyword: &str) -> bool {
    let keyword = plain(keyword);
    // psqlODBC abbreviates its own.
    let is_abbreviated = match keyword.as_bytes() {
        [b'a'..=b'd', second] => second.is_ascii_digit() || ["ab", "bi", "ca", "cx"].contains(&keyword.as_str()),
        _ => false,
    };
    is_abbreviated || NPGSQL.split_whitespace().chain(ODBC.split_whitespace()).any(|known| known == keyword)
}

/// A keyword of ADO.NET without its spaces and its case.
pub(super) fn plain(keyword: &str) -> String {
    keyword.chars().filter(|c| !c.is_whitespace() && *c != '_').collect::<String>().to_ascii_lowercase()
}

fn all() -> impl Iterator<Item = &'static str> {
    KEYWORDS.iter().chain(&MORE_KEYWORDS).copied()
}

/// A word that announces a secret is dropped with what follows, in whatever format it is a keyword. libpq takes JDBC's
/// `ssl` for `sslmode`.
fn is_known(keyword: &str) -> bool {
    keyword == "ssl" || all().any(|one| one == keyword) || SECRET_WORDS.contains(&keyword)
}

fn foreign(keyword: &str) -> Option<&'static str> {
    FOREIGN.into_iter().find(|(word, _)| *word == keyword).map(|(_, meant)| meant)
}

/// Whether one word is another with one letter too many, missing, wrong, or two exchanged. Words of fewer
/// than four letters are too alike to tell.
fn is_slip(typed: &str, meant: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (typed.chars().collect(), meant.chars().collect());
    if meant.len() < 4 || a.len().abs_diff(b.len()) > 1 || a == b {
        return false;
    }
    let same_start = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    let same_end = a.iter().rev().zip(b.iter().rev()).take_while(|(x, y)| x == y).count();
    let left = |word: &[char]| word.len().saturating_sub(same_start + same_end);
    let exchanged = a.len() == b.len()
        && left(&a) == 2
        && a.get(same_start) == b.get(same_start + 1)
        && a.get(same_start + 1) == b.get(same_start);
    (left(&a) <= 1 && left(&b) <= 1) || exchanged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips() {
        for (typed, meant) in [
            ("prot", "port"),
            ("ports", "port"),
            ("prt", "port"),
            ("hots", "host"),
            ("usr", "user"),
            ("dbnmae", "dbname"),
        ] {
            assert_eq!(check_libpq(typed), Err(TargetError::Keyword(Some(meant))), "{typed}");
            assert_eq!(check_driver(typed), Err(TargetError::Keyword(Some(meant))), "{typed}");
        }
        assert_eq!(check_driver("hostname"), Err(TargetError::Keyword(Some("host"))));
    }

    #[test]
    fn keywords_of_drivers() {
        for keyword in ["ApplicationName", "prepareThreshold", "ssl", "sslfactory", "targetServerType", "tcpKeepAlive"]
        {
            assert_eq!(check_driver(keyword), Ok(()), "{keyword}");
        }
        assert_eq!(check_libpq("prepareThreshold"), Err(TargetError::Keyword(None)));
        // What Prisma and pgx take stands in the same URLs, and in no keyword string.
        assert_eq!((check_url("sslaccept"), check_url("pool_max_conns")), (Ok(()), Ok(())));
        assert_eq!(check_libpq("sslaccept"), Err(TargetError::Keyword(None)));
        assert_eq!(check_url("prot"), Err(TargetError::Keyword(Some("port"))));
        for keyword in ["Ssl Mode", "Trust Server Certificate", "Maximum Pool Size", "UseDeclareFetch", "B0", "Timeout"]
        {
            assert_eq!(check_ado(keyword), Ok(()), "{keyword}");
        }
        assert_eq!(check_ado("Ports"), Err(TargetError::AdoKeyword(Some("port"))));
        assert_eq!(check_ado("Encrypt"), Err(TargetError::AdoKeyword(None)));
    }
}
