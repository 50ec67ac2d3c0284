//! What a route requires of its caller, and what a token allows.

use std::{fmt, time::Duration};

/// The issuer's clock and ours may differ by this much. The authorizer and the functions accept a token for this long after its
/// expiry.
pub(crate) const LEEWAY: Duration = Duration::from_secs(30);

/// A right that a token may have. Its text is the scope in the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// `shows:write`: create and change shows.
    ShowsWrite,
    /// `bookings:read`: see any booking, and export a subject's data.
    BookingsRead,
    /// `bookings:confirm`: confirm a booking without a payment.
    BookingsConfirm,
    /// `payments:read`: list payments.
    PaymentsRead,
    /// `payments:settle`: record refunds, decide disputes, and replay events.
    PaymentsSettle,
    /// `subjects:erase`: erase a subject's data.
    SubjectsErase,
}

impl Scope {
    /// All scopes.
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

/// A set of scopes. Its text is that of OAuth: the scopes, separated by spaces.
///
/// ```
/// use boxoffice_functions::access::{Scope, Scopes};
/// let scopes = Scopes::read("openid shows:write");
/// assert!(scopes.contains(Scope::ShowsWrite) && !scopes.contains(Scope::BookingsRead));
/// assert_eq!(scopes.to_string(), "shows:write");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scopes(u32);

// A set has one bit per scope, and the order of `ALL` is the order of the bits.
const _: () = {
    assert!(Scope::ALL.len() <= u32::BITS as usize);
    let mut place = 0;
    while place < Scope::ALL.len() {
        assert!(Scope::ALL[place] as usize == place);
        place += 1;
    }
};

impl Scopes {
    /// Reads the scopes in a text. It ignores unknown words, because an issuer may have scopes for other APIs.
    pub fn read(text: &str) -> Self {
        text.split(' ').fold(Self::default(), |scopes, word| scopes.with(word))
    }

    /// Adds the scope with this text, if there is one.
    pub fn with(self, word: &str) -> Self {
        let known = Scope::ALL.into_iter().find(|scope| scope.as_str() == word);
        known.map_or(self, |scope| Self(self.0 | bit(scope)))
    }

    /// Whether the set has this scope.
    pub fn contains(self, scope: Scope) -> bool {
        self.0 & bit(scope) != 0
    }
}

/// The bit of a scope. A scope beyond the last bit would be in no set, and never be taken for another.
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
    /// Nothing. But a token that is sent must be valid, and it identifies the caller.
    OptionalToken,
    /// A token with this scope.
    Needs(Scope),
}
