//! Exit codes: 2 for wrong use, 130 after Ctrl-C, 1 for every other failure.

use std::fmt;
use std::process::ExitCode;

use corpus::CorpusError;
use remi::BpeError;
use render::RenderError;

/// The command line asks for something that cannot be.
#[derive(Debug)]
pub struct WrongUse(String);

impl fmt::Display for WrongUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for WrongUse {}

/// The user ended the work before its end.
#[derive(Debug)]
pub struct Stopped(String);

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Stopped {}

/// An error of work that the user stopped, with how to go on.
pub fn stopped(message: impl Into<String>) -> anyhow::Error {
    Stopped(message.into()).into()
}

/// An error of wrong use with this message.
pub fn wrong_use(message: impl Into<String>) -> anyhow::Error {
    WrongUse(message.into()).into()
}

/// The exit code of an error.
pub fn exit_code(error: &anyhow::Error) -> ExitCode {
    let corpus = error.downcast_ref::<CorpusError>();
    let render_stopped = matches!(error.downcast_ref(), Some(RenderError::Stopped));
    let stopped = render_stopped || error.is::<Stopped>();
    if stopped || matches!(corpus, Some(CorpusError::Stopped)) {
        return ExitCode::from(130);
    }
    let too_small = matches!(
        corpus,
        Some(CorpusError::Bpe(BpeError::VocabularyTooSmall { .. }))
    );
    if too_small || error.is::<WrongUse>() {
        return ExitCode::from(2);
    }
    ExitCode::from(1)
}
