//! Packs of a small audit, and keys that are made of a number.
#![allow(unreachable_pub, missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "a module of a test")]

use hostssl_evidence::{PackArchive, PackFile, PackInput, PackSigner, PackedProbe, PackedRun, pack_files};
use hostssl_model::{
    AuditAsked, AuditReport, AuditRun, Overlay, Parameter, Principal, Reading, ResourceId, Scope, Subscription,
    SubscriptionId, SubscriptionState, Summary,
};
use hostssl_test_support::fleet::{PlannerKnowledge, flexible};
use jiff::civil::{DateTime, date};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use ssh_key::private::{Ed25519Keypair, Ed25519PrivateKey, KeypairData};
use ssh_key::public::{Ed25519PublicKey, KeyData};
use ssh_key::{LineEnding, PrivateKey, PublicKey};
use std::sync::{Arc, LazyLock};

pub const AT: DateTime = date(2026, 11, 24).at(9, 0, 2, 0);
/// The length of what the comment of an archive says before the digits of the hash.
const SEAL: &[u8] = b"hostssl/evidence/v1 sha256:";
pub const SEAL_LENGTH: usize = SEAL.len() + 64;

static AUDIT: LazyLock<AuditReport> = LazyLock::new(|| {
    let names = ["pg-a", "CON", "pg-c", "a..b"];
    let fleet = names.map(|name| flexible(name, "off", "TLSv1.2"));
    let mut servers = PlannerKnowledge::new(fleet.into()).reports();
    // No name of Azure looks so; a forged answer may.
    let ids = [("pg-a", "..é\"$(x)|:"), ("CON", "CON"), ("resourceGroups/g/providers", "resourceGroups/h/providers")];
    for (server, (name, other)) in servers.iter_mut().zip(ids) {
        let id = server.server.id.as_str().replace(name, other).replace("pg-c", "con");
        server.server.id = ResourceId::try_from(id.as_str()).unwrap();
    }
    for (_, reading) in servers.iter_mut().flat_map(|server| &mut server.readings) {
        if let Reading::Known(parameter) = reading {
            let excerpt = format!("{{\"value\":\"{}\"}}", parameter.value());
            *parameter = Parameter::clone(parameter).with_excerpt(excerpt);
        }
    }
    let mut summary = Summary::default();
    servers.iter().for_each(|server| summary.count(server.outcome));
    let subscription = Subscription {
        id: SubscriptionId::new(servers[0].server.subscription().as_str()),
        name: "Shop".into(),
        tenant: "t".into(),
        state: SubscriptionState::Enabled,
    };
    let run = AuditRun {
        id: "01a2b3c4-d5e6-7000-8000-000000000001".into(),
        started_at: "2026-11-24T09:00:00Z".into(),
        finished_at: "2026-11-24T09:00:02Z".into(),
        principals: vec![Principal { name: "ann@example.com".into(), method: "cli".into(), ..Principal::default() }],
        cloud: "AzureCloud".into(),
        scope: Scope::default(),
        // One page of a control: packs are made hundreds of times here.
        profile: "cis-azure-foundations@3.0.0".into(),
        asked: AuditAsked::default(),
        tool_version: "0.1.0".into(),
        complete: true,
    };
    let subscriptions = vec![Arc::new(subscription)];
    AuditReport { run, summary, subscriptions, servers, gaps: Vec::new(), overlay: Overlay::default() }
});

pub fn audit() -> &'static AuditReport {
    &AUDIT
}

static SIGNED: LazyLock<Vec<u8>> = LazyLock::new(|| pack(Some(&key(1))));
static CONTENTS: LazyLock<Vec<PackFile>> = LazyLock::new(|| contents(None));

/// The signed pack, made once.
pub fn signed() -> Vec<u8> {
    SIGNED.clone()
}

/// The files of the pack that is not signed, made once.
pub fn files() -> Vec<PackFile> {
    CONTENTS.clone()
}

