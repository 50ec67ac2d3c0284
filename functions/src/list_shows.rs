//! The Lambda `list-shows`: lists and gets shows.

use boxoffice_shared::{error::Cause, platform::db::Db, shows};

use crate::{
    http::{Call, Problem, Reply},
    routes::Operation,
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
        match call.operation() {
            Operation::ListShows => self.list(call).await,
            Operation::GetShow => self.get(call).await,
            _ => Err(Problem::RouteNotFound),
        }
    }
}

impl ListShows {
    async fn list(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let (filter, limit, after) = call.show_page()?;
        let page = shows::list(&self.db, limit, after).await?;
        Ok(Reply::page("shows", &page, &filter))
    }

    async fn get(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let show = shows::get(&self.db, call.show_id()?).await?;
        Ok(Reply::ok(&show))
    }
}
