/* One precision of zernike.c, which includes this file for each: REAL, LANES of them in a register, NAMED.
 *
 * R_nl(ρ) is a series in the Chebyshev polynomials T_j(ρ) of l's parity. So of each cloud and channel the moments
 * Σ w T_j(ρ) Y_lm(r̂) are summed first, a matrix product over the points whose tile of sums stays in registers, and
 * one small matrix for each degree turns them into coefficients. T_j and Y_lm are always evaluated in double
 * precision: the slope of T_j reaches j², by which the rounding of ρ would grow, and the recurrence of Y_lm loses
 * two digits up to l = 14. The moments are in double precision too, after each SEGMENT of points.
 */

typedef REAL NAMED(vector) __attribute__((vector_size(LANES * sizeof(REAL))));
typedef REAL NAMED(unaligned) __attribute__((vector_size(LANES * sizeof(REAL)), aligned(sizeof(REAL))));
typedef double NAMED(doubles) __attribute__((vector_size(LANES * sizeof(double)), aligned(64)));
typedef BITS NAMED(bits) __attribute__((may_alias));
typedef double NAMED(unaligned_doubles) __attribute__((vector_size(LANES * sizeof(double)), aligned(8)));

/* Where the parts of the working memory lie. */
struct NAMED(memory) {
    int64_t points;                     /* how many are evaluated at once, a multiple of SEGMENT */
    int64_t terms[2], lanes[2];         /* polynomials and, in whole registers, harmonics of each parity */
    int64_t all_terms, all_lanes;       /* of both */
    double *scaled, *x, *y, *z;         /* [points, 3] as given; sorted by channel [points] */
    int32_t *keys, *order;              /* the first channel of each point; which point is at each place */
    int64_t *ends, *centers;            /* where each channel's points end; in `rows`, order m = 0 of each degree */
    REAL *factors, *weights;            /* of each sorted point: in all harmonics; in one channel's polynomials */
    REAL *polynomials, *weighted;       /* [points / LANES, terms, LANES], even ones first */
    REAL *rows, *harmonics;             /* [lanes, LANES] while they are evaluated; [points, lanes] */
    double *moments;                    /* for each channel [terms, lanes], even, then odd */
    REAL *rounded;                      /* the same */
    int64_t moments_size;               /* of one channel */
    int64_t bytes;
};

#define PART(type, size) (type *)(base + total), total += rounded_up((int64_t)sizeof(type) * (size), 64)

static struct NAMED(memory) NAMED(layout)(const struct plan *plan, char *base)
{
    struct NAMED(memory) memory;
    const int64_t channels = plan->channels, all_terms = plan->nmax + 1;
    int64_t total = 0;
    for (int parity = 0; parity < 2; ++parity) {
        memory.terms[parity] = terms_of_parity(plan->nmax, parity);
        memory.lanes[parity] = rounded_up(rows_of_parity(plan->lmax, parity), LANES);
    }
    memory.all_terms = all_terms;
    memory.all_lanes = memory.lanes[0] + memory.lanes[1];
    memory.moments_size = memory.terms[0] * memory.lanes[0] + memory.terms[1] * memory.lanes[1];
    /* As many points as leave room in a cache of the second level. */
    const int64_t each = (int64_t)sizeof(REAL) * (memory.all_lanes + 2 * all_terms + 2) + 7 * 8;
    memory.points = rounded_up(163840 / each, SEGMENT);
    memory.scaled = PART(double, 3 * memory.points);
    memory.x = PART(double, memory.points);
    memory.y = PART(double, memory.points);
    memory.z = PART(double, memory.points);
    memory.keys = PART(int32_t, memory.points);
    memory.order = PART(int32_t, memory.points);
    memory.ends = PART(int64_t, channels + 2);
    memory.centers = PART(int64_t, plan->lmax + 1);
    memory.factors = PART(REAL, memory.points);
    memory.weights = PART(REAL, memory.points);
    memory.polynomials = PART(REAL, all_terms * memory.points);
    memory.weighted = PART(REAL, all_terms * memory.points);
    memory.rows = PART(REAL, memory.all_lanes * LANES);
    memory.harmonics = PART(REAL, memory.all_lanes * memory.points);
    memory.moments = PART(double, channels * memory.moments_size);
    memory.rounded = PART(REAL, channels * memory.moments_size + LANES); /* the last registers read beyond it */
    memory.bytes = total;
    return memory;
}

