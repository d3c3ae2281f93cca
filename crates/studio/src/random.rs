//! Numbers that cannot be guessed.

/// 64 random bits of the operating system; where it has none, zero.
pub(crate) fn bits() -> u64 {
    getrandom::u64().unwrap_or_default()
}

/// A name that cannot be guessed: 32 hexadecimal digits.
pub(crate) fn name() -> String {
    format!("{:016x}{:016x}", bits(), bits())
}
