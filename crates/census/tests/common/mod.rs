//! What the tests of logs share.
#![allow(unreachable_pub, dead_code, reason = "a module of several tests, each of which uses its own part")]

use hostssl_census::{Census, CensusLimits, LogEnd, LogReader, SourceKind};

/// What is known after files, by name, were read whole and in this order.
pub fn census_of<N: Into<String>, T: AsRef<[u8]>>(files: impl IntoIterator<Item = (N, T)>) -> Census {
    let mut reader = LogReader::new(Census::new(CensusLimits::default(), None), None);
    for (name, text) in files {
        reader.begin(SourceKind::LogFile, name);
        reader.feed(text.as_ref());
        reader.end(LogEnd::Whole);
    }
    reader.finish()
}

/// The same of files that have no names of their own.
pub fn census_of_unnamed<T: AsRef<[u8]>>(files: impl IntoIterator<Item = T>) -> Census {
    census_of(files.into_iter().enumerate().map(|(number, file)| (format!("file {number}"), file)))
}
