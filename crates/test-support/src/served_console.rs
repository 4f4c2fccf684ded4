//! A console on a free port of loopback over a simulated Azure, and a client that sends what it is told to.

use futures::FutureExt as _;
use hostssl_audit::Profile;
use hostssl_azure::{Arm, Cloud, RequestLimits};
use hostssl_azure_sim::{Fleet, FleetSource, Kind, Scenario, Server, SimCredential, SimTransport, Simulation};
use hostssl_azure_sim::{Subscription, Tenant as SimTenant};
use hostssl_console::{Connect, Console, ConsoleOptions, Trouble};
use hostssl_model::{Principal, Scope};
use hostssl_ops::Tenant;
use hostssl_store::StateDirectory;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A name that would do harm if it were anything but text.
pub const HOSTILE: &str = "\"><script>alert(1)</script><img src=x onerror=alert(2)>\u{202e}gnp.\u{7}";

pub fn options() -> ConsoleOptions {
    ConsoleOptions {
        listen: "127.0.0.1:0".parse().unwrap(),
        hosts: Vec::new(),
        tls: None,
        public: None,
        proxies: None,
        people: Vec::new(),
        allow_changes: false,
        metrics: true,
        approvals: 1,
        no_loosening: false,
        scope: Scope::default(),
        profile: Profile::find("baseline").unwrap(),
        wire: None,
        zones: None,
        waivers: None,
        deadline: Duration::from_secs(60),
        max_plan_age: Duration::from_secs(3600),
        retain: None,
        audit_every: None,
        preparation: None,
        simulated: None,
        version: "0.0.0-test".into(),
    }
}

/// Two subscriptions, one of a hostile name, with three servers.
pub fn simulation(latency: Duration) -> Simulation {
    let subscription = |id: u32, name: &str, servers| Subscription {
        id: format!("20000000-0000-4000-8000-00000000000{id}"),
        name: name.to_owned(),
        servers,
        ..Subscription::default()
    };
    let off = Server::new(Kind::Flexible, "rg-a", "pg-off").with("require_secure_transport", "off");
    let on = Server::new(Kind::Flexible, "rg-a", "pg-on");
    let tenant = SimTenant {
        id: "10000000-0000-4000-8000-000000000001".into(),
        name: "Contoso".into(),
        groups: Vec::new(),
        subscriptions: vec![
            subscription(1, "Alpha", vec![off, on]),
            subscription(2, HOSTILE, vec![Server::new(Kind::Flexible, "rg-b", "pg-other")]),
        ],
    };
    let scenario = Scenario::of(FleetSource::Listed(Fleet { tenants: vec![tenant] }));
    Simulation::new(Scenario { latency, ..scenario })
}

/// Signs in to a simulation.
pub fn connector(simulation: Simulation) -> Connect {
    Arc::new(move |stop| {
        let simulation = simulation.clone();
        async move {
            let credential = Arc::new(SimCredential::new(&simulation, "10000000-0000-4000-8000-000000000001"));
            let transport = azure_core::http::Transport::new(Arc::new(SimTransport::new(&simulation)));
            let cloud = Cloud::named("AzureCloud").map_err(|_| Trouble::new("no cloud", "none"))?;
            let arm = Arm::new(cloud, credential, transport, RequestLimits::default(), stop);
            let principal = Principal { name: HOSTILE.into(), method: "simulated".into(), ..Principal::default() };
            Ok(vec![Tenant { arm, principal }])
        }
        .boxed_local()
    })
}

/// The same behind a gate: no one is signed in before it is opened, so that an audit lasts as long as a test wants.
pub fn gated(connect: Connect) -> (watch::Sender<bool>, Connect) {
    let (gate, opened) = watch::channel(false);
    let behind: Connect = Arc::new(move |stop| {
        let (connect, mut opened) = (connect.clone(), opened.clone());
        async move {
            let _ = opened.wait_for(|open| *open).await;
            connect(stop).await
        }
        .boxed_local()
    });
    (gate, behind)
}

/// A console that is being served.
pub struct Served {
    pub port: u16,
    pub link: String,
    /// One for each person that the console was started for.
    pub links: Vec<String>,
    pub directory: Arc<TempDir>,
    task: JoinHandle<()>,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub async fn serve(options: ConsoleOptions) -> Served {
    serve_over(options, connector(simulation(Duration::ZERO))).await
}

pub async fn serve_over(options: ConsoleOptions, connect: Connect) -> Served {
    serve_in(Arc::new(tempfile::tempdir().unwrap()), options, connect).await
}

/// A console of a state that may have others.
pub async fn serve_in(directory: Arc<TempDir>, options: ConsoleOptions, connect: Connect) -> Served {
    let state = directory.path().to_owned().into();
    serve_state(state, directory, options, connect).await
}

/// A console of this state.
pub async fn serve_state(
    state: StateDirectory,
    directory: Arc<TempDir>,
    options: ConsoleOptions,
    connect: Connect,
) -> Served {
    let listener = Console::listen(options.listen).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let console = Console::new(options, listener, state, connect).unwrap();
    let links: Vec<String> = console.links().iter().map(|link| link.address.clone()).collect();
    let task = tokio::spawn(console.run(std::future::pending()));
    let links: Vec<String> = links.iter().map(|link| path_of(link)).collect();
    Served { port, link: links[0].clone(), links, directory, task }
}

/// An answer.
#[derive(Debug, Clone)]
pub struct HttpAnswer {
    pub status: u16,
    pub headers: HashMap<String, Vec<String>>,
    pub body: String,
}

impl HttpAnswer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|values| values.first()).map_or("", String::as_str)
    }

    /// The cookies that it sets, as `name=value`.
    pub fn cookies(&self) -> String {
        let set = self.headers.get("set-cookie").into_iter().flatten();
        set.filter_map(|cookie| cookie.split(';').next()).collect::<Vec<_>>().join("; ")
    }

    /// The token in its forms.
    pub fn csrf(&self) -> String {
        let behind = self.body.split_once("name=\"csrf\" value=\"").unwrap().1;
        behind.split('"').next().unwrap().to_owned()
    }
}

