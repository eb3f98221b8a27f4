/* The code of one precision, which zernike.c includes for each: REAL, LANES of them in a register, NAMED.
 *
 * R_nl(ρ) is a series in the Chebyshev polynomials T_j(ρ) of l's parity. So for each cloud and channel, the moments
 * Σ w T_j(ρ) Y_lm(r̂) are summed first: a matrix product over the points, whose tile of sums stays in registers. Then one
 * small matrix for each degree turns them into coefficients. T_j and the factors of Y_lm are always evaluated in double
 * precision: the slope of T_j reaches j², which would amplify the rounding error of ρ, and the recurrence of Y_lm loses
 * two digits up to l = 14. Moments are summed over a SEGMENT of points, and these sums over a BATCH, both in the
 * precision of the function; the sums of batches are added in double precision.
 */

typedef REAL NAMED(vector) __attribute__((vector_size(LANES * sizeof(REAL))));
typedef REAL NAMED(quarter) __attribute__((vector_size(16)));
typedef double NAMED(doubles) __attribute__((vector_size(LANES * sizeof(double)), aligned(64)));
typedef int64_t NAMED(masks) __attribute__((vector_size(LANES * sizeof(int64_t))));
typedef BITS NAMED(bits) __attribute__((may_alias));

/* The parts of the working memory. */
struct NAMED(memory) {
    int64_t terms[2], lanes[2];       /* polynomials and, in whole registers, harmonics of each parity */
    int64_t all_terms, all_lanes;     /* of both parities */
    int64_t orders[2];                /* radial orders of each parity, in whole groups of ORDERS */
    int64_t moments_size;             /* moments of one channel */
    int64_t combined_size;            /* coefficients of one channel, in whole registers and groups */
    int32_t *keys, *order;            /* the first channel of each point; the point at each place */
    int64_t *ends, *centers;          /* where each channel's points end; the row of order m = 0 of each degree */
    double *x, *y, *z;                /* of each sorted point */
    REAL *factors, *weights;          /* of each sorted point: for all harmonics; for the polynomials of one channel */
    double *falls;                    /* the factor of p_(l-1), see `prepare`; m ascending, in it l = m+1..lmax-1 */
    REAL *polynomials, *weighted;     /* [SEGMENT / LANES, terms, LANES], even ones first */
    REAL *rows, *harmonics;           /* [lanes, LANES] while they are evaluated; [SEGMENT, lanes] */
    REAL *moments;                    /* for each channel [terms, lanes], even, then odd */
    double *sums;                     /* the same, summed over all batches of a cloud that has several */
    REAL *series;                     /* even, then odd: [lanes / LANES, groups, terms, ORDERS, LANES] */
    REAL *combined;                   /* for each channel [orders, lanes], even, then odd */
    int32_t *places;                  /* where its first m is, for each degree, channel and radial order */
    int64_t bytes;
};

#define PART(type, size) (type *)(base + total), total += rounded_up((int64_t)sizeof(type) * (size), 64)

static struct NAMED(memory) NAMED(layout)(const struct plan *plan, char *base)
{
    struct NAMED(memory) memory = {0};
    const int64_t channels = plan->channels, all_terms = plan->nmax + 1, lmax = plan->lmax;
    int64_t total = 0, series_size = 0, rows = 0;
    for (int parity = 0; parity < 2; ++parity) {
        const int64_t terms = terms_of_parity(plan->nmax, parity);
        const int64_t lanes = rounded_up(rows_of_parity(lmax, parity), LANES);
        memory.terms[parity] = terms;
        memory.lanes[parity] = lanes;
        memory.orders[parity] = rounded_up(terms, ORDERS);
        memory.moments_size += terms * lanes;
        memory.combined_size += memory.orders[parity] * lanes;
        series_size += rows_before(memory.orders[parity] / ORDERS, terms) * lanes;
    }
    for (int64_t l = 0; l <= lmax; ++l)
        rows += channels * ((plan->nmax - l) / 2 + 1);
    memory.all_terms = all_terms;
    memory.all_lanes = memory.lanes[0] + memory.lanes[1];
    memory.keys = PART(int32_t, BATCH);
    memory.order = PART(int32_t, BATCH);
    memory.ends = PART(int64_t, channels + 1);
    memory.centers = PART(int64_t, lmax + 1);
    memory.x = PART(double, BATCH);
    memory.y = PART(double, BATCH);
    memory.z = PART(double, BATCH);
    memory.factors = PART(REAL, BATCH);
    memory.weights = PART(REAL, SEGMENT);
    memory.falls = PART(double, lmax * (lmax - 1) / 2);
    memory.polynomials = PART(REAL, all_terms * SEGMENT);
    memory.weighted = PART(REAL, all_terms * SEGMENT);
    memory.rows = PART(REAL, memory.all_lanes * LANES);
    memory.harmonics = PART(REAL, memory.all_lanes * SEGMENT);
    memory.moments = PART(REAL, channels * memory.moments_size);
    memory.sums = PART(double, channels * memory.moments_size);
    memory.series = PART(REAL, series_size);
    memory.combined = PART(REAL, channels * memory.combined_size + LANES); /* the last register reads beyond it */
    memory.places = PART(int32_t, rows);
    memory.bytes = total;
    return memory;
}

