//! The environment, read once at start. Every fault is reported, not only the first; secrets are in no message and in
//! no `Debug`.

use std::{env, fmt, num::NonZeroU16, ops::RangeInclusive, time::Duration};

use crate::{
    fetch::SafeUrl,
    model::{Hold, HolderLimits, Invalid, Pools, Retention},
};

mod database;
mod stripe;

pub(crate) use database::Login;
pub use database::{Database, DatabaseSource, StatementNaming};
pub use stripe::{StripeMode, StripeScope};

/// Where the settings come from: the process's environment, or a table in a test.
pub trait Source {
    /// The value of a variable. An empty one counts as unset, since a template cannot leave one out.
    fn get(&self, name: &str) -> Option<String>;
}

/// The process's environment.
#[derive(Clone, Copy, Debug)]
pub struct Environment;

impl Source for Environment {
    fn get(&self, name: &str) -> Option<String> {
        env::var(name).ok().filter(|value| !value.is_empty())
    }
}

impl<F: Fn(&str) -> Option<String>> Source for F {
    fn get(&self, name: &str) -> Option<String> {
        self(name).filter(|value| !value.is_empty())
    }
}

/// All that is wrong with the environment, a sentence for each variable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults(Vec<String>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "The environment is not usable: {}", self.0.join(" "))
    }
}

impl std::error::Error for Faults {}

/// Reads settings and gathers what is wrong with them.
#[derive(Debug)]
pub struct Reader<'a, S> {
    source: &'a S,
    faults: Vec<String>,
}

impl<'a, S: Source> Reader<'a, S> {
    /// A reader of this source.
    pub fn new(source: &'a S) -> Self {
        Self { source, faults: Vec::new() }
    }

    /// `HOLD_SECONDS`, 120 unless set.
    pub fn hold(&mut self) -> Option<Hold> {
        let Some(text) = self.source.get("HOLD_SECONDS") else {
            return Some(Hold::DEFAULT);
        };
        match text.parse::<i64>().map(Hold::try_from) {
            Ok(Ok(hold)) => Some(hold),
            _ => self.fault("HOLD_SECONDS must be a whole number of seconds from 1 to 900.".into()),
        }
    }

    /// [`hold`](Self::hold), and `MAX_HOLD_SECONDS`: how long after a booking was made its hold may be extended to, 1 to 86,400, 900
    /// unless set, as the longest hold is. It is not below the hold; where they are the same, holds are not extended.
    pub fn holds(&mut self) -> Option<(Hold, Duration)> {
        let hold = self.hold();
        let text = self.source.get("MAX_HOLD_SECONDS").unwrap_or_else(|| "900".to_owned());
        let max = match text.parse() {
            Ok(seconds @ 1..=86_400) => Some(Duration::from_secs(seconds)),
            _ => self.fault("MAX_HOLD_SECONDS must be a whole number of seconds from 1 to 86400.".into()),
        };
        match hold.zip(max) {
            Some((hold, max)) if max < hold.duration() => {
                self.fault("MAX_HOLD_SECONDS must not be below HOLD_SECONDS: no hold could be extended.".into())
            }
            holds => holds,
        }
    }

    /// `MAX_PENDING_SEATS_PER_HOLDER`, `MAX_SEATS_PER_HOLDER`, `MAX_UNPAID_HOLDS`, `ADDRESS_ALLOWANCE` and `PARTNER_ALLOWANCE`:
    /// what one holder may have of a show. Those of [`HolderLimits::DEFAULT`] unless set.
    pub fn holder_limits(&mut self) -> Option<HolderLimits> {
        let default = HolderLimits::DEFAULT;
        let pending = self.integer("MAX_PENDING_SEATS_PER_HOLDER", default.max_pending_seats, 1..=1_000_000);
        let in_all = self.integer("MAX_SEATS_PER_HOLDER", default.max_seats, 1..=1_000_000);
        let unpaid = self.integer("MAX_UNPAID_HOLDS", default.max_unpaid_holds, 0..=15);
        let address = self.integer("ADDRESS_ALLOWANCE", default.address_allowance, 1..=1_000);
        let partner = self.integer("PARTNER_ALLOWANCE", default.partner_allowance, 1..=1_000);
        Some(HolderLimits {
            max_pending_seats: pending?,
            max_seats: in_all?,
            max_unpaid_holds: unpaid?,
            address_allowance: address?,
            partner_allowance: partner?,
        })
    }

