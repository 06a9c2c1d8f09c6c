//! Sets of numbers as ranges: ports and addresses.
//!
//! The kernel keeps a set of ranges as marks on a line: here one begins, here it
//! has ended. Ranges that overlap or touch would give marks in the wrong order, so
//! they are joined first, as `nft` does.

use ipnet::IpNet;
use std::{fmt, net, ops::RangeInclusive};

/// A number that netfilter has sets of.
pub(super) trait Number: Copy + Ord {
    /// Its size in bytes.
    const SIZE: u32;
    const ZERO: Self;

    /// The next number, if this is not the last.
    fn next(self) -> Option<Self>;

    /// In network order.
    fn bytes(self) -> Vec<u8>;
}

macro_rules! number {
    ($($kind:ty),*) => {$(
        impl Number for $kind {
            const SIZE: u32 = <$kind>::BITS / 8;
            const ZERO: Self = 0;

            fn next(self) -> Option<Self> {
                self.checked_add(1)
            }

            fn bytes(self) -> Vec<u8> {
                self.to_be_bytes().to_vec()
            }
        }
    )*};
}

// Ports, IPv4 addresses, IPv6 addresses.
number!(u16, u32, u128);

/// Ranges in order, with a gap between any two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ranges<T>(Vec<RangeInclusive<T>>);

impl<T: Number> Ranges<T> {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn contains(&self, number: T) -> bool {
        self.0.iter().any(|range| range.contains(&number))
    }

    /// The marks: the first number of a range (`false`), or the first after it
    /// (`true`). No end is marked for a range that goes to the last number.
    pub(super) fn marks(&self) -> Vec<(T, bool)> {
        let mut marks = Vec::new();
        // As nft: what comes before the first range is outside.
        if self.0.first().is_some_and(|first| *first.start() > T::ZERO) {
            marks.push((T::ZERO, true));
        }
        for range in &self.0 {
            marks.push((*range.start(), false));
            marks.extend(range.end().next().map(|after| (after, true)));
        }
        marks
    }
}

impl<T: Number> FromIterator<RangeInclusive<T>> for Ranges<T> {
    fn from_iter<I: IntoIterator<Item = RangeInclusive<T>>>(ranges: I) -> Self {
        let mut sorted: Vec<_> = ranges.into_iter().collect();
        sorted.sort_by_key(|range| *range.start());
        let mut joined: Vec<RangeInclusive<T>> = Vec::new();
        for range in sorted {
            let (from, to) = range.into_inner();
            match joined.pop() {
                Some(last) if last.end().next().is_none_or(|after| from <= after) => {
                    let (start, end) = last.into_inner();
                    joined.push(start..=end.max(to));
                }
                last => joined.extend(last.into_iter().chain([from..=to])),
            }
        }
        Self(joined)
    }
}

/// The IPv4 networks among `networks`.
pub(super) fn ipv4(networks: &[IpNet]) -> Ranges<u32> {
    let range = |network: &IpNet| match network {
        IpNet::V4(net) => Some(net.network().to_bits()..=net.broadcast().to_bits()),
        IpNet::V6(_) => None,
    };
    networks.iter().filter_map(range).collect()
}

/// The IPv6 networks among `networks`.
pub(super) fn ipv6(networks: &[IpNet]) -> Ranges<u128> {
    let range = |network: &IpNet| match network {
        IpNet::V4(_) => None,
        IpNet::V6(net) => Some(net.network().to_bits()..=net.broadcast().to_bits()),
    };
    networks.iter().filter_map(range).collect()
}

/// As nft writes them: a port, an address, a network, else a range.
macro_rules! display {
    ($kind:ty, $shown:path, networks: $networks:literal) => {
        impl fmt::Display for Ranges<$kind> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                for (i, range) in self.0.iter().enumerate() {
                    let (from, to) = (*range.start(), *range.end());
                    let host_bits = (from ^ to).count_ones();
                    let network = (from ^ to).trailing_ones() == host_bits
                        && from.trailing_zeros() >= host_bits;
                    f.write_str(if i > 0 { ", " } else { "" })?;
                    write!(f, "{}", $shown(from))?;
                    match network && $networks {
                        _ if from == to => Ok(()),
                        true => write!(f, "/{}", <$kind>::BITS - host_bits),
                        false => write!(f, "-{}", $shown(to)),
                    }?;
                }
                Ok(())
            }
        }
    };
}

display!(u16, std::convert::identity, networks: false);
display!(u32, net::Ipv4Addr::from_bits, networks: true);
display!(u128, net::Ipv6Addr::from_bits, networks: true);

#[cfg(test)]
mod tests {
    use super::*;

    fn ports(ranges: &[RangeInclusive<u16>]) -> Ranges<u16> {
        ranges.iter().cloned().collect()
    }

    #[test]
    fn what_touches_is_joined() {
        let ranges = ports(&[30..=40, 1..=1, 2..=9, 35..=36, 41..=50, 60..=65535, 70..=80]);
        assert_eq!(ranges.to_string(), "1-9, 30-50, 60-65535");
        assert_eq!(ranges.len(), 3);
        assert!(ranges.contains(50) && !ranges.contains(51));
    }

    #[test]
    fn a_mark_where_each_begins_and_has_ended() {
        assert_eq!(
            ports(&[5..=9, 60000..=65535]).marks(),
            [(0, true), (5, false), (10, true), (60000, false)]
        );
        assert_eq!(ports(&[0..=1]).marks(), [(0, false), (2, true)]);
        assert_eq!(ports(&[0..=65535]).marks(), [(0, false)]);
        assert!(ports(&[]).marks().is_empty());
    }

    #[test]
    fn networks_are_written_as_networks() {
        let networks: Vec<IpNet> = [
            "10.0.0.9/24",
            "10.0.1.0/25",
            "172.17.0.0/16",
            "192.0.2.7/32",
            "fd00::/8",
        ]
        .iter()
        .map(|text| text.parse().unwrap())
        .collect();
        let expected = "10.0.0.0-10.0.1.127, 172.17.0.0/16, 192.0.2.7";
        assert_eq!(ipv4(&networks).to_string(), expected);
        assert_eq!(ipv6(&networks).to_string(), "fd00::/8");
        let all = ["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()];
        assert_eq!(ipv4(&all).to_string(), "0.0.0.0/0");
        assert_eq!(ipv6(&all).to_string(), "::/0");
    }
}
