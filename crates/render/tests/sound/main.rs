//! What is heard: measured on the samples.

mod support;

mod dynamics;
mod files;
mod limits;
mod pitch;
mod soundfont;