    /// `RETENTION_DAYS`: for how long personal data is kept, 0 to 36,500 days, that of [`Retention::DEFAULT`] unless set. 0: for ever,
    /// which is `Some(None)`.
    pub fn retention(&mut self) -> Option<Option<Retention>> {
        if self.source.get("RETENTION_DAYS").is_none() {
            return Some(Some(Retention::DEFAULT));
        }
        let days = self.integer("RETENTION_DAYS", 0, 0..=Retention::MAX_DAYS)?;
        Some(Retention::try_from(days).ok())
    }

    fn integer(&mut self, name: &str, default: i32, range: RangeInclusive<i32>) -> Option<i32> {
        let Some(text) = self.source.get(name) else { return Some(default) };
        match text.parse() {
            Ok(value) if range.contains(&value) => Some(value),
            _ => self.fault(format!("{name} must be an integer from {} to {}.", range.start(), range.end())),
        }
    }

    /// `HOLD_QUEUE_URL`.
    pub fn hold_queue_url(&mut self) -> Option<String> {
        self.url("HOLD_QUEUE_URL")
    }

    /// `PAYMENTS_QUEUE_URL`.
    pub fn payments_queue_url(&mut self) -> Option<String> {
        self.url("PAYMENTS_QUEUE_URL")
    }

    fn url(&mut self, name: &str) -> Option<String> {
        match self.source.get(name) {
            Some(url) if url.starts_with("https://") || url.starts_with("http://") => Some(url),
            Some(_) => self.fault(format!("{name} must be an http or https URL.")),
            None => self.fault(format!("{name} must be set.")),
        }
    }

    /// `{name}_SECRETS`, or the ARN of a secret with the same text in `{name}_SECRET_ARN`, or neither. `parse` reads the
    /// text.
    pub fn secrets<T>(&mut self, name: &str, parse: fn(&str) -> Result<T, Invalid>) -> Option<SecretSource<T>> {
        match (self.source.get(&format!("{name}_SECRETS")), self.source.get(&format!("{name}_SECRET_ARN"))) {
            (None, None) => Some(SecretSource::Unset),
            (None, Some(arn)) => Some(SecretSource::Stored { arn }),
            (Some(text), None) => match parse(&text) {
                Ok(secrets) => Some(SecretSource::Known(secrets)),
                Err(invalid) => self.fault(format!("{name}_SECRETS {invalid}.")),
            },
            (Some(_), Some(_)) => self.fault(format!("{name}_SECRETS and {name}_SECRET_ARN must not both be set.")),
        }
    }

    /// `EXPECTED_WRITERS`: bookings of one show at once that a new show's pools are made for, 1 to 256, 256 unless set.
    pub fn expected_writers(&mut self) -> Option<Pools> {
        let text = self.source.get("EXPECTED_WRITERS").unwrap_or_else(|| Pools::MAX.to_string());
        match text.parse::<i64>().map(Pools::try_from) {
            Ok(Ok(writers)) => Some(writers),
            _ => self.fault("EXPECTED_WRITERS must be an integer from 1 to 256.".into()),
        }
    }

    /// `AWS_LAMBDA_MAX_CONCURRENCY`: requests that one instance serves at once, and so its connections. Classic Lambda
    /// does not set it: 1.
    pub fn concurrency(&mut self) -> Option<NonZeroU16> {
        let Some(text) = self.source.get("AWS_LAMBDA_MAX_CONCURRENCY") else {
            return Some(NonZeroU16::MIN);
        };
        match text.parse() {
            Ok(concurrency) => Some(concurrency),
            Err(_) => self.fault("AWS_LAMBDA_MAX_CONCURRENCY must be an integer from 1 to 65535.".into()),
        }
    }

