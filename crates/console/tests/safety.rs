//! Every rule of safety, attacked over HTTP.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hostssl_console::{ConsoleOptions, Preparation, Proxies, TlsFiles};
use hostssl_test_support::served_console::{HOSTILE, Visitor, exchange, options, serve};

/// Every page there is after an audit.
async fn pages(visitor: &Visitor<'_>) -> Vec<String> {
    let run = visitor.audit().await;
    let list = visitor.get("/resources").await.body;
    let server = list.split("href=\"/servers/").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let mut pages: Vec<String> =
        ["/", "/resources", "/runs", "/controls", "/controls/require-secure-transport"].map(ToOwned::to_owned).to_vec();
    pages.extend(
        ["", "/connection-security", "/wire", "/evidence", "/history"].map(|tab| format!("/servers/{server}{tab}")),
    );
    pages.extend([run.clone(), format!("{run}/judged?profile=strict"), "/resources?q=%3Cscript%3E".into()]);
    pages
}

#[tokio::test]
async fn who_has_not_signed_in_sees_nothing() {
    let served = serve(options()).await;
    served.visitor().await.audit().await;
    for path in
        ["/", "/resources", "/resources/export?format=json", "/runs", "/controls", "/servers/x", "/no-such-page"]
    {
        let answer = served.send("GET", path, &[], "").await;
        assert_eq!(answer.status, 401, "{path}");
        assert!(!answer.body.contains("pg-o"), "{path}");
        let forged = format!("hostssl-{}={}", served.port, "0".repeat(64));
        assert_eq!(served.send("GET", path, &[("cookie", &forged)], "").await.status, 401);
    }
    let origin = format!("http://{}", served.host());
    let form = [("origin", origin.as_str()), ("content-type", "application/x-www-form-urlencoded")];
    assert_eq!(served.send("POST", "/runs", &form, "csrf=x").await.status, 401);
}

#[tokio::test]
async fn a_link_signs_in_once_and_its_cookie_is_kept_from_scripts_and_other_sites() {
    let served = serve(options()).await;
    assert_eq!(served.send("GET", "/sign-in?token=guess", &[], "").await.status, 401);
    // Whatever looks at the link ahead of a person neither uses it up nor is signed in.
    for (method, agent) in [("HEAD", "scanner"), ("GET", "Slackbot-LinkExpanding 1.0"), ("GET", "Mozilla/5.0")] {
        let seen = served.send(method, &served.link, &[("user-agent", agent)], "").await;
        assert_eq!((seen.status, seen.header("set-cookie")), (200, ""), "{method} {agent}");
    }
    // Another site's page cannot press the button, and a guess opens nothing.
    let token = served.link.split_once("token=").unwrap().1;
    let elsewhere = [("origin", "http://evil.example"), ("content-type", "application/x-www-form-urlencoded")];
    assert_eq!(served.send("POST", "/sign-in", &elsewhere, &format!("token={token}")).await.status, 403);
    assert_eq!(served.press_sign_in("/sign-in?token=guess").await.status, 401);
    let first = served.press_sign_in(&served.link).await;
    assert_eq!((first.status, first.header("location")), (303, "/"));
    let cookie = first.header("set-cookie");
    for attribute in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert!(!first.body.contains(cookie.split(['=', ';']).nth(1).unwrap()), "the secret is in the page");
    assert_eq!(served.send("GET", &served.link, &[], "").await.status, 401);
    assert_eq!(served.press_sign_in(&served.link).await.status, 401);
}

#[tokio::test]
async fn health_is_told_without_a_session_and_without_a_name() {
    let served = serve(options()).await;
    for host in ["10.1.2.3:9999", "probe.example"] {
        let alive = served.send("GET", "/healthz", &[("host", host)], "").await;
        assert_eq!((alive.status, alive.body.as_str()), (200, "ok\n"));
        let ready = served.send("GET", "/readyz", &[("host", host)], "").await;
        assert_eq!((ready.status, ready.body.as_str()), (200, "ready\n"));
    }
    std::fs::remove_dir_all(served.directory.path()).unwrap();
    let ready = served.send("GET", "/readyz", &[], "").await;
    assert_eq!(ready.status, 503);
    assert!(!ready.body.contains(served.directory.path().to_str().unwrap()), "{}", ready.body);
    assert_eq!(served.send("GET", "/healthz", &[], "").await.status, 200);
}

