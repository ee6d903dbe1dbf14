//! Addresses: URIs, hosts, mailboxes and IP addresses.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use regex::Regex;

const SUB_DELIMITERS: &str = "!$&'()*+,;=";

/// Whether a text consists of ASCII letters and digits, of what `others` lists, and of percent-encoded bytes.
pub(super) fn consists_of(text: &str, others: &str) -> bool {
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        let mut hex_follows = || rest.next().is_some_and(|c| c.is_ascii_hexdigit());
        let is_fine = c.is_ascii_alphanumeric()
            || others.contains(c)
            || (c == '%' && hex_follows() && hex_follows());
        if !is_fine {
            return false;
        }
    }
    true
}

pub(super) fn is_uri(text: &str) -> bool {
    split_scheme(text)
        .is_some_and(|rest| !rest.is_empty() && !rest.contains('"') && is_relative(rest))
}

/// More lenient than RFC 3986: existing schemas rely on `"` being let through.
pub(super) fn is_uri_reference(text: &str) -> bool {
    is_relative(text) || split_scheme(text).is_some_and(is_relative)
}

/// What follows the scheme.
fn split_scheme(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_once(':')?;
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    is_scheme.then_some(rest)
}

/// An address without its scheme: authority, path, query and fragment, all optional.
fn is_relative(text: &str) -> bool {
    let (text, fragment) = text.split_once('#').unwrap_or((text, ""));
    let (hierarchy, query) = text.split_once('?').unwrap_or((text, ""));
    let extra = format!("-._~\"{SUB_DELIMITERS}:@/");
    let query_characters = format!("{extra}?");
    if !consists_of(query, &query_characters) || !consists_of(fragment, &query_characters) {
        return false;
    }
    if consists_of(hierarchy, &extra) {
        return true;
    }
    // Only an authority may hold more: an address in brackets.
    hierarchy
        .strip_prefix("//")
        .or_else(|| hierarchy.strip_prefix('/'))
        .is_some_and(|rest| {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            is_bracketed(authority) && consists_of(path, &extra)
        })
}

fn is_bracketed(authority: &str) -> bool {
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let Some((address, port)) = host.strip_prefix('[').and_then(|rest| rest.split_once(']')) else {
        return false;
    };
    let port_is_right = port.is_empty()
        || port
            .strip_prefix(':')
            .is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
    consists_of(user, &format!("-._~{SUB_DELIMITERS}:"))
        && port_is_right
        && (address.parse::<Ipv6Addr>().is_ok() || is_future_address(address))
}

fn is_future_address(address: &str) -> bool {
    let Some((version, rest)) = address
        .strip_prefix(['v', 'V'])
        .and_then(|rest| rest.split_once('.'))
    else {
        return false;
    };
    !version.is_empty()
        && version.bytes().all(|byte| byte.is_ascii_hexdigit())
        && !rest.is_empty()
        && !rest.contains('%')
        && consists_of(rest, &format!("-._~{SUB_DELIMITERS}:"))
}

/// RFC 6570: literals, and expressions in braces.
pub(super) fn is_uri_template(text: &str) -> bool {
    let mut rest = text;
    loop {
        let (literal, expression) = match rest.split_once('{') {
            Some((literal, expression)) => (literal, Some(expression)),
            None => (rest, None),
        };
        if !is_template_literal(literal) {
            return false;
        }
        let Some(expression) = expression else {
            return true;
        };
        let Some((variables, after)) = expression.split_once('}') else {
            return false;
        };
        let variables = variables
            .strip_prefix(['+', '#', '.', '/', ';', '?', '&', '=', ',', '!', '@', '|'])
            .unwrap_or(variables);
        if !variables.split(',').all(is_template_variable) {
            return false;
        }
        rest = after;
    }
}

fn is_template_literal(text: &str) -> bool {
    let is_forbidden = |c: char| c <= ' ' || "\"'<>\\^`{|}".contains(c);
    let encodings_are_whole = || {
        text.split('%').skip(1).all(|rest| {
            let digits = rest.bytes().take(2).take_while(u8::is_ascii_hexdigit);
            digits.count() == 2
        })
    };
    !text.contains(is_forbidden) && encodings_are_whole()
}

