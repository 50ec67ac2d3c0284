//! The Lambda `confirm`: confirms bookings, by a payment provider's webhook or by an operator's call.

use boxoffice_shared::{
    bookings,
    error::Cause,
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
    http::{Call, Problem, Reply},
    routes::Operation,
    serve::Handler,
    webhooks::{Webhooks, standard, stripe},
};

/// The Lambda that confirms bookings.
#[derive(Clone, Debug)]
pub struct Confirm {
    db: Db,
    webhooks: Webhooks,
}

impl Handler for Confirm {
    async fn start() -> Result<Self, Cause> {
        let mut reader = Reader::new(&Environment);
        let settings = (
            reader.database(),
            reader.concurrency(),
            reader.payments_queue_url(),
            reader.secrets("STRIPE_WEBHOOK", stripe::keys),
            reader.secrets("STANDARD_WEBHOOK", standard::keys),
            reader.stripe_scope(),
            reader.holder_limits(),
        );
        let (database, connections, queue_url, stripe, standard, scope, limits) = reader.finish(settings)?;
        let (db, tls) = start(database, connections).await?;
        let queue = PaymentQueue::new(&aws::load(&tls), queue_url);
        let webhooks = Webhooks::new(stripe, standard, scope, queue, limits, &tls);
        Ok(Self { db, webhooks })
    }

    async fn handle(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        match call.operation() {
            Operation::ConfirmBooking => self.confirm(call).await,
            Operation::ReceiveStripeEvent => self.receive(Provider::Stripe, call).await,
            Operation::ReceiveStandardEvent => self.receive(Provider::Standard, call).await,
            _ => Err(Problem::RouteNotFound),
        }
    }
}

impl Confirm {
    async fn confirm(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let confirmed = bookings::confirm(&self.db, call.booking_id()?).await?;
        // A repetition changes nothing and counts nothing.
        Counter::Confirmed.add(confirmed.changed.into());
        Ok(Reply::ok(&confirmed.booking))
    }

    async fn receive(&self, provider: Provider, call: &Call<'_>) -> Result<Reply, Problem> {
        self.webhooks.receive(&self.db, provider, call.request()).await
    }
}
