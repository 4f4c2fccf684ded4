//! Private servers are proven from zones: what has to be probed there is listed here, and what was seen there counts here.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at the first surprise")]
#![allow(unreachable_pub, missing_docs, dead_code, reason = "a module of this test, shared with others")]

mod common;

use common::{Done, run};
use hostssl_test_support::pki::{WantedCertificate, root};
use hostssl_test_support::postgres::skipped;
use hostssl_test_support::wire_servers::{ServerVersion, WireServer};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The private server of the demo.
const LEDGER: &str = "pg-ledger-prod";

/// A folder with a file of zones that has one for the network of the private server.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        let zones = folder.text("zones.toml");
        let added = run(&["zones", "add", "hub-weu", "--virtual-network", "vnet-data", "--zones", &zones]);
        assert_eq!(added.code, 0, "{}", added.stderr);
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, text: &str) -> String {
        std::fs::write(self.path(name), text).unwrap();
        self.text(name)
    }

    /// What has to be probed in the zone.
    fn targets(&self) -> (Done, String) {
        let done = run(&["zones", "targets", "hub-weu", "--zones", &self.text("zones.toml"), "--simulate", "-q"]);
        let file = self.write("targets.json", &done.stdout);
        (done, file)
    }

    /// What a machine in the zone sees of it.
    fn looks(&self) -> (Done, String) {
        let (_, targets) = self.targets();
        let done = run(&["probe", "--targets", &targets, "--simulate", "-o", "json", "-q"]);
        let file = self.write("looks.json", &done.stdout);
        (done, file)
    }

    /// Audits the private server.
    fn audit(&self, more: &[&str]) -> (Done, Value) {
        let zones = self.text("zones.toml");
        let base = ["audit", "--simulate", "--probe", "--server", LEDGER, "-o", "json", "-q", "--zones", &zones];
        let done = run(&[&base, more].concat());
        let json = serde_json::from_str(&done.stdout).unwrap_or_default();
        (done, json)
    }
}

/// Per port: the verdict, or the reason why there is none; and the zone.
fn wire(audit: &Value) -> Vec<(u64, String, Option<String>)> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let looks = audit["servers"][0]["wire"].as_array().unwrap().iter();
    looks
        .map(|look| {
            let said = text(&look["verdict"]).or_else(|| text(&look["reason"])).unwrap();
            (look["port"].as_u64().unwrap(), said, text(&look["zone"]))
        })
        .collect()
}

/// Makes the looks of a later probe that decided nothing.
fn make_undecided(looks: &mut Value) {
    for look in looks["endpoints"].as_array_mut().unwrap() {
        look["verdict"] = "not-postgresql".into();
        look["observedAt"] = Timestamp::now().to_string().into();
    }
}

fn changed(path: &Path, change: impl FnOnce(&mut Value)) -> String {
    let mut looks: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    change(&mut looks);
    looks.to_string()
}

#[test]
fn a_private_server_is_unknown_until_its_zone_has_looked() {
    let folder = Folder::new();
    let without = run(&["audit", "--simulate", "--probe", "--server", LEDGER, "-o", "json", "-q"]);
    let without: Value = serde_json::from_str(&without.stdout).unwrap();
    assert_eq!(wire(&without)[0], (5432, "no-vantage".to_owned(), None));
    assert!(
        without["servers"][0]["wire"][0]["detail"]
            .as_str()
            .unwrap()
            .contains("in the virtual network vnet-data (resource group rg-finance-prod)")
    );

    let (silent, audit) = folder.audit(&[]);
    assert_eq!(wire(&audit)[0], (5432, "prober-silent".to_owned(), Some("hub-weu".to_owned())));
    assert_eq!(silent.code, 3, "{}: it is declared to be off", silent.stderr);

    let (targets, _) = folder.targets();
    assert_eq!(targets.code, 4, "a subscription that cannot be listed may have more of them: {}", targets.stderr);
    let hosts: Vec<String> =
        targets.stdout.lines().filter(|line| line.contains("\"host\"")).map(str::to_owned).collect();
    assert_eq!(hosts.len(), 2, "{}", targets.stdout);
    assert!(hosts.iter().all(|host| host.contains(LEDGER)), "no server of another place: {hosts:?}");
    for secret in ["/subscriptions/", "resourceGroups", "vnet-data"] {
        assert!(!targets.stdout.contains(secret), "nobody in the zone has to know {secret}: {}", targets.stdout);
    }

    let (probed, looks) = folder.looks();
    assert_eq!(probed.code, 3, "it accepts plaintext: {}", probed.stderr);
    let (_, audit) = folder.audit(&["--looks", &looks]);
    assert_eq!(wire(&audit), [(5432, "optional".to_owned(), Some("hub-weu".to_owned()))]);
    let plaintext = audit["servers"][0]["findings"].as_array().unwrap().iter();
    let refused = plaintext.filter(|one| one["control"] == "plaintext-refused").collect::<Vec<_>>();
    assert_eq!(refused[0]["outcome"], "fail");
    assert!(refused[0]["observed"].as_str().unwrap().starts_with("port 5432 from zone hub-weu:"), "{}", refused[0]);
}

