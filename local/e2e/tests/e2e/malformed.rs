//! Malformed requests. Each is refused with a 4xx problem document and changes nothing.

use boxoffice_e2e::{
    api::{Api, Call},
    database::{Database, Seats},
    unique,
};

/// Invalid values of `seats`, sent as they are.
const BAD_SEATS: [&str; 22] = [
    "1.5",
    "0",
    "-1",
    "-0",
    "1001",
    "3000000000",
    "3e9",
    "1e400",
    "-1e400",
    "99999999999999999999",
    "2147483648",
    "9223372036854775808",
    "0.1e1000",
    "NaN",
    "Infinity",
    "01",
    "\"2\"",
    "null",
    "true",
    "[2]",
    "{}",
    "1e-400",
];

/// Invalid values of a name. Most are JSON strings, with their quotes.
const BAD_NAMES: [&str; 14] = [
    r#""""#,
    r#"" ""#,
    r#""\u0000""#,
    r#""a\u0000b""#,
    r#""\ud800""#,
    r#""\udc00\ud800""#,
    r#""a\nb""#,
    "\"a\u{0}b\"",
    "\"a\nb\"",
    r#""\x41""#,
    "7",
    "null",
    r#"["Ada"]"#,
    r#"{"name":"Ada"}"#,
];

/// Sends a call and expects a 4xx answer.
async fn refused(api: &Api, call: Call) {
    let what: String = format!("{call:?}").chars().take(300).collect();
    let answer = api.send(call).await;
    assert!((400..500).contains(&answer.status()), "{what}: {} {}", answer.status(), answer.body);
}

/// A show that the requests of a test must not change.
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

    async fn refuses(&self, body: impl Into<Vec<u8>>) {
        refused(&self.api, self.post().json(body.into())).await;
    }

    async fn is_untouched(&self) {
        assert_eq!(self.database.bookings(self.show_id).await, 0);
        let full = Seats { total: 10, free: 10, pending: 0, confirmed: 0 };
        assert_eq!(self.database.sound_seats(self.show_id).await, full);
    }
}

