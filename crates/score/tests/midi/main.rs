//! MIDI files made byte by byte, and what is read from and written to them.

mod damaged;
mod reading;
mod support;
mod writing;
