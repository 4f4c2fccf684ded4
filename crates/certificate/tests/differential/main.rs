//! Random chains, judged by this crate and by OpenSSL itself: by `openssl verify`, and by libpq in `psql`.
//!
//! A few hundred run with the other tests. `HOSTSSL_DIFFERENTIAL=16000 cargo test -p hostssl-certificate --test
//! differential -- --nocapture` gives 16,000 to `openssl verify` and every eighth of them to `psql`, and prints the
//! counts.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at the first surprise")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "says what was compared")]

mod asn1;
mod chains;
mod openssl;
mod psql;
mod root_files;

use chains::{Case, Generator, HOST, Key};
use hostssl_certificate::{Assessment, CertificateEvidence, Flaw, Judgement, RootStore, judge};
use std::collections::BTreeMap;

/// The numbers of the chains to try: those below `usual`, unless the variable has another limit, or a range such as
/// `16000..20000`.
fn numbers(usual: u64) -> std::ops::Range<u64> {
    let Ok(text) = std::env::var("HOSTSSL_DIFFERENTIAL") else { return 0..usual };
    let (from, to) = text.split_once("..").unwrap_or(("0", &text));
    from.parse().unwrap()..to.parse().unwrap()
}

/// Keys of each kind whose signatures can be checked. Few, so that certificates share them.
fn keys(work: &std::path::Path) -> Vec<Key> {
    let ecdsa = || rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let rsa = rcgen::KeyPair::from_pem(&openssl::rsa_key(work)).unwrap();
    let others = [&rcgen::PKCS_ECDSA_P384_SHA384, &rcgen::PKCS_ED25519];
    let others = others.map(|kind| rcgen::KeyPair::generate_for(kind).unwrap());
    [ecdsa(), ecdsa(), ecdsa(), rsa].into_iter().chain(others).map(Key::new).collect()
}

/// As libpq judges the chain, whatever the names.
fn chain_judgement(case: &Case, host: &str, now: i64) -> Judgement {
    let assessment = match assess(case, host, now) {
        Ok(assessment) => assessment,
        Err(judgement) => return judgement,
    };
    let judgement = assessment.verify_full;
    let by_name = ["does not name", "contains a NUL", "neither 4 nor 16"];
    match judgement.reason.as_deref().is_some_and(|reason| by_name.iter().any(|part| reason.contains(part))) {
        true => Judgement { ok: assessment.chain_ok, reason: None },
        false => judgement,
    }
}

fn judgement(case: &Case, host: &str, now: i64) -> Judgement {
    assess(case, host, now).map_or_else(|judgement| judgement, |assessment| assessment.verify_full)
}

fn assess(case: &Case, host: &str, now: i64) -> Result<Assessment, Judgement> {
    assess_with(&case.root_file(), &case.sent, host, now)
}

/// The same with the file of roots that is given.
fn assess_with(root_file: &[u8], sent: &[Vec<u8>], host: &str, now: i64) -> Result<Assessment, Judgement> {
    match RootStore::from_pem("roots", root_file) {
        Ok(store) => {
            let evidence = CertificateEvidence {
                chain: sent,
                host,
                roots: &[store],
                now,
                revocation_lists: false,
                key_proof: Ok(()),
            };
            Ok(judge(&evidence).unwrap())
        }
        Err(error) => Err(Judgement { ok: Some(false), reason: Some(error.to_string()) }),
    }
}

/// How often the two judges said what.
#[derive(Default)]
struct Tally {
    counts: BTreeMap<(Option<bool>, bool), u64>,
    reasons: BTreeMap<String, u64>,
    contradictions: Vec<String>,
}

