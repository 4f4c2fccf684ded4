//! Metrics in the text format of Prometheus, version 0.0.4 (Prometheus, "Exposition formats"), which textfile collectors and
//! OpenTelemetry read, too.

use crate::safe;
use std::io::{self, Write};

/// The media type.
pub const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A metric with its samples. All of hostssl's are gauges: each is what the newest look showed.
pub(crate) struct MetricFamily {
    name: &'static str,
    help: &'static str,
    /// Labels as they are written, and values. Whole numbers alone: seconds of this century have more digits than some tools
    /// print of a float.
    samples: Vec<(String, i64)>,
}

impl MetricFamily {
    pub(crate) fn new(name: &'static str, help: &'static str) -> Self {
        Self { name, help, samples: Vec::new() }
    }

    /// Adds a sample with its labels. What is not known has no sample, so that it is not taken for a value.
    pub(crate) fn add(&mut self, labels: &[(&str, &str)], value: i64) {
        let pairs: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let labels = if pairs.is_empty() { String::new() } else { format!("{{{}}}", pairs.join(",")) };
        self.samples.push((labels, value));
    }

    /// The same with one sample, if there is a value.
    pub(crate) fn with(mut self, labels: &[(&str, &str)], value: impl Into<Option<i64>>) -> Self {
        if let Some(value) = value.into() {
            self.add(labels, value);
        }
        self
    }
}

/// Writes the families that have a sample.
pub(crate) fn write_families(out: &mut dyn Write, families: &[MetricFamily]) -> io::Result<()> {
    for family in families.iter().filter(|family| !family.samples.is_empty()) {
        let name = family.name;
        writeln!(out, "# HELP {name} {}\n# TYPE {name} gauge", family.help)?;
        for (labels, value) in &family.samples {
            writeln!(out, "{name}{labels} {value}")?;
        }
    }
    Ok(())
}

/// The value of a label: a backslash, a quote and a line feed are escaped; harmful characters do not come out.
fn escaped(value: &str) -> String {
    safe(value).replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_cannot_end_its_line() {
        let family = MetricFamily::new("hostssl_x", "X.").with(&[("a", "q\"\\\n} 1"), ("b", "")], 7);
        let empty = MetricFamily::new("hostssl_y", "Y.").with(&[], None);
        let mut out = Vec::new();
        write_families(&mut out, &[family, empty]).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(
            text,
            "# HELP hostssl_x X.\n# TYPE hostssl_x gauge\nhostssl_x{a=\"q\\\"\\\\\u{fffd}} 1\",b=\"\"} 7\n"
        );
    }
}
