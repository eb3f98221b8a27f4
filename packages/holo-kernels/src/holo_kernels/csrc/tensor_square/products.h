/* Sums of products of rows, the forward and the backward of the tensor square.
 *
 * The products of a path (l1, l2, l3) are y[m3] = Σ_m1,m2 C[m1, m2, m3] u[m1] v[m2], where C are the Clebsch-Gordan
 * coefficients, and u and v the rows of degrees l1 and l2 of the input `x`. Terms that share one row are gathered in
 * twos: y[row] = Σ x[factor] (p x[first] + q x[second]), with p and q the coefficients.
 *
 * With dy = dE/dy, the chain rule gives du[m1] = Σ_m2,m3 C[m1, m2, m3] dy[m3] v[m2] and dv[m2] = Σ_m1,m3 C[m1, m2, m3]
 * dy[m3] u[m1]. If l1 = l2, then u = v, and the two contributions are equal, which makes 2 C of C. These sums have the
 * same form, dx[row] += Σ dy[factor] (p x[first] + q x[second]), so that one function computes both; the plan holds the
 * terms of each (`holo_nn.kernels.plan`).
 */

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

/* Compute rows of sums for a few vectors of lanes; `add` them to the rows or not; add their squares to `power` unless
 * NULL. */
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

/* Compute the products of a chunk. */
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

/* Add the gradients of x from those of a chunk's products. */
static __attribute__((noinline)) void NAME(products_backward)(const Plan *plan, const Chunk *chunk, const REAL *x,
                                                              const REAL *dy, REAL *dx, int64_t row, int64_t lanes)
{
    NAME(sum_rows)(plan->sums + chunk->back_sums, chunk->back_sum_count, plan->terms + chunk->back_terms, dy, row, x,
                   row, dx, row, 1, NULL, lanes);
}
