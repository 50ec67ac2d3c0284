//! Reads the environment once at start. All faults are reported, not only the first. No message and no `Debug` shows a
//! secret.

use std::{env, num::NonZeroU16, ops::RangeInclusive};

use super::{Invalid, all::All};

mod database;
mod issuer;

pub(crate) use database::Login;
pub use database::{Database, DatabaseSource, StatementNaming};
pub use issuer::Issuer;

/// The source of the settings: the process's environment, or a table in a test.
pub trait Source {
    /// The value of a variable. An empty value counts as unset, since a template cannot leave a variable out.
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

/// Everything that is wrong with the environment: one sentence per variable.
#[derive(Clone, Debug, Default, PartialEq, Eq, thiserror::Error)]
#[error("The environment is not usable: {}", .0.join(" "))]
pub struct Faults(Vec<String>);

/// Reads settings and collects their faults.
#[derive(Debug)]
pub struct Reader<'a, S> {
    pub(crate) source: &'a S,
    faults: Vec<String>,
}

impl<'a, S: Source> Reader<'a, S> {
    /// Creates a reader of this source.
    pub fn new(source: &'a S) -> Self {
        Self { source, faults: Vec::new() }
    }

    pub(crate) fn integer(&mut self, name: &str, default: i32, range: RangeInclusive<i32>) -> Option<i32> {
        let Some(text) = self.source.get(name) else { return Some(default) };
        match text.parse() {
            Ok(value) if range.contains(&value) => Some(value),
            _ => self.fault(format!("{name} must be an integer from {} to {}.", range.start(), range.end())),
        }
    }

    pub(crate) fn url(&mut self, name: &str) -> Option<String> {
        match self.source.get(name) {
            Some(url) if url.starts_with("https://") || url.starts_with("http://") => Some(url),
            Some(_) => self.fault(format!("{name} must be an http or https URL.")),
            None => self.fault(format!("{name} must be set.")),
        }
    }

    /// Reads `{name}_SECRETS`, or `{name}_SECRET_ARN` (the ARN of a secret with the same text), or neither. `parse`
    /// reads the text.
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

    /// `AWS_LAMBDA_MAX_CONCURRENCY`: the requests that one instance serves at once, and so its connections. Classic
    /// Lambda does not set it: then 1.
    pub fn concurrency(&mut self) -> Option<NonZeroU16> {
        let Some(text) = self.source.get("AWS_LAMBDA_MAX_CONCURRENCY") else {
            return Some(NonZeroU16::MIN);
        };
        match text.parse() {
            Ok(concurrency) => Some(concurrency),
            Err(_) => self.fault("AWS_LAMBDA_MAX_CONCURRENCY must be an integer from 1 to 65535.".into()),
        }
    }

    /// Ends the reading, and gives the settings: one, or a tuple of several.
    ///
    /// # Errors
    /// All faults that were found.
    pub fn finish<A: All>(self, settings: A) -> Result<A::Values, Faults> {
        match settings.all() {
            Some(settings) if self.faults.is_empty() => Ok(settings),
            _ => Err(Faults(self.faults)),
        }
    }

    pub(crate) fn fault<T>(&mut self, fault: String) -> Option<T> {
        self.faults.push(fault);
        None
    }
}

/// The source of some secrets.
#[derive(Clone, Debug)]
pub enum SecretSource<T> {
    /// There are none.
    Unset,
    /// In the environment, already parsed.
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

    /// Reads a setting of each kind.
    fn read(pairs: &[(&str, &str)]) -> Result<(), Faults> {
        let source = |name: &str| pairs.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
        let mut reader = Reader::new(&source);
        let (database, concurrency) = (reader.database(), reader.concurrency());
        let (number, url) = (reader.integer("SOME_NUMBER", 1, 1..=10), reader.url("SOME_URL"));
        reader.finish((database, concurrency, number, url)).map(drop)
    }

    const DATABASE: (&str, &str) = ("DATABASE_URL", "postgres://app:s3cret@localhost:5432/boxoffice");
    const SOME_URL: (&str, &str) = ("SOME_URL", "http://localhost:4566/1/queue");

    #[test]
    fn all_faults_are_reported_together() {
        let faults = read(&[("SOME_NUMBER", "11"), ("AWS_LAMBDA_MAX_CONCURRENCY", "0")]).unwrap_err().to_string();
        for name in ["DATABASE_URL", "SOME_NUMBER", "SOME_URL", "AWS_LAMBDA_MAX_CONCURRENCY"] {
            assert!(faults.contains(name), "{name} is not in: {faults}");
        }
    }

    #[test]
    fn secrets_come_from_the_environment_an_arn_or_nowhere() {
        let read = |pairs: &'static [(&str, &str)]| {
            let source = |name: &str| pairs.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
            let mut reader = Reader::new(&source);
            let parse = |text: &str| if text == "good" { Ok(()) } else { Err(Invalid::new("must be good")) };
            let secrets = reader.secrets("SOME", parse);
            reader.finish(secrets)
        };
        assert!(matches!(read(&[]), Ok(SecretSource::Unset)));
        assert!(matches!(read(&[("SOME_SECRETS", "good")]), Ok(SecretSource::Known(()))));
        assert!(matches!(read(&[("SOME_SECRET_ARN", "arn:x")]), Ok(SecretSource::Stored { .. })));
        assert!(read(&[("SOME_SECRETS", "good"), ("SOME_SECRET_ARN", "arn:x")]).is_err());
        let faults = read(&[("SOME_SECRETS", "s3cret")]).unwrap_err().to_string();
        assert!(faults.contains("SOME_SECRETS must be good.") && !faults.contains("s3cret"), "{faults}");
    }

    #[test]
    fn the_database_has_exactly_one_source() {
        assert!(read(&[DATABASE, SOME_URL, ("DATABASE_SECRET_ARN", "arn:aws:secretsmanager:x")]).is_err());
        assert_eq!(read(&[DATABASE, SOME_URL, ("DATABASE_SECRET_ARN", "")]), Ok(()));
    }

    #[test]
    fn no_message_and_no_debug_shows_a_secret() {
        let bad = read(&[("DATABASE_URL", "postgres://app:s3cret@/x?nonsense=1"), SOME_URL]).unwrap_err();
        assert!(!bad.to_string().contains("s3cret"), "{bad}");
        let database = Database::from_url(DATABASE.1, None).unwrap();
        assert!(!format!("{database:?}").contains("s3cret"));
        let json = r#"{"username":"app","password":"s3cret","host":"db","port":5432,"dbname":"boxoffice"}"#;
        assert!(!format!("{:?}", Database::from_secret(json, None).unwrap()).contains("s3cret"));
        assert!(!Database::from_secret(r#"{"password":"s3cret"}"#, None).unwrap_err().contains("s3cret"));
    }
}
