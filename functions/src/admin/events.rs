//! Lists and replays the payment events that could not be read.

use boxoffice_shared::{Error, payments};

use super::Admin;
use crate::{
    http::{Call, Problem, Reply},
    webhooks::read_again,
};

impl Admin {
    pub(super) async fn list_events(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let (filter, limit, after) = call.event_page()?;
        let page = payments::list_unreadable(&self.db, limit, after).await?;
        Ok(Reply::page("events", &page, &filter))
    }

    pub(super) async fn replay_event(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let (provider, event_ids) = call.event()?;
        let (kept, payload) =
            first_known!(event_ids, Error::EventNotFound, |id| payments::get_event(&self.db, provider, id))?;
        let event_id = kept.event_id();
        if !kept.is_unreadable() {
            return Ok(Reply::ok(&kept));
        }
        let event = read_again(provider, &kept, &payload, &self.stripe_scope)?;
        let recorded = payments::replay(&self.db, &event, &self.limits).await?;
        recorded.count();
        tracing::info!(%provider, %event_id, ?recorded, "an operator replayed a payment event");
        Ok(Reply::ok(&payments::get_event(&self.db, provider, event_id).await?.0))
    }
}
