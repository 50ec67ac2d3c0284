//! Every route of the API, once.
//!
//! Handlers match on a route's [`Operation`]. The authorizer's policies, the functions' own check of the caller, and the answers
//! 404 and 405 use the same table. Tests compare `openapi.yaml`, `template.yaml` and `events/` with it.

use crate::access::{Access, Scope};

/// A route of the API.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// The operation.
    pub operation: Operation,
    /// The method. A `GET` route answers `HEAD` as well.
    pub method: &'static str,
    /// The path, as in the template: `/shows/{show_id}`.
    pub path: &'static str,
    /// What it requires of its caller.
    pub access: Access,
    /// The class of its rate limits.
    pub throttle: Throttle,
    /// The Lambda that serves it.
    pub lambda: Lambda,
    /// Its query parameters.
    parameters: &'static [&'static str],
}

/// A class of rate limits. Each has two parameters in the template, such as `StageThrottleRate` and `StageThrottleBurst`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Throttle {
    /// Cheap reads.
    Stage,
    /// Changes by buyers.
    Booking,
    /// Webhooks of payment providers.
    Webhook,
    /// Calls by operators.
    Admin,
}

/// The Lambdas behind the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lambda {
    /// `list-shows`
    ListShows,
    /// `book`
    Book,
    /// `bookings`
    Bookings,
    /// `confirm`
    Confirm,
    /// `admin`
    Admin,
}

impl Lambda {
    /// The name of the Lambda's binary.
    pub fn name(self) -> &'static str {
        match self {
            Self::ListShows => "list-shows",
            Self::Book => "book",
            Self::Bookings => "bookings",
            Self::Confirm => "confirm",
            Self::Admin => "admin",
        }
    }
}

/// The query parameters of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Query {
    /// These only. A misspelt name is an error, so that it does not mean "everything".
    Only(&'static [&'static str]),
    /// Any, and none is read. A provider may add parameters to a webhook's URL, and a signed event is not refused for that.
    Any,
}

macro_rules! routes {
    ($($operation:ident $method:ident $path:literal $access:ident $(($scope:ident))? $throttle:ident $lambda:ident
       $([$($parameter:literal),+])?;)*) => {
        /// What a route does. The name is the `operationId` in `openapi.yaml`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Operation {
            $(#[doc = concat!("`", stringify!($method), " ", $path, "`")] $operation,)*
        }

        /// All routes.
        pub static ROUTES: &[Route] = &[
            $(Route {
                operation: Operation::$operation,
                method: stringify!($method),
                path: $path,
                access: Access::$access $((Scope::$scope))?,
                throttle: Throttle::$throttle,
                lambda: Lambda::$lambda,
                parameters: &[$($($parameter),+)?],
            },)*
        ];
    };
}

routes! {
    // operation         method path                                                  access                 throttle Lambda and query parameters
    ListShows            GET    "/shows"                                              Public                 Stage    ListShows ["limit", "cursor"];
    GetShow              GET    "/shows/{show_id}"                                    Public                 Stage    ListShows;

    BookSeats            POST   "/shows/{show_id}/bookings"                           OptionalToken          Booking  Book;
    BookSeatsAsPartner   POST   "/partner/shows/{show_id}/bookings"                   PartnerKey             Booking  Book;

    GetBooking           GET    "/bookings/{booking_id}"                              OptionalToken          Stage    Bookings;
    CancelBooking        DELETE "/bookings/{booking_id}"                              OptionalToken          Booking  Bookings;
    ExtendBooking        POST   "/bookings/{booking_id}/extend"                       OptionalToken          Booking  Bookings;

    ConfirmBooking       POST   "/bookings/{booking_id}/confirm"                      Needs(BookingsConfirm) Admin    Confirm;
    ReceiveStripeEvent   POST   "/webhooks/payments/stripe"                           Webhook                Webhook  Confirm;
    ReceiveStandardEvent POST   "/webhooks/payments/standard"                         Webhook                Webhook  Confirm;

    CreateShow           POST   "/admin/shows"                                        Needs(ShowsWrite)      Admin    Admin;
    ChangeShow           PATCH  "/admin/shows/{show_id}"                              Needs(ShowsWrite)      Admin    Admin;
    ListPayments         GET    "/admin/payments"                                     Needs(PaymentsRead)    Admin    Admin ["state", "limit", "cursor"];
    SettlePayment        POST   "/admin/payments/{provider}/{payment_id}/settle"      Needs(PaymentsSettle)  Admin    Admin;
    DecideDispute        POST   "/admin/payments/{provider}/{payment_id}/dispute"     Needs(PaymentsSettle)  Admin    Admin;
    ListEvents           GET    "/admin/payments/events"                              Needs(PaymentsRead)    Admin    Admin ["change", "limit", "cursor"];
    ReplayEvent          POST   "/admin/payments/events/{provider}/{event_id}/replay" Needs(PaymentsSettle)  Admin    Admin;
    ExportSubject        GET    "/admin/subjects/bookings"                            Needs(BookingsRead)    Admin    Admin ["subject", "limit", "cursor"];
    EraseSubject         DELETE "/admin/subjects/bookings"                            Needs(SubjectsErase)   Admin    Admin ["subject"];
}

impl Route {
    /// Its methods in API Gateway: `HEAD` is added to `GET`.
    pub fn methods(&self) -> impl Iterator<Item = &'static str> + use<> {
        [self.method].into_iter().chain((self.method == "GET").then_some("HEAD"))
    }

    /// The query parameters that it accepts.
    pub fn query(&self) -> Query {
        match self.access {
            Access::Webhook => Query::Any,
            _ => Query::Only(self.parameters),
        }
    }
}

/// The route of a method and a path.
pub fn find(method: &str, path: &str) -> Option<&'static Route> {
    ROUTES.iter().find(|route| route.path == path && route.methods().any(|known| known == method))
}

/// The methods of a path, for `Allow`. Empty if there is no such path.
pub fn methods(path: &str) -> Vec<&'static str> {
    ROUTES.iter().filter(|route| route.path == path).flat_map(Route::methods).collect()
}
