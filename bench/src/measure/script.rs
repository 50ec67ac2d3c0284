//! A statement of the domain as a script for pgbench, so that all subjects have the same client at the same cost.

/// What stands for the parameters of `book.sql`, in their order. Each is a pgbench variable, so that it reaches the
/// server as a parameter of a prepared statement, as it does from the Lambda.
///
/// pgbench has no uuid: it is made on the server from the transaction's time and 63 random bits, as a UUIDv7 is. `now()`
/// is the same at each place, and an index can be searched by it.
pub(crate) const BOOK: &[&str] = &[
    ":show::bigint",
    "(lpad(to_hex((date_part('epoch', now()) * 1000)::bigint), 12, '0') || lpad(:u::text, 20, '0'))::uuid",
    ":name::text",
    ":seats::integer",
    ":hold::double precision",
    "nullif(:key::text, 'none')",
    // A buyer each, as there are.
    "('ip:' || :u::text)",
    ":max_pending_seats::integer",
    ":max_seats::integer",
    ":max_unpaid_holds::integer",
    ":times::integer",
];

/// The same for `record_payment.sql`: each client pays for one after another of the holds of `shows::create_held`, with a
/// payload of a usual length.
pub(crate) const RECORD_PAYMENT: &[&str] = &[
    "'stripe'::text",
    "concat('evt_', :show::bigint, '_', :client_id::bigint, '_', :n::bigint)",
    "'payment_intent.succeeded'::text",
    "concat('pi_', :show::bigint, '_', :client_id::bigint, '_', :n::bigint)",
    ":show::bigint",
    "(lpad(to_hex(:client_id::bigint), 8, '0') || lpad(to_hex(:n::bigint), 24, '0'))::uuid",
    "now()",
    "'succeeded'::text",
    "5000::bigint",
    "'EUR'::text",
    "NULL::text",
    "NULL::text",
    ":max_seats::integer",
    "1::integer",
    "100::integer",
    "NULL::bigint[]",
    "NULL::text",
    "repeat('x', 1500)",
];

/// The script that runs `sql` once a transaction on a show. `show` is a pgbench expression that gives its id.
pub(crate) fn script(sql: &str, parameters: &[&str], show: &str) -> String {
    let mut body: String =
        sql.lines().filter(|line| !line.trim_start().starts_with("--")).flat_map(|line| [line, "\n"]).collect();
    // From the last on: $1 is the beginning of $10.
    for (index, parameter) in parameters.iter().enumerate().rev() {
        body = body.replace(&format!("${}", index + 1), parameter);
    }
    assert!(!body.contains('$'), "the statement has other parameters than the benchmark knows: {body}");
    let body = body.trim_end();
    let end = if body.ends_with(';') || body.ends_with("\\endif") { "" } else { ";" };
    format!("\\set show {show}\n\\set u random(1, 9000000000000000000)\n\\set n :n + 1\n{body}{end}\n")
}

/// The values of the variables that are the same each time, for `pgbench -D`; and `n` before the first transaction of a
/// client, which counts them.
pub(crate) const VARIABLES: [(&str, &str); 9] = [
    ("name", "A. Buyer"),
    ("seats", "2"),
    ("hold", "120"),
    ("key", "none"),
    ("max_pending_seats", "10"),
    ("max_seats", "20"),
    ("max_unpaid_holds", "5"),
    ("times", "1"),
    ("n", "0"),
];
