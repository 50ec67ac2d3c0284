//! The authorizer binary.

mod authorizer;
