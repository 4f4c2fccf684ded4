//! Files of roots that were damaged or oddly written, read by this crate, by `openssl verify` and by libpq in `psql`: whether the
//! server's certificate is accepted with them.

use crate::asn1::pem;
use crate::chains::{Case, HOST, Key, Seed};
use crate::{Tally, assess_with, keys, numbers, openssl, psql};
use hostssl_certificate::{Judgement, RootError, RootStore};

/// The parts of root files: roots, one of which is the server's, and what else is found in such files.
struct Parts {
    case: Case,
    roots: [String; 2],
    others: Vec<String>,
}

fn parts(keys: &[Key]) -> Parts {
    let pair = |key: &Key| rcgen::KeyPair::try_from(key.pkcs8()).unwrap();
    let root = |name: &str| {
        let mut root = rcgen::CertificateParams::new(vec![]).unwrap();
        root.distinguished_name.push(rcgen::DnType::CommonName, name);
        root.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        root.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign, rcgen::KeyUsagePurpose::CrlSign];
        root
    };
    let (own, other) = (root("own"), root("other"));
    let ders = [own.self_signed(&pair(&keys[0])).unwrap(), other.self_signed(&pair(&keys[1])).unwrap()]
        .map(|root| root.der().to_vec());
    let issuer = rcgen::Issuer::new(own, pair(&keys[0]));
    let mut leaf = rcgen::CertificateParams::new(vec![HOST.into()]).unwrap();
    leaf.distinguished_name = rcgen::DistinguishedName::new();
    let leaf = leaf.signed_by(&pair(&keys[2]), &issuer).unwrap().der().to_vec();
    let now = rcgen::date_time_ymd(2026, 1, 1);
    let list = rcgen::CertificateRevocationListParams {
        this_update: now,
        next_update: rcgen::date_time_ymd(2036, 1, 1),
        crl_number: 1.into(),
        issuing_distribution_point: None,
        revoked_certs: Vec::new(),
        key_identifier_method: rcgen::KeyIdMethod::Sha256,
    };
    let list = list.signed_by(&issuer).unwrap().der().to_vec();
    let labelled = |label: &str, der: &[u8]| pem(der).replace("CERTIFICATE", label);
    // An Ed25519 key is any 32 bytes (RFC 8410): damaged ones of other types fail by rules that are none of a file's.
    let key = [b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20".as_slice(), &[7; 32]].concat();
    Parts {
        roots: [pem(&ders[0]), pem(&ders[1])],
        others: vec![
            labelled("X509 CRL", &list),
            labelled("PRIVATE KEY", &key),
            "# a comment: roots\n\nOf all kinds\n".to_owned(),
        ],
        case: Case { sent: vec![leaf], roots: vec![ders[0].clone()], leaf_key: 2 },
    }
}

