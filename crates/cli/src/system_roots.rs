//! The roots that the system trusts: those of `sslrootcert=system`, as OpenSSL finds them.

use crate::ca_files::roots_of_file;
use hostssl_probe::certificate::RootStore;
use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

/// The roots, and why some were left out.
#[derive(Debug, Default)]
pub(crate) struct SystemRoots {
    stores: Vec<RootStore>,
    /// What could not be read.
    pub(crate) faults: Vec<String>,
}

/// The name of the roots, also as `sslrootcert` has it.
pub(crate) const SYSTEM: &str = "system";

/// Where OpenSSL may have been built to look: Debian, Fedora, most others and macOS, OpenSSL itself, Homebrew.
const OPENSSL_FOLDERS: [&str; 6] = [
    "/usr/lib/ssl",
    "/etc/pki/tls",
    "/etc/ssl",
    "/usr/local/ssl",
    "/opt/homebrew/etc/openssl@3",
    "/usr/local/etc/openssl@3",
];

impl SystemRoots {
    /// Reads them. `SSL_CERT_FILE` and `SSL_CERT_DIR` stand in place of OpenSSL's own file and folder.
    pub(crate) fn read() -> Self {
        let (file, folders) = (std::env::var_os("SSL_CERT_FILE"), std::env::var_os("SSL_CERT_DIR"));
        if file.is_none() && folders.is_none() {
            let found = rustls_native_certs::load_native_certs().certs.into_iter().map(|der| der.to_vec()).collect();
            return Self { stores: RootStore::from_der(SYSTEM, found).into_iter().collect(), faults: Vec::new() };
        }
        let own = OPENSSL_FOLDERS.iter().map(Path::new).find(|folder| folder.is_dir());
        Self::at(file.as_deref(), folders.as_deref(), own)
    }

    /// Those of a file and of a list of folders. What is not given is taken from OpenSSL's own folder.
    fn at(file: Option<&OsStr>, folders: Option<&OsStr>, own: Option<&Path>) -> Self {
        let mut found = Self::default();
        match (file, own.map(|own| own.join("cert.pem"))) {
            (Some(file), _) => found.take_file(Path::new(file), "SSL_CERT_FILE"),
            (None, Some(file)) if file.exists() => found.take_file(&file, "OpenSSL's own file"),
            _ => {}
        }
        match (folders, own.map(|own| own.join("certs"))) {
            (Some(folders), _) => {
                let list = std::env::split_paths(folders).filter(|folder| *folder != PathBuf::new());
                list.for_each(|folder| found.take_folder(&folder, "SSL_CERT_DIR"));
            }
            (None, Some(folder)) if folder.exists() => found.take_folder(&folder, "OpenSSL's own folder"),
            _ => {}
        }
        found
    }

    /// OpenSSL takes all of a file or none of it.
    fn take_file(&mut self, file: &Path, what: &str) {
        match roots_of_file(file) {
            Ok(store) => self.stores.push(store),
            Err(why) => self.faults.push(format!("{what}: {why}")),
        }
    }

    /// OpenSSL looks a certificate up by the hash of its subject (by_dir.c): HASH.0, then HASH.1, until one is missing.
    fn take_folder(&mut self, folder: &Path, what: &str) {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => return self.faults.push(format!("{what}: {} cannot be read: {error}", folder.display())),
        };
        let names: HashSet<OsString> = entries.filter_map(|entry| Some(entry.ok()?.file_name())).collect();
        let mut hashes: Vec<&str> = names.iter().filter_map(|name| first_of_hash(name)).collect();
        hashes.sort_unstable();
        if hashes.is_empty() {
            let folder = folder.display();
            let rehash = "OpenSSL finds no certificate in it; `openssl rehash` names them";
            self.faults.push(format!("{what}: {folder} has no file with a name such as 0a1b2c3d.0: {rehash}"));
        }
        for hash in hashes {
            let numbered = (0..).map(|number| format!("{hash}.{number}"));
            for name in numbered.take_while(|name| names.contains(OsStr::new(name))) {
                self.take_file(&folder.join(name), what);
            }
        }
    }

    /// All of them in one, or why there are none.
    pub(crate) fn store(&self) -> Result<RootStore, String> {
        RootStore::merged(SYSTEM, &self.stores).map_err(|_| {
            let none = "the system has no root certificates for sslrootcert=system";
            if self.faults.is_empty() { none.to_owned() } else { format!("{none}: {}", self.faults.join("; ")) }
        })
    }
}

