//! Who may ask, and what a browser may do with the answers.
//!
//! A page of another site can make a browser send requests here; by DNS
//! rebinding it can even do so under a name of its own. So the Host header has
//! to be an IP address, `localhost` or a name that the server was told, and an
//! Origin header, where there is one, has to be that of the page itself.

use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::problem::Problem;
use crate::studio::Studio;

/// Nothing but what the server itself serves, no inline code or styles.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'";

const HEADERS: [(header::HeaderName, &str); 5] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        header::HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        header::HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

/// Checks a request and adds the headers of safety to its answer.
pub(crate) async fn guard(State(studio): State<Studio>, request: Request, next: Next) -> Response {
    let mut response = match check(&studio, &request) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let no_cache = HeaderValue::from_static("no-cache");
    headers.entry(header::CACHE_CONTROL).or_insert(no_cache);
    response
}

fn check(studio: &Studio, request: &Request) -> Result<(), Problem> {
    let host = authority(request.headers(), header::HOST).ok_or_else(|| {
        Problem::wrong("the request has no Host header that names a host, as HTTP/1.1 asks for")
    })?;
    let in_target = request.uri().host();
    for name in [Some(host.host()), in_target].into_iter().flatten() {
        if !is_ours(name, studio.names()) {
            return Err(Problem::new(
                StatusCode::MISDIRECTED_REQUEST,
                "wrong_host",
                "this server is not known by that name; start it with --name NAME to allow one",
            ));
        }
    }
    let Some(origin) = request.headers().get(header::ORIGIN) else {
        return Ok(());
    };
    let origin = origin.to_str().ok().and_then(|origin| {
        let rest = origin.strip_prefix("http://");
        rest.or_else(|| origin.strip_prefix("https://"))
    });
    match origin == Some(host.as_str()) {
        true => Ok(()),
        false => Err(Problem::new(
            StatusCode::FORBIDDEN,
            "wrong_origin",
            "pages of other sites may not use this server",
        )),
    }
}

fn authority(headers: &HeaderMap, name: header::HeaderName) -> Option<Authority> {
    let mut all = headers.get_all(name).iter();
    let one = all.next().filter(|_| all.next().is_none())?;
    one.to_str().ok()?.parse().ok()
}

fn is_ours(host: &str, names: &[String]) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let named = |name: &str| name.eq_ignore_ascii_case(host);
    bare.parse::<IpAddr>().is_ok() || named("localhost") || names.iter().any(|name| named(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_localhost_and_given_names_are_ours() {
        let names = ["piano.lan".to_owned()];
        for host in [
            "127.0.0.1",
            "[::1]",
            "192.168.1.7",
            "LOCALHOST",
            "Piano.lan",
        ] {
            assert!(is_ours(host, &names), "{host}");
        }
        for host in [
            "example.com",
            "localhost.example.com",
            "127.0.0.1.nip.io",
            "",
        ] {
            assert!(!is_ours(host, &names), "{host}");
        }
    }
}
