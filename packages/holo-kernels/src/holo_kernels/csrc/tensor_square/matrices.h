/* The linear map, its transpose, and the gradient of its weights, with tiles of accumulators in registers.
 *
 * The rows of a tile come in evenly spaced groups of GROUP, because not all their addresses fit into registers.
 */

/* Return the width, in vectors, of the next panel of a matrix when `left` vectors remain. */
INLINE int64_t NAME(panel)(int64_t left) { return left > 1 ? 2 : 1; }

/* total[i] += Σ over segments and k of a[i / GROUP][segment, i % GROUP, k] b[segment, k]. */
INLINE void NAME(accumulate)(const int rows, const int vectors, const REAL *const *a, int64_t step, int64_t segments,
                             int64_t segment_stride, int64_t length, const REAL *b, Vector (*total)[2])
{
    for (int64_t s = 0; s < segments; s++) {
        const REAL *group[16 / GROUP];
        UNROLL for (int g = 0; g < rows / GROUP; g++) group[g] = a[g] + s * segment_stride;
        for (int64_t k = 0; k < length; k++, b += vectors * WIDTH) {
            Vector right[2];
            UNROLL for (int v = 0; v < vectors; v++) right[v] = load(b + v * WIDTH);
            UNROLL for (int i = 0; i < rows; i++)
            {
                const REAL left = group[i / GROUP][i % GROUP * step + k];
                UNROLL for (int v = 0; v < vectors; v++) total[i][v] += left * right[v];
            }
        }
    }
}

/* z[order, sample, :] (+)= Σ_path Σ_channel y[order, path, sample, channel] w[path, channel, :], for one panel. If the
 * samples of an order end within a group, what lies behind them is also computed, but not stored. */
INLINE void NAME(map_panel)(const int rows, const int vectors, const REAL *y, int64_t orders, int64_t paths,
                            int64_t first_path, int64_t some_paths, int64_t row, int64_t samples,
                            int64_t channels, const REAL *w, REAL *z, int64_t z_order, int64_t z_sample)
{
    for (int64_t order = 0, sample = 0; order < orders;) {
        const REAL *a[16 / GROUP];
        REAL *to[16 / GROUP];
        int64_t real[16 / GROUP]; /* samples of each group */
        Vector total[16][2];
        UNROLL for (int g = 0; g < rows / GROUP; g++)
        {
            const int64_t o = order < orders ? order : orders - 1; /* after the last group: any valid place */
            a[g] = y + (o * paths + first_path) * row + sample * channels;
            to[g] = z + o * z_order + sample * z_sample;
            real[g] = order == orders ? 0 : samples - sample < GROUP ? samples - sample : GROUP;
            if ((sample += GROUP) >= samples)
                sample = 0, order += order < orders;
        }
        UNROLL for (int i = 0; i < rows; i++)
            UNROLL for (int v = 0; v < vectors; v++)
                total[i][v] = first_path && i % GROUP < real[i / GROUP]
                                  ? load(to[i / GROUP] + i % GROUP * z_sample + v * WIDTH)
                                  : (Vector){0};
        NAME(accumulate)(rows, vectors, a, channels, some_paths, row, channels, w, total);
        UNROLL for (int i = 0; i < rows; i++)
            if (i % GROUP < real[i / GROUP])
                UNROLL for (int v = 0; v < vectors; v++)
                    store(to[i / GROUP] + i % GROUP * z_sample + v * WIDTH, total[i][v]);
    }
}

/* The linear map of a chunk. Weights are stored in panels, each [path, channel, panel]. */
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
        const REAL *a[16 / GROUP];
        int64_t to[16];
        REAL part[16];
        Vector total[16][2];
        UNROLL for (int g = 0; g < rows / GROUP; g++) a[g] = dz + (r + g * GROUP) * padded;
        UNROLL for (int i = 0; i < rows; i++)
        {
            to[i] = order * y_order + sample * channels;
            part[i] = share[sample];
            if (r + i < count - 1 && ++sample == samples) /* after the last row: that row again, which is not stored */
                sample = 0, order++;
        }
        UNROLL for (int i = 0; i < rows; i++)
            UNROLL for (int v = 0; v < vectors; v++) total[i][v] = (Vector){0};
        NAME(accumulate)(rows, vectors, a, padded, 1, 0, width, w, total);
        UNROLL for (int i = 0; i < rows; i++)
            if (r + i < count)
                UNROLL for (int v = 0; v < vectors; v++)
                    store(dy + to[i] + v * WIDTH, total[i][v] + part[i] * load(y + to[i] + v * WIDTH));
    }
}

/* The transposed linear map of a chunk. Weights are stored path by path in panels of channels, each [j, panel]. The
 * last panel of a path may run over its channels into the next sample's; it is computed first, and overwritten
 * afterwards. */
static __attribute__((noinline)) void NAME(unmap)(const REAL *dz, int64_t orders, int64_t paths, int64_t row,
                                                  int64_t samples, int64_t channels, const REAL *w, int64_t width,
                                                  const REAL *share, const REAL *y, REAL *dy)
{
    const int64_t padded = rounded(width), all = rounded(channels);
    for (int64_t path = 0; path < paths; path++) {
        const REAL *end = w + (path + 1) * width * all;
        for (int64_t left = all / WIDTH, vectors; left; left -= vectors) {
            /* Panels are stored in the order in which they are used, the last one first. */
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

/* dw[channel, panel] += Σ over orders and samples of y[order, sample, channel] dz[order, sample, panel]. If channels
 * end within a tile, those of the next sample are also summed, but not stored. */
INLINE void NAME(outer_panel)(const int rows, const int vectors, const REAL *y, int64_t y_order, int64_t channels,
                              const REAL *dz, int64_t orders, int64_t samples, int64_t padded, REAL *dw)
{
    for (int64_t c = 0; c < channels; c += rows) {
        Vector total[16][2];
        UNROLL for (int i = 0; i < rows; i++)
            UNROLL for (int v = 0; v < vectors; v++)
                total[i][v] = c + i < channels ? load(dw + (c + i) * padded + v * WIDTH) : (Vector){0};
        const REAL *right_row = dz;
        for (int64_t order = 0; order < orders; order++) {
            const REAL *left = y + order * y_order + c;
            for (int64_t sample = 0; sample < samples; sample++, right_row += padded, left += channels) {
                Vector right[2];
                UNROLL for (int v = 0; v < vectors; v++) right[v] = load(right_row + v * WIDTH);
                UNROLL for (int i = 0; i < rows; i++)
                {
                    const REAL value = left[i];
                    UNROLL for (int v = 0; v < vectors; v++) total[i][v] += value * right[v];
                }
            }
        }
        UNROLL for (int i = 0; i < rows; i++)
            if (c + i < channels)
                UNROLL for (int v = 0; v < vectors; v++) store(dw + (c + i) * padded + v * WIDTH, total[i][v]);
    }
}

/* Add the gradient of the linear map's weights, [path, channel, padded], of a chunk. */
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
