//! What an error of the server costs, by SQLSTATE and moment: an attempt, a connection, or the call.

use crate::common::{count, db, db_at, new_show, request, show};
use boxoffice_shared::{
    Error, bookings,
    platform::db::Db,
    shows::{self, ShowId},
};
use boxoffice_testkit::{
    failing_server::{FailingServer, Moment},
    invariants::assert_invariants,
    postgres::Database,
};

/// Attempts of one operation.
const ATTEMPTS: u64 = 4;

/// Every SQLSTATE by kind: the table that the classification itself uses.
const STATES: &str = include_str!("../../../src/platform/db/fault/states.txt");

fn states(of: &str) -> Vec<&'static str> {
    let lines = STATES.lines().skip_while(|line| line.strip_suffix(':') != Some(of)).skip(1);
    lines.take_while(|line| !line.ends_with(':')).flat_map(str::split_whitespace).collect()
}

fn some_show() -> ShowId {
    "1".parse().unwrap()
}

/// A read of one statement. The server returns no rows.
async fn read(db: &Db) -> Result<(), Error> {
    match shows::get(db, some_show()).await {
        Err(Error::ShowNotFound) => Ok(()),
        other => other.map(drop),
    }
}

/// A booking. Its second part is a transaction of several statements.
async fn book(db: &Db) -> Result<(), Error> {
    match bookings::book(db, &request(some_show(), 1)).await {
        Err(Error::ShowNotFound) => Ok(()),
        other => other.map(drop),
    }
}

/// The error costs one attempt. If its state makes the connection unusable, the retry uses a new one.
#[tokio::test]
async fn an_error_that_did_nothing_is_retried() {
    let server = FailingServer::start().await;
    let db = db_at(&server.url(), 1);
    for (kind, spoils) in [("Unfit", true), ("Lost", true), ("Collision", false)] {
        assert!(!states(kind).is_empty());
        for state in states(kind) {
            for moment in [Moment::Execute, Moment::Commit] {
                read(&db).await.unwrap();
                let before = server.connections();
                server.fail(moment, "ERROR", state, 1);
                if moment == Moment::Commit { book(&db).await } else { read(&db).await }
                    .unwrap_or_else(|error| panic!("{state} at {moment:?}: {error:?}"));
                assert_eq!(server.connections() - before, u64::from(spoils), "{state} at {moment:?}");
            }
        }
    }
}

/// The error answers the preparation of a statement, or the login.
#[tokio::test]
async fn a_failed_login_or_prepare_is_retried() {
    for state in states("Unfit").into_iter().chain(states("Collision")) {
        for (moment, severity) in [(Moment::Prepare, "ERROR"), (Moment::Prepare, "FATAL"), (Moment::Connect, "FATAL")] {
            let server = FailingServer::start().await;
            server.fail(moment, severity, state, 2);
            read(&db_at(&server.url(), 1)).await.unwrap_or_else(|error| panic!("{state} at {moment:?}: {error:?}"));
            assert_eq!(server.failed(), 2);
        }
    }
}

/// Whatever the reason for a refused login, there is no session, so nothing was done.
#[tokio::test]
async fn a_failed_login_is_unavailable_and_the_instance_recovers() {
    let all = ["Collision", "TooSlow", "Lost", "Unfit", "Refused"].map(states).concat();
    for state in all.into_iter().step_by(7).chain(["3D000", "28P01", "28000", "53300", "57P03", "58P01", "42501"]) {
        let server = FailingServer::start().await;
        let db = db_at(&server.url(), 1);
        server.fail(Moment::Connect, "FATAL", state, ATTEMPTS);
        let error = read(&db).await.unwrap_err();
        assert!(matches!(error, Error::Unavailable(_)) && error.is_outage(), "{state}: {error:?}");
        assert_eq!(server.failed(), ATTEMPTS, "{state}");
        read(&db).await.unwrap();
    }
}

/// A missing server library, a full disk or a corrupt page: every attempt uses another connection. When all attempts
/// are used up, the error is retryable, and the instance works again once the server does.
#[tokio::test]
async fn an_unfit_server_is_unavailable_and_its_connections_are_discarded() {
    for state in states("Unfit") {
        let server = FailingServer::start().await;
        let db = db_at(&server.url(), 1);
        read(&db).await.unwrap();
        server.fail(Moment::Execute, "ERROR", state, ATTEMPTS);
        let error = read(&db).await.unwrap_err();
        assert!(matches!(error, Error::Unavailable(_)), "{state}: {error:?}");
        // Not an outage: the server responded, and may accept other statements.
        assert!(!error.is_outage() && error.retryable(), "{state}");
        read(&db).await.unwrap();
        assert_eq!((server.failed(), server.connections()), (ATTEMPTS, 1 + ATTEMPTS), "{state}");
    }
}

