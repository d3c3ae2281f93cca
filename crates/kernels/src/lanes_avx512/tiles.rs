//! Products of whole tiles of bf16 pairs, or of bytes, by AMX.
//!
//! The processor has eight tile registers of 16 rows of 64 bytes. One instruction
//! multiplies a tile of 16 rows by 16 cells of pairs with one of 16 cells by 16 columns and
//! adds to a tile of 16 by 16 sums. Operands are read as training lays them down anyway: rows
//! of the left one, lines of a panel of the right one.
//!
//! Six registers hold the sums of 32 rows by 48 columns, two the operands: for six products
//! there are seven loads. While the core's other hardware thread is busy, three for the sums
//! of 16 rows, twice one after the other, are faster (see [`crowd`](super::crowd)).
//!
//! What the rest of a tile's sixteen cells would be is not ours to read, so the last cells
//! along `k` are copied, with zeros behind them.

use std::arch::asm;
use std::arch::x86_64::{__cpuid_count, _xgetbv};
use std::mem::MaybeUninit;
use std::sync::OnceLock;

use super::Avx512;
use super::crowd::crowded;
use crate::lanes::{Next, WIDTH};
use crate::training::tile::{COLUMNS, TileRow};

/// Rows of a tile register, at most.
pub(super) const ROWS: usize = 16;
/// Rows that two of them hold.
const TALL: usize = 2 * ROWS;

/// Proof that the processor has tiles beside AVX-512 and the process may use them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tiles(());

impl Tiles {
    /// The token, where tiles are there.
    pub(crate) fn detect(_: Avx512<false>) -> Option<Self> {
        static FOUND: OnceLock<bool> = OnceLock::new();
        FOUND.get_or_init(has_tiles).then_some(Self(()))
    }

    /// The instruction set beside the tiles.
    pub(crate) fn untiled(self) -> Avx512<false> {
        Avx512(Plan::NONE)
    }
}

fn has_tiles() -> bool {
    const ALL: u32 = 1 << 22 | 1 << 24 | 1 << 25;
    const STATE: u64 = 1 << 17 | 1 << 18;
    // The maximum leaf is at least 7: AVX-512, which is told there, was detected.
    let instructions = __cpuid_count(7, 0).edx & ALL == ALL;
    instructions && {
        // SAFETY: AVX-512 was detected, which needs XGETBV.
        let state = unsafe { enabled_state() };
        state & STATE == STATE && permitted()
    }
}

#[target_feature(enable = "xsave")]
fn enabled_state() -> u64 {
    // SAFETY: register 0 exists wherever the instruction does.
    unsafe { _xgetbv(0) }
}

/// Asks the system to keep room for the tiles of this process's threads.
#[cfg(target_os = "linux")]
fn permitted() -> bool {
    const ARCH_REQ_XCOMP_PERM: libc::c_int = 0x1023;
    const TILE_DATA: libc::c_ulong = 18;
    // SAFETY: the call takes two numbers and touches no memory of ours.
    unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, TILE_DATA) == 0 }
}

#[cfg(not(target_os = "linux"))]
fn permitted() -> bool {
    false
}

/// A thread's tiles are configured as long as this lives.
pub(crate) struct Configured(());

impl Drop for Configured {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: tiles are there; what they hold is of no more use.
        unsafe { asm!("tilerelease", options(nomem, nostack, preserves_flags)) }
    }
}

/// What tiles are configured for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// Rows of left operands, at most sixteen, or [`TALL`].
    rows: usize,
    /// Whether [`TALL`] rows are multiplied as twice sixteen.
    crowded: bool,
}

impl Plan {
    /// None are configured.
    pub(super) const NONE: Self = Self {
        rows: 0,
        crowded: false,
    };
}

/// Configures the tiles of this thread for left operands of so many rows at a time: up to
/// sixteen, the fewer the faster, or [`TALL`]. The token must not be used any longer than the
/// other lives.
#[inline(always)]
pub(crate) fn configure(tiles: Tiles, rows: usize) -> (Avx512<true>, Configured) {
    let rows = rows.clamp(1, TALL);
    let crowded = rows > ROWS && crowded(tiles);
    (Avx512(Plan { rows, crowded }), load(tiles, rows.min(ROWS)))
}

