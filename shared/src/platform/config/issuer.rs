//! The issuer whose access tokens are accepted.

use super::{Invalid, Reader, Source};
use crate::platform::fetch::SafeUrl;

impl<S: Source> Reader<'_, S> {
    /// `OIDC_ISSUER` and `OIDC_AUDIENCE`: the issuer whose access tokens are accepted, and their audience. If neither
    /// is set, no token is accepted. `OIDC_SCOPE_PREFIX`: the issuer's prefix of our scopes, empty unless set.
    pub fn issuer(&mut self) -> Option<Option<Issuer>> {
        let (url, audience) = match (self.source.get("OIDC_ISSUER"), self.source.get("OIDC_AUDIENCE")) {
            (None, None) => return Some(None),
            (Some(url), Some(audience)) => (url, audience),
            (Some(_), None) => return self.fault("OIDC_AUDIENCE must be set with OIDC_ISSUER.".into()),
            (None, Some(_)) => return self.fault("OIDC_ISSUER must be set with OIDC_AUDIENCE.".into()),
        };
        let scope_prefix = self.source.get("OIDC_SCOPE_PREFIX").unwrap_or_default();
        match Issuer::new(&url, &audience, scope_prefix) {
            Ok(issuer) => Some(Some(issuer)),
            Err(invalid) => self.fault(format!("OIDC_ISSUER, OIDC_AUDIENCE: {invalid}.")),
        }
    }
}

/// The issuer whose access tokens are accepted, and their audiences.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// Without a trailing slash.
    url: String,
    discovery: SafeUrl,
    audiences: Vec<String>,
    scope_prefix: String,
}

impl Issuer {
    /// An issuer with an `https` URL, or an `http` URL on loopback. A trailing slash is ignored, since the names of
    /// some issuers have one and people often leave it out. `audience` is one audience, or several separated by commas.
    ///
    /// # Errors
    /// The URL has another scheme, or more than scheme, host, port and path; or an audience is empty, which would
    /// accept every token.
    pub fn new(url: &str, audience: &str, scope_prefix: String) -> Result<Self, Invalid> {
        if url.contains(['?', '#']) {
            return Err(Invalid::new("must have no query and no fragment"));
        }
        SafeUrl::try_from(url)?;
        let url = url.strip_suffix('/').unwrap_or(url).to_owned();
        let discovery = SafeUrl::try_from(format!("{url}/.well-known/openid-configuration").as_str())?;
        let audiences: Vec<_> = audience.split(',').map(|audience| audience.trim().to_owned()).collect();
        if audiences.iter().any(String::is_empty) {
            return Err(Invalid::new("an audience must not be empty"));
        }
        Ok(Self { url, discovery, audiences, scope_prefix })
    }

    /// Whether this is the issuer's name.
    pub fn is(&self, name: &str) -> bool {
        name.strip_suffix('/').unwrap_or(name) == self.url
    }

    /// The names that its tokens may use for it: without and with a trailing slash.
    pub fn names(&self) -> [String; 2] {
        [self.url.clone(), format!("{}/", self.url)]
    }

    /// Whether a token for this audience, or of this client, is meant for us.
    pub fn is_audience(&self, name: &str) -> bool {
        self.audiences.iter().any(|audience| audience == name)
    }

    /// Removes our prefix from a scope of a token. `None` for a scope without the prefix, which belongs to another API.
    pub fn own_scope<'a>(&self, word: &'a str) -> Option<&'a str> {
        word.strip_prefix(self.scope_prefix.as_str())
    }

    /// The URL of its OpenID Connect Discovery document.
    pub fn discovery(&self) -> &SafeUrl {
        &self.discovery
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_needs_an_audience_and_tls() {
        let read = |url: &str, audience: &str| {
            let source = |name: &str| match name {
                "OIDC_ISSUER" => Some(url.to_owned()),
                "OIDC_AUDIENCE" => Some(audience.to_owned()),
                _ => None,
            };
            let mut reader = Reader::new(&source);
            let issuer = reader.issuer();
            reader.finish(issuer)
        };
        assert_eq!(read("", ""), Ok(None));
        for good in ["https://id.example", "https://id.example/", "https://id.example:8443/a/b/", "http://127.0.0.1:80"]
        {
            let issuer = read(good, "boxoffice").unwrap().unwrap();
            assert!(issuer.is(good) && issuer.is(good.trim_end_matches('/')), "{good}");
            assert!(!issuer.is("https://other.example") && !issuer.is(&format!("{good}//")), "{good}");
            assert!(issuer.names().contains(&good.to_owned()), "{good}");
            assert_eq!(
                issuer.discovery().to_string(),
                format!("{}/.well-known/openid-configuration", issuer.names()[0])
            );
        }
        for (url, audience) in [
            ("", "boxoffice"),
            ("https://id.example", ""),
            ("http://id.example", "boxoffice"),
            ("id.example", "boxoffice"),
            ("https://", "boxoffice"),
            ("https://id.example?x=1", "boxoffice"),
            ("https://id.example/#x", "boxoffice"),
            ("https://user:s3cret@id.example", "boxoffice"),
            ("https://id.example", "boxoffice,"),
            ("https://id.example", ",boxoffice"),
            ("https://id.example", "box,,office"),
        ] {
            let faults = read(url, audience).unwrap_err().to_string();
            assert!(faults.contains("OIDC_") && !faults.contains("s3cret"), "{url} {audience}: {faults}");
        }
    }

    #[test]
    fn several_audiences_and_a_scope_prefix_are_accepted() {
        let issuer = Issuer::new("https://id.example", "web, mobile", "boxoffice/".to_owned()).unwrap();
        assert!(issuer.is_audience("web") && issuer.is_audience("mobile"));
        assert!(!issuer.is_audience("web, mobile") && !issuer.is_audience(""));
        assert_eq!(issuer.own_scope("boxoffice/shows:write"), Some("shows:write"));
        assert_eq!(issuer.own_scope("shows:write"), None);
        assert_eq!(issuer.own_scope("other/shows:write"), None);
        assert_eq!(Issuer::new("https://id.example", "web", String::new()).unwrap().own_scope("a:b"), Some("a:b"));
    }
}
