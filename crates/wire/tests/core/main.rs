//! The wire code against prost, against hand-made bytes and against recorded traffic.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::cast_sign_loss,
    reason = "a test fails by panicking, and says why it is skipped"
)]

mod accept;
mod data_model;
mod data_points;
mod depth;
mod edit;
mod encode;
mod from_view;
mod generate;
mod malformed;
mod merge;
mod oracle;
mod profiles;
mod recorded;
mod schema;
mod split;
mod unknown;
mod view;
