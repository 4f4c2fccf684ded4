//! Evidence packs: made from what is kept, and checked by hostssl and by the tools that an auditor has.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at the first surprise")]
#![allow(unreachable_pub, missing_docs, dead_code, reason = "a module of this test, shared with others")]

mod common;

use common::{Done, run};
use hostssl_remediation::PlanHash;
use hostssl_store::{AuditStore, KeptPlan, KeptPlanEntry};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// A state directory, and a place for packs beside it.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// Runs a command with the state directory.
    fn kept(&self, arguments: &[&str]) -> Done {
        run(&[arguments, &["--simulate", "--state", &self.text("state"), "-q"]].concat())
    }

    fn pack(&self, name: &str, more: &[&str]) -> Done {
        self.kept(&[&["evidence", "--out", &self.text(name)], more].concat())
    }

    /// A program in a folder, as an auditor calls it.
    fn tool(&self, folder: &str, program: &str, arguments: &[&str]) -> Output {
        let run = Command::new(program).args(arguments).current_dir(self.path(folder)).stdin(Stdio::null()).output();
        run.unwrap_or_else(|error| panic!("{program}: {error}; scripts/test installs it"))
    }

    fn unpacked(&self, name: &str, folder: &str) {
        let done = self.tool(".", "unzip", &["-q", &self.text(name), "-d", &self.text(folder)]);
        assert!(done.status.success(), "{done:?}");
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_str(&std::fs::read_to_string(self.path(name)).unwrap()).unwrap()
    }
}

fn verify(pack: &Path, more: &[&str]) -> Done {
    run(&[&["evidence", "verify", pack.to_str().unwrap()], more].concat())
}

#[test]
fn without_an_audit_a_key_or_a_pack_it_says_what_is_missing() {
    let place = Place::new();
    let none = place.pack("a.zip", &[]);
    assert_eq!((none.code, none.stderr.contains("no audit is kept")), (2, true), "{}", none.stderr);
    assert!(!place.path("a.zip").exists());
    assert_eq!(run(&["evidence"]).code, 2, "--out is missing");
    place.kept(&["audit"]);
    std::fs::write(place.path("key"), "no key").unwrap();
    let no_key = place.pack("a.zip", &["--sign", &place.text("key")]);
    assert_eq!((no_key.code, no_key.stderr.contains("not a private key")), (2, true), "{}", no_key.stderr);
    assert!(!place.path("a.zip").exists());
    let itself = place.pack("key", &["--sign", &place.text("key")]);
    assert_eq!((itself.code, itself.stderr.contains("--out would replace")), (2, true), "{}", itself.stderr);
    assert_eq!(std::fs::read_to_string(place.path("key")).unwrap(), "no key");
    let no_pack = verify(&place.path("key"), &[]);
    assert_eq!((no_pack.code, no_pack.stderr.contains("not a ZIP file")), (2, true), "{}", no_pack.stderr);
    assert_eq!(verify(&place.path("none"), &[]).code, 2);
    assert_eq!(verify(&place.path("state"), &[]).code, 2);
}

/// As a console keeps it where several people have to approve: some of it in the same moment, by one person more than once.
fn approve(place: &Place, hash: &str) {
    let (store, plan) = (AuditStore::open(place.path("state/simulated")).unwrap(), PlanHash::new(hash).unwrap());
    let (id, made_by, title) = ("1".into(), "paul".into(), "Enforce TLS".into());
    let (hash, writes, observed_ms) = (plan.clone(), 1, 1);
    let entry = KeptPlanEntry { id, made_ms: 1, made_by, hash, title, writes, observed_ms, approvals: 2 };
    store.keep_plan(&KeptPlan { entry, plan: "{}".into(), review: "{}".into() }).unwrap();
    for person in ["zoe", "ada"] {
        store.approve_plan(&plan, person, 1_000).unwrap();
    }
    assert!(store.withdraw_approval(&plan, "zoe", 1_000).unwrap());
    store.approve_plan(&plan, "zoe", 1_000).unwrap();
}

