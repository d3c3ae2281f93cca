//! The innermost loop of integers of two bytes: two rows by 32 columns.
//!
//! `vpmaddwd` multiplies numbers of sixteen bits and adds each two products. So of four
//! bytes of weights the first and third are taken, unsigned, and multiplied by the first
//! and third number of the row; then the second and fourth. Both instructions that take
//! them out serve both rows, and the sums of a lane are one number of 32 bits.

use super::I;
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
    if times > 0 && sums.len() >= 4 {
        // SAFETY: the caller says that all is there, and each two rows have their sums.
        unsafe {
            std::arch::asm!(
                "3:",
                "vmovdqu {pa}, [{sums}]",
                "vmovdqu {pb}, [{sums} + 32]",
                "vmovdqu {pc}, [{sums} + 128]",
                "vmovdqu {pd}, [{sums} + 160]",
                "vmovdqu {qa}, [{sums} + 256]",
                "vmovdqu {qb}, [{sums} + 288]",
                "vmovdqu {qc}, [{sums} + 384]",
                "vmovdqu {qd}, [{sums} + 416]",
                "mov {count}, {times}",
                "2:",
                group!(0),
                group!(1),
                "add {left}, 16",
                "add {right}, 256",
                "dec {count}",
                "jnz 2b",
                "vmovdqu [{sums}], {pa}",
                "vmovdqu [{sums} + 32], {pb}",
                "vmovdqu [{sums} + 128], {pc}",
                "vmovdqu [{sums} + 160], {pd}",
                "vmovdqu [{sums} + 256], {qa}",
                "vmovdqu [{sums} + 288], {qb}",
                "vmovdqu [{sums} + 384], {qc}",
                "vmovdqu [{sums} + 416], {qd}",
                // The next two rows, and the lines from the first on.
                "mov {count}, {times}",
                "shl {count}, 4",
                "sub {left}, {count}",
                "lea {left}, [{left} + 2 * {row}]",
                "shl {count}, 4",
                "sub {right}, {count}",
                "add {sums}, 512",
                "dec {pairs}",
                "jnz 3b",
                left = inout(reg) left => _,
                right = inout(reg) right => _,
                sums = inout(reg) sums.as_mut_ptr() => _,
                pairs = inout(reg) sums.len() / 4 => _,
                times = in(reg) times,
                count = out(reg) _,
                next = inout(reg) next => _,
                row = in(reg) 4 * row_step,
                step = in(reg) step,
                p_even = out(ymm_reg) _,
                p_odd = out(ymm_reg) _,
                q_even = out(ymm_reg) _,
                q_odd = out(ymm_reg) _,
                even = out(ymm_reg) _,
                odd = out(ymm_reg) _,
                x = out(ymm_reg) _,
                mask = in(ymm_reg) mask,
                pa = out(ymm_reg) _,
                pb = out(ymm_reg) _,
                pc = out(ymm_reg) _,
                pd = out(ymm_reg) _,
                qa = out(ymm_reg) _,
                qb = out(ymm_reg) _,
                qc = out(ymm_reg) _,
                qd = out(ymm_reg) _,
                options(nostack),
            );
        }
    }
}
