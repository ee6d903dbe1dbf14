//! The keys of a policy, as the gateway itself names them when it meets one that it does not know: each is a grant that the
//! other tests open and close, or a limit that is tested here.

use end_to_end::{Gateway, Home};
use gates::Grant;

use crate::limits::limit;
use crate::upstreams::upstream_key;

/// The keys that may stand where `policy` has `no-such-key`.
pub async fn keys_beside_an_unknown_one(policy: &str) -> Vec<String> {
    let home = Home::new();
    home.install("limited", policy);
    let gateway = Gateway::in_home(home).start().await;
    let named = gateway
        .process()
        .logged("the gateway names the keys that it knows", |line| {
            let (_, known) = line.split_once("unknown field `no-such-key`, expected one of ")?;
            Some(known.to_owned())
        })
        .await;
    let mut keys = Vec::new();
    for name in named.split(", ") {
        let key = name.split('`').nth(1);
        keys.push(key.unwrap_or_else(|| panic!("{named}")).to_owned());
    }
    keys
}

#[tokio::test]
async fn every_key_of_a_policy_is_a_grant_or_a_limit_that_is_tested() {
    let keys = keys_beside_an_unknown_one("no-such-key = 1\n").await;
    for key in &keys {
        let grants = Grant::all().any(|grant| grant.policy_key() == key);
        assert!(
            grants || limit(key).is_some(),
            "nothing tests the key {key}"
        );
    }
    for grant in Grant::all() {
        let key = grant.policy_key();
        assert!(keys.iter().any(|known| known == key), "{key} in {keys:?}");
    }
}

#[tokio::test]
async fn the_reference_names_limits_that_there_are() {
    let mut keys = keys_beside_an_unknown_one("no-such-key = 1\n").await;
    keys.extend(keys_beside_an_unknown_one("[[upstreams]]\nno-such-key = 1\n").await);
    for grant in Grant::all() {
        for limit in grant.limits() {
            assert!(keys.iter().any(|key| key == limit), "{limit} in {keys:?}");
        }
    }
}

#[tokio::test]
async fn every_limit_of_a_policy_is_obeyed_and_kept() {
    for key in keys_beside_an_unknown_one("no-such-key = 1\n").await {
        if let Some(limit) = limit(&key) {
            eprintln!("{key}");
            limit.assert_kept(&key).await;
        }
    }
}

#[tokio::test]
async fn every_key_of_an_upstream_is_tested() {
    for key in keys_beside_an_unknown_one("[[upstreams]]\nno-such-key = 1\n").await {
        eprintln!("{key}");
        let shown = upstream_key(&key).await;
        assert!(shown, "nothing tests the key {key} of an upstream");
    }
}
