//! How `boxoffice_app`, the functions' role, logs in.

use boxoffice_shared::{
    config::{Database, Reader, Source},
    db, secret, tls,
};
use postgres_protocol::password::scram_sha_256;
use tokio_postgres::Client;

use crate::Error;

/// The functions' role. The migrations make it.
pub const APP_ROLE: &str = "boxoffice_app";

/// How the functions will log in. Its `Debug` shows no secret.
#[derive(Clone, Debug)]
pub enum AppLogin {
    /// By this password.
    Password(Box<Database>),
    /// By tokens of RDS.
    Iam,
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    /// The role has the password.
    Password,
    /// The role may log in by tokens, and no longer by a password.
    Iam,
}

impl AppLogin {
    /// What the functions are told, each variable with `APP_` before its name; `None` if nothing of it is set.
    ///
    /// # Errors
    /// It is not usable, or the secret cannot be read.
    pub async fn from_environment(source: &impl Source) -> Result<Option<Self>, Error> {
        if source.get("APP_DATABASE_AUTH").as_deref() == Some("iam") {
            return Ok(Some(Self::Iam));
        }
        if ["APP_DATABASE_AUTH", "APP_DATABASE_URL", "APP_DATABASE_SECRET_ARN"]
            .iter()
            .all(|name| source.get(name).is_none())
        {
            return Ok(None);
        }
        let prefixed = |name: &str| source.get(&format!("APP_{name}"));
        let mut reader = Reader::new(&prefixed);
        let place = reader.database();
        let place = reader.finish(place).map_err(|faults| format!("Of what begins with APP_: {faults}"))?;
        let database = secret::resolve(place, &tls::connector(None)?).await?;
        Ok(Some(Self::Password(Box::new(database))))
    }
}

/// Lets `boxoffice_app` log in as the functions will. To do it again changes nothing.
///
/// The password does not leave this process: the server gets what it would make of it, so no log of its has it.
///
/// # Errors
/// The database cannot be reached, it refuses, the login names another role, or the server knows no tokens.
pub async fn give(owner: &Database, login: &AppLogin) -> Result<Given, Error> {
    match login {
        AppLogin::Password(app) => {
            if app.user() != APP_ROLE {
                return Err(
                    format!("the functions' login must name the user {APP_ROLE}, and not {}", app.user()).into()
                );
            }
            let password = app.password().ok_or("the functions' login has no password")?;
            let client = db::connect(owner).await?;
            // The characters of a verifier are letters, digits and +/=$:- .
            let verifier = scram_sha_256(password);
            client.batch_execute(&format!("ALTER ROLE {APP_ROLE} PASSWORD '{verifier}'")).await?;
            // Whoever is a member logs in by a token only, whatever the password.
            let by_iam = "SELECT FROM pg_auth_members AS m JOIN pg_roles AS r ON r.oid = m.roleid
                WHERE r.rolname = 'rds_iam' AND m.member = to_regrole($1)";
            if client.query_opt(by_iam, &[&APP_ROLE]).await?.is_some() {
                client.batch_execute(&format!("REVOKE rds_iam FROM {APP_ROLE}")).await?;
            }
            Ok(Given::Password)
        }
        AppLogin::Iam => give_iam(&db::connect(owner).await?).await,
    }
}

async fn give_iam(client: &Client) -> Result<Given, Error> {
    let known = "SELECT FROM pg_roles WHERE rolname = 'rds_iam'";
    if client.query_opt(known, &[]).await?.is_none() {
        return Err(format!("this server has no role rds_iam: {APP_ROLE} cannot log in by IAM").into());
    }
    client.batch_execute(&format!("GRANT rds_iam TO {APP_ROLE}")).await?;
    Ok(Given::Iam)
}
