"""Compares `az postgres server|flexible-server` with `hostssl server`, field by field.

Usage: compare.py HOSTSSL AZ-FOR-SINGLE-SERVERS AZ-FOR-FLEXIBLE-SERVERS, with both signed in to the simulated Azure.
"""

import json
import subprocess
import sys

passed = 0


def check(what, actual, expected):
    global passed
    if actual != expected:
        sys.exit(f"FAILED {what}:\n  hostssl {actual!r}\n  az      {expected!r}\n{passed} passed, 1 failed")
    passed += 1


def run(*command, allowed=(0,)):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode not in allowed:
        sys.exit(f"FAILED {' '.join(command)} ({done.returncode}): {done.stderr}")
    return done.stdout


def main(hostssl, az_single, az_flexible):
    # With --auth cli, hostssl is whoever is signed in to the Azure CLI.
    import os

    os.environ["HOSTSSL_AUTH"] = "cli"
    os.environ["PATH"] = os.path.dirname(az_flexible) + os.pathsep + os.environ["PATH"]
    accounts = json.loads(run(az_flexible, "account", "list", "-o", "json"))
    for account in accounts:
        compare_subscription(hostssl, az_single, az_flexible, account["id"])
    compare_update(hostssl, az_single, az_flexible, accounts)
    compare_our_update(hostssl, az_single, az_flexible)
    print(f"{passed} passed, 0 failed")


def compare_subscription(hostssl, az_single, az_flexible, subscription):
    where = ("--subscription", subscription)
    # 4: some servers of the scenario cannot be read whole.
    ours = json.loads(run(hostssl, "-q", "server", "list", *where, allowed=(0, 4)))
    mine = {server["id"].lower(): server for server in ours}
    single = try_list(az_single, "server", where)
    flexible = try_list(az_flexible, "flexible-server", where)
    for server in single:
        compare_server(hostssl, az_single, "server", where, server, mine)
    for server in flexible:
        compare_server(hostssl, az_flexible, "flexible-server", where, server, mine)
    names = "[*].{name:name, resourceGroup:resourceGroup}"
    if single and not flexible and len(mine) == len(single):
        table = run(az_single, "postgres", "server", "list", *where, "--output", "table", "--query", names)
        check("the table", run(hostssl, "-q", "server", "list", *where, "--output", "table", "--query", names), table)


def try_list(az, command, where):
    done = subprocess.run([az, "postgres", command, "list", *where, "-o", "json"], capture_output=True, text=True)
    if done.returncode != 0:
        if "AuthorizationFailed" in done.stderr:
            return []
        sys.exit(f"FAILED az postgres {command} list: {done.stderr}")
    return json.loads(done.stdout)


def compare_server(hostssl, az, command, where, server, mine):
    identifier = server["id"].lower()
    listed = mine[identifier]
    derived = {"sslEnforcement", "minimalTlsVersion"} if command == "flexible-server" else set()
    compare_documents(f"list {identifier}", listed, server, derived)
    name = ("-n", server["name"], "-g", server["resourceGroup"])
    shown = subprocess.run([az, "postgres", command, "show", *name, *where, "-o", "json"], capture_output=True, text=True)
    if "ResourceNotFound" in shown.stderr:
        # One server of the scenario vanishes between the list and the read. Nobody can show it.
        done = subprocess.run([hostssl, "-q", "server", "show", *name, *where], capture_output=True, text=True)
        check(f"show {identifier}", done.returncode, 2)
        return
    theirs = shown.stdout
    ours = run(hostssl, "-q", "server", "show", *name, *where, allowed=(0, 4))
    compare_documents(f"show {identifier}", json.loads(ours), json.loads(theirs), derived)
    if command == "server":
        query = ("--query", "sslEnforcement")
        for output in ("json", "tsv", "yaml", "table"):
            expected = run(az, "postgres", command, "show", *name, *where, *query, "-o", output)
            actual = run(hostssl, "-q", "server", "show", *name, *where, *query, "-o", output)
            # PyYAML ends a lone scalar with an end-of-document line.
            check(f"{output} of {identifier}", actual, expected.replace("...\n", ""))


