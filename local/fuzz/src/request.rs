//! Whole requests as API Gateway passes them to a function. The same code as in the binaries parses them, from the
//! event's bytes to the operation's input.

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use boxoffice_functions::{
    admin::shows,
    book,
    http::{Call, Problem, Reply, Request},
    routes::Operation,
    serve::{Handler, respond},
};
use boxoffice_shared::{bookings::Hold, error::Cause, holders::HolderLimits, inventory::Pools};
use serde_json::{Map, Value, json};

/// Input: lines of the method, the route, the path and the query, then headers until an empty line, then the body. The
/// whole input is also used as an event's text.
pub fn events(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    answered(&text);
    let mut lines = text.lines();
    let mut line = || lines.next().unwrap_or_default();
    let (method, resource, path, query) = (line(), line(), line(), line());
    let headers: Vec<_> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
    let body = lines.collect::<Vec<_>>().join("\n");
    let mut event = json!({
        "httpMethod": method,
        "path": path,
        "headers": single(headers.iter().map(|header| pair(header, ':'))),
        "multiValueHeaders": multi(headers.iter().map(|header| pair(header, ':'))),
        "queryStringParameters": single(query.split('&').map(|part| pair(part, '='))),
        "multiValueQueryStringParameters": multi(query.split('&').map(|part| pair(part, '='))),
        "pathParameters": single(resource.split('/').zip(path.split('/')).map(|(name, part)| (name.trim_matches(['{', '}']), part))),
        "requestContext": {
            "resourcePath": resource,
            "identity": { "sourceIp": "192.0.2.1" },
            "authorizer": { "sub": "fuzz", "exp": "4102444800", "scope": "shows:write bookings:read bookings:confirm payments:read payments:settle subjects:erase" },
        },
        "body": body,
    });
    answered(&event.to_string());
    event["isBase64Encoded"] = json!(true);
    answered(&event.to_string());
    // The raw bytes, which the text may have lost.
    let at = data.len() - data.len().min(body.len());
    event["body"] = json!(STANDARD.encode(&data[at..]));
    answered(&event.to_string());
}

/// Any event gets a response: success, or an error that is the client's.
fn answered(event: &str) {
    match now(respond(&Readers, Request::read(event))) {
        Ok(reply) => {
            let reply = serde_json::to_value(reply).expect("a reply should serialise");
            assert_eq!(reply["statusCode"], 200, "{reply}");
        }
        Err(problem) => {
            assert!(problem.status().is_client_error(), "{}", problem.document());
            assert!(problem.document().to_string().len() <= crate::body::MAX_DOCUMENT, "{event}");
        }
    }
}

/// Parses the input of each operation, and does nothing with it.
#[derive(Clone, Copy)]
struct Readers;

impl Handler for Readers {
    async fn start() -> Result<Self, Cause> {
        Ok(Self)
    }

    async fn handle(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        match call.operation() {
            Operation::ListShows => call.show_page().map(|_| ()),
            Operation::GetShow => call.show_id().map(|_| ()),
            Operation::BookSeats | Operation::BookSeatsAsPartner => {
                book::read(call, Hold::DEFAULT, HolderLimits::DEFAULT).map(|_| ())
            }
            Operation::GetBooking | Operation::CancelBooking | Operation::ExtendBooking | Operation::ConfirmBooking => {
                call.booking_id().map(|_| ())
            }
            // Their bodies are for the fuzzer of payment events.
            Operation::ReceiveStripeEvent | Operation::ReceiveStandardEvent => Ok(()),
            Operation::CreateShow => shows::read_new(call, Pools::ONE).map(|_| ()),
            Operation::ChangeShow => call.show_id().and_then(|_| shows::read_change(call)).map(|_| ()),
            Operation::ListPayments => call.payment_page().map(|_| ()),
            Operation::SettlePayment | Operation::DecideDispute => call.payment().map(|_| ()),
            Operation::ListEvents => call.event_page().map(|_| ()),
            Operation::ReplayEvent => call.event().map(|_| ()),
            Operation::ExportSubject => call.subject_page().map(|_| ()),
            Operation::EraseSubject => call.about_subject().map(|_| ()),
        }?;
        Ok(Reply::ok(&json!({})))
    }
}

/// Runs a future that never waits.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("a reader waited"),
    }
}

fn pair(text: &str, separator: char) -> (&str, &str) {
    text.split_once(separator).map_or((text, ""), |(name, value)| (name, value.trim_start_matches(' ')))
}

fn single<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Value {
    Value::Object(pairs.map(|(name, value)| (name.to_owned(), json!(value))).collect())
}

fn multi<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Value {
    let mut map = Map::new();
    for (name, value) in pairs {
        if let Value::Array(values) = map.entry(name).or_insert_with(|| json!([])) {
            values.push(json!(value));
        }
    }
    Value::Object(map)
}
