/* The rate of a loop of the transform's shape: 2 registers × 6 broadcast numbers a point, sums in registers. */

#include <stdint.h>

#if defined(__AVX512F__)
#define LANES 16
#elif defined(__AVX2__)
#define LANES 8
#else
#define LANES 4
#endif

typedef float vector __attribute__((vector_size(LANES * sizeof(float)), aligned(4)));

/* Multiply-adds of one call: 12 × LANES × points × times; the data fit in the first cache. */
__attribute__((visibility("default"))) int32_t small_loop(const float *rows, const float *columns, int64_t points,
                                                          int64_t times, float *sums)
{
    vector tile[6][2] = {};
    for (; times > 0; --times) {
        const float *row = rows, *column = columns;
        for (int64_t i = 0; i < points; ++i, row += 2 * LANES, column += 6) {
            const vector a = *(const vector *)row, b = *(const vector *)(row + LANES);
#pragma clang loop unroll(full)
            for (int j = 0; j < 6; ++j) {
                tile[j][0] += column[j] * a;
                tile[j][1] += column[j] * b;
            }
        }
    }
#pragma clang loop unroll(full)
    for (int j = 0; j < 12; ++j)
        *(vector *)(sums + j * LANES) = tile[j >> 1][j & 1];
    return LANES;
}
