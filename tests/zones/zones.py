"""Servers in virtual networks, proven from inside them: zones.py PROGRAM POSTGRES_FOLDER... See tests/zones/run.

    the console and Azure --- the prober in zone a --- the servers of zone a, which accept plaintext
                          \\-- the prober in zone b --- the servers of zone b, which refuse it

Azure is simulated; that its servers are in virtual networks is what private_azure.py adds. Console, probers and servers are real
processes that reach each other through these cables alone: a hosts file in each zone stands for its private DNS zone."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from networks import Authority, Network, Postgres, pgbouncer, plug, run, until
from private_azure import PrivateAzure

PROGRAM = sys.argv[1]
# The programs of PostgreSQL 15, and of later versions.
VERSIONS = [Path(folder) for folder in sys.argv[2:]]
STARTED = time.monotonic()
# More than one batch of 128 targets is in zone a; every server has two ports.
SERVERS, IN_B = 84, 6
LOSS = 15
Target = tuple[str, int]
Said = tuple[str | None, str]
NOT_THERE = "10.20.1.9"


def ok(what: str) -> None:
    print(f"ok      {what} ({time.monotonic() - STARTED:.0f} s)", flush=True)


def network_of(server: str) -> str:
    return "vnet-b" if int(server.rsplit("-", 1)[1]) % (SERVERS // IN_B) == 0 else "vnet-a"


class Zone:
    """A zone: a prober's network beside the servers' network."""

    def __init__(self, name: str, number: int, console: Network, work: Path):
        self.name, self.work, self.console_address = name, work, f"10.9.{number}.1"
        self.server_address = f"10.20.{number}.2"
        self.probers, self.servers = Network(), Network()
        plug(console, f"console-{name}", self.console_address, self.probers, "uplink", f"10.9.{number}.2")
        plug(self.probers, "downlink", f"10.20.{number}.1", self.servers, "servers", self.server_address)
        self.hosts = work / f"hosts-{name}"
        self.state = work / f"prober-{name}"

    def knows(self, hosts: dict[str, str]) -> None:
        """What the private DNS zone of the network says."""
        self.hosts.write_text("127.0.0.1 localhost\n" + "".join(f"{to} {host}\n" for host, to in hosts.items()))

    def command(self, *arguments: str) -> list[str]:
        """hostssl on a machine in this zone, with the names of this zone."""
        script = f'mount --bind {self.hosts} /etc/hosts && exec "$0" "$@"'
        return self.probers.within("unshare", "--mount", "sh", "-c", script, PROGRAM, *arguments)

    def prober(self, join: str) -> subprocess.Popen:
        """One round of the prober in this zone."""
        fence = ("--allow-names", "*.invalid", "--allow-net", "10.20.0.0/16")
        command = self.command("prober", "--once", "--state", str(self.state), *fence, "--ca-file", str(self.work / "root.pem"))
        told = (self.work / f"told-{self.name}").open("a")
        return subprocess.Popen(command, env={"PATH": os.environ["PATH"], "HOSTSSL_JOIN": join}, stderr=told)

    def told(self) -> str:
        return (self.work / f"told-{self.name}").read_text()

    def has_sent_a_batch(self) -> bool:
        """Whether the prober is in the second batch of its round: the first is behind it, and nothing waits to be sent."""
        path = self.state / "prober.json"
        return path.exists() and json.loads(path.read_text()).get("after") is not None and not self.unsent()

    def unsent(self) -> list[Path]:
        return list((self.state / "unsent").glob("*.json"))


class World:
    """The console, the simulated Azure behind it, and two zones."""

    def __init__(self, work: Path):
        self.work, self.console = work, Network(own=True)
        nothing = work / "nothing"
        nothing.write_text("")
        (work / "hosts").write_text("127.0.0.1 localhost\n")
        # Of this mount namespace alone. No name server: names of private servers are in their zones.
        run("mount", "--bind", str(nothing), "/etc/resolv.conf")
        run("mount", "--bind", str(work / "hosts"), "/etc/hosts")
        self.authority = Authority(work)
        self.environment = {"PATH": os.environ["PATH"], "HOSTSSL_STATE": str(work / "state"), **self.azure()}
        self.zones = {name: Zone(name, number, self.console, work) for number, name in ((1, "a"), (2, "b"))}
        self.rules = ("--zones", str(work / "zones.toml"))
        self.addresses_of_b: list[str] = []
        self.servers()

    def azure(self) -> dict[str, str]:
        """Starts the simulated Azure. Returns how to reach and to believe it."""
        folder = self.work / "azure"
        size = ("--servers", str(SERVERS), "--subscriptions", "2", "--dir", str(folder))
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.Popen([PROGRAM, "simulate", "fleet", *size], **quiet)
        script = until("the simulated Azure answers", lambda: (folder / "env.sh").exists() and (folder / "env.sh").read_text())
        lines = (line.removeprefix("export ").split("=", 1) for line in script.splitlines() if line.startswith("export "))
        settings = {name: value.strip("'") for name, value in lines}
        certificate, key = self.authority.signs("azure", "localhost")
        port = int(settings["HOSTSSL_ARM_ENDPOINT"].rsplit(":", 1)[1])
        private = PrivateAzure(port, str(folder / "ca.pem"), str(certificate), str(key), network_of)
        here = f"https://localhost:{private.port}"
        own = {"HOSTSSL_ARM_ENDPOINT": here, "HOSTSSL_AUTHORITY_HOST": here, "HOSTSSL_CA_FILE": str(self.authority.root)}
        wanted = ("HOSTSSL_AUTH", "AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET")
        return {name: settings[name] for name in wanted} | own

    def servers(self) -> None:
        """The servers of both zones: those of zone b are of each version that is there, and have a pooler."""
        place = self.work / "postgres"
        place.mkdir()
        run("chown", "postgres", str(place))
        identity = self.authority.signs("server", "*.postgres.database.azure.com.invalid")
        plaintext = ["host all all all scram-sha-256", "host replication all all scram-sha-256"]
        tls_only = [line.replace("host ", "hostssl ") for line in plaintext]
        a, b = self.zones["a"], self.zones["b"]
        Postgres(VERSIONS[0], place / "a", a.servers, a.server_address, plaintext, identity)
        for number, programs in enumerate(VERSIONS):
            address = f"10.20.2.{number + 2}"
            if address != b.server_address:
                b.servers.run("ip", "address", "add", f"{address}/24", "dev", "servers")
            Postgres(programs, place / f"b{number}", b.servers, address, tls_only, identity)
            self.addresses_of_b.append(address)
        pgbouncer(place / "pooler", b.servers, b.server_address, b.server_address, identity)

    def hostssl(self, *arguments: str, codes: tuple[int, ...] = (0,)) -> str:
        """hostssl beside the console."""
        done = subprocess.run([PROGRAM, *arguments], env=self.environment, capture_output=True, text=True)
        assert done.returncode in codes, f"{arguments} ended with {done.returncode}: {done.stderr}"
        return done.stdout

    def serve(self) -> None:
        told = (self.work / "told-console").open("w")
        listen = ("--listen", "127.0.0.1:0", "--prober-listen", "0.0.0.0:8444")
        subprocess.Popen([PROGRAM, "serve", *listen, *self.rules], env=self.environment, stdout=told, stderr=told)
        until("the console listens for probers", lambda: "listening for probers" in (self.work / "told-console").read_text())

    def join(self, zone: Zone) -> str:
        return self.hostssl("zones", "enrol", zone.name, "--url", f"https://{zone.console_address}:8444", "-q", *self.rules).strip()

    def targets(self, zone: Zone) -> list[Target]:
        listed = json.loads(self.hostssl("zones", "targets", zone.name, "-q", *self.rules, codes=(0, 4)))
        return sorted((target["host"], target["port"]) for target in listed["targets"])

    def audit(self, *more: str) -> "Audit":
        return Audit(json.loads(self.hostssl("audit", "--probe", "-o", "json", "-q", *more, codes=(3,))))


class Audit:
    """An audit that probes."""

    def __init__(self, document: dict):
        # For each listener the zone of each look, and its verdict or the reason why there is none.
        self.said: dict[Target, list[Said]] = {}
        # For each server, what the audit says of the control whose subject is the wire.
        self.outcomes: dict[str, str] = {}
        for server in document["servers"]:
            for look in server["wire"]:
                assert (look["verdict"] is None) != (look["reason"] is None), look
                said = (look.get("zone"), look["verdict"] or look["reason"])
                self.said.setdefault((server["fqdn"], look["port"]), []).append(said)
            for finding in server["findings"]:
                if finding["control"] == "plaintext-refused":
                    self.outcomes[server["fqdn"]] = finding["outcome"]

    def outcomes_of(self, targets: list[Target]) -> Counter:
        return Counter(self.outcomes[host] for host in {host for host, _ in targets})


def one_each(audit: Audit, targets: list[Target]) -> Counter:
    """Every target has exactly one look or one named gap. Counts what is said of the servers' own port."""
    for target in targets:
        # That no pooler answers is no gap, and has no line.
        least = 1 if target[1] == 5432 else 0
        assert least <= len(audit.said.get(target, [])) <= 1, f"{target}: {audit.said.get(target)}"
    return Counter(audit.said[target][0] for target in targets if target[1] == 5432)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="hostssl-zones-") as folder:
        work = Path(folder)
        work.chmod(0o755)
        try:
            try_zones(World(work))
        finally:
            os.kill(-1, signal.SIGKILL)


