//! The innermost loop of integers of two bytes: two rows by 32 columns.
//!
//! `vpmaddwd` multiplies numbers of sixteen bits and adds each two products. So of four
//! bytes of weights the first and third are taken, unsigned, and multiplied by the first
//! and third number of the row; then the second and fourth. Both instructions that take
//! them out serve both rows, and the sums of a lane are one number of 32 bits.

use super::I;
use super::twos::for_twos;
use crate::lanes::WIDTH;
use std::arch::x86_64::*;

/// The products of a register of weights by a group of both rows.
#[rustfmt::skip]
macro_rules! part {
    ($i:literal, $at:literal, $lane:literal) => {
        concat!(
            "vmovdqu {odd}, [{right} + 128 * ", $i, " + ", $at, "]\n",
            "vpand {even}, {odd}, {mask}\n",
            "vpsrlw {odd}, {odd}, 8\n",
            "vpmaddwd {x}, {even}, {p_even}\n",
            "vpaddd {p", $lane, "}, {p", $lane, "}, {x}\n",
            "vpmaddwd {even}, {even}, {q_even}\n",
            "vpaddd {q", $lane, "}, {q", $lane, "}, {even}\n",
            "vpmaddwd {x}, {odd}, {p_odd}\n",
            "vpaddd {p", $lane, "}, {p", $lane, "}, {x}\n",
            "vpmaddwd {odd}, {odd}, {q_odd}\n",
            "vpaddd {q", $lane, "}, {q", $lane, "}, {odd}\n",
        )
    };
}

/// A group, meanwhile a line of what is read next.
#[rustfmt::skip]
macro_rules! group {
    ($i:literal) => {
        concat!(
            "prefetcht0 [{next}]\n",
            "add {next}, {step}\n",
            "vpbroadcastd {p_even}, [{left} + 8 * ", $i, "]\n",
            "vpbroadcastd {p_odd}, [{left} + 8 * ", $i, " + 4]\n",
            "vpbroadcastd {q_even}, [{left} + {row} + 8 * ", $i, "]\n",
            "vpbroadcastd {q_odd}, [{left} + {row} + 8 * ", $i, " + 4]\n",
            part!($i, 0, "a"),
            part!($i, 32, "b"),
            part!($i, 64, "c"),
            part!($i, 96, "d"),
        )
    };
}

/// Adds to the first of each two of `sums`, two a row, the products of `times` times two
/// groups of an even number of rows of `left`, `row_step` words apart, by lines of `right`,
/// two a group; with each two rows asks for a line at `next` a group, going on from one two
/// to the next.
///
/// # Safety
/// `left[(rows - 1) row_step + 4 times - 1]` and `right[4 times - 1]` have to exist.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn multiply_twos_of_shorts(
    left: *const u32,
    row_step: usize,
    right: *const [u32; WIDTH],
    times: usize,
    (next, step): (*const u8, usize),
    sums: &mut [[I; 2]],
) {
    let mask = _mm256_set1_epi16(0xff);
    // SAFETY: the caller says that all is there.
    unsafe {
        for_twos!(2 groups of 2, times;
            left, row_step; right; next, step;
            sums.as_mut_ptr(), sums.len() / 4, 128;
            group!(0),
            group!(1);
            p_even = out(ymm_reg) _,
            p_odd = out(ymm_reg) _,
            q_even = out(ymm_reg) _,
            q_odd = out(ymm_reg) _,
            even = out(ymm_reg) _,
            odd = out(ymm_reg) _,
            x = out(ymm_reg) _,
            mask = in(ymm_reg) mask,
        );
    }
}
