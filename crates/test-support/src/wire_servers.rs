//! Real servers on ephemeral ports of loopback: PostgreSQL, pgbouncer, pgpool and stunnel.
//!
//! `scripts/install-wire-servers` installs them. They run as an unprivileged user, because PostgreSQL refuses root. A
//! server ends with its value; nothing that this code did not start is touched.

use crate::postgres::{USER, free_port, is_root, unprivileged};
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How long a server may take to start.
const START: Duration = Duration::from_secs(20);

/// A version of PostgreSQL that may be installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerVersion {
    Pg15,
    Pg17,
    Pg18,
}

impl ServerVersion {
    /// Where its programs are, if they are there.
    pub fn bin(self) -> Option<PathBuf> {
        let wheels = std::env::var_os("HOSTSSL_WIRE_SERVERS").unwrap_or_else(|| "/opt/hostssl-wire-servers".into());
        let bin = match self {
            Self::Pg15 => PathBuf::from("/usr/lib/postgresql/15/bin"),
            Self::Pg17 => PathBuf::from(wheels).join("pg17/bin"),
            Self::Pg18 => PathBuf::from(wheels).join("pg18/bin"),
        };
        bin.join("postgres").exists().then_some(bin)
    }
}

/// Whether a program is on the search path, or in `/usr/sbin`, where Debian puts servers.
pub fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<_> = std::env::split_paths(&path).collect();
    places.push("/usr/sbin".into());
    places.into_iter().map(|place| place.join(name)).find(|file| file.exists())
}

fn hand_over(path: &Path) {
    if is_root() {
        let owner = format!("{USER}:{USER}");
        assert!(Command::new("chown").arg("-R").arg(owner).arg(path).status().unwrap().success());
    }
}

