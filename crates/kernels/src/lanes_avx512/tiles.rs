//! Products of whole tiles of bf16 pairs by AMX.
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
use std::sync::OnceLock;

use super::Avx512;
use crate::lanes::WIDTH;
use crate::training::tile::{COLUMNS, TileRow};

/// Rows of a tile register.
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
        Avx512(())
    }
}

fn has_tiles() -> bool {
    const BF16_AND_TILE: u32 = 1 << 22 | 1 << 24;
    const STATE: u64 = 1 << 17 | 1 << 18;
    // The maximum leaf is at least 7: AVX-512, which is told there, was detected.
    let instructions = __cpuid_count(7, 0).edx & BF16_AND_TILE == BF16_AND_TILE;
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

/// Configures the tiles of this thread: eight of 16 rows of 64 bytes. The token must not be
/// used any longer than the other lives.
#[inline(always)]
pub(crate) fn configure(_: Tiles) -> (Avx512<true>, Configured) {
    #[repr(C, align(64))]
    struct Configuration([u8; 64]);
    static EIGHT: Configuration = {
        let mut bytes = [0; 64];
        bytes[0] = 1;
        let mut i = 0;
        while i < 8 {
            // The bytes of a row are numbers of sixteen bits from byte 16 on, rows are
            // bytes from byte 48 on.
            (bytes[16 + 2 * i], bytes[48 + i]) = (64, ROWS as u8);
            i += 1;
        }
        Configuration(bytes)
    };
    // SAFETY: tiles are there, and the configuration is a valid one.
    unsafe {
        asm!(
            "ldtilecfg [{}]",
            in(reg) EIGHT.0.as_ptr(),
            options(readonly, nostack, preserves_flags)
        )
    };
    (Avx512(()), Configured(()))
}

/// [`multiply_tiles`](crate::lanes::Lanes::multiply_tiles).
///
/// # Safety
/// Tiles have to be configured.
#[inline(always)]
pub(super) unsafe fn multiply(
    (left, stride): (&[u32], usize),
    height: usize,
    right: &[u32],
    lines: usize,
    out: &mut [TileRow],
) {
    assert!(matches!(height, 16 | 32) && (1..=3).contains(&lines) && out.len() >= height);
    let width = lines * WIDTH;
    let k = right.len() / width;
    assert!(
        k == 0 || (height - 1) * stride + k <= left.len(),
        "left operand too short"
    );
    let (whole, rest) = (k / ROWS, k % ROWS);
    // SAFETY: tiles are configured; rows, lines and room are there, asserted above.
    unsafe {
        let (left, right) = ((left.as_ptr(), stride), (right.as_ptr(), lines));
        run(left, height, right, whole, true, out);
    }
    if rest > 0 {
        let from = whole * ROWS;
        let mut last_left = [[0; ROWS]; 2 * ROWS];
        for (row, cells) in last_left[..height].iter_mut().enumerate() {
            cells[..rest].copy_from_slice(&left[row * stride + from..][..rest]);
        }
        let mut last_right = [0; ROWS * COLUMNS];
        last_right[..rest * width].copy_from_slice(&right[from * width..][..rest * width]);
        let left = (last_left.as_flattened().as_ptr(), ROWS);
        // SAFETY: as above; both copies have whole tiles.
        unsafe { run(left, height, (last_right.as_ptr(), lines), 1, false, out) };
    }
}

/// Sets the sums to zeros, or goes on from `out`; multiplies `k` times sixteen cells; and
/// stores the sums.
macro_rules! tiles {
    ($left:ident, $right:ident, $k:ident, $begin:ident, $out:ident,
     $([$sum:literal at $at:literal])*, $($step:literal)*) => {
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
            out = in(reg) $out.as_mut_ptr(),
            out_step = in(reg) size_of::<TileRow>(),
            options(nostack)
        )
    };
}