    /// `OIDC_ISSUER` and `OIDC_AUDIENCE`: whose access tokens are believed, and what they must be for. Neither: nobody's
    /// are. `OIDC_SCOPE_PREFIX`: what the issuer writes before our scopes; nothing unless set.
    pub fn issuer(&mut self) -> Option<Option<Issuer>> {
        let (url, audience) = match (self.source.get("OIDC_ISSUER"), self.source.get("OIDC_AUDIENCE")) {
            (None, None) => return Some(None),
            (Some(url), Some(audience)) => (url, audience),
            (Some(_), None) => return self.fault("OIDC_AUDIENCE must be set with OIDC_ISSUER.".into()),
            (None, Some(_)) => return self.fault("OIDC_ISSUER must be set with OIDC_AUDIENCE.".into()),
        };
        let scope_prefix = self.source.get("OIDC_SCOPE_PREFIX").unwrap_or_default();
        match Issuer::new(&url, &audience, scope_prefix) {
            Ok(issuer) => Some(Some(issuer)),
            Err(invalid) => self.fault(format!("OIDC_ISSUER, OIDC_AUDIENCE: {invalid}.")),
        }
    }

    /// Ends the reading, with what was read from it: `None` if a part of it could not be.
    ///
    /// # Errors
    /// Something was wrong; it is all there.
    pub fn finish<T>(self, settings: Option<T>) -> Result<T, Faults> {
        match settings {
            Some(settings) if self.faults.is_empty() => Ok(settings),
            _ => Err(Faults(self.faults)),
        }
    }

    fn fault<T>(&mut self, fault: String) -> Option<T> {
        self.faults.push(fault);
        None
    }
}

/// Whose access tokens are believed, and what they must be for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// Without a slash at the end.
    url: String,
    discovery: SafeUrl,
    audiences: Vec<String>,
    scope_prefix: String,
}

impl Issuer {
    /// An issuer's URL, `https`, or on loopback `http`. A slash at its end makes no difference: some issuers' names have
    /// one, and nobody types it the same twice. `audience`: one, or several with commas between.
    ///
    /// # Errors
    /// It is another kind of URL, or more than scheme, host, port and path; or an audience is empty: every token would be for it.
    pub fn new(url: &str, audience: &str, scope_prefix: String) -> Result<Self, Invalid> {
        if url.contains(['?', '#']) {
            return Err(Invalid::new("must have no query and no fragment"));
        }
        SafeUrl::try_from(url)?;
        let url = url.strip_suffix('/').unwrap_or(url).to_owned();
        let discovery = SafeUrl::try_from(format!("{url}/.well-known/openid-configuration").as_str())?;
        let audiences: Vec<_> = audience.split(',').map(|audience| audience.trim().to_owned()).collect();
        if audiences.iter().any(String::is_empty) {
            return Err(Invalid::new("an audience must not be empty"));
        }
        Ok(Self { url, discovery, audiences, scope_prefix })
    }

    /// Whether this is its name.
    pub fn is(&self, name: &str) -> bool {
        name.strip_suffix('/').unwrap_or(name) == self.url
    }

    /// The names by which its tokens may call it: without and with a slash at the end.
    pub fn names(&self) -> [String; 2] {
        [self.url.clone(), format!("{}/", self.url)]
    }

    /// Whether a token for this audience, or of this client, is for us.
    pub fn is_audience(&self, name: &str) -> bool {
        self.audiences.iter().any(|audience| audience == name)
    }

    /// What is a scope of ours in this word of a token, if it can be one: the prefix is taken off, and a word without it is
    /// another API's.
    pub fn own_scope<'a>(&self, word: &'a str) -> Option<&'a str> {
        word.strip_prefix(self.scope_prefix.as_str())
    }

    /// Where it says what it offers (OpenID Connect Discovery).
    pub fn discovery(&self) -> &SafeUrl {
        &self.discovery
    }
}

