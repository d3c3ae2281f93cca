//! Which instruction set runs the kernels, chosen at run time.

use crate::lanes::{Lanes, Plain};
#[cfg(target_arch = "aarch64")]
use crate::lanes_neon::Neon;
#[cfg(target_arch = "x86_64")]
use crate::{
    lanes_avx2::Avx2,
    lanes_avx512::{
        Avx512,
        tiles::{Tiles, configure},
    },
};

/// A kernel: a function over any instruction set. `run` must be
/// `#[inline(always)]`, so that it is compiled inside the function that turns
/// the instructions on.
pub trait Kernel {
    /// What it returns.
    type Output;
    /// How many rows of left operands [tiles](Lanes::TILED) should multiply at a time, up to
    /// sixteen or 32, where there are tiles; `None` if it does not multiply so.
    fn tiled(&self) -> Option<usize> {
        None
    }
    /// Does the work with the lanes of `s`.
    fn run<S: Lanes>(self, s: S) -> Self::Output;
}

#[derive(Clone, Copy, Debug)]
enum Set {
    Plain(Plain),
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512<false>),
    #[cfg(target_arch = "x86_64")]
    Amx(Tiles),
    #[cfg(target_arch = "aarch64")]
    Neon(Neon),
}

/// An instruction set that this processor has.
#[derive(Clone, Copy, Debug)]
pub struct Isa(Set);

impl Isa {
    /// The fastest one here: AVX-512 with BF16 and VNNI, with AMX or without, AVX2 with FMA,
    /// NEON, or plain Rust.
    pub fn detect() -> Self {
        *Self::available().last().unwrap_or(&Self::plain())
    }

    /// Plain Rust.
    pub fn plain() -> Self {
        Self(Set::Plain(Plain))
    }

    /// All that run here, the slowest first.
    pub fn available() -> Vec<Self> {
        let plain = std::iter::once(Self::plain());
        #[cfg(target_arch = "x86_64")]
        let others = {
            let avx2 = Avx2::detect().map(|token| Self(Set::Avx2(token)));
            let token = Avx512::<false>::detect();
            let avx512 = token.map(|token| Self(Set::Avx512(token)));
            let tiles = token
                .and_then(Tiles::detect)
                .map(|token| Self(Set::Amx(token)));
            avx2.into_iter().chain(avx512).chain(tiles)
        };
        #[cfg(target_arch = "aarch64")]
        let others = Neon::detect().map(|token| Self(Set::Neon(token)));
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        let others = std::iter::empty();
        plain.chain(others).collect()
    }

    /// `plain`, `avx2`, `avx512`, `amx` or `neon`.
    pub fn name(self) -> &'static str {
        match self.0 {
            Set::Plain(_) => "plain",
            #[cfg(target_arch = "x86_64")]
            Set::Avx2(_) => "avx2",
            #[cfg(target_arch = "x86_64")]
            Set::Avx512(_) => "avx512",
            #[cfg(target_arch = "x86_64")]
            Set::Amx(_) => "amx",
            #[cfg(target_arch = "aarch64")]
            Set::Neon(_) => "neon",
        }
    }

    /// Whether it has instructions for products of bf16.
    pub fn multiplies_bf16(self) -> bool {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Set::Avx512(_) | Set::Amx(_) => true,
            _ => false,
        }
    }

    /// Whether kernels that are [tiled](Kernel::tiled) multiply tiles.
    pub(crate) fn multiplies_tiles(self) -> bool {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Set::Amx(_) => true,
            _ => false,
        }
    }

    /// Runs `kernel` with this instruction set.
    #[inline]
    pub fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self.0 {
            Set::Plain(token) => kernel.run(token),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the token exists only where the features were detected.
            Set::Avx2(token) => unsafe { run_avx2(token, kernel) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the token exists only where the features were detected.
            Set::Avx512(token) => unsafe { run_avx512(token, kernel) },
            #[cfg(target_arch = "x86_64")]
            Set::Amx(tiles) => match kernel.tiled() {
                // SAFETY: as for the two above; tiles are there only beside AVX-512.
                Some(rows) => unsafe { run_amx(tiles, rows, kernel) },
                // SAFETY: as above.
                None => unsafe { run_avx512(tiles.untiled(), kernel) },
            },
            #[cfg(target_arch = "aarch64")]
            // SAFETY: the token exists only where the feature was detected.
            Set::Neon(token) => unsafe { run_neon(token, kernel) },
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn run_avx2<K: Kernel>(token: Avx2, kernel: K) -> K::Output {
    kernel.run(token)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16,avx2,fma")]
fn run_avx512<K: Kernel>(token: Avx512<false>, kernel: K) -> K::Output {
    kernel.run(token)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16,avx2,fma")]
fn run_amx<K: Kernel>(tiles: Tiles, rows: usize, kernel: K) -> K::Output {
    let (token, _configured) = configure(tiles, rows);
    kernel.run(token)
}

#[cfg(target_arch = "aarch64")]
#[target_feature(enable = "neon")]
fn run_neon<K: Kernel>(token: Neon, kernel: K) -> K::Output {
    kernel.run(token)
}
