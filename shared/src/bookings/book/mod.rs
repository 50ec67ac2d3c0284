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

/// The types of `$1` to `$11` of the statements that make a booking, and of `$12` of those that search for a pool.
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

static OWN_POOL: Statement = Statement { sql: include_str!("own_pool.sql"), types: TYPES.split_at(11).0 };

static UNLOCKED_POOL: Statement = Statement { sql: include_str!("unlocked_pool.sql"), types: &TYPES };

static ANY_POOL: Statement = Statement { sql: include_str!("any_pool.sql"), types: &TYPES };

static REFUSAL: Statement =
    Statement { sql: concat!(include_str!("refusal.sql"), include_str!("../answer.sql")), types: TYPES.split_at(11).0 };

static LOCK_HOLDER: Statement =
    Statement { sql: include_str!("lock_holder.sql"), types: &[Type::INT8, Type::TEXT, Type::INT4] };

static ALL_POOLS: Statement = Statement { sql: include_str!("all_pools.sql"), types: TYPES.split_at(11).0 };

/// Searches for a pool before all pools are locked. A search is repeated only if a pool with seats ran out, or stayed
/// locked, while this request waited for it. Pools run out only on the last seats of a show.
const LOOKS: u32 = 4;

/// A request to hold seats.
#[derive(Clone, Debug)]
pub struct Request {
    /// The new booking's id, including its show. The caller generates it, so that a retry after a lost answer finds its
    /// own booking.
    pub id: BookingId,
    /// The name of the person who books.
    pub user_name: UserName,
    /// The number of seats.
    pub seats: SeatCount,
    /// How long the seats are held, from the moment they are taken.
    pub hold: Hold,
    /// The client's idempotency key, which identifies a repeated request.
    pub idempotency_key: Option<IdempotencyKey>,
    /// The holder of the booking.
    pub holder: Holder,
    /// The holder's limits, unless the show sets its own.
    pub limits: HolderLimits,
}

impl Request {
    /// The request as statement parameters.
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
    /// `$1` to `$11` of the statements that make a booking, and of the one that explains a refusal.
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

/// The result of a request: a new booking, or the one that an earlier request with this key made.
#[derive(Clone, Debug)]
pub struct Booked {
    /// The booking. If an earlier request made it, it may no longer be pending.
    pub booking: Booking,
    /// An earlier request with this key made the booking; this request's own id was not used.
    pub replayed: bool,
}

/// Prepares the booking statement on the connection, so that the first booking need not. One round trip.
///
/// # Errors
/// Only the errors that every operation can return.
pub async fn prepare_book(db: &Db) -> Result<(), Error> {
    Ok(db.prepare(&OWN_POOL).await?)
}

/// Holds seats for a limited time: takes them from the show's pools and makes a `PENDING` booking, in one transaction.
///
/// Repeating the call with the same id or the same key returns the same booking, so it is safe to retry after a lost
/// answer.
///
/// Locks the holder of the show, then one pool; all pools only if no single pool has the seats. One round trip with one
/// statement while the connection's own pool has the seats. A second round trip searches for a pool that has them, and
/// explains the refusal if there is none. A third takes seats from several pools. If another transaction keeps a pool
/// locked, the request moves on to another pool after 100 ms.
///
/// # Errors
/// - [`Error::ShowNotFound`], [`Error::ShowStarted`], [`Error::TooManySeats`]
/// - [`Error::HolderWaits`]: too many of the holder's holds ended unpaid
/// - [`Error::PendingLimit`], [`Error::HolderLimit`]: the holder would have too many seats of the show
/// - [`Error::HolderBusy`]: too many bookings of the holder are in progress; this one did not wait
/// - [`Error::SoldOut`]: all pools of the show together have fewer free seats than requested
/// - [`Error::IdempotencyKeyReused`]: the key made a booking with another name or number of seats
pub async fn book(db: &Db, request: &Request) -> Result<Booked, Error> {
    let mut search = match take_from_own_pool(db, request).await? {
        OwnPool::Took(booked) => return Ok(booked),
        OwnPool::TookNothing => &ANY_POOL,
        OwnPool::Locked => &UNLOCKED_POOL,
    };
    for looks in 1..=LOOKS {
        match take_from_any_pool(db, request, search).await? {
            Look::Found(booked) => return Ok(booked),
            Look::TooFewSeats(available) => return Err(Error::SoldOut { available }),
            // Under load all pools may be locked for a moment, so the next search waits for one of them.
            Look::RanDry => search = &ANY_POOL,
            Look::Locked if looks == LOOKS => {
                return Err(Error::Busy("every search for seats met a locked pool".into()));
            }
            Look::Locked => search = &UNLOCKED_POOL,
            Look::Scattered => break,
        }
    }
    match take_from_all_pools(db, request).await? {
        Look::Found(booked) => Ok(booked),
        Look::TooFewSeats(available) => Err(Error::SoldOut { available }),
        // While all pools are locked, no seats can run out. But a hold of this holder may end between the statement
        // that refused the booking and the one that explains why.
        Look::RanDry | Look::Locked | Look::Scattered => {
            Err(Error::Busy("with all pools locked, seats were neither taken nor too few".into()))
        }
    }
}

/// The result of an attempt on the connection's own pool.
enum OwnPool {
    Took(Booked),
    /// The pool has too few seats, the request may not be booked, or it was booked already.
    TookNothing,
    /// Another transaction keeps the pool locked.
    Locked,
}

async fn take_from_own_pool(db: &Db, request: &Request) -> Result<OwnPool, Error> {
    let row = request.row();
    let Some(rows) = db.run_unless_locked(&[(&OWN_POOL, &row.values())], Repeat::Safe).await? else {
        return Ok(OwnPool::Locked);
    };
    match rows.first() {
        None => Ok(OwnPool::TookNothing),
        Some(row) if row::get(row, "is_busy")? => Err(Error::HolderBusy),
        Some(row) => Ok(OwnPool::Took(Booked { booking: made(row, request)?, replayed: false })),
    }
}

/// The booking that the request made, with the values that the database returned.
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

/// Searches for a pool with one of the search statements.
async fn take_from_any_pool(db: &Db, request: &Request, how: &'static Statement) -> Result<Look, Error> {
    let row = request.row();
    let start_at: f64 = rand::random();
    let mut search = row.values().to_vec();
    search.push(&start_at);
    let statements: &[(_, Values<'_>)] = &[(how, &search), (&REFUSAL, &row.values())];
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
        (&ALL_POOLS, &row.values()),
        (&REFUSAL, &row.values()),
    ];
    look(&db.run_all(statements, Repeat::Safe).await?, request)
}

/// The result of one search for seats, read in the same transaction. A booking that the search made is found by its id.
enum Look {
    /// There is a booking: made now, by an earlier request, or by an attempt whose answer was lost.
    Found(Booked),
    /// All pools together have too few seats; this is how many.
    TooFewSeats(i64),
    /// A pool had the seats, but others took them while this request waited for its lock.
    RanDry,
    /// A pool has the seats, but another transaction keeps it locked.
    Locked,
    /// The show has the seats, but no single pool does.
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

/// Refuses the request if the holder may not have this many more seats now.
fn refuse_holder(row: &Row, request: &Request) -> Result<(), Error> {
    let wait: f64 = row::get(row, "wait")?;
    if wait > 0.0 {
        // At most an hour, by the statement.
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
    // If the found id is the request's own, an earlier attempt made the booking and its answer was lost.
    let replayed = booking.id() != request.id;
    Ok(Booked { booking, replayed })
}
