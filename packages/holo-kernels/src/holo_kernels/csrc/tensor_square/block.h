/* The block: batch norm, tensor square, signal norm, linear map, skip. Its parts are samples, but for the weights. What must
 * be known of all of them is left to the first part. */

/* One call of a block. All arrays are the caller's, and all parts share them. */
typedef struct {
    const Plan *plan;
    int64_t batch, skip, differentiable;
    double signal_eps, norm_eps, momentum;
    double samples;             /* of how many the batch norm's statistics are; 0 where they are the running ones */
    REAL *work;                 /* [parts, work_numbers] */
    int64_t work_numbers;
    /* Parameters, and statistics of the batch norm; NULL where there are none. */
    const REAL *norm_weight, *norm_bias; /* [degree, channel], [channel] */
    REAL *running_mean, *running_var;    /* [channel], [degree, channel] */
    const REAL *signal_weight, *signal_bias; /* [degree], [1] */
    const REAL *const *weights;              /* of each degree [path, channel, width] */
    /* The forward's */
    const REAL *x;        /* [row, batch, channel] */
    REAL *out, *mapped;   /* [row, batch, width]: the result, and what the linear map gave, which the backward needs */
    REAL *factor;         /* [batch]: the signal norm's */
    REAL *packed;         /* [packed_numbers]: the weights as they are read */
    double *partial;      /* [parts, partial_numbers]: what each part sums */
    double *moments;      /* mean [channel] and variance [degree, channel] of the batch */
    REAL *normalization;  /* see `norm` */
    /* The backward's */
    const double *prepared; /* the `partial` of the forward */
    const REAL *gradient; /* [row, batch, width] */
    REAL *dx;             /* [row, batch, channel] */
    REAL *found;          /* [parts, gradient_numbers]: what each part finds for the weights */
    double *inner;        /* dnormal x [degree, channel] and dnormal of degree 0 [channel], over all samples */
    double *dbias;        /* [width]: the gradient of degree 0 over all samples */
    REAL *through;        /* see `slopes` */
    /* What is found is added to these. */
    REAL *norm_weight_gradient, *norm_bias_gradient, *signal_weight_gradient, *signal_bias_gradient;
    REAL *const *weight_gradients;
} NAME(Block);
#define Block NAME(Block)

/* The batch norm as it is applied: x scale, (x - mean) scale + shift where degree is 0. */
typedef struct {
    REAL *scale;          /* [degree, channel] */
    REAL *mean, *shift;   /* [channel] */
    REAL *variance, *inverse; /* [degree, channel]: inverse is 1 / sqrt(variance + eps) */
    REAL *bias;           /* [width]: what the signal norm's bias adds to degree 0 of the result */
} NAME(Norm);
#define Norm NAME(Norm)

INLINE Norm NAME(norm)(const Block *block)
{
    const int64_t channels = block->plan->channels, all = block->plan->degrees_in * channels;
    REAL *at = block->normalization;
    return (Norm){at, at + all, at + all + channels, at + all + 2 * channels, at + 2 * (all + channels),
                  at + 3 * all + 2 * channels};
}

EXPORT int64_t NAME(normalization_numbers)(const Plan *plan)
{
    return (3 * plan->degrees_in + 2) * plan->channels + plan->widths[0];
}

/* What each part sums: in the forward the batch's moments and the rows of the weights of degree 0, in the backward
 * `inner`, `dbias` and, for each degree, the product of its weights and their gradient. */
EXPORT int64_t NAME(partial_numbers)(const Plan *plan)
{
    return (plan->degrees_in + 1) * plan->channels + plan->widths[0] + plan->degrees_out;
}

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

/* Numbers in the linear map's results of a tile, and in the rows behind them that fill the last tile of `unmap`. */
INLINE int64_t NAME(mapped_size)(const Plan *plan)
{
    int64_t total = 0, widest = 0;
    for (int64_t degree = 0; degree < plan->degrees_out; degree++) {
        const int64_t padded = rounded(plan->widths[degree]);
        total += (2 * degree + 1) * plan->tile * padded;
        widest = padded > widest ? padded : widest;
    }
    return total + 16 * widest;
}

