//! Late payments count towards the holder's limit. Payments in time confirm regardless of it.

use crate::common::{
    NO_LIMITS, age, db, instances,
    pay::{assert_reconciled, priced_show, success},
    request, wait,
};
use boxoffice_shared::{
    bookings::{self, BookRequest, BookingId, BookingStatus},
    holders::{Holder, HolderLimits, Subject, Viewer},
    inventory::SeatLimit,
    payments::{self, Recorded, RefundReason},
    platform::db::Db,
    privacy,
    shows::{self, ShowId},
};
use boxoffice_testkit::{invariants::assert_invariants, postgres::Database};
use tokio_postgres::Client;

/// 4 seats in all; an address counts as 2 holders, a partner as 3.
const LIMITS: HolderLimits =
    HolderLimits { max_seats: 4, address_allowance: 2, partner_allowance: 3, ..HolderLimits::DEFAULT };

const OVER_LIMIT: Recorded = Recorded::RefundDue(RefundReason::HolderLimit);

struct Scene {
    database: Database,
    db: Db,
    client: Client,
    show: ShowId,
}

impl Scene {
    async fn new() -> Self {
        let database = Database::create().await;
        let (db, client) = (db(&database, 4), database.client().await);
        let show = priced_show(&db, 100, 2).await.id();
        Self { database, db, client, show }
    }

    /// Books two seats, regardless of the holder's limits.
    async fn book(&self, holder: &Holder) -> BookingId {
        let request = BookRequest { holder: holder.clone(), limits: NO_LIMITS, ..request(self.show, 2) };
        bookings::book(&self.db, &request).await.unwrap().booking.id()
    }

    /// Books two seats and lets the hold run out. `expired`: whether the booking is also expired.
    async fn late(&self, holder: &Holder, expired: bool) -> BookingId {
        let id = self.book(holder).await;
        age(&self.client, id, 120.0).await;
        if expired {
            bookings::sweep(&self.db).await.unwrap();
        }
        id
    }

    async fn pay(&self, id: BookingId) -> Recorded {
        let recorded = payments::record(&self.db, &payment_of(id), &LIMITS).await.unwrap();
        assert_invariants(&self.client).await;
        assert_reconciled(&self.db).await;
        recorded
    }

    async fn status(&self, id: BookingId) -> BookingStatus {
        bookings::get(&self.db, id, Viewer::Operator).await.unwrap().status()
    }
}

/// A success of a new payment for the booking.
fn payment_of(id: BookingId) -> boxoffice_shared::payments::PaymentEvent {
    success(&format!("evt_{id}"), &format!("pi_{id}"), id, 2)
}

fn ada() -> Holder {
    Holder::of_subject(&Subject::try_from("ada").unwrap())
}

#[tokio::test]
async fn a_late_payment_above_the_holders_limit_is_due_for_refund() {
    let address = Holder::of_address("192.0.2.1".parse().unwrap());
    let partner = Holder::of_api_key("acme").unwrap();
    for (holder, allowed) in [(ada(), 2), (address, 4), (partner, 6)] {
        for expired in [true, false] {
            let scene = Scene::new().await;
            let mut held = Vec::new();
            for _ in 0..=allowed {
                held.push(scene.late(&holder, expired).await);
            }
            let last = held.pop().unwrap();
            for id in held {
                assert_eq!(scene.pay(id).await, Recorded::Confirmed, "{holder:?}");
            }
            assert_eq!(scene.pay(last).await, OVER_LIMIT, "{holder:?}, expired: {expired}");
            assert_ne!(scene.status(last).await, BookingStatus::Confirmed);
        }
    }
}

/// The limit was checked when the booking was made, so a payment in time is not checked again.
#[tokio::test]
async fn a_payment_in_time_confirms_regardless_of_holder_limits() {
    let scene = Scene::new().await;
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(scene.book(&ada()).await);
    }
    for id in held {
        assert_eq!(scene.pay(id).await, Recorded::Confirmed);
    }
}

#[tokio::test]
async fn the_shows_limit_overrides_the_deployments() {
    let scene = Scene::new().await;
    let grace = Holder::of_subject(&Subject::try_from("grace").unwrap());
    let (first, second) = (scene.late(&ada(), true).await, scene.late(&ada(), true).await);
    let (other, forgotten) = (scene.late(&grace, true).await, scene.late(&ada(), true).await);
    let limit = Some(Some(SeatLimit::try_from(2).unwrap()));
    shows::set_holder_limits(&scene.db, scene.show, None, limit).await.unwrap();
    assert_eq!(scene.pay(first).await, Recorded::Confirmed);
    assert_eq!(scene.pay(second).await, OVER_LIMIT);
    // The limit affects neither another holder nor a booking whose holder was erased.
    assert_eq!(scene.pay(other).await, Recorded::Confirmed);
    privacy::erase(&scene.db, &Subject::try_from("ada").unwrap()).await.unwrap();
    assert_eq!(scene.pay(forgotten).await, Recorded::Confirmed);
}

