//! Lines on standard output.

use std::fmt::Arguments;
use std::io::{ErrorKind, Write};

/// Prints a line. A reader that has gone (as `head` does) is no reason to stop
/// training or to fail, so errors are ignored here; commands whose output is
/// their result write it themselves and report errors.
pub fn line(text: Arguments<'_>) {
    let _reader_may_have_gone = writeln!(std::io::stdout().lock(), "{text}");
}

/// Like `println!`, without its panic where the reader has gone.
#[macro_export]
macro_rules! say {
    ($($text:tt)*) => {
        $crate::say::line(format_args!($($text)*))
    };
}

/// Whether the error is that the reader of the output has gone.
pub fn reader_has_gone(error: &anyhow::Error) -> bool {
    let gone = |error: &std::io::Error| error.kind() == ErrorKind::BrokenPipe;
    let json = |error: &serde_json::Error| error.io_error_kind() == Some(ErrorKind::BrokenPipe);
    error.downcast_ref().is_some_and(gone) || error.downcast_ref().is_some_and(json)
}
