//! Who may do what: every form of the console, posted by everyone.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod estate;

use estate::{allowed, apply, connector, ended, estate, save};
use hostssl_console::{ConsoleOptions, Proxies, Role, RoleHeader};
use hostssl_store::StoreReader;
use hostssl_test_support::served_console::{Served, Visitor, options, serve, serve_over};

/// Every address that takes a form, with the role that it needs.
const FORMS: [(&str, Role); 26] = [
    ("/links", Role::Viewer),
    ("/theme", Role::Viewer),
    ("/sign-out", Role::Viewer),
    ("/servers/x/waiver/x", Role::Viewer),
    ("/servers/x/probe", Role::Planner),
    ("/servers/x/look-for-clients", Role::Planner),
    ("/servers/x/who", Role::Planner),
    ("/zones/looks", Role::Planner),
    ("/zones/looks/remove", Role::Planner),
    ("/zones/x/targets", Role::Planner),
    ("/runs", Role::Planner),
    ("/runs/x/stop", Role::Planner),
    ("/servers/x/plan", Role::Planner),
    ("/plans", Role::Planner),
    ("/plans/x/stop", Role::Planner),
    ("/plans/x/again", Role::Planner),
    ("/plans/x/exclude", Role::Planner),
    ("/plans/x/canary", Role::Planner),
    ("/applies/x/stop", Role::Planner),
    ("/plans/x/approve", Role::Approver),
    ("/plans/x/withdraw", Role::Planner),
    ("/plans/x/apply", Role::Approver),
    ("/applies/x/undo", Role::Approver),
    ("/applies/x/resume", Role::Approver),
    ("/sessions", Role::Approver),
    ("/sessions/x/end", Role::Approver),
];

const PEOPLE: [(&str, Role); 3] = [("vera", Role::Viewer), ("paul", Role::Planner), ("ada", Role::Approver)];

fn with_people(options: ConsoleOptions) -> ConsoleOptions {
    ConsoleOptions { people: PEOPLE.map(|(name, role)| (name.to_owned(), role)).into(), ..options }
}

/// Signs in as one of the people.
async fn sign_in<'a>(served: &'a Served, name: &str) -> Visitor<'a> {
    let index = PEOPLE.iter().position(|(one, _)| *one == name).unwrap();
    let answer = served.press_sign_in(&served.links[index]).await;
    assert_eq!(answer.status, 303, "{}", answer.body);
    Visitor { served, cookie: answer.cookies() }
}

#[test]
fn every_form_is_in_the_table() {
    let routes = include_str!("../src/routes.rs");
    let posts =
        routes.lines().filter(|line| line.contains(".route(") && line.contains("post(") || line.contains(".post("));
    let mut paths: Vec<String> = posts
        .map(|line| {
            line.split('"')
                .nth(1)
                .unwrap()
                .replace("{key}", "x")
                .replace("{id}", "x")
                .replace("{run}", "x")
                .replace("{control}", "x")
        })
        .filter(|path| path != "/sign-in")
        .collect();
    let mut told: Vec<&str> = FORMS.iter().map(|(path, _)| *path).collect();
    paths.sort_unstable();
    told.sort_unstable();
    assert_eq!(paths, told);
}

#[tokio::test]
async fn a_role_allows_what_it_says_and_no_more() {
    let served = serve(with_people(allowed())).await;
    for (name, role) in PEOPLE {
        let visitor = sign_in(&served, name).await;
        for (path, needed) in FORMS.iter().filter(|(path, _)| *path != "/sign-out") {
            let answer = visitor.post(path, "").await;
            let refused = answer.body.contains("Your role does not allow this");
            assert_eq!(refused, role < *needed, "{name} {path}: {}", answer.body);
            assert_eq!(answer.status == 403, refused, "{name} {path}: {}", answer.body);
        }
        assert_eq!(visitor.get("/sessions").await.status, if role == Role::Approver { 200 } else { 403 });
        for path in ["/", "/resources", "/runs", "/plans", "/controls", "/resources/export?format=csv"] {
            assert_ne!(visitor.get(path).await.status, 403, "{name} {path}");
        }
        assert_eq!(visitor.post("/sign-out", "").await.status, 303);
    }
}