#[test]
fn a_pack_has_what_the_state_keeps_and_the_same_state_gives_the_same_bytes() {
    let place = Place::new();
    assert_eq!(place.kept(&["audit"]).code, 3);
    let (plan, one) = (place.text("plan.json"), ["--server", "pg-catalog-prod"]);
    let of_plan = ["plan", "-o", "json", "--out", &plan, "--accept-breakage", "*=a test"];
    let planned: Value = serde_json::from_str(&place.kept(&[&of_plan[..], &one].concat()).stdout).unwrap();
    let hash = planned["hash"].as_str().unwrap();
    approve(&place, hash);
    assert_eq!(place.kept(&["apply", &plan, "--approve", hash]).code, 0);
    place.kept(&["clients"]);
    place.kept(&["audit", "--probe"]);

    let first = place.pack("a.zip", &[]);
    assert_eq!((first.code, first.stderr.as_str()), (0, ""));
    assert_eq!(place.pack("b.zip", &[]).stdout, first.stdout);
    assert_eq!(std::fs::read(place.path("a.zip")).unwrap(), std::fs::read(place.path("b.zip")).unwrap());

    place.unpacked("a.zip", "a");
    let (audit, statement) = (place.json("a/audit.json"), place.json("a/pack.json"));
    let servers = audit["servers"].as_array().unwrap();
    assert_eq!((&statement["simulated"], &statement["coverage"]["servers"]), (&true.into(), &servers.len().into()));
    let files: Vec<PathBuf> =
        std::fs::read_dir(place.path("a/servers")).unwrap().map(|file| file.unwrap().path()).collect();
    assert_eq!(files.len(), servers.len());
    for file in &files {
        let server: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        assert!(servers.contains(&server["server"]), "{}", file.display());
        assert!(!server["identities"].as_array().unwrap().is_empty());
        for setting in server["settings"].as_array().unwrap() {
            // Azure's own words, or the reason.
            assert!(setting["response"].is_string() != setting["reason"].is_string(), "{setting}");
        }
    }
    let result = &place.json("a/pack.json")["contents"];
    assert_eq!((&result["runs"], &result["audits"]), (&1.into(), &2.into()));
    assert!(result["clients"].as_u64().unwrap() > 0);
    let run = std::fs::read_dir(place.path("a/runs")).unwrap().next().unwrap().unwrap().path();
    let read = |name: &str| std::fs::read_to_string(run.join(name)).unwrap();
    assert_eq!(read("plan.json").trim_end(), std::fs::read_to_string(&plan).unwrap().trim_end());
    let approved: Value = serde_json::from_str(&read("approval.json")).unwrap();
    assert_eq!(approved["approvedPlan"], hash);
    // In the order of keeping, which is not that of the words.
    let act = |one: &Value| (one["act"].as_str().unwrap().to_owned(), one["person"].as_str().unwrap().to_owned());
    let acts: Vec<_> = approved["orders"].as_array().unwrap().iter().map(act).collect();
    let expected = [("approve", "zoe"), ("approve", "ada"), ("withdraw", "zoe"), ("approve", "zoe")];
    assert_eq!(acts, expected.map(|(act, person)| (act.to_owned(), person.to_owned())));
    assert_eq!(approved["orders"][0]["plan"], hash);
    let receipts: Value = serde_json::from_str(&read("result.json")).unwrap();
    let at = "1970-01-01T00:00:01Z";
    let counted = serde_json::json!([{ "person": "ada", "at": at }, { "person": "zoe", "at": at }]);
    assert_eq!((&approved["approvals"], &receipts["approvals"]), (&counted, &counted));
    assert_eq!(receipts["receipts"][0]["after"], "on");
    assert!(read("journal.jsonl").lines().all(|line| serde_json::from_str::<Value>(line).is_ok()));
    assert!(std::fs::read_to_string(place.path("a/README.txt")).unwrap().contains("SIMULATED"));
    assert!(std::fs::read_to_string(place.path("a/controls.json")).unwrap().contains("PCI DSS"));
    // Nothing that lets anyone in.
    for file in
        files.iter().chain([&place.path("a/clients.json"), &run.join("journal.jsonl"), &run.join("result.json")])
    {
        let text = std::fs::read_to_string(file).unwrap();
        for secret in ["sig=", "Bearer", "eyJ", "password", "SharedAccess", "client_secret"] {
            assert!(!text.contains(secret), "{}: {secret}", file.display());
        }
    }
}