#undef PART

/* Write what is the same for all clouds: the places of harmonics, their recurrence, and the series for each of them.
 *
 * The harmonic of degree l and order m contains a polynomial P_l(y) with P_(l+1) = rise_l y P_l - fall_l P_(l-1). It is
 * evaluated without a constant factor: P_l = scale_l p_l with scale_(l+1) = rise_l scale_l, where p_m = 1 and
 * p_(m+1) = y. Dividing the recurrence by scale_(l+1) gives
 *   p_(l+1) = y p_l - fall_l / (rise_l rise_(l-1)) p_(l-1),
 * which has one factor less. `falls` holds the factor of p_(l-1), and the series is multiplied by scale_l instead. R_nl
 * needs T_j with j <= n only, so each group of ORDERS has terms up to its last order; if the orders do not fill whole
 * groups, the first one begins with zeros.
 */
static void NAMED(prepare)(const struct plan *plan, const struct NAMED(memory) *memory)
{
    const int64_t lmax = plan->lmax;
    const double *rise = plan->rise, *fall = plan->fall;
    double *falls = memory->falls;
    REAL *scales = memory->combined; /* [lanes], before it holds anything else */
    for (int64_t i = 0; i < memory->all_lanes * LANES; ++i)
        memory->rows[i] = 0;
    for (int64_t l = 0; l <= lmax; ++l)
        memory->centers[l] = (l & 1) * memory->lanes[0] + first_row(l) + l;
    for (int64_t m = 0; m <= lmax; ++m) {
        double scale = plan->sectoral[m];
        for (int64_t l = m; l <= lmax; ++l) {
            const int64_t center = memory->centers[l];
            scales[center - m] = scales[center + m] = (REAL)scale;
            if (l == lmax)
                break;
            if (l > m)
                *falls++ = fall[0] / (rise[0] * rise[-1]);
            scale *= *rise++, ++fall;
        }
    }

    REAL *tables[2] = {memory->series, memory->series};
    int64_t sizes[2];
    for (int parity = 0; parity < 2; ++parity)
        sizes[parity] = rows_before(memory->orders[parity] / ORDERS, memory->terms[parity]) * LANES;
    tables[1] += sizes[0] * (memory->lanes[0] / LANES);
    const int64_t all = tables[1] - tables[0] + sizes[1] * (memory->lanes[1] / LANES);
    for (int64_t i = 0; i < all; ++i)
        memory->series[i] = 0;
    const REAL *series = plan->series;
    for (int64_t l = 0; l <= lmax; ++l) {
        const int64_t parity = l & 1, terms = memory->terms[parity], first = first_row(l), stop = first + 2 * l + 1;
        const int64_t missing = memory->orders[parity] - terms;
        const REAL *own = scales + parity * memory->lanes[0];
        for (int64_t j = 0; j < terms; ++j)
            for (int64_t order = l / 2; order < terms; ++order, ++series) {
                if (order < j)
                    continue;
                const int64_t group = (order + missing) / ORDERS, place = (order + missing) % ORDERS;
                REAL *target = tables[parity] + (rows_before(group, terms) + j * ORDERS + place) * LANES;
                for (int64_t lane = first; lane < stop; ++lane)
                    target[lane / LANES * sizes[parity] + lane % LANES] = *series * own[lane];
            }
    }
    int32_t *places = memory->places;
    for (int64_t l = 0; l <= lmax; ++l)
        for (int64_t channel = 0; channel < plan->channels; ++channel)
            for (int64_t order = l / 2; order < memory->terms[l & 1]; ++order) {
                const int64_t row = memory->orders[l & 1] - memory->terms[l & 1] + order;
                *places++ = (int32_t)(channel * memory->combined_size + (l & 1) * memory->orders[0] * memory->lanes[0] +
                                      row * memory->lanes[l & 1] + first_row(l));
            }
    for (int64_t l = 0; l <= lmax; ++l)
        memory->centers[l] *= LANES;
}

