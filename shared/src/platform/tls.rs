//! TLS, for the database and for AWS alike.

use std::{fs, path::Path};

use native_tls::{Certificate, TlsConnector};

use crate::platform::Cause;

/// The roots that AWS's endpoints chain to: Amazon Root CA 1 to 4 and Starfield Services G2, valid until 2037 or later.
/// They are Amazon Trust Services' published roots.
const AMAZON_ROOTS: &[u8] = include_bytes!("amazon-roots.pem");

/// A connector that trusts Amazon's roots, those of `ca_file` (for instance the roots of RDS) and the system's.
///
/// It checks the chain and the server's name. OpenSSL reads the system's whole trust store for each connector, 9 to
/// 15 ms: so a process builds one and shares it, and the template points `SSL_CERT_FILE` at an empty file, since the
/// first two are all that a Lambda needs.
///
/// # Errors
/// The file cannot be read, or has no certificate.
pub fn connector(ca_file: Option<&Path>) -> Result<TlsConnector, Cause> {
    let mut builder = TlsConnector::builder();
    // Not `from_pem`: it reads one certificate and passes over the rest of a bundle.
    for certificate in Certificate::stack_from_pem(AMAZON_ROOTS)? {
        builder.add_root_certificate(certificate);
    }
    if let Some(path) = ca_file {
        let certificates = Certificate::stack_from_pem(&fs::read(path)?)?;
        if certificates.is_empty() {
            return Err(format!("{} has no certificate", path.display()).into());
        }
        for certificate in certificates {
            builder.add_root_certificate(certificate);
        }
    }
    Ok(builder.build()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_roots_of_amazon_are_all_read() {
        assert_eq!(Certificate::stack_from_pem(AMAZON_ROOTS).unwrap().len(), 5);
    }

    #[test]
    fn a_file_without_certificates_is_refused() {
        assert!(connector(Some(Path::new("/dev/null"))).is_err());
        assert!(connector(Some(Path::new("/nonexistent.pem"))).is_err());
    }
}
