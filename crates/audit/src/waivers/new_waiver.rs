//! A waiver that is to be written, as it stands in a file.

use super::{InvalidWaivers, read_waivers};
use hostssl_model::Waiver;
use jiff::civil::Date;
use toml::Value;

/// A waiver that is to be written.
#[derive(Debug, Clone)]
pub struct NewWaiver<'a> {
    /// The control.
    pub control: &'a str,
    /// The id of a server, a resource group or a subscription.
    pub scope: &'a str,
    /// Who is responsible for the server.
    pub owner: &'a str,
    /// Why the failure is accepted.
    pub reason: &'a str,
    /// Who has accepted it.
    pub approvers: &'a [String],
    /// The last day on which it is valid.
    pub expires: &'a str,
    /// What protects the data in the meantime.
    pub compensating_control: Option<&'a str>,
    /// Where it was decided.
    pub ticket: Option<&'a str>,
}

/// A waiver that would waive nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefusedWaiver {
    /// It could not be read from a file.
    Invalid(InvalidWaivers),
    /// It would not be in effect.
    NotInEffect(Box<Waiver>),
}

impl NewWaiver<'_> {
    /// The entry of the file, if it would be in effect there: by the rules that [`read_waivers`] reads files by.
    ///
    /// # Errors
    ///
    /// [`RefusedWaiver`] for one that would waive nothing.
    pub fn to_toml_in_effect(&self, today: Date, longest_days: u32) -> Result<String, RefusedWaiver> {
        let entry = self.to_toml();
        let read = read_waivers(&entry, today, longest_days).map_err(RefusedWaiver::Invalid)?;
        match read.into_iter().find(|waiver| !waiver.is_in_effect()) {
            Some(waiver) => Err(RefusedWaiver::NotInEffect(Box::new(waiver))),
            None => Ok(entry),
        }
    }

    /// The entry of the file.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let text = |text: &str| Value::from(text).to_string();
        let approver = match self.approvers {
            [one] => text(one),
            several => Value::from(several.to_vec()).to_string(),
        };
        let always = [
            ("control", text(self.control)),
            ("scope", text(self.scope)),
            ("owner", text(self.owner)),
            ("reason", text(self.reason)),
            ("approver", approver),
            ("expires", text(self.expires)),
        ];
        let sometimes = [("compensating-control", self.compensating_control), ("ticket", self.ticket)];
        let sometimes = sometimes.into_iter().filter_map(|(name, value)| Some((name, text(value?))));
        always
            .into_iter()
            .chain(sometimes)
            .fold("[[waiver]]\n".to_owned(), |entry, (name, value)| entry + name + " = " + &value + "\n")
    }
}
