//! Payments: whatever a provider tells, in whatever order, each ends in a confirmed booking or a refund that is due.

use std::{collections::BTreeSet, time::Duration};

use crate::common::{
    self, age, db, free,
    pay::{PRICE, assert_reconciled, eur, event, events, payment, priced_show, success},
    request, show,
};
use boxoffice_shared::{
    Error,
    bookings::{self, BookRequest, BookingId, BookingStatus, ExpireOutcome, FailureReason, Hold},
    holders::Viewer,
    inventory::{Pools, SeatCount},
    money::Money,
    page::PageLimit,
    payments::{self, EventType, PaymentChange, PaymentState, Provider, Recorded, Refund, RefundReason},
    platform::db::Db,
    shows::{self, ShowId},
};
use boxoffice_testkit::{invariants::assert_invariants, postgres::Database};
use tokio_postgres::Client;

/// A database with a show of 10 seats in 2 pools at a price, and a booking of 3 of them.
struct Scene {
    database: Database,
    db: Db,
    client: Client,
    show: ShowId,
    id: BookingId,
}

impl Scene {
    async fn new() -> Self {
        let database = Database::create().await;
        let (db, client) = (db(&database, 4), database.client().await);
        let show = priced_show(&db, 10, 2).await.id();
        let id = bookings::book(&db, &request(show, 3)).await.unwrap().booking.id();
        Self { database, db, client, show, id }
    }

    /// Records an event of the payment `pi_1`.
    async fn tell(&self, event_id: &str, change: PaymentChange) -> Recorded {
        self.record(event(event_id, "pi_1", Some(self.id), change)).await
    }

    /// Records an event. Everything is as it should be afterwards, and a repetition does nothing.
    async fn record(&self, event: boxoffice_shared::payments::PaymentEvent) -> Recorded {
        let recorded = payments::record(&self.db, &event, &common::NO_LIMITS).await.unwrap();
        self.assert_well().await;
        assert_eq!(payments::record(&self.db, &event, &common::NO_LIMITS).await.unwrap(), Recorded::Repeated);
        recorded
    }

    async fn pay(&self, event_id: &str) -> Recorded {
        self.tell(event_id, paid(3)).await
    }

    async fn expire(&self) {
        age(&self.client, self.id, 120.0).await;
        let outcome = bookings::expire(&self.db, &BTreeSet::from([self.id])).await.unwrap()[&self.id];
        assert_eq!(outcome, ExpireOutcome::Expired);
    }

    async fn status(&self) -> BookingStatus {
        bookings::get(&self.db, self.id, Viewer::Bearer(None)).await.unwrap().status()
    }

    async fn available(&self) -> i32 {
        shows::get(&self.db, self.show).await.unwrap().available_seats()
    }

    async fn assert_well(&self) {
        assert_invariants(&self.client).await;
        assert_reconciled(&self.db).await;
    }

    /// Books all that is left.
    async fn sell_out(&self) {
        let seats = self.available().await;
        bookings::book(&self.db, &request(self.show, seats.into())).await.unwrap();
    }

    async fn is(&self, state: &str, reason: Option<&str>) {
        assert_eq!(payment(&self.client, "pi_1").await, (state.to_owned(), reason.map(str::to_owned)));
    }
}

fn paid(seats: i64) -> PaymentChange {
    PaymentChange::Succeeded(eur(seats * PRICE))
}

const REFUNDED: PaymentChange = PaymentChange::Refunded(Refund::Full);
const FAILED_AS_REFUNDED: BookingStatus = BookingStatus::Failed(FailureReason::Refunded);

fn partly(minor: i64) -> PaymentChange {
    PaymentChange::Refunded(Refund::Amount(eur(minor)))
}

