/* The part of tensor_square.c that depends on the precision, REAL; names go through NAME().
 *
 * Features between blocks are [row, batch, channel], with a row for each degree and order, so that one row of a tile of
 * samples is contiguous and every loop below runs along samples and channels ("lanes"). All degrees of the input have
 * the same number of channels; those of the output may differ.
 *
 * A tile of samples at a time, and one Chunk of its products at a time, stay in the cache:
 *   x, normalized        [row, lane]
 *   products of a chunk  [order, path, lane]
 *   linear map           sums over (path, channel), with accumulators in registers
 * The backward computes the products again; it needs only the block's input, the result of the linear map and the
 * factor of the signal norm.
 */

#define WIDTH ((int64_t)(VECTOR_BYTES / sizeof(REAL)))
#define LANES 8     /* vectors of a row in one pass over the coefficients */
#define DEPTH 256   /* length of the sums of a matrix product before the result goes to memory */
#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("clang loop unroll(full)")

typedef REAL NAME(Vector) __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(REAL)), may_alias));
#define Vector NAME(Vector)

typedef struct {
    int32_t factor, first, second;
    REAL p, q;
} NAME(Term);
#define Term NAME(Term)

/* The plan of a block; the arrays belong to the caller. */
typedef struct {
    int64_t channels;      /* of every degree of the input */
    int64_t degrees_in, degrees_out;
    int64_t chunks;
    const int64_t *widths; /* channels of each degree of the output, 0 if there is no linear map */
    const int64_t *paths;  /* number for each degree of the output */
    int64_t tile;          /* largest number of samples that are taken at a time */
    const Chunk *chunk;
    const Sum *sums;
    const Term *terms;
} NAME(Plan);
#define Plan NAME(Plan)

INLINE Vector NAME(load)(const REAL *from) { return *(const Vector *)from; }
INLINE void NAME(store)(REAL *to, Vector value) { *(Vector *)to = value; }
#define load NAME(load)
#define store NAME(store)

INLINE int64_t NAME(rounded)(int64_t count) { return (count + WIDTH - 1) / WIDTH * WIDTH; }
#define rounded NAME(rounded)

/* The distance between rows: it has room for what runs over the end, and is an odd number of cache lines, because rows
 * at distances of powers of two would share few sets of the cache. */
INLINE int64_t NAME(stride)(int64_t lanes)
{
    const int64_t line = 64 / sizeof(REAL);
    return ((lanes + 3 * WIDTH + line - 1) / line | 1) * line;
}
#define stride NAME(stride)

INLINE int64_t NAME(squared)(int64_t value) { return value * value; }
#define squared NAME(squared)

/* Return the size of the next tile when `left` samples remain: tiles of about the same size, in whole groups. */
INLINE int64_t NAME(next_tile)(int64_t left, int64_t tile)
{
    const int64_t tiles = (left + tile - 1) / tile, even = (left + tiles - 1) / tiles;
    const int64_t grouped = (even + GROUP - 1) / GROUP * GROUP;
    return grouped < left && grouped <= tile ? grouped : even;
}

#include "tensor_square/products.h"
#include "tensor_square/matrices.h"
#include "tensor_square/rows.h"
#include "tensor_square/square.h"
#include "tensor_square/block.h"
#include "tensor_square/frames.h"

#undef WIDTH
#undef LANES
#undef DEPTH
#undef INLINE
#undef UNROLL
#undef Vector
#undef Term
#undef Plan
#undef load
#undef store
#undef rounded
#undef stride
#undef squared
#undef Four
#undef Layout
#undef Square
#undef Block
#undef Norm
#undef Through
#undef Frames
#undef Steps
#undef dot
#undef cross
