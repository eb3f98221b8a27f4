"""The Triton kernel of `holo_nn.kernels.triton_square`, which imports it when a GPU is first used."""

__all__ = ["sums"]

try:
    import triton
    import triton.language as tl
except ImportError:  # not on this system; callers ask `triton_serves` before they use the kernel
    pass
else:

    @triton.jit  # type: ignore[untyped-decorator]
    def sums(  # type: ignore[no-untyped-def]  # noqa: PLR0917
        left,
        right,
        out,
        rows,
        first,
        second,
        coefficients,
        shares,
        lanes,
        LANES: tl.constexpr,
        STEP: tl.constexpr,
    ):
        """Compute out[r] = Σ_t c[t] left[first[t]] right[second[t]] for t from rows[r] to rows[r + 1] - 1.

        One program computes LANES lanes (samples and channels) of the rows from shares[p] to shares[p + 1] - 1. Terms
        are processed in steps, so that the loads of a step are in flight together.
        """
        lane = tl.program_id(0) * LANES + tl.arange(0, LANES)
        live = lane < lanes
        share = tl.program_id(1)
        for row in range(tl.load(shares + share), tl.load(shares + share + 1)):
            total = tl.zeros((LANES,), dtype=out.dtype.element_ty)
            for start in range(tl.load(rows + row), tl.load(rows + row + 1), STEP):
                for offset in tl.static_range(STEP):
                    # 64 bits, because rows times lanes exceeds 2^31 for large batches.
                    one = tl.load(first + start + offset).to(tl.int64) * lanes + lane
                    other = tl.load(second + start + offset).to(tl.int64) * lanes + lane
                    product = tl.load(left + one, mask=live, other=0.0) * tl.load(
                        right + other, mask=live, other=0.0
                    )
                    total += tl.load(coefficients + start + offset) * product
            tl.store(out + tl.full((), row, tl.int64) * lanes + lane, total, mask=live)
