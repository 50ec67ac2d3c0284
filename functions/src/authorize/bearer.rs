//! The token in the `Authorization` header.

use std::collections::BTreeMap;

use super::refused::Refused;

/// The maximum length of a token, in bytes. API Gateway accepts 10,240 bytes of headers in total.
const MAX_TOKEN: usize = 8 * 1024;

/// Headers with all their values, under the names that the client sent.
pub(super) type Headers = BTreeMap<String, Vec<String>>;

/// The token of `Authorization: Bearer <token>`; `None` if there is no such header.
///
/// # Errors
/// There are several, or it is something else.
pub(super) fn token(headers: &Headers) -> Result<Option<&str>, Refused> {
    let named = headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("authorization"));
    let mut values = named.flat_map(|(_, values)| values);
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => of_value(value).map(Some),
        (Some(_), Some(_)) => Err(Refused::SeveralHeaders),
    }
}

fn of_value(value: &str) -> Result<&str, Refused> {
    let (scheme, token) = value.split_once(' ').ok_or(Refused::NotBearer)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Refused::NotBearer);
    }
    if token.len() > MAX_TOKEN {
        return Err(Refused::TooLong);
    }
    // Base64url and dots only, so there is no white space and no second token after a comma.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if token.is_empty() || !token.bytes().all(plain) { Err(Refused::NotBearer) } else { Ok(token) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[(&str, &[&str])]) -> Headers {
        let owned = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
        values.iter().map(|(name, values)| ((*name).to_owned(), owned(values))).collect()
    }

    #[test]
    fn one_header_has_one_token() {
        assert_eq!(token(&headers(&[])), Ok(None));
        assert_eq!(token(&headers(&[("X-Authorization", &["Bearer a.b.c"]), ("authorization", &[])])), Ok(None));
        for name in ["Authorization", "authorization", "AUTHORIZATION"] {
            for value in ["Bearer a-b.c_d.e", "bearer a-b.c_d.e", "BEARER a-b.c_d.e"] {
                assert_eq!(token(&headers(&[(name, &[value])])), Ok(Some("a-b.c_d.e")), "{name}: {value}");
            }
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for bad in [
            "",
            "Bearer",
            "Bearer ",
            "Bearer  a.b.c",
            " Bearer a.b.c",
            "Bearer a.b.c ",
            "Bearer a.b. c",
            "Bearer a.b\t.c",
            "Bearer\ta.b.c",
            "Bearer a.b.c\r\nX: y",
            "Bearer a.b.c, Bearer d.e.f",
            "Bearer a.b.c=",
            "Bearer \u{e4}.b.c",
            "Basic a.b.c",
            "DPoP a.b.c",
            "a.b.c",
        ] {
            assert_eq!(token(&headers(&[("Authorization", &[bad])])), Err(Refused::NotBearer), "{bad:?}");
        }
        let longest = format!("Bearer {}", "a".repeat(MAX_TOKEN));
        assert!(token(&headers(&[("Authorization", &[&longest])])).is_ok());
        let longer = format!("{longest}a");
        assert_eq!(token(&headers(&[("Authorization", &[&longer])])), Err(Refused::TooLong));
    }

    #[test]
    fn two_headers_are_refused_even_if_they_are_the_same() {
        let good = "Bearer a.b.c";
        assert_eq!(token(&headers(&[("Authorization", &[good, good])])), Err(Refused::SeveralHeaders));
        let spelt = headers(&[("Authorization", &[good]), ("authorization", &[good])]);
        assert_eq!(token(&spelt), Err(Refused::SeveralHeaders));
        assert_eq!(token(&headers(&[("Authorization", &["", good])])), Err(Refused::SeveralHeaders));
    }
}
