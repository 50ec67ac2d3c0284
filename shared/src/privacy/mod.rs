//! Personal data: export and erase what is stored about a subject, and anonymise bookings after the retention period.

mod anonymise;
mod due_show;
mod empty_payloads;
mod erase;
mod export;
mod mark_anonymised;
mod retention;
mod subject;

pub use anonymise::{Anonymised, anonymise};
pub use due_show::{DueShow, due_show};
pub use empty_payloads::{MAX_PAYLOADS, empty_payloads};
pub use erase::{MAX_ERASED, erase};
pub use export::export;
pub use mark_anonymised::mark_anonymised;
pub use retention::Retention;
pub use subject::{SubjectBooking, SubjectCursor, SubjectEvent};
