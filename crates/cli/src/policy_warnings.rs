//! Warnings of Azure Policy that would refuse clients.

use crate::args::{StateArgs, TerminalArgs};
use crate::state_patience::StatePatience;
use crate::stdout;
use hostssl_audit::Profile;
use hostssl_census::{Millis, Requirements};
use hostssl_formats::{SubscriptionNames, safe};
use hostssl_model::{AuditReport, Gap};
use hostssl_ops::{PolicyOverPlaintext, Tenant, policies_over_plaintext};
use jiff::Timestamp;

/// Servers that are told one by one.
const TOLD: usize = 10;

/// What a warning told of, so that it is not repeated unchanged.
pub(crate) type PoliciesTold = Option<(Vec<PolicyOverPlaintext>, Vec<Gap>)>;

/// Warns, with --quiet too, of policies that turn enforcement on for servers whose kept clients connect in plaintext; unless that
/// is what was told before.
pub(crate) async fn warn_of_policies(
    tenants: &[Tenant],
    report: &AuditReport,
    (state, simulated, patience): (&StateArgs, bool, StatePatience),
    profile: &Profile,
    terminal: &TerminalArgs,
    told: &mut PoliciesTold,
) {
    let window = Millis::from(profile.settings.observation_days) * 24 * 60 * 60 * 1_000;
    let requirements = Requirements { window, now: Some(Timestamp::now().as_millisecond()) };
    let evidence = state.censuses(simulated, patience);
    let (found, gaps) = policies_over_plaintext(tenants, report, evidence.as_deref(), requirements).await;
    if told.as_ref().is_some_and(|(policies, unread)| *policies == found && *unread == gaps) {
        return;
    }
    for PolicyOverPlaintext { server, clients, policies } in found.iter().take(TOLD) {
        let name = safe(server.name());
        let clients = match clients {
            1 => "1 client that connects in plaintext".to_owned(),
            clients => format!("{clients} clients that connect in plaintext"),
        };
        stderr!(
            "warning: Azure Policy ({}) turns enforcement on for {name} at its next remediation, which refuses {clients}",
            safe(&policies.join(", "))
        );
    }
    let more = found.len().saturating_sub(TOLD);
    if more > 0 {
        let servers = if more == 1 { "server" } else { "servers" };
        stderr!("warning: and for {more} more {servers}");
    }
    if !found.is_empty() {
        terminal.hint(&"`hostssl clients -o markdown` lists what each client has to change before that".into());
    }
    let names = SubscriptionNames::new(report.subscriptions.iter().map(|one| (one.id.as_str(), &*one.name)));
    stdout::warn_of_gaps(&gaps, &names, None, terminal);
    *told = Some((found, gaps));
}
