"""Network namespaces, what is plugged between them, and the PostgreSQL servers in them."""

import os
import re
import subprocess
import time
from pathlib import Path


def run(*command: str, **options) -> str:
    """What a command prints; it has to succeed."""
    done = subprocess.run(command, capture_output=True, text=True, **options)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
    return done.stdout


def until(what: str, holds, seconds: float = 30):
    """Waits for something, and fails if it does not come."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if found := holds():
            return found
        time.sleep(0.01)
    raise AssertionError(f"did not happen within {seconds} s: {what}")


class Network:
    """A network namespace. The test's own is the one without a name server, a route or a link but those that are plugged."""

    def __init__(self, own: bool = False):
        # What keeps the namespace; it ends with the namespace of processes that the test has.
        self.holder = None if own else subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        if self.holder:
            mine = os.readlink("/proc/self/ns/net")
            until("a namespace of its own", lambda: os.readlink(f"/proc/{self.holder.pid}/ns/net") != mine)
        self.run("ip", "link", "set", "lo", "up")

    def within(self, *command: str) -> list[str]:
        """The command that runs another one in this network. Neither forks, so that a signal reaches the last."""
        return list(command) if self.holder is None else ["nsenter", f"--net=/proc/{self.holder.pid}/ns/net", *command]

    def run(self, *command: str) -> str:
        return run(*self.within(*command))

    def loses(self, link: str, percent: int) -> str:
        """From now on so many of the packets on a link are lost. Returns what loses them."""
        netem = ("tc", "qdisc", "add", "dev", link, "root", "netem", "loss", f"{percent}%")
        if subprocess.run(self.within(*netem), capture_output=True).returncode == 0:
            return "tc netem"
        # A kernel without it: the same on the way in and on the way out.
        for chain, side in (("INPUT", "-i"), ("OUTPUT", "-o")):
            rule = f"{chain} {side} {link} -m statistic --mode random --probability {percent / 100} -j DROP"
            self.run("iptables", "-A", *rule.split())
        return "iptables, since this kernel has no netem,"

    def lost(self, link: str) -> int:
        """How many packets were lost on a link."""
        netem = re.search(r"qdisc netem .*?dropped (\d+)", self.run("tc", "-s", "qdisc", "show", "dev", link), re.S)
        return int(netem[1]) if netem else self.dropped()

    def dropped(self) -> int:
        """How many packets the rules of this network dropped."""
        return sum(int(line.split()[0]) for line in self.run("iptables", "-nvxL").splitlines() if " DROP " in line and "policy" not in line)

    def loses_nothing(self, link: str) -> None:
        subprocess.run(self.within("tc", "qdisc", "del", "dev", link, "root"), capture_output=True)
        self.run("iptables", "-F")


def plug(one: Network, one_end: str, one_address: str, other: Network, other_end: str, other_address: str) -> None:
    """A cable between two networks. There is no way through a network: nothing forwards."""
    run("ip", "link", "add", one_end, "type", "veth", "peer", "name", other_end)
    for network, end, address in ((one, one_end, one_address), (other, other_end, other_address)):
        if network.holder:
            run("ip", "link", "set", end, "netns", str(network.holder.pid))
        network.run("ip", "address", "add", f"{address}/24", "dev", end)
        network.run("ip", "link", "set", end, "up")


class Postgres:
    """A PostgreSQL server in a network, which serves whoever comes by these lines of pg_hba.conf."""

    def __init__(self, programs: Path, folder: Path, network: Network, address: str, lines: list[str], identity: tuple[Path, Path]):
        self.log, self.folder, self.programs = folder / "log", folder, programs
        run(*AS_POSTGRES, str(programs / "initdb"), "--auth=trust", "--no-sync", "-D", str(folder), cwd=folder.parent)
        hand_over(identity, folder)
        (folder / "pg_hba.conf").write_text("".join(f"{line}\n" for line in lines))
        settings = {
            "listen_addresses": address,
            "unix_socket_directories": str(folder),
            "max_connections": "300",
            "fsync": "off",
            "ssl": "on",
            "ssl_cert_file": str(folder / identity[0].name),
            "ssl_key_file": str(folder / identity[1].name),
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command = network.within(*AS_POSTGRES, str(programs / "postgres"), "-D", str(folder), *options)
        with self.log.open("w") as log:
            subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
        until(f"PostgreSQL serves: {self.log.read_text()}", self.serves)

    def serves(self) -> bool:
        ready = [str(self.programs / "pg_isready"), "-h", str(self.folder), "-q"]
        return subprocess.run(ready).returncode == 0


def hand_over(identity: tuple[Path, Path], folder: Path) -> None:
    """Gives a certificate and its key to the user who serves with them."""
    run("install", "-m", "0600", "-o", "postgres", *map(str, identity), str(folder))


def pgbouncer(folder: Path, network: Network, address: str, behind: str, identity: tuple[Path, Path]) -> None:
    """PgBouncer at port 6432 of a network, in front of a server; it takes clients with TLS alone."""
    run("install", "-d", "-o", "postgres", str(folder))
    hand_over(identity, folder)
    (folder / "users").write_text('"postgres" "unused"\n')
    lines = ["[databases]", f"* = host={behind}", "[pgbouncer]", f"listen_addr = {address}", "unix_socket_dir =", "auth_type = md5"]
    lines += [f"auth_file = {folder}/users", "client_tls_sslmode = require"]
    lines += [f"client_tls_cert_file = {folder / identity[0].name}", f"client_tls_key_file = {folder / identity[1].name}"]
    (folder / "pgbouncer.ini").write_text("\n".join(lines) + "\n")
    with (folder / "log").open("w") as log:
        subprocess.Popen(network.within(*AS_POSTGRES, "pgbouncer", str(folder / "pgbouncer.ini")), stdout=log, stderr=log)
    until("PgBouncer serves", lambda: "process up" in (folder / "log").read_text())


# initdb, postgres and pgbouncer refuse root.
AS_POSTGRES = ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups")


class Authority:
    """A certificate authority of the test's own, which signs for the servers and for the simulated Azure."""

    def __init__(self, folder: Path):
        self.folder, self.root = folder, folder / "root.pem"
        constraints = ("-addext", "basicConstraints=critical,CA:TRUE")
        self.openssl("req", "-x509", *NEW_KEY, "root-key.pem", "-out", "root.pem", "-subj", "/CN=Test root", "-days", "2", *constraints)

    def signs(self, name: str, host: str) -> tuple[Path, Path]:
        """A certificate for a host, and its key."""
        named = ("-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{host}")
        self.openssl("req", *NEW_KEY, f"{name}-key.pem", "-out", f"{name}.csr", *named)
        signer = ("-CA", "root.pem", "-CAkey", "root-key.pem", "-copy_extensions", "copy", "-days", "2")
        self.openssl("x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.pem", *signer)
        return self.folder / f"{name}.pem", self.folder / f"{name}-key.pem"

    def openssl(self, *command: str) -> None:
        run("openssl", *command, cwd=self.folder)


NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout")
