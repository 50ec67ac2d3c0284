//! The event that API Gateway makes of a request (REST API, proxy integration).
//!
//! `lambda_http` builds a URL from the request's `Host`, `X-Forwarded-Proto`, path and query, and panics if it is not valid. So
//! a header could cause a 502. Here, everything that a client sends stays text.

use std::{collections::BTreeMap, net::IpAddr};

use base64::{Engine, engine::general_purpose::STANDARD};
use boxoffice_shared::Invalid;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::{Problem, problem::Fault};

/// A request as the gateway passed it on, not yet interpreted.
#[derive(Debug)]
pub struct Request {
    event: Event,
    body: Vec<u8>,
}

impl Request {
    /// Reads the request in an event. It never panics, whatever a client sent.
    ///
    /// # Errors
    /// It is not an event of a REST API, or its body is not valid base64.
    pub fn read(event: &str) -> Result<Self, Problem> {
        let unreadable = |_| {
            let fault = Fault::parameter("request", &Invalid::new("cannot be read"));
            Problem::InvalidRequest(vec![fault])
        };
        let mut event: Event = serde_json::from_str(event).map_err(|error| unreadable(error.to_string()))?;
        let body = std::mem::take(&mut event.body);
        let body = match event.is_base64_encoded {
            true => STANDARD.decode(body).map_err(|error| unreadable(error.to_string()))?,
            false => body.into_bytes(),
        };
        Ok(Self { event, body })
    }

    /// The method; `GET` for `HEAD`, which does the same. See [`is_head`](Self::is_head).
    pub(crate) fn method(&self) -> &str {
        if self.is_head() { "GET" } else { &self.event.http_method }
    }

    /// Whether the client wants the headers only.
    pub(crate) fn is_head(&self) -> bool {
        self.event.http_method == "HEAD"
    }

    /// The route's path, as in the template: `/shows/{show_id}`.
    pub(crate) fn resource(&self) -> &str {
        &self.event.request_context.resource_path
    }

    /// The path as the client sent it, with the base path of a custom domain.
    pub(crate) fn path(&self) -> &str {
        &self.event.path
    }

    /// A path parameter. It is percent-encoded, as it was sent.
    pub(crate) fn path_parameter(&self, name: &str) -> Option<&str> {
        self.event.path_parameters.get(name)?.as_deref()
    }

    /// All values of a query parameter.
    pub(crate) fn query(&self, name: &str) -> Vec<&str> {
        if let Some(values) = self.event.multi_value_query_string_parameters.get(name) {
            return values.iter().flatten().map(String::as_str).collect();
        }
        self.event.query_string_parameters.get(name).and_then(Option::as_deref).into_iter().collect()
    }

    /// The names of all query parameters.
    pub(crate) fn query_names(&self) -> impl Iterator<Item = &str> {
        let (single, multi) = (&self.event.query_string_parameters, &self.event.multi_value_query_string_parameters);
        single.keys().filter(|name| !multi.contains_key(*name)).chain(multi.keys()).map(String::as_str)
    }

    /// All values of a header; the case of its name does not matter. The event has all values in one place, and the last in another.
    pub(crate) fn headers(&self, name: &str) -> Vec<&str> {
        let is_it = |known: &str| known.eq_ignore_ascii_case(name);
        let multi = self.event.multi_value_headers.iter().filter(|(known, _)| is_it(known));
        let mut values: Vec<_> =
            multi.filter_map(|(_, values)| values.as_deref()).flatten().map(String::as_str).collect();
        for value in
            self.event.headers.iter().filter(|(known, _)| is_it(known)).filter_map(|(_, value)| value.as_deref())
        {
            if values.last() != Some(&value) {
                values.push(value);
            }
        }
        values
    }

    /// The bytes of the body.
    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }

    /// A value that the authorizer added, if the route has one.
    pub(crate) fn told(&self, name: &str) -> Option<&str> {
        self.event.request_context.authorizer.get(name)?.as_str()
    }

    /// The id of the API key. It is there only if the route requires a key, which the gateway then checks.
    pub(crate) fn api_key_id(&self) -> Option<&str> {
        self.event.request_context.identity.api_key_id.as_deref()
    }

    /// The address that the gateway saw.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        self.event.request_context.identity.source_ip.as_deref()?.parse().ok()
    }
}

/// The parts of the event that are read. A part that is `null` counts as missing.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Event {
    #[serde(deserialize_with = "or_default")]
    http_method: String,
    #[serde(deserialize_with = "or_default")]
    path: String,
    #[serde(deserialize_with = "or_default")]
    headers: BTreeMap<String, Option<String>>,
    #[serde(deserialize_with = "or_default")]
    multi_value_headers: BTreeMap<String, Option<Vec<String>>>,
    #[serde(deserialize_with = "or_default")]
    query_string_parameters: BTreeMap<String, Option<String>>,
    #[serde(deserialize_with = "or_default")]
    multi_value_query_string_parameters: BTreeMap<String, Option<Vec<String>>>,
    #[serde(deserialize_with = "or_default")]
    path_parameters: BTreeMap<String, Option<String>>,
    #[serde(deserialize_with = "or_default")]
    body: String,
    #[serde(deserialize_with = "or_default")]
    is_base64_encoded: bool,
    #[serde(deserialize_with = "or_default")]
    request_context: Context,
}

/// What the gateway adds to the request. A client can change nothing of it but the path.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Context {
    /// The route's path, as in the template: `/shows/{show_id}`.
    #[serde(deserialize_with = "or_default")]
    resource_path: String,
    #[serde(deserialize_with = "or_default")]
    identity: Identity,
    /// What the authorizer added. Its values are texts; the gateway's own may not be.
    #[serde(deserialize_with = "or_default")]
    authorizer: BTreeMap<String, Value>,
}

/// The client as the gateway saw it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Identity {
    source_ip: Option<String>,
    api_key_id: Option<String>,
}

fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
