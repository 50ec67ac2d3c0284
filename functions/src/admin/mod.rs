//! The Lambda `admin`: the calls of operators, a file per resource.

use boxoffice_shared::{
    error::Cause,
    holders::HolderLimits,
    inventory::Pools,
    payments::StripeScope,
    platform::{
        config::{Environment, Reader},
        db::Db,
        start::start,
    },
};

use crate::{
    http::{Call, Problem, Reply},
    routes::Operation,
    serve::Handler,
};

/// Calls an operation with one id after the other, until it knows one: a path segment may stand for several ids. (Not a function,
/// because the future of an async closure is not known to be `Send`.)
macro_rules! first_known {
    ($ids:expr, $unknown:expr, |$id:ident| $ask:expr) => {{
        let mut answer = Err($unknown);
        for $id in &$ids {
            answer = $ask.await;
            if !matches!(answer, Err(Error::PaymentNotFound | Error::EventNotFound)) {
                break;
            }
        }
        answer
    }};
}

mod events;
mod payments;
pub mod shows;
mod subjects;

/// The Lambda for operators.
#[derive(Clone, Debug)]
pub struct Admin {
    db: Db,
    expected_writers: Pools,
    stripe_scope: StripeScope,
    limits: HolderLimits,
}

impl Handler for Admin {
    async fn start() -> Result<Self, Cause> {
        let mut reader = Reader::new(&Environment);
        let settings = (
            reader.database(),
            reader.concurrency(),
            reader.expected_writers(),
            reader.stripe_scope(),
            reader.holder_limits(),
        );
        let (database, connections, expected_writers, stripe_scope, limits) = reader.finish(settings)?;
        Ok(Self { db: start(database, connections).await?.0, expected_writers, stripe_scope, limits })
    }

    async fn handle(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        match call.operation() {
            Operation::CreateShow => self.create_show(call).await,
            Operation::ChangeShow => self.change_show(call).await,
            Operation::ListPayments => self.list_payments(call).await,
            Operation::SettlePayment => self.settle_payment(call).await,
            Operation::DecideDispute => self.decide_dispute(call).await,
            Operation::ListEvents => self.list_events(call).await,
            Operation::ReplayEvent => self.replay_event(call).await,
            Operation::ExportSubject => self.export_subject(call).await,
            Operation::EraseSubject => self.erase_subject(call).await,
            _ => Err(Problem::RouteNotFound),
        }
    }
}
