//! A booking after it was made: `GET` and `DELETE /bookings/{booking_id}`, `POST /bookings/{booking_id}/confirm`.

use boxoffice_shared::{
    db::Db,
    error::Cause,
    metrics::Counter,
    model::Booking,
    ops::{self, Settled},
};
use lambda_http::{Body, Request, Response};

use crate::{
    http::{Call, Problem, Reply},
    serve::{Handler, respond, start_with_database},
};

/// The Lambda that settles bookings.
#[derive(Clone, Debug)]
pub struct Confirm {
    db: Db,
}

impl Handler for Confirm {
    async fn start() -> Result<Self, Cause> {
        Ok(Self { db: start_with_database().await? })
    }

    async fn handle(&self, request: &Request) -> Response<Body> {
        respond(self.answer(&Call::new(request)).await)
    }
}

impl Confirm {
    async fn answer(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let booking = match call.route() {
            ("GET", "/bookings/{booking_id}") => ops::get_booking(&self.db, call.booking_id()?).await?,
            ("DELETE", "/bookings/{booking_id}") => {
                count(Counter::Cancelled, ops::cancel(&self.db, call.booking_id()?).await?)
            }
            ("POST", "/bookings/{booking_id}/confirm") => {
                count(Counter::Confirmed, ops::confirm(&self.db, call.booking_id()?).await?)
            }
            _ => return Err(Problem::RouteNotFound),
        };
        Ok(Reply::ok(&booking))
    }
}

/// Counts what changed, and not its repetitions.
fn count(counter: Counter, settled: Settled) -> Booking {
    counter.add(settled.changed.into());
    settled.booking
}
