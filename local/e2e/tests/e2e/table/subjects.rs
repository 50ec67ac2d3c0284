//! A subject's data: export and erasure.

use boxoffice_e2e::{api::Api, database::Database, unique};
use serde_json::{Value, json};

use super::hold;

#[tokio::test]
async fn a_subject_is_exported_and_erased() {
    let (api, database) = (Api::connect(), Database::connect().await);
    let show_id = api.create_show(5).await;
    let (mine, other) = (hold(&api, show_id, 2).await, hold(&api, show_id, 1).await);
    let subject = unique("subject");
    let holds = "UPDATE bookings SET holder = 'sub:' || $1::text WHERE '/bookings/' || show_id || '-' || id = $2";
    assert_eq!(database.client().execute(holds, &[&subject, &mine]).await.unwrap(), 1);
    let path = format!("/admin/subjects/bookings?subject={subject}");
    let kept = api.get(&format!("{path}&limit=1")).await.expect(200).clone();
    assert_eq!((kept["bookings"].as_array().unwrap().len(), &kept["next_cursor"]), (1, &Value::Null));
    let booking = &kept["bookings"][0]["booking"];
    assert_eq!(
        (format!("/bookings/{}", booking["booking_id"].as_str().unwrap()), &booking["user_name"]),
        (mine.clone(), &json!("Ada"))
    );
    for erased in [1, 0] {
        assert_eq!(*api.delete(&path).await.expect(200), json!({"erased": erased, "more": false}));
    }
    assert_eq!(*api.get(&path).await.expect(200), json!({"bookings": [], "next_cursor": null}));
    let names = "SELECT user_name FROM bookings WHERE '/bookings/' || show_id || '-' || id = $1";
    for (path, expected) in [(&mine, "(erased)"), (&other, "Ada")] {
        let name: String = database.client().query_one(names, &[path]).await.unwrap().get(0);
        assert_eq!(name, expected);
    }
}

#[tokio::test]
async fn a_missing_repeated_or_invalid_subject_is_refused() {
    let api = Api::connect();
    let long = format!("?subject={}", "a".repeat(256));
    for query in ["", "?subject=", "?subject=a%00b", "?subject=a&subject=b", &long] {
        let path = format!("/admin/subjects/bookings{query}");
        for answer in [api.get(&path).await, api.delete(&path).await] {
            answer.problem(400, "malformed-request");
            assert_eq!(answer.pointers(), ["subject"], "{path}");
        }
    }
}
