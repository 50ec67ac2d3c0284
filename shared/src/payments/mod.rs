//! Payments: the events that providers send, what follows from them, and what an operator decides.

mod decide_dispute;
mod event;
mod kept_event;
mod list;
mod list_unreadable;
mod payment;
mod payment_queue;
mod record;
mod replay;
mod settle;
mod stripe_scope;

pub use decide_dispute::{DecidedDispute, decide_dispute};
pub use event::{
    DisputeId, DisputeState, EventId, EventType, Payload, PaymentChange, PaymentEvent, PaymentId, Provider, Refund,
    RefundId, RefundState,
};
pub use kept_event::{EventCursor, KeptEvent};
pub use list::list;
pub use list_unreadable::list_unreadable;
pub use payment::{DisputeDecision, KnownDispute, KnownRefund, Payment, PaymentCursor, PaymentState, RefundReason};
pub use payment_queue::{PAYMENT_SEND, PaymentQueue, read_payment_message};
pub use record::{Recorded, record};
pub use replay::{get_event, replay};
pub use settle::{SettledPayment, settle};
pub use stripe_scope::{StripeMode, StripeScope};