#[tokio::test]
async fn a_defect_is_reported_without_a_retry() {
    let server = FailingServer::start().await;
    let db = db_at(&server.url(), 1);
    for state in states("Refused") {
        for moment in [Moment::Execute, Moment::Commit] {
            read(&db).await.unwrap();
            server.fail(moment, "ERROR", state, ATTEMPTS);
            let error = if moment == Moment::Commit { book(&db).await } else { read(&db).await }.unwrap_err();
            assert!(matches!(error, Error::Internal(_)), "{state} at {moment:?}: {error:?}");
            server.fail(moment, "ERROR", state, 0);
        }
    }
    assert_eq!((server.failed(), server.connections()), (2 * states("Refused").len() as u64, 1));
}

/// Creating a show twice would make two shows, so it is retried only if nothing can have been committed.
#[tokio::test]
async fn an_operation_that_may_have_run_is_not_retried() {
    let create = async |severity: &'static str, state: &str| {
        let server = FailingServer::start().await;
        let db = db_at(&server.url(), 1);
        server.fail(Moment::Execute, severity, state, ATTEMPTS);
        let error = shows::create(&db, &new_show(10, 2)).await.unwrap_err();
        assert!(error.retryable(), "{severity} {state}: {error:?}");
        server.runs()
    };
    for state in ["58P01", "XX000", "53200", "25006", "26000", "40001", "57P01", "28000", "08001"] {
        assert_eq!(create("ERROR", state).await, ATTEMPTS, "{state}");
    }
    for state in ["57P03", "57P05", "25P03", "08004"] {
        assert_eq!(create("FATAL", state).await, ATTEMPTS, "{state}");
    }
    // These errors may come after the commit and before the response.
    for state in ["57P01", "57P02", "57P04", "58P01", "XX000", "53200", "08006", "40001"] {
        assert_eq!(create("FATAL", state).await, 1, "{state}");
    }
    for state in ["40003", "08007", "08006", "08P01"] {
        assert_eq!(create("ERROR", state).await, 1, "{state}");
    }
}

/// A statement that is cancelled soon after it began, by hand, is retried. If every attempt is cancelled, the result is
/// `Busy`.
#[tokio::test]
async fn a_cancelled_statement_is_retried() {
    let server = FailingServer::start().await;
    let db = db_at(&server.url(), 1);
    for state in states("TooSlow") {
        server.fail(Moment::Execute, "ERROR", state, 1);
        read(&db).await.unwrap();
        server.fail(Moment::Execute, "ERROR", state, ATTEMPTS);
        assert!(matches!(read(&db).await, Err(Error::Busy(_))), "{state}");
    }
    assert_eq!(server.connections(), 1);
}

/// A real server rolls the transaction back, at the statement or at the commit.
#[tokio::test]
async fn a_transaction_that_postgres_rolls_back_is_retried() {
    let database = Database::create().await;
    let (db, owner) = (db(&database, 1), database.admin_client().await);
    let show = show(&db, 10, 2).await.id();
    owner.batch_execute("CREATE SEQUENCE tries; GRANT USAGE ON SEQUENCE tries TO PUBLIC").await.unwrap();
    for (number, (state, timing)) in
        [("58P01", "BEFORE"), ("XX000", "AFTER"), ("53100", "BEFORE"), ("57P03", "AFTER")].into_iter().enumerate()
    {
        // A rollback does not reset the sequence, so the trigger fails twice and then passes.
        let function = format!(
            "CREATE OR REPLACE FUNCTION gone() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 IF nextval('tries') % 3 <> 0 THEN RAISE EXCEPTION USING ERRCODE = '{state}'; END IF;
                 RETURN NEW;
             END $$"
        );
        let trigger = if timing == "BEFORE" {
            "CREATE TRIGGER gone BEFORE INSERT ON bookings FOR EACH ROW EXECUTE FUNCTION gone()"
        } else {
            "CREATE CONSTRAINT TRIGGER gone AFTER INSERT ON bookings DEFERRABLE INITIALLY DEFERRED
                 FOR EACH ROW EXECUTE FUNCTION gone()"
        };
        owner.batch_execute(&format!("{function}; {trigger}")).await.unwrap();
        bookings::book(&db, &request(show, 1)).await.unwrap_or_else(|error| panic!("{state}: {error:?}"));
        assert_eq!(count(&owner, "PENDING").await, number as i64 + 1);
        owner.batch_execute("DROP TRIGGER gone ON bookings; SELECT setval('tries', 3)").await.unwrap();
    }
    assert_invariants(&owner).await;
}
