//! Walks the pages of the list of shows while shows are added.

use std::collections::HashSet;

use boxoffice_e2e::{api::Api, database::Database, unique};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// Earlier than the start times in other tests, so that a walk reaches these shows first.
fn soon(minutes: i64) -> Timestamp {
    Timestamp::now() + SignedDuration::from_hours(1) + SignedDuration::from_mins(minutes)
}

async fn create_at(api: &Api, name: &str, start_time: Timestamp) -> i64 {
    api.create(&json!({"name": name, "start_time": start_time.to_string(), "total_seats": 1})).await
}

/// One page: its shows, and the query for the next page.
async fn page(api: &Api, query: &str) -> (Vec<Value>, Option<String>) {
    let page = api.get(&format!("/shows?{query}")).await.expect(200).clone();
    let limit = query.split('&').next().unwrap();
    let next = page["next_cursor"].as_str().map(|cursor| format!("{limit}&cursor={cursor}"));
    (page["shows"].as_array().unwrap().clone(), next)
}

fn place(show: &Value) -> (Timestamp, i64) {
    (show["start_time"].as_str().unwrap().parse().unwrap(), show["show_id"].as_i64().unwrap())
}

#[tokio::test]
async fn no_show_is_missed_or_repeated_while_shows_are_added() {
    let (api, name) = (Api::connect(), unique("paging"));
    // Several shows start at the same time: the id decides their order.
    let same = soon(30);
    let mut expected = HashSet::new();
    for minutes in [10, 20, 40, 50] {
        expected.insert(create_at(&api, &name, soon(minutes)).await);
    }
    for _ in 0..4 {
        expected.insert(create_at(&api, &name, same).await);
    }

    let (mut seen, mut query, mut added) = (Vec::new(), Some("limit=2".to_owned()), 0);
    while let Some(current) = query {
        let (shows, next) = page(&api, &current).await;
        assert!(shows.len() <= 2);
        seen.extend(shows.iter().map(place));
        let passed = seen.last().is_some_and(|(start_time, _)| *start_time > soon(55));
        query = next.filter(|_| !passed);
        // Add shows before and after the current position.
        if added < 3 {
            create_at(&api, &unique("added"), soon(5)).await;
            create_at(&api, &unique("added"), soon(45)).await;
            added += 1;
        }
    }
    assert!(seen.is_sorted(), "{seen:?}");
    let ids: HashSet<_> = seen.iter().map(|(_, id)| *id).collect();
    assert_eq!(ids.len(), seen.len(), "repeated: {seen:?}");
    assert!(expected.is_subset(&ids), "missed: {:?}", expected.difference(&ids));
}

#[tokio::test]
async fn the_list_ends_and_leaves_out_started_shows() {
    let (api, database) = (Api::connect(), Database::connect().await);
    let (upcoming, started) = (api.create_show(1).await, api.create_show(1).await);
    database.start_show(started).await;
    let (mut seen, mut query) = (Vec::new(), Some("limit=100".to_owned()));
    while let Some(current) = query {
        let (shows, next) = page(&api, &current).await;
        assert!(next.is_none() || shows.len() == 100, "every page but the last must be full");
        seen.extend(shows.iter().map(place));
        query = next;
    }
    assert!(seen.is_sorted());
    let ids: HashSet<_> = seen.iter().map(|(_, id)| *id).collect();
    assert_eq!(ids.len(), seen.len(), "repeated");
    assert!(ids.contains(&upcoming));
    assert!(!ids.contains(&started));
}