#[tokio::test]
async fn a_booking_keeps_the_amount_of_its_seats() {
    let scene = Scene::new().await;
    let booking = bookings::get(&scene.db, scene.id, Viewer::Bearer(None)).await.unwrap();
    assert_eq!(booking.amount(), Some(&eur(7_500)));
    assert_eq!(shows::get(&scene.db, scene.show).await.unwrap().price(), Some(&eur(PRICE)));
    // From several pools, too: 7 seats are left, and neither pool of 5 has 6 of them.
    let across = bookings::book(&scene.db, &request(scene.show, 6)).await.unwrap().booking;
    assert_eq!(across.amount(), Some(&eur(15_000)));
    let free_of_charge = show(&scene.db, 10, 1).await;
    assert_eq!(free_of_charge.price(), None);
    assert_eq!(bookings::book(&scene.db, &request(free_of_charge.id(), 1)).await.unwrap().booking.amount(), None);
}

#[tokio::test]
async fn a_payment_in_time_confirms() {
    let scene = Scene::new().await;
    assert_eq!(scene.pay("evt_1").await, Recorded::Confirmed);
    assert_eq!(scene.status().await, BookingStatus::Confirmed);
    scene.is("confirmed", None).await;
    assert_eq!(scene.available().await, 7);
    // The same payment, told of by another event: Stripe has one for the intent and one for the checkout session.
    assert_eq!(scene.pay("evt_2").await, Recorded::Kept);
    assert_eq!(events(&scene.client).await, 2);
    // The operator's confirmation is the same answer.
    assert!(!bookings::confirm(&scene.db, scene.id).await.unwrap().changed);
}

#[tokio::test]
async fn the_same_event_twenty_times_at_once_has_one_effect() {
    let database = Database::create().await;
    let instances = common::instances(&database.url(), 20).await;
    let client = database.client().await;
    let show = priced_show(&instances[0], 10, 2).await.id();
    for (change, effect) in [(paid(3), Recorded::Confirmed), (REFUNDED, Recorded::Refunded)] {
        let id = bookings::book(&instances[0], &request(show, 3)).await.unwrap().booking.id();
        payments::record(&instances[0], &success(&format!("a{id}"), "pi_0", id, 3), &common::NO_LIMITS).await.unwrap();
        let payment_id = if change == REFUNDED { "pi_0" } else { "pi_1" };
        // The first payment was of the first booking: for the second round it is that one which is refunded.
        let told = event(&format!("b{id}"), payment_id, Some(id), change);
        let mut answers = tokio::task::JoinSet::new();
        for db in instances.clone() {
            let told = told.clone();
            answers.spawn(async move { payments::record(&db, &told, &common::NO_LIMITS).await.unwrap() });
        }
        let mut answers = answers.join_all().await;
        answers.retain(|answer| *answer != Recorded::Repeated);
        let expected =
            if effect == Recorded::Confirmed { Recorded::RefundDue(RefundReason::AlreadyPaid) } else { effect };
        assert_eq!(answers, [expected]);
        assert_invariants(&client).await;
        assert_reconciled(&instances[0]).await;
    }
    // Of three successes, one repeated twenty times, and a refund: one event each.
    assert_eq!(events(&client).await, 4);
}

#[tokio::test]
async fn twenty_first_payments_at_once_confirm_once() {
    let database = Database::create().await;
    let instances = common::instances(&database.url(), 20).await;
    let client = database.client().await;
    let show = priced_show(&instances[0], 10, 2).await.id();
    let id = bookings::book(&instances[0], &request(show, 3)).await.unwrap().booking.id();
    // Half of them are repetitions of one event, half are payments of their own.
    let mut answers = tokio::task::JoinSet::new();
    for (n, db) in instances.clone().into_iter().enumerate() {
        let n = n.saturating_sub(10);
        let told = success(&format!("evt_{n}"), &format!("pi_{n}"), id, 3);
        answers.spawn(async move { payments::record(&db, &told, &common::NO_LIMITS).await.unwrap() });
    }
    let answers = answers.join_all().await;
    let count = |wanted: Recorded| answers.iter().filter(|answer| **answer == wanted).count();
    assert_eq!(count(Recorded::Repeated), 10);
    assert_eq!(count(Recorded::Confirmed), 1);
    assert_eq!(count(Recorded::RefundDue(RefundReason::AlreadyPaid)), 9);
    assert_invariants(&client).await;
    assert_reconciled(&instances[0]).await;
}

