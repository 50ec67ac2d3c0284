//! Limits of a holder, and the counts behind them.

mod busy;
mod counts;
mod limits;
