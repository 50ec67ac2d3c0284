//! The authorizer.

mod authorizer;