#[tokio::test]
async fn a_late_payment_takes_the_seats_again() {
    let scene = Scene::new().await;
    scene.expire().await;
    assert_eq!(scene.available().await, 10);
    assert_eq!(scene.pay("evt_1").await, Recorded::Confirmed);
    assert_eq!(scene.status().await, BookingStatus::Confirmed);
    assert_eq!(scene.available().await, 7);
}

/// Its time is over and nobody has expired it: its seats are still its own, though all others are sold.
#[tokio::test]
async fn a_late_payment_of_a_hold_that_nobody_expired_keeps_the_seats() {
    let scene = Scene::new().await;
    scene.sell_out().await;
    age(&scene.client, scene.id, 120.0).await;
    assert_eq!(scene.pay("evt_1").await, Recorded::Confirmed);
    assert_eq!(scene.status().await, BookingStatus::Confirmed);
    let outcomes = bookings::expire(&scene.db, &BTreeSet::from([scene.id])).await.unwrap();
    assert_eq!(outcomes[&scene.id], ExpireOutcome::Settled);
}

/// No pool alone has them.
#[tokio::test]
async fn a_late_payment_takes_seats_from_several_pools() {
    let scene = Scene::new().await;
    scene.expire().await;
    bookings::book(&scene.db, &request(scene.show, 7)).await.unwrap();
    shows::set_pools(&scene.db, scene.show, Pools::try_from(3).unwrap()).await.unwrap();
    assert_eq!(free(&scene.client, scene.show).await, [1, 1, 1]);
    assert_eq!(scene.pay("evt_1").await, Recorded::Confirmed);
    assert_eq!(scene.available().await, 0);
}

#[tokio::test]
async fn a_late_payment_of_a_show_without_seats_is_due_back() {
    let scene = Scene::new().await;
    scene.expire().await;
    scene.sell_out().await;
    assert_eq!(scene.pay("evt_1").await, Recorded::RefundDue(RefundReason::HoldExpiredSoldOut));
    assert_eq!(scene.status().await, BookingStatus::Failed(FailureReason::Expired));
    scene.is("refund_due", Some("hold_expired_sold_out")).await;
}

#[tokio::test]
async fn a_late_payment_of_a_show_that_has_started_is_due_back() {
    let scene = Scene::new().await;
    // In time it would confirm, whether the show has started or not.
    let other = bookings::book(&scene.db, &request(scene.show, 1)).await.unwrap().booking.id();
    let start = "UPDATE shows SET start_time = clock_timestamp() - interval '1 minute'";
    scene.client.execute(start, &[]).await.unwrap();
    assert_eq!(scene.record(success("evt_0", "pi_0", other, 1)).await, Recorded::Confirmed);
    age(&scene.client, scene.id, 120.0).await;
    assert_eq!(scene.pay("evt_1").await, Recorded::RefundDue(RefundReason::HoldExpiredShowStarted));
    // It is still pending; the expiry gives its seats back.
    assert_eq!(bookings::sweep(&scene.db).await.unwrap(), 1);
    assert_eq!(scene.available().await, 9);
}

#[tokio::test]
async fn a_payment_of_a_cancelled_booking_is_due_back() {
    let scene = Scene::new().await;
    bookings::cancel(&scene.db, scene.id, None).await.unwrap();
    assert_eq!(scene.pay("evt_1").await, Recorded::RefundDue(RefundReason::BookingCancelled));
    assert_eq!(scene.status().await, BookingStatus::Failed(FailureReason::Cancelled));
    assert_eq!(scene.available().await, 10);
}

/// To give a hold up when it is over already is no cancellation: the payment that was under way is a late one, whether it comes
/// before the hold is expired or after.
#[tokio::test]
async fn a_payment_of_a_hold_that_was_given_up_too_late_is_judged_as_a_late_one() {
    for is_expired in [false, true] {
        let scene = Scene::new().await;
        age(&scene.client, scene.id, 120.0).await;
        assert!(matches!(bookings::cancel(&scene.db, scene.id, None).await, Err(Error::BookingExpired)));
        assert_eq!(scene.status().await, BookingStatus::Pending);
        if is_expired {
            assert_eq!(bookings::sweep(&scene.db).await.unwrap(), 1);
            assert!(matches!(bookings::cancel(&scene.db, scene.id, None).await, Err(Error::BookingExpired)));
        }
        assert_eq!(scene.pay("evt_1").await, Recorded::Confirmed);
    }
}

