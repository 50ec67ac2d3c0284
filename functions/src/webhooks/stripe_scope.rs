//! Whether an event of Stripe belongs to this stack, by its mode and its account.

use boxoffice_shared::payments::{StripeMode, StripeScope};
use serde_json::Value;

/// Why an event does not belong to this stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ignored {
    /// It is of test mode, and the stack takes live mode, or the other way round.
    Mode,
    /// It is of another account, such as that of another merchant or of the platform.
    Account,
}

/// Checks that this stack takes the event, snapshot or thin.
///
/// Each event has its mode. Events of Connect have their account in `account`, those of organizations in `context`. An event
/// without a mode is of the mode whose secret signed it.
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

/// Whether the mode of the event is missing or valid.
pub(super) fn says_its_mode(event: &Value) -> bool {
    matches!(event["livemode"], Value::Null | Value::Bool(_))
}
