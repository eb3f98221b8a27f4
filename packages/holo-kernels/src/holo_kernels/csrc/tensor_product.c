/* Weighted tensor products along the edges of a graph: gathered from nodes, multiplied, and summed into nodes, forward
 * and backward, in float and in double. The code is in tensor_product.h, which is included once for each precision. A
 * product of rows is a graph in which every node has one edge of its own.
 */

#include <stddef.h>
#include <stdint.h>

#include "export.h"

/* One path couples one degree of some channels of the first factor with one channel of the second. Offsets are counted
 * in numbers: those of x and out in the layout of lanes (see tensor_product.h), those of y and the weights in flat
 * features. */
typedef struct {
    int64_t orders1, orders2, orders3;
    int64_t width;                 /* channels */
    int64_t x, y, out;
    int64_t weight, weight_stride; /* of the first channel, and distance between channels; weight < 0: no weight */
    int64_t cells;                 /* its first in `cells`: where the entries of (order of x, order of out) begin */
} Path;

/* Some channels of one degree: channels, orders, and where they begin in flat features and in lanes. */
typedef struct {
    int64_t width, orders, flat, lanes;
} Term;

/* The compiler calls memset for loops that set zeros; there is no C library here that has it. */
__attribute__((visibility("hidden"), no_builtin("memset"))) void *memset(void *to, int value, size_t count)
{
    char *byte = to;
    for (size_t i = 0; i < count; i++)
        byte[i] = (char)value;
    return to;
}

#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#elif defined(__aarch64__)
#define VECTOR_BYTES 16
#else
#define VECTOR_BYTES 32
#endif

/* Channels are padded to whole vectors; callers use this to lay out lanes. */
EXPORT int64_t product_vector_bytes(void) { return VECTOR_BYTES; }

#define REAL float
#define NAME(name) name##_float32
#include "tensor_product.h"
#undef REAL
#undef NAME

#define REAL double
#define NAME(name) name##_float64
#include "tensor_product.h"
