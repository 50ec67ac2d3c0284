//! Whose event one of Stripe's is: its mode and its account.

use boxoffice_shared::payments::{StripeMode, StripeScope};
use serde_json::Value;

/// Why an event is not this stack's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ignored {
    /// It is of test mode on a stack that sells for real, or the other way round.
    Mode,
    /// It is of another account: another merchant's, or the platform's own.
    Account,
}

/// Whether this stack takes the event, snapshot or thin.
///
/// Stripe says the mode in each event, and the account in those of Connect (`account`) and of organizations (`context`
/// alone). An event that says no mode is of the mode whose secret signed it.
pub(super) fn check(event: &Value, scope: &StripeScope) -> Result<(), Ignored> {
    let modes = [&event["livemode"], &event["data"]["object"]["livemode"]];
    let is_ours = |live: bool| scope.is_mode(if live { StripeMode::Live } else { StripeMode::Test });
    if !modes.into_iter().filter_map(Value::as_bool).all(is_ours) {
        return Err(Ignored::Mode);
    }
    let is_ours = match [&event["account"], &event["context"]].into_iter().find(|account| !account.is_null()) {
        None => scope.is_account(None),
        Some(account) => account.as_str().is_some_and(|account| scope.is_account(Some(account))),
    };
    if is_ours { Ok(()) } else { Err(Ignored::Account) }
}

/// Whether the event says its mode in a way that we know, or not at all.
pub(super) fn says_its_mode(event: &Value) -> bool {
    matches!(event["livemode"], Value::Null | Value::Bool(_))
}
