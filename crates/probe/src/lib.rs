//! probe
mod answer;
pub mod attempt;
pub mod certificate;
mod facts;
pub mod report;
pub mod target;
mod transcript;
mod verdict;