#[tokio::test]
async fn invalid_member_values_are_refused() {
    let target = Target::new().await;
    for seats in BAD_SEATS {
        target.refuses(format!(r#"{{"user_name":"Ada","seats":{seats}}}"#)).await;
    }
    for name in BAD_NAMES {
        target.refuses(format!(r#"{{"user_name":{name},"seats":1}}"#)).await;
    }
    target.refuses(format!(r#"{{"user_name":"{}","seats":1}}"#, "ä".repeat(201))).await;
    target.is_untouched().await;
}

#[tokio::test]
async fn bodies_that_are_not_a_booking_are_refused() {
    let target = Target::new().await;
    for body in [
        "",
        " ",
        "null",
        "7",
        "\"\"",
        "[]",
        "[{}]",
        "{",
        "}",
        "{}{}",
        "{\"user_name\"",
        "<booking/>",
        "seats=1&user_name=Ada",
        r#"{"user_name":"Ada","seats":1}x"#,
        r#"{"user_name":"Ada","seats":1,}"#,
        r#"{'user_name':'Ada','seats':1}"#,
        r#"{"user_name":"Ada","seats":1,"seats":2}"#,
        r#"{"seats":1,"user_name":"Ada","user_name":"Bob"}"#,
        r#"{"user_name":"Ada","seats":1,"status":"CONFIRMED"}"#,
        r#"{"user_name":"Ada","seats":1,"__proto__":{}}"#,
        r#"{"user_name":"Ada","seats":1,"":0}"#,
        r#"{"User_Name":"Ada","seats":1}"#,
        "\u{feff}{}",
    ] {
        target.refuses(body).await;
    }
    target.is_untouched().await;
}

#[tokio::test]
async fn bodies_that_are_not_utf_8_are_refused() {
    let target = Target::new().await;
    // The bytes reach the function unchanged: the gateway does not replace invalid ones.
    let bodies: [&[u8]; 7] = [
        b"{\"user_name\":\"Jos\xe9\",\"seats\":1}",
        b"{\"user_name\":\"\xff\",\"seats\":1}",
        b"{\"user_name\":\"\xed\xa0\x80\",\"seats\":1}",
        b"{\"user_name\":\"a\xc0\xafb\",\"seats\":1}",
        b"\xff\xfe\x7b\x00",
        b"\x00",
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00",
    ];
    for body in bodies {
        target.api.send(target.post().json(body)).await.problem(400, "malformed-json");
    }
    for charset in ["iso-8859-1", "\"ISO-8859-1\"", "utf-16", "us-ascii", "utf-8; charset=iso-8859-1"] {
        let call = target.post().header("content-type", format!("application/json; charset={charset}"));
        let call = call.body(&b"{\"user_name\":\"Jos\xe9\",\"seats\":1}"[..]);
        target.api.send(call).await.problem(415, "unsupported-media-type");
    }
    let gzip = target.post().header("content-encoding", "gzip").json(r#"{"user_name":"Ada","seats":1}"#);
    target.api.send(gzip).await.problem(415, "unsupported-media-type");
    target.is_untouched().await;
    // A body declared as UTF-8 is kept as it was sent.
    let call = target.post().header("content-type", "application/json; Charset=\"UTF-8\"");
    let booked = target.api.send(call.body(r#"{"user_name":"José 🎟️ \ufffd","seats":1}"#)).await;
    assert_eq!(booked.expect(201)["user_name"], "José 🎟️ \u{fffd}");
}

#[tokio::test]
async fn deep_or_large_bodies_are_refused() {
    let target = Target::new().await;
    let deep = |open: &str, close: &str| format!("{{\"seats\":{}{}}}", open.repeat(10_000), close.repeat(10_000));
    target.refuses("[".repeat(10_000)).await;
    target.refuses("[".repeat(16_000)).await;
    target.refuses(deep("[", "]")).await;
    target.refuses(deep("{\"a\":", "}")).await;
    target.refuses(format!(r#"{{"user_name":"Ada","seats":{}}}"#, "1".repeat(10_000))).await;
    target.refuses(format!(r#"{{"user_name":"Ada","seats":1{}}}"#, " ".repeat(20_000))).await;
    target.refuses(vec![b' '; 10 << 20]).await;
    target.refuses(format!(r#"{{"user_name":"{}","seats":1}}"#, "a".repeat(10 << 20))).await;
    target.is_untouched().await;
}

#[tokio::test]
async fn other_content_types_are_refused() {
    let target = Target::new().await;
    let good = r#"{"user_name":"Ada","seats":1}"#;
    for content_type in [
        "text/plain",
        "text/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "application",
        "application/jsonp",
        "application/json, text/plain",
        "json",
        "*/*",
        "",
        "\u{e4}",
    ] {
        let call = target.post().header("content-type", content_type).body(good);
        target.api.send(call).await.problem(415, "unsupported-media-type");
    }
    target.is_untouched().await;
}

#[tokio::test]
async fn invalid_idempotency_keys_are_refused() {
    let target = Target::new().await;
    let good = r#"{"user_name":"Ada","seats":1}"#;
    for key in ["a b".to_owned(), "k".repeat(256), "k".repeat(8000), "\u{e4}".to_owned(), "a\tb".to_owned()] {
        refused(&target.api, target.post().header("idempotency-key", key).json(good)).await;
    }
    target.is_untouched().await;
}

#[tokio::test]
async fn unknown_methods_are_refused() {
    let target = Target::new().await;
    let path = format!("/shows/{}/bookings", target.show_id);
    for method in ["PUT", "PATCH", "DELETE", "GET", "TRACE", "OPTIONS", "PROPFIND", "BREW"] {
        refused(&target.api, Call::new(method, &path)).await;
    }
    target.is_untouched().await;
}

#[tokio::test]
async fn unknown_paths_are_not_found() {
    let target = Target::new().await;
    for path in [
        "/shows/1%27%20OR%20%271%27=%271",
        "/shows/%00",
        "/shows/%ff",
        "/shows/..%2fadmin",
        "/shows/1%2f2",
        "/shows/%E2%80%8B",
        "/shows/0x1",
        "/shows/1e3",
        "/shows/-0",
        "/shows/1;x=1",
        "/bookings/%00",
        "/bookings/1-%00",
        "/bookings/-",
        "/bookings/1-",
        "/bookings/1-00000000-0000-0000-0000-00000000000g",
        "/shows/1/bookings/2",
        "/Shows",
        "/shows/1/confirm",
    ] {
        let answer = target.api.get(path).await;
        assert_eq!(answer.status(), 404, "{path}: {}", answer.body);
    }
    let long = format!("/shows/{}", "1".repeat(3000));
    target.api.get(&long).await.problem(404, "show-not-found");
    target.is_untouched().await;
}

#[tokio::test]
async fn invalid_shows_are_refused() {
    let (api, database) = (Api::connect(), Database::connect().await);
    let name = unique("malformed");
    let show =
        |start_time: &str, rest: &str| format!(r#"{{"name":"{name}","start_time":{start_time},"total_seats":{rest}}}"#);
    let start = r#""2030-05-01T18:30:00Z""#;
    let mut bodies = Vec::new();
    for total in BAD_SEATS.iter().filter(|seats| **seats != "1001").chain(&["1000001"]) {
        bodies.push(show(start, total));
    }
    for time in [
        r#""""#,
        r#""2030-05-01""#,
        r#""2030-05-01T18:30:00""#,
        r#""2030-02-30T18:30:00Z""#,
        r#""2030-05-01T25:00:00Z""#,
        r#""99999-05-01T18:30:00Z""#,
        r#""-9999-05-01T18:30:00Z""#,
        r#""0000-01-01T00:00:00Z""#,
        r#""infinity""#,
        r#""now""#,
        r#""2030-05-01T18:30:00+99:00""#,
        r#""2030-05-01T18:30:00+24:00""#,
        r#""20300501T183000Z""#,
        r#""2030-05-01T18:30:00+02:00[Europe/Berlin]""#,
        r#""2030-05-01 18:30:00Z""#,
        r#""2030-05-01T18:30:00,5Z""#,
        r#""2030-12-31T23:59:60Z""#,
        "1900000000",
        "null",
        r#""2030-05-01T18:30:00Z\u0000""#,
    ] {
        bodies.push(show(time, "5"));
    }
    for currency in ["XXX", "XTS", "XAU", "CHE", "ABC", "EURO", "", "978"] {
        bodies.push(show(start, &format!(r#"5,"price_minor":1,"currency":"{currency}""#)));
    }
    for rest in
        [r#"5,"pools":0"#, r#"5,"pools":257"#, r#"5,"pools":1.5"#, r#"5,"max_seats_per_booking":0"#, r#"5,"show_id":1"#]
    {
        bodies.push(show(start, rest));
    }
    for body in bodies {
        refused(&api, Call::new("POST", "/admin/shows").json(body)).await;
    }
    for bad in BAD_NAMES {
        let body = format!(r#"{{"name":{bad},"start_time":{start},"total_seats":5}}"#);
        refused(&api, Call::new("POST", "/admin/shows").json(body)).await;
    }
    let sql = "SELECT count(*) FROM shows WHERE name = $1";
    let made: i64 = database.client().query_one(sql, &[&name]).await.unwrap().get(0);
    assert_eq!(made, 0);
}
