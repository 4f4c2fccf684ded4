//! A form with a file (RFC 7578): one file, small fields, and nothing else.

use super::fields::Fields;
use axum::body::Bytes;

/// The longest boundary that a browser may send (RFC 2046, 5.1.1).
const MAX_BOUNDARY: usize = 70;
/// Parts of a form, at most: more than any form of the console has.
const MAX_PARTS: usize = 16;
/// The largest field that is not a file, in bytes.
const MAX_FIELD: usize = 4 << 10;
/// The longest header of a part, in bytes.
const MAX_HEAD: usize = 4 << 10;

/// The file of a form that passed.
#[derive(Debug, Clone)]
pub(crate) struct Upload(pub(crate) Bytes);

/// The boundary that a `Content-Type` names.
pub(crate) fn boundary_of(kind: &str) -> Option<&str> {
    let (essence, parameters) = kind.split_once(';')?;
    if !essence.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let boundary = parameters.split(';').find_map(|one| one.trim().strip_prefix("boundary="))?.trim_matches('"');
    let is_ok = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=?".contains(&byte);
    ((1..=MAX_BOUNDARY).contains(&boundary.len()) && boundary.bytes().all(is_ok)).then_some(boundary)
}

/// The fields and the file of a form; `None` for what no browser sends.
pub(crate) fn read_form(body: &Bytes, boundary: &str) -> Option<(Fields, Upload)> {
    let mark = format!("--{boundary}");
    let between = format!("\r\n{mark}");
    let mut rest = body.strip_prefix(mark.as_bytes())?;
    let (mut fields, mut upload) = (Vec::new(), None);
    for _ in 0..MAX_PARTS {
        if rest.starts_with(b"--") {
            return Some((Fields::from(fields), Upload(upload?)));
        }
        let part = rest.strip_prefix(b"\r\n")?;
        let head_end = find(part.get(..part.len().min(MAX_HEAD))?, b"\r\n\r\n")?;
        let (head, content) = (std::str::from_utf8(part.get(..head_end)?).ok()?, part.get(head_end + 4..)?);
        let end = find(content, between.as_bytes())?;
        let value = content.get(..end)?;
        let (name, is_file) = disposition(head)?;
        if is_file {
            if upload.replace(body.slice_ref(value)).is_some() {
                return None;
            }
        } else if value.len() <= MAX_FIELD {
            fields.push((name, String::from_utf8(value.to_vec()).ok()?));
        } else {
            return None;
        }
        rest = content.get(end + between.len()..)?;
    }
    None
}

/// The name of a part, and whether it is a file.
fn disposition(head: &str) -> Option<(String, bool)> {
    let line = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("content-disposition").then(|| value.trim())
    })?;
    let behind = line.strip_prefix("form-data;")?;
    let name = behind.split(';').find_map(|one| one.trim().strip_prefix("name=\""))?.strip_suffix('"')?;
    Some((name.to_owned(), behind.contains("; filename=")))
}

/// Where `wanted` begins in `text`.
fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    let first = *wanted.first()?;
    let mut from = 0;
    // A file may have millions of bytes, and few of them begin what is looked for.
    while let Some(at) = text.get(from..)?.iter().position(|byte| *byte == first) {
        if text.get(from + at..)?.starts_with(wanted) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(parts: &[(&str, &str)], end: &str) -> Bytes {
        let part =
            |(head, value): &(&str, &str)| format!("--B\r\nContent-Disposition: form-data; {head}\r\n\r\n{value}\r\n");
        Bytes::from(parts.iter().map(part).collect::<String>() + end)
    }

    #[test]
    fn a_form_has_its_fields_and_its_file() {
        let text = "{\"a\": \"--B\"}\r\n--not the end\r\n";
        let body =
            form(&[("name=\"csrf\"", "t"), ("name=\"file\"; filename=\"a\\\"; name=.json\"", text)], "--B--\r\n");
        let (fields, file) = read_form(&body, "B").unwrap();
        assert_eq!((fields.value("csrf"), &file.0[..]), ("t", text.as_bytes()));
    }

    #[test]
    fn what_no_browser_sends_is_no_form() {
        let file = ("name=\"file\"; filename=\"a\"", "x");
        for (what, body) in [
            ("no end", form(&[file], "")),
            ("no file", form(&[("name=\"csrf\"", "t")], "--B--")),
            ("two files", form(&[file, file], "--B--")),
            ("a large field", form(&[("name=\"csrf\"", &"t".repeat(MAX_FIELD + 1)), file], "--B--")),
            ("many parts", form(&[("name=\"a\"", "t"); MAX_PARTS], "--B--")),
            ("no name", form(&[("filename=\"a\"", "x")], "--B--")),
            ("text in front", Bytes::from([b"x".as_slice(), &form(&[file], "--B--")].concat())),
            ("nothing", Bytes::new()),
        ] {
            assert!(read_form(&body, "B").is_none(), "{what}");
        }
    }

    #[test]
    fn a_boundary_is_read_from_the_type() {
        assert_eq!(boundary_of("multipart/form-data; boundary=----WebKit1"), Some("----WebKit1"));
        assert_eq!(boundary_of("Multipart/Form-Data; charset=x; boundary=\"a b\""), None);
        assert_eq!(boundary_of("multipart/form-data; boundary=\"ab\""), Some("ab"));
        for kind in
            ["multipart/mixed; boundary=a", "multipart/form-data", "multipart/form-data; boundary=", "text/plain"]
        {
            assert_eq!(boundary_of(kind), None, "{kind}");
        }
    }
}