#[tokio::test]
async fn two_late_payments_for_one_free_seat_one_wins() {
    let database = Database::create().await;
    let instances = common::instances(&database.url(), 2).await;
    let client = database.client().await;
    for round in 0..20 {
        let show = priced_show(&instances[0], 2, 1 + round % 2).await.id();
        let mut late = Vec::new();
        for _ in 0..2 {
            let id = bookings::book(&instances[0], &request(show, 1)).await.unwrap().booking.id();
            age(&client, id, 120.0).await;
            late.push(id);
        }
        assert_eq!(bookings::sweep(&instances[0]).await.unwrap(), 2);
        bookings::book(&instances[0], &request(show, 1)).await.unwrap();
        let told = |n: usize| success(&format!("evt_{round}_{n}"), &format!("pi_{round}_{n}"), late[n], 1);
        let (told_0, told_1) = (told(0), told(1));
        let (a, b) = tokio::join!(
            payments::record(&instances[0], &told_0, &common::NO_LIMITS),
            payments::record(&instances[1], &told_1, &common::NO_LIMITS)
        );
        let sold_out = Recorded::RefundDue(RefundReason::HoldExpiredSoldOut);
        let answers = [a.unwrap(), b.unwrap()];
        assert!(answers.contains(&Recorded::Confirmed) && answers.contains(&sold_out), "{answers:?}");
        assert_invariants(&client).await;
    }
    assert_reconciled(&instances[0]).await;
}

#[tokio::test]
async fn a_second_payment_is_due_back() {
    let scene = Scene::new().await;
    assert_eq!(scene.pay("evt_1").await, Recorded::Confirmed);
    let second = success("evt_2", "pi_2", scene.id, 3);
    assert_eq!(scene.record(second).await, Recorded::RefundDue(RefundReason::AlreadyPaid));
    assert_eq!(scene.status().await, BookingStatus::Confirmed);
    // Its refund leaves the booking alone.
    assert_eq!(scene.record(event("evt_3", "pi_2", None, REFUNDED)).await, Recorded::Refunded);
    assert_eq!(scene.status().await, BookingStatus::Confirmed);
    scene.is("confirmed", None).await;
}

#[tokio::test]
async fn a_wrong_amount_is_due_back_and_the_hold_goes_on() {
    let scene = Scene::new().await;
    let wrong = [eur(7_499), eur(7_501), eur(0), Money::new(7_500, "USD").unwrap()];
    for (n, money) in wrong.into_iter().enumerate() {
        let told = event(&format!("evt_{n}"), &format!("pi_w{n}"), Some(scene.id), PaymentChange::Succeeded(money));
        assert_eq!(scene.record(told).await, Recorded::RefundDue(RefundReason::WrongAmount));
        assert_eq!(scene.status().await, BookingStatus::Pending);
    }
    assert_eq!(scene.pay("evt_right").await, Recorded::Confirmed);
}

#[tokio::test]
async fn what_has_no_price_is_confirmed_by_an_operator_only() {
    let scene = Scene::new().await;
    let show = show(&scene.db, 5, 1).await.id();
    let id = bookings::book(&scene.db, &request(show, 1)).await.unwrap().booking.id();
    assert_eq!(scene.record(success("evt_1", "pi_1", id, 1)).await, Recorded::RefundDue(RefundReason::NoPrice));
    assert!(bookings::confirm(&scene.db, id).await.unwrap().changed);
}

#[tokio::test]
async fn an_operators_confirmation_waits_for_no_payment_and_takes_the_one_that_comes() {
    let scene = Scene::new().await;
    assert!(bookings::confirm(&scene.db, scene.id).await.unwrap().changed);
    assert_eq!(scene.pay("evt_1").await, Recorded::Confirmed);
    assert_eq!(scene.available().await, 7);
    let second = success("evt_2", "pi_2", scene.id, 3);
    assert_eq!(scene.record(second).await, Recorded::RefundDue(RefundReason::AlreadyPaid));
}

