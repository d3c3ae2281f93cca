//! What the loops over rows of integers have in common: always two rows together, each by
//! 32 columns, whose eight sums stay in registers from the first group to the last.

/// For each two rows takes their sums, `{pa}` to `{pd}` and `{qa}` to `{qd}`, from where they
/// lie, repeats `code`, and puts them back. `code` takes `groups` groups of `words` words
/// each, at `{left}` (and `{row}` bytes on for the second row), and two lines of `{right}` a
/// group; what it reads ahead is at `{next}`, to go on by `{step}` bytes. The sums of a half
/// of the columns are `half` bytes from the next.
///
/// # Safety
/// The instructions have to be there, for all rows `groups * times` groups, and `4 * pairs`
/// halves of sums.
macro_rules! for_twos {
    ($groups:literal groups of $words:literal, $times:expr;
        $left:expr, $row_step:expr; $right:expr; $next:expr, $step:expr;
        $sums:expr, $pairs:expr, $half:literal; $($code:expr),+; $($operands:tt)*) => {{
        let (times, pairs) = ($times, $pairs);
        if times > 0 && pairs > 0 {
            std::arch::asm!(
                "3:",
                "vmovdqu {pa}, [{sums}]",
                "vmovdqu {pb}, [{sums} + 32]",
                "vmovdqu {pc}, [{sums} + {half}]",
                "vmovdqu {pd}, [{sums} + {half} + 32]",
                "vmovdqu {qa}, [{sums} + 2 * {half}]",
                "vmovdqu {qb}, [{sums} + 2 * {half} + 32]",
                "vmovdqu {qc}, [{sums} + 3 * {half}]",
                "vmovdqu {qd}, [{sums} + 3 * {half} + 32]",
                "mov {count}, {times}",
                "2:",
                $($code,)+
                "add {left}, {left_step}",
                "add {right}, {right_step}",
                "dec {count}",
                "jnz 2b",
                "vmovdqu [{sums}], {pa}",
                "vmovdqu [{sums} + 32], {pb}",
                "vmovdqu [{sums} + {half}], {pc}",
                "vmovdqu [{sums} + {half} + 32], {pd}",
                "vmovdqu [{sums} + 2 * {half}], {qa}",
                "vmovdqu [{sums} + 2 * {half} + 32], {qb}",
                "vmovdqu [{sums} + 3 * {half}], {qc}",
                "vmovdqu [{sums} + 3 * {half} + 32], {qd}",
                // The next two rows, and the lines from the first on.
                "imul {count}, {times}, {left_step}",
                "sub {left}, {count}",
                "lea {left}, [{left} + 2 * {row}]",
                "imul {count}, {times}, {right_step}",
                "sub {right}, {count}",
                "add {sums}, 4 * {half}",
                "dec {pairs}",
                "jnz 3b",
                left = inout(reg) $left => _,
                right = inout(reg) $right => _,
                sums = inout(reg) $sums => _,
                pairs = inout(reg) pairs => _,
                times = in(reg) times,
                count = out(reg) _,
                next = inout(reg) $next => _,
                row = in(reg) 4 * $row_step,
                step = in(reg) $step,
                left_step = const 4 * $groups * $words,
                right_step = const 128 * $groups,
                half = const $half,
                pa = out(ymm_reg) _,
                pb = out(ymm_reg) _,
                pc = out(ymm_reg) _,
                pd = out(ymm_reg) _,
                qa = out(ymm_reg) _,
                qb = out(ymm_reg) _,
                qc = out(ymm_reg) _,
                qd = out(ymm_reg) _,
                $($operands)*
                options(nostack),
            );
        }
    }};
}
pub(super) use for_twos;
