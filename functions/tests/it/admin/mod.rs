//! The operator's calls.

mod path_ids;
mod payments;
mod shows_once;
mod subjects;
