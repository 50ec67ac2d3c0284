//! `migrate` lets the functions' role log in, and the server's log does not learn how.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::process::{Command, Output};

use boxoffice_testkit::{
    postgres::{Database, Options, Server},
    secrets::SecretStore,
};
use serde_json::json;
use tokio_postgres::NoTls;

fn migrate(database: &Database, environment: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_migrate"))
        .env("DATABASE_URL", database.owner_url())
        .envs(environment.iter().copied())
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

async fn logs_in(database: &Database, password: &str) -> bool {
    let url = database.url().replace(":boxoffice_app@", &format!(":{password}@"));
    tokio_postgres::connect(&url, NoTls).await.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_functions_get_their_password_and_no_log_has_it() {
    let server = Server::start(&Options::fast().password().setting("log_statement", "all"));
    let database = server.create_empty_database().await;
    let url = |password: &str| database.url().replace(":boxoffice_app@", &format!(":{password}@"));

    // Not asked for: the role is there, and nobody gets in.
    let output = migrate(&database, &[]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(!logs_in(&database, "").await && !logs_in(&database, "boxoffice_app").await);

    let output = migrate(&database, &[("APP_DATABASE_URL", &url("pl41n-text"))]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "nothing to apply\nboxoffice_app has the functions' password\n");
    assert!(logs_in(&database, "pl41n-text").await);

    let secret = json!({"username": "boxoffice_app", "password": "an0ther-one", "host": "localhost", "port": 5432,
        "dbname": "boxoffice"});
    let store = SecretStore::start(Some(&secret.to_string())).await;
    let aws =
        [("AWS_ENDPOINT_URL", &*store.endpoint()), ("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")];
    let output = migrate(&database, &[&aws[..], &[("APP_DATABASE_SECRET_ARN", store.arn())]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(logs_in(&database, "an0ther-one").await && !logs_in(&database, "pl41n-text").await);

    let log = server.log();
    assert!(log.contains("ALTER ROLE boxoffice_app PASSWORD 'SCRAM-SHA-256$"), "it would be in the log");
    assert!(!log.contains("pl41n-text") && !log.contains("an0ther-one"));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_role_is_not_given_a_password() {
    let database = Database::create().await;
    let output = migrate(&database, &[("APP_DATABASE_URL", &database.owner_url())]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("must name the user boxoffice_app, and not boxoffice"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn by_iam_the_role_becomes_a_member_of_rds_iam_where_there_is_one() {
    let server = Server::start(&Options::fast());
    let database = server.create_database().await;
    let iam = [("APP_DATABASE_AUTH", "iam")];
    let output = migrate(&database, &iam);
    // Nobody could log in: the operator must hear of it.
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("this server has no role rds_iam"), "{}", text(&output.stderr));
    // As on RDS, where the owner is the master user.
    let admin = server.admin_client().await;
    admin.batch_execute("CREATE ROLE rds_iam; GRANT rds_iam TO boxoffice WITH ADMIN OPTION").await.unwrap();
    assert!(text(&migrate(&database, &iam).stdout).contains("boxoffice_app logs in by IAM"));
    let member = "SELECT pg_has_role('boxoffice_app', 'rds_iam', 'MEMBER')";
    assert!(admin.query_one(member, &[]).await.unwrap().get::<_, bool>(0));
    // Back to a password: as a member it would be of no use.
    let output = migrate(&database, &[("APP_DATABASE_URL", &database.url())]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(!admin.query_one(member, &[]).await.unwrap().get::<_, bool>(0));
}
