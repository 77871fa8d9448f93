//! An address or a block of them in CIDR notation (RFC 4632 §3.1, RFC 4291 §2.3).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A block of addresses: `192.0.2.0/24`; a single one has the longest prefix.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// Why a text is not a network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// The part before the `/` is not an IP address.
    #[error("{0:?} is not an IP address")]
    Address(String),
    /// The part after the `/` is not a prefix length of the address family.
    #[error("{0:?} is not a prefix length from 0 to {1}")]
    Prefix(String, u8),
    /// Bits are set behind the prefix, so the block is not the one that was meant, or a typo.
    #[error("the address has bits set behind the prefix; the block that holds it is {0}")]
    HostBits(Network),
}

impl Network {
    /// The block of this prefix length that holds the address. Longer prefixes than the family
    /// has are cut; IPv4 addresses mapped into IPv6 are taken as IPv4.
    #[must_use]
    pub fn holding(address: IpAddr, prefix: u8) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => {
                let prefix = prefix.min(32);
                let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
                Self { address: Ipv4Addr::from_bits(v4.to_bits() & mask).into(), prefix }
            }
            IpAddr::V6(v6) => {
                let prefix = prefix.min(128);
                let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
                Self { address: Ipv6Addr::from_bits(v6.to_bits() & mask).into(), prefix }
            }
        }
    }

    /// Whether the address lies in the block.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        address.to_canonical().is_ipv4() == self.address.is_ipv4()
            && Self::holding(address, self.prefix) == *self
    }

    /// The length of the prefix in bits.
    #[must_use]
    pub fn prefix(&self) -> u8 {
        self.prefix
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr =
            address.parse().map_err(|_| NetworkError::Address(address.to_owned()))?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => longest,
            Some(digits) => digits
                .parse::<u8>()
                .ok()
                .filter(|p| *p <= longest && digits.bytes().all(|b| b.is_ascii_digit()))
                .ok_or_else(|| NetworkError::Prefix(digits.to_owned(), longest))?,
        };
        let network = Self::holding(address, prefix);
        if network.address == address.to_canonical() {
            Ok(network)
        } else {
            Err(NetworkError::HostBits(network))
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let longest = if self.address.is_ipv4() { 32 } else { 128 };
        if self.prefix == longest {
            write!(f, "{}", self.address)
        } else {
            write!(f, "{}/{}", self.address, self.prefix)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_holds_its_addresses_and_no_others() {
        let block: Network = "192.0.2.0/24".parse().unwrap();
        assert!(block.contains("192.0.2.255".parse().unwrap()));
        assert!(block.contains("::ffff:192.0.2.9".parse().unwrap()));
        assert!(!block.contains("192.0.3.0".parse().unwrap()));
        let one: Network = "127.0.0.2".parse().unwrap();
        assert!(one.contains("127.0.0.2".parse().unwrap()));
        assert!(!one.contains("127.0.0.3".parse().unwrap()));
        let all: Network = "0.0.0.0/0".parse().unwrap();
        assert!(all.contains("8.8.8.8".parse().unwrap()));
        assert!(!all.contains("::1".parse().unwrap()));
        let six: Network = "2001:db8::/32".parse().unwrap();
        assert!(six.contains("2001:db8:1::5".parse().unwrap()));
    }

    #[test]
    fn a_mistyped_block_is_refused_with_what_is_wrong() {
        assert_eq!("192.0.2".parse::<Network>(), Err(NetworkError::Address("192.0.2".into())));
        assert_eq!("192.0.2.0/33".parse::<Network>(), Err(NetworkError::Prefix("33".into(), 32)));
        assert_eq!("192.0.2.0/+8".parse::<Network>(), Err(NetworkError::Prefix("+8".into(), 32)));
        let meant: Network = "192.0.2.0/24".parse().unwrap();
        assert_eq!("192.0.2.7/24".parse::<Network>(), Err(NetworkError::HostBits(meant)));
        assert_eq!(meant.to_string(), "192.0.2.0/24");
    }
}
