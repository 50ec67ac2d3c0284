//! Consistency of `template.yaml` with the routes and the contract.

mod functions;
mod gateway_answers;
mod routes;