#[tokio::test]
async fn pages_offer_what_the_role_allows() {
    let simulation = estate();
    let served = serve_over(with_people(allowed()), connector(&simulation)).await;
    let (vera, paul, ada) =
        (sign_in(&served, "vera").await, sign_in(&served, "paul").await, sign_in(&served, "ada").await);
    ada.audit().await;
    let plan = save(&paul, "pg-off-2", "&enforcement=enabled").await;
    let key = estate::key(&ada, "pg-off-2").await;
    let tab = format!("/servers/{key}/connection-security");
    let has = async |visitor: &Visitor<'_>, path: &str, words: &str| visitor.get(path).await.body.contains(words);
    assert!(!has(&vera, "/", "Audit now").await && has(&paul, "/", "Audit now").await);
    assert!(!has(&vera, "/", "Plan to enforce").await && has(&paul, "/", "Plan to enforce").await);
    assert!(!has(&vera, &tab, "Review change").await && has(&paul, &tab, "Review change").await);
    for (visitor, applies) in [(&vera, false), (&paul, false), (&ada, true)] {
        assert_eq!(has(visitor, &plan.0, "name=\"hash\"").await, applies);
        assert_eq!(has(visitor, "/", "Sessions and access").await, applies);
    }
    assert!(has(&paul, &plan.0, "Send the address of this page to an approver").await);
    // One plans, another approves, and both names are kept.
    let page = ada.get(&plan.0).await;
    let run = ended(&ada, &apply(&ada, &(plan.0, page)).await).await;
    assert!(run.1.body.contains("<h1>Verified") && run.1.body.contains("by <bdi>ada</bdi>"), "{}", run.1.body);
    assert!(!paul.get(&run.0).await.body.contains("Undo…"));
    let runs = StoreReader::open(served.directory.path()).unwrap().runs().unwrap();
    assert_eq!(runs[0].principal.name, "ada via reader@contoso.example");
}

#[tokio::test]
async fn an_approver_gives_access_and_takes_it() {
    let served = serve(with_people(options())).await;
    let ada = sign_in(&served, "ada").await;
    assert!(ada.get("/").await.body.contains(">ada<"));
    for fields in ["&name=&role=viewer", "&name=a%E2%80%AEb&role=viewer", "&name=bob&role=admin", "&name=bob"] {
        assert_eq!(ada.post("/sessions", fields).await.status, 400, "{fields}");
    }
    let page = ada.post("/sessions", "&name=Bob+B.&role=planner").await;
    let link = page.body.split("<code data-origin>").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let shown = served.send("GET", &link, &[], "").await;
    assert!(shown.body.contains("<bdi>Bob B.</bdi></b>, planner"), "{}", shown.body);
    let bob = Visitor { served: &served, cookie: served.press_sign_in(&link).await.cookies() };
    assert!(bob.get("/").await.body.contains(">Bob B.<"));
    // A link for another browser gives nobody more than they have.
    let own = bob.post("/links", "").await.body;
    assert!(own.contains("<bdi>Bob B.</bdi></b>, planner"), "{own}");
    let list = ada.get("/sessions").await.body;
    let row = list.split("<tr>").find(|row| row.contains("Bob B.")).unwrap();
    assert!(row.contains("planner") && row.contains("link"), "{row}");
    assert!(!list.contains(bob.cookie.split_once('=').unwrap().1), "the secret is on the page");
    // His name is taken as long as he is there: approvals and the journal know no other.
    for fields in ["&name=bob+b.&role=approver", "&name=+Bob+B.&role=viewer"] {
        let taken = ada.post("/sessions", fields).await;
        assert!(
            taken.status == 409 && taken.body.contains("as planner. No link was made."),
            "{fields}: {}",
            taken.body
        );
    }
    assert_eq!(ada.post("/sessions", "&name=Bob+B.&role=planner").await.status, 200, "another browser of his");
    let end = row.split("action=\"").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(ada.post(end, "").await.status, 303);
    assert_eq!(bob.get("/").await.status, 401);
    assert_eq!(ada.get("/").await.status, 200);
}

