//! The sections of a file in PEM, read line by line as OpenSSL 3 reads them for libpq (PEM_read_bio, crypto/pem/pem_lib.c): it refuses
//! what more lenient readers take, and a file that it refuses trusts no one.

/// What is wrong with a file, and in which line, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PemFault {
    pub(crate) line: usize,
    pub(crate) why: &'static str,
}

/// What is between a line of BEGIN and its line of END.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PemSection {
    /// The line of BEGIN, from 1.
    pub(crate) line: usize,
    pub(crate) label: Vec<u8>,
    /// The lines before the first empty one, where there is an empty one.
    pub(crate) header: Vec<u8>,
    pub(crate) data: Vec<u8>,
}

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const TAIL: &[u8] = b"-----";

/// The most bytes that are read as one line (LINESIZE, without the NUL).
const LONGEST_LINE: usize = 254;

/// The length of full lines of base64. Behind a header, only the last line may be shorter, and none longer.
const FULL_LINE: usize = 64;

/// All sections, up to where OpenSSL finds no further line of BEGIN.
pub(crate) fn sections(pem: &[u8]) -> Result<Vec<PemSection>, PemFault> {
    let mut lines = Lines { rest: pem, line: 1, is_partial: false };
    let mut found = Vec::new();
    while let Some((line, label)) = next_label(&mut lines) {
        found.push(section(&mut lines, line, label)?);
    }
    Ok(found)
}

/// The next line of BEGIN, and its label. Other lines are skipped, whatever they hold.
fn next_label(lines: &mut Lines<'_>) -> Option<(usize, Vec<u8>)> {
    let mut is_first = true;
    loop {
        let (line, text) = lines.next()?;
        // A mark of UTF-8 is skipped at the beginning of the file, and behind a section.
        let text = text.strip_prefix(b"\xef\xbb\xbf").filter(|_| is_first && text.len() > 3).unwrap_or(text);
        is_first = false;
        if let Some(label) = trimmed(text).strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(TAIL)) {
            return Some((line, label.to_vec()));
        }
    }
}

/// The section of the line of BEGIN that was read (get_header_and_data).
fn section(lines: &mut Lines<'_>, begun: usize, label: Vec<u8>) -> Result<PemSection, PemFault> {
    /// Where the lines belong, as far as is known.
    #[derive(PartialEq)]
    enum Part {
        Unknown,
        Header,
        Data,
    }
    let mut part = Part::Unknown;
    let (mut before, mut behind, mut was_short) = (Vec::new(), Vec::new(), false);
    loop {
        let continues = lines.is_partial;
        let (line, text) = lines.next().ok_or(PemFault { line: begun, why: "the section does not end" })?;
        let fault = |why| Err(PemFault { line, why });
        if part == Part::Unknown && text.contains(&b':') {
            part = Part::Header;
        }
        let text = trimmed(text);
        if text.is_empty() {
            if !continues && part == Part::Data {
                return fault("an empty line within the section");
            }
            if !continues {
                part = Part::Data;
            }
            continue;
        }
        if let Some(end) = text.strip_prefix(END) {
            if end.strip_prefix(label.as_slice()) != Some(TAIL) {
                return fault("not the line that ends the section");
            }
            break;
        }
        if part == Part::Data {
            if was_short || text.len() > FULL_LINE {
                return fault("behind an empty line, lines have 64 characters");
            }
            was_short = text.len() < FULL_LINE;
        }
        let into = if part == Part::Data { &mut behind } else { &mut before };
        into.extend([text, b"\n"].concat());
    }
    let (header, base64) = if part == Part::Unknown { (Vec::new(), before) } else { (before, behind) };
    let fault = |why| PemFault { line: begun, why };
    let data = decoded(&base64).ok_or_else(|| fault("the section is no base64"))?;
    if data.is_empty() {
        return Err(fault("the section has no data, or an empty line behind it"));
    }
    Ok(PemSection { line: begun, label, header, data })
}

/// Without spaces and control characters at its end. OpenSSL takes bytes above 127 for negative where `char` is signed, as on x86.
fn trimmed(mut line: &[u8]) -> &[u8] {
    while let [start @ .., 0..=b' ' | 0x80..] = line {
        line = start;
    }
    line
}

/// Base64 as EVP_DecodeUpdate reads it: white space may be anywhere, a hyphen ends it, and there is nothing behind the padding.
fn decoded(text: &[u8]) -> Option<Vec<u8>> {
    let (mut found, mut bits, mut digits, mut padding) = (Vec::new(), 0u32, 0usize, 0usize);
    for byte in text {
        let six = match byte {
            b' ' | b'\t' | b'\n' | b'\r' => continue,
            b'-' => break,
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => 0,
            _ => return None,
        };
        if *byte == b'=' {
            padding += 1;
        } else if padding > 0 {
            return None;
        }
        digits += 1;
        bits = bits << 6 | u32::from(six);
        if digits.is_multiple_of(4) {
            found.extend(bits.to_be_bytes().into_iter().skip(1));
            bits = 0;
        }
    }
    let length = found.len().checked_sub(padding)?;
    found.truncate(length);
    (digits.is_multiple_of(4) && padding <= 2).then_some(found)
}

/// Lines as BIO_gets hands them out: what is longer than its buffer comes in parts, and a NUL hides the rest of its line.
struct Lines<'a> {
    rest: &'a [u8],
    line: usize,
    /// Whether the last one was the beginning of a longer line.
    is_partial: bool,
}

impl<'a> Lines<'a> {
    /// The next one with its number. `None` at the end, and where a line begins with NUL, which OpenSSL takes for the end.
    fn next(&mut self) -> Option<(usize, &'a [u8])> {
        let bound = self.rest.len().min(LONGEST_LINE);
        let newline = self.rest.iter().take(bound).position(|&byte| byte == b'\n');
        let (text, rest) = self.rest.split_at_checked(newline.map_or(bound, |at| at + 1))?;
        let number = self.line;
        self.rest = rest;
        self.line += usize::from(newline.is_some());
        let text = text.split(|&byte| byte == 0).next().unwrap_or_default();
        self.is_partial = newline.is_none() && text.len() == LONGEST_LINE;
        (!text.is_empty()).then_some((number, text))
    }
}
