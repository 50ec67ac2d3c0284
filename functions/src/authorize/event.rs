//! The event of an authorizer of type `REQUEST`.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::bearer::Headers;

/// The parts of the event that are read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Request {
    pub(super) method_arn: String,
    pub(super) http_method: String,
    /// The route's path, as in the template.
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
