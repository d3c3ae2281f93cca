//! Whole runs of a tiny model: learning, stopping, being killed, going on.

mod kill;
mod support;
mod whole;
