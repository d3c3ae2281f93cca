//! The innermost loops of products: four or six rows by sixteen columns.
//!
//! For each `k` a line of the right operand is read once, and one value of each row
//! of the left one, spread over the lanes; eight or twelve sums of the sixteen registers
//! stay from the first `k` to the last.
//!
//! Often a neighbour (another thread of the same core) takes half of the
//! instructions that a core can begin in a cycle, so their number is the limit:
//! fourteen for eight multiplications, twenty for twelve. Eight `k` at a time share
//! the rest, with offsets that are parts of the instructions. The compiler adds to
//! pointers and moves sums about instead: ten instructions more.

use super::F;
use crate::lanes::WIDTH;
use std::arch::x86_64::*;

/// One row of [`f32_step`].
#[rustfmt::skip]
macro_rules! f32_row {
    ($address:literal, $i:literal, $low:literal, $high:literal) => {
        concat!(
            "vbroadcastss {a}, [", $address, " + ", $i, " * {k_step}]\n",
            "vfmadd231ps ", $low, ", {a}, {low}\n",
            "vfmadd231ps ", $high, ", {a}, {high}\n",
        )
    };
}

/// A line of `right` in `{low}` and `{high}`, then for each of four rows its value in
/// all lanes, and both halves of its sums.
#[rustfmt::skip]
macro_rules! f32_step {
    ($i:literal) => {
        concat!(
            "vmovups {low}, [{right} + ", $i, " * {step}]\n",
            "vmovups {high}, [{right} + ", $i, " * {step} + 32]\n",
            f32_row!("{left}", $i, "{low0}", "{high0}"),
            f32_row!("{left} + {row}", $i, "{low1}", "{high1}"),
            f32_row!("{left} + 2 * {row}", $i, "{low2}", "{high2}"),
            f32_row!("{left} + {rows}", $i, "{low3}", "{high3}"),
        )
    };
}

/// [`f32_step`] of six rows.
#[rustfmt::skip]
macro_rules! f32_six_step {
    ($i:literal) => {
        concat!(
            f32_step!($i),
            f32_row!("{left} + 4 * {row}", $i, "{low4}", "{high4}"),
            f32_row!("{left} + {five}", $i, "{low5}", "{high5}"),
        )
    };
}

/// One row of [`wide_step`]: each of two values in all lanes, and four products.
#[rustfmt::skip]
macro_rules! wide_row {
    ($address:literal, $i:literal, $low:literal, $high:literal) => {
        concat!(
            "vbroadcastss {a}, [", $address, " + ", $i, " * {k_step}]\n",
            "vfmadd231ps ", $low, ", {a}, {low}\n",
            "vfmadd231ps ", $high, ", {a}, {high}\n",
            "vbroadcastss {a}, [", $address, " + ", $i, " * {k_step} + 4]\n",
            "vfmadd231ps ", $low, ", {a}, {low_odd}\n",
            "vfmadd231ps ", $high, ", {a}, {high_odd}\n",
        )
    };
}

/// [`f32_step`] for a line of pairs of bf16, which become f32 first.
#[rustfmt::skip]
macro_rules! wide_step {
    ($i:literal) => {
        concat!(
            "vmovups {low_odd}, [{right} + ", $i, " * {step}]\n",
            "vmovups {high_odd}, [{right} + ", $i, " * {step} + 32]\n",
            "vpslld {low}, {low_odd}, 16\n",
            "vpslld {high}, {high_odd}, 16\n",
            "vpand {low_odd}, {low_odd}, {mask}\n",
            "vpand {high_odd}, {high_odd}, {mask}\n",
            wide_row!("{left}", $i, "{low0}", "{high0}"),
            wide_row!("{left} + {row}", $i, "{low1}", "{high1}"),
            wide_row!("{left} + 2 * {row}", $i, "{low2}", "{high2}"),
            wide_row!("{left} + {rows}", $i, "{low3}", "{high3}"),
        )
    };
}

/// The first eight steps.
macro_rules! eight {
    ($step:ident) => {
        concat!(
            $step!(0),
            $step!(1),
            $step!(2),
            $step!(3),
            $step!(4),
            $step!(5),
            $step!(6),
            $step!(7),
        )
    };
}

/// Asks for the next line of the cache or the next two.
#[rustfmt::skip]
macro_rules! ask {
    (1, $at:literal) => {
        concat!("prefetcht0 [", $at, "]\n", "add ", $at, ", 64\n")
    };
    (2, $at:literal) => {
        concat!(
            "prefetcht0 [", $at, "]\n",
            "prefetcht0 [", $at, " + 64]\n",
            "add ", $at, ", 128\n",
        )
    };
}

/// Repeats `code`, which takes so many steps, and moves on.
macro_rules! repeat {
    ($times:expr, $steps:literal, $state:expr, $row_step:expr, $sums:expr;
        $($code:expr),+; $($operands:tt)*) => {{
        let times = $times;
        if times > 0 {
            // SAFETY: the caller of the function says that all is there.
            unsafe {
                std::arch::asm!(
                    "2:",
                    $($code,)+
                    "add {left}, {steps} * {k_step}",
                    "add {right}, {steps} * {step}",
                    "dec {times}",
                    "jnz 2b",
                    left = inout(reg) $state.left,
                    right = inout(reg) $state.right,
                    times = inout(reg) times => _,
                    row = in(reg) 4 * $row_step,
                    rows = in(reg) 12 * $row_step,
                    k_step = const 4 * K_STEP,
                    step = const 64 * STEP,
                    steps = const $steps,
                    a = out(ymm_reg) _,
                    low = out(ymm_reg) _,
                    high = out(ymm_reg) _,
                    low0 = inout(ymm_reg) $sums[0][0],
                    high0 = inout(ymm_reg) $sums[0][1],
                    low1 = inout(ymm_reg) $sums[1][0],
                    high1 = inout(ymm_reg) $sums[1][1],
                    low2 = inout(ymm_reg) $sums[2][0],
                    high2 = inout(ymm_reg) $sums[2][1],
                    low3 = inout(ymm_reg) $sums[3][0],
                    high3 = inout(ymm_reg) $sums[3][1],
                    $($operands)*
                    options(nostack, readonly),
                );
            }
        }
    }};
}

