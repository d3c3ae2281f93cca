//! Ctrl-C and SIGTERM: the work ends at the next safe point.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;

static STOP: AtomicBool = AtomicBool::new(false);

/// From now on the first signal sets the flag; a second ends the program at
/// once.
pub fn on_signal() -> anyhow::Result<&'static AtomicBool> {
    ctrlc::set_handler(|| {
        if STOP.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        eprintln!("\nstopping (again to stop at once)");
    })
    .context("cannot listen for Ctrl-C")?;
    Ok(&STOP)
}
