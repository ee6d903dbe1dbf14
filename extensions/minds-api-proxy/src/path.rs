//! Which paths are passed on.

use percent_encoding::percent_decode_str;

/// Whether the percent-decoded path has a `..` segment, with either slash. `/agents/mine/..%2fyours` is one path to the
/// permission check and another to a server that decodes first, so nobody may send it.
pub(crate) fn climbs(path: &str) -> bool {
    if !path.contains('%') {
        return is_climbing(path.as_bytes());
    }
    let decoded: Vec<u8> = percent_decode_str(path).collect();
    is_climbing(&decoded)
}

fn is_climbing(path: &[u8]) -> bool {
    path.split(|byte| matches!(byte, b'/' | b'\\'))
        .any(|segment| segment == b"..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_ways_up_are_seen() {
        for path in [
            "/agents/mine/..%2fyours/x",
            "/agents/mine/%2E%2e%2Fyours/x",
            "/agents/mine/..%5cyours",
            "/agents/mine%2f..%2fyours",
            "/agents/mine/x%5C..",
            "/..",
        ] {
            assert!(climbs(path), "{path}");
        }
    }

    #[test]
    fn other_dots_are_only_dots() {
        for path in [
            "/agents/mine/..x",
            "/agents/mine/...",
            "/a/x../b",
            "/a/%252e%252e%252fb",
            "/a/.%2fb",
            "/",
            "",
        ] {
            assert!(!climbs(path), "{path}");
        }
    }
}