#[tokio::test]
async fn a_payment_of_no_known_booking_is_due_back() {
    let scene = Scene::new().await;
    let unknown = Recorded::RefundDue(RefundReason::UnknownBooking);
    let of_nobody = BookingId::generate(scene.show);
    assert_eq!(scene.record(success("evt_1", "pi_1", of_nobody, 3)).await, unknown);
    assert_eq!(scene.record(event("evt_2", "pi_2", None, paid(3))).await, Recorded::Unclaimed);
    assert_eq!(scene.status().await, BookingStatus::Pending);
    // Another event of the same success may name it: Stripe's payment intent does not always, its checkout session does.
    assert_eq!(scene.record(success("evt_3", "pi_2", scene.id, 3)).await, Recorded::Confirmed);
    // Once it is given back it stays so.
    payments::settle(&scene.db, Provider::Stripe, &"pi_1".try_into().unwrap()).await.unwrap();
    assert_eq!(scene.record(success("evt_4", "pi_1", scene.id, 3)).await, Recorded::Kept);
}

/// One payment that names two bookings, of two shows, pays for one.
#[tokio::test]
async fn one_payment_pays_for_one_booking() {
    let scene = Scene::new().await;
    let other_show = priced_show(&scene.db, 10, 1).await.id();
    let other = bookings::book(&scene.db, &request(other_show, 3)).await.unwrap().booking.id();
    assert_eq!(scene.pay("evt_1").await, Recorded::Confirmed);
    assert_eq!(scene.record(success("evt_2", "pi_1", other, 3)).await, Recorded::Kept);
    assert_eq!(bookings::get(&scene.db, other, Viewer::Bearer(None)).await.unwrap().status(), BookingStatus::Pending);
}

#[tokio::test]
async fn a_failed_payment_lets_the_hold_go_on() {
    for change in [PaymentChange::Failed, PaymentChange::Cancelled] {
        let scene = Scene::new().await;
        assert_eq!(scene.tell("evt_1", change.clone()).await, Recorded::Kept);
        assert_eq!(scene.status().await, BookingStatus::Pending);
        scene.is("failed", None).await;
        // Success wins, after a failure and before one.
        assert_eq!(scene.pay("evt_2").await, Recorded::Confirmed);
        assert_eq!(scene.tell("evt_3", change).await, Recorded::Kept);
        assert_eq!(scene.status().await, BookingStatus::Confirmed);
        scene.is("confirmed", None).await;
    }
}

#[tokio::test]
async fn a_refund_fails_the_booking_and_gives_its_seats_back_once() {
    let scene = Scene::new().await;
    scene.pay("evt_1").await;
    // Without a booking's name: Stripe's refunds have none.
    assert_eq!(scene.record(event("evt_2", "pi_1", None, REFUNDED)).await, Recorded::Refunded);
    assert_eq!(scene.status().await, FAILED_AS_REFUNDED);
    assert_eq!(scene.available().await, 10);
    scene.is("refunded", None).await;
    // Several events tell of one refund.
    assert_eq!(scene.tell("evt_3", partly(7_500)).await, Recorded::Kept);
    assert_eq!(scene.pay("evt_4").await, Recorded::Kept);
    assert_eq!(scene.available().await, 10);
    // What no longer is cannot be confirmed, cancelled, extended or paid.
    assert!(matches!(bookings::confirm(&scene.db, scene.id).await, Err(Error::BookingRefunded)));
    assert!(matches!(bookings::cancel(&scene.db, scene.id, None).await, Err(Error::BookingRefunded)));
    let extended = bookings::extend(&scene.db, scene.id, None, Hold::DEFAULT, Duration::from_secs(600)).await;
    assert!(matches!(extended, Err(Error::BookingRefunded)));
    let again = success("evt_5", "pi_2", scene.id, 3);
    assert_eq!(scene.record(again).await, Recorded::RefundDue(RefundReason::BookingRefunded));
}

