//! Turns a statement of the domain into a pgbench script, so that all subjects have the same client at the same cost.

/// The replacements for the parameters of `bookings/book/own_pool.sql`, in order. Each is a pgbench variable, so that
/// it reaches the server as a parameter of a prepared statement, as it does from the Lambda.
///
/// pgbench has no UUIDs, so the server makes one from the transaction's time and 63 random bits, as in a UUIDv7.
/// `now()` is the same at each place, and an index can be searched by it.
pub(crate) const BOOK: &[&str] = &[
    ":show::bigint",
    "(lpad(to_hex((date_part('epoch', now()) * 1000)::bigint), 12, '0') || lpad(:u::text, 20, '0'))::uuid",
    ":name::text",
    ":seats::integer",
    ":hold::double precision",
    "nullif(:key::text, 'none')",
    // A different buyer each time, as in reality.
    "('ip:' || :u::text)",
    ":max_pending_seats::integer",
    ":max_seats::integer",
    ":max_unpaid_holds::integer",
    ":times::integer",
];

/// The replacements for `payments/record.sql`: each client pays for the holds of `shows::create_held` one after
/// another, with a payload of usual length.
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

/// Builds a script that runs `sql` once per transaction on a show. `show` is a pgbench expression for the show's id.
pub(crate) fn script(sql: &str, parameters: &[&str], show: &str) -> String {
    let mut body: String =
        sql.lines().filter(|line| !line.trim_start().starts_with("--")).flat_map(|line| [line, "\n"]).collect();
    // Last parameter first, because $1 is a prefix of $10.
    for (index, parameter) in parameters.iter().enumerate().rev() {
        body = body.replace(&format!("${}", index + 1), parameter);
    }
    assert!(!body.contains('$'), "the statement has parameters that the benchmark does not know: {body}");
    let body = body.trim_end();
    let end = if body.ends_with(';') || body.ends_with("\\endif") { "" } else { ";" };
    format!("\\set show {show}\n\\set u random(1, 9000000000000000000)\n\\set n :n + 1\n{body}{end}\n")
}

/// The variables with a constant value, for `pgbench -D`; and the initial value of `n`, which counts a client's
/// transactions.
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
