/* Everything of tensor_square.c that depends on the precision, REAL; names go through NAME().
 *
 * Features between blocks are [row, batch, channel], a row for each degree and order, so that one row of a tile
 * of samples is contiguous and every loop below runs along samples and channels ("lanes"). Degrees of the
 * input have one and the same number of channels; those of the output may differ.
 *
 * A tile of samples at a time, and of its products one Chunk at a time, live in the cache:
 *   x, normalized        [row, lane]
 *   products of a chunk  [order, path, lane]
 *   linear map           sums over (path, channel), accumulators in registers
 * The backward forms the products again; it needs no more than the block's input, what the linear map gave and the
 * factor of the signal norm.
 */

#define WIDTH ((int64_t)(VECTOR_BYTES / sizeof(REAL)))
#define LANES 8     /* vectors of a row that one pass over the coefficients takes */
#define DEPTH 256   /* how long the sums of a matrix product are before its result goes to memory */
#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("clang loop unroll(full)")

typedef REAL NAME(Vector) __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(REAL)), may_alias));
#define Vector NAME(Vector)

typedef struct {
    int32_t factor, first, second;
    REAL p, q;
} NAME(Term);
#define Term NAME(Term)

/* What a block computes; the arrays belong to the caller. */
typedef struct {
    int64_t channels;      /* of every degree of the input */
    int64_t degrees_in, degrees_out;
    int64_t chunks;
    const int64_t *widths; /* channels of each degree of the output, 0 where there is no linear */
    const int64_t *paths;  /* of each degree of the output */
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

/* The distance between rows: room for a vector that runs over the end, and an odd number of cache lines, for
 * rows at powers of two would share few places of the cache. */
INLINE int64_t NAME(stride)(int64_t lanes)
{
    const int64_t line = 64 / sizeof(REAL);
    return ((lanes + 3 * WIDTH + line - 1) / line | 1) * line;
}
#define stride NAME(stride)

/* -------------------------------------------------------------------------------- sums of products */

INLINE void NAME(sum_terms)(const int vectors, const Term *terms, const Sum *sum, const REAL *factors,
                            int64_t factor_stride, const REAL *x, int64_t x_stride, Vector *total)
{
    const Term *end = terms + sum->pairs;
    for (; terms < end; terms++) {
        const REAL *factor = factors + terms->factor * factor_stride;
        const REAL *first = x + terms->first * x_stride, *second = x + terms->second * x_stride;
        const REAL p = terms->p, q = terms->q;
        UNROLL for (int v = 0; v < vectors; v++)
        {
            Vector inner = p * load(first + v * WIDTH);
            inner += q * load(second + v * WIDTH);
            total[v] += inner * load(factor + v * WIDTH);
        }
    }
    end += sum->singles;
    for (; terms < end; terms++) {
        const REAL *factor = factors + terms->factor * factor_stride;
        const REAL *first = x + terms->first * x_stride;
        const REAL p = terms->p;
        UNROLL for (int v = 0; v < vectors; v++)
        {
            Vector inner = p * load(first + v * WIDTH);
            total[v] += inner * load(factor + v * WIDTH);
        }
    }
}

/* Rows of sums for a few vectors of lanes: `add` to what is there or not; their squares to `power` if not NULL. */
INLINE void NAME(sum_lanes)(const int vectors, const Sum *sums, int64_t count, const Term *terms,
                            const REAL *factors, int64_t factor_stride, const REAL *x, int64_t x_stride,
                            REAL *y, int64_t y_stride, const int add, REAL *power)
{
    for (int64_t i = 0; i < count; i++) {
        Vector total[LANES];
        REAL *row = y + sums[i].row * y_stride;
        UNROLL for (int v = 0; v < vectors; v++) total[v] = add ? load(row + v * WIDTH) : (Vector){0};
        NAME(sum_terms)(vectors, terms, sums + i, factors, factor_stride, x, x_stride, total);
        UNROLL for (int v = 0; v < vectors; v++) store(row + v * WIDTH, total[v]);
        if (power)
            UNROLL for (int v = 0; v < vectors; v++)
                store(power + v * WIDTH, load(power + v * WIDTH) + total[v] * total[v]);
        terms += sums[i].pairs + sums[i].singles;
    }
}

INLINE void NAME(sum_rows)(const Sum *sums, int64_t count, const Term *terms, const REAL *factors,
                           int64_t factor_stride, const REAL *x, int64_t x_stride, REAL *y, int64_t y_stride,
                           const int add, REAL *power, int64_t lanes)
{
    int64_t lane = 0;
    for (; lane + LANES * WIDTH <= rounded(lanes); lane += LANES * WIDTH)
        NAME(sum_lanes)(LANES, sums, count, terms, factors + lane, factor_stride, x + lane, x_stride, y + lane,
                        y_stride, add, power ? power + lane : NULL);
    for (; lane + 3 * WIDTH <= rounded(lanes); lane += 3 * WIDTH)
        NAME(sum_lanes)(3, sums, count, terms, factors + lane, factor_stride, x + lane, x_stride, y + lane,
                        y_stride, add, power ? power + lane : NULL);
    for (; lane < lanes; lane += WIDTH)
        NAME(sum_lanes)(1, sums, count, terms, factors + lane, factor_stride, x + lane, x_stride, y + lane,
                        y_stride, add, power ? power + lane : NULL);
}

/* The products of a chunk. */
static __attribute__((noinline)) void NAME(products)(const Plan *plan, const Chunk *chunk, const REAL *x, REAL *y,
                                                     int64_t row, int64_t lanes, REAL *power)
{
    const Sum *sums = plan->sums + chunk->sums;
    const Term *terms = plan->terms + chunk->terms;
    const int64_t count = chunk->sum_count;
    if (power)
        NAME(sum_rows)(sums, count, terms, x, row, x, row, y, row, 0, power, lanes);
    else
        NAME(sum_rows)(sums, count, terms, x, row, x, row, y, row, 0, NULL, lanes);
}

/* Gradients of a chunk's products to gradients of x, added. */
static __attribute__((noinline)) void NAME(products_backward)(const Plan *plan, const Chunk *chunk, const REAL *x,
                                                              const REAL *dy, REAL *dx, int64_t row, int64_t lanes)
{
    NAME(sum_rows)(plan->sums + chunk->back_sums, chunk->back_sum_count, plan->terms + chunk->back_terms, dy, row, x,
                   row, dx, row, 1, NULL, lanes);
}

/* -------------------------------------------------------------------------------- matrix products */

/* How many vectors wide the next panel of a matrix is, when `left` are still to do. */
INLINE int64_t NAME(panel)(int64_t left) { return left > 1 ? 2 : 1; }

/* total[i] += Σ over segments and k of a[i][segment, k] b[segment, k]. */
INLINE void NAME(accumulate)(const int rows, const int vectors, const REAL *const *a, int64_t segments,
                             int64_t segment_stride, int64_t length, const REAL *b, Vector (*total)[2])
{
    for (int64_t s = 0; s < segments; s++) {
        const int64_t start = s * segment_stride;
        for (int64_t k = start; k < start + length; k++, b += vectors * WIDTH) {
            Vector right[2];
            UNROLL for (int v = 0; v < vectors; v++) right[v] = load(b + v * WIDTH);
            UNROLL for (int i = 0; i < rows; i++)
            {
                const REAL left = a[i][k];
                UNROLL for (int v = 0; v < vectors; v++) total[i][v] += left * right[v];
            }
        }
    }
}

/* z[order, sample, :] (+)= Σ_path Σ_channel y[order, path, sample, channel] w[path, channel, :], a panel wide. */
INLINE void NAME(map_panel)(const int rows, const int vectors, const REAL *y, int64_t orders, int64_t paths,
                            int64_t first_path, int64_t some_paths, int64_t row, int64_t samples,
                            int64_t channels, const REAL *w, REAL *z, int64_t z_order, int64_t z_sample)
{
    const int64_t count = orders * samples;
    int64_t order = 0, sample = 0;
    for (int64_t r = 0; r < count; r += rows) {
        const REAL *a[16];
        REAL *to[16];
        Vector total[16][2];
        UNROLL for (int i = 0; i < rows; i++)
        {
            a[i] = y + (order * paths + first_path) * row + sample * channels;
            to[i] = z + order * z_order + sample * z_sample;
            if (r + i < count - 1 && ++sample == samples) /* after the last row: that row again */
                sample = 0, order++;
        }
        UNROLL for (int i = 0; i < rows; i++)
            UNROLL for (int v = 0; v < vectors; v++)
                total[i][v] = first_path ? load(to[i] + v * WIDTH) : (Vector){0};
        NAME(accumulate)(rows, vectors, a, some_paths, row, channels, w, total);
        UNROLL for (int i = 0; i < rows; i++)
            UNROLL for (int v = 0; v < vectors; v++) store(to[i] + v * WIDTH, total[i][v]);
    }
}

/* The linear map of a chunk. Weights come in panels, each [path, channel, panel]. */
static __attribute__((noinline)) void NAME(map)(const REAL *y, int64_t orders, int64_t paths, int64_t row,
                                                int64_t samples, int64_t channels, const REAL *w, int64_t width,
                                                REAL *z, int64_t z_order)
{
    const int64_t padded = rounded(width), depth = channels < DEPTH ? DEPTH / channels : 1;
    for (int64_t first = 0; first < paths; first += depth) {
        const int64_t some = first + depth < paths ? depth : paths - first;
        for (int64_t j = 0, vectors; j < padded; j += vectors * WIDTH) {
            vectors = NAME(panel)((padded - j) / WIDTH);
            const REAL *panel = w + paths * channels * j + first * channels * vectors * WIDTH;
            if (vectors == 2)
                NAME(map_panel)(ROWS_OF_2, 2, y, orders, paths, first, some, row, samples, channels, panel, z + j,
                                z_order, padded);
            else
                NAME(map_panel)(ROWS_OF_1, 1, y, orders, paths, first, some, row, samples, channels, panel, z + j,
                                z_order, padded);
        }
    }
}

/* dy[order, path, sample, panel of channels] = share[sample] y + Σ_j dz[order, sample, j] w[j, panel]. */
INLINE void NAME(unmap_panel)(const int rows, const int vectors, const REAL *dz, int64_t orders, int64_t padded,
                              int64_t width, int64_t samples, int64_t channels, const REAL *w, const REAL *share,
                              const REAL *y, REAL *dy, int64_t y_order)
{
    const int64_t count = orders * samples;
    int64_t order = 0, sample = 0;
    for (int64_t r = 0; r < count; r += rows) {
        const REAL *a[16];
        int64_t to[16];
        REAL part[16];
        Vector total[16][2];
        UNROLL for (int i = 0; i < rows; i++)
        {
            a[i] = dz + (order * samples + sample) * padded;
            to[i] = order * y_order + sample * channels;
            part[i] = share[sample];
            if (r + i < count - 1 && ++sample == samples)
                sample = 0, order++;
        }
        UNROLL for (int i = 0; i < rows; i++)
            UNROLL for (int v = 0; v < vectors; v++) total[i][v] = part[i] * load(y + to[i] + v * WIDTH);
        NAME(accumulate)(rows, vectors, a, 1, 0, width, w, total);
        UNROLL for (int i = 0; i < rows; i++)
            UNROLL for (int v = 0; v < vectors; v++) store(dy + to[i] + v * WIDTH, total[i][v]);
    }
}

/* The transposed linear map of a chunk. Weights come path by path in panels of channels, each [j, panel]. The last
 * panel of a path may run over its channels into the next sample's: it comes first, and what belongs there later. */
static __attribute__((noinline)) void NAME(unmap)(const REAL *dz, int64_t orders, int64_t paths, int64_t row,
                                                  int64_t samples, int64_t channels, const REAL *w, int64_t width,
                                                  const REAL *share, const REAL *y, REAL *dy)
{
    const int64_t padded = rounded(width), all = rounded(channels);
    for (int64_t path = 0; path < paths; path++) {
        const REAL *end = w + (path + 1) * width * all;
        for (int64_t left = all / WIDTH, vectors; left; left -= vectors) {
            /* Panels are laid out in the order in which they are used, the last one first. */
            vectors = NAME(panel)(left);
            const int64_t c = (left - vectors) * WIDTH;
            const REAL *panel = end - width * (c + vectors * WIDTH);
            const int64_t at = path * row + c;
            if (vectors == 2)
                NAME(unmap_panel)(ROWS_OF_2, 2, dz, orders, padded, width, samples, channels, panel, share, y + at,
                                  dy + at, paths * row);
            else
                NAME(unmap_panel)(ROWS_OF_1, 1, dz, orders, padded, width, samples, channels, panel, share, y + at,
                                  dy + at, paths * row);
        }
    }
}

/* dw[channel, panel] += Σ over orders and samples of y[order, sample, channel] dz[order, sample, panel]. */
INLINE void NAME(outer_panel)(const int rows, const int vectors, const REAL *y, int64_t y_order, int64_t channels,
                              const REAL *dz, int64_t orders, int64_t samples, int64_t padded, REAL *dw)
{
    for (int64_t c = 0; c < channels; c += rows) {
        Vector total[16][2];
        int64_t channel[16];
        UNROLL for (int i = 0; i < rows; i++)
        {
            channel[i] = c + i < channels ? c + i : channels - 1;
            UNROLL for (int v = 0; v < vectors; v++) total[i][v] = load(dw + channel[i] * padded + v * WIDTH);
        }
        const REAL *right_row = dz;
        for (int64_t order = 0; order < orders; order++)
            for (int64_t sample = 0; sample < samples; sample++, right_row += padded) {
                const REAL *left = y + order * y_order + sample * channels;
                Vector right[2];
                UNROLL for (int v = 0; v < vectors; v++) right[v] = load(right_row + v * WIDTH);
                UNROLL for (int i = 0; i < rows; i++)
                {
                    const REAL value = left[channel[i]];
                    UNROLL for (int v = 0; v < vectors; v++) total[i][v] += value * right[v];
                }
            }
        UNROLL for (int i = 0; i < rows; i++)
            UNROLL for (int v = 0; v < vectors; v++) store(dw + channel[i] * padded + v * WIDTH, total[i][v]);
    }
}

/* The gradient of the linear map's weights, [path, channel, padded], of a chunk, added. */
static __attribute__((noinline)) void NAME(outer)(const REAL *y, int64_t orders, int64_t paths, int64_t row,
                                                  int64_t samples, int64_t channels, const REAL *dz, int64_t width,
                                                  REAL *dw)
{
    const int64_t padded = rounded(width);
    for (int64_t path = 0; path < paths; path++, y += row, dw += channels * padded)
        for (int64_t j = 0, vectors; j < padded; j += vectors * WIDTH) {
            vectors = NAME(panel)((padded - j) / WIDTH);
            if (vectors == 2)
                NAME(outer_panel)(ROWS_OF_2, 2, y, paths * row, channels, dz + j, orders, samples, padded, dw + j);
            else
                NAME(outer_panel)(ROWS_OF_1, 1, y, paths * row, channels, dz + j, orders, samples, padded, dw + j);
        }
}

/* How many numbers the two packed forms of one degree's weights take together. */
INLINE int64_t NAME(packed_size)(const Plan *plan, int64_t degree)
{
    const int64_t inputs = plan->paths[degree], width = plan->widths[degree];
    return inputs * plan->channels * rounded(width) + inputs * width * rounded(plan->channels);
}

EXPORT int64_t NAME(packed_numbers)(const Plan *plan)
{
    int64_t total = 0;
    for (int64_t degree = 0; degree < plan->degrees_out; degree++)
        total += NAME(packed_size)(plan, degree);
    return total;
}

/* Weights [path, channel, width] of each degree, times that degree's factor, in the panels of `map`, then (where the
 * backward is wanted) in those of `unmap`. */
EXPORT void NAME(pack)(const Plan *plan, const REAL *const *weights, const REAL *factors, int32_t backward,
                       REAL *packed)
{
    const int64_t channels = plan->channels;
    for (int64_t degree = 0; degree < plan->degrees_out; degree++) {
        const REAL *w = weights[degree], factor = factors[degree];
        const int64_t width = plan->widths[degree], padded = rounded(width), paths = plan->paths[degree];
        REAL *to = packed;
        packed += NAME(packed_size)(plan, degree);
        for (int64_t j = 0, vectors; j < padded; j += vectors * WIDTH) {
            vectors = NAME(panel)((padded - j) / WIDTH);
            const int64_t real = width - j < vectors * WIDTH ? width - j : vectors * WIDTH;
            for (int64_t k = 0; k < paths * channels; k++, to += vectors * WIDTH) {
                for (int64_t i = 0; i < real; i++)
                    to[i] = factor * w[k * width + j + i];
                for (int64_t i = real; i < vectors * WIDTH; i++)
                    to[i] = 0;
            }
        }
        if (!backward)
            continue;
        for (int64_t path = 0; path < paths; path++)
            for (int64_t left = rounded(channels) / WIDTH, vectors; left; left -= vectors) {
                vectors = NAME(panel)(left);
                const int64_t c = (left - vectors) * WIDTH;
                for (int64_t j = 0; j < width; j++, to += vectors * WIDTH)
                    for (int64_t i = 0; i < vectors * WIDTH; i++)
                        to[i] = c + i < channels ? factor * w[(path * channels + c + i) * width + j] : 0;
            }
    }
}

/* -------------------------------------------------------------------------------- the block */

INLINE int64_t NAME(squared)(int64_t value) { return value * value; }
#define squared NAME(squared)

/* The largest chunk, in rows of lanes. */
INLINE int64_t NAME(chunk_rows)(const Plan *plan)
{
    int64_t most = 0;
    for (int64_t i = 0; i < plan->chunks; i++) {
        const int64_t rows = (int64_t)plan->chunk[i].count * plan->chunk[i].paths;
        most = rows > most ? rows : most;
    }
    return most;
}

/* Numbers in the linear map's results of a tile. */
INLINE int64_t NAME(mapped_size)(const Plan *plan, int64_t tile)
{
    int64_t total = 0;
    for (int64_t degree = 0; degree < plan->degrees_out; degree++)
        total += (2 * degree + 1) * tile * rounded(plan->widths[degree]);
    return total + 3 * WIDTH;
}

/* How many numbers of working memory one call needs for tiles of so many samples. */
EXPORT int64_t NAME(work_numbers)(const Plan *plan, int64_t tile)
{
    const int64_t row = stride(tile * plan->channels);
    return row * (2 * squared(plan->degrees_in) + 2 * NAME(chunk_rows)(plan) + plan->degrees_in + 4) +
           NAME(mapped_size)(plan, tile) + 4 * tile;
}

/* Numbers in the gradient of the weights as `block_backward` gives it. */
EXPORT int64_t NAME(gradient_numbers)(const Plan *plan)
{
    int64_t total = 0;
    for (int64_t degree = 0; degree < plan->degrees_out; degree++)
        total += plan->paths[degree] * plan->channels * rounded(plan->widths[degree]);
    return total;
}

/* Repeat scale [degree, channel], then mean and shift [channel], for each sample of a tile, each in rows of lanes. */
INLINE void NAME(spread)(const Plan *plan, int64_t tile, const REAL *scale, const REAL *mean, const REAL *shift,
                         REAL *scales, int64_t row)
{
    const int64_t channels = plan->channels;
    for (int64_t degree = 0; degree < plan->degrees_in; degree++)
        for (int64_t sample = 0; sample < tile; sample++)
            for (int64_t c = 0; c < channels; c++)
                scales[degree * row + sample * channels + c] = scale[degree * channels + c];
    REAL *means = scales + plan->degrees_in * row, *shifts = means + row;
    for (int64_t sample = 0; sample < tile; sample++)
        for (int64_t c = 0; c < channels; c++) {
            means[sample * channels + c] = mean[c];
            shifts[sample * channels + c] = shift[c];
        }
}

/* The batch norm of a tile: x scale, (x - mean) scale + shift where degree is 0, and zeros in the lanes beyond. */
INLINE void NAME(normalize)(const Plan *plan, const REAL *x, int64_t batch, int64_t begin, int64_t samples,
                            const REAL *scales, REAL *normal, int64_t row)
{
    const int64_t channels = plan->channels, lanes = samples * channels;
    const REAL *means = scales + plan->degrees_in * row, *shifts = means + row;
    for (int64_t degree = 0, r = 0; degree < plan->degrees_in; degree++)
        for (int64_t order = 0; order < 2 * degree + 1; order++, r++) {
            const REAL *from = x + (r * batch + begin) * channels, *scale = scales + degree * row;
            REAL *to = normal + r * row;
            if (degree)
                for (int64_t lane = 0; lane < lanes; lane++)
                    to[lane] = from[lane] * scale[lane];
            else
                for (int64_t lane = 0; lane < lanes; lane++)
                    to[lane] = (from[lane] - means[lane]) * scale[lane] + shifts[lane];
            for (int64_t lane = lanes; lane < row; lane++)
                to[lane] = 0;
        }
}

INLINE REAL NAME(root)(REAL value)
{
    return sizeof(REAL) == sizeof(float) ? (REAL)__builtin_sqrtf((float)value) : (REAL)__builtin_sqrt(value);
}

/* Samples begin to end of a block; x [row, batch, channel] to out [row, batch, width], and for the backward, unless NULL,
 * `mapped`, out without bias and skip; also each sample's factor of the signal norm. scale [degree, channel], mean and
 * shift [channel] are the batch norm's, bias [width] is added to degree 0. */
EXPORT void NAME(block_forward)(const Plan *plan, const REAL *x, const REAL *scale, const REAL *mean,
                                const REAL *shift, const REAL *packed, const REAL *bias, REAL eps, int32_t skip,
                                int64_t batch, int64_t begin, int64_t end, int64_t tile, REAL *factor, REAL *out,
                                REAL *mapped, REAL *work)
{
    const int64_t channels = plan->channels, row = stride(tile * channels);
    REAL *normal = work, *y = normal + squared(plan->degrees_in) * row;
    REAL *scales = y + NAME(chunk_rows)(plan) * row, *power = scales + (plan->degrees_in + 2) * row;
    REAL *squares = power + row, *z = squares + row;
    NAME(spread)(plan, tile, scale, mean, shift, scales, row);
    for (int64_t samples; begin < end; begin += samples) {
        samples = end - begin < tile ? end - begin : tile;
        const int64_t lanes = samples * channels;
        NAME(normalize)(plan, x, batch, begin, samples, scales, normal, row);
        for (int64_t lane = 0; lane < row; lane++)
            power[lane] = squares[lane] = 0;
        const REAL *w = packed;
        REAL *result = z;
        for (int64_t i = 0; i < plan->chunks; i++) {
            const Chunk *chunk = plan->chunk + i;
            const int64_t degree = chunk->degree, width = plan->widths[degree];
            const int64_t order_size = samples * rounded(width);
            NAME(products)(plan, chunk, normal, y, row, lanes, squares);
            NAME(map)(y, chunk->count, chunk->paths, row, samples, channels, w, width,
                      result + chunk->first * order_size, order_size);
            if (chunk->first + chunk->count == 2 * degree + 1) { /* the degree's last */
                for (int64_t lane = 0; lane < lanes; lane++) {
                    power[lane] += squares[lane] / (REAL)(2 * degree + 1);
                    squares[lane] = 0;
                }
                w += NAME(packed_size)(plan, degree);
                result += (2 * degree + 1) * order_size;
            }
        }
        for (int64_t sample = 0; sample < samples; sample++) {
            REAL total = 0;
            for (int64_t c = 0; c < channels; c++)
                total += power[sample * channels + c];
            factor[begin + sample] = 1 / NAME(root)(total + eps);
        }
        const REAL *from = z;
        REAL *to = out;
        for (int64_t degree = 0, r = 0; degree < plan->degrees_out; degree++) {
            const int64_t width = plan->widths[degree], padded = rounded(width);
            const int64_t kept = !skip || degree >= plan->degrees_in ? 0 : channels < width ? channels : width;
            for (int64_t order = 0; order < 2 * degree + 1; order++, r++, to += batch * width)
                for (int64_t sample = 0; sample < samples; sample++, from += padded) {
                    const REAL f = factor[begin + sample];
                    const REAL *old = x + (r * batch + begin + sample) * channels;
                    REAL *new = to + (begin + sample) * width;
                    if (degree)
                        for (int64_t j = 0; j < width; j++)
                            new[j] = f *from[j];
                    else
                        for (int64_t j = 0; j < width; j++)
                            new[j] = f *from[j] + bias[j];
                    for (int64_t j = 0; j < kept; j++)
                        new[j] += old[j];
                    if (mapped)
                        for (int64_t j = 0; j < width; j++)
                            mapped[to - out + (begin + sample) * width + j] = f * from[j];
                }
        }
    }
}

/* Gradients of samples begin to end: `gradient` is that of `out`; `mapped` is what the forward gave; `weights` [path, channel, padded width] of each
 * degree are those of the scaled weights, added; `dnormal` [row, batch, channel] is that of the normalized x;
 * `inner` [degree, channel] sums dnormal x over the samples (of x - mean where degree is 0), `sums` [channel] dnormal
 * of degree 0, `dbias` [width] the gradient of degree 0; all three are added. */
EXPORT void NAME(block_backward)(const Plan *plan, const REAL *x, const REAL *scale, const REAL *mean,
                                 const REAL *shift, const REAL *packed, const REAL *factor,
                                 const REAL *mapped, const REAL *gradient, int64_t batch, int64_t begin, int64_t end, int64_t tile, REAL *dnormal, REAL *weights,
                                 double *inner, double *sums, double *dbias, REAL *work)
{
    const int64_t channels = plan->channels, row = stride(tile * channels), rows_in = squared(plan->degrees_in);
    REAL *normal = work, *dx = normal + rows_in * row, *y = dx + rows_in * row;
    REAL *dy = y + NAME(chunk_rows)(plan) * row, *scales = dy + NAME(chunk_rows)(plan) * row;
    REAL *total = scales + (plan->degrees_in + 2) * row, *dz = total + 2 * row;
    REAL *along = dz + NAME(mapped_size)(plan, tile), *share = along + tile;
    NAME(spread)(plan, tile, scale, mean, shift, scales, row);
    for (int64_t samples; begin < end; begin += samples) {
        samples = end - begin < tile ? end - begin : tile;
        const int64_t lanes = samples * channels;
        NAME(normalize)(plan, x, batch, begin, samples, scales, normal, row);
        for (int64_t i = 0; i < rows_in * row; i++)
            dx[i] = 0;
        for (int64_t sample = 0; sample < samples; sample++)
            along[sample] = 0;
        /* The gradient times the signal norm's factor; and its product with what became of what that norm gave. That
         * is not taken as out - skip, which has few digits where the skip is much larger. */
        const REAL *from = gradient, *after = mapped;
        REAL *to = dz;
        for (int64_t degree = 0; degree < plan->degrees_out; degree++) {
            const int64_t width = plan->widths[degree], padded = rounded(width);
            for (int64_t order = 0; order < 2 * degree + 1; order++, from += batch * width, after += batch * width)
                for (int64_t sample = 0; sample < samples; sample++, to += padded) {
                    const REAL f = factor[begin + sample];
                    const REAL *g = from + (begin + sample) * width, *o = after + (begin + sample) * width;
                    REAL product = 0;
#pragma clang loop vectorize(disable)
                    for (int64_t j = 0; j < padded; j++)
                        to[j] = 0;
                    for (int64_t j = 0; j < width; j++) {
                        to[j] = f * g[j];
                        product += g[j] * o[j];
                    }
                    if (!degree)
                        for (int64_t j = 0; j < width; j++)
                            dbias[j] += g[j];
                    along[sample] += product;
                }
        }
        const REAL *w = packed, *result = dz;
        REAL *dw = weights;
        for (int64_t i = 0; i < plan->chunks; i++) {
            const Chunk *chunk = plan->chunk + i;
            const int64_t degree = chunk->degree, width = plan->widths[degree], padded = rounded(width);
            const int64_t order_size = samples * padded, paths = chunk->paths;
            const REAL *part = result + chunk->first * order_size;
            for (int64_t sample = 0; sample < samples; sample++)
                share[sample] = -along[sample] * factor[begin + sample] * factor[begin + sample] /
                                (REAL)(2 * degree + 1);
            NAME(products)(plan, chunk, normal, y, row, lanes, NULL);
            NAME(outer)(y, chunk->count, paths, row, samples, channels, part, width, dw);
            NAME(unmap)(part, chunk->count, paths, row, samples, channels, w + paths * channels * padded, width,
                        share, y, dy);
            NAME(products_backward)(plan, chunk, normal, dy, dx, row, lanes);
            if (chunk->first + chunk->count == 2 * degree + 1) {
                w += NAME(packed_size)(plan, degree);
                dw += paths * channels * padded;
                result += (2 * degree + 1) * order_size;
            }
        }
        for (int64_t degree = 0, r = 0; degree < plan->degrees_in; degree++) {
            for (int64_t lane = 0; lane < lanes; lane++)
                total[lane] = 0;
            for (int64_t order = 0; order < 2 * degree + 1; order++, r++) {
                const REAL *old = x + (r * batch + begin) * channels, *d = dx + r * row;
                REAL *new = dnormal + (r * batch + begin) * channels;
                for (int64_t lane = 0; lane < lanes; lane++)
                    new[lane] = d[lane];
                if (degree)
                    for (int64_t lane = 0; lane < lanes; lane++)
                        total[lane] += d[lane] * old[lane];
                else
                    for (int64_t sample = 0; sample < samples; sample++)
                        for (int64_t c = 0; c < channels; c++) {
                            const int64_t lane = sample * channels + c;
                            total[lane] = d[lane] * (old[lane] - mean[c]);
                            sums[c] += d[lane];
                        }
            }
            for (int64_t sample = 0; sample < samples; sample++)
                for (int64_t c = 0; c < channels; c++)
                    inner[degree * channels + c] += total[sample * channels + c];
        }
    }
}

/* The gradient of x from that of the normalized x, in place: dnormal a + x b (+ c where degree is 0) + the skip's. */
EXPORT void NAME(finish_backward)(const Plan *plan, const REAL *x, const REAL *gradient, const REAL *a, const REAL *b,
                                  const REAL *c, int32_t skip, int64_t batch, int64_t begin, int64_t end, REAL *dx)
{
    const int64_t channels = plan->channels;
    const REAL *from = gradient;
    for (int64_t degree = 0, r = 0; degree < plan->degrees_in; degree++) {
        const int64_t width = degree < plan->degrees_out ? plan->widths[degree] : 0;
        const int64_t kept = !skip ? 0 : channels < width ? channels : width;
        const REAL *scale = a + degree * channels, *slope = b + degree * channels;
        for (int64_t order = 0; order < 2 * degree + 1; order++, r++, from += batch * width)
            for (int64_t sample = begin; sample < end; sample++) {
                const REAL *old = x + (r * batch + sample) * channels, *g = from + sample * width;
                REAL *new = dx + (r * batch + sample) * channels;
                if (degree)
                    for (int64_t i = 0; i < channels; i++)
                        new[i] = new[i] * scale[i] + old[i] * slope[i];
                else
                    for (int64_t i = 0; i < channels; i++)
                        new[i] = new[i] * scale[i] + old[i] * slope[i] + c[i];
                for (int64_t i = 0; i < kept; i++)
                    new[i] += g[i];
            }
    }
}

/* Over samples begin to end, added: the sum of degree 0, [channel]. */
EXPORT void NAME(sums)(const Plan *plan, const REAL *x, int64_t begin, int64_t end, double *result)
{
    for (int64_t sample = begin; sample < end; sample++)
        for (int64_t c = 0; c < plan->channels; c++)
            result[c] += x[sample * plan->channels + c];
}

/* Over samples begin to end, added: the sum over orders of x², [degree, channel]; of x - mean where degree is 0. */
EXPORT void NAME(squares)(const Plan *plan, const REAL *x, const REAL *mean, int64_t batch, int64_t begin,
                          int64_t end, double *result)
{
    const int64_t channels = plan->channels;
    for (int64_t degree = 0, r = 0; degree < plan->degrees_in; degree++, result += channels)
        for (int64_t order = 0; order < 2 * degree + 1; order++, r++)
            for (int64_t sample = begin; sample < end; sample++) {
                const REAL *from = x + (r * batch + sample) * channels;
                for (int64_t c = 0; c < channels; c++) {
                    const double value = degree ? (double)from[c] : (double)from[c] - mean[c];
                    result[c] += value * value;
                }
            }
}

/* The gradients of the linear's weights from those of a few calls of `block_backward`, for part `part` of `parts` of
 * the inputs: `gradient` [path, channel, width] of each degree, and `dfactor` [degree] of the factor of each degree,
 * which is added. `offset` [width] is added to the gradient of degree 0. */
EXPORT void NAME(finish_weights)(const Plan *plan, const REAL *const *weights, const REAL *factors,
                                 const REAL *const *found, int64_t calls, const REAL *offset, int64_t part,
                                 int64_t parts, REAL *const *gradient, double *dfactor)
{
    int64_t start = 0;
    for (int64_t degree = 0; degree < plan->degrees_out; degree++) {
        const int64_t inputs = plan->paths[degree] * plan->channels, width = plan->widths[degree];
        const int64_t padded = rounded(width);
        double product = 0;
        for (int64_t k = inputs * part / parts; k < inputs * (part + 1) / parts; k++) {
            const REAL *w = weights[degree] + k * width;
            REAL *to = gradient[degree] + k * width;
            for (int64_t j = 0; j < width; j++)
                to[j] = found[0][start + k * padded + j];
            for (int64_t call = 1; call < calls; call++)
                for (int64_t j = 0; j < width; j++)
                    to[j] += found[call][start + k * padded + j];
            REAL row = 0;
            for (int64_t j = 0; j < width; j++) {
                row += w[j] * to[j];
                to[j] = factors[degree] * to[j] + (degree ? 0 : offset[j]);
            }
            product += row;
        }
        dfactor[degree] += product;
        start += inputs * padded;
    }
}

/* -------------------------------------------------------------------------------- flat features and rows */

typedef REAL NAME(Four) __attribute__((vector_size(4 * sizeof(REAL)), aligned(sizeof(REAL)), may_alias));
#define Four NAME(Four)

/* to[j, i] = from[i, j], four by four. */
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

/* One degree of one sample between flat features [channel, order] and lanes [order, channel]. */
INLINE void NAME(turn)(int64_t orders, int64_t channels, REAL *lane, int64_t row, REAL *flat, const int to_rows)
{
    if (orders == 1)
        NAME(turn_few)(1, channels, lane, row, flat, to_rows);
    else if (orders == 3)
        NAME(turn_few)(3, channels, lane, row, flat, to_rows);
    else if (channels < 4)
        NAME(turn_few)(orders, channels, lane, row, flat, to_rows);
    else /* The last four overlap those before: the same numbers go there twice. */
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

/* -------------------------------------------------------------------------------- the tensor square alone */

/* The input of a tile between flat features and rows of lanes. */
INLINE void NAME(turn_input)(const Plan *plan, int64_t samples, REAL *rows, int64_t row, REAL *flat, const int to_rows)
{
    const int64_t channels = plan->channels;
    for (int64_t sample = 0; sample < samples; sample++)
        for (int64_t degree = 0; degree < plan->degrees_in; degree++) {
            NAME(turn)(2 * degree + 1, channels, rows + degree * degree * row + sample * channels, row, flat, to_rows);
            flat += (2 * degree + 1) * channels;
        }
}

/* The products of a chunk, which has all orders of its paths, between flat features and [order, path, lane]. */
INLINE void NAME(turn_products)(const Plan *plan, const Chunk *chunk, int64_t samples, REAL *part, int64_t row,
                                REAL *flat, int64_t dimension, const int to_rows)
{
    const int64_t channels = plan->channels, orders = chunk->count;
    for (int64_t sample = 0; sample < samples; sample++)
        for (int64_t path = 0; path < chunk->paths; path++)
            NAME(turn)(orders, channels, part + path * row + sample * channels, chunk->paths * row,
                       flat + sample * dimension + path * channels * orders, to_rows);
}

/* Zeros in the lanes that fill the last vector: what stood there could be slow to compute with. */
INLINE void NAME(fill)(REAL *rows, int64_t count, int64_t row, int64_t lanes)
{
    for (int64_t r = 0; r < count; r++)
        for (int64_t lane = lanes; lane < rounded(lanes); lane++)
            rows[r * row + lane] = 0;
}

INLINE int64_t NAME(square_size)(const Plan *plan)
{
    int64_t total = 0;
    for (int64_t degree = 0; degree < plan->degrees_out; degree++)
        total += (2 * degree + 1) * plan->paths[degree] * plan->channels;
    return total;
}

/* The tensor square of samples begin to end, flat features x to flat features y. */
EXPORT void NAME(square_forward)(const Plan *plan, REAL *x, int64_t begin, int64_t end, int64_t tile, REAL *y,
                                 REAL *work)
{
    const int64_t channels = plan->channels, row = stride(tile * channels), rows_in = squared(plan->degrees_in);
    const int64_t dimension = NAME(square_size)(plan);
    REAL *normal = work, *part = normal + rows_in * row;
    for (int64_t samples; begin < end; begin += samples) {
        samples = end - begin < tile ? end - begin : tile;
        const int64_t lanes = samples * channels;
        NAME(turn_input)(plan, samples, normal, row, x + begin * rows_in * channels, 1);
        NAME(fill)(normal, rows_in, row, lanes);
        REAL *to = y + begin * dimension;
        for (int64_t i = 0; i < plan->chunks; i++) {
            const Chunk *chunk = plan->chunk + i;
            NAME(products)(plan, chunk, normal, part, row, lanes, NULL);
            NAME(turn_products)(plan, chunk, samples, part, row, to, dimension, 0);
            to += chunk->count * chunk->paths * channels;
        }
    }
}

/* The gradient of x from that of y, all flat. */
EXPORT void NAME(square_backward)(const Plan *plan, REAL *x, REAL *gradient, int64_t begin, int64_t end,
                                  int64_t tile, REAL *dx, REAL *work)
{
    const int64_t channels = plan->channels, row = stride(tile * channels), rows_in = squared(plan->degrees_in);
    const int64_t dimension = NAME(square_size)(plan);
    REAL *normal = work, *sum = normal + rows_in * row, *part = sum + rows_in * row;
    for (int64_t samples; begin < end; begin += samples) {
        samples = end - begin < tile ? end - begin : tile;
        const int64_t lanes = samples * channels;
        NAME(turn_input)(plan, samples, normal, row, x + begin * rows_in * channels, 1);
        NAME(fill)(normal, rows_in, row, lanes);
        for (int64_t i = 0; i < rows_in * row; i++)
            sum[i] = 0;
        REAL *from = gradient + begin * dimension;
        for (int64_t i = 0; i < plan->chunks; i++) {
            const Chunk *chunk = plan->chunk + i;
            NAME(turn_products)(plan, chunk, samples, part, row, from, dimension, 1);
            NAME(fill)(part, chunk->count * chunk->paths, row, lanes);
            NAME(products_backward)(plan, chunk, normal, part, sum, row, lanes);
            from += chunk->count * chunk->paths * channels;
        }
        NAME(turn_input)(plan, samples, sum, row, dx + begin * rows_in * channels, 0);
    }
}

/* -------------------------------------------------------------------------------- the edges of a network */

INLINE void NAME(turn_batch)(int64_t degrees, const int64_t *widths, REAL *rows, REAL *flat, int64_t batch,
                             int64_t begin, int64_t end, const int to_rows)
{
    int64_t dimension = 0;
    for (int64_t degree = 0; degree < degrees; degree++)
        dimension += (2 * degree + 1) * widths[degree];
    for (int64_t degree = 0; degree < degrees; degree++) {
        const int64_t width = widths[degree], orders = 2 * degree + 1;
        for (int64_t sample = begin; sample < end; sample++)
            NAME(turn)(orders, width, rows + sample * width, batch * width, flat + sample * dimension, to_rows);
        rows += orders * batch * width;
        flat += orders * width;
    }
}

/* Flat features [batch, (degree, channel, order)] to rows [(degree, order), batch, channel], and back. */
EXPORT void NAME(to_rows)(int64_t degrees, const int64_t *widths, REAL *flat, REAL *rows, int64_t batch,
                          int64_t begin, int64_t end)
{
    NAME(turn_batch)(degrees, widths, rows, flat, batch, begin, end, 1);
}

EXPORT void NAME(from_rows)(int64_t degrees, const int64_t *widths, REAL *rows, REAL *flat, int64_t batch,
                            int64_t begin, int64_t end)
{
    NAME(turn_batch)(degrees, widths, rows, flat, batch, begin, end, 0);
}

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