impl Tally {
    fn add(&mut self, number: u64, ours: Judgement, theirs: Result<(), String>) {
        *self.counts.entry((ours.ok, theirs.is_ok())).or_default() += 1;
        let reason = ours.reason.unwrap_or_default();
        let said = || format!("chain {number}: hostssl {:?} {reason}; OpenSSL {theirs:?}", ours.ok);
        match (ours.ok, theirs.is_ok()) {
            (Some(ours), theirs) if ours != theirs => self.contradictions.push(said()),
            (None, theirs) => *self.reasons.entry(format!("{reason} (accepted: {theirs})")).or_default() += 1,
            _ => {}
        }
    }

    /// Prints the counts. A contradiction is a failure, whichever way it goes.
    fn settle(&self, judge: &str) {
        for ((ours, theirs), count) in &self.counts {
            println!("{judge}: hostssl {ours:?}, {judge} {theirs}: {count}");
        }
        for (reason, count) in &self.reasons {
            println!("{judge}: undecided {count}: {reason}");
        }
        assert!(self.contradictions.is_empty(), "{}", self.contradictions.join("\n"));
        let said = |ours, theirs| self.counts.get(&(Some(ours), theirs)).copied().unwrap_or_default();
        assert!(said(true, true) > 0 && said(false, false) > 0, "the chains are all of one kind");
    }
}

#[test]
fn openssl_verify_says_the_same() {
    let work = tempfile::tempdir().unwrap();
    let keys = keys(work.path());
    let now = 1_790_000_000;
    let mut tally = Tally::default();
    for number in numbers(300) {
        let case = Generator::new(&keys, now, number).case();
        if case.sent.iter().any(|der| asn1::has_trailing(der)) {
            // TLS refuses these, and the files that `openssl verify` reads do not.
            continue;
        }
        // libpq looks at names itself: `psql` is asked about those.
        tally.add(number, chain_judgement(&case, HOST, now), openssl::verify(work.path(), &case, now));
    }
    tally.settle("openssl verify");
}

/// OpenSSL looks at no signature of a trust anchor, and at none of a certificate that looks self-signed; at that of one
/// which only has its issuer's name, it does.
#[test]
fn a_trust_anchor_may_have_any_signature() {
    let work = tempfile::tempdir().unwrap();
    let keys = keys(work.path());
    // An EC key, and an RSA key, of which the signature can be checked.
    for leaf_key in [0, 3] {
        let (own, other) = (keys[leaf_key].pkcs8(), keys[1].pkcs8());
        let anchor = openssl::sha1_certificate(work.path(), HOST, &own, None);
        let root = openssl::sha1_certificate(work.path(), HOST, &other, None);
        let issued = openssl::sha1_certificate(work.path(), HOST, &own, Some((&root, &other)));
        // Not before any of them was made.
        let now = jiff::Timestamp::now().as_second();
        for (leaf, root, accepted) in [(&anchor, &anchor, true), (&issued, &root, false)] {
            let case = Case { sent: vec![leaf.clone()], roots: vec![root.clone()], leaf_key };
            assert_eq!(openssl::verify(work.path(), &case, now).is_ok(), accepted, "openssl, key {leaf_key}");
            assert_eq!(psql::connect(work.path(), &keys, &case, HOST).is_ok(), accepted, "psql, key {leaf_key}");
            let ours = judgement(&case, HOST, now);
            assert_eq!(ours.ok, Some(accepted), "key {leaf_key}: {ours:?}");
        }
        let flaws = assess(&Case { sent: vec![anchor], roots: vec![root], leaf_key }, HOST, now).unwrap().flaws;
        assert!(flaws.contains(&Flaw::SelfSigned) && !flaws.contains(&Flaw::WeakSignature), "{flaws:?}");
    }
}

#[test]
fn psql_says_the_same() {
    let work = tempfile::tempdir().unwrap();
    let keys = keys(work.path());
    let now = jiff::Timestamp::now().as_second();
    let mut tally = Tally::default();
    for number in numbers(320).step_by(8) {
        let mut generator = Generator::new(&keys, now, number);
        let case = generator.case();
        let host = generator.seed.pick(&[HOST, HOST, HOST, "other.test", "192.0.2.1", "x.example"]);
        tally.add(number, judgement(&case, host, now), psql::connect(work.path(), &keys, &case, host));
    }
    tally.settle("psql");
}

