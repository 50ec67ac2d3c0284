//! How `boxoffice_app`, the functions' role, logs in.

use boxoffice_shared::platform::{
    config::{Database, Reader, Source},
    db, secret, tls,
};
use postgres_protocol::password::scram_sha_256;
use tokio_postgres::Transaction;

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

/// Whether the login may be another database's.
///
/// Roles are the server's: the databases of one server share [`APP_ROLE`], and it has one password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It may not: its functions could log in no more.
    IfFree,
    /// It may, and is this database's from now on.
    TakeOver,
}

impl Claim {
    /// What `APP_LOGIN_TAKE_OVER` says; not, unless it is set.
    ///
    /// # Errors
    /// It is neither `true` nor `false`.
    pub fn from_environment(source: &impl Source) -> Result<Self, Error> {
        match source.get("APP_LOGIN_TAKE_OVER").as_deref() {
            None | Some("false") => Ok(Self::IfFree),
            Some("true") => Ok(Self::TakeOver),
            Some(_) => Err("APP_LOGIN_TAKE_OVER must be true or false".into()),
        }
    }
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
/// The database cannot be reached, it refuses, the login names another role, the server knows no tokens, or the login is
/// another database's and not to be taken over.
pub async fn give(owner: &Database, login: &AppLogin, claim: Claim) -> Result<Given, Error> {
    let mut client = db::connect(owner).await?;
    // All of it or nothing. The role is changed first: of two databases' runs at once one waits here for the other.
    let transaction = client.transaction().await?;
    let given = match login {
        AppLogin::Password(app) => give_password(&transaction, app).await?,
        AppLogin::Iam => give_iam(&transaction).await?,
    };
    if claim == Claim::IfFree {
        refuse_anothers(&transaction).await?;
    }
    let name: String = transaction.query_one("SELECT current_database()", &[]).await?.get(0);
    let comment = format!("COMMENT ON ROLE {APP_ROLE} IS {}", quoted(&format!("{LOGIN_OF}{name}")));
    transaction.batch_execute(&comment).await?;
    transaction.commit().await?;
    Ok(given)
}

async fn give_password(transaction: &Transaction<'_>, app: &Database) -> Result<Given, Error> {
    if app.user() != APP_ROLE {
        return Err(format!("the functions' login must name the user {APP_ROLE}, and not {}", app.user()).into());
    }
    let password = app.password().ok_or("the functions' login has no password")?;
    // The characters of a verifier are letters, digits and +/=$:- .
    let verifier = scram_sha_256(password);
    transaction.batch_execute(&format!("ALTER ROLE {APP_ROLE} PASSWORD '{verifier}'")).await?;
    // Whoever is a member logs in by a token only, whatever the password.
    let by_iam = "SELECT FROM pg_auth_members AS m JOIN pg_roles AS r ON r.oid = m.roleid
        WHERE r.rolname = 'rds_iam' AND m.member = to_regrole($1)";
    if transaction.query_opt(by_iam, &[&APP_ROLE]).await?.is_some() {
        transaction.batch_execute(&format!("REVOKE rds_iam FROM {APP_ROLE}")).await?;
    }
    Ok(Given::Password)
}

async fn give_iam(transaction: &Transaction<'_>) -> Result<Given, Error> {
    let known = "SELECT FROM pg_roles WHERE rolname = 'rds_iam'";
    if transaction.query_opt(known, &[]).await?.is_none() {
        return Err(format!("this server has no role rds_iam: {APP_ROLE} cannot log in by IAM").into());
    }
    transaction.batch_execute(&format!("GRANT rds_iam TO {APP_ROLE}")).await?;
    Ok(Given::Iam)
}

/// What the role's comment says before the name of the database whose functions log in by it.
const LOGIN_OF: &str = "The login of the functions of the database ";

/// The other databases that the login is of, or may be: the one that the comment names; without a comment (it was given before
/// there was one, or the database has another name by now), each that the migrations opened to the role.
async fn refuse_anothers(transaction: &Transaction<'_>) -> Result<(), Error> {
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
            "{APP_ROLE} is the login of another database's functions on this server ({others}): they could log in no more, so \
             nothing of it was changed. Give this database a server of its own, or set APP_LOGIN_TAKE_OVER=true"
        )
        .into()),
    }
}

/// A text as SQL writes it: a COMMENT takes no parameters.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