#[tokio::test]
async fn a_refund_that_is_told_of_first_lets_nothing_be_confirmed() {
    for refund in [REFUNDED, partly(7_500)] {
        let scene = Scene::new().await;
        let early = scene.tell("evt_1", refund.clone()).await;
        assert_eq!(early, if refund == REFUNDED { Recorded::Refunded } else { Recorded::Kept });
        assert_eq!(scene.pay("evt_2").await, Recorded::Refunded);
        scene.is("refunded", None).await;
        assert_eq!(scene.status().await, BookingStatus::Pending);
        assert_eq!(scene.tell("evt_3", PaymentChange::Failed).await, Recorded::Kept);
        // The hold goes on, and another payment may pay for it.
        assert_eq!(scene.record(success("evt_4", "pi_2", scene.id, 3)).await, Recorded::Confirmed);
    }
}

#[tokio::test]
async fn a_refund_of_a_part_changes_nothing() {
    let scene = Scene::new().await;
    assert_eq!(scene.tell("evt_0", partly(100)).await, Recorded::Kept);
    assert_eq!(scene.pay("evt_1").await, Recorded::Confirmed);
    assert_eq!(scene.tell("evt_2", partly(7_499)).await, Recorded::Kept);
    let dollars = PaymentChange::Refunded(Refund::Amount(Money::new(7_500, "USD").unwrap()));
    assert_eq!(scene.tell("evt_3", dollars).await, Recorded::Kept);
    assert_eq!(scene.status().await, BookingStatus::Confirmed);
    assert_eq!(scene.tell("evt_4", partly(7_500)).await, Recorded::Refunded);
    assert_eq!(scene.status().await, FAILED_AS_REFUNDED);
}

#[tokio::test]
async fn a_refund_that_fails_is_due_again() {
    let scene = Scene::new().await;
    scene.pay("evt_1").await;
    let earlier = event("evt_3", "pi_1", None, REFUNDED);
    scene.tell("evt_2", REFUNDED).await;
    let failed = scene.tell("evt_4", PaymentChange::RefundFailed).await;
    assert_eq!(failed, Recorded::RefundDue(RefundReason::RefundFailed));
    // What was told before it failed, and comes only now, does not count.
    assert_eq!(scene.record(earlier).await, Recorded::Kept);
    scene.is("refund_due", Some("refund_failed")).await;
    assert_eq!(scene.status().await, FAILED_AS_REFUNDED);
    let second_telling = event("evt_6", "pi_1", None, PaymentChange::RefundFailed);
    assert_eq!(scene.tell("evt_5", REFUNDED).await, Recorded::Refunded);
    // The same failure told again, by another event of its time: the refund that mended it stands.
    assert_eq!(scene.record(second_telling).await, Recorded::Kept);
    scene.is("refunded", Some("refund_failed")).await;
    assert_eq!(scene.available().await, 10);
}

#[tokio::test]
async fn what_is_not_understood_is_kept() {
    let scene = Scene::new().await;
    for (n, change) in [PaymentChange::Other, PaymentChange::Unreadable, paid(3)].into_iter().enumerate() {
        let mut told = event(&format!("evt_{n}"), "pi_1", Some(scene.id), change);
        told.payment_id = None;
        told.event_type = EventType::from("x\0y".repeat(200).as_str());
        told.payload = "\0not json".repeat(20_000).as_str().into();
        assert_eq!(scene.record(told).await, Recorded::Kept);
    }
    assert_eq!(scene.tell("evt_9", PaymentChange::Unreadable).await, Recorded::Kept);
    assert_eq!(events(&scene.client).await, 4);
    assert_eq!(scene.status().await, BookingStatus::Pending);
}

/// Ids are a provider's own: another's with the same ids are other events and payments.
#[tokio::test]
async fn providers_do_not_share_ids() {
    let scene = Scene::new().await;
    assert_eq!(scene.pay("evt_1").await, Recorded::Confirmed);
    let mut told = success("evt_1", "pi_1", scene.id, 3);
    told.provider = Provider::Standard;
    assert_eq!(scene.record(told).await, Recorded::RefundDue(RefundReason::AlreadyPaid));
}

