//! `Stripe-Signature`.

use boxoffice_functions::webhooks::{Refused, stripe};

use crate::{
    line,
    signature::{NOW, hmac, is_in_time, now},
};

const SECRET: &str = "whsec_fuzz";

/// Input: a line of the header, then the body.
pub fn stripe_signature(data: &[u8]) {
    let Some((header, body)) = line(data) else { return };
    let keys = stripe::keys(SECRET).expect("a list of one secret");

    // A verified header has one time, which is recent, and a signature of that time and this body.
    if let Ok(signed_at) = stripe::verify(header, body, &keys, now()) {
        let times: Vec<_> = header.split(',').filter_map(|element| element.strip_prefix("t=")).collect();
        assert!(matches!(times[..], [text] if is_in_time(text, signed_at)), "{header:?}");
        assert!(header.split(',').any(|element| element == signature(times[0], body)), "forged: {header:?}");
        let changed = [body, b" "].concat();
        assert_eq!(stripe::verify(header, &changed, &keys, now()), Err(Refused::NoMatch), "{header:?}");
    }

    // A signature made with our key verifies, whatever follows it. A second timestamp is refused.
    let others: Vec<_> = header.split(',').filter(|element| !element.starts_with("t=")).collect();
    let signed = format!("t={NOW},{},{}", signature(&NOW.to_string(), body), others.join(","));
    assert_eq!(stripe::verify(&signed, body, &keys, now()), Ok(now()), "{signed:?}");
    assert_eq!(stripe::verify(&format!("{signed},t={NOW}"), body, &keys, now()), Err(Refused::Malformed), "{signed:?}");
}

fn signature(time: &str, body: &[u8]) -> String {
    format!("v1={}", hex::encode(hmac(SECRET.as_bytes(), &[time.as_bytes(), b".", body])))
}
