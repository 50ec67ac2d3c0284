//! TLS, for the database and the queue alike.

use std::{fs, path::Path};

use native_tls::{Certificate, TlsConnector};

use crate::error::Cause;

/// A connector that trusts the system's certificates and those of `ca_file`, for instance the roots of RDS.
///
/// It checks the chain and the server's name. `SSL_CERT_FILE` says where the system's are. Each one costs 9 to 15 ms to build, nearly all of it OpenSSL reading
/// the system's trust store: a process builds one and shares it.
///
/// # Errors
/// The file cannot be read, or is no PEM bundle.
pub fn connector(ca_file: Option<&Path>) -> Result<TlsConnector, Cause> {
    let mut builder = TlsConnector::builder();
    if let Some(path) = ca_file {
        // Not `from_pem`: it reads one certificate and passes over the rest of a bundle.
        for certificate in Certificate::stack_from_pem(&fs::read(path)?)? {
            builder.add_root_certificate(certificate);
        }
    }
    Ok(builder.build()?)
}
