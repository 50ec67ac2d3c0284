//! Secrets Manager and IAM: reading credentials and picking up their rotation.

mod login;
mod webhook_secrets;
