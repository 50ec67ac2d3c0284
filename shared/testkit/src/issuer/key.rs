//! Keys that sign tokens.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey};
use openssl::ecdsa::EcdsaSig;
use openssl::hash::{MessageDigest, hash};
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::sign::Signer;
use serde_json::{Value, json};

/// A signature algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// RSA PKCS#1 v1.5 with SHA-256.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// Its name in a token's header.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }
}

/// A private key with an id.
pub struct Key {
    id: String,
    algorithm: Algorithm,
    key: PKey<Private>,
}

impl Key {
    /// Generates an RSA key of `bits` bits.
    pub fn rsa(id: &str, bits: u32) -> Self {
        Self::new(id, Algorithm::Rs256, PKey::from_rsa(Rsa::generate(bits).unwrap()).unwrap())
    }

    /// Generates a P-256 key.
    pub fn ec(id: &str) -> Self {
        Self::new(id, Algorithm::Es256, PKey::from_ec_key(EcKey::generate(&p256()).unwrap()).unwrap())
    }

    /// Generates an Ed25519 key.
    pub fn ed(id: &str) -> Self {
        Self::new(id, Algorithm::EdDsa, PKey::generate_ed25519().unwrap())
    }

    /// Reads an RSA key in PEM.
    pub fn rsa_from_pem(id: &str, pem: &[u8]) -> Self {
        Self::new(id, Algorithm::Rs256, PKey::private_key_from_pem(pem).unwrap())
    }

    fn new(id: &str, algorithm: Algorithm, key: PKey<Private>) -> Self {
        Self { id: id.to_owned(), algorithm, key }
    }

    /// The public key as an issuer publishes it.
    pub fn jwk(&self) -> Value {
        let mut jwk = match self.algorithm {
            Algorithm::Rs256 => {
                let rsa = self.key.rsa().unwrap();
                json!({ "kty": "RSA", "n": encode(rsa.n().to_vec()), "e": encode(rsa.e().to_vec()) })
            }
            Algorithm::Es256 => {
                let (x, y) = self.point();
                json!({ "kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y) })
            }
            Algorithm::EdDsa => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(self.key.raw_public_key().unwrap()) })
            }
        };
        jwk["kid"] = json!(self.id);
        jwk["use"] = json!("sig");
        jwk["alg"] = json!(self.algorithm.name());
        jwk
    }

    /// A valid header for a token signed with this key.
    pub fn header(&self) -> Value {
        json!({ "typ": "JWT", "alg": self.algorithm.name(), "kid": self.id })
    }

    /// Signs a token with these claims and a valid header.
    pub fn token(&self, claims: &Value) -> String {
        self.token_with(&self.header(), claims)
    }

    /// Signs a token with these claims and this header, in the key's own algorithm whatever the header says.
    pub fn token_with(&self, header: &Value, claims: &Value) -> String {
        assemble(&header.to_string(), &claims.to_string(), |message| self.sign(message))
    }

    /// The public key in PEM, which an attacker may use as an HMAC secret (key confusion).
    pub fn public_pem(&self) -> Vec<u8> {
        self.key.public_key_to_pem().unwrap()
    }

    /// Signs a message.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self.algorithm {
            Algorithm::Rs256 => {
                Signer::new(MessageDigest::sha256(), &self.key).unwrap().sign_oneshot_to_vec(message).unwrap()
            }
            Algorithm::Es256 => {
                let digest = hash(MessageDigest::sha256(), message).unwrap();
                let signature = EcdsaSig::sign(&digest, &self.key.ec_key().unwrap()).unwrap();
                [signature.r().to_vec_padded(32).unwrap(), signature.s().to_vec_padded(32).unwrap()].concat()
            }
            Algorithm::EdDsa => Signer::new_without_digest(&self.key).unwrap().sign_oneshot_to_vec(message).unwrap(),
        }
    }

    fn point(&self) -> (Vec<u8>, Vec<u8>) {
        let key = self.key.ec_key().unwrap();
        let (mut x, mut y) = (BigNum::new().unwrap(), BigNum::new().unwrap());
        let mut context = BigNumContext::new().unwrap();
        key.public_key().affine_coordinates(&p256(), &mut x, &mut y, &mut context).unwrap();
        (x.to_vec_padded(32).unwrap(), y.to_vec_padded(32).unwrap())
    }
}

/// Assembles a token from these texts and the signature that `sign` makes.
pub fn assemble(header: &str, claims: &str, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let message = format!("{}.{}", encode(header), encode(claims));
    let signature = encode(sign(message.as_bytes()));
    format!("{message}.{signature}")
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn p256() -> EcGroup {
    EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap()
}
