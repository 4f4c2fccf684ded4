//! Real PostgreSQL servers and PgBouncers on loopback, which end with their values. `scripts/install-wire-servers` installs
//! them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// The superuser, and the user of the system under whom the servers run: PostgreSQL refuses root.
pub const USER: &str = "postgres";
/// The password of [`USER`].
pub const PASSWORD: &str = "secret";

/// How long a server may take to start.
const START: Duration = Duration::from_secs(60);

/// Where the programs of a version are; `None`, after a line that says so, where it is not installed. In CI it must be.
pub fn installed(version: u8) -> Option<PathBuf> {
    let wheels = std::env::var_os("HOSTSSL_WIRE_SERVERS").unwrap_or_else(|| "/opt/hostssl-wire-servers".into());
    let bin = match version {
        15 => PathBuf::from("/usr/lib/postgresql/15/bin"),
        other => PathBuf::from(wheels).join(format!("pg{other}/bin")),
    };
    if bin.join("postgres").exists() {
        return Some(bin);
    }
    skipped(&format!("PostgreSQL {version}"));
    None
}

/// A program of the system, by the same rule.
pub fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain(["/usr/sbin".into()]);
    let found = places.map(|place| place.join(name)).find(|file| file.exists());
    if found.is_none() {
        skipped(name);
    }
    found
}

/// Says that a test is skipped for want of a program; a failure where CI is set, so that no run passes by skipping.
pub fn skipped(what: &str) {
    assert!(std::env::var_os("CI").is_none(), "{what} is not installed: scripts/install-wire-*");
    note(&format!("skipped: {what} is not installed (scripts/install-wire-*)"));
}

/// Writes a line past the test harness, which keeps what is printed to itself when a test passes.
pub(crate) fn note(line: &str) {
    let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("{line}\n").as_bytes());
}

pub(crate) fn is_root() -> bool {
    static ROOT: LazyLock<bool> = LazyLock::new(|| Command::new("id").arg("-u").output().unwrap().stdout == b"0\n");
    *ROOT
}

/// A command that runs a program unprivileged. setpriv becomes the program, so that the child is the server itself.
pub(crate) fn unprivileged(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", USER, "--regid", USER, "--clear-groups"]).arg(program);
    command
}

