//! Reads typed members from JSON bodies, and finds every fault instead of only the first.

use std::fmt;

use boxoffice_shared::{
    Invalid,
    money::{Currency, Money, Price},
    platform::{all::All, time::rfc_3339},
};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::{Value, error::Category};
use sha2::{Digest, Sha256};

use super::{
    Problem, Request, media_type,
    problem::{Fault, MAX_FAULTS},
};

/// The maximum size of a body, in bytes. The largest valid body has some 5 KiB: two names of 200 characters, each escaped to 12
/// bytes.
const MAX_BODY: usize = 16 * 1024;

/// 2^53. Up to here a double, which many programs use for JSON numbers, has every integer exactly.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// The bytes of the body as the client sent them.
///
/// # Errors
/// There are more than `limit`.
pub(crate) fn raw_body(request: &Request, limit: usize) -> Result<&[u8], Problem> {
    let bytes = request.body();
    if bytes.len() > limit { Err(Problem::BodyTooLarge(limit)) } else { Ok(bytes) }
}

/// The members of a JSON object. They are taken out one by one, and those that are left at the end are unknown.
#[derive(Debug)]
pub struct Fields {
    members: Vec<(String, Value)>,
    faults: Vec<Fault>,
}

impl Fields {
    /// Reads the body.
    ///
    /// # Errors
    /// Its media type is not JSON in UTF-8, it has a `Content-Encoding`, it is larger than 16 KiB, or it is not a JSON object.
    pub fn read(request: &Request) -> Result<Self, Problem> {
        media_type::check(request)?;
        let Members(members) =
            serde_json::from_slice(raw_body(request, MAX_BODY)?).map_err(|error| malformed(&error))?;
        let mut fields = Self { members: Vec::new(), faults: Vec::new() };
        for (name, value) in members {
            if fields.members.iter().any(|(known, _)| *known == name) {
                fields.faults.push(Fault::member(&name, "must be given once"));
            } else {
                fields.members.push((name, value));
            }
        }
        Ok(fields)
    }

    /// A hash of all members. It does not depend on their order or on white space, so the same request has the same hash.
    pub(crate) fn digest(&self) -> [u8; 32] {
        let mut members: Vec<_> = self.members.iter().map(|(name, value)| (name, value.to_string())).collect();
        members.sort_unstable();
        let parts = members.iter().flat_map(|(name, value)| [name.as_str(), value]);
        let hash =
            parts.fold(Sha256::new(), |hash, part| hash.chain_update(part.len().to_be_bytes()).chain_update(part));
        hash.finalize().into()
    }

    /// A required member.
    pub fn required<T: FromJson>(&mut self, name: &str) -> Option<T> {
        match self.take(name) {
            Some(value) => self.parse(name, &value),
            None => self.fault(name, "is required"),
        }
    }

    /// An optional member with a default.
    pub fn optional<T: FromJson>(&mut self, name: &str, default: T) -> Option<T> {
        match self.take(name) {
            Some(value) => self.parse(name, &value),
            None => Some(default),
        }
    }

    /// An optional member without a default: `Some(None)` if it is missing.
    pub(crate) fn maybe<T: FromJson>(&mut self, name: &str) -> Option<Option<T>> {
        match self.take(name) {
            Some(value) => self.parse(name, &value).map(Some),
            None => Some(None),
        }
    }

    /// Takes a member out if it is `null`, and says whether it was.
    pub(crate) fn take_null(&mut self, name: &str) -> bool {
        let at = self.members.iter().position(|(known, value)| known == name && value.is_null());
        at.map(|at| self.members.remove(at)).is_some()
    }

    /// `price_minor` and `currency`: a price if both are given, no price if neither is.
    pub fn price(&mut self) -> Option<Option<Price>> {
        let (minor, currency) = (self.take("price_minor"), self.take("currency"));
        let (minor, currency) = match (minor, currency) {
            (None, None) => return Some(None),
            (Some(minor), Some(currency)) => (minor, currency),
            (Some(_), None) => return self.fault("currency", "is required with price_minor"),
            (None, Some(_)) => return self.fault("price_minor", "is required with currency"),
        };
        let currency: Option<Currency> = self.parse("currency", &currency);
        // A value that is not an integer is reported as out of range, as for other integers. The amount is checked even if the
        // currency is invalid, because the range is the same in all currencies.
        let minor = integer(&minor).filter(|minor| *minor >= 0).unwrap_or(i64::MAX);
        let code = currency.as_ref().map_or("EUR", Currency::as_str);
        match Money::new(minor, code).and_then(Price::try_from) {
            Ok(price) => currency.map(|_| Some(price)),
            Err(invalid) => self.fault("price_minor", invalid),
        }
    }

