//! The Lambda `expire-holds`: expires holds when their messages arrive.

use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error as _,
    time::Duration,
};

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use boxoffice_shared::{
    Error,
    bookings::{self, BookingId, ExpireOutcome, HoldMessage, HoldQueue},
    error::Cause,
    metrics::Counter,
    platform::{
        aws,
        config::{Environment, Reader},
        db::Db,
        start::start,
    },
};

use crate::{
    batch::{Turns, again, read},
    run::Worker,
};

type Outcomes = BTreeMap<BookingId, ExpireOutcome>;

/// The Lambda behind the hold queue.
#[derive(Clone, Debug)]
pub struct ExpireHolds {
    db: Db,
    queue: HoldQueue,
}

/// The messages about one booking. There may be several, because SQS delivers at least once.
struct Messages {
    ids: Vec<String>,
    /// The message that was sent back most often.
    latest: HoldMessage,
}

impl Worker for ExpireHolds {
    type Event = SqsEvent;
    type Report = SqsBatchResponse;

    async fn start() -> Result<Self, Cause> {
        let mut reader = Reader::new(&Environment);
        let settings = (reader.database(), reader.concurrency(), reader.hold_queue_url());
        let (database, connections, queue_url) = reader.finish(settings)?;
        let (db, tls) = start(database, connections).await?;
        Ok(Self { db, queue: HoldQueue::new(aws::load(&tls), queue_url) })
    }

    /// Expires the holds that are due, and sends the messages of other holds back to the queue. Reports the messages that failed,
    /// so that SQS delivers only those again, and at last moves them to the dead-letter queue.
    ///
    /// If the database cannot be reached, it reports all messages after one attempt.
    async fn work(&self, event: SqsEvent) -> Result<SqsBatchResponse, Error> {
        let (ours, mut failed) = read(event, |message| HoldMessage::read(message.body.as_deref()?));
        let mut messages: BTreeMap<BookingId, Messages> = BTreeMap::new();
        for (message_id, message) in ours {
            let first = Messages { ids: Vec::new(), latest: message };
            let messages = messages.entry(message.booking_id).or_insert(first);
            messages.ids.push(message_id);
            messages.latest = messages.latest.later(message);
        }
        if messages.is_empty() {
            return Ok(again(failed));
        }
        let (outcomes, stuck) = self.expire(messages.keys().copied().collect()).await;
        for id in stuck {
            failed.extend(messages.remove(&id).map(|messages| messages.ids).unwrap_or_default());
        }
        let expired = outcomes.values().filter(|outcome| **outcome == ExpireOutcome::Expired).count();
        Counter::Expired.add(expired as u64);
        for (id, outcome) in outcomes {
            let Some(messages) = messages.remove(&id) else { continue };
            if let Err(cause) = self.follow_up(messages.latest, outcome).await {
                tracing::warn!(booking_id = %id, ?cause, "a hold message was not sent back; it will be delivered again");
                failed.extend(messages.ids);
            }
        }
        Ok(again(failed))
    }
}

impl ExpireHolds {
    /// Expires the batch. If it fails, expires each hold on its own, because one locked row or one damaged show makes the whole
    /// batch fail. Gives the outcomes, and the holds that failed or were not tried. None is tried without a database, or when the
    /// time is over.
    async fn expire(&self, ids: BTreeSet<BookingId>) -> (Outcomes, Vec<BookingId>) {
        let mut turns = Turns::default();
        match bookings::expire(&self.db, &ids).await {
            Ok(outcomes) => return (outcomes, Vec::new()),
            Err(error) => {
                let cause = error.source();
                turns.failed(&error);
                if ids.len() == 1 || !turns.go_on() {
                    tracing::error!(
                        holds = ids.len(),
                        ?cause,
                        "holds were not expired; their messages will be delivered again: {error}"
                    );
                    return (Outcomes::new(), ids.into_iter().collect());
                }
                tracing::warn!(?cause, "a batch failed; each hold will be tried on its own: {error}");
            }
        }
        let (mut outcomes, mut stuck) = (Outcomes::new(), Vec::new());
        // At most ten, each at most 2 s for its lock: within the function's 30 s.
        for id in ids {
            if !turns.go_on() {
                stuck.push(id);
                continue;
            }
            match bookings::expire(&self.db, &BTreeSet::from([id])).await {
                Ok(outcome) => outcomes.extend(outcome),
                Err(error) => {
                    tracing::error!(booking_id = %id, cause = ?error.source(), "a hold was not expired; its message will be delivered again: {error}");
                    turns.failed(&error);
                    stuck.push(id);
                }
            }
        }
        (outcomes, stuck)
    }

    /// Sends the message back to the queue, if the hold is not due yet.
    async fn follow_up(&self, message: HoldMessage, outcome: ExpireOutcome) -> Result<(), Cause> {
        let id = message.booking_id;
        match (outcome, message.next()) {
            (ExpireOutcome::NotDue(left), Some(next)) => self.queue.send(next, left.max(Duration::from_secs(1))).await,
            (ExpireOutcome::NotDue(_), None) => {
                tracing::warn!(booking_id = %id, "a hold message was sent back too often; the sweep will expire the hold");
                Counter::HoldMessageFailed.add(1);
                Ok(())
            }
            (ExpireOutcome::Expired | ExpireOutcome::Ended, _) => Ok(()),
            (ExpireOutcome::Unknown, _) => {
                tracing::info!(booking_id = %id, "a hold message names an unknown booking, probably of another database; it will be dropped");
                Ok(())
            }
        }
    }
}
