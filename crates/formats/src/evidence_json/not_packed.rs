//! What is not in an evidence pack, and why.

use super::EvidenceSummary;
use hostssl_model::ServerReport;

impl EvidenceSummary<'_> {
    /// Servers whose listeners the audit did not probe.
    #[must_use]
    pub fn not_probed(&self) -> usize {
        self.report.servers.iter().filter(|server| server.wire.is_empty()).count()
    }

    /// Of those, the ones that no look in the pack is about: not one of an earlier audit, and not a probe on its own.
    fn without_look(&self) -> usize {
        let is_held = |one: &ServerReport| self.looked_at_otherwise.contains(&one.server.id.to_lowercase());
        self.report.servers.iter().filter(|server| server.wire.is_empty() && !is_held(server)).count()
    }

    /// Servers whose listeners the audit probed.
    fn probed(&self) -> usize {
        self.report.servers.len().saturating_sub(self.not_probed())
    }

    /// Of those, the ones without a transcript of that.
    #[must_use]
    pub fn without_transcript(&self) -> usize {
        self.probed().saturating_sub(self.transcripts)
    }

    /// Which messages of the probes of audits are not there, if any.
    fn absent_messages(&self) -> Option<String> {
        let of_earlier = self.absent_messages_of_earlier();
        let of_this =
            if self.probed() == 0 && self.earlier_transcripts > 0 { None } else { self.absent_messages_of_this() };
        let sentences: Vec<String> = of_this.into_iter().chain(of_earlier).collect();
        (!sentences.is_empty()).then(|| sentences.join(" "))
    }

    /// Which messages of earlier looks are not there where some are.
    fn absent_messages_of_earlier(&self) -> Option<String> {
        let without = self.earlier.saturating_sub(self.earlier_transcripts);
        (self.earlier_transcripts > 0 && without > 0).then(|| {
            format!(
                "The messages of {without} of {} earlier looks: no connection was made from here, or their transcript was \
                 not kept.",
                self.earlier
            )
        })
    }

    /// Which messages of the audit's own probes are not there, if any.
    fn absent_messages_of_this(&self) -> Option<String> {
        let (without, probed) = (self.without_transcript(), self.probed());
        let looks =
            |server: &ServerReport, from_zone: bool| server.wire.iter().any(|look| look.vantage.is_some() == from_zone);
        let zoned = self.report.servers.iter().filter(|server| looks(server, true)).count();
        let has_own = zoned == 0 || self.report.servers.iter().any(|server| looks(server, false));
        let without = match self.transcripts {
            // A transcript would not have had what zones see.
            0 => has_own.then(|| {
                "The messages that the audit's own probes exchanged: no transcript was kept. An audit keeps what each listener \
                 did; `hostssl audit --probe --transcript` keeps the messages too."
                    .to_owned()
            }),
            _ => (without > 0).then(|| {
                format!(
                    "The messages of {without} of {probed} servers that the audit probed: no connection was made to them from \
                     here, or their transcript was not kept."
                )
            }),
        };
        let zoned = (zoned > 0).then(|| {
            format!(
                "The messages of looks from zones, by probers or in files of looks, which observed {zoned} of {probed} servers: \
                 zones keep no transcript."
            )
        });
        let sentences: Vec<String> = without.into_iter().chain(zoned).collect();
        (!sentences.is_empty()).then(|| sentences.join(" "))
    }

    fn absent_certificates(&self) -> String {
        let kept = "Certificates as the servers sent them. An audit keeps the expiry of each, the root of its chain, and whether \
                    verify-full accepts it";
        let more = match (self.transcripts, self.earlier_transcripts) {
            (0, 0) => "",
            (0, _) => "; the transcripts in `earlier` have its subject, issuer and key",
            _ => "; `transcripts` has its subject, issuer and key",
        };
        format!("{kept}{more}.")
    }

    /// What is not in the pack, and why: a stable word and a sentence each.
    #[must_use]
    pub fn absent(&self) -> Vec<(&'static str, String)> {
        let servers = self.report.servers.len();
        let without_clients = servers.saturating_sub(self.clients);
        let responses = "Azure's whole responses. Of each, hostssl keeps the part that declares the setting; it is in the files \
                         of the servers, as it was received.";
        let messages = self.absent_messages().map(|text| ("transcripts", text));
        let always = [
            ("plans-not-applied", "Plans that were never applied. hostssl keeps a plan when it is applied."),
            (
                "other-changes",
                "Changes that were not made by hostssl. Azure's activity log has them, and `hostssl diff --who` \
                 shows them.",
            ),
        ]
        .map(|(word, text)| (word, text.to_owned()));
        let sometimes = [
            (
                self.without_look() > 0,
                "probes",
                format!(
                    "Proof from the network for {} of {servers} servers, which this audit did not probe{}.",
                    self.without_look(),
                    if self.without_look() < self.not_probed() { ", nor any other look in this pack" } else { "" }
                ),
            ),
            (
                without_clients > 0,
                "clients",
                format!("The clients of {without_clients} of {servers} servers: no observation of them is kept."),
            ),
            (
                self.runs == 0,
                "runs",
                "Changes by hostssl: no run that changed a server of this audit is kept.".to_owned(),
            ),
            (
                self.report.overlay.waivers.is_none(),
                "waivers",
                "Waivers: no file of them was given when the pack was made.".to_owned(),
            ),
        ];
        let missing =
            self.missing.iter().map(|one| ("damaged", format!("All or a part of {}: {}.", one.what, one.why)));
        missing
            .chain([("whole-responses", responses.to_owned())])
            .chain(messages)
            .chain([("certificates", self.absent_certificates())])
            .chain(always)
            .chain(sometimes.into_iter().filter(|(is_absent, ..)| *is_absent).map(|(_, word, text)| (word, text)))
            .collect()
    }
}
