use proptest::prelude::*;

use super::*;

/// What becomes of a connection that carries `bytes`, read at once.
fn offence(bytes: &[u8]) -> Option<Offence> {
    match Framing::new().inspect(bytes) {
        Verdict::Refused { offence, .. } => Some(offence),
        Verdict::Http2 { .. } => Some(Offence::Http2),
        Verdict::Admissible => None,
    }
}

fn with_fields(fields: &str) -> String {
    format!("POST /a HTTP/1.1\r\nhost: x\r\n{fields}\r\n")
}

fn chunked(body: &str) -> String {
    with_fields("transfer-encoding: chunked\r\n") + body
}

#[track_caller]
fn assert_all(expected: Option<Offence>, messages: &[String]) {
    for message in messages {
        assert_eq!(offence(message.as_bytes()), expected, "{message:?}");
    }
}

#[test]
fn ordinary_requests_pass() {
    assert_all(
        None,
        &[
            "GET / HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(),
            "GET / HTTP/1.0\r\n\r\n".to_owned(),
            "\r\nGET / HTTP/1.1\r\n\r\n\r\nGET / HTTP/1.1\r\n\r\n".to_owned(),
            "OPTIONS * HTTP/1.1\r\n\r\n".to_owned(),
            "PRI * HTTP/1.1\r\n\r\n".to_owned(),
            with_fields("content-length: 3\r\n") + "abcGET / HTTP/1.1\r\n\r\n",
            with_fields("Content-Length:\t 0003 \r\n") + "a\nb",
            with_fields("content-length: 0\r\n") + "GET / HTTP/1.1\r\n",
            with_fields("empty:\r\nx: a:b\r\n"),
            with_fields("TRANSFER-ENCODING:Chunked\r\n"),
            chunked("3\r\na\nb\r\n0A\r\n0123456789\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n"),
            chunked("0;last\r\n\r\n"),
            chunked("3;a=\"b c\";d\r\nabc\r\n00\r\nx-trailer: y\r\n\r\n"),
            chunked("000000000000000f\r\n"),
        ],
    );
}

#[test]
fn line_ends_are_crlf() {
    assert_all(
        Some(Offence::BareLf),
        &[
            "GET / HTTP/1.1\nhost: x\r\n\r\n".to_owned(),
            "\nGET / HTTP/1.1\r\n\r\n".to_owned(),
            with_fields("a: b\n"),
            with_fields("a: b\nc: d\r\n"),
            "GET / HTTP/1.1\r\nhost: x\r\n\n".to_owned(),
            chunked("0\r\nx: y\n\r\n"),
            chunked("0\r\n\n"),
        ],
    );
    assert_all(
        Some(Offence::BareCr),
        &[
            "GET / HTTP/1.1\rhost: x\r\n\r\n".to_owned(),
            "\rGET / HTTP/1.1\r\n\r\n".to_owned(),
            with_fields("a: b\rc: d\r\n"),
            with_fields("a: b\r\r\n"),
            chunked("0\r\nx: y\rz: a\r\n\r\n"),
        ],
    );
    assert_all(
        Some(Offence::ChunkSize),
        &[chunked("3\nabc\r\n"), chunked("\r\n"), chunked("\n")],
    );
}

#[test]
fn a_request_line_has_three_parts() {
    assert_all(
        Some(Offence::RequestLine),
        &[
            "GET / HTTP/1.2\r\n".to_owned(),
            "GET / HTTP/2.0\r\n".to_owned(),
            "GET / http/1.1\r\n".to_owned(),
            "GET /\r\n".to_owned(),
            "GET  / HTTP/1.1\r\n".to_owned(),
            "GET /  HTTP/1.1\r\n".to_owned(),
            "GET / a HTTP/1.1\r\n".to_owned(),
            "GET / HTTP/1.1 \r\n".to_owned(),
            " GET / HTTP/1.1\r\n".to_owned(),
            "GET\t/\tHTTP/1.1\r\n".to_owned(),
            "\r\n\r\nGET / HTTP/1.1\r\n".to_owned(),
            "GET / HTTP/1.1\r\n\r\nPRI * HTTP/2.0\r\n".to_owned(),
        ],
    );
    assert_all(
        Some(Offence::Fragment),
        &[
            "GET /a#b HTTP/1.1\r\n".to_owned(),
            "GET /a?b#c HTTP/1.1\r\n".to_owned(),
        ],
    );
}

