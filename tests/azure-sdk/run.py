"""Microsoft's Python SDKs against the simulated Azure, compared with what hostssl says of the same servers.

Usage: run.py PATH-OF-HOSTSSL
"""

import json
import os
import re
import subprocess
import sys
import tempfile

from azure.core.exceptions import HttpResponseError
from azure.identity import ClientSecretCredential
from azure.mgmt.postgresqlflexibleservers import PostgreSQLManagementClient as FlexibleClient
from azure.mgmt.rdbms.postgresql import PostgreSQLManagementClient as SingleClient

passed = 0


def check(what, actual, expected):
    global passed
    if actual != expected:
        sys.exit(f"FAILED {what}: got {actual!r}, expected {expected!r}\n0 passed, 1 failed")
    passed += 1


def environment(simulator):
    """Reads the lines `export NAME='VALUE'` that the simulator prints, until it says that it is ready."""
    lines = []
    for line in simulator.stderr:
        if line.startswith("next, "):
            break
    while True:
        line = simulator.stdout.readline()
        lines.append(line)
        if not line or line.startswith("export SSL_CERT_FILE="):
            break
    return dict(re.fullmatch(r"export (\w+)='(.*)'\n", line).groups() for line in lines if line)


def hostssl(binary, *arguments):
    done = subprocess.run([binary, *arguments, "--quiet"], capture_output=True, text=True)
    if done.returncode not in (0, 3, 4):
        sys.exit(f"FAILED hostssl {arguments}: {done.stderr}")
    return json.loads(done.stdout)


def all_servers(clients, subscriptions, scope):
    """Every server that the SDKs list, by lower-case id."""
    found = {}
    for subscription in subscriptions:
        flexible, single = clients(subscription)
        for kind, client, listed in (
            ("flexible", flexible, lambda: flexible.servers.list_by_subscription()),
            ("single", single, lambda: single.servers.list()),
        ):
            try:
                for server in listed():
                    found[server.id.lower()] = (kind, client, server)
            except HttpResponseError as error:
                if error.status_code != 403:
                    raise
    return found


def read_back(servers, report, member):
    """Compares the value of every step that was written with what the SDK of its server reads."""
    written = [step for step in report["steps"] if step["status"] in ("applied", "undone")]
    check("some steps were written", bool(written), True)
    for step in written:
        kind, client, server = servers[step["server"].lower()]
        group = server.id.split("/")[4]
        if kind == "single":
            current = client.servers.get(group, server.name)
            attribute = {"sslEnforcement": "ssl_enforcement", "minimalTlsVersion": "minimal_tls_version"}
            value = getattr(current, attribute[step["parameter"]])
            value = getattr(value, "value", value)
        else:
            value = client.configurations.get(group, server.name, step["parameter"]).value
        check(f"{step['server']} {step['parameter']}", value.lower(), step[member].lower())


def main(binary):
    folder = tempfile.mkdtemp(prefix="hostssl-sdk-")
    simulator = subprocess.Popen(
        [binary, "simulate", "demo", "--dir", folder], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        variables = environment(simulator)
        os.environ.update(variables)
        os.environ["REQUESTS_CA_BUNDLE"] = variables["HOSTSSL_CA_FILE"]
        arm = variables["HOSTSSL_ARM_ENDPOINT"]
        options = {"base_url": arm, "credential_scopes": [arm + "/.default"]}
        credential = ClientSecretCredential(
            variables["AZURE_TENANT_ID"],
            variables["AZURE_CLIENT_ID"],
            variables["AZURE_CLIENT_SECRET"],
            authority=variables["AZURE_AUTHORITY_HOST"],
            disable_instance_discovery=True,
        )

        def clients(subscription):
            return (
                FlexibleClient(credential, subscription, **options),
                SingleClient(credential, subscription, **options),
            )

        report = hostssl(binary, "audit", "--output", "json")
        ours = {s["id"].lower(): s for s in report["servers"] if s["kind"] in ("flexible", "elastic-cluster", "single")}
        seen = {s["subscriptionId"] for s in report["servers"]} | {
            gap["scope"].split("/")[2] for gap in report["gaps"] if gap["scope"].startswith("/subscriptions/")
        }
        theirs = all_servers(clients, sorted(s for s in seen if s), report)
        check("the set of servers", sorted(ours), sorted(theirs))

        words = {"on": "Enabled", "off": "Disabled"}
        for identifier, (kind, client, server) in sorted(theirs.items()):
            mine = ours[identifier]
            group = server.id.split("/")[4]
            if kind == "single":
                check(identifier, mine["sslEnforcement"], str(getattr(server.ssl_enforcement, "value", server.ssl_enforcement)))
                floor = getattr(server.minimal_tls_version, "value", server.minimal_tls_version)
                check(identifier, mine["minimalTlsVersion"], floor)
                continue
            try:
                value = client.configurations.get(group, server.name, "require_secure_transport").value
                check(identifier, mine["sslEnforcement"], words[value.lower()])
            except HttpResponseError as error:
                check(f"{identifier} ({error.status_code})", mine["sslEnforcement"], "Unknown")

        # A write of the SDK, a long-running operation, is what the next audit reads.
        off = next(i for i, s in ours.items() if s["kind"] == "flexible" and s["sslEnforcement"] == "Disabled")
        _, client, server = theirs[off]
        body = {"properties": {"value": "on", "source": "user-override"}}
        group = server.id.split("/")[4]
        client.configurations.begin_update(group, server.name, "require_secure_transport", body).result(30)
        shown = hostssl(binary, "server", "show", "-n", server.name, "-g", group)
        check("after the SDK's write", shown["sslEnforcement"], "Enabled")

        # And what hostssl writes is what the SDKs read back.
        state = os.path.join(folder, "state")
        plan = os.path.join(folder, "plan.json")
        planned = hostssl(binary, "plan", "--accept-breakage", "*=a test", "--out", plan, "--output", "json")
        applied = hostssl(binary, "apply", plan, "--approve", planned["hash"], "--state", state, "--output", "json")
        read_back(theirs, applied, "after")
        undone = hostssl(binary, "undo", applied["run"], "--yes", "--reason", "the test", "--state", state, "--output", "json")
        read_back(theirs, undone, "before")
    finally:
        simulator.terminate()
        simulator.wait(10)
    print(f"{passed} passed, 0 failed")


main(*sys.argv[1:])
