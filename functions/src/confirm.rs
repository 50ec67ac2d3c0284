//! A booking after it was made: `GET` and `DELETE /bookings/{booking_id}`, `POST /bookings/{booking_id}/confirm` and
//! `/extend`, and the webhooks that pay for it, `POST /webhooks/payments/stripe` and `/standard`.

use std::time::Duration;

use boxoffice_shared::{
    bookings::{self, Booking, Hold, Settled},
    error::Cause,
    holders::Viewer,
    metrics::Counter,
    payments::{PaymentQueue, Provider},
    platform::{
        aws,
        config::{Environment, Reader},
        db::Db,
        start::start,
    },
};

use crate::{
    access::Scope,
    http::{Call, Problem, Reply},
    serve::Handler,
    webhooks::{Webhooks, standard, stripe},
};

/// The Lambda that settles bookings.
#[derive(Clone, Debug)]
pub struct Confirm {
    db: Db,
    webhooks: Webhooks,
    hold: Hold,
    max_hold: Duration,
}

impl Handler for Confirm {
    async fn start() -> Result<Self, Cause> {
        let mut reader = Reader::new(&Environment);
        let (database, connections) = (reader.database(), reader.concurrency());
        let (holds, queue_url) = (reader.holds(), reader.payments_queue_url());
        let stripe = reader.secrets("STRIPE_WEBHOOK", stripe::keys);
        let standard = reader.secrets("STANDARD_WEBHOOK", standard::keys);
        let (payments, providers) =
            (queue_url.zip(reader.holder_limits()), stripe.zip(standard).zip(reader.stripe_scope()));
        let settings = database.zip(connections).zip(holds).zip(payments).zip(providers);
        let ((((database, connections), (hold, max_hold)), (queue_url, limits)), providers) =
            reader.finish(settings)?;
        let (db, tls) = start(database, connections).await?;
        let (((stripe, standard), scope), queue) = (providers, PaymentQueue::new(&aws::load(&tls), queue_url));
        let webhooks = Webhooks::new(stripe, standard, scope, queue, limits, &tls);
        Ok(Self { db, webhooks, hold, max_hold })
    }

    async fn handle(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let caller = call.caller();
        let booking = match call.route() {
            ("GET", "/bookings/{booking_id}") => {
                let operator = caller.may(Scope::BookingsRead);
                let viewer = if operator { Viewer::Operator } else { Viewer::Bearer(caller.subject()) };
                bookings::get(&self.db, call.booking_id()?, viewer).await?
            }
            ("DELETE", "/bookings/{booking_id}") => {
                count(Counter::Cancelled, bookings::cancel(&self.db, call.booking_id()?, caller.subject()).await?)
            }
            ("POST", "/bookings/{booking_id}/confirm") => {
                count(Counter::Confirmed, bookings::confirm(&self.db, call.booking_id()?).await?)
            }
            ("POST", "/bookings/{booking_id}/extend") => {
                bookings::extend(&self.db, call.booking_id()?, caller.subject(), self.hold, self.max_hold)
                    .await?
                    .booking
            }
            ("POST", "/webhooks/payments/stripe") => return self.receive(Provider::Stripe, call).await,
            ("POST", "/webhooks/payments/standard") => return self.receive(Provider::Standard, call).await,
            _ => return Err(Problem::RouteNotFound),
        };
        Ok(Reply::ok(&booking))
    }
}

impl Confirm {
    async fn receive(&self, provider: Provider, call: &Call<'_>) -> Result<Reply, Problem> {
        self.webhooks.receive(&self.db, provider, call.request()).await
    }
}

/// Counts what changed, and not its repetitions.
fn count(counter: Counter, settled: Settled) -> Booking {
    counter.add(settled.changed.into());
    settled.booking
}
