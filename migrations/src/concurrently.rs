//! Index changes beside the writes, outside of any transaction.

use tokio_postgres::Client;

use crate::Error;

/// What the name of such a migration begins with.
pub(crate) const PREFIX: &str = "concurrently_";

/// The one statement of such a migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change<'a> {
    Create(&'a str),
    Drop(&'a str),
}

/// Builds or drops the index of a migration. To do it again, wherever it ended before, leads to the same.
///
/// It waits for every transaction that may still see the table as it was, and nobody waits for it. So it has no bound on a
/// lock: giving up would leave an index that is not valid.
///
/// # Errors
/// The text is not one such statement, or the server refuses it.
pub(crate) async fn change(client: &Client, sql: &str) -> Result<(), Error> {
    let change = parse(sql)?;
    let (Change::Create(name) | Change::Drop(name)) = change;
    let found = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass($1)";
    let is_valid = client.query_opt(found, &[&name]).await?.map(|row| row.get::<_, bool>(0));
    match (change, is_valid) {
        // A run ended after this and before it was recorded.
        (Change::Create(_), Some(true)) | (Change::Drop(_), None) => {}
        (Change::Create(_), Some(false)) => {
            client.batch_execute(&format!("DROP INDEX CONCURRENTLY {name}")).await?;
            client.batch_execute(sql).await?;
        }
        (Change::Create(_), None) | (Change::Drop(_), Some(_)) => client.batch_execute(sql).await?,
    }
    Ok(())
}

/// Comments may stand before the statement and between its lines.
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
            "a migration whose name begins with {PREFIX} has one statement, CREATE [UNIQUE] INDEX CONCURRENTLY name ON ... or \
             DROP INDEX CONCURRENTLY name: {}",
            words.join(" ")
        )
        .into()),
    }
}

/// A name that needs no quotes.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn one_index_statement_is_taken() {
        for (sql, change) in [
            ("CREATE INDEX CONCURRENTLY a_b ON a (b);", Change::Create("a_b")),
            ("-- Why.\n\nCREATE UNIQUE INDEX CONCURRENTLY a1 -- here; too\n  ON a (b)\n", Change::Create("a1")),
            ("DROP INDEX CONCURRENTLY a_b;\n", Change::Drop("a_b")),
        ] {
            assert_eq!(parse(sql).unwrap(), change, "{sql}");
        }
    }

    #[test]
    fn whatever_else_is_refused() {
        for sql in [
            "",
            "CREATE INDEX a_b ON a (b)",
            // It would take an index that is not valid for done.
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS a_b ON a (b)",
            "DROP INDEX CONCURRENTLY IF EXISTS a_b",
            // Without a name, there is none to look for.
            "CREATE INDEX CONCURRENTLY ON a (b)",
            "CREATE INDEX CONCURRENTLY \"A\" ON a (b)",
            "CREATE INDEX CONCURRENTLY a_b ON a (b); CREATE INDEX CONCURRENTLY a_c ON a (c);",
            "DROP INDEX CONCURRENTLY a_b; DROP TABLE a",
            "ALTER TABLE a ADD b int",
        ] {
            assert!(parse(sql).unwrap_err().to_string().contains("has one statement"), "{sql}");
        }
    }
}
