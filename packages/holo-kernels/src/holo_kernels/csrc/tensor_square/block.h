/* The block: batch norm, tensor square, signal norm, linear map and skip connection. Its parts are slices of the batch,
 * except where weights are concerned. Steps that need all samples are left to the first part. */

/* One call of a block. All arrays belong to the caller, and all parts share them. */
typedef struct {
    const Plan *plan;
    int64_t batch, skip, differentiable;
    double signal_eps, norm_eps, momentum;
    double samples;             /* number of samples of the batch norm's statistics; 0 if it uses the running ones */
    REAL *work;                 /* [parts, work_numbers] */
    int64_t work_numbers;
    /* Parameters, and statistics of the batch norm; NULL if there are none. */
    const REAL *norm_weight, *norm_bias; /* [degree, channel], [channel] */
    REAL *running_mean, *running_var;    /* [channel], [degree, channel] */
    const REAL *signal_weight, *signal_bias; /* [degree], [1] */
    const REAL *const *weights;              /* for each degree [path, channel, width] */
    /* Arrays of the forward */
    const REAL *x;        /* [row, batch, channel] */
    REAL *out, *mapped;   /* [row, batch, width]: the result, and that of the linear map, which the backward needs */
    REAL *factor;         /* [batch]: the factor of the signal norm */
    REAL *packed;         /* [packed_numbers]: the weights in the order in which they are read */
    double *partial;      /* [parts, partial_numbers]: the sums of each part */
    double *moments;      /* mean [channel] and variance [degree, channel] of the batch */
    REAL *normalization;  /* see `norm` */
    /* Arrays of the backward */
    const double *prepared; /* the `partial` of the forward */
    const REAL *gradient; /* [row, batch, width] */
    REAL *dx;             /* [row, batch, channel] */
    REAL *found;          /* [parts, gradient_numbers]: the gradient of the weights from each part */
    double *inner;        /* [degree, channel] and [channel], over all samples; see the derivation below */
    double *dbias;        /* [width]: the gradient of degree 0, summed over all samples */
    REAL *through;        /* see `through` */
    /* The gradients are added to these. */
    REAL *norm_weight_gradient, *norm_bias_gradient, *signal_weight_gradient, *signal_bias_gradient;
    REAL *const *weight_gradients;
} NAME(Block);
#define Block NAME(Block)