#[tokio::test]
async fn while_the_console_prepares_every_page_says_how_far_it_is() {
    let preparation = Preparation { what: "Making a past", done: 3, of: 14 };
    let state = tokio::sync::watch::Sender::new(Some(preparation));
    let served = serve(ConsoleOptions { preparation: Some(state.subscribe()), ..options() }).await;
    let visitor = served.visitor().await;
    assert_eq!(served.send("GET", "/readyz", &[], "").await.status, 503);
    for path in ["/", "/resources", "/runs"] {
        let page = visitor.get(path).await;
        assert_eq!((page.status, page.header("retry-after")), (503, "1"), "{path}");
        assert!(page.body.contains("Making a past: 3 of 14"), "{}", page.body);
    }
    state.send_replace(None);
    assert_eq!(visitor.get("/").await.status, 200);
    assert_eq!(served.send("GET", "/readyz", &[], "").await.status, 200);
}

#[tokio::test]
async fn pages_are_compressed_for_those_who_ask() {
    let served = serve(options()).await;
    let visitor = served.visitor().await;
    let gzip = [("cookie", visitor.cookie.as_str()), ("accept-encoding", "gzip")];
    let page = served.send("GET", "/controls", &gzip, "").await;
    assert_eq!((page.status, page.header("content-encoding")), (200, "gzip"));
    let whole = visitor.get("/controls").await;
    assert!(whole.header("content-encoding").is_empty() && whole.body.contains("<h1>"), "{}", whole.body);
}

