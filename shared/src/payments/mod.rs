//! Payments: provider events, their effects, and operators' decisions.

mod decide_dispute;
mod event;
mod kept_event;
mod list;
mod list_unreadable;
mod payment;
mod payment_queue;
mod provider_id;
mod record;
mod replay;
mod settle;
mod stripe_scope;

pub use decide_dispute::{DecidedDispute, decide_dispute};
pub use event::{DisputeState, EventType, Payload, PaymentChange, PaymentEvent, Provider, Refund, RefundState};
pub use kept_event::{EventCursor, KeptEvent};
pub use list::list;
pub use list_unreadable::list_unreadable;
pub use payment::{DisputeDecision, KnownDispute, KnownRefund, Payment, PaymentCursor, PaymentState, RefundReason};
pub use payment_queue::{PAYMENT_SEND, PaymentQueue, read_payment_message};
pub use provider_id::{DisputeId, EventId, PaymentId, RefundId};
pub use record::{Recorded, record};
pub use replay::{get_event, replay};
pub use settle::{SettledPayment, settle};
pub use stripe_scope::{StripeMode, StripeScope};
