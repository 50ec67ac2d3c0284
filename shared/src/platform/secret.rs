//! Reads a secret from Secrets Manager: one signed call at start, and further calls for a secret that may be rotated.
//!
//! It uses the SDK's signer without the SDK's client, which would make the four Lambdas that call no other AWS service
//! 2 MB larger.

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

/// The time limit of an attempt. Secrets Manager answers in about 20 ms; a start may take 10 s in total.
const ATTEMPT: Duration = Duration::from_secs(2);

const ATTEMPTS: u32 = 2;

/// The largest response that is read, in bytes. A secret has at most 64 KiB.
const MAX_ANSWER: usize = 128 * 1024;

/// Resolves the database's settings, reading the secret if they are in one.
///
/// # Errors
/// The secret cannot be read, or does not have the form that RDS writes. The message does not contain the secret.
pub async fn resolve(source: DatabaseSource, tls: &TlsConnector) -> Result<Database, Cause> {
    source.resolve(async |arn| read(&arn, tls).await).await
}

/// Reads the secret's current text. Takes about 20 ms, and at most 4 s.
///
/// # Errors
/// The secret cannot be read. The message contains its ARN and not the secret.
pub async fn read(arn: &str, tls: &TlsConnector) -> Result<String, Cause> {
    let mut failure = Cause::from("no attempt was made");
    for _ in 0..ATTEMPTS {
        match timeout(deadline::bound(ATTEMPT), get_secret_value(arn, tls)).await {
            Ok(Ok(text)) => return Ok(text),
            Ok(Err(cause)) => failure = cause,
            Err(_) => failure = "Secrets Manager did not answer in time".into(),
        }
    }
    Err(format!("could not read the secret {arn}: {failure}").into())
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
        // The service's error message names the problem and does not contain the secret.
        return Err(format!("{status}: {}", String::from_utf8_lossy(&body)).into());
    }
    serde_json::from_slice::<Answer>(&body)?.secret_string.ok_or_else(|| "the secret is binary".into())
}

/// The endpoint and region of Secrets Manager for this secret. `AWS_ENDPOINT_URL` replaces the endpoint.
fn endpoint(arn: &str) -> Result<(String, &str), Cause> {
    let mut parts = arn.split(':').skip(1);
    let (Some(partition), Some("secretsmanager"), Some(region)) = (parts.next(), parts.next(), parts.next()) else {
        return Err("this is not the ARN of a secret".into());
    };
    let suffix = if partition == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
    let endpoint =
        environment("AWS_ENDPOINT_URL").unwrap_or_else(|| format!("https://secretsmanager.{region}.{suffix}"));
    Ok((endpoint, region))
}

/// Signs the call with the credentials that Lambda puts in the environment.
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
    fn the_region_is_taken_from_the_arn() {
        let (endpoint, region) = endpoint("arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-abc").unwrap();
        assert_eq!((endpoint.as_str(), region), ("https://secretsmanager.eu-west-1.amazonaws.com", "eu-west-1"));
        for bad in ["", "arn:aws:s3:::bucket", "arn:aws:secretsmanager"] {
            assert!(super::endpoint(bad).is_err(), "{bad}");
        }
    }
}