#undef PART

/* Sort the points within the cutoff by their first channel; say whether a point has several.
 *
 * Those of channel c end at ends[c]; the last of `ends` is that of all.
 */
INLINE int NAMED(sort)(const struct plan *plan, const struct NAMED(memory) *memory, const double *coordinates,
                       const REAL *weights, int64_t count, const int32_t channels)
{
    const double cutoff = plan->cutoff;
    int64_t *ends = memory->ends;
    int32_t *keys = memory->keys, *order = memory->order;
    double *scaled = memory->scaled, *x = memory->x, *y = memory->y, *z = memory->z;
    int several = 0;
    for (int64_t i = 0; i < 3 * count; ++i)
        scaled[i] = coordinates[i] / cutoff;
    for (int64_t channel = 0; channel < channels + 2; ++channel)
        ends[channel] = 0;
    for (int64_t i = 0; i < count; ++i, weights += channels) {
        int32_t key = channels, used = 0;
        for (int32_t channel = channels - 1; channel >= 0; --channel) {
            const int nonzero = *(const NAMED(bits) *)(weights + channel) << 1 != 0; /* whatever the sign */
            key = nonzero ? channel : key;
            used += nonzero;
        }
        {
            /* To the bit what numpy gives the callers: in this order, nothing contracted. */
#pragma clang fp contract(off)
            const double a = scaled[3 * i], b = scaled[3 * i + 1], c = scaled[3 * i + 2];
            key = (a * a + c * c) + b * b <= 1 ? key : channels;
        }
        several |= used > 1;
        keys[i] = key;
        ++ends[key + 1];
    }
    for (int64_t channel = 0; channel < channels; ++channel)
        ends[channel + 1] += ends[channel];
    for (int64_t i = 0; i < count; ++i) {
        const int64_t place = ends[keys[i]]++;
        order[place] = (int32_t)i;
        x[place] = scaled[3 * i];
        y[place] = scaled[3 * i + 1];
        z[place] = scaled[3 * i + 2];
    }
    return several;
}

/* Steps of a transposition of blocks. KEPT and MOVED swap, of two rows that are `half` apart, the parts off the
 * diagonal. For single precision a register's quarters are interleaved first, which processors do in one
 * instruction; row 1 of four then comes out as row 2.
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
#define STEP(half, low, high)                                                      \
    UNROLL                                                                         \
    for (int i = 0; i < LANES; ++i)                                                \
        if (!(i & (half))) {                                                       \
            const NAMED(vector) a = block[i], b = block[i + (half)];               \
            block[i] = __builtin_shufflevector(a, b, low);                         \
            block[i + (half)] = __builtin_shufflevector(a, b, high);               \
        }
#define SWAP(half) STEP(half, ALL_LANES(KEPT, half), ALL_LANES(MOVED, half))

/* Write LANES rows, each of LANES points, as a piece of each point's own row. */
INLINE void NAMED(transpose)(const REAL *rows, REAL *target, int64_t stride)
{
    NAMED(vector) block[LANES];
    UNROLL
    for (int i = 0; i < LANES; ++i)
        block[i] = *(const NAMED(vector) *)(rows + i * LANES);
#if SINGLE
    STEP(1, ALL_LANES(INTERLEAVED, 0), ALL_LANES(INTERLEAVED, 2))
    SWAP(2)
#else
    SWAP(1)
#if LANES > 2
    SWAP(2)
#endif
#endif
#if LANES > 4
    SWAP(4)
#endif
#if LANES > 8
    SWAP(8)
#endif
    UNROLL
    for (int i = 0; i < LANES; ++i) {
        const int row = SINGLE && ((i ^ i >> 1) & 1) ? i ^ 3 : i;
        *(NAMED(vector) *)(target + row * stride) = block[i];
    }
}

