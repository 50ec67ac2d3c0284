//! RDS login tokens, which replace a password.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign},
    sign::v4,
};
use http::Request;

use crate::platform::Cause;

/// The lifetime of a token, which RDS fixes. A connection may outlive it: only the login needs it.
const LIFE: Duration = Duration::from_secs(900);

/// Creates a token for one login: a signed request without its scheme, which is never sent. Takes about 20 µs and no
/// call.
///
/// `host` must be the database's or proxy's own name, not an alias, since the name is signed.
///
/// # Errors
/// The name or region is not valid in a URL.
pub(super) fn token(
    credentials: &Credentials,
    region: &str,
    (host, port): (&str, u16),
    user: &str,
    now: SystemTime,
) -> Result<String, Cause> {
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(LIFE);
    let identity = credentials.clone().into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("rds-db")
        .time(now)
        .settings(settings)
        .build()?
        .into();
    let user = escaped(user);
    let mut request = Request::get(format!("https://{host}:{port}/?Action=connect&DBUser={user}")).body(())?;
    let uri = request.uri().to_string();
    let signable = SignableRequest::new("GET", &uri, std::iter::empty(), SignableBody::Bytes(&[]))?;
    let (instructions, _signature) = sign(signable, &parameters)?.into_parts();
    instructions.apply_to_request_http1x(&mut request);
    Ok(request.uri().to_string().trim_start_matches("https://").to_owned())
}

/// Escapes all but RFC 3986's unreserved characters as `%XX`.
fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut escaped, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(byte.into());
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
        escaped
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: (&str, u16) = ("database.cluster-abc.eu-west-1.rds.amazonaws.com", 5432);

    /// 2026-11-24T10:26:16Z.
    const NOW: Duration = Duration::from_secs(1_795_515_976);

    /// The result of `generate_db_auth_token` in the AWS SDK for Python (botocore 1.43.127) for the same input.
    const BARE: &str = "database.cluster-abc.eu-west-1.rds.amazonaws.com:5432/?Action=connect&DBUser=boxoffice_app\
        &X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20261124%2Feu-west-1%2Frds-db%2Faws4_request\
        &X-Amz-Date=20261124T102616Z&X-Amz-SignedHeaders=host&X-Amz-Expires=900\
        &X-Amz-Signature=ce62339bfd11ad3bed76a53d707fe08350c60cbcb9dc781d67775bb8ae0c5924";
    const OF_SESSION: &str = "database.cluster-abc.eu-west-1.rds.amazonaws.com:5432/?Action=connect&DBUser=boxoffice_app\
        &X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20261124%2Feu-west-1%2Frds-db%2Faws4_request\
        &X-Amz-Date=20261124T102616Z&X-Amz-SignedHeaders=host&X-Amz-Expires=900\
        &X-Amz-Security-Token=session%2Ftoken%2Bwith%3Dsigns\
        &X-Amz-Signature=e8351ee2dafe8a5a3aa3fc4703a273b434fd81ca10d2f8ce74c5f1af3df78f1e";

    /// The address, and the parameters sorted, since their order in the URL has no meaning.
    fn parts(token: &str) -> (&str, Vec<&str>) {
        let (address, query) = token.split_once('?').unwrap();
        let mut parameters: Vec<_> = query.split('&').collect();
        parameters.sort_unstable();
        (address, parameters)
    }

    #[test]
    fn a_token_equals_that_of_another_sdk() {
        for (session, expected) in [(None, BARE), (Some("session/token+with=signs"), OF_SESSION)] {
            let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
            let credentials = Credentials::new("AKIDEXAMPLE", secret, session.map(str::to_owned), None, "test");
            let now = SystemTime::UNIX_EPOCH + NOW;
            let token = token(&credentials, "eu-west-1", HOST, "boxoffice_app", now).unwrap();
            assert_eq!(parts(&token), parts(expected));
        }
    }

    #[test]
    fn url_syntax_is_escaped() {
        assert_eq!(escaped("a.b~c&DBUser=d e"), "a.b~c%26DBUser%3Dd%20e");
    }
}
