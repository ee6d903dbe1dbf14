//! The one way for text of an extension into a log, a terminal or a file.

/// What stands for a text that was cut.
const CUT: char = '…';

/// `text` as one line that commands nobody and hides nothing: terminal sequences are taken out whole, line breaks and tabs
/// become spaces, other control characters and all characters that nobody sees (those that turn the direction of text, join,
/// separate or tag) are left out. At most `longest` bytes of it are looked at; where more stood, the result ends in `…`.
///
/// A text that has none of this stays as it is, and so does a result of this.
pub fn printable(text: &str, longest: usize) -> String {
    let end = text.floor_char_boundary(longest);
    let whole = end == text.len();
    let mut rest = text.get(..end).unwrap_or_default();
    let mut clean = String::with_capacity(rest.len());
    while let Some(position) = rest.find(is_removed) {
        let (fine, special) = rest.split_at(position);
        clean.push_str(fine);
        rest = match behind_sequence(special) {
            Some(rest) => rest,
            None => {
                let mut characters = special.chars();
                if let Some('\n' | '\r' | '\t' | '\u{85}' | '\u{2028}' | '\u{2029}') =
                    characters.next()
                {
                    clean.push(' ');
                }
                characters.as_str()
            }
        };
    }
    clean.push_str(rest);
    if !whole {
        clean.push(CUT);
    }
    clean
}

/// As [`printable`], of bytes that may be no UTF-8.
pub fn printable_bytes(bytes: &[u8], longest: usize) -> String {
    let head = bytes.get(..longest).unwrap_or(bytes);
    let mut clean = printable(&String::from_utf8_lossy(head), usize::MAX);
    if head.len() < bytes.len() {
        clean.push(CUT);
    }
    clean
}

/// What stands behind the terminal sequence (ECMA-48) at the beginning of `text`. None where there is none that is complete:
/// then its beginning alone goes, and what follows is seen.
fn behind_sequence(text: &str) -> Option<&str> {
    let mut characters = text.chars();
    // A sequence begins with two characters, or with the one that stands for both.
    let kind = match characters.next()? {
        '\u{1b}' => characters.next()?,
        // A line break.
        '\u{85}' => return None,
        single @ '\u{80}'..='\u{9f}' => char::from_u32(u32::from(single) - 0x40)?,
        _ => return None,
    };
    let rest = characters.as_str();
    match kind {
        '[' => {
            let rest = rest.trim_start_matches(|c| matches!(c, '0'..='?'));
            let rest = rest.trim_start_matches(|c| matches!(c, ' '..='/'));
            rest.strip_prefix(|c| matches!(c, '@'..='~'))
        }
        // A string for the terminal or its programs; any other control character breaks it off.
        ']' | 'P' | 'X' | '^' | '_' => {
            let (_, end) = rest.split_at(rest.find(char::is_control)?);
            end.strip_prefix("\u{1b}\\")
                .or_else(|| end.strip_prefix(['\u{7}', '\u{9c}']))
        }
        ' '..='/' => {
            let rest = rest.trim_start_matches(|c| matches!(c, ' '..='/'));
            rest.strip_prefix(|c| matches!(c, '0'..='~'))
        }
        '0'..='~' => Some(rest),
        _ => None,
    }
}

