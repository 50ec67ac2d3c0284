//! `GET /shows` and `GET /shows/{show_id}`.

use boxoffice_shared::{db::Db, error::Cause, model::Position, ops};
use serde_json::json;

use crate::{
    http::{Call, Problem, Reply},
    serve::{Handler, start_with_replica},
};

/// The Lambda that reads shows.
#[derive(Clone, Debug)]
pub struct ListShows {
    db: Db,
}

impl Handler for ListShows {
    async fn start() -> Result<Self, Cause> {
        Ok(Self { db: start_with_replica().await? })
    }

    async fn handle(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        match call.route() {
            ("GET", "/shows") => self.list(call).await,
            ("GET", "/shows/{show_id}") => self.get(call).await,
            _ => Err(Problem::RouteNotFound),
        }
    }
}

impl ListShows {
    async fn list(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let (limit, after) = call.page()?;
        let page = ops::list_shows(&self.db, limit, after).await?;
        let next_cursor = page.next.map(|last| last.cursor(""));
        Ok(Reply::ok(&json!({ "shows": page.shows, "next_cursor": next_cursor })))
    }

    async fn get(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let show = ops::get_show(&self.db, call.show_id()?).await?;
        Ok(Reply::ok(&show))
    }
}