/// File number `number`.
fn root_file(parts: &Parts, number: u64) -> Vec<u8> {
    let mut seed = Seed(number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    for _ in 0..8 {
        seed.below(2);
    }
    let mut list = vec![parts.roots[0].clone()];
    for _ in 0..seed.below(3) {
        let at = seed.below(list.len() as u64 + 1) as usize;
        let more = if seed.once_in(2) { parts.roots[1].clone() } else { seed.pick(&parts.others) };
        list.insert(at, more);
    }
    let mut text = list.concat();
    for _ in 0..=seed.below(2) {
        text = damaged(&mut seed, &text);
    }
    match seed.below(12) {
        0 => text = text.replace('\n', "\r\n"),
        1 => text.insert(0, '\u{feff}'),
        _ => {}
    }
    text.into_bytes()
}

fn damaged(seed: &mut Seed, text: &str) -> String {
    let mut lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
    let mut at = seed.below(lines.len() as u64) as usize;
    if seed.once_in(2) {
        // The lines of BEGIN and END are where the readers differ.
        let marks: Vec<usize> = (0..lines.len()).filter(|&at| lines[at].starts_with("-----")).collect();
        at = seed.pick(&[marks.clone(), vec![at]].concat());
    }
    let odd = ["", " ", "x", "-", "=", ":", "-----", "\r", "\t", "\0", "\u{feff}", "\"", "# x", "\u{e9}"];
    let odd = odd.map(str::to_owned);
    let near = (at + seed.below(3) as usize).saturating_sub(1).min(lines.len() - 1);
    match seed.below(16) {
        0 => lines.insert(near, seed.pick(&odd)),
        1 => lines[near] += &seed.pick(&odd),
        2 => lines[near] = seed.pick(&odd) + &lines[near],
        3 => {
            lines.remove(near);
        }
        4 => lines.insert(near, lines[at].clone()),
        5 if at + 1 < lines.len() => {
            let next = lines.remove(at + 1);
            lines[at] += &next;
        }
        6 => {
            let line = &mut lines[near];
            let middle = (0..=line.len() / 2).rev().find(|&at| line.is_char_boundary(at)).unwrap();
            let rest = line.split_off(middle);
            lines.insert(near + 1, rest);
        }
        7 => {
            // Lines of another width, from one character to more than OpenSSL reads at once.
            let width = seed.pick(&[1, 4, 50, 63, 65, 76, 127, 253, 254, 255, 256, 508, 5000]);
            return rewrapped(&lines, width);
        }
        8 => lines.truncate(near.max(1)),
        9 => lines.insert(at + 1, seed.pick(&["", "Proc-Type: 4,ENCRYPTED", "a: b\n", "\n"]).to_owned()),
        10 => {
            let label = seed.pick(&["X509 CERTIFICATE", "TRUSTED CERTIFICATE", "X509 CRL", "PKCS7", "RSA PRIVATE KEY"]);
            lines[near] = lines[near].replacen("CERTIFICATE", label, 1);
        }
        11 => {
            let label = seed.pick(&["X509 CERTIFICATE", "TRUSTED CERTIFICATE", "X509 CRL", "PKCS7", "EC PRIVATE KEY"]);
            return text.replacen("N CERTIFICATE-", &format!("N {label}-"), 1).replacen(
                "D CERTIFICATE-",
                &format!("D {label}-"),
                1,
            );
        }
        12 => lines[near] = lines[near].replace('=', ""),
        13 => return text.replace('\n', seed.pick(&["\r", "\r\n", " \n", "\n\n", "\n ", "\\n"])),
        _ => {
            let mut characters: Vec<char> = text.chars().collect();
            let place = seed.below(characters.len() as u64) as usize;
            match seed.below(3) {
                0 => characters.insert(place, seed.pick(&['\n', ' ', '\t', '-', '=', ':', '#', 'A', '\0'])),
                1 => characters[place] = seed.pick(&['\n', ' ', '-', '=', 'A', '/']),
                _ => {
                    characters.remove(place);
                }
            }
            return characters.into_iter().collect();
        }
    }
    lines.join("\n")
}

fn rewrapped(lines: &[String], width: usize) -> String {
    let (mut text, mut body) = (String::new(), String::new());
    for line in lines {
        if !line.starts_with("-----") && !line.is_empty() && line.is_ascii() {
            body += line;
            continue;
        }
        while !body.is_empty() {
            text += &body.drain(..width.min(body.len())).collect::<String>();
            text.push('\n');
        }
        text += line;
        text.push('\n');
    }
    text + &body
}

fn ours(parts: &Parts, file: &[u8], now: i64) -> Judgement {
    match RootStore::from_pem("roots", file) {
        // The file was read as OpenSSL reads it. What it takes of a certificate that was damaged is another question.
        Err(RootError::Unreadable { .. }) => Judgement::default(),
        _ => {
            assess_with(file, &parts.case.sent, HOST, now).map_or_else(|judgement| judgement, |found| found.verify_full)
        }
    }
}

#[test]
fn openssl_reads_the_same_roots() {
    let work = tempfile::tempdir().unwrap();
    let parts = parts(&keys(work.path()));
    let now = jiff::Timestamp::now().as_second();
    let mut tally = Tally::default();
    for number in numbers(300) {
        let file = root_file(&parts, number);
        let theirs = openssl::verify_with(work.path(), &file, &parts.case.sent, now);
        let said = |theirs: Result<(), String>| theirs.map_err(|why| format!("{why}\n{}", file.escape_ascii()));
        tally.add(number, ours(&parts, &file, now), said(theirs));
    }
    tally.settle("openssl verify");
}

#[test]
fn psql_reads_the_same_roots() {
    let work = tempfile::tempdir().unwrap();
    let keys = keys(work.path());
    let parts = parts(&keys);
    let now = jiff::Timestamp::now().as_second();
    let mut tally = Tally::default();
    for number in numbers(300).step_by(10) {
        let file = root_file(&parts, number);
        tally.add(number, ours(&parts, &file, now), psql::connect_with(work.path(), &keys, &file, &parts.case, HOST));
    }
    tally.settle("psql");
}
