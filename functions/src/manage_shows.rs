//! What operators do: `POST /admin/shows`, `PATCH /admin/shows/{show_id}`, `GET /admin/payments`,
//! `POST /admin/payments/{provider}/{payment_id}/settle`, `GET /admin/payments/events` and
//! `POST /admin/payments/events/{provider}/{event_id}/replay`.

use boxoffice_shared::{
    config::{Environment, Reader},
    db::Db,
    error::Cause,
    metrics::Counter,
    model::{Pools, SeatCount, TotalSeats},
    ops::{self, NewShow},
    start::start,
};
use lambda_http::{Body, Request, Response};
use serde_json::json;

use crate::{
    http::{Call, Fields, Problem, Reply},
    serve::{Handler, respond},
    webhooks::read_again,
};

/// The Lambda for operators.
#[derive(Clone, Debug)]
pub struct ManageShows {
    db: Db,
    expected_writers: Pools,
}

impl Handler for ManageShows {
    async fn start() -> Result<Self, Cause> {
        let mut reader = Reader::new(&Environment);
        let (database, connections, writers) = (reader.database(), reader.concurrency(), reader.expected_writers());
        let ((database, connections), expected_writers) = reader.finish(database.zip(connections).zip(writers))?;
        Ok(Self { db: start(database, connections).await?.0, expected_writers })
    }

    async fn handle(&self, request: &Request) -> Response<Body> {
        let call = Call::new(request);
        respond(match call.route() {
            ("POST", "/admin/shows") => self.create(&call).await,
            ("PATCH", "/admin/shows/{show_id}") => self.change(&call).await,
            ("GET", "/admin/payments") => self.list_payments(&call).await,
            ("POST", "/admin/payments/{provider}/{payment_id}/settle") => self.settle_payment(&call).await,
            ("GET", "/admin/payments/events") => self.list_events(&call).await,
            ("POST", "/admin/payments/events/{provider}/{event_id}/replay") => self.replay_event(&call).await,
            _ => Err(Problem::RouteNotFound),
        })
    }
}

impl ManageShows {
    async fn create(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let show = ops::create_show(&self.db, &self.read_new(call)?).await?;
        Ok(Reply::created(&format!("/shows/{}", show.id()), &show))
    }

    async fn change(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let show_id = call.show_id()?;
        let mut fields = Fields::read(call.request())?;
        let pools = fields.required("pools");
        let show = ops::set_pools(&self.db, show_id, fields.finish(pools)?).await?;
        Ok(Reply::ok(&show))
    }

    async fn list_payments(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let (state, limit, after) = call.payment_page()?;
        let page = ops::list_payments(&self.db, state, limit, after).await?;
        let next_cursor = page.next.map(|cursor| cursor.to_string());
        Ok(Reply::ok(&json!({ "payments": page.payments, "next_cursor": next_cursor })))
    }

    async fn settle_payment(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let (provider, payment_id) = call.payment()?;
        let settled = ops::settle_payment(&self.db, provider, &payment_id).await?;
        if settled.changed {
            tracing::info!(%provider, %payment_id, "a refund that was due was settled by an operator");
        }
        Ok(Reply::ok(&settled.payment))
    }

    async fn list_events(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let (limit, after) = call.event_page()?;
        let page = ops::list_unreadable(&self.db, limit, after).await?;
        let next_cursor = page.next.map(|cursor| cursor.to_string());
        Ok(Reply::ok(&json!({ "events": page.events, "next_cursor": next_cursor })))
    }

    async fn replay_event(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let (provider, event_id) = call.event()?;
        let (kept, payload) = ops::get_event(&self.db, provider, &event_id).await?;
        if !kept.is_unreadable() {
            return Ok(Reply::ok(&kept));
        }
        let recorded = ops::replay_payment(&self.db, &read_again(provider, &kept, &payload)?).await?;
        Counter::count_payment(recorded);
        tracing::info!(%provider, %event_id, ?recorded, "an event that had not been understood was replayed by an operator");
        Ok(Reply::ok(&ops::get_event(&self.db, provider, &event_id).await?.0))
    }

    fn read_new(&self, call: &Call<'_>) -> Result<NewShow, Problem> {
        let mut fields = Fields::read(call.request())?;
        let (name, start_time) = (fields.required("name"), fields.required("start_time"));
        let total_seats = fields.required::<TotalSeats>("total_seats");
        let max_seats_per_booking = fields.optional("max_seats_per_booking", SeatCount::DEFAULT_MAX);
        let default_pools = total_seats.map_or(Pools::ONE, |seats| Pools::for_show(seats, self.expected_writers));
        let pools = fields.optional("pools", default_pools);
        let price = fields.price();
        let all = name.zip(start_time).zip(total_seats).zip(max_seats_per_booking.zip(pools)).zip(price);
        let ((((name, start_time), total_seats), (max_seats_per_booking, pools)), price) = fields.finish(all)?;
        Ok(NewShow { name, start_time, total_seats, max_seats_per_booking, pools, price })
    }
}
