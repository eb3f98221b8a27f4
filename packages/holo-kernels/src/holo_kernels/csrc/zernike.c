/* Zernike coefficients of weighted points, in single and in double precision. */

#include <stddef.h>
#include <stdint.h>

#include "export.h"

#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#define MANY_REGISTERS 1
#elif defined(__AVX2__)
#define VECTOR_BYTES 32
#define MANY_REGISTERS 0
#else
#define VECTOR_BYTES 16
#define MANY_REGISTERS 1
#endif

/* SEGMENT points are summed in registers; the sums of each BATCH of points are added in double precision. */
#define SEGMENT 32
#define BATCH 256

/* MOST_TERMS is the largest number of polynomials in a tile of sums. ORDERS is the number of radial orders that are
 * computed at once for a register of harmonics.
 */
#define MOST_TERMS 12
#define ORDERS 4

/* For points whose |r / cutoff|² is so close to 1, the comparison with the cutoff is exact to the last bit. */
#define EDGE 1e-12

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("clang loop unroll(full)")

/* The basis of the coefficients, made once for many clouds. */
struct plan {
    int64_t lmax, nmax, channels;
    double cutoff;
    const double *inverse_weight; /* 1/|e|² = 1 / Σ_j inverse_weight[j] T_j(ρ)², j = 0..nmax; NULL: it is 1 */
    const double *sectoral;       /* the harmonic (m, m) without its azimuthal part, m = 0..lmax */
    const double *rise, *fall;    /* P_(l+1) = rise × y P_l - fall × P_(l-1); m ascending, in it l = m..lmax-1 */
    const void *series;           /* R_nl as a series in T_j(ρ), j of l's parity: for each degree [terms, orders], in
                                   * the precision of the function */
    double envelope;              /* weights × t³ (10 - 15 t + 6 t²), t = (1 - ρ) × this where t < 1; 0: no envelope */
};

/* Work that several threads share. */
struct call {
    const struct plan *plan;
    const double *coordinates;
    const void *weights;
    const int64_t *offsets;
    int64_t clouds, dim;
    char *const *working; /* the prepared working memory of each part */
    void *coefficients;
    int64_t overflowed;   /* becomes 1 if a coefficient is not finite */
};

INLINE int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

INLINE int64_t rounded_up(int64_t size, int64_t unit) { return (size + unit - 1) / unit * unit; }

/* Return the first row of degree l among the harmonics of degrees that have its parity. */
INLINE int64_t first_row(int64_t l) { return l * (l - 1) / 2; }

/* Return the number of harmonics whose degrees are <= lmax and have one parity. */
INLINE int64_t rows_of_parity(int64_t lmax, int64_t parity) { return first_row(lmax + 2 - ((lmax ^ parity) & 1)); }

/* Return the number of Chebyshev polynomials of degree <= nmax and one parity. */
INLINE int64_t terms_of_parity(int64_t nmax, int64_t parity) { return (nmax + 2 - parity) / 2; }

/* For each harmonic of a parity, the series of its radial orders is stored in groups of ORDERS, of which the last is
 * full. Return how many numbers come before a group. A group has terms up to its last order's T_j, because R_nl needs
 * T_j with j <= n only.
 */
INLINE int64_t rows_before(int64_t group, int64_t terms)
{
    const int64_t missing = rounded_up(terms, ORDERS) - terms;
    return ORDERS * group * (ORDERS * (group + 1) / 2 - missing);
}

#define REAL float
#define BITS uint32_t
#define LANES (VECTOR_BYTES / 4)
#define SINGLE 1
#define NAMED(name) name##_f32
#include "zernike_form.h"
#undef REAL
#undef BITS
#undef LANES
#undef SINGLE
#undef NAMED

#define REAL double
#define BITS uint64_t
#define LANES (VECTOR_BYTES / 8)
#define SINGLE 0
#define NAMED(name) name##_f64
#include "zernike_form.h"