/// The hash of a name such as `0a1b2c3d.0`.
fn first_of_hash(name: &OsStr) -> Option<&str> {
    let hash = name.to_str()?.strip_suffix(".0")?;
    (hash.len() == 8 && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))).then_some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostssl_probe::certificate::azure_bundle;

    fn found(file: Option<&Path>, folders: Option<&OsStr>, own: Option<&Path>) -> (usize, Vec<String>) {
        let roots = SystemRoots::at(file.map(Path::as_os_str), folders, own);
        (roots.store().map_or(0, |store| store.count()), roots.faults)
    }

    #[test]
    fn a_file_counts_as_a_whole() {
        let work = tempfile::tempdir().unwrap();
        let (good, bad) = (work.path().join("good.pem"), work.path().join("bad.pem"));
        let all = azure_bundle();
        let count = all.matches("BEGIN").count();
        fs::write(&good, &all).unwrap();
        fs::write(&bad, all.replace("-----END CERTIFICATE-----\n\n", "-----END CERTIFICATE-----")).unwrap();
        assert_eq!(found(Some(&good), None, None), (count, Vec::new()));
        let (none, faults) = found(Some(&bad), None, None);
        assert_eq!((none, faults.len()), (0, 1));
        assert!(faults[0].starts_with("SSL_CERT_FILE: malformed PEM"), "{faults:?}");
        let said = SystemRoots::at(Some(bad.as_os_str()), None, None).store().unwrap_err();
        assert!(said.contains("for sslrootcert=system: SSL_CERT_FILE: malformed PEM"), "{said}");
    }

    #[test]
    fn a_folder_has_what_is_found_by_its_hash() {
        let work = tempfile::tempdir().unwrap();
        let root = azure_bundle().split_inclusive("-----END CERTIFICATE-----\n").next().unwrap().to_owned();
        let folder = |name: &str, files: &[&str]| {
            let folder = work.path().join(name);
            fs::create_dir_all(folder.join("certs")).unwrap();
            files.iter().for_each(|file| fs::write(folder.join(file), &root).unwrap());
            folder
        };
        for (name, files, count) in [
            ("none", ["root.crt", "root.pem"], 0),
            ("hash", ["root.crt", "0a1b2c3d.0"], 1),
            ("two", ["0a1b2c3d.1", "0a1b2c3d.0"], 2),
            ("gap", ["0a1b2c3d.2", "0a1b2c3d.0"], 1),
            ("later", ["0a1b2c3d.1", "0a1b2c3d.r0"], 0),
            ("form", ["0A1B2C3D.0", "0a1b2c3.0"], 0),
        ] {
            let folder = folder(name, &files);
            let (roots, faults) = found(None, Some(folder.as_os_str()), None);
            assert_eq!((roots, faults.len()), (count, usize::from(count == 0)), "{name}: {faults:?}");
        }
        let own = folder("own", &["cert.pem", "certs/0a1b2c3d.0", "certs/root.crt"]);
        assert_eq!(found(None, None, Some(&own)).0, 2);
        let list = std::env::join_paths([work.path().join("hash"), work.path().join("missing")]).unwrap();
        let (roots, faults) = found(None, Some(&list), Some(&own));
        assert_eq!((roots, faults.len()), (2, 1), "{faults:?}");
    }
}
