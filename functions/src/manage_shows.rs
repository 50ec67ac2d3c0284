//! What operators do: `POST /admin/shows`, `PATCH /admin/shows/{show_id}`, `GET /admin/payments`,
//! `POST /admin/payments/{provider}/{payment_id}/settle` and `/dispute`, `GET /admin/payments/events`,
//! `POST /admin/payments/events/{provider}/{event_id}/replay`, and `GET` and `DELETE /admin/subjects/bookings`.

use std::time::{Duration, Instant};

use boxoffice_shared::{
    Error,
    error::Cause,
    holders::HolderLimits,
    inventory::{Pools, SeatCount, TotalSeats},
    metrics::Counter,
    page::Position,
    payments::{self, DisputeDecision, StripeScope},
    platform::{
        config::{Environment, Reader},
        db::Db,
        start::start,
    },
    privacy,
    shows::{self, CreatedShow, CreationKey, LimitChange, NewShow},
};
use serde_json::json;

use crate::{
    http::{Call, Fields, Problem, Reply},
    serve::Handler,
    webhooks::read_again,
};

/// For how long batches of an erasure are begun: the Lambda's 15 s, less one batch and its retries (10 s).
const ERASURE_BUDGET: Duration = Duration::from_secs(4);

/// What an operation says of the first of some ids that it knows: a segment of a path may mean several. (No function: an async
/// closure's future is not known to be `Send`.)
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

/// The Lambda for operators.
#[derive(Clone, Debug)]
pub struct ManageShows {
    db: Db,
    expected_writers: Pools,
    stripe_scope: StripeScope,
    limits: HolderLimits,
}

impl Handler for ManageShows {
    async fn start() -> Result<Self, Cause> {
        let mut reader = Reader::new(&Environment);
        let (database, connections, writers) = (reader.database(), reader.concurrency(), reader.expected_writers());
        let others = reader.holder_limits().zip(reader.stripe_scope());
        let settings = database.zip(connections).zip(writers).zip(others);
        let (((database, connections), expected_writers), (limits, stripe_scope)) = reader.finish(settings)?;
        Ok(Self { db: start(database, connections).await?.0, expected_writers, stripe_scope, limits })
    }

    async fn handle(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        match call.route() {
            ("POST", "/admin/shows") => self.create(call).await,
            ("PATCH", "/admin/shows/{show_id}") => self.change(call).await,
            ("GET", "/admin/payments") => self.list_payments(call).await,
            ("POST", "/admin/payments/{provider}/{payment_id}/settle") => self.settle_payment(call).await,
            ("POST", "/admin/payments/{provider}/{payment_id}/dispute") => self.decide_dispute(call).await,
            ("GET", "/admin/payments/events") => self.list_events(call).await,
            ("POST", "/admin/payments/events/{provider}/{event_id}/replay") => self.replay_event(call).await,
            ("GET", "/admin/subjects/bookings") => self.export_subject(call).await,
            ("DELETE", "/admin/subjects/bookings") => self.erase_subject(call).await,
            _ => Err(Problem::RouteNotFound),
        }
    }
}

impl ManageShows {
    async fn create(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let key = call.idempotency_key()?;
        let new = read_new(call, self.expected_writers)?;
        let created = match key.zip(call.caller().subject()) {
            Some((key, subject)) => {
                let key = CreationKey::new(subject, &key, Fields::read(call.request())?.digest());
                shows::create_once(&self.db, &new, &key).await?
            }
            None => CreatedShow { show: shows::create(&self.db, &new).await?, replayed: false },
        };
        let location = call.location(&format!("/shows/{}", created.show.id()));
        Ok(Reply::created(&location, &created.show).replayed(created.replayed))
    }

    async fn change(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let show_id = call.show_id()?;
        let change = read_change(call)?;
        let mut show = None;
        if change.max_pending_seats_per_holder.is_some() || change.max_seats_per_holder.is_some() {
            let (pending, in_all) = (change.max_pending_seats_per_holder, change.max_seats_per_holder);
            show = Some(shows::set_holder_limits(&self.db, show_id, pending, in_all).await?);
        }
        // The two are transactions of their own: after a failure between them the same call is made again.
        if let Some(pools) = change.pools {
            show = Some(shows::set_pools(&self.db, show_id, pools).await?);
        }
        match show {
            Some(show) => Ok(Reply::ok(&show)),
            None => Ok(Reply::ok(&shows::get(&self.db, show_id).await?)),
        }
    }

    async fn list_payments(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let (state, limit, after) = call.payment_page()?;
        let page = payments::list(&self.db, state, limit, after).await?;
        let next_cursor = page.next.map(|last| last.cursor(state.as_str()));
        Ok(Reply::ok(&json!({ "payments": page.items, "next_cursor": next_cursor })))
    }

    async fn settle_payment(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let (provider, payment_ids) = call.payment()?;
        let settled = first_known!(payment_ids, Error::PaymentNotFound, |id| payments::settle(&self.db, provider, id))?;
        if settled.changed {
            let payment_id = settled.payment.payment_id();
            tracing::info!(%provider, %payment_id, "a refund that was due was settled by an operator");
        }
        Ok(Reply::ok(&settled.payment))
    }

