//! The clients of a server: who would be refused, where that is told before anything is changed, and that nothing known is
//! never an all-clear.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod estate;

use estate::{OFF, allowed, connector, ended, estate, key};
use hostssl_census::{Census, CensusLimits, KeptCensus, LogEnd, LogReader, SourceKind};
use hostssl_model::ResourceId;
use hostssl_store::AuditStore;
use hostssl_test_support::served_console::{HOSTILE, serve_over};
use jiff::Timestamp;
use std::fmt::Write as _;

const TLS: &str = "user=app database=shop SSL enabled (protocol=TLSv1.3, cipher=TLS_AES_256_GCM_SHA384, bits=256)";

/// A look at the log of so many hours until now, with this end of each line that authorizes.
fn look(hours: i64, rest: &[&str]) -> KeptCensus {
    look_between(hours, 0, rest)
}

/// The same of the hours from so many ago to so many ago.
fn look_between(from: i64, to: i64, rest: &[&str]) -> KeptCensus {
    let now = Timestamp::now().as_second();
    let mut log = String::new();
    for hour in (to..=from).rev() {
        let at = now - hour * 3_600;
        let time = Timestamp::from_second(at).unwrap().strftime("%Y-%m-%d %H:%M:%S").to_string();
        for (number, rest) in rest.iter().enumerate() {
            let _ =
                writeln!(log, "{time} UTC-{at:08x}.{number}-LOG:  connection received: host=10.0.0.{number} port=1");
            let _ = writeln!(log, "{time} UTC-{at:08x}.{number}-LOG:  connection authorized: {rest}");
        }
    }
    let mut reader = LogReader::new(Census::new(CensusLimits::default(), None), None);
    reader.begin(SourceKind::ArmLogFile, "log");
    reader.feed(log.as_bytes());
    reader.end(LogEnd::Whole);
    reader.finish().keep(now * 1_000)
}