/// Where secrets are.
#[derive(Clone, Debug)]
pub enum SecretSource<T> {
    /// Nowhere: there are none.
    Unset,
    /// In the environment, read.
    Known(T),
    /// In a secret of Secrets Manager.
    Stored {
        /// The secret's ARN.
        arn: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<(), Faults> {
        let source = |name: &str| pairs.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
        let mut reader = Reader::new(&source);
        let (database, hold) = (reader.database(), reader.hold());
        let (queue, concurrency) = (reader.hold_queue_url(), reader.concurrency());
        reader.finish(database.zip(hold).zip(queue).zip(concurrency)).map(drop)
    }

    const URL: (&str, &str) = ("DATABASE_URL", "postgres://app:s3cret@localhost:5432/boxoffice");
    const QUEUE: (&str, &str) = ("HOLD_QUEUE_URL", "http://localhost:4566/1/holds");

    #[test]
    fn all_faults_are_reported_together() {
        let faults = read(&[("HOLD_SECONDS", "901"), ("AWS_LAMBDA_MAX_CONCURRENCY", "0")]).unwrap_err().to_string();
        for name in ["DATABASE_URL", "HOLD_SECONDS", "HOLD_QUEUE_URL", "AWS_LAMBDA_MAX_CONCURRENCY"] {
            assert!(faults.contains(name), "{name} is not in: {faults}");
        }
    }

    #[test]
    fn a_hold_is_1_to_900_whole_seconds() {
        for good in ["1", "120", "900"] {
            assert_eq!(read(&[URL, QUEUE, ("HOLD_SECONDS", good)]), Ok(()), "{good}");
        }
        for bad in ["0", "901", "-1", "1.5", "2m", "99999999999999999999"] {
            assert!(read(&[URL, QUEUE, ("HOLD_SECONDS", bad)]).is_err(), "{bad}");
        }
    }

    #[test]
    fn secrets_are_known_or_stored_or_unset() {
        let read = |pairs: &'static [(&str, &str)]| {
            let source = |name: &str| pairs.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
            let mut reader = Reader::new(&source);
            let parse = |text: &str| if text == "good" { Ok(()) } else { Err(Invalid::new("must be good")) };
            let secrets = reader.secrets("STRIPE_WEBHOOK", parse);
            reader.finish(secrets)
        };
        assert!(matches!(read(&[]), Ok(SecretSource::Unset)));
        assert!(matches!(read(&[("STRIPE_WEBHOOK_SECRETS", "good")]), Ok(SecretSource::Known(()))));
        assert!(matches!(read(&[("STRIPE_WEBHOOK_SECRET_ARN", "arn:x")]), Ok(SecretSource::Stored { .. })));
        assert!(read(&[("STRIPE_WEBHOOK_SECRETS", "good"), ("STRIPE_WEBHOOK_SECRET_ARN", "arn:x")]).is_err());
        let faults = read(&[("STRIPE_WEBHOOK_SECRETS", "s3cret")]).unwrap_err().to_string();
        assert!(faults.contains("STRIPE_WEBHOOK_SECRETS must be good.") && !faults.contains("s3cret"), "{faults}");
    }

    #[test]
    fn a_hold_can_be_extended_for_a_day_at_most_and_is_never_longer_than_that() {
        let read = |hold: &str, max: &str| {
            let value = |name: &str| match name {
                "HOLD_SECONDS" => Some(hold.to_owned()),
                "MAX_HOLD_SECONDS" => Some(max.to_owned()),
                _ => None,
            };
            let mut reader = Reader::new(&value);
            let holds = reader.holds();
            reader.finish(holds).map(|(hold, max)| (hold.seconds(), max.as_secs()))
        };
        assert_eq!(read("", ""), Ok((120, 900)));
        assert_eq!(read("900", ""), Ok((900, 900)));
        assert_eq!(read("120", "86400"), Ok((120, 86_400)));
        assert_eq!(read("120", "120"), Ok((120, 120)));
        for (hold, max) in
            [("120", "0"), ("120", "86401"), ("120", "-1"), ("120", "10m"), ("120", "119"), ("900", "600"), ("", "60")]
        {
            assert!(read(hold, max).is_err(), "{hold} {max}");
        }
        let faults = read("121", "120").unwrap_err().to_string();
        assert!(faults.contains("MAX_HOLD_SECONDS must not be below HOLD_SECONDS"), "{faults}");
    }