#[test]
fn probes_of_servers_of_the_audit_are_packed_with_their_messages_and_others_are_not() {
    let place = Place::new();
    place.kept(&["audit", "--server", "pg-catalog-prod"]);
    place.pack("plain.zip", &[]);
    place.unpacked("plain.zip", "plain");
    let host = place.json("plain/audit.json")["servers"][0]["fqdn"].as_str().unwrap().to_owned();
    // No packet leaves this machine: the proxy is a port of loopback on which nothing listens.
    let state = place.text("state/simulated");
    let probe = ["probe", "--transcript", "--proxy", "socks5h://127.0.0.1:1", "--state", &state];
    let probed = run(&[&probe[..], &[&host.to_uppercase(), "127.0.0.1:1"]].concat());
    assert_eq!(probed.code, 4, "{}{}", probed.stdout, probed.stderr);
    place.pack("a.zip", &[]);
    place.unpacked("a.zip", "a");
    assert_eq!(place.json("a/pack.json")["contents"]["probes"], 1);
    let file = std::fs::read_dir(place.path("a/probes")).unwrap().next().unwrap().unwrap().path();
    let lines: Vec<Value> =
        std::fs::read_to_string(file).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines[0]["probe"].is_string() && lines.len() > 1, "{lines:?}");
    assert!(lines[1..].iter().all(|line| line["host"].as_str().unwrap().eq_ignore_ascii_case(&host)), "{lines:?}");
    assert!(lines[1..].iter().all(|line| line.get("transcript").is_some()), "{lines:?}");
}

#[test]
fn the_messages_of_an_audit_s_own_probes_are_packed_where_they_were_kept() {
    let place = Place::new();
    place.kept(&["audit", "--probe"]);
    place.pack("plain.zip", &[]);
    place.unpacked("plain.zip", "plain");
    let absent = |folder: &str| -> Vec<String> {
        let statement = place.json(&format!("{folder}/pack.json"));
        let all = statement["absent"].as_array().unwrap().clone();
        let of = |one: &Value| (one["what"] == "transcripts").then(|| one["detail"].as_str().unwrap().to_owned());
        all.iter().filter_map(of).collect()
    };
    assert!(
        absent("plain")[0].contains("`hostssl audit --probe --transcript` keeps the messages"),
        "{:?}",
        absent("plain")
    );
    assert!(!place.path("plain/transcripts").exists());
    place.kept(&["audit", "--probe", "--transcript"]);
    assert_eq!(place.pack("a.zip", &[]).code, 0);
    place.unpacked("a.zip", "a");
    let statement = place.json("a/pack.json");
    let without = statement["coverage"]["serversWithoutTranscript"].as_u64().unwrap();
    let files: Vec<PathBuf> =
        std::fs::read_dir(place.path("a/transcripts")).unwrap().map(|file| file.unwrap().path()).collect();
    assert_eq!(statement["contents"]["transcripts"], files.len());
    assert_eq!(statement["coverage"]["servers"].as_u64().unwrap() - without, files.len() as u64);
    assert!(without > 0 && absent("a")[0].contains(&format!("The messages of {without} of ")), "{:?}", absent("a"));
    for file in &files {
        assert!(place.path("a/servers").join(file.with_extension("json").file_name().unwrap()).exists(), "{file:?}");
        let text = std::fs::read_to_string(file).unwrap();
        for line in text.lines() {
            let listener: Value = serde_json::from_str(line).unwrap();
            assert!(listener["transcript"].is_array() && listener["observedAt"].is_string(), "{line}");
        }
        // Nothing that lets anyone in, and no salt.
        for secret in ["PasswordMessage", "SASLResponse", "r=", "s=", "Bearer"] {
            assert!(!text.contains(secret), "{}: {secret}", file.display());
        }
    }
    assert_eq!(verify(&place.path("a.zip"), &[]).code, 0);
    // It goes with its audit, and an audit that is not kept keeps none.
    place.kept(&["audit", "--retain", "1"]);
    let state = rusqlite::Connection::open(place.path("state/simulated/hostssl.db")).unwrap();
    let left: i64 = state.query_row("SELECT count(*) FROM audit_transcripts", [], |row| row.get(0)).unwrap();
    assert_eq!(left, 0);
    let refused = run(&["audit", "--probe", "--transcript", "--simulate"]);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(refused.stderr.contains("this audit is not kept"), "{}", refused.stderr);
}