#[tokio::test]
async fn a_hold_is_extended_up_to_its_ceiling() {
    const CEILING: Duration = Duration::from_secs(600);
    let scene = Scene::new().await;
    let hold = |seconds: i64| Hold::try_from(seconds).unwrap();
    let length = async || {
        let sql = "SELECT extract(epoch FROM expires_at - created_at)::double precision FROM bookings";
        scene.client.query_one(sql, &[]).await.unwrap().get::<_, f64>(0)
    };
    let extended = bookings::extend(&scene.db, scene.id, None, hold(300), CEILING).await.unwrap();
    assert!(extended.changed);
    assert!((300.0..310.0).contains(&length().await));
    // It is never shortened.
    assert!(!bookings::extend(&scene.db, scene.id, None, hold(60), CEILING).await.unwrap().changed);
    assert!((300.0..310.0).contains(&length().await));
    // A message that comes when the hold was to end is sent back with what is left.
    age(&scene.client, scene.id, 121.0).await;
    let outcome = bookings::expire(&scene.db, &BTreeSet::from([scene.id])).await.unwrap()[&scene.id];
    assert!(matches!(outcome, ExpireOutcome::NotDue(left) if left > Duration::from_secs(170)), "{outcome:?}");
    assert!(bookings::extend(&scene.db, scene.id, None, hold(900), CEILING).await.unwrap().changed);
    assert_eq!(length().await, 600.0);
    let again = bookings::extend(&scene.db, scene.id, None, hold(900), CEILING).await.unwrap();
    assert_eq!((again.changed, again.booking.status()), (false, BookingStatus::Pending));
    scene.assert_well().await;
}

#[tokio::test]
async fn an_extension_that_is_refused_changes_nothing() {
    const CEILING: Duration = Duration::from_secs(600);
    let scene = Scene::new().await;
    let row = async || {
        let sql = "SELECT bookings::text FROM bookings WHERE id = $1";
        scene.client.query_one(sql, &[&scene.id.uuid()]).await.unwrap().get::<_, String>(0)
    };
    let extend = async || bookings::extend(&scene.db, scene.id, None, Hold::DEFAULT, CEILING).await;
    let set = async |sql: &str| scene.client.batch_execute(sql).await.unwrap();
    // Over, and nobody has expired it yet.
    age(&scene.client, scene.id, 120.0).await;
    let before = row().await;
    assert!(matches!(extend().await, Err(Error::BookingExpired)));
    assert_eq!(row().await, before);
    bookings::sweep(&scene.db).await.unwrap();
    let before = row().await;
    assert!(matches!(extend().await, Err(Error::BookingExpired)));
    assert_eq!(row().await, before);
    set("UPDATE bookings SET failure_reason = 'cancelled'").await;
    assert!(matches!(extend().await, Err(Error::BookingCancelled)));
    set("UPDATE bookings SET status = 'CONFIRMED', failure_reason = NULL").await;
    let before = row().await;
    assert!(matches!(extend().await, Err(Error::BookingConfirmed)));
    assert_eq!(row().await, before);
    let nobody = BookingId::generate(scene.show);
    assert!(matches!(
        bookings::extend(&scene.db, nobody, None, Hold::DEFAULT, CEILING).await,
        Err(Error::BookingNotFound)
    ));
}

