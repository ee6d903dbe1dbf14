//! One line of `known_hosts`: an optional marker, the names, the type of the key, the key, and a comment that means nothing.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use russh::keys::key::parse_public_key;
use russh::keys::ssh_key::public::KeyData;
use russh::keys::{Algorithm, PublicKey};

use super::name::Name;

/// What a line says about its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marker {
    /// It is the host's.
    None,
    /// It signs the certificates of hosts, and is no host's own.
    CertAuthority,
    /// It must not be trusted, whatever other lines say.
    Revoked,
}

/// A line as it stands, its key not yet decoded.
#[derive(Debug, PartialEq, Eq)]
pub struct Line<'a> {
    marker: Marker,
    names: &'a str,
    algorithm: &'a str,
    key: &'a str,
}

/// A line with its key.
#[derive(Clone, Debug)]
pub struct Entry {
    pub number: usize,
    pub marker: Marker,
    pub key: PublicKey,
}

/// Why a line makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Defect {
    #[error("it starts with a marker other than @revoked and @cert-authority")]
    Marker,
    #[error("it is not of the form '<names> <type> <key>'")]
    Fields,
    #[error("its hashed name is not of the form '|1|<salt>|<hash>'")]
    HashedName,
    #[error("its key is not the base64 of a public key of the named type")]
    Key,
}

impl<'a> Line<'a> {
    /// None for a comment or a blank line.
    pub fn parse(text: &'a str) -> Result<Option<Self>, Defect> {
        let mut fields = text
            .trim_ascii()
            .split([' ', '\t'])
            .filter(|field| !field.is_empty());
        let Some(mut names) = fields.next().filter(|field| !field.starts_with('#')) else {
            return Ok(None);
        };
        let mut marker = Marker::None;
        if names.starts_with('@') {
            marker = match names {
                "@revoked" => Marker::Revoked,
                "@cert-authority" => Marker::CertAuthority,
                _ => return Err(Defect::Marker),
            };
            names = fields.next().ok_or(Defect::Fields)?;
        }
        let (Some(algorithm), Some(key)) = (fields.next(), fields.next()) else {
            return Err(Defect::Fields);
        };
        Ok(Some(Self {
            marker,
            names,
            algorithm,
            key,
        }))
    }

    pub fn names(&self, name: &Name) -> Result<bool, Defect> {
        name.is_in(self.names)
    }

    pub fn entry(&self, number: usize) -> Result<Entry, Defect> {
        Ok(Entry {
            number,
            marker: self.marker,
            key: self.decode().ok_or(Defect::Key)?,
        })
    }

    fn decode(&self) -> Option<PublicKey> {
        let bytes = BASE64_STANDARD.decode(self.key).ok()?;
        let key = parse_public_key(&bytes).ok()?;
        // The parser overlooks what follows the key.
        let whole = key.to_bytes().ok()? == bytes;
        let plain = !matches!(key.key_data(), KeyData::Certificate(_));
        let named = match (self.algorithm.parse().ok()?, key.algorithm()) {
            // Some programs write the name of a signature, not of the key.
            (Algorithm::Rsa { .. }, Algorithm::Rsa { .. }) => true,
            (named, algorithm) => named == algorithm,
        };
        (whole && plain && named).then_some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_told_apart_by_any_blanks() {
        let plain = Line {
            marker: Marker::None,
            names: "a,b",
            algorithm: "ssh-ed25519",
            key: "AAAA",
        };
        for text in [
            "a,b ssh-ed25519 AAAA",
            "  a,b\tssh-ed25519 \t AAAA",
            "\ta,b ssh-ed25519 AAAA \t \r",
            "a,b ssh-ed25519 AAAA a comment # of words",
        ] {
            assert_eq!(
                Line::parse(text).as_ref(),
                Ok(&Some(Line { ..plain })),
                "{text:?}"
            );
        }
        let revoked = Line::parse(" @revoked\t a,b ssh-ed25519 AAAA")
            .unwrap()
            .unwrap();
        assert_eq!((revoked.marker, revoked.names), (Marker::Revoked, "a,b"));
    }

    #[test]
    fn comments_and_blank_lines_say_nothing() {
        for text in [
            "",
            " ",
            "\t\r",
            "#",
            "# a ssh-ed25519 AAAA",
            "  #a ssh-ed25519 AAAA",
        ] {
            assert_eq!(Line::parse(text), Ok(None), "{text:?}");
        }
    }

    #[test]
    fn other_lines_are_defects() {
        for (text, defect) in [
            ("a", Defect::Fields),
            ("a ssh-ed25519", Defect::Fields),
            ("@revoked", Defect::Fields),
            ("@revoked a ssh-ed25519", Defect::Fields),
            ("@Revoked a ssh-ed25519 AAAA", Defect::Marker),
            (
                "@revoked,@cert-authority a ssh-ed25519 AAAA",
                Defect::Marker,
            ),
        ] {
            assert_eq!(Line::parse(text), Err(defect), "{text:?}");
        }
    }

    #[test]
    fn a_key_that_is_not_what_the_line_says_is_a_defect() {
        const KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
        let entry = |text: &str| {
            Line::parse(text)
                .unwrap()
                .unwrap()
                .entry(1)
                .map(|entry| entry.number)
        };
        assert_eq!(entry(&format!("a ssh-ed25519 {KEY}")), Ok(1));
        for text in [
            format!("a ssh-rsa {KEY}"),
            format!("a ssh-ed25519 {KEY}AAAA"),
            format!("a ssh-ed25519 {}", &KEY[..KEY.len() - 4]),
            format!("a ssh-ed25519 {}", KEY.replace('/', "*")),
            "a ssh-ed25519 =".to_owned(),
            "a 1024 35 1234567890".to_owned(),
        ] {
            assert_eq!(entry(&text), Err(Defect::Key), "{text}");
        }
    }
}
