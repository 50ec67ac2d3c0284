//! How the functions log in: as the role `boxoffice_app`.

use boxoffice_shared::platform::{
    config::{Database, Reader, Source},
    db, secret, tls,
};
use postgres_protocol::password::scram_sha_256;
use tokio_postgres::Transaction;

use crate::Error;

/// The functions' role. The migrations create it.
pub const APP_ROLE: &str = "boxoffice_app";

/// How the functions log in. Its `Debug` shows no secret.
#[derive(Clone, Debug)]
pub enum AppLogin {
    /// With this password.
    Password(Box<Database>),
    /// With IAM tokens for RDS.
    Iam,
}

/// What to do if the functions of another database use the login.
///
/// Roles belong to the server: the databases of one server share [`APP_ROLE`], and it has one password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Refuse: those functions could not log in any more.
    IfFree,
    /// Take it over: the login is this database's from now on.
    TakeOver,
}

impl Claim {
    /// What `APP_LOGIN_TAKE_OVER` says. Unset, it is [`Claim::IfFree`].
    ///
    /// # Errors
    /// The variable is neither `true` nor `false`.
    pub fn from_environment(source: &impl Source) -> Result<Self, Error> {
        match source.get("APP_LOGIN_TAKE_OVER").as_deref() {
            None | Some("false") => Ok(Self::IfFree),
            Some("true") => Ok(Self::TakeOver),
            Some(_) => Err("APP_LOGIN_TAKE_OVER must be true or false".into()),
        }
    }
}

/// How the role logs in now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Granted {
    /// With the password.
    Password,
    /// With IAM tokens, and no longer with a password.
    Iam,
}

impl AppLogin {
    /// Reads the variables that the functions get, each with `APP_` before its name. `None` if none of them is set.
    ///
    /// # Errors
    /// A variable is not valid, or the secret cannot be read.
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
        let place = reader.finish(place).map_err(|faults| format!("variables that begin with APP_: {faults}"))?;
        let database = secret::resolve(place, &tls::connector(None)?).await?;
        Ok(Some(Self::Password(Box::new(database))))
    }
}

/// Lets `boxoffice_app` log in the way the functions will. Running it again changes nothing.
///
/// The password does not leave this process: the server gets its SCRAM verifier, so no log of the server has the password.
///
/// # Errors
/// The database cannot be reached or refuses; the login names another role; the server has no IAM tokens; or another database's
/// functions use the login, and it must not be taken over.
pub async fn grant_login(owner: &Database, login: &AppLogin, claim: Claim) -> Result<Granted, Error> {
    let mut client = db::connect(owner).await?;
    // One transaction, which changes the role first: if two databases are migrated at once, one of them waits here.
    let transaction = client.transaction().await?;
    let granted = match login {
        AppLogin::Password(app) => grant_password(&transaction, app).await?,
        AppLogin::Iam => grant_iam(&transaction).await?,
    };
    if claim == Claim::IfFree {
        refuse_if_taken(&transaction).await?;
    }
    let name: String = transaction.query_one("SELECT current_database()", &[]).await?.get(0);
    let comment = format!("COMMENT ON ROLE {APP_ROLE} IS {}", quoted(&format!("{LOGIN_OF}{name}")));
    transaction.batch_execute(&comment).await?;
    transaction.commit().await?;
    Ok(granted)
}

async fn grant_password(transaction: &Transaction<'_>, app: &Database) -> Result<Granted, Error> {
    if app.user() != APP_ROLE {
        return Err(format!("the functions must log in as {APP_ROLE}, and not as {}", app.user()).into());
    }
    let password = app.password().ok_or("the functions' login has no password")?;
    // A verifier consists of letters, digits and +/=$:- so it needs no quoting.
    let verifier = scram_sha_256(password);
    transaction.batch_execute(&format!("ALTER ROLE {APP_ROLE} PASSWORD '{verifier}'")).await?;
    // A member of rds_iam logs in with a token only, whatever its password is.
    let by_iam = "SELECT FROM pg_auth_members AS m JOIN pg_roles AS r ON r.oid = m.roleid
        WHERE r.rolname = 'rds_iam' AND m.member = to_regrole($1)";
    if transaction.query_opt(by_iam, &[&APP_ROLE]).await?.is_some() {
        transaction.batch_execute(&format!("REVOKE rds_iam FROM {APP_ROLE}")).await?;
    }
    Ok(Granted::Password)
}

async fn grant_iam(transaction: &Transaction<'_>) -> Result<Granted, Error> {
    let known = "SELECT FROM pg_roles WHERE rolname = 'rds_iam'";
    if transaction.query_opt(known, &[]).await?.is_none() {
        return Err(format!("this server has no role rds_iam, so {APP_ROLE} cannot log in with IAM tokens").into());
    }
    transaction.batch_execute(&format!("GRANT rds_iam TO {APP_ROLE}")).await?;
    Ok(Granted::Iam)
}

/// The role's comment: this, and then the name of the database whose functions use the login. Earlier releases wrote it too.
const LOGIN_OF: &str = "The login of the functions of the database ";

/// Refuses if the login belongs to another database, or may: the one that the role's comment names. If the comment names none
/// (the login is older than the comment, or the database was renamed), any that the migrations let the role connect to.
async fn refuse_if_taken(transaction: &Transaction<'_>) -> Result<(), Error> {
    let others = "
        WITH named AS (
            SELECT datname
            FROM pg_database
            WHERE $2 || datname = shobj_description(to_regrole($1), 'pg_authid')
        )
        SELECT string_agg(quote_ident(datname), ', ' ORDER BY datname)
        FROM pg_database
        WHERE datname <> current_database() AND datallowconn AND CASE
            WHEN EXISTS (SELECT FROM named) THEN datname IN (SELECT datname FROM named)
            ELSE EXISTS (SELECT FROM aclexplode(datacl) WHERE grantee = to_regrole($1) AND privilege_type = 'CONNECT') END";
    match transaction.query_one(others, &[&APP_ROLE, &LOGIN_OF]).await?.get::<_, Option<String>>(0) {
        None => Ok(()),
        Some(others) => Err(format!(
            "{APP_ROLE} is the login of another database's functions on this server ({others}), which could not log in any more. \
             The login was not changed. Give this database a server of its own, or set APP_LOGIN_TAKE_OVER=true"
        )
        .into()),
    }
}

/// A text as an SQL literal: COMMENT takes no parameters.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
