//! The server's settings for our role and tables: JIT and autovacuum.

use boxoffice_migrations::apply;
use boxoffice_shared::platform::config::Database as Target;
use boxoffice_testkit::postgres::{Database, Options, Server};

/// However expensive the planner thinks a statement is. The owner's statements are compiled.
#[tokio::test]
async fn functions_role_does_not_use_jit() {
    let database = Database::create().await;
    for (client, compiles) in [(database.client_as("boxoffice_app").await, false), (database.client().await, true)] {
        client.batch_execute("SET jit_above_cost = 0").await.unwrap();
        let plan = client.query("EXPLAIN (ANALYZE) SELECT count(*) FROM bookings WHERE seats > 1", &[]).await.unwrap();
        let has_jit = plan.iter().any(|line| line.get::<_, &str>(0).starts_with("JIT:"));
        let provided: bool =
            client.query_one("SELECT pg_jit_available() OR NOT $1", &[&compiles]).await.unwrap().get(0);
        assert!(has_jit == compiles || !provided, "{plan:?}");
        let setting: String = client.query_one("SHOW jit", &[]).await.unwrap().get(0);
        assert_eq!(setting, if compiles { "on" } else { "off" });
    }
}

/// Each table that grows, at ten million rows: 110,000 may be dead. The server's default is two million.
#[tokio::test]
async fn growing_tables_are_vacuumed_early() {
    let database = Database::create().await;
    let thresholds = "
        SELECT relname::text,
            max(option_value::float8) FILTER (WHERE option_name = 'autovacuum_vacuum_threshold')
                + 1e7 * max(option_value::float8) FILTER (WHERE option_name = 'autovacuum_vacuum_scale_factor') AS dead,
            max(option_value::float8) FILTER (WHERE option_name = 'autovacuum_vacuum_insert_threshold')
                + 1e7 * max(option_value::float8) FILTER (WHERE option_name = 'autovacuum_vacuum_insert_scale_factor') AS new,
            max(option_value::float8) FILTER (WHERE option_name = 'autovacuum_analyze_threshold')
                + 1e7 * max(option_value::float8) FILTER (WHERE option_name = 'autovacuum_analyze_scale_factor') AS changed
        FROM pg_class
        LEFT JOIN LATERAL pg_options_to_table(reloptions) ON true
        -- shows has few rows, and seat_pools has settings of its own.
        WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
            AND relname NOT IN ('shows', 'seat_pools', 'refinery_schema_history')
        GROUP BY relname";
    let tables = database.client().await.query(thresholds, &[]).await.unwrap();
    assert!(tables.len() >= 3);
    for table in &tables {
        let at = ["dead", "new", "changed"].map(|column| table.get::<_, Option<f64>>(column));
        let [Some(dead), Some(new), Some(changed)] = at else { panic!("{:?}: {at:?}", table.get::<_, &str>(0)) };
        assert!(dead <= 110_000.0 && new <= 510_000.0 && changed <= 205_000.0, "{:?}: {at:?}", table.get::<_, &str>(0));
    }
}

/// The role belongs to the server. If it has the setting already, nobody needs the right to change it. If it has not, the error says
/// what to do.
#[tokio::test]
async fn missing_right_to_change_the_role_is_reported_with_the_command_to_run() {
    let server = Server::start(&Options::fast());
    let databases = [server.create_empty_database().await, server.create_empty_database().await];
    let [first, second] = databases.each_ref().map(|database| Target::from_url(&database.owner_url(), None).unwrap());
    apply(&first).await.unwrap();
    let admin = server.admin_client().await;
    admin.batch_execute("ALTER ROLE boxoffice_app RESET jit; ALTER ROLE boxoffice NOCREATEROLE").await.unwrap();
    let error = apply(&second).await.unwrap_err().to_string();
    assert!(error.contains("let an administrator run ALTER ROLE boxoffice_app SET jit = off"), "{error}");
    admin.batch_execute("ALTER ROLE boxoffice_app SET jit = off").await.unwrap();
    apply(&second).await.unwrap();
}
