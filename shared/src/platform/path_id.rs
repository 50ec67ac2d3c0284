//! Other systems' ids in URL paths.
//!
//! A provider's id is any visible ASCII, and some of that has a meaning in a path: `order/17?1`, `a%2Fb`, `..`.
//! Gateways also differ: AWS passes path parameters on percent-encoded, as they were sent, and others decode them
//! first. So each id has a form that no client encodes and no gateway changes.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use percent_encoding::percent_decode_str;

/// The prefix of an encoded id. A plain id contains no dot.
const ENCODED: &str = "b64.";

/// Whether an id survives encoding and decoding unchanged and has no meaning in a path.
fn is_plain(id: &str) -> bool {
    id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// Writes an id for a path: the id itself if it has only `[A-Za-z0-9_-]`, otherwise `b64.` and its base64url.
pub(crate) fn write(id: &str) -> String {
    if is_plain(id) { id.to_owned() } else { format!("{ENCODED}{}", URL_SAFE_NO_PAD.encode(id)) }
}

/// The ids that a path segment may mean, likeliest first. A segment that [`write`] made means one id. Any other is
/// taken first as percent-encoded, as AWS passes it on, and then as it is.
pub(crate) fn read(segment: &str) -> Vec<String> {
    if let Some(encoded) = segment.strip_prefix(ENCODED) {
        let id = URL_SAFE_NO_PAD.decode(encoded).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        return id.filter(|id| !is_plain(id)).into_iter().collect();
    }
    let decoded = percent_decode_str(segment).decode_utf8().map(String::from);
    let mut ids: Vec<_> = decoded.into_iter().chain([segment.to_owned()]).collect();
    ids.dedup();
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_id_survives_every_gateway() {
        for id in
            ["pi_1", "order/17?1", "a%2Fb", "a/b", ".", "..", "b64.", "b64.YQ", "%", "%zz", "a+b", "a&b#c;d=e", "~"]
        {
            let written = write(id);
            assert!(written.bytes().all(|b| is_plain(&written) || b == b'.' || is_plain(&(b as char).to_string())));
            assert_eq!(percent_decode_str(&written).decode_utf8().unwrap(), written, "{id}");
            assert_eq!(read(&written), [id], "{id}");
        }
    }

    #[test]
    fn a_percent_encoded_id_is_decoded_once() {
        assert_eq!(read("order%2F17%3F1"), ["order/17?1", "order%2F17%3F1"]);
        assert_eq!(read("a%252Fb"), ["a%2Fb", "a%252Fb"]);
        assert_eq!(read("%70i_1"), ["pi_1", "%70i_1"]);
        assert_eq!(read("pi.1"), ["pi.1"]);
        assert_eq!(read("a/b"), ["a/b"]);
    }

    #[test]
    fn an_encoded_form_that_write_does_not_make_means_nothing() {
        // A plain id has no encoded form, and base64 has only one spelling.
        for segment in ["b64.cGlfMQ", "b64.", "b64.a", "b64.YS9i=", "b64.YS9j/", "b64.YS8j\u{e9}"] {
            assert!(read(segment).iter().all(|id| id.is_empty()), "{segment}");
        }
        assert!(read("b64.YS9").is_empty());
    }
}
