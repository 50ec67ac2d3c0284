//! Whose a booking is.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
};

use super::IdempotencyKey;
use crate::Invalid;

/// The longest subject and API key id, in characters. OpenID Connect allows a subject 255.
const MAX_CHARS: usize = 255;

/// The subject of a token: who a user is to the issuer, 1 to 255 characters. Personal data: its `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Subject(String);

impl Subject {
    /// The subject as the issuer has it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for Subject {
    type Error = Invalid;

    fn try_from(text: &str) -> Result<Self, Invalid> {
        if text.is_empty() || text.chars().nth(MAX_CHARS).is_some() || text.chars().any(char::is_control) {
            return Err(Invalid::new(format!(
                "must be text of 1 to {MAX_CHARS} characters without control characters"
            )));
        }
        Ok(Self(text.to_owned()))
    }
}

impl FromStr for Subject {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        text.try_into()
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Subject")
    }
}

/// Who holds a booking, as far as limits and ownership go: the subject of the token, else the API key, else the address that
/// the request came from.
///
/// A booking of a subject is that subject's alone. Any other is its bearer's: whoever has the id.
///
/// ```
/// use boxoffice_shared::holders::{Holder, Subject};
/// assert_eq!(Holder::of_subject(&Subject::try_from("ada")?).as_str(), "sub:ada");
/// assert_eq!(Holder::of_address("192.0.2.1".parse().unwrap()).as_str(), "ip:192.0.2.1");
/// // One customer's line has a whole /64 of addresses.
/// let here = Holder::of_address("2001:db8:1:2:aaaa::1".parse().unwrap());
/// assert_eq!(here, Holder::of_address("2001:db8:1:2:bbbb::2".parse().unwrap()));
/// assert_ne!(here, Holder::of_address("2001:db8:1:3::1".parse().unwrap()));
/// # Ok::<(), boxoffice_shared::Invalid>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Holder {
    column: String,
    pub(super) kind: Kind,
}

/// What a holder is told by.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Subject,
    ApiKey,
    Address,
}

impl Holder {
    /// The holder who showed a token of this subject.
    pub fn of_subject(subject: &Subject) -> Self {
        Self { column: format!("sub:{}", subject.as_str()), kind: Kind::Subject }
    }

    /// The holder behind this API key's id, if it can be one.
    ///
    /// # Errors
    /// It is not 1 to 255 characters long.
    pub fn of_api_key(id: &str) -> Result<Self, Invalid> {
        Ok(Self { column: format!("key:{}", Subject::try_from(id)?.as_str()), kind: Kind::ApiKey })
    }

    /// Whoever is at this address.
    pub fn of_address(address: IpAddr) -> Self {
        let address = match address.to_canonical() {
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
            v4 @ IpAddr::V4(_) => v4,
        };
        Self { column: format!("ip:{address}"), kind: Kind::Address }
    }

    /// The holder as the column has it.
    pub fn as_str(&self) -> &str {
        &self.column
    }

    /// An idempotency key as the column has it. That of a subject or an API key is told apart from everybody else's; that of
    /// an address is not, since a phone that repeats a request may have another address by then: there the key itself must
    /// be unguessable. No key has a space in it, so none can pass for another's.
    pub fn keyed(&self, key: &IdempotencyKey) -> String {
        if self.kind == Kind::Address { key.as_str().to_owned() } else { format!("{} {}", self.column, key.as_str()) }
    }
}

impl fmt::Debug for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Holder({})", self.column.split(':').next().unwrap_or_default())
    }
}

/// Who asks to see a booking.
#[derive(Clone, Copy, Debug)]
pub enum Viewer<'a> {
    /// Whoever has its id, with or without a token: sees what has no subject, and what is this subject's.
    Bearer(Option<&'a Subject>),
    /// Somebody who may read all bookings.
    Operator,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::holders::IdempotencyKey;

    #[test]
    fn a_key_is_its_holders_own_but_for_addresses() {
        let key = IdempotencyKey::try_from("k").unwrap();
        let ada = Holder::of_subject(&Subject::try_from("ada").unwrap());
        assert_eq!(ada.keyed(&key), "sub:ada k");
        assert_eq!(Holder::of_api_key("ada").unwrap().keyed(&key), "key:ada k");
        assert_eq!(Holder::of_address("192.0.2.1".parse().unwrap()).keyed(&key), "k");
        assert!(IdempotencyKey::try_from("sub:ada k").is_err());
    }

    #[test]
    fn an_address_has_one_spelling() {
        let of = |text: &str| Holder::of_address(text.parse().unwrap());
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
    }

    #[test]
    fn who_it_is_is_not_shown() {
        let ada = Subject::try_from("ada@example.org").unwrap();
        assert_eq!(format!("{:?} {ada:?}", Holder::of_subject(&ada)), "Holder(sub) Subject");
    }

    #[test]
    fn what_is_no_subject_is_refused() {
        for text in ["", "a\nb", "a\0b", &"a".repeat(256)] {
            assert!(Subject::try_from(text).is_err(), "{text:?}");
        }
        assert!(Subject::try_from("ü".repeat(255).as_str()).is_ok());
    }
}
