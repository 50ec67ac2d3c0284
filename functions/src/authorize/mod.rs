//! The Lambda `authorize`: API Gateway's authorizer (type `REQUEST`). It identifies the caller and says which routes they may call.
//!
//! A call without a token may use the routes that need none. A token must be an access token of the deployment's issuer, for its
//! audience. An invalid token is refused on every route that has the authorizer. The issuer's keys are read when the first token
//! comes, so calls without a token cost nothing.
//!
//! | module | contents |
//! |---|---|
//! | `event`, `policy` | API Gateway's request and the answer |
//! | `bearer` | the `Authorization` header |
//! | `token` | the checks of a token |
//! | `key`, `keyring` | the issuer's keys, and when they are read |
//! | `crypto` | signatures, with OpenSSL |

mod bearer;
mod crypto;
mod event;
mod key;
mod keyring;
mod policy;
mod refused;
mod token;

use std::process::ExitCode;

use boxoffice_shared::{
    error::Cause,
    metrics::Counter,
    platform::{
        config::{Environment, Reader},
        deadline,
        fetch::Web,
        start::run,
        tls,
    },
};
use lambda_runtime::{Error, LambdaEvent, service_fn};

use crate::{access::Access, routes};
use event::Request;
use keyring::{Keyring, keyring};
use policy::Answer;
use refused::Refused;
use token::{Header, Principal, Rules};

/// Starts the authorizer and answers until the instance ends.
pub async fn serve() -> ExitCode {
    run(async { Authorizer::start() }, async |authorizer: Authorizer| {
        let service = service_fn(move |event: LambdaEvent<Request>| {
            let authorizer = authorizer.clone();
            let deadline = deadline::of_request(event.context.deadline());
            async move { deadline::within(deadline, authorizer.answer(event.payload)).await.map_err(Failure::reported) }
        });
        lambda_runtime::run_concurrent(service).await
    })
    .await
}

/// The Lambda that verifies tokens. Clones share the keys.
#[derive(Clone)]
struct Authorizer {
    /// `None` if the deployment has no issuer.
    issuer: Option<(Rules, Keyring)>,
}

/// Why there is no policy.
enum Failure {
    /// The token is missing or invalid.
    Refused(Refused),
    /// The issuer's keys cannot be read. It is not the caller's fault.
    NoKeys(Cause),
    /// The event does not name a method of an API.
    NoMethod,
}

impl Authorizer {
    /// Reads the environment.
    fn start() -> Result<Self, Cause> {
        let mut reader = Reader::new(&Environment);
        let issuer = reader.issuer();
        let Some(issuer) = reader.finish(issuer)? else {
            tracing::warn!("OIDC_ISSUER is not set; every token will be refused");
            return Ok(Self { issuer: None });
        };
        let web = Web::new(&tls::connector(None)?);
        Ok(Self { issuer: Some((Rules::new(issuer.clone()), keyring(issuer, web))) })
    }

    async fn answer(&self, request: Request) -> Result<Answer, Failure> {
        let stage = policy::stage(&request.method_arn).ok_or(Failure::NoMethod)?.to_owned();
        let access = routes::find(&request.http_method, &request.resource).map(|route| route.access);
        let caller = match bearer::token(&request.headers()).map_err(Failure::Refused)? {
            Some(token) => Some(self.verify(token).await?),
            None if access == Some(Access::OptionalToken) => None,
            None => return Err(Failure::Refused(Refused::Missing)),
        };
        Ok(Answer::new(caller, &stage))
    }

    async fn verify(&self, token: &str) -> Result<Principal, Failure> {
        let (rules, keyring) = self.issuer.as_ref().ok_or(Failure::Refused(Refused::NoIssuer))?;
        let header = Header::read(token).map_err(Failure::Refused)?;
        let keys = keyring.get().await.map_err(Failure::NoKeys)?;
        let mut result = rules.verify(token, &header, &keys);
        if result == Err(Refused::UnknownKey)
            && let Some(newer) = keyring.newer_than(&keys).await.map_err(Failure::NoKeys)?
        {
            result = rules.verify(token, &header, &newer);
        }
        result.map_err(Failure::Refused)
    }
}

impl Failure {
    /// Logs and counts the failure, and gives the error for API Gateway. It answers 401 to exactly `Unauthorized`, and 5xx to any other.
    fn reported(self) -> Error {
        match self {
            Self::Refused(reason) => {
                Counter::TokenRefused.add(1);
                tracing::info!(?reason, "refused a call");
                "Unauthorized".into()
            }
            Self::NoKeys(cause) => {
                tracing::error!(%cause, "cannot verify tokens, because the issuer's keys cannot be read");
                "the issuer's keys cannot be read".into()
            }
            Self::NoMethod => {
                tracing::error!("the event does not name a method of an API");
                "the event does not name a method of an API".into()
            }
        }
    }
}

#[cfg(test)]
mod tests;
