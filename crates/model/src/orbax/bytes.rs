//! Reading numbers and strings from the front of some bytes.

use super::error::{Flaw, damaged};

/// What is left to read.
pub(super) struct Bytes<'a> {
    rest: &'a [u8],
}

impl<'a> Bytes<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// All that is left.
    pub(super) fn rest(self) -> &'a [u8] {
        self.rest
    }

    /// The next `count` bytes.
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], Flaw> {
        match self.rest.split_at_checked(count) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => damaged(format!(
                "it ends too early, {} bytes before {count} more",
                self.rest.len()
            )),
        }
    }

    /// The next `N` bytes.
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Flaw> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    /// One byte.
    pub(super) fn byte(&mut self) -> Result<u8, Flaw> {
        Ok(self.array::<1>()?[0])
    }

    /// A number of up to 64 bits.
    pub(super) fn varint(&mut self) -> Result<u64, Flaw> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        damaged("a number has more than 64 bits")
    }

    /// A length or an index.
    pub(super) fn size(&mut self) -> Result<usize, Flaw> {
        let value = self.varint()?;
        usize::try_from(value).or_else(|_| damaged(format!("a length is {value}")))
    }

    /// The number of entries to come, each of at least one byte.
    pub(super) fn count(&mut self, what: &str) -> Result<usize, Flaw> {
        let count = self.size()?;
        if count > self.rest.len() {
            return damaged(format!(
                "it claims {count} {what} in {} bytes",
                self.rest.len()
            ));
        }
        Ok(count)
    }

    /// A column of numbers.
    pub(super) fn varints(&mut self, count: usize) -> Result<Vec<u64>, Flaw> {
        (0..count).map(|_| self.varint()).collect()
    }

    /// A column of lengths.
    pub(super) fn sizes(&mut self, count: usize) -> Result<Vec<usize>, Flaw> {
        (0..count).map(|_| self.size()).collect()
    }

    /// Strings that share beginnings: the lengths of what each shares with the
    /// one before (none for the first), then the lengths of what is new.
    pub(super) fn shared_lengths(
        &mut self,
        count: usize,
    ) -> Result<(Vec<usize>, Vec<usize>), Flaw> {
        let mut shared = vec![0];
        shared.extend(self.sizes(count.saturating_sub(1))?);
        let new = self.sizes(count)?;
        Ok((shared, new))
    }

    /// The strings of such lengths.
    pub(super) fn shared_strings(
        &mut self,
        lengths: &(Vec<usize>, Vec<usize>),
    ) -> Result<Vec<Vec<u8>>, Flaw> {
        let sum = |lengths: &[usize]| {
            lengths
                .iter()
                .fold(0_usize, |sum, length| sum.saturating_add(*length))
        };
        let all = sum(&lengths.0).saturating_add(sum(&lengths.1));
        if all > MAX_STRINGS {
            return damaged(format!("its keys or paths have {all} bytes"));
        }
        let mut strings: Vec<Vec<u8>> = Vec::with_capacity(lengths.1.len());
        for (shared, new) in lengths.0.iter().zip(&lengths.1) {
            let before = strings.last().map_or(&[][..], Vec::as_slice);
            let Some(beginning) = before.get(..*shared) else {
                return damaged(format!(
                    "a string shares {shared} bytes with one of {}",
                    before.len()
                ));
            };
            if shared.saturating_add(*new) > MAX_STRING {
                return damaged(format!("a string is longer than {MAX_STRING} bytes"));
            }
            strings.push([beginning, self.take(*new)?].concat());
        }
        Ok(strings)
    }

    /// Checks that nothing is left.
    pub(super) fn end(&self) -> Result<(), Flaw> {
        match self.rest.len() {
            0 => Ok(()),
            more => damaged(format!("{more} bytes too many")),
        }
    }
}

/// The longest key or path of OCDBT.
pub(super) const MAX_STRING: usize = 65535;

/// Bytes of all keys of a node; they share beginnings, so few bytes could claim
/// many.
const MAX_STRINGS: usize = 64 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_64_bits_are_read_and_longer_ones_refused() {
        let read = |bytes: &[u8]| Bytes::new(bytes).varint().ok();
        assert_eq!(read(&[0x7f]), Some(127));
        assert_eq!(read(&[0x80, 0x01]), Some(128));
        let mut largest = vec![0xff; 9];
        largest.push(0x01);
        assert_eq!(read(&largest), Some(u64::MAX));
        largest[9] = 0x02;
        assert_eq!(read(&largest), None);
        assert_eq!(read(&[0x80; 11]), None);
        assert_eq!(read(&[0x80]), None);
    }

    #[test]
    fn strings_share_what_the_one_before_has() {
        let mut bytes = Bytes::new(&[3, 4, 2, b'a', b'b', b'c', b'd', b'x', b'y']);
        let lengths = bytes.shared_lengths(2).unwrap();
        let strings = bytes.shared_strings(&lengths).unwrap();
        assert_eq!(strings, [b"abcd".to_vec(), b"abcxy".to_vec()]);
        assert!(bytes.end().is_ok());
        let mut bytes = Bytes::new(&[5, 4, 2, b'a', b'b', b'c', b'd', b'x', b'y']);
        let lengths = bytes.shared_lengths(2).unwrap();
        assert!(bytes.shared_strings(&lengths).is_err());
    }
}