/// Runs a command to its end, which must be a success.
pub fn done(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// A port of this machine that was free a moment ago.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

pub(crate) fn new_folder(name: &str) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("hostssl-{}-{name}-{number}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir(&folder).unwrap();
    folder
}

fn own(path: &Path) {
    let _ = Command::new("chown").arg("-R").arg(USER).arg(path).status();
}

/// Writes a key and a certificate for `localhost`, 127.0.0.1 and the names that the simulated Azure gives, signed by itself.
fn write_identity(folder: &Path) {
    let key = folder.join("server.key");
    let request = "req -x509 -newkey rsa:2048 -nodes -days 9 -subj /CN=localhost \
                   -addext subjectAltName=DNS:localhost,DNS:*.postgres.database.azure.com.invalid,IP:127.0.0.1 -keyout";
    let certificate = folder.join("server.crt");
    done(Command::new("openssl").args(request.split_whitespace()).arg(&key).arg("-out").arg(certificate));
    done(Command::new("chmod").arg("600").arg(&key));
}

/// A program that runs, and its folder.
#[derive(Debug)]
struct Running {
    child: Child,
    folder: PathBuf,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A PostgreSQL with TLS, and logs in every format that its version has.
#[derive(Debug)]
pub struct RealServer {
    running: Running,
    pub version: u8,
    pub port: u16,
    bin: PathBuf,
    settings: Vec<(String, String)>,
}

impl RealServer {
    /// Starts one with `settings` beside its own.
    pub fn start(version: u8, bin: PathBuf, settings: &[(&str, &str)]) -> Self {
        let folder = new_folder(&format!("pg{version}"));
        let data = folder.join("data");
        fs::write(folder.join("password"), format!("{PASSWORD}\n")).unwrap();
        own(&folder);
        let password = format!("--pwfile={}", folder.join("password").display());
        let initdb = ["-A", "scram-sha-256", "-U", USER, "--no-sync", &password];
        done(unprivileged(&bin.join("initdb")).arg("-D").arg(&data).args(initdb));
        write_identity(&data);
        own(&data);
        Self::launch(version, bin, folder, settings)
    }

    /// Starts a standby of this server, which streams from it as `string` says, with `settings` beside its own.
    pub fn standby(&self, string: &str, settings: &[(&str, &str)]) -> Self {
        let folder = new_folder(&format!("standby{}", self.version));
        own(&folder);
        let mut copy = unprivileged(&self.program("pg_basebackup"));
        copy.arg("-d").arg(self.string(string)).arg("-D").arg(folder.join("data"));
        copy.env("PGPASSWORD", PASSWORD).env("HOME", &folder);
        done(copy.args(["-R", "-X", "stream", "-c", "fast", "--no-sync"]));
        Self::launch(self.version, self.bin.clone(), folder, settings)
    }

    /// Starts what is in the folder `data`.
    fn launch(version: u8, bin: PathBuf, folder: PathBuf, settings: &[(&str, &str)]) -> Self {
        let port = free_port();
        let connections = if version >= 18 { "receipt,authentication,authorization" } else { "on" };
        let own_settings = [
            ("port", port.to_string()),
            ("listen_addresses", "127.0.0.1".to_owned()),
            ("unix_socket_directories", folder.display().to_string()),
            ("ssl", "on".to_owned()),
            ("fsync", "off".to_owned()),
            ("shared_buffers", "1MB".to_owned()),
            ("logging_collector", "on".to_owned()),
            ("log_destination", if version >= 15 { "stderr,csvlog,jsonlog" } else { "stderr,csvlog" }.to_owned()),
            ("log_directory", folder.join("log").display().to_string()),
            ("log_filename", "postgresql.log".to_owned()),
            ("log_connections", connections.to_owned()),
            ("log_disconnections", "on".to_owned()),
            ("log_statement", "all".to_owned()),
            ("log_timezone", "UTC".to_owned()),
        ];
        let others = settings.iter().map(|(name, value)| (*name, (*value).to_owned()));
        let settings =
            own_settings.into_iter().chain(others).map(|(name, value)| (name.to_owned(), value)).collect::<Vec<_>>();
        let child = spawn(&bin, &folder, &settings);
        let server = Self { running: Running { child, folder }, version, port, bin, settings };
        server.await_start();
        server
    }

    fn await_start(&self) {
        let start = Instant::now();
        // Without a password it learns that the server answers, and is not a client.
        let is_ready = || self.command("pg_isready", "sslmode=disable").env_remove("PGPASSWORD").output();
        while !is_ready().unwrap().status.success() {
            assert!(start.elapsed() < START, "PostgreSQL {} did not start", self.version);
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Stops it without any order, as a crash does.
    pub fn crash(&mut self) {
        let pid = self.running.child.id().to_string();
        done(Command::new("kill").args(["-QUIT", &pid]));
        self.running.child.wait().unwrap();
    }

    /// Stops it without any order, as a crash does, and starts it again on the same port.
    pub fn crash_and_start(&mut self) {
        self.crash();
        self.running.child = spawn(&self.bin, &self.running.folder, &self.settings);
        self.await_start();
    }

    /// Its folder, which is that of its Unix-domain socket too.
    pub fn folder(&self) -> &Path {
        &self.running.folder
    }

    /// Its certificate, which is its root too.
    pub fn root(&self) -> PathBuf {
        self.running.folder.join("data/server.crt")
    }

    /// A program of its version.
    pub fn program(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }

    /// A client with a connection string beside the server's own settings.
    pub fn command(&self, program: &str, string: &str) -> Command {
        let mut command = Command::new(self.program(program));
        command.arg("-d").arg(self.string(string));
        command.env_clear().env("PGPASSWORD", PASSWORD).env("HOME", self.folder());
        command
    }

    /// A connection string of libpq for it, without a password.
    pub fn string(&self, more: &str) -> String {
        let host = if more.contains("host=") { "" } else { "host=127.0.0.1 " };
        let user = if more.contains("user=") { String::new() } else { format!("user={USER} ") };
        let database = if more.contains("dbname=") { "" } else { "dbname=postgres " };
        format!("{host}port={} {user}{database}{more}", self.port)
    }

    /// Runs statements as a client of its own.
    pub fn psql(&self, string: &str, sql: &str) {
        done(self.command("psql", string).args(["-X", "-q", "-c", sql]));
    }

    /// Starts a client that stays until its value ends.
    pub fn hold(&self, string: &str) -> Held {
        let mut command = self.command("psql", string);
        command.args(["-X", "-q", "-A", "-t", "-c", "select 'in'", "-c", "select pg_sleep(600)"]);
        Held::start(command)
    }

    /// Stops it at once, as a crash does.
    pub fn stop(&mut self) {
        let pid = self.running.child.id().to_string();
        let _ = Command::new("kill").args(["-INT", &pid]).status().unwrap();
        self.running.child.wait().unwrap();
    }

    /// Ends the server and waits, so that its logs are whole: stderr, csvlog and jsonlog.
    pub fn logs(mut self) -> [String; 3] {
        self.stop();
        let log = self.running.folder.join("log");
        let read = |name: &str| fs::read_to_string(log.join(name)).unwrap_or_default();
        [read("postgresql.log"), read("postgresql.csv"), read("postgresql.json")]
    }
}

fn spawn(bin: &Path, folder: &Path, settings: &[(String, String)]) -> Child {
    let mut command = unprivileged(&bin.join("postgres"));
    // A standby is a client: it must not look for certificates where another user has them.
    command.arg("-D").arg(folder.join("data")).env("HOME", folder);
    for (name, value) in settings {
        command.arg("-c").arg(format!("{name}={value}"));
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// A client that is connected until its value ends.
#[derive(Debug)]
pub struct Held(Child);

impl Held {
    /// Starts one and waits until it has written its first line, which says that it is connected.
    pub fn start(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let out = child.stdout.take().unwrap();
        let mut out = std::io::BufReader::new(out);
        std::io::BufRead::read_line(&mut out, &mut line).unwrap();
        assert!(!line.is_empty(), "{command:?} did not connect: {:?}", child.wait_with_output());
        Self(child)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A PgBouncer in front of a server.
#[derive(Debug)]
pub struct RealPooler {
    _running: Running,
    pub port: u16,
}

impl RealPooler {
    /// Starts one with `settings` of its section `[pgbouncer]`; it offers TLS and takes plaintext. [`USER`] is in its
    /// `admin_users`, `watcher` in its `stats_users`, and `other` in neither; all have [`PASSWORD`].
    pub fn start(server: &RealServer, settings: &str) -> Option<Self> {
        let program = program("pgbouncer")?;
        let folder = new_folder("pgbouncer");
        fs::copy(server.root(), folder.join("server.crt")).unwrap();
        fs::copy(server.folder().join("data/server.key"), folder.join("server.key")).unwrap();
        let (port, place) = (free_port(), folder.display());
        let config = format!(
            "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = plain\nauth_file = {place}/users\nadmin_users = {USER}\n\
             stats_users = watcher\nclient_tls_sslmode = allow\nclient_tls_key_file = {place}/server.key\n\
             client_tls_cert_file = {place}/server.crt\nignore_startup_parameters = extra_float_digits\n{settings}\n",
            server.port
        );
        fs::write(folder.join("bouncer.ini"), config).unwrap();
        let users: String =
            [USER, "watcher", "other"].iter().map(|user| format!("\"{user}\" \"{PASSWORD}\"\n")).collect();
        fs::write(folder.join("users"), users).unwrap();
        own(&folder);
        let mut command = unprivileged(&program);
        command.arg(folder.join("bouncer.ini"));
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let pooler = Self { _running: Running { child, folder }, port };
        let start = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(start.elapsed() < START, "PgBouncer did not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(pooler)
    }

    /// The settings of a client of `server` that make it one of the pooler.
    pub fn redirect(&self, command: &mut Command, string: &str) {
        command.arg("-d").arg(format!("host=127.0.0.1 port={} user={USER} dbname=postgres {string}", self.port));
    }

    /// Starts a client of the pooler that stays until its value ends.
    pub fn hold(&self, server: &RealServer, string: &str) -> Held {
        let mut command = Command::new(server.program("psql"));
        self.redirect(&mut command, string);
        command.env_clear().env("PGPASSWORD", PASSWORD).env("HOME", server.folder());
        command.args(["-X", "-q", "-A", "-t", "-c", "select 'in'", "-c", "select pg_sleep(600)"]);
        Held::start(command)
    }
}
