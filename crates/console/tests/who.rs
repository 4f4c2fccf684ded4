//! Who changed a server, on its *History*: the Activity Log is read when someone asks for it.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hostssl_azure_sim::{Actor, Fault, FaultRule, FaultScope, Operation};
use hostssl_test_support::served_console::{connector, options, serve_over, simulation};
use jiff::Timestamp;
use std::time::Duration;

#[tokio::test]
async fn a_history_says_who_did_it_once_the_log_was_read() {
    let simulation = simulation(Duration::ZERO);
    let served = serve_over(options(), connector(simulation.clone())).await;
    let visitor = served.visitor().await;
    visitor.audit().await;
    let id = simulation.server_ids().into_iter().find(|id| id.contains("/flexibleServers/")).unwrap();
    let name = id.rsplit('/').next().unwrap();
    let list = visitor.get(&format!("/resources?q={name}")).await.body;
    let key = list.split("href=\"/servers/").nth(1).unwrap().split(['"', '/', '?']).next().unwrap().to_owned();
    let history = format!("/servers/{key}/history");
    let switch = "require_secure_transport";
    let other = if simulation.parameter(&id, switch).unwrap().eq_ignore_ascii_case("on") { "off" } else { "on" };
    simulation.set_parameter(&id, switch, other).unwrap();
    let ann = Actor::Person("ann@contoso.example".into());
    simulation.log_past_write(&id, Some(switch), Timestamp::now(), ann).unwrap();
    visitor.audit().await;
    let unread = visitor.get(&history).await.body;
    assert!(unread.contains("The Activity Log says who did.") && !unread.contains("ann@contoso.example"), "{unread}");

    let sent = visitor.post(&format!("/servers/{key}/who"), "").await;
    assert_eq!(sent.status, 303, "{}", sent.body);
    let read = visitor.get(&history).await.body;
    assert!(read.contains("Changed by ann@contoso.example (Azure portal), "), "{read}");
    assert!(read.contains("Activity Log read from"), "{read}");

    let rule = FaultRule::new(FaultScope::Everywhere, Fault::Forbidden).during([Operation::ListActivity]);
    simulation.inject(rule).unwrap();
    visitor.post(&format!("/servers/{key}/who"), "").await;
    let refused = visitor.get(&history).await.body;
    let why = "reading the Activity Log needs Microsoft.Insights/eventtypes/values/read";
    assert!(refused.contains(&format!("Who made it is not known: {why}.")), "{refused}");
    assert!(refused.contains(&format!("Incomplete: {why}.")), "{refused}");
}
