//! AWS clients on the same TLS stack as the database.
//!
//! The SDK's own HTTP clients bring rustls and AWS-LC: a second TLS stack, 4 MB more and minutes of build time.

use std::{env, fmt, time::Duration};

use aws_config::{BehaviorVersion, Region, SdkConfig, environment::EnvironmentVariableCredentialsProvider};
use aws_credential_types::Credentials;
use aws_sdk_sqs::config::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_runtime_api::client::{
    http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
    runtime_components::RuntimeComponents,
};
use aws_smithy_types::body::SdkBody;
use http::{Request, Uri};
use http_body_util::{BodyExt, Limited};
use hyper_tls::HttpsConnector;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector as TcpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use native_tls::TlsConnector;
use tokio::time::timeout;

use crate::platform::Cause;

/// The time limit for a TCP connection. Within a region it takes about a millisecond.
const CONNECT: Duration = Duration::from_millis(500);

/// The time limit for opening a connection ahead of the first call.
const WARM: Duration = Duration::from_secs(1);

/// How long an idle connection is kept. SQS closes its side after about 60 s.
const IDLE: Duration = Duration::from_secs(50);

/// The largest response that is read, in bytes. A batch of ten messages or a secret is far smaller.
const MAX_ANSWER: usize = 1 << 20;

/// Loads region, credentials and endpoint from the environment, where Lambda puts them, and adds our HTTP client.
///
/// In a Lambda the SDK's own search would find the same values. But the files, metadata services and token exchanges
/// that it also searches make each binary 2 MB larger.
pub fn load(tls: &TlsConnector) -> Aws {
    let http = Http(http_client(tls));
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .credentials_provider(SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new()))
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .http_client(http.clone());
    config.set_region(environment("AWS_REGION").or_else(|| environment("AWS_DEFAULT_REGION")).map(Region::new));
    config.set_endpoint_url(environment("AWS_ENDPOINT_URL"));
    Aws { config: config.build(), http }
}

/// The settings of AWS clients, and the HTTP connections that the clients share.
#[derive(Clone, Debug)]
pub struct Aws {
    pub(crate) config: SdkConfig,
    http: Http,
}

impl Aws {
    /// Opens a connection to a service ahead of the first call, which then need not wait for TCP and TLS. Takes at most
    /// 1 s; if it fails, the first call opens the connection.
    pub(crate) async fn warm(&self, url: &str) {
        // SQS answers this path without a signature.
        let ping = url.parse::<Uri>().ok().and_then(|url| {
            let at = Uri::builder().scheme(url.scheme_str()?).authority(url.authority()?.as_str());
            Request::get(at.path_and_query("/ping").build().ok()?).body(SdkBody::empty()).ok()
        });
        let Some(ping) = ping else { return };
        let answer =
            timeout(WARM, async { self.http.0.request(ping).await?.into_body().collect().await.map_err(Cause::from) });
        if !matches!(answer.await, Ok(Ok(_))) {
            tracing::debug!(url, "could not open a connection ahead of the first call; that call opens it");
        }
    }
}

/// The value of an environment variable. An empty value counts as unset.
pub(crate) fn environment(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// The credentials that Lambda puts in the environment.
pub(crate) fn credentials() -> Result<Credentials, Cause> {
    let required = |name: &str| environment(name).ok_or_else(|| Cause::from(format!("{name} is not set")));
    Ok(Credentials::new(
        required("AWS_ACCESS_KEY_ID")?,
        required("AWS_SECRET_ACCESS_KEY")?,
        environment("AWS_SESSION_TOKEN"),
        None,
        "environment",
    ))
}

/// Builds an HTTP client on hyper and native-tls, with a connection pool.
pub(crate) fn http_client<B>(tls: &TlsConnector) -> Client<HttpsConnector<TcpConnector>, B>
where
    B: http_body::Body + Send,
    B::Data: Send,
{
    http_client_within(CONNECT, tls)
}

/// As [`http_client`], with its own connect timeout, for servers that may be far away.
pub(crate) fn http_client_within<B>(connect: Duration, tls: &TlsConnector) -> Client<HttpsConnector<TcpConnector>, B>
where
    B: http_body::Body + Send,
    B::Data: Send,
{
    let mut tcp = TcpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(connect));
    let https = HttpsConnector::from((tcp, tls.clone().into()));
    Client::builder(TokioExecutor::new()).pool_idle_timeout(IDLE).pool_timer(TokioTimer::new()).build(https)
}

/// An HTTP client for the SDK, on hyper and native-tls.
#[derive(Clone)]
struct Http(Client<HttpsConnector<TcpConnector>, SdkBody>);

impl Http {
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
