use std::pin::Pin;
use std::task::{Context, Poll};

use proptest::prelude::*;
use tokio::io::ReadBuf;

use super::super::captured::Captured;
use super::*;

/// What becomes of such an output, when it comes in pieces of this size.
fn taken_over(output: &[u8], piece: usize) -> Vec<Record> {
    struct Pieces<'a>(&'a [u8], usize);

    impl AsyncRead for Pieces<'_> {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<std::io::Result<()>> {
            let length = self.1.min(self.0.len()).min(buffer.remaining());
            let (piece, rest) = self.0.split_at(length);
            buffer.put_slice(piece);
            self.0 = rest;
            Poll::Ready(Ok(()))
        }
    }

    let captured = Captured::new("trace");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(take_over(Pieces(output, piece), "gateway", captured.log()));
    captured.end()
}

#[test]
fn records_keep_what_they_are_and_other_lines_become_warnings() {
    let mut own = Record::new(
        "2001-02-03T04:05:06.000000007Z".parse().unwrap(),
        Level::DEBUG,
        "extension.files",
        "hello",
    );
    own.set("bytes", 12_u64);
    let mut output = Vec::new();
    own.write_line(&mut output);
    output.extend_from_slice(b"\n\r\nthread 'main' panicked at \xff:\r\n{\"level\":\"INFO\"}\n");
    own.write_line(&mut output);
    output.extend_from_slice(b"half a li");
    for piece in [1, 7, 100_000] {
        let records = taken_over(&output, piece);
        let others: Vec<_> = [1, 2, 4]
            .map(|index| &records[index])
            .iter()
            .map(|record| (record.level(), record.target(), record.message()))
            .collect();
        assert_eq!(
            others,
            [
                (
                    Level::WARN,
                    "gateway",
                    "thread 'main' panicked at \u{fffd}:"
                ),
                (Level::WARN, "gateway", "{\"level\":\"INFO\"}"),
                (Level::WARN, "gateway", "half a li"),
            ]
        );
        assert_eq!((&records[0], &records[3]), (&own, &own));
        assert_eq!(records.len(), 5);
    }
}

#[test]
fn a_line_without_an_end_takes_no_more_memory_than_a_record_may() {
    let mut lines = Lines::default();
    for _ in 0..1000 {
        lines.add(&[b'x'; 10_000], |_, _| panic!("there is no line yet"));
        assert!(lines.begun.capacity() <= 2 * MAX_LINE);
    }
    let mut found = Vec::new();
    lines.add(b"\nnext\n", |line, is_whole| {
        found.push((line.len(), is_whole));
    });
    assert_eq!(found, [(MAX_LINE, false), (4, true)]);
    assert!(lines.begun.capacity() <= CHUNK);
}

#[test]
fn a_long_line_is_cut_and_the_next_one_is_whole() {
    let output = [&[b'x'; MAX_LINE * 3], &b"\nnext\n"[..]].concat();
    let records = taken_over(&output, 4096);
    assert_eq!(records.len(), 2);
    assert!(
        records[0].message().len() <= MAX_TEXT && records[0].message().ends_with('…'),
        "{} bytes",
        records[0].message().len()
    );
    assert_eq!(records[1].message(), "next");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_a_child_writes_becomes_records(
        output in prop::collection::vec(prop_oneof![Just(b'\n'), Just(b'{'), Just(b'"'), any::<u8>()], 0..2000),
        piece in 1_usize..300,
    ) {
        let expected = output
            .split(|&byte| byte == b'\n')
            .filter(|line| !line.trim_ascii_end().is_empty())
            .count();
        let records = taken_over(&output, piece);
        prop_assert_eq!(records.len(), expected);
    }
}