#undef KEPT
#undef MOVED
#undef INTERLEAVED
#undef LANES_2
#undef LANES_4
#undef LANES_8
#undef ALL_LANES
#undef STEP
#undef SWAP

/* Evaluate T_j(ρ) and, times 1/|e|², their factors and the envelope, Y_lm(r̂) of LANES sorted points, `place` the first. */
INLINE void NAMED(evaluate)(const struct plan *plan, const struct NAMED(memory) *memory, int64_t place, int unit)
{
    const NAMED(doubles) x = *(const NAMED(doubles) *)(memory->x + place);
    const NAMED(doubles) y = *(const NAMED(doubles) *)(memory->y + place);
    const NAMED(doubles) z = *(const NAMED(doubles) *)(memory->z + place);
    const NAMED(doubles) one = (NAMED(doubles)){} + 1;
    const NAMED(doubles) squared = x * x + y * y + z * z, rho = __builtin_elementwise_sqrt(squared);
    const NAMED(doubles) away = -__builtin_convertvector(rho > 0, NAMED(doubles)); /* 0 at the origin, else 1 */
    const NAMED(doubles) inverse = away / (rho + (one - away));

    /* T_(j+2) = 2 T_2 T_j - T_(j-2), for each parity its own chain. */
    REAL *even = memory->polynomials + place * memory->all_terms, *odd = even + memory->terms[0] * LANES;
    const double *weights = plan->inverse_weight;
    const NAMED(doubles) twice = 4 * squared - 2;
    NAMED(doubles) a = one, before_a = twice / 2, b = rho, before_b = rho, total = {};
    for (int64_t j = 0;; j += 2, even += LANES, odd += LANES) {
        *(NAMED(vector) *)even = __builtin_convertvector(a, NAMED(vector));
        if (unit)
            total += weights[j] * (a * a);
        if (j == plan->nmax)
            break;
        *(NAMED(vector) *)odd = __builtin_convertvector(b, NAMED(vector));
        if (unit)
            total += weights[j + 1] * (b * b);
        if (j + 1 == plan->nmax)
            break;
        const NAMED(doubles) next_a = twice * a - before_a, next_b = twice * b - before_b;
        before_a = a, a = next_a, before_b = b, b = next_b;
    }

    /* At the origin the direction is zero, and all harmonics but l = 0 must be. */
    const NAMED(doubles) u = x * inverse, v = y * inverse, w = z * inverse;
    const double *sectoral = plan->sectoral, *rise = plan->rise, *fall = plan->fall;
    const int64_t lmax = plan->lmax, *centers = memory->centers;
    REAL *rows = memory->rows;
#define ROW(place) *(NAMED(vector) *)(place)
#define ROUNDED(value) __builtin_convertvector(value, NAMED(vector))
    NAMED(doubles) cosine = __builtin_convertvector(*(const NAMED(vector) *)(memory->factors + place), NAMED(doubles));
    NAMED(doubles) sine = {}, older = {}, value = (NAMED(doubles)){} + sectoral[0];
    if (unit)
        cosine /= total;
    if (plan->envelope > 0) {
        const NAMED(doubles) least = {}, depth = (one - rho) * plan->envelope;
        const NAMED(doubles) t = __builtin_elementwise_max(__builtin_elementwise_min(depth, one), least);
        cosine *= t * t * t * (t * (6 * t - 15) + 10);
    }
    ROW(rows) = ROUNDED(value * cosine);
    value *= away;
    for (int64_t l = 1; l <= lmax; ++l) {
        const NAMED(doubles) higher = *rise++ * v * value - *fall++ * older;
        older = value, value = higher;
        ROW(rows + centers[l]) = ROUNDED(value * cosine);
    }
    for (int64_t m = 1; m <= lmax; ++m) {
        const NAMED(doubles) turned = w * cosine - u * sine;
        sine = w * sine + u * cosine;
        cosine = turned;
        older = (NAMED(doubles)){}, value = older + sectoral[m];
        for (int64_t l = m;;) {
            REAL *row = rows + centers[l];
            ROW(row + m * LANES) = ROUNDED(value * cosine);
            ROW(row - m * LANES) = ROUNDED(value * sine);
            if (l++ == lmax)
                break;
            const NAMED(doubles) higher = *rise++ * v * value - *fall++ * older;
            older = value, value = higher;
        }
    }
#undef ROW
#undef ROUNDED
    for (int64_t lane = 0; lane < memory->all_lanes; lane += LANES)
        NAMED(transpose)(rows + lane * LANES, memory->harmonics + place * memory->all_lanes + lane,
                         memory->all_lanes);
}

