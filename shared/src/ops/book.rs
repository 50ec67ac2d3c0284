//! Hold seats.

use tokio_postgres::{Row, types::Type};

use super::row;
use crate::{
    Error,
    db::{Db, Repeat, Statement},
    model::{Booking, BookingId, Hold, IdempotencyKey, SeatCount, UserName},
};

/// Looks for a pool before all of them are locked. Each further look means that a pool with seats ran dry while we
/// waited for it, which only happens to the last seats of a show.
const LOOKS: u32 = 4;

/// A request to hold seats.
#[derive(Clone, Debug)]
pub struct Request {
    /// The new booking's id, with the show that it is for. The caller makes it, so that it can send the hold message
    /// without waiting for the answer.
    pub id: BookingId,
    /// Who books.
    pub user_name: UserName,
    /// How many seats.
    pub seats: SeatCount,
    /// How long they are held, from the moment at which they are taken.
    pub hold: Hold,
    /// What makes a repeated request recognisable, if the client sent it.
    pub idempotency_key: Option<IdempotencyKey>,
}

/// A booking that holds its seats, or that an earlier request with this key made.
#[derive(Clone, Debug)]
pub struct Booked {
    /// The booking. One of an earlier request may no longer be pending.
    pub booking: Booking,
    /// An earlier request with this key made it; the request's own id was not used.
    pub replayed: bool,
}

/// Holds seats for a while: takes them from the show's pools and makes a `PENDING` booking, in one transaction.
///
/// The same id or the same key again gives back the same booking, so a lost answer may be asked for again.
///
/// Locks one pool of the show, and all of them only if no single pool has the seats. One round trip.
///
/// # Errors
/// - [`Error::ShowNotFound`], [`Error::ShowStarted`], [`Error::TooManySeats`]
/// - [`Error::SoldOut`]: the show, all pools together, has fewer free seats than were asked for
/// - [`Error::IdempotencyKeyReused`]: the key made a booking with another name or number of seats
pub async fn book(db: &Db, request: &Request) -> Result<Booked, Error> {
    for _ in 0..LOOKS {
        match book_in_one_pool(db, request).await? {
            Look::Booked(booked) => return Ok(booked),
            Look::RanDry => {}
            Look::Scattered => break,
        }
    }
    book_across_pools(db, request).await
}

/// What a look at the pools found, when nothing is wrong with the request.
enum Look {
    Booked(Booked),
    /// A pool had the seats, and others took them while we waited for its lock.
    RanDry,
    /// The show has the seats, but no pool alone does.
    Scattered,
}

async fn book_in_one_pool(db: &Db, request: &Request) -> Result<Look, Error> {
    let rows = db
        .run(
            Statement {
                sql: include_str!("book.sql"),
                parameters: &[
                    (&request.id.show_id().get(), Type::INT8),
                    (&request.id.uuid(), Type::UUID),
                    (&request.user_name.as_str(), Type::TEXT),
                    (&request.seats.get(), Type::INT4),
                    (&request.hold.duration().as_secs_f64(), Type::FLOAT8),
                    (&request.idempotency_key.as_ref().map(IdempotencyKey::as_str), Type::TEXT),
                    (&rand::random::<f64>(), Type::FLOAT8),
                ],
            },
            Repeat::Safe,
        )
        .await?;
    read(&rows, request)
}

async fn book_across_pools(db: &Db, request: &Request) -> Result<Booked, Error> {
    let show_id = request.id.show_id().get();
    let rows = db
        .run_all(
            &[
                Statement { sql: include_str!("lock_pools.sql"), parameters: &[(&show_id, Type::INT8)] },
                Statement {
                    sql: include_str!("book_across.sql"),
                    parameters: &[
                        (&show_id, Type::INT8),
                        (&request.id.uuid(), Type::UUID),
                        (&request.user_name.as_str(), Type::TEXT),
                        (&request.seats.get(), Type::INT4),
                        (&request.hold.duration().as_secs_f64(), Type::FLOAT8),
                        (&request.idempotency_key.as_ref().map(IdempotencyKey::as_str), Type::TEXT),
                    ],
                },
            ],
            Repeat::Safe,
        )
        .await?;
    match read(&rows, request)? {
        Look::Booked(booked) => Ok(booked),
        Look::RanDry | Look::Scattered => {
            Err(Error::Internal("seats were neither taken nor missing under a lock of all pools".into()))
        }
    }
}

fn read(rows: &[Row], request: &Request) -> Result<Look, Error> {
    let Some(first) = rows.first() else {
        return Err(Error::ShowNotFound);
    };
    if row::get::<Option<uuid::Uuid>>(first, "id")?.is_some() {
        return booked(first, request).map(Look::Booked);
    }
    if row::get(first, "started")? {
        return Err(Error::ShowStarted);
    }
    let max: i32 = row::get(first, "max_seats")?;
    if request.seats.get() > max {
        return Err(Error::TooManySeats { max });
    }
    let available: i64 = row::get(first, "available_seats")?;
    if available < request.seats.get().into() {
        return Err(Error::SoldOut { available });
    }
    Ok(if row::get(first, "was_there")? { Look::RanDry } else { Look::Scattered })
}

fn booked(row: &Row, request: &Request) -> Result<Booked, Error> {
    let booking = row::booking(row)?;
    if !booking.is_for(&request.user_name, request.seats) {
        return Err(Error::IdempotencyKeyReused);
    }
    // Our own id found again is our own earlier attempt, whose answer was lost on the way to us.
    let replayed = booking.id() != request.id;
    Ok(Booked { booking, replayed })
}
