//! Who may sign: the file `allowed_signers` of OpenSSH, section ALLOWED SIGNERS of `ssh-keygen(1)`.

use hostssl_model::{Advice, Fault, Hint};
use ssh_key::PublicKey;
use ssh_key::public::KeyData;

/// Keys, and whose they are.
#[derive(Debug, Clone, Default)]
pub struct AllowedSigners {
    keys: Vec<(String, KeyData)>,
}

/// A line of the file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct InvalidSigners {
    /// The line, from 1.
    line: usize,
    why: &'static str,
}

impl Advice for InvalidSigners {
    fn advice(&self) -> Hint {
        "correct the line, or check the signature with `ssh-keygen -Y verify`; a line is `NAME ssh-ed25519 KEY`".into()
    }

    fn fault(&self) -> Fault {
        Fault::Request
    }
}

impl AllowedSigners {
    /// Reads the file. Keys of other kinds than Ed25519 are left out; they cannot have signed a pack.
    ///
    /// # Errors
    ///
    /// [`InvalidSigners`] for the first line that is not understood, and for one with an option other than `namespaces`:
    /// to ignore it might accept what it forbids.
    pub fn read(text: &str) -> Result<Self, InvalidSigners> {
        let mut signers = Self::default();
        for (index, line) in text.lines().enumerate() {
            let line_is = line.trim();
            if line_is.is_empty() || line_is.starts_with('#') {
                continue;
            }
            let read = read_line(line_is).map_err(|why| InvalidSigners { line: index + 1, why })?;
            signers.keys.extend(read);
        }
        Ok(signers)
    }

    /// The names on the line of a key.
    pub(crate) fn name_of(&self, key: &KeyData) -> Option<&str> {
        self.keys.iter().find(|(_, known)| known == key).map(|(name, _)| name.as_str())
    }
}

/// The names and the key of a line; none for a key that cannot have signed a pack.
fn read_line(line: &str) -> Result<Option<(String, KeyData)>, &'static str> {
    let (names, mut rest) = word(line).ok_or("there is no key")?;
    let is_kind = |text: &str| text.starts_with("ssh-") || text.starts_with("ecdsa-") || text.starts_with("sk-");
    let mut for_files = true;
    if !is_kind(rest) {
        let (options, key) = word(rest).ok_or("there is no key")?;
        let namespaces =
            options.strip_prefix("namespaces=").ok_or("it has an option that hostssl does not evaluate")?;
        let list = namespaces.strip_prefix('"').and_then(|list| list.strip_suffix('"')).unwrap_or(namespaces);
        if list.contains(['"', '*', '?', '!']) {
            return Err("it has an option that hostssl does not evaluate");
        }
        for_files = list.split(',').any(|name| name == crate::NAMESPACE);
        rest = key;
    }
    // To ignore a pattern might accept what it forbids.
    if names.contains(['!', '*', '?']) {
        return Err("it has a pattern of names, which hostssl does not evaluate");
    }
    if !rest.starts_with("ssh-ed25519 ") || !for_files {
        return Ok(None);
    }
    let key = PublicKey::from_openssh(rest).map_err(|_| "the key cannot be read")?;
    Ok(Some((names.to_owned(), key.key_data().clone())))
}

/// The first word, in which quotation marks hold spaces together, and what follows it.
fn word(text: &str) -> Option<(&str, &str)> {
    let mut quoted = false;
    let end = text.find(|c: char| {
        quoted ^= c == '"';
        c.is_whitespace() && !quoted
    })?;
    let (first, rest) = text.split_at(end);
    Some((first, rest.trim_start())).filter(|(_, rest)| !rest.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";

    #[test]
    fn a_line_names_a_key_and_is_refused_where_it_is_not_understood() {
        let read = |text: &str| AllowedSigners::read(text).map(|signers| signers.keys.len());
        assert_eq!(read(&format!("# whom we trust\n\naudit@example.com,b@c {KEY} a comment\n")), Ok(1));
        assert_eq!(read(&format!("a@b namespaces=\"git,file\" {KEY}")), Ok(1));
        assert_eq!(read(&format!("a@b namespaces=\"git\" {KEY}")), Ok(0));
        for other in ["ecdsa-sha2-nistp256 AAAA", "ssh-rsa AAAA", "sk-ssh-ed25519@openssh.com AAAA"] {
            assert_eq!(read(&format!("a@b {other}\nc@d {KEY}")), Ok(1), "{other}");
        }
        for wrong in [
            "a@b",
            KEY,
            "a@b ssh-ed25519 x",
            &format!("a@b cert-authority {KEY}"),
            &format!("a@b valid-before=\"20200101\" {KEY}"),
            &format!("a@b namespaces=\"*\" {KEY}"),
            &format!("!a@b {KEY}"),
            &format!("*@example.com {KEY}"),
            &format!("a@b namespaces=\"file\",valid-before=\"20200101\" {KEY}"),
        ] {
            assert_eq!(read(wrong).unwrap_err().line, 1, "{wrong}");
        }
    }

    #[test]
    fn a_key_has_the_names_of_its_line() {
        let signers = AllowedSigners::read(&format!("audit@example.com {KEY}")).unwrap();
        let key = PublicKey::from_openssh(KEY).unwrap();
        assert_eq!(signers.name_of(key.key_data()), Some("audit@example.com"));
        assert_eq!(AllowedSigners::default().name_of(key.key_data()), None);
    }
}
