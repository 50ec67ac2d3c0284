//! Ids that payment providers assign.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    Invalid,
    platform::{path_id, text::visible_ascii},
};

/// Defines a provider's id: 1 to 255 visible ASCII characters.
macro_rules! provider_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The id as the provider wrote it.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The id's form in a path: the id itself if it has only `[A-Za-z0-9_-]`, otherwise `b64.` and its
            /// base64url.
            pub fn path_id(&self) -> String {
                path_id::write(&self.0)
            }

            /// The ids that a path segment may mean, likeliest first. A [`path_id`](Self::path_id) means one id. Any
            /// other segment means two: percent-decoded once, and as it is.
            pub fn of_path(segment: &str) -> Vec<Self> {
                path_id::read(segment).into_iter().filter_map(|id| Self::try_from(id).ok()).collect()
            }
        }

        impl TryFrom<&str> for $name {
            type Error = Invalid;

            fn try_from(text: &str) -> Result<Self, Invalid> {
                visible_ascii(text).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = Invalid;

            fn try_from(text: String) -> Result<Self, Invalid> {
                text.as_str().try_into()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

provider_id! {
    /// An event at a provider. Repeated deliveries have the same id.
    EventId
}

impl EventId {
    /// The id of an event without a usable one: made of its content's SHA-256, so that repeated deliveries share it.
    pub fn from_digest(digest: [u8; 32]) -> Self {
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Self(format!("sha256-{hex}"))
    }
}

provider_id! {
    /// A payment at a provider. All its events name it: the payment succeeds, fails or is refunded, not the event. For
    /// Stripe: the payment intent.
    PaymentId
}

provider_id! {
    /// A refund of a payment at a provider.
    RefundId
}

provider_id! {
    /// A dispute about a payment at a provider.
    DisputeId
}
