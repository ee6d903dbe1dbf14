//! Which headers and query parameters may carry a secret, told from their names.
//!
//! What is shown or logged of a request leaves the values of these out. A name can only hint: better too many than too few.

/// A name with any of these in it.
const TELLTALES: [&str; 21] = [
    "assertion",
    "auth",
    "bearer",
    "code",
    "cookie",
    "cred",
    "csrf",
    "hmac",
    "jwt",
    "key",
    "nonce",
    "pass",
    "pwd",
    "saml",
    "secret",
    "session",
    "signature",
    "ticket",
    "token",
    "x-latchkey-",
    "xsrf",
];
/// A name with any of these as a word.
const TELLTALE_WORDS: [&str; 5] = ["otp", "pin", "sid", "sig", "totp"];
/// How a JSON Web Token begins.
const TOKEN: &str = "eyJ";
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

/// Whether a value may hold a secret under whatever name: a token, or another name before a value of its own, as in a URL.
pub fn may_hold_secret(value: &str) -> bool {
    let is_named = |part: &str| {
        let name = part.split_once(['=', ':']).map(|(name, _)| name);
        name.is_some_and(may_be_secret)
    };
    value.contains(TOKEN)
        || value.to_lowercase().contains("bearer ")
        || value.split(['?', '&', ';', '#', ',', '{']).any(is_named)
}
