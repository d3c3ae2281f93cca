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
            row!("{left}", $groups, "p"),
            "prefetcht0 [{next} + 2 * {step}]\n",
            "prefetcht0 [{next} + {three}]\n",
            "lea {next}, [{next} + 4 * {step}]\n",
            row!("{left} + {row}", $groups, "q"),
        )
    };
}

/// Adds to `sums`, `[row][half]`, the products of `times` times sixteen words of two rows
/// of `left` by lines of `right`, two a word, and asks for as many lines at `next`. Of
/// sixteen always four that are four apart are summed in sixteen bits.
///
/// # Safety
/// `left[row_step + 16 times - 1]` and `right[32 times - 1]` have to exist.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn multiply_two_bytes(
    left: *const u32,
    row_step: usize,
    right: *const [u32; WIDTH],
    times: usize,
    (next, step): (*const u8, usize),
    sums: &mut [[I; 2]; 2],
) {
    let ones = _mm256_set1_epi16(1);
    let [[[pa, pb], [pc, pd]], [[qa, qb], [qc, qd]]] = sums;
    if times > 0 {
        // SAFETY: the caller says that all is there.
        unsafe {
            std::arch::asm!(
                "2:",
                step!([0, 4, 8, 12]),
                step!([1, 5, 9, 13]),
                step!([2, 6, 10, 14]),
                step!([3, 7, 11, 15]),
                "add {left}, 4 * 16",
                "add {right}, 128 * 16",
                "dec {times}",
                "jnz 2b",
                left = inout(reg) left => _,
                right = inout(reg) right => _,
                times = inout(reg) times => _,
                next = inout(reg) next => _,
                row = in(reg) 4 * row_step,
                step = in(reg) step,
                three = in(reg) 3 * step,
                x = out(ymm_reg) _,
                y = out(ymm_reg) _,
                z = out(ymm_reg) _,
                a = out(ymm_reg) _,
                b = out(ymm_reg) _,
                c = out(ymm_reg) _,
                d = out(ymm_reg) _,
                pa = inout(ymm_reg) *pa,
                pb = inout(ymm_reg) *pb,
                pc = inout(ymm_reg) *pc,
                pd = inout(ymm_reg) *pd,
                qa = inout(ymm_reg) *qa,
                qb = inout(ymm_reg) *qb,
                qc = inout(ymm_reg) *qc,
                qd = inout(ymm_reg) *qd,
                ones = in(ymm_reg) ones,
                options(nostack, readonly),
            );
        }
    }
}
