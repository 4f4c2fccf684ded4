//! What the reader remembers of lines that it has read changes nothing of what it finds.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hostssl_census::{Census, CensusLimits, CensusReport, Client, LogEnd, LogReader, Requirements, SourceKind};
use proptest::prelude::*;

const TLS: &str = " SSL enabled (protocol=TLSv1.3, cipher=TLS_AES_256_GCM_SHA384, bits=256)";
const PREFIXES: [&str; 6] =
    ["%t-%c-", "%m [%p] ", "%t [%p] %q%u@%d ", "%t [%p] %h ", "%t %a [%p] ", "%t:%r:%u@%d:[%p]:"];

/// A line: its second, process, place of its session among the names, message and severity.
#[derive(Debug, Clone)]
struct Line {
    at: u64,
    pid: u64,
    who: usize,
    message: usize,
    severity: usize,
}

/// User, database, application and what follows: some made to deceive, some of which the same text is another message by the names in the
/// prefix.
const WHO: [(&str, &str, &str, &str); 8] = [
    ("app", "shop", "psql", TLS),
    ("app", "shop", "psql", ""),
    ("x database=prod", "shop", "psql", ""),
    ("x", "prod database=shop", "psql", ""),
    ("evil", "shop", "psql SSL enabled (protocol=TLSv1.3, cipher=TLS_AES_256_GCM_SHA384, bits=256)", ""),
    ("evil", "d SSL enabled (protocol=TLSv1.3, cipher=A, bits=1)", "", ""),
    ("a", "b", "x LOG:  connection authorized: user=ghost database=d", TLS),
    ("rep", "", "walreceiver", TLS),
];

impl Line {
    fn written(&self, prefix: &str) -> String {
        let (user, database, application, tls) = WHO[self.who];
        let (at, pid) = (self.at, self.pid);
        let name = if application.is_empty() { String::new() } else { format!(" application_name={application}") };
        let message = match self.message {
            0 => format!("connection received: host=10.0.0.{} port={pid}", self.who),
            1 => "connection received: host=[local]".to_owned(),
            2 => format!("connection authenticated: identity=\"{user}\" method=scram-sha-256 (pg_hba.conf:7)"),
            3..=5 => format!("connection authorized: user={user} database={database}{name}{tls}"),
            6 => format!("replication connection authorized: user={user}{name}{tls}"),
            7 => format!(
                "disconnection: session time: 0:00:01.000 user={user} database={database} host=10.0.0.{} port={pid}",
                self.who
            ),
            8 => format!("Verbindung autorisiert: Benutzer={user} Datenbank={database}{name}"),
            9 => "statement: select 'connection authorized: user=a database=b'".to_owned(),
            10 => "connection authorized: user=a database=bLOG:  connection received: host=h port=5".to_owned(),
            _ => format!("database \"{database}\" does not exist"),
        };
        let time = format!("1970-01-01 00:{:02}:{:02} UTC", at / 60, at % 60);
        let head = prefix
            .replace("%t", &time)
            .replace("%m", &time.replace(" UTC", ".250 UTC"))
            .replace("%c", &format!("{:08x}.{pid:x}", at / 20))
            .replace("%p", &pid.to_string())
            .replace("%q", "")
            .replace("%u", if self.message == 0 { "[unknown]" } else { user })
            .replace("%d", if self.message == 0 { "[unknown]" } else { database })
            .replace("%h", if self.severity == 1 { "[local]" } else { "10.0.0.9" })
            .replace("%r", "10.0.0.9(5)")
            .replace("%a", application);
        let severity = ["LOG", "LOG", "LOG", "FATAL", "PROTOKOLL"][self.severity];
        format!("{head}{severity}:  {message}\n")
    }
}

fn line() -> impl Strategy<Value = Line> {
    (0..600u64, 1..6u64, 0..WHO.len(), 0..12usize, 0..5usize).prop_map(|(at, pid, who, message, severity)| Line {
        at,
        pid,
        who,
        message,
        severity,
    })
}

/// The report of files, and what is remembered ends with each.
fn read<'a>(files: impl Iterator<Item = &'a str>, prefix: &str) -> CensusReport {
    let mut reader = LogReader::new(Census::new(CensusLimits::default(), None), Some(prefix.parse().unwrap()));
    for file in files {
        reader.begin(SourceKind::LogFile, "log");
        reader.feed(file.as_bytes());
        reader.end(LogEnd::Whole);
    }
    reader.finish().finish(Requirements::default())
}

/// The clients, but not by which files.
fn clients(report: CensusReport) -> Vec<Client> {
    report.clients.into_iter().map(|client| Client { sources: Vec::new(), ..client }).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_log_says_what_its_lines_say_one_by_one(
        lines in prop::collection::vec(line(), 0..120),
        prefix in prop::sample::select(PREFIXES.to_vec()),
    ) {
        let log: Vec<String> = lines.iter().map(|line| line.written(prefix)).collect();
        let whole = read(std::iter::once(log.concat().as_str()), prefix);
        let apart = read(log.iter().map(String::as_str), prefix);
        prop_assert_eq!((&whole.refused, whole.unlisted), (&apart.refused, apart.unlisted));
        prop_assert_eq!(clients(whole), clients(apart));
    }
}