#[test]
fn a_look_that_is_no_evidence_of_today_is_never_a_pass() {
    let folder = Folder::new();
    let (_, looks) = folder.looks();
    let of = |change: &dyn Fn(&mut Value)| folder.write("changed.json", &changed(Path::new(&looks), |it| change(it)));
    let every = |looks: &mut Value, set: &dyn Fn(&mut Value)| {
        looks["endpoints"].as_array_mut().unwrap().iter_mut().for_each(set);
    };

    let old = of(&|it| every(it, &|look| look["observedAt"] = "2026-01-01T00:00:00Z".into()));
    let (_, audit) = folder.audit(&["--looks", &old]);
    assert_eq!(wire(&audit)[0], (5432, "prober-silent".to_owned(), Some("hub-weu".to_owned())));

    // A certificate is as old as it is at the audit, not as it was at the look.
    let expired = of(&|it| {
        every(it, &|look| {
            if look["certificate"].is_object() {
                look["certificate"]["notAfter"] = "2020-01-02T00:00:00Z".into();
            }
        });
    });
    let (_, audit) = folder.audit(&["--looks", &expired]);
    let certificate = &audit["servers"][0]["wire"][0]["certificate"];
    assert_eq!(certificate["verifyFull"], false, "{certificate}");
    let outcome = |control: &str| {
        let findings = audit["servers"][0]["findings"].as_array().unwrap();
        findings.iter().find(|one| one["control"] == control).unwrap()["outcome"].clone()
    };
    assert_eq!([outcome("certificate-valid"), outcome("certificate-expiry")], ["fail", "fail"]);

    // A clock that is ahead makes no look newer than the audit that takes it in, and none is far ahead.
    let ahead = |seconds: i64| {
        let stamp = Timestamp::now() + SignedDuration::from_secs(seconds);
        of(&|it| every(it, &|look| look["observedAt"] = stamp.to_string().into()))
    };
    let (_, audit) = folder.audit(&["--looks", &ahead(9)]);
    let taken: Timestamp = audit["servers"][0]["wire"][0]["observedAt"].as_str().unwrap().parse().unwrap();
    assert_eq!(wire(&audit)[0].1, "optional");
    assert!(taken <= Timestamp::now(), "{taken}");

    let whole = std::fs::read_to_string(&looks).unwrap();
    for (name, text, why) in [
        ("four minutes ahead", std::fs::read_to_string(ahead(240)).unwrap(), "from the future"),
        (
            "future",
            std::fs::read_to_string(of(&|it| every(it, &|look| look["observedAt"] = "2999-01-01T00:00:00Z".into())))
                .unwrap(),
            "from the future",
        ),
        (
            "timeless",
            std::fs::read_to_string(of(&|it| {
                every(it, &|look| drop(look.as_object_mut().unwrap().remove("observedAt")))
            }))
            .unwrap(),
            "has no time",
        ),
        (
            "no zone",
            std::fs::read_to_string(of(&|it| drop(it.as_object_mut().unwrap().remove("zone")))).unwrap(),
            "not probed for a zone",
        ),
        (
            "another zone",
            std::fs::read_to_string(of(&|it| it["zone"] = "hub-eus".into())).unwrap(),
            "which no rule names",
        ),
        ("a new word", whole.replace("\"optional\"", "\"quantum\""), "quantum"),
        ("cut off", whole[..whole.len() / 2].to_owned(), "EOF"),
        (
            "against itself",
            std::fs::read_to_string(of(&|it| every(it, &|look| look["verdict"] = "enforced".into()))).unwrap(),
            "contradicts itself",
        ),
        ("something else", "[]".to_owned(), "the object that `hostssl probe -o json` writes"),
        ("empty", String::new(), "EOF"),
    ] {
        let file = folder.write("odd.json", &text);
        let (done, _) = folder.audit(&["--looks", &file]);
        assert_eq!(done.code, 2, "{name}: {}", done.stderr);
        assert!(done.stderr.contains(why) && done.stderr.contains("hint: "), "{name}: {}", done.stderr);
    }
}

