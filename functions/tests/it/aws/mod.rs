//! What the functions are told by Secrets Manager and IAM, and how they learn that it has changed.

mod login;
mod webhook_secrets;