/* How many numbers of working memory one part needs, of the block and of the tensor square alone. */
EXPORT int64_t NAME(work_numbers)(const Plan *plan)
{
    const int64_t row = stride(plan->tile * plan->channels), line = 64 / sizeof(REAL);
    const int64_t numbers = row * (2 * squared(plan->degrees_in) + 2 * NAME(chunk_rows)(plan) + plan->degrees_in + 4) +
                            NAME(mapped_size)(plan) + 4 * plan->tile;
    return (numbers / line + 2) * line;
}

/* Numbers in the gradient of the weights as one part finds it. */
EXPORT int64_t NAME(gradient_numbers)(const Plan *plan)
{
    int64_t total = 0;
    for (int64_t degree = 0; degree < plan->degrees_out; degree++)
        total += plan->paths[degree] * plan->channels * rounded(plan->widths[degree]);
    return total;
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

/* -------------------------------------------------------------------------------- before the forward */

/* A part of the weights, times the factors of their degrees, into the panels of `map`, then, where the backward is
 * wanted, into those of `unmap`. */
INLINE void NAME(pack)(const Block *block, int64_t part, int64_t parts)
{
    const Plan *plan = block->plan;
    const int64_t channels = plan->channels;
    REAL *packed = block->packed;
    for (int64_t degree = 0; degree < plan->degrees_out; degree++) {
        const REAL *w = block->weights[degree], factor = block->signal_weight[degree];
        const int64_t width = plan->widths[degree], padded = rounded(width), paths = plan->paths[degree];
        const int64_t inputs = paths * channels, first = inputs * part / parts, last = inputs * (part + 1) / parts;
        for (int64_t j = 0, vectors; j < padded; j += vectors * WIDTH) {
            vectors = NAME(panel)((padded - j) / WIDTH);
            const int64_t real = width - j < vectors * WIDTH ? width - j : vectors * WIDTH;
            REAL *to = packed + inputs * j + first * vectors * WIDTH;
            for (int64_t k = first; k < last; k++, to += vectors * WIDTH) {
                for (int64_t i = 0; i < real; i++)
                    to[i] = factor * w[k * width + j + i];
                for (int64_t i = real; i < vectors * WIDTH; i++)
                    to[i] = 0;
            }
        }
        if (block->differentiable)
            for (int64_t path = paths * part / parts; path < paths * (part + 1) / parts; path++) {
                REAL *to = packed + inputs * padded + path * width * rounded(channels);
                for (int64_t left = rounded(channels) / WIDTH, vectors; left; left -= vectors) {
                    vectors = NAME(panel)(left);
                    const int64_t c = (left - vectors) * WIDTH;
                    for (int64_t j = 0; j < width; j++, to += vectors * WIDTH)
                        for (int64_t i = 0; i < vectors * WIDTH; i++)
                            to[i] = c + i < channels ? factor * w[(path * channels + c + i) * width + j] : 0;
                }
            }
        packed += NAME(packed_size)(plan, degree);
    }
}

/* Mean and sums of squares about it of samples begin to end: the mean [channel] of degree 0, then the squares
 * [degree, channel], summed over orders too. */
INLINE void NAME(part_moments)(const Block *block, int64_t begin, int64_t end, double *mean, double *squares)
{
    const Plan *plan = block->plan;
    const int64_t channels = plan->channels;
    for (int64_t sample = begin; sample < end; sample++)
        for (int64_t c = 0; c < channels; c++)
            mean[c] += block->x[sample * channels + c];
    for (int64_t c = 0; c < channels; c++)
        mean[c] /= (double)(end - begin);
    for (int64_t degree = 0, r = 0; degree < plan->degrees_in; degree++, squares += channels)
        for (int64_t order = 0; order < 2 * degree + 1; order++, r++)
            for (int64_t sample = begin; sample < end; sample++) {
                const REAL *from = block->x + (r * block->batch + sample) * channels;
                if (degree)
                    for (int64_t c = 0; c < channels; c++)
                        squares[c] += (double)from[c] * from[c];
                else
                    for (int64_t c = 0; c < channels; c++)
                        squares[c] += ((double)from[c] - mean[c]) * ((double)from[c] - mean[c]);
            }
}

/* What must be known of all samples and all weights before the forward. */
EXPORT void NAME(block_prepare)(const Block *block, int64_t part, int64_t parts)
{
    const Plan *plan = block->plan;
    const int64_t channels = plan->channels, numbers = NAME(partial_numbers)(plan);
    double *mean = block->partial + part * numbers, *squares = mean + channels;
    double *sums = squares + plan->degrees_in * channels;
    for (int64_t i = 0; i < numbers; i++)
        mean[i] = 0;
    if (block->samples > 0)
        NAME(part_moments)(block, block->batch * part / parts, block->batch * (part + 1) / parts, mean, squares);
    const int64_t width = plan->widths[0], inputs = plan->paths[0] * channels;
    for (int64_t k = inputs * part / parts; k < inputs * (part + 1) / parts; k++)
        for (int64_t j = 0; j < width; j++)
            sums[j] += block->weights[0][k * width + j];
    NAME(pack)(block, part, parts);
}

/* The moments of all samples from those of the parts: Chan, Golub, LeVeque, Updating formulae and a pairwise algorithm
 * for computing sample variances, 1979. */
EXPORT void NAME(block_moments)(const Block *block, int64_t self, int64_t parts)
{
    if (self)
        return;
    const Plan *plan = block->plan;
    const int64_t channels = plan->channels, numbers = NAME(partial_numbers)(plan);
    double *mean = block->moments, *variance = mean + channels;
    for (int64_t i = 0; i < (plan->degrees_in + 1) * channels; i++)
        mean[i] = 0;
    for (int64_t part = 0; part < parts; part++) {
        const double *found = block->partial + part * numbers;
        const int64_t samples = block->batch * (part + 1) / parts - block->batch * part / parts;
        for (int64_t c = 0; c < channels; c++)
            mean[c] += (double)samples / (double)block->batch * found[c];
    }
    for (int64_t part = 0; part < parts; part++) {
        const double *found = block->partial + part * numbers, *squares = found + channels;
        const int64_t samples = block->batch * (part + 1) / parts - block->batch * part / parts;
        for (int64_t c = 0; c < channels; c++)
            variance[c] += (double)samples * (found[c] - mean[c]) * (found[c] - mean[c]);
        for (int64_t i = 0; i < plan->degrees_in * channels; i++)
            variance[i] += squares[i];
    }
    for (int64_t degree = 0; degree < plan->degrees_in; degree++)
        for (int64_t c = 0; c < channels; c++)
            variance[degree * channels + c] /= (double)block->batch * (double)(2 * degree + 1);
}

INLINE double NAME(root)(double value) { return __builtin_sqrt(value); }

/* The batch norm as it is applied, and its running statistics; the bias of the result. */
EXPORT void NAME(block_normalization)(const Block *block, int64_t self, int64_t parts)
{
    if (self)
        return;
    const Plan *plan = block->plan;
    const int64_t channels = plan->channels, all = plan->degrees_in * channels, width = plan->widths[0];
    const Norm norm = NAME(norm)(block);
    for (int64_t j = 0; j < width; j++) {
        double sum = 0;
        for (int64_t part = 0; part < parts; part++)
            sum += block->partial[part * NAME(partial_numbers)(plan) + channels + all + j];
        norm.bias[j] = (REAL)(block->signal_bias[0] * sum);
    }
    const double *mean = block->moments, *variance = mean + channels;
    for (int64_t c = 0; c < channels; c++) {
        norm.shift[c] = block->norm_bias ? block->norm_bias[c] : 0;
        norm.mean[c] = !block->running_mean ? 0 : block->samples > 0 ? (REAL)mean[c] : block->running_mean[c];
    }
    for (int64_t i = 0; i < all; i++) {
        norm.variance[i] = !block->running_var ? 1 : block->samples > 0 ? (REAL)variance[i] : block->running_var[i];
        norm.inverse[i] = block->running_var ? (REAL)(1 / NAME(root)(norm.variance[i] + block->norm_eps)) : 1;
        norm.scale[i] = block->norm_weight ? norm.inverse[i] * block->norm_weight[i] : norm.inverse[i];
    }
    if (block->running_mean && block->samples > 0) {
        const REAL momentum = (REAL)block->momentum;
        for (int64_t c = 0; c < channels; c++)
            block->running_mean[c] += momentum * (norm.mean[c] - block->running_mean[c]);
        for (int64_t i = 0; i < all; i++)
            block->running_var[i] += momentum * (norm.variance[i] - block->running_var[i]);
    }
}

/* -------------------------------------------------------------------------------- forward and backward */

/* Repeat the batch norm's scale, mean and shift for each sample of a tile, each in rows of lanes. */
INLINE void NAME(spread)(const Plan *plan, const Norm *norm, REAL *scales, int64_t row)
{
    const int64_t channels = plan->channels;
    REAL *means = scales + plan->degrees_in * row, *shifts = means + row;
    for (int64_t sample = 0; sample < plan->tile; sample++) {
        for (int64_t degree = 0; degree < plan->degrees_in; degree++)
            for (int64_t c = 0; c < channels; c++)
                scales[degree * row + sample * channels + c] = norm->scale[degree * channels + c];
        for (int64_t c = 0; c < channels; c++) {
            means[sample * channels + c] = norm->mean[c];
            shifts[sample * channels + c] = norm->shift[c];
        }
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

EXPORT void NAME(block_forward)(const Block *block, int64_t part, int64_t parts)
{
    const Plan *plan = block->plan;
    const Norm norm = NAME(norm)(block);
    const int64_t batch = block->batch, channels = plan->channels, row = stride(plan->tile * channels);
    const int64_t end = batch * (part + 1) / parts;
    const REAL *x = block->x;
    REAL *normal = block->work + part * block->work_numbers, *y = normal + squared(plan->degrees_in) * row;
    REAL *scales = y + NAME(chunk_rows)(plan) * row, *power = scales + (plan->degrees_in + 2) * row;
    REAL *squares = power + row, *z = squares + row;
    NAME(spread)(plan, &norm, scales, row);
    for (int64_t begin = batch * part / parts, samples; begin < end; begin += samples) {
        samples = NAME(next_tile)(end - begin, plan->tile);
        const int64_t lanes = samples * channels;
        NAME(normalize)(plan, x, batch, begin, samples, scales, normal, row);
        for (int64_t lane = 0; lane < row; lane++)
            power[lane] = squares[lane] = 0;
        const REAL *w = block->packed;
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
            block->factor[begin + sample] = (REAL)(1 / NAME(root)(total + block->signal_eps));
        }
        const REAL *from = z;
        int64_t to = 0;
        for (int64_t degree = 0, r = 0; degree < plan->degrees_out; degree++) {
            const int64_t width = plan->widths[degree], padded = rounded(width);
            const int64_t kept =
                !block->skip || degree >= plan->degrees_in ? 0 : channels < width ? channels : width;
            for (int64_t order = 0; order < 2 * degree + 1; order++, r++, to += batch * width)
                for (int64_t sample = 0; sample < samples; sample++, from += padded) {
                    const REAL f = block->factor[begin + sample];
                    const REAL *old = x + (r * batch + begin + sample) * channels;
                    const int64_t place = to + (begin + sample) * width;
                    REAL *new = block->out + place;
                    if (degree)
                        for (int64_t j = 0; j < width; j++)
                            new[j] = f *from[j];
                    else
                        for (int64_t j = 0; j < width; j++)
                            new[j] = f *from[j] + norm.bias[j];
                    for (int64_t j = 0; j < kept; j++)
                        new[j] += old[j];
                    if (block->mapped)
                        for (int64_t j = 0; j < width; j++)
                            block->mapped[place + j] = f * from[j];
                }
        }
    }
}

/* Gradients from that of the result: of the scaled weights to `found`, of the normalized x to `dx`; what else is summed
 * over samples goes to `partial`. */
EXPORT void NAME(block_backward)(const Block *block, int64_t part, int64_t parts)
{
    const Plan *plan = block->plan;
    const Norm norm = NAME(norm)(block);
    const int64_t batch = block->batch, channels = plan->channels, row = stride(plan->tile * channels);
    const int64_t end = batch * (part + 1) / parts, rows_in = squared(plan->degrees_in);
    const int64_t gradient_numbers = NAME(gradient_numbers)(plan), numbers = NAME(partial_numbers)(plan);
    const REAL *x = block->x, *factor = block->factor;
    REAL *found = block->found + part * gradient_numbers;
    double *inner = block->partial + part * numbers, *sums = inner + plan->degrees_in * channels;
    double *dbias = sums + channels;
    for (int64_t i = 0; i < numbers; i++)
        inner[i] = 0;
    for (int64_t i = 0; i < gradient_numbers; i++)
        found[i] = 0;
    REAL *normal = block->work + part * block->work_numbers, *dx = normal + rows_in * row, *y = dx + rows_in * row;
    REAL *dy = y + NAME(chunk_rows)(plan) * row, *scales = dy + NAME(chunk_rows)(plan) * row;
    REAL *total = scales + (plan->degrees_in + 2) * row, *dz = total + 2 * row;
    REAL *along = dz + NAME(mapped_size)(plan), *share = along + plan->tile;
    NAME(spread)(plan, &norm, scales, row);
    for (int64_t begin = batch * part / parts, samples; begin < end; begin += samples) {
        samples = NAME(next_tile)(end - begin, plan->tile);
        const int64_t lanes = samples * channels;
        NAME(normalize)(plan, x, batch, begin, samples, scales, normal, row);
        for (int64_t i = 0; i < rows_in * row; i++)
            dx[i] = 0;
        for (int64_t sample = 0; sample < samples; sample++)
            along[sample] = 0;
        /* The gradient times the signal norm's factor; and its product with what became of what that norm gave. That
         * is not taken as out - skip, which has few digits where the skip is much larger. */
        const REAL *from = block->gradient, *after = block->mapped;
        REAL *to = dz;
        for (int64_t degree = 0; degree < plan->degrees_out; degree++) {
            const int64_t width = plan->widths[degree], padded = rounded(width);
            for (int64_t order = 0; order < 2 * degree + 1; order++, from += batch * width, after += batch * width)
                for (int64_t sample = 0; sample < samples; sample++, to += padded) {
                    const REAL f = factor[begin + sample];
                    const REAL *g = from + (begin + sample) * width, *o = after + (begin + sample) * width;
                    Vector products = {0};
                    REAL product = 0;
                    int64_t j = 0;
                    for (; j + WIDTH <= width; j += WIDTH) {
                        store(to + j, f * load(g + j));
                        products += load(g + j) * load(o + j);
                    }
                    if (j < padded)
                        store(to + j, (Vector){0});
                    for (; j < width; j++) {
                        to[j] = f * g[j];
                        product += g[j] * o[j];
                    }
                    UNROLL for (int lane = 0; lane < WIDTH; lane++) product += products[lane];
                    if (!degree)
                        for (int64_t j = 0; j < width; j++)
                            dbias[j] += g[j];
                    along[sample] += product;
                }
        }
        const REAL *w = block->packed, *result = dz;
        REAL *dw = found;
        for (int64_t i = 0; i < plan->chunks; i++) {
            const Chunk *chunk = plan->chunk + i;
            const int64_t degree = chunk->degree, width = plan->widths[degree], padded = rounded(width);
            const int64_t order_size = samples * padded, paths = chunk->paths;
            const REAL *some = result + chunk->first * order_size;
            for (int64_t sample = 0; sample < samples; sample++)
                share[sample] = -along[sample] * factor[begin + sample] * factor[begin + sample] /
                                (REAL)(2 * degree + 1);
            NAME(products)(plan, chunk, normal, y, row, lanes, NULL);
            NAME(outer)(y, chunk->count, paths, row, samples, channels, some, width, dw);
            NAME(unmap)(some, chunk->count, paths, row, samples, channels, w + paths * channels * padded, width,
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
                REAL *new = block->dx + (r * batch + begin) * channels;
                for (int64_t lane = 0; lane < lanes; lane++)
                    new[lane] = d[lane];
                if (degree)
                    for (int64_t lane = 0; lane < lanes; lane++)
                        total[lane] += d[lane] * old[lane];
                else
                    for (int64_t sample = 0; sample < samples; sample++)
                        for (int64_t c = 0; c < channels; c++) {
                            const int64_t lane = sample * channels + c;
                            total[lane] = d[lane] * (old[lane] - norm.mean[c]);
                            sums[c] += d[lane];
                        }
            }
            for (int64_t sample = 0; sample < samples; sample++)
                for (int64_t c = 0; c < channels; c++)
                    inner[degree * channels + c] += total[sample * channels + c];
        }
    }
}

/* -------------------------------------------------------------------------------- after the backward */

/* What the batch's statistics add to the gradient of x: x slope + offset, the offset in degree 0 only; and what the
 * signal norm's bias adds to the gradient of the weights of degree 0. */
typedef struct {
    REAL *slope;  /* [degree, channel] */
    REAL *offset; /* [channel] */
    REAL *shared; /* [width] */
} NAME(Through);
#define Through NAME(Through)

INLINE Through NAME(through)(const Block *block)
{
    const int64_t channels = block->plan->channels;
    REAL *offset = block->through + block->plan->degrees_in * channels;
    return (Through){block->through, offset, offset + channels};
}

EXPORT int64_t NAME(through_numbers)(const Plan *plan)
{
    return (plan->degrees_in + 1) * plan->channels + plan->widths[0];
}

/* Sums over all samples from those of the parts, and the gradients of the norms' parameters that follow from them. */
EXPORT void NAME(block_sums)(const Block *block, int64_t self, int64_t parts)
{
    if (self)
        return;
    const Plan *plan = block->plan;
    const int64_t channels = plan->channels, all = plan->degrees_in * channels, width = plan->widths[0];
    const int64_t numbers = NAME(partial_numbers)(plan);
    for (int64_t i = 0; i < all + channels; i++) {
        block->inner[i] = 0;
        for (int64_t part = 0; part < parts; part++)
            block->inner[i] += block->partial[part * numbers + i];
    }
    for (int64_t j = 0; j < width; j++) {
        block->dbias[j] = 0;
        for (int64_t part = 0; part < parts; part++)
            block->dbias[j] += block->partial[part * numbers + all + channels + j];
    }
    const Norm norm = NAME(norm)(block);
    if (block->norm_weight_gradient)
        for (int64_t i = 0; i < all; i++)
            block->norm_weight_gradient[i] += (REAL)(block->inner[i] * norm.inverse[i]);
    if (block->norm_bias_gradient)
        for (int64_t c = 0; c < channels; c++)
            block->norm_bias_gradient[c] += (REAL)block->inner[all + c];
}

/* `inner` may have become that of the samples of several processes. */
EXPORT void NAME(block_slopes)(const Block *block, int64_t self, int64_t parts)
{
    (void)parts;
    if (self)
        return;
    const Plan *plan = block->plan;
    const int64_t channels = plan->channels, all = plan->degrees_in * channels, width = plan->widths[0];
    const Norm norm = NAME(norm)(block);
    const Through through = NAME(through)(block);
    const double share = block->samples > 0 ? 1 / block->samples : 0;
    for (int64_t degree = 0; degree < plan->degrees_in; degree++)
        for (int64_t i = degree * channels; i < (degree + 1) * channels; i++) {
            const double inverse = norm.inverse[i];
            through.slope[i] =
                (REAL)(-block->inner[i] * norm.scale[i] * inverse * inverse * share / (double)(2 * degree + 1));
        }
    for (int64_t c = 0; c < channels; c++)
        through.offset[c] = (REAL)(-(double)through.slope[c] * norm.mean[c] -
                                   (double)norm.scale[c] * block->inner[all + c] * share);
    for (int64_t j = 0; j < width; j++)
        through.shared[j] = (REAL)(block->signal_bias[0] * block->dbias[j]);
}

/* The gradient of x from that of the normalized x, in place: dnormal scale + x slope (+ offset where degree is 0) + the
 * skip's. */
INLINE void NAME(finish_features)(const Block *block, int64_t begin, int64_t end)
{
    const Plan *plan = block->plan;
    const int64_t channels = plan->channels, batch = block->batch;
    const Norm norm = NAME(norm)(block);
    const Through through = NAME(through)(block);
    const REAL *from = block->gradient;
    for (int64_t degree = 0, r = 0; degree < plan->degrees_in; degree++) {
        const int64_t width = degree < plan->degrees_out ? plan->widths[degree] : 0;
        const int64_t kept = !block->skip ? 0 : channels < width ? channels : width;
        const REAL *scale = norm.scale + degree * channels, *slope = through.slope + degree * channels;
        for (int64_t order = 0; order < 2 * degree + 1; order++, r++, from += batch * width)
            for (int64_t sample = begin; sample < end; sample++) {
                const REAL *old = block->x + (r * batch + sample) * channels, *g = from + sample * width;
                REAL *new = block->dx + (r * batch + sample) * channels;
                if (degree)
                    for (int64_t i = 0; i < channels; i++)
                        new[i] = new[i] * scale[i] + old[i] * slope[i];
                else
                    for (int64_t i = 0; i < channels; i++)
                        new[i] = new[i] * scale[i] + old[i] * slope[i] + through.offset[i];
                for (int64_t i = 0; i < kept; i++)
                    new[i] += g[i];
            }
    }
}

/* The gradients of the weights from what the parts found, and of the factors of their degrees to `partial`. */
INLINE void NAME(finish_weights)(const Block *block, int64_t part, int64_t parts)
{
    const Plan *plan = block->plan;
    const int64_t gradient_numbers = NAME(gradient_numbers)(plan), numbers = NAME(partial_numbers)(plan);
    const REAL *shared = NAME(through)(block).shared;
    REAL *found = block->found;
    double *products = block->partial + (part + 1) * numbers - plan->degrees_out;
    for (int64_t degree = 0; degree < plan->degrees_out; degree++) {
        const int64_t inputs = plan->paths[degree] * plan->channels, width = plan->widths[degree];
        const int64_t padded = rounded(width);
        const REAL factor = block->signal_weight[degree];
        double product = 0;
        for (int64_t k = inputs * part / parts; k < inputs * (part + 1) / parts; k++) {
            const REAL *w = block->weights[degree] + k * width;
            REAL *of_all = found + k * padded, *to = block->weight_gradients[degree] + k * width;
            for (int64_t other = 1; other < parts; other++)
                for (int64_t j = 0; j < width; j++)
                    of_all[j] += of_all[other * gradient_numbers + j];
            REAL sum = 0;
            for (int64_t j = 0; j < width; j++) {
                sum += w[j] * of_all[j];
                to[j] += factor * of_all[j] + (degree ? 0 : shared[j]);
            }
            product += sum;
        }
        products[degree] = product;
        found += inputs * padded;
    }
}

EXPORT void NAME(block_finish)(const Block *block, int64_t part, int64_t parts)
{
    NAME(finish_weights)(block, part, parts);
    NAME(finish_features)(block, block->batch * part / parts, block->batch * (part + 1) / parts);
}

/* The gradients of the signal norm's parameters, from the `partial` that `block_finish` left, and from `prepared`. */
EXPORT void NAME(block_signal)(const Block *block, int64_t self, int64_t parts)
{
    if (self)
        return;
    const Plan *plan = block->plan;
    const int64_t numbers = NAME(partial_numbers)(plan), width = plan->widths[0];
    for (int64_t degree = 0; degree < plan->degrees_out; degree++) {
        double sum = 0;
        for (int64_t part = 0; part < parts; part++)
            sum += block->partial[(part + 1) * numbers - plan->degrees_out + degree];
        block->signal_weight_gradient[degree] += (REAL)sum;
    }
    double sum = 0;
    for (int64_t part = 0; part < parts; part++)
        for (int64_t j = 0; j < width; j++)
            sum += block->prepared[part * numbers + (plan->degrees_in + 1) * plan->channels + j] * block->dbias[j];
    block->signal_bias_gradient[0] += (REAL)sum;
}
