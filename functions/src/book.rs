//! `POST /shows/{show_id}/bookings`.

use std::time::Duration;

use boxoffice_shared::{
    aws,
    config::{Environment, Reader},
    db::Db,
    error::Cause,
    metrics::Counter,
    model::{BookingId, Hold},
    ops::{self, BookRequest, Booked},
    queue::HoldQueue,
    start::start,
};
use http::HeaderName;
use lambda_http::{Body, Request, Response};

use crate::{
    http::{Call, Fields, Problem, Reply},
    serve::{Handler, respond},
};

/// How much later than the hold its message is to arrive: so that it seldom finds a hold that is not quite over.
const MESSAGE_MARGIN: Duration = Duration::from_secs(1);

const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The Lambda that holds seats.
#[derive(Clone, Debug)]
pub struct Book {
    db: Db,
    queue: HoldQueue,
    hold: Hold,
}

impl Handler for Book {
    async fn start() -> Result<Self, Cause> {
        let mut reader = Reader::new(&Environment);
        let (database, connections) = (reader.database(), reader.concurrency());
        let (hold, queue_url) = (reader.hold(), reader.hold_queue_url());
        let settings = database.zip(connections).zip(hold.zip(queue_url));
        let ((database, connections), (hold, queue_url)) = reader.finish(settings)?;
        let (db, tls) = start(database, connections).await?;
        let queue = HoldQueue::new(aws::load(&tls), queue_url);
        let (prepared, ()) = tokio::join!(ops::prepare_book(&db), queue.warm());
        if let Err(error) = prepared {
            tracing::warn!(cause = ?std::error::Error::source(&error), "the first booking will prepare its statement");
        }
        Ok(Self { db, queue, hold })
    }

    async fn handle(&self, request: &Request) -> Response<Body> {
        let call = Call::new(request);
        respond(match call.route() {
            ("POST", "/shows/{show_id}/bookings") => self.book(&call).await,
            _ => Err(Problem::RouteNotFound),
        })
    }
}

impl Book {
    async fn book(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let request = self.read(call)?;
        // Side by side: the buyer waits for the slower of the two, not for both. Whichever fails, nothing is lost. A
        // message without a booking is dropped, and a booking without a message is swept.
        let (booked, sent) = tokio::join!(
            ops::book(&self.db, &request),
            self.queue.send(request.id, self.hold.duration() + MESSAGE_MARGIN),
        );
        if let Err(cause) = sent {
            tracing::warn!(booking_id = %request.id, ?cause, "a hold message was not sent; the sweep takes its place");
            Counter::HoldMessageFailed.add(1);
        }
        match booked {
            Ok(booked) => Ok(reply(&booked)),
            Err(error) => {
                Counter::SoldOut.add(matches!(error, boxoffice_shared::Error::SoldOut { .. }).into());
                Err(error.into())
            }
        }
    }

    fn read(&self, call: &Call<'_>) -> Result<BookRequest, Problem> {
        let show_id = call.show_id()?;
        let idempotency_key = call.idempotency_key()?;
        let mut fields = Fields::read(call.request())?;
        let (user_name, seats) = (fields.required("user_name"), fields.required("seats"));
        let (user_name, seats) = fields.finish(user_name.zip(seats))?;
        Ok(BookRequest { id: BookingId::generate(show_id), user_name, seats, hold: self.hold, idempotency_key })
    }
}

fn reply(booked: &Booked) -> Reply {
    let reply = Reply::created(&format!("/bookings/{}", booked.booking.id()), &booked.booking);
    if booked.replayed {
        return reply.with(IDEMPOTENCY_REPLAYED, "true");
    }
    Counter::Booked.add(1);
    reply
}