#[tokio::test]
async fn metrics_have_numbers_and_no_names_and_only_where_asked_for() {
    let served = serve(options()).await;
    let visitor = served.visitor().await;
    let before = served.send("GET", "/metrics", &[], "").await;
    assert_eq!((before.status, before.body.contains("hostssl_servers")), (200, false), "{}", before.body);
    visitor.audit().await;
    let metrics = served.send("GET", "/metrics", &[], "").await;
    assert_eq!(metrics.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    for line in
        ["hostssl_servers{status=\"not-enforced\"} ", "hostssl_audit_complete ", "hostssl_control_servers{control="]
    {
        assert!(metrics.body.contains(line), "{line}: {}", metrics.body);
    }
    assert!(!metrics.body.contains("pg-"), "{}", metrics.body);
    let elsewhere = served.raw("GET /metrics HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n").await;
    assert_ne!(elsewhere.status, 200, "a page of another name could read it");
    let without = serve(ConsoleOptions { metrics: false, ..options() }).await;
    assert_ne!(without.send("GET", "/metrics", &[], "").await.status, 200);
}

#[tokio::test]
async fn a_compressed_export_is_whole() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let served = serve(options()).await;
    let visitor = served.visitor().await;
    visitor.audit().await;
    for format in ["html", "csv", "json", "yaml", "tsv", "table"] {
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", served.port)).await.unwrap();
        let request = format!(
            "GET /resources/export?format={format} HTTP/1.1\r\nhost: {}\r\ncookie: {}\r\naccept-encoding: gzip\r\n\
             connection: close\r\n\r\n",
            served.host(),
            visitor.cookie
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let head = String::from_utf8_lossy(&answer).into_owned();
        assert!(head.starts_with("HTTP/1.1 200") && head.contains("content-encoding: gzip"), "{format}: {head}");
        // RFC 9112, 7.1: without the last chunk, of no bytes, the body is not whole.
        assert!(answer.ends_with(b"0\r\n\r\n"), "{format}");
    }
}

#[tokio::test]
async fn signing_out_ends_the_session_and_a_link_for_others_begins_one() {
    let served = serve(options()).await;
    let visitor = served.visitor().await;
    let page = visitor.post("/links", "").await;
    let token = page.body.split("/sign-in?token=").nth(1).unwrap().split(['<', '"']).next().unwrap().to_owned();
    let other = served.press_sign_in(&format!("/sign-in?token={token}")).await;
    assert_eq!(other.status, 303);
    assert_eq!(visitor.post("/sign-out", "").await.status, 303);
    assert_eq!(visitor.get("/").await.status, 401);
    let other = Visitor { served: &served, cookie: other.cookies() };
    assert_eq!(other.get("/").await.status, 200);
}

#[tokio::test]
async fn another_name_is_refused_even_with_a_session() {
    let served = serve(options()).await;
    let visitor = served.visitor().await;
    let evil = format!("rebound.example:{}", served.port);
    for host in [evil.as_str(), "127.0.0.1", "127.0.0.1:1", "127.0.0.1@rebound.example"] {
        let answer = served.send("GET", "/", &[("host", host), ("cookie", &visitor.cookie)], "").await;
        assert_eq!(answer.status, 421, "{host}");
    }
    let twice = format!(
        "GET / HTTP/1.1\r\nhost: {}\r\nhost: {evil}\r\ncookie: {}\r\nconnection: close\r\n\r\n",
        served.host(),
        visitor.cookie
    );
    assert_ne!(served.raw(&twice).await.status, 200);
    let absolute = format!(
        "GET http://{evil}/ HTTP/1.1\r\nhost: {}\r\ncookie: {}\r\nconnection: close\r\n\r\n",
        served.host(),
        visitor.cookie
    );
    assert_eq!(served.raw(&absolute).await.status, 421);
    let local = format!("localhost:{}", served.port);
    assert_eq!(served.send("GET", "/", &[("host", &local), ("cookie", &visitor.cookie)], "").await.status, 200);
}

#[tokio::test]
async fn a_change_needs_its_origin_and_the_token_of_its_own_session() {
    let served = serve(options()).await;
    let visitor = served.visitor().await;
    let token = visitor.get("/runs").await.csrf();
    let (own, right) = (format!("http://{}", served.host()), format!("csrf={token}"));
    for origin in ["http://evil.example", "null", "https://127.0.0.1", &format!("{own}.evil.example")] {
        assert_eq!(visitor.post_as("/runs", origin, &right).await.status, 403, "{origin}");
    }
    let form = "application/x-www-form-urlencoded";
    let without = [("cookie", visitor.cookie.as_str()), ("content-type", form)];
    assert_eq!(served.send("POST", "/runs", &without, &right).await.status, 403, "no origin");
    for body in ["", "csrf=", "csrf=x", &format!("csrf={}", token.to_uppercase()), "other=1"] {
        assert_eq!(visitor.post_as("/runs", &own, body).await.status, 403, "{body}");
    }
    // The token of another session.
    let page = visitor.post("/links", "").await;
    let link = page.body.split("/sign-in?token=").nth(1).unwrap().split(['<', '"']).next().unwrap().to_owned();
    let other = served.press_sign_in(&format!("/sign-in?token={link}")).await;
    let other = Visitor { served: &served, cookie: other.cookies() };
    let theirs = format!("csrf={}", other.get("/runs").await.csrf());
    assert_eq!(visitor.post_as("/runs", &own, &theirs).await.status, 403);
    // What is not a form: a page of another site can send JSON or text without asking.
    let json = [("cookie", visitor.cookie.as_str()), ("origin", own.as_str()), ("content-type", "text/plain")];
    assert_eq!(served.send("POST", "/runs", &json, &right).await.status, 400);
    assert!(visitor.get("/runs").await.body.contains("No run yet"), "something was started");
    assert_eq!(visitor.post_as("/runs", &own, &right).await.status, 303);
}

#[tokio::test]
async fn only_reading_and_forms_are_taken() {
    let served = serve(options()).await;
    let visitor = served.visitor().await;
    let origin = format!("http://{}", served.host());
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"] {
        let lines = [("cookie", visitor.cookie.as_str()), ("origin", origin.as_str())];
        assert_eq!(served.send(method, "/runs", &lines, "").await.status, 405, "{method}");
    }
    // Nothing changes by being looked at.
    for path in ["/links", "/sign-out", "/theme", "/runs/x/stop"] {
        assert_eq!(visitor.get(path).await.status, 405, "{path}");
    }
}

