//! A function that reads its database login from Secrets Manager and connects with TLS.

use std::path::Path;

use boxoffice_e2e::{http::Client, setting};
use boxoffice_testkit::{
    events::api_event,
    lambda::Instance,
    postgres::{Options, Server},
};
use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};

/// Creates a secret in the local cloud's Secrets Manager and returns its ARN.
async fn create_secret(text: &str) -> String {
    let authorization = "AWS4-HMAC-SHA256 Credential=test/20300101/us-east-1/secretsmanager/aws4_request, \
        SignedHeaders=host, Signature=0";
    let name = format!("boxoffice-test-{}", std::process::id());
    let request = Request::post(setting::required("BOXOFFICE_AWS_ENDPOINT"))
        .header("content-type", "application/x-amz-json-1.1")
        .header("x-amz-target", "secretsmanager.CreateSecret")
        .header("authorization", authorization)
        .body(Bytes::from(json!({"Name": name, "SecretString": text}).to_string()))
        .unwrap();
    let answer: Value = serde_json::from_slice(&Client::new().send(request).await.body).unwrap();
    answer["ARN"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

#[tokio::test]
async fn a_function_connects_with_the_secrets_login_over_tls() {
    let server = Server::start(&Options::fast().tls().password());
    let database = server.create_database().await;
    let secret = json!({"username": "boxoffice_app", "password": "boxoffice_app", "host": "localhost", "port": server.port(),
        "dbname": database.name(), "engine": "postgres"});
    let arn = create_secret(&secret.to_string()).await;
    let bootstrap = Path::new(&setting::required("BOXOFFICE_BIN_DIR")).join("list-shows").join("bootstrap");
    let (endpoint, ca_file) = (setting::required("BOXOFFICE_AWS_ENDPOINT"), server.ca_file());
    let environment = [
        ("DATABASE_URL", ""),
        ("DATABASE_SECRET_ARN", arn.as_str()),
        ("DATABASE_CA_FILE", ca_file.to_str().unwrap()),
        ("AWS_ENDPOINT_URL", endpoint.as_str()),
    ];
    let instance = Instance::start(&bootstrap, &environment).await;
    let event = api_event("GET", "/shows", &[], &[], &[], None);
    let answer = instance.invoke(&event).await.unwrap_or_else(|e| panic!("{e:?}\n{}", instance.stderr()));
    assert_eq!(answer["statusCode"], 200, "{answer}\n{}", instance.stdout());
    let encrypted =
        "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'boxoffice_app'";
    let encrypted: bool = database.admin_client().await.query_one(encrypted, &[]).await.unwrap().get(0);
    assert!(encrypted);
}

#[tokio::test]
async fn a_missing_secret_fails_the_start_and_is_named_in_the_log() {
    let arn = "arn:aws:secretsmanager:us-east-1:000000000000:secret:nothing-here";
    let bootstrap = Path::new(&setting::required("BOXOFFICE_BIN_DIR")).join("list-shows").join("bootstrap");
    let endpoint = setting::required("BOXOFFICE_AWS_ENDPOINT");
    let environment = [("DATABASE_SECRET_ARN", arn), ("AWS_ENDPOINT_URL", endpoint.as_str())];
    let instance = Instance::start(&bootstrap, &environment).await;
    assert!(instance.ready().await.is_err());
    assert!(instance.logged(arn).await, "{}", instance.stdout());
}
