//! Amounts of money.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Currency, Invalid};

/// An amount in whole minor units (cents, or whatever the currency's smallest is), 0 or more.
///
/// Integers only: nothing here rounds, and amounts of two currencies are never equal.
///
/// ```
/// use boxoffice_shared::model::Money;
/// assert_eq!(Money::new(2500, "eur")?, Money::new(2500, "EUR")?);
/// assert!(Money::new(-1, "EUR").is_err());
/// # Ok::<(), boxoffice_shared::model::Invalid>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "MoneyFields", into = "MoneyFields")]
pub struct Money {
    minor: i64,
    currency: Currency,
}

impl Money {
    /// This many minor units of this currency.
    ///
    /// # Errors
    /// Less than nothing, or no currency.
    pub fn new(minor: i64, currency: &str) -> Result<Self, Invalid> {
        if minor < 0 {
            return Err(Invalid::new("must not be negative"));
        }
        Ok(Self { minor, currency: currency.parse()? })
    }

    /// Minor units.
    pub fn minor(&self) -> i64 {
        self.minor
    }

    /// The currency.
    pub fn currency(&self) -> &Currency {
        &self.currency
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.minor, self.currency)
    }
}

#[derive(Serialize, Deserialize)]
struct MoneyFields {
    minor: i64,
    currency: Currency,
}

impl TryFrom<MoneyFields> for Money {
    type Error = Invalid;

    fn try_from(MoneyFields { minor, currency }: MoneyFields) -> Result<Self, Invalid> {
        Self::new(minor, currency.as_str())
    }
}

impl From<Money> for MoneyFields {
    fn from(Money { minor, currency }: Money) -> Self {
        Self { minor, currency }
    }
}

/// What one seat of a show costs, in a currency of ISO 4217's list: 0 to 1,000,000,000,000 minor units. A thousand seats still fit a
/// JSON number. One that costs 0 is confirmed by a payment of 0, a free order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Price(Money);

impl Price {
    /// The greatest price, in minor units.
    pub const MAX_MINOR: i64 = 1_000_000_000_000;

    /// The price as an amount.
    pub fn money(&self) -> &Money {
        &self.0
    }
}

impl TryFrom<Money> for Price {
    type Error = Invalid;

    fn try_from(money: Money) -> Result<Self, Invalid> {
        if money.currency.minor_units().is_none() {
            return Err(Invalid::new("must be in a currency of ISO 4217's list"));
        }
        match money.minor {
            0..=Self::MAX_MINOR => Ok(Self(money)),
            _ => Err(Invalid::new(format!("must be an integer from 0 to {}", Self::MAX_MINOR))),
        }
    }
}
