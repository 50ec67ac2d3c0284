//! Operator routes.

mod path_ids;
mod payments;
mod shows_once;
mod subjects;