/// A page without the links to the Azure portal that someone may follow. Nothing is loaded for them, and the portal is told
/// nothing of the console.
fn without_portal_links(html: &str) -> String {
    let tags = html.split('<').map(|tag| {
        let is_link = tag.starts_with("a ") && tag.contains(" rel=\"noopener noreferrer\"");
        if is_link { tag.replacen(" href=\"https://portal.azure.com/#", " href=\"#", 1) } else { tag.to_owned() }
    });
    tags.collect::<Vec<_>>().join("<")
}

#[tokio::test]
async fn the_policy_is_on_every_answer_and_no_page_needs_more() {
    let served = serve(options()).await;
    let visitor = served.visitor().await;
    let mut answers = vec![
        ("failure", served.send("GET", "/", &[], "").await),
        ("host", served.send("GET", "/", &[("host", "evil.example")], "").await),
        ("missing", visitor.get("/no-such-page").await),
        ("file", served.send("GET", "/assets/x/console.css", &[], "").await),
    ];
    let paths = pages(&visitor).await;
    for path in &paths {
        let answer = visitor.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answers.push((path, answer));
    }
    for (what, answer) in &answers {
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"), "{what}: {policy}");
        assert!(!policy.contains("unsafe") && policy.contains("frame-ancestors 'none'"), "{what}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{what}");
        assert_eq!(answer.header("referrer-policy"), "same-origin", "{what}");
        let html = answer.body.to_lowercase();
        for inline in ["<script>", " style=", "<style", " onclick", " onerror=\"", " onload", "javascript:", "hx-on"] {
            assert!(!html.contains(inline), "{what} has {inline}");
        }
        let html = without_portal_links(&html);
        assert!(!html.contains("http://") && !html.contains("https://"), "{what} names another host");
        if *what != "file" {
            assert_eq!(answer.header("cache-control"), "no-store", "{what}");
        }
    }
}

#[tokio::test]
async fn hostile_names_are_text_everywhere() {
    let served = serve(options()).await;
    let visitor = served.visitor().await;
    let mut seen = 0;
    for path in pages(&visitor).await {
        let html = visitor.get(&path).await.body;
        assert!(!html.contains("<script>alert") && !html.contains("<img src=x"), "{path}");
        assert!(!html.contains('\u{202e}') && !html.contains('\u{7}'), "{path}");
        assert!(!html.contains(HOSTILE), "{path}");
        seen += usize::from(html.contains("&#60;script&#62;alert(1)"));
    }
    assert!(seen >= 4, "the hostile name is on {seen} pages only: the test looks past it");
    let tsv = visitor.get("/resources/export?format=tsv").await.body;
    assert!(tsv.starts_with("subscription\tsubscriptionId\t") && tsv.lines().count() > 3, "{tsv}");
    let csv = visitor.get("/resources/export?format=csv").await;
    assert_eq!(csv.header("content-disposition").split(';').next(), Some("attachment"));
    assert!(!csv.body.contains('\u{202e}'));
}

