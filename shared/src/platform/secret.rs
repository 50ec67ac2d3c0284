//! Reads a secret of Secrets Manager: one signed call, at start, and again for a secret that may be rotated.
//!
//! By the SDK's signer but without its client, which would make the four Lambdas that call no other service of AWS 2 MB
//! larger.

use std::time::{Duration, SystemTime};

use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt, Full, Limited};
use native_tls::TlsConnector;
use serde::Deserialize;
use serde_json::json;
use tokio::time::timeout;

use crate::platform::{
    Cause,
    aws::{self, environment},
    config::{Database, DatabaseSource},
    deadline,
};

/// One attempt. Secrets Manager answers in some 20 ms; a start may take 10 s in all.
const ATTEMPT: Duration = Duration::from_secs(2);

const ATTEMPTS: u32 = 2;

/// The greatest answer that is read, in bytes: a secret has 64 KiB at most.
const MAX_ANSWER: usize = 128 * 1024;

/// The database's settings, from where the environment says they are.
///
/// # Errors
/// The secret cannot be read, or is not as RDS writes it. The message does not show it.
pub async fn resolve(source: DatabaseSource, tls: &TlsConnector) -> Result<Database, Cause> {
    source.resolve(async |arn| read(&arn, tls).await).await
}

/// The secret's text now. Takes some 20 ms, and 4 s at most.
///
/// # Errors
/// It cannot be read. The message names the secret and does not show it.
pub async fn read(arn: &str, tls: &TlsConnector) -> Result<String, Cause> {
    let mut failure = Cause::from("no attempt was made");
    for _ in 0..ATTEMPTS {
        match timeout(deadline::bound(ATTEMPT), get_secret_value(arn, tls)).await {
            Ok(Ok(text)) => return Ok(text),
            Ok(Err(cause)) => failure = cause,
            Err(_) => failure = "Secrets Manager did not answer in time".into(),
        }
    }
    Err(format!("the secret {arn} cannot be read: {failure}").into())
}

async fn get_secret_value(arn: &str, tls: &TlsConnector) -> Result<String, Cause> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        secret_string: Option<String>,
    }
    let (endpoint, region) = endpoint(arn)?;
    let response = aws::http_client(tls).request(signed(&endpoint, region, arn)?).await?;
    let status = response.status();
    let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await?.to_bytes();
    if !status.is_success() {
        // The service's own words: they name the fault and no secret.
        return Err(format!("{status}: {}", String::from_utf8_lossy(&body)).into());
    }
    serde_json::from_slice::<Answer>(&body)?.secret_string.ok_or_else(|| "it is binary".into())
}

/// Where the secret's region has its Secrets Manager, and that region. `AWS_ENDPOINT_URL` puts another in its place.
fn endpoint(arn: &str) -> Result<(String, &str), Cause> {
    let mut parts = arn.split(':').skip(1);
    let (Some(partition), Some("secretsmanager"), Some(region)) = (parts.next(), parts.next(), parts.next()) else {
        return Err("it is no ARN of a secret".into());
    };
    let suffix = if partition == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
    let endpoint =
        environment("AWS_ENDPOINT_URL").unwrap_or_else(|| format!("https://secretsmanager.{region}.{suffix}"));
    Ok((endpoint, region))
}

/// The call, signed with the credentials that Lambda puts into the environment.
fn signed(endpoint: &str, region: &str, arn: &str) -> Result<Request<Full<Bytes>>, Cause> {
    let body = json!({ "SecretId": arn }).to_string();
    let mut request = Request::post(format!("{}/", endpoint.trim_end_matches('/')))
        .header(header::CONTENT_TYPE, "application/x-amz-json-1.1")
        .header("x-amz-target", "secretsmanager.GetSecretValue")
        .body(Full::from(body.clone()))?;
    let identity = aws::credentials()?.into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("secretsmanager")
        .time(SystemTime::now())
        .settings(SigningSettings::default())
        .build()?
        .into();
    let uri = request.uri().to_string();
    let headers: Vec<_> = request
        .headers()
        .iter()
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
        .collect();
    let signable = SignableRequest::new(
        "POST",
        &uri,
        headers.iter().map(|(name, value)| (name.as_str(), value.as_str())),
        SignableBody::Bytes(body.as_bytes()),
    )?;
    let (instructions, _signature) = sign(signable, &parameters)?.into_parts();
    instructions.apply_to_request_http1x(&mut request);
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_is_the_secrets_own() {
        let (endpoint, region) = endpoint("arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-abc").unwrap();
        assert_eq!((endpoint.as_str(), region), ("https://secretsmanager.eu-west-1.amazonaws.com", "eu-west-1"));
        for bad in ["", "arn:aws:s3:::bucket", "arn:aws:secretsmanager"] {
            assert!(super::endpoint(bad).is_err(), "{bad}");
        }
    }
}
