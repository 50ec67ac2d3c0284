//! Applies the migrations to the database of `DATABASE_URL`.

use std::process::ExitCode;

use boxoffice_migrations::{Error, apply};
use boxoffice_shared::{
    config::{Environment, Reader},
    secret, tls,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match migrate().await {
        Ok(names) => {
            report(&names);
            ExitCode::SUCCESS
        }
        Err(error) => {
            #[allow(clippy::print_stderr, reason = "a command speaks to its user")]
            {
                eprintln!("migrate: {error}");
            }
            ExitCode::FAILURE
        }
    }
}

async fn migrate() -> Result<Vec<String>, Error> {
    let mut reader = Reader::new(&Environment);
    let source = reader.database();
    let source = reader.finish(source)?;
    let tls = tls::connector(source.ca_file())?;
    let database = secret::resolve(source, &tls).await?;
    apply(&database).await
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