def try_zones(world: World) -> None:
    a, b = world.zones["a"], world.zones["b"]
    nowhere = before_there_are_zones(world)
    for zone in (a, b):
        world.hostssl("zones", "add", zone.name, "--virtual-network", f"vnet-{zone.name}", *world.rules)
    world.serve()
    targets = {zone.name: world.targets(zone) for zone in (a, b)}
    in_zones = sorted({host for listed in targets.values() for host, _ in listed})
    assert in_zones == sorted(nowhere), "each private server is in a zone, and no other"
    prober_is_killed_and_cut_off(world, a, targets["a"])
    looks_are_carried(world, b, targets["b"])
    packets_are_lost(world, b, targets["b"])
    both_zones(world, targets)
    servers_are_cut_off(world, b, targets["b"])
    probers_are_revoked(world, targets)


def before_there_are_zones(world: World) -> set[str]:
    for zone in world.zones.values():
        probed = world.hostssl("probe", f"{zone.server_address}:5432", "-o", "json", "-q", "--no-save", codes=(4,))
        assert "enforced" not in probed and "optional" not in probed, probed
    audit = world.audit()
    private = [target for target, said in audit.said.items() if said != [(None, "unresolved")]]
    said = one_each(audit, private)
    # Azure says that a few are stopped, which is why nothing is known of them.
    assert set(said) <= {(None, "no-vantage"), (None, "stopped")} and said[None, "no-vantage"] > said[None, "stopped"], said
    world.stopped = {host for host, port in private if audit.said[host, port] == [(None, "stopped")]}
    assert set(audit.outcomes_of(private)) == {"unknown"}, audit.outcomes_of(private)
    ok(f"before there are zones, private servers are unknown: {dict(said)}")
    return {host for host, _ in private}