#[test]
fn a_look_at_another_server_is_said_and_proves_nothing() {
    let folder = Folder::new();
    let (_, looks) = folder.looks();
    let other = folder.write(
        "other.json",
        &changed(Path::new(&looks), |it| {
            for look in it["endpoints"].as_array_mut().unwrap() {
                look["host"] = "pg-other.postgres.database.azure.com".into();
            }
        }),
    );
    let zones = folder.text("zones.toml");
    let arguments = ["audit", "--simulate", "--probe", "--server", LEDGER, "--zones", &zones, "--looks", &other];
    let done = run(&arguments);
    assert!(
        done.stderr.contains("2 endpoints that were probed in zones belong to no server in scope, such as pg-other"),
        "{}",
        done.stderr
    );
    assert!(done.stdout.contains("prober-silent"), "{}", done.stdout);
}

#[test]
fn a_check_names_rules_that_match_nothing_and_servers_in_no_zone() {
    let folder = Folder::new();
    let zones = folder.text("zones.toml");
    let check = |more: &[&str]| run(&[&["zones", "check", "--simulate", "-q", "--zones", &zones], more].concat());
    let covered: Value = serde_json::from_str(&check(&["-o", "json"]).stdout).unwrap();
    assert_eq!((&covered["rules"][0]["servers"], &covered["uncovered"]), (&1.into(), &Value::Array(Vec::new())));

    let nowhere = folder.text("none.toml");
    let first = run(&["zones", "check", "--simulate", "-q", "--zones", &nowhere]);
    assert_eq!(first.code, 3);
    assert!(first.stderr.contains("none.toml yet") && first.stdout.contains(LEDGER), "{}", first.stderr);

    std::fs::write(&zones, "[[rule]]\nzone = \"lab\"\nserver = \"no-such-*\"\n").unwrap();
    let done = check(&[]);
    assert_eq!(done.code, 3, "{}", done.stderr);
    assert!(done.stdout.contains("1 private server is in no zone") && done.stdout.contains(LEDGER), "{}", done.stdout);
    // Where everything could be listed, a rule that matches nothing is said.
    let idle = run(&["zones", "check", "--simulate", "enforced", "-q", "--zones", &zones]);
    assert_eq!(idle.code, 3, "{}", idle.stderr);
    assert!(idle.stderr.contains("zones.toml:1: no server is left for the rule of zone lab"), "{}", idle.stderr);
    let except = run(&["zones", "check", "--simulate", "-q", "--zones", &zones, "--except", "pg-grafana"]);
    assert_eq!(except.code, 3, "{}", except.stderr);
    let loud = run(&["zones", "check", "--simulate", "--zones", &zones]);
    assert!(loud.stderr.contains("hint: `hostssl zones add ZONE --virtual-network /subscriptions/"), "{}", loud.stderr);
}

#[test]
fn mistakes_are_said_where_they_are() {
    let folder = Folder::new();
    let zones = folder.text("zones.toml");
    let targets = |zone: &str| run(&["zones", "targets", zone, "--zones", &zones, "--simulate", "-q"]);
    let near = targets("hub-wue");
    assert_eq!(near.code, 2);
    assert!(near.stderr.contains("did you mean hub-weu?"), "{}", near.stderr);

    let before = std::fs::read_to_string(&zones).unwrap();
    for (arguments, why) in [
        (vec!["zones", "add", "Hub", "--server", "a"], "cannot be the name of a zone"),
        (vec!["zones", "add", "hub"], "has no condition"),
    ] {
        let done = run(&[&arguments[..], &["--zones", &zones]].concat());
        assert_eq!(done.code, 2, "{}", done.stderr);
        assert!(done.stderr.contains(why) && done.stderr.contains("nothing was written"), "{}", done.stderr);
    }
    assert_eq!(std::fs::read_to_string(&zones).unwrap(), before);

    std::fs::write(&zones, "[[rule]]\nzone = \"hub\"\nvnet = \"a\"\n").unwrap();
    let done = run(&["zones", "list", "--zones", &zones]);
    assert_eq!(done.code, 2);
    assert!(done.stderr.contains("zones.toml: line 3, column 1: unknown field `vnet`"), "{}", done.stderr);

    std::fs::write(&zones, "").unwrap();
    for (arguments, why) in [
        (vec!["audit", "--simulate", "--probe", "--zones", &zones], "has no rule"),
        (vec!["audit", "--simulate", "--looks", "a"], "--probe"),
        (vec!["audit", "--simulate", "--zones", "a"], "--zones needs --probe"),
        (vec!["probe", "pg-a", "--simulate"], "a list that was made for a zone"),
    ] {
        let done = run(&arguments);
        assert_eq!(done.code, 2, "{arguments:?}: {}", done.stderr);
        assert!(done.stderr.contains(why), "{arguments:?}: {}", done.stderr);
    }
}