#[test]
fn a_header_line_is_a_name_and_a_value() {
    assert_all(
        Some(Offence::Field),
        &[
            with_fields("a : b\r\n"),
            with_fields("a\t: b\r\n"),
            with_fields("a: b\r\n c\r\n"),
            with_fields("a: b\r\n\tc\r\n"),
            with_fields("a: b\r\n \r\n"),
            with_fields("no colon\r\n"),
            with_fields(": nameless\r\n"),
            with_fields("content-length : 3\r\n"),
            with_fields("transfer-encoding\u{b}: chunked\r\n"),
            "GET / HTTP/1.1\r\n folded: from the start\r\n\r\n".to_owned(),
            chunked("0\r\na: b\r\n c\r\n\r\n"),
            chunked("0\r\na : b\r\n\r\n"),
            chunked("0\r\nGET / HTTP/1.1\r\n\r\n"),
        ],
    );
}

#[test]
fn there_is_one_way_to_say_where_a_body_ends() {
    assert_all(
        Some(Offence::ContentLength),
        &[
            with_fields("content-length: 3\r\ncontent-length: 3\r\n"),
            with_fields("content-length: 3\r\nContent-Length: 4\r\n"),
            with_fields("content-length: 3, 3\r\n"),
            with_fields("content-length: +3\r\n"),
            with_fields("content-length: -3\r\n"),
            with_fields("content-length: 0x3\r\n"),
            with_fields("content-length: 3 3\r\n"),
            with_fields("content-length: 3.0\r\n"),
            with_fields("content-length:\r\n"),
            with_fields("content-length: \u{b}3\r\n"),
            with_fields("content-length: 9999999999999999999\r\n"),
            with_fields("content_length: 3\r\n"),
        ],
    );
    assert_all(
        Some(Offence::TransferEncoding),
        &[
            with_fields("transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n"),
            with_fields("transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n"),
            with_fields("transfer-encoding: gzip, chunked\r\n"),
            with_fields("transfer-encoding: chunked, chunked\r\n"),
            with_fields("transfer-encoding: chunked,\r\n"),
            with_fields("transfer-encoding: identity\r\n"),
            with_fields("transfer-encoding: xchunked\r\n"),
            with_fields("transfer-encoding: \"chunked\"\r\n"),
            with_fields("transfer-encoding: chunked;q=1\r\n"),
            with_fields("transfer-encoding:\r\n"),
            with_fields("transfer-encoding: \u{b}chunked\r\n"),
            with_fields("transfer_encoding: chunked\r\n"),
            "POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n".to_owned(),
        ],
    );
    assert_all(
        Some(Offence::TwoFramings),
        &[
            with_fields("content-length: 3\r\ntransfer-encoding: chunked\r\n"),
            with_fields("transfer-encoding: chunked\r\ncontent-length: 3\r\n"),
            with_fields("transfer-encoding: chunked\r\na: b\r\ncontent-length: 0\r\n"),
        ],
    );
}

#[test]
fn chunks_are_as_long_as_they_say() {
    assert_all(
        Some(Offence::ChunkSize),
        &[
            chunked("g\r\n"),
            chunked("-1\r\n"),
            chunked("+1\r\n"),
            chunked("0x1\r\n"),
            chunked(" 1\r\n"),
            chunked("1 \r\n"),
            chunked("1 ;a\r\n"),
            chunked(";a\r\n"),
            chunked("00000000000000001\r\n"),
            chunked("ffffffffffffffff0\r\n"),
        ],
    );
    assert_all(
        Some(Offence::ChunkExtension),
        &[
            chunked("1;a\nx\r\n"),
            chunked("1;a\0\r\n"),
            chunked("1;\u{7f}\r\n"),
        ],
    );
    assert_all(
        Some(Offence::ChunkEnd),
        &[
            chunked("3\r\nabcd\r\n"),
            chunked("3\r\nabc\n"),
            chunked("3\r\nabc\rx"),
            chunked("3\rabc"),
            chunked("3;a\rabc"),
        ],
    );
}

#[test]
fn the_http2_preface_is_known_at_the_beginning_alone() {
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    assert_eq!(
        Framing::new().inspect(preface),
        Verdict::Http2 { taken: 16 }
    );
    let mut framing = Framing::new();
    assert_eq!(framing.inspect(&preface[..9]), Verdict::Admissible);
    assert_eq!(framing.inspect(&preface[9..]), Verdict::Http2 { taken: 7 });
}

