//! Which headers and query parameters may carry a secret, told from their names.
//!
//! What is shown or logged of a request leaves the values of these out. A name can only hint: better too many than too few.

/// A name with any of these in it.
const TELLTALES: [&str; 15] = [
    "auth",
    "code",
    "cookie",
    "cred",
    "jwt",
    "key",
    "nonce",
    "pass",
    "pwd",
    "secret",
    "session",
    "signature",
    "ticket",
    "token",
    "x-latchkey-",
];
/// A name with any of these as a word.
const TELLTALE_WORDS: [&str; 3] = ["otp", "pin", "sig"];
/// These have a telltale in their names, and are none.
const INNOCENT: [&str; 5] = ["author", "keyword", "keywords", "passive", "rule_key"];

/// Whether the value of a header or a query parameter of this name may be a secret.
pub fn may_be_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    let mut words = name.split(|character: char| !character.is_alphanumeric());
    let is_telling = TELLTALES.iter().any(|part| name.contains(part))
        || words.any(|word| TELLTALE_WORDS.contains(&word));
    is_telling && !INNOCENT.contains(&name.as_str())
}