#[tokio::test]
async fn nothing_secret_reaches_the_browser() {
    let served = serve(options()).await;
    let visitor = served.visitor().await;
    let mut all = String::new();
    for path in pages(&visitor).await {
        all.push_str(&visitor.get(&path).await.body);
    }
    for format in ["html", "csv", "json", "yaml", "tsv", "table"] {
        let answer = visitor.get(&format!("/resources/export?format={format}")).await;
        assert_eq!(answer.status, 200, "{format}");
        assert!(answer.body.contains("pg-off"), "{format}");
        all.push_str(&answer.body);
    }
    let secret = visitor.cookie.split_once('=').unwrap().1;
    let directory = served.directory.path().display().to_string();
    for secret in [secret, "eyJ", "Bearer", "client_secret", directory.as_str()] {
        assert!(!all.contains(secret), "{secret} is in a page");
    }
}

#[tokio::test]
async fn a_person_is_whom_a_trusted_proxy_names_and_nobody_else() {
    let with = |address: &str| ConsoleOptions {
        proxies: Some(Proxies {
            header: "x-forwarded-user".into(),
            addresses: vec![address.parse().unwrap()],
            roles: None,
        }),
        ..options()
    };
    let served = serve(with("127.0.0.1")).await;
    let answer = served.send("GET", "/", &[("x-forwarded-user", "ada@contoso.example")], "").await;
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains("ada@contoso.example") && !answer.body.contains("Sign out"));
    let cookie = answer.cookies();
    let as_person = |person: &'static str| {
        let (served, cookie) = (&served, cookie.clone());
        async move { served.send("GET", "/", &[("x-forwarded-user", person), ("cookie", &cookie)], "").await }
    };
    assert_eq!(as_person("ada@contoso.example").await.csrf(), answer.csrf());
    // Another person with this cookie is another person, and without a name it is nobody's.
    let other = as_person("eve@contoso.example").await;
    assert!(other.body.contains("eve@contoso.example") && !other.body.contains("ada@"));
    assert_ne!(other.csrf(), answer.csrf());
    assert_eq!(served.send("GET", "/", &[("cookie", &cookie)], "").await.status, 401);
    let two = [("x-forwarded-user", "ada"), ("x-forwarded-user", "eve")];
    assert_eq!(served.send("GET", "/", &two, "").await.status, 401);
    let untrusted = serve(with("192.0.2.1")).await;
    assert_eq!(untrusted.send("GET", "/", &[("x-forwarded-user", "ada")], "").await.status, 401);
    let none = serve(options()).await;
    assert_eq!(none.send("GET", "/", &[("x-forwarded-user", "ada")], "").await.status, 401);
}

#[tokio::test]
async fn behind_a_proxy_with_tls_its_name_is_the_consoles() {
    let public = Some("https://console.example".parse().unwrap());
    let console = ConsoleOptions { public, ..options() };
    let served = serve(console).await;
    let named = [("host", "console.example")];
    let token = served.link.split_once("token=").unwrap().1;
    let form = "application/x-www-form-urlencoded";
    let lines = [named[0], ("origin", "https://console.example"), ("content-type", form)];
    let answer = served.send("POST", "/sign-in", &lines, &format!("token={token}")).await;
    let cookie = answer.header("set-cookie");
    assert!(cookie.starts_with("__Host-hostssl-") && cookie.contains("; Secure"), "{cookie}");
    assert!(answer.header("strict-transport-security").starts_with("max-age="));
    let cookie = answer.cookies();
    let page = served.send("GET", "/runs", &[named[0], ("cookie", &cookie)], "").await;
    assert_eq!(page.status, 200);
    for (origin, status) in
        [("https://console.example", 303), ("http://console.example", 403), ("https://evil.example", 403)]
    {
        let lines = [named[0], ("cookie", &cookie), ("origin", origin), ("content-type", form)];
        let answer = served.send("POST", "/runs", &lines, &format!("csrf={}", page.csrf())).await;
        assert_eq!(answer.status, status, "{origin}");
    }
    assert_eq!(served.send("GET", "/", &[("host", "evil.example"), ("cookie", &cookie)], "").await.status, 421);
}

