//! Amounts of money and prices.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer, ser::SerializeMap};

use tokio_postgres::Row;

use super::Currency;
use crate::{Error, Invalid, platform::db::row};

/// An amount in whole minor units (cents, or the currency's smallest unit), 0 or more.
///
/// Amounts are integers, so nothing is rounded. Amounts in different currencies are never equal.
///
/// ```
/// use boxoffice_shared::money::Money;
/// assert_eq!(Money::new(2500, "eur")?, Money::new(2500, "EUR")?);
/// assert!(Money::new(-1, "EUR").is_err());
/// # Ok::<(), boxoffice_shared::Invalid>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "MoneyFields", into = "MoneyFields")]
pub struct Money {
    minor: i64,
    currency: Currency,
}

impl Money {
    /// Reads the amount from the column `minor` and the column `currency`. The schema has both or neither.
    pub(crate) fn from_row(row: &Row, minor: &str) -> Result<Option<Self>, Error> {
        let columns = row::get::<Option<i64>>(row, minor)?.zip(row::get(row, "currency")?);
        Ok(columns.map(|(minor, currency)| Self::new(minor, currency)).transpose().map_err(row::unknown)?)
    }

    /// Makes an amount of `minor` minor units in this currency.
    ///
    /// # Errors
    /// The amount is negative, or the currency is not a three-letter code.
    pub fn new(minor: i64, currency: &str) -> Result<Self, Invalid> {
        if minor < 0 {
            return Err(Invalid::new("must not be negative"));
        }
        Ok(Self { minor, currency: currency.parse()? })
    }

    /// The number of minor units.
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

/// The price of one seat, in a currency that ISO 4217 lists: 0 to 1,000,000,000,000 minor units, so that a thousand
/// seats still fit a JSON number. A booking that costs 0 is confirmed by a payment of 0, a free order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Price(Money);

impl Price {
    /// The highest price, in minor units.
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
            return Err(Invalid::new("must be in a currency that ISO 4217 lists"));
        }
        match money.minor {
            0..=Self::MAX_MINOR => Ok(Self(money)),
            _ => Err(Invalid::new(format!("must be an integer from 0 to {}", Self::MAX_MINOR))),
        }
    }
}

/// Serialises the members `amount_minor` and `currency`, both `null` if there is no amount. For `#[serde(flatten)]`.
pub(crate) fn amount_members<S: Serializer>(amount: &Option<Money>, serializer: S) -> Result<S::Ok, S::Error> {
    members("amount_minor", amount, serializer)
}

/// Serialises the members `price_minor` and `currency` in the same way.
pub(crate) fn price_members<S: Serializer>(price: &Option<Money>, serializer: S) -> Result<S::Ok, S::Error> {
    members("price_minor", price, serializer)
}

fn members<S: Serializer>(minor: &str, money: &Option<Money>, serializer: S) -> Result<S::Ok, S::Error> {
    let mut members = serializer.serialize_map(Some(2))?;
    members.serialize_entry(minor, &money.as_ref().map(Money::minor))?;
    members.serialize_entry("currency", &money.as_ref().map(Money::currency))?;
    members.end()
}