/// Control characters, the separators that break lines, and what Unicode calls default-ignorable or a format character and
/// shows nothing.
fn is_removed(character: char) -> bool {
    match character {
        ' '..='~' => false,
        _ if character.is_control() => true,
        '\u{ad}'
        | '\u{34f}'
        | '\u{61c}'
        | '\u{115f}'..='\u{1160}'
        | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}'
        | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}'
        | '\u{13430}'..='\u{1343f}'
        | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}' => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn whole(text: &str) -> String {
        printable(text, usize::MAX)
    }

    #[test]
    fn terminal_sequences_go_whole() {
        for (text, clean) in [
            ("a \u{1b}[31;1mred\u{1b}[0m z", "a red z"),
            ("a\u{1b}]0;title\u{7}z", "az"),
            (
                "a\u{1b}]8;;http://x\u{1b}\\link\u{1b}]8;;\u{1b}\\z",
                "alinkz",
            ),
            ("a\u{1b}]52;c;ZWNobw==\u{9c}z", "az"),
            ("a\u{1b}P1$q\u{1b}\\z", "az"),
            ("a\u{1b}_app\u{1b}\\z", "az"),
            ("a\u{9b}2Jz", "az"),
            ("a\u{9d}0;title\u{7}z", "az"),
            ("a\u{1b}(Bz", "az"),
            ("a\u{1b}cz", "az"),
            ("a\u{1b}[?1049hz", "az"),
        ] {
            assert_eq!(whole(text), clean, "{text:?}");
        }
    }

    #[test]
    fn the_beginning_of_a_sequence_hides_nothing_that_follows() {
        for (text, clean) in [
            ("a\u{1b}]0;no end", "a0;no end"),
            ("a\u{1b}]0;broken\noff\u{7}", "a0;broken off"),
            ("a\u{1b}[31", "a31"),
            ("a\u{1b}", "a"),
            ("a\u{1b}\u{1b}[31mz", "az"),
            ("a\u{1b}é", "aé"),
        ] {
            // What makes the beginning of a sequence a letter of text is of no consequence.
            let found = whole(text).replace([']', '['], "");
            assert_eq!(found, clean, "{text:?}");
        }
    }

    #[test]
    fn a_text_is_one_line_in_which_everything_is_seen() {
        assert_eq!(whole("a\r\nb\tc\u{0}d\u{2028}e"), "a  b cd e");
        assert_eq!(
            whole("\u{202e}evil\u{2066}\u{200b}\u{feff}x\u{e0041}"),
            "evilx"
        );
        assert_eq!(whole("Grüße, 世界 🚀 ‑ “ok”"), "Grüße, 世界 🚀 ‑ “ok”");
    }

    #[test]
    fn a_long_text_is_cut_between_characters_and_says_so() {
        assert_eq!(printable("aé", 2), "a…");
        assert_eq!(printable("aé", 3), "aé");
        assert_eq!(printable_bytes(b"ab\xff", 3), "ab\u{fffd}");
        assert_eq!(printable_bytes(b"ab\xffd", 3), "ab\u{fffd}…");
    }

    #[test]
    fn what_unicode_calls_invisible_is_removed() {
        let invisible =
            regex::Regex::new(r"[\p{Cc}\p{Default_Ignorable_Code_Point}\p{Zl}\p{Zp}]").unwrap();
        let format = regex::Regex::new(r"\p{Cf}").unwrap();
        let mut shown = Vec::new();
        for character in '\0'..=char::MAX {
            let mut bytes = [0; 4];
            let text: &str = character.encode_utf8(&mut bytes);
            if invisible.is_match(text) {
                assert!(is_removed(character), "U+{:04X}", u32::from(character));
            } else if format.is_match(text) && !is_removed(character) {
                shown.push(u32::from(character));
            }
        }
        // Signs of Arabic, Syriac and Kaithi that stand before a number, and are seen.
        let signs = [
            0x600, 0x601, 0x602, 0x603, 0x604, 0x605, 0x6dd, 0x70f, 0x890, 0x891, 0x8e2, 0x110bd,
            0x110cd,
        ];
        assert_eq!(shown, signs);
    }

    proptest! {
        #[test]
        fn nothing_that_is_not_seen_is_left_of_any_text(
            parts in proptest::collection::vec(
                prop_oneof![
                    any::<String>(),
                    "[\u{1b}\u{9b}\u{9d}\u{90}][\\[\\]PX^_(c]?[0-9;?]{0,4}[ -/]?[@-~]?[\u{7}\u{9c}\u{1b}\\\\]{0,2}",
                    "[\u{200b}-\u{202e}\u{2060}-\u{206f}\u{e0000}-\u{e00ff}\r\n\t\u{0}]{0,3}",
                ],
                0..8,
            ),
            longest in 0_usize..200,
        ) {
            let text = parts.concat();
            let clean = printable(&text, longest);
            prop_assert!(!clean.contains(is_removed), "{text:?} became {clean:?}");
            prop_assert!(clean.len() <= longest + CUT.len_utf8(), "{clean:?}");
            prop_assert_eq!(&printable(&clean, usize::MAX), &clean, "it is not final");
            let bytes = printable_bytes(text.as_bytes(), longest);
            prop_assert!(!bytes.contains(is_removed), "{text:?} became {bytes:?}");
        }

        #[test]
        fn plain_text_stays(text in "[ -~à-ÿ一-丁]{0,60}") {
            prop_assert_eq!(printable(&text, usize::MAX), text);
        }
    }
}
