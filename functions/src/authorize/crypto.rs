//! A crypto provider for `jsonwebtoken` with OpenSSL, so that the binary has no second crypto library.
//!
//! It verifies RS256, ES256 and EdDSA with Ed25519. Everything else that the crate could call, such as signing, is an error.

use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey, DecodingKeyKind,
    crypto::{CryptoProvider, JwtVerifier, KeyUtils},
    errors::{Error, ErrorKind},
};
use openssl::{
    bn::{BigNum, BigNumContext},
    ec::{EcGroup, EcKey, EcPoint},
    ecdsa::EcdsaSig,
    error::ErrorStack,
    hash::MessageDigest,
    nid::Nid,
    pkey::{Id, PKey, Public},
    rsa::Rsa,
    sign::Verifier,
};

/// Half of an ES256 signature, in bytes.
const ES256_HALF: usize = 32;

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |_, _| Err(unsupported()),
    verifier_factory: |algorithm, key| {
        let key = public_key(*algorithm, key).map_err(|_| unsupported())?;
        Ok(Box::new(OpenSsl { algorithm: *algorithm, key }))
    },
    key_utils: KeyUtils {
        rsa_pub_components_from_private_key: |_| Err(unsupported()),
        rsa_pub_components_from_public_key: |_| Err(unsupported()),
        ec_pub_components_from_private_key: |_, _| Err(unsupported()),
        ed_pub_components_from_private_key: |_, _| Err(unsupported()),
        compute_digest: |_, _| Err(unsupported()),
    },
};

/// Installs the provider for the process. It must be called before a token is read; without a provider the crate panics.
pub(super) fn install() {
    // An error means that a provider is installed. It is this one, because there is no other.
    let _ = PROVIDER.install_default();
}

/// Converts a key for OpenSSL.
///
/// # Errors
/// The key is invalid, such as a point that is not on the curve, or of another algorithm.
pub(super) fn public_key(algorithm: Algorithm, key: &DecodingKey) -> Result<PKey<Public>, ErrorStack> {
    match (algorithm, key.family(), key.kind()) {
        (Algorithm::RS256, AlgorithmFamily::Rsa, DecodingKeyKind::RsaModulusExponent { n, e }) => {
            PKey::from_rsa(Rsa::from_public_components(BigNum::from_slice(n)?, BigNum::from_slice(e)?)?)
        }
        (Algorithm::ES256, AlgorithmFamily::Ec, DecodingKeyKind::SecretOrDer(point)) => {
            let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
            let mut context = BigNumContext::new()?;
            let point = EcPoint::from_bytes(&group, point, &mut context)?;
            PKey::from_ec_key(EcKey::from_public_key(&group, &point)?)
        }
        (Algorithm::EdDSA, AlgorithmFamily::Ed, DecodingKeyKind::SecretOrDer(key)) => {
            PKey::public_key_from_raw_bytes(key, Id::ED25519)
        }
        // OpenSSL was not called, so this stack of errors is empty. It is an error all the same.
        _ => Err(ErrorStack::get()),
    }
}

fn unsupported() -> Error {
    ErrorKind::UnsupportedAlgorithm.into()
}

/// A key with its algorithm.
struct OpenSsl {
    algorithm: Algorithm,
    key: PKey<Public>,
}

impl OpenSsl {
    fn is_good(&self, message: &[u8], signature: &[u8]) -> Result<bool, ErrorStack> {
        match self.algorithm {
            Algorithm::EdDSA => Verifier::new_without_digest(&self.key)?.verify_oneshot(signature, message),
            Algorithm::ES256 => match der(signature)? {
                Some(der) => Verifier::new(MessageDigest::sha256(), &self.key)?.verify_oneshot(&der, message),
                None => Ok(false),
            },
            Algorithm::RS256 => Verifier::new(MessageDigest::sha256(), &self.key)?.verify_oneshot(signature, message),
            _ => Ok(false),
        }
    }
}

/// Converts an ES256 signature, which is two numbers in a row, to DER, which OpenSSL reads.
fn der(signature: &[u8]) -> Result<Option<Vec<u8>>, ErrorStack> {
    if signature.len() != 2 * ES256_HALF {
        return Ok(None);
    }
    let (r, s) = signature.split_at(ES256_HALF);
    EcdsaSig::from_private_components(BigNum::from_slice(r)?, BigNum::from_slice(s)?)?.to_der().map(Some)
}

impl signature::Verifier<Vec<u8>> for OpenSsl {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        match self.is_good(message, signature) {
            Ok(true) => Ok(()),
            Ok(false) => Err(signature::Error::new()),
            Err(error) => Err(signature::Error::from_source(error)),
        }
    }
}

impl JwtVerifier for OpenSsl {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}