/// The real server stands for the private one: where its private DNS zone would lead there, `--connect-to` does.
#[test]
fn a_real_server_is_proven_by_what_was_seen_inside() {
    let Some(bin) = ServerVersion::Pg15.bin() else { return skipped("PostgreSQL 15") };
    let folder = Folder::new();
    let (_, targets) = folder.targets();
    let list: Value = serde_json::from_str(&std::fs::read_to_string(&targets).unwrap()).unwrap();
    let host = list["targets"][0]["host"].as_str().unwrap().to_owned();
    let identity = WantedCertificate::new(&host).dns(&host).by(&root("Test root"));
    let server = WireServer::postgres(&bin, "host all all all scram-sha-256\n", &[], Some(&identity));
    // Nothing listens where the pooler would be.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let seen_inside = |name: &str| {
        let [to, pooler] = [(5432, server.address.port()), (6432, closed)]
            .map(|(port, real)| format!("{host}:{port}:127.0.0.1:{real}"));
        let base = ["probe", "--targets", &targets, "-o", "json", "-q", "--no-save"];
        let done = run(&[&base[..], &["--connect-to", &to, "--connect-to", &pooler]].concat());
        folder.write(name, &done.stdout)
    };
    let verdict = |audit: &Value| {
        let findings = audit["servers"][0]["findings"].as_array().unwrap();
        let found = findings.iter().find(|one| one["control"] == "plaintext-refused").unwrap();
        (wire(audit), found["outcome"].as_str().unwrap().to_owned())
    };
    let hub = || Some("hub-weu".to_owned());

    let open = seen_inside("open.json");
    let (_, audit) = folder.audit(&["--looks", &open]);
    assert_eq!(verdict(&audit), (vec![(5432, "optional".to_owned(), hub())], "fail".to_owned()));

    server.reload("hostssl all all all scram-sha-256\nhostssl replication all all scram-sha-256\n", None);
    let enforced = seen_inside("enforced.json");
    for looks in [[&open, &enforced], [&enforced, &open]] {
        let (_, audit) = folder.audit(&["--looks", looks[0], "--looks", looks[1]]);
        assert_eq!(verdict(&audit), (vec![(5432, "enforced".to_owned(), hub())], "pass".to_owned()), "the newer look");
    }
}

