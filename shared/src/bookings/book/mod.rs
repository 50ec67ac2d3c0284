//! Hold seats.

use tokio_postgres::{
    Row,
    types::{ToSql, Type},
};
use uuid::Uuid;

use crate::{
    Error,
    bookings::{Booking, BookingId, BookingStatus, Hold, UserName},
    holders::{Holder, HolderLimits, IdempotencyKey},
    inventory::{LOCK_POOLS, SeatCount},
    money::Money,
    platform::db::{Db, Repeat, Statement, Values, row},
};

/// `$1` to `$11` of the statements that make a booking, and the `$12` of those that search.
static TYPES: [Type; 12] = [
    Type::INT8,
    Type::UUID,
    Type::TEXT,
    Type::INT4,
    Type::FLOAT8,
    Type::TEXT,
    Type::TEXT,
    Type::INT4,
    Type::INT4,
    Type::INT4,
    Type::INT4,
    Type::FLOAT8,
];

static BOOK: Statement = Statement { sql: include_str!("own_pool.sql"), types: TYPES.split_at(11).0 };

static BOOK_UNLOCKED: Statement = Statement { sql: include_str!("unlocked_pool.sql"), types: &TYPES };

static BOOK_SEARCH: Statement = Statement { sql: include_str!("any_pool.sql"), types: &TYPES };

static BOOK_REFUSED: Statement =
    Statement { sql: concat!(include_str!("refusal.sql"), include_str!("../answer.sql")), types: TYPES.split_at(11).0 };

static LOCK_HOLDER: Statement =
    Statement { sql: include_str!("lock_holder.sql"), types: &[Type::INT8, Type::TEXT, Type::INT4] };

static BOOK_ACROSS: Statement = Statement { sql: include_str!("all_pools.sql"), types: TYPES.split_at(11).0 };

/// Searches for a pool before all of them are locked. Each further look means that a pool with seats ran dry while we
/// waited for it, which only happens to the last seats of a show.
const LOOKS: u32 = 4;

/// A request to hold seats.
#[derive(Clone, Debug)]
pub struct Request {
    /// The new booking's id, with the show that it is for. The caller makes it, so that a statement whose answer was lost finds its
    /// own booking.
    pub id: BookingId,
    /// Who books.
    pub user_name: UserName,
    /// How many seats.
    pub seats: SeatCount,
    /// How long they are held, from the moment at which they are taken.
    pub hold: Hold,
    /// What makes a repeated request recognisable, if the client sent it.
    pub idempotency_key: Option<IdempotencyKey>,
    /// Whose it is.
    pub holder: Holder,
    /// What the holder may have of the show, unless the show says otherwise.
    pub limits: HolderLimits,
}

impl Request {
    /// The request as the statements take it.
    fn row(&self) -> RequestRow<'_> {
        RequestRow {
            show_id: self.id.show_id().get(),
            id: self.id.uuid(),
            user_name: self.user_name.as_str(),
            seats: self.seats.get(),
            hold_seconds: self.hold.duration().as_secs_f64(),
            key: self.idempotency_key.as_ref().map(|key| self.holder.keyed(key)),
            holder: self.holder.as_str(),
            max_pending_seats: self.limits.max_pending_seats,
            max_seats: self.limits.max_seats,
            max_unpaid_holds: self.limits.max_unpaid_holds,
            times: self.limits.times(&self.holder),
        }
    }
}

struct RequestRow<'a> {
    show_id: i64,
    id: Uuid,
    user_name: &'a str,
    seats: i32,
    hold_seconds: f64,
    key: Option<String>,
    holder: &'a str,
    max_pending_seats: i32,
    max_seats: i32,
    max_unpaid_holds: i32,
    times: i32,
}

impl RequestRow<'_> {
    /// `$1` to `$11` of the statements that make a booking, and of the one that says why there is none.
    fn values(&self) -> [&(dyn ToSql + Sync); 11] {
        [
            &self.show_id,
            &self.id,
            &self.user_name,
            &self.seats,
            &self.hold_seconds,
            &self.key,
            &self.holder,
            &self.max_pending_seats,
            &self.max_seats,
            &self.max_unpaid_holds,
            &self.times,
        ]
    }
}

