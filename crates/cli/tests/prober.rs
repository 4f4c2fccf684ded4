//! Machines in a zone probe by themselves: real processes of prober and console, over real TLS.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at the first surprise")]
#![allow(unreachable_pub, missing_docs, dead_code, reason = "a module of this test, shared with others")]

mod common;
mod prober_peers;

use common::visitor::{get, post, sign_in};
use common::{Done, Running, hostssl, run, start};
use hostssl_test_support::pki::{WantedCertificate, root};
use hostssl_test_support::postgres::skipped;
use hostssl_test_support::wire_servers::{ServerVersion, WireServer};
use prober_peers::{FakeConsole, RawProber};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

/// The private server of the demo, which is in the zone.
const LEDGER: &str = "pg-ledger-prod";

/// A console over the simulated Azure, and everything else in one folder.
struct ProbedZone {
    folder: tempfile::TempDir,
    console: Option<Running>,
    /// The address of the port for probers.
    address: String,
    /// The address where people sign in.
    link: String,
}

impl ProbedZone {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut zone = Self { folder, console: None, address: String::new(), link: String::new() };
        let added =
            run(&["zones", "add", "hub-weu", "--virtual-network", "vnet-data", "--zones", &zone.text("zones.toml")]);
        assert_eq!(added.code, 0, "{}", added.stderr);
        zone.serve("127.0.0.1:0");
        zone
    }

    /// Starts the console, again if it ran.
    fn serve(&mut self, address: &str) {
        let (zones, state) = (self.text("zones.toml"), self.text("state"));
        let mut command = hostssl();
        command.args(["serve", "--simulate", "--listen", "127.0.0.1:0", "--prober-listen", address]);
        let mut console = start(command.args(["--zones", &zones, "--state", &state]));
        let line = console.wait_for_stderr("listening for probers on ");
        self.address = line.split([' ', ';']).nth(4).unwrap().to_owned();
        let link = console.wait_for_stderr("sign in, once");
        self.link = link.split_whitespace().last().unwrap().to_owned();
        self.console = Some(console);
    }

    fn text(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn zones(&self, arguments: &[&str]) -> Done {
        let state = self.text("state");
        run(&[&["zones"], arguments, &["--state", &state, "--simulate"]].concat())
    }

    /// A join string.
    fn join(&self) -> String {
        let (url, zones) = (format!("https://{}", self.address), self.text("zones.toml"));
        let done = self.zones(&["enrol", "hub-weu", "--url", &url, "--zones", &zones, "-q"]);
        assert_eq!(done.code, 0, "{}", done.stderr);
        done.stdout.trim().to_owned()
    }

    /// One round of a prober of this name.
    fn probe(&self, name: &str, join: &str, more: &[&str]) -> Done {
        let state = self.text(name);
        let base = ["prober", "--once", "--simulate", "--state", &state, "--allow-names", "*.invalid"];
        start(hostssl().args(base).args(more).env("HOSTSSL_JOIN", join)).finish()
    }

    /// One round of a prober outside of the simulation.
    fn probe_for_real(&self, name: &str, join: &str, more: &[&str]) -> Done {
        let state = self.text(name);
        let base = ["prober", "--once", "--state", &state, "--allow-names", "*.invalid"];
        start(hostssl().args(base).args(more).env("HOSTSSL_JOIN", join)).finish()
    }

    fn probers(&self) -> Value {
        let done = self.zones(&["probers", "-o", "json", "-q"]);
        serde_json::from_str(&done.stdout).unwrap()
    }

    /// What an audit with the same state says of the private server, per port.
    fn audit(&self) -> Vec<(u64, String, Option<String>)> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let said = |look: &Value| text(&look["verdict"]).or_else(|| text(&look["reason"])).unwrap();
        let looks = self.wire();
        looks.iter().map(|look| (look["port"].as_u64().unwrap(), said(look), text(&look["zone"]))).collect()
    }

    /// The looks at the private server in the JSON of an audit with the same state.
    fn wire(&self) -> Vec<Value> {
        let (zones, state) = (self.text("zones.toml"), self.text("state"));
        let base = ["audit", "--simulate", "--probe", "--server", LEDGER, "-o", "json", "-q", "--zones", &zones];
        let done = run(&[&base[..], &["--state", &state]].concat());
        let audit: Value = serde_json::from_str(&done.stdout).unwrap_or_else(|_| panic!("{}", done.stderr));
        audit["servers"][0]["wire"].as_array().unwrap().clone()
    }
}

