/* Convert one degree of a sample between flat features and lanes; included once for each precision, REAL. */

typedef REAL NAME(Four) __attribute__((vector_size(4 * sizeof(REAL)), aligned(sizeof(REAL)), may_alias));
#define Four NAME(Four)

/* Transpose a block of 4 × 4: to[j, i] = from[i, j]. */
INLINE void NAME(transpose)(const REAL *from, int64_t from_stride, REAL *to, int64_t to_stride)
{
    const Four a = *(const Four *)from, b = *(const Four *)(from + from_stride);
    const Four c = *(const Four *)(from + 2 * from_stride), d = *(const Four *)(from + 3 * from_stride);
    const Four ab = __builtin_shufflevector(a, b, 0, 4, 1, 5), cd = __builtin_shufflevector(c, d, 0, 4, 1, 5);
    const Four ba = __builtin_shufflevector(a, b, 2, 6, 3, 7), dc = __builtin_shufflevector(c, d, 2, 6, 3, 7);
    *(Four *)to = __builtin_shufflevector(ab, cd, 0, 1, 4, 5);
    *(Four *)(to + to_stride) = __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
    *(Four *)(to + 2 * to_stride) = __builtin_shufflevector(ba, dc, 0, 1, 4, 5);
    *(Four *)(to + 3 * to_stride) = __builtin_shufflevector(ba, dc, 2, 3, 6, 7);
}

INLINE void NAME(turn_few)(const int64_t orders, int64_t channels, REAL *restrict lane, int64_t row,
                           REAL *restrict flat, const int to_rows)
{
    for (int64_t c = 0; c < channels; c++)
        for (int64_t order = 0; order < orders; order++)
            if (to_rows)
                lane[order * row + c] = flat[c * orders + order];
            else
                flat[c * orders + order] = lane[order * row + c];
}

/* Convert one degree of one sample between flat features [channel, order] and lanes [order, channel]. */
INLINE void NAME(turn)(int64_t orders, int64_t channels, REAL *lane, int64_t row, REAL *flat, const int to_rows)
{
    if (orders == 1)
        NAME(turn_few)(1, channels, lane, row, flat, to_rows);
    else if (orders == 3)
        NAME(turn_few)(3, channels, lane, row, flat, to_rows);
    else if (channels < 4)
        NAME(turn_few)(orders, channels, lane, row, flat, to_rows);
    else /* The last block of four overlaps the one before, and writes the same numbers again. */
        for (int64_t order = 0; order < orders; order += 4) {
            const int64_t o = order < orders - 4 ? order : orders - 4;
            for (int64_t channel = 0; channel < channels; channel += 4) {
                const int64_t c = channel < channels - 4 ? channel : channels - 4;
                if (to_rows)
                    NAME(transpose)(flat + c * orders + o, orders, lane + o * row + c, row);
                else
                    NAME(transpose)(lane + o * row + c, row, flat + c * orders + o, orders);
            }
        }
}
