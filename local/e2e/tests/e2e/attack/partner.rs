//! Partners' API keys at the gateway.
//!
//! MiniStack checks the key and its usage plan, but does not pass the key's id (`identity.apiKeyId`) to the function.
//! So a partner's holder is its address here. `functions/tests/it/http/callers.rs` tests with the real binary that the key's id
//! comes first and that its holder is limited.

use boxoffice_e2e::{
    api::{Answer, Api, Call, somebody},
    database::Database,
    partner,
    token::{self, mint},
};

#[tokio::test]
async fn a_partner_can_book_only_with_a_key_of_the_plan() {
    let (api, database) = (Api::connect(), Database::connect().await);
    let show_id = api.create_show(100).await;
    let _kept = Database::keep_holds(show_id).await;
    let (key, elsewhere) = (partner::key().await, partner::key_without_a_plan().await);
    let book = || {
        let call = Call::new("POST", &format!("/partner/shows/{show_id}/bookings"));
        call.json(r#"{"user_name":"Ada","seats":5}"#).anonymous()
    };
    let with = |key: &str| book().header("x-api-key", key);
    let forbidden = async |call: Call| api.send(call).await.problem(403, "forbidden").clone();
    let told = forbidden(book()).await;
    for wrong in ["", " ", "x", &key[1..], &format!("{key}x"), &key.to_uppercase(), &elsewhere, "*", "' OR '1'='1"] {
        assert_eq!(forbidden(with(wrong)).await, told, "{wrong:?}");
    }
    // Two keys are refused, and so is a token or a key in another place.
    forbidden(with(&key).header("x-api-key", &elsewhere)).await;
    forbidden(book().token(token::operator())).await;
    forbidden(book().header("authorization", &key)).await;
    forbidden(book().header("cookie", format!("x-api-key={key}"))).await;
    let in_query = Call::new("POST", &format!("/partner/shows/{show_id}/bookings?x-api-key={key}"));
    forbidden(in_query.json(r#"{"user_name":"Ada","seats":5}"#).anonymous()).await;
    assert_eq!(database.bookings(show_id).await, 0);

    // The key allows booking, within the limits of a holder.
    let here = somebody();
    let mine = async || -> Answer { api.send(with(&key).from(&here)).await };
    mine().await.expect(201);
    mine().await.expect(201);
    mine().await.problem(409, "pending-limit");
    // A key gives access to the partners' route only.
    let create = Call::new("POST", "/admin/shows").json("{}").anonymous().header("x-api-key", &key);
    api.send(create).await.problem(401, "unauthorized");
    // A token sent with the key is ignored: the booking does not belong to its subject.
    let both = api.send(with(&key).token(&mint("ada", ""))).await;
    let path = both.location();
    both.expect(201);
    api.send(Call::new("GET", &path).anonymous()).await.expect(200);
}
