use super::*;

fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(*name, HeaderValue::from_static(value));
    }
    headers
}

/// What is left of the headers, in the order of their names.
fn public(fields: &[(&'static str, &'static str)]) -> Vec<(String, String)> {
    let mut headers = headers(fields);
    make_public(&mut headers);
    let mut left: Vec<_> = headers
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    left.sort_unstable();
    left
}

#[test]
fn nothing_private_is_left() {
    let private = [
        "connection",
        "x-named",
        "x-also-named",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "trailers",
        "transfer-encoding",
        "upgrade",
        "host",
        "expect",
        "x-latchkey-gateway-password",
        "x-latchkey-gateway-permissions-override",
        "x-latchkey-gateway-account",
    ];
    let mut fields: Vec<_> = private
        .iter()
        .map(|name| (*name, "x-named, ,X-Also-Named"))
        .collect();
    fields.retain(|(name, _)| *name != "trailer");
    fields.extend([
        ("accept", "a"),
        ("accept", "b"),
        ("connection", "x-on-a-second-line"),
        ("x-on-a-second-line", "x"),
    ]);
    let accept = |value: &str| ("accept".to_owned(), value.to_owned());
    assert_eq!(public(&fields), [accept("a"), accept("b")]);
}

#[test]
fn connection_does_not_reach_the_framing() {
    assert_eq!(
        public(&[
            ("connection", "content-length, host"),
            ("content-length", "3")
        ]),
        [("content-length".to_owned(), "3".to_owned())]
    );
}

#[test]
fn a_chunked_body_announces_the_trailers_that_it_may_have() {
    let chunked = ("transfer-encoding", "chunked");
    for (names, left) in [
        ("x-checksum", Some("x-checksum")),
        ("X-A ,, x-b, x-a", Some("x-a, x-b")),
        ("x-a, Content-Length, host, TRANSFER-ENCODING", Some("x-a")),
        ("x-latchkey-gateway-password, te, x y, authorization", None),
        ("", None),
    ] {
        let announced = public(&[chunked, ("trailer", names)]);
        let expected = left.map(|left| ("trailer".to_owned(), left.to_owned()));
        assert_eq!(announced, Vec::from_iter(expected), "{names}");
    }
    let twice = [chunked, ("trailer", "x-a"), ("trailer", "x-b, cookie")];
    assert_eq!(
        public(&twice),
        [("trailer".to_owned(), "x-a, x-b".to_owned())]
    );
    assert_eq!(
        public(&[("trailer", "x-a"), ("content-length", "0")]).len(),
        1
    );
    let named = [chunked, ("trailer", "x-a"), ("connection", "trailer")];
    assert_eq!(public(&named), []);
}

#[test]
fn a_trailer_frames_routes_and_authenticates_nothing() {
    for name in [
        "x-checksum",
        "etag",
        "server-timing",
        "digest",
        "grpc-status",
    ] {
        assert!(
            is_permitted_trailer(&HeaderName::from_static(name)),
            "{name}"
        );
    }
    for name in [
        "content-length",
        "transfer-encoding",
        "host",
        "authorization",
        "proxy-authorization",
        "cookie",
        "set-cookie",
        "te",
        "trailer",
        "connection",
        "keep-alive",
        "upgrade",
        "expect",
        "range",
        "if-match",
        "content-type",
        "content-encoding",
        "x-forwarded-for",
        "forwarded",
        "x-latchkey-gateway-password",
        "x-latchkey-anything",
        "content_length",
    ] {
        assert!(
            !is_permitted_trailer(&HeaderName::from_static(name)),
            "{name}"
        );
    }
}

#[test]
fn a_host_is_a_name_and_a_port() {
    for host in [
        "x",
        "localhost:1989",
        "127.0.0.1",
        "[::1]",
        "[::1]:80",
        "a_b-c.d",
        "x:",
    ] {
        assert!(has_valid_host(&headers(&[("host", host)]), true), "{host}");
    }
    for host in [
        "",
        ":80",
        "a b",
        "a,b",
        "a, b",
        "user@a",
        "user:password@a",
        "a/b",
        "a?b",
        "a#b",
        "a\\b",
        "a:b",
        "::1",
        "[::1",
        "[x]",
        "http://a",
        "a:80:80",
    ] {
        assert!(
            !has_valid_host(&headers(&[("host", host)]), false),
            "{host}"
        );
    }
    assert!(has_valid_host(&headers(&[]), false));
    assert!(!has_valid_host(&headers(&[]), true));
    assert!(!has_valid_host(
        &headers(&[("host", "a"), ("host", "a")]),
        false
    ));
}

#[test]
fn only_100_continue_is_an_expectation() {
    for (value, known) in [
        ("100-continue", true),
        ("100-Continue", true),
        ("", false),
        ("200-ok", false),
        ("100-continue, x", false),
        ("100-continue;q=1", false),
    ] {
        assert_eq!(
            has_known_expectation(&headers(&[("expect", value)])),
            known,
            "{value}"
        );
    }
    assert!(has_known_expectation(&headers(&[])));
}

#[test]
fn websocket_is_told_from_other_upgrades() {
    for (value, asked) in [
        ("websocket", true),
        ("h2c, WebSocket", true),
        ("h2c", false),
        ("", false),
    ] {
        assert_eq!(
            asks_for_websocket(&headers(&[("upgrade", value)])),
            asked,
            "{value}"
        );
    }
}

#[test]
fn the_id_of_a_denial_is_in_the_header_that_is_documented() {
    assert!(super::super::denials::HEADER.eq_ignore_ascii_case(REQUEST_ID.as_str()));
}