def prober_is_killed_and_cut_off(world: World, zone: Zone, targets: list[Target]) -> None:
    """The prober of zone a dies between two batches, and later loses the console while it probes."""
    hosts = sorted({host for host, _ in targets})
    assert len(targets) > 128, "the round has more than one batch"
    # The last is known, and does not answer: it keeps the second batch until its deadline. One name is not known.
    known = [host for host in hosts if host not in world.stopped]
    missing, silent = known[1], known[-1]
    assert silent == hosts[-1], "it is in the second batch"
    zone.servers.run("ip", "address", "add", f"{NOT_THERE}/24", "dev", "servers")
    zone.servers.run("iptables", "-A", "INPUT", "-d", NOT_THERE, "-j", "DROP")
    zone.knows({host: zone.server_address for host in known if host != missing} | {silent: NOT_THERE})

    prober = zone.prober(world.join(zone))
    until(f"the first batch was sent: {zone.told()}", zone.has_sent_a_batch, 60)
    prober.kill()
    prober.wait()
    counted = one_each(world.audit(*world.rules), targets)
    waiting = counted["a", "prober-silent"]
    assert waiting and counted["a", "optional"] + waiting + 1 == len(known), counted
    ok(f"a prober that was killed between two batches: {dict(counted)}, and nothing twice")

    asked = zone.servers.dropped()
    assert zone.unsent() == []
    prober = zone.prober("")
    until("the last server is probed again", lambda: zone.servers.dropped() > asked)
    zone.probers.run("ip", "link", "set", "uplink", "down")
    until("looks wait to be sent", zone.unsent, 60)
    cut_off = one_each(world.audit(*world.rules), targets)
    assert cut_off == counted, (cut_off, counted)
    ok(f"cut off from the console: {len(zone.unsent())} message waits, and its servers stay unknown: prober-silent")
    zone.probers.run("ip", "link", "set", "uplink", "up")
    assert prober.wait(120) == 0, zone.told()
    healed = one_each(world.audit(*world.rules), targets)
    assert healed["a", "optional"] == len(known) - 2 and sum(healed.values()) == len(hosts), healed
    ok(f"after it, the prober sends what waited and goes round anew: {dict(healed)}")