/// The public vectors of x509-limbo, in its own format: the file that `HOSTSSL_LIMBO` names. What they expect is RFC
/// 5280's and the web's; OpenSSL is asked what it says of each, and the strict judgement is only counted.
#[test]
#[ignore = "needs the file of x509-limbo in HOSTSSL_LIMBO"]
fn the_vectors_of_x509_limbo() {
    use rustls_pki_types::{CertificateDer, pem::PemObject as _};
    let file = std::fs::read(std::env::var_os("HOSTSSL_LIMBO").unwrap()).unwrap();
    let file: serde_json::Value = serde_json::from_slice(&file).unwrap();
    let work = tempfile::tempdir().unwrap();
    let (mut tally, mut strict) = (Tally::default(), BTreeMap::<_, u64>::new());
    for (number, vector) in file["testcases"].as_array().unwrap().iter().enumerate() {
        if vector["validation_kind"] != "SERVER" {
            continue;
        }
        let certificates = |member: &str| -> Vec<Vec<u8>> {
            let pems = vector[member].as_array().cloned().unwrap_or_else(|| vec![vector[member].clone()]);
            let ders = pems.iter().map(|pem| CertificateDer::from_pem_slice(pem.as_str().unwrap().as_bytes()).unwrap());
            ders.map(|der| der.to_vec()).collect()
        };
        let sent = [certificates("peer_certificate"), certificates("untrusted_intermediates")].concat();
        let case = Case { sent, roots: certificates("trusted_certs"), leaf_key: 0 };
        let time = vector["validation_time"].as_str().map(|time| time.parse().unwrap());
        let now = time.unwrap_or_else(jiff::Timestamp::now).as_second();
        let host = vector["expected_peer_name"]["value"].as_str().unwrap_or(HOST);
        let name = vector["id"].as_str().unwrap();
        let ours = chain_judgement(&case, host, now);
        let theirs = openssl::verify(work.path(), &case, now);
        let strictly = strict_judgement(&case, host, now);
        let expected = vector["expected_result"].as_str().unwrap().to_owned();
        println!(
            "{number} {name}: hostssl {:?}, OpenSSL {}; strictly {strictly:?}, expected {expected}",
            ours.ok,
            theirs.is_ok()
        );
        tally.add(number as u64, ours, theirs);
        *strict.entry((strictly, expected)).or_default() += 1;
    }
    for ((ours, expected), count) in &strict {
        println!("RFC 9525: hostssl {ours:?}, x509-limbo {expected}: {count}");
    }
    tally.settle("openssl verify");
}

fn strict_judgement(case: &Case, host: &str, now: i64) -> Option<bool> {
    let roots: Vec<_> = RootStore::from_der("roots", case.roots.clone()).into_iter().collect();
    let evidence =
        CertificateEvidence { chain: &case.sent, host, roots: &roots, now, revocation_lists: false, key_proof: Ok(()) };
    judge(&evidence).unwrap().rfc9525.ok
}

/// Writes chain number `HOSTSSL_CHAIN` to the folder `HOSTSSL_CHAIN_FOLDER`, to be looked at with `openssl x509 -text`.
#[test]
#[ignore = "writes files to look at"]
fn one_chain_to_look_at() {
    let folder = std::path::PathBuf::from(std::env::var_os("HOSTSSL_CHAIN_FOLDER").unwrap());
    let number = std::env::var("HOSTSSL_CHAIN").unwrap().parse().unwrap();
    let now = 1_790_000_000;
    let case = Generator::new(&keys(&folder), now, number).case();
    println!("{:?}; {:?}", chain_judgement(&case, HOST, now), openssl::verify(&folder, &case, now));
}