/* Add Σ T_j Y_lm over the points first..last-1 to a tile of moments: `terms` polynomials × `width` registers. */
INLINE void NAMED(tile)(int width, int terms, const REAL *polynomials, int64_t all_terms, const REAL *harmonics,
                        int64_t all_lanes, int64_t first, int64_t last, double *moments, int64_t lanes)
{
    NAMED(vector) sums[8][3] = {};
    while (first < last) {
        const int64_t lane = first & (LANES - 1), points = smaller(last - first, LANES - lane);
        const REAL *t = polynomials + (first - lane) * all_terms + lane, *end = t + points;
        const REAL *y = harmonics + first * all_lanes;
        first += points;
        for (; t < end; ++t, y += all_lanes) {
            NAMED(vector) pieces[3];
            UNROLL
            for (int i = 0; i < width; ++i)
                pieces[i] = *(const NAMED(vector) *)(y + i * LANES);
            UNROLL
            for (int j = 0; j < terms; ++j)
                UNROLL
                for (int i = 0; i < width; ++i)
                    sums[j][i] += t[j * LANES] * pieces[i];
        }
    }
    UNROLL
    for (int j = 0; j < terms; ++j)
        UNROLL
        for (int i = 0; i < width; ++i)
            *(NAMED(unaligned_doubles) *)(moments + j * lanes + i * LANES) +=
                __builtin_convertvector(sums[j][i], NAMED(doubles));
}

/* Add to all moments of `width` registers, in tiles of at most `most` polynomials. */
INLINE void NAMED(strip)(int width, int most, int64_t terms, const REAL *polynomials, int64_t all_terms,
                         const REAL *harmonics, int64_t all_lanes, int64_t first, int64_t last, double *moments,
                         int64_t lanes)
{
    while (terms > 0) {
        /* Parts of about the same size. */
        const int now = (int)(terms <= most ? terms : terms < 2 * most ? (terms + 1) / 2 : most);
        switch (now) {
#define TILE(size)                                                                                          \
    case size:                                                                                              \
        if (size <= most)                                                                                   \
            NAMED(tile)(width, size, polynomials, all_terms, harmonics, all_lanes, first, last, moments, lanes); \
        break;
            TILE(1) TILE(2) TILE(3) TILE(4) TILE(5) TILE(6) TILE(7) TILE(8)
#undef TILE
        }
        polynomials += now * LANES;
        moments += now * lanes;
        terms -= now;
    }
}

/* Add some points of one SEGMENT, which stay in the first cache, to the moments of one channel. */
static void NAMED(add_segment)(const struct NAMED(memory) *memory, const REAL *polynomials, int64_t first, int64_t last,
                       double *moments)
{
    const REAL *harmonics = memory->harmonics;
    const int64_t all_terms = memory->all_terms, all_lanes = memory->all_lanes;
    for (int parity = 0; parity < 2; ++parity) {
        const int64_t terms = memory->terms[parity], lanes = memory->lanes[parity];
        for (int64_t lane = 0; lane < lanes;) {
            const int64_t left = (lanes - lane) / LANES;
#define STRIP(width, most)                                                                                 \
    NAMED(strip)(width, most, terms, polynomials, all_terms, harmonics + lane, all_lanes, first, last,     \
                 moments + lane, lanes),                                                                   \
        lane += (width) * LANES
            if (left == 1)
                STRIP(1, 8);
            else if (left == 2 || left == 4)
                STRIP(2, MANY_REGISTERS ? 8 : 6);
            else
                STRIP(3, MANY_REGISTERS ? 8 : 3);
#undef STRIP
        }
        polynomials += terms * LANES;
        harmonics += lanes;
        moments += terms * lanes;
    }
}