    /// Ends the reading, and gives the members: one, or a tuple of several.
    ///
    /// # Errors
    /// All faults of the body, at most 20. A member that is left is unknown.
    pub fn finish<A: All>(mut self, input: A) -> Result<A::Values, Problem> {
        let unknown = self.members.iter().map(|(name, _)| Fault::member(name, "is unknown"));
        self.faults.extend(unknown);
        match input.all() {
            Some(input) if self.faults.is_empty() => Ok(input),
            _ => {
                self.faults.truncate(MAX_FAULTS);
                Err(Problem::InvalidBody(self.faults))
            }
        }
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        let at = self.members.iter().position(|(known, _)| known == name)?;
        Some(self.members.remove(at).1)
    }

    fn parse<T: FromJson>(&mut self, name: &str, value: &Value) -> Option<T> {
        match T::from_json(value) {
            Ok(value) => Some(value),
            Err(invalid) => self.fault(name, invalid),
        }
    }

    fn fault<T>(&mut self, name: &str, detail: impl ToString) -> Option<T> {
        self.faults.push(Fault::member(name, detail));
        None
    }
}

/// A type that is read from a JSON value.
pub trait FromJson: Sized {
    /// Reads the value.
    ///
    /// # Errors
    /// What is wrong with it.
    fn from_json(value: &Value) -> Result<Self, Invalid>;
}

/// Types that are parsed from text.
macro_rules! from_text {
    ($($type:ty),*) => {$(
        impl FromJson for $type {
            fn from_json(value: &Value) -> Result<Self, Invalid> {
                let text = value.as_str().ok_or_else(|| Invalid::new("must be a string"))?;
                Self::try_from(text)
            }
        }
    )*};
}

/// Types that are parsed from an integer.
macro_rules! from_integer {
    ($($type:ty),*) => {$(
        impl FromJson for $type {
            fn from_json(value: &Value) -> Result<Self, Invalid> {
                // A value that is not an integer, or beyond an i64, is out of every range, so the message names the range.
                Self::try_from(integer(value).unwrap_or(i64::MIN))
            }
        }
    )*};
}

from_text!(
    boxoffice_shared::bookings::UserName,
    boxoffice_shared::shows::ShowName,
    boxoffice_shared::payments::DisputeDecision
);
from_integer!(
    boxoffice_shared::inventory::SeatCount,
    boxoffice_shared::inventory::SeatLimit,
    boxoffice_shared::inventory::TotalSeats,
    boxoffice_shared::inventory::Pools
);

impl FromJson for Currency {
    fn from_json(value: &Value) -> Result<Self, Invalid> {
        Self::listed(value.as_str().unwrap_or_default())
    }
}

impl FromJson for jiff::Timestamp {
    fn from_json(value: &Value) -> Result<Self, Invalid> {
        rfc_3339(value.as_str().unwrap_or_default())
    }
}

/// The problem of a body that is not a JSON object. For other JSON, serde_json's message would repeat the whole text.
fn malformed(error: &serde_json::Error) -> Problem {
    Problem::MalformedJson(match error.classify() {
        Category::Data => "The body is JSON, but not an object.".into(),
        Category::Io | Category::Syntax | Category::Eof => format!("The body is not a JSON object: {error}."),
    })
}

/// An integer as JSON Schema defines it: `2` and `2.0`.
fn integer(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| {
        let number = value.as_f64().filter(|n| n.fract() == 0.0 && n.abs() <= MAX_EXACT)?;
        // Exact, because it is whole and within 2^53.
        Some(number as i64)
    })
}

