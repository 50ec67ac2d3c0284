//! Applies the migrations to the database of `DATABASE_URL`, as its owner.
//!
//! If `APP_DATABASE_URL`, `APP_DATABASE_SECRET_ARN` or `APP_DATABASE_AUTH=iam` says how the functions log in, it then lets their
//! role log in that way. It refuses to if the functions of another database on the server use the role already, unless
//! `APP_LOGIN_TAKE_OVER=true`.

use std::process::ExitCode;

use boxoffice_migrations::{APP_ROLE, AppLogin, Claim, Error, Granted, apply, grant_login};
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
        report_login(grant_login(&database, &app, claim).await?);
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
fn report_login(granted: Granted) {
    match granted {
        Granted::Password => println!("{APP_ROLE} now logs in with the functions' password"),
        Granted::Iam => println!("{APP_ROLE} now logs in with IAM tokens"),
    }
}