/* The batch norm as it is applied: x scale, or (x - mean) scale + shift in degree 0. */
typedef struct {
    REAL *scale;          /* [degree, channel] */
    REAL *mean, *shift;   /* [channel] */
    REAL *variance, *inverse; /* [degree, channel]: inverse is 1 / sqrt(variance + eps) */
    REAL *bias;           /* [width]: the contribution of the signal norm's bias to degree 0 of the result */
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

/* The size of what each part sums: in the forward the batch's moments and the rows of the weights of degree 0; in the
 * backward `inner`, `dbias` and, for each degree, the product of its weights and their gradient. */
EXPORT int64_t NAME(partial_numbers)(const Plan *plan)
{
    return (plan->degrees_in + 1) * plan->channels + plan->widths[0] + plan->degrees_out;
}

/* Return the size of the largest chunk, in rows of lanes. */
INLINE int64_t NAME(chunk_rows)(const Plan *plan)
{
    int64_t most = 0;
    for (int64_t i = 0; i < plan->chunks; i++) {
        const int64_t rows = (int64_t)plan->chunk[i].count * plan->chunk[i].paths;
        most = rows > most ? rows : most;
    }
    return most;
}

/* Return the size of the linear map's results for a tile, plus that of the rows behind them that fill the last tile of
 * `unmap`. */
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

/* Return how much working memory, in numbers, one part of the block or of the tensor square needs. */
EXPORT int64_t NAME(work_numbers)(const Plan *plan)
{
    const int64_t row = stride(plan->tile * plan->channels), line = 64 / sizeof(REAL);
    const int64_t numbers = row * (2 * squared(plan->degrees_in) + 2 * NAME(chunk_rows)(plan) + plan->degrees_in + 4) +
                            NAME(mapped_size)(plan) + 4 * plan->tile;
    return (numbers / line + 2) * line;
}

/* Return the size of the gradient of the weights from one part. */
EXPORT int64_t NAME(gradient_numbers)(const Plan *plan)
{
    int64_t total = 0;
    for (int64_t degree = 0; degree < plan->degrees_out; degree++)
        total += plan->paths[degree] * plan->channels * rounded(plan->widths[degree]);
    return total;
}

/* Return the size of the two packed forms of one degree's weights together. */
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

/* Pack a part of the weights, times the weights of the signal norm for their degrees, into the panels of `map` and, if
 * the backward is needed, into those of `unmap`. */
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

/* Compute the mean [channel] of degree 0 of samples begin to end, and then the sums of squares about it [degree,
 * channel], also summed over orders. */
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

/* Compute what must be known of all samples and all weights before the forward. */
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

/* Combine the moments of the parts to those of all samples: Chan, Golub and LeVeque, Updating formulae and a pairwise
 * algorithm for computing sample variances, 1979. */
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

/* Compute the batch norm as it is applied, update its running statistics, and compute the bias of the result. */
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

/* -------------------------------------------------------------------------------- forward and backward
 *
 * Symbols, and the variables that hold them. Sample n, degree l and order m and channel c of the input, degree L and
 * order M of the output, path p to L, output channel j; [l=0] is 1 in degree 0 and 0 elsewhere.
 *
 *   x_lmc               `x`, the input
 *   μ_c, V_lc, ε        `norm.mean`, `norm.variance`, `norm_eps`: mean of degree 0, variance of the batch norm
 *   r_lc = 1/√(V + ε)   `norm.inverse`
 *   ω_lc, b_c           `norm_weight`, `norm_bias` (`norm.shift`)
 *   s_lc = ω r          `norm.scale`
 *   u_lmc               `normal`, the normalized input
 *   y_LMpc              `y`, the products of the tensor square
 *   f                   `factor`, of each sample
 *   a_L, β              `signal_weight`, `signal_bias`
 *   W_Lpcj              `weights`, of the linear map; `packed` holds a_L W_Lpcj
 *   z_LMj, h_LMj        `z`, and h = f z, `mapped`
 *   o_LMj               `out`
 *
 * Forward:
 *   u = s (x - [l=0] μ) + [l=0] b                                        `normalize`
 *   y = Σ C u u, with Clebsch-Gordan coefficients C                      `products`
 *   f = 1/√(S + ε'), S = Σ_L 1/(2L+1) Σ_M,p,c y²,  ε' = `signal_eps`     S is the sum of `power` over channels
 *   z = Σ_p,c y a_L W                                                    `map`
 *   o = f z + [L=0] β Σ_p,c W_0pcj + x                                   the second term is `norm.bias`
 * The signal norm maps y to a_L f y + [L=0] β; since f does not depend on L and c, it is applied after the linear map.
 * The skip connection adds x where `kept` says that input and output both have the degree and channel.
 *
 * Backward, with g = dE/do (`gradient`) and d_ for dE/d_:
 *   d_z = f g                                                            `dz`, for the first term of o
 *   d_f = Σ_LMj g z = (1/f) Σ_LMj g h = t/f                              t is `along`
 *   df/dS = -f³/2,  dS/dy = 2 y/(2L+1)
 *   d_y = Σ_j d_z a_L W + d_f df/dS dS/dy = Σ_j d_z a_L W - t f²/(2L+1) y    `unmap`; the factor of y is `share`
 *   F_Lpcj = d_(a_L W) = Σ_n,M y d_z                                     `found`, by `outer`
 *   d_u from d_y as in products.h                                        local `dx`, then `block->dx`
 * The parameters of the linear map and of the signal norm, with D_j = Σ_n g_00j (`dbias`):
 *   d_W = a_L F + [L=0] β D_j                                            `finish_weights`; β D is `shared`
 *   d_a_L = Σ_p,c,j W F                                                  `finish_weights`, `block_signal`
 *   d_β = Σ_j D_j Σ_p,c W_0pcj                                           `block_signal`; the inner sum is in `prepared`
 * The batch norm, with I_lc = Σ_n,m d_u (x - [l=0] μ) and B_c = Σ_n d_u_00c (both in `inner`):
 *   d_ω = r I,  d_b = B                                                  `block_sums`
 * In training μ and V are those of the N samples (`samples`), V = 1/(N (2l+1)) Σ_n,m (x - [l=0] μ)², so that
 *   dV/dx = 2 (x - [l=0] μ)/(N (2l+1)),  dV/dμ = 0,  dμ/dx = 1/N
 *   d_V = ω I dr/dV = -ω r³ I/2 = -s r² I/2,  d_μ = -s B
 *   d_x = s d_u + d_V dV/dx + [l=0] d_μ dμ/dx + g
 *       = s d_u + k x + [l=0] q + g                                      `finish_features`; g is the skip connection's
 *   k = -s r² I/(N (2l+1)),  q = -k μ - s B/N                            `through.slope`, `through.offset`
 * In evaluation μ and V are constants, and k = q = 0. */

/* Repeat the batch norm's scale, mean and shift for each sample of a tile, each in a row of lanes. */
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

/* Apply the batch norm to a tile: x scale, or (x - mean) scale + shift in degree 0, with zeros in the lanes beyond. */
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
            if (chunk->first + chunk->count == 2 * degree + 1) { /* the last chunk of its degree */
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

/* Compute the gradients F of the scaled weights, to `found`, and that of the normalized x, to `dx`; the other sums over
 * samples go to `partial`. */
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
        /* d_z = f g, and t = Σ g h. h is saved, because out - bias - skip would have few correct digits where the skip
         * is much larger. */
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

/* The contribution of the batch's statistics to the gradient of x: x slope + offset, with the offset in degree 0 only;
 * and the contribution of the signal norm's bias to the gradient of the weights of degree 0. */
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

/* Add the parts' sums over samples, and compute the gradients of the batch norm's parameters from them. */
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

/* Compute slope, offset and shared; `inner` may meanwhile have been summed over several processes. */
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

/* Turn the gradient of the normalized x into that of x, in place: dnormal scale + x slope (+ offset in degree 0) + the
 * gradient of the skip connection. */
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

/* Compute the gradients of the weights from those of the parts, and for `partial` the product of each degree's W
 * and F. */
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

/* Compute the gradients of the signal norm's parameters from the `partial` that `block_finish` left, and from
 * `prepared`. */
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
