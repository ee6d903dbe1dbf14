use super::*;

fn requests(bytes: &str) -> Parser {
    // A byte at a time: nothing depends on how bytes arrive.
    let mut parser = Parser::of_requests();
    for byte in bytes.as_bytes() {
        parser.feed(&[*byte]);
    }
    let mut whole = Parser::of_requests();
    whole.feed(bytes.as_bytes());
    assert_eq!(parser.messages, whole.messages, "{bytes:?}");
    parser
}

#[test]
fn every_byte_of_a_connection_is_accounted_for() {
    let parser = requests(
        "POST /a?b HTTP/1.1\r\nHost: h\r\ncontent-length: 3\r\n\r\nxyzPUT /c HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n\
         3\r\nabc\r\n1\r\nd\r\n0\r\nx-t: 1\r\n\r\nGET / HTTP/1.1\r\nhost: h\r\n\r\nGET /next",
    );
    assert_eq!(parser.failure(), None);
    assert_eq!(parser.unread(), b"GET /next");
    let [first, second, third] = parser.messages() else {
        panic!("{parser:?}");
    };
    assert_eq!((first.method(), first.target()), ("POST", "/a?b"));
    assert_eq!(first.text(), "xyz");
    assert_eq!(second.text(), "abcd");
    assert_eq!(second.trailers, [("x-t".to_owned(), "1".to_owned())]);
    assert!(first.complete && second.complete && third.complete);
}

#[test]
fn what_two_recipients_could_read_differently_is_a_failure() {
    for bytes in [
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
        "GET / HTTP/1.1\nhost: a\n\r\n\r\n",
        "GET /a b HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\n folded\r\n\r\n",
        "GET / HTTP/1.1\r\nhost : a\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\ncontent-length: +1\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: xchunked\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1;x=y\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\nab\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\na\n",
        "0\r\n\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n",
    ] {
        assert!(requests(bytes).failure().is_some(), "{bytes:?}");
    }
}

#[test]
fn responses_end_where_their_requests_and_statuses_say() {
    let mut parser = Parser::of_responses();
    for method in ["HEAD", "GET", "GET", "GET"] {
        parser.asked(method);
    }
    parser.feed(
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n\
          HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\nto the end",
    );
    let open = parser.messages().last().is_some_and(|last| !last.complete);
    parser.end();
    let bodies: Vec<_> = parser.messages().iter().map(Message::text).collect();
    assert_eq!(bodies, ["", "", "", "ok", "to the end"]);
    assert!(open && parser.messages().iter().all(|message| message.complete));
}
