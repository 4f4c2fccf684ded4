//! Names of files in a pack: no name from outside can leave the folder, steer a terminal or hide another file.

/// The longest name of a file in a pack.
const LONGEST: usize = 200;
/// Letters of a name that a file keeps: all those of a server or a run.
const KEPT: usize = 64;

/// A name from outside as a part of a file's name: in lower case, so that no two files are one on a disk that ignores case.
/// Names that may differ in other letters need a key behind it.
pub(crate) fn readable(name: &str) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c.to_ascii_lowercase() } else { '_' };
    name.chars().take(KEPT).map(letter).collect()
}

/// Whether a name can be that of a file in a pack: letters, digits, `.`, `-` and `_` in parts that are not hidden.
pub(crate) fn is_safe(name: &str) -> bool {
    let is_letter = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    let is_part = |part: &str| !part.is_empty() && !part.starts_with('.') && part.bytes().all(is_letter);
    name.len() <= LONGEST && name.split('/').all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leaves_the_folder_or_hides_another() {
        for name in ["../../etc/passwd", "a\u{202e}b", "CON", "a/b\\c", "", ".", "\u{1b}[2J", "é".repeat(500).as_str()]
        {
            let file = format!("servers/{}-0123.json", readable(name));
            assert!(is_safe(&file), "{file}");
            assert_eq!(file, file.to_lowercase());
        }
        for bad in ["", "/a", "a//b", "../a", "a/..", ".a", "a\\b", "a b", "a\n", "é", "a/", &"a".repeat(300)] {
            assert!(!is_safe(bad), "{bad:?}");
        }
    }
}
