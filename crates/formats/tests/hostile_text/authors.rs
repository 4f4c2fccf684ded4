//! Who made changes, with texts from outside wherever the Activity Log has some.

use crate::Outputs;
use hostssl_audit::{Diff, Who, WhoUnknown};
use hostssl_formats::server_history_text::{RunWrite, ServerEvent, ServerHistory};
use hostssl_formats::{Text, diff_json, diff_text, server_history_json, server_history_text, watch_message, who_text};
use hostssl_model::{Act, Activity, ActivityEnd, AuditReport, Caller, CallerKind, Reason, Unchecked};
use hostssl_test_support::hostile::hostile;

pub(crate) fn of_authors(all: &mut Outputs, before: &AuditReport, after: &AuditReport, mut compared: Diff<'_>) {
    let (text, words) = (Text::plain(), hostile());
    let server = compared.changes[0].server.id.clone();
    let by = |kind| Activity {
        server: server.clone(),
        at: words.as_str().into(),
        act: Act::Setting(words.as_str().into()),
        operation: words.as_str().into(),
        end: ActivityEnd::Unknown,
        caller: Caller { kind, name: words.as_str().into(), object_id: Some(words.as_str().into()), tool: None },
        requests: Vec::new(),
    };
    let activities = [CallerKind::Person, CallerKind::Application, CallerKind::ManagedIdentity].map(by);
    let mut unread = Unchecked::new(Reason::AzureError, words.as_str());
    let unknown = [Who::NotKnown(WhoUnknown::Unread(unread.clone())), Who::Known(activities.to_vec())];
    for (change, who) in compared.changes.iter_mut().zip(unknown.iter().cycle()) {
        change.who = Some(who.clone());
    }
    all.add("diff_text who", |out| diff_text::write(out, before, after, &compared, &text));
    all.add("diff_json who", |out| diff_json::write(out, before, after, &compared));
    all.add("watch_message slack who", |out| write!(out, "{}", watch_message::slack(after, &compared)));
    all.add("watch_message teams who", |out| write!(out, "{}", watch_message::teams(after, &compared)));
    all.add("who_text", |out| unknown.iter().try_for_each(|who| writeln!(out, "{}", who_text::words(who))));
    unread.missing_permission = Some(words.as_str().into());
    let run = || RunWrite {
        run: &words,
        by: &words,
        at: words.clone(),
        setting: &words,
        before: &words,
        after: &words,
        undo: false,
    };
    let events = [
        ServerEvent { operation: Some(&activities[0]), run: Some(run()) },
        ServerEvent { operation: None, run: Some(run()) },
    ];
    let history = ServerHistory {
        server: &server,
        cloud: "AzureCloud",
        since: words.clone(),
        until: words.clone(),
        unread: Some(&unread),
        entries: events.into(),
    };
    all.add("server_history_text", |out| server_history_text::write(out, &history, &text));
    all.add("server_history_json", |out| server_history_json::write(out, &history));
    all.add_value("server_history_json", &server_history_json::value(&history).unwrap());
}
