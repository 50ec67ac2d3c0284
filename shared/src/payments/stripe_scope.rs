//! The Stripe events that this stack processes.

use crate::platform::config::{Reader, Source};

impl<S: Source> Reader<'_, S> {
    /// `STRIPE_MODE` (`live` unless set) and `STRIPE_ACCOUNT`: the Stripe events that this stack processes.
    pub fn stripe_scope(&mut self) -> Option<StripeScope> {
        let (mode, account) = (self.stripe_mode(), self.stripe_account());
        Some(StripeScope { mode: mode?, account: account? })
    }

    fn stripe_mode(&mut self) -> Option<StripeMode> {
        match self.source.get("STRIPE_MODE").as_deref() {
            None | Some("live") => Some(StripeMode::Live),
            Some("test") => Some(StripeMode::Test),
            Some(_) => self.fault("STRIPE_MODE must be live or test.".into()),
        }
    }

    fn stripe_account(&mut self) -> Option<Option<String>> {
        let Some(text) = self.source.get("STRIPE_ACCOUNT") else { return Some(None) };
        let is_id = |id: &str| (1..=250).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric());
        match text.strip_prefix("acct_") {
            Some(id) if is_id(id) => Some(Some(text)),
            _ => self.fault("STRIPE_ACCOUNT must be the id of a Stripe account, acct_...".into()),
        }
    }
}

/// The Stripe events that a stack processes. Other events belong to another stack or another merchant: they do not
/// concern our bookings, whatever their metadata says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StripeScope {
    mode: StripeMode,
    /// `None`: the account that owns the endpoint. Its events name no account.
    account: Option<String>,
}

impl StripeScope {
    /// A scope of one mode and one account.
    pub fn new(mode: StripeMode, account: Option<String>) -> Self {
        Self { mode, account }
    }

    /// Whether the stack processes events of this mode.
    pub fn is_mode(&self, mode: StripeMode) -> bool {
        self.mode == mode
    }

    /// Whether the stack processes events of this account; `None` for an event that names no account.
    pub fn is_account(&self, account: Option<&str>) -> bool {
        self.account.as_deref() == account
    }
}

/// Whether money is real, as an event's `livemode` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StripeMode {
    /// Real money.
    Live,
    /// Test mode and sandboxes: no real money.
    Test,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::config::Faults;

    fn read(mode: &str, account: &str) -> Result<StripeScope, Faults> {
        let source = |name: &str| match name {
            "STRIPE_MODE" => Some(mode.to_owned()),
            "STRIPE_ACCOUNT" => Some(account.to_owned()),
            _ => None,
        };
        let mut reader = Reader::new(&source);
        let scope = reader.stripe_scope();
        reader.finish(scope)
    }

    #[test]
    fn the_default_scope_is_live_events_of_the_own_account() {
        assert_eq!(read("", ""), Ok(StripeScope::new(StripeMode::Live, None)));
        assert_eq!(read("live", ""), Ok(StripeScope::new(StripeMode::Live, None)));
        assert_eq!(read("test", "acct_1Ab"), Ok(StripeScope::new(StripeMode::Test, Some("acct_1Ab".into()))));
    }

    #[test]
    fn an_invalid_mode_or_account_is_a_fault() {
        for (mode, account, name) in [
            ("LIVE", "", "STRIPE_MODE"),
            ("true", "", "STRIPE_MODE"),
            ("live,test", "", "STRIPE_MODE"),
            ("", "acct_", "STRIPE_ACCOUNT"),
            ("", "1Ab", "STRIPE_ACCOUNT"),
            ("", "acct_1,acct_2", "STRIPE_ACCOUNT"),
            ("", " acct_1", "STRIPE_ACCOUNT"),
        ] {
            let faults = read(mode, account).unwrap_err().to_string();
            assert!(faults.contains(name), "{mode} {account}: {faults}");
        }
    }
}
