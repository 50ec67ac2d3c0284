//! Bookings while somebody gets in the way: a holder that books all the time, a holder lock that is kept, a pool that
//! stays locked.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use boxoffice_shared::Error;
use boxoffice_shared::bookings::{self, BookRequest};
use boxoffice_shared::holders::{Holder, HolderLimits};
use boxoffice_testkit::postgres::Database;
use tokio_postgres::Client;

use crate::bench::{Bench, check};
use crate::measure::stats::median;
use crate::report::{Cell, Report, Section, Table};
use crate::shows;

use super::buyers::{Crowd, connect, request, show_id};

const CALLERS: u16 = 32;
/// One booking in this many is the busy holder's.
const ONE_OF: u64 = 5;
const POOLS: i32 = 16;

/// What gets in the way of the other bookings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Nobody,
    BusyHolder,
    KeptHolder,
    KeptPool,
}

impl Way {
    const ALL: [(Self, &str); 4] = [
        (Self::Nobody, "nobody"),
        (Self::BusyHolder, "one holder makes a fifth of the bookings"),
        (Self::KeptHolder, "the same, and a transaction keeps its lock"),
        (Self::KeptPool, "a transaction keeps 1 of 16 pools locked"),
    ];

    /// The statement that takes the lock that is kept meanwhile, if any.
    fn kept(self, show: i64) -> Option<String> {
        match self {
            Self::Nobody | Self::BusyHolder => None,
            Self::KeptHolder => Some(format!("SELECT lock_holder({show}, 'key:busy')")),
            Self::KeptPool => Some(format!("SELECT FROM seat_pools WHERE show_id = {show} AND pool_no = 0 FOR UPDATE")),
        }
    }
}

/// Measures each case in turn, several times.
pub(super) async fn run(bench: &Bench, report: &mut Report) {
    let mut section = Section::new("crowding", "Bookings while somebody gets in the way");
    section.note(&format!(
        "The domain's booking, called from this process over one pool of {CALLERS} connections, by {CALLERS} callers \
         of a hot show with {POOLS} pools. The figures are the bookings of everybody else, counted as rows, compared \
         with the undisturbed case."
    ));
    let database = bench.database().await;
    let admin = database.admin_client().await;
    shows::create_past(&admin).await;
    let mut rates: Vec<Vec<f64>> = Way::ALL.iter().map(|_| Vec::new()).collect();
    for _ in 0..bench.pick(3, 1) {
        for (index, (way, _)) in Way::ALL.into_iter().enumerate() {
            rates[index].push(bookings_of_others(bench, &database, &admin, way).await);
        }
    }
    let mut table =
        Table::new("Bookings per second of everybody else", &["in the way", "bookings/s", "of undisturbed"]);
    let undisturbed = median(rates[0].iter().copied());
    for ((_, name), rates) in Way::ALL.into_iter().zip(&rates) {
        let rate = median(rates.iter().copied());
        let ratio = rate.zip(undisturbed).map(|(rate, of)| rate / of);
        bench.say(&format!("    {name:50} {:>8.0} bookings/s, {:.2}", rate.unwrap_or(0.0), ratio.unwrap_or(f64::NAN)));
        table.row(vec![Cell::text(name), Cell::number(rate, 0), Cell::number(ratio, 2)]);
    }
    if let Err(why) = check(&database).await {
        section.note(&why);
    }
    section.table(table);
    report.add(section);
}

async fn bookings_of_others(bench: &Bench, database: &Database, admin: &Client, way: Way) -> f64 {
    let length = Duration::from_millis(bench.pick(3000, 500));
    let show = shows::create(admin, 1, POOLS).await;
    let db = connect(database, CALLERS);
    db.warm().await.expect("connections");
    let keeper = database.admin_client().await;
    if let Some(lock) = way.kept(show) {
        keeper.batch_execute(&format!("BEGIN; {lock}")).await.expect("a lock");
    }
    let number = Arc::new(AtomicU64::new(0));
    let crowd = Crowd::start(CALLERS, Instant::now(), move || {
        let (db, number) = (db.clone(), Arc::clone(&number));
        async move {
            let turn = number.fetch_add(1, Ordering::Relaxed);
            let is_busy = matches!(way, Way::BusyHolder | Way::KeptHolder) && turn.is_multiple_of(ONE_OF);
            let wish = if is_busy { busy(show) } else { request(show_id(show), 2) };
            match bookings::book(&db, &wish).await {
                Ok(_) | Err(Error::HolderBusy | Error::Busy(_)) => true,
                Err(error) => panic!("a booking failed: {error}: {:?}", std::error::Error::source(&error)),
            }
        }
    });
    tokio::time::sleep(length).await;
    // Count only the bookings made by now: those that wait for the kept lock finish later.
    let sql = "SELECT count(*) FROM bookings WHERE show_id = $1 AND holder <> 'key:busy'";
    let made: i64 = admin.query_one(sql, &[&show]).await.expect("a count").get(0);
    keeper.batch_execute("ROLLBACK").await.expect("its end");
    crowd.stop().await;
    made as f64 / length.as_secs_f64()
}

/// A booking of the busy holder: a partner with limits that it never reaches, and with the concurrency of a single
/// holder.
fn busy(show: i64) -> BookRequest {
    let limits = HolderLimits {
        max_pending_seats: 1_000_000,
        max_seats: 1_000_000,
        partner_allowance: 1,
        ..HolderLimits::DEFAULT
    };
    BookRequest { holder: Holder::of_api_key("busy").expect("a key's id"), limits, ..request(show_id(show), 2) }
}
