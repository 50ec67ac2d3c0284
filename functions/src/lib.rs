//! The API's Lambdas. Each is a [`Handler`](serve::Handler): it turns a request into typed input, calls one operation of
//! `boxoffice_shared`, and turns the result into a response.
//!
//! [`routes`] is the table of all routes: which Lambda serves each, and what a caller needs. [`authorize`] is the authorizer,
//! which API Gateway calls first.

pub mod access;
pub mod admin;
pub mod authorize;
pub mod book;
pub mod bookings;
pub mod confirm;
pub mod http;
pub mod list_shows;
pub mod routes;
pub mod serve;
pub mod webhooks;
