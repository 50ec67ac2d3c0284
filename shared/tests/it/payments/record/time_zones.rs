//! Time zones of the process, the database and the role do not matter.

use std::time::Duration;

use super::Scene;
use crate::common::{self, age, db, pay::success, request};
use boxoffice_shared::{
    bookings::{self, BookRequest, Hold},
    inventory::SeatCount,
    page::PageLimit,
    payments::{self, PaymentState, Recorded},
};

/// Runs some of these tests in a process whose time zone is Pacific/Chatham (UTC+12:45).
#[test]
fn the_time_zone_of_the_process_does_not_matter() {
    let tests = [
        "late::a_late_payment_takes_the_seats_again",
        "extension::a_hold_is_extended_up_to_its_ceiling",
        "refunds::a_refund_that_fails_is_due_again",
        "settle::an_operator_lists_due_refunds_and_settles_them",
    ];
    let (_, module) = module_path!().split_once("::").unwrap();
    let (parent, _) = module.rsplit_once("::").unwrap();
    let tests = tests.map(|test| format!("{parent}::{test}"));
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    let ran = command.arg("--exact").args(tests).env("TZ", "Pacific/Chatham").output().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success() && said.contains("4 passed"), "{said}");
}

/// Unusual time zones of the database and the role change nothing, because every time is an instant.
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
        // A new connection, which has the new settings.
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
        scene.assert_consistent().await;
    }
}
