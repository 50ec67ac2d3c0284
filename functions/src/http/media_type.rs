//! Checks `Content-Type` and `Content-Encoding` of a body.

use super::{Problem, Request};

const NOT_JSON: Problem = Problem::UnsupportedMediaType("The Content-Type must be application/json.");
const NOT_UTF_8: Problem =
    Problem::UnsupportedMediaType("The body must be in UTF-8. If the Content-Type has a charset, it must be utf-8.");
const ENCODED: Problem = Problem::UnsupportedMediaType("The body must have no Content-Encoding.");

/// Checks that the body is JSON in UTF-8 without an encoding, by its headers.
///
/// JSON between systems is UTF-8 (RFC 8259) and has no `charset` parameter. But a client that sends another charset than UTF-8
/// probably uses it, and its body would be misread.
///
/// # Errors
/// The headers say something else, or contradict each other.
pub(super) fn check(request: &Request) -> Result<(), Problem> {
    let types = request.headers("content-type");
    if types.is_empty() {
        return Err(NOT_JSON);
    }
    types.into_iter().try_for_each(check_type)?;
    let is_plain = |value: &&str| value.split(',').all(|coding| coding.trim().eq_ignore_ascii_case("identity"));
    if request.headers("content-encoding").iter().all(is_plain) { Ok(()) } else { Err(ENCODED) }
}

fn check_type(value: &str) -> Result<(), Problem> {
    let (essence, parameters) = value.split_once(';').unwrap_or((value, ""));
    if !essence.trim().eq_ignore_ascii_case("application/json") {
        return Err(NOT_JSON);
    }
    let mut charsets = Vec::new();
    let mut rest = Some(parameters);
    while let Some(text) = rest {
        let (parameter, more) = parameter(text).ok_or(NOT_JSON)?;
        charsets.extend(parameter.filter(|(name, _)| name.eq_ignore_ascii_case("charset")).map(|(_, value)| value));
        rest = more;
    }
    match charsets.as_slice() {
        [] => Ok(()),
        [charset] if ["utf-8", "utf8"].iter().any(|utf_8| charset.eq_ignore_ascii_case(utf_8)) => Ok(()),
        _ => Err(NOT_UTF_8),
    }
}

/// A name, and its value without quotes.
type Parameter<'a> = Option<(&'a str, String)>;

/// The first parameter of a list, and the rest after its semicolon, if there is one. By RFC 9110, 5.6.6, a parameter may be empty,
/// and its value is a token or a quoted string. `None` if it is invalid.
fn parameter(text: &str) -> Option<(Parameter<'_>, Option<&str>)> {
    let text = text.trim_start_matches([' ', '\t']);
    let end = text.find(|c: char| !is_token(c)).unwrap_or(text.len());
    let (name, text) = text.split_at(end);
    let Some(text) = text.strip_prefix('=') else {
        return if name.is_empty() { Some((None, after(text)?)) } else { None };
    };
    if name.is_empty() {
        return None;
    }
    let (value, text) = match text.strip_prefix('"') {
        Some(text) => quoted(text)?,
        None => {
            let end = text.find(|c: char| !is_token(c)).unwrap_or(text.len());
            let (value, text) = text.split_at(end);
            if value.is_empty() {
                return None;
            }
            (value.to_owned(), text)
        }
    };
    Some((Some((name, value)), after(text)?))
}

/// The rest after the semicolon that ends a parameter; `Some(None)` at the end of the list.
fn after(text: &str) -> Option<Option<&str>> {
    let text = text.trim_start_matches([' ', '\t']);
    if text.is_empty() { Some(None) } else { text.strip_prefix(';').map(Some) }
}

/// A quoted string whose first quote was removed, and the rest after its last quote.
fn quoted(text: &str) -> Option<(String, &str)> {
    let (mut value, mut characters) = (String::new(), text.char_indices());
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(characters.next()?.1),
            _ => value.push(character),
        }
    }
    None
}

fn is_token(character: char) -> bool {
    character.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(character)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn told(headers: &Value) -> Result<(), Problem> {
        check(&Request::read(&json!({ "multiValueHeaders": headers }).to_string()).unwrap())
    }

    #[test]
    fn utf_8_is_accepted_in_every_spelling() {
        for value in [
            "application/json",
            "Application/JSON",
            " application/json ",
            "application/json;",
            "application/json; ; charset=utf-8;",
            "application/json;charset=UTF-8",
            "application/json; charset=utf8",
            "application/json; charset=\"utf-8\"",
            "application/json ; CHARSET=\"U\\TF-8\" ; x=1",
            "application/json; x=\"a;charset=latin1\"",
            "application/json; version=1",
        ] {
            assert!(told(&json!({ "CONTENT-TYPE": [value] })).is_ok(), "{value}");
        }
    }

    #[test]
    fn other_charsets_are_not_supported() {
        for charset in [
            "iso-8859-1",
            "ISO-8859-1",
            "\"iso-8859-1\"",
            "latin1",
            "windows-1252",
            "us-ascii",
            "utf-16",
            "utf-16le",
            "utf-32",
            "utf-7",
            "utf_8",
            "utf-8x",
            "\"\"",
            "\"utf-8 \"",
            "cesu-8",
            "shift_jis",
            "gb18030",
        ] {
            let value = format!("application/json; x=1; Charset={charset}");
            let problem = told(&json!({ "content-type": [value] })).unwrap_err();
            assert!(problem.document()["detail"].as_str().unwrap().contains("UTF-8"), "{charset}");
        }
    }

    #[test]
    fn repeated_or_invalid_media_types_are_not_supported() {
        for value in [
            "application/json; charset=utf-8; charset=iso-8859-1",
            "application/json; charset=iso-8859-1; charset=utf-8",
            "application/json; charset=utf-8; charset=utf-8",
            "application/json; charset",
            "application/json; charset=",
            "application/json; =utf-8",
            "application/json; charset =utf-8",
            "application/json; charset= utf-8",
            "application/json; charset=utf-8 x",
            "application/json; charset=\"utf-8",
            "application/json; charset=\"utf-8\\",
            "application/json; charset='utf-8'",
            "application/json, application/json",
            "application/json charset=utf-8",
            "text/json",
            "application/jsonx",
            "application/vnd.api+json",
            "",
        ] {
            let problem = told(&json!({ "content-type": [value] })).unwrap_err();
            assert_eq!(problem.status(), 415, "{value}");
        }
        let problem = told(&json!({ "content-type": ["application/json", "application/json; charset=latin1"] }));
        assert_eq!(problem.unwrap_err().status(), 415);
        assert_eq!(told(&json!({})).unwrap_err().status(), 415);
    }

    #[test]
    fn a_content_encoding_is_not_supported() {
        let json = ["application/json"];
        for coding in
            ["gzip", "x-gzip", "deflate", "br", "zstd", "compress", "identity, gzip", "gzip, identity", "", "*"]
        {
            let problem = told(&json!({ "content-type": json, "Content-Encoding": [coding] })).unwrap_err();
            assert_eq!(problem.status(), 415, "{coding}");
        }
        assert!(told(&json!({ "content-type": json, "content-encoding": ["identity"] })).is_ok());
    }
}