/// Who tried in vain since TLS is enforced is on the tab, and changes no verdict.
#[tokio::test]
async fn who_was_refused_is_on_the_tab() {
    let simulation = estate();
    let served = serve_over(allowed(), connector(&simulation)).await;
    let visitor = served.visitor().await;
    visitor.audit().await;
    let tab = format!("/servers/{}/clients", key(&visitor, "pg-off").await);
    let now = Timestamp::now().as_second();
    let refusal = |number: i64, user: &str| {
        let time = Timestamp::from_second(now - number).unwrap().strftime("%Y-%m-%d %H:%M:%S").to_string();
        format!(
            "{time} UTC-{:08x}.{number}-FATAL:  no pg_hba.conf entry for host \"10.0.0.9\", user \"{user}\", database \"shop\", no encryption\n",
            now - number
        )
    };
    let mut reader = LogReader::new(Census::new(CensusLimits::default(), None), None);
    reader.begin(SourceKind::ArmLogFile, "log");
    reader.feed([refusal(9, "nightly"), refusal(5, "nightly"), refusal(3, HOSTILE)].concat().as_bytes());
    reader.end(LogEnd::Whole);
    let store = AuditStore::open(served.directory.path()).unwrap();
    let look_of_it = reader.finish().keep(now * 1_000);
    store.merge_censuses(vec![(ResourceId::try_from(OFF).unwrap(), look_of_it)]).unwrap();
    let page = visitor.get(&tab).await.body;
    for words in ["Refused because they did not use TLS", "nightly on shop", "10.0.0.9", ">2<", "no TLS since"] {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert!(!page.contains("clients would be refused") && !page.contains("<script>alert"), "{page}");
    // With a client that connected with TLS, and without any refusal, there is no such list.
    store
        .merge_censuses(vec![(
            ResourceId::try_from(OFF.replace("pg-off", "pg-off-2").as_str()).unwrap(),
            look(30, &[TLS]),
        )])
        .unwrap();
    let other = format!("/servers/{}/clients", key(&visitor, "pg-off-2").await);
    assert!(!visitor.get(&other).await.body.contains("Refused because"));
}

#[tokio::test]
async fn who_would_be_refused_is_told_before_anything_is_changed() {
    let simulation = estate();
    let served = serve_over(allowed(), connector(&simulation)).await;
    let visitor = served.visitor().await;
    visitor.audit().await;
    let off = key(&visitor, "pg-off").await;
    let (tab, security) = (format!("/servers/{off}/clients"), format!("/servers/{off}/connection-security"));
    // Nobody has looked: no page says that it is safe.
    assert!(visitor.get(&tab).await.body.contains("No client has been observed"));
    for page in [&security, &"/".to_owned()] {
        let body = visitor.get(page).await.body;
        assert!(body.contains("not observed enough") && !body.contains("safe to enforce"), "{body}");
    }

    let store = AuditStore::open(served.directory.path()).unwrap();
    let id = |name: &str| ResourceId::try_from(OFF.replace("pg-off", name).as_str()).unwrap();
    let plain = "user=report database=shop application_name=psycopg2 nightly";
    let hostile = format!("user=eve database=shop application_name={}", HOSTILE.replace(['\u{7}', '\u{202e}'], ""));
    store
        .merge_censuses(vec![(id("pg-off"), look(30, &[TLS, plain, &hostile])), (id("pg-off-2"), look(200, &[TLS]))])
        .unwrap();
    let page = visitor.get(&tab).await.body;
    for words in ["clients would be refused", "2 clients connect in plaintext", "report on shop", "10.0.0.1", "TLSv1.3"]
    {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert!(page.contains("sslmode=require") && page.contains("class=\"timeline\""), "{page}");
    assert!(!page.contains("<script>alert") && !page.contains("<img src=x"), "{page}");
    let told = visitor.get(&security).await.body;
    assert!(told.contains("<span>--subscription</span>"), "a command breaks between its words: {told}");
    assert!(told.contains("Who would be refused") && told.contains("report on shop, psycopg2"), "{told}");
    let overview = visitor.get("/").await.body;
    for words in ["1 safe to enforce", "1 with clients in plaintext", "1 whose clients were not observed enough"] {
        assert!(overview.contains(words), "{words}: {overview}");
    }
    assert!(overview.contains("with clients that would be refused"), "{overview}");
    let asked = visitor.post("/plans", "&all=1&view=enforcement%3Dnot-enforced").await;
    let plan = ended(&visitor, &asked).await.1.body;
    // The clients stand under the line that they are the reason for.
    let at = |words: &str| plan.find(words).unwrap_or_else(|| panic!("{words}: {plan}"));
    let refused = at("with clients that would be refused");
    assert!((refused..at("whose clients were not observed long enough")).contains(&at("report to shop, psycopg2")));
    let asked = visitor.post("/plans", "&accept=agreed&all=1&view=enforcement%3Dnot-enforced").await;
    let plan = ended(&visitor, &asked).await.1.body;
    let told = "1 with clients in plaintext · 1 with clients unknown";
    assert!(plan.contains(told) && plan.contains("breaks clients"), "{plan}");
    assert!(plan.contains("1 server has such clients") && plan.contains("report to shop, psycopg2"), "{plan}");
    let safe = key(&visitor, "pg-off-2").await;
    let page = visitor.get(&format!("/servers/{safe}/connection-security")).await.body;
    assert!(
        page.contains("safe to enforce") && page.contains("every client used TLS")
            || page.contains("Every client used TLS"),
        "{page}"
    );
}

#[tokio::test]
async fn a_client_that_was_not_observed_since_is_on_the_page_and_is_no_all_clear() {
    let simulation = estate();
    let served = serve_over(allowed(), connector(&simulation)).await;
    let visitor = served.visitor().await;
    visitor.audit().await;
    let off = key(&visitor, "pg-off").await;
    let (tab, security) = (format!("/servers/{off}/clients"), format!("/servers/{off}/connection-security"));
    let store = AuditStore::open(served.directory.path()).unwrap();
    let add = |look| store.merge_censuses(vec![(ResourceId::try_from(OFF).unwrap(), look)]).unwrap();
    let job = "user=report database=shop application_name=psycopg2 nightly";
    // It connected in plaintext until nine days ago, and not at all since.
    add(look_between(400, 216, &[TLS, job]));
    add(look_between(216, 0, &[TLS]));
    for page in [&tab, &security, &"/".to_owned()] {
        let body = visitor.get(page).await.body;
        assert!(body.contains("not observed enough") && !body.contains("safe to enforce"), "{page}: {body}");
    }
    let page = visitor.get(&tab).await.body;
    for words in
        ["report on shop", "not observed since", "1 client that connected in plaintext before", "sslmode=require"]
    {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert!(visitor.get(&security).await.body.contains("report on shop, psycopg2"));
    // Yesterday it came with TLS: the page says so, and who it was.
    add(look_between(20, 0, &[TLS, &format!("{job} {}", TLS.split_once("database=shop ").unwrap().1)]));
    let page = visitor.get(&tab).await.body;
    for words in ["safe to enforce", "with TLS since, last", "not with TLS</span>"] {
        assert!(page.contains(words), "{words}: {page}");
    }
}

#[tokio::test]
async fn a_look_for_clients_says_what_it_could_not_see() {
    let simulation = estate();
    let served = serve_over(allowed(), connector(&simulation)).await;
    let visitor = served.visitor().await;
    visitor.audit().await;
    let off = key(&visitor, "pg-off").await;
    let asked = visitor.post(&format!("/servers/{off}/look-for-clients"), "").await;
    let run = ended(&visitor, &asked).await;
    assert!(run.1.body.contains(&format!("/servers/{off}/clients")), "{}", run.1.body);
    let page = visitor.get(&format!("/servers/{off}/clients")).await.body;
    assert!(page.contains("Last read") && page.contains("not observed enough"), "{page}");
    assert!(
        page.contains("no log file") || page.contains("No log file") || page.contains("log files of Azure"),
        "{page}"
    );
    let kept = AuditStore::open(served.directory.path()).unwrap().census(&off).unwrap();
    assert!(kept.is_some(), "the look was not kept");
}
