//! The name under which `known_hosts` knows a host, and the patterns that stand for names.

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::hash;
use super::line::Defect;

const SSH_PORT: u16 = 22;
/// The one kind of hashed name.
const HASHED: &str = "|1|";

/// `host` on SSH's own port, `[host]:port` on another; in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    pub fn new(host: &str, port: u16) -> Self {
        let host = host.to_ascii_lowercase();
        Self(match port {
            SSH_PORT => host,
            _ => format!("[{host}]:{port}"),
        })
    }

    /// Whether a line's first field stands for this name.
    pub fn is_in(&self, field: &str) -> Result<bool, Defect> {
        if field.starts_with('|') {
            return self.is_hashed_in(field);
        }
        let mut matched = false;
        for pattern in field.split(',') {
            match pattern.strip_prefix('!') {
                // An exclusion wins over whatever else the list says.
                Some(excluded) if self.fits(excluded) => return Ok(false),
                Some(_) => {}
                None => matched |= self.fits(pattern),
            }
        }
        Ok(matched)
    }

    fn is_hashed_in(&self, field: &str) -> Result<bool, Defect> {
        let decode = |text: &str| -> Option<[u8; hash::LENGTH]> {
            BASE64_STANDARD.decode(text).ok()?.try_into().ok()
        };
        let (salt, digest) = field
            .strip_prefix(HASHED)
            .and_then(|rest| rest.split_once('|'))
            .and_then(|(salt, digest)| Some((decode(salt)?, decode(digest)?)))
            .ok_or(Defect::HashedName)?;
        Ok(hash::hmac(&salt, self.0.as_bytes()) == digest)
    }

    fn fits(&self, pattern: &str) -> bool {
        fits(pattern.to_ascii_lowercase().as_bytes(), self.0.as_bytes())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// `*` stands for any text, `?` for any one character, everything else for itself.
fn fits(mut pattern: &[u8], mut text: &[u8]) -> bool {
    // Where to go on when the latest `*` has to take one character more.
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        match (pattern, text) {
            ([b'*', rest @ ..], _) => {
                retry = Some((rest, text));
                pattern = rest;
            }
            ([], []) => return true,
            ([wanted, rest @ ..], [found, remaining @ ..])
                if *wanted == b'?' || wanted == found =>
            {
                (pattern, text) = (rest, remaining);
            }
            _ => match retry {
                Some((rest, [_, remaining @ ..])) => {
                    retry = Some((rest, remaining));
                    (pattern, text) = (rest, remaining);
                }
                _ => return false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_in(host: &str, port: u16, field: &str) -> bool {
        Name::new(host, port).is_in(field).unwrap()
    }

    #[test]
    fn the_port_is_part_of_the_name_unless_it_is_the_usual_one() {
        for (host, port, name) in [
            ("example.com", 22, "example.com"),
            ("Example.COM", 2222, "[example.com]:2222"),
            ("2001:db8::A", 22, "2001:db8::a"),
            ("::1", 8022, "[::1]:8022"),
        ] {
            assert_eq!(Name::new(host, port).to_string(), name);
        }
    }

    #[test]
    fn a_list_fits_when_one_pattern_does_and_none_excludes() {
        for (host, port, field, expected) in [
            ("a.example", 22, "a.example", true),
            ("A.Example", 22, "b.example,a.EXAMPLE", true),
            ("a.example", 22, "a.example.org", false),
            ("a.example", 22, "*.example", true),
            ("a.b.example", 22, "*.example", true),
            ("a.example", 22, "?.example", true),
            ("ab.example", 22, "?.example", false),
            ("a.example", 22, "*", true),
            ("a.example", 22, "*,!a.example", false),
            ("a.example", 22, "!a.example,*", false),
            ("a.example", 22, "!b.example", false),
            ("a.example", 22, "!*.org,*.example", true),
            ("a.example", 22, "[a.example]:22", false),
            ("a.example", 2222, "a.example", false),
            ("a.example", 2222, "[a.example]:2222", true),
            ("a.example", 2222, "[a.example]:2223", false),
            ("a.example", 2222, "[*.example]:*", true),
            ("a.example", 2222, "*", true),
            ("::1", 22, "::1", true),
            ("::1", 2222, "localhost,[::1]:2222", true),
            ("a.example", 22, ",,a.example,", true),
            ("a.example", 22, "", false),
        ] {
            assert_eq!(
                is_in(host, port, field),
                expected,
                "{host} port {port} in {field:?}"
            );
        }
    }

    #[test]
    fn many_asterisks_take_no_time() {
        let pattern = "*a".repeat(2000) + "b";
        assert!(!fits(pattern.as_bytes(), "a".repeat(4000).as_bytes()));
    }

    #[test]
    fn a_hashed_name_that_cannot_be_one_is_a_defect() {
        for field in [
            "|1|",
            "|1|AAAA|AAAA",
            "|2|lcY/In3lsGnkJikLENb0DM70B/I=|Qs4e9Nr7mM6avuEv02fw2uFnwQo=",
            "|1|lcY/In3lsGnkJikLENb0DM70B/I=|Qs4e9Nr7mM6avuEv02fw2uFnwQo=,a.example",
            "|1|lcY/In3lsGnkJikLENb0DM70B/I=",
        ] {
            let found = Name::new("a.example", 22).is_in(field);
            assert_eq!(found, Err(Defect::HashedName), "{field}");
        }
    }
}
