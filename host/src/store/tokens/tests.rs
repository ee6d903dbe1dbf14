use std::time::Duration;

use secrecy::ExposeSecret;
use serde_json::json;

use super::*;
use crate::store::keys::EncryptionKey;

// Computed with Python's hmac, hashlib and base64 from the key of the bytes 200 to 231.
const KEY: &str = "yMnKy8zNzs_Q0dLT1NXW19jZ2tvc3d7f4OHi4-Tl5uc";
const PLAIN: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJwZXJtaXNzaW9uc0NvbmZpZyI6Ii92YXIvbGliL2xhdGNoIGtleS_DqS9wZXJtaXNzaW9ucy5qc29uIn0.UVJ4RNXEE38SYuBZdKrVP_WBgTqIOKcyY6bC7-zM2VA";
const WITH_CLAIMS: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJleHAiOjQxMDI0NDQ4MDAsInN1YiI6ImEiLCJwZXJtaXNzaW9uc0NvbmZpZyI6Ii9wLmpzb24ifQ.DVWTcNkCC-GdFHX291ScDlr95wX7YSO47tOEDl4a8Ow";
const PASSWORD: &str = "08944237ed71c449a2af72300f7374ced965d7e598122dffc0f789e26ec4a08d";

fn key() -> SigningKey {
    EncryptionKey::from_environment(KEY).unwrap().signing_key()
}

fn claims(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

/// A genuinely signed token of any header and payload.
fn signed(header: &str, payload: &str) -> String {
    let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let message = format!(
        "{}.{}",
        encode(header.as_bytes()),
        encode(payload.as_bytes())
    );
    let signature = encode(&key().sign(message.as_bytes()));
    format!("{message}.{signature}")
}

fn refusal(token: &str) -> String {
    OverrideVerifier::new(&key())
        .verify(token)
        .unwrap_err()
        .to_string()
}

#[test]
fn tokens_and_password_are_byte_identical() {
    let path = Path::new("/var/lib/latch key/é/permissions.json");
    assert_eq!(mint_override(&key(), path, Map::new()).unwrap(), PLAIN);
    let with_claims = claims(json!({"exp": 4_102_444_800_u64, "sub": "a"}));
    assert_eq!(
        mint_override(&key(), Path::new("/p.json"), with_claims).unwrap(),
        WITH_CLAIMS
    );
    assert_eq!(gateway_password(&key()).expose_secret(), PASSWORD);
}

#[test]
fn a_token_that_could_not_be_verified_is_not_minted() {
    let reserved = claims(json!({"permissionsConfig": "/other"}));
    assert_eq!(
        mint_override(&key(), Path::new("/p"), reserved),
        Err(MintError::ReservedClaim)
    );
    assert!(mint_override(&key(), Path::new("p"), Map::new()).is_err());
}

#[test]
fn good_tokens_name_their_file_again_and_again() {
    let verifier = OverrideVerifier::new(&key());
    for _ in 0..2 {
        let path = verifier.verify(PLAIN).unwrap();
        assert_eq!(&*path, Path::new("/var/lib/latch key/é/permissions.json"));
    }
}

#[test]
fn each_failure_has_its_literal_reason() {
    let good = r#"{"alg":"HS256","typ":"JWT"}"#;
    let segments = "Permissions override JWT must have three dot-separated segments.";
    for token in ["", "a", "a.b", "a.b.c.d"] {
        assert_eq!(refusal(token), segments);
    }
    let members = "Permissions override header must declare alg='HS256' and typ='JWT'.";
    for header in [
        "[]",
        "null",
        r#"{"alg":"none","typ":"JWT"}"#,
        r#"{"alg":"HS256"}"#,
        r#"{"alg":"HS256","typ":"jwt"}"#,
    ] {
        assert_eq!(refusal(&signed(header, "{}")), members);
    }
    assert_eq!(
        refusal(&signed("{", "{}")),
        "Permissions override header is not valid JSON."
    );
    assert_eq!(
        refusal(&signed(good, "{")),
        "Permissions override payload is not valid JSON."
    );
    let missing = "Permissions override payload must contain a string 'permissionsConfig' field.";
    for payload in ["[]", "{}", "null", r#"{"permissionsConfig":1}"#] {
        assert_eq!(refusal(&signed(good, payload)), missing);
    }
    assert_eq!(
        refusal(&signed(good, r#"{"permissionsConfig":"a/b"}"#)),
        "Permissions override 'permissionsConfig' must be an absolute path: a/b"
    );
    let other = PLAIN.replace("UVJ4", "UVJ5");
    assert_eq!(
        refusal(&other),
        "Permissions override signature is invalid."
    );
    let unsigned = PLAIN.rsplit_once('.').unwrap().0.to_owned() + ".";
    assert_eq!(
        refusal(&unsigned),
        "Permissions override signature is invalid."
    );
}

/// Defect 8: padding, the standard alphabet, stray characters and stray bits were accepted.
#[test]
fn non_canonical_base64_is_refused() {
    let reason = |part: &str| format!("Permissions override {part} is not valid base64url.");
    let [header, payload, signature] = PLAIN.split('.').collect::<Vec<_>>().try_into().unwrap();
    assert_eq!(
        refusal(&format!("{header}=.{payload}.{signature}")),
        reason("header")
    );
    assert_eq!(
        refusal(&format!("{header} .{payload}.{signature}")),
        reason("header")
    );
    for bad in [
        format!("{signature}="),
        signature.replace('-', "+").replace('_', "/"),
        format!("{signature}\n"),
        // The last character carries two bits of nothing.
        signature.replace("2VA", "2VB"),
    ] {
        assert_eq!(
            refusal(&format!("{header}.{payload}.{bad}")),
            reason("signature"),
            "{bad}"
        );
    }
    let message = format!("{header}.{payload}=");
    let resigned = BASE64_URL_SAFE_NO_PAD.encode(key().sign(message.as_bytes()));
    assert_eq!(refusal(&format!("{message}.{resigned}")), reason("payload"));
}

/// Defect 8: `exp` was ignored. A remembered token's dates count too.
#[test]
fn dates_are_honoured_on_every_use() {
    let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
    let dated = claims(json!({"nbf": 1000, "exp": 2000}));
    let token = mint_override(&key(), Path::new("/p"), dated).unwrap();
    let verifier = OverrideVerifier::new(&key());
    assert_eq!(
        verifier.verify_at(&token, at(999)),
        Err(OverrideError::NotYetValid)
    );
    assert!(verifier.verify_at(&token, at(1000)).is_ok());
    assert!(verifier.verify_at(&token, at(1999)).is_ok());
    assert_eq!(
        verifier.verify_at(&token, at(2000)),
        Err(OverrideError::Expired)
    );
    assert_eq!(
        OverrideError::Expired.to_string(),
        "Permissions override has expired."
    );
    assert_eq!(
        OverrideError::NotYetValid.to_string(),
        "Permissions override is not yet valid."
    );

    let odd = mint_override(&key(), Path::new("/p"), claims(json!({"exp": "tomorrow"}))).unwrap();
    assert_eq!(verifier.verify(&odd), Err(OverrideError::Expired));
}

#[test]
fn debug_output_keeps_the_secret() {
    let verifier = OverrideVerifier::new(&key());
    verifier.verify(PLAIN).unwrap();
    assert_eq!(format!("{verifier:?}"), "OverrideVerifier { .. }");
}
