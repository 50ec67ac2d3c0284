//! `template.yaml` against the table of routes and the contract.

mod functions;
mod gateway_answers;
mod routes;