fn is_template_variable(text: &str) -> bool {
    let name = match text.split_once(':') {
        Some((name, length)) => {
            let is_length = (1..=4).contains(&length.len())
                && length.bytes().all(|byte| byte.is_ascii_digit())
                && !length.starts_with('0');
            if !is_length {
                return false;
            }
            name
        }
        None => text.strip_suffix('*').unwrap_or(text),
    };
    !name.is_empty() && consists_of(name, "_")
}

/// A web or FTP address whose host is a domain name or a public IPv4 address.
pub(super) fn is_public_url(text: &str) -> bool {
    let rest = ["http://", "https://", "ftp://"]
        .iter()
        .find_map(|scheme| super::strip_prefix_ignoring_case(text, scheme));
    let Some(rest) = rest.filter(|rest| !rest.contains(super::is_space)) else {
        return false;
    };
    // What stands before an '@' may hold others.
    let hosts = rest
        .match_indices('@')
        .filter(|(at, _)| *at > 0)
        .filter_map(|(at, _)| rest.get(at + 1..));
    std::iter::once(rest).chain(hosts).any(is_public_host)
}

/// A host with an optional port and path.
fn is_public_host(text: &str) -> bool {
    let (authority, _) = text.split_once('/').unwrap_or((text, ""));
    let host = match authority.split_once(':') {
        Some((host, port)) => {
            let is_port =
                (2..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit());
            if !is_port {
                return false;
            }
            host
        }
        None => authority,
    };
    is_public_ipv4(host) || is_domain_name(host)
}

fn is_domain_name(host: &str) -> bool {
    static DOMAIN: LazyLock<Option<Regex>> = LazyLock::new(|| {
        let letter = r"[a-z\x{A1}-\x{FFFF}]";
        let sign = r"[a-z0-9\x{A1}-\x{FFFF}]";
        Regex::new(&format!(
            r"(?i)\A(?:{sign}+(?:-{sign}+)*\.)+{letter}{{2,}}\z"
        ))
        .ok()
    });
    DOMAIN.as_ref().is_some_and(|domain| domain.is_match(host))
}

fn is_public_ipv4(host: &str) -> bool {
    let Ok(address) = host.parse::<Ipv4Addr>() else {
        return false;
    };
    let [first, second, _, last] = address.octets();
    let is_private = matches!(
        (first, second),
        (10 | 127, _) | (169, 254) | (192, 168) | (172, 16..=31)
    );
    (1..=223).contains(&first) && (1..=254).contains(&last) && !is_private
}

pub(super) fn is_email(text: &str) -> bool {
    let mut parts = text.split('@');
    let (Some(name), Some(host), None) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let is_name = !name.is_empty()
        && name.len() <= 64
        && !name.starts_with('.')
        && !name.ends_with('.')
        && !name.contains("..")
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".!#$%&'*+/=?^_`{|}~-".contains(&byte));
    is_name && host.len() <= 253 && host.split('.').all(is_label)
}

pub(super) fn is_hostname(text: &str) -> bool {
    let name = text.strip_suffix('.').unwrap_or(text);
    name.len() <= 253 && name.split('.').all(is_label)
}

fn is_label(label: &str) -> bool {
    let is_edge = |c: char| c.is_ascii_alphanumeric();
    (1..=63).contains(&label.len())
        && label.starts_with(is_edge)
        && label.ends_with(is_edge)
        && label.chars().all(|c| is_edge(c) || c == '-')
}

/// Leading zeros are fine.
pub(super) fn is_ipv4(text: &str) -> bool {
    let is_octet = |part: &str| {
        (1..=3).contains(&part.len())
            && part.bytes().all(|byte| byte.is_ascii_digit())
            && part.parse::<u8>().is_ok()
    };
    text.split('.').count() == 4 && text.split('.').all(is_octet)
}

pub(super) fn is_ipv6(text: &str) -> bool {
    text.parse::<Ipv6Addr>().is_ok()
}
