//! Receivers: one shared intake, and one file for each protocol that leads to it; `recorder` and `periodic` receive what
//! this process itself has recorded.
mod client_stream;
mod grpc;
mod http;
mod intake;
mod listener;
pub(crate) mod periodic;
pub(crate) mod recorder;
pub(crate) mod reply;

pub(crate) use intake::{Intake, Limits};
pub(crate) use listener::{Endpoint, Listener};
