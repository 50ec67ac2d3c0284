//! Amounts of money.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

use tokio_postgres::Row;

use super::Currency;
use crate::{Error, Invalid, platform::db::row};

/// An amount in whole minor units (cents, or whatever the currency's smallest is), 0 or more.
///
/// Integers only: nothing here rounds, and amounts of two currencies are never equal.
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
    /// The amount in a column of minor units and the column `currency`, of which the schema has both or neither.
    pub(crate) fn from_row(row: &Row, minor: &str) -> Result<Option<Self>, Error> {
        let columns = row::get::<Option<i64>>(row, minor)?.zip(row::get(row, "currency")?);
        Ok(columns.map(|(minor, currency)| Self::new(minor, currency)).transpose().map_err(row::unknown)?)
    }

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

/// The members `amount_minor` and `currency` of an answer: both `null` where there is no amount. To flatten into it.
pub(crate) fn amount_members<S: Serializer>(amount: &Option<Money>, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Members<'a> {
        amount_minor: Option<i64>,
        currency: Option<&'a Currency>,
    }
    let amount = amount.as_ref();
    Members { amount_minor: amount.map(Money::minor), currency: amount.map(Money::currency) }.serialize(serializer)
}

/// The members `price_minor` and `currency` of an answer, likewise.
pub(crate) fn price_members<S: Serializer>(price: &Option<Money>, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Members<'a> {
        price_minor: Option<i64>,
        currency: Option<&'a Currency>,
    }
    let price = price.as_ref();
    Members { price_minor: price.map(Money::minor), currency: price.map(Money::currency) }.serialize(serializer)
}
