//! From folders of generated MIDI files to dataset folders and back.

mod building;
mod reading;
mod support;
