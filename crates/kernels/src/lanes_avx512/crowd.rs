//! Whether the core's other hardware thread is busy, perhaps with another's program.
//!
//! The core seems to have few registers behind those of tiles, to which each load and each
//! product writes anew, and its two threads to share them. Nanoseconds a product of two tiles
//! (Emerald Rapids, operands in the first-level cache), by how many of a thread's eight
//! registers are in use:
//!
//! | registers | rows by columns | loads a product | alone | beside a busy thread |
//! |---|---|---|---|---|
//! | 8 | 32 by 48 | 1.17 | 7 | 35 |
//! | 8 | 32 by 32 | 1 | 7 | 31 |
//! | 7 | 32 by 32 | 1 | 7 | 22 |
//! | 6 | 32 by 32 | 1.25 | 7 | 19 |
//! | 5 | 16 by 48 | 1.33 | 7 | 16 |
//!
//! From the second-level cache few loads are faster where the core is ours alone: 10 beside 14
//! nanoseconds for the first and the last. So now and then both are tried for a microsecond.

use std::arch::asm;
use std::arch::x86_64::_rdtsc;
use std::cell::Cell;

use super::tiles::{ROWS, Tiles, load};

/// Ticks of the time-stamp counter between two measurements, some milliseconds; busy and quiet
/// times are as long and longer.
const EVERY: u64 = 1 << 23;

thread_local! {
    /// When it was measured last, and what came of it.
    static LAST: Cell<(u64, bool)> = const { Cell::new((0, false)) };
}

/// Whether five registers are so much faster than eight now that it makes up for more loads.
/// The thread's tiles lose their configuration.
pub(super) fn crowded(tiles: Tiles) -> bool {
    // SAFETY: a counter that all processors with AVX-512 have.
    let now = unsafe { _rdtsc() };
    let (then, crowded) = LAST.get();
    if now.wrapping_sub(then) < EVERY {
        return crowded;
    }
    let crowded = measure(tiles);
    LAST.set((now, crowded));
    crowded
}

/// The best of three times each: what takes longer was interrupted.
fn measure(tiles: Tiles) -> bool {
    let (mut five, mut eight) = (u64::MAX, u64::MAX);
    for _ in 0..3 {
        five = five.min(ticks(tiles, few));
        eight = eight.min(ticks(tiles, all));
    }
    eight > five + five / 2
}

/// A tile of zeros.
#[repr(C, align(64))]
struct Zeros([u8; 64 * ROWS]);

/// How long `work` takes with tiles that nothing has used.
fn ticks(tiles: Tiles, work: unsafe fn(&Zeros)) -> u64 {
    let zeros = Zeros([0; 64 * ROWS]);
    let _configured = load(tiles, ROWS);
    // SAFETY: as above.
    let start = unsafe { _rdtsc() };
    // SAFETY: tiles are configured with all rows.
    unsafe { work(&zeros) };
    // SAFETY: as above.
    unsafe { _rdtsc().wrapping_sub(start) }
}

/// Eight times two tiles of rows by three lines each, whose sums are in these registers.
macro_rules! products {
    ($zeros:ident, [$($upper:literal)*] [$($lower:literal)*]) => {
        // SAFETY: tiles are configured, and only a whole one is read.
        unsafe {
            asm!(
                "2:",
                "tileloadd tmm3, [{at} + {step}]",
                $(
                    "tileloadd tmm4, [{at} + {step}]",
                    concat!("tdpbf16ps tmm", $upper, ", tmm3, tmm4"),
                )*
                "tileloadd tmm3, [{at} + {step}]",
                $(
                    "tileloadd tmm4, [{at} + {step}]",
                    concat!("tdpbf16ps tmm", $lower, ", tmm3, tmm4"),
                )*
                "dec {count}",
                "jnz 2b",
                count = inout(reg) 8_u64 => _,
                at = in(reg) $zeros.0.as_ptr(),
                step = in(reg) 64_u64,
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack, readonly)
            )
        }
    };
}

/// Products with five registers.
///
/// # Safety
/// Tiles have to be configured with all rows.
unsafe fn few(zeros: &Zeros) {
    products!(zeros, [0 1 2] [0 1 2]);
}

/// The same with eight.
///
/// # Safety
/// As for [`few`].
unsafe fn all(zeros: &Zeros) {
    products!(zeros, [0 1 2] [5 6 7]);
}