/* Sort the points within the cutoff by their first channel; return whether any point has several.
 *
 * The points of channel c end at ends[c]. The weight of a point that has only one channel is multiplied into its
 * harmonics.
 */
INLINE int NAMED(sort)(const struct plan *plan, const struct NAMED(memory) *memory, const double *coordinates,
                       const REAL *weights, int64_t count, const int32_t channels)
{
    const double cutoff = plan->cutoff, inverse = 1 / cutoff;
    int64_t *ends = memory->ends;
    int32_t *keys = memory->keys, *order = memory->order;
    double *x = memory->x, *y = memory->y, *z = memory->z;
    REAL *factors = memory->factors;
    int several = 0, edge = 0;
    for (int64_t i = 0; i < count; ++i) {
        int32_t key = channels, used = 0;
        for (int32_t channel = channels - 1; channel >= 0; --channel) {
            const NAMED(bits) bits = ((const NAMED(bits) *)weights)[i * channels + channel];
            const int nonzero = bits << 1 != 0; /* whatever the sign */
            key = nonzero ? channel : key;
            used += nonzero;
        }
        several |= used > 1;
        keys[i] = key;
    }
    for (int64_t i = 0; i < count; ++i) {
        const double a = coordinates[3 * i] * inverse, b = coordinates[3 * i + 1] * inverse;
        const double c = coordinates[3 * i + 2] * inverse, squared = a * a + b * b + c * c;
        keys[i] = squared < 1 + EDGE ? keys[i] : channels;
        edge |= __builtin_fabs(squared - 1) < EDGE;
    }
    for (int64_t i = 0; edge && i < count; ++i) {
        /* This reproduces numpy's result to the bit: division, this order of operations, and no contraction. */
#pragma clang fp contract(off)
        const double a = coordinates[3 * i] / cutoff, b = coordinates[3 * i + 1] / cutoff;
        const double c = coordinates[3 * i + 2] / cutoff;
        keys[i] = (a * a + c * c) + b * b <= 1 ? keys[i] : channels;
    }
    int64_t all = 0;
    for (int32_t channel = 0; channel < channels; ++channel) {
        int32_t own = 0;
        for (int64_t i = 0; i < count; ++i)
            own += keys[i] == channel;
        ends[channel] = all;
        all += own;
    }
    ends[channels] = all; /* points beyond the cutoff, or without a weight, come last */
    for (int64_t i = 0; i < count; ++i, coordinates += 3, weights += channels) {
        const int32_t key = keys[i];
        const int64_t place = ends[key]++;
        factors[place] = weights[key < channels ? key : 0];
        order[place] = (int32_t)i;
        x[place] = coordinates[0];
        y[place] = coordinates[1];
        z[place] = coordinates[2];
    }
    for (int64_t i = 0; several && i < all; ++i)
        factors[i] = 1;
    return several;
}

/* Lanes of two registers: KEPT and MOVED swap the parts off the diagonal of blocks of twice `half` lanes; INTERLEAVED
 * interleaves lanes of the same 16 bytes, which processors do in one instruction for single precision only.
 */
