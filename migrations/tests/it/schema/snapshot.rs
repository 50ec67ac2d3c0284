//! What a database holds, and how two of them differ.

use std::{collections::BTreeMap, fmt};

use tokio_postgres::Client;

use super::tokens;

/// What the fact of a function's source begins with.
const BODY: &str = "body of ";

/// Facts of a database by their names, as `catalog.sql` says.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    facts: BTreeMap<String, String>,
    /// Each function as the server prints it, by the name of its fact.
    definitions: BTreeMap<String, String>,
}

impl Snapshot {
    /// What this session sees: in a transaction, what it changed too.
    pub(crate) async fn of(client: &Client) -> Self {
        let rows = client.query(include_str!("catalog.sql"), &[]).await.unwrap();
        let mut facts = BTreeMap::new();
        for row in &rows {
            let earlier = facts.insert(row.get(0), row.get(1));
            assert!(earlier.is_none(), "two facts of one name: {}", row.get::<_, &str>(0));
        }
        let definitions = "
            SELECT format('function %s(%s)', proname, pg_get_function_identity_arguments(oid)), pg_get_functiondef(oid)
            FROM pg_proc
            WHERE pronamespace = 'public'::regnamespace AND prokind IN ('f', 'p')";
        let rows = client.query(definitions, &[]).await.unwrap();
        Self { facts, definitions: rows.iter().map(|row| (row.get(0), row.get(1))).collect() }
    }

    /// The names of the facts.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.facts.keys().map(String::as_str)
    }

    /// Where a database differs from what the files say. `self` is what the files make.
    pub(crate) fn differences<'a>(&'a self, database: &'a Self) -> Vec<Difference<'a>> {
        let mut names: Vec<&str> = self.names().chain(database.names()).collect();
        names.sort_unstable();
        names.dedup();
        names.into_iter().filter_map(|name| self.difference(database, name)).collect()
    }

    fn difference<'a>(&'a self, database: &'a Self, name: &'a str) -> Option<Difference<'a>> {
        let [files, is] = [self, database].map(|snapshot| snapshot.facts.get(name).map(String::as_str));
        let are_same = match (files, is) {
            (Some(files), Some(is)) if name.starts_with(BODY) => tokens::are_same(files, is),
            _ => files == is,
        };
        let definition = database.definitions.get(name.strip_prefix(BODY).unwrap_or(name)).map(String::as_str);
        (!are_same).then_some(Difference { name, files, database: is, definition })
    }
}

/// A fact that is not the same.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Difference<'a> {
    pub(crate) name: &'a str,
    files: Option<&'a str>,
    database: Option<&'a str>,
    /// Of a function: what the database has.
    definition: Option<&'a str>,
}

impl fmt::Display for Difference<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n    ", self.name)?;
        match (self.files, self.database) {
            (Some(files), Some(database)) if self.name.starts_with(BODY) => {
                let lines = tokens::first_difference(files, database).unwrap_or((1, 1));
                let said = |text: &str, line: usize| text.lines().nth(line - 1).unwrap_or_default().trim().to_owned();
                writeln!(f, "differs first, not counting comments and whitespace, at")?;
                writeln!(f, "    files:    line {} of the body: {}", lines.0, said(files, lines.0))?;
                write!(f, "    database: line {} of the body: {}", lines.1, said(database, lines.1))?;
            }
            (Some(files), Some(database)) => write!(f, "files:    {files}\n    database: {database}")?,
            (Some(files), None) => write!(f, "only in the files: {files}")?,
            // A body's definition has it all.
            (None, Some(_)) if self.definition.is_some() => write!(f, "only in the database")?,
            (None, database) => write!(f, "only in the database: {}", database.unwrap_or_default())?,
        }
        match self.definition {
            Some(definition) if self.name.starts_with(BODY) => write!(f, "\n    The database has:\n{definition}"),
            _ => Ok(()),
        }
    }
}

/// All of them, and what to do.
pub(crate) fn report(differences: &[Difference<'_>]) -> String {
    let each: Vec<String> = differences.iter().map(ToString::to_string).collect();
    format!(
        "migrations/schema.sql, with the files that it includes, is not what the migrations make. Change the files to match the \
         database, or write the migration that is missing. {} differences:\n\n{}\n",
        each.len(),
        each.join("\n\n")
    )
}
