//! Calls to AWS over the same TLS stack as the database's.
//!
//! The SDK's own HTTP clients bring rustls and AWS-LC: a second TLS stack, 4 MB more and minutes of build.

use std::{fmt, time::Duration};

use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_runtime_api::client::{
    http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
    runtime_components::RuntimeComponents,
};
use aws_smithy_types::{body::SdkBody, timeout::TimeoutConfig};
use http_body_util::{BodyExt, Limited};
use hyper_tls::HttpsConnector;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector as TcpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use native_tls::TlsConnector;

use crate::{
    config::{Database, DatabaseSource},
    error::Cause,
};

/// To open a TCP connection. Within a region it takes about a millisecond.
const CONNECT: Duration = Duration::from_millis(500);

/// To read a secret that a request waits for, its repetitions included.
const READ_SECRET: Duration = Duration::from_secs(1);

/// How long an idle connection is kept. SQS closes its side after some 60 s.
const IDLE: Duration = Duration::from_secs(50);

/// The greatest answer that is read, in bytes: ten messages of a batch or one secret are far below it.
const MAX_ANSWER: usize = 1 << 20;

/// Region, credentials and endpoint from the environment, with our HTTP client.
pub async fn load(tls: &TlsConnector) -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest()).http_client(Http::new(tls.clone())).load().await
}

/// The database's settings, from where the environment says they are.
///
/// # Errors
/// The secret cannot be read, or is not as RDS writes it. The message does not show it.
pub async fn resolve(source: DatabaseSource, aws: &SdkConfig) -> Result<Database, Cause> {
    let (arn, ca_file, naming) = match source {
        DatabaseSource::Known(database) => return Ok(database),
        DatabaseSource::Secret { arn, ca_file, naming } => (arn, ca_file, naming),
    };
    let answer = aws_sdk_secretsmanager::Client::new(aws).get_secret_value().secret_id(arn).send().await?;
    let json = answer.secret_string().ok_or("the database's secret is binary")?;
    Ok(Database::from_secret(json, ca_file)?.with_naming(naming))
}

/// A text in Secrets Manager that may change while we run. Clones share connections.
#[derive(Clone, Debug)]
pub struct StoredSecret {
    client: aws_sdk_secretsmanager::Client,
    arn: String,
}

impl StoredSecret {
    /// The secret with this ARN.
    pub fn new(aws: &SdkConfig, arn: String) -> Self {
        let config = aws_sdk_secretsmanager::config::Builder::from(aws)
            .timeout_config(TimeoutConfig::builder().operation_timeout(READ_SECRET).build())
            .build();
        Self { client: aws_sdk_secretsmanager::Client::from_conf(config), arn }
    }

    /// Its text now. Takes some 10 ms, and 1 s at most.
    ///
    /// # Errors
    /// It cannot be read. The message does not show it.
    pub async fn read(&self) -> Result<String, Cause> {
        let answer = self.client.get_secret_value().secret_id(&self.arn).send().await?;
        Ok(answer.secret_string().ok_or("the secret is binary")?.to_owned())
    }
}

/// An HTTP client of the SDK, over hyper and native-tls.
#[derive(Clone)]
struct Http(Client<HttpsConnector<TcpConnector>, SdkBody>);

impl Http {
    fn new(tls: TlsConnector) -> Self {
        let mut tcp = TcpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT));
        let https = HttpsConnector::from((tcp, tls.into()));
        let client =
            Client::builder(TokioExecutor::new()).pool_idle_timeout(IDLE).pool_timer(TokioTimer::new()).build(https);
        Self(client)
    }

    async fn request(self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let request = request.try_into_http1x().map_err(|e| ConnectorError::user(e.into()))?;
        let response = self.0.request(request).await.map_err(|e| ConnectorError::io(e.into()))?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, MAX_ANSWER).collect().await.map_err(ConnectorError::io)?.to_bytes();
        let response = http::Response::from_parts(head, SdkBody::from(body));
        HttpResponse::try_from(response).map_err(|e| ConnectorError::other(e.into(), None))
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Http")
    }
}

impl HttpConnector for Http {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(self.clone().request(request))
    }
}

impl HttpClient for Http {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}