/// A directory of our own for one server, removed with its value.
#[derive(Debug)]
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::SeqCst);
        let path = std::env::temp_dir().join(format!("hostssl-wire-{}-{count}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The certificate, key and client roots of a server, in PEM.
#[derive(Clone, Debug, Default)]
pub struct ServerIdentity {
    pub chain: String,
    pub key: String,
    pub client_roots: Option<String>,
}

/// A server that runs until the value is dropped.
#[derive(Debug)]
pub struct WireServer {
    pub address: SocketAddr,
    child: Child,
    scratch: Scratch,
}

impl WireServer {
    /// Starts PostgreSQL with the lines `hba` as its `pg_hba.conf` and `settings` such as `ssl=on`.
    pub fn postgres(bin: &Path, hba: &str, settings: &[&str], identity: Option<&ServerIdentity>) -> Self {
        let scratch = Scratch::new();
        let data = scratch.0.join("data");
        let template = template(bin);
        assert!(Command::new("cp").arg("-a").args([&template, &data]).status().unwrap().success());
        fs::write(data.join("pg_hba.conf"), hba).unwrap();
        let mut settings: Vec<String> = settings.iter().map(|&setting| setting.to_owned()).collect();
        if let Some(identity) = identity {
            settings.push("ssl=on".to_owned());
            write_identity(&data, identity);
            if identity.client_roots.is_some() {
                settings.push("ssl_ca_file=root.crt".to_owned());
            }
        }
        let port = free_port();
        let socket = format!("unix_socket_directories={}", scratch.0.display());
        hand_over(&scratch.0);
        let mut command = unprivileged(&bin.join("postgres"));
        command.arg("-D").arg(&data).args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1"]);
        command.args(["-c", &socket, "-c", "fsync=off", "-c", "shared_buffers=1MB"]);
        for setting in &settings {
            command.args(["-c", setting]);
        }
        Self::start(command, scratch, port, Some("ready to accept connections"))
    }

    /// The process that accepts connections, and that waits for those that serve them.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Gives a running PostgreSQL another `pg_hba.conf` and another certificate.
    ///
    /// The postmaster logs that it reloads and then reads both before it takes another connection.
    pub fn reload(&self, hba: &str, identity: Option<&ServerIdentity>) {
        let data = self.scratch.0.join("data");
        fs::write(data.join("pg_hba.conf"), hba).unwrap();
        if let Some(identity) = identity {
            write_identity(&data, identity);
            hand_over(&data.join("server.key"));
        }
        let reloads = || {
            let log = fs::read_to_string(self.scratch.0.join("log")).unwrap();
            log.matches("reloading configuration files").count()
        };
        let before = reloads();
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
        let end = Instant::now() + START;
        while reloads() == before {
            assert!(Instant::now() < end, "the server does not reload");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Starts pgbouncer with `settings` of its section `[pgbouncer]`.
    pub fn pgbouncer(settings: &str, identity: &ServerIdentity) -> Option<Self> {
        Self::pgbouncer_with_rules(settings, None, identity)
    }

    /// The same, with the lines `hba` as its `auth_hba_file`.
    pub fn pgbouncer_with_rules(settings: &str, hba: Option<&str>, identity: &ServerIdentity) -> Option<Self> {
        let program = program("pgbouncer")?;
        let scratch = Scratch::new();
        write_identity(&scratch.0, identity);
        let (port, place) = (free_port(), scratch.0.display());
        let mut config = format!(
            "[databases]\npostgres = host=127.0.0.1 port=1\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = {}\nauth_file = {place}/users\nclient_tls_key_file = {place}/server.key\n\
             client_tls_cert_file = {place}/server.crt\n{settings}\n",
            if hba.is_some() { "hba" } else { "md5" }
        );
        if let Some(hba) = hba {
            fs::write(scratch.0.join("hba"), hba).unwrap();
            config.push_str(&format!("auth_hba_file = {place}/hba\n"));
        }
        if identity.client_roots.is_some() {
            config.push_str(&format!("client_tls_ca_file = {place}/root.crt\n"));
        }
        fs::write(scratch.0.join("bouncer.ini"), config).unwrap();
        fs::write(scratch.0.join("users"), "\"postgres\" \"unused\"\n").unwrap();
        hand_over(&scratch.0);
        let mut command = unprivileged(&program);
        command.arg(scratch.0.join("bouncer.ini"));
        Some(Self::start(command, scratch, port, None))
    }

    /// Starts stunnel in front of the PostgreSQL at `behind`.
    pub fn stunnel(behind: SocketAddr, identity: &ServerIdentity) -> Option<Self> {
        let program = program("stunnel4")?;
        let scratch = Scratch::new();
        write_identity(&scratch.0, identity);
        let (port, place) = (free_port(), scratch.0.display());
        let config = format!(
            "foreground = yes\npid =\n[pg]\nprotocol = pgsql\naccept = 127.0.0.1:{port}\nconnect = {behind}\n\
             cert = {place}/server.crt\nkey = {place}/server.key\n"
        );
        fs::write(scratch.0.join("stunnel.conf"), config).unwrap();
        hand_over(&scratch.0);
        let mut command = unprivileged(&program);
        command.arg(scratch.0.join("stunnel.conf"));
        Some(Self::start(command, scratch, port, None))
    }

    /// Starts pgpool in front of the PostgreSQL at `behind`, with the lines `hba` as its `pool_hba.conf`.
    pub fn pgpool(behind: SocketAddr, hba: &str, identity: &ServerIdentity) -> Option<Self> {
        let program = program("pgpool")?;
        let scratch = Scratch::new();
        write_identity(&scratch.0, identity);
        let (port, pcp, place) = (free_port(), free_port(), scratch.0.display());
        let config = format!(
            "listen_addresses = '127.0.0.1'\nport = {port}\npcp_port = {pcp}\npcp_listen_addresses = '127.0.0.1'\n\
             socket_dir = '{place}'\npcp_socket_dir = '{place}'\nwd_ipc_socket_dir = '{place}'\nlogdir = '{place}'\n\
             pid_file_name = '{place}/pid'\nbackend_hostname0 = '127.0.0.1'\nbackend_port0 = {}\nbackend_weight0 = 1\n\
             backend_clustering_mode = 'raw'\nenable_pool_hba = on\npool_passwd = ''\nssl = on\n\
             ssl_cert = '{place}/server.crt'\nssl_key = '{place}/server.key'\nsr_check_period = 0\n\
             health_check_period = 0\nnum_init_children = 8\nallow_clear_text_frontend_auth = on\n",
            behind.port()
        );
        fs::write(scratch.0.join("pgpool.conf"), config).unwrap();
        fs::write(scratch.0.join("pool_hba.conf"), hba).unwrap();
        fs::write(scratch.0.join("pcp.conf"), "").unwrap();
        hand_over(&scratch.0);
        let mut command = unprivileged(&program);
        command.arg("-n").arg("-f").arg(scratch.0.join("pgpool.conf"));
        command.arg("-a").arg(scratch.0.join("pool_hba.conf")).arg("-F").arg(scratch.0.join("pcp.conf"));
        Some(Self::start(command, scratch, port, None))
    }

    /// Starts `command` and waits until it says `ready`, or until its port is open.
    fn start(mut command: Command, scratch: Scratch, port: u16, ready: Option<&str>) -> Self {
        let log = scratch.0.join("log");
        let file = fs::File::create(&log).unwrap();
        command.current_dir(&scratch.0).env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C");
        command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        let child = command.spawn().unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let mut server = Self { address, child, scratch };
        let end = Instant::now() + START;
        loop {
            let said = fs::read_to_string(&log).unwrap_or_default();
            let up = match ready {
                Some(ready) => said.contains(ready),
                None => TcpStream::connect(address).is_ok(),
            };
            if up {
                return server;
            }
            let ended = server.child.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < end, "the server did not start: {ended:?}\n{said}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for WireServer {
    fn drop(&mut self) {
        // SIGINT is "fast" to PostgreSQL and pgpool and an order to end at once to the others. It goes to the one
        // process that start() spawned, which ends its own children.
        let _ = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        let end = Instant::now() + Duration::from_secs(5);
        while Instant::now() < end {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A data directory fresh from initdb, made once for each version, kept between runs and copied for each server.
fn template(bin: &Path) -> PathBuf {
    static MAKING: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _one_at_a_time = MAKING.lock().unwrap();
    let output = Command::new(bin.join("postgres")).arg("--version").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let version = said.split_whitespace().nth(2).unwrap();
    let kept = std::env::temp_dir().join(format!("hostssl-wire-template-{version}"));
    if kept.exists() {
        return kept;
    }
    let scratch = Scratch::new();
    hand_over(&scratch.0);
    let data = scratch.0.join("data");
    let mut command = unprivileged(&bin.join("initdb"));
    command.arg("-D").arg(&data);
    command.args(["-U", "postgres", "-A", "trust", "-N", "--locale=C", "--wal-segsize=1"]);
    let output = command.current_dir(&scratch.0).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // Another process may have made it meanwhile; its work is as good.
    let _ = fs::rename(&data, &kept);
    kept
}

/// Writes the files of `identity` where its server looks for them.
fn write_identity(place: &Path, identity: &ServerIdentity) {
    fs::write(place.join("server.crt"), &identity.chain).unwrap();
    let key = place.join("server.key");
    fs::write(&key, &identity.key).unwrap();
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(&key, private).unwrap();
    if let Some(roots) = &identity.client_roots {
        fs::write(place.join("root.crt"), roots).unwrap();
    }
}
