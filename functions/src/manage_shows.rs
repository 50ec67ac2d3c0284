//! `POST /admin/shows` and `PATCH /admin/shows/{show_id}`.

use boxoffice_shared::{
    config::{Environment, Reader},
    db::Db,
    error::Cause,
    model::{Pools, SeatCount, TotalSeats},
    ops::{self, NewShow},
    start::start,
};
use lambda_http::{Body, Request, Response};

use crate::{
    http::{Call, Fields, Problem, Reply},
    serve::{Handler, respond},
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

    fn read_new(&self, call: &Call<'_>) -> Result<NewShow, Problem> {
        let mut fields = Fields::read(call.request())?;
        let (name, start_time) = (fields.required("name"), fields.required("start_time"));
        let total_seats = fields.required::<TotalSeats>("total_seats");
        let max_seats_per_booking = fields.optional("max_seats_per_booking", SeatCount::DEFAULT_MAX);
        let default_pools = total_seats.map_or(Pools::ONE, |seats| Pools::for_show(seats, self.expected_writers));
        let pools = fields.optional("pools", default_pools);
        let all = name.zip(start_time).zip(total_seats).zip(max_seats_per_booking.zip(pools));
        let (((name, start_time), total_seats), (max_seats_per_booking, pools)) = fields.finish(all)?;
        Ok(NewShow { name, start_time, total_seats, max_seats_per_booking, pools })
    }
}
