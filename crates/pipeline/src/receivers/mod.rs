//! Receivers: one shared intake, and one file for each protocol that leads to it, files of requests included; `recorder` and `periodic` receive what
//! this process itself has recorded.
mod automatic_answer;
mod client_stream;
pub(crate) mod destinations;
pub(crate) mod file;
mod frame_rate;
mod frames;
mod grpc;
mod http;
mod intake;
mod listener;
mod messages;
mod otz_stream;
pub(crate) mod periodic;
pub(crate) mod recorder;
pub(crate) mod reply;
mod request_lengths;
pub(crate) mod sessions;
mod window;

pub(crate) use intake::{Intake, Limits};
pub(crate) use listener::{Endpoint, Listener};
pub(crate) use window::Windows;
