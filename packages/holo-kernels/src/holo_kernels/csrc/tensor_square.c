/* The nonlinear block of holo-nn for a slice of a batch (batch norm, tensor square, signal norm, linear map, skip), the
 * tensor square alone, and frames; forward and backward, in float and in double. The code is in tensor_square.h, which
 * is included once for each precision.
 */

#include <stddef.h>
#include <stdint.h>

#include "export.h"

/* One sum over Clebsch-Gordan coefficients; its terms are in tensor_square.h. */
typedef struct {
    int32_t row;     /* the row of the sum */
    int32_t pairs;   /* number of terms factor * (p * first + q * second), which come first */
    int32_t singles; /* number of terms factor * p * first */
} Sum;

/* Some orders m of one output degree, whose products are computed, used and discarded together. */
typedef struct {
    int32_t degree;
    int32_t first, count; /* orders, counted from 0 */
    int32_t paths;
    int64_t sums, sum_count, terms;                /* where those of the forward begin, and the number of sums */
    int64_t back_sums, back_sum_count, back_terms; /* the same for the backward */
} Chunk;

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
#define ROWS_OF_2 12
#define ROWS_OF_1 16
#define GROUP 4
#elif defined(__aarch64__)
#define VECTOR_BYTES 16
#define ROWS_OF_2 12
#define ROWS_OF_1 16
#define GROUP 4
#else
#define VECTOR_BYTES 32
#define ROWS_OF_2 6
#define ROWS_OF_1 8
#define GROUP 2
#endif

#define REAL float
#define NAME(name) name##_float32
#include "tensor_square.h"
#undef REAL
#undef NAME

#define REAL double
#define NAME(name) name##_float64
#include "tensor_square.h"