/// A booking that holds its seats, or that an earlier request with this key made.
#[derive(Clone, Debug)]
pub struct Booked {
    /// The booking. One of an earlier request may no longer be pending.
    pub booking: Booking,
    /// An earlier request with this key made it; the request's own id was not used.
    pub replayed: bool,
}

/// Has the connection prepare the statement that bookings are made with, so that the first one need not. One round trip.
///
/// # Errors
/// Only those that every operation has.
pub async fn prepare_book(db: &Db) -> Result<(), Error> {
    Ok(db.prepare(&BOOK).await?)
}

/// Holds seats for a while: takes them from the show's pools and makes a `PENDING` booking, in one transaction.
///
/// The same id or the same key again gives back the same booking, so a lost answer may be asked for again.
///
/// Locks the holder of the show, then one pool, and all of them only if no single pool has the seats. One round trip, of one statement,
/// while the connection's own pool has the seats. A second one looks for a pool that does, and says why if there is
/// none; a third is for seats that lie in several pools. Where somebody keeps a pool locked, it goes on to another after 100 ms.
///
/// # Errors
/// - [`Error::ShowNotFound`], [`Error::ShowStarted`], [`Error::TooManySeats`]
/// - [`Error::HolderWaits`], [`Error::PendingLimit`], [`Error::HolderLimit`]: the holder has, or let go, too much of the show
/// - [`Error::HolderBusy`]: too many bookings of the holder are in progress, and this one did not wait
/// - [`Error::SoldOut`]: the show, all pools together, has fewer free seats than were asked for
/// - [`Error::IdempotencyKeyReused`]: the key made a booking with another name or number of seats
pub async fn book(db: &Db, request: &Request) -> Result<Booked, Error> {
    let mut search = match take_from_own_pool(db, request).await? {
        OwnPool::Took(booked) => return Ok(booked),
        OwnPool::TookNothing => &BOOK_SEARCH,
        OwnPool::Locked => &BOOK_UNLOCKED,
    };
    for looks in 1..=LOOKS {
        match take_from_any_pool(db, request, search).await? {
            Look::Found(booked) => return Ok(booked),
            Look::TooFewSeats(available) => return Err(Error::SoldOut { available }),
            // Where many book at once, all pools may be locked for a moment: then one of them is waited for.
            Look::RanDry => search = &BOOK_SEARCH,
            Look::Locked if looks == LOOKS => return Err(Error::Busy("pools were locked at every look".into())),
            Look::Locked => search = &BOOK_UNLOCKED,
            Look::Scattered => break,
        }
    }
    match take_from_all_pools(db, request).await? {
        Look::Found(booked) => Ok(booked),
        Look::TooFewSeats(available) => Err(Error::SoldOut { available }),
        // Under a lock of all pools no seats run out. But a hold of this holder's may end between the statement that was not
        // admitted and the one that says why.
        Look::RanDry | Look::Locked | Look::Scattered => {
            Err(Error::Busy("seats were neither taken nor missing under a lock of all pools".into()))
        }
    }
}

/// What became of the seats that the connection's own pool may have.
enum OwnPool {
    Took(Booked),
    /// It has too few, or the request may not be booked, or it was already.
    TookNothing,
    /// Somebody keeps it locked.
    Locked,
}

async fn take_from_own_pool(db: &Db, request: &Request) -> Result<OwnPool, Error> {
    let row = request.row();
    let Some(rows) = db.run_unless_locked(&[(&BOOK, &row.values())], Repeat::Safe).await? else {
        return Ok(OwnPool::Locked);
    };
    match rows.first() {
        None => Ok(OwnPool::TookNothing),
        Some(row) if row::get(row, "is_busy")? => Err(Error::HolderBusy),
        Some(row) => Ok(OwnPool::Took(Booked { booking: made(row, request)?, replayed: false })),
    }
}

