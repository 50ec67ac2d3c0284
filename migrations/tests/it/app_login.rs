//! `migrate` lets the functions' role log in, and the password is in no log of the server.

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

    // Without a login to grant: the role exists, and nobody can log in as it.
    let output = migrate(&database, &[]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(!logs_in(&database, "").await && !logs_in(&database, "boxoffice_app").await);

    let output = migrate(&database, &[("APP_DATABASE_URL", &url("pl41n-text"))]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "nothing to apply\nboxoffice_app now logs in with the functions' password\n");
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
    assert!(
        log.contains("ALTER ROLE boxoffice_app PASSWORD 'SCRAM-SHA-256$"),
        "the log should have this statement, or it shows nothing that the password is not in it"
    );
    assert!(!log.contains("pl41n-text") && !log.contains("an0ther-one"));
}

#[tokio::test(flavor = "multi_thread")]
async fn login_as_another_role_is_refused() {
    let database = Database::create().await;
    let output = migrate(&database, &[("APP_DATABASE_URL", &database.owner_url())]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("must log in as boxoffice_app, and not as boxoffice"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn iam_login_makes_the_role_a_member_of_rds_iam() {
    let server = Server::start(&Options::fast());
    let database = server.create_database().await;
    let iam = [("APP_DATABASE_AUTH", "iam")];
    let output = migrate(&database, &iam);
    // The functions could not log in: the operator must learn of it.
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("this server has no role rds_iam"), "{}", text(&output.stderr));
    // As on RDS, where the owner is the master user.
    let admin = server.admin_client().await;
    admin.batch_execute("CREATE ROLE rds_iam; GRANT rds_iam TO boxoffice WITH ADMIN OPTION").await.unwrap();
    assert!(text(&migrate(&database, &iam).stdout).contains("boxoffice_app now logs in with IAM tokens"));
    let member = "SELECT pg_has_role('boxoffice_app', 'rds_iam', 'MEMBER')";
    assert!(admin.query_one(member, &[]).await.unwrap().get::<_, bool>(0));
    // Back to a password, which a member of rds_iam could not use.
    let output = migrate(&database, &[("APP_DATABASE_URL", &database.url())]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(!admin.query_one(member, &[]).await.unwrap().get::<_, bool>(0));
}

/// Roles belong to the server: production's functions log in as the same one.
#[tokio::test(flavor = "multi_thread")]
async fn login_of_another_database_is_kept_unless_taken_over() {
    let server = Server::start(&Options::fast().password());
    let (production, staging) = (server.create_empty_database().await, server.create_empty_database().await);
    let url = |database: &Database, password: &str| database.url().replace(":boxoffice_app@", &format!(":{password}@"));
    let output = migrate(&production, &[("APP_DATABASE_URL", &url(&production, "of-production"))]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(logs_in(&production, "of-production").await);

    let of_staging = url(&staging, "of-staging");
    for again in 0..2 {
        let output = migrate(&staging, &[("APP_DATABASE_URL", &of_staging)]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{again}");
        let wanted = format!(
            "boxoffice_app is the login of another database's functions on this server ({})",
            production.name()
        );
        assert!(said.contains(&wanted) && said.contains("APP_LOGIN_TAKE_OVER=true"), "{said}");
        assert!(logs_in(&production, "of-production").await && !logs_in(&production, "of-staging").await);
    }
    // With APP_LOGIN_TAKE_OVER, the login is staging's.
    let told = [("APP_DATABASE_URL", &*of_staging), ("APP_LOGIN_TAKE_OVER", "true")];
    let output = migrate(&staging, &told);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(logs_in(&staging, "of-staging").await);
    let output = migrate(&production, &[("APP_DATABASE_URL", &url(&production, "of-production"))]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains(staging.name()), "{}", text(&output.stderr));
    assert!(migrate(&staging, &[("APP_DATABASE_URL", &of_staging)]).status.success());
    let output = migrate(&staging, &[("APP_DATABASE_URL", &of_staging), ("APP_LOGIN_TAKE_OVER", "yes")]);
    assert!(text(&output.stderr).contains("APP_LOGIN_TAKE_OVER must be true or false"), "{}", text(&output.stderr));
}

/// A login from before the role's comment named its database, and the login of a database that was renamed.
#[tokio::test(flavor = "multi_thread")]
async fn login_that_names_no_database_is_kept_while_another_may_use_it() {
    let server = Server::start(&Options::fast().password());
    let (production, staging) = (server.create_empty_database().await, server.create_empty_database().await);
    let of_production = production.url().replace(":boxoffice_app@", ":of-production@");
    assert!(migrate(&production, &[("APP_DATABASE_URL", &of_production)]).status.success());
    let admin = server.admin_client().await;
    for before in ["COMMENT ON ROLE boxoffice_app IS NULL", "COMMENT ON ROLE boxoffice_app IS 'Ask the operators.'"] {
        admin.batch_execute(before).await.unwrap();
        let output = migrate(&staging, &[("APP_DATABASE_URL", &staging.url())]);
        assert!(text(&output.stderr).contains(production.name()), "{}", text(&output.stderr));
        assert!(logs_in(&production, "of-production").await);
    }
    let iam = migrate(&staging, &[("APP_DATABASE_AUTH", "iam")]);
    assert_eq!(iam.status.code(), Some(1), "a member of rds_iam cannot log in with a password");
    // Without another database, the login is free.
    admin.batch_execute(&format!("DROP DATABASE {} WITH (FORCE)", production.name())).await.unwrap();
    assert!(migrate(&staging, &[("APP_DATABASE_URL", &staging.url())]).status.success());
}
