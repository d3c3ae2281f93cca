//! Sixteen lanes as one 512-bit register, with the dot products of bf16 pairs
//! (AVX-512 BF16) and of signed by unsigned bytes (VNNI), and with products of whole
//! tiles (AMX) where the processor has them.

mod crowd;
pub(crate) mod tiles;

use crate::lanes::{Lanes, Next, WIDTH};
use crate::training::tile::TileRow;
use std::arch::x86_64::*;
use tiles::{Ahead, Kind, Plan};

/// Proof that AVX-512 F, BW, DQ, VL, VNNI and BF16 are there; and, where `TILED`, that
/// tiles (AMX) are as well, and [configured](tiles::configure) as planned in the thread that
/// has the token.
#[derive(Clone, Copy, Debug)]
pub struct Avx512<const TILED: bool>(Plan);

impl Avx512<false> {
    /// The token, where the processor has the instructions.
    pub fn detect() -> Option<Self> {
        (is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512vnni")
            && is_x86_feature_detected!("avx512bf16"))
        .then_some(Self(Plan::NONE))
    }
}

/// Calls an instruction of the detected set.
macro_rules! proven {
    ($call:expr) => {
        // SAFETY: `self` exists only where `detect` found the instructions, and
        // the pointers come from references to arrays of the length they read.
        unsafe { $call }
    };
}

/// The order in which halves of words `i` and `second + i` are pairs.
const fn pairs_of(second: u16) -> [u16; 2 * WIDTH] {
    let (mut order, mut i) = ([0; 2 * WIDTH], 0);
    while i < WIDTH {
        order[2 * i] = i as u16;
        order[2 * i + 1] = second + i as u16;
        i += 1;
    }
    order
}

impl<const TILED: bool> Lanes for Avx512<TILED> {
    type F = __m512;
    type I = __m512i;
    const TILE: usize = 12;
    const HEIGHT: usize = if TILED { 16 } else { 8 };
    const LINES: usize = 3;
    const TALL: usize = if TILED { 32 } else { 8 };
    const TILED: bool = TILED;

