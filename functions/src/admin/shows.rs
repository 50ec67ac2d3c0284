//! Creates and changes shows.

use boxoffice_shared::{
    inventory::{Pools, SeatCount, TotalSeats},
    shows::{self, CreatedShow, CreationKey, LimitChange, NewShow},
};

use super::Admin;
use crate::http::{Call, Fields, Problem, Reply};

impl Admin {
    pub(super) async fn create_show(&self, call: &Call<'_>) -> Result<Reply, Problem> {
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

    pub(super) async fn change_show(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let show_id = call.show_id()?;
        let change = read_change(call)?;
        let mut show = None;
        if change.max_pending_seats_per_holder.is_some() || change.max_seats_per_holder.is_some() {
            let (pending, in_all) = (change.max_pending_seats_per_holder, change.max_seats_per_holder);
            show = Some(shows::set_holder_limits(&self.db, show_id, pending, in_all).await?);
        }
        // Two transactions. After a failure between them, the caller repeats the call.
        if let Some(pools) = change.pools {
            show = Some(shows::set_pools(&self.db, show_id, pools).await?);
        }
        match show {
            Some(show) => Ok(Reply::ok(&show)),
            None => Ok(Reply::ok(&shows::get(&self.db, show_id).await?)),
        }
    }
}

/// Reads the show that a call wants to create.
///
/// # Errors
/// What is wrong with the request.
pub fn read_new(call: &Call<'_>, expected_writers: Pools) -> Result<NewShow, Problem> {
    let mut fields = Fields::read(call.request())?;
    let (name, start_time) = (fields.required("name"), fields.required("start_time"));
    let total_seats = fields.required::<TotalSeats>("total_seats");
    let max_seats_per_booking = fields.optional("max_seats_per_booking", SeatCount::DEFAULT_MAX);
    let default_pools = total_seats.map_or(Pools::ONE, |seats| Pools::for_show(seats, expected_writers));
    let pools = fields.optional("pools", default_pools);
    let price = fields.price();
    let (max_pending, max_in_all) = (read_limit(&mut fields, MAX_PENDING), read_limit(&mut fields, MAX_IN_ALL));
    let members = (name, start_time, total_seats, max_seats_per_booking, pools, price, max_pending, max_in_all);
    let (name, start_time, total_seats, max_seats_per_booking, pools, price, max_pending, max_in_all) =
        fields.finish(members)?;
    Ok(NewShow {
        name,
        start_time,
        total_seats,
        max_seats_per_booking,
        max_pending_seats_per_holder: max_pending.flatten(),
        max_seats_per_holder: max_in_all.flatten(),
        pools,
        price,
    })
}

/// The members for the show's limits per holder.
const MAX_PENDING: &str = "max_pending_seats_per_holder";
const MAX_IN_ALL: &str = "max_seats_per_holder";

/// The changes of a show. What is `None` stays.
#[derive(Debug)]
pub struct Change {
    pools: Option<Pools>,
    max_pending_seats_per_holder: LimitChange,
    max_seats_per_holder: LimitChange,
}

/// Reads the change that a call asks for.
///
/// # Errors
/// What is wrong with the request.
pub fn read_change(call: &Call<'_>) -> Result<Change, Problem> {
    let mut fields = Fields::read(call.request())?;
    let pools = fields.maybe("pools");
    let (max_pending, max_in_all) = (read_limit(&mut fields, MAX_PENDING), read_limit(&mut fields, MAX_IN_ALL));
    let (pools, max_pending_seats_per_holder, max_seats_per_holder) =
        fields.finish((pools, max_pending, max_in_all))?;
    Ok(Change { pools, max_pending_seats_per_holder, max_seats_per_holder })
}

/// Reads a limit that may be left out. `null` means the deployment's limit.
fn read_limit(fields: &mut Fields, name: &str) -> Option<LimitChange> {
    if fields.take_null(name) { Some(Some(None)) } else { Some(fields.maybe(name)?.map(Some)) }
}