/// A prober of a console that a test plays, in a directory.
fn prober_of(console: &FakeConsole, folder: &Path, more: &[&str]) -> Running {
    let state = folder.join("prober");
    let base = ["prober", "--state", state.to_str().unwrap()];
    start(hostssl().args(base).args(more).env("HOSTSSL_JOIN", console.join()))
}

fn targets(hosts: &[(&str, u16, &str)], more: bool) -> Value {
    let target = |(host, port, question): &(&str, u16, &str)| json!({"host": host, "port": port, "question": question});
    let targets: Vec<Value> = hosts.iter().map(target).collect();
    let now = jiff::Timestamp::now().to_string();
    json!({"reply": "targets", "zone": "hub", "now": now, "wanted": 5, "targets": targets, "more": more})
}

fn enrolled() -> Value {
    json!({"reply": "enrolled", "prober": "p-1", "zone": "hub"})
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().unwrap().permissions().mode() & 0o777
}

#[test]
fn a_prober_enrols_and_what_it_saw_counts() {
    let zone = ProbedZone::new();
    assert_eq!(zone.audit()[0], (5432, "prober-silent".to_owned(), Some("hub-weu".to_owned())));
    let join = zone.join();
    let first = zone.probe("one", &join, &[]);
    assert_eq!(first.code, 0, "{}", first.stderr);
    assert!(first.stderr.contains("enrolled as p-") && first.stderr.contains("round done: "), "{}", first.stderr);
    let counted = zone.audit();
    assert_eq!(counted[0].2.as_deref(), Some("hub-weu"), "{counted:?}");
    assert_ne!(counted[0].1, "prober-silent", "{counted:?}");
    for key in [zone.text("one/prober-key.pem"), zone.text("state/simulated/prober-port-key.pem")] {
        assert_eq!(mode(Path::new(&key)), 0o600, "{key}");
    }

    let second = zone.probe("two", &join, &[]);
    assert_eq!(second.code, 1, "{}", second.stderr);
    assert!(second.stderr.contains("used before"), "{}", second.stderr);
    let listed = zone.probers();
    assert_eq!(listed["probers"].as_array().unwrap().len(), 1);
    assert!(listed["refusals"][0]["why"].as_str().unwrap().contains("used before"), "{listed}");

    let again = zone.probe("one", &join, &[]);
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert!(again.stderr.contains("the join string was not used"), "{}", again.stderr);
    let id = listed["probers"][0]["id"].as_str().unwrap();
    let revoked = zone.zones(&["revoke", id]);
    assert_eq!(revoked.code, 0, "{}", revoked.stderr);
    let refused = zone.probe("one", "", &[]);
    assert_eq!(refused.code, 1, "{}", refused.stderr);
    assert!(refused.stderr.contains("was revoked"), "{}", refused.stderr);
    assert_eq!(zone.probers()["probers"][0]["status"], "revoked");
    assert_eq!(zone.audit()[0].1, "prober-silent", "nothing that it saw counts any more");
}

#[test]
fn a_console_that_moved_is_followed_by_its_key() {
    let mut zone = ProbedZone::new();
    assert_eq!(zone.probe("one", &zone.join(), &[]).code, 0);
    let console = zone.console.take().unwrap();
    console.signal("TERM");
    assert_eq!(console.finish().code, 0);
    zone.serve("127.0.0.1:0");
    let moved = zone.probe("one", &zone.join(), &[]);
    assert_eq!(moved.code, 0, "{}", moved.stderr);
    assert!(moved.stderr.contains("note: the console was at https://127.0.0.1:"), "{}", moved.stderr);
    assert_eq!(zone.probe("one", "", &[]).code, 0, "the new address is remembered");
    assert_eq!(zone.probers()["probers"].as_array().unwrap().len(), 1, "it is the same prober");
}

