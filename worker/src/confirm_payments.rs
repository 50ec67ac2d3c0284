//! The Lambda `confirm-payments`: applies queued payment events.

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use boxoffice_shared::{
    Error,
    error::Cause,
    holders::HolderLimits,
    payments::{self, PaymentEvent, read_payment_message},
    platform::{
        config::{Environment, Reader},
        db::Db,
        start::start,
    },
};

use crate::{
    batch::{Turns, again, read},
    run::Worker,
};

/// The Lambda behind the payments queue.
#[derive(Clone, Debug)]
pub struct ConfirmPayments {
    db: Db,
    limits: HolderLimits,
}

impl Worker for ConfirmPayments {
    type Event = SqsEvent;
    type Report = SqsBatchResponse;

    async fn start() -> Result<Self, Cause> {
        let mut reader = Reader::new(&Environment);
        let settings = (reader.database(), reader.concurrency(), reader.holder_limits());
        let (database, connections, limits) = reader.finish(settings)?;
        Ok(Self { db: start(database, connections).await?.0, limits })
    }

    /// Applies the events one by one, each in its own transaction. Reports the messages that failed, so that SQS delivers only
    /// those again, and at last moves them to the dead-letter queue.
    ///
    /// If the database cannot be reached, the messages that follow are not tried, because they would fail as well.
    async fn work(&self, event: SqsEvent) -> Result<SqsBatchResponse, Error> {
        let (events, mut failed) = read(event, |message| read_payment_message(message.body.as_deref()?));
        let mut turns = Turns::default();
        for (message_id, event) in events {
            if turns.go_on() {
                let Err(error) = self.record(&event).await else { continue };
                turns.failed(&error);
            }
            failed.push(message_id);
        }
        Ok(again(failed))
    }
}

impl ConfirmPayments {
    async fn record(&self, event: &PaymentEvent) -> Result<(), Error> {
        let (provider, event_id) = (event.provider, &event.event_id);
        match payments::record(&self.db, event, &self.limits).await {
            Ok(recorded) => {
                recorded.count();
                tracing::info!(%provider, %event_id, ?recorded, "applied a queued payment event");
                Ok(())
            }
            Err(error) => {
                let cause = std::error::Error::source(&error);
                tracing::warn!(%provider, %event_id, ?cause, "a payment event was not applied; its message will be delivered again: {error}");
                Err(error)
            }
        }
    }
}
