//! The Lambda `book`: books seats for buyers, and for partners with an API key.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::{
    http::{Call, Fields, Problem, Reply},
    routes::Operation,
    serve::Handler,
};
use boxoffice_shared::{
    Error,
    bookings::{self, BookRequest, Booked, BookingId, Hold, HoldMessage, HoldQueue},
    error::Cause,
    holders::HolderLimits,
    metrics::Counter,
    platform::{
        aws,
        config::{Environment, Reader},
        db::Db,
        start::start,
    },
};
use tokio::task::JoinHandle;

/// The message arrives this much later than the hold expires, so that it seldom comes too early.
const MESSAGE_MARGIN: Duration = Duration::from_secs(1);

/// The Lambda that holds seats.
#[derive(Clone, Debug)]
pub struct Book {
    db: Db,
    queue: HoldQueue,
    hold: Hold,
    limits: HolderLimits,
    /// The hold messages that are being sent.
    messages: Arc<Mutex<Vec<JoinHandle<()>>>>,
}

impl Handler for Book {
    async fn start() -> Result<Self, Cause> {
        let mut reader = Reader::new(&Environment);
        let settings =
            (reader.database(), reader.concurrency(), reader.holds(), reader.hold_queue_url(), reader.holder_limits());
        let (database, connections, (hold, _), queue_url, limits) = reader.finish(settings)?;
        let (db, tls) = start(database, connections).await?;
        let queue = HoldQueue::new(aws::load(&tls), queue_url);
        let (prepared, ()) = tokio::join!(bookings::prepare_book(&db), queue.warm());
        if let Err(error) = prepared {
            tracing::warn!(cause = ?std::error::Error::source(&error), "the statement was not prepared; the first booking prepares it");
        }
        Ok(Self { db, queue, hold, limits, messages: Arc::default() })
    }

    async fn handle(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        match call.operation() {
            Operation::BookSeats | Operation::BookSeatsAsPartner => self.book(call).await,
            _ => Err(Problem::RouteNotFound),
        }
    }

    /// Waits for the hold messages that are being sent, at most 1.5 s.
    async fn finish(&self) {
        let messages = std::mem::take(&mut *self.messages.lock().unwrap_or_else(PoisonError::into_inner));
        for message in messages {
            // It fails only by a panic, which is logged. Then the sweep expires the hold.
            let _ = message.await;
        }
    }
}

impl Book {
    async fn book(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let request = read(call, self.hold, self.limits)?;
        match bookings::book(&self.db, &request).await {
            Ok(booked) => {
                if !booked.replayed {
                    self.send_message(request.id);
                }
                Ok(reply(call, &booked))
            }
            Err(error) => {
                count_refusal(&error);
                Err(error.into())
            }
        }
    }

    /// Starts to send the message that expires the hold. The buyer does not wait for it. If it is lost, the sweep expires the
    /// hold.
    ///
    /// It is sent after the booking was made: a message sent at the same time would be sent for refused bookings as well. It is
    /// not awaited before the answer, because each buyer would wait for the queue.
    fn send_message(&self, id: BookingId) {
        let (queue, delay) = (self.queue.clone(), self.hold.duration() + MESSAGE_MARGIN);
        let sending = tokio::spawn(async move {
            if let Err(cause) = queue.send(HoldMessage::first(id), delay).await {
                tracing::warn!(booking_id = %id, ?cause, "a hold message was not sent; the sweep will expire the hold");
                Counter::HoldMessageFailed.add(1);
            }
        });
        self.messages.lock().unwrap_or_else(PoisonError::into_inner).push(sending);
    }
}

/// Reads the booking that a call asks for.
///
/// # Errors
/// What is wrong with the request.
pub fn read(call: &Call<'_>, hold: Hold, limits: HolderLimits) -> Result<BookRequest, Problem> {
    let show_id = call.show_id()?;
    let idempotency_key = call.idempotency_key()?;
    let mut fields = Fields::read(call.request())?;
    let members = (fields.required("user_name"), fields.required("seats"));
    let (user_name, seats) = fields.finish(members)?;
    let (id, holder) = (BookingId::generate(show_id), call.holder()?);
    Ok(BookRequest { id, user_name, seats, hold, idempotency_key, holder, limits })
}

fn count_refusal(error: &Error) {
    match error {
        Error::SoldOut { .. } => Counter::SoldOut.add(1),
        Error::PendingLimit { .. } | Error::HolderLimit { .. } | Error::HolderWaits { .. } | Error::HolderBusy => {
            Counter::HolderLimited.add(1);
        }
        _ => {}
    }
}

fn reply(call: &Call<'_>, booked: &Booked) -> Reply {
    let location = call.location(&format!("/bookings/{}", booked.booking.id()));
    let reply = Reply::created(&location, &booked.booking);
    if !booked.replayed {
        Counter::Booked.add(1);
    }
    reply.replayed(booked.replayed)
}