def looks_are_carried(world: World, zone: Zone, targets: list[Target]) -> None:
    hosts, addresses = sorted({host for host, _ in targets}), world.addresses_of_b
    zone.knows({host: addresses[number % len(addresses)] for number, host in enumerate(hosts)})
    silent = one_each(world.audit(*world.rules), targets)
    assert silent == {("b", "prober-silent"): len(targets) // 2}, silent
    listed, looks = world.work / "targets.json", world.work / "looks.json"
    listed.write_text(world.hostssl("zones", "targets", zone.name, "-q", *world.rules, codes=(0, 4)))
    probe = zone.command("probe", "--targets", str(listed), "-o", "json", "-q", "--no-save", "--ca-file", str(world.authority.root))
    done = subprocess.run(probe, capture_output=True, text=True, env={"PATH": os.environ["PATH"]})
    assert done.returncode in (0, 3, 4), done.stderr
    looks.write_text(done.stdout)
    audit = world.audit(*world.rules, "--looks", str(looks), "--no-save")
    carried = one_each(audit, targets)
    assert carried == {("b", "enforced"): len(targets) // 2}, carried
    poolers = [host for host in hosts if audit.said.get((host, 6432)) == [("b", "enforced")]]
    assert poolers == hosts[:: len(addresses)], audit.said
    ok(f"looks that were carried home from {len(addresses)} versions of PostgreSQL: {dict(carried)}, and {len(poolers)} of PgBouncer")


def packets_are_lost(world: World, zone: Zone, targets: list[Target]) -> None:
    links = ((world.console, "console-b"), (zone.servers, "servers"))
    how = {network.loses(link, LOSS) for network, link in links}
    prober = zone.prober(world.join(zone))
    assert prober.wait(120) in (0, 4), zone.told()
    lossy = one_each(world.audit(*world.rules), targets)
    # What was lost may leave a question open. It proves nothing, and nothing that is wrong.
    assert set(lossy) <= {("b", "enforced"), ("b", "inconclusive"), ("b", "unreachable")}, lossy
    assert sum(lossy.values()) == len(targets) // 2, lossy
    lost = [network.lost(link) for network, link in links]
    assert all(lost), lost
    for network, link in links:
        network.loses_nothing(link)
    what = f"{LOSS} % of the packets ({lost[0]} and {lost[1]}) lost by {' and '.join(how)}"
    ok(f"{what} on the way to the console and to the servers: {dict(lossy)}")


def both_zones(world: World, targets: dict[str, list[Target]]) -> None:
    prober = world.zones["b"].prober("")
    assert prober.wait(120) == 0, world.zones["b"].told()
    audit = world.audit(*world.rules)
    a, b = (one_each(audit, targets[name]) for name in ("a", "b"))
    assert b == {("b", "enforced"): len(targets["b"]) // 2}, b
    unknown = len(world.stopped) + 2
    assert audit.outcomes_of(targets["a"]) == {"fail": a["a", "optional"], "unknown": unknown}, audit.outcomes
    assert audit.outcomes_of(targets["b"]) == {"pass": b["b", "enforced"]}, audit.outcomes
    # One has no name there, one does not answer, and some are stopped.
    assert a["a", "optional"] + len(world.stopped) + 2 == len(targets["a"]) // 2, a
    assert set(a) == {("a", "optional"), ("a", "unresolved"), ("a", "unreachable"), (None, "stopped")}, a
    listed = json.loads(world.hostssl("zones", "probers", "-o", "json", "-q"))["probers"]
    found = sorted((prober["zone"], prober["status"], prober["answered"], prober["violations"]) for prober in listed)
    assert found == [(name, "active", len(targets[name]), 0) for name in ("a", "b")], listed
    ok(f"each zone has the right verdict: {dict(a)}, {dict(b)}")



def servers_are_cut_off(world: World, zone: Zone, targets: list[Target]) -> None:
    """The prober reaches the console, and no server any more."""
    zone.servers.run("ip", "link", "set", "servers", "down")
    prober = zone.prober("")
    assert prober.wait(120) in (0, 4), zone.told()
    audit = world.audit(*world.rules)
    for target in targets:
        # What decides nothing stands beside what was seen before, and no proof outlives it.
        assert ("b", "unreachable") in audit.said.get(target, []) or target[1] != 5432, audit.said
    assert audit.outcomes_of(targets) == {"unknown": len(targets) // 2}, audit.outcomes
    ok("cut off from the servers: each is unknown, though it was proven before")


def probers_are_revoked(world: World, targets: dict[str, list[Target]]) -> None:
    """Nothing that they saw proves anything any more."""
    zone = world.zones["b"]
    zone.servers.run("ip", "link", "set", "servers", "up")
    prober = zone.prober("")
    assert prober.wait(120) == 0, zone.told()
    before = world.audit(*world.rules)
    assert before.outcomes_of(targets["b"]) == {"pass": len(targets["b"]) // 2}, before.outcomes
    for prober in json.loads(world.hostssl("zones", "probers", "-o", "json", "-q"))["probers"]:
        world.hostssl("zones", "revoke", prober["id"])
    after = world.audit(*world.rules)
    assert one_each(after, targets["b"]) == {("b", "prober-silent"): len(targets["b"]) // 2}, after.said
    assert after.outcomes_of(targets["b"]) == {"unknown": len(targets["b"]) // 2}, after.outcomes
    assert after.outcomes_of(targets["a"])["pass"] == 0, after.outcomes
    ok(f"with both probers revoked nothing is proven: {dict(one_each(after, targets['a'] + targets['b']))}")


if __name__ == "__main__":
    # The first process of its own namespace: all that it kills is what it started.
    assert os.getpid() == 1, "tests/zones/run starts this"
    main()