/// The booking that the request made, with what the database says of it.
fn made(row: &Row, request: &Request) -> Result<Booking, Error> {
    Ok(Booking {
        id: request.id,
        user_name: request.user_name.as_str().to_owned(),
        seats: request.seats.get(),
        status: BookingStatus::Pending,
        created_at: row::get(row, "created_at")?,
        expires_at: row::get(row, "expires_at")?,
        settled_at: None,
        amount: Money::from_row(row, "amount_minor")?,
    })
}

/// Looks for a pool by one of the statements that search.
async fn take_from_any_pool(db: &Db, request: &Request, how: &'static Statement) -> Result<Look, Error> {
    let row = request.row();
    let start_at: f64 = rand::random();
    let mut search = row.values().to_vec();
    search.push(&start_at);
    let statements: &[(_, Values<'_>)] = &[(how, &search), (&BOOK_REFUSED, &row.values())];
    match db.run_unless_locked(statements, Repeat::Safe).await? {
        Some(rows) => look(&rows, request),
        None => Ok(Look::Locked),
    }
}

async fn take_from_all_pools(db: &Db, request: &Request) -> Result<Look, Error> {
    let row = request.row();
    let statements: &[(_, Values<'_>)] = &[
        (&LOCK_HOLDER, &[&row.show_id, &row.holder, &row.times]),
        (&LOCK_POOLS, &[&row.show_id]),
        (&BOOK_ACROSS, &row.values()),
        (&BOOK_REFUSED, &row.values()),
    ];
    look(&db.run_all(statements, Repeat::Safe).await?, request)
}

/// What a look at the pools came to, read in its own transaction: a booking that it made is found by its own id.
enum Look {
    /// There is a booking: made now, by an earlier request, or by an attempt whose answer was lost.
    Found(Booked),
    /// All pools together have only so many seats.
    TooFewSeats(i64),
    /// A pool had the seats, and others took them while we waited for its lock.
    RanDry,
    /// A pool has the seats, and somebody keeps it locked.
    Locked,
    /// The show has the seats, but no pool alone does.
    Scattered,
}

/// Reads the row of refusal.sql.
fn look(rows: &[Row], request: &Request) -> Result<Look, Error> {
    let row = rows.first().ok_or(Error::ShowNotFound)?;
    if row::get::<Option<Uuid>>(row, "id")?.is_some() {
        return found(row, request).map(Look::Found);
    }
    if row::get(row, "started")? {
        return Err(Error::ShowStarted);
    }
    let max: i32 = row::get(row, "max_seats")?;
    if request.seats.get() > max {
        return Err(Error::TooManySeats { max });
    }
    refuse_holder(row, request)?;
    let available: i64 = row::get(row, "available_seats")?;
    if available < request.seats.get().into() {
        return Ok(Look::TooFewSeats(available));
    }
    Ok(if row::get(row, "one_pool_has_them")? { Look::RanDry } else { Look::Scattered })
}

/// Whether the holder may not have so many more seats, and why.
fn refuse_holder(row: &Row, request: &Request) -> Result<(), Error> {
    let wait: f64 = row::get(row, "wait")?;
    if wait > 0.0 {
        // An hour at most, by the statement.
        let allowed = request.limits.max_unpaid_holds * request.limits.times(&request.holder);
        return Err(Error::HolderWaits { seconds: wait.ceil() as u32, allowed });
    }
    let wanted = i64::from(request.seats.get());
    let (held, max) = (row::get::<i64>(row, "pending_seats")?, row::get(row, "max_pending")?);
    if held + wanted > i64::from(max) {
        return Err(Error::PendingLimit { held, max });
    }
    let (held, max) = (row::get::<i64>(row, "held_seats")?, row::get(row, "max_in_all")?);
    if held + wanted > i64::from(max) {
        return Err(Error::HolderLimit { held, max });
    }
    Ok(())
}

fn found(row: &Row, request: &Request) -> Result<Booked, Error> {
    let booking = Booking::from_row(row)?;
    if !booking.is_for(&request.user_name, request.seats) {
        return Err(Error::IdempotencyKeyReused);
    }
    // Our own id found again is our own earlier attempt, whose answer was lost on the way to us.
    let replayed = booking.id() != request.id;
    Ok(Booked { booking, replayed })
}