#[test]
fn an_earlier_probe_counts_only_where_the_pack_has_it() {
    let place = Place::new();
    place.kept(&["audit", "--probe"]);
    place.kept(&["audit"]);
    assert_eq!(place.pack("a.zip", &[]).code, 0);
    place.unpacked("a.zip", "a");
    let runs: Vec<PathBuf> =
        std::fs::read_dir(place.path("a/earlier")).unwrap().map(|file| file.unwrap().path()).collect();
    assert_eq!(runs.len(), 1, "the audit that probed");
    let statement = place.json("a/pack.json");
    let earlier: Vec<PathBuf> = std::fs::read_dir(&runs[0]).unwrap().map(|file| file.unwrap().path()).collect();
    assert_eq!(statement["contents"]["earlier"], earlier.len());
    let one: Value = serde_json::from_str(&std::fs::read_to_string(&earlier[0]).unwrap()).unwrap();
    assert_eq!(one["run"].as_str(), runs[0].file_name().unwrap().to_str());
    assert!(!one["server"]["wire"].as_array().unwrap().is_empty(), "{one}");
    let counted = |pack: &str| -> Vec<String> {
        let servers = place.json(&format!("{pack}/audit.json"))["servers"].as_array().unwrap().clone();
        servers.iter().filter_map(|one| one["known"]["standing"].as_str().map(str::to_owned)).collect()
    };
    assert!(counted("a").iter().any(|standing| standing == "proven"), "{:?}", counted("a"));
    assert_eq!(verify(&place.path("a.zip"), &[]).code, 0);
    // What it exchanged is packed beside, where it was kept, and nothing says that it is not there.
    place.kept(&["audit", "--probe", "--transcript"]);
    place.kept(&["audit"]);
    assert_eq!(place.pack("c.zip", &[]).code, 0);
    place.unpacked("c.zip", "c");
    let contents = place.json("c/pack.json")["contents"].clone();
    assert!(contents["earlierTranscripts"].as_u64().unwrap() > 0, "{contents}");
    let absent = place.json("c/pack.json")["absent"].to_string();
    assert!(!absent.contains("Proof from the network for 24 of 24"), "{absent}");
    assert!(!absent.contains("no transcript was kept"), "{absent}");
    let page = std::fs::read_to_string(place.path("c/README.txt")).unwrap();
    assert!(page.contains("\nearlier/ "), "{page}");
    let is_transcript = |file: &PathBuf| file.extension().is_some_and(|end| end == "jsonl");
    let packed = std::fs::read_dir(place.path("c/earlier")).unwrap().flat_map(|run| {
        std::fs::read_dir(run.unwrap().path()).unwrap().map(|file| file.unwrap().path()).collect::<Vec<_>>()
    });
    let transcripts: Vec<PathBuf> = packed.filter(is_transcript).collect();
    assert_eq!(contents["earlierTranscripts"], transcripts.len());
    assert!(transcripts.iter().all(|file| file.with_extension("json").exists()), "{transcripts:?}");
    assert_eq!(verify(&place.path("c.zip"), &[]).code, 0);
    // Without the audit that probed, nothing says so of what was refused; what was accepted still counts, and is missing.
    place.kept(&["audit", "--retain", "1"]);
    let lost = place.pack("b.zip", &[]);
    assert!(lost.stderr.contains("the earlier probe of"), "{}", lost.stderr);
    place.unpacked("b.zip", "b");
    assert!(!place.path("b/earlier").exists());
    assert_eq!(place.json("b/pack.json")["complete"], false);
    let left = counted("b");
    assert!(!left.is_empty() && left.iter().all(|standing| standing == "accepts-plaintext"), "{left:?}");
}

#[test]
fn a_state_that_was_touched_is_not_packed() {
    let place = Place::new();
    place.kept(&["audit"]);
    let database = rusqlite::Connection::open(place.path("state/simulated/hostssl.db")).unwrap();
    let change = "UPDATE judgements SET document = replace(document, '\"fail\"', '\"pass\"')";
    assert!(database.execute(change, []).unwrap() > 0);
    let refused = place.pack("a.zip", &[]);
    assert_eq!((refused.code, refused.stderr.contains("its SHA-256 differs")), (1, true), "{}", refused.stderr);
    assert!(!place.path("a.zip").exists());
}

