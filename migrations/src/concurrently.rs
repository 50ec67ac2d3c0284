//! Index changes that run concurrently with writes, outside a transaction.

use tokio_postgres::Client;

use crate::Error;

/// The name of such a migration begins with this.
pub(crate) const PREFIX: &str = "concurrently_";

/// The only statement of such a migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change<'a> {
    Create(&'a str),
    Drop(&'a str),
}

/// Builds or drops the index of a migration. Running it again has the same result, wherever the run before it stopped.
///
/// It waits for every transaction that may still see the table as it was, and no transaction waits for it. So it has no lock
/// timeout: giving up would leave an invalid index.
///
/// # Errors
/// The text is not one such statement, or the server rejects it.
pub(crate) async fn change(client: &Client, sql: &str) -> Result<(), Error> {
    let change = parse(sql)?;
    let (Change::Create(name) | Change::Drop(name)) = change;
    let found = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass($1)";
    let is_valid = client.query_opt(found, &[&name]).await?.map(|row| row.get::<_, bool>(0));
    match (change, is_valid) {
        // An earlier run made the change, but ended before it recorded the migration.
        (Change::Create(_), Some(true)) | (Change::Drop(_), None) => {}
        (Change::Create(_), Some(false)) => {
            client.batch_execute(&format!("DROP INDEX CONCURRENTLY {name}")).await?;
            client.batch_execute(sql).await?;
        }
        (Change::Create(_), None) | (Change::Drop(_), Some(_)) => client.batch_execute(sql).await?,
    }
    Ok(())
}

/// Reads the statement. Comments may stand before it and between its lines.
fn parse(sql: &str) -> Result<Change<'_>, Error> {
    let lines = sql.lines().map(|line| line.split_once("--").map_or(line, |(code, _comment)| code));
    let words: Vec<&str> = lines.flat_map(str::split_ascii_whitespace).collect();
    let is_one = words.iter().rev().skip(1).all(|word| !word.contains(';'));
    let change = match words.as_slice() {
        ["CREATE", "INDEX", "CONCURRENTLY", name, "ON", ..]
        | ["CREATE", "UNIQUE", "INDEX", "CONCURRENTLY", name, "ON", ..] => Some((Change::Create(name), *name)),
        ["DROP", "INDEX", "CONCURRENTLY", name] => {
            let name = name.trim_end_matches(';');
            Some((Change::Drop(name), name))
        }
        _ => None,
    };
    match change {
        Some((change, name)) if is_one && is_plain(name) => Ok(change),
        _ => Err(format!(
            "a migration whose name begins with {PREFIX} must have one statement, either CREATE [UNIQUE] INDEX CONCURRENTLY name \
             ON ... or DROP INDEX CONCURRENTLY name, but has: {}",
            words.join(" ")
        )
        .into()),
    }
}

/// Whether a name needs no quotes.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn one_index_statement_is_accepted() {
        for (sql, change) in [
            ("CREATE INDEX CONCURRENTLY a_b ON a (b);", Change::Create("a_b")),
            ("-- Why.\n\nCREATE UNIQUE INDEX CONCURRENTLY a1 -- here; too\n  ON a (b)\n", Change::Create("a1")),
            ("DROP INDEX CONCURRENTLY a_b;\n", Change::Drop("a_b")),
        ] {
            assert_eq!(parse(sql).unwrap(), change, "{sql}");
        }
    }

    #[test]
    fn any_other_text_is_refused() {
        for sql in [
            "",
            "CREATE INDEX a_b ON a (b)",
            // It would accept an invalid index.
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS a_b ON a (b)",
            "DROP INDEX CONCURRENTLY IF EXISTS a_b",
            // Without a name, the index cannot be looked up.
            "CREATE INDEX CONCURRENTLY ON a (b)",
            "CREATE INDEX CONCURRENTLY \"A\" ON a (b)",
            "CREATE INDEX CONCURRENTLY a_b ON a (b); CREATE INDEX CONCURRENTLY a_c ON a (c);",
            "DROP INDEX CONCURRENTLY a_b; DROP TABLE a",
            "ALTER TABLE a ADD b int",
        ] {
            assert!(parse(sql).unwrap_err().to_string().contains("must have one statement"), "{sql}");
        }
    }
}