#define KEPT(half, lane) ((lane) & (half) ? LANES + (lane) - (half) : (lane))
#define MOVED(half, lane) ((lane) & (half) ? LANES + (lane) : (lane) + (half))
#define INTERLEAVED(part, lane) (((lane) & 1) * LANES + ((lane) & ~3) + ((lane) >> 1 & 1) + (part))
#define LANES_2(F, half, first) F(half, first), F(half, (first) + 1)
#define LANES_4(F, half, first) LANES_2(F, half, first), LANES_2(F, half, (first) + 2)
#define LANES_8(F, half, first) LANES_4(F, half, first), LANES_4(F, half, (first) + 4)
#if LANES == 2
#define ALL_LANES(F, half) LANES_2(F, half, 0)
#elif LANES == 4
#define ALL_LANES(F, half) LANES_4(F, half, 0)
#elif LANES == 8
#define ALL_LANES(F, half) LANES_8(F, half, 0)
#else
#define ALL_LANES(F, half) LANES_8(F, half, 0), LANES_8(F, half, 8)
#endif
#define PAIR(i, k, low, high)                                \
    do {                                                     \
        const NAMED(vector) a = block[i], b = block[k];      \
        block[i] = __builtin_shufflevector(a, b, low);       \
        block[k] = __builtin_shufflevector(a, b, high);      \
    } while (0)

/* Write LANES rows, each of LANES points, as a piece of each point's own row.
 *
 * 16 bytes of each of several rows are loaded into one register, which costs less than shuffling them there.
 */
INLINE void NAMED(transpose)(const REAL *rows, REAL *target, int64_t stride)
{
    enum { WIDE = 16 / sizeof(REAL) };
    UNROLL
    for (int first = 0; first < LANES; first += WIDE) {
        NAMED(vector) block[WIDE];
        UNROLL
        for (int i = 0; i < WIDE; ++i)
            UNROLL
            for (int k = 0; k < LANES / WIDE; ++k)
                ((NAMED(quarter) *)(block + i))[k] =
                    *(const NAMED(quarter) *)(rows + (k * WIDE + i) * LANES + first);
#if SINGLE
        PAIR(0, 1, ALL_LANES(INTERLEAVED, 0), ALL_LANES(INTERLEAVED, 2));
        PAIR(2, 3, ALL_LANES(INTERLEAVED, 0), ALL_LANES(INTERLEAVED, 2));
        PAIR(0, 2, ALL_LANES(KEPT, 2), ALL_LANES(MOVED, 2));
        PAIR(1, 3, ALL_LANES(KEPT, 2), ALL_LANES(MOVED, 2));
#else
        PAIR(0, 1, ALL_LANES(KEPT, 1), ALL_LANES(MOVED, 1));
#endif
        UNROLL
        for (int i = 0; i < WIDE; ++i) {
            const int row = SINGLE && (i == 1 || i == 2) ? 3 - i : i; /* undoes the order of the interleaving */
            *(NAMED(vector) *)(target + (first + row) * stride) = block[i];
        }
    }
}

#undef KEPT
#undef MOVED
#undef INTERLEAVED
#undef LANES_2
#undef LANES_4
#undef LANES_8
#undef ALL_LANES
#undef PAIR

/* Evaluate T_j(ρ) and Y_lm(r̂) of LANES sorted points, starting at `place` of a segment. The harmonics are multiplied
 * by the points' factors, by 1/|e|² and by the envelope.
 *
 * With u, v, w = x/r, y/r, z/r and the polar axis y, Y_lm is P_l(v) times sin^m θ sin mφ (for -m) or sin^m θ cos mφ
 * (for m), where w = sin θ cos φ and u = sin θ sin φ. `cosine` and `sine` are the last two times the point's factor.
 * Since (w + i u)^(m+1) = (w + i u)^m (w + i u), they go from m to m+1 by cosine' = w cosine - u sine and
 * sine' = w sine + u cosine. */