/// What a zone saw outlives the audit that took it in, and the zone's name.
#[test]
fn what_a_zone_saw_counts_until_something_newer_is_known() {
    let folder = Folder::new();
    let (_, looks) = folder.looks();
    let state = folder.text("state");
    let hub = || Some("hub-weu".to_owned());
    let (_, first) = folder.audit(&["--looks", &looks, "--state", &state]);
    assert_eq!(wire(&first), [(5432, "optional".to_owned(), hub())]);
    // The state has it, as long as it is young enough.
    let (_, again) = folder.audit(&["--state", &state]);
    assert_eq!(wire(&again), [(5432, "optional".to_owned(), hub())]);
    let (_, old) = folder.audit(&["--state", &state, "--looks-max-age", "1ms"]);
    assert_eq!(wire(&old)[0], (5432, "prober-silent".to_owned(), hub()));

    assert!(old["servers"][0]["wire"][0]["detail"].as_str().unwrap().contains("; its last one is of "), "{old}");
    let base = ["audit", "--simulate", "--probe", "--server", LEDGER, "-o", "json", "-q", "--state", &state];
    // What decides nothing stands beside it.
    let undecided = folder.write("undecided.json", &changed(Path::new(&looks), make_undecided));
    let (_, beside) = folder.audit(&["--state", &state, "--looks", &undecided]);
    let of_postgresql = wire(&beside).into_iter().filter(|(port, ..)| *port == 5432);
    let words: Vec<String> = of_postgresql.map(|(_, word, _)| word).collect();
    assert_eq!(words, ["inconclusive", "optional"]);
    // Too old to count, it is told all the same.
    let late = run(&[&base[..], &["--zones", &folder.text("zones.toml"), "--looks-max-age", "1ms"]].concat());
    assert!(late.stderr.contains("pg-ledger-prod port 5432 from zone hub-weu at "), "{}", late.stderr);
    assert!(late.stderr.contains("hint: probe those zones again"), "{}", late.stderr);

    // An audit that knows nothing of zones says what it did not ask.
    let without = run(&base);
    assert!(
        without.stderr.contains("warning: plaintext was accepted when a zone was probed last")
            && without.stderr.contains("pg-ledger-prod port 5432 from zone hub-weu at "),
        "{}",
        without.stderr
    );

    // The zone gets another name: what it saw under the old one ends when it has looked under the new one.
    let renamed = folder.write("renamed.toml", "[[rule]]\nzone = \"hub-eus\"\nvirtual-network = \"vnet-data\"\n");
    let by_new = |more: &[&str]| run(&[&base[..], &["--zones", &renamed], more].concat());
    let silent = by_new(&[]);
    assert!(silent.stderr.contains("from zone hub-weu at "), "it still counts: {}", silent.stderr);
    assert!(!silent.stderr.contains("counts no more"), "{}", silent.stderr);
    assert!(
        silent.stderr.contains("hint: no rule names zone hub-weu: ") && !silent.stderr.contains("probe those zones"),
        "{}",
        silent.stderr
    );
    // The zone is probed again: the same look under its new name would be no newer than what it ends.
    let (_, looks) = folder.looks();
    let new = folder.write("looks-eus.json", &changed(Path::new(&looks), |it| it["zone"] = "hub-eus".into()));
    let seen = by_new(&["--looks", &new]);
    let ends = "from zone hub-weu at ";
    assert!(seen.stderr.contains(ends) && seen.stderr.contains("that counts no more: the server"), "{}", seen.stderr);
    let told = by_new(&["--looks", &new]);
    assert!(!told.stderr.contains("hub-weu"), "it is said once: {}", told.stderr);
}

#[test]
fn a_folder_of_looks_is_all_of_its_files() {
    let folder = Folder::new();
    let (_, looks) = folder.looks();
    std::fs::create_dir(folder.path("looks")).unwrap();
    std::fs::copy(&looks, folder.path("looks/one.json")).unwrap();
    std::fs::write(folder.path("looks/notes.txt"), "nothing").unwrap();
    let (_, audit) = folder.audit(&["--looks", &folder.text("looks")]);
    assert_eq!(wire(&audit), [(5432, "optional".to_owned(), Some("hub-weu".to_owned()))]);
    // One without any has nothing to count, and no name of a file is wrong in silence.
    std::fs::create_dir(folder.path("none")).unwrap();
    std::fs::write(folder.path("none/looks.txt"), "{}").unwrap();
    let (done, _) = folder.audit(&["--looks", &folder.text("none")]);
    assert!(done.code == 2 && done.stderr.contains("none has no .json file"), "{}", done.stderr);
    std::fs::write(folder.path("looks/two.json"), "{").unwrap();
    let (done, _) = folder.audit(&["--looks", &folder.text("looks")]);
    assert!(done.code == 2 && done.stderr.contains("looks/two.json: "), "{}", done.stderr);
}

#[cfg(unix)]
#[test]
fn looks_may_come_from_a_pipe_and_not_from_what_has_no_end() {
    let folder = Folder::new();
    let (_, looks) = folder.looks();
    let pipe = folder.path("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    // The second time there is a state, which has looks of its own.
    let state = folder.text("state");
    for _ in 0..2 {
        let writer = std::thread::spawn({
            let (pipe, text) = (pipe.clone(), std::fs::read(&looks).unwrap());
            move || std::fs::write(pipe, text)
        });
        let (_, audit) = folder.audit(&["--looks", pipe.to_str().unwrap(), "--state", &state]);
        writer.join().unwrap().unwrap();
        assert_eq!(wire(&audit), [(5432, "optional".to_owned(), Some("hub-weu".to_owned()))]);
    }
    let (done, _) = folder.audit(&["--looks", "/dev/zero"]);
    assert!(done.code == 2 && done.stderr.contains("neither a file nor a pipe"), "{}", done.stderr);
    // A console reads its files again and again, and a pipe has its text once.
    let pipe = pipe.to_str().unwrap();
    for option in ["--looks", "--zones"] {
        let done = run(&["serve", "--simulate", "--listen", "127.0.0.1:0", option, pipe]);
        assert!(done.code == 2 && done.stderr.contains("pipe is not a file"), "{option}: {}", done.stderr);
    }
}
