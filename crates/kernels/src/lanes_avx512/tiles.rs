//! Products of whole tiles of bf16 pairs, or of bytes, by AMX.
//!
//! The processor has eight tile registers of 16 rows of 64 bytes. One instruction
//! multiplies a tile of 16 rows by 16 cells of pairs with one of 16 cells by 16 columns and
//! adds to a tile of 16 by 16 sums. Six registers hold the sums of 32 rows by 48 columns,
//! two the operands: for six products there are seven loads. Operands are read as training
//! lays them down anyway: rows of the left one, lines of a panel of the right one.
//!
//! What the rest of a tile's sixteen cells would be is not ours to read, so the last cells
//! along `k` are copied, with zeros behind them.

use std::arch::asm;
use std::arch::x86_64::{__cpuid_count, _xgetbv};
use std::mem::MaybeUninit;
use std::sync::OnceLock;

use super::Avx512;
use crate::lanes::WIDTH;
use crate::training::tile::{COLUMNS, TileRow};

/// Rows of a tile register, at most.
const ROWS: usize = 16;

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
        Avx512(0)
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

/// Configures the tiles of this thread, eight of 64 bytes a row, for left operands of `rows`
/// rows (at least one). Up to sixteen need no second tile of rows, and take no longer than
/// they must in tiles of just so many rows; what there were the second is for one row alone.
/// The token must not be used any longer than the other lives.
#[inline(always)]
pub(crate) fn configure(_: Tiles, rows: usize) -> (Avx512<true>, Configured) {
    #[repr(C, align(64))]
    struct Configuration([u8; 64]);
    let (upper, lower) = match rows {
        ..=ROWS => (rows.max(1), 1),
        _ => (ROWS, ROWS),
    };
    let mut bytes = [0; 64];
    bytes[0] = 1;
    for (tile, rows) in [upper, upper, lower, lower, upper, lower, ROWS, ROWS]
        .into_iter()
        .enumerate()
    {
        // The bytes of a row are numbers of sixteen bits from byte 16 on, rows are bytes from
        // byte 48 on.
        (bytes[16 + 2 * tile], bytes[48 + tile]) = (64, rows as u8);
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
    (Avx512(rows.max(1)), Configured(()))
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
}

/// [`multiply_tiles`](crate::lanes::Lanes::multiply_tiles).
///
/// # Safety
/// Tiles have to be configured for `rows` rows.
#[inline(always)]
pub(super) unsafe fn multiply(
    rows: usize,
    ((left, stride), height): ((&[u32], usize), usize),
    (right, lines): (&[u32], usize),
    ahead: Ahead,
    out: &mut [TileRow],
) {
    assert!(rows > ROWS, "tiles for fewer rows");
    assert!(matches!(height, 16 | 32) && (1..=3).contains(&lines) && out.len() >= height);
    let k = right.len() / (lines * WIDTH);
    assert_there(left, stride, height, k);
    let (whole, rest) = (k / ROWS, k % ROWS);
    let out = out.as_flattened_mut();
    // SAFETY: tiles are configured; rows, lines and room are there, asserted above.
    unsafe {
        let (left, right) = ((left.as_ptr(), stride), (right.as_ptr(), lines));
        let steps = Steps {
            k: whole,
            ahead,
            begin: true,
        };
        run(left, height, right, steps, out);
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
            run(left, height, right, Steps::LAST, out);
        }
    }
}

fn assert_there(left: &[u32], stride: usize, height: usize, k: usize) {
    assert!(
        k == 0 || (height - 1) * stride + k <= left.len(),
        "left operand too short"
    );
}

/// The last cells along `k`, with zeros behind them: whole tiles.
struct Last {
    left: [[u32; ROWS]; 2 * ROWS],
    right: [u32; ROWS * COLUMNS],
}

