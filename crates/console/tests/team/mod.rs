//! The people of two consoles of one state.

use super::estate::{allowed, connector};
use hostssl_azure_sim::Simulation;
use hostssl_console::{ConsoleOptions, Role};
use hostssl_test_support::served_console::{HttpAnswer, Served, Visitor, serve_in, serve_over};

pub(crate) const PEOPLE: [(&str, Role); 4] =
    [("paul", Role::Planner), ("ada", Role::Approver), ("bob", Role::Approver), ("eve", Role::Approver)];

/// Behind one address, as two replicas are, with so many approvals.
pub(crate) fn team(approvals: u32) -> ConsoleOptions {
    let people = PEOPLE.map(|(name, role)| (name.to_owned(), role)).into();
    ConsoleOptions { people, approvals, hosts: vec!["console.example".into()], ..allowed() }
}

pub(crate) async fn two(simulation: &Simulation, approvals: u32) -> (Served, Served) {
    let one = serve_over(team(approvals), connector(simulation)).await;
    let two = serve_in(one.directory.clone(), team(approvals), connector(simulation)).await;
    (one, two)
}

pub(crate) async fn sign_in<'a>(served: &'a Served, name: &str) -> Visitor<'a> {
    let index = PEOPLE.iter().position(|(one, _)| *one == name).unwrap();
    let answer = served.press_sign_in(&served.links[index]).await;
    assert_eq!(answer.status, 303, "{}", answer.body);
    Visitor { served, cookie: answer.cookies() }
}

/// The same person at another console: the cookie has the port in its name.
pub(crate) fn at<'a>(visitor: &Visitor<'_>, served: &'a Served) -> Visitor<'a> {
    let secret = visitor.cookie.split_once('=').unwrap().1;
    Visitor { served, cookie: format!("hostssl-{}={secret}", served.port) }
}

pub(crate) async fn approve(visitor: &Visitor<'_>, plan: &(String, HttpAnswer)) -> HttpAnswer {
    let hash = hash_of(&plan.1.body);
    visitor.post(&format!("{}/approve", plan.0), &format!("&hash={hash}")).await
}

pub(crate) fn hash_of(page: &str) -> String {
    let behind = page.split_once("<dt>Hash</dt><dd class=\"mono break\">").unwrap().1;
    behind.split_whitespace().next().unwrap().to_owned()
}