#[test]
fn a_prober_that_does_not_know_that_it_is_enrolled_is_told() {
    let zone = ProbedZone::new();
    let join = zone.join();
    assert_eq!(zone.probe("one", &join, &[]).code, 0);
    let before = zone.probers();
    // As it is where the prober ends between the answer of the console and its own file.
    std::fs::remove_file(zone.text("one/prober.json")).unwrap();
    let again = zone.probe("one", &join, &[]);
    assert_eq!(again.code, 0, "{}", again.stderr);
    let after = zone.probers();
    assert_eq!(after["probers"].as_array().unwrap().len(), 1, "{after}");
    assert_eq!((&after["probers"][0]["id"], &after["refusals"]), (&before["probers"][0]["id"], &json!([])));

    let id = after["probers"][0]["id"].as_str().unwrap();
    assert_eq!(zone.zones(&["revoke", id]).code, 0);
    std::fs::remove_file(zone.text("one/prober.json")).unwrap();
    let revoked = zone.probe("one", &join, &[]);
    assert!(revoked.code == 1 && revoked.stderr.contains("was revoked"), "{}", revoked.stderr);
}

#[test]
fn what_was_seen_outlives_the_console() {
    let mut zone = ProbedZone::new();
    let join = zone.join();
    assert_eq!(zone.probe("one", &join, &[]).code, 0);
    let before = zone.audit();
    let (console, address) = (zone.console.take().unwrap(), zone.address.clone());
    console.signal("KILL");
    console.wait_for_signalled_end();
    zone.serve(&address);
    assert_eq!(zone.audit(), before);
    let again = zone.probe("one", "", &[]);
    assert_eq!(again.code, 0, "the key of the console is the same: {}", again.stderr);
}

/// The real server stands for the private one: where its private DNS zone would lead there, `--connect-to` does.
#[test]
fn a_real_server_is_proven_by_a_prober() {
    let Some(bin) = ServerVersion::Pg15.bin() else { return skipped("PostgreSQL 15") };
    let zone = ProbedZone::new();
    let zones = zone.text("zones.toml");
    let list = run(&["zones", "targets", "hub-weu", "--zones", &zones, "--simulate", "-q"]);
    let list: Value = serde_json::from_str(&list.stdout).unwrap();
    let host = list["targets"][0]["host"].as_str().unwrap().to_owned();
    let identity = WantedCertificate::new(&host).dns(&host).by(&root("Test root"));
    let server = WireServer::postgres(&bin, "host all all all scram-sha-256\n", &[], Some(&identity));
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let [to, pooler] =
        [(5432, server.address.port()), (6432, closed)].map(|(port, real)| format!("{host}:{port}:127.0.0.1:{real}"));
    let route = ["--connect-to", &to, "--connect-to", &pooler];

    let join = zone.join();
    let fenced = zone.probe_for_real("one", &join, &route);
    assert_eq!(fenced.code, 4, "{}", fenced.stderr);
    assert!(fenced.stderr.contains("127.0.0.1 is in 127.0.0.0/8"), "{}", fenced.stderr);
    assert_eq!(zone.audit()[0].1, "prober-silent", "what the fence refuses is no pass");

    let named = [&route[..], &["--allow-net", "127.0.0.0/8"]].concat();
    let open = zone.probe_for_real("one", "", &named);
    assert_eq!(open.code, 0, "{}", open.stderr);
    let hub = || Some("hub-weu".to_owned());
    assert_eq!(zone.audit(), [(5432, "optional".to_owned(), hub())]);
    server.reload("hostssl all all all scram-sha-256\nhostssl replication all all scram-sha-256\n", None);
    assert_eq!(zone.probe_for_real("one", "", &named).code, 0);
    assert_eq!(zone.audit(), [(5432, "enforced".to_owned(), hub())]);
}

