//! What API Gateway asks an authorizer of the type `REQUEST`.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::bearer::Headers;

/// A request that is to be allowed or not: what we look at of it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Request {
    pub(super) method_arn: String,
    pub(super) http_method: String,
    /// The route as the template names it.
    pub(super) resource: String,
    #[serde(default)]
    multi_value_headers: Option<Headers>,
    #[serde(default)]
    headers: Option<BTreeMap<String, String>>,
}

impl Request {
    /// The headers with all their values.
    pub(super) fn headers(self) -> Headers {
        let single = |headers: BTreeMap<_, _>| headers.into_iter().map(|(name, value)| (name, vec![value])).collect();
        self.multi_value_headers.or_else(|| self.headers.map(single)).unwrap_or_default()
    }
}