/// Configures the thread's tiles, of 64 bytes a row: three of sums and one of the
/// left operand, of `rows` rows, one of 16 for the right one, and three more for the sums of
/// the rows after sixteen.
#[inline(always)]
pub(super) fn load(_: Tiles, rows: usize) -> Configured {
    #[repr(C, align(64))]
    struct Configuration([u8; 64]);
    let mut bytes = [0; 64];
    bytes[0] = 1;
    for tile in 0..8 {
        // The bytes of a row are numbers of sixteen bits from byte 16 on, rows are bytes from
        // byte 48 on.
        bytes[16 + 2 * tile] = 64;
        bytes[48 + tile] = if tile < 4 { rows as u8 } else { ROWS as u8 };
    }
    let configuration = Configuration(bytes);
    // SAFETY: tiles are there, and the configuration is a valid one.
    unsafe {
        asm!(
            "ldtilecfg [{}]",
            in(reg) configuration.0.as_ptr(),
            options(readonly, nostack, preserves_flags)
        )
    };
    Configured(())
}

/// What is asked for while tiles are multiplied: from where on, and whether at all.
#[derive(Clone, Copy)]
pub(super) struct Ahead(pub(super) Option<*const u8>);

impl Ahead {
    /// Where to begin, and the bytes from one product of sixteen cells to the next, which
    /// asks for so many `lines`; for nothing to ask the same few, which are there, again and
    /// again: so there is nothing to decide.
    #[inline(always)]
    fn steps(self, lines: usize, there: *const u32) -> (*const u8, usize) {
        match self.0 {
            Some(next) => (next, 64 * lines),
            None => (there.cast(), 0),
        }
    }

    /// What is left after so many lines.
    #[inline(always)]
    fn after(self, lines: usize) -> Self {
        Self(self.0.map(|next| next.wrapping_add(64 * lines)))
    }
}

/// [`multiply_tiles`](crate::lanes::Lanes::multiply_tiles).
///
/// # Safety
/// Tiles have to be configured as planned.
#[inline(always)]
pub(super) unsafe fn multiply(
    plan: Plan,
    ((left, stride), height): ((&[u32], usize), usize),
    (right, lines): (&[u32], usize),
    ahead: Ahead,
    out: &mut [TileRow],
) {
    assert_eq!(plan.rows, TALL, "tiles for fewer rows");
    assert!(matches!(height, ROWS | TALL) && (1..=3).contains(&lines) && out.len() >= height);
    let k = right.len() / (lines * WIDTH);
    assert_there(left, stride, height, k);
    let (whole, rest) = (k / ROWS, k % ROWS);
    let out = out.as_flattened_mut();
    let tall = height == TALL && !plan.crowded;
    // SAFETY: tiles are configured; rows, lines and room are there, asserted above.
    unsafe {
        let (left, right) = ((left.as_ptr(), stride), (right.as_ptr(), lines));
        let steps = Steps {
            k: whole,
            ahead,
            begin: true,
        };
        rows(tall, height, left, right, steps, out);
    }
    if rest > 0 {
        let (left, right) = (
            &left[whole * ROWS..],
            &right[whole * ROWS * lines * WIDTH..],
        );
        let last = Last::of((left, stride), height, right, rest);
        // SAFETY: as above; the copies are whole tiles.
        unsafe {
            let (left, right) = (last.left(), (last.right.as_ptr(), lines));
            rows(tall, height, left, right, Steps::LAST, out);
        }
    }
}

/// All rows together, or sixteen after sixteen.
///
/// # Safety
/// As for [`run`].
#[inline(always)]
unsafe fn rows(
    tall: bool,
    height: usize,
    left: (*const u32, usize),
    right: (*const u32, usize),
    steps: Steps,
    out: &mut [f32],
) {
    if tall {
        // SAFETY: the caller's.
        return unsafe { run_tall(left, right, steps, out) };
    }
    for first in (0..height).step_by(ROWS) {
        let left = (left.0.wrapping_add(first * left.1), left.1);
        let asked = first / ROWS * steps.k * 4 * right.1;
        let steps = Steps {
            ahead: steps.ahead.after(asked),
            ..steps
        };
        // SAFETY: the caller's.
        unsafe { run(left, right, steps, &mut out[first * COLUMNS..]) };
    }
}

fn assert_there(left: &[u32], stride: usize, rows: usize, k: usize) {
    assert!(
        k == 0 || (rows - 1) * stride + k <= left.len(),
        "left operand too short"
    );
}

