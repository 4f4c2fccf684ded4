//! Two consoles behind haproxy, as replicas of one deployment: one is killed in the middle of a run, and the other one finishes it.
#![cfg(feature = "simulate")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at the first surprise")]
#![allow(unreachable_pub, missing_docs, dead_code, reason = "a module of this test, shared with others")]

mod common;

use common::{Running, hostssl, start};
use hostssl_azure_sim::{
    Fleet, FleetSource, Kind, RunningServer, Scenario, ServeOptions, Server, Simulation, Subscription, Tenant,
    environment, serve, write_files,
};
use hostssl_test_support::postgres::{PASSWORD, RealServer, free_port, installed};
use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

const SWITCH: &str = "require_secure_transport";
const SERVERS: usize = 8;
/// What browsers call it.
const NAME: &str = "console.example";
const PEOPLE: [&str; 3] = ["ada", "bob", "eve"];

/// Servers that do not enforce, and take a while for each write.
fn scenario() -> Scenario {
    let server = |number: usize| Server::new(Kind::Flexible, "rg-a", format!("pg-{number:02}")).with(SWITCH, "off");
    let subscription = Subscription {
        id: "20000000-0000-4000-8000-000000000001".into(),
        name: "Alpha".into(),
        servers: (0..SERVERS).map(server).collect(),
        ..Subscription::default()
    };
    let tenant = Tenant {
        id: "10000000-0000-4000-8000-000000000001".into(),
        name: "contoso.example".into(),
        subscriptions: vec![subscription],
        ..Tenant::default()
    };
    let mut scenario = Scenario::of(FleetSource::Listed(Fleet { tenants: vec![tenant] }));
    scenario.writes.duration = Duration::from_millis(500);
    scenario
}

/// haproxy with a socket that this test talks to; ends with it.
struct Proxy {
    child: Child,
    socket: PathBuf,
}

impl Proxy {
    fn start(folder: &Path, ports: [u16; 2]) -> Self {
        let (socket, file) = (folder.join("proxy.sock"), folder.join("haproxy.cfg"));
        let [one, two] = ports;
        let check = "check inter 200ms fall 2 rise 1";
        let config = format!(
            "defaults\n mode http\n timeout connect 2s\n timeout client 60s\n timeout server 60s\n retries 3\n \
             option redispatch 1\n\
             frontend people\n bind unix@{}\n default_backend consoles\n\
             backend consoles\n balance roundrobin\n option httpchk\n http-check send meth GET uri /readyz hdr host {NAME}\n \
             http-response set-header x-replica %s\n\
             \x20server one 127.0.0.1:{one} {check}\n server two 127.0.0.1:{two} {check}\n",
            socket.display()
        );
        fs::write(&file, config).unwrap();
        let child = Command::new("haproxy").arg("-db").arg("-f").arg(&file).stderr(Stdio::null()).spawn().unwrap();
        Self { child, socket }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An answer that came through the proxy.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(one, _)| one.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value)
    }
}

/// The store, the simulated Azure, two replicas and the proxy in front of them.
struct Deployment {
    _runtime: tokio::runtime::Runtime,
    _azure: RunningServer,
    simulation: Simulation,
    postgres: RealServer,
    proxy: Proxy,
    replicas: BTreeMap<&'static str, Running>,
    links: Vec<String>,
    _folder: TempDir,
}

