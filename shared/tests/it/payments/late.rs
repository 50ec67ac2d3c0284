//! Who pays late goes round no limit: what a holder may have of a show counts then too. Who pays in time is confirmed.

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

/// 4 seats in all; an address counts for 2 holders, a partner for 3.
const LIMITS: HolderLimits =
    HolderLimits { max_seats: 4, address_allowance: 2, partner_allowance: 3, ..HolderLimits::DEFAULT };

const OVER: Recorded = Recorded::RefundDue(RefundReason::HolderLimit);

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

    /// Two seats, whatever the holder has.
    async fn book(&self, holder: &Holder) -> BookingId {
        let request = BookRequest { holder: holder.clone(), limits: NO_LIMITS, ..request(self.show, 2) };
        bookings::book(&self.db, &request).await.unwrap().booking.id()
    }

    /// Two seats whose hold is over; expired, or not yet.
    async fn late(&self, holder: &Holder, expired: bool) -> BookingId {
        let id = self.book(holder).await;
        age(&self.client, id, 120.0).await;
        if expired {
            bookings::sweep(&self.db).await.unwrap();
        }
        id
    }

    async fn pay(&self, id: BookingId) -> Recorded {
        let recorded = payments::record(&self.db, &told(id), &LIMITS).await.unwrap();
        assert_invariants(&self.client).await;
        assert_reconciled(&self.db).await;
        recorded
    }

    async fn status(&self, id: BookingId) -> BookingStatus {
        bookings::get(&self.db, id, Viewer::Operator).await.unwrap().status()
    }
}

/// The success of a payment of its own.
fn told(id: BookingId) -> boxoffice_shared::payments::PaymentEvent {
    success(&format!("evt_{id}"), &format!("pi_{id}"), id, 2)
}

fn ada() -> Holder {
    Holder::of_subject(&Subject::try_from("ada").unwrap())
}

#[tokio::test]
async fn a_late_payment_above_the_holders_limit_is_due_back() {
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
            assert_eq!(scene.pay(last).await, OVER, "{holder:?}, expired: {expired}");
            assert_ne!(scene.status(last).await, BookingStatus::Confirmed);
        }
    }
}

/// The buyer has kept to the rules: the booking was admitted, and it is paid in time.
#[tokio::test]
async fn in_time_a_payment_confirms_whatever_its_holder_has() {
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
async fn the_limit_of_the_show_counts_before_the_deployments() {
    let scene = Scene::new().await;
    let grace = Holder::of_subject(&Subject::try_from("grace").unwrap());
    let (first, second) = (scene.late(&ada(), true).await, scene.late(&ada(), true).await);
    let (other, forgotten) = (scene.late(&grace, true).await, scene.late(&ada(), true).await);
    let limit = Some(Some(SeatLimit::try_from(2).unwrap()));
    shows::set_holder_limits(&scene.db, scene.show, None, limit).await.unwrap();
    assert_eq!(scene.pay(first).await, Recorded::Confirmed);
    assert_eq!(scene.pay(second).await, OVER);
    // Others, and who is nobody's any more, are not concerned.
    assert_eq!(scene.pay(other).await, Recorded::Confirmed);
    privacy::erase(&scene.db, &Subject::try_from("ada").unwrap()).await.unwrap();
    assert_eq!(scene.pay(forgotten).await, Recorded::Confirmed);
}

/// What is held and over is not had; what is held and not over is.
#[tokio::test]
async fn what_a_holder_holds_counts_while_it_lasts() {
    let scene = Scene::new().await;
    let late = scene.late(&ada(), true).await;
    let (held, over) = (scene.book(&ada()).await, scene.late(&ada(), false).await);
    assert_eq!(scene.pay(late).await, Recorded::Confirmed);
    assert_eq!(scene.pay(over).await, OVER);
    bookings::cancel(&scene.db, held, Some(&Subject::try_from("ada").unwrap())).await.unwrap();
    assert_eq!(scene.pay(scene.late(&ada(), false).await).await, Recorded::Confirmed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_late_payments_at_once_as_many_win_as_the_holder_may_have() {
    let scene = Scene::new().await;
    let instances = instances(&scene.database.url(), 8).await;
    let mut late = Vec::new();
    for n in 0..8 {
        late.push(scene.late(&ada(), n % 2 == 0).await);
    }
    let mut answers = tokio::task::JoinSet::new();
    for (db, id) in instances.into_iter().zip(late) {
        answers.spawn(async move { payments::record(&db, &told(id), &LIMITS).await.unwrap() });
    }
    let answers = answers.join_all().await;
    assert_eq!(answers.iter().filter(|answer| **answer == Recorded::Confirmed).count(), 2, "{answers:?}");
    assert_eq!(answers.iter().filter(|answer| **answer == OVER).count(), 6, "{answers:?}");
    assert_invariants(&scene.client).await;
}

/// Somebody who has the holder's lock, books two seats and commits.
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

/// It counts under the holder's lock: a booking of this moment is seen. One in time needs no such lock.
#[tokio::test]
async fn a_late_payment_waits_for_what_its_holder_is_booking() {
    let scene = Scene::new().await;
    let (late, in_time) = (scene.late(&ada(), true).await, scene.book(&ada()).await);
    let rival = Rival::new(&scene).await;
    let pid = wait::pid(&rival.0).await;
    assert_eq!(scene.pay(in_time).await, Recorded::Confirmed);
    let paid = told(late);
    let (recorded, ()) = tokio::join!(payments::record(&scene.db, &paid, &LIMITS), async {
        wait::until_blocked(&scene.client, pid, 1).await;
        rival.book(&scene, 2).await;
    });
    assert_eq!(recorded.unwrap(), OVER);
}

/// It came in time, and waited for the booking's lock until the hold was over: then it is late, and counts; and where its holder
/// is booking just then it is run again, with the holder's lock first.
#[tokio::test]
async fn a_payment_that_becomes_late_while_it_waits_counts_too() {
    for busy in [false, true] {
        let scene = Scene::new().await;
        let id = scene.book(&ada()).await;
        scene.book(&ada()).await;
        let holder = scene.database.admin_client().await;
        let pid = wait::pid(&holder).await;
        holder.batch_execute("BEGIN").await.unwrap();
        holder.execute("SELECT FROM bookings WHERE id = $1 FOR UPDATE", &[&id.uuid()]).await.unwrap();
        let paid = told(id);
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
        assert_eq!(recorded.unwrap(), if busy { OVER } else { Recorded::Confirmed }, "busy: {busy}");
        assert_invariants(&scene.client).await;
    }
}
