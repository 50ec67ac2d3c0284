//! `webhook-id`, `webhook-timestamp` and `webhook-signature`.

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use boxoffice_functions::webhooks::{
    Refused,
    standard::{self, Headers},
};

use crate::{
    line,
    signature::{NOW, hmac, is_in_time, now},
};

/// The secret of the published vector.
const SECRET: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Input: lines of the id, the timestamp and the signature, then the body.
pub fn standard_signature(data: &[u8]) {
    let Some((id, rest)) = line(data) else { return };
    let Some((timestamp, rest)) = line(rest) else { return };
    let Some((signature, body)) = line(rest) else { return };
    let keys = standard::keys(&format!("whsec_{SECRET}")).expect("a list of one secret");
    let verify = |headers: Headers<'_>, body: &[u8]| standard::verify(headers, body, &keys, now());

    // Verified headers have an id, a recent time, and a signature of the id, the time and the body.
    let headers = Headers { id, timestamp, signature };
    if let Ok(signed_at) = verify(headers, body) {
        assert!(!id.is_empty() && is_in_time(timestamp, signed_at), "{headers:?}");
        let ours = sign(id, timestamp, body);
        assert!(signature.split(' ').any(|part| part.trim_end_matches('=') == ours), "forged: {headers:?}");
        let other = format!("{id}x");
        let verdict = standard::verify(Headers { id: &other, ..headers }, body, &keys, now());
        assert_eq!(verdict, Err(Refused::NoMatch), "{headers:?}");
        assert_eq!(verify(headers, &[body, b" "].concat()), Err(Refused::NoMatch), "{headers:?}");
    }

    // A signature made with our key verifies, whatever follows it, if there is an id.
    let signed = format!("{} {signature}", sign(id, &NOW.to_string(), body));
    let verdict = verify(Headers { id, timestamp: &NOW.to_string(), signature: &signed }, body);
    assert_eq!(verdict, if id.is_empty() { Err(Refused::Malformed) } else { Ok(now()) }, "{id:?} {signed:?}");
}

/// Signs without padding; senders write both forms.
fn sign(id: &str, timestamp: &str, body: &[u8]) -> String {
    let key = STANDARD_NO_PAD.decode(SECRET).expect("it is base64");
    let parts: [&[u8]; 5] = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body];
    format!("v1,{}", STANDARD_NO_PAD.encode(hmac(&key, &parts)))
}