/// The last cells along `k`, with zeros behind them: whole tiles.
struct Last {
    left: [[u32; ROWS]; TALL],
    right: [u32; ROWS * COLUMNS],
}

impl Last {
    #[inline(always)]
    fn of((left, stride): (&[u32], usize), rows: usize, right: &[u32], rest: usize) -> Self {
        let mut last = Self {
            left: [[0; ROWS]; TALL],
            right: [0; ROWS * COLUMNS],
        };
        for (row, cells) in last.left[..rows].iter_mut().enumerate() {
            cells[..rest].copy_from_slice(&left[row * stride..][..rest]);
        }
        last.right[..right.len()].copy_from_slice(right);
        last
    }

    fn left(&self) -> (*const u32, usize) {
        (self.left.as_flattened().as_ptr(), ROWS)
    }
}

/// A walk along `k`.
#[derive(Clone, Copy)]
struct Steps {
    /// Steps of sixteen cells.
    k: usize,
    ahead: Ahead,
    /// Whether sums begin at zero, or go on.
    begin: bool,
}

impl Steps {
    /// The step after all others.
    const LAST: Self = Self {
        k: 1,
        ahead: Ahead(None),
        begin: false,
    };
}

/// What kind of cells a product is of.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// Pairs of bf16; sums are f32.
    Pairs,
    /// Fours of bytes, the left ones unsigned, the right ones signed; sums are i32.
    Bytes,
}

/// [`multiply_block_of_pairs`](crate::lanes::Lanes::multiply_block_of_pairs) and that of
/// bytes, whose sums of sixteen lanes are a `V`.
///
/// # Safety
/// Tiles have to be configured as planned, and every 64 bytes a `V`.
#[inline(always)]
pub(super) unsafe fn block<V: Copy>(
    (kind, plan): (Kind, Plan),
    (left, stride): (&[u32], usize),
    right: &[[u32; WIDTH]],
    next: Next,
    go_on: bool,
    sums: &mut [[V; 2]],
) {
    #[repr(C, align(64))]
    struct Sums<V>([[V; 2]; ROWS]);
    const { assert!(size_of::<V>() == 64) };
    let rows = plan.rows.min(ROWS);
    assert!(sums.len() <= rows, "too many rows for tiles");
    let k = right.len() / 2;
    assert_there(left, stride, rows, k);
    let (whole, rest) = (k / ROWS, k % ROWS);
    let mut some = MaybeUninit::<Sums<V>>::uninit();
    // Tiles of just so many rows write where sums are.
    let all = sums.len() == rows;
    let out: *mut [V; 2] = match all {
        true => sums.as_mut_ptr(),
        false => some.as_mut_ptr().cast(),
    };
    // SAFETY: `out` has room for all rows of sums. Tiles are configured;
    // rows, lines and room are there, asserted above; the copies are whole tiles. `rows` rows
    // are written, no fewer than there are sums, as bytes, which are `V`s.
    unsafe {
        if go_on && !all {
            out.copy_from_nonoverlapping(sums.as_ptr(), sums.len());
        }
        let (x, lines, sums_at) = ((left.as_ptr(), stride), right.as_ptr().cast(), out.cast());
        run_block(kind, x, lines, (whole, next, !go_on), sums_at);
        if rest > 0 {
            let right = right[2 * whole * ROWS..2 * k].as_flattened();
            let last = Last::of((&left[whole * ROWS..], stride), rows, right, rest);
            let steps = (1, Next::Nothing, false);
            run_block(kind, last.left(), last.right.as_ptr(), steps, sums_at);
        }
        if !all {
            out.copy_to_nonoverlapping(sums.as_mut_ptr(), sums.len());
        }
    }
}

