use proptest::prelude::*;

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn line(record: &Record) -> String {
    let mut out = Vec::new();
    record.write_line(&mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn a_record_is_one_flat_object_with_nine_digits_of_time() {
    let mut record = Record::new(
        at("2026-11-21T19:05:48.123Z"),
        Level::WARN,
        "gateway",
        "it\nrains",
    );
    record.set("count", 3_u64);
    record.set("delta", -3_i64);
    record.set("share", 0.5);
    record.set("odd", f64::NAN);
    record.set("dry", false);
    record.set("level", "knee-deep");
    record.set("count", 4_u64);
    assert_eq!(
        line(&record),
        "{\"timestamp\":\"2026-11-21T19:05:48.123000000Z\",\"level\":\"WARN\",\"target\":\"gateway\",\
         \"message\":\"it\\nrains\",\"count\":3,\"delta\":-3,\"share\":0.5,\"odd\":\"NaN\",\"dry\":false,\
         \"level_\":\"knee-deep\"}\n"
    );
}

#[test]
fn escapes_do_not_reach_the_line_as_they_are() {
    let record = Record::now(Level::INFO, "x", "\u{1b}[31mred\u{7}\r\n\u{0}");
    let line = line(&record);
    assert!(!line.trim_end().contains(char::is_control), "{line:?}");
    assert_eq!(Record::parse(line.as_bytes()), Some(record));
}

#[test]
fn what_is_not_a_record_is_none() {
    let good = r#"{"timestamp":"2026-11-21T19:05:48.123456789Z","level":"INFO","target":"t","message":"m","a":1}"#;
    let record = Record::parse(good.as_bytes()).unwrap();
    assert_eq!(record.timestamp(), at("2026-11-21T19:05:48.123456789Z"));
    for bad in [
        String::new(),
        "panicked at src/main.rs:1:1".to_owned(),
        "{}".to_owned(),
        "{\"timestamp\":".to_owned(),
        format!("{good}{good}"),
        format!("[{good}]"),
        good.replace("\"a\":1", "\"a\":null"),
        good.replace("\"a\":1", "\"a\":[1]"),
        good.replace("\"a\":1", "\"a\":{\"b\":1}"),
        good.replace("\"message\":\"m\"", "\"message\":1"),
        good.replace("\"message\"", "\"msg\""),
        good.replace("INFO", "LOUD"),
        good.replace("2026-11-21T", "yesterday "),
    ] {
        assert_eq!(Record::parse(bad.as_bytes()), None, "{bad}");
    }
}

#[test]
fn what_is_too_long_is_cut_and_says_so() {
    let mut record = Record::now(
        Level::INFO,
        "t".repeat(MAX_NAME * 2),
        "é".repeat(MAX_TEXT / 2 - 200),
    );
    record.set("n".repeat(MAX_NAME * 2), "v".repeat(MAX_TEXT));
    record.set("late", "x".repeat(MAX_TEXT));
    record.set("number", 1_u64);
    assert_eq!(record.target().len(), MAX_NAME);
    assert!(record.target().ends_with('…'), "{}", record.target());
    let total: usize = record
        .fields()
        .map(|(name, value)| match value {
            Value::Text(text) => name.len() + text.len(),
            _ => name.len(),
        })
        .sum::<usize>()
        + record.target().len()
        + record.message().len();
    assert!(total <= MAX_TEXT, "{total}");
    assert_eq!(Record::parse(line(&record).as_bytes()), Some(record));
}

#[test]
fn the_longest_record_fits_a_line() {
    let mut record = Record::now(Level::ERROR, "t", "");
    for index in 0..MAX_FIELDS * 2 {
        record.set(format!("\u{1}{index}"), f64::MIN_POSITIVE * -1.234_567_8);
    }
    let room = record.room;
    let mut record = Record::now(Level::ERROR, "t", "\u{1}".repeat(room));
    for index in 0..MAX_FIELDS * 2 {
        record.set(format!("\u{1}{index}"), f64::MIN_POSITIVE * -1.234_567_8);
    }
    let length = line(&record).len();
    assert_eq!((record.fields().count(), record.room), (MAX_FIELDS, 0));
    assert!(length <= MAX_LINE, "{length}");
}

#[test]
fn what_a_value_writes_is_kept_within_bounds() {
    struct Endless;
    impl fmt::Display for Endless {
        fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            (0..MAX_TEXT).try_for_each(|_| formatter.write_str("abcé"))
        }
    }
    let text = bounded(format_args!("{Endless}"));
    assert!(text.len() <= MAX_TEXT + CUT.len(), "{}", text.len());
    let record = Record::now(Level::INFO, "t", text);
    assert!(record.message().ends_with('…'));
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        ".{0,40}".prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        // Those that the reader gets right to the last bit.
        any::<i16>().prop_map(|value| Value::from(f64::from(value) / 4.0)),
    ]
}

proptest! {
    #[test]
    fn every_record_is_a_line_and_comes_back(
        nanosecond in -62_135_596_800_000_000_000_i128..253_370_764_800_000_000_000,
        level in prop::sample::select(vec![Level::TRACE, Level::DEBUG, Level::INFO, Level::WARN, Level::ERROR]),
        target in "\\PC{0,300}",
        message in prop::string::string_regex("(.|\n|\r|\t|\u{1b}){0,200}").unwrap(),
        fields in prop::collection::vec(("[a-z_.]{0,4}|timestamp|level|target|message|\\PC{1,9}", value()), 0..80),
    ) {
        let mut record = Record::new(Timestamp::from_nanosecond(nanosecond).unwrap(), level, target, message);
        for (name, value) in fields {
            record.set(name, value);
        }
        let line = line(&record);
        prop_assert_eq!(line.find('\n'), Some(line.len() - 1));
        prop_assert_eq!(Record::parse(line.trim_end().as_bytes()), Some(record));
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Record::parse(&bytes);
        let _ = Record::parse(&[b"{", &*bytes].concat());
    }
}