INLINE void NAMED(evaluate)(const struct plan *plan, const struct NAMED(memory) *memory, int64_t segment,
                            int64_t place, int unit)
{
    const double scale = 1 / plan->cutoff;
    const NAMED(doubles) x = scale * *(const NAMED(doubles) *)(memory->x + segment + place);
    const NAMED(doubles) y = scale * *(const NAMED(doubles) *)(memory->y + segment + place);
    const NAMED(doubles) z = scale * *(const NAMED(doubles) *)(memory->z + segment + place);
    const NAMED(doubles) one = (NAMED(doubles)){} + 1;
    const NAMED(doubles) squared = x * x + y * y + z * z, rho = __builtin_elementwise_sqrt(squared);
    /* At the origin the direction is set to zero, and all harmonics except l = 0 must vanish. */
    const NAMED(masks) away = rho > 0;
    const NAMED(doubles) inverse = (NAMED(doubles))(away & (NAMED(masks))(one / rho));
    const NAMED(doubles) u = x * inverse, v = y * inverse, w = z * inverse;

#define ROW(place) *(NAMED(vector) *)(place)
#define ROUNDED(value) __builtin_convertvector(value, NAMED(vector))
    /* T_(j+2) = 2 T_2 T_j - T_(j-2), where T_2 = 2 ρ² - 1; even and odd j are separate chains. */
    REAL *even = memory->polynomials + place * memory->all_terms, *odd = even + memory->terms[0] * LANES;
    const double *weights = plan->inverse_weight;
    const NAMED(doubles) twice = 4 * squared - 2;
    NAMED(doubles) a = one, before_a = twice / 2, b = rho, before_b = rho, total = {};
    for (int64_t j = 0;; j += 2, even += LANES, odd += LANES) {
        ROW(even) = ROUNDED(a);
        if (unit)
            total += weights[j] * (a * a);
        if (j == plan->nmax)
            break;
        ROW(odd) = ROUNDED(b);
        if (unit)
            total += weights[j + 1] * (b * b);
        if (j + 1 == plan->nmax)
            break;
        const NAMED(doubles) next_a = twice * a - before_a, next_b = twice * b - before_b;
        before_a = a, a = next_a, before_b = b, b = next_b;
    }

    const double *falls = memory->falls;
    const int64_t lmax = plan->lmax, *centers = memory->centers;
    REAL *rows = memory->rows;
    const NAMED(vector) factor = *(const NAMED(vector) *)(memory->factors + segment + place);
    NAMED(doubles) cosine = __builtin_convertvector(factor, NAMED(doubles)), sine = {};
    if (unit)
        cosine /= total;
    if (plan->envelope > 0) {
        const NAMED(doubles) least = {}, depth = (one - rho) * plan->envelope;
        const NAMED(doubles) t = __builtin_elementwise_max(__builtin_elementwise_min(depth, one), least);
        cosine *= t * t * t * (t * (6 * t - 15) + 10);
    }
    const NAMED(vector) rounded = ROUNDED(v);
    for (int64_t m = 0; m <= lmax; ++m) {
        const NAMED(vector) left = ROUNDED(sine), right = ROUNDED(cosine);
        NAMED(doubles) older = m > 0 ? one : (NAMED(doubles))(away & (NAMED(masks))one), value = v;
        ROW(rows + centers[m] - m * LANES) = left;
        ROW(rows + centers[m] + m * LANES) = right;
        NAMED(vector) polar = rounded;
        for (int64_t l = m + 1; l <= lmax;) {
            ROW(rows + centers[l] - m * LANES) = polar * left;
            ROW(rows + centers[l] + m * LANES) = polar * right;
            if (l++ == lmax)
                break;
            const NAMED(doubles) higher = v * value - *falls++ * older;
            older = value, value = higher, polar = ROUNDED(value);
        }
        const NAMED(doubles) turned = w * cosine - u * sine;
        sine = w * sine + u * cosine, cosine = turned;
    }
#undef ROW
#undef ROUNDED
    for (int64_t lane = 0; lane < memory->all_lanes; lane += LANES)
        NAMED(transpose)(rows + lane * LANES, memory->harmonics + place * memory->all_lanes + lane,
                         memory->all_lanes);
}

/* Add Σ T_j Y_lm over the points first..last-1 of a segment to a tile of moments with `terms` polynomials and `width`
 * registers of harmonics.
 */
INLINE void NAMED(tile)(int width, int terms, const REAL *polynomials, int64_t all_terms, const REAL *harmonics,
                        int64_t all_lanes, int64_t first, int64_t last, REAL *moments, int64_t lanes)
{
    NAMED(vector) sums[MOST_TERMS][3] = {};
    harmonics += first * all_lanes;
    for (int64_t point = first; point < last; ++point, harmonics += all_lanes) {
        const REAL *t = polynomials + (point & -LANES) * all_terms + (point & (LANES - 1));
        NAMED(vector) pieces[3];
        UNROLL
        for (int i = 0; i < width; ++i)
            pieces[i] = *(const NAMED(vector) *)(harmonics + i * LANES);
        UNROLL
        for (int j = 0; j < terms; ++j)
            UNROLL
            for (int i = 0; i < width; ++i)
                sums[j][i] += t[j * LANES] * pieces[i];
    }
    UNROLL
    for (int j = 0; j < terms; ++j)
        UNROLL
        for (int i = 0; i < width; ++i)
            *(NAMED(vector) *)(moments + j * lanes + i * LANES) += sums[j][i];
}

