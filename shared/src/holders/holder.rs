//! Who holds a booking, and who may see it.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
};

use super::IdempotencyKey;
use crate::Invalid;

/// Maximum length of a subject or an API key id, in characters. OpenID Connect allows 255 for a subject.
const MAX_CHARS: usize = 255;

/// The subject of a token: the issuer's id of a user, 1 to 255 characters. Personal data: its `Debug` output hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Subject(String);

impl Subject {
    /// The subject as the issuer spells it.
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

/// The holder of a booking, for limits and ownership: the token's subject; without a token, the API key; without
/// either, the address that the request came from.
///
/// Apart from operators, only the subject that made a booking can see or change it. A booking without a subject belongs
/// to anyone who has its id.
///
/// ```
/// use boxoffice_shared::holders::{Holder, Subject};
/// assert_eq!(Holder::of_subject(&Subject::try_from("ada")?).as_str(), "sub:ada");
/// assert_eq!(Holder::of_address("192.0.2.1".parse().unwrap()).as_str(), "ip:192.0.2.1");
/// // One IPv6 customer has a whole /64, so all of its addresses are one holder.
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

/// What identifies a holder.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Subject,
    ApiKey,
    Address,
}

impl Holder {
    /// The holder with a token of this subject.
    pub fn of_subject(subject: &Subject) -> Self {
        Self { column: format!("sub:{}", subject.as_str()), kind: Kind::Subject }
    }

    /// The holder with the API key of this id.
    ///
    /// # Errors
    /// The id is not 1 to 255 characters long or contains a control character.
    pub fn of_api_key(id: &str) -> Result<Self, Invalid> {
        Ok(Self { column: format!("key:{}", Subject::try_from(id)?.as_str()), kind: Kind::ApiKey })
    }

    /// The holder at this address.
    pub fn of_address(address: IpAddr) -> Self {
        let address = match address.to_canonical() {
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
            v4 @ IpAddr::V4(_) => v4,
        };
        Self { column: format!("ip:{address}"), kind: Kind::Address }
    }

    /// The holder as stored in the database.
    pub fn as_str(&self) -> &str {
        &self.column
    }

    /// The idempotency key as stored in the database. Keys of a subject or an API key are scoped to that holder. Keys
    /// of an address are not, because a phone that repeats a request may have another address by then; such a key must
    /// itself be unguessable. A key contains no space, so no holder's key can collide with another's.
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
    /// Anyone who has the booking's id, with or without a token. Sees bookings without a subject and those of this
    /// subject.
    Bearer(Option<&'a Subject>),
    /// An operator, who may read all bookings.
    Operator,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::holders::IdempotencyKey;

    #[test]
    fn idempotency_keys_are_scoped_to_their_holder_except_for_addresses() {
        let key = IdempotencyKey::try_from("k").unwrap();
        let ada = Holder::of_subject(&Subject::try_from("ada").unwrap());
        assert_eq!(ada.keyed(&key), "sub:ada k");
        assert_eq!(Holder::of_api_key("ada").unwrap().keyed(&key), "key:ada k");
        assert_eq!(Holder::of_address("192.0.2.1".parse().unwrap()).keyed(&key), "k");
        assert!(IdempotencyKey::try_from("sub:ada k").is_err());
    }

    #[test]
    fn ipv4_mapped_address_is_the_same_holder() {
        let of = |text: &str| Holder::of_address(text.parse().unwrap());
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
    }

    #[test]
    fn debug_output_hides_the_subject() {
        let ada = Subject::try_from("ada@example.org").unwrap();
        assert_eq!(format!("{:?} {ada:?}", Holder::of_subject(&ada)), "Holder(sub) Subject");
    }

    #[test]
    fn invalid_subject_is_rejected() {
        for text in ["", "a\nb", "a\0b", &"a".repeat(256)] {
            assert!(Subject::try_from(text).is_err(), "{text:?}");
        }
        assert!(Subject::try_from("ü".repeat(255).as_str()).is_ok());
    }
}