#[tokio::test]
async fn an_address_that_nobody_understands_shows_nothing_rather_than_everything() {
    let served = serve(options()).await;
    let visitor = served.visitor().await;
    visitor.audit().await;
    for query in ["enforcement=bogus", "outcome=bogus", "sort=bogus", "dir=bogus", "tagg=env%3Dtest"] {
        for path in [format!("/resources?{query}"), format!("/resources/export?format=csv&{query}")] {
            let answer = visitor.get(&path).await;
            assert!(answer.status == 400 && !answer.body.contains("pg-o"), "{path}: {}", answer.body);
        }
    }
    let file = visitor.get("/resources/export?format=json&enforcement=not-enforced").await;
    assert!(file.header("content-disposition").contains("-filtered.json"));
    // What passes of an audit is not an audit that passed.
    let passes: serde_json::Value =
        serde_json::from_str(&visitor.get("/resources/export?format=json&outcome=pass").await.body).unwrap();
    assert_eq!((&passes["run"]["complete"], &passes["exit"]["code"]), (&false.into(), &4.into()), "{passes}");
}

#[tokio::test]
async fn what_is_too_large_is_refused() {
    let served = serve(options()).await;
    let visitor = served.visitor().await;
    let large = format!("csrf={}", "a".repeat(400 << 10));
    assert_eq!(visitor.post_as("/runs", &format!("http://{}", served.host()), &large).await.status, 413);
    let head = "x".repeat(64 << 10);
    let answer = served.send("GET", "/", &[("cookie", &head)], "").await;
    assert!(matches!(answer.status, 0 | 431), "{}", answer.status);
    assert_eq!(visitor.get("/").await.status, 200);
}

#[tokio::test]
async fn coming_back_never_leads_elsewhere() {
    let served = serve(options()).await;
    let visitor = served.visitor().await;
    for (here, to) in [
        ("%2Fruns%3Fpage%3D1", "/runs?page=1"),
        ("%2F%2Fevil.example", "/"),
        ("%2F%5Cevil.example", "/"),
        ("https%3A%2F%2Fevil.example", "/"),
        ("", "/"),
    ] {
        let answer = visitor.post("/theme", &format!("&theme=dark&here={here}")).await;
        assert_eq!((answer.status, answer.header("location")), (303, to));
    }
    let answer = visitor.post("/theme", "&theme=%3Cscript%3E&here=%2Fruns%0d%0ax-evil:1").await;
    assert!(answer.header("x-evil").is_empty());
    assert_eq!(answer.header("location"), "/");
    assert!(answer.cookies().starts_with("hostssl-theme="));
    assert!(!answer.cookies().contains("script"));
}

#[tokio::test]
async fn with_tls_the_cookie_is_for_tls_alone() {
    let key = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let files = tempfile::tempdir().unwrap();
    let (certificate, private) = (files.path().join("c.pem"), files.path().join("k.pem"));
    std::fs::write(&certificate, key.cert.pem()).unwrap();
    std::fs::write(&private, key.signing_key.serialize_pem()).unwrap();
    let tls = Some(TlsFiles { certificate, key: private });
    let served = serve(ConsoleOptions { tls, hosts: vec!["localhost".into()], ..options() }).await;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(key.cert.der().clone()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));
    let stream = tokio::net::TcpStream::connect(("127.0.0.1", served.port)).await.unwrap();
    let stream = connector.connect("localhost".try_into().unwrap(), stream).await.unwrap();
    let (host, body) = (format!("localhost:{}", served.port), served.link.split_once('?').unwrap().1);
    let request = format!(
        "POST /sign-in HTTP/1.1\r\nhost: {host}\r\norigin: https://{host}\r\nconnection: close\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = exchange(stream, &request).await;
    assert_eq!(answer.status, 303);
    let cookie = answer.header("set-cookie");
    assert!(cookie.starts_with("__Host-hostssl-") && cookie.contains("; Secure"), "{cookie}");
    assert!(answer.header("strict-transport-security").starts_with("max-age="));
    // Plain http gets nothing at all.
    assert_eq!(served.send("GET", "/", &[], "").await.status, 0);
}
