//! `GET /shows` and `GET /shows/{show_id}`.

use boxoffice_shared::{error::Cause, page::Position, platform::db::Db, shows};
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
        let page = shows::list(&self.db, limit, after).await?;
        let next_cursor = page.next.map(|last| last.cursor(""));
        Ok(Reply::ok(&json!({ "shows": page.items, "next_cursor": next_cursor })))
    }

    async fn get(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let show = shows::get(&self.db, call.show_id()?).await?;
        Ok(Reply::ok(&show))
    }
}
