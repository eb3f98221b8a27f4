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

/* So many points are summed in registers; so many before their sums go on in double precision. */
#define SEGMENT 32
#define BATCH 256

/* How many polynomials a tile of sums has at most, and how many radial orders of a register of harmonics, of all
 * degrees there, are computed at once.
 */
#define MOST_TERMS 12
#define ORDERS 4

/* Points whose |r / cutoff|² is so near to 1 are decided on to the last bit. */
#define EDGE 1e-12

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("clang loop unroll(full)")

/* What the coefficients are, made once for many clouds. */
struct plan {
    int64_t lmax, nmax, channels;
    double cutoff;
    const double *inverse_weight; /* 1/|e|² is 1 / (sum of these × T_j(ρ)²), j = 0..nmax; or NULL: it is 1 */
    const double *sectoral;       /* the harmonic (m, m) without its azimuthal part, m = 0..lmax */
    const double *rise, *fall;    /* P_(l+1) = rise × y P_l - fall × P_(l-1); m ascending, in it l = m..lmax-1 */
    const void *series;           /* in the precision of the function; for each degree [terms, orders]: R_nl as a
                                   * series in T_j(ρ), j of l's parity */
    double envelope;              /* weights × t³ (10 - 15 t + 6 t²), t = (1 - ρ) × this where that is < 1; 0: no envelope */
};

/* Work that several threads share. */
struct call {
    const struct plan *plan;
    const double *coordinates;
    const void *weights;
    const int64_t *offsets;
    int64_t clouds, dim;
    char *const *working; /* of each part, prepared */
    void *coefficients;
    int64_t overflowed;   /* becomes 1 where a coefficient is not finite */
};

INLINE int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

INLINE int64_t rounded_up(int64_t size, int64_t unit) { return (size + unit - 1) / unit * unit; }

/* Harmonics of the degrees below l that share its parity: where those of l begin among them. */
INLINE int64_t first_row(int64_t l) { return l * (l - 1) / 2; }

/* How many harmonics have degrees <= lmax of one parity. */
INLINE int64_t rows_of_parity(int64_t lmax, int64_t parity) { return first_row(lmax + 2 - ((lmax ^ parity) & 1)); }

/* How many Chebyshev polynomials of degree <= nmax have one parity. */
INLINE int64_t terms_of_parity(int64_t nmax, int64_t parity) { return (nmax + 2 - parity) / 2; }

/* For each harmonic of a parity the series of its radial orders, in groups of ORDERS of which the last is whole: how
 * many numbers come before a group. Those up to its last order's T_j are there, as R_nl needs T_j with j <= n only.
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
