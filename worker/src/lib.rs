//! The workers' Lambdas, which give back the seats of holds that ended.
//!
//! | Lambda | trigger |
//! |---|---|
//! | [`expire_holds`] | the hold queue: a message for each hold, when it is over |
//! | [`sweep_holds`] | a schedule, every minute: holds whose message never came |

pub mod expire_holds;
pub mod run;
pub mod sweep_holds;
