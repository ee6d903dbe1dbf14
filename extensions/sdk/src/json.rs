//! JSON from elsewhere, taken in as ECMAScript programs take it in.
//!
//! Bytes that are no UTF-8, and escapes of half a surrogate pair (what is left of an emoji in a text that was cut), stand for
//! U+FFFD: clients send both, and files that other programs wrote contain both.

use serde::de::DeserializeOwned;

const REPLACEMENT: &str = r"\ufffd";
const BACKSLASH: u8 = b'\\';

/// Whether there is nothing but what ECMAScript takes for white space, a byte order mark included.
pub fn is_blank(bytes: &[u8]) -> bool {
    let is_space = |character: char| {
        character == '\u{feff}' || character.is_whitespace() && character != '\u{85}'
    };
    String::from_utf8_lossy(bytes).chars().all(is_space)
}

/// Takes in a JSON text.
///
/// # Errors
/// What is wrong with it, when it is none.
pub fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> serde_json::Result<T> {
    let text = String::from_utf8_lossy(bytes);
    let refused = match serde_json::from_str(&text) {
        Ok(value) => return Ok(value),
        Err(refused) => refused,
    };
    match with_whole_surrogates(&text) {
        Some(mended) => serde_json::from_str(&mended),
        None => Err(refused),
    }
}

/// The text with each unpaired surrogate escape replaced; none when it has none.
fn with_whole_surrogates(text: &str) -> Option<String> {
    let mut mended = String::new();
    let mut kept = 0;
    let mut at = 0;
    while let Some(found) = text
        .as_bytes()
        .get(at..)?
        .iter()
        .position(|&byte| byte == BACKSLASH)
    {
        let start = at + found;
        at = match (unit(text, start), unit(text, start + 6)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => start + 12,
            (Some(0xd800..=0xdfff), _) => {
                mended.push_str(text.get(kept..start)?);
                mended.push_str(REPLACEMENT);
                kept = start + 6;
                kept
            }
            // Also an escaped backslash, after which a `u` is only a letter.
            _ => (start + 2).min(text.len()),
        };
    }
    (kept > 0).then(|| mended + text.get(kept..).unwrap_or_default())
}

/// The UTF-16 code unit whose escape begins at `start`, if one does.
fn unit(text: &str, start: usize) -> Option<u16> {
    let digits = text
        .get(start..start.checked_add(6)?)?
        .strip_prefix("\\u")?;
    let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_hex.then(|| u16::from_str_radix(digits, 16).ok())?
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn parsed(text: &str) -> Option<String> {
        parse_json(text.as_bytes()).ok()
    }

    #[test]
    fn half_a_surrogate_pair_is_replaced_and_a_whole_one_kept() {
        for (text, expected) in [
            (r#""cut \ud83d""#, "cut \u{fffd}"),
            (r#""\uDE00 cut""#, "\u{fffd} cut"),
            (r#""\ud83d\ude00""#, "\u{1f600}"),
            (r#""\ud83d\ud83d\ude00""#, "\u{fffd}\u{1f600}"),
            (r#""\ude00\ud83d\n""#, "\u{fffd}\u{fffd}\n"),
            (r#""\\ud83d \ud83d é""#, "\\ud83d \u{fffd} é"),
        ] {
            assert_eq!(parsed(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn bytes_that_are_no_utf8_are_replaced() {
        assert_eq!(
            parse_json::<Value>(b"\"a\xffb\"").ok(),
            Some("a\u{fffd}b".into())
        );
    }

    #[test]
    fn what_is_no_json_stays_none() {
        for text in [
            "",
            "{",
            r#""\ud83"#,
            r#""\ud83d"#,
            "\\",
            r#""\uzzzz""#,
            "\u{feff}1",
            "'a'",
        ] {
            assert!(parse_json::<Value>(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn blank_is_what_ecmascript_trims() {
        assert!(
            is_blank(b"") && is_blank(b" \n\t\r") && is_blank("\u{feff}\u{a0}\u{2028}".as_bytes())
        );
        assert!(!is_blank(b"0") && !is_blank("\u{85}".as_bytes()) && !is_blank(b"\xff"));
    }

    #[test]
    fn mending_takes_any_text() {
        let pieces = ["\\", "u", "d83d", "de00", "\u{e9}", "\"", "0"];
        for number in 0..pieces.len().pow(5) {
            let text: String = (0..5_u32)
                .map(|place| pieces[number / pieces.len().pow(place) % pieces.len()])
                .collect();
            let _ = parse_json::<Value>(text.as_bytes());
        }
    }
}
