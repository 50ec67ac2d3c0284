//! Reads values from rows.

use serde::de::DeserializeOwned;
use tokio_postgres::{Row, types::FromSql};
use uuid::Uuid;

use super::Fault;
use crate::Invalid;

/// Reads a column's value.
///
/// # Errors
/// [`Fault::Defect`] if the row has no such column, or a value of another type.
pub(crate) fn get<'a, T: FromSql<'a>>(row: &'a Row, column: &str) -> Result<T, Fault> {
    row.try_get(column).map_err(|e| Fault::Defect(e.into()))
}

/// Returns the row of a statement that always gives exactly one.
///
/// # Errors
/// [`Fault::Defect`] if there are no rows or several.
pub(crate) fn only(rows: &[Row]) -> Result<&Row, Fault> {
    match rows {
        [row] => Ok(row),
        rows => Err(Fault::Defect(format!("a statement returned {} rows instead of one", rows.len()).into())),
    }
}

/// Reads a number that is never negative.
///
/// # Errors
/// [`Fault::Defect`] if it is negative.
pub(crate) fn count(row: &Row, column: &str) -> Result<u64, Fault> {
    u64::try_from(get::<i64>(row, column)?).map_err(|e| Fault::Defect(e.into()))
}

/// Reads a column that has JSON as text.
///
/// # Errors
/// [`Fault::Defect`] if the text is not such a value.
pub(crate) fn json<T: DeserializeOwned>(row: &Row, column: &str) -> Result<T, Fault> {
    serde_json::from_str(get(row, column)?).map_err(|e| Fault::Defect(e.into()))
}

/// The fault for a value that the schema allows and this version does not know.
pub(crate) fn unknown(invalid: Invalid) -> Fault {
    Fault::Defect(format!("this version does not know a column's value: it {invalid}").into())
}

/// Reads a key column for the log.
pub(crate) fn key_part(row: &Row, column: &str) -> String {
    let number = || row.try_get::<_, i64>(column).map(|number| number.to_string());
    let id = |_| row.try_get::<_, Uuid>(column).map(|id| id.to_string());
    // Escaped, so that invisible characters are seen.
    let text = |_| row.try_get::<_, &str>(column).map(|text| text.escape_debug().to_string());
    number().or_else(id).or_else(text).unwrap_or_else(|_| "?".into())
}