/// Sets the sums to zeros, or goes on from `out`; multiplies `k` times sixteen cells; and
/// stores the sums.
macro_rules! tiles {
    ($left:ident, $right:expr, $k:ident, $next:expr, $begin:ident, $out:expr,
     $([$sum:literal at $at:literal])*, $($step:expr)*) => {
        asm!(
            "test {begin}, {begin}",
            "jz 2f",
            $(concat!("tilezero tmm", $sum),)*
            "jmp 3f",
            "2:",
            $(concat!("tileloadd tmm", $sum, ", [{out} + {out_step} + ", $at, "]"),)*
            "3:",
            "test {k}, {k}",
            "jz 5f",
            "4:",
            $($step,)*
            "add {upper}, 64",
            "add {lower}, 64",
            "add {right}, {right_tile}",
            "add {next}, {next_step}",
            "dec {k}",
            "jnz 4b",
            "5:",
            $(concat!("tilestored [{out} + {out_step} + ", $at, "], tmm", $sum),)*
            begin = in(reg) u64::from($begin),
            k = inout(reg) $k => _,
            upper = inout(reg) $left.0 => _,
            lower = inout(reg) $left.0.wrapping_add(ROWS * $left.1) => _,
            left_step = in(reg) 4 * $left.1,
            right = inout(reg) $right.0 => _,
            right_step = in(reg) 64 * $right.1,
            right_tile = in(reg) 64 * $right.1 * ROWS,
            next = inout(reg) $next.0 => _,
            next_step = in(reg) $next.1,
            out = in(reg) $out.0,
            out_step = in(reg) $out.1,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack)
        )
    };
}

/// Reads the left operand's tile.
macro_rules! left {
    ($rows:literal) => {
        concat!("tileloadd tmm3, [{", $rows, "} + {left_step}]")
    };
}

/// Reads a line's tile, multiplies, and asks for some lines of what is next.
macro_rules! line {
    ($product:literal, $sum:literal at $at:literal asks $($line:literal)*) => {
        concat!(
            "tileloadd tmm4, [{right} + {right_step} + ", $at, "]\n",
            $product, " tmm", $sum, ", tmm3, tmm4\n",
            $("prefetcht0 [{next} + ", $line, " * 64]\n",)*
        )
    };
}

/// Multiplies sixteen rows and adds to `out`, or writes it anew. Both operands come with what
/// is from row to row, of `left` in cells, of `right` in lines.
///
/// # Safety
/// Tiles have to be configured with all rows; there are one to three lines, and all of that
/// has to be there, `out` in rows of a [`TileRow`].
#[inline(always)]
unsafe fn run(
    left: (*const u32, usize),
    right: (*const u32, usize),
    Steps { k, ahead, begin }: Steps,
    out: &mut [f32],
) {
    let next = ahead.steps(4 * right.1, right.0);
    let out = (out.as_mut_ptr(), size_of::<TileRow>());
    // SAFETY: the caller's.
    unsafe {
        match right.1 {
            3 => tiles!(
                left, right, k, next, begin, out,
                [0 at 0] [1 at 64] [2 at 128],
                left!("upper")
                line!("tdpbf16ps", 0 at 0 asks 0 1 2 3)
                line!("tdpbf16ps", 1 at 64 asks 4 5 6 7)
                line!("tdpbf16ps", 2 at 128 asks 8 9 10 11)
            ),
            2 => tiles!(
                left, right, k, next, begin, out,
                [0 at 0] [1 at 64],
                left!("upper")
                line!("tdpbf16ps", 0 at 0 asks 0 1 2 3)
                line!("tdpbf16ps", 1 at 64 asks 4 5 6 7)
            ),
            _ => tiles!(
                left, right, k, next, begin, out,
                [0 at 0],
                left!("upper")
                line!("tdpbf16ps", 0 at 0 asks 0 1 2 3)
            ),
        }
    }
}

/// [`run`] for [`TALL`] rows.
///
/// # Safety
/// As for [`run`].
#[inline(always)]
unsafe fn run_tall(
    left: (*const u32, usize),
    right: (*const u32, usize),
    Steps { k, ahead, begin }: Steps,
    out: &mut [f32],
) {
    let next = ahead.steps(8 * right.1, right.0);
    let out = (out.as_mut_ptr(), size_of::<TileRow>());
    // SAFETY: the caller's.
    unsafe {
        match right.1 {
            3 => tiles!(
                left, right, k, next, begin, out,
                [0 at 0] [1 at 64] [2 at 128] [5 at 3072] [6 at 3136] [7 at 3200],
                left!("upper")
                line!("tdpbf16ps", 0 at 0 asks 0 1 2 3)
                line!("tdpbf16ps", 1 at 64 asks 4 5 6 7)
                line!("tdpbf16ps", 2 at 128 asks 8 9 10 11)
                left!("lower")
                "tdpbf16ps tmm7, tmm3, tmm4"
                line!("tdpbf16ps", 6 at 64 asks 12 13 14 15 16 17)
                line!("tdpbf16ps", 5 at 0 asks 18 19 20 21 22 23)
            ),
            2 => tiles!(
                left, right, k, next, begin, out,
                [0 at 0] [1 at 64] [5 at 3072] [6 at 3136],
                left!("upper")
                line!("tdpbf16ps", 0 at 0 asks 0 1 2 3)
                line!("tdpbf16ps", 1 at 64 asks 4 5 6 7)
                left!("lower")
                "tdpbf16ps tmm6, tmm3, tmm4"
                line!("tdpbf16ps", 5 at 0 asks 8 9 10 11 12 13 14 15)
            ),
            _ => tiles!(
                left, right, k, next, begin, out,
                [0 at 0] [5 at 3072],
                left!("upper")
                line!("tdpbf16ps", 0 at 0 asks 0 1 2 3 4 5 6 7)
                left!("lower")
                "tdpbf16ps tmm5, tmm3, tmm4"
            ),
        }
    }
}

