use super::*;
use crate::platform::config::Faults;

const SECRET: &str =
    r#"{"username":"app","password":"s3cret","host":"db","port":6432,"dbname":"boxoffice","engine":"postgres"}"#;

fn source(pairs: &[(&str, &str)], read: bool) -> Result<DatabaseSource, Faults> {
    let source = |name: &str| pairs.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
    let mut reader = Reader::new(&source);
    let database = if read { reader.read_database() } else { reader.database() };
    reader.finish(database)
}

async fn database(pairs: &[(&str, &str)]) -> Result<Database, String> {
    let source = source(pairs, false).map_err(|faults| faults.to_string())?;
    source.resolve(async |_| Ok(SECRET.to_owned())).await
}

fn ssl_mode(url: &str) -> SslMode {
    Database::from_url(url, None).unwrap().postgres().get_ssl_mode()
}

#[test]
fn tls_is_required_on_a_network_unless_the_url_disables_it() {
    for here in ["localhost", "127.0.0.1", "127.9.9.9", "[::1]"] {
        assert_eq!(ssl_mode(&format!("postgres://a:b@{here}/x")), SslMode::Prefer, "{here}");
    }
    for away in ["db", "10.0.0.1", "localhost.example", "0.0.0.0", "[fe80::1]", "localhost,db", "db,localhost"] {
        assert_eq!(ssl_mode(&format!("postgres://a:b@{away}/x")), SslMode::Require, "{away}");
        assert_eq!(ssl_mode(&format!("postgres://a:b@{away}/x?sslmode=prefer")), SslMode::Require, "{away}");
        assert_eq!(ssl_mode(&format!("postgres://a:b@{away}/x?sslmode=disable")), SslMode::Disable, "{away}");
    }
    assert_eq!(ssl_mode("postgres://a:b@localhost/x?hostaddr=10.0.0.1"), SslMode::Require);
}

#[tokio::test]
async fn database_host_replaces_the_named_host() {
    let named = [
        [("DATABASE_URL", "postgres://app:s3cret@db:6432/boxoffice"), ("DATABASE_STATEMENTS", "unnamed")],
        [("DATABASE_SECRET_ARN", "arn:x"), ("DATABASE_STATEMENTS", "unnamed")],
    ];
    for pairs in named {
        for (host, expected) in [("proxy", ("proxy", 6432)), ("proxy:99", ("proxy", 99)), ("[::2]:99", ("::2", 99))] {
            let moved = database(&[&pairs[..], &[("DATABASE_HOST", host)]].concat()).await.unwrap();
            let postgres = moved.postgres();
            assert_eq!(postgres.get_hosts(), [Host::Tcp(expected.0.into())]);
            assert_eq!(postgres.get_ports(), [expected.1]);
            assert_eq!((moved.user(), moved.password()), ("app", Some(b"s3cret".as_slice())));
            assert_eq!((postgres.get_dbname(), postgres.get_ssl_mode()), (Some("boxoffice"), SslMode::Require));
            assert_eq!(moved.naming(), StatementNaming::Unnamed);
        }
    }
    // The secret's new contents are used at the same host.
    let moved = database(&[named[1][0], ("DATABASE_HOST", "proxy")]).await.unwrap();
    let again = moved.with_secret(SECRET).unwrap();
    assert_eq!((again.postgres(), again.login()), (moved.postgres(), moved.login()));
    for bad in ["db:port", "db/x", "user@db", ":5432", "db:65536", "a b"] {
        assert!(database(&[named[0][0], ("DATABASE_HOST", bad)]).await.is_err(), "{bad}");
    }
}

#[test]
fn reads_may_use_a_host_of_their_own() {
    let hosts = |pairs: &[(&str, &str)], read| match source(pairs, read).unwrap().0 {
        Place::Known(database) => database.postgres().get_hosts().to_vec(),
        Place::Secret { .. } => Vec::new(),
    };
    let url = ("DATABASE_URL", "postgres://app@db/boxoffice");
    let (proxy, replica) = (("DATABASE_HOST", "proxy"), ("DATABASE_READ_HOST", "replica"));
    assert_eq!(hosts(&[url, proxy, replica], true), [Host::Tcp("replica".into())]);
    assert_eq!(hosts(&[url, proxy, replica], false), [Host::Tcp("proxy".into())]);
    assert_eq!(hosts(&[url, proxy], true), [Host::Tcp("proxy".into())]);
    assert_eq!(hosts(&[url], true), [Host::Tcp("db".into())]);
}

#[tokio::test]
async fn iam_needs_tls_a_region_and_no_password() {
    let url = ("DATABASE_URL", "postgres://app@localhost:5432/boxoffice");
    let iam = [("DATABASE_AUTH", "iam"), ("AWS_REGION", "eu-west-1")];
    for place in [url, ("DATABASE_SECRET_ARN", "arn:x")] {
        let database = database(&[&iam[..], &[place]].concat()).await.unwrap();
        assert_eq!(*database.login(), Login::Iam { region: "eu-west-1".into() });
        assert_eq!((database.password(), database.postgres().get_ssl_mode()), (None, SslMode::Require));
    }
    let clear = ("DATABASE_URL", "postgres://app@localhost/boxoffice?sslmode=disable");
    let with_password = ("DATABASE_URL", "postgres://app:s3cret@localhost/boxoffice");
    for bad in [vec![iam[0], url], vec![iam[0], iam[1], clear], vec![iam[0], iam[1], with_password]] {
        let fault = database(&bad).await.unwrap_err();
        assert!(!fault.contains("s3cret"), "{fault}");
    }
    assert!(database(&[url, ("DATABASE_AUTH", "kerberos")]).await.is_err());
}
