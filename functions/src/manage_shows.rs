//! `POST /admin/shows`.

use boxoffice_shared::{
    db::Db,
    error::Cause,
    model::{Pools, SeatCount},
    ops::{self, NewShow},
};
use lambda_http::{Body, Request, Response};

use crate::{
    http::{Call, Fields, Problem, Reply},
    serve::{Handler, respond, start_with_database},
};

/// The Lambda for operators.
#[derive(Clone, Debug)]
pub struct ManageShows {
    db: Db,
}

impl Handler for ManageShows {
    async fn start() -> Result<Self, Cause> {
        Ok(Self { db: start_with_database().await? })
    }

    async fn handle(&self, request: &Request) -> Response<Body> {
        let call = Call::new(request);
        respond(match call.route() {
            ("POST", "/admin/shows") => self.create(&call).await,
            _ => Err(Problem::RouteNotFound),
        })
    }
}

impl ManageShows {
    async fn create(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let show = ops::create_show(&self.db, &read(call)?).await?;
        Ok(Reply::created(&format!("/shows/{}", show.id()), &show))
    }
}

fn read(call: &Call<'_>) -> Result<NewShow, Problem> {
    let mut fields = Fields::read(call.request())?;
    let name = fields.required("name");
    let start_time = fields.required("start_time");
    let total_seats = fields.required("total_seats");
    let max_seats_per_booking = fields.optional("max_seats_per_booking", SeatCount::DEFAULT_MAX);
    let pools = fields.optional("pools", Pools::ONE);
    match (name, start_time, total_seats, max_seats_per_booking, pools) {
        (Some(name), Some(start_time), Some(total_seats), Some(max_seats_per_booking), Some(pools))
            if fields.is_clean() =>
        {
            Ok(NewShow { name, start_time, total_seats, max_seats_per_booking, pools })
        }
        _ => Err(fields.faults()),
    }
}