/// The members of an object in their order. It has repeated members too, of which serde_json's map would keep only the last.
struct Members(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::STANDARD};
    use boxoffice_shared::{bookings::UserName, inventory::SeatCount};
    use serde_json::json;

    use super::*;

    fn request(body: &str) -> Request {
        let event = json!({ "headers": { "Content-Type": "application/json" }, "body": body });
        Request::read(&event.to_string()).unwrap()
    }

    fn errors(body: &str) -> Vec<String> {
        let mut fields = Fields::read(&request(body)).unwrap();
        let (user_name, seats) = (fields.required::<UserName>("user_name"), fields.required::<SeatCount>("seats"));
        let document = fields.finish((user_name, seats)).unwrap_err().document();
        document["errors"].as_array().unwrap().iter().map(|e| e["pointer"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn all_faults_are_reported_at_once() {
        assert_eq!(errors(r#"{"user_name": 7, "seats": "2", "seat": 2}"#), ["/user_name", "/seats", "/seat"]);
        assert_eq!(errors("{}"), ["/user_name", "/seats"]);
        assert_eq!(errors(r#"{"user_name": "a", "seats": 1, "seats": 2}"#), ["/seats"]);
    }

    #[test]
    fn a_price_needs_an_amount_and_a_currency() {
        let read = |body: &str| {
            let mut fields = Fields::read(&request(body)).unwrap();
            let price = fields.price();
            fields.finish(price).map(|price| price.map(|price| price.money().to_string()))
        };
        let faults = |body: &str| read(body).unwrap_err().document()["errors"].clone();
        assert_eq!(read("{}").unwrap(), None);
        assert_eq!(read(r#"{"price_minor": 2500, "currency": "EUR"}"#).unwrap().as_deref(), Some("2500 EUR"));
        assert_eq!(read(r#"{"price_minor": 0, "currency": "EUR"}"#).unwrap().as_deref(), Some("0 EUR"));
        assert_eq!(faults(r#"{"price_minor": 2500}"#)[0]["pointer"], "/currency");
        assert_eq!(faults(r#"{"currency": "EUR"}"#)[0]["pointer"], "/price_minor");
        assert_eq!(faults(r#"{"price_minor": 25.5, "currency": 7}"#).as_array().unwrap().len(), 2);
        for none in ["XXX", "XTS", "ABC", "DEM", "XAU", "EURO", "EU", "€"] {
            let faults = faults(&format!(r#"{{"price_minor": 1, "currency": "{none}"}}"#));
            assert_eq!((faults.as_array().unwrap().len(), &faults[0]["pointer"]), (1, &json!("/currency")), "{none}");
        }
        assert_eq!(read(r#"{"price_minor": 0, "currency": "EUR"}"#).unwrap().as_deref(), Some("0 EUR"));
        for bad in ["-1", "1000000000001", "1.5", "\"1\"", "null", "1e300"] {
            let faults = faults(&format!(r#"{{"price_minor": {bad}, "currency": "EUR"}}"#));
            assert_eq!(faults[0]["detail"], "must be an integer from 0 to 1000000000000", "{bad}");
        }
    }

    #[test]
    fn a_time_is_rfc_3339() {
        let read = |value: Value| jiff::Timestamp::from_json(&value).map(|time| time.to_string());
        assert_eq!(read(json!("2031-05-01T20:00:00+02:00")).as_deref(), Ok("2031-05-01T18:00:00Z"));
        for bad in
            ["20310501T200000Z", "2031-05-01T20:00:00+24:00", "2031-05-01T20:00:00Z[Europe/Berlin]", "2031-05-01"]
        {
            assert!(read(json!(bad)).is_err(), "{bad}");
        }
        assert!(read(json!(1_935_432_000)).is_err() && read(Value::Null).is_err());
    }

    #[test]
    fn an_integer_may_be_written_as_json_schema_allows() {
        for good in [json!(2), json!(2.0), json!(2e0)] {
            assert_eq!(integer(&good), Some(2), "{good}");
        }
        for bad in [json!(1.5), json!("2"), json!(null), json!(true), json!([2]), json!(1e300)] {
            assert_eq!(integer(&bad), None, "{bad}");
        }
    }

    #[test]
    fn a_body_that_is_not_a_json_object_is_malformed() {
        // Bytes that are not UTF-8 are neither replaced nor guessed.
        for body in [
            &b"{\"a\":\"\xff\"}"[..],
            b"{\"a\":\"\xe9\"}",
            b"{\"a\":\"\xed\xa0\x80\"}",
            b"{\"\xc0\xaf\":1}",
            b"\xff\xfe{}",
        ] {
            let event = json!({ "headers": { "Content-Type": "application/json" }, "body": STANDARD.encode(body), "isBase64Encoded": true });
            let request = Request::read(&event.to_string()).unwrap();
            assert!(matches!(Fields::read(&request), Err(Problem::MalformedJson(_))), "{body:?}");
        }
        for body in ["", "[]", "7", "null", "{", r#"{"a":1e400}"#, r#"{"a":"\ud800"}"#, &"[".repeat(10_000)] {
            assert!(matches!(Fields::read(&request(body)), Err(Problem::MalformedJson(_))), "{body}");
        }
    }

    #[test]
    fn the_report_of_faults_has_a_limited_length() {
        let many: Vec<_> = (0..1_500).map(|i| format!("\"{i}\":1")).collect();
        assert_eq!(errors(&format!("{{{}}}", many.join(","))).len(), MAX_FAULTS);
        let long = errors(&format!(r#"{{"{}":1}}"#, "ä".repeat(5_000)));
        assert!(long.iter().all(|pointer| pointer.chars().count() <= 66), "{long:?}");
        let text = format!("\"{}\"", "a".repeat(10_000));
        let document = Fields::read(&request(&text)).unwrap_err().document().to_string();
        assert!(document.len() < 1_000, "{document}");
    }

    #[test]
    fn a_large_body_is_refused_before_it_is_parsed() {
        let body = format!(r#"{{"user_name":"{}"}}"#, "a".repeat(MAX_BODY));
        assert!(matches!(Fields::read(&request(&body)), Err(Problem::BodyTooLarge(MAX_BODY))));
    }
}
