//! Ambiguous requests, which two servers in a row might read differently. Malformed JSON is in `malformed.rs`.

use std::{process::Command, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use boxoffice_e2e::{
    api::{Answer, Api, Call},
    database::{Database, Seats},
    setting,
    token::{self, mint},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

const GOOD: &str = r#"{"user_name":"Ada","seats":1}"#;

/// The time after which a silent server counts as finished with a partial request.
const PATIENCE: Duration = Duration::from_secs(2);

struct Target {
    api: Api,
    database: Database,
    show_id: i64,
}

impl Target {
    async fn new() -> Self {
        let api = Api::connect();
        let show_id = api.create_show(10).await;
        Self { database: Database::connect().await, api, show_id }
    }

    fn post(&self) -> Call {
        Call::new("POST", &format!("/shows/{}/bookings", self.show_id))
    }

    async fn refuses(&self, what: &str, call: Call) -> Answer {
        let answer = self.api.send(call).await;
        assert!((400..500).contains(&answer.status()), "{what}: {} {}", answer.status(), answer.body);
        answer
    }

    async fn is_untouched(&self) {
        assert_eq!(self.database.bookings(self.show_id).await, 0);
        let full = Seats { total: 10, free: 10, pending: 0, confirmed: 0 };
        assert_eq!(self.database.sound_seats(self.show_id).await, full);
    }
}

#[tokio::test]
async fn a_repeated_member_is_refused_in_every_spelling() {
    let target = Target::new().await;
    for body in [
        r#"{"user_name":"Ada","seats":1,"\u0073eats":10}"#,
        r#"{"user_name":"Ada","s\u0065ats":1,"seats":10}"#,
        r#"{"seats":1,"user_name":"Ada","user\u005fname":"Eve"}"#,
        r#"{"user_name":"Ada","seats":1,"seats":1}"#,
        r#"{"user_name":"Ada","seats":1,"seats\u0000":2}"#,
        r#"{"user_name":"Ada","seats":1,"seats ":2}"#,
        r#"{"user_name":"Ada","seats":1,"SEATS":2}"#,
        r#"{"user_name":"Ada","seats":1,"ſeats":2}"#,
        r#"{"user_name":"Ada","seats":1}{"user_name":"Ada","seats":2}"#,
        r#"{"user_name":"Ada","seats":1/*,"seats":2*/}"#,
        r#"[{"user_name":"Ada","seats":1}]"#,
    ] {
        target.refuses(body, target.post().json(body)).await;
    }
    target.is_untouched().await;
}

/// Repeated headers are refused, whichever of the values a server would use.
#[tokio::test]
async fn a_repeated_header_gives_no_access() {
    let target = Target::new().await;
    let (ada, eve) = (format!("Bearer {}", mint("ada", "")), format!("Bearer {}", mint("eve", "")));
    let all = format!("Bearer {}", token::operator());
    let create = || {
        let show = r#"{"name":"smuggled","start_time":"2030-05-01T18:30:00Z","total_seats":1}"#;
        Call::new("POST", "/admin/shows").json(show).anonymous()
    };
    for (first, second) in [(&ada, &eve), (&ada, &ada), (&all, &ada), (&ada, &all)] {
        for call in [target.post().json(GOOD).anonymous(), create()] {
            let call = call.header("authorization", first).header("Authorization", second);
            target.api.send(call).await.problem(401, "unauthorized");
        }
    }
    for (first, second) in [("application/json", "text/plain"), ("text/plain", "application/json")] {
        let call = target.post().header("content-type", first).header("content-type", second).body(GOOD);
        target.refuses("two content types", call).await;
    }
    for (first, second) in [("k1", "k2"), ("k1", "a b")] {
        let call = target.post().header("idempotency-key", first).header("idempotency-key", second).json(GOOD);
        target.refuses("two idempotency keys", call).await;
    }
    target.is_untouched().await;
}

/// Headers that some proxies and frameworks obey have no effect.
#[tokio::test]
async fn override_headers_have_no_effect() {
    let target = Target::new().await;
    let show = format!("/shows/{}", target.show_id);
    for (name, value) in [
        ("x-http-method-override", "POST"),
        ("x-http-method", "DELETE"),
        ("x-method-override", "PATCH"),
        ("x-original-url", "/v1/admin/payments"),
        ("x-rewrite-url", "/v1/admin/payments"),
        ("x-forwarded-prefix", "/admin"),
        ("x-forwarded-host", "evil.example"),
        ("x-amzn-apigateway-api-id", "other"),
        ("x-amz-invocation-type", "Event"),
        ("x-amz-cf-id", "1"),
        ("x-amzn-principal", "operator"),
        ("x-amzn-oidc-identity", "operator"),
        ("x-amzn-oidc-data", "e30.e30.e30"),
        ("expect", "200-ok"),
        ("cookie", "authorization=Bearer x; scope=shows:write"),
    ] {
        let answer = target.api.send(Call::new("GET", &show).header(name, value)).await;
        assert_eq!(answer.expect(200)["show_id"], target.show_id, "{name}");
        let call = Call::new("GET", "/admin/payments").anonymous().header(name, value);
        target.api.send(call).await.problem(401, "unauthorized");
    }
    target.is_untouched().await;
}

#[tokio::test]
async fn paths_that_need_normalising_give_no_access() {
    let target = Target::new().await;
    for path in [
        "/shows/../admin/payments",
        "/shows/..%2f..%2fadmin/payments",
        "/shows/%2e%2e/admin/payments",
        "/shows/1/bookings/../../../admin/payments",
        "//admin/payments",
        "/./admin/payments",
        "/admin//payments",
        "/admin%2fpayments",
        "/admin/payments/",
        "/admin/payments;.css",
        "/admin/payments%00",
        "/admin/payments%3fstate=pending",
        "/ADMIN/payments",
        "/admin/payments/.",
        "/%61dmin/payments",
        "/shows/1/bookings/1/confirm",
        "/bookings/1-019a5b7e-8f00-7abc-8def-0123456789ab/confirm/extend",
        "/bookings/1-019a5b7e-8f00-7abc-8def-0123456789ab/extend/confirm",
    ] {
        for method in ["GET", "POST"] {
            let (status, body) = target.api.send_anything(Call::new(method, path).anonymous()).await;
            // If a path does match a route, the route requires its token.
            assert!((400..500).contains(&status), "{method} {path}: {status} {body}");
        }
    }
    target.is_untouched().await;
}

/// Compressed bodies are not decompressed. On AWS, the gateway does not decompress them because compression is not
/// enabled.
#[tokio::test]
async fn compressed_bodies_are_refused() {
    let target = Target::new().await;
    // A booking with 200 MiB of white space, compressed to 200 KiB.
    let bomb =
        gzip("printf '{\"user_name\":\"Ada\",'; head -c 209715200 /dev/zero | tr '\\0' ' '; printf '\"seats\":1}'");
    let small = gzip(&format!("printf '%s' '{GOOD}'"));
    assert!(bomb.len() < 512 << 10, "{}", bomb.len());
    for body in [bomb, small] {
        for encoding in ["gzip", "x-gzip", "deflate", "br", "zstd", "identity", "gzip, gzip", ""] {
            let call = target.post().header("content-encoding", encoding).json(body.clone());
            target.refuses(encoding, call).await;
        }
    }
    // Only the gateway can declare a body as base64, not a client.
    for encoding in ["base64", "aws-chunked-not", ""] {
        let call = target.post().header("content-transfer-encoding", encoding).json(STANDARD.encode(GOOD));
        target.refuses(encoding, call).await;
        let call = target.post().header("isbase64encoded", "true").json(STANDARD.encode(GOOD));
        target.refuses(encoding, call).await;
    }
    target.is_untouched().await;
}

fn gzip(script: &str) -> Vec<u8> {
    let output = Command::new("sh").args(["-c", &format!("{{ {script}; }} | gzip -9 -n")]).output().unwrap();
    assert!(output.status.success() && !output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Sends bytes on a new connection, and returns everything received until the server closes it or is silent for
/// [`PATIENCE`].
async fn exchange(bytes: &[u8]) -> String {
    let url = setting::api_url();
    let address = url.trim_start_matches("http://").split('/').next().unwrap().to_owned();
    let mut connection = TcpStream::connect(address).await.unwrap();
    // The server may close the connection before everything is sent.
    let _ = connection.write_all(bytes).await;
    let (mut answer, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
    while let Ok(Ok(read @ 1..)) = timeout(PATIENCE, connection.read(&mut buffer)).await {
        answer.extend_from_slice(&buffer[..read]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// Bodies with an ambiguous or missing length: the server must not execute the hidden request as part of the first one.
#[tokio::test]
async fn a_request_hidden_in_a_body_makes_no_unanswered_booking() {
    let target = Target::new().await;
    let url = setting::api_url();
    let (host, base) = url.trim_start_matches("http://").split_once('/').unwrap();
    let path = format!("/{base}/shows/{}/bookings", target.show_id);
    let hidden_body = r#"{"user_name":"Smuggled","seats":1}"#;
    let head =
        |extra: &str| format!("POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n{extra}\r\n");
    let hidden = head(&format!("Connection: close\r\nContent-Length: {}\r\n", hidden_body.len())) + hidden_body;
    let length = |n: usize| format!("Content-Length: {n}\r\n");
    let chunked = "Transfer-Encoding: chunked\r\n";
    let end = "0\r\n\r\n";
    let chunk = format!("{:x}\r\n{GOOD}\r\n{end}", GOOD.len());
    let requests = [
        // Content-Length before Transfer-Encoding, and the other way round.
        head(&(length(end.len() + hidden.len()) + chunked)) + end + &hidden,
        head(&(chunked.to_owned() + &length(end.len()))) + end + &hidden,
        head(&(length(0) + &length(hidden.len()))) + &hidden,
        head(&format!("Content-Length: 0, {}\r\n", hidden.len())) + &hidden,
        head("Content-Length: +5\r\n") + &hidden,
        head("Content-Length: 0x5\r\n") + &hidden,
        head("Content-Length: -1\r\n") + &hidden,
        head("Transfer-Encoding: xchunked\r\n") + end + &hidden,
        head("Transfer-Encoding: chunked, identity\r\n") + end + &hidden,
        head("Transfer-Encoding : chunked\r\n") + end + &hidden,
        head("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n") + end + &hidden,
        head(&(chunked.to_owned() + "X: y\r\n")) + "zz\r\n" + &hidden,
        head(chunked) + "ffffffffffffffff1\r\n" + &hidden,
        head(chunked) + "5;ext=\"\n\"\r\n" + &hidden,
        // A folded header line, and a NUL in a header.
        head(&format!("X-Note: a\r\n b\r\n{}", length(0))) + &hidden.replace("\r\n", "\n"),
        head(&format!("X-Note: a\0b\r\n{}", length(0))) + &hidden,
        // An incomplete body.
        head(&length(GOOD.len() + 10)) + GOOD,
    ];
    let mut answered = 0;
    for request in &requests {
        let answer = exchange(request.as_bytes()).await;
        // A server may take the hidden request as a second request on the connection. Count those that it answered.
        answered += answer.matches("HTTP/1.1 201").count();
        // 501 is a valid answer to an unknown transfer encoding.
        assert!(!answer.contains("HTTP/1.1 5") || answer.starts_with("HTTP/1.1 501"), "{request}\n{answer}");
    }
    let sql = "SELECT count(*) FROM bookings WHERE show_id = $1 AND user_name = 'Smuggled'";
    let smuggled: i64 = target.database.client().query_one(sql, &[&target.show_id]).await.unwrap().get(0);
    // Each answered request made exactly one booking, and no other request made one.
    assert_eq!((smuggled, target.database.bookings(target.show_id).await), (answered as i64, answered as i64));
    // A valid chunked body is accepted.
    let answer = exchange((head(&(chunked.to_owned() + "Connection: close\r\n")) + &chunk).as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
}