#[test]
fn a_prober_that_is_not_honest_is_not_believed() {
    let zone = ProbedZone::new();
    let stranger = RawProber::new(&zone.address);
    for request in [json!({"ask": "targets", "version": "0"}), json!({"ask": "wait", "wanted": 1}), json!({"x": 1})] {
        let (status, reply) = stranger.ask(request);
        assert_eq!((status, reply["reply"].as_str()), (403, Some("refused")), "{reply}");
        assert!(!reply.to_string().contains("hub-weu"), "one who is not known learns nothing");
    }
    assert!(RawProber::without_key(&zone.address).exchange(b"GET / HTTP/1.1\r\n\r\n").is_err(), "no key, no word");
    assert!(RawProber::with_old_tls(&zone.address).exchange(b"GET / HTTP/1.1\r\n\r\n").is_err(), "TLS 1.3 alone");
    let pages = stranger.exchange(b"GET /zones HTTP/1.1\r\nhost: c\r\nconnection: close\r\n\r\n").unwrap();
    assert!(pages.starts_with("HTTP/1.1 404"), "{pages}");

    let prober = RawProber::new(&zone.address);
    assert_eq!(prober.enrol(&zone.join()).0, 200);
    let (status, batch) = prober.ask(json!({"ask": "targets", "version": "0"}));
    assert_eq!(status, 200, "{batch}");
    let host = batch["targets"][0]["host"].as_str().unwrap().to_owned();
    for word in ["subscription", "resourceGroup", "pg-open"] {
        assert!(!batch.to_string().contains(word), "{word}: {batch}");
    }
    let unknown = json!({"outcome": "unknown", "sqlstate": null, "routine": null, "authentication": null});
    let look = |host: &str, at: &str| {
        json!({
            "target": host, "host": host, "port": 5432, "address": "10.9.9.9", "verdict": "enforced", "reason": "r",
            "sslRequest": "not-sent", "plaintext": unknown, "encrypted": unknown, "startups": [], "tls": null,
            "certificate": null, "weaknesses": [], "observedAt": at,
        })
    };
    let say = |host: &str, look: Value| {
        let answer = json!({"host": host, "port": 5432, "outcome": "looked", "endpoints": [look]});
        prober.ask(json!({"ask": "looks", "answers": [answer]}))
    };
    let now = || jiff::Timestamp::now().to_string();
    let future = (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1)).to_string();
    let (status, reply) = say(&host, look(&host, &future));
    assert_eq!((status, reply["answers"].as_u64()), (200, Some(0)), "{reply}");
    assert!(reply["unkept"][0]["why"].as_str().unwrap().contains("future"), "{reply}");
    let (status, reply) = prober.ask(json!({"ask": "extend", "version": "9"}));
    assert_eq!((status, reply["reply"].as_str()), (400, Some("refused")), "{reply}");
    assert_eq!(zone.probers()["probers"][0]["violations"], 0, "a clock may be wrong, and a prober newer");

    // Of a server of another zone; of its own, contradicting itself; and more than is taken.
    let other = "pg-open.postgres.database.azure.com";
    let (_, reply) = say(other, look(other, &now()));
    assert!(reply["unkept"][0]["why"].as_str().unwrap().contains("not asked"), "{reply}");
    let mut lie = look(&host, &now());
    lie["plaintext"]["outcome"] = "allowed".into();
    let (_, reply) = say(&host, lie);
    assert!(reply["unkept"][0]["why"].as_str().unwrap().contains("contradicts"), "{reply}");
    assert_eq!(zone.audit()[0].1, "prober-silent", "nothing of that counts");
    let (status, _) = prober.post_part((8 << 20) + 1, b"");
    assert_eq!(status, 413);
    let (status, reply) = say(&host, look(&host, &now()));
    assert_eq!(status, 403, "{reply}");
    assert!(reply["what"].as_str().unwrap().contains("suspended"), "{reply}");
    let listed = zone.probers();
    assert_eq!(listed["probers"][0]["status"], "suspended", "{listed}");
    assert!(listed["refusals"].as_array().unwrap().len() >= 3, "{listed}");
}