/// A hold that is over does not count towards the limit. A hold that still runs does.
#[tokio::test]
async fn a_pending_hold_counts_towards_the_limit_until_it_is_over() {
    let scene = Scene::new().await;
    let late = scene.late(&ada(), true).await;
    let (held, over) = (scene.book(&ada()).await, scene.late(&ada(), false).await);
    assert_eq!(scene.pay(late).await, Recorded::Confirmed);
    assert_eq!(scene.pay(over).await, OVER_LIMIT);
    bookings::cancel(&scene.db, held, Some(&Subject::try_from("ada").unwrap())).await.unwrap();
    assert_eq!(scene.pay(scene.late(&ada(), false).await).await, Recorded::Confirmed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_late_payments_stay_within_the_holders_limit() {
    let scene = Scene::new().await;
    let instances = instances(&scene.database.url(), 8).await;
    let mut late = Vec::new();
    for n in 0..8 {
        late.push(scene.late(&ada(), n % 2 == 0).await);
    }
    let mut answers = tokio::task::JoinSet::new();
    for (db, id) in instances.into_iter().zip(late) {
        answers.spawn(async move { payments::record(&db, &payment_of(id), &LIMITS).await.unwrap() });
    }
    let answers = answers.join_all().await;
    assert_eq!(answers.iter().filter(|answer| **answer == Recorded::Confirmed).count(), 2, "{answers:?}");
    assert_eq!(answers.iter().filter(|answer| **answer == OVER_LIMIT).count(), 6, "{answers:?}");
    assert_invariants(&scene.client).await;
}

/// A rival transaction that takes the holder's lock, then books seats and commits.
struct Rival(Client);

impl Rival {
    async fn new(scene: &Scene) -> Self {
        let rival = scene.database.admin_client().await;
        rival.batch_execute("BEGIN").await.unwrap();
        rival.execute("SELECT lock_holder($1, $2)", &[&scene.show.get(), &ada().as_str()]).await.unwrap();
        Self(rival)
    }

    async fn book(&self, scene: &Scene, seats: i32) {
        let sql = "WITH taken AS (UPDATE seat_pools SET free = free - $3 WHERE show_id = $1 AND pool_no = 0)
            INSERT INTO bookings (show_id, id, user_name, seats, status, created_at, expires_at, holder)
            VALUES ($1, gen_random_uuid(), 'Ada', $3, 'PENDING', now(), now() + interval '2 minutes', $2)";
        self.0.execute(sql, &[&scene.show.get(), &ada().as_str(), &seats]).await.unwrap();
        self.0.batch_execute("COMMIT").await.unwrap();
    }
}

/// A late payment counts under the holder's lock, so it sees a booking that is being made. A payment in time does not
/// take this lock.
#[tokio::test]
async fn a_late_payment_waits_for_a_booking_of_its_holder() {
    let scene = Scene::new().await;
    let (late, in_time) = (scene.late(&ada(), true).await, scene.book(&ada()).await);
    let rival = Rival::new(&scene).await;
    let pid = wait::pid(&rival.0).await;
    assert_eq!(scene.pay(in_time).await, Recorded::Confirmed);
    let paid = payment_of(late);
    let (recorded, ()) = tokio::join!(payments::record(&scene.db, &paid, &LIMITS), async {
        wait::until_blocked(&scene.client, pid, 1).await;
        rival.book(&scene, 2).await;
    });
    assert_eq!(recorded.unwrap(), OVER_LIMIT);
}

/// The payment arrives in time, but waits for the booking's lock until the hold is over. Then it is late and the limit
/// applies. If its holder is booking at that moment, it is retried with the holder's lock first.
#[tokio::test]
async fn a_payment_that_becomes_late_while_it_waits_is_limited() {
    for busy in [false, true] {
        let scene = Scene::new().await;
        let id = scene.book(&ada()).await;
        scene.book(&ada()).await;
        let holder = scene.database.admin_client().await;
        let pid = wait::pid(&holder).await;
        holder.batch_execute("BEGIN").await.unwrap();
        holder.execute("SELECT FROM bookings WHERE id = $1 FOR UPDATE", &[&id.uuid()]).await.unwrap();
        let paid = payment_of(id);
        let (recorded, ()) = tokio::join!(payments::record(&scene.db, &paid, &LIMITS), async {
            wait::until_blocked(&scene.client, pid, 1).await;
            let rival = if busy { Some(Rival::new(&scene).await) } else { None };
            let over = "UPDATE bookings SET created_at = created_at - interval '120 s', expires_at = expires_at - interval '120 s'
                WHERE id = $1";
            holder.execute(over, &[&id.uuid()]).await.unwrap();
            holder.batch_execute("COMMIT").await.unwrap();
            if let Some(rival) = rival {
                let pid = wait::pid(&rival.0).await;
                wait::until_blocked(&scene.client, pid, 1).await;
                rival.book(&scene, 2).await;
            }
        });
        assert_eq!(recorded.unwrap(), if busy { OVER_LIMIT } else { Recorded::Confirmed }, "busy: {busy}");
        assert_invariants(&scene.client).await;
    }
}
