//! Extending a hold while its buyer pays.

use std::{collections::BTreeSet, time::Duration};

use super::Scene;
use crate::common::age;
use boxoffice_shared::{
    Error,
    bookings::{self, BookingId, BookingStatus, ExpireOutcome, Hold},
};

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
    // A hold is never shortened.
    assert!(!bookings::extend(&scene.db, scene.id, None, hold(60), CEILING).await.unwrap().changed);
    assert!((300.0..310.0).contains(&length().await));
    // The message for the original end of the hold is early now, and must come again after the time that is left.
    age(&scene.client, scene.id, 121.0).await;
    let outcome = bookings::expire(&scene.db, &BTreeSet::from([scene.id])).await.unwrap()[&scene.id];
    assert!(matches!(outcome, ExpireOutcome::NotDue(left) if left > Duration::from_secs(170)), "{outcome:?}");
    assert!(bookings::extend(&scene.db, scene.id, None, hold(900), CEILING).await.unwrap().changed);
    assert_eq!(length().await, 600.0);
    let again = bookings::extend(&scene.db, scene.id, None, hold(900), CEILING).await.unwrap();
    assert_eq!((again.changed, again.booking.status()), (false, BookingStatus::Pending));
    scene.assert_consistent().await;
}

#[tokio::test]
async fn a_refused_extension_changes_nothing() {
    const CEILING: Duration = Duration::from_secs(600);
    let scene = Scene::new().await;
    let row = async || {
        let sql = "SELECT bookings::text FROM bookings WHERE id = $1";
        scene.client.query_one(sql, &[&scene.id.uuid()]).await.unwrap().get::<_, String>(0)
    };
    let extend = async || bookings::extend(&scene.db, scene.id, None, Hold::DEFAULT, CEILING).await;
    let set = async |sql: &str| scene.client.batch_execute(sql).await.unwrap();
    // The hold is over but not yet expired.
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
