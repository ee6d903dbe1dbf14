//! Which addresses a request may reach.
//!
//! Asked about the address that is connected to, on every connection: a name that resolves elsewhere the next time gains nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How far a caller's requests may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reach {
    /// Any address: the operator named the upstream.
    Anywhere,
    /// Only addresses that the public internet routes: no loopback, no private, shared or link-local network, no multicast, and
    /// none of those in IPv6 clothes.
    PublicOnly,
}

impl Reach {
    pub(crate) fn includes(self, address: IpAddr) -> bool {
        match (self, address) {
            (Self::Anywhere, _) => true,
            (Self::PublicOnly, IpAddr::V4(address)) => is_public_v4(address),
            (Self::PublicOnly, IpAddr::V6(address)) => is_public_v6(address),
        }
    }
}

/// IANA's special-purpose registry, everything that is not globally reachable.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !matches!(
        (a, b, c),
        (0 | 10 | 127, _, _)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (192, 168, _)
            | (198, 18 | 19, _)
            | (198, 51, 100)
            | (203, 0, 113)
            | (224..=255, _, _)
    )
}

/// Global unicast without what IANA took out of it again; the forms that stand for an IPv4 address are judged by it.
fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(mapped) = address.to_ipv4_mapped() {
        return is_public_v4(mapped);
    }
    let [a, b, c, d, e, f, g, h] = address.segments();
    if [a, b, c, d, e, f] == [0x64, 0xff9b, 0, 0, 0, 0] {
        let [g, h] = [g.to_be_bytes(), h.to_be_bytes()];
        return is_public_v4([g[0], g[1], h[0], h[1]].into());
    }
    let unicast = a & 0xe000 == 0x2000;
    // Protocol assignments (Teredo among them), documentation, 6to4, documentation again.
    let taken_out =
        (a == 0x2001 && (b < 0x200 || b == 0xdb8)) || a == 0x2002 || (a == 0x3fff && b < 0x1000);
    unicast && !taken_out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_the_internet_does_not_route_are_not_public() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.250",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::ffff:127.0.0.1",
            "::ffff:10.1.2.3",
            "::ffff:169.254.169.254",
            "64:ff9b::7f00:1",
            "64:ff9b::a00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fdff::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            let address = address.parse().unwrap();
            assert!(!Reach::PublicOnly.includes(address), "{address}");
            assert!(Reach::Anywhere.includes(address), "{address}");
        }
    }

    #[test]
    fn addresses_that_the_internet_routes_are_public() {
        for address in [
            "1.1.1.1",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.1",
            "198.17.255.255",
            "223.255.255.255",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2606:4700::1111",
            "2a00::1",
        ] {
            let address = address.parse().unwrap();
            assert!(Reach::PublicOnly.includes(address), "{address}");
        }
    }
}
