use super::*;
use hostssl_probe::report::WireVerdict;
use hostssl_test_support::corpus::{corpus, smoke};
use proptest::prelude::*;
use serde_json::json;

fn look(host: &str) -> EndpointReport {
    let text = json!({
        "target": host, "host": host, "port": 5432, "address": null, "verdict": "unreachable", "reason": "no way",
        "sslRequest": "not-sent", "startups": [], "tls": null, "certificate": null, "weaknesses": [],
        "plaintext": {"outcome": "unknown", "sqlstate": null, "routine": null, "authentication": null},
        "encrypted": {"outcome": "unknown", "sqlstate": null, "routine": null, "authentication": null},
        "unreachable": "unresolved", "observedAt": "2026-01-01T00:00:00Z",
    });
    probe_json::read(&text.to_string()).unwrap()
}

fn answers(outcome: TargetOutcome) -> ProberRequest {
    let answer = ProberAnswer { host: "db".to_owned(), port: 5432, outcome };
    ProberRequest::Looks { answers: vec![answer], ended: Some(3) }
}

fn again(request: &ProberRequest) -> ProberRequest {
    ProberRequest::read(request.value().unwrap().to_string().as_bytes()).unwrap()
}

/// What is left of an answer after a change to it.
fn outcome(change: impl FnOnce(&mut Value)) -> TargetOutcome {
    let mut value = answers(TargetOutcome::Looks(vec![look("db")])).value().unwrap();
    change(&mut value["answers"][0]);
    match ProberRequest::read(value.to_string().as_bytes()).unwrap() {
        ProberRequest::Looks { mut answers, .. } => answers.pop().unwrap().outcome,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_look_arrives_as_it_was_taken() {
    let ProberRequest::Looks { answers, ended: Some(3) } = again(&answers(TargetOutcome::Looks(vec![look("db")])))
    else {
        panic!();
    };
    let TargetOutcome::Looks(looks) = &answers[0].outcome else { panic!() };
    assert_eq!((looks[0].verdict, looks[0].observed_ms), (WireVerdict::Unreachable, look("db").observed_ms));
}

#[test]
fn what_cannot_be_understood_is_no_look_and_spoils_no_other() {
    for (why, change) in [
        ("a newer version", &(|it: &mut Value| it["outcome"] = "guessed".into()) as &dyn Fn(&mut Value)),
        ("cannot be understood", &|it| it["endpoints"][0]["verdict"] = "splendid".into()),
        ("cannot be understood", &|it| it["endpoints"][0] = 1.into()),
        ("at another endpoint", &|it| it["endpoints"][0]["host"] = "other".into()),
        ("at another endpoint", &|it| it["port"] = 22.into()),
        ("not an IP address", &|it| it["endpoints"][0]["address"] = "not an address <b>".into()),
        ("larger than 64 KiB", &|it| it["endpoints"][0]["reason"] = "x".repeat(MAX_LOOK).into()),
        ("no look", &|it| it["endpoints"] = json!([])),
    ] {
        match outcome(change) {
            TargetOutcome::Unusable(said) => assert!(said.contains(why), "{why}: {said}"),
            other => panic!("{why}: {other:?}"),
        }
    }
    assert!(matches!(outcome(|it| it["outcome"] = "fenced".into()), TargetOutcome::Fenced(_)));
    assert!(matches!(outcome(|it| it["outcome"] = "unsupported".into()), TargetOutcome::Unsupported(_)));
    assert!(matches!(outcome(|it| it["later"] = "member".into()), TargetOutcome::Looks(_)), "it is ignored");
}

#[test]
fn what_a_console_says_is_cut() {
    let long = "x".repeat(10_000);
    let refused = ProberReply::Refused { what: long.clone(), hint: long.clone() };
    let read = ProberReply::read(refused.value().unwrap().to_string().as_bytes()).unwrap();
    assert!(matches!(read, ProberReply::Refused { what, hint } if what.len() == 300 && hint.len() == 300));
    let unkept = vec![((long.clone(), 5432), long); MAX_ANSWERS + 1];
    let kept = ProberReply::Kept { answers: 0, unkept };
    let read = ProberReply::read(kept.value().unwrap().to_string().as_bytes()).unwrap();
    let ProberReply::Kept { unkept, .. } = read else { panic!("{read:?}") };
    assert_eq!(unkept.len(), MAX_ANSWERS);
    assert!(unkept.iter().all(|((host, _), why)| host.len() == 300 && why.len() == 300));
}

#[test]
fn what_is_too_much_is_refused_before_it_is_read() {
    let refused = |bytes: &[u8]| ProberRequest::read(bytes).unwrap_err().to_string();
    assert!(refused(&vec![b' '; MAX_BODY + 1]).contains("8 MiB"));
    assert!(refused("[".repeat(33).as_bytes()).contains("32 levels"));
    assert!(refused("[".repeat(2_000_000).as_bytes()).contains("32 levels"));
    let deep_text = json!({"schema": SCHEMA, "ask": "wait", "wanted": 1, "note": "[".repeat(99) + "\\\""});
    assert!(ProberRequest::read(deep_text.to_string().as_bytes()).is_ok(), "brackets in a text are no depth");
    let one = json!({"host": "db", "port": 1, "outcome": "fenced"});
    let many = json!({"schema": SCHEMA, "ask": "looks", "answers": vec![one; MAX_ANSWERS + 1]});
    assert!(refused(many.to_string().as_bytes()).contains("128 targets"));
    assert!(refused(br#"{"schema":"hostssl/prober/v2","ask":"wait","wanted":1}"#).contains("its schema is"));
    let newer = ProberRequest::read(br#"{"schema":"hostssl/prober/v1","ask":"shell","run":"id"}"#).unwrap_err();
    assert!(matches!(newer, InvalidProberJson::Ask(ask) if ask == "shell"), "a newer prober may ask it");
    for needed in ["version", "secret", "wanted", "answers"] {
        let all = json!({"schema": SCHEMA, "version": "0", "secret": "s", "wanted": 1, "answers": []});
        for ask in ["enrol", "targets", "wait", "looks"] {
            let mut request = all.clone();
            request["ask"] = ask.into();
            assert!(ProberRequest::read(request.to_string().as_bytes()).is_ok(), "{ask}");
            drop(request.as_object_mut().unwrap().remove(needed));
            if let Err(error) = ProberRequest::read(request.to_string().as_bytes()) {
                assert!(error.to_string().contains(&format!("missing field `{needed}`")), "{ask}: {error}");
            }
        }
    }
}

#[test]
fn a_message_of_many_small_values_is_refused_or_stays_text() {
    let message = |endpoints: &str| {
        format!(
            r#"{{"schema":"{SCHEMA}","ask":"looks","answers":[{{"host":"db","port":1,"outcome":"looked","endpoints":{endpoints}}}]}}"#
        )
    };
    for (small, count) in [("0", 500_001), (r#"{"":0}"#, 600_000)] {
        let text = message(&format!(r#"[{{"a":[{}]}}]"#, vec![small; count].join(",")));
        assert!(text.len() < MAX_BODY);
        let error = ProberRequest::read(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("500000 members"), "{error}");
    }
    let text = message(&format!(r#"[{{"a":[{}]}}]"#, vec!["0"; 400_000].join(",")));
    let ProberRequest::Looks { answers, .. } = ProberRequest::read(text.as_bytes()).unwrap() else { panic!() };
    assert!(matches!(&answers[0].outcome, TargetOutcome::Unusable(why) if why.contains("64 KiB")), "it was not parsed");
}

#[test]
fn replies_arrive_as_they_were_sent() {
    let target =
        ProbeTarget { user: Some("dba".to_owned()), databases: vec!["a".to_owned()], ..ProbeTarget::new("db", 5432) };
    let batch = TargetBatch {
        zone: "hub".to_owned(),
        now: "2026-01-01T00:00:00Z".parse().unwrap(),
        wanted: 7,
        targets: vec![(target, QUESTION.to_owned())],
        more: true,
    };
    let text = ProberReply::Targets(batch.clone()).value().unwrap();
    let ProberReply::Targets(read) = ProberReply::read(text.to_string().as_bytes()).unwrap() else { panic!() };
    assert_eq!(read, batch);
    for (member, odd) in [
        ("zone", json!("../x")),
        ("now", json!("soon")),
        ("targets", json!([{"host": "a,b", "port": 1, "question": "probe"}])),
        ("targets", json!([{"host": "a", "port": 1, "question": "probe", "databases": vec!["x"; 17]}])),
    ] {
        let mut text = text.clone();
        text[member] = odd;
        let error = ProberReply::read(text.to_string().as_bytes()).unwrap_err().to_string();
        assert!(error.contains(member), "{error}");
    }
}

#[test]
fn every_target_is_in_one_batch() {
    let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    for count in [0, 1, MAX_ANSWERS, MAX_ANSWERS + 1, 3 * MAX_ANSWERS] {
        let hosts = (0..count).rev().flat_map(|number| [number, number]);
        let targets = hosts.map(|number| ProbeTarget::new(format!("pg-{number:04}"), 5432)).collect();
        let list = ZoneTargets { zone: "hub".to_owned(), made_at: now, targets }.in_order();
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let batch = TargetBatch::next(&list, after.as_ref(), now, 1);
            assert!(batch.targets.len() <= MAX_ANSWERS);
            all.extend(batch.places());
            after = all.last().cloned();
            if !batch.more {
                break;
            }
        }
        assert_eq!(all.len(), count);
        assert!(all.is_sorted());
    }
}

#[test]
fn no_change_to_a_message_breaks_the_reader() {
    let mut read = 0;
    for input in corpus("prober_message") {
        read += usize::from(ProberRequest::read(&input).is_ok()) + usize::from(ProberReply::read(&input).is_ok());
    }
    assert_eq!(read, corpus("prober_message").len(), "each is a message, and of one side");
    smoke("prober_message", 5000, |bytes| {
        let _ = ProberRequest::read(bytes);
        let _ = ProberReply::read(bytes);
    });
}

proptest! {
    #[test]
    fn no_bytes_break_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = ProberRequest::read(&bytes);
        let _ = ProberReply::read(&bytes);
    }
}
