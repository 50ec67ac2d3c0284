//! The command `check` prints what is wrong, and exits with 1 if anything is.

use std::process::{Command, Output};

use boxoffice_testkit::postgres::Database;

/// A show of ten seats whose only pool has nine: one is lost.
const SHOW: &str = "
    INSERT INTO shows (name, start_time, total_seats, max_seats_per_booking, pools) VALUES ('A', now(), 10, 4, 1);
    INSERT INTO seat_pools (show_id, pool_no, free) VALUES (1, 0, 9)";

fn check(url: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_check")).env("DATABASE_URL", url).output().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn check_prints_each_violation_and_exits_with_1() {
    let database = Database::create().await;
    let well = check(&database.url());
    assert_eq!((well.status.code(), well.stdout.as_slice()), (Some(0), b"nothing is wrong\n".as_slice()));
    database.client().await.batch_execute(SHOW).await.unwrap();
    let broken = check(&database.url());
    let said = String::from_utf8(broken.stdout).unwrap();
    assert_eq!((broken.status.code(), said.as_str()), (Some(1), "show 1: 9 free + 0 held = 9 seats, expected 10\n"));
    let unreachable = check("postgres://nobody:secret@127.0.0.1:9/nothing?sslmode=disable");
    let said = String::from_utf8(unreachable.stderr).unwrap();
    assert_eq!(unreachable.status.code(), Some(1));
    assert!(said.starts_with("check: ") && !said.contains("secret"), "{said}");
}
