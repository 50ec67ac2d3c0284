//! Webhook signatures: vectors made by other programs, and near misses.

use boxoffice_functions::webhooks::{
    Keys, Refused,
    standard::{self, Headers},
    stripe,
};
use jiff::{SignedDuration, Timestamp};

/// By `printf '%s' '1700000000.{...}' | openssl dgst -sha256 -hmac whsec_boxoffice_test_vector`.
const SECRET: &str = "whsec_boxoffice_test_vector";
const BODY: &[u8] = br#"{"id":"evt_1","object":"event"}"#;
const AT: i64 = 1_700_000_000;
const V1: &str = "acfedc23a2800923c44f1fc0ddacbd08d9cc96f9d081e508285779397c307cf8";
const OTHER: &str = "bcfedc23a2800923c44f1fc0ddacbd08d9cc96f9d081e508285779397c307cf8";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

fn keys() -> Keys {
    stripe::keys(SECRET).unwrap()
}

/// Verifies the body with this header.
fn verdict(header: &str) -> Result<Timestamp, Refused> {
    stripe::verify(header, BODY, &keys(), at(AT))
}

#[test]
fn valid_stripe_signature_is_accepted() {
    for header in [
        format!("t={AT},v1={V1}"),
        // In any order, and with unknown schemes.
        format!("v1={V1},t={AT}"),
        format!("t={AT},v0={OTHER},v1={V1},v2=x"),
        // During a rotation there are several signatures. One match is enough, and malformed ones are skipped.
        format!("t={AT},v1={OTHER},v1={V1}"),
        format!("t={AT},v1=nonsense,v1={V1}"),
        format!("t={AT},v1=,v1={V1}"),
    ] {
        assert_eq!(verdict(&header), Ok(at(AT)), "{header}");
    }
}

#[test]
fn invalid_stripe_signature_is_refused() {
    for (header, refused) in [
        (String::new(), Refused::Malformed),
        (format!("v1={V1}"), Refused::Malformed),
        (format!("t=,v1={V1}"), Refused::Malformed),
        (format!("t=x,v1={V1}"), Refused::Malformed),
        (format!("t=-{AT},v1={V1}"), Refused::Malformed),
        (format!("t=+{AT},v1={V1}"), Refused::Malformed),
        (format!("t=99999999999999999999,v1={V1}"), Refused::Malformed),
        (format!("t={AT},t={AT},v1={V1}"), Refused::Malformed),
        (format!("t={AT}"), Refused::NoMatch),
        (format!("t={AT},v1="), Refused::NoMatch),
        (format!("t={AT},v1={OTHER}"), Refused::NoMatch),
        (format!("t={AT},v0={V1}"), Refused::NoMatch),
        // A truncated signature, one with a suffix, and one in upper case.
        (format!("t={AT},v1={}", &V1[..62]), Refused::NoMatch),
        (format!("t={AT},v1={V1}00"), Refused::NoMatch),
        (format!("t={AT},v1={}", V1.to_uppercase()), Refused::NoMatch),
        // The time is signed too.
        (format!("t={},v1={V1}", AT + 1), Refused::NoMatch),
        (format!("t=0{AT},v1={V1}"), Refused::NoMatch),
    ] {
        assert_eq!(verdict(&header), Err(refused), "{header}");
    }
}

#[test]
fn stripe_signature_covers_every_byte_of_the_body() {
    let header = format!("t={AT},v1={V1}");
    for place in 0..BODY.len() {
        let mut body = BODY.to_vec();
        body[place] ^= 1;
        assert_eq!(stripe::verify(&header, &body, &keys(), at(AT)), Err(Refused::NoMatch), "byte {place}");
    }
    for body in [&BODY[..BODY.len() - 1], b"", b" {\"id\":\"evt_1\",\"object\":\"event\"}"] {
        assert_eq!(stripe::verify(&header, body, &keys(), at(AT)), Err(Refused::NoMatch));
    }
}

#[test]
fn stripe_signature_is_valid_for_300_seconds_either_way() {
    let header = format!("t={AT},v1={V1}");
    let verdict = |now| stripe::verify(&header, BODY, &keys(), now);
    for seconds in [-300, -1, 0, 1, 300] {
        assert_eq!(verdict(at(AT + seconds)), Ok(at(AT)), "{seconds}");
    }
    assert_eq!(verdict(at(AT + 301)), Err(Refused::TooOld));
    assert_eq!(verdict(at(AT + 300) + SignedDuration::from_nanos(1)), Err(Refused::TooOld));
    assert_eq!(verdict(at(AT - 301)), Err(Refused::FromTheFuture));
    assert_eq!(verdict(Timestamp::MAX), Err(Refused::TooOld));
    assert_eq!(verdict(Timestamp::MIN), Err(Refused::FromTheFuture));
}