#[tokio::test]
async fn an_operator_lists_what_is_due_and_settles_it() {
    let scene = Scene::new().await;
    scene.pay("evt_0").await;
    for n in 0..7 {
        scene.record(success(&format!("evt_due_{n}"), &format!("pi_due_{n}"), scene.id, 3)).await;
    }
    let limit: PageLimit = "3".parse().unwrap();
    let (mut seen, mut after, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = payments::list(&scene.db, PaymentState::RefundDue, limit, after).await.unwrap();
        pages += 1;
        seen.extend(page.items.iter().map(|payment| payment.payment_id().to_string()));
        // Its text and back, as a client would bring it.
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, (0..7).map(|n| format!("pi_due_{n}")).collect::<Vec<_>>());
    assert_eq!(pages, 3);

    let due = "pi_due_3".try_into().unwrap();
    let first = payments::settle(&scene.db, Provider::Stripe, &due).await.unwrap();
    assert_eq!((first.payment.state(), first.changed), (PaymentState::Refunded, true));
    assert_eq!(first.payment.reason(), Some(RefundReason::AlreadyPaid));
    assert_eq!((first.payment.booking_id(), first.payment.amount()), (Some(scene.id), Some(&eur(7_500))));
    let again = payments::settle(&scene.db, Provider::Stripe, &due).await.unwrap();
    assert_eq!((&again.payment, again.changed), (&first.payment, false));
    // The provider's own event says the same afterwards.
    assert_eq!(scene.record(event("evt_9", "pi_due_3", None, REFUNDED)).await, Recorded::Kept);
    let left = payments::list(&scene.db, PaymentState::RefundDue, PageLimit::DEFAULT, None).await.unwrap();
    assert_eq!(left.items.len(), 6);
    assert!(left.next.is_none());

    let confirmed = payments::settle(&scene.db, Provider::Stripe, &"pi_1".try_into().unwrap()).await;
    assert!(matches!(confirmed, Err(Error::PaymentNotDue)));
    let unknown = payments::settle(&scene.db, Provider::Standard, &due).await;
    assert!(matches!(unknown, Err(Error::PaymentNotFound)));
    scene.assert_well().await;
}

/// The process's own time zone is as odd as they come.
#[test]
fn the_time_zone_of_the_process_does_not_matter() {
    let tests = [
        "a_late_payment_takes_the_seats_again",
        "a_hold_is_extended_up_to_its_ceiling",
        "a_refund_that_fails_is_due_again",
        "an_operator_lists_what_is_due_and_settles_it",
    ];
    let (_, module) = module_path!().split_once("::").unwrap();
    let tests = tests.map(|test| format!("{module}::{test}"));
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    let ran = command.arg("--exact").args(tests).env("TZ", "Pacific/Chatham").output().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success() && said.contains("4 passed"), "{said}");
}

/// The database's and the role's time zones are as odd as they come: instants are instants.
#[tokio::test]
async fn time_zones_do_not_matter() {
    for zone in ["Pacific/Chatham", "America/St_Johns", "Etc/GMT+12"] {
        let scene = Scene::new().await;
        let admin = scene.database.admin_client().await;
        let name = scene.database.name();
        let set = format!(
            "ALTER DATABASE {name} SET timezone = '{zone}'; \
             ALTER ROLE boxoffice IN DATABASE {name} SET timezone = '{zone}'; \
             ALTER DATABASE {name} SET datestyle = 'German'"
        );
        admin.batch_execute(&set).await.unwrap();
        // A connection that knows of it.
        let db = db(&scene.database, 1);
        let client = scene.database.client().await;
        let shown: String = client.query_one("SHOW timezone", &[]).await.unwrap().get(0);
        assert_eq!(shown, zone);
        let hold = Hold::try_from(1).unwrap();
        let in_time = BookRequest { seats: SeatCount::try_from(1).unwrap(), ..request(scene.show, 1) };
        let id = bookings::book(&db, &in_time).await.unwrap().booking.id();
        assert!(
            bookings::extend(&db, id, None, Hold::try_from(300).unwrap(), Duration::from_secs(600))
                .await
                .unwrap()
                .changed
        );
        assert_eq!(
            payments::record(&db, &success("evt_1", "pi_1", id, 1), &common::NO_LIMITS).await.unwrap(),
            Recorded::Confirmed
        );
        let late = bookings::book(&db, &BookRequest { hold, ..request(scene.show, 1) }).await.unwrap().booking;
        age(&client, late.id(), 1.5).await;
        assert_eq!(bookings::sweep(&db).await.unwrap(), 1);
        assert_eq!(bookings::sweep(&db).await.unwrap(), 0);
        let page = payments::list(&db, PaymentState::Confirmed, PageLimit::DEFAULT, None).await.unwrap();
        let now = jiff::Timestamp::now();
        let created = page.items.first().and_then(|payment| serde_json::to_value(payment).ok()).unwrap();
        let created: jiff::Timestamp = created["created_at"].as_str().unwrap().parse().unwrap();
        assert!(now.duration_since(created).as_secs() < 60, "{created} {now}");
        scene.assert_well().await;
    }
}