#[test]
fn a_console_that_is_not_honest_does_not_widen_the_fence() {
    let folder = tempfile::tempdir().unwrap();
    let azure = "pg-a.postgres.database.azure.com";
    let asked = [
        (azure, 22, "probe"),
        ("169.254.169.254", 5432, "probe"),
        ("db.example", 5432, "probe"),
        ("localhost", 5432, "probe"),
        (azure, 5432, "run-a-command"),
    ];
    let console = FakeConsole::start(folder.path(), move |request| {
        Some(match request["ask"].as_str().unwrap() {
            "enrol" => enrolled(),
            "targets" => targets(&asked, false),
            _ => json!({"reply": "kept", "answers": 5, "unkept": []}),
        })
    });
    let done = prober_of(&console, folder.path(), &["--once"]).finish();
    assert_eq!(done.code, 4, "{}", done.stderr);
    let looks = console.asked.iter().find(|request| request["ask"] == "looks").unwrap();
    let mut said: Vec<(&str, u64, &str)> = looks["answers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["host"].as_str().unwrap(), one["port"].as_u64().unwrap(), one["outcome"].as_str().unwrap()))
        .collect();
    said.sort_unstable();
    let fenced = |host, port| (host, port, "fenced");
    assert_eq!(
        said,
        [
            fenced("169.254.169.254", 5432),
            fenced("db.example", 5432),
            fenced("localhost", 5432),
            fenced(azure, 22),
            (azure, 5432, "unsupported")
        ]
    );
}

#[test]
fn a_console_without_end_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let console = FakeConsole::start(folder.path(), |request| {
        Some(match request["ask"].as_str().unwrap() {
            "enrol" => enrolled(),
            "targets" => targets(&[("db.example", 5432, "probe")], true),
            _ => json!({"reply": "kept", "answers": 1, "unkept": []}),
        })
    });
    let done = prober_of(&console, folder.path(), &["--once"]).finish();
    assert_eq!(done.code, 1, "{}", done.stderr);
    assert!(done.stderr.contains("has no end"), "{}", done.stderr);
}

#[test]
fn what_ends_tls_in_between_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let between = FakeConsole::start(folder.path(), |_| None);
    let console = "ab".repeat(32);
    let join = between.join().replace(&between.pin.to_string(), &console);
    let state = folder.path().join("prober");
    let mut command = hostssl();
    command.args(["prober", "--state", state.to_str().unwrap()]).env("HOSTSSL_JOIN", join);
    let mut prober = start(&mut command);
    let line = prober.wait_for_stderr("warning: what answers at ");
    assert!(line.contains(&between.pin.to_string()) && line.contains(&console), "{line}");
    let hint = prober.wait_for_stderr("hint: a device on the path terminates TLS");
    assert!(hint.contains("exempt this connection"), "{hint}");
    prober.signal("TERM");
    assert_eq!(prober.finish().code, 0, "it was asked to end");
    assert!(between.asked.try_recv().is_err(), "nothing was said to it");
}

#[test]
fn what_speaks_no_tls_of_the_console_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let join = format!("https://{}#sha256:{}:{}", listener.local_addr().unwrap(), "ab".repeat(32), "a".repeat(64));
    std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        for stream in listener.incoming() {
            let (mut stream, mut hello) = (stream.unwrap(), [0; 4096]);
            // It ends as the prober does: with something unread, the system would reset it before its answer is read.
            while stream.read(&mut hello).is_ok_and(|count| count > 0) {
                if stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").is_err() {
                    break;
                }
            }
        }
    });
    let state = folder.path().join("prober");
    let mut command = hostssl();
    command.args(["prober", "--state", state.to_str().unwrap()]).env("HOSTSSL_JOIN", join);
    let mut prober = start(&mut command);
    let line = prober.wait_for_stderr("warning: what answers at ");
    assert!(line.contains("is not the console"), "{line}");
    let hint = prober.wait_for_stderr("hint: a device on the path terminates TLS");
    assert!(hint.contains("or the port is another one"), "{hint}");
    prober.signal("TERM");
    assert_eq!(prober.finish().code, 0, "it was asked to end");
}

