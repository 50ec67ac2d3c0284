//! Amounts of money.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::Invalid;

/// ISO 4217's list of currencies, as of January 2026 (<https://www.six-group.com/en/products-services/financial-information/data-standards.html>),
/// by how many digits their minor unit has. Without funds, precious metals, units of account and the codes for tests and for no
/// currency: nobody pays with those.
const TWO_DIGITS: &str = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC CUP \
    CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES \
    KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK \
    NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB \
    TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG";

/// Those whose smallest unit is the whole one.
const NO_DIGITS: &str = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF";

/// Those of a thousand.
const THREE_DIGITS: &str = "BHD IQD JOD KWD LYD OMR TND";

/// A currency by its ISO 4217 code: three letters, kept in upper case. Providers write them in either case.
///
/// ```
/// use boxoffice_shared::model::Currency;
/// assert_eq!("eur".parse::<Currency>()?.as_str(), "EUR");
/// assert!("EURO".parse::<Currency>().is_err());
/// # Ok::<(), boxoffice_shared::model::Invalid>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency(String);

impl Currency {
    /// The code, in upper case.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// How many decimal digits its minor unit has: 2 for cents. `None`: it is on ISO 4217's list no longer, or never was; what is
    /// kept from before, or what a provider tells, may have such a code, but nothing is sold in it.
    pub fn minor_digits(&self) -> Option<u8> {
        let lists = [(TWO_DIGITS, 2), (NO_DIGITS, 0), (THREE_DIGITS, 3)];
        let list = lists.into_iter().find(|(codes, _)| codes.split(' ').any(|code| code == self.0));
        list.map(|(_, digits)| digits)
    }
}

impl FromStr for Currency {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.len() == 3 && text.bytes().all(|b| b.is_ascii_alphabetic()) {
            Ok(Self(text.to_ascii_uppercase()))
        } else {
            Err(Invalid::new("must be a currency's three letters, as in EUR"))
        }
    }
}

impl TryFrom<String> for Currency {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.0
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

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
        if money.currency.minor_digits().is_none() {
            return Err(Invalid::new("must be in a currency of ISO 4217's list"));
        }
        match money.minor {
            0..=Self::MAX_MINOR => Ok(Self(money)),
            _ => Err(Invalid::new(format!("must be an integer from 0 to {}", Self::MAX_MINOR))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digits(code: &str) -> Option<u8> {
        code.parse::<Currency>().unwrap().minor_digits()
    }

    #[test]
    fn a_currency_is_on_the_list_with_its_minor_unit() {
        for (code, expected) in
            [("EUR", 2), ("usd", 2), ("MGA", 2), ("MRU", 2), ("SLE", 2), ("XCG", 2), ("XCD", 2), ("ZWG", 2)]
        {
            assert_eq!(digits(code), Some(expected), "{code}");
        }
        for code in ["JPY", "KRW", "CLP", "ISK", "UGX", "XAF", "VND"] {
            assert_eq!(digits(code), Some(0), "{code}");
        }
        for code in ["BHD", "KWD", "TND", "IQD"] {
            assert_eq!(digits(code), Some(3), "{code}");
        }
    }

    #[test]
    fn what_nobody_pays_with_is_no_currency_of_a_price() {
        for code in [
            "XXX", "XTS", "ABC", "ZZZ", "XAU", "XDR", "XBA", "CLF", "USN", "UYW", "CHE", "DEM", "HRK", "BGN", "ANG",
            "ZWL", "CUC", "BTC",
        ] {
            assert_eq!(digits(code), None, "{code}");
            assert!(Price::try_from(Money::new(1, code).unwrap()).is_err(), "{code}");
        }
        // Of the 17,576 there could be, the list has so many.
        let letters = || 'A'..='Z';
        let codes = letters().flat_map(|a| letters().flat_map(move |b| letters().map(move |c| format!("{a}{b}{c}"))));
        assert_eq!(codes.filter(|code| digits(code).is_some()).count(), 155);
    }
}
