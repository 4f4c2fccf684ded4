use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, SanType,
};

use super::*;

const NOW: i64 = 1_790_000_000;

/// The day that lies `count` days from now, as rcgen's helper for dates takes it.
fn day(count: i64) -> (i32, u8, u8) {
    let text = jiff::Timestamp::from_second(NOW + count * 86_400).unwrap().to_string();
    let mut parts = text.split(['-', 'T']).map(|part| part.parse::<u16>());
    let mut next = || parts.next().unwrap().unwrap();
    (next().into(), next() as u8, next() as u8)
}

fn params(name: &str, from: i64, to: i64) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    let (y, m, d) = day(from);
    params.not_before = rcgen::date_time_ymd(y, m, d);
    let (y, m, d) = day(to);
    params.not_after = rcgen::date_time_ymd(y, m, d);
    params
}

fn ca_params(name: &str, from: i64, to: i64) -> CertificateParams {
    let mut params = params(name, from, to);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

type Issuer = CertifiedIssuer<'static, KeyPair>;

fn root(name: &str) -> Issuer {
    CertifiedIssuer::self_signed(ca_params(name, -100, 1000), KeyPair::generate().unwrap()).unwrap()
}

fn intermediate(name: &str, from: i64, to: i64, by: &Issuer) -> Issuer {
    CertifiedIssuer::signed_by(ca_params(name, from, to), KeyPair::generate().unwrap(), by).unwrap()
}

fn with_names(mut params: CertificateParams, dns: &[&str], ip: &[&str]) -> CertificateParams {
    for name in dns {
        params.subject_alt_names.push(SanType::DnsName((*name).try_into().unwrap()));
    }
    for address in ip {
        params.subject_alt_names.push(SanType::IpAddress(address.parse().unwrap()));
    }
    params
}

fn leaf(params: &CertificateParams, by: &Issuer) -> Vec<u8> {
    params.signed_by(&KeyPair::generate().unwrap(), by).unwrap().der().to_vec()
}

fn store(name: &str, roots: &[&Issuer]) -> RootStore {
    RootStore::from_der(name, roots.iter().map(|root| root.der().to_vec()).collect()).unwrap()
}

fn judged(chain: &[Vec<u8>], host: &str, roots: &[RootStore]) -> (Assessment, Vec<Flaw>) {
    split(
        judge(&CertificateEvidence { chain, host, roots, now: NOW, revocation_lists: false, key_proof: Ok(()) })
            .unwrap(),
    )
}

fn split(mut assessment: Assessment) -> (Assessment, Vec<Flaw>) {
    let flaws = std::mem::take(&mut assessment.flaws);
    (assessment, flaws)
}

fn good() -> CertificateParams {
    with_names(params("db.example", -1, 30), &["db.example"], &[])
}

#[test]
fn a_good_chain_is_good_by_both_rules() {
    let root = root("Root");
    let middle = intermediate("Middle", -1, 100, &root);
    let chain = [leaf(&good(), &middle), middle.der().to_vec()];
    let (report, weaknesses) = judged(&chain, "db.example", &[store("mine", &[&root])]);
    assert_eq!(report.verify_full, Judgement { ok: Some(true), reason: None });
    assert_eq!(report.rfc9525, Judgement { ok: Some(true), reason: None });
    assert_eq!((report.chain_ok, report.host_ok), (Some(true), Some(true)));
    assert_eq!(report.root.as_deref(), Some("CN=Root"));
    let facts = report.facts.unwrap();
    assert_eq!((facts.key_type.as_str(), facts.key_bits), ("EC", Some(256)));
    assert_eq!(facts.signature_algorithm, "ecdsa-with-SHA256");
    assert!(report.root_checks.is_empty());
    assert_eq!(weaknesses, []);
}

#[test]
fn names_that_only_libpq_takes() {
    let root = root("Root");
    let roots = [store("mine", &[&root])];
    for (name, params, host) in [
        ("common name only", params("db.example", -1, 30), "db.example"),
        ("addresses only", with_names(params("db.example", -1, 30), &[], &["192.0.2.1"]), "db.example"),
        (
            "a wildcard before one label, which webpki refuses",
            with_names(params("x", -1, 30), &["*.example"], &[]),
            "db.example",
        ),
        ("an odd address", with_names(params("x", -1, 30), &[], &["127.0.0.1"]), "127.1"),
    ] {
        let (report, weaknesses) = judged(&[leaf(&params, &root)], host, &roots);
        assert_eq!(report.verify_full.ok, Some(true), "{name}");
        assert_eq!(report.rfc9525.ok, Some(false), "{name}");
        assert_eq!(weaknesses, [Flaw::LegacyName], "{name}");
    }
}

#[test]
fn names_that_both_judge_alike() {
    let root = root("Root");
    let roots = [store("mine", &[&root])];
    for (params, host, fits) in [
        (with_names(params("x", -1, 30), &["*.eu.example"], &[]), "db.eu.example", true),
        (with_names(params("x", -1, 30), &["*.eu.example"], &[]), "a.b.eu.example", false),
        (with_names(params("x", -1, 30), &[], &["192.0.2.1"]), "192.0.2.1", true),
        (with_names(params("x", -1, 30), &[], &["2001:db8::1"]), "2001:db8::1", true),
        (with_names(params("x", -1, 30), &[], &["192.0.2.1"]), "192.0.2.2", false),
        (with_names(params("db.example", -1, 30), &["other.example"], &[]), "db.example", false),
    ] {
        let (report, weaknesses) = judged(&[leaf(&params, &root)], host, &roots);
        assert_eq!(report.verify_full.ok, Some(fits), "{host} {:?}", params.subject_alt_names);
        assert_eq!(report.rfc9525.ok, Some(fits), "{host}");
        assert_eq!(weaknesses.contains(&Flaw::HostMismatch), !fits);
    }
}

#[test]
fn dates() {
    let root = root("Root");
    let roots = [store("mine", &[&root])];
    let expired = with_names(params("x", -30, -1), &["db.example"], &[]);
    let (report, weaknesses) = judged(&[leaf(&expired, &root)], "db.example", &roots);
    assert_eq!(report.chain_ok, Some(true), "the path is there all the same");
    assert_eq!((report.verify_full.ok, report.rfc9525.ok), (Some(false), Some(false)));
    assert_eq!(weaknesses, [Flaw::Expired]);

    let early = with_names(params("x", 5, 30), &["db.example"], &[]);
    let (report, weaknesses) = judged(&[leaf(&early, &root)], "db.example", &roots);
    assert_eq!(weaknesses, [Flaw::NotYetValid]);
    let facts = report.facts.unwrap();
    assert!(facts.is_not_yet_valid(NOW) && !facts.has_expired(NOW) && facts.not_before % 86_400 == 0);

    let old = intermediate("Old", -50, -2, &root);
    let (report, _) = judged(&[leaf(&good(), &old), old.der().to_vec()], "db.example", &roots);
    assert_eq!(report.verify_full.reason.as_deref(), Some("an issuer has expired"));
}

#[test]
fn chains_that_lead_nowhere() {
    let (mine, other) = (root("Mine"), root("Other"));
    let middle = intermediate("Middle", -1, 100, &mine);
    let roots = [store("mine", &[&mine])];

    let (report, weaknesses) = judged(&[leaf(&good(), &middle)], "db.example", &roots);
    assert_eq!(report.chain_ok, Some(false));
    assert_eq!(weaknesses, [Flaw::Untrusted, Flaw::ChainIncomplete]);

    let (report, weaknesses) = judged(&[leaf(&good(), &other), other.der().to_vec()], "db.example", &roots);
    assert!(report.verify_full.reason.as_deref().is_some_and(|why| why.contains("ends in a self-signed")));
    assert_eq!(weaknesses, [Flaw::Untrusted]);

    // A root of the same name and another key.
    let impostor = root("Mine");
    let (report, _) = judged(&[leaf(&good(), &impostor)], "db.example", &roots);
    assert_eq!(report.verify_full.reason.as_deref(), Some("the issuer's key does not verify the signature"));

    // An end-entity certificate as issuer.
    let key = KeyPair::generate().unwrap();
    let fake = CertifiedIssuer::signed_by(good(), key, &mine).unwrap();
    let (report, _) = judged(&[leaf(&params("y", -1, 30), &fake), fake.der().to_vec()], "y", &roots);
    assert_eq!(report.verify_full.reason.as_deref(), Some("an issuer is not allowed to issue"));
}

#[test]
fn a_path_length_is_kept() {
    let root = root("Root");
    let mut narrow = ca_params("Narrow", -1, 100);
    narrow.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let narrow = CertifiedIssuer::signed_by(narrow, KeyPair::generate().unwrap(), &root).unwrap();
    let below = intermediate("Below", -1, 100, &narrow);
    let roots = [store("mine", &[&root])];
    let direct = [leaf(&good(), &narrow), narrow.der().to_vec()];
    assert_eq!(judged(&direct, "db.example", &roots).0.verify_full.ok, Some(true));
    let deep = [leaf(&good(), &below), below.der().to_vec(), narrow.der().to_vec()];
    let (report, _) = judged(&deep, "db.example", &roots);
    assert_eq!(report.verify_full.reason.as_deref(), Some("the chain is longer than an issuer allows"));
}

#[test]
fn self_signed() {
    let key = KeyPair::generate().unwrap();
    let mut issuing = good();
    issuing.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let der = issuing.self_signed(&key).unwrap().der().to_vec();
    let other = root("Root");
    let (report, weaknesses) = judged(std::slice::from_ref(&der), "db.example", &[store("mine", &[&other])]);
    assert!(report.facts.unwrap().self_signed);
    assert_eq!(report.verify_full.ok, Some(false));
    assert_eq!(weaknesses, [Flaw::SelfSigned, Flaw::Untrusted]);

    // Among the roots: libpq takes it, as the PostgreSQL documentation shows how to make one; webpki does not.
    let itself = RootStore::from_der("itself", vec![der.clone()]).unwrap();
    let (report, _) = judged(&[der], "db.example", &[itself]);
    assert_eq!(report.verify_full.ok, Some(true));
    assert_eq!(report.rfc9525.ok, Some(false));
}

#[test]
fn a_certificate_for_clients_is_none_for_servers() {
    let root = root("Root");
    let mut params = good();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let (report, _) = judged(&[leaf(&params, &root)], "db.example", &[store("mine", &[&root])]);
    assert_eq!(report.verify_full.reason.as_deref(), Some("the certificate is not for servers"));
    assert_eq!(report.rfc9525.ok, Some(false));
}

#[test]
fn each_store_on_its_own() {
    let (old, new) = (root("Old"), root("New"));
    let chain = [leaf(&good(), &old)];
    let (report, _) = judged(&chain, "db.example", &[store("old", &[&old]), store("new", &[&new])]);
    assert_eq!(report.verify_full.ok, Some(true));
    let checks: Vec<_> = report.root_checks.iter().map(|check| (check.store.as_str(), check.verifies)).collect();
    assert_eq!(checks, [("old", true), ("new", false)]);
}

#[test]
fn without_roots_the_chain_is_not_judged() {
    let root = root("Root");
    let (report, weaknesses) = judged(&[leaf(&good(), &root)], "db.example", &[]);
    assert_eq!((report.chain_ok, report.verify_full.ok, report.rfc9525.ok), (None, None, None));
    assert_eq!(weaknesses, []);
    let (report, _) = judged(&[leaf(&good(), &root)], "other.example", &[]);
    assert_eq!(report.verify_full.ok, Some(false), "a name that does not fit needs no roots");
}

#[test]
fn a_key_that_was_not_proven_leaves_the_question_open() {
    let root = root("Root");
    let roots = [store("mine", &[&root])];
    let chain = [leaf(&good(), &root)];
    let evidence = CertificateEvidence {
        chain: &chain,
        host: "db.example",
        roots: &roots,
        now: NOW,
        revocation_lists: false,
        key_proof: Err("unsupported"),
    };
    let (report, weaknesses) = split(judge(&evidence).unwrap());
    assert_eq!((report.verify_full.ok, report.rfc9525.ok), (None, None));
    assert_eq!(weaknesses, [Flaw::KeyUnproven]);
}

#[test]
fn hostile_bytes_are_judged_and_do_not_panic() {
    let root = root("Root");
    let roots = [store("mine", &[&root])];
    let der = leaf(&good(), &root);
    assert!(
        judge(&CertificateEvidence {
            chain: &[],
            host: "x",
            roots: &roots,
            now: NOW,
            revocation_lists: false,
            key_proof: Ok(())
        })
        .is_none()
    );
    let (report, _) = judged(&[vec![1, 2, 3]], "x", &roots);
    assert_eq!(report.verify_full.ok, Some(false));
    for at in 0..der.len() {
        let mut bad = der.clone();
        bad[at] ^= 0x55;
        let (report, _) = judged(&[bad, der.clone()], "db.example", &roots);
        assert_ne!(report.rfc9525.ok, Some(true), "byte {at}");
        assert_ne!(report.verify_full.ok, Some(true), "byte {at}");
    }
}

/// A server that is its own root, as `openssl req -x509` makes it: for the same name and key once more at each call.
fn own_root(key: &KeyPair, serial: u64) -> Vec<u8> {
    let mut params = good();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.serial_number = Some(serial.into());
    params.self_signed(key).unwrap().der().to_vec()
}

#[test]
fn a_renewed_self_signed_certificate_needs_itself_among_the_roots() {
    let key = KeyPair::generate().unwrap();
    let (old, new) = (own_root(&key, 1), own_root(&key, 2));
    let trusting = |roots: &[&Vec<u8>]| {
        let store = RootStore::from_der("mine", roots.iter().map(|der| der.to_vec()).collect()).unwrap();
        judged(std::slice::from_ref(&new), "db.example", &[store]).0.verify_full
    };
    assert_eq!(trusting(&[&new]).ok, Some(true));
    let refused = trusting(&[&old]);
    assert_eq!(
        (refused.ok, refused.reason.as_deref()),
        (Some(false), Some("self-signed, and not among the given roots"))
    );
    // Which of the two OpenSSL takes for the issuer depends on the order of the file.
    assert_eq!(trusting(&[&old, &new]).ok, None);
}

#[test]
fn an_intermediate_needs_basic_constraints_and_the_last_of_a_path_does_not() {
    let root = root("Root");
    let mut params = ca_params("Middle", -1, 100);
    params.is_ca = IsCa::NoCa;
    let middle = CertifiedIssuer::signed_by(params.clone(), KeyPair::generate().unwrap(), &root).unwrap();
    let chain = [leaf(&good(), &middle), middle.der().to_vec()];
    let (report, _) = judged(&chain, "db.example", &[store("mine", &[&root])]);
    assert_eq!(report.verify_full.reason.as_deref(), Some("an issuer is not allowed to issue"));
    let plain_root = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let (report, _) = judged(&[leaf(&good(), &plain_root)], "db.example", &[store("mine", &[&plain_root])]);
    assert_eq!(report.verify_full.ok, Some(true));
}

#[test]
fn revocation_lists_leave_a_good_certificate_unjudged() {
    let root = root("Root");
    let roots = [store("mine", &[&root])];
    for (host, ok) in [("db.example", None), ("other.example", Some(false))] {
        let chain = [leaf(&good(), &root)];
        let evidence = CertificateEvidence {
            chain: &chain,
            host,
            roots: &roots,
            now: NOW,
            revocation_lists: true,
            key_proof: Ok(()),
        };
        let verify_full = judge(&evidence).unwrap().verify_full;
        assert_eq!(verify_full.ok, ok, "{host}");
        assert!(host != "db.example" || verify_full.reason.is_some_and(|why| why.contains("revocation lists")));
    }
}

#[test]
fn critical_extensions_are_those_of_openssl() {
    let root = root("Root");
    for (oid, known) in [
        (&[1, 3, 6, 1, 5, 5, 7, 48, 1, 5][..], true), // OCSP no check
        (&[1, 3, 6, 1, 5, 5, 7, 1, 1], false),        // authority information access
        (&[1, 2, 3, 4], false),
    ] {
        let mut params = good();
        let mut extension = rcgen::CustomExtension::from_oid_content(oid, vec![5, 0]);
        extension.set_criticality(true);
        params.custom_extensions.push(extension);
        let (report, _) = judged(&[leaf(&params, &root)], "db.example", &[store("mine", &[&root])]);
        assert_eq!(report.verify_full.ok, Some(known), "{oid:?}");
    }
}

#[test]
fn name_constraints_are_those_of_openssl() {
    use rcgen::{DnValue, GeneralSubtree, NameConstraints};
    let directory = |name: &str| {
        let mut names = DistinguishedName::new();
        names.push(DnType::CommonName, DnValue::PrintableString(name.try_into().unwrap()));
        GeneralSubtree::DirectoryName(names)
    };
    for (permitted, excluded, ok) in [
        (vec![GeneralSubtree::DnsName("example".into())], vec![], true),
        (vec![GeneralSubtree::DnsName("other".into())], vec![], false),
        (vec![directory("DB.example")], vec![], true),
        (vec![directory("other")], vec![], false),
        (vec![], vec![GeneralSubtree::DnsName("db.example".into())], false),
        (vec![], vec![GeneralSubtree::Rfc822Name("example".into())], true),
    ] {
        let mut params = ca_params("Root", -1, 100);
        let shown = format!("{permitted:?} {excluded:?}");
        params.name_constraints = Some(NameConstraints { permitted_subtrees: permitted, excluded_subtrees: excluded });
        let root = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let (report, _) = judged(&[leaf(&good(), &root)], "db.example", &[store("mine", &[&root])]);
        assert_eq!(report.verify_full.ok, Some(ok), "{shown}");
        // The common name stands in for a DNS name, and is bound like one.
        let (report, _) = judged(&[leaf(&params_of_common_name(), &root)], "db.example", &[store("mine", &[&root])]);
        assert_eq!(report.verify_full.ok, Some(ok), "common name, {shown}");
    }
}

fn params_of_common_name() -> CertificateParams {
    params("db.example", -1, 30)
}

#[test]
fn what_follows_a_certificate_or_cannot_be_read_spoils_the_chain() {
    let root = root("Root");
    let roots = [store("mine", &[&root])];
    let good = leaf(&good(), &root);
    let trailing = [good.clone(), vec![0]].concat();
    assert_eq!(judged(&[trailing], "db.example", &roots).0.verify_full.ok, Some(false));
    let (report, _) = judged(&[good, vec![0x30, 0]], "db.example", &roots);
    assert_eq!(report.verify_full.ok, None);
}
