//! The innermost loop of products of bytes: two rows by thirty-two columns.
//!
//! A product of bytes and the sum of two of them fit sixteen bits
//! (`vpmaddubsw`); a multiplication by one (`vpmaddwd`) sums two such sums in thirty-two.
//! With one widening for each register of weights that is three instructions, two of them
//! multiplications, of which a core begins two in a cycle. Weights are scaled so that the
//! sums of four registers fit sixteen bits as well, so that one widening serves four: nine
//! instructions in place of twelve, five multiplications in place of eight.
//!
//! Weights are operands of the multiplications: to load them apart for both rows would be
//! an instruction more for each two, and loads are not the limit.

use super::I;
use super::twos::for_twos;
use crate::lanes::WIDTH;
use std::arch::x86_64::*;

/// The products of one group: a word of the row in all lanes, by four registers of
/// weights.
#[rustfmt::skip]
macro_rules! first {
    ($row:literal, $i:literal) => {
        concat!(
            "vpbroadcastd {x}, [", $row, " + 4 * ", $i, "]\n",
            "vpmaddubsw {a}, {x}, [{right} + 128 * ", $i, "]\n",
            "vpmaddubsw {b}, {x}, [{right} + 128 * ", $i, " + 32]\n",
            "vpmaddubsw {c}, {x}, [{right} + 128 * ", $i, " + 64]\n",
            "vpmaddubsw {d}, {x}, [{right} + 128 * ", $i, " + 96]\n",
        )
    };
}

/// [`first`] of another group, added in sixteen bits.
#[rustfmt::skip]
macro_rules! more {
    ($row:literal, $i:literal) => {
        concat!(
            "vpbroadcastd {x}, [", $row, " + 4 * ", $i, "]\n",
            "vpmaddubsw {y}, {x}, [{right} + 128 * ", $i, "]\n",
            "vpaddw {a}, {a}, {y}\n",
            "vpmaddubsw {z}, {x}, [{right} + 128 * ", $i, " + 32]\n",
            "vpaddw {b}, {b}, {z}\n",
            "vpmaddubsw {y}, {x}, [{right} + 128 * ", $i, " + 64]\n",
            "vpaddw {c}, {c}, {y}\n",
            "vpmaddubsw {z}, {x}, [{right} + 128 * ", $i, " + 96]\n",
            "vpaddw {d}, {d}, {z}\n",
        )
    };
}

/// Four groups of a row, added to its sums.
#[rustfmt::skip]
macro_rules! row {
    ($row:literal, [$i:literal, $j:literal, $k:literal, $l:literal], $sums:literal) => {
        concat!(
            first!($row, $i), more!($row, $j), more!($row, $k), more!($row, $l),
            "vpmaddwd {a}, {a}, {ones}\n",
            "vpmaddwd {b}, {b}, {ones}\n",
            "vpmaddwd {c}, {c}, {ones}\n",
            "vpmaddwd {d}, {d}, {ones}\n",
            "vpaddd {", $sums, "a}, {", $sums, "a}, {a}\n",
            "vpaddd {", $sums, "b}, {", $sums, "b}, {b}\n",
            "vpaddd {", $sums, "c}, {", $sums, "c}, {c}\n",
            "vpaddd {", $sums, "d}, {", $sums, "d}, {d}\n",
        )
    };
}

/// Four groups of both rows, meanwhile four lines of what is read next.
#[rustfmt::skip]
macro_rules! step {
    ($groups:tt) => {
        concat!(
            "prefetcht0 [{next}]\n",
            "prefetcht0 [{next} + {step}]\n",
            "lea {next}, [{next} + 2 * {step}]\n",
            row!("{left}", $groups, "p"),
            "prefetcht0 [{next}]\n",
            "prefetcht0 [{next} + {step}]\n",
            "lea {next}, [{next} + 2 * {step}]\n",
            row!("{left} + {row}", $groups, "q"),
        )
    };
}

/// Adds to `sums`, two a row, the products of `times` times sixteen words of an even number
/// of rows of `left`, `row_step` apart, by lines of `right`, two a word; with each two rows
/// asks for as many lines at `next`, going on from one two to the next. Of sixteen words
/// always four that are four apart are summed in sixteen bits.
///
/// # Safety
/// `left[(rows - 1) row_step + 16 times - 1]` and `right[32 times - 1]` have to exist.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn multiply_twos_of_bytes(
    left: *const u32,
    row_step: usize,
    right: *const [u32; WIDTH],
    times: usize,
    (next, step): (*const u8, usize),
    sums: &mut [I],
) {
    let ones = _mm256_set1_epi16(1);
    // SAFETY: the caller says that all is there.
    unsafe {
        for_twos!(16 groups of 1, times;
            left, row_step; right; next, step;
            sums.as_mut_ptr(), sums.len() / 4, 64;
            step!([0, 4, 8, 12]),
            step!([1, 5, 9, 13]),
            step!([2, 6, 10, 14]),
            step!([3, 7, 11, 15]);
            x = out(ymm_reg) _,
            y = out(ymm_reg) _,
            z = out(ymm_reg) _,
            a = out(ymm_reg) _,
            b = out(ymm_reg) _,
            c = out(ymm_reg) _,
            d = out(ymm_reg) _,
            ones = in(ymm_reg) ones,
        );
    }
}