impl Deployment {
    /// `None` where haproxy or PostgreSQL is not installed.
    fn start() -> Option<Self> {
        Command::new("haproxy").arg("-v").stdout(Stdio::null()).status().ok()?;
        let postgres = RealServer::start(15, installed(15)?, &[("fsync", "on"), ("log_statement", "none")]);
        postgres.psql("", "CREATE DATABASE hostssl");
        let (folder, simulation) = (tempfile::tempdir().unwrap(), Simulation::new(scenario()));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let azure = runtime.block_on(serve(simulation.clone(), ServeOptions::default())).unwrap();
        let files = write_files(&azure, &folder.path().join("azure")).unwrap();
        let variables = environment(&azure, &files);
        let root = postgres.root().display().to_string();
        let store = format!("postgres://postgres@localhost:{}/hostssl?sslrootcert={root}", postgres.port);
        let ports = [free_port(), free_port()];
        let replica = |name: &str, port: u16| {
            let (state, listen) = (folder.path().join(name), format!("127.0.0.1:{port}"));
            let mut command = hostssl();
            command.args(["serve", "--allow-changes", "--approvals", "2", "--store", &store, "--listen", &listen]);
            command.args(["--public-url", &format!("https://{NAME}"), "--state", state.to_str().unwrap()]);
            PEOPLE.iter().for_each(|person| {
                command.args(["--link", &format!("{person}=approver")]);
            });
            let variables = variables.iter().map(|(name, value)| (name, value));
            start(command.envs(variables).env("HOSTSSL_STORE_PASSWORD", PASSWORD))
        };
        let mut one = replica("one", ports[0]);
        let links = PEOPLE.iter().map(|person| {
            let line = one.wait_for_stderr(&format!("sign-in link for {person} "));
            line.trim_end().split_once(NAME).unwrap().1.to_owned()
        });
        let links = links.collect();
        let mut two = replica("two", ports[1]);
        two.wait_for_stderr("sign-in link for eve ");
        let proxy = Proxy::start(folder.path(), ports);
        let replicas = [("one", one), ("two", two)].into();
        let (_runtime, _azure, _folder) = (runtime, azure, folder);
        Some(Self { _runtime, _azure, simulation, postgres, proxy, replicas, links, _folder })
    }

    /// One request through the proxy; `None` while it does not listen yet.
    fn ask(&self, method: &str, path: &str, lines: &str, body: &str) -> Option<Answer> {
        let mut stream = UnixStream::connect(&self.proxy.socket).ok()?;
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: {NAME}\r\norigin: https://{NAME}\r\nconnection: close\r\n{lines}\
             content-type: application/x-www-form-urlencoded\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some(Answer { status, head: head.to_owned(), body: body.to_owned() })
    }

    /// Asks again until the answer is the one that is waited for, for a few minutes at most.
    fn until(&self, what: &str, ask: impl Fn() -> Option<Answer>, is_it: impl Fn(&Answer) -> bool) -> Answer {
        let mut last = None;
        for _ in 0..4_000 {
            match ask() {
                Some(answer) if is_it(&answer) => return answer,
                other => last = other,
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("{what}: {:?}", last.map(|answer| (answer.status, answer.body)));
    }

    /// The accepted writes of each value, as Azure received them.
    fn writes(&self) -> BTreeMap<(String, Option<String>), usize> {
        let mut found = BTreeMap::new();
        for write in self.simulation.requests().writes {
            *found.entry((write.resource_id, write.parameter)).or_default() += 1;
        }
        found
    }
}

/// Someone who signed in through the proxy, and is led to either replica.
struct Person<'a> {
    deployment: &'a Deployment,
    cookie: String,
    csrf: String,
}

impl<'a> Person<'a> {
    fn sign_in(deployment: &'a Deployment, link: &str) -> Self {
        let (path, body) = link.split_once('?').unwrap();
        let ready = |answer: &Answer| answer.status == 200;
        // A proxy that has not heard of a replica answers 503.
        deployment.until("the proxy", || deployment.ask("GET", "/readyz", "", ""), ready);
        let answer = deployment.ask("POST", path, "", body).unwrap();
        assert_eq!(answer.status, 303, "{}", answer.body);
        let cookie = format!("cookie: {}\r\n", answer.header("set-cookie").split(';').next().unwrap());
        let mut person = Self { deployment, cookie, csrf: String::new() };
        person.csrf = field(&person.page("/", "name=\"csrf\"").body, "csrf");
        person
    }

    fn get(&self, path: &str) -> Option<Answer> {
        self.deployment.ask("GET", path, &self.cookie, "")
    }

    /// The page, when it has these words: what the other replica did is there within a second or two.
    fn page(&self, path: &str, words: &str) -> Answer {
        self.deployment.until(words, || self.get(path), |answer| answer.status == 200 && answer.body.contains(words))
    }