#[test]
fn an_auditor_without_hostssl_can_check_a_pack() {
    let place = Place::new();
    place.kept(&["audit"]);
    let keygen = ["-q", "-t", "ed25519", "-N", "", "-C", "audit", "-f"];
    for name in ["key", "other"] {
        assert!(place.tool(".", "ssh-keygen", &[&keygen[..], &[&place.text(name)]].concat()).status.success());
    }
    let signed = place.pack("a.zip", &["--sign", &place.text("key")]);
    assert_eq!(signed.code, 0, "{}", signed.stderr);
    place.unpacked("a.zip", "a");
    let sums = place.tool("a", "sha256sum", &["--check", "--strict", "--quiet", "SHA256SUMS"]);
    assert!(sums.status.success() && sums.stdout.is_empty(), "{sums:?}");
    let digest = place.tool("a", "sha256sum", &["SHA256SUMS"]);
    assert_eq!(String::from_utf8(digest.stdout).unwrap(), signed.stdout);
    // The two numbers of README.txt.
    let count = "test $(wc -l < SHA256SUMS) -eq $(find . -type f ! -path './SHA256SUMS*' | wc -l)";
    assert!(place.tool("a", "sh", &["-c", count]).status.success());

    let allow = |name: &str| {
        let public = std::fs::read_to_string(place.path(&format!("{name}.pub"))).unwrap();
        std::fs::write(place.path(&format!("allow-{name}")), format!("audit@example.com {public}")).unwrap();
    };
    allow("key");
    allow("other");
    let by_openssh = |name: &str| {
        let command = format!(
            "ssh-keygen -Y verify -f ../allow-{name} -I audit@example.com -n file -s SHA256SUMS.sig < SHA256SUMS"
        );
        place.tool("a", "sh", &["-c", &command]).status.success()
    };
    assert!(by_openssh("key") && !by_openssh("other"));
    let own = verify(&place.path("a.zip"), &["--allowed-signers", &place.text("allow-key")]);
    assert_eq!(own.code, 0, "{}", own.stdout);
    assert!(own.stdout.contains("valid, by audit@example.com") && own.stdout.contains("intact"), "{}", own.stdout);
    let other = verify(&place.path("a.zip"), &["--allowed-signers", &place.text("allow-other")]);
    assert_eq!((other.code, other.stdout.contains("not among the allowed signers")), (3, true), "{}", other.stdout);
    let open = verify(&place.path("a.zip"), &[]);
    assert_eq!((open.code, open.stdout.contains("who signed was not checked")), (0, true), "{}", open.stdout);
    // A signature of OpenSSH's own is as good.
    let signature = std::fs::read_to_string(place.path("a/SHA256SUMS.sig")).unwrap();
    std::fs::remove_file(place.path("a/SHA256SUMS.sig")).unwrap();
    let sign = place.tool("a", "ssh-keygen", &["-Y", "sign", "-n", "file", "-f", "../key", "SHA256SUMS"]);
    assert!(sign.status.success(), "{sign:?}");
    let lines = |text: &str| text.split_whitespace().collect::<String>();
    assert_eq!(lines(&std::fs::read_to_string(place.path("a/SHA256SUMS.sig")).unwrap()), lines(&signature));

    let locked = place.tool(".", "ssh-keygen", &["-q", "-p", "-P", "", "-N", "secret", "-f", &place.text("other")]);
    assert!(locked.status.success());
    let refused = place.pack("b.zip", &["--sign", &place.text("other")]);
    assert_eq!((refused.code, refused.stderr.contains("passphrase")), (2, true), "{}", refused.stderr);
}

#[test]
fn a_pack_that_was_touched_says_where() {
    let place = Place::new();
    place.kept(&["audit"]);
    place.pack("a.zip", &[]);
    let copy = |name: &str| {
        std::fs::copy(place.path("a.zip"), place.path(name)).unwrap();
        place.path(name)
    };
    let said = |pack: &Path, what: &str| {
        let done = verify(pack, &[]);
        assert_eq!((done.code, done.stdout.contains(what)), (3, true), "{what}: {}{}", done.stdout, done.stderr);
    };
    place.unpacked("a.zip", "a");
    std::fs::write(place.path("a/audit.csv"), "name,outcome\npg-a,pass\n").unwrap();
    std::fs::write(place.path("a/extra.txt"), "more").unwrap();
    let touched = copy("changed.zip");
    for arguments in [&["-q", "../changed.zip", "audit.csv"][..], &["-q", "../changed.zip", "extra.txt"]] {
        assert!(place.tool("a", "zip", arguments).status.success());
    }
    said(&touched, "changed    audit.csv");
    said(&touched, "extra      extra.txt");
    let without = copy("without.zip");
    assert!(place.tool(".", "zip", &["-q", "-d", without.to_str().unwrap(), "controls.json"]).status.success());
    said(&without, "missing    controls.json");
    let mut bytes = std::fs::read(place.path("a.zip")).unwrap();
    let middle = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(middle) {
        *byte ^= 1;
    }
    std::fs::write(place.path("flipped.zip"), &bytes).unwrap();
    said(&place.path("flipped.zip"), "NOT intact");
    bytes.truncate(middle);
    std::fs::write(place.path("cut.zip"), &bytes).unwrap();
    assert_eq!(verify(&place.path("cut.zip"), &[]).code, 2);
}

