//! Rows to values.

use serde::de::DeserializeOwned;
use tokio_postgres::{Row, types::FromSql};
use uuid::Uuid;

use super::Fault;
use crate::Invalid;

/// A column's value.
///
/// # Errors
/// [`Fault::Defect`] if the statement does not have it so.
pub(crate) fn get<'a, T: FromSql<'a>>(row: &'a Row, column: &str) -> Result<T, Fault> {
    row.try_get(column).map_err(|e| Fault::Defect(e.into()))
}

/// The one row of a statement that always has one.
///
/// # Errors
/// [`Fault::Defect`] if it has none or several.
pub(crate) fn only(rows: &[Row]) -> Result<&Row, Fault> {
    match rows {
        [row] => Ok(row),
        rows => Err(Fault::Defect(format!("a statement gave {} rows instead of one", rows.len()).into())),
    }
}

/// A number that cannot be negative.
///
/// # Errors
/// [`Fault::Defect`] if it is.
pub(crate) fn count(row: &Row, column: &str) -> Result<u64, Fault> {
    u64::try_from(get::<i64>(row, column)?).map_err(|e| Fault::Defect(e.into()))
}

/// The value of a column that has JSON as text.
///
/// # Errors
/// [`Fault::Defect`] if the text is not such a value.
pub(crate) fn json<T: DeserializeOwned>(row: &Row, column: &str) -> Result<T, Fault> {
    serde_json::from_str(get(row, column)?).map_err(|e| Fault::Defect(e.into()))
}

/// A value that the schema allows and this version does not know.
pub(crate) fn unknown(invalid: Invalid) -> Fault {
    Fault::Defect(format!("a column's value is not known to this version: it {invalid}").into())
}

/// A column of a key, for the log.
pub(crate) fn key_part(row: &Row, column: &str) -> String {
    let number = || row.try_get::<_, i64>(column).map(|number| number.to_string());
    let id = |_| row.try_get::<_, Uuid>(column).map(|id| id.to_string());
    // With whatever is not to be seen in it escaped.
    let text = |_| row.try_get::<_, &str>(column).map(|text| text.escape_debug().to_string());
    number().or_else(id).or_else(text).unwrap_or_else(|_| "?".into())
}
