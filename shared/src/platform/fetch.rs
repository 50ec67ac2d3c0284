//! Fetches small documents from servers outside our control: a token issuer's discovery document and keys.

use std::{fmt, net::IpAddr, time::Duration};

use bytes::Bytes;
use http::{Request, StatusCode, Uri, header, uri::Scheme};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_tls::HttpsConnector;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use native_tls::TlsConnector;
use tokio::time::timeout;

use crate::{
    Invalid,
    platform::{Cause, aws::http_client_within, deadline},
};

/// The time limit of a request, from the DNS lookup to the last byte. A distant server takes half a second, with TLS.
const WAIT: Duration = Duration::from_secs(2);

/// The largest response that is read, in bytes. Those of large issuers have 2 to 10 KiB.
const MAX_ANSWER: usize = 64 * 1024;

/// A URL whose response nobody on the network can change: `https`, or `http` on loopback. It has no user name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SafeUrl(Uri);

impl TryFrom<&str> for SafeUrl {
    type Error = Invalid;

    fn try_from(text: &str) -> Result<Self, Invalid> {
        let refused = || Invalid::new("must be an https URL, or an http URL on loopback, without a user");
        let uri: Uri = text.parse().map_err(|_| refused())?;
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(refused)?;
        let names_a_user = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
        let safe = uri.scheme() == Some(&Scheme::HTTPS) || uri.scheme() == Some(&Scheme::HTTP) && is_loopback(host);
        if safe && !names_a_user { Ok(Self(uri)) } else { Err(refused()) }
    }
}

impl fmt::Display for SafeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// A client that fetches documents. Clones share its connections.
#[derive(Clone, Debug)]
pub struct Web(Client<HttpsConnector<HttpConnector>, Empty<Bytes>>);

impl Web {
    /// Creates a client without open connections.
    pub fn new(tls: &TlsConnector) -> Self {
        Self(http_client_within(WAIT, tls))
    }

    /// Fetches a document of at most 64 KiB, in at most 2 s.
    ///
    /// # Errors
    /// There is no document, or it exceeds the size or the time. Redirects are not followed, since they could lead
    /// anywhere.
    pub async fn get(&self, url: &SafeUrl) -> Result<Bytes, Cause> {
        let answer = timeout(deadline::bound(WAIT), self.read(url)).await;
        answer.unwrap_or_else(|elapsed| Err(elapsed.into())).map_err(|cause| format!("{url}: {cause}").into())
    }

    async fn read(&self, url: &SafeUrl) -> Result<Bytes, Cause> {
        let request = Request::get(url.0.clone()).header(header::ACCEPT, "application/json").body(Empty::new())?;
        let response = self.0.request(request).await?;
        if response.status() != StatusCode::OK {
            return Err(format!("the server answered {}", response.status()).into());
        }
        Ok(Limited::new(response.into_body(), MAX_ANSWER).collect().await?.to_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_safe_url_is_https_or_on_loopback() {
        for good in [
            "https://id.example/keys?v=1",
            "https://10.0.0.1",
            "http://127.0.0.1:1/x",
            "http://127.9.9.9",
            "http://[::1]:80/",
            "http://localhost/keys",
        ] {
            assert!(SafeUrl::try_from(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "/keys",
            "id.example",
            "http://id.example",
            "http://169.254.169.254/latest",
            "http://127.0.0.1.evil.example",
            "http://127.0.0.1@evil.example",
            "https://user@id.example",
            "ftp://127.0.0.1",
            "file:///etc/passwd",
            "https://",
            "https:///keys",
        ] {
            assert!(SafeUrl::try_from(bad).is_err(), "{bad}");
        }
    }
}