    #[inline(always)]
    fn multiply_tiles(
        self,
        left: (&[u32], usize),
        height: usize,
        (right, lines): (&[u32], usize),
        next: Option<&[u32]>,
        out: &mut [TileRow],
    ) {
        assert!(TILED, "tiles were not detected");
        let ahead = Ahead(next.map(|next| next.as_ptr().cast()));
        // SAFETY: `TILED` tokens exist only where tiles were detected and configured.
        unsafe { tiles::multiply(self.0, (left, height), (right, lines), ahead, out) }
    }
    #[inline(always)]
    fn multiply_block_of_pairs(
        self,
        left: (&[u32], usize),
        right: &[[u32; WIDTH]],
        next: Next,
        go_on: bool,
        sums: &mut [[__m512; 2]],
    ) {
        assert!(TILED, "tiles were not detected");
        // SAFETY: as above; sixteen f32 are 64 bytes of any kind.
        unsafe { tiles::block((Kind::Pairs, self.0), left, right, next, go_on, sums) }
    }
    #[inline(always)]
    fn multiply_block_of_bytes(
        self,
        left: (&[u32], usize),
        right: &[[u32; WIDTH]],
        next: Next,
        go_on: bool,
        sums: &mut [[__m512i; 2]],
    ) {
        assert!(TILED, "tiles were not detected");
        // SAFETY: as above; sixteen i32 are 64 bytes of any kind.
        unsafe { tiles::block((Kind::Bytes, self.0), left, right, next, go_on, sums) }
    }
    #[inline(always)]
    fn splat(self, x: f32) -> __m512 {
        proven!(_mm512_set1_ps(x))
    }
    #[inline(always)]
    fn load(self, x: &[f32; WIDTH]) -> __m512 {
        proven!(_mm512_loadu_ps(x.as_ptr()))
    }
    #[inline(always)]
    fn store(self, v: __m512, out: &mut [f32; WIDTH]) {
        proven!(_mm512_storeu_ps(out.as_mut_ptr(), v))
    }
    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        proven!(_mm512_add_ps(a, b))
    }
    #[inline(always)]
    fn sub(self, a: __m512, b: __m512) -> __m512 {
        proven!(_mm512_sub_ps(a, b))
    }
    #[inline(always)]
    fn mul(self, a: __m512, b: __m512) -> __m512 {
        proven!(_mm512_mul_ps(a, b))
    }
    #[inline(always)]
    fn div(self, a: __m512, b: __m512) -> __m512 {
        proven!(_mm512_div_ps(a, b))
    }
    #[inline(always)]
    fn max(self, a: __m512, b: __m512) -> __m512 {
        proven!(_mm512_max_ps(a, b))
    }
    #[inline(always)]
    fn min(self, a: __m512, b: __m512) -> __m512 {
        proven!(_mm512_min_ps(a, b))
    }
    #[inline(always)]
    fn mul_add(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        proven!(_mm512_fmadd_ps(a, b, c))
    }
    #[inline(always)]
    fn sqrt(self, a: __m512) -> __m512 {
        proven!(_mm512_sqrt_ps(a))
    }
    #[inline(always)]
    fn round(self, a: __m512) -> __m512 {
        proven!(_mm512_roundscale_ps::<
            { _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC },
        >(a))
    }
    #[inline(always)]
    fn times_power(self, a: __m512, n: __m512) -> __m512 {
        proven!(_mm512_scalef_ps(a, n))
    }
    #[inline(always)]
    fn reciprocal(self, a: __m512) -> __m512 {
        proven!(_mm512_rcp14_ps(a))
    }
    #[inline(always)]
    fn keep_from(self, y: __m512, x: __m512, limit: f32) -> __m512 {
        proven!(_mm512_maskz_mov_ps(
            _mm512_cmp_ps_mask::<_CMP_GE_OQ>(x, _mm512_set1_ps(limit)),
            y
        ))
    }
    #[inline(always)]
    fn dot_bf16(self, acc: __m512, w: &[u16; 32], x: u32) -> __m512 {
        proven!({
            let w: __m512bh = std::mem::transmute(_mm512_loadu_si512(w.as_ptr().cast()));
            let x: __m512bh = std::mem::transmute(_mm512_set1_epi32(x as i32));
            _mm512_dpbf16_ps(acc, w, x)
        })
    }
    #[inline(always)]
    fn load_bits(self, x: &[u32; WIDTH]) -> __m512 {
        proven!(_mm512_loadu_ps(x.as_ptr().cast()))
    }
    #[inline(always)]
    fn store_bits(self, v: __m512, out: &mut [u32; WIDTH]) {
        proven!(_mm512_storeu_ps(out.as_mut_ptr().cast(), v))
    }
    #[inline(always)]
    fn dot_pairs(self, acc: __m512, w: &[u32; WIDTH], x: u32) -> __m512 {
        proven!({
            let w: __m512bh = std::mem::transmute(_mm512_loadu_si512(w.as_ptr().cast()));
            let x: __m512bh = std::mem::transmute(_mm512_set1_epi32(x as i32));
            _mm512_dpbf16_ps(acc, w, x)
        })
    }
    #[inline(always)]
    fn pair(self, low: __m512, high: __m512, out: &mut [u32; WIDTH]) {
        const ORDER: [u16; 2 * WIDTH] = pairs_of(WIDTH as u16);
        proven!({
            let order = _mm512_loadu_si512(ORDER.as_ptr().cast());
            let halves: __m512i = std::mem::transmute(_mm512_cvtne2ps_pbh(high, low));
            let pairs = _mm512_permutexvar_epi16(order, halves);
            _mm512_storeu_si512(out.as_mut_ptr().cast(), pairs)
        })
    }
    #[inline(always)]
    fn pair_narrow(self, low: &[u32; WIDTH / 2], high: &[u32; WIDTH / 2], out: &mut [u32; WIDTH]) {
        const ORDER: [u16; 2 * WIDTH] = pairs_of(2 * WIDTH as u16);
        proven!({
            let low = _mm512_castsi256_si512(_mm256_loadu_si256(low.as_ptr().cast()));
            let high = _mm512_castsi256_si512(_mm256_loadu_si256(high.as_ptr().cast()));
            let order = _mm512_loadu_si512(ORDER.as_ptr().cast());
            let pairs = _mm512_permutex2var_epi16(low, order, high);
            _mm512_storeu_si512(out.as_mut_ptr().cast(), pairs)
        })
    }
    #[inline(always)]
    fn narrow_line(self, v: __m512, out: &mut [u32; WIDTH / 2]) {
        proven!({
            let pairs: __m256i = std::mem::transmute(_mm512_cvtneps_pbh(v));
            _mm256_storeu_si256(out.as_mut_ptr().cast(), pairs)
        })
    }
    #[inline(always)]
    fn narrow_lines(self, first: __m512, second: __m512, out: &mut [u32; WIDTH]) {
        proven!({
            let pairs: __m512i = std::mem::transmute(_mm512_cvtne2ps_pbh(second, first));
            _mm512_storeu_si512(out.as_mut_ptr().cast(), pairs)
        })
    }
    #[inline(always)]
    fn keep_scrambled(self, y: __m512, words: &[u32; WIDTH], word: u32, threshold: u32) -> __m512 {
        proven!({
            let words = _mm512_loadu_si512(words.as_ptr().cast());
            let x = _mm512_xor_si512(words, _mm512_set1_epi32(word as i32));
            let x = _mm512_xor_si512(x, _mm512_srli_epi32::<16>(x));
            let x = _mm512_mullo_epi32(x, _mm512_set1_epi32(0x7feb_352d));
            let x = _mm512_xor_si512(x, _mm512_srli_epi32::<15>(x));
            let x = _mm512_mullo_epi32(x, _mm512_set1_epi32(0x846c_a68b_u32 as i32));
            let x = _mm512_xor_si512(x, _mm512_srli_epi32::<16>(x));
            let threshold = _mm512_set1_epi32(threshold as i32);
            _mm512_maskz_mov_ps(_mm512_cmpge_epu32_mask(x, threshold), y)
        })
    }
    #[inline(always)]
    fn widen_line(self, pairs: &[u32; WIDTH / 2]) -> __m512 {
        proven!({
            let pairs = _mm256_loadu_si256(pairs.as_ptr().cast());
            let wide = _mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(pairs));
            _mm512_castsi512_ps(wide)
        })
    }
    #[inline(always)]
    fn bytes(self, a: __m512, offset: u32, out: &mut [u32; WIDTH / 2]) {
        proven!({
            let bits = _mm512_add_epi32(_mm512_cvtps_epi32(a), _mm512_set1_epi32(offset as i32));
            let order = _mm_setr_epi8(1, 5, 9, 13, 0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1);
            let bytes = _mm512_shuffle_epi8(bits, _mm512_broadcast_i32x4(order));
            let halves = _mm512_setr_epi64(0, 2, 4, 6, 0, 0, 0, 0);
            let words = _mm512_castsi512_si256(_mm512_permutexvar_epi64(halves, bytes));
            _mm256_storeu_si256(out.as_mut_ptr().cast(), words)
        })
    }
    #[inline(always)]
    fn transpose(self, block: &mut [[u32; WIDTH]; WIDTH]) {
        proven!({
            // A loop: a closure would not be compiled for this instruction set.
            let mut rows = [_mm512_setzero_si512(); WIDTH];
            for (row, cells) in rows.iter_mut().zip(&*block) {
                *row = _mm512_loadu_si512(cells.as_ptr().cast());
            }
            // In each quarter of 128 bits: pairs of rows, then fours of rows.
            let mut pairs = rows;
            for i in (0..WIDTH).step_by(2) {
                pairs[i] = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
                pairs[i + 1] = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
            }
            let mut fours = pairs;
            for i in (0..WIDTH).step_by(4) {
                fours[i] = _mm512_unpacklo_epi64(pairs[i], pairs[i + 2]);
                fours[i + 1] = _mm512_unpackhi_epi64(pairs[i], pairs[i + 2]);
                fours[i + 2] = _mm512_unpacklo_epi64(pairs[i + 1], pairs[i + 3]);
                fours[i + 3] = _mm512_unpackhi_epi64(pairs[i + 1], pairs[i + 3]);
            }
            // Quarter `q` of `fours[4 j + i]` is column `4 q + i` of the rows
            // from `4 j` on: even and odd quarters, then each of them.
            for i in 0..4 {
                let (a, b, c, d) = (fours[i], fours[4 + i], fours[8 + i], fours[12 + i]);
                let even = [
                    _mm512_shuffle_i32x4::<0x88>(a, b),
                    _mm512_shuffle_i32x4::<0x88>(c, d),
                ];
                let odd = [
                    _mm512_shuffle_i32x4::<0xdd>(a, b),
                    _mm512_shuffle_i32x4::<0xdd>(c, d),
                ];
                let columns = [
                    _mm512_shuffle_i32x4::<0x88>(even[0], even[1]),
                    _mm512_shuffle_i32x4::<0x88>(odd[0], odd[1]),
                    _mm512_shuffle_i32x4::<0xdd>(even[0], even[1]),
                    _mm512_shuffle_i32x4::<0xdd>(odd[0], odd[1]),
                ];
                for (quarter, column) in columns.into_iter().enumerate() {
                    let out = &mut block[4 * quarter + i];
                    _mm512_storeu_si512(out.as_mut_ptr().cast(), column);
                }
            }
        })
    }
    #[inline(always)]
    fn splat_i32(self, x: i32) -> __m512i {
        proven!(_mm512_set1_epi32(x))
    }
    #[inline(always)]
    fn dot_i8(self, acc: __m512i, w: &[i8; 64], x: u32) -> __m512i {
        proven!(_mm512_dpbusd_epi32(
            acc,
            _mm512_set1_epi32(x as i32),
            _mm512_loadu_si512(w.as_ptr().cast())
        ))
    }
    #[inline(always)]
    fn less_middles(self, a: __m512i, middles: &[i32; WIDTH]) -> __m512i {
        proven!({
            let middles = _mm512_loadu_si512(middles.as_ptr().cast());
            _mm512_sub_epi32(a, _mm512_slli_epi32::<7>(middles))
        })
    }
    #[inline(always)]
    fn to_f32(self, a: __m512i) -> __m512 {
        proven!(_mm512_cvtepi32_ps(a))
    }
    #[inline(always)]
    fn sum(self, a: __m512) -> f32 {
        proven!({
            let a = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps::<1>(a));
            let a = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a));
            let a = _mm_add_ps(a, _mm_movehl_ps(a, a));
            _mm_cvtss_f32(_mm_add_ss(a, _mm_shuffle_ps::<1>(a, a)))
        })
    }
    #[inline(always)]
    fn largest(self, a: __m512) -> f32 {
        proven!(_mm512_reduce_max_ps(a))
    }
    #[inline(always)]
    fn prefetch<T>(self, address: *const T) {
        proven!(_mm_prefetch::<_MM_HINT_T0>(address.cast()))
    }
}
