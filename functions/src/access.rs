//! What a caller needs for a route, and what a token allows.

use std::{fmt, time::Duration};

/// How far the issuer's clock and ours may be apart: for so long after its end a token is still good, to the authorizer and to
/// the functions.
pub(crate) const LEEWAY: Duration = Duration::from_secs(30);

/// What a token may allow its bearer to do. Its text is what an issuer writes into a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// `shows:write`: put shows on sale, and change how they are sold.
    ShowsWrite,
    /// `bookings:read`: see bookings of any holder, and export a holder's.
    BookingsRead,
    /// `bookings:confirm`: confirm a booking without a payment.
    BookingsConfirm,
    /// `payments:read`: list payments.
    PaymentsRead,
    /// `payments:settle`: say that money that was due went back, and what becomes of a booking whose payment was disputed.
    PaymentsSettle,
    /// `subjects:erase`: erase who somebody was.
    SubjectsErase,
}

impl Scope {
    /// All there are.
    pub const ALL: [Self; 6] = [
        Self::ShowsWrite,
        Self::BookingsRead,
        Self::BookingsConfirm,
        Self::PaymentsRead,
        Self::PaymentsSettle,
        Self::SubjectsErase,
    ];

    /// Its text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ShowsWrite => "shows:write",
            Self::BookingsRead => "bookings:read",
            Self::BookingsConfirm => "bookings:confirm",
            Self::PaymentsRead => "payments:read",
            Self::PaymentsSettle => "payments:settle",
            Self::SubjectsErase => "subjects:erase",
        }
    }
}

/// A set of scopes. Its text is that of OAuth: each one's, with spaces between.
///
/// ```
/// use boxoffice_functions::access::{Scope, Scopes};
/// let scopes = Scopes::read("openid shows:write");
/// assert!(scopes.contains(Scope::ShowsWrite) && !scopes.contains(Scope::BookingsRead));
/// assert_eq!(scopes.to_string(), "shows:write");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scopes(u32);

// A set has a bit for each scope, and `ALL` has each scope at its bit's place.
const _: () = {
    assert!(Scope::ALL.len() <= u32::BITS as usize);
    let mut place = 0;
    while place < Scope::ALL.len() {
        assert!(Scope::ALL[place] as usize == place);
        place += 1;
    }
};

impl Scopes {
    /// Those of this text that we know. An issuer may give others for other APIs: they mean nothing here.
    pub fn read(text: &str) -> Self {
        text.split(' ').fold(Self::default(), |scopes, word| scopes.with(word))
    }

    /// With the scope of this text, if there is one.
    pub fn with(self, word: &str) -> Self {
        let known = Scope::ALL.into_iter().find(|scope| scope.as_str() == word);
        known.map_or(self, |scope| Self(self.0 | bit(scope)))
    }

    /// Whether this one is among them.
    pub fn contains(self, scope: Scope) -> bool {
        self.0 & bit(scope) != 0
    }
}

/// The scope's place in a set. One that had none would be in no set, and never pass for another.
fn bit(scope: Scope) -> u32 {
    1_u32.checked_shl(scope as u32).unwrap_or_default()
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = Scope::ALL.into_iter().filter(|scope| self.contains(*scope)).map(Scope::as_str).collect();
        f.write_str(&words.join(" "))
    }
}

/// What a call of a route needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nothing. A token is not read.
    Public,
    /// The signature of a payment provider. A token is not read.
    Webhook,
    /// A partner's API key, which the gateway checks. A token is not read.
    PartnerKey,
    /// No token; but one that is sent must be valid, and says whose call it is.
    OptionalToken,
    /// A token with this scope.
    Needs(Scope),
}
