//! Currencies of ISO 4217.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::Invalid;

/// The currencies that can be paid with, by the number of digits of their minor unit: ISO 4217, list one, as of 1
/// January 2026 (SIX Group, maintenance agency). The list omits the codes for funds (BOV, CHE, CHW, CLF, COU, MXV, USN,
/// UYI, UYW), for metals, bonds and units of account (XAU, XAG, XPT, XPD, XBA to XBD, XDR, XSU, XUA), for tests (XTS)
/// and for no currency (XXX), because no buyer pays with them.
const LISTED: [(u8, &[&str]); 3] = [
    (
        0,
        &[
            "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF",
            "XPF",
        ],
    ),
    (
        2,
        &[
            "AED", "AFN", "ALL", "AMD", "AOA", "ARS", "AUD", "AWG", "AZN", "BAM", "BBD", "BDT", "BMD", "BND", "BOB",
            "BRL", "BSD", "BTN", "BWP", "BYN", "BZD", "CAD", "CDF", "CHF", "CNY", "COP", "CRC", "CUP", "CVE", "CZK",
            "DKK", "DOP", "DZD", "EGP", "ERN", "ETB", "EUR", "FJD", "FKP", "GBP", "GEL", "GHS", "GIP", "GMD", "GTQ",
            "GYD", "HKD", "HNL", "HTG", "HUF", "IDR", "ILS", "INR", "IRR", "JMD", "KES", "KGS", "KHR", "KPW", "KYD",
            "KZT", "LAK", "LBP", "LKR", "LRD", "LSL", "MAD", "MDL", "MGA", "MKD", "MMK", "MNT", "MOP", "MRU", "MUR",
            "MVR", "MWK", "MXN", "MYR", "MZN", "NAD", "NGN", "NIO", "NOK", "NPR", "NZD", "PAB", "PEN", "PGK", "PHP",
            "PKR", "PLN", "QAR", "RON", "RSD", "RUB", "SAR", "SBD", "SCR", "SDG", "SEK", "SGD", "SHP", "SLE", "SOS",
            "SRD", "SSP", "STN", "SVC", "SYP", "SZL", "THB", "TJS", "TMT", "TOP", "TRY", "TTD", "TWD", "TZS", "UAH",
            "USD", "UYU", "UZS", "VED", "VES", "WST", "XCD", "XCG", "YER", "ZAR", "ZMW", "ZWG",
        ],
    ),
    (3, &["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"]),
];

/// A currency by its ISO 4217 code: three letters, stored in upper case. Providers send either case.
///
/// ```
/// use boxoffice_shared::money::Currency;
/// assert_eq!("eur".parse::<Currency>()?.as_str(), "EUR");
/// assert!("EURO".parse::<Currency>().is_err());
/// # Ok::<(), boxoffice_shared::Invalid>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency(String);

impl Currency {
    /// The code, in upper case.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Parses a currency that a price may be in: one that ISO 4217 lists. [`FromStr`] accepts any three letters,
    /// because a provider may send them, or they were listed when a row was written.
    ///
    /// ```
    /// use boxoffice_shared::money::Currency;
    /// assert_eq!(Currency::listed("jpy")?.minor_units(), Some(0));
    /// for none in ["XXX", "XTS", "XAU", "CHE", "ABC", "EURO"] {
    ///     assert!(Currency::listed(none).is_err(), "{none}");
    /// }
    /// # Ok::<(), boxoffice_shared::Invalid>(())
    /// ```
    ///
    /// # Errors
    /// The text is not a listed currency.
    pub fn listed(text: &str) -> Result<Self, Invalid> {
        let currency = text.parse::<Self>().ok().filter(|currency| currency.minor_units().is_some());
        currency.ok_or_else(|| Invalid::new("must be an ISO 4217 currency code, such as EUR"))
    }

    /// Number of digits of the minor unit: 2 for EUR (cents), 0 for JPY, 3 for KWD. `None`: the currency is not listed.
    pub fn minor_units(&self) -> Option<u8> {
        LISTED.iter().find(|(_, codes)| codes.contains(&self.as_str())).map(|(digits, _)| *digits)
    }
}

impl FromStr for Currency {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.len() == 3 && text.bytes().all(|b| b.is_ascii_alphabetic()) {
            Ok(Self(text.to_ascii_uppercase()))
        } else {
            Err(Invalid::new("must be a three-letter currency code, such as EUR"))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_listed_once() {
        let mut codes: Vec<_> = LISTED.iter().flat_map(|(_, codes)| *codes).collect();
        assert_eq!(codes.len(), 155);
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), 155);
        for code in codes {
            assert_eq!(
                Currency::listed(&code.to_lowercase()).map(|currency| currency.to_string()).as_deref(),
                Ok(*code)
            );
        }
    }

    #[test]
    fn no_other_text_is_a_currency() {
        let letters = || 'A'..='Z';
        let texts = letters().flat_map(|a| letters().flat_map(move |b| letters().map(move |c| format!("{a}{b}{c}"))));
        assert_eq!(texts.filter(|text| Currency::listed(text).is_ok()).count(), 155);
        for text in ["", "EU", "EURO", "EU\u{52}O", "€", "E\u{440}R", "12A", "978", " EUR", "EUR "] {
            assert!(Currency::listed(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn minor_units_match_iso_4217() {
        for (code, digits) in
            [("EUR", 2), ("USD", 2), ("JPY", 0), ("KRW", 0), ("ISK", 0), ("XOF", 0), ("KWD", 3), ("TND", 3), ("MRU", 2)]
        {
            assert_eq!(Currency::listed(code).unwrap().minor_units(), Some(digits), "{code}");
        }
        assert_eq!("XXX".parse::<Currency>().unwrap().minor_units(), None);
    }
}