/* Add the points first..last-1 to the moments of one channel. */
INLINE void NAMED(add)(const struct NAMED(memory) *memory, const REAL *polynomials, int64_t first, int64_t last,
                       double *moments)
{
    for (int64_t stop; first < last; first = stop) {
        stop = smaller(last, (first & -SEGMENT) + SEGMENT);
        NAMED(add_segment)(memory, polynomials, first, stop, moments);
    }
}

/* Add points of one cloud, as many as the memory holds at most, to its moments. */
static void NAMED(accumulate)(const struct plan *plan, const struct NAMED(memory) *memory, const double *coordinates,
                              const REAL *weights, int64_t count)
{
    const int64_t channels = plan->channels, all_terms = memory->all_terms;
    const int32_t *order = memory->order;
    const int several = channels == 4 ? NAMED(sort)(plan, memory, coordinates, weights, count, 4) /* the loops unrolled */
                                      : NAMED(sort)(plan, memory, coordinates, weights, count, (int32_t)channels);
    const int64_t *ends = memory->ends, all = ends[channels - 1], places = rounded_up(all, LANES);
    /* The weight of a point that has only one goes into its harmonics. */
    for (int64_t channel = 0, i = 0; channel < channels; ++channel)
        for (; i < ends[channel]; ++i)
            memory->factors[i] = several ? 1 : weights[order[i] * channels + channel];
    for (int64_t i = all; i < places; ++i)
        memory->x[i] = memory->y[i] = memory->z[i] = 0, memory->factors[i] = 0;
    if (plan->inverse_weight)
        for (int64_t place = 0; place < places; place += LANES)
            NAMED(evaluate)(plan, memory, place, 1);
    else
        for (int64_t place = 0; place < places; place += LANES)
            NAMED(evaluate)(plan, memory, place, 0);

    for (int64_t channel = 0; channel < channels; ++channel) {
        double *moments = memory->moments + channel * memory->moments_size;
        int64_t first = channel > 0 ? ends[channel - 1] : 0, last = ends[channel];
        if (!several) {
            NAMED(add)(memory, memory->polynomials, first, last, moments);
            continue;
        }
        const REAL *own = weights + channel;
        for (first = 0; first < last && own[order[first] * channels] == 0;)
            ++first;
        while (last > first && own[order[last - 1] * channels] == 0)
            --last;
        for (int64_t i = first; i < last; ++i)
            memory->weights[i] = own[order[i] * channels];
        for (int64_t place = first & -LANES; place < last; place += LANES) {
            const NAMED(vector) weight = *(const NAMED(vector) *)(memory->weights + place);
            const int64_t start = place * all_terms;
            for (int64_t j = start; j < start + all_terms * LANES; j += LANES)
                *(NAMED(vector) *)(memory->weighted + j) = weight * *(const NAMED(vector) *)(memory->polynomials + j);
        }
        NAMED(add)(memory, memory->weighted, first, last, moments);
    }
}