#[test]
fn waivers_stand_beside_the_failures_and_count_by_the_day_of_the_audit() {
    let place = Place::new();
    place.kept(&["audit", "--server", "pg-catalog-prod"]);
    place.pack("plain.zip", &[]);
    place.unpacked("plain.zip", "plain");
    let server = place.json("plain/audit.json")["servers"][0].clone();
    let failed = server["findings"].as_array().unwrap().iter().find(|finding| finding["outcome"] == "fail").unwrap();
    let file = |expires: &str| {
        let text = format!(
            "[[waiver]]\ncontrol = {}\nscope = {}\nowner = \"shop\"\napprover = \"security\"\nexpires = \"{expires}\"\n\
             reason = \"agreed\"\n",
            failed["control"], server["id"]
        );
        std::fs::write(place.path("waivers.toml"), &text).unwrap();
        text
    };
    let today = jiff::Timestamp::now().to_string();
    let text = file(&today[..10]);
    let done = place.pack("a.zip", &["--waivers", &place.text("waivers.toml")]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    place.unpacked("a.zip", "a");
    assert_eq!(std::fs::read_to_string(place.path("a/waivers.toml")).unwrap(), text);
    let state = |folder: &str| {
        let audit = place.json(&format!("{folder}/audit.json"));
        let findings = audit["servers"][0]["findings"].as_array().unwrap().clone();
        let waived = findings.into_iter().find(|finding| finding["control"] == failed["control"]).unwrap();
        assert_eq!(waived["outcome"], "fail", "a waiver changes no outcome");
        waived["waiver"]["state"].clone()
    };
    assert_eq!(state("a"), "in-effect");
    file("2020-01-01");
    place.pack("b.zip", &["--waivers", &place.text("waivers.toml")]);
    place.unpacked("b.zip", "b");
    assert_eq!(state("b"), "expired");
    std::fs::write(place.path("waivers.toml"), "[[waiver]]\ncontrol = 1\n").unwrap();
    assert_eq!(place.pack("c.zip", &["--waivers", &place.text("waivers.toml")]).code, 2);
}

/// A failure that the audit itself had not waived is named: a waiver that was written since does not date back to it.
#[test]
fn waived_failures_do_not_decide_and_those_that_were_waived_later_are_named() {
    let place = Place::new();
    let waivers = place.text("waivers.toml");
    let audit = |more: &[&str]| -> Value {
        let done = place.kept(&[&["audit", "--server", "pg-catalog-prod", "-o", "json"], more].concat());
        serde_json::from_str(&done.stdout).unwrap()
    };
    let first = audit(&[]);
    let server = &first["servers"][0];
    let failed = server["findings"].as_array().unwrap().iter().filter(|finding| finding["outcome"] == "fail");
    let failed: Vec<&Value> = failed.map(|finding| &finding["control"]).collect();
    let today = jiff::Timestamp::now().to_string();
    let terms = "owner = \"shop\"\napprover = \"security\"\nreason = \"agreed\"";
    let entry = |control: &&Value| {
        let day = &today[..10];
        format!("[[waiver]]\ncontrol = {control}\nscope = {}\nexpires = \"{day}\"\n{terms}\n", server["id"])
    };
    std::fs::write(&waivers, failed.iter().map(entry).collect::<String>()).unwrap();
    let second = audit(&["--waivers", &waivers]);
    for (audit, name, later) in [(&first, "first", failed.len()), (&second, "second", 0)] {
        let run = audit["run"]["id"].as_str().unwrap();
        assert_eq!(place.pack("a.zip", &[run, "--waivers", &waivers]).code, 0);
        place.unpacked("a.zip", name);
        let shown = place.kept(&["runs", "show", run, "--waivers", &waivers, "-o", "json"]);
        for audit in [place.json(&format!("{name}/audit.json")), serde_json::from_str(&shown.stdout).unwrap()] {
            assert_eq!(audit["exit"]["code"], second["exit"]["code"], "as the audit that had the waivers ended");
            assert_eq!(audit["exit"]["decidedBy"], Value::Array(Vec::new()));
            assert_eq!(audit["waivedLater"].as_array().map_or(0, Vec::len), later, "{}", audit["waivedLater"]);
        }
        let page = std::fs::read_to_string(place.path(name).join("README.txt")).unwrap();
        assert!(page.contains(" waived; "), "{page}");
        assert_eq!(page.contains("not waived when the audit was made: pg-catalog-prod"), later > 0, "{page}");
    }
}

/// A run that is damaged, or of which a part was lost, is named; the rest is packed, and nothing says that all is there.
#[test]
fn what_was_lost_of_a_run_is_a_gap_of_the_pack() {
    let place = Place::new();
    place.kept(&["audit"]);
    let (plan, one) = (place.text("plan.json"), ["--server", "pg-catalog-prod"]);
    let of_plan = ["plan", "-o", "json", "--out", &plan, "--accept-breakage", "*=a test"];
    let planned: Value = serde_json::from_str(&place.kept(&[&of_plan[..], &one].concat()).stdout).unwrap();
    assert_eq!(place.kept(&["apply", &plan, "--approve", planned["hash"].as_str().unwrap()]).code, 0);
    place.kept(&["audit"]);
    let whole = place.pack("whole.zip", &[]);
    assert_eq!((whole.code, whole.stderr.as_str()), (0, ""));
    assert_eq!(verify(&place.path("whole.zip"), &[]).code, 0);

    let file = place.path("state/simulated/hostssl.db");
    let good = place.path("good.db");
    let close = |database: rusqlite::Connection| {
        database.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
        database.close().unwrap();
    };
    close(rusqlite::Connection::open(&file).unwrap());
    std::fs::copy(&file, &good).unwrap();
    for (damage, why, is_packed) in [
        ("DELETE FROM journal WHERE seq = (SELECT max(seq) FROM journal)", "its journal ends before that", true),
        ("DELETE FROM journal WHERE seq = 2", "run", false),
        ("DELETE FROM receipts", "its receipts are not those of its journal", true),
        ("UPDATE receipts SET value_after = 'off'", "its receipts are not those of its journal", true),
        ("UPDATE journal SET record = '{' WHERE seq = 2", "run", false),
        ("UPDATE plans SET document = replace(document, 'pg-catalog-prod', 'pg-catalog-prox')", "run", false),
    ] {
        std::fs::copy(&good, &file).unwrap();
        let database = rusqlite::Connection::open(&file).unwrap();
        // The journal is append-only for programs that keep to its rules; a disk does not.
        let triggers: Vec<String> = {
            let mut statement = database.prepare("SELECT name FROM sqlite_master WHERE type = 'trigger'").unwrap();
            statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
        };
        let drops: String = triggers.iter().map(|name| format!("DROP TRIGGER \"{name}\";")).collect();
        database.execute_batch(&format!("PRAGMA foreign_keys = OFF; {drops}")).unwrap();
        assert!(database.execute(damage, []).unwrap() > 0, "{damage}");
        close(database);
        let pack = place.pack("a.zip", &[]);
        assert_eq!(pack.code, 4, "{damage}: {}", pack.stderr);
        assert!(pack.stderr.contains("warning: all or a part of run ") && pack.stderr.contains(why), "{}", pack.stderr);
        let checked = verify(&place.path("a.zip"), &[]);
        assert_eq!(checked.code, 4, "{}", checked.stdout);
        assert!(checked.stdout.contains("complete   NO") && checked.stdout.contains("intact"), "{}", checked.stdout);
        let folder = place.path("a");
        if folder.exists() {
            std::fs::remove_dir_all(&folder).unwrap();
        }
        place.unpacked("a.zip", "a");
        let statement = place.json("a/pack.json");
        assert_eq!((&statement["complete"], &statement["absent"][0]["what"]), (&false.into(), &"damaged".into()));
        assert_eq!(statement["contents"]["runs"], i32::from(is_packed), "{damage}");
        assert!(std::fs::read_to_string(place.path("a/README.txt")).unwrap().contains("THIS PACK IS NOT COMPLETE"));
    }
}