/// Multiplies `k` times sixteen cells and adds to `out`, or writes it anew to `begin`. Both
/// operands come with their steps, `left` in cells, `right` in lines.
///
/// # Safety
/// Tiles have to be configured; `height` is 16 or 32, lines one to three, and all of that
/// has to be there.
#[inline(always)]
unsafe fn run(
    left: (*const u32, usize),
    height: usize,
    right: (*const u32, usize),
    k: usize,
    begin: bool,
    out: &mut [TileRow],
) {
    // SAFETY: the caller's. No register but those of tiles is changed that is not said to
    // be, and the compiler uses none of these.
    unsafe {
        match (height, right.1) {
            (32, 3) => tiles!(
                left, right, k, begin, out,
                [0 at 0] [1 at 64] [2 at 128] [3 at 3072] [4 at 3136] [5 at 3200],
                "tileloadd tmm6, [{upper} + {left_step}]"
                "tileloadd tmm7, [{right} + {right_step}]"
                "tdpbf16ps tmm0, tmm6, tmm7"
                "tileloadd tmm7, [{right} + {right_step} + 64]"
                "tdpbf16ps tmm1, tmm6, tmm7"
                "tileloadd tmm7, [{right} + {right_step} + 128]"
                "tdpbf16ps tmm2, tmm6, tmm7"
                "tileloadd tmm6, [{lower} + {left_step}]"
                "tdpbf16ps tmm5, tmm6, tmm7"
                "tileloadd tmm7, [{right} + {right_step} + 64]"
                "tdpbf16ps tmm4, tmm6, tmm7"
                "tileloadd tmm7, [{right} + {right_step}]"
                "tdpbf16ps tmm3, tmm6, tmm7"
            ),
            (32, 2) => tiles!(
                left, right, k, begin, out,
                [0 at 0] [1 at 64] [2 at 3072] [3 at 3136],
                "tileloadd tmm4, [{upper} + {left_step}]"
                "tileloadd tmm6, [{right} + {right_step}]"
                "tdpbf16ps tmm0, tmm4, tmm6"
                "tileloadd tmm7, [{right} + {right_step} + 64]"
                "tdpbf16ps tmm1, tmm4, tmm7"
                "tileloadd tmm5, [{lower} + {left_step}]"
                "tdpbf16ps tmm2, tmm5, tmm6"
                "tdpbf16ps tmm3, tmm5, tmm7"
            ),
            (32, _) => tiles!(
                left, right, k, begin, out,
                [0 at 0] [1 at 3072],
                "tileloadd tmm6, [{right} + {right_step}]"
                "tileloadd tmm4, [{upper} + {left_step}]"
                "tdpbf16ps tmm0, tmm4, tmm6"
                "tileloadd tmm5, [{lower} + {left_step}]"
                "tdpbf16ps tmm1, tmm5, tmm6"
            ),
            (_, 3) => tiles!(
                left, right, k, begin, out,
                [0 at 0] [1 at 64] [2 at 128],
                "tileloadd tmm4, [{upper} + {left_step}]"
                "tileloadd tmm5, [{right} + {right_step}]"
                "tdpbf16ps tmm0, tmm4, tmm5"
                "tileloadd tmm6, [{right} + {right_step} + 64]"
                "tdpbf16ps tmm1, tmm4, tmm6"
                "tileloadd tmm7, [{right} + {right_step} + 128]"
                "tdpbf16ps tmm2, tmm4, tmm7"
            ),
            (_, 2) => tiles!(
                left, right, k, begin, out,
                [0 at 0] [1 at 64],
                "tileloadd tmm4, [{upper} + {left_step}]"
                "tileloadd tmm5, [{right} + {right_step}]"
                "tdpbf16ps tmm0, tmm4, tmm5"
                "tileloadd tmm6, [{right} + {right_step} + 64]"
                "tdpbf16ps tmm1, tmm4, tmm6"
            ),
            _ => tiles!(
                left, right, k, begin, out,
                [0 at 0],
                "tileloadd tmm4, [{upper} + {left_step}]"
                "tileloadd tmm5, [{right} + {right_step}]"
                "tdpbf16ps tmm0, tmm4, tmm5"
            ),
        }
    }
}