/// Multiplies as many rows as tiles are configured for with two lines of columns, of either
/// kind, with sums in rows of two lines: so many times sixteen cells, from zero on or from what
/// sums are.
///
/// # Safety
/// Tiles have to be configured, and all of that has to be there.
#[inline(always)]
unsafe fn run_block(
    kind: Kind,
    left: (*const u32, usize),
    right: *const u32,
    (k, next, begin): (usize, Next, bool),
    sums: *mut u32,
) {
    let (ahead, few) = match next {
        Next::Nothing => (Ahead(None), true),
        Next::Eighth(next) => (Ahead(Some(next)), true),
        Next::All(next) => (Ahead(Some(next)), false),
    };
    let next = ahead.steps(if few { 2 * ROWS / 8 } else { 2 * ROWS }, right);
    let (right, out) = ((right, 2), (sums, 2 * 4 * WIDTH));
    macro_rules! block {
        ($product:literal asks $($first:literal)*, $($second:literal)*) => {
            tiles!(
                left, right, k, next, begin, out,
                [0 at 0] [1 at 64],
                left!("upper")
                line!($product, 0 at 0 asks $($first)*)
                line!($product, 1 at 64 asks $($second)*)
            )
        };
        ($product:literal) => {
            match few {
                true => block!($product asks 0 1, 2 3),
                false => block!($product asks 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15,
                    16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31),
            }
        };
    }
    // SAFETY: the caller's.
    unsafe {
        match kind {
            Kind::Pairs => block!("tdpbf16ps"),
            Kind::Bytes => block!("tdpbusd"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_changes_no_bit() {
        let Some(tiles) = Avx512::<false>::detect().and_then(Tiles::detect) else {
            return;
        };
        let mut state = 1_u32;
        // Pairs of bf16 from 0.0078 to 0.031, and below 0.
        let mut pairs = |count| -> Vec<u32> {
            let next = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                state & 0x80ff_80ff | 0x3c00_3c00
            };
            std::iter::repeat_with(next).take(count).collect()
        };
        for lines in 1..=3 {
            for k in [1, 16, 37] {
                let (left, right) = (pairs(TALL * 40), pairs(k * lines * WIDTH));
                let multiply = |crowded, height| {
                    let plan = Plan {
                        rows: TALL,
                        crowded,
                    };
                    let mut out = [[0.0; COLUMNS]; TALL];
                    let (left, right) = (((&left[..], 40), height), (&right[..], lines));
                    let _configured = load(tiles, ROWS);
                    // SAFETY: they are configured.
                    unsafe { super::multiply(plan, left, right, Ahead(None), &mut out) };
                    out
                };
                let [quiet, crowded] = [false, true].map(|crowded| multiply(crowded, TALL));
                assert!(quiet == crowded, "{lines} lines, {k} cells");
                assert!(quiet[..ROWS] == multiply(false, ROWS)[..ROWS]);
                let value = |cell: u32, half| crate::lanes::bf16_to_f32((cell >> half) as u16);
                for (row, sums) in crowded.iter().enumerate() {
                    for (column, sum) in sums[..lines * WIDTH].iter().enumerate() {
                        let product = |cell: usize| {
                            let at = (cell * lines + column / WIDTH) * WIDTH + column % WIDTH;
                            let (left, right) = (left[row * 40 + cell], right[at]);
                            value(left, 0) * value(right, 0) + value(left, 16) * value(right, 16)
                        };
                        let exact: f32 = (0..k).map(product).sum();
                        assert!(
                            (sum - exact).abs() < 1e-6,
                            "{row}, {column}: {sum}, {exact}"
                        );
                    }
                }
            }
        }
    }
}