#[test]
fn any_configured_secret_verifies() {
    let header = format!("t={AT},v1={V1}");
    for secrets in [format!("whsec_new,{SECRET}"), format!("{SECRET}, whsec_new"), format!("\n{SECRET}\nwhsec_new\n")] {
        let keys = stripe::keys(&secrets).unwrap();
        assert_eq!(stripe::verify(&header, BODY, &keys, at(AT)), Ok(at(AT)), "{secrets}");
    }
    let keys = stripe::keys("whsec_new").unwrap();
    assert_eq!(stripe::verify(&header, BODY, &keys, at(AT)), Err(Refused::NoMatch));
    assert_eq!(stripe::verify(&header, BODY, &[], at(AT)), Err(Refused::NoMatch));
}

#[test]
fn invalid_secrets_are_refused_and_not_shown() {
    let eleven = ["whsec_eA=="; 11].join(",");
    for bad in ["", " , ", "whsec_", "s3cret", "whsec_eA==,s3cret", &eleven] {
        for result in [stripe::keys(bad), standard::keys(bad)] {
            let fault = result.unwrap_err().to_string();
            assert!(!fault.contains("s3cret"), "{fault}");
        }
    }
    assert!(standard::keys("whsec_not*base64").is_err());
    assert_eq!(standard::keys("whsec_eA,whsec_eA==").unwrap().len(), 2);
    assert!(!format!("{:?}", stripe::keys("whsec_s3cret").unwrap()).contains("s3cret"));
}

/// The published vector of Standard Webhooks.
const STANDARD_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const STANDARD_BODY: &[u8] = br#"{"test": 2432232314}"#;
const STANDARD_AT: i64 = 1_614_265_330;
const STANDARD_V1: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
const GOOD: Headers<'_> =
    Headers { id: "msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp: "1614265330", signature: STANDARD_V1 };

fn standard_verdict(headers: Headers<'_>, body: &[u8], now: i64) -> Result<Timestamp, Refused> {
    standard::verify(headers, body, &standard::keys(STANDARD_SECRET).unwrap(), at(now))
}

#[test]
fn published_standard_webhooks_vector_is_accepted() {
    let beside = [
        STANDARD_V1.to_owned(),
        format!("v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc= {STANDARD_V1}"),
        format!("v2,{} {STANDARD_V1}", &STANDARD_V1[3..]),
        format!(
            "v1,* {STANDARD_V1} v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="
        ),
    ];
    for signature in &beside {
        assert_eq!(standard_verdict(Headers { signature, ..GOOD }, STANDARD_BODY, STANDARD_AT), Ok(at(STANDARD_AT)));
    }
    let rotated = standard::keys(&format!("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD,{STANDARD_SECRET}")).unwrap();
    assert!(standard::verify(GOOD, STANDARD_BODY, &rotated, at(STANDARD_AT)).is_ok());
}

#[test]
fn invalid_standard_signature_is_refused() {
    let v2 = STANDARD_V1.replace("v1", "v2");
    let bare = &STANDARD_V1[3..];
    let cases = [
        (Headers { id: "", ..GOOD }, Refused::Malformed),
        (Headers { timestamp: "", ..GOOD }, Refused::Malformed),
        (Headers { timestamp: "1614265330.0", ..GOOD }, Refused::Malformed),
        (Headers { timestamp: "2021-02-25T15:02:10Z", ..GOOD }, Refused::Malformed),
        (Headers { id: "msg_other", ..GOOD }, Refused::NoMatch),
        (Headers { timestamp: "1614265331", ..GOOD }, Refused::NoMatch),
        (Headers { signature: "", ..GOOD }, Refused::NoMatch),
        (Headers { signature: "v1,", ..GOOD }, Refused::NoMatch),
        (Headers { signature: &v2, ..GOOD }, Refused::NoMatch),
        (Headers { signature: bare, ..GOOD }, Refused::NoMatch),
    ];
    for (headers, refused) in cases {
        assert_eq!(standard_verdict(headers, STANDARD_BODY, STANDARD_AT), Err(refused), "{headers:?}");
    }
    let other = standard::keys("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD").unwrap();
    assert_eq!(standard::verify(GOOD, STANDARD_BODY, &other, at(STANDARD_AT)), Err(Refused::NoMatch));
}

#[test]
fn standard_signature_covers_every_byte_and_expires() {
    for place in 0..STANDARD_BODY.len() {
        let mut body = STANDARD_BODY.to_vec();
        body[place] ^= 1;
        assert_eq!(standard_verdict(GOOD, &body, STANDARD_AT), Err(Refused::NoMatch), "byte {place}");
    }
    assert!(standard_verdict(GOOD, STANDARD_BODY, STANDARD_AT + 300).is_ok());
    assert_eq!(standard_verdict(GOOD, STANDARD_BODY, STANDARD_AT + 301), Err(Refused::TooOld));
    assert!(standard_verdict(GOOD, STANDARD_BODY, STANDARD_AT - 300).is_ok());
    assert_eq!(standard_verdict(GOOD, STANDARD_BODY, STANDARD_AT - 301), Err(Refused::FromTheFuture));
}