    async fn decide_dispute(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let (provider, payment_ids) = call.payment()?;
        let mut fields = Fields::read(call.request())?;
        let decision = fields.required::<DisputeDecision>("decision");
        let decision = fields.finish(decision)?;
        let decided = first_known!(payment_ids, Error::PaymentNotFound, |id| payments::decide_dispute(
            &self.db, provider, id, decision
        ))?;
        if decided.changed {
            let payment_id = decided.payment.payment_id();
            tracing::info!(%provider, %payment_id, ?decision, "a lost dispute was decided by an operator");
        }
        Ok(Reply::ok(&decided.payment))
    }

    async fn list_events(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let (limit, after) = call.event_page()?;
        let page = payments::list_unreadable(&self.db, limit, after).await?;
        let next_cursor = page.next.map(|last| last.cursor("unreadable"));
        Ok(Reply::ok(&json!({ "events": page.items, "next_cursor": next_cursor })))
    }

    async fn replay_event(&self, call: &Call<'_>) -> Result<Reply, Problem> {
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
        tracing::info!(%provider, %event_id, ?recorded, "an event that had not been understood was replayed by an operator");
        Ok(Reply::ok(&payments::get_event(&self.db, provider, event_id).await?.0))
    }

    async fn export_subject(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let (subject, limit, after) = call.subject_page()?;
        let page = privacy::export(&self.db, &subject, limit, after).await?;
        let next_cursor = page.next.map(|last| last.cursor(subject.as_str()));
        tracing::info!(bookings = page.items.len(), "what is kept about a subject was told to an operator");
        Ok(Reply::ok(&json!({ "bookings": page.items, "next_cursor": next_cursor })))
    }

    /// Erases in batches, each a transaction, until nothing is left or the time is up. What a call that fails has erased stays
    /// so: repeating it does the rest.
    async fn erase_subject(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let subject = call.about_subject()?;
        let (begun, mut erased, mut more) = (Instant::now(), 0, true);
        while more && begun.elapsed() < ERASURE_BUDGET {
            let batch = privacy::erase(&self.db, &subject).await?;
            Counter::Anonymised.add(batch);
            erased += batch;
            more = batch == u64::from(privacy::MAX_ERASED);
        }
        tracing::info!(erased, more, "bookings of a subject were erased by an operator");
        Ok(Reply::ok(&json!({ "erased": erased, "more": more })))
    }
}

/// The show that a call asks for.
///
/// # Errors
/// What is wrong with it.
pub fn read_new(call: &Call<'_>, expected_writers: Pools) -> Result<NewShow, Problem> {
    let mut fields = Fields::read(call.request())?;
    let (name, start_time) = (fields.required("name"), fields.required("start_time"));
    let total_seats = fields.required::<TotalSeats>("total_seats");
    let max_seats_per_booking = fields.optional("max_seats_per_booking", SeatCount::DEFAULT_MAX);
    let default_pools = total_seats.map_or(Pools::ONE, |seats| Pools::for_show(seats, expected_writers));
    let pools = fields.optional("pools", default_pools);
    let price = fields.price();
    let (max_pending, max_in_all) = (read_limit(&mut fields, MAX_PENDING), read_limit(&mut fields, MAX_IN_ALL));
    let seats = total_seats.zip(max_seats_per_booking).zip(pools).zip(max_pending.zip(max_in_all));
    let all = name.zip(start_time).zip(seats).zip(price);
    let (((name, start_time), seats), price) = fields.finish(all)?;
    let (((total_seats, max_seats_per_booking), pools), (max_pending, max_in_all)) = seats;
    let (max_pending_seats_per_holder, max_seats_per_holder) = (max_pending.flatten(), max_in_all.flatten());
    Ok(NewShow {
        name,
        start_time,
        total_seats,
        max_seats_per_booking,
        max_pending_seats_per_holder,
        max_seats_per_holder,
        pools,
        price,
    })
}

/// The members for a show's own limits of one holder.
const MAX_PENDING: &str = "max_pending_seats_per_holder";
const MAX_IN_ALL: &str = "max_seats_per_holder";

/// What is to change of a show: what is `None` stays.
#[derive(Debug)]
pub struct Change {
    pools: Option<Pools>,
    max_pending_seats_per_holder: LimitChange,
    max_seats_per_holder: LimitChange,
}

/// The change that a call asks for.
///
/// # Errors
/// What is wrong with it.
pub fn read_change(call: &Call<'_>) -> Result<Change, Problem> {
    let mut fields = Fields::read(call.request())?;
    let pools = fields.maybe("pools");
    let (max_pending, max_in_all) = (read_limit(&mut fields, MAX_PENDING), read_limit(&mut fields, MAX_IN_ALL));
    let (pools, (max_pending_seats_per_holder, max_seats_per_holder)) =
        fields.finish(pools.zip(max_pending.zip(max_in_all)))?;
    Ok(Change { pools, max_pending_seats_per_holder, max_seats_per_holder })
}

/// A limit that may be left out; `null` is the deployment's own.
fn read_limit(fields: &mut Fields, name: &str) -> Option<LimitChange> {
    if fields.take_null(name) { Some(Some(None)) } else { Some(fields.maybe(name)?.map(Some)) }
}