/* Give LANES coefficients, of consecutive m, for each of `count` radial orders. */
INLINE void NAMED(combine)(int count, const REAL *series, int64_t orders, const REAL *moments, int64_t lanes,
                           int64_t terms, REAL *target, int64_t width, const REAL *end)
{
    NAMED(vector) sums[8] = {};
    for (int64_t j = 0; j < terms; ++j, moments += lanes, series += orders) {
        const NAMED(vector) moment = *(const NAMED(unaligned) *)moments;
        UNROLL
        for (int k = 0; k < count; ++k)
            sums[k] += series[k] * moment;
    }
    UNROLL
    for (int k = 0; k < count; ++k, target += width)
        if (target + LANES <= end)
            *(NAMED(unaligned) *)target = sums[k];
        else
            for (int64_t lane = 0; target + lane < end; ++lane)
                target[lane] = sums[k][lane];
}

/* Turn the moments of one cloud into its coefficients: of each degree channels, orders, m.
 *
 * Whole registers are written. What is too much in one is overwritten by a later one, as degrees, channels and
 * orders ascend and pieces of m descend; the end of the row is never passed.
 */
static void NAMED(finish)(const struct plan *plan, const struct NAMED(memory) *memory, REAL *target, const REAL *end)
{
    const REAL *series = plan->series;
    for (int64_t i = 0; i < plan->channels * memory->moments_size; i += LANES)
        *(NAMED(vector) *)(memory->rounded + i) =
            __builtin_convertvector(*(const NAMED(doubles) *)(memory->moments + i), NAMED(vector));
    for (int64_t l = 0; l <= plan->lmax; ++l) {
        const int64_t parity = l & 1, width = 2 * l + 1, orders = (plan->nmax - l) / 2 + 1;
        const int64_t terms = memory->terms[parity], lanes = memory->lanes[parity];
        const REAL *moments = memory->rounded + parity * memory->terms[0] * memory->lanes[0] + first_row(l);
        for (int64_t channel = 0; channel < plan->channels; ++channel, moments += memory->moments_size) {
            for (int64_t piece = 2 * l & -LANES; piece >= 0; piece -= LANES) {
                for (int64_t order = 0, now; order < orders; order += now) {
                    const int64_t left = orders - order;
                    now = left <= 8 ? left : left < 16 ? (left + 1) / 2 : 8;
                    switch (now) {
#define COMBINE(size)                                                                                          \
    case size:                                                                                                 \
        NAMED(combine)(size, series + order, orders, moments + piece, lanes, terms,                            \
                       target + order * width + piece, width, end);                                            \
        break;
                        COMBINE(1) COMBINE(2) COMBINE(3) COMBINE(4) COMBINE(5) COMBINE(6) COMBINE(7) COMBINE(8)
#undef COMBINE
                    }
                }
            }
            target += orders * width;
        }
        series += terms * orders;
    }
}

/* How many bytes of working memory, at an address that 64 divides, the transform needs. */
EXPORT int64_t NAMED(zernike_memory)(const struct plan *plan) { return NAMED(layout)(plan, NULL).bytes; }

/* Give the coefficients [clouds, dim] of clouds whose points are offsets[i]..offsets[i + 1]. */
EXPORT void NAMED(zernike)(const struct plan *plan, const double *coordinates, const REAL *weights,
                           const int64_t *offsets, int64_t clouds, int64_t dim, char *working, REAL *coefficients)
{
    const struct NAMED(memory) memory = NAMED(layout)(plan, working);
    for (int64_t l = 0; l <= plan->lmax; ++l)
        memory.centers[l] = ((l & 1) * memory.lanes[0] + first_row(l) + l) * LANES;
    for (int64_t i = 0; i < memory.all_lanes * LANES; ++i)
        memory.rows[i] = 0;
    for (int64_t cloud = 0; cloud < clouds; ++cloud) {
        for (int64_t i = 0; i < plan->channels * memory.moments_size; ++i)
            memory.moments[i] = 0;
        for (int64_t first = offsets[cloud]; first < offsets[cloud + 1]; first += memory.points)
            NAMED(accumulate)(plan, &memory, coordinates + 3 * first, weights + plan->channels * first,
                              smaller(memory.points, offsets[cloud + 1] - first));
        NAMED(finish)(plan, &memory, coefficients + cloud * dim, coefficients + (cloud + 1) * dim);
    }
}
