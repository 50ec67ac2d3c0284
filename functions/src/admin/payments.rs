//! Lists payments, records refunds, and decides disputes.

use boxoffice_shared::{
    Error,
    payments::{self, DisputeDecision},
};

use super::Admin;
use crate::http::{Call, Fields, Problem, Reply};

impl Admin {
    pub(super) async fn list_payments(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let (state, limit, after) = call.payment_page()?;
        let page = payments::list(&self.db, state, limit, after).await?;
        Ok(Reply::page("payments", &page, &state))
    }

    pub(super) async fn settle_payment(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let (provider, payment_ids) = call.payment()?;
        let settled = first_known!(payment_ids, Error::PaymentNotFound, |id| payments::settle(&self.db, provider, id))?;
        if settled.changed {
            let payment_id = settled.payment.payment_id();
            tracing::info!(%provider, %payment_id, "an operator recorded that a payment was refunded");
        }
        Ok(Reply::ok(&settled.payment))
    }

    pub(super) async fn decide_dispute(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let (provider, payment_ids) = call.payment()?;
        let mut fields = Fields::read(call.request())?;
        let decision = fields.required::<DisputeDecision>("decision");
        let decision = fields.finish(decision)?;
        let decided = first_known!(payment_ids, Error::PaymentNotFound, |id| payments::decide_dispute(
            &self.db, provider, id, decision
        ))?;
        if decided.changed {
            let payment_id = decided.payment.payment_id();
            tracing::info!(%provider, %payment_id, ?decision, "an operator decided a lost dispute");
        }
        Ok(Reply::ok(&decided.payment))
    }
}
