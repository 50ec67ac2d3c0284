//! The Lambda `bookings`: lets a buyer see, extend and cancel a booking.

use std::time::Duration;

use boxoffice_shared::{
    bookings::{self, Hold},
    error::Cause,
    holders::Viewer,
    metrics::Counter,
    platform::{
        config::{Environment, Reader},
        db::Db,
        start::start,
    },
};

use crate::{
    access::Scope,
    http::{Call, Problem, Reply},
    routes::Operation,
    serve::Handler,
};

/// The Lambda for bookings that were made.
#[derive(Clone, Debug)]
pub struct Bookings {
    db: Db,
    hold: Hold,
    max_hold: Duration,
}

impl Handler for Bookings {
    async fn start() -> Result<Self, Cause> {
        let mut reader = Reader::new(&Environment);
        let settings = (reader.database(), reader.concurrency(), reader.holds());
        let (database, connections, (hold, max_hold)) = reader.finish(settings)?;
        Ok(Self { db: start(database, connections).await?.0, hold, max_hold })
    }

    async fn handle(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        match call.operation() {
            Operation::GetBooking => self.get(call).await,
            Operation::CancelBooking => self.cancel(call).await,
            Operation::ExtendBooking => self.extend(call).await,
            _ => Err(Problem::RouteNotFound),
        }
    }
}

impl Bookings {
    async fn get(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let caller = call.caller();
        let operator = caller.may(Scope::BookingsRead);
        let viewer = if operator { Viewer::Operator } else { Viewer::Bearer(caller.subject()) };
        Ok(Reply::ok(&bookings::get(&self.db, call.booking_id()?, viewer).await?))
    }

    async fn cancel(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let cancelled = bookings::cancel(&self.db, call.booking_id()?, call.caller().subject()).await?;
        // A repetition changes nothing and counts nothing.
        Counter::Cancelled.add(cancelled.changed.into());
        Ok(Reply::ok(&cancelled.booking))
    }

    async fn extend(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let (id, subject) = (call.booking_id()?, call.caller().subject());
        let extended = bookings::extend(&self.db, id, subject, self.hold, self.max_hold).await?;
        Ok(Reply::ok(&extended.booking))
    }
}
