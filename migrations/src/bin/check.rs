//! Looks for rows that break an invariant in the database of `DATABASE_URL`, and prints each. It changes nothing and may run
//! while the database is in use.
//!
//! Exit code: 0 if it found none; 1 if it found some, or could not read the database.

use std::{num::NonZeroU16, process::ExitCode};

use boxoffice_migrations::Error;
use boxoffice_shared::{
    checks::{self, Violation},
    platform::{
        config::{Environment, Reader},
        db::Db,
        secret, tls,
    },
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match check().await {
        Ok(violations) if violations.is_empty() => {
            say("nothing is wrong");
            ExitCode::SUCCESS
        }
        Ok(violations) => {
            for violation in &violations {
                say(&violation.to_string());
            }
            ExitCode::FAILURE
        }
        Err(error) => {
            #[allow(clippy::print_stderr, reason = "a command speaks to its user")]
            {
                let cause = error.source().map_or_else(String::new, |cause| format!(" ({cause})"));
                eprintln!("check: {error}{cause}");
            }
            ExitCode::FAILURE
        }
    }
}

async fn check() -> Result<Vec<Violation>, Error> {
    let mut reader = Reader::new(&Environment);
    let source = reader.database();
    let source = reader.finish(source)?;
    let tls = tls::connector(source.ca_file())?;
    let database = secret::resolve(source, &tls).await?;
    Ok(checks::check(&Db::new(&database, tls, NonZeroU16::MIN)?).await?)
}

#[allow(clippy::print_stdout, reason = "a command speaks to its user")]
fn say(line: &str) {
    println!("{line}");
}