impl Served {
    /// A console on a port with its link, in a directory, served by a task.
    pub fn of(port: u16, link: &str, directory: TempDir, task: JoinHandle<()>) -> Self {
        Self { port, link: path_of(link), links: Vec::new(), directory: Arc::new(directory), task }
    }

    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Sends a request as it is and reads the answer to its end.
    pub async fn raw(&self, request: &str) -> HttpAnswer {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        exchange(stream, request).await
    }

    /// Sends a request with these lines of the head.
    pub async fn send(&self, method: &str, path: &str, lines: &[(&str, &str)], body: &str) -> HttpAnswer {
        let host = self.host();
        let mut request = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
        if !lines.iter().any(|(name, _)| *name == "host") {
            request.push_str(&format!("host: {host}\r\n"));
        }
        lines.iter().for_each(|(name, value)| request.push_str(&format!("{name}: {value}\r\n")));
        if !body.is_empty() {
            request.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        self.raw(&format!("{request}\r\n{body}")).await
    }

    /// Signs in by the link.
    pub async fn visitor(&self) -> Visitor<'_> {
        let page = self.send("GET", &self.link, &[], "").await;
        assert_eq!(page.status, 200, "{}", page.body);
        assert!(page.cookies().is_empty(), "looking at the link signed in");
        let answer = self.press_sign_in(&self.link).await;
        assert_eq!(answer.status, 303, "{}", answer.body);
        Visitor { served: self, cookie: answer.cookies() }
    }

    /// Presses the button on the page of a link.
    pub async fn press_sign_in(&self, link: &str) -> HttpAnswer {
        let token = link.split_once("token=").unwrap().1;
        let origin = format!("http://{}", self.host());
        let lines = [("origin", origin.as_str()), ("content-type", "application/x-www-form-urlencoded")];
        self.send("POST", "/sign-in", &lines, &format!("token={token}")).await
    }
}

/// The path of a sign-in link.
fn path_of(link: &str) -> String {
    link.split_once("/sign-in").map(|(_, rest)| format!("/sign-in{rest}")).unwrap()
}

/// Someone who is signed in.
pub struct Visitor<'a> {
    pub served: &'a Served,
    pub cookie: String,
}

impl Visitor<'_> {
    pub async fn get(&self, path: &str) -> HttpAnswer {
        self.served.send("GET", path, &[("cookie", &self.cookie)], "").await
    }

    /// Sends a form as a page of the console does.
    pub async fn post(&self, path: &str, fields: &str) -> HttpAnswer {
        let csrf = self.get("/runs").await.csrf();
        let origin = format!("http://{}", self.served.host());
        self.post_as(path, &origin, &format!("csrf={csrf}{fields}")).await
    }

    pub async fn post_as(&self, path: &str, origin: &str, body: &str) -> HttpAnswer {
        let form = "application/x-www-form-urlencoded";
        let lines = [("cookie", self.cookie.as_str()), ("origin", origin), ("content-type", form)];
        self.served.send("POST", path, &lines, body).await
    }

    /// Starts an audit and waits until it is kept; its address.
    pub async fn audit(&self) -> String {
        let started = self.post("/runs", "").await;
        assert_eq!(started.status, 303, "{}", started.body);
        let address = started.header("location").to_owned();
        let events = self.get(&format!("{address}/events")).await;
        assert!(events.body.contains("event: end"), "{}", events.body);
        address
    }
}

pub async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, request: &str) -> HttpAnswer {
    // A server that refuses early may close before it has read everything.
    let _ = stream.write_all(request.as_bytes()).await;
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    parse(&bytes)
}

fn parse(bytes: &[u8]) -> HttpAnswer {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok()).unwrap_or(0);
    let mut headers: HashMap<String, Vec<String>> = HashMap::new();
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        headers.entry(name.to_ascii_lowercase()).or_default().push(value.to_owned());
    }
    let chunked = headers.contains_key("transfer-encoding");
    let body = if chunked { unchunk(body) } else { body.to_owned() };
    HttpAnswer { status, headers, body }
}

fn unchunk(mut rest: &str) -> String {
    let mut body = String::new();
    while let Some((size, behind)) = rest.split_once("\r\n") {
        let Ok(size) = usize::from_str_radix(size, 16) else { break };
        let Some(chunk) = behind.get(..size) else { break };
        body.push_str(chunk);
        rest = behind.get(size + 2..).unwrap_or_default();
    }
    body
}