    /// Sends a form until it is taken: the replica that it is led to may not know of a moment ago yet.
    fn post(&self, path: &str, fields: &str) -> Answer {
        let body = format!("csrf={}{fields}", self.csrf);
        let send = || self.deployment.ask("POST", path, &self.cookie, &body);
        self.deployment.until(path, send, |answer| answer.status == 303)
    }
}

fn field(page: &str, name: &str) -> String {
    let behind = page.split_once(&format!("name=\"{name}\" value=\"")).unwrap().1;
    behind.split('"').next().unwrap().to_owned()
}

#[test]
fn one_of_two_replicas_is_killed_in_a_run_and_the_other_one_finishes_it() {
    let Some(mut deployment) = Deployment::start() else {
        eprintln!("not run: haproxy or PostgreSQL 15 is not installed");
        return;
    };
    let links = deployment.links.clone();
    let dead = {
        let people: Vec<Person<'_>> = links.iter().map(|link| Person::sign_in(&deployment, link)).collect();
        let [ada, bob, eve] = &people[..] else { unreachable!() };
        let replicas = [(); 2].map(|()| ada.get("/").unwrap().header("x-replica").to_owned());
        assert_ne!(replicas[0], replicas[1], "requests take turns");
        let audit = ada.post("/runs", "").header("location").to_owned();
        ada.page(&audit, "<h1>Audit of");
        let first = ada.post("/plans", "&all=1&view=&accept=agreed").header("location").to_owned();
        ada.page(&first, "id=\"h-again\"");
        // A canary, and three at a time.
        let again = ada.post(&format!("{first}/again"), "&canary=1&wave=3&accept=agreed");
        let plan = again.header("location").to_owned();
        let hash = field(&bob.page(&plan, "Approve this plan").body, "hash");
        for approver in [bob, eve] {
            approver.post(&format!("{plan}/approve"), &format!("&hash={hash}"));
        }
        let begun = ada.post(&format!("{plan}/apply"), &format!("&hash={hash}"));
        // The canary is changed, those of the next wave are being written, and half of the servers wait.
        while deployment.writes().len() < 4 {
            std::thread::sleep(Duration::from_millis(5));
        }
        (
            begun.header("x-replica").to_owned(),
            begun.header("location").to_owned(),
            ada.cookie.clone(),
            ada.csrf.clone(),
        )
    };
    let (replica, run, cookie, csrf) = dead;
    let killed = deployment.replicas.remove(replica.as_str()).unwrap();
    killed.signal("KILL");
    killed.wait_for_signalled_end();
    assert_eq!(deployment.writes().len(), 4, "the next wave had not begun");
    let ada = Person { deployment: &deployment, cookie, csrf };
    // She stays signed in, and the right to change servers is that of the dead one until its time is over.
    let survivor = ada.page("/", "<bdi>ada</bdi>");
    assert_ne!(survivor.header("x-replica"), replica);
    ada.page(&run, "Another process is working on this run.");
    deployment.postgres.psql("dbname=hostssl", "UPDATE hostssl.leases SET ends = clock_timestamp() - interval '1 s'");
    let open = ada.page(&run, ">Resume<");
    ada.post(&format!("{run}/resume"), &format!("&seen={}", field(&open.body, "seen")));
    let done = ada.page(&run, "<h1>Verified");
    for words in ["<dt>Approved</dt><dd>by <bdi>bob</bdi>", "<dt>Approved</dt><dd>by <bdi>eve</bdi>"] {
        assert!(done.body.contains(words), "{words}: {}", done.body);
    }
    assert!(done.body.contains("<dt>Resume requested</dt><dd>by <bdi>ada</bdi>"), "{}", done.body);
    // Azure was asked once for each value, by whichever of them.
    let writes = deployment.writes();
    assert!(writes.len() == SERVERS && writes.values().all(|times| *times == 1), "{writes:?}");
    for id in deployment.simulation.server_ids() {
        assert_eq!(deployment.simulation.parameter(&id, SWITCH).unwrap(), "on", "{id}");
    }
}
