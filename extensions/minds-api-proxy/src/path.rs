//! Which paths are passed on: those that are one path to everybody.

use percent_encoding::percent_decode_str;

/// Why a path is not passed on. The permission check sees it as it was sent, and a server that decodes first, or carelessly,
/// could see another one.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Deceptive {
    /// `/agents/mine/..%2fyours` is below `mine` to the one and `yours` to the other.
    #[error("The path must not contain a '..' segment.")]
    Climbing,
    #[error("The path must not contain an encoded NUL, CR or LF.")]
    Control,
    /// `%c0%ae` is a dot to a careless decoder.
    #[error(
        "The path must not contain overlong UTF-8: encode each character in its shortest form."
    )]
    Overlong,
}

/// Refuses a path that means something else once it is percent-decoded.
pub(crate) fn refuse_deceptive(path: &str) -> Result<(), Deceptive> {
    if !path.contains('%') {
        return refuse_climbing(path.as_bytes());
    }
    let decoded: Vec<u8> = percent_decode_str(path).collect();
    let mut before = 0;
    for &byte in &decoded {
        match (before, byte) {
            (_, 0 | b'\r' | b'\n') => return Err(Deceptive::Control),
            (0xC0 | 0xC1, 0x80..=0xBF) | (0xE0, 0x80..=0x9F) | (0xF0, 0x80..=0x8F) => {
                return Err(Deceptive::Overlong);
            }
            _ => before = byte,
        }
    }
    refuse_climbing(&decoded)
}

/// With either slash.
fn refuse_climbing(path: &[u8]) -> Result<(), Deceptive> {
    let mut segments = path.split(|byte| matches!(byte, b'/' | b'\\'));
    match segments.any(|segment| segment == b"..") {
        true => Err(Deceptive::Climbing),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_refused(paths: &[&str], expected: &Deceptive) {
        for path in paths {
            assert_eq!(refuse_deceptive(path).as_ref(), Err(expected), "{path}");
        }
    }

    #[test]
    fn encoded_ways_up_are_refused() {
        let paths = [
            "/agents/mine/..%2fyours/x",
            "/agents/mine/%2E%2e%2Fyours/x",
            "/agents/mine/..%5cyours",
            "/agents/mine%2f..%2fyours",
            "/agents/mine/x%5C..",
            "/..",
        ];
        assert_refused(&paths, &Deceptive::Climbing);
    }

    #[test]
    fn encoded_ends_of_lines_and_of_strings_are_refused() {
        let paths = ["/a%00", "/%00/a", "/a%0db", "/a%0Ab", "/a%0d%0ax:y"];
        assert_refused(&paths, &Deceptive::Control);
    }

    #[test]
    fn characters_in_disguise_are_refused() {
        let paths = [
            "/%c0%ae%c0%ae/a",
            "/%C0%AF",
            "/a%c1%9c",
            "/%e0%80%ae",
            "/%f0%80%80%af",
        ];
        assert_refused(&paths, &Deceptive::Overlong);
    }

    #[test]
    fn everything_else_is_passed_on() {
        for path in [
            "/agents/mine/..x",
            "/agents/mine/...",
            "/a/x../b",
            "/a/%252e%252e%252fb",
            "/a/.%2fb",
            "/a/%c3%a9%e2%82%ac%f0%9f%98%80%ff",
            "/a%2",
            "/",
            "",
        ] {
            assert_eq!(refuse_deceptive(path), Ok(()), "{path}");
        }
    }
}