#[test]
fn a_prober_that_is_killed_continues_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let mut looks = 0;
    let console = FakeConsole::start(folder.path(), move |request| match request["ask"].as_str().unwrap() {
        "enrol" => Some(enrolled()),
        "targets" if request["afterHost"] == "a.example" => Some(targets(&[("b.example", 5432, "probe")], false)),
        "targets" => Some(targets(&[("a.example", 5432, "probe")], true)),
        _ => {
            looks += 1;
            // The first is never answered.
            (looks > 1).then(|| json!({"reply": "kept", "answers": 1, "unkept": []}))
        }
    });
    let next = || console.asked.recv_timeout(Duration::from_secs(60)).unwrap();
    let killed = prober_of(&console, folder.path(), &["--once"]);
    assert_eq!((next()["ask"].as_str(), next()["ask"].as_str()), (Some("enrol"), Some("targets")));
    let first = next();
    assert_eq!(first["answers"][0]["host"], "a.example");
    killed.signal("KILL");
    killed.wait_for_signalled_end();
    assert_eq!(prober_of(&console, folder.path(), &["--once"]).finish().code, 4, "the fence refuses all of it");
    assert_eq!(next(), first, "it was not answered, so it is sent again");
    let rest = next();
    assert_eq!(rest["afterHost"], "a.example", "{rest}");
    let last = next();
    assert_eq!((last["answers"][0]["host"].as_str(), last["ended"].as_u64()), (Some("b.example"), Some(0)), "{last}");
    let whole: Vec<Value> = (0..4).map(|_| next()).collect();
    assert!(whole[0]["ask"] == "targets" && whole[0].get("afterHost").is_none_or(Value::is_null), "{whole:?}");
    let hosts = [&whole[1], &whole[3]].map(|looks| looks["answers"][0]["host"].as_str().unwrap());
    assert_eq!((hosts, whole[3]["ended"].as_u64()), (["a.example", "b.example"], Some(5)), "the rest is no round");
}

#[test]
fn a_prober_that_waits_answers_at_once_when_looks_are_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let mut wanted = 5;
    let console = FakeConsole::start(folder.path(), move |request| {
        Some(match request["ask"].as_str().unwrap() {
            "enrol" => enrolled(),
            "targets" => {
                let mut batch = targets(&[("a.example", 5432, "probe")], false);
                batch["wanted"] = wanted.into();
                batch
            }
            "wait" => {
                wanted += 1;
                json!({"reply": "wanted", "wanted": wanted})
            }
            _ => json!({"reply": "kept", "answers": 1, "unkept": []}),
        })
    });
    let prober = prober_of(&console, folder.path(), &[]);
    let asks = ["enrol", "targets", "looks", "wait", "targets", "looks", "wait"];
    let mut ended = Vec::new();
    for ask in asks {
        let request = console.asked.recv_timeout(Duration::from_secs(60)).unwrap();
        assert_eq!(request["ask"], ask, "{request}");
        ended.extend(request["ended"].as_u64());
    }
    assert_eq!(ended, [5, 6], "each round answers what was wanted when it began");
    prober.signal("TERM");
    assert_eq!(prober.finish().code, 0);
}

/// The audit may begin before the prober waits: then it counts what is there, and the next one asks.
#[test]
fn an_audit_in_the_console_asks_the_prober_that_waits() {
    let zone = ProbedZone::new();
    let state = zone.text("one");
    let base = ["prober", "--every", "1h", "--simulate", "--state", &state, "--allow-names", "*.invalid"];
    let mut prober = start(hostssl().args(base).env("HOSTSSL_JOIN", zone.join()));
    prober.wait_for_stderr("round done: ");
    let (host, path) = zone.link.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let cookie = sign_in(host, path);
    let is_new = |begun: jiff::Timestamp| {
        let looks = zone.wire();
        looks.iter().all(|look| look["observedAt"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap() >= begun)
    };
    let asked = (0..20).any(|_| {
        // What is kept of a look has whole seconds.
        let begun = jiff::Timestamp::from_second(jiff::Timestamp::now().as_second() + 1).unwrap();
        std::thread::sleep(Duration::from_secs(1));
        let csrf = get(host, "/runs", &cookie).split("name=\"csrf\" value=\"").nth(1).unwrap()[..64].to_owned();
        let started = post(host, "/runs", &cookie, &format!("csrf={csrf}&probe=yes&zones=yes"));
        let run = started.split("location: ").nth(1).unwrap().split_whitespace().next().unwrap();
        assert!(get(host, &format!("{run}/events"), &cookie).contains("event: end"));
        is_new(begun)
    });
    assert!(asked, "its looks are those of its first round");
    prober.signal("TERM");
    assert_eq!(prober.finish().code, 0);
}
