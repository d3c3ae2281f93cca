//! Who may ask, and what a browser is told.

use crate::client::{get, raw};
use crate::world::shared;

#[test]
fn the_page_comes_whole_and_with_a_strict_policy() {
    let address = shared();
    let page = get(address, "/");
    assert_eq!(page.status, 200);
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; script-src 'self';"));
    assert!(!policy.contains("unsafe") && !policy.contains('*'));
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    let mut seen = vec!["/page/worklet.js".to_owned()];
    let mut at = 0;
    let links = |text: &str| -> Vec<String> {
        let starts = text.match_indices("\"/page/");
        let link = |(start, _)| text[start + 1..].split('"').next().unwrap().to_owned();
        starts.map(link).collect()
    };
    let mut texts = vec![String::from_utf8(page.body).unwrap()];
    while at < texts.len() {
        for link in links(&texts[at]) {
            if !seen.contains(&link) {
                seen.push(link.clone());
                let file = get(address, &link);
                assert_eq!(file.status, 200, "{link}");
                texts.push(String::from_utf8(file.body).unwrap());
            }
        }
        at += 1;
    }
    assert!(seen.len() > 10, "{seen:?}");
    assert!(texts.iter().all(|text| !text.contains("style=\"")));
}

#[test]
fn nothing_but_the_page_is_a_file() {
    let address = shared();
    for path in [
        "/page/nothing.js",
        "/page/../Cargo.toml",
        "/page/..%2f..%2fCargo.toml",
        "/page/%2e%2e/%2e%2e/etc/passwd",
        "/page//etc/passwd",
        "/etc/passwd",
        "/api/examples/..%2f..%2fsrc%2flib.rs",
        "/api/examples/%00",
        "/api",
    ] {
        let answer = get(address, path);
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(answer.code(), "unknown", "{path}");
    }
}

#[test]
fn hosts_and_origins_of_others_are_refused() {
    let address = shared();
    let ask = |headers: &str| {
        let head = format!("GET /api/models HTTP/1.1\r\nConnection: close\r\n{headers}\r\n");
        raw(address, &head, &[]).status
    };
    assert_eq!(ask(&format!("Host: {address}\r\n")), 200);
    assert_eq!(ask("Host: localhost:1\r\n"), 200);
    assert_eq!(ask("Host: piano.lan\r\n"), 200);
    assert_eq!(ask("Host: piano.lan.evil.example\r\n"), 421);
    assert_eq!(ask("Host: evil.example\r\n"), 421);
    assert_eq!(ask("Host: \r\n"), 400);
    assert_eq!(ask(""), 400);
    assert_eq!(ask("Host: localhost\r\nHost: evil.example\r\n"), 400);
    assert_eq!(
        ask("Host: localhost:5\r\nOrigin: http://localhost:5\r\n"),
        200
    );
    for origin in ["http://evil.example", "http://localhost:6", "null", ""] {
        let status = ask(&format!("Host: localhost:5\r\nOrigin: {origin}\r\n"));
        assert_eq!(status, 403, "{origin}");
    }
    let absolute = "GET http://evil.example/api/models HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    assert_eq!(raw(address, absolute, &[]).status, 421);
}

#[test]
fn other_methods_are_refused() {
    let address = shared();
    for (method, path) in [
        ("POST", "/"),
        ("GET", "/api/generate"),
        ("DELETE", "/api/models"),
    ] {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        );
        let answer = raw(address, &head, &[]);
        assert_eq!(answer.status, 405, "{method} {path}");
        assert_eq!(answer.code(), "wrong_method");
    }
}

#[test]
fn the_document_names_what_is_there() {
    let address = shared();
    let document = get(address, "/api/openapi.json").json();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            let path = path.replace("{name}", "canon").replace("{id}", "0");
            let method = method.to_uppercase();
            let head = format!(
                "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            );
            let answer = raw(address, &head, &[]);
            let text = String::from_utf8_lossy(&answer.body);
            assert!(!text.contains("there is nothing here"), "{method} {path}");
            assert_ne!(answer.status, 405, "{method} {path}");
        }
    }
    let limits = &get(address, "/api/models").json()["limits"];
    let length =
        &document["components"]["schemas"]["Generate"]["properties"]["length"]["properties"];
    for limit in ["seconds", "notes", "tokens"] {
        let most = length[limit]["maximum"].as_f64();
        assert_eq!(most, limits[limit].as_f64(), "{limit}");
    }
}
