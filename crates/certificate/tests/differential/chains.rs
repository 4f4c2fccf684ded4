//! Random chains: a good one to begin with, and then what goes wrong in the field, and what an attacker would try.

use crate::asn1::*;
use rcgen::{KeyPair, PublicKeyData as _, SigningKey as _};

/// xorshift64: chain number N has the same shape in every run.
pub(crate) struct Seed(pub(crate) u64);

impl Seed {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }

    pub(crate) fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize].clone()
    }

    /// True once in `times`.
    pub(crate) fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }
}

/// A key with its algorithm.
pub(crate) struct Key {
    pair: KeyPair,
    /// The AlgorithmIdentifier of its signatures, in DER.
    algorithm: Vec<u8>,
}

impl Key {
    pub(crate) fn new(pair: KeyPair) -> Self {
        let algorithm = if pair.algorithm() == &rcgen::PKCS_ECDSA_P256_SHA256 {
            sequence(&[oid("1.2.840.10045.4.3.2")])
        } else if pair.algorithm() == &rcgen::PKCS_ECDSA_P384_SHA384 {
            sequence(&[oid("1.2.840.10045.4.3.3")])
        } else if pair.algorithm() == &rcgen::PKCS_ED25519 {
            sequence(&[oid("1.3.101.112")])
        } else {
            sequence(&[oid("1.2.840.113549.1.1.11"), tlv(5, &[])])
        };
        Self { pair, algorithm }
    }

    /// The private key.
    pub(crate) fn pkcs8(&self) -> Vec<u8> {
        self.pair.serialize_der()
    }

    /// What subject key identifiers hold: any bytes that tell keys apart will do.
    fn identifier(&self) -> Vec<u8> {
        let bytes = self.pair.der_bytes();
        bytes[bytes.len() - 20..].to_vec()
    }
}

/// One certificate as it is to be made.
#[derive(Clone)]
struct Plan {
    subject: usize,
    key: usize,
    issuer: usize,
    issuer_key: usize,
    serial: u64,
    version: u64,
    from_day: i64,
    to_day: i64,
    /// Basic constraints: whether a CA, and the path length.
    basic: Option<(bool, Option<u64>)>,
    /// The first byte of the key usage.
    usage: Option<u8>,
    extended: Vec<&'static str>,
    netscape: Option<u8>,
    key_id: bool,
    authority: Authority,
    dns: Vec<&'static str>,
    addresses: Vec<Vec<u8>>,
    constraints: Option<Vec<u8>>,
    extra: Vec<Vec<u8>>,
    subject_string: u8,
    issuer_string: u8,
    fault: Fault,
}

#[derive(Clone, Copy, PartialEq)]
enum Authority {
    None,
    Key,
    OtherKey,
    KeyAndSerial,
    OtherSerial,
    Issuer,
}

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    None,
    Signature,
    OtherAlgorithm,
    Trailing,
    ShortTime,
}

pub(crate) const HOST: &str = "db.example";
const NAMES: [&str; 6] = ["Root One", "Root Two", "Middle A", "Middle B", "db.example", "Other"];
const STRINGS: [u8; 6] = [0x0c, 0x13, 0x16, 0x14, 0x1e, 0x1c];
const LEAF: usize = 4;

/// What a server sends and a client trusts.
pub(crate) struct Case {
    pub(crate) sent: Vec<Vec<u8>>,
    pub(crate) roots: Vec<Vec<u8>>,
    /// The key of the server's certificate.
    pub(crate) leaf_key: usize,
}

impl Case {
    /// The roots as a file in PEM.
    pub(crate) fn root_file(&self) -> Vec<u8> {
        self.roots.iter().map(|der| pem(der)).collect::<String>().into_bytes()
    }
}

pub(crate) struct Generator<'a> {
    pub(crate) keys: &'a [Key],
    pub(crate) now: i64,
    pub(crate) seed: Seed,
    serial: u64,
}