/* Add to all moments of `width` registers, in tiles of at most `most` polynomials. */
INLINE void NAMED(strip)(int width, int most, int64_t terms, const REAL *polynomials, int64_t all_terms,
                         const REAL *harmonics, int64_t all_lanes, int64_t first, int64_t last, REAL *moments,
                         int64_t lanes)
{
    while (terms > 0) {
        /* Parts of about the same size. */
        const int now = (int)(terms <= most ? terms : terms < 2 * most ? (terms + 1) / 2 : most);
        switch (now) {
#define TILE(size)                                                                                               \
    case size:                                                                                                   \
        if (size <= most)                                                                                        \
            NAMED(tile)(width, size, polynomials, all_terms, harmonics, all_lanes, first, last, moments, lanes); \
        break;
            TILE(1) TILE(2) TILE(3) TILE(4) TILE(5) TILE(6) TILE(7) TILE(8) TILE(9) TILE(10) TILE(11) TILE(12)
#undef TILE
        }
        polynomials += now * LANES;
        moments += now * lanes;
        terms -= now;
    }
}

/* Add the points first..last-1 of a segment to the moments of one channel. */
static void NAMED(add)(const struct NAMED(memory) *memory, const REAL *polynomials, int64_t first, int64_t last,
                       REAL *moments)
{
    const REAL *harmonics = memory->harmonics;
    const int64_t all_terms = memory->all_terms, all_lanes = memory->all_lanes;
    for (int parity = 0; parity < 2; ++parity) {
        const int64_t terms = memory->terms[parity], lanes = memory->lanes[parity];
        for (int64_t lane = 0; lane < lanes;) {
            const int64_t left = (lanes - lane) / LANES;
#define STRIP(width, most)                                                                             \
    NAMED(strip)(width, most, terms, polynomials, all_terms, harmonics + lane, all_lanes, first, last, \
                 moments + lane, lanes),                                                               \
        lane += (width) * LANES
            if (left == 1)
                STRIP(1, MOST_TERMS);
            else if (left == 2 || left == 4)
                STRIP(2, MANY_REGISTERS ? 12 : 6);
            else
                STRIP(3, MANY_REGISTERS ? 8 : 3);
#undef STRIP
        }
        polynomials += terms * LANES;
        harmonics += lanes;
        moments += terms * lanes;
    }
}

/* Sum the moments of the points of one cloud, at most a BATCH. */
static void NAMED(accumulate)(const struct plan *plan, const struct NAMED(memory) *memory, const double *coordinates,
                              const REAL *weights, int64_t count)
{
    const int64_t channels = plan->channels, all_terms = memory->all_terms, moments_size = memory->moments_size;
    const int32_t *order = memory->order;
    const int several = channels == 4 ? NAMED(sort)(plan, memory, coordinates, weights, count, 4) /* loops unrolled */
                                      : NAMED(sort)(plan, memory, coordinates, weights, count, (int32_t)channels);
    const int64_t *ends = memory->ends, all = ends[channels - 1];
    for (int64_t i = all; i < rounded_up(all, LANES); ++i)
        memory->x[i] = memory->y[i] = memory->z[i] = 0, memory->factors[i] = 0;
    for (int64_t i = 0; i < channels * moments_size; i += LANES)
        *(NAMED(vector) *)(memory->moments + i) = (NAMED(vector)){};

    for (int64_t segment = 0, size; segment < all; segment += size, order += size) {
        size = smaller(all - segment, SEGMENT);
        if (plan->inverse_weight)
            for (int64_t place = 0; place < size; place += LANES)
                NAMED(evaluate)(plan, memory, segment, place, 1);
        else
            for (int64_t place = 0; place < size; place += LANES)
                NAMED(evaluate)(plan, memory, segment, place, 0);
        for (int64_t channel = 0; channel < channels; ++channel) {
            int64_t first = 0, last = smaller(ends[channel] - segment, size);
            const REAL *polynomials = memory->polynomials;
            if (several) {
                const REAL *own = weights + channel;
                while (first < last && own[order[first] * channels] == 0)
                    ++first;
                while (first < last && own[order[last - 1] * channels] == 0)
                    --last;
                for (int64_t i = first; i < last; ++i)
                    memory->weights[i] = own[order[i] * channels];
                for (int64_t place = first & -LANES; place < last; place += LANES) {
                    const NAMED(vector) weight = *(const NAMED(vector) *)(memory->weights + place);
                    const int64_t start = place * all_terms;
                    for (int64_t j = start; j < start + all_terms * LANES; j += LANES)
                        *(NAMED(vector) *)(memory->weighted + j) =
                            weight * *(const NAMED(vector) *)(polynomials + j);
                }
                polynomials = memory->weighted;
            } else if (channel > 0 && ends[channel - 1] > segment)
                first = ends[channel - 1] - segment;
            if (first < last)
                NAMED(add)(memory, polynomials, first, last, memory->moments + channel * moments_size);
        }
    }
}