/// The files of a pack, with a run and a probe.
pub fn contents(signer: Option<&PackSigner>) -> Vec<PackFile> {
    let run = PackedRun {
        id: "20261124-090000-aaaa".into(),
        plan: "{\"schema\": \"hostssl/plan/v1\"}\n".into(),
        approved: "0".repeat(64),
        principal: Principal::default(),
        orders: vec![["2026-11-24T09:00:00Z", "apply", "bob@example.com", "0"].map(str::to_owned)],
        approvals: Vec::new(),
        result: json!({"schema": "hostssl/apply/v1"}),
        journal: vec![json!({"at_ms": 1, "event": "run-started"}), json!({"at_ms": 2, "event": "run-finished"})],
    };
    let probe = PackedProbe {
        id: "01a2b3c4-d5e6-7000-8000-000000000002".into(),
        started_at: "2026-11-24T08:00:00Z".into(),
        tool_version: "0.1.0".into(),
        endpoints: vec![json!({"host": "pg-a.example"})],
    };
    let input = PackInput {
        report: audit(),
        simulated: false,
        packed_with: "0.1.0",
        waivers: Some("# none\n"),
        history: Vec::new(),
        clients: (Vec::new(), 0),
        runs: vec![run],
        probes: vec![probe],
        transcripts: Vec::new(),
        earlier: &[],
        earlier_transcripts: Vec::new(),
        missing: Vec::new(),
    };
    pack_files(input, signer).unwrap()
}

pub fn pack(signer: Option<&PackSigner>) -> Vec<u8> {
    archive(&contents(signer), AT)
}

/// The archive of these files.
pub fn archive(files: &[PackFile], at: DateTime) -> Vec<u8> {
    let mut bytes = Vec::new();
    PackArchive::of(files, at).unwrap().write(&mut bytes).unwrap();
    bytes
}

/// A file with another content.
pub fn set(file: &mut PackFile, content: &[u8]) {
    *file = PackFile::new(file.path.clone(), content).unwrap();
}

/// A file whose content was touched.
pub fn touch(file: &mut PackFile, how: impl FnOnce(&mut Vec<u8>)) {
    let mut content = file.content().unwrap();
    how(&mut content);
    set(file, &content);
}

fn pair(number: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[number; 32]).unwrap()
}

/// A key, by way of the file that OpenSSH has of it.
pub fn key(number: u8) -> PackSigner {
    let public = Ed25519PublicKey::try_from(pair(number).public_key().as_ref()).unwrap();
    let pair = Ed25519Keypair { public, private: Ed25519PrivateKey::from_bytes(&[number; 32]) };
    let private = PrivateKey::new(KeypairData::Ed25519(pair), "a test").unwrap();
    PackSigner::read(&private.to_openssh(LineEnding::LF).unwrap()).unwrap()
}

/// The line of the public half of the key with this fingerprint.
pub fn public(signer: &PackSigner) -> String {
    let of = |number| Ed25519PublicKey::try_from(pair(number).public_key().as_ref()).unwrap();
    let number = (0..=u8::MAX).find(|number| key(*number).fingerprint() == signer.fingerprint()).unwrap();
    PublicKey::from(KeyData::Ed25519(of(number))).to_openssh().unwrap()
}

/// The archive with the seal that fits its bytes, as a forger would write it.
pub fn seal(mut archive: Vec<u8>) -> Vec<u8> {
    let before = archive.len() - SEAL_LENGTH;
    archive.truncate(before);
    let hash: String = Sha256::digest(&archive).iter().map(|byte| format!("{byte:02x}")).collect();
    archive.extend(SEAL);
    archive.extend(hash.as_bytes());
    archive
}

/// Of every file: where its local header begins, how long that is, and how long its content is.
pub fn local_headers(archive: &[u8]) -> Vec<(usize, usize, usize)> {
    let mut found = Vec::new();
    let mut at = 0;
    while archive[at..].starts_with(b"PK\x03\x04") {
        let packed = u32::from_le_bytes(*archive[at + 18..].first_chunk().unwrap()) as usize;
        let header = 30 + usize::from(u16::from_le_bytes(*archive[at + 26..].first_chunk().unwrap()));
        found.push((at, header, packed));
        at += header + packed;
    }
    found
}