#[tokio::test]
async fn a_proxy_says_what_a_person_may_do_and_every_time_anew() {
    let roles = RoleHeader { header: "x-groups".into(), grants: vec![("pg-admins".into(), Role::Approver)] };
    let addresses = vec!["127.0.0.1".parse().unwrap()];
    let proxies = Proxies { header: "x-user".into(), addresses, roles: Some(roles) };
    let served = serve(ConsoleOptions { proxies: Some(proxies), ..options() }).await;
    let as_member = |groups: &'static str, cookie: String| {
        let served = &served;
        async move {
            let lines = [("x-user", "ada"), ("x-groups", groups), ("cookie", cookie.as_str())];
            served.send("GET", "/sessions", &lines, "").await
        }
    };
    let admin = as_member("staff, pg-admins", String::new()).await;
    assert_eq!(admin.status, 200, "{}", admin.body);
    for groups in ["staff", "", "approver"] {
        assert_eq!(as_member(groups, admin.cookies()).await.status, 403, "{groups}");
    }
    // Where the proxy signs people in, there are no links.
    assert!(!admin.body.contains("Make a sign-in link"), "{}", admin.body);
}

#[tokio::test]
async fn whoever_opens_connections_and_says_nothing_keeps_nobody_out() {
    let served = serve(options()).await;
    let visitor = served.visitor().await;
    let mut silent = Vec::new();
    // More than the console holds at once.
    for _ in 0..600 {
        silent.push(tokio::net::TcpStream::connect(("127.0.0.1", served.port)).await.unwrap());
    }
    assert_eq!(visitor.get("/").await.status, 200);
    drop(silent);
}

#[tokio::test]
async fn a_long_list_of_sessions_has_pages() {
    let proxies = Proxies { header: "x-user".into(), addresses: vec!["127.0.0.1".parse().unwrap()], roles: None };
    let served = serve(ConsoleOptions { proxies: Some(proxies), ..allowed() }).await;
    for number in 0..119 {
        let name = format!("person {number}");
        assert_eq!(served.send("GET", "/controls", &[("x-user", name.as_str())], "").await.status, 200);
    }
    let first = served.send("GET", "/sessions", &[("x-user", "ada")], "").await;
    let (cookie, csrf) = (first.cookies(), first.csrf());
    let origin = format!("http://{}", served.host());
    let lines = [
        ("x-user", "ada"),
        ("cookie", cookie.as_str()),
        ("origin", origin.as_str()),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    let rows = |page: &str| page.matches("<tr><th scope=\"row\">").count();
    for (address, count, words) in [
        ("/sessions", 50, "1–50 of 120"),
        ("/sessions?page=2", 20, "101–120 of 120"),
        // Of a page that is no longer there, the last one.
        ("/sessions?page=99", 20, "101–120 of 120"),
    ] {
        let page = served.send("GET", address, &lines, "").await.body;
        assert!(rows(&page) == count && page.contains(words), "{address}: {page}");
    }
    assert_eq!(served.send("GET", "/sessions?page=-1", &lines, "").await.status, 400);
    let page = served.send("GET", "/sessions?page=2", &lines, "").await.body;
    let end = page.split("action=\"/sessions/").nth(1).unwrap().split('"').next().unwrap();
    assert!(page.contains("name=\"page\" value=\"2\""), "{page}");
    let ended = served.send("POST", &format!("/sessions/{end}"), &lines, &format!("csrf={csrf}&page=2")).await;
    assert_eq!((ended.status, ended.header("location")), (303, "/sessions?page=2"), "{}", ended.body);
    assert!(served.send("GET", "/sessions?page=2", &lines, "").await.body.contains("101–119 of 119"));
}