#[test]
fn a_request_line_that_is_too_long_ends_where_that_shows() {
    let line = format!("GET /{}", "x".repeat(2 * LONGEST_TARGET));
    for size in [line.len(), 1000] {
        let mut framing = Framing::new();
        let mut passed_before = 0;
        for piece in line.as_bytes().chunks(size) {
            match framing.inspect(piece) {
                Verdict::Admissible => passed_before += piece.len(),
                Verdict::Refused {
                    passed,
                    substitute,
                    offence,
                } => {
                    assert_eq!(offence, Offence::LongTarget);
                    assert_eq!(substitute, END_OF_LONG_REQUEST);
                    assert_eq!(passed_before + passed, LONGEST_REQUEST_LINE);
                    break;
                }
                Verdict::Http2 { .. } => panic!("it is no preface"),
            }
        }
        assert!(framing.has_refused());
    }
    for line in [
        format!("{} /", "X".repeat(LONGEST_REQUEST_LINE)),
        format!(
            "{} /{}",
            "X".repeat(LONGEST_METHOD + 1),
            "x".repeat(LONGEST_REQUEST_LINE)
        ),
        format!("GET / HTTP/1.1{}", " ".repeat(LONGEST_REQUEST_LINE)),
        format!("GET /short {}", "x".repeat(LONGEST_REQUEST_LINE)),
    ] {
        assert_eq!(offence(line.as_bytes()), Some(Offence::RequestLine));
    }
}

#[test]
fn nothing_passes_after_a_refusal() {
    let mut framing = Framing::new();
    framing.inspect(b"GET /\r\n");
    let Verdict::Refused { passed: 0, .. } = framing.inspect(b"GET / HTTP/1.1\r\n\r\n") else {
        panic!("it passes");
    };
}

/// A request that any parser takes apart alike.
fn request() -> impl Strategy<Value = Vec<u8>> {
    let body = prop_oneof![
        Just((String::new(), Vec::new())),
        proptest::collection::vec(any::<u8>(), 0..40).prop_map(|content| {
            let fields = format!("content-length: {}\r\n", content.len());
            (fields, content)
        }),
        (
            proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..20), 0..4),
            "(;[a-z]{1,3}(=\"[ -!#-Z]{0,5}\")?){0,2}",
            "([a-z]{1,3}: [a-z]{0,3}\r\n){0,2}",
        )
            .prop_map(|(chunks, extension, trailers)| {
                let mut body = Vec::new();
                for chunk in chunks {
                    body.extend(format!("{:x}{extension}\r\n", chunk.len()).into_bytes());
                    body.extend(chunk);
                    body.extend(b"\r\n");
                }
                body.extend(format!("0{extension}\r\n{trailers}\r\n").into_bytes());
                ("Transfer-Encoding: chunked\r\n".to_owned(), body)
            }),
    ];
    let line = "[A-Z]{1,9} /[!-\"$-~]{0,20} HTTP/1\\.1\r\n";
    let fields = "(x-[a-z]{0,5}:[ \t]?[!-~]{0,10}[ \t]?\r\n){0,4}";
    (line, fields, body, fields).prop_map(|(line, before, (framing, body), after)| {
        [
            line.into_bytes(),
            before.into_bytes(),
            framing.into_bytes(),
            after.into_bytes(),
            b"\r\n".to_vec(),
            body,
        ]
        .concat()
    })
}

proptest! {
    #[test]
    fn admissible_requests_pass_however_they_are_cut(
        requests in proptest::collection::vec(request(), 1..5),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let mut ends = vec![0];
        for request in &requests {
            ends.push(ends.last().unwrap() + request.len());
        }
        let bytes = requests.concat();
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len())).chain(ends.clone()).collect();
        cuts.sort_unstable();
        let mut framing = Framing::new();
        for cut in cuts.windows(2) {
            prop_assert_eq!(framing.inspect(&bytes[cut[0]..cut[1]]), Verdict::Admissible);
            prop_assert_eq!(framing.is_between_requests(), ends.contains(&cut[1]), "at {}", cut[1]);
        }
        prop_assert_eq!(framing.requests, requests.len() as u64);
    }

    #[test]
    fn a_verdict_does_not_depend_on_the_cuts(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let whole = Framing::new().inspect(&bytes);
        let mut framing = Framing::new();
        let mut piecewise = Verdict::Admissible;
        for (index, byte) in bytes.iter().enumerate() {
            match framing.inspect(&[*byte]) {
                Verdict::Admissible => {}
                Verdict::Refused { passed, substitute, offence } => {
                    piecewise = Verdict::Refused { passed: index + passed, substitute, offence };
                    break;
                }
                Verdict::Http2 { taken } => {
                    piecewise = Verdict::Http2 { taken: index + taken };
                    break;
                }
            }
        }
        prop_assert_eq!(whole, piecewise);
    }
}