def compare_documents(what, ours, theirs, derived):
    """Every field of az is ours with the same value; beyond those, ours are the derived ones or what az does not know."""
    for key, value in theirs.items():
        if value is None and key not in ours:
            continue
        check(f"{what}: {key}", normal(ours.get(key, "(absent)")), normal(value))
    missing = [key for key in derived if key not in ours]
    check(f"{what}: derived fields", missing, [])


def normal(value):
    """Both sides without members that are null, and without the difference between spellings of one instant."""
    if isinstance(value, dict):
        return {key: normal(member) for key, member in value.items() if member is not None}
    if isinstance(value, list):
        return [normal(item) for item in value]
    if isinstance(value, str) and len(value) > 18 and value[4:5] == "-" and value[10:11] == "T":
        return value[:19]
    return value


def compare_update(hostssl, az_single, az_flexible, accounts):
    """What the Azure CLI writes, hostssl reads."""
    for account in accounts:
        where = ("--subscription", account["id"])
        for server in try_list(az_flexible, "flexible-server", where):
            name = ("-n", server["name"], "-g", server["resourceGroup"])
            shown = run(hostssl, "-q", "server", "show", *name, *where, "--query", "sslEnforcement", allowed=(0, 4))
            if json.loads(shown) != "Disabled":
                continue
            parameter = ("-n", "require_secure_transport", "--value", "on", "-o", "none")
            target = ("-s", server["name"], "-g", server["resourceGroup"])
            command = (az_flexible, "postgres", "flexible-server", "parameter", "set", *target, *where, *parameter)
            done = subprocess.run(command, capture_output=True, text=True)
            if "ScopeLocked" in done.stderr:
                continue
            check("az parameter set", done.returncode, 0)
            shown = run(hostssl, "-q", "server", "show", *name, *where, "--query", "sslEnforcement")
            check("after az parameter set", json.loads(shown), "Enabled")
            return
    sys.exit("FAILED: no server was there to be written to")


def compare_our_update(hostssl, az_single, az_flexible):
    """What hostssl writes, the Azure CLI reads; and `server update` prints what `az postgres server update` prints."""
    single = ("--name", "pg-archive-legacy", "--resource-group", "rg-finance-prod")
    ours = run(hostssl, "-q", "server", "update", *single, "--ssl-enforcement", "Enabled")
    theirs = run(az_single, "postgres", "server", "show", *single, "-o", "json")
    compare_documents("server update Enabled", json.loads(ours), json.loads(theirs), {"sslEnforcement"})
    check("az postgres server show", json.loads(theirs)["sslEnforcement"], "Enabled")
    theirs = run(az_single, "postgres", "server", "update", *single, "--ssl-enforcement", "Disabled", "-o", "json")
    run(hostssl, "-q", "server", "update", *single, "--ssl-enforcement", "Enabled")
    ours = run(hostssl, "-q", "server", "update", *single, "--ssl-enforcement", "Disabled")
    compare_documents("server update Disabled", json.loads(ours), json.loads(theirs), {"sslEnforcement"})
    check("the members' order", list(json.loads(ours)), sorted(json.loads(ours)))

    flexible = ("pg-catalog-prod", "rg-shop-prod")
    run(hostssl, "-q", "server", "update", "-n", flexible[0], "-g", flexible[1], "--ssl-enforcement", "Enabled")
    parameter = ("-s", flexible[0], "-g", flexible[1], "-n", "require_secure_transport", "--query", "value", "-o", "tsv")
    value = run(az_flexible, "postgres", "flexible-server", "parameter", "show", *parameter)
    check("az parameter show", value.strip().lower(), "on")


main(*sys.argv[1:])