/// What the innermost loops read.
pub(super) struct Operands {
    left: *const u32,
    right: *const u32,
    /// What will be read later.
    next: [*const u32; 2],
}

/// Adds to `sums` the products of `count` values of four rows of `left`, `row_step`
/// apart, by as many lines of `right`, each `STEP`th.
///
/// # Safety
/// `left[3 row_step + (count - 1) K_STEP]` and `right[16 (count - 1) STEP + 15]` have
/// to exist.
#[target_feature(enable = "avx2,fma")]
#[expect(
    unused_assignments,
    reason = "the last block leaves its pointers behind"
)]
pub(super) unsafe fn multiply_four<const K_STEP: usize, const STEP: usize>(
    mut at: Operands,
    row_step: usize,
    count: usize,
    mut sums: [F; 4],
) -> [F; 4] {
    match K_STEP {
        // Panels are long enough for one line at a time; more would only be in the way
        // of the operands, which come from the second-level cache.
        4 => repeat!(count / 8, 8, at, row_step, sums;
            ask!(1, "{next}"),
            eight!(f32_step);
            next = inout(reg) at.next[0],
        ),
        _ => repeat!(count / 8, 8, at, row_step, sums;
            ask!(2, "{next}"),
            ask!(2, "{other}"),
            eight!(f32_step);
            next = inout(reg) at.next[0],
            other = inout(reg) at.next[1],
        ),
    }
    repeat!(count % 8, 1, at, row_step, sums; f32_step!(0););
    sums
}

/// [`multiply_four`] of six rows, by each line.
///
/// # Safety
/// `left[5 row_step + (count - 1) K_STEP]` and `right[16 count - 1]` have to exist.
#[target_feature(enable = "avx2,fma")]
#[expect(
    unused_assignments,
    reason = "the last block leaves its pointers behind"
)]
pub(super) unsafe fn multiply_six<const K_STEP: usize>(
    mut at: Operands,
    row_step: usize,
    count: usize,
    mut sums: [F; 6],
) -> [F; 6] {
    const STEP: usize = 1;
    repeat!(count / 8, 8, at, row_step, sums;
        ask!(2, "{next}"),
        eight!(f32_six_step);
        next = inout(reg) at.next[0],
        five = in(reg) 20 * row_step,
        low4 = inout(ymm_reg) sums[4][0],
        high4 = inout(ymm_reg) sums[4][1],
        low5 = inout(ymm_reg) sums[5][0],
        high5 = inout(ymm_reg) sums[5][1],
    );
    repeat!(count % 8, 1, at, row_step, sums; f32_six_step!(0);
        five = in(reg) 20 * row_step,
        low4 = inout(ymm_reg) sums[4][0],
        high4 = inout(ymm_reg) sums[4][1],
        low5 = inout(ymm_reg) sums[5][0],
        high5 = inout(ymm_reg) sums[5][1],
    );
    sums
}

/// [`multiply_four`] of two values at a time along rows, by each second line, of pairs of
/// bf16.
///
/// # Safety
/// `left[3 row_step + 2 count - 1]` and `right[32 (count - 1) + 15]` have to exist.
#[target_feature(enable = "avx2,fma")]
#[expect(
    unused_assignments,
    reason = "the last block leaves its pointers behind"
)]
pub(super) unsafe fn multiply_four_wide(
    mut at: Operands,
    row_step: usize,
    count: usize,
    mut sums: [F; 4],
) -> [F; 4] {
    const K_STEP: usize = 2;
    const STEP: usize = 2;
    let mask = _mm256_set1_epi32(0xffff_0000_u32 as i32);
    repeat!(count / 8, 8, at, row_step, sums;
        ask!(2, "{next}"),
        ask!(2, "{other}"),
        eight!(wide_step);
        next = inout(reg) at.next[0],
        other = inout(reg) at.next[1],
        low_odd = out(ymm_reg) _,
        high_odd = out(ymm_reg) _,
        mask = in(ymm_reg) mask,
    );
    repeat!(count % 8, 1, at, row_step, sums; wide_step!(0);
        low_odd = out(ymm_reg) _,
        high_odd = out(ymm_reg) _,
        mask = in(ymm_reg) mask,
    );
    sums
}

/// Operands of `count` steps of `rows` rows.
///
/// Panics when `left` is too short.
pub(super) fn operands<const STEP: usize>(
    rows: usize,
    left: &[u32],
    [row_step, k_step]: [usize; 2],
    right: &[[u32; WIDTH]],
    next: [Option<*const u32>; 2],
) -> (Operands, usize) {
    let count = right.len().div_ceil(STEP);
    let last = (rows - 1) * row_step + count.saturating_sub(1) * k_step;
    assert!(count == 0 || last < left.len(), "left operand too short");
    let (left, right) = (left.as_ptr(), right.as_ptr().cast());
    let next = next.map(|next| next.unwrap_or(right));
    (Operands { left, right, next }, count)
}