impl Last {
    #[inline(always)]
    fn of((left, stride): (&[u32], usize), height: usize, right: &[u32], rest: usize) -> Self {
        let mut last = Self {
            left: [[0; ROWS]; 2 * ROWS],
            right: [0; ROWS * COLUMNS],
        };
        for (row, cells) in last.left[..height].iter_mut().enumerate() {
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

/// How many rows of the left operand a block is multiplied with.
#[derive(Clone, Copy)]
enum Form {
    /// One, where tiles are for no more than sixteen.
    Single,
    /// As many as tiles are for, or sixteen.
    Low,
    /// Twice sixteen.
    Tall,
}

/// [`multiply_block_of_pairs`](crate::lanes::Lanes::multiply_block_of_pairs) and that of
/// bytes, whose sums of sixteen lanes are a `V`.
///
/// # Safety
/// Tiles have to be configured for `rows` rows, and every 64 bytes a `V`.
#[inline(always)]
pub(super) unsafe fn block<V: Copy>(
    (kind, rows): (Kind, usize),
    (left, stride): (&[u32], usize),
    right: &[[u32; WIDTH]],
    ahead: Ahead,
    go_on: bool,
    sums: &mut [[V; 2]],
) {
    #[repr(C, align(64))]
    struct Sums<V>([[V; 2]; 2 * ROWS]);
    const { assert!(size_of::<V>() == 64) };
    let (form, height) = match sums.len() {
        1 if rows <= ROWS => (Form::Single, 1),
        ..=ROWS => (Form::Low, rows.min(ROWS)),
        _ => (Form::Tall, 2 * ROWS),
    };
    assert!(sums.len() <= height.min(rows), "too many rows for tiles");
    let k = right.len() / 2;
    assert_there(left, stride, height, k);
    let (whole, rest) = (k / ROWS, k % ROWS);
    let mut out = MaybeUninit::<Sums<V>>::uninit();
    let out: *mut [V; 2] = out.as_mut_ptr().cast();
    // SAFETY: `out` has room for all rows of sums, and they are apart. Tiles are configured;
    // rows, lines and room are there, asserted above; the copies are whole tiles. `height`
    // rows are written, no fewer than there are sums, as bytes, which are `V`s.
    unsafe {
        if go_on {
            out.copy_from_nonoverlapping(sums.as_ptr(), sums.len());
        }
        let (x, lines, sums_at) = ((left.as_ptr(), stride), right.as_ptr().cast(), out.cast());
        let steps = Steps {
            k: whole,
            ahead,
            begin: !go_on,
        };
        run_block((kind, form), x, lines, steps, sums_at);
        if rest > 0 {
            let right = right[2 * whole * ROWS..2 * k].as_flattened();
            let last = Last::of((&left[whole * ROWS..], stride), height, right, rest);
            let lines = last.right.as_ptr();
            run_block((kind, form), last.left(), lines, Steps::LAST, sums_at);
        }
        out.copy_to_nonoverlapping(sums.as_mut_ptr(), sums.len());
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

/// Asks for some of the lines of what is next.
macro_rules! ask {
    ($($line:literal)*) => {
        concat!($("prefetcht0 [{next} + ", $line, " * 64]\n",)*)
    };
}

/// Multiplies and adds to `out`, or writes it anew. Both operands come with what is from row
/// to row, of `left` in cells, of `right` in lines.
///
/// # Safety
/// Tiles have to be configured; `height` is 16 or 32, there are one to three lines, and all
/// of that has to be there, `out` in rows of a [`TileRow`].
#[inline(always)]
unsafe fn run(
    left: (*const u32, usize),
    height: usize,
    right: (*const u32, usize),
    Steps { k, ahead, begin }: Steps,
    out: &mut [f32],
) {
    let next = ahead.steps(8 * right.1, right.0);
    let out = (out.as_mut_ptr(), size_of::<TileRow>());
    // SAFETY: the caller's.
    unsafe {
        match (height, right.1) {
            (32, 3) => tiles!(
                left, right, k, next, begin, out,
                [0 at 0] [1 at 64] [2 at 128] [3 at 3072] [4 at 3136] [5 at 3200],
                "tileloadd tmm6, [{upper} + {left_step}]"
                "tileloadd tmm7, [{right} + {right_step}]"
                "tdpbf16ps tmm0, tmm6, tmm7"
                "tileloadd tmm7, [{right} + {right_step} + 64]"
                "tdpbf16ps tmm1, tmm6, tmm7"
                ask!(0 1 2 3 4 5 6 7)
                "tileloadd tmm7, [{right} + {right_step} + 128]"
                "tdpbf16ps tmm2, tmm6, tmm7"
                "tileloadd tmm6, [{lower} + {left_step}]"
                "tdpbf16ps tmm5, tmm6, tmm7"
                ask!(8 9 10 11 12 13 14 15)
                "tileloadd tmm7, [{right} + {right_step} + 64]"
                "tdpbf16ps tmm4, tmm6, tmm7"
                "tileloadd tmm7, [{right} + {right_step}]"
                "tdpbf16ps tmm3, tmm6, tmm7"
                ask!(16 17 18 19 20 21 22 23)
            ),
            (32, 2) => tiles!(
                left, right, k, next, begin, out,
                [0 at 0] [1 at 64] [2 at 3072] [3 at 3136],
                "tileloadd tmm4, [{upper} + {left_step}]"
                "tileloadd tmm6, [{right} + {right_step}]"
                "tdpbf16ps tmm0, tmm4, tmm6"
                "tileloadd tmm7, [{right} + {right_step} + 64]"
                "tdpbf16ps tmm1, tmm4, tmm7"
                ask!(0 1 2 3 4 5 6 7)
                "tileloadd tmm5, [{lower} + {left_step}]"
                "tdpbf16ps tmm2, tmm5, tmm6"
                "tdpbf16ps tmm3, tmm5, tmm7"
                ask!(8 9 10 11 12 13 14 15)
            ),
            (32, _) => tiles!(
                left, right, k, next, begin, out,
                [0 at 0] [1 at 3072],
                "tileloadd tmm6, [{right} + {right_step}]"
                "tileloadd tmm4, [{upper} + {left_step}]"
                "tdpbf16ps tmm0, tmm4, tmm6"
                ask!(0 1 2 3 4 5 6 7)
                "tileloadd tmm5, [{lower} + {left_step}]"
                "tdpbf16ps tmm1, tmm5, tmm6"
            ),
            (_, 3) => tiles!(
                left, right, k, next, begin, out,
                [0 at 0] [1 at 64] [2 at 128],
                "tileloadd tmm4, [{upper} + {left_step}]"
                "tileloadd tmm5, [{right} + {right_step}]"
                "tdpbf16ps tmm0, tmm4, tmm5"
                ask!(0 1 2 3 4 5 6 7)
                "tileloadd tmm6, [{right} + {right_step} + 64]"
                "tdpbf16ps tmm1, tmm4, tmm6"
                ask!(8 9 10 11 12 13 14 15)
                "tileloadd tmm7, [{right} + {right_step} + 128]"
                "tdpbf16ps tmm2, tmm4, tmm7"
                ask!(16 17 18 19 20 21 22 23)
            ),
            (_, 2) => tiles!(
                left, right, k, next, begin, out,
                [0 at 0] [1 at 64],
                "tileloadd tmm4, [{upper} + {left_step}]"
                "tileloadd tmm5, [{right} + {right_step}]"
                "tdpbf16ps tmm0, tmm4, tmm5"
                ask!(0 1 2 3 4 5 6 7)
                "tileloadd tmm6, [{right} + {right_step} + 64]"
                "tdpbf16ps tmm1, tmm4, tmm6"
                ask!(8 9 10 11 12 13 14 15)
            ),
            _ => tiles!(
                left, right, k, next, begin, out,
                [0 at 0],
                "tileloadd tmm4, [{upper} + {left_step}]"
                "tileloadd tmm5, [{right} + {right_step}]"
                "tdpbf16ps tmm0, tmm4, tmm5"
                ask!(0 1 2 3 4 5 6 7)
            ),
        }
    }
}

/// [`run`] for two lines of columns, of either kind, with sums in rows of two lines.
///
/// # Safety
/// As for [`run`], and tiles have to be configured for the form.
#[inline(always)]
unsafe fn run_block(
    (kind, form): (Kind, Form),
    left: (*const u32, usize),
    right: *const u32,
    Steps { k, ahead, begin }: Steps,
    sums: *mut u32,
) {
    let next = ahead.steps(2 * ROWS, right);
    let (right, out) = ((right, 2), (sums, 2 * 4 * WIDTH));
    macro_rules! tall {
        ($product:literal) => {
            tiles!(
                left, right, k, next, begin, out,
                [0 at 0] [1 at 64] [2 at 2048] [3 at 2112],
                "tileloadd tmm4, [{upper} + {left_step}]"
                "tileloadd tmm6, [{right} + {right_step}]"
                concat!($product, " tmm0, tmm4, tmm6")
                ask!(0 1 2 3 4 5 6 7)
                "tileloadd tmm7, [{right} + {right_step} + 64]"
                concat!($product, " tmm1, tmm4, tmm7")
                ask!(8 9 10 11 12 13 14 15)
                "tileloadd tmm5, [{lower} + {left_step}]"
                concat!($product, " tmm2, tmm5, tmm6")
                ask!(16 17 18 19 20 21 22 23)
                concat!($product, " tmm3, tmm5, tmm7")
                ask!(24 25 26 27 28 29 30 31)
            )
        };
    }
    macro_rules! low {
        ($product:literal) => {
            tiles!(
                left, right, k, next, begin, out,
                [0 at 0] [1 at 64],
                "tileloadd tmm4, [{upper} + {left_step}]"
                "tileloadd tmm6, [{right} + {right_step}]"
                concat!($product, " tmm0, tmm4, tmm6")
                ask!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15)
                "tileloadd tmm7, [{right} + {right_step} + 64]"
                concat!($product, " tmm1, tmm4, tmm7")
                ask!(16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31)
            )
        };
    }
    macro_rules! single {
        ($product:literal) => {
            tiles!(
                left, right, k, next, begin, out,
                [2 at 0] [3 at 64],
                "tileloadd tmm5, [{upper} + {left_step}]"
                "tileloadd tmm6, [{right} + {right_step}]"
                concat!($product, " tmm2, tmm5, tmm6")
                ask!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15)
                "tileloadd tmm7, [{right} + {right_step} + 64]"
                concat!($product, " tmm3, tmm5, tmm7")
                ask!(16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31)
            )
        };
    }
    // SAFETY: the caller's.
    unsafe {
        match (kind, form) {
            (Kind::Pairs, Form::Tall) => tall!("tdpbf16ps"),
            (Kind::Pairs, Form::Low) => low!("tdpbf16ps"),
            (Kind::Pairs, Form::Single) => single!("tdpbf16ps"),
            (Kind::Bytes, Form::Tall) => tall!("tdpbusd"),
            (Kind::Bytes, Form::Low) => low!("tdpbusd"),
            (Kind::Bytes, Form::Single) => single!("tdpbusd"),
        }
    }
}