    #[test]
    fn an_issuer_is_named_with_its_audience_and_over_tls() {
        let read = |url: &str, audience: &str| {
            let source = |name: &str| match name {
                "OIDC_ISSUER" => Some(url.to_owned()),
                "OIDC_AUDIENCE" => Some(audience.to_owned()),
                _ => None,
            };
            let mut reader = Reader::new(&source);
            let issuer = reader.issuer();
            reader.finish(issuer)
        };
        assert_eq!(read("", ""), Ok(None));
        for good in ["https://id.example", "https://id.example/", "https://id.example:8443/a/b/", "http://127.0.0.1:80"]
        {
            let issuer = read(good, "boxoffice").unwrap().unwrap();
            assert!(issuer.is(good) && issuer.is(good.trim_end_matches('/')), "{good}");
            assert!(!issuer.is("https://other.example") && !issuer.is(&format!("{good}//")), "{good}");
            assert!(issuer.names().contains(&good.to_owned()), "{good}");
            assert_eq!(
                issuer.discovery().to_string(),
                format!("{}/.well-known/openid-configuration", issuer.names()[0])
            );
        }
        for (url, audience) in [
            ("", "boxoffice"),
            ("https://id.example", ""),
            ("http://id.example", "boxoffice"),
            ("id.example", "boxoffice"),
            ("https://", "boxoffice"),
            ("https://id.example?x=1", "boxoffice"),
            ("https://id.example/#x", "boxoffice"),
            ("https://user:s3cret@id.example", "boxoffice"),
            ("https://id.example", "boxoffice,"),
            ("https://id.example", ",boxoffice"),
            ("https://id.example", "box,,office"),
        ] {
            let faults = read(url, audience).unwrap_err().to_string();
            assert!(faults.contains("OIDC_") && !faults.contains("s3cret"), "{url} {audience}: {faults}");
        }
    }

    #[test]
    fn an_audience_may_be_one_of_several_and_a_scope_may_have_a_prefix() {
        let issuer = Issuer::new("https://id.example", "web, mobile", "boxoffice/".to_owned()).unwrap();
        assert!(issuer.is_audience("web") && issuer.is_audience("mobile"));
        assert!(!issuer.is_audience("web, mobile") && !issuer.is_audience(""));
        assert_eq!(issuer.own_scope("boxoffice/shows:write"), Some("shows:write"));
        assert_eq!(issuer.own_scope("shows:write"), None);
        assert_eq!(issuer.own_scope("other/shows:write"), None);
        assert_eq!(Issuer::new("https://id.example", "web", String::new()).unwrap().own_scope("a:b"), Some("a:b"));
    }

    #[test]
    fn personal_data_is_kept_for_a_year_unless_it_is_said_otherwise() {
        let read = |value: &str| {
            let source = |name: &str| (name == "RETENTION_DAYS").then(|| value.to_owned());
            let mut reader = Reader::new(&source);
            let retention = reader.retention();
            reader.finish(retention)
        };
        assert_eq!(read(""), Ok(Some(Retention::try_from(365).unwrap())));
        assert_eq!(read("0"), Ok(None));
        assert_eq!(read("36500"), Ok(Some(Retention::try_from(36_500).unwrap())));
        for bad in ["-1", "36501", "1.5", "never"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_database_is_named_exactly_once() {
        assert!(read(&[URL, QUEUE, ("DATABASE_SECRET_ARN", "arn:aws:secretsmanager:x")]).is_err());
        // A template cannot leave a variable out: it sets it to nothing.
        assert_eq!(read(&[URL, QUEUE, ("DATABASE_SECRET_ARN", "")]), Ok(()));
    }

    #[test]
    fn no_message_and_no_debug_shows_a_secret() {
        let bad = read(&[("DATABASE_URL", "postgres://app:s3cret@/x?nonsense=1"), QUEUE]).unwrap_err();
        assert!(!bad.to_string().contains("s3cret"), "{bad}");
        let database = Database::from_url(URL.1, None).unwrap();
        assert!(!format!("{database:?}").contains("s3cret"));
        let json = r#"{"username":"app","password":"s3cret","host":"db","port":5432,"dbname":"boxoffice"}"#;
        assert!(!format!("{:?}", Database::from_secret(json, None).unwrap()).contains("s3cret"));
        assert!(!Database::from_secret(r#"{"password":"s3cret"}"#, None).unwrap_err().contains("s3cret"));
    }
}
