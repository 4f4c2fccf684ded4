//! Which path OpenSSL builds (build_chain in x509_vfy.c, with the defaults of libpq: roots first, no partial chains).

use std::rc::Rc;

use super::ChainFault;
use crate::roots::RootStore;
use crate::x509::Certificate;

/// The most certificates in a path. OpenSSL's own limit is 102: what is longer than this stays open.
const MAX_LENGTH: usize = 90;

/// The most steps for one chain: the roots of a hostile file may offer many paths.
const MAX_STEPS: usize = 400;

/// A path from the server's certificate, which is the first, to a self-signed root.
pub(super) type CertificatePath<'a> = Vec<Rc<Certificate<'a>>>;

/// Where the next issuer may come from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Search {
    /// From the roots, and if they have none, from what the server sent.
    RootsThenSent,
    /// From the roots alone: one of them is in the path already.
    RootsOnly,
}

/// The paths that OpenSSL may build: one, or one for each order of roots that share a name.
pub(super) struct Paths<'s, 'a> {
    sent: &'s [Rc<Certificate<'a>>],
    stores: &'s [&'a RootStore],
    now: i64,
    steps: usize,
    ends: Vec<Result<CertificatePath<'a>, ChainFault>>,
}

impl<'s, 'a> Paths<'s, 'a> {
    /// The paths from `leaf`. Each ends in a root or in a fault.
    pub(super) fn of(
        leaf: Rc<Certificate<'a>>,
        sent: &'s [Rc<Certificate<'a>>],
        stores: &'s [&'a RootStore],
        now: i64,
    ) -> Vec<Result<CertificatePath<'a>, ChainFault>> {
        let mut paths = Self { sent, stores, now, steps: 0, ends: Vec::new() };
        paths.extend(&[leaf], Search::RootsThenSent);
        paths.ends
    }

    /// Follows the path from its last certificate.
    fn extend(&mut self, path: &[Rc<Certificate<'a>>], search: Search) {
        self.steps += 1;
        if self.steps > MAX_STEPS || path.len() > MAX_LENGTH {
            return self.ends.push(Err(ChainFault::TooComplex));
        }
        let Some(current) = path.last() else { return };
        if current.unreadable {
            return self.ends.push(Err(ChainFault::Unreadable));
        }
        let roots = match self.roots_for(current) {
            Ok(roots) => roots,
            Err(fault) => return self.ends.push(Err(fault)),
        };
        if current.self_signed {
            return self.end_in_self_signed(path, current, &roots);
        }
        for root in &roots {
            let longer = [path, std::slice::from_ref(root)].concat();
            match root.self_signed {
                true => self.ends.push(Ok(longer)),
                // Not an end, since libpq does not allow partial chains, but a step.
                false => self.extend(&longer, Search::RootsOnly),
            }
        }
        if !roots.is_empty() {
            return;
        }
        let issuer = match search {
            Search::RootsThenSent => self.sent_issuer(path, current),
            Search::RootsOnly => Ok(None),
        };
        match issuer {
            Ok(Some(issuer)) => self.extend(&[path, &[issuer]].concat(), search),
            Ok(None) => self.ends.push(Err(ChainFault::MissingIssuer)),
            Err(fault) => self.ends.push(Err(fault)),
        }
    }

    /// A self-signed certificate ends every path: trusted if the root that OpenSSL finds for it is the certificate itself. One of
    /// the same name and key that is not is taken for a mimic.
    fn end_in_self_signed(
        &mut self,
        path: &[Rc<Certificate<'a>>],
        current: &Certificate<'a>,
        roots: &[Rc<Certificate<'a>>],
    ) {
        let fault = || if path.len() == 1 { ChainFault::SelfSigned } else { ChainFault::SelfSignedRoot };
        if roots.is_empty() {
            self.ends.push(Err(fault()));
        }
        for root in roots {
            self.ends.push(if root.der == current.der { Ok(path.to_vec()) } else { Err(fault()) });
        }
    }

    /// The roots of which OpenSSL takes one as the issuer (X509_STORE_CTX_get1_issuer): those that are valid now, or the one
    /// that ended last.
    fn roots_for(&self, certificate: &Certificate<'_>) -> Result<Vec<Rc<Certificate<'a>>>, ChainFault> {
        let mut candidates: Vec<Rc<Certificate<'a>>> = Vec::new();
        for der in self.stores.iter().flat_map(|store| store.with_subject(&certificate.issuer)) {
            let root = Certificate::read(der).ok_or(ChainFault::Unreadable)?;
            let repeated = candidates.iter().any(|other| other.der == root.der);
            if !repeated && issued(&root, certificate)? {
                candidates.push(Rc::new(root));
            }
        }
        if candidates.iter().any(|root| self.is_valid(root)) {
            candidates.retain(|root| self.is_valid(root));
        } else if let Some(last) = candidates.iter().map(|root| root.not_after()).max() {
            candidates.retain(|root| root.not_after() == last);
        }
        Ok(candidates)
    }

    /// The issuer among what the server sent: the first that is valid now, or that which ended last (find_issuer).
    fn sent_issuer(
        &self,
        path: &[Rc<Certificate<'a>>],
        certificate: &Certificate<'_>,
    ) -> Result<Option<Rc<Certificate<'a>>>, ChainFault> {
        let mut best: Option<&Rc<Certificate<'a>>> = None;
        for issuer in self.sent {
            if path.iter().any(|used| used.der == issuer.der) || !issued(issuer, certificate)? {
                continue;
            }
            if self.is_valid(issuer) {
                return Ok(Some(issuer.clone()));
            }
            if best.is_none_or(|best| issuer.not_after() > best.not_after()) {
                best = Some(issuer);
            }
        }
        Ok(best.cloned())
    }

    fn is_valid(&self, certificate: &Certificate<'_>) -> bool {
        !certificate.odd_dates && !certificate.has_expired(self.now) && !certificate.is_not_yet_valid(self.now)
    }
}

fn issued(issuer: &Certificate<'_>, certificate: &Certificate<'_>) -> Result<bool, ChainFault> {
    match certificate.is_likely_issued_by(issuer) {
        // OpenSSL does not take an issuer with an extension that it cannot read. Whether it can is not known here.
        Some(true) if issuer.unreadable => Err(ChainFault::Unreadable),
        Some(answer) => Ok(answer),
        None => Err(ChainFault::Unsupported),
    }
}
