//! TLS for the database and for AWS.

use std::{fs, path::Path};

use native_tls::{Certificate, TlsConnector};

use crate::platform::Cause;

/// The roots of AWS's endpoints: Amazon Root CA 1 to 4 and Starfield Services G2, valid until 2037 or later, as
/// published by Amazon Trust Services.
const AMAZON_ROOTS: &[u8] = include_bytes!("amazon-roots.pem");

/// Builds a connector that trusts Amazon's roots, those in `ca_file` (for instance the roots of RDS) and the system's.
///
/// It verifies the chain and the server's name. OpenSSL reads the system's whole trust store for each connector, which
/// takes 9 to 15 ms. So a process builds one connector and shares it, and the template points `SSL_CERT_FILE` at an
/// empty file: a Lambda needs only the first two sources.
///
/// # Errors
/// The file cannot be read, or contains no certificate.
pub fn connector(ca_file: Option<&Path>) -> Result<TlsConnector, Cause> {
    let mut builder = TlsConnector::builder();
    // Not `from_pem`: it reads only the first certificate of a bundle.
    for certificate in Certificate::stack_from_pem(AMAZON_ROOTS)? {
        builder.add_root_certificate(certificate);
    }
    if let Some(path) = ca_file {
        let certificates = Certificate::stack_from_pem(&fs::read(path)?)?;
        if certificates.is_empty() {
            return Err(format!("{} contains no certificate", path.display()).into());
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
    fn all_amazon_roots_are_read() {
        assert_eq!(Certificate::stack_from_pem(AMAZON_ROOTS).unwrap().len(), 5);
    }

    #[test]
    fn a_file_without_certificates_is_refused() {
        assert!(connector(Some(Path::new("/dev/null"))).is_err());
        assert!(connector(Some(Path::new("/nonexistent.pem"))).is_err());
    }
}