impl<'a> Generator<'a> {
    pub(crate) fn new(keys: &'a [Key], now: i64, number: u64) -> Self {
        let mut seed = Seed(number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        for _ in 0..8 {
            seed.below(2);
        }
        Self { keys, now, seed, serial: 100 }
    }

    fn key(&mut self) -> usize {
        self.seed.below(self.keys.len() as u64) as usize
    }

    fn plan(&mut self, subject: usize, key: usize, issuer: &Plan) -> Plan {
        self.serial += 1;
        let authority = match self.seed.below(24) {
            0..10 => Authority::None,
            10..19 => Authority::Key,
            19 => Authority::OtherKey,
            20 => Authority::OtherSerial,
            21..23 => Authority::KeyAndSerial,
            _ => Authority::Issuer,
        };
        Plan {
            subject,
            key,
            issuer: issuer.subject,
            issuer_key: issuer.key,
            serial: self.serial,
            authority,
            ..issuer.clone()
        }
    }

    fn root(&mut self, subject: usize, key: usize) -> Plan {
        self.serial += 1;
        Plan {
            subject,
            key,
            issuer: subject,
            issuer_key: key,
            serial: self.serial,
            version: 2,
            from_day: -400,
            to_day: 4000,
            basic: Some((true, None)),
            usage: self.seed.pick(&[None, Some(0x06)]),
            extended: Vec::new(),
            netscape: None,
            key_id: !self.seed.once_in(3),
            authority: self.seed.pick(&[Authority::None, Authority::None, Authority::Key]),
            dns: Vec::new(),
            addresses: Vec::new(),
            constraints: None,
            extra: Vec::new(),
            subject_string: 0x0c,
            issuer_string: 0x0c,
            fault: Fault::None,
        }
    }

    fn middle(&mut self, subject: usize, issuer: &Plan) -> Plan {
        let key = self.key();
        Plan { from_day: -300, to_day: 1000, ..self.plan(subject, key, issuer) }
    }

    fn leaf(&mut self, issuer: &Plan) -> Plan {
        let key = self.key();
        Plan {
            from_day: -30,
            to_day: 300,
            basic: self.seed.pick(&[None, Some((false, None)), Some((true, None))]),
            usage: self.seed.pick(&[None, Some(0xa0)]),
            extended: self.seed.pick(&[vec![], vec!["1.3.6.1.5.5.7.3.1"]]),
            dns: self.seed.pick(&[vec![], vec![HOST], vec!["other.test", HOST], vec!["*.example"]]),
            constraints: None,
            extra: Vec::new(),
            ..self.plan(LEAF, key, issuer)
        }
    }

    /// Something that goes wrong, or is odd and does not.
    fn twist(&mut self, plan: &mut Plan) {
        match self.seed.below(26) {
            0 => plan.basic = None,
            1 => plan.basic = Some((false, None)),
            2 => plan.basic = Some((true, Some(self.seed.below(2)))),
            3 => plan.usage = self.seed.pick(&[None, Some(0x80), Some(0x04), Some(0x06), Some(0x08)]),
            4 => plan.extended = vec![self.seed.pick(&["1.3.6.1.5.5.7.3.2", "2.5.29.37.0", "2.16.840.1.113730.4.1"])],
            5 => plan.extended = vec!["1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.1"],
            6 => plan.version = 0,
            7 => plan.to_day = -2,
            8 => plan.from_day = 3,
            9 => plan.key_id = !plan.key_id,
            10 => plan.authority = self.seed.pick(&[Authority::OtherKey, Authority::OtherSerial, Authority::Issuer]),
            11 => plan.netscape = Some(self.seed.pick(&[0x40, 0x80, 0x04, 0x01])),
            12 => {
                let known = ["2.5.29.32", "2.5.29.36", "1.3.6.1.5.5.7.48.1.5", "1.3.6.1.5.5.7.1.1", "1.2.3.4"];
                let (dotted, critical) = (self.seed.pick(&known), self.seed.once_in(2));
                let value = match dotted {
                    "2.5.29.32" => sequence(&[sequence(&[oid("2.5.29.32.0")])]),
                    "2.5.29.36" => sequence(&[tlv(0x80, &[0])]),
                    "1.3.6.1.5.5.7.1.1" => {
                        sequence(&[sequence(&[oid("1.3.6.1.5.5.7.48.1"), tlv(0x86, b"http://ocsp.test")])])
                    }
                    _ => tlv(5, &[]),
                };
                plan.extra.push(extension(dotted, critical, &value));
            }
            13 => plan.subject_string = self.seed.pick(&STRINGS),
            14 | 15 => plan.issuer_string = self.seed.pick(&STRINGS),
            16 => plan.constraints = Some(self.constraints()),
            17 => plan.fault = self.seed.pick(&[Fault::Signature, Fault::OtherAlgorithm]),
            18 => plan.fault = self.seed.pick(&[Fault::Trailing, Fault::ShortTime]),
            19 => plan.key = self.key(),
            20 => plan.issuer_key = self.key(),
            21 => plan.subject = self.seed.below(NAMES.len() as u64) as usize,
            22 => plan.issuer = self.seed.below(NAMES.len() as u64) as usize,
            23 => plan.addresses = vec![self.seed.pick(&[vec![192, 0, 2, 1], vec![10, 0, 0, 1]])],
            24 => plan.extra.push(extension("2.5.29.19", false, &sequence(&[]))),
            _ => plan.extra.push(extension("1.3.6.1.5.5.7.1.14", true, &sequence(&[]))),
        }
    }

    fn constraints(&mut self) -> Vec<u8> {
        let mut subtrees = |tag| {
            let mut bases = Vec::new();
            for _ in 0..=self.seed.below(2) {
                bases.push(match self.seed.below(9) {
                    0 => tlv(0x82, b"example"),
                    1 => tlv(0x82, b".example"),
                    2 => tlv(0x82, b"db.example"),
                    3 => tlv(0x82, b"other.test"),
                    4 => tlv(0x87, &[192, 0, 2, 0, 255, 255, 255, 0]),
                    5 => tlv(0xa4, &name("db.example", self.seed.pick(&STRINGS))),
                    6 => tlv(0xa4, &name("Middle A", 0x13)),
                    7 => tlv(0x81, b"example"),
                    _ => tlv(0x82, b""),
                });
            }
            tlv(tag, &bases.iter().map(|base| sequence(std::slice::from_ref(base))).collect::<Vec<_>>().concat())
        };
        let parts = match subtrees(0xa0).len() % 3 {
            0 => vec![subtrees(0xa0)],
            1 => vec![subtrees(0xa1)],
            _ => vec![subtrees(0xa0), subtrees(0xa1)],
        };
        sequence(&parts)
    }

    /// The chain of this generator's number.
    pub(crate) fn case(&mut self) -> Case {
        let key = self.key();
        let mut plans = vec![self.root(0, key)];
        for depth in 0..self.seed.below(4) {
            let issuer = plans[plans.len() - 1].clone();
            let subject = self.seed.pick(&[2, 2, 3, depth as usize % 2 + 2]);
            plans.push(self.middle(subject, &issuer));
        }
        let issuer = plans[plans.len() - 1].clone();
        let leaf = match self.seed.below(8) {
            // A server that is its own root.
            0 => {
                let key = self.key();
                let own = self.root(LEAF, key);
                Plan { dns: vec![HOST], ..own }
            }
            _ => self.leaf(&issuer),
        };
        plans.push(leaf);
        for _ in 0..self.seed.below(3) {
            let at = self.seed.below(plans.len() as u64) as usize;
            let mut plan = plans[at].clone();
            self.twist(&mut plan);
            plans[at] = plan;
        }
        let others = self.others(&plans);
        self.assemble(&plans, &others)
    }

    /// Relatives of the certificates of a chain: renewed ones, cross-signed ones, impostors, twins.
    fn others(&mut self, plans: &[Plan]) -> Vec<Plan> {
        let mut others = Vec::new();
        for _ in 0..self.seed.below(4) {
            let mut plan = self.seed.pick(plans);
            self.serial += 1;
            plan.serial = self.serial;
            match self.seed.below(6) {
                0 => {}
                1 => plan.to_day = self.seed.pick(&[-5, 5000]),
                2 => {
                    let key = self.key();
                    let other = self.root(1, key);
                    (plan.issuer, plan.issuer_key) = (other.subject, other.key);
                    others.push(other);
                }
                3 => {
                    plan.key = self.key();
                    if plan.issuer == plan.subject {
                        plan.issuer_key = plan.key;
                    }
                }
                4 => (plan.issuer, plan.issuer_key) = (plan.subject, plan.key),
                _ => self.twist(&mut plan),
            }
            others.push(plan);
        }
        others
    }

    fn assemble(&mut self, plans: &[Plan], others: &[Plan]) -> Case {
        let leaf_key = plans[plans.len() - 1].key;
        let made: Vec<_> = plans.iter().map(|plan| self.make(plan)).collect();
        let others: Vec<_> = others.iter().map(|plan| self.make(plan)).collect();
        let (leaf, issuers) = made.split_last().unwrap();
        let mut sent = vec![leaf.clone()];
        for issuer in issuers.iter().skip(1).rev() {
            if !self.seed.once_in(12) {
                sent.push(issuer.clone());
            }
        }
        let mut roots = Vec::new();
        if !self.seed.once_in(10) {
            roots.push(issuers[0].clone());
        }
        for other in &others {
            let place = if self.seed.once_in(2) { &mut sent } else { &mut roots };
            let first = usize::from(!place.is_empty());
            let at = if self.seed.once_in(2) { place.len() } else { first.min(place.len()) };
            place.insert(at, other.clone());
        }
        for der in &made {
            match self.seed.below(30) {
                0 => roots.push(der.clone()),
                1 => roots.insert(0, der.clone()),
                2 => sent.push(der.clone()),
                _ => {}
            }
        }
        if issuers.len() == 1 && self.seed.once_in(3) {
            roots.push(leaf.clone());
        }
        if self.seed.once_in(5) {
            sent.push(issuers[0].clone());
        }
        if roots.is_empty() {
            roots.push(issuers[0].clone());
        }
        Case { sent, roots, leaf_key }
    }

    fn make(&mut self, plan: &Plan) -> Vec<u8> {
        let (subject_key, issuer_key) = (&self.keys[plan.key], &self.keys[plan.issuer_key]);
        let wrong = sequence(&[oid("1.2.840.113549.1.1.12"), tlv(5, &[])]);
        let mut tbs = Vec::new();
        if plan.version > 0 {
            tbs.push(tlv(0xa0, &integer(plan.version)));
        }
        tbs.push(integer(plan.serial));
        tbs.push(issuer_key.algorithm.clone());
        tbs.push(name(NAMES[plan.issuer], plan.issuer_string));
        let short = plan.fault == Fault::ShortTime;
        tbs.push(sequence(&[self.time(plan.from_day, short), self.time(plan.to_day, false)]));
        tbs.push(name(NAMES[plan.subject], plan.subject_string));
        tbs.push(subject_key.pair.subject_public_key_info());
        if plan.version > 0 {
            tbs.push(tlv(0xa3, &sequence(&extensions(plan, subject_key, issuer_key))));
        }
        let tbs = sequence(&tbs);
        let mut signature = issuer_key.pair.sign(&tbs).unwrap();
        if plan.fault == Fault::Signature {
            let middle = signature.len() / 2;
            signature[middle] ^= 1;
        }
        let algorithm = if plan.fault == Fault::OtherAlgorithm { wrong } else { issuer_key.algorithm.clone() };
        let mut der = sequence(&[tbs, algorithm, bit_string(&signature)]);
        if plan.fault == Fault::Trailing {
            der.push(0);
        }
        der
    }

    fn time(&self, day: i64, short: bool) -> Vec<u8> {
        // 2026-09-21T14:13:20Z, of which UTCTime has the last two digits of the year, and no separators.
        let text = jiff::Timestamp::from_second(self.now + day * 86_400).unwrap().to_string();
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        let text = format!("{}Z", &digits[2..if short { 12 } else { 14 }]);
        tlv(0x17, text.as_bytes())
    }
}

fn extensions(plan: &Plan, subject_key: &Key, issuer_key: &Key) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    if let Some((ca, limit)) = plan.basic {
        let mut parts = Vec::new();
        if ca {
            parts.push(boolean(true));
        }
        parts.extend(limit.map(integer));
        found.push(extension("2.5.29.19", true, &sequence(&parts)));
    }
    if let Some(usage) = plan.usage {
        found.push(extension("2.5.29.15", true, &tlv(3, &[usage.trailing_zeros() as u8, usage])));
    }
    if !plan.extended.is_empty() {
        let usages: Vec<_> = plan.extended.iter().map(|usage| oid(usage)).collect();
        found.push(extension("2.5.29.37", false, &sequence(&usages)));
    }
    if let Some(kind) = plan.netscape {
        found.push(extension("2.16.840.1.113730.1.1", false, &tlv(3, &[kind.trailing_zeros() as u8, kind])));
    }
    if plan.key_id {
        found.push(extension("2.5.29.14", false, &tlv(4, &subject_key.identifier())));
    }
    let key = tlv(0x80, &issuer_key.identifier());
    let issuer = tlv(0xa1, &tlv(0xa4, &name(NAMES[plan.issuer], 0x0c)));
    let serial = |serial: u8| tlv(0x82, &[serial]);
    let authority = match plan.authority {
        Authority::None => None,
        Authority::Key => Some(vec![key]),
        Authority::OtherKey => Some(vec![tlv(0x80, &[7; 20])]),
        Authority::KeyAndSerial => Some(vec![key, issuer, serial(101)]),
        Authority::OtherSerial => Some(vec![issuer, serial(9)]),
        Authority::Issuer => Some(vec![tlv(0xa1, &tlv(0xa4, &name("Root Two", 0x0c))), serial(101)]),
    };
    if let Some(parts) = authority {
        found.push(extension("2.5.29.35", false, &sequence(&parts)));
    }
    if !plan.dns.is_empty() || !plan.addresses.is_empty() {
        let dns = plan.dns.iter().map(|name| tlv(0x82, name.as_bytes()));
        let names: Vec<_> = dns.chain(plan.addresses.iter().map(|address| tlv(0x87, address))).collect();
        found.push(extension("2.5.29.17", false, &sequence(&names)));
    }
    if let Some(constraints) = &plan.constraints {
        found.push(extension("2.5.29.30", true, constraints));
    }
    found.extend(plan.extra.iter().cloned());
    if found.is_empty() {
        found.push(extension("1.2.3.5", false, &tlv(5, &[])));
    }
    found
}