/* Compute ORDERS coefficients of LANES harmonics for each of `count` channels. */
INLINE void NAMED(combine)(int count, const REAL *series, const REAL *moments, int64_t moments_size, int64_t terms,
                           REAL *combined, int64_t combined_size, int64_t lanes)
{
    NAMED(vector) sums[4][ORDERS] = {};
    for (int64_t j = 0; j < terms; ++j, moments += lanes, series += ORDERS * LANES) {
        NAMED(vector) own[4];
        UNROLL
        for (int i = 0; i < count; ++i)
            own[i] = *(const NAMED(vector) *)(moments + i * moments_size);
        UNROLL
        for (int k = 0; k < ORDERS; ++k) {
            const NAMED(vector) factor = *(const NAMED(vector) *)(series + k * LANES);
            UNROLL
            for (int i = 0; i < count; ++i)
                sums[i][k] += factor * own[i];
        }
    }
    UNROLL
    for (int i = 0; i < count; ++i)
        UNROLL
        for (int k = 0; k < ORDERS; ++k)
            *(NAMED(vector) *)(combined + i * combined_size + k * lanes) = sums[i][k];
}

/* Copy rows of `width` coefficients from their places into one contiguous array, in pieces of `bytes`.
 *
 * What a piece writes beyond its row is overwritten by a later one, because rows ascend and the pieces of rows descend;
 * nothing is written beyond the end.
 */
INLINE void NAMED(pack)(int bytes, const REAL *combined, const int32_t *places, REAL *target, int64_t width,
                        int64_t rows, const REAL *end)
{
    const int64_t step = bytes / (int)sizeof(REAL);
    for (int64_t piece = (width - 1) / step * step; piece >= 0; piece -= step) {
        const REAL *from = combined + piece;
        REAL *to = target + piece;
        if (to + (rows - 1) * width + step <= end)
            for (int64_t row = 0; row < rows; ++row, to += width)
                __builtin_memcpy(to, from + places[row], bytes);
        else
            for (int64_t row = 0; row < rows; ++row, to += width)
                for (int64_t i = 0; i < smaller(step, end - to); ++i)
                    to[i] = from[places[row] + i];
    }
}

/* Turn the moments of one cloud into its coefficients, for each degree in the order channels, radial orders, m. */
static void NAMED(finish)(const struct plan *plan, const struct NAMED(memory) *memory, REAL *target, const REAL *end)
{
    const int64_t channels = plan->channels, moments_size = memory->moments_size;
    const int64_t combined_size = memory->combined_size;
    const REAL *series = memory->series, *moments = memory->moments;
    REAL *combined = memory->combined;
    for (int parity = 0; parity < 2; ++parity) {
        const int64_t terms = memory->terms[parity], orders = memory->orders[parity], lanes = memory->lanes[parity];
        for (int64_t lane = 0; lane < lanes; lane += LANES)
            for (int64_t order = 0, used; order < orders; order += ORDERS, series += used * ORDERS * LANES) {
                used = terms - orders + order + ORDERS;
                for (int64_t channel = 0, now; channel < channels; channel += now) {
                    now = smaller(channels - channel, MANY_REGISTERS ? 4 : 2);
                    switch (now) {
#define COMBINE(count)                                                                                   \
    case count:                                                                                          \
        NAMED(combine)(count, series, moments + channel * moments_size + lane, moments_size, used,       \
                       combined + channel * combined_size + order * lanes + lane, combined_size, lanes); \
        break;
                        COMBINE(1) COMBINE(2) COMBINE(3) COMBINE(4)
#undef COMBINE
                    }
                }
            }
        moments += terms * lanes;
        combined += orders * lanes;
    }
    const int32_t *places = memory->places;
    for (int64_t l = 0; l <= plan->lmax; ++l) {
        const int64_t width = 2 * l + 1, rows = channels * ((plan->nmax - l) / 2 + 1);
        const int64_t bytes = width * (int64_t)sizeof(REAL);
        if (bytes <= 16 || VECTOR_BYTES == 16)
            NAMED(pack)(16, memory->combined, places, target, width, rows, end);
        else if (bytes <= 32 || VECTOR_BYTES == 32)
            NAMED(pack)(32, memory->combined, places, target, width, rows, end);
        else
            NAMED(pack)(64, memory->combined, places, target, width, rows, end);
        places += rows;
        target += rows * width;
    }
}

