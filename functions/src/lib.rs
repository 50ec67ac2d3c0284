//! The API's Lambdas. Each is a [`Handler`](serve::Handler) that turns a request into typed input, calls one operation
//! of `boxoffice_shared::ops`, and turns its answer into a response.
//!
//! [`access`] says who may call which route; [`authorize`] is the authorizer, which API Gateway asks before the others.
//!
//! | Lambda | routes |
//! |---|---|
//! | [`list_shows`] | `GET /shows`, `GET /shows/{show_id}` |
//! | [`book`] | `POST /shows/{show_id}/bookings`, `POST /partner/shows/{show_id}/bookings` |
//! | [`confirm`] | `GET` and `DELETE /bookings/{booking_id}`, `POST /bookings/{booking_id}/confirm` and `/extend`, `POST /webhooks/payments/stripe` and `/standard` |
//! | [`manage_shows`] | `POST /admin/shows`, `PATCH /admin/shows/{show_id}`, `GET /admin/payments`, `POST /admin/payments/{provider}/{payment_id}/settle`, `GET /admin/payments/events`, `POST /admin/payments/events/{provider}/{event_id}/replay`, `GET` and `DELETE /admin/subjects/bookings` |

pub mod access;
pub mod authorize;
pub mod book;
pub mod confirm;
pub mod http;
pub mod list_shows;
pub mod manage_shows;
pub mod serve;
pub mod webhooks;
