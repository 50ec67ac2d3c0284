//! Applies the migrations to the database of `DATABASE_URL`, as its owner; and, where `APP_DATABASE_URL`,
//! `APP_DATABASE_SECRET_ARN` or `APP_DATABASE_AUTH=iam` says how the functions will log in, lets their role do so, unless it
//! is the login of another database's functions (`APP_LOGIN_TAKE_OVER=true`: even then).

use std::process::ExitCode;

use boxoffice_migrations::{APP_ROLE, AppLogin, Claim, Error, Given, apply, give};
use boxoffice_shared::platform::{
    config::{Environment, Reader},
    secret, tls,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match migrate().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            #[allow(clippy::print_stderr, reason = "a command speaks to its user")]
            {
                eprintln!("migrate: {error}");
            }
            ExitCode::FAILURE
        }
    }
}

async fn migrate() -> Result<(), Error> {
    let mut reader = Reader::new(&Environment);
    let source = reader.database();
    let source = reader.finish(source)?;
    let tls = tls::connector(source.ca_file())?;
    let database = secret::resolve(source, &tls).await?;
    let app = AppLogin::from_environment(&Environment).await?;
    let claim = Claim::from_environment(&Environment)?;
    report(&apply(&database).await?);
    if let Some(app) = app {
        report_login(give(&database, &app, claim).await?);
    }
    Ok(())
}

#[allow(clippy::print_stdout, reason = "a command speaks to its user")]
fn report(names: &[String]) {
    for name in names {
        println!("applied {name}");
    }
    if names.is_empty() {
        println!("nothing to apply");
    }
}

#[allow(clippy::print_stdout, reason = "a command speaks to its user")]
fn report_login(given: Given) {
    match given {
        Given::Password => println!("{APP_ROLE} has the functions' password"),
        Given::Iam => println!("{APP_ROLE} logs in by IAM"),
    }
}