/* Return how many bytes of working memory the transform needs, at an address that is a multiple of 64. */
EXPORT int64_t NAMED(zernike_memory)(const struct plan *plan) { return NAMED(layout)(plan, NULL).bytes; }

/* Return whether the coefficients of the last cloud contain anything but finite numbers. */
static int NAMED(overflowed)(const struct NAMED(memory) *memory, int64_t channels)
{
    NAMED(vector) zero = {};
    for (int64_t i = 0; i < channels * memory->combined_size; i += LANES)
        zero += 0 * *(const NAMED(vector) *)(memory->combined + i);
    int found = 0;
    for (int i = 0; i < LANES; ++i)
        found |= zero[i] != 0;
    return found;
}

/* Compute the coefficients [clouds, dim] of clouds whose points are offsets[i]..offsets[i + 1]; return whether any of
 * them is not finite.
 */
static int NAMED(transform)(const struct plan *plan, const struct NAMED(memory) *memory, const double *coordinates,
                            const REAL *weights, const int64_t *offsets, int64_t clouds, int64_t dim,
                            REAL *coefficients)
{
    const int64_t channels = plan->channels, size = channels * memory->moments_size;
    int overflowed = 0;
    for (int64_t cloud = 0; cloud < clouds; ++cloud, coefficients += dim) {
        const int64_t start = offsets[cloud], stop = offsets[cloud + 1];
        NAMED(accumulate)(plan, memory, coordinates + 3 * start, weights + channels * start,
                          smaller(stop - start, BATCH));
        if (stop - start > BATCH) {
            for (int64_t i = 0; i < size; ++i)
                memory->sums[i] = memory->moments[i];
            for (int64_t first = start + BATCH; first < stop; first += BATCH) {
                NAMED(accumulate)(plan, memory, coordinates + 3 * first, weights + channels * first,
                                  smaller(stop - first, BATCH));
                for (int64_t i = 0; i < size; ++i)
                    memory->sums[i] += memory->moments[i];
            }
            for (int64_t i = 0; i < size; ++i)
                memory->moments[i] = (REAL)memory->sums[i];
        }
        NAMED(finish)(plan, memory, coefficients, coefficients + dim);
        overflowed |= NAMED(overflowed)(memory, channels);
    }
    return overflowed;
}

/* Prepare working memory for any number of transforms with this plan. */
EXPORT void NAMED(zernike_prepare)(const struct plan *plan, char *working)
{
    const struct NAMED(memory) memory = NAMED(layout)(plan, working);
    NAMED(prepare)(plan, &memory);
}

/* Transform one part of the clouds, which are contiguous. */
EXPORT void NAMED(zernike_part)(struct call *call, int64_t part, int64_t parts)
{
    const struct NAMED(memory) memory = NAMED(layout)(call->plan, call->working[part]);
    const int64_t first = call->clouds * part / parts, last = call->clouds * (part + 1) / parts;
    if (NAMED(transform)(call->plan, &memory, call->coordinates, call->weights, call->offsets + first, last - first,
                         call->dim, (REAL *)call->coefficients + first * call->dim))
        __atomic_store_n(&call->overflowed, 1, __ATOMIC_RELAXED);
}
